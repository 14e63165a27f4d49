using System.Diagnostics;
using System.Globalization;
using Flambeau.Models.Training;
using TorchSharp;

namespace Flambeau.Oracle;

/// <summary>A run of <c>flambeau train</c>, made again by PyTorch: a small one always, a real one that a variable names (the README has the command).</summary>
public class RunTests(ITestOutputHelper output)
{
    private const int Alike = 30; // steps, before rounding has grown
    private const string Why = $"{FinishedRun.Variable} names no finished run";

    public static bool HasRun => Environment.GetEnvironmentVariable(FinishedRun.Variable) is { Length: > 0 };

    /// <summary>PyTorch's own Muon iterates in bfloat16, Flambeau's in the parameters' type.</summary>
    private static torch.ScalarType Iteration => Environment.GetEnvironmentVariable("FLAMBEAU_ORACLE_MUON") switch
    {
        null or "" or "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        var other => throw new NotSupportedException($"FLAMBEAU_ORACLE_MUON: float32 or bfloat16, not {other}."),
    };

    [Theory]
    [InlineData("muon")]
    [InlineData("adamw")]
    public void A_small_run_has_PyTorchs_losses_to_its_end(string optimizer)
    {
        var folder = Directory.CreateTempSubdirectory("flambeau-oracle");
        try
        {
            var options = new TrainingOptions
            {
                Data = Text(folder.FullName), Vocabulary = 300, HiddenSize = 32, IntermediateSize = 80, Layers = 2, Heads = 2, KeyValueHeads = 1,
                Context = 32, Batch = 4, Optimizer = optimizer, Steps = 60, Warmup = 10, Seed = 3,
            };
            LanguageModelTrainer.Start(new(folder.FullName), options, new Progress<TrainingEvent>(), CancellationToken.None);
            var run = new FinishedRun(folder.FullName);
            using var model = run.FirstModel();
            var losses = Train(run, model, torch.ScalarType.Float32);
            var (ours, theirs) = (run.BitsPerByte!.Value, run.Data.BitsPerByte(TorchTraining.MeanLoss(model, run.HeldOut())));
            Assert.True(losses[^1] < 0.8 * losses[0], $"the run learns: from {losses[0]} to {losses[^1]}");
            var difference = losses.Zip(run.Losses, (t, o) => Math.Abs(o / t - 1)).Max();
            Say($"largest relative difference of the losses {difference:E1}; held-out bits per byte: Flambeau {ours:F5}, PyTorch {theirs:F5}");
            Assert.True(difference <= 1e-4, $"a loss is {difference:E2} away from PyTorch's");
            Assert.Equal(theirs, ours, 1e-4);
        }
        finally { folder.Delete(recursive: true); }
    }

    [Fact(Skip = Why, SkipUnless = nameof(HasRun))]
    public void PyTorch_reaches_the_same_bits_per_byte_in_the_same_steps()
    {
        var run = FinishedRun.Named();
        using var model = run.FirstModel();
        Say($"{run.Path}: {model.Weights.Values.Sum(w => w.numel()):N0} parameters, {run.Options.Steps:N0} steps of {run.Options.Batch} × {run.Options.Context} tokens");

        var losses = Train(run, model, Iteration);
        var differences = losses.Zip(run.Losses, (theirs, ours) => Math.Abs(ours / theirs - 1)).ToArray();
        var ours = run.BitsPerByte!.Value;
        var theirs = run.Data.BitsPerByte(TorchTraining.MeanLoss(model, run.HeldOut()));
        Say($"largest relative difference of the losses: {differences[0]:E1} in the first step, {differences.Take(Alike).Max():E1} in {Alike}, {differences.Max():E1} in all {differences.Length:N0}");
        Say($"held-out bits per byte: Flambeau {ours:F5}, PyTorch {theirs:F5}, |difference| {Math.Abs(ours - theirs):F5}");

        if (Iteration == torch.ScalarType.Float32)
            Assert.True(differences.Take(Alike).Max() <= 1e-4, $"the losses part within {Alike} steps, by {differences.Take(Alike).Max():E2}: the optimizers differ");
        Assert.True(Math.Abs(ours - theirs) <= 0.01, $"held-out bits per byte {ours:R}, PyTorch has {theirs:R}");
    }

