using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Tensor = TorchSharp.torch.Tensor;

public class TorchLlamaTests
{
    private const int Seed = 20260101;

    private static readonly LlamaConfig Small =
        new(Layers: 2, Width: 12, Heads: 4, KeyHeads: 2, HeadSize: 6, Hidden: 20, Vocabulary: 17, Theta: 10_000, Epsilon: 1e-5, Tied: false);

    private static readonly int[] Ids = [3, 16, 0, 7, 7, 2, 11];

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    [InlineData(false, 4)]
    public void Logits_equal_those_of_loops_over_doubles(bool tied, int keyHeads)
    {
        var config = Small with { Tied = tied, KeyHeads = keyHeads };
        var weights = RandomWeights(config);
        using var model = Model(config, weights, ScalarType.Float64);

        var expected = new LoopLlama(config, weights).Logits(Ids);
        var actual = model.Logits(Ids);
        for (var t = 0; t < Ids.Length; t++) Assert.All(expected[t].Zip(actual[t]), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
    }

    [Fact]
    public void A_folder_gives_the_same_logits_as_its_weights()
    {
        var folder = Directory.CreateTempSubdirectory("oracle").FullName;
        try
        {
            var weights = RandomWeights(Small);
            WriteFolder(folder, Small, weights);
            using var read = TorchLlama.Load(folder, ScalarType.Float64);
            Assert.Equal(Small, read.Config);
            Assert.Equal(new LoopLlama(Small, weights).Logits(Ids)[^1], read.Logits(Ids)[^1], (a, b) => Math.Abs(a - b) < 1e-12);
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    [Fact]
    public void Float32_logits_are_float64_logits_to_single_precision()
    {
        var weights = RandomWeights(Small);
        using var model = Model(Small, weights, ScalarType.Float32);
        Assert.Equal(new LoopLlama(Small, weights).Logits(Ids)[^1], model.Logits(Ids)[^1], (a, b) => Math.Abs(a - b) < 1e-5);
    }

    [Fact]
    public void First_gradients_equal_central_differences_of_the_loops()
    {
        var weights = RandomWeights(Small);
        using var model = Model(Small, weights, ScalarType.Float64);
        var gradients = TorchTraining.Run(model, [Batch()], new(_ => 0)).FirstGradients;

        var random = new Random(Seed);
        foreach (var (name, values) in weights)
        {
            // The largest gradient and one at random: a wrong sign or a missing term shows in either.
            var largest = Array.IndexOf(gradients[name], gradients[name].MaxBy(Math.Abs));
            foreach (var at in (int[])[largest, random.Next(values.Length)])
                Assert.Equal(Difference(weights, values, at), gradients[name][at], 1e-8);
        }
    }

    [Fact]
    public void The_first_step_moves_each_weight_by_AdamWs_formula()
    {
        var weights = RandomWeights(Small);
        using var model = Model(Small, weights, ScalarType.Float64);
        var settings = new AdamWSettings(_ => 0.01, Decay: 0.1);
        var run = TorchTraining.Run(model, [Batch()], settings);

        // At step 1 both bias corrections undo their decay: m̂ = g and v̂ = g².
        foreach (var (name, before) in weights)
            for (var i = 0; i < before.Length; i++)
            {
                var g = run.FirstGradients[name][i];
                Assert.Equal(before[i] * (1 - 0.01 * 0.1) - 0.01 * g / (Math.Abs(g) + settings.Epsilon), run.FinalWeights[name][i], 1e-12);
            }
    }

    [Fact]
    public void Losses_fall_on_a_batch_seen_again_and_again()
    {
        using var model = Model(Small, RandomWeights(Small), ScalarType.Float32);
        var losses = TorchTraining.Run(model, [.. Enumerable.Repeat(Batch(), 12)], new(step => 0.02 / (1 + step), Clip: 1)).Losses;
        Assert.True(losses[^1] < 0.8 * losses[0], $"from {losses[0]} to {losses[^1]}");
    }

    /// <summary>Two short sequences; one target does not count.</summary>
    private static TokenBatch Batch() => new(new long[,] { { 3, 16, 0, 7 }, { 1, 2, 2, 9 } }, new long[,] { { 16, 0, 7, 7 }, { 2, -100, 9, 4 } });

    private static double Difference(Dictionary<string, double[]> weights, double[] values, int at)
    {
        const double step = 1e-5;
        var original = values[at];
        values[at] = original + step;
        var above = LoopLoss(weights);
        values[at] = original - step;
        var below = LoopLoss(weights);
        values[at] = original;
        return (above - below) / (2 * step);
    }

    private static double LoopLoss(Dictionary<string, double[]> weights)
    {
        var (batch, losses) = (Batch(), new List<double>());
        for (var b = 0; b < batch.Inputs.GetLength(0); b++)
        {
            var sequence = Enumerable.Range(0, batch.Inputs.GetLength(1)).Select(t => (int)batch.Inputs[b, t]).ToArray();
            var logits = new LoopLlama(Small, weights).Logits(sequence);
            for (var t = 0; t < sequence.Length; t++)
                if (batch.Targets[b, t] is >= 0 and var target) losses.Add(Math.Log(logits[t].Sum(Math.Exp)) - logits[t][target]);
        }
        return losses.Average();
    }

    private static Dictionary<string, double[]> RandomWeights(LlamaConfig config)
    {
        var random = new Random(Seed);
        return TorchLlama.Names(config).ToDictionary(name => name, name =>
            Enumerable.Range(0, (int)Shape(config, name).Aggregate((a, b) => a * b))
                // Exact in float32, so that a float32 file holds the same numbers.
                .Select(_ => (double)(float)((name.Contains("norm") ? 1 : 0) + 0.6 * (random.NextDouble() - 0.5))).ToArray());
    }

    private static TorchLlama Model(LlamaConfig config, Dictionary<string, double[]> weights, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        return new(config, weights.ToDictionary(pair => pair.Key, pair => tensor(pair.Value).reshape(Shape(config, pair.Key))), dtype);
    }

    private static long[] Shape(LlamaConfig c, string name) => name.Split('.')[^2] switch
    {
        "embed_tokens" or "lm_head" => [c.Vocabulary, c.Width],
        "q_proj" => [c.Heads * c.HeadSize, c.Width],
        "k_proj" or "v_proj" => [c.KeyHeads * c.HeadSize, c.Width],
        "o_proj" => [c.Width, c.Heads * c.HeadSize],
        "gate_proj" or "up_proj" => [c.Hidden, c.Width],
        "down_proj" => [c.Width, c.Hidden],
        _ => [c.Width],
    };

    private static void WriteFolder(string folder, LlamaConfig config, Dictionary<string, double[]> weights)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(new
        {
            architectures = (string[])["LlamaForCausalLM"], hidden_act = "silu", num_hidden_layers = config.Layers, hidden_size = config.Width,
            num_attention_heads = config.Heads, num_key_value_heads = config.KeyHeads, head_dim = config.HeadSize,
            intermediate_size = config.Hidden, vocab_size = config.Vocabulary, rope_theta = config.Theta, rope_scaling = (object?)null,
            rms_norm_eps = config.Epsilon, tie_word_embeddings = config.Tied,
        }));

        var (entries, data) = (new Dictionary<string, object> { ["__metadata__"] = new { format = "pt" } }, new MemoryStream());
        foreach (var (name, values) in weights)
        {
            var start = data.Length;
            foreach (var value in values)
            {
                var bytes = new byte[4];
                BinaryPrimitives.WriteSingleLittleEndian(bytes, (float)value);
                data.Write(bytes);
            }
            entries[name] = new { dtype = "F32", shape = Shape(config, name), data_offsets = (long[])[start, data.Length] };
        }
        var header = JsonSerializer.SerializeToUtf8Bytes(entries);
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), [.. BitConverter.GetBytes((long)header.Length), .. header, .. data.ToArray()]);
    }
}
