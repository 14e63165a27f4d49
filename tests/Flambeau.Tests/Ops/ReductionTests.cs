using System.Numerics;
using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Tests.Ops;

/// <summary>Reductions have the values of loops; sums have the bits of the order that docs/design/numerics.md states, written here once more without vectors.</summary>
[Collection("Team")]
public class ReductionTests
{
    const int Seed = 31;

    static readonly int[] s_widths = Kernel.Width == 128 ? [128] : [128, 256];

    static void At(int width, int threads, Action body)
    {
        var (oldWidth, oldThreads) = (Kernel.Width, Team.Threads);
        (Kernel.Width, Team.Threads) = (width, threads);
        try { body(); }
        finally { (Kernel.Width, Team.Threads) = (oldWidth, oldThreads); }
    }

    // ---- the order ----

    // element i goes to chain i mod C, chains are joined by halving; chunks of 32,768, joined pairwise
    static T RowSum<T>(ReadOnlySpan<T> x) where T : unmanaged, INumber<T>
    {
        int chains = 256 / Unsafe.SizeOf<T>();
        var chunks = new List<T>();
        for (int start = 0; start == 0 || start < x.Length; start += 32768)
        {
            var part = x[start..Math.Min(x.Length, start + 32768)];
            var chain = new T[chains];
            for (int i = 0; i < part.Length; i++) chain[i % chains] += part[i];
            for (int half = chains / 2; half > 0; half /= 2)
                for (int i = 0; i < half; i++) chain[i] += chain[i + half];
            chunks.Add(chain[0]);
        }
        return Pairwise(chunks);
    }

    // (0 + 1) + (2 + 3) …, one left over waits
    static T Pairwise<T>(List<T> parts) where T : INumber<T>
    {
        while (parts.Count > 1)
        {
            var joined = new List<T>();
            for (int i = 0; i < parts.Count; i += 2) joined.Add(i + 1 < parts.Count ? parts[i] + parts[i + 1] : parts[i]);
            parts = joined;
        }
        return parts[0];
    }

    // rows in a number of blocks that their count decides, each in order, then pairwise
    static T ColumnSum<T>(ReadOnlySpan<T> x, int count, int inner, int column) where T : unmanaged, INumber<T>
    {
        int blocks = Math.Clamp(count / 16, 1, 64);
        var parts = new List<T>();
        for (long b = 0; b < blocks; b++)
        {
            var sum = T.Zero;
            for (long row = count * b / blocks; row < count * (b + 1) / blocks; row++) sum += x[(int)row * inner + column];
            parts.Add(sum);
        }
        return Pairwise(parts);
    }

    static T[] Draw<T>(int n) where T : INumber<T>
    {
        var random = new System.Random(Seed + n);
        var x = new T[n];
        for (int i = 0; i < n; i++) x[i] = T.CreateChecked(random.NextDouble() * 2 - 1);
        return x;
    }

    [Theory]
    [InlineData(1), InlineData(31), InlineData(32), InlineData(33), InlineData(63), InlineData(64), InlineData(65), InlineData(1000), InlineData(32767), InlineData(32768), InlineData(32769), InlineData(65537), InlineData(131073), InlineData(200_000)]
    public void A_sum_along_rows_has_the_bits_of_the_stated_order(int n)
    {
        Check<float>();
        Check<double>();

        void Check<T>() where T : unmanaged, INumber<T>
        {
            const int rows = 3;
            var x = Draw<T>(rows * n);
            var expected = Enumerable.Range(0, rows).Select(r => RowSum<T>(x.AsSpan(r * n, n))).ToArray();
            foreach (int width in s_widths)
                foreach (int threads in (int[])[1, 3])
                    At(width, threads, () =>
                    {
                        Assert.Equal(expected, Tensor.FromArray(x, new long[] { rows, n }).Sum(1).ToArray<T>());
                        Assert.Equal(RowSum<T>(x), Tensor.FromArray(x).Sum().ToArray<T>()[0]);
                    });
        }
    }

    [Theory]
    [InlineData(1, 3), InlineData(16, 1), InlineData(31, 5), InlineData(32, 4), InlineData(37, 3), InlineData(51, 1025), InlineData(100, 7), InlineData(1031, 40), InlineData(5000, 17)]
    public void A_sum_over_leading_dims_has_the_bits_of_the_stated_order(int count, int inner)
    {
        Check<float>();
        Check<double>();

        void Check<T>() where T : unmanaged, INumber<T>
        {
            var x = Draw<T>(count * inner);
            var expected = Enumerable.Range(0, inner).Select(c => ColumnSum<T>(x, count, inner, c)).ToArray();
            foreach (int width in s_widths)
                foreach (int threads in (int[])[1, 3])
                    At(width, threads, () => Assert.Equal(expected, Tensor.FromArray(x, new long[] { count, inner }).Sum(0).ToArray<T>()));
        }

        // in float32, whatever memory holds, and rounded once
        foreach (var type in (DType[])[DType.BFloat16, DType.Float16])
        {
            var half = Tensor.FromArray(Draw<float>(count * inner), new long[] { count, inner }).To(type);
            float[] wide = half.ToArray<float>(), expected = [.. Enumerable.Range(0, inner).Select(c => ColumnSum<float>(wide, count, inner, c))];
            if (type == DType.BFloat16) expected = [.. expected.Select(v => (float)(BFloat16)v)];
            else expected = [.. expected.Select(v => (float)(Half)v)];
            foreach (int width in s_widths)
                foreach (int threads in (int[])[1, 3])
                    At(width, threads, () => Assert.Equal(expected, half.Sum(0).ToArray<float>()));
        }
    }

