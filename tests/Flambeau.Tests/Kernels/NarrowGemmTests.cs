using Flambeau.Kernels;
using Flambeau.Runtime;
using static Flambeau.Tests.Kernels.GemmTests;

namespace Flambeau.Tests.Kernels;

/// <summary>Products of bfloat16 and float16 equal, bit for bit, the loops that state their laws, with machine code and without.</summary>
[Collection("Team")]
public unsafe class NarrowGemmTests
{
    /// <summary>Blocks of 1,024, each a chain from zero by pairs, the odd step before the even one, added in order and rounded once.</summary>
    static BFloat16 Law(Matrix<BFloat16> a, Matrix<BFloat16> b, long i, long j, long k)
    {
        float At(long p, float sum) => p < k ? MathF.FusedMultiplyAdd(a.Data[a.At(i, p)], b.Data[b.At(p, j)], sum) : sum;
        float total = 0;
        for (long p0 = 0; p0 < k; p0 += 1024)
        {
            float s = 0;
            for (long p = p0; p < Math.Min(k, p0 + 1024); p += 2) s = At(p, At(p + 1, s));
            total = p0 == 0 ? s : total + s;
        }
        return (BFloat16)total;
    }

    /// <summary>float32's law, rounded once.</summary>
    static Half Law(Matrix<Half> a, Matrix<Half> b, long i, long j, long k)
    {
        float total = 0;
        for (long p0 = 0; p0 < k; p0 += 512)
        {
            float s = 0;
            for (long p = p0; p < Math.Min(k, p0 + 512); p++) s = MathF.FusedMultiplyAdd((float)a.Data[a.At(i, p)], (float)b.Data[b.At(p, j)], s);
            total = p0 == 0 ? s : total + s;
        }
        return (Half)total;
    }

    static void Fill(Random random, BFloat16[] x)
    {
        for (int i = 0; i < x.Length; i++) x[i] = (BFloat16)(random.NextSingle() * 2 - 1);
    }

    static void Fill(Random random, Half[] x)
    {
        for (int i = 0; i < x.Length; i++) x[i] = (Half)(random.NextSingle() * 2 - 1);
    }

    static void CheckBFloat16(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what)
    {
        var (a, b, c) = (new Matrix<BFloat16>(la, m, k), new Matrix<BFloat16>(lb, k, n), new Matrix<BFloat16>(lc, m, n));
        Fill(random, a.Data);
        Fill(random, b.Data);
        Array.Fill(c.Data, BFloat16.MaxValue);
        fixed (BFloat16* pa = a.Data, pb = b.Data, pc = c.Data)
            Gemm.Multiply(m, n, k, pa + a.Start, a.Row, a.Column, pb + b.Start, b.Row, b.Column, pc + c.Start, c.Row, c.Column);
        foreach (var (i, j) in Sample(random, m, n, k))
        {
            BFloat16 want = Law(a, b, i, j, k), got = c.Data[c.At(i, j)];
            Assert.True(want.Bits == got.Bits, $"{what}: C[{i}, {j}] of {m}x{n}x{k} {la} {lb} {lc} is {got}, the law says {want}");
        }
        Assert.Equal(c.Data.Length - m * n, c.Data.LongCount(x => x == BFloat16.MaxValue));
    }

    static void CheckHalf(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what)
    {
        var (a, b, c) = (new Matrix<Half>(la, m, k), new Matrix<Half>(lb, k, n), new Matrix<Half>(lc, m, n));
        Fill(random, a.Data);
        Fill(random, b.Data);
        Array.Fill(c.Data, Half.MaxValue);
        fixed (Half* pa = a.Data, pb = b.Data, pc = c.Data)
            Gemm.Multiply(m, n, k, pa + a.Start, a.Row, a.Column, pb + b.Start, b.Row, b.Column, pc + c.Start, c.Row, c.Column);
        foreach (var (i, j) in Sample(random, m, n, k))
        {
            Half want = Law(a, b, i, j, k), got = c.Data[c.At(i, j)];
            Assert.True(BitConverter.HalfToInt16Bits(want) == BitConverter.HalfToInt16Bits(got), $"{what}: C[{i}, {j}] of {m}x{n}x{k} {la} {lb} {lc} is {got}, the law says {want}");
        }
        Assert.Equal(c.Data.Length - m * n, c.Data.LongCount(x => x == Half.MaxValue));
    }

