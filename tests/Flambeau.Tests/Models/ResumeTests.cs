using System.Diagnostics;
using Flambeau.IO;
using Flambeau.Models.Training;

namespace Flambeau.Tests.Models;

/// <summary>A run that is stopped, anywhere, and goes on ends in the bits of one that was not.</summary>
[Collection(nameof(ResumeTests))]
[CollectionDefinition(nameof(ResumeTests), DisableParallelization = true)]
public class ResumeTests
{
    const int Steps = 12;

    static readonly string s_text = Text();

    // a text with some structure, too short to matter
    static string Text()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("flambeau").FullName, "text.txt");
        var random = new Random(1);
        string[] words = ["alpha", "beta", "gamma", "delta", "the", "of", "returns", "value", "a"];
        File.WriteAllLines(file, Enumerable.Range(0, 1500).Select(_ => string.Join(' ', Enumerable.Range(0, random.Next(3, 12)).Select(_ => words[random.Next(words.Length)]))));
        return file;
    }

    static TrainingOptions Options => new() { Data = s_text, Vocabulary = 300, HiddenSize = 16, IntermediateSize = 32, Layers = 1, Heads = 2, KeyValueHeads = 1, Context = 16, Batch = 2, Steps = Steps, Warmup = 3, Seed = 7 };

    static RunFolder NewFolder() => new(Directory.CreateTempSubdirectory("flambeau").FullName);

    sealed class Quiet : IProgress<TrainingEvent>
    {
        public Action<TrainingEvent>? On;
        public void Report(TrainingEvent value) => On?.Invoke(value);
    }

    static readonly Lazy<byte[]> s_uninterrupted = new(() =>
    {
        var folder = NewFolder();
        LanguageModelTrainer.Start(folder, Options, new Quiet(), default);
        return File.ReadAllBytes(folder.Weights);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_number_of_threads_does_not_show(int threads)
    {
        int before = Settings.Threads;
        try
        {
            Settings.Threads = threads;
            var folder = NewFolder();
            LanguageModelTrainer.Start(folder, Options, new Quiet(), default);
            Assert.Equal(s_uninterrupted.Value, File.ReadAllBytes(folder.Weights));
        }
        finally { Settings.Threads = before; }
    }

    [Fact]
    public void A_run_in_bf16_goes_on_with_the_same_bits_and_has_float32_parameters()
    {
        var options = Options with { Precision = "bf16" };
        RunFolder whole = NewFolder(), parts = NewFolder();
        LanguageModelTrainer.Start(whole, options, new Quiet(), default);
        using var stop = new CancellationTokenSource();
        LanguageModelTrainer.Start(parts, options, new Quiet { On = e => { if (e is TrainingEvent.Stepped { Step: 5 }) stop.Cancel(); } }, stop.Token);
        LanguageModelTrainer.Resume(parts, new Quiet(), default);
        Assert.Equal(File.ReadAllBytes(whole.Weights), File.ReadAllBytes(parts.Weights));
        Assert.NotEqual(s_uninterrupted.Value, File.ReadAllBytes(whole.Weights));
        Assert.All(SafeTensors.Load(whole.Weights), t => Assert.Equal(DType.Float32, t.Value.DType));
        Assert.Throws<InvalidDataException>(() => LanguageModelTrainer.Start(NewFolder(), options with { Precision = "fp4" }, new Quiet(), default));
    }

    [Fact]
    public void Stopping_after_any_step_and_going_on_ends_in_the_same_bits()
    {
        for (int stopAfter = 1; stopAfter < Steps; stopAfter += 3)
        {
            var folder = NewFolder();
            using var stop = new CancellationTokenSource();
            LanguageModelTrainer.Start(folder, Options, new Quiet { On = e => { if (e is TrainingEvent.Stepped s && s.Step == stopAfter) stop.Cancel(); } }, stop.Token);
            var resumed = new List<long>();
            LanguageModelTrainer.Resume(folder, new Quiet { On = e => { if (e is TrainingEvent.Stepped s) resumed.Add(s.Step); } }, default);
            Assert.Equal(stopAfter + 1, resumed[0]);
            Assert.Equal(s_uninterrupted.Value, File.ReadAllBytes(folder.Weights));
            var (losses, heldOut) = folder.ReadLog();
            Assert.Equal(Enumerable.Range(1, Steps).Select(i => (long)i), losses.Select(l => l.Step));
            Assert.Equal(Steps, heldOut[^1].Step);
        }
    }

    sealed class PowerCut : Exception;

    [Fact]
    public void A_power_cut_at_any_operation_on_a_file_loses_nothing_that_was_saved()
    {
        int operations = CountOperations();
        Assert.True(operations > 20, $"{operations} operations");
        for (int cut = 0; cut < operations; cut++)
        {
            var folder = NewFolder();
            int seen = 0;
            AtomicFile.BeforeOperation = _ => { if (seen++ == cut) throw new PowerCut(); };
            try { LanguageModelTrainer.Start(folder, Options, new Quiet(), default, saveSeconds: 0); }
            catch (PowerCut) { }
            finally { AtomicFile.BeforeOperation = null; }
            if (folder.HasRun) LanguageModelTrainer.Resume(folder, new Quiet(), default);
            else LanguageModelTrainer.Start(folder, Options, new Quiet(), default);
            Assert.True(s_uninterrupted.Value.AsSpan().SequenceEqual(File.ReadAllBytes(folder.Weights)), $"cut before operation {cut}");
        }
    }

    static int CountOperations()
    {
        int seen = 0;
        AtomicFile.BeforeOperation = _ => seen++;
        try { LanguageModelTrainer.Start(NewFolder(), Options, new Quiet(), default, saveSeconds: 0); }
        finally { AtomicFile.BeforeOperation = null; }
        return seen;
    }

    [Fact]
    public void Killed_processes_resume_to_the_same_bits()
    {
        string tool = Path.Combine(AppContext.BaseDirectory, "Flambeau.Cli.dll");
        string[] arguments = ["--data", s_text, "--preset", "tiny", "--steps", "150", "--seed", "3", "--save-seconds", "0"];
        var whole = NewFolder();
        Assert.True(Tool(tool, ["train", .. arguments, "--out", whole.Path], killAfter: null));
        var killed = NewFolder();
        var random = new Random(5);
        bool done = Tool(tool, ["train", .. arguments, "--out", killed.Path], killAfter: 1500);
        for (int i = 0; i < 9 && !done; i++) done = Tool(tool, Resume(), killAfter: random.Next(900, 2500));
        if (!done) Assert.True(Tool(tool, Resume(), killAfter: null));
        Assert.Equal(File.ReadAllBytes(whole.Weights), File.ReadAllBytes(killed.Weights));

        string[] Resume() => killed.HasRun ? ["train", "--resume", "--save-seconds", "0", "--out", killed.Path] : ["train", .. arguments, "--out", killed.Path];
    }

    // true if it ended by itself, and well; kill -9 after the given milliseconds
    static bool Tool(string tool, string[] arguments, int? killAfter)
    {
        using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath is { } p && Path.GetFileNameWithoutExtension(p) == "dotnet" ? p : "dotnet", [tool, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (killAfter is { } ms && !process.WaitForExit(ms))
        {
            process.Kill();
            process.WaitForExit();
            return false;
        }
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output.Result + errors.Result);
        return true;
    }
}
