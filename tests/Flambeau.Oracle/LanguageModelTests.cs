using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.Optim;
using TorchSharp;

namespace Flambeau.Oracle;

using Sizes = Models.Language.LlamaConfig;

/// <summary>Flambeau's language model beside PyTorch's: the same files, the same logits, the same gradients, the same hundred steps.</summary>
public sealed class LanguageModelTests : IDisposable
{
    private const int Seed = 20261124, Batch = 4, Context = 32, Vocabulary = 61;

    private readonly string _folder = Directory.CreateTempSubdirectory("flambeau-oracle").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true, 4, DType.Float32, 1e-4)]
    [InlineData(false, 2, DType.Float32, 1e-4)]
    [InlineData(true, 1, DType.Float64, 1e-10)]
    [InlineData(false, 2, DType.Float64, 1e-10)]
    [InlineData(false, 4, DType.Float64, 1e-10)]
    public void Logits_are_PyTorchs_of_the_same_files(bool tied, int keyHeads, DType dtype, double tolerance)
    {
        var model = Fresh(tied, keyHeads, dtype);
        // a deviation of 0.02 would leave attention nearly even and the logits nearly zero
        Spread(model);
        using var torch = Written(model, dtype);

        var ids = Tokens(new Random(Seed), 1, Context);
        using var _ = Autograd.NoGrad();
        var ours = model.Call(Tensor.FromArray(ids)).ToArray<double>();
        var theirs = torch.Logits([.. ids.Cast<long>().Select(id => (int)id)]).SelectMany(row => row).ToArray();

        Assert.True(theirs.Max() > 1, $"the logits say something: the largest is {theirs.Max()}");
        for (var i = 0; i < ours.Length; i++) Assert.True(Math.Abs(ours[i] - theirs[i]) <= tolerance, $"logit {i}: {ours[i]:R}, PyTorch has {theirs[i]:R}");
    }

    [Theory]
    [InlineData(true, 4, DType.Float64)]
    [InlineData(false, 2, DType.Float64)]
    [InlineData(true, 2, DType.Float32)]
    [InlineData(false, 4, DType.Float32)]
    public void A_hundred_steps_have_PyTorchs_losses_and_gradients(bool tied, int keyHeads, DType dtype)
    {
        const int steps = 100;
        const double decay = 0.1, clip = 1;
        var exact = dtype == DType.Float64;
        var model = Fresh(tied, keyHeads, dtype);
        using var torch = Written(model, dtype);

        var random = new Random(Seed + 1);
        var batches = Enumerable.Range(0, steps).Select(_ => Pattern(random)).ToList();
        var theirs = TorchTraining.Run(torch, batches, new(Rate, Beta2: 0.95, Decay: decay, Clip: clip));

        var optimizer = new AdamW(model.Parameters(), betas: (0.9, 0.95), weightDecay: decay);
        var losses = new List<double>();
        for (var step = 0; step < steps; step++)
        {
            optimizer.LearningRate = Rate(step);
            optimizer.ZeroGrad();
            var loss = model.Loss(Tensor.FromArray(batches[step].Inputs), Tensor.FromArray(batches[step].Targets));
            loss.Backward();
            losses.Add(loss.Item());
            if (step == 0) CompareGradients(model, theirs.FirstGradients, exact ? 1e-12 : 1e-5);
            Gradients.ClipNorm(model.Parameters(), clip);
            optimizer.Step();
        }

        var worst = Enumerable.Range(0, steps).MaxBy(step => Math.Abs(losses[step] / theirs.Losses[step] - 1));
        var difference = Math.Abs(losses[worst] / theirs.Losses[worst] - 1);
        TestContext.Current.SendDiagnosticMessage($"{dtype} tied {tied} key heads {keyHeads}: losses {losses[0]:R} to {losses[^1]:R}, largest relative difference {difference:E2} at step {worst}");
        Assert.True(theirs.Losses[^1] < 0.7 * theirs.Losses[0], $"the run learns: from {theirs.Losses[0]} to {theirs.Losses[^1]}");
        Assert.True(difference <= (exact ? 1e-9 : 1e-4), $"step {worst}: loss {losses[worst]:R}, PyTorch has {theirs.Losses[worst]:R} (relative {difference:E2})");

        // a rise over ten steps, then a fall to a tenth
        static double Rate(int step) => 3e-3 * Math.Min((step + 1) / 10.0, 1 - 0.9 * step / steps);
    }

    private static void CompareGradients(Llama model, IReadOnlyDictionary<string, double[]> expected, double tolerance)
    {
        var parameters = model.NamedParameters().ToDictionary(p => p.Name, p => p.Value);
        Assert.Equal(expected.Keys.Order(), parameters.Keys.Order());
        foreach (var (name, theirs) in expected)
        {
            var ours = parameters[name].Grad!.ToArray<double>();
            var norm = Math.Sqrt(theirs.Sum(g => g * g));
            var distance = Math.Sqrt(ours.Zip(theirs, (a, b) => (a - b) * (a - b)).Sum());
            Assert.True(norm > 0 && distance <= tolerance * norm, $"gradient of {name}: {distance:E2} away at a norm of {norm:E2}");
        }
    }

    private static Llama Fresh(bool tied, int keyHeads, DType dtype) => NN.ModuleExtensions.To(
        new Llama(
            new Sizes
            {
                VocabularySize = Vocabulary, HiddenSize = 64, IntermediateSize = 160, Layers = 2, Heads = 4, KeyValueHeads = keyHeads, HeadSize = 16,
                Context = Context, TiedEmbeddings = tied,
            },
            new Generator(Seed)),
        dtype);

    private static void Spread(Llama model)
    {
        var generator = new Generator(Seed + 2);
        using var _ = Autograd.NoGrad();
        foreach (var parameter in model.Parameters())
        {
            var noise = Tensor.RandN(parameter.Shape, DType.Float32, generator).To(parameter.DType);
            parameter.Copy_(parameter.Rank == 1 ? 1 + 0.2 * noise : 0.15 * noise);
        }
    }

    private TorchLlama Written(Llama model, DType dtype)
    {
        SafeTensors.Save(Path.Combine(_folder, "model.safetensors"), model.FileTensors());
        File.WriteAllText(Path.Combine(_folder, "config.json"), model.Config.ToJson());
        return TorchLlama.Load(_folder, dtype == DType.Float64 ? torch.ScalarType.Float64 : torch.ScalarType.Float32);
    }

    private static long[,] Tokens(Random random, int rows, int columns)
    {
        var ids = new long[rows, columns];
        for (var b = 0; b < rows; b++)
            for (var t = 0; t < columns; t++) ids[b, t] = random.Next(Vocabulary);
        return ids;
    }

    /// <summary>Sequences with something to learn: each token follows from the one before by one of a few steps; some targets do not count.</summary>
    private static TokenBatch Pattern(Random random)
    {
        var (inputs, targets) = (new long[Batch, Context], new long[Batch, Context]);
        for (var b = 0; b < Batch; b++)
        {
            long token = random.Next(Vocabulary);
            for (var t = 0; t < Context; t++)
            {
                inputs[b, t] = token;
                token = (token * 3 + random.Next(2)) % Vocabulary;
                targets[b, t] = random.Next(16) == 0 ? -100 : token;
            }
        }
        return new(inputs, targets);
    }
}
