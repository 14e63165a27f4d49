using System.CommandLine;
using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.Models.Tokenizers;
using Flambeau.Models.Training;
using Flambeau.NN;

namespace Flambeau.Cli;

/// <summary><c>flambeau generate</c>: streams a model's continuation of a text.</summary>
internal static class GenerateCommand
{
    static readonly Option<string> s_run = new("--run") { Description = "The run folder, or any Hugging Face folder of a Llama-shaped model.", DefaultValueFactory = _ => Path.Combine("runs", "default") };
    static readonly Option<string> s_prompt = new("--prompt") { Description = "The text to continue.", DefaultValueFactory = _ => "" };
    static readonly Option<int> s_tokens = new("--tokens") { Description = "The most tokens to make.", DefaultValueFactory = _ => 200 };
    static readonly Option<double> s_temperature = new("--temperature") { Description = "0 takes the likeliest token.", DefaultValueFactory = _ => 0.8 };
    static readonly Option<int> s_topK = new("--top-k") { Description = "Only the k likeliest tokens take part; 0 for all.", DefaultValueFactory = _ => 40 };
    static readonly Option<ulong> s_seed = new("--seed") { Description = "Decides the draws.", DefaultValueFactory = _ => 1 };

    public static Command Create()
    {
        var command = new Command("generate", "Streams a model's continuation of a text.") { s_run, s_prompt, s_tokens, s_temperature, s_topK, s_seed };
        command.SetAction(Run);
        return command;
    }

    static int Run(ParseResult arguments)
    {
        Settings.WarmUp = false; // nothing is trained
        var (model, tokenizer) = Load(new RunFolder(arguments.GetValue(s_run)!));
        string prompt = arguments.GetValue(s_prompt)!;
        var options = new SamplingOptions
        {
            Temperature = arguments.GetValue(s_temperature), TopK = arguments.GetValue(s_topK), MaxTokens = arguments.GetValue(s_tokens), Seed = arguments.GetValue(s_seed),
        };
        var pieces = new TextGenerator(model, tokenizer).Continue(prompt, options);
        Console.Write(prompt);
        foreach (string piece in pieces) Console.Write(piece);
        Console.WriteLine();
        return 0;
    }

    internal static (Llama, ITokenizer) Load(RunFolder folder)
    {
        foreach (string file in new[] { folder.Config, folder.Weights, folder.Tokenizer })
            if (!File.Exists(file)) throw new IOException($"{folder.Path} holds no model: {Path.GetFileName(file)} is missing. Train one with `flambeau train --out {folder.Path}`.");
        var model = new Llama(LlamaConfig.FromJson(File.ReadAllText(folder.Config), folder.Config));
        model.LoadStateDict(SafeTensors.Load(folder.Weights), cast: true);
        model.Eval();
        return (model, ByteLevelBpe.Load(folder.Tokenizer));
    }
}