    [Fact]
    public void A_sum_of_half_precision_adds_up_in_float32_and_rounds_once()
    {
        var x = Draw<float>(40_000);
        var half = Tensor.FromArray(x).To(DType.BFloat16);
        float wide = RowSum<float>(half.ToArray<float>());
        Assert.Equal((float)(BFloat16)wide, (float)half.Sum().Item());
        var whole = Tensor.FromArray(Enumerable.Range(0, 70_001).Select(i => (byte)(i % 251)).ToArray()).Sum();
        Assert.Equal(DType.Int64, whole.DType);
        Assert.Equal(Enumerable.Range(0, 70_001).Sum(i => (long)(i % 251)), whole.Item<long>());
    }

    // ---- values over any dims ----

    static readonly (string Name, Func<Tensor, int[], bool, Tensor> Call, Func<double[], double> Loop)[] s_reductions =
    [
        ("Sum", (x, d, k) => x.Sum(d, k), v => v.Sum()),
        ("Prod", (x, d, k) => x.Prod(d, k), v => v.Aggregate(1.0, (p, e) => p * e)),
        ("Amax", (x, d, k) => x.Amax(d, k), v => v.Max()),
        ("Amin", (x, d, k) => x.Amin(d, k), v => v.Min()),
        ("Mean", (x, d, k) => x.Mean(d, k), v => v.Average()),
        ("Var", (x, d, k) => x.Var(d, 0, k), v => v.Average(e => (e - v.Average()) * (e - v.Average()))),
        ("Std", (x, d, k) => x.Std(d, 1, k), v => Math.Sqrt(v.Sum(e => (e - v.Average()) * (e - v.Average())) / (v.Length - 1))),
        ("Norm", (x, d, k) => x.Norm(3, d, k), v => Math.Cbrt(v.Sum(e => Math.Abs(e * e * e)))),
        ("LogSumExp", (x, d, k) => x.LogSumExp(d, k), v => Math.Log(v.Sum(Math.Exp))),
        ("Any", (x, d, k) => x.Gt(1.5).Any(d, k), v => v.Any(e => e > 1.5) ? 1 : 0),
        ("All", (x, d, k) => x.Gt(-1.5).All(d, k), v => v.All(e => e > -1.5) ? 1 : 0),
    ];