    static void With(bool machineCode, int threads, int width, Action body)
    {
        DotCode<DotPairs>.IsUsed = machineCode;
        try { At(threads, width, body); }
        finally { DotCode<DotPairs>.IsUsed = true; }
    }

    [Theory]
    [InlineData(true, 1, 512, 150), InlineData(true, 2, 512, 150)]
    [InlineData(false, 1, 512, 25), InlineData(false, 2, 256, 100), InlineData(false, 1, 128, 60)]
    public void Every_small_product_in_every_layout_equals_the_law_bit_for_bit(bool machineCode, int threads, int width, int cases) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < cases; t++)
        {
            int top = width == 512 && !machineCode ? 30 : 70;
            var (m, n, k) = (random.Next(top), random.Next(top), random.Next(top));
            var (a, b, c) = (Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)]);
            CheckBFloat16(random, m, n, k, a, b, c, $"seed {seed} case {t} bfloat16");
            CheckHalf(random, m, n, k, a, b, c, $"seed {seed} case {t} float16");
        }
    });

    [Theory]
    [InlineData(true, 1, 512), InlineData(true, 2, 512), InlineData(true, 3, 512)]
    [InlineData(false, 2, 256), InlineData(false, 2, 128)]
    public void Every_large_product_in_every_layout_equals_the_law_bit_for_bit(bool machineCode, int threads, int width) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < 24; t++)
        {
            int Size(int bit, int most) => (t + 1 >> bit & 1) == 1 ? random.Next(1, most) : random.Next(1, 40);
            var (m, n, k) = (Size(0, 1100), Size(1, 1100), Size(2, 2600));
            var (a, b, c) = (Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)]);
            CheckBFloat16(random, m, n, k, a, b, c, $"seed {seed} case {t} bfloat16");
            if (t % 3 == 0) CheckHalf(random, m, n, k, a, b, c, $"seed {seed} case {t} float16");
        }
    });

    // a weight's gradient: so long that the team shares k, in float16 in two rounds
    [Theory]
    [InlineData(true, 512), InlineData(false, 256), InlineData(false, 128)]
    public void Long_products_of_small_results_equal_the_law_bit_for_bit(bool machineCode, int width)
    {
        foreach (int threads in new[] { 1, 2 })
            With(machineCode, threads, width, () =>
            {
                int seed = Random.Shared.Next();
                var random = new Random(seed);
                foreach (var (m, n) in new[] { (64, 64), (96, 48), (100, 72), (17, 33) })
                {
                    int k = random.Next(14_000, 16_000);
                    CheckBFloat16(random, m, n, k, Layout.Columns, Layout.Rows, Layout.PaddedRows, $"seed {seed} bfloat16, {threads} threads");
                    CheckBFloat16(random, m, n, k, Layout.Rows, Layout.Columns, Layout.Columns, $"seed {seed} bfloat16, {threads} threads");
                    CheckHalf(random, m, n, k, Layout.Columns, Layout.Rows, Layout.Rows, $"seed {seed} float16, {threads} threads");
                }
            });
    }

    [Fact]
    public void Few_rows_and_few_columns_equal_the_law_bit_for_bit()
    {
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                int seed = Random.Shared.Next();
                var random = new Random(seed);
                foreach (int few in new[] { 1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33 })
                    foreach (Layout weights in new[] { Layout.Rows, Layout.Columns, Layout.PaddedRows, Layout.PaddedColumns })
                    {
                        var (n, k) = (random.Next(1, 900), random.Next(1, 2600));
                        CheckBFloat16(random, few, n, k, Layout.Rows, weights, Layout.Rows, $"seed {seed} bfloat16");
                        CheckBFloat16(random, n, few, k, weights, Layout.Rows, Layout.Rows, $"seed {seed} bfloat16");
                        CheckHalf(random, few, n, k, Layout.Columns, weights, Layout.Columns, $"seed {seed} float16");
                    }
            });
    }

    // weights k × n: several blocks, stripes and threads, with columns and steps left over
    [Theory]
    [InlineData(true, 512, 1), InlineData(true, 512, 3), InlineData(false, 512, 2), InlineData(false, 256, 2)]
    public void Few_rows_swept_in_stripes_equal_the_law_bit_for_bit(bool machineCode, int width, int threads) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int m in new[] { 1, 2, 3, 8, 16 })
            foreach (var (n, k) in new[] { (random.Next(4000, 6000), random.Next(1025, 1300)), (random.Next(40, 140), random.Next(3000, 5000)), (2048, 2048), (96, 7), (64, 9) })
            {
                CheckBFloat16(random, m, n, k, Inputs[random.Next(8)], random.Next(2) == 0 ? Layout.Rows : Layout.PaddedRows, Outputs[random.Next(7)], $"seed {seed} bfloat16");
                if (n < 1000) CheckHalf(random, m, n, k, Layout.Rows, Layout.Rows, Layout.Rows, $"seed {seed} float16");
            }
    });

    // larger than a panel of B and than the sums that may wait
    [Fact]
    public void Products_beyond_the_caches_equal_the_law_bit_for_bit()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                CheckBFloat16(random, 2500, 2100, 1100, Layout.Rows, Layout.Columns, Layout.Rows, $"seed {seed} bfloat16");
                CheckBFloat16(random, 130, 9000, 2049, Layout.Columns, Layout.Rows, Layout.PaddedRows, $"seed {seed} bfloat16");
            });
    }

    [Fact]
    public void A_row_has_the_same_bits_whatever_its_batch_the_width_the_threads_and_the_code()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        const int M = 300, N = 130, K = 2100;
        BFloat16[] a = new BFloat16[M * K], b = new BFloat16[N * K], whole = new BFloat16[M * N], part = new BFloat16[M * N];
        Fill(random, a);
        Fill(random, b);
        fixed (BFloat16* pa = a, pb = b, pw = whole, pp = part)
        {
            Gemm.Multiply(M, N, K, pa, K, 1, pb, 1, K, pw, N, 1);
            var (x, y, z) = ((nint)pp, (nint)pa, (nint)pb);
            foreach (var (machineCode, width) in new[] { (true, 512), (true, 128), (false, 256) })
                foreach (int threads in new[] { 1, 2, 5 })
                    foreach (int rows in new[] { 1, 2, 6, 17, 64, 299 })
                    {
                        With(machineCode, threads, width, () => Gemm.Multiply(rows, N, K, (BFloat16*)y, K, 1, (BFloat16*)z, 1, K, (BFloat16*)x, N, 1));
                        Assert.True(new Span<BFloat16>(pw, rows * N).SequenceEqual(new Span<BFloat16>(pp, rows * N)), $"seed {seed}: {rows} rows, {threads} threads, {width} bits, machine code {machineCode}");
                    }
        }
    }

    [Theory]
    [InlineData(1), InlineData(2)]
    public void Batched_products_equal_their_items(int threads) => At(threads, Gemm.Width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (var (batch, m, n, k) in new[] { (1, 5, 6, 7), (0, 3, 3, 3), (7, 3, 5, 2), (24, 64, 48, 64), (3, 130, 70, 1100), (50, 1, 33, 65), (9, 40, 1, 20), (5, 4, 4, 0) })
        {
            var (a, b) = (new BFloat16[batch * m * k + 1], new BFloat16[batch * k * n + 1]);
            var (c, one) = (new BFloat16[batch * m * n + 1], new BFloat16[m * n + 1]);
            Fill(random, a);
            Fill(random, b);
            c[^1] = BFloat16.MaxValue;
            fixed (BFloat16* pa = a, pb = b, pc = c, po = one)
            {
                Gemm.MultiplyBatched(batch, m, n, k, pa, (long)m * k, k, 1, pb, (long)k * n, 1, k, pc, (long)m * n, n, 1);
                for (long i = 0; i < batch; i++)
                {
                    Gemm.Multiply(m, n, k, pa + i * m * k, k, 1, pb + i * k * n, 1, k, po, n, 1);
                    Assert.True(new Span<BFloat16>(po, m * n).SequenceEqual(new Span<BFloat16>(pc + i * m * n, m * n)), $"seed {seed} item {i} of {batch}x{m}x{n}x{k}");
                }
            }
            Assert.Equal(BFloat16.MaxValue, c[^1]);
        }
    });

    static BFloat16[] Product(BFloat16[] a, BFloat16[] b, int m, int n, int k)
    {
        var c = new BFloat16[m * n];
        fixed (BFloat16* pa = a, pb = b, pc = c) Gemm.Multiply(m, n, k, pa, k, 1, pb, n, 1, pc, n, 1);
        return c;
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void Not_a_number_and_infinity_pass_through(bool machineCode) => With(machineCode, 1, Gemm.Width, () =>
    {
        BFloat16 N(float x) => (BFloat16)x;
        Assert.Equal([float.PositiveInfinity, float.NaN, float.NaN, float.NaN], Product([N(1), N(float.PositiveInfinity), N(float.NaN), N(2)], [N(3), N(1), N(1), N(0)], 2, 2, 2).Select(x => (float)x));
        Assert.Equal([float.PositiveInfinity], Product([BFloat16.MaxValue, N(1)], [N(1), BFloat16.MaxValue], 1, 1, 2).Select(x => (float)x));
    });

    [Fact]
    public void The_instruction_takes_subnormal_numbers_for_zero_and_other_code_does_not()
    {
        var (tiny, one) = (BFloat16.FromBits(0x0040), (BFloat16)1);
        With(false, 1, Gemm.Width, () => Assert.Equal(tiny, Product([tiny], [one], 1, 1, 1)[0]));
        if (DotCode<DotPairs>.IsSupported && Gemm.Width == 512) With(true, 1, 512, () => Assert.Equal((BFloat16)0, Product([tiny], [one], 1, 1, 1)[0]));
    }

    // neither block's sum is subnormal, only what they add up to
    [Theory]
    [InlineData(true), InlineData(false)]
    public void A_total_that_becomes_subnormal_is_the_same_whatever_the_batch(bool machineCode) => With(machineCode, 1, Gemm.Width, () =>
    {
        const int M = 70, N = 48, K = 2048;
        BFloat16[] a = new BFloat16[M * K], b = new BFloat16[K * N];
        BFloat16 small = (BFloat16)MathF.ScaleB(1, -63);
        for (int i = 0; i < M; i++) (a[i * K], a[i * K + 1024]) = ((BFloat16)MathF.ScaleB(1.5f, -63), (BFloat16)(-MathF.ScaleB(1, -63)));
        for (int j = 0; j < N; j++) b[j] = b[1024 * N + j] = small;
        foreach (int rows in new[] { 1, 2, 5, 17, M }) Assert.All(Product(a[..(rows * K)], b, rows, N, K), x => Assert.Equal(0x0040, x.Bits));
    });

    [Fact]
    public void No_contracted_index_gives_zeros_and_no_rows_touch_nothing()
    {
        BFloat16 one = (BFloat16)1;
        BFloat16[] c = [one, one, one, one, one, one, one];
        fixed (BFloat16* pc = c)
        {
            Gemm.Multiply(2, 3, 0, &one, 1, 1, &one, 1, 1, pc, 3, 1);
            Gemm.Multiply(0, 3, 5, &one, 1, 1, &one, 1, 1, pc + 6, 3, 1);
            Gemm.Multiply(3, 0, 5, &one, 1, 1, &one, 1, 1, pc + 6, 3, 1);
        }
        Assert.Equal([0, 0, 0, 0, 0, 0, 1], c.Select(x => (float)x));
    }

    [Fact]
    public void A_product_allocates_nothing_once_its_kernels_exist()
    {
        BFloat16[] a = new BFloat16[300 * 300], c = new BFloat16[300 * 300];
        int[] sizes = [1, 5, 20, 300];
        fixed (BFloat16* pa = a, pc = c)
        {
            long before = 0;
            for (int round = 0; round < 3; round++)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
                foreach (int m in sizes)
                {
                    Gemm.Multiply(m, 300, 300, pa, 300, 1, pa, 300, 1, pc, 300, 1);
                    Gemm.Multiply(m, 300, 300, (Half*)pa, 300, 1, (Half*)pa, 1, 300, (Half*)pc, 300, 1);
                }
            }
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    // |error| ≤ the sums' (each of k additions rounds by 2⁻²⁴ of at most Σ|a·b|) and the result's own rounding, float16's subnormal numbers by 2⁻²⁵
    static void CheckAgainstDouble(Tensor got, Tensor exact, Tensor magnitude, long k, double rounding, string what)
    {
        double[] x = got.To(DType.Float64).ToArray<double>(), y = exact.ToArray<double>(), s = magnitude.ToArray<double>();
        for (int i = 0; i < x.Length; i++)
            Assert.True(Math.Abs(x[i] - y[i]) <= (k + 4) * Math.Pow(2, -24) * s[i] + rounding * Math.Abs(y[i]) + (got.DType == DType.Float16 ? Math.Pow(2, -25) : 0), $"{what}: element {i} is {x[i]}, not {y[i]}");
    }

    [Fact]
    public void Products_layers_and_their_gradients_agree_with_float64()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var generator = new Generator((ulong)seed);
        foreach (var (dtype, rounding) in new[] { (DType.BFloat16, Math.Pow(2, -8)), (DType.Float16, Math.Pow(2, -11)) })
            for (int t = 0; t < 12; t++)
            {
                long m = random.Next(1, 150), n = random.Next(1, 150), k = random.Next(1, 1500);
                Tensor Made(long rows, long columns) => random.Next(3) switch
                {
                    0 => Tensor.RandN([rows, columns], generator: generator).To(dtype),
                    1 => Tensor.RandN([columns, rows], generator: generator).To(dtype).T,
                    _ => Tensor.RandN([rows + 1, 2 * columns + 1], generator: generator).To(dtype)[1.., 1..].Reshape(rows, columns, 2).Select(2, 0),
                };
                Tensor x = Made(m, k).RequiresGrad_(), w = Made(n, k).RequiresGrad_(), g = Made(m, n);
                var y = x.Linear(w);
                y.Backward(g);
                Tensor X = x.Detach().To(DType.Float64), W = w.Detach().To(DType.Float64), G = g.To(DType.Float64);
                string what = $"seed {seed} {dtype} {m}x{n}x{k}";
                CheckAgainstDouble(y.Detach(), X.Mm(W.T), X.Abs().Mm(W.Abs().T), k, rounding, what);
                CheckAgainstDouble(x.Grad!, G.Mm(W), G.Abs().Mm(W.Abs()), n, rounding, what + " gradient of x");
                CheckAgainstDouble(w.Grad!, G.T.Mm(X), G.Abs().T.Mm(X.Abs()), m, rounding, what + " gradient of the weight");
                Assert.Equal(dtype, y.DType);
            }
    }
}