    [Fact(Skip = Why, SkipUnless = nameof(HasRun))]
    public void The_last_weights_give_PyTorchs_logits()
    {
        var run = FinishedRun.Named();
        using var theirs = TorchLlama.Load(run.Path, torch.ScalarType.Float32);
        var ours = run.LastModel();
        using var _ = Autograd.NoGrad();
        var (largest, scale) = (0.0, 0.0);
        foreach (var window in (long[])[0, run.Data.HeldOut.Count / 2, run.Data.HeldOut.Count - 1])
        {
            var ids = run.Data.HeldOut[window][..^1];
            var expected = theirs.Logits(ids).SelectMany(row => row).ToArray();
            var actual = ours.Call(Tensor.FromArray(ids).Unsqueeze(0)).ToArray<double>();
            Assert.Equal(expected.Length, actual.Length);
            largest = Math.Max(largest, expected.Zip(actual, (t, a) => Math.Abs(a - t)).Max());
            scale = Math.Max(scale, expected.Max(Math.Abs));
        }
        Say($"logits of three held-out windows: largest difference from PyTorch's {largest:E1}, largest logit {scale:F1}");
        Assert.True(largest <= 1e-4, $"a logit is {largest:E2} away from PyTorch's");
    }

    private double[] Train(FinishedRun run, TorchLlama model, torch.ScalarType iteration)
    {
        using var optimizer = new RunOptimizer(model, run.Options, iteration);
        using var log = new StreamWriter(Path.Combine(run.Path, "pytorch.jsonl")) { AutoFlush = true };
        var losses = new List<double>();
        var clock = Stopwatch.StartNew();
        foreach (var batch in run.Batches())
        {
            var (step, rate) = (losses.Count, Rate(losses.Count));
            Assert.True(Math.Abs(run.Rates[step] / rate - 1) < 1e-12, $"step {step} had a learning rate of {run.Rates[step]:R}, by its options it is {rate:R}");
            losses.Add(TorchTraining.Step(model, batch, run.Options.ClipNorm, () => optimizer.Step(rate)));
            // said now, not after minutes
            if (step == 0) Assert.True(Math.Abs(run.Losses[0] / losses[0] - 1) <= 1e-5, $"the first loss is {run.Losses[0]:R}, PyTorch has {losses[0]:R}: other weights or batches than the run had. Was it made by another version?");
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{{\"step\":{step + 1},\"loss\":{losses[^1]:R},\"learning_rate\":{rate:R},\"seconds\":{clock.Elapsed.TotalSeconds:F3}}}"));
            if (losses.Count % 200 == 0) Say($"step {losses.Count:N0}/{run.Options.Steps:N0} after {clock.Elapsed:m\\:ss}: loss {losses[^1]:F3}, Flambeau had {run.Losses[step]:F3}");
        }
        return [.. losses];

        // a rise, a plateau, a fall to zero at the end
        double Rate(int step)
        {
            double steps = run.Options.Steps!.Value;
            return run.Options.LearningRate * Math.Min(Math.Min(1, (step + 1.0) / run.Options.Warmup), (steps - step) / (steps * run.Options.Decay));
        }
    }

    // words in random order: enough of a text to learn from in some steps
    private static string Text(string folder)
    {
        var (file, random) = (Path.Combine(folder, "text.txt"), new Random(1));
        string[] words = ["alpha", "beta", "gamma", "delta", "the", "of", "returns", "value", "a"];
        File.WriteAllLines(file, Enumerable.Range(0, 1500).Select(_ => string.Join(' ', Enumerable.Range(0, random.Next(3, 12)).Select(_ => words[random.Next(words.Length)]))));
        return file;
    }

    private void Say(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
