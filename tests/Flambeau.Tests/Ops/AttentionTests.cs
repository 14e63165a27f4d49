using Flambeau.Tests.Table;
using Flambeau.Kernels;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Tests.Ops;

/// <summary>Attention's kernels against the law that they state, against loops in double, and against themselves in other company: the bits of a query hang on the query and what it sees alone.</summary>
[Collection("Team")]
public class AttentionTests
{
    // ---- operands ----

    sealed record Case(int Batch, int Heads, int Shared, int Queries, int Keys, int Size, int ValueSize, string Mask)
    {
        public bool IsCausal => Mask == "causal";
    }

    static readonly Case[] s_cases =
    [
        new(2, 2, 2, 77, 77, 64, 64, "causal"), new(1, 4, 2, 130, 130, 80, 80, "causal"), new(1, 3, 1, 50, 200, 16, 24, ""), new(2, 2, 2, 5, 7, 3, 5, "bias"), new(1, 2, 2, 300, 300, 128, 128, "causal"),
        new(1, 2, 1, 290, 300, 20, 20, "bool"), new(1, 1, 1, 1, 1, 1, 1, "causal"), new(1, 2, 2, 260, 100, 64, 64, "causal"), new(1, 2, 2, 100, 260, 64, 64, "causal"), new(1, 2, 2, 145, 97, 64, 40, "bias"),
    ];

    public static TheoryData<int, int> CasesAndWidths()
    {
        var data = new TheoryData<int, int>();
        foreach (int width in new[] { 512, 256, 128 })
            for (int i = 0; i < s_cases.Length; i++) data.Add(i, width);
        return data;
    }

    sealed class Operands
    {
        public readonly Tensor Q, K, V, Gradient;
        public readonly Tensor? Mask;

        // layouts as models have them: heads of a token side by side, or tokens of a head, or d strided
        public Operands(Case c, DType type, ulong seed)
        {
            var g = new Generator(seed);
            Tensor New(params long[] sizes) => (Tensor.RandN(sizes, generator: g) * 1.5).To(type);
            Q = New(c.Batch, c.Queries, c.Heads, c.Size).Transpose(1, 2);
            K = New(c.Batch, c.Shared, c.Keys, c.Size);
            V = New(c.Batch, c.Shared, c.ValueSize, c.Keys).Transpose(2, 3);
            Gradient = New(c.Batch, c.Heads, c.Queries, c.ValueSize);
            Mask = c.Mask == "bias" ? New(1, c.Queries, c.Keys) : c.Mask == "bool" ? Tensor.Rand([c.Batch, 1, c.Queries, c.Keys], generator: g).Gt(0.4) : null;
            // a query that sees nothing, and blocks of keys that one sees nothing of
            if (c.Mask == "bool") Mask!.Narrow(2, 3, 1).Fill_(false);
            if (c.Mask == "bool") Mask!.Narrow(2, 5, 1).Narrow(3, 0, 200).Fill_(false);
        }
    }

    static Tensor Run(Operands x, Case c) => x.Q.ScaledDotProductAttention(x.K, x.V, x.Mask, isCausal: c.IsCausal);

    static Tensor[] Gradients(Tensor q, Tensor k, Tensor v, Func<Tensor, Tensor, Tensor, Tensor> f, Tensor g)
    {
        Tensor a = q.Alias().RequiresGrad_(), b = k.Alias().RequiresGrad_(), c = v.Alias().RequiresGrad_();
        return [.. Autograd.Grad([f(a, b, c)], [a, b, c], [g]).Select(t => t!)];
    }

    // in double, by operators that have nothing to do with the kernel
    static Tensor Truth(Tensor q, Tensor k, Tensor v, Tensor? mask, bool causal, Func<Tensor, Tensor>? drop = null)
    {
        (q, k, v) = (q.To(DType.Float64), k.To(DType.Float64), v.To(DType.Float64));
        long group = q.Rank > 2 ? q.Shape[^3] / k.Shape[^3] : 1;
        if (group > 1) (k, v) = (k.RepeatInterleave(group, -3), v.RepeatInterleave(group, -3));
        var scores = q.MatMul(k.T) * (1 / Math.Sqrt(q.Shape[^1]));
        var hidden = causal ? Tensor.Arange(k.Shape[^2]).Gt(Tensor.Arange(q.Shape[^2]).Unsqueeze(1)) : mask is { DType: DType.Bool } ? mask.LogicalNot() : null;
        if (hidden is not null) scores = scores.MaskedFill(hidden, double.NegativeInfinity);
        else if (mask is not null) scores += mask.To(DType.Float64);
        var blind = scores.Eq(double.NegativeInfinity).All(-1, keepDim: true);
        var weights = scores.MaskedFill(blind, 0).Softmax(-1).MaskedFill(blind, 0);
        return (drop is null ? weights : drop(weights)).MatMul(v);
    }

    static double Distance(Tensor x, Tensor y) => (x.To(DType.Float64) - y.To(DType.Float64)).Abs().Max().Item();

    static void SameBits(Tensor x, Tensor y, string what)
    {
        double[] a = x.To(DType.Float64).ToArray<double>(), b = y.To(DType.Float64).ToArray<double>();
        for (int i = 0; i < a.Length; i++) Assert.True(BitConverter.DoubleToInt64Bits(a[i]) == BitConverter.DoubleToInt64Bits(b[i]), $"{what}: element {i} is {b[i]:R}, not {a[i]:R}");
    }

    static void AtWidth(int bits, Action run)
    {
        int before = Gemm.Width;
        Gemm.Width = Math.Min(before, bits);
        try { run(); }
        finally { Gemm.Width = before; }
    }

    // ---- the numbers ----

