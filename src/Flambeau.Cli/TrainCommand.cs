using System.CommandLine;
using Flambeau.Diagnostics;
using Flambeau.Models.Training;
using Spectre.Console;
using Profile = Flambeau.Diagnostics.Profile;

namespace Flambeau.Cli;

/// <summary><c>flambeau train</c>: a language model, from text to a Hugging Face folder.</summary>
internal static class TrainCommand
{
    static readonly Option<string?> s_data = new("--data") { Description = "A UTF-8 text file. By default the reference documentation that the .NET SDK carries: no download." };
    static readonly Option<double?> s_minutes = new("--minutes") { Description = "How long to train; fixes the number of steps once the speed is known. [default: 5]" };
    static readonly Option<long?> s_steps = new("--steps") { Description = "How many steps to train, instead of --minutes." };
    static readonly Option<string> s_preset = new("--preset") { Description = "The model's size: tiny, default, gpt.", DefaultValueFactory = _ => "default" };
    static readonly Option<string> s_tokenizer = new("--tokenizer") { Description = "bpe (learned from the text) or bytes.", DefaultValueFactory = _ => "bpe" };
    static readonly Option<string> s_dtype = new("--dtype") { Description = "float32, or bf16 for products in bfloat16 (parameters stay float32).", DefaultValueFactory = _ => "float32" };
    static readonly Option<ulong> s_seed = new("--seed") { Description = "Decides weights and order.", DefaultValueFactory = _ => 1 };
    static readonly Option<int?> s_threads = new("--threads") { Description = "Threads; never changes a result." };
    static readonly Option<string> s_out = new("--out") { Description = "The run folder.", DefaultValueFactory = _ => Path.Combine("runs", "default") };
    static readonly Option<double> s_saveSeconds = new("--save-seconds") { Description = "How often the state is saved.", DefaultValueFactory = _ => 30 };
    static readonly Option<bool> s_resume = new("--resume") { Description = "Goes on with the run in the folder." };
    static readonly Option<bool> s_profile = new("--profile") { Description = "Prints what the time went into, and writes it as a trace for ui.perfetto.dev." };
    static readonly Option<string?> s_trace = new("--trace") { Description = "Where --profile writes the trace; profiles by itself. [default: trace.json in the run folder]" };

    public static Command Create()
    {
        var command = new Command("train", "Trains a small language model into a Hugging Face folder; without arguments for five minutes on the .NET documentation.")
        {
            s_data, s_minutes, s_steps, s_preset, s_tokenizer, s_dtype, s_seed, s_threads, s_out, s_saveSeconds, s_resume, s_profile, s_trace,
        };
        command.SetAction(Run);
        return command;
    }

    static int Run(ParseResult arguments)
    {
        if (arguments.GetValue(s_threads) is { } threads) Settings.Threads = threads;
        var folder = new RunFolder(arguments.GetValue(s_out)!);
        string? trace = arguments.GetValue(s_trace) ?? (arguments.GetValue(s_profile) ? folder.Trace : null);
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, e) =>
        {
            // the first Ctrl-C saves and ends; a second one ends at once
            e.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        };
        var view = new TrainingView(AnsiConsole.Console, folder);
        using var profile = trace is null ? null : Profile.Start(new ProfileOptions { Roof = true });
        if (arguments.GetValue(s_resume)) LanguageModelTrainer.Resume(folder, view, stop.Token, arguments.GetValue(s_saveSeconds));
        else LanguageModelTrainer.Start(folder, Options(arguments), view, stop.Token, arguments.GetValue(s_saveSeconds));
        view.Finish(stop.IsCancellationRequested);
        if (profile is not null) Show(profile, trace!);
        return 0;
    }

    static TrainingOptions Options(ParseResult arguments)
    {
        string preset = arguments.GetValue(s_preset)!, tokenizer = arguments.GetValue(s_tokenizer)!;
        if (!TrainingOptions.Presets.TryGetValue(preset, out var options))
            throw new InvalidDataException($"There is no preset \"{preset}\"; choose one of {string.Join(", ", TrainingOptions.Presets.Keys)}.");
        if (tokenizer is not ("bpe" or "bytes")) throw new InvalidDataException($"There is no tokenizer \"{tokenizer}\"; choose bpe or bytes.");
        if (arguments.GetValue(s_steps) is <= 0) throw new InvalidDataException($"--steps must be positive, got {arguments.GetValue(s_steps)}.");
        if (arguments.GetValue(s_minutes) is <= 0) throw new InvalidDataException($"--minutes must be positive, got {arguments.GetValue(s_minutes)}.");
        return options with
        {
            Data = arguments.GetValue(s_data) is { } data ? Path.GetFullPath(data) : null, Tokenizer = tokenizer, Precision = arguments.GetValue(s_dtype)!, Seed = arguments.GetValue(s_seed),
            Minutes = arguments.GetValue(s_minutes) ?? options.Minutes, Steps = arguments.GetValue(s_steps),
        };
    }

    static void Show(Profile profile, string trace)
    {
        profile.Stop();
        // as it is: a table is wider than many terminals, and the console's own wrapping would break its lines
        Console.Out.WriteLine($"\n{profile}");
        profile.WriteTrace(trace);
        AnsiConsole.WriteLine($"the trace is in {trace}; open it on ui.perfetto.dev");
    }
}