    [Fact]
    public void Every_reduction_over_any_dims_is_its_loop()
    {
        long[] shape = [2, 3, 4, 5];
        var x = Draw<double>(120).Select(v => 2 * v).ToArray();
        var plain = Tensor.FromArray(x, shape);
        Tensor[] layouts = [plain, plain.Permute(2, 0, 3, 1).Contiguous().Permute(1, 3, 0, 2)];
        for (int mask = 1; mask < 16; mask++)
        {
            int[] dims = [.. Enumerable.Range(0, 4).Where(d => (mask >> d & 1) != 0)];
            foreach (bool keep in (bool[])[false, true])
                foreach (var (name, call, loop) in s_reductions)
                {
                    double[] expected = [.. Groups(x, shape, dims).Select(loop)];
                    foreach (var layout in layouts)
                    {
                        var y = call(layout, dims, keep);
                        Assert.Equal([.. shape.Select((s, d) => dims.Contains(d) ? 1L : s).Where((_, d) => keep || !dims.Contains(d))], y.Shape.ToArray());
                        double[] actual = y.ToArray<double>();
                        for (int i = 0; i < expected.Length; i++)
                            Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-12 * (1 + Math.Abs(expected[i])), $"{name} over [{string.Join(", ", dims)}], element {i}: {actual[i]:R}, expected {expected[i]:R}");
                    }
                }
        }
    }

    // the elements of each kept position, in row-major order
    static IEnumerable<double[]> Groups(double[] x, long[] shape, int[] dims)
    {
        var groups = new SortedDictionary<long, List<double>>();
        for (long flat = 0; flat < x.Length; flat++)
        {
            long key = 0, rest = flat, scale = 1;
            for (int d = shape.Length - 1; d >= 0; rest /= shape[d--])
                if (!dims.Contains(d)) (key, scale) = (key + rest % shape[d] * scale, scale * shape[d]);
            if (!groups.TryGetValue(key, out var group)) groups.Add(key, group = []);
            group.Add(x[flat]);
        }
        return groups.Values.Select(g => g.ToArray());
    }

    // ---- extremes ----

    [Fact]
    public void A_NaN_anywhere_is_the_extreme_and_its_place()
    {
        foreach (int width in s_widths)
            foreach (int n in (int[])[1, 7, 64, 65, 130])
                for (int at = 0; at < n; at++)
                    At(width, 1, () =>
                    {
                        var values = new float[n];
                        values[at] = float.NaN;
                        var x = Tensor.FromArray(values);
                        Assert.True(double.IsNaN(x.Max().Item()) && double.IsNaN(x.Min().Item()), $"{n} elements, NaN at {at}, {width} bits");
                        Assert.Equal(((long)at, (long)at), (x.ArgMax().Item<long>(), x.ArgMin().Item<long>()));
                        var columns = x.Unsqueeze(1).Expand(n, 3).Contiguous();
                        Assert.All(columns.Amax(0).ToArray<double>(), v => Assert.True(double.IsNaN(v)));
                        Assert.All(columns.Amin(0).ToArray<double>(), v => Assert.True(double.IsNaN(v)));
                    });
    }

    [Fact]
    public void Of_equal_extremes_the_first_is_named_and_gets_the_gradient_while_Amax_shares_it()
    {
        var x = Tensor.FromArray(new double[,] { { 1, 3, 3, 2 }, { -1, -1, -2, -2 } }).RequiresGrad_();
        Assert.Equal([1L, 0], x.Detach().ArgMax(1).ToArray<long>());
        Assert.Equal([0L, 2], x.Detach().ArgMin(1).ToArray<long>());
        var (values, indices) = x.Max(1);
        Assert.Equal([1L, 0], indices.ToArray<long>());
        Assert.Equal([0.0, 1, 0, 0, 1, 0, 0, 0], Autograd.Grad(values.Sum(), x).ToArray<double>());
        Assert.Equal([1.0, 0, 0, 0, 0, 0, 1, 0], Autograd.Grad(x.Min(1).Values.Sum(), x).ToArray<double>());
        Assert.Equal([0, 0.5, 0.5, 0, 0.5, 0.5, 0, 0], Autograd.Grad(x.Amax(1).Sum(), x).ToArray<double>());
        Assert.Equal([0.0, 0, 0, 0, 0, 0, 0.5, 0.5], Autograd.Grad(x.Amin([0, 1]), x).ToArray<double>());
    }

    [Fact]
    public void ArgMax_and_ArgMin_along_any_dim_are_their_loops()
    {
        var random = new System.Random(Seed);
        var x = new int[4, 50, 30];
        for (int i = 0; i < 4; i++) for (int j = 0; j < 50; j++) for (int k = 0; k < 30; k++) x[i, j, k] = random.Next(-9, 9); // many ties
        int[] flat = [.. x.Cast<int>()];
        foreach (var type in (DType[])[DType.Int8, DType.Int64, DType.Float32, DType.BFloat16, DType.Float64])
        {
            var t = Tensor.FromArray(flat, new long[] { 4, 50, 30 }).To(type);
            long[] most = t.ArgMax(1).ToArray<long>(), least = t.ArgMin(-2, keepDim: true).ToArray<long>();
            for (int i = 0; i < 4; i++)
                for (int k = 0; k < 30; k++)
                {
                    int[] column = [.. Enumerable.Range(0, 50).Select(j => x[i, j, k])];
                    Assert.Equal(Array.IndexOf(column, column.Max()), most[i * 30 + k]);
                    Assert.Equal(Array.IndexOf(column, column.Min()), least[i * 30 + k]);
                }
            Assert.Equal(Array.IndexOf(flat, flat.Max()), t.ArgMax().Item<long>());
        }
    }

    // ---- running sums ----

    [Fact]
    public void A_running_sum_adds_in_order()
    {
        double[] x = Draw<double>(60);
        double[] expected = new double[60], along = (double[])x.Clone();
        for (int i = 0; i < 4; i++) for (int j = 0; j < 15; j++) expected[i * 15 + j] = x[i * 15 + j] + (j == 0 ? 0 : expected[i * 15 + j - 1]);
        for (int i = 1; i < 4; i++) for (int j = 0; j < 15; j++) along[i * 15 + j] += along[(i - 1) * 15 + j];
        var t = Tensor.FromArray(x, new long[] { 4, 15 });
        Assert.Equal(expected, t.Cumsum(1).ToArray<double>());
        Assert.Equal(along, t.Cumsum(0).ToArray<double>());
        Assert.Equal([1L, 3, 6], Tensor.FromArray(new byte[] { 1, 2, 3 }).Cumsum(0).ToArray<long>());
    }

    [Fact]
    public void Over_no_elements_sums_are_0_products_1_and_extremes_are_refused()
    {
        var x = Tensor.Zeros(2, 0);
        Assert.Equal([0f, 0], x.Sum(1).ToArray<float>());
        Assert.Equal([1f, 1], x.Prod(1).ToArray<float>());
        Assert.Equal(0, x.Sum().Item());
        Assert.Contains("no elements", Assert.Throws<FlambeauException>(() => x.Amax(1)).Message, StringComparison.Ordinal);
        Assert.Contains("no elements", Assert.Throws<FlambeauException>(() => x.ArgMax(1)).Message, StringComparison.Ordinal);
    }
}
