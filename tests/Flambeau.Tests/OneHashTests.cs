using System.Security.Cryptography;
using Flambeau.Kernels;
using Flambeau.Optim;
using Flambeau.Runtime;
using Flambeau.Tests.Table;

namespace Flambeau.Tests;

/// <summary>The promise of docs/design/numerics.md by its outcome: one hash of what comes out, whatever the number of threads, the batch that a row stands in, and whether keys come at once or from a cache.</summary>
[Collection("Team")]
public class OneHashTests
{
    // B batch, T tokens, C width, H heads, D head size
    const int Rows = 7, First = 40, Batch = 64, Seed = 47;

    static readonly int[] s_threads = [1, 2];

    static T With<T>(int threads, Func<T> run)
    {
        int before = Team.Threads;
        Team.Threads = threads;
        try { return run(); }
        finally { Team.Threads = before; }
    }

    static string Hash(params ReadOnlySpan<Tensor> results)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var y in results) hash.AppendData(Bits.Of(y.DType == DType.Float64 ? y : y.To(DType.Float32)));
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    static void One(string what, IEnumerable<(string Way, string Hash)> ways)
    {
        var all = ways.ToArray();
        Assert.True(all.All(w => w.Hash == all[0].Hash), $"{what}, seed {Seed}: {string.Join(", ", all.Where(w => w.Hash != all[0].Hash).Select(w => w.Way))} differ from {all[0].Way}");
    }

    static Tensor Draw(DType type, params long[] shape) => Tensor.RandN(shape, generator: new Generator((ulong)(Seed + shape.Sum()))).To(type);

    // ---- rows ----

    static readonly (string Name, long Width, Func<DType, Func<Tensor, Tensor>> Make)[] s_ofRows =
    [
        ("Linear", 1500, type => { Tensor w = Draw(type, 700, 1500), b = Draw(type, 700); return x => x.Linear(w, b); }),
        ("Linear of few columns", 1500, type => { var w = Draw(type, 5, 1500); return x => x.Linear(w); }),
        ("product with k x n", 1500, type => { var w = Draw(type, 1500, 700); return x => x.MatMul(w); }),
        ("product of short rows", 48, type => { var w = Draw(type, 48, 40); return x => x.MatMul(w); }),
        ("Softmax", 1500, _ => x => x.Softmax(-1)),
        ("LayerNorm", 1000, type => { Tensor w = Draw(type, 1000), b = Draw(type, 1000); return x => x.LayerNorm(1, w, b); }),
        ("RmsNorm", 1024, type => { var w = Draw(type, 1024); return x => x.RmsNorm(w); }),
        ("Sum and Amax", 40_000, _ => x => x.Sum(-1) + x.Amax(-1)),
        ("a network", 300, type =>
        {
            Tensor up = Draw(type, 1200, 300), down = Draw(type, 300, 1200), w = Draw(type, 300);
            return x => (x + x.RmsNorm(w).Linear(up).Gelu().Linear(down)).LayerNorm(1, w).LogSoftmax(-1);
        }),
    ];

    public static TheoryData<string, string> OfRows()
    {
        var data = new TheoryData<string, string>();
        foreach (var (name, _, _) in s_ofRows) foreach (string type in (string[])["float32", "bfloat16"]) data.Add(name, type);
        return data;
    }

    [Theory, MemberData(nameof(OfRows))]
    public void A_row_has_one_hash_in_batches_of_1_7_and_64_at_1_and_2_threads(string name, string type)
    {
        var (_, width, make) = s_ofRows.Single(c => c.Name == name);
        var f = make(Enum.Parse<DType>(type, ignoreCase: true));
        var x = Draw(Enum.Parse<DType>(type, ignoreCase: true), Batch, width);
        One($"{name} of {type}",
            from threads in s_threads
            from batch in (int[])[1, Rows, Batch]
            select ($"{threads} threads, batch {batch}", With(threads, () => Hash(InBatches(f, x, batch)))));
    }

    // what seven rows of all yield, computed so many at a time
    static Tensor InBatches(Func<Tensor, Tensor> f, Tensor x, int batch) => batch == Batch
        ? f(x).Narrow(0, First, Rows)
        : Tensor.Cat([.. Enumerable.Range(0, Rows / batch).Select(i => f(x.Narrow(0, First + i * batch, batch)))]);

    // ---- gradients ----

    [Theory]
    [InlineData(64, 64, 16_384, "float32"), InlineData(64, 64, 16_384, "bfloat16"), InlineData(96, 200, 1500, "float32"), InlineData(96, 200, 1500, "bfloat16"), InlineData(7, 33, 5000, "float32"), InlineData(7, 33, 5000, "bfloat16")]
    public void Gradients_of_weights_and_biases_have_one_hash_at_1_and_2_threads(int inputs, int outputs, int tokens, string type)
    {
        var dtype = Enum.Parse<DType>(type, ignoreCase: true);
        Tensor x = Draw(dtype, tokens, inputs), g = Draw(dtype, tokens, outputs);
        Tensor w = Draw(dtype, outputs, inputs).RequiresGrad_(), turned = Draw(dtype, inputs, outputs).RequiresGrad_(), bias = Draw(dtype, outputs).RequiresGrad_();
        Tensor[] Gradients() => [.. Autograd.Grad([x.Linear(w, bias)], [w, bias], [g]).Select(t => t!), Autograd.Grad([x.MatMul(turned)], [turned], [g])[0]!];
        One($"gradients of {outputs}x{inputs} over {tokens} tokens of {type}", s_threads.Select(threads => ($"{threads} threads", With(threads, () => Hash(Gradients())))));
    }

    // law 1 once more: chains of fused multiply-adds over blocks of 512 tokens, added in order
    [Fact]
    public void The_gradient_of_a_weight_is_the_sum_over_tokens_that_the_law_states()
    {
        const int inputs = 64, outputs = 64, tokens = 16_300;
        Tensor x = Draw(DType.Float32, tokens, inputs), g = Draw(DType.Float32, tokens, outputs), w = Draw(DType.Float32, outputs, inputs).RequiresGrad_();
        float[] xs = x.ToArray<float>(), gs = g.ToArray<float>();
        foreach (int threads in s_threads)
        {
            float[] actual = With(threads, () => Autograd.Grad([x.Linear(w)], [w], [g])[0]!.ToArray<float>());
            for (int o = 0; o < outputs; o += 3)
                for (int i = 0; i < inputs; i += 5)
                {
                    float total = 0;
                    for (int block = 0; block < tokens; block += Gemm.BlockK)
                    {
                        float s = 0;
                        for (int t = block; t < Math.Min(tokens, block + Gemm.BlockK); t++) s = MathF.FusedMultiplyAdd(gs[t * outputs + o], xs[t * inputs + i], s);
                        total = block == 0 ? s : total + s;
                    }
                    Assert.True(total == actual[o * inputs + i], $"seed {Seed}, {threads} threads, element [{o}, {i}]: {actual[o * inputs + i]:R}, expected {total:R}");
                }
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Parameters_after_steps_of_training_have_one_hash_at_1_and_2_threads(bool autocast)
    {
        Tensor x = Draw(DType.Float32, 512, 100), targets = Tensor.RandInt(0, 10, [512], generator: new Generator(Seed));
        string Train()
        {
            Tensor[] p = [.. new[] { Draw(DType.Float32, 300, 100), Draw(DType.Float32, 10, 300), Draw(DType.Float32, 300) }.Select(t => (t * 0.1).RequiresGrad_())];
            var adam = new AdamW(p);
            for (int step = 0; step < 3; step++)
            {
                Tensor loss;
                using (Autocast.To(DType.BFloat16, enabled: autocast)) loss = x.Linear(p[0], p[2]).Gelu().Linear(p[1]).CrossEntropy(targets);
                adam.ZeroGrad();
                loss.Backward();
                adam.Step();
            }
            return Hash([.. p.Select(t => t.Detach())]);
        }
        One("parameters", s_threads.Select(threads => ($"{threads} threads", With(threads, Train))));
    }

    // ---- attention ----

    [Theory]
    [InlineData(4, 4, "float32"), InlineData(4, 4, "bfloat16"), InlineData(4, 2, "float32"), InlineData(4, 2, "bfloat16")]
    public void Attention_has_one_hash_at_once_in_pieces_and_token_by_token_from_a_cache(int heads, int shared, string type)
    {
        const int tokens = 150, size = 64;
        var dtype = Enum.Parse<DType>(type, ignoreCase: true);
        Tensor q = Draw(dtype, 2, heads, tokens, size), k = Draw(dtype, 2, shared, tokens, size), v = Draw(dtype, 2, shared, tokens + 1, size).Narrow(2, 0, tokens);
        One($"attention of {heads} heads over {shared} in {type}",
            from threads in s_threads
            from piece in (int[])[tokens, 50, 1]
            select ($"{threads} threads, {piece} tokens at a time", With(threads, () => Hash(InPieces(q, k, v, piece)))));
    }

    // queries that come later see all keys so far and, of their own piece, those up to their own
    static Tensor InPieces(Tensor q, Tensor k, Tensor v, int piece)
    {
        long tokens = q.Shape[2];
        var pieces = new List<Tensor>();
        for (long from = 0; from < tokens; from += piece)
        {
            long to = from + piece;
            var seen = Tensor.Arange(to).Le(Tensor.Arange(from, to, 1).Unsqueeze(1));
            Tensor queries = q.Narrow(2, from, piece), keys = k.Narrow(2, 0, to), values = v.Narrow(2, 0, to);
            pieces.Add(piece == tokens ? queries.ScaledDotProductAttention(keys, values, isCausal: true)
                : piece == 1 ? queries.ScaledDotProductAttention(keys, values)
                : queries.ScaledDotProductAttention(keys, values, seen));
        }
        return Tensor.Cat([.. pieces], 2);
    }

    [Theory]
    [InlineData("float32"), InlineData("bfloat16")]
    public void Gradients_of_attention_have_one_hash_at_1_and_2_threads_and_in_batches_of_1_and_7(string type)
    {
        var dtype = Enum.Parse<DType>(type, ignoreCase: true);
        Tensor[] x = [.. Enumerable.Range(0, 3).Select(i => Draw(dtype, Rows, 3, 200 + i, 64).Narrow(2, 0, 200))];
        var g = Draw(dtype, Rows, 3, 200, 64);
        Tensor[] Gradients(int from, int count)
        {
            Tensor[] leaves = [.. x.Select(t => t.Narrow(0, from, count).Detach().Clone().RequiresGrad_())];
            return [.. Autograd.Grad([leaves[0].ScaledDotProductAttention(leaves[1], leaves[2], isCausal: true)], leaves, [g.Narrow(0, from, count)]).Select(t => t!)];
        }
        Tensor[] OneByOne() => [.. Enumerable.Range(0, 3).Select(i => Tensor.Cat([.. Enumerable.Range(0, Rows).Select(b => Gradients(b, 1)[i])]))];
        One($"gradients of attention in {type}", s_threads.SelectMany(threads => new[]
        {
            ($"{threads} threads, batch {Rows}", With(threads, () => Hash(Gradients(0, Rows)))),
            ($"{threads} threads, batch 1", With(threads, () => Hash(OneByOne()))),
        }));
    }
}