    [Theory]
    [MemberData(nameof(CasesAndWidths))]
    public void Results_and_gradients_are_those_of_loops_in_double(int which, int width) => AtWidth(width, () =>
    {
        var c = s_cases[which];
        foreach (var (type, bound) in new[] { (DType.Float64, 2e-13), (DType.Float32, 3e-5), (DType.BFloat16, 0.1), (DType.Float16, 0.02) })
        {
            var x = new Operands(c, type, (ulong)which);
            var y = Run(x, c);
            Assert.Equal(type, y.DType);
            Assert.True(Distance(y, Truth(x.Q, x.K, x.V, x.Mask, c.IsCausal)) < bound, $"{c} {type}");
            var found = Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, x.Mask, isCausal: c.IsCausal), x.Gradient);
            var expected = Gradients(x.Q.To(DType.Float64), x.K.To(DType.Float64), x.V.To(DType.Float64), (q, k, v) => Truth(q, k, v, x.Mask, c.IsCausal), x.Gradient.To(DType.Float64));
            for (int i = 0; i < 3; i++) Assert.True(Distance(found[i], expected[i]) < 2 * bound, $"{c} {type}: gradient {i} is off by {Distance(found[i], expected[i]):E1}");
        }
    });

    // every way to the same bits: widths, and bfloat16 without the processor's instruction
    static void InAllWays(DType type, Action<string> run)
    {
        foreach (int width in new[] { 512, 256, 128 }) AtWidth(width, () => run($"{width} bits"));
        if (type != DType.BFloat16) return;
        DotCode<DotPairs>.IsUsed = false;
        try { run("no machine code"); }
        finally { DotCode<DotPairs>.IsUsed = true; }
    }

    /// <summary>
    /// What bfloat16 may be off by, u = 2⁻⁸ for each rounding: weights that meet V, results, the O in D = Σ dO · O, dS and the gradients themselves. Float32's share, some 10⁻⁴, is within the twentieth on top.
    /// </summary>
    [Theory]
    [InlineData(0), InlineData(1), InlineData(2), InlineData(3), InlineData(4), InlineData(5), InlineData(7), InlineData(8), InlineData(9)]
    public void What_bfloat16_is_off_by_is_what_its_roundings_allow(int which)
    {
        const double u = 1.05 / 256;
        var c = s_cases[which];
        var x = new Operands(c, DType.BFloat16, (ulong)(40 + which));
        Tensor Wide(Tensor t) => t.To(DType.Float64);
        long group = c.Heads / c.Shared;
        Tensor q = Wide(x.Q), k = Wide(x.K).RepeatInterleave(group, 1), v = Wide(x.V).RepeatInterleave(group, 1), g = Wide(x.Gradient);
        double scale = 1 / Math.Sqrt(c.Size);
        // the weights are attention to an identity
        var p = Truth(q, k, Tensor.Eye(c.Keys, dtype: DType.Float64).Expand(c.Batch, c.Heads, c.Keys, c.Keys), x.Mask, c.IsCausal);
        Tensor y = p.MatMul(v), allowedY = (p.MatMul(v.Abs()) + y.Abs()) * u;
        Tensor d = (g * y).Sum(-1, keepDim: true), lost = (g.Abs() * y.Abs()).Sum(-1, keepDim: true);
        Tensor s = p * (g.MatMul(v.T) - d), offS = p * lost + s.Abs();
        Tensor Shared(Tensor t) => t.Unflatten(1, c.Shared, group).Sum(2);
        Tensor[] truth = [s.MatMul(k) * scale, Shared(s.T.MatMul(q)) * scale, Shared(p.T.MatMul(g))];
        Tensor[] allowed = [offS.MatMul(k.Abs()) * scale + truth[0].Abs(), Shared(offS.T.MatMul(q.Abs())) * scale + truth[1].Abs(), Shared(p.T.MatMul(g.Abs())) + truth[2].Abs()];
        InAllWays(DType.BFloat16, how =>
        {
            Within(Run(x, c), y, allowedY, $"{c}, {how}: result");
            var found = Gradients(x.Q, x.K, x.V, (a, b, e) => a.ScaledDotProductAttention(b, e, x.Mask, isCausal: c.IsCausal), x.Gradient);
            for (int i = 0; i < 3; i++) Within(found[i], truth[i], allowed[i] * u, $"{c}, {how}: gradient {i}");
        });
    }

    static void Within(Tensor found, Tensor expected, Tensor allowed, string what)
    {
        double share = ((found.To(DType.Float64) - expected).Abs() / (allowed + 1e-6)).Max().Item();
        Assert.True(share <= 1, $"{what} is off by {share:F2} of what is allowed");
    }

    [Theory]
    [InlineData(-0.3), InlineData(0.0), InlineData(2.0)]
    public void A_scale_may_have_any_sign(double scale)
    {
        var c = new Case(1, 2, 2, 150, 140, 16, 16, "causal");
        foreach (var (type, bound) in new[] { (DType.Float32, 1e-4), (DType.BFloat16, 0.15) })
        {
            var x = new Operands(c, type, 3);
            Tensor Law(Tensor q, Tensor k, Tensor v) => Truth(q * (scale * 4), k, v, null, true);
            Tensor y = x.Q.ScaledDotProductAttention(x.K, x.V, isCausal: true, scale: scale), wide = x.Q.To(DType.Float64);
            Assert.True(Distance(y, Law(wide, x.K, x.V)) < bound, $"{type}: {Distance(y, Law(wide, x.K, x.V))}");
            var found = Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, isCausal: true, scale: scale), x.Gradient);
            var expected = Gradients(wide, x.K.To(DType.Float64), x.V.To(DType.Float64), Law, x.Gradient.To(DType.Float64));
            for (int i = 0; i < 3; i++) Assert.True(Distance(found[i], expected[i]) < bound * Math.Max(2, expected[i].Abs().Max().Item()), $"{type}: gradient {i} is off by {Distance(found[i], expected[i])}");
        }
    }

    /// <summary>The law of the forward pass in bfloat16, one query at a time: pairs with the odd step first, weights by a short polynomial, rounded with ties away from zero.</summary>
    static float[] LawOfPairs(float[] q, Func<int, float[]> key, Func<int, float[]> value, int seen, double scale, int valueSize)
    {
        float factor = (float)(scale / Math.Log(2)), largest = float.MinValue, sum = 0;
        var result = new float[valueSize];
        for (int block = 0; block < seen; block += 128)
        {
            int n = Math.Min(128, seen - block);
            var weights = new float[n];
            float before = largest, total = 0, highest = float.NegativeInfinity;
            for (int j = 0; j < n; j++) highest = Math.Max(highest, weights[j] = Chain(q.Length, d => q[d], d => key(block + j)[d]));
            largest = Math.Max(before, highest * factor);
            for (int j = 0; j < n; j++) total += weights[j] = Power(MathF.FusedMultiplyAdd(weights[j], factor, -largest));
            float kept = Lane<float>.Exp2(new(before - largest)).Value;
            sum = MathF.FusedMultiplyAdd(sum, kept, total);
            for (int j = 0; j < n; j++) weights[j] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(weights[j]) + 0x8000 & 0xFFFF0000);
            for (int d = 0; d < valueSize; d++)
            {
                float chain = Chain(n, j => weights[j], j => value(block + j)[d]);
                result[d] = block == 0 ? chain : result[d] * kept + chain;
            }
        }
        float reciprocal = 1 / sum;
        for (int d = 0; d < valueSize; d++) result[d] = (float)(BFloat16)(result[d] * reciprocal);
        return result;

        static float Chain(int n, Func<int, float> x, Func<int, float> y)
        {
            float s = 0;
            for (int d = 0; d < n; d += 2)
            {
                if (d + 1 < n) s = MathF.FusedMultiplyAdd(x(d + 1), y(d + 1), s);
                s = MathF.FusedMultiplyAdd(x(d), y(d), s);
            }
            return s;
        }

        static float Power(float x)
        {
            float r = x - MathF.Floor(x), power = 0.013426683843135834f;
            foreach (float c in new[] { 0.052242472767829895f, 0.241280198097229f, 0.6930448412895203f, 1 }) power = MathF.FusedMultiplyAdd(power, r, c);
            return MathF.ScaleB(power, (int)MathF.Floor(x));
        }
    }

    [Fact]
    public void The_forward_pass_in_bfloat16_is_its_law_to_the_bit() => InAllWays(DType.BFloat16, how =>
    {
        const int length = 300, size = 21;
        var g = new Generator(11);
        Tensor New() => Tensor.RandN([length, size], generator: g).To(DType.BFloat16);
        Tensor q = New(), k = New(), v = New();
        float[] found = q.ScaledDotProductAttention(k, v, isCausal: true).To(DType.Float32).ToArray<float>();
        float[] qs = q.To(DType.Float32).ToArray<float>(), ks = k.To(DType.Float32).ToArray<float>(), vs = v.To(DType.Float32).ToArray<float>();
        for (int t = 0; t < length; t++)
        {
            var expected = LawOfPairs(qs[(t * size)..((t + 1) * size)], j => ks[(j * size)..((j + 1) * size)], j => vs[(j * size)..((j + 1) * size)], t + 1, 1 / Math.Sqrt(size), size);
            for (int d = 0; d < size; d++) Assert.True(expected[d] == found[t * size + d], $"{how}: query {t}, column {d} is {found[t * size + d]}, not {expected[d]}");
        }
    });

    /// <summary>The law of the forward pass, one query at a time.</summary>
    static float[] Law(float[] q, Func<int, float[]> key, Func<int, float[]> value, int seen, double scale, int valueSize)
    {
        float factor = (float)(scale / Math.Log(2)), largest = float.MinValue, sum = 0;
        float[] scaled = [.. q.Select(x => x * factor)], result = new float[valueSize];
        for (int block = 0; block < seen; block += 128)
        {
            int n = Math.Min(128, seen - block);
            var weights = new float[n];
            float before = largest, total = 0;
            for (int j = 0; j < n; j++)
            {
                float s = 0;
                for (int d = 0; d < q.Length; d++) s = MathF.FusedMultiplyAdd(key(block + j)[d], scaled[d], s);
                weights[j] = s;
                largest = Math.Max(largest, s);
            }
            for (int j = 0; j < n; j++) total += weights[j] = Lane<float>.Exp2(new(weights[j] - largest)).Value;
            float kept = Lane<float>.Exp2(new(before - largest)).Value;
            sum = MathF.FusedMultiplyAdd(sum, kept, total);
            for (int d = 0; d < valueSize; d++)
            {
                float chain = 0;
                for (int j = 0; j < n; j++) chain = MathF.FusedMultiplyAdd(value(block + j)[d], weights[j], chain);
                result[d] = block == 0 ? chain : result[d] * kept + chain;
            }
        }
        float reciprocal = 1 / sum;
        for (int d = 0; d < valueSize; d++) result[d] *= reciprocal;
        return result;
    }

    [Theory, MemberData(nameof(CasesAndWidths))]
    public void A_weight_is_dropped_where_dropout_of_the_weights_would_drop_it(int which, int width) => AtWidth(width, () =>
    {
        const double p = 0.3;
        var c = s_cases[which];
        foreach (var type in new[] { DType.Float32, DType.Float64, DType.BFloat16 })
        {
            var x = new Operands(c, type, (ulong)(1 + which));
            Generator source = new(77), other = new(77);
            // the mask of the draw by another road: dropout of ones
            var kept = Tensor.Ones([c.Batch, c.Heads, c.Queries, c.Keys], DType.Float64).Dropout(p, generator: other);
            Tensor Dropped(Tensor q, Tensor k, Tensor v) => q.ScaledDotProductAttention(k, v, x.Mask, p, c.IsCausal, generator: source);
            Tensor Law(Tensor q, Tensor k, Tensor v) => Truth(q, k, v, x.Mask, c.IsCausal, w => w * kept).To(type);
            var (result, law) = (Dropped(x.Q, x.K, x.V), Law(x.Q, x.K, x.V));
            Assert.Equal(other.State, source.State);
            double tolerance = type switch { DType.Float64 => 1e-12, DType.Float32 => 1e-4, _ => 0.1 };
            Assert.True(Distance(result, law) <= tolerance, $"{c} {type}: {Distance(result, law)}");
            source.State = (77, 0);
            Tensor[] found = Gradients(x.Q, x.K, x.V, Dropped, x.Gradient), expected = Gradients(x.Q, x.K, x.V, Law, x.Gradient);
            for (int i = 0; i < 3; i++)
                Assert.True(Distance(found[i], expected[i]) <= tolerance * Math.Max(1, expected[i].To(DType.Float64).Abs().Max().Item()), $"{c} {type}, gradient {i}: {Distance(found[i], expected[i])}");
        }
    });

    [Theory]
    [InlineData(512), InlineData(256), InlineData(128)]
    public void The_forward_pass_is_its_law_to_the_bit(int width) => AtWidth(width, () =>
    {
        const int length = 300, size = 20;
        var g = new Generator(11);
        Tensor q = Tensor.RandN([length, size], generator: g), k = Tensor.RandN([length, size], generator: g), v = Tensor.RandN([length, size], generator: g);
        float[] found = q.ScaledDotProductAttention(k, v, isCausal: true).ToArray<float>(), qs = q.ToArray<float>(), ks = k.ToArray<float>(), vs = v.ToArray<float>();
        for (int t = 0; t < length; t++)
        {
            var expected = Law(qs[(t * size)..((t + 1) * size)], j => ks[(j * size)..((j + 1) * size)], j => vs[(j * size)..((j + 1) * size)], t + 1, 1 / Math.Sqrt(size), size);
            for (int d = 0; d < size; d++) Assert.Equal(BitConverter.SingleToInt32Bits(expected[d]), BitConverter.SingleToInt32Bits(found[t * size + d]));
        }
    });

    // over several blocks of keys, of which later ones have larger scores
    [Theory, InlineData("float32"), InlineData("bfloat16"), InlineData("float16")]
    public void One_query_against_a_long_cache_has_the_bits_it_has_among_others(string name)
    {
        var type = Enum.Parse<DType>(name, ignoreCase: true);
        var g = new Generator(12);
        var rising = Tensor.Arange(0, 300, 1, DType.Float32).Unsqueeze(1) * 0.01 + 0.2;
        Tensor q = Tensor.RandN([2, 3, 40, 24], generator: g).To(type), k = (Tensor.RandN([2, 3, 300, 24], generator: g) * rising).To(type), v = Tensor.RandN([2, 3, 300, 32], generator: g).To(type);
        var all = q.ScaledDotProductAttention(k, v);
        foreach (int i in new[] { 0, 7, 39 }) Bits.Equal(all.Narrow(2, i, 1), q.Narrow(2, i, 1).ScaledDotProductAttention(k, v), $"query {i} of {name}");
    }

    // one head of the keys and a few, whose blocks of keys threads share, and more than that; an odd number of keys, a window that begins at an odd one
    [Theory, InlineData("float32"), InlineData("float64"), InlineData("bfloat16"), InlineData("float16")]
    public void Threads_that_share_one_cache_leave_its_bits(string name)
    {
        var type = Enum.Parse<DType>(name, ignoreCase: true);
        int threads = Team.Threads;
        try
        {
            foreach (var (shared, groups) in new[] { (1, 1), (2, 4), (20, 1) })
            {
                const int keys = 9001;
                var g = new Generator((ulong)groups);
                var rising = Tensor.Arange(0, keys, 1, DType.Float32).Unsqueeze(1) * 0.0003 + 0.2;
                Tensor q = Tensor.RandN([shared * groups, 60, 24], generator: g).To(type), k = (Tensor.RandN([shared, keys, 24], generator: g) * rising).To(type), v = Tensor.RandN([shared, keys, 32], generator: g).To(type);
                Team.Threads = 1;
                // among queries that fill vectors: this one's row of a mask
                var window = WindowMask(1, keys, 2500).Expand(60, keys);
                Tensor all = q.ScaledDotProductAttention(k, v), seen = q.ScaledDotProductAttention(k, v, window), one = q.Narrow(1, 7, 1);
                foreach (int count in new[] { 1, 3 })
                {
                    Team.Threads = count;
                    InAllWays(type, how =>
                    {
                        SameBits(all.Narrow(1, 7, 1), one.ScaledDotProductAttention(k, v), $"{count} threads, {how}, {shared} heads of {groups}");
                        SameBits(seen.Narrow(1, 7, 1), one.ScaledDotProductAttention(k, v, window: 2500), $"{count} threads, {how}, {shared} heads of {groups}, in a window");
                    });
                }
                // what is kept for the backward pass
                var gradient = Tensor.RandN([shared * groups, 1, 32], generator: g).To(type);
                var found = Gradients(one, k, v, (a, b, c) => a.ScaledDotProductAttention(b, c), gradient);
                Team.Threads = 1;
                var expected = Gradients(one, k, v, (a, b, c) => a.ScaledDotProductAttention(b, c, Tensor.Full([1, keys], true)), gradient);
                for (int i = 0; i < 3; i++) SameBits(expected[i], found[i], $"{shared} heads of {groups}, gradient {i}");
            }
        }
        finally { Team.Threads = threads; }
    }

    [Theory]
    [InlineData("float32"), InlineData("bfloat16"), InlineData("float16")]
    public void A_query_has_the_same_bits_in_any_company(string name)
    {
        var c = new Case(3, 4, 2, 201, 201, 40, 40, "causal");
        var type = new[] { DType.Float32, DType.BFloat16, DType.Float16 }.Single(t => t.Name == name);
        var x = new Operands(c, type, 5);
        int threads = Team.Threads;
        (Tensor Y, Tensor[] G) All() => (Run(x, c), Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, isCausal: true), x.Gradient));
        try
        {
            Team.Threads = 1;
            var one = All();
            Team.Threads = 3;
            var three = All();
            SameBits(one.Y, three.Y, "threads");
            for (int i = 0; i < 3; i++) SameBits(one.G[i], three.G[i], $"threads, gradient {i}");
            InAllWays(type, how =>
            {
                var other = All();
                SameBits(one.Y, other.Y, how);
                for (int i = 0; i < 3; i++) SameBits(one.G[i], other.G[i], $"{how}, gradient {i}");
            });
            // one sequence alone, and one head of the keys with its queries
            Tensor q = x.Q.Narrow(0, 1, 1).Narrow(1, 2, 2), k = x.K.Narrow(0, 1, 1).Narrow(1, 1, 1), v = x.V.Narrow(0, 1, 1).Narrow(1, 1, 1);
            SameBits(one.Y.Narrow(0, 1, 1).Narrow(1, 2, 2), q.ScaledDotProductAttention(k, v, isCausal: true), "alone");
            var own = Gradients(q, k, v, (a, b, d) => a.ScaledDotProductAttention(b, d, isCausal: true), x.Gradient.Narrow(0, 1, 1).Narrow(1, 2, 2));
            SameBits(one.G[0].Narrow(0, 1, 1).Narrow(1, 2, 2), own[0], "alone, gradient of the queries");
            SameBits(one.G[1].Narrow(0, 1, 1).Narrow(1, 1, 1), own[1], "alone, gradient of the keys");
            // token by token against what came before, as a cache is read, and in pieces
            foreach (int t in new[] { 0, 1, 47, 48, 127, 128, 129, 200 })
                SameBits(one.Y.Narrow(2, t, 1), x.Q.Narrow(2, t, 1).ScaledDotProductAttention(x.K.Narrow(2, 0, t + 1), x.V.Narrow(2, 0, t + 1)), $"token {t}");
            var piece = Tensor.Arange(170).Le(Tensor.Arange(70, 170, 1).Unsqueeze(1));
            SameBits(one.Y.Narrow(2, 70, 100), x.Q.Narrow(2, 70, 100).ScaledDotProductAttention(x.K.Narrow(2, 0, 170), x.V.Narrow(2, 0, 170), piece), "a piece");
            var added = Tensor.Zeros([100, 170]).MaskedFill(piece.LogicalNot(), double.NegativeInfinity);
            SameBits(one.Y.Narrow(2, 70, 100), x.Q.Narrow(2, 70, 100).ScaledDotProductAttention(x.K.Narrow(2, 0, 170), x.V.Narrow(2, 0, 170), added), "a piece by an added mask");
        }
        finally { Team.Threads = threads; }
    }

    [Fact]
    public void Shapes_and_types_at_random_agree_with_loops_in_double()
    {
        int seed = Environment.TickCount;
        var random = new System.Random(seed);
        for (int n = 0; n < 60; n++)
        {
            int shared = random.Next(1, 4), groups = random.Next(1, 4);
            var c = new Case(random.Next(1, 3), shared * groups, shared, random.Next(1, 200), random.Next(1, 200), random.Next(1, 70), random.Next(1, 70), new[] { "causal", "", "bias" }[random.Next(3)]);
            AtWidth(128 << random.Next(3), () =>
            {
                var x = new Operands(c, DType.Float64, (ulong)seed + (ulong)n);
                Assert.True(Distance(Run(x, c), Truth(x.Q, x.K, x.V, x.Mask, c.IsCausal)) < 1e-12, $"seed {seed}, {c}");
                var found = Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, x.Mask, isCausal: c.IsCausal), x.Gradient);
                var expected = Gradients(x.Q, x.K, x.V, (q, k, v) => Truth(q, k, v, x.Mask, c.IsCausal), x.Gradient);
                for (int i = 0; i < 3; i++) Assert.True(Distance(found[i], expected[i]) < 1e-11, $"seed {seed}, {c}: gradient {i}");
            });
        }
    }

    // ---- windows ----

    // queries t of T stand at t + S − T
    static Tensor WindowMask(long queries, long keys, long window)
    {
        var mask = Tensor.Full([queries, keys], false);
        for (long t = 0; t < queries; t++)
        {
            long position = t + keys - queries, first = Math.Max(0, position - window + 1);
            if (position >= 0) mask.Narrow(0, t, 1).Narrow(1, first, position + 1 - first).Fill_(true);
        }
        return mask;
    }

    [Theory]
    [InlineData("float32"), InlineData("float64"), InlineData("bfloat16"), InlineData("float16")]
    public void A_window_has_the_bits_of_an_equal_mask(string name)
    {
        var type = Enum.Parse<DType>(name, ignoreCase: true);
        (int Queries, int Keys, long Window)[] cases = [(300, 300, 1), (300, 300, 2), (300, 300, 47), (300, 300, 128), (290, 290, 131), (300, 300, 1000), (60, 500, 33), (500, 60, 20), (1, 700, 130), (1, 700, 131), (3, 700, 200), (700, 701, 100), (77, 77, long.MaxValue)];
        foreach (var (queries, keys, window) in cases)
        {
            var c = new Case(2, 4, 2, queries, keys, 24, 32, "");
            var x = new Operands(c, type, (ulong)window);
            var mask = WindowMask(queries, keys, window);
            InAllWays(type, how =>
            {
                string what = $"{name}, {queries} queries, {keys} keys, window {window}, {how}";
                SameBits(x.Q.ScaledDotProductAttention(x.K, x.V, mask), x.Q.ScaledDotProductAttention(x.K, x.V, window: window), what);
                var expected = Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, mask), x.Gradient);
                var found = Gradients(x.Q, x.K, x.V, (q, k, v) => q.ScaledDotProductAttention(k, v, window: window), x.Gradient);
                for (int i = 0; i < 3; i++) SameBits(expected[i], found[i], $"{what}: gradient {i}");
            });
        }
    }

    [Fact]
    public void Windows_at_random_agree_with_loops_in_double()
    {
        int seed = Environment.TickCount;
        var random = new System.Random(seed);
        for (int n = 0; n < 60; n++)
        {
            int shared = random.Next(1, 3), groups = random.Next(1, 4), queries = random.Next(1, 300), keys = random.Next(3) == 0 ? queries : random.Next(1, 300);
            long window = random.Next(1, random.Next(2, 300));
            var c = new Case(random.Next(1, 3), shared * groups, shared, queries, keys, random.Next(1, 40), 8 * random.Next(1, 6), random.Next(3) == 0 ? "bias" : "");
            AtWidth(128 << random.Next(3), () =>
            {
                var x = new Operands(c, DType.Float64, (ulong)seed + (ulong)n);
                var mask = WindowMask(queries, keys, window);
                // both: where the window ends the bias is −∞
                if (x.Mask is not null) mask = x.Mask.Expand(1, queries, keys).MaskedFill(mask.LogicalNot(), double.NegativeInfinity);
                Tensor Windowed(Tensor q, Tensor k, Tensor v) => q.ScaledDotProductAttention(k, v, x.Mask, window: window);
                Tensor Law(Tensor q, Tensor k, Tensor v) => Truth(q, k, v, mask, false);
                Assert.True(Distance(Windowed(x.Q, x.K, x.V), Law(x.Q, x.K, x.V)) < 1e-12, $"seed {seed}, window {window}, {c}");
                Tensor[] found = Gradients(x.Q, x.K, x.V, Windowed, x.Gradient), expected = Gradients(x.Q, x.K, x.V, Law, x.Gradient);
                for (int i = 0; i < 3; i++) Assert.True(Distance(found[i], expected[i]) < 1e-11, $"seed {seed}, window {window}, {c}: gradient {i}");
            });
        }
    }

    [Fact]
    public void A_token_after_a_cache_has_the_bits_of_its_place_in_a_windowed_sequence()
    {
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            var x = new Operands(new Case(2, 4, 2, 400, 400, 32, 32, ""), type, 6);
            var all = x.Q.ScaledDotProductAttention(x.K, x.V, isCausal: true, window: 150);
            foreach (int t in new[] { 0, 149, 150, 255, 256, 399 })
                SameBits(all.Narrow(2, t, 1), x.Q.Narrow(2, t, 1).ScaledDotProductAttention(x.K.Narrow(2, 0, t + 1), x.V.Narrow(2, 0, t + 1), window: 150), $"{type}: token {t}");
            SameBits(all.Narrow(2, 70, 100), x.Q.Narrow(2, 70, 100).ScaledDotProductAttention(x.K.Narrow(2, 0, 170), x.V.Narrow(2, 0, 170), window: 150), $"{type}: a piece");
        }
    }

    [Fact]
    public void What_lies_before_a_window_is_not_read()
    {
        foreach (var type in new[] { DType.Float32, DType.BFloat16 })
        {
            var g = new Generator(8);
            Tensor q = Tensor.RandN([2, 1, 32], generator: g).To(type), k = Tensor.RandN([2, 1000, 32], generator: g).To(type), v = Tensor.RandN([2, 1000, 32], generator: g).To(type);
            var before = q.ScaledDotProductAttention(k, v, window: 100);
            v.Narrow(1, 0, 900).Fill_(double.NaN);
            SameBits(before, q.ScaledDotProductAttention(k, v, window: 100), $"{type}");
        }
    }

    [Fact]
    public void A_window_is_known_to_dropout_higher_orders_tangents_and_batches()
    {
        var g = new Generator(9);
        Tensor q = Tensor.RandN([3, 2, 6, 4], DType.Float64, g), k = Tensor.RandN([3, 1, 9, 4], DType.Float64, g), v = Tensor.RandN([3, 1, 9, 4], DType.Float64, g), w = Tensor.RandN([3, 2, 6, 4], DType.Float64, g), mask = WindowMask(6, 9, 4);
        Tensor Windowed(Tensor t) => t.ScaledDotProductAttention(k, v, window: 4);
        Tensor Masked(Tensor t) => Truth(t, k, v, mask, false);
        Tensor Twice(Func<Tensor, Tensor> f)
        {
            var t = q.Alias().RequiresGrad_();
            return Autograd.Grad((Autograd.Grad((f(t) * w).Sum(), t, createGraph: true) * w).Sum(), t);
        }
        Assert.True(Distance(Twice(Windowed), Twice(Masked)) < 1e-12);
        Assert.True(Distance(Autograd.Jvp(Windowed, q, w).Tangent, Autograd.Jvp(Masked, q, w).Tangent) < 1e-13);
        SameBits(Windowed(q), Autograd.Vmap(t => t[0].ScaledDotProductAttention(t[1], t[2], window: 4), [q, k, v]), "under Vmap");
        Tensor Dropped(Tensor? hidden, long? window) => q.ScaledDotProductAttention(k, v, hidden, 0.4, window: window, generator: new Generator(5));
        SameBits(Dropped(mask, null), Dropped(null, 4), "with dropout");
        // more queries than keys: the first see nothing, by the kernel and by operators
        Tensor Early(Tensor t) => k.Expand(3, 2, 9, 4).ScaledDotProductAttention(t, t, window: 4);
        Assert.Equal(0, Early(q).Narrow(2, 0, 3).Abs().Max().Item());
        Assert.False(Autograd.Jvp(Early, q, w).Tangent.IsNaN().Any().Item<bool>());
    }

    [Fact]
    public void A_window_that_hides_everything_or_counts_otherwise_is_an_error()
    {
        Tensor q = Tensor.Zeros([2, 3, 4]), k = Tensor.Zeros([2, 5, 4]);
        Assert.Contains("at least 1", Assert.Throws<FlambeauException>(() => q.ScaledDotProductAttention(k, k, window: 0)).Message);
        Assert.Contains("leave out isCausal", Assert.Throws<FlambeauException>(() => q.ScaledDotProductAttention(k, k, isCausal: true, window: 2)).Message);
    }

    // ---- sequences of different lengths ----

    static Tensor Ends(params int[] lengths)
    {
        var ends = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++) ends[i + 1] = ends[i] + lengths[i];
        return Tensor.FromArray(ends);
    }

    // [tokens, heads, size] of one sequence as [heads, tokens, size], by itself
    static Tensor Alone(Tensor x, int[] lengths, int which) => x.Narrow(0, lengths[..which].Sum(), lengths[which]).Transpose(0, 1).Contiguous();

    static void SequencesAreAlone(DType type, int[] queries, int[] keys, bool causal, long? window, string what)
    {
        var g = new Generator(3);
        Tensor New(int tokens, int heads, int size) => (Tensor.RandN([tokens, heads, size], generator: g) * 1.5).To(type);
        Tensor q = New(queries.Sum(), 4, 24), k = New(keys.Sum(), 2, 24), v = New(keys.Sum(), 2, 32), gradient = New(queries.Sum(), 4, 32);
        Tensor Packed(Tensor a, Tensor b, Tensor c) => a.VarlenAttention(b, c, Ends(queries), Ends(keys), causal, window: window);
        var y = Packed(q, k, v);
        Assert.Equal(type, y.DType);
        Assert.True(y.IsContiguous);
        var found = Gradients(q, k, v, Packed, gradient);
        for (int i = 0; i < queries.Length; i++)
        {
            string which = $"{what}, {type}, causal {causal}, window {window}, sequence {i}";
            Tensor a = Alone(q, queries, i), b = Alone(k, keys, i), c = Alone(v, keys, i), d = Alone(gradient, queries, i);
            if (queries[i] > 0 && keys[i] > 0)
            {
                Tensor One(Tensor a, Tensor b, Tensor c) => a.ScaledDotProductAttention(b, c, window: window ?? (causal ? long.MaxValue : null));
                SameBits(One(a, b, c), Alone(y, queries, i), which);
                var own = Gradients(a, b, c, One, d);
                SameBits(own[0], Alone(found[0], queries, i), $"{which}: gradient of the queries");
                SameBits(own[1], Alone(found[1], keys, i), $"{which}: gradient of the keys");
                SameBits(own[2], Alone(found[2], keys, i), $"{which}: gradient of the values");
            }
            else if (queries[i] > 0) Assert.Equal(0, Alone(y, queries, i).Abs().Max().Item() + Alone(found[0], queries, i).Abs().Max().Item());
            else if (keys[i] > 0) Assert.Equal(0, Alone(found[1], keys, i).Abs().Max().Item() + Alone(found[2], keys, i).Abs().Max().Item());
        }
    }

    [Theory]
    [InlineData("float32"), InlineData("float64"), InlineData("bfloat16"), InlineData("float16")]
    public void A_sequence_among_others_has_the_bits_that_it_has_alone(string name)
    {
        var type = Enum.Parse<DType>(name, ignoreCase: true);
        int threads = Team.Threads;
        try
        {
            foreach (int count in new[] { 1, 3 })
            {
                Team.Threads = count;
                InAllWays(type, how =>
                {
                    foreach (var (causal, window) in new (bool, long?)[] { (false, null), (true, null), (true, 60) })
                    {
                        SequencesAreAlone(type, [77, 1, 300, 0, 130], [77, 1, 300, 0, 130], causal, window, $"{count} threads, {how}");
                        SequencesAreAlone(type, [1, 1, 40, 7, 0, 1], [300, 5, 170, 0, 9, 129], causal, window, $"{count} threads, {how}, against caches");
                    }
                });
            }
        }
        finally { Team.Threads = threads; }
    }

    [Fact]
    public void Sequences_without_tokens_and_one_sequence_are_cases_like_others()
    {
        Tensor none = Tensor.Zeros([0, 2, 4]), some = Tensor.RandN([3, 2, 4]);
        Assert.Equal([0, 2, 4], none.VarlenAttention(none, none, Ends()).Shape.Sizes);
        Assert.Equal([0, 2, 4], none.VarlenAttention(some, some, Ends(0, 0), Ends(1, 2)).Shape.Sizes);
        Assert.Equal(0, some.VarlenAttention(none, none, Ends(3), Ends(0)).Abs().Max().Item());
        SameBits(some.Transpose(0, 1).ScaledDotProductAttention(some.Transpose(0, 1), some.Transpose(0, 1), isCausal: true).Transpose(0, 1), some.VarlenAttention(some, some, Ends(3), isCausal: true), "one sequence");
    }

    [Theory]
    [InlineData(0, 0), InlineData(0, 3), InlineData(4, 0)]
    public void Where_there_are_no_queries_or_no_keys_gradients_are_zeros(int queries, int keys)
    {
        Tensor q = Tensor.RandN([queries, 2, 5]).RequiresGrad_(), k = Tensor.RandN([keys, 1, 5]).RequiresGrad_(), v = Tensor.RandN([keys, 1, 3]).RequiresGrad_();
        var y = q.VarlenAttention(k, v, Tensor.FromArray([0, queries]), Tensor.FromArray([0, keys]));
        Assert.Equal(new Shape([queries, 2, 3]), y.Shape);
        y.Backward(Tensor.OnesLike(y));
        foreach (var x in new[] { q, k, v })
        {
            Assert.Equal(x.Shape, x.Grad!.Shape);
            Assert.All(x.Grad!.ToArray<float>(), g => Assert.Equal(0, g));
        }
    }

    [Fact]
    public void Higher_orders_tangents_and_batches_know_sequences()
    {
        var g = new Generator(9);
        Tensor New(params long[] shape) => Tensor.RandN(shape, DType.Float64, g);
        Tensor q = New(6, 4, 3), k = New(8, 2, 3), v = New(8, 2, 5), w = New(6, 4, 5), d = New(6, 4, 3), queries = Ends(2, 0, 4), keys = Ends(3, 1, 4);
        Tensor Packed(Tensor t) => t.VarlenAttention(k, v, queries, keys, isCausal: true);
        Tensor Apart(Tensor t)
        {
            Tensor One(long at, long count, long key, long seen)
                => Truth(t.Narrow(0, at, count).Transpose(0, 1), k.Narrow(0, key, seen).Transpose(0, 1), v.Narrow(0, key, seen).Transpose(0, 1), WindowMask(count, seen, seen), false).Transpose(0, 1);
            return Tensor.Cat([One(0, 2, 0, 3), One(2, 4, 4, 4)]);
        }
        Tensor Twice(Func<Tensor, Tensor> f)
        {
            var t = q.Alias().RequiresGrad_();
            return Autograd.Grad((Autograd.Grad((f(t) * w).Sum(), t, createGraph: true) * d).Sum(), t);
        }
        Assert.True(Distance(Packed(q), Apart(q)) < 1e-13);
        Assert.True(Distance(Twice(Packed), Twice(Apart)) < 1e-12);
        Assert.True(Distance(Autograd.Jvp(Packed, q, d).Tangent, Autograd.Jvp(Apart, q, d).Tangent) < 1e-13);
        Tensor qs = New(3, 6, 4, 3), batched = Autograd.Vmap(Packed)(qs);
        for (int i = 0; i < 3; i++) SameBits(Packed(qs[i]), batched[i], $"batch {i}");
    }

    [Fact]
    public void Ends_of_sequences_that_cannot_be_say_so()
    {
        Tensor x = Tensor.Zeros([8, 2, 4]);
        void Fails(string expected, Tensor ends, Tensor? keys = null) => Assert.Contains(expected, Assert.Throws<FlambeauException>(() => x.VarlenAttention(x, x, ends, keys)).Message);
        Fails("must be int32", Tensor.FromArray([0L, 8L]));
        Fails("must be int32", Tensor.Zeros([2, 2], DType.Int32));
        Fails("begins with 1", Tensor.FromArray([1, 8]));
        Fails("falls from 5 to 3 at entry 2", Tensor.FromArray([0, 5, 3, 8]));
        Fails("ends with 9, but q has 8", Tensor.FromArray([0, 9]));
        Fails("cuSeqK ends with 7, but k has 8", Ends(8), Ends(7));
        Fails("cuSeqQ has 1 sequences and cuSeqK 2", Ends(8), Ends(5, 3));
        Assert.Contains("[tokens, heads, size]", Assert.Throws<FlambeauException>(() => x[0].VarlenAttention(x, x, Ends(8))).Message);
    }

    // ---- masks and odd numbers ----

    [Fact]
    public void A_mask_of_the_lowest_number_weighs_all_alike_and_one_of_minus_infinity_hides()
    {
        var g = new Generator(2);
        Tensor q = Tensor.RandN([3, 4], generator: g), k = Tensor.RandN([5, 4], generator: g), v = Tensor.RandN([5, 4], generator: g);
        var lowest = q.ScaledDotProductAttention(k, v, Tensor.Full([3, 5], float.MinValue));
        Assert.True(Distance(lowest, v.Mean(0, keepDim: true).Expand(3, 4)) < 1e-6);
        var y = q.Alias().RequiresGrad_();
        var hidden = y.ScaledDotProductAttention(k, v, Tensor.Full([3, 5], float.NegativeInfinity));
        Assert.Equal(0, hidden.Abs().Max().Item());
        Assert.Equal(0, Autograd.Grad(hidden.Sum(), y).Abs().Max().Item());
    }

    [Fact]
    public void What_is_no_number_passes_through()
    {
        var g = new Generator(2);
        Tensor q = Tensor.RandN([60, 4], generator: g), k = Tensor.RandN([60, 4], generator: g), v = Tensor.RandN([60, 4], generator: g);
        q.Narrow(0, 7, 1).Fill_(double.NaN);
        float[] y = q.ScaledDotProductAttention(k, v).ToArray<float>();
        for (int i = 0; i < y.Length; i++) Assert.Equal(i / 4 == 7, float.IsNaN(y[i]));
    }

    // by the bits of a float32; a bfloat16 keeps the upper half
    [Theory]
    [InlineData(0x7FC00000u), InlineData(0xFFC00000u), InlineData(0x7FFF0000u), InlineData(0xFFFF0000u), InlineData(0x7FFFFFFFu), InlineData(0xFFFFFFFFu)]
    public void Any_NaN_passes_through_attention_in_bfloat16_and_its_gradients(uint bits) => InAllWays(DType.BFloat16, how =>
    {
        const int tokens = 60, size = 16;
        var g = new Generator(2);
        var nan = Tensor.FromArray([BitConverter.UInt32BitsToSingle(bits)]);
        Tensor New() => Tensor.RandN([tokens, size], generator: g).To(DType.BFloat16);
        Tensor q = New(), k = New(), v = New(), gradient = New(), mask = Tensor.Zeros([tokens, tokens]), broken = q.Clone(), far = gradient.Clone();
        broken.Narrow(0, 7, 1).Copy_(nan.To(DType.BFloat16).Expand(1, size));
        far.Narrow(0, 7, 1).Copy_(nan.To(DType.BFloat16).Expand(1, size));
        mask.Narrow(0, 7, 1).Narrow(1, 3, 1).Copy_(nan.Unsqueeze(0));
        void Check(Tensor q, Tensor? mask, Tensor gradient, bool result, string what)
        {
            what = $"{bits:X8}, {how}: {what}";
            // row 7 alone
            void Row(Tensor x, bool isNaN)
            {
                float[] all = x.To(DType.Float32).ToArray<float>();
                for (int i = 0; i < all.Length; i++) Assert.True(float.IsNaN(all[i]) == (isNaN && i / size == 7), $"{what}: {i}");
            }
            Row(q.ScaledDotProductAttention(k, v, mask), result);
            var found = Gradients(q, k, v, (a, b, c) => a.ScaledDotProductAttention(b, c, mask), gradient);
            Row(found[0], true);
            // what it sees
            foreach (var x in found[1..]) Assert.True(x.IsNaN().All().Item() == 1, $"{what}: a gradient is not NaN everywhere");
        }
        Check(broken, null, gradient, true, "a query");
        Check(q, mask, gradient, true, "a mask");
        Check(q, null, far, false, "a gradient");
    });

    [Fact]
    public void The_gradient_of_a_mask_that_is_learned_and_second_order_and_tangents_agree_with_the_operators()
    {
        var g = new Generator(9);
        Tensor q = Tensor.RandN([2, 6, 4], DType.Float64, g).RequiresGrad_(), k = Tensor.RandN([2, 6, 4], DType.Float64, g), v = Tensor.RandN([2, 6, 4], DType.Float64, g), bias = Tensor.RandN([6, 6], DType.Float64, g).RequiresGrad_();
        Tensor w = Tensor.RandN([2, 6, 4], DType.Float64, g);
        Assert.True(Distance(Autograd.Grad((q.ScaledDotProductAttention(k, v, bias) * w).Sum(), bias), Autograd.Grad((Truth(q, k, v, bias, false) * w).Sum(), bias)) < 1e-13);
        Tensor Twice(Func<Tensor> f) => Autograd.Grad((Autograd.Grad((f() * w).Sum(), q, createGraph: true) * w).Sum(), q);
        Assert.True(Distance(Twice(() => q.ScaledDotProductAttention(k, v, isCausal: true)), Twice(() => Truth(q, k, v, null, true))) < 1e-12);
        var (value, tangent) = Autograd.Jvp(t => t.ScaledDotProductAttention(k, v, isCausal: true), q.Detach(), w);
        SameBits(q.Detach().ScaledDotProductAttention(k, v, isCausal: true), value, "the value under Jvp");
        Assert.True(Distance(tangent, Autograd.Jvp(t => Truth(t, k, v, null, true), q.Detach(), w).Tangent) < 1e-13);
    }

    // ---- what a model sees ----

    [Fact]
    public void Heads_that_lie_side_by_side_stay_so()
    {
        var x = Tensor.RandN([2, 9, 3 * 8]).RequiresGrad_();
        Tensor Split(Tensor t) => t.Unflatten(-1, 3, 8).Transpose(1, 2);
        var y = Split(x).ScaledDotProductAttention(Split(x), Split(x), isCausal: true);
        Assert.True(y.Transpose(1, 2).IsContiguous);
        Assert.True(Tensor.RandN([2, 3, 9, 8]) is var q && q.ScaledDotProductAttention(q, q).IsContiguous);
    }

    [Fact]
    public void Batches_that_broadcast_have_the_gradients_of_their_copies()
    {
        var g = new Generator(4);
        Tensor q = Tensor.RandN([3, 2, 7, 4], DType.Float64, g).RequiresGrad_(), k = Tensor.RandN([1, 2, 5, 4], DType.Float64, g).RequiresGrad_(), v = Tensor.RandN([5, 4], DType.Float64, g).RequiresGrad_();
        Tensor Copies() => q.ScaledDotProductAttention(k.Expand(3, 2, 5, 4), v.Expand(3, 2, 5, 4));
        Assert.True(Distance(Truth(q, k.Expand(3, 2, 5, 4), v.Expand(3, 2, 5, 4), null, false), q.ScaledDotProductAttention(k, v)) < 1e-13);
        foreach (var x in new[] { q, k, v }) Assert.True(Distance(Autograd.Grad(q.ScaledDotProductAttention(k, v).Sum(), x), Autograd.Grad(Copies().Sum(), x)) < 1e-13);
    }
}
