using Flambeau.Kernels;
using Flambeau.Runtime;

namespace Flambeau.Tests.Kernels;

/// <summary>Every product equals, bit for bit, the triple loop that states the law.</summary>
[Collection("Team")]
public unsafe class GemmTests
{
    /// <summary>Where an operand lies: its strides over a buffer of its own.</summary>
    public enum Layout { Rows, Columns, PaddedRows, PaddedColumns, Loose, Reversed, RepeatedRow, RepeatedColumn }

    internal sealed class Matrix<T>(Layout layout, long rows, long columns) where T : unmanaged
    {
        public readonly long Row = layout switch
        {
            Layout.Rows => columns, Layout.PaddedRows => columns + 3, Layout.Loose => 2 * columns + 1, Layout.Reversed => -columns, Layout.RepeatedRow => 0, _ => 1,
        };
        public readonly long Column = layout switch
        {
            Layout.Rows or Layout.PaddedRows or Layout.Reversed or Layout.RepeatedRow => 1, Layout.Columns => rows, Layout.PaddedColumns => rows + 5, Layout.RepeatedColumn => 0, _ => 2,
        };
        public readonly long Start = layout == Layout.Reversed ? Math.Max(0, rows - 1) * columns : 0;
        public readonly T[] Data = new T[Math.Max(1, (rows + 1) * (columns + 1) * 2 + 5 * (rows + columns) + 8)];
        public long At(long i, long j) => Start + i * Row + j * Column;
    }

    static void Fill(Random random, float[] x)
    {
        for (int i = 0; i < x.Length; i++) x[i] = random.NextSingle() * 2 - 1;
    }

    static void Fill(Random random, double[] x)
    {
        for (int i = 0; i < x.Length; i++) x[i] = random.NextDouble() * 2 - 1;
    }

    /// <summary>The law: blocks of 512, each a chain of fused multiply-adds from zero in rising k, added in order.</summary>
    static float Definition(Matrix<float> a, Matrix<float> b, long i, long j, long k)
    {
        float total = 0;
        for (long p0 = 0; p0 < k; p0 += 512)
        {
            float s = 0;
            for (long p = p0; p < Math.Min(k, p0 + 512); p++) s = MathF.FusedMultiplyAdd(a.Data[a.At(i, p)], b.Data[b.At(p, j)], s);
            total = p0 == 0 ? s : total + s;
        }
        return total;
    }

    static double Definition(Matrix<double> a, Matrix<double> b, long i, long j, long k)
    {
        double total = 0;
        for (long p0 = 0; p0 < k; p0 += 512)
        {
            double s = 0;
            for (long p = p0; p < Math.Min(k, p0 + 512); p++) s = Math.FusedMultiplyAdd(a.Data[a.At(i, p)], b.Data[b.At(p, j)], s);
            total = p0 == 0 ? s : total + s;
        }
        return total;
    }

    /// <summary>Compares up to some thousands of elements, the corners among them, and that nothing else was written.</summary>
    static void CheckSingle(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what)
    {
        var (a, b, c) = (new Matrix<float>(la, m, k), new Matrix<float>(lb, k, n), new Matrix<float>(lc, m, n));
        Fill(random, a.Data);
        Fill(random, b.Data);
        Array.Fill(c.Data, -77);
        fixed (float* pa = a.Data, pb = b.Data, pc = c.Data)
            Gemm.Multiply(m, n, k, pa + a.Start, a.Row, a.Column, pb + b.Start, b.Row, b.Column, pc + c.Start, c.Row, c.Column);
        foreach (var (i, j) in Sample(random, m, n, k))
        {
            float want = Definition(a, b, i, j, k), got = c.Data[c.At(i, j)];
            Assert.True(BitConverter.SingleToInt32Bits(want) == BitConverter.SingleToInt32Bits(got), $"{what}: C[{i}, {j}] of {m}x{n}x{k} {la} {lb} {lc} is {got:R}, the law says {want:R}");
        }
        Assert.Equal(c.Data.Length - m * n, c.Data.LongCount(x => x == -77));
    }

    static void CheckDouble(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what)
    {
        var (a, b, c) = (new Matrix<double>(la, m, k), new Matrix<double>(lb, k, n), new Matrix<double>(lc, m, n));
        Fill(random, a.Data);
        Fill(random, b.Data);
        Array.Fill(c.Data, -77);
        fixed (double* pa = a.Data, pb = b.Data, pc = c.Data)
            Gemm.Multiply(m, n, k, pa + a.Start, a.Row, a.Column, pb + b.Start, b.Row, b.Column, pc + c.Start, c.Row, c.Column);
        foreach (var (i, j) in Sample(random, m, n, k))
        {
            double want = Definition(a, b, i, j, k), got = c.Data[c.At(i, j)];
            Assert.True(BitConverter.DoubleToInt64Bits(want) == BitConverter.DoubleToInt64Bits(got), $"{what}: C[{i}, {j}] of {m}x{n}x{k} {la} {lb} {lc} is {got:R}, the law says {want:R}");
        }
        Assert.Equal(c.Data.Length - m * n, c.Data.LongCount(x => x == -77));
    }

    internal static IEnumerable<(long, long)> Sample(Random random, long m, long n, long k)
    {
        if (m * n * Math.Max(k, 1) <= 60_000)
        {
            for (long i = 0; i < m; i++)
                for (long j = 0; j < n; j++) yield return (i, j);
            yield break;
        }
        foreach (long i in new[] { 0, m / 2, m - 1 })
            foreach (long j in new[] { 0, n / 2, n - 1 }) yield return (i, j);
        for (int s = 0; s < Math.Min(60_000 / k, 400); s++) yield return (random.NextInt64(m), random.NextInt64(n));
    }

    internal static readonly Layout[] Inputs = [Layout.Rows, Layout.Columns, Layout.PaddedRows, Layout.PaddedColumns, Layout.Loose, Layout.Reversed, Layout.RepeatedRow, Layout.RepeatedColumn];
    internal static readonly Layout[] Outputs = [Layout.Rows, Layout.Rows, Layout.Columns, Layout.PaddedRows, Layout.PaddedColumns, Layout.Loose, Layout.Reversed];

    internal static void At(int threads, int width, Action body)
    {
        int threadsBefore = Team.Threads, widthBefore = Gemm.Width;
        (Team.Threads, Gemm.Width) = (threads, width);
        try
        {
            body();
        }
        finally
        {
            (Team.Threads, Gemm.Width) = (threadsBefore, widthBefore);
        }
    }

    [Theory]
    [InlineData(1, 256, 150)]
    [InlineData(2, 256, 150)]
    [InlineData(1, 128, 60)]
    [InlineData(1, 512, 25)]
    public void Every_small_product_in_every_layout_equals_the_law_bit_for_bit(int threads, int width, int cases) => At(threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < cases; t++)
        {
            int top = width == 512 ? 30 : 70;
            var (m, n, k) = (random.Next(top), random.Next(top), random.Next(top));
            var (a, b, c) = (Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)]);
            CheckSingle(random, m, n, k, a, b, c, $"seed {seed} case {t} float32");
            CheckDouble(random, m, n, k, a, b, c, $"seed {seed} case {t} float64");
        }
    });

    [Theory]
    [InlineData(1, 256)]
    [InlineData(2, 256)]
    [InlineData(3, 256)]
    [InlineData(2, 128)]
    public void Every_large_product_in_every_layout_equals_the_law_bit_for_bit(int threads, int width) => At(threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < 24; t++)
        {
            // one or two sizes large, the rest small: all the shapes that have a path of their own
            int Size(int bit) => (t + 1 >> bit & 1) == 1 ? random.Next(1, 1100) : random.Next(1, 40);
            var (m, n, k) = (Size(0), Size(1), Size(2));
            var (a, b, c) = (Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)]);
            CheckSingle(random, m, n, k, a, b, c, $"seed {seed} case {t} float32");
            if (t % 3 == 0) CheckDouble(random, m, n, k, a, b, c, $"seed {seed} case {t} float64");
        }
    });

    [Fact]
    public void Few_rows_and_few_columns_equal_the_law_bit_for_bit()
    {
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                int seed = Random.Shared.Next();
                var random = new Random(seed);
                foreach (int few in new[] { 1, 2, 3, 4, 5, 7, 8, 13, 16, 17 })
                    foreach (Layout weights in new[] { Layout.Rows, Layout.Columns, Layout.PaddedRows, Layout.PaddedColumns })
                    {
                        var (n, k) = (random.Next(1, 900), random.Next(1, 1300));
                        CheckSingle(random, few, n, k, Layout.Rows, weights, Layout.Rows, $"seed {seed} float32");
                        CheckSingle(random, n, few, k, weights, Layout.Rows, Layout.Rows, $"seed {seed} float32");
                        CheckDouble(random, few, n, k, Layout.Columns, weights, Layout.Columns, $"seed {seed} float64");
                    }
            });
    }

    // weights k × n: several blocks, stripes and threads, with columns and steps left over
    [Theory]
    [InlineData(512, 1), InlineData(512, 3), InlineData(256, 2), InlineData(128, 2)]
    public void Few_rows_swept_in_stripes_equal_the_law_bit_for_bit(int width, int threads) => At(threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int m in new[] { 1, 2, 3, 8, 16 })
            foreach (var (n, k) in new[] { (random.Next(4000, 6000), random.Next(513, 700)), (random.Next(40, 140), random.Next(2000, 3000)), (2048, 1024), (96, 7) })
            {
                CheckSingle(random, m, n, k, Inputs[random.Next(8)], random.Next(2) == 0 ? Layout.Rows : Layout.PaddedRows, Outputs[random.Next(7)], $"seed {seed} float32");
                CheckDouble(random, m, n / 2, k, Layout.Rows, Layout.Rows, Layout.Rows, $"seed {seed} float64");
            }
    });

    // a weight's gradient: few of both and many tokens, read in place block by block
    [Theory]
    [InlineData(512), InlineData(256), InlineData(128)]
    public void Long_products_of_small_results_equal_the_law_bit_for_bit(int width)
    {
        foreach (int threads in new[] { 1, 2 })
            At(threads, width, () =>
            {
                int seed = Random.Shared.Next();
                var random = new Random(seed);
                foreach (var (m, n) in new[] { (96, 96), (48, 64), (192, 80), (24, 16), (100, 72), (96, 100) })
                {
                    int k = random.Next(513, 2100);
                    CheckSingle(random, m, n, k, Layout.Columns, Layout.Rows, Layout.Rows, $"seed {seed} float32");
                    CheckSingle(random, m, n, k, Layout.Rows, Layout.PaddedRows, Layout.PaddedRows, $"seed {seed} float32");
                    CheckDouble(random, m, n, k, Layout.Columns, Layout.Rows, Layout.Columns, $"seed {seed} float64");
                }
                // so long that the team shares k; the largest result in several rounds
                foreach (var (m, n) in new[] { (64, 64), (128, 128), (9, 33), (100, 72) })
                {
                    int k = random.Next(9000, 12_000);
                    CheckSingle(random, m, n, k, Layout.Columns, Layout.Rows, Layout.PaddedRows, $"seed {seed} float32, {threads} threads");
                    CheckSingle(random, m, n, k, Layout.Rows, Layout.Columns, Layout.Columns, $"seed {seed} float32, {threads} threads");
                    CheckDouble(random, m, n, k, Layout.Columns, Layout.Rows, Layout.Rows, $"seed {seed} float64, {threads} threads");
                }
            });
    }

    [Fact]
    public void A_row_times_a_column_equals_the_law_bit_for_bit()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int threads in new[] { 1, 2 })
            foreach (int k in new[] { 1, 2, 511, 512, 513, 1024, 1535, 1536, 1537, 2047, 2048, 2049, 5000, 8192, 300_001 })
                foreach (Layout layout in new[] { Layout.Rows, Layout.PaddedColumns, Layout.Loose })
                    At(threads, Gemm.Width, () =>
                    {
                        CheckSingle(random, 1, 1, k, layout, layout, Layout.Rows, $"seed {seed} float32, {threads} threads");
                        CheckDouble(random, 1, 1, k, layout, layout, Layout.Rows, $"seed {seed} float64, {threads} threads");
                    });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Batched_products_equal_their_items(int threads) => At(threads, Gemm.Width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (var (batch, m, n, k) in new[] { (1, 5, 6, 7), (0, 3, 3, 3), (7, 3, 5, 2), (24, 64, 48, 64), (3, 130, 70, 600), (50, 1, 33, 64), (9, 40, 1, 20), (5, 4, 4, 0) })
            foreach (bool shared in new[] { false, true })
            {
                float[] a = new float[batch * m * k + 1], b = new float[batch * k * n + 1], c = new float[batch * m * n + 1], one = new float[m * n + 1];
                Fill(random, a);
                Fill(random, b);
                Array.Fill(c, -77);
                long bBatch = shared ? 0 : (long)k * n;
                fixed (float* pa = a, pb = b, pc = c, po = one)
                {
                    Gemm.MultiplyBatched(batch, m, n, k, pa, (long)m * k, k, 1, pb, bBatch, 1, k, pc, (long)m * n, n, 1);
                    for (long i = 0; i < batch; i++)
                    {
                        Gemm.Multiply(m, n, k, pa + i * m * k, k, 1, pb + i * bBatch, 1, k, po, n, 1);
                        Assert.True(new Span<float>(po, m * n).SequenceEqual(new Span<float>(pc + i * m * n, m * n)), $"seed {seed} item {i} of {batch}x{m}x{n}x{k}");
                    }
                }
                Assert.Equal(-77, c[^1]);
            }
    });

    [Fact]
    public void A_row_has_the_same_bits_whatever_its_batch_the_width_and_the_threads()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        const int M = 300, N = 130, K = 700;
        float[] a = new float[M * K], b = new float[N * K], whole = new float[M * N], part = new float[M * N];
        Fill(random, a);
        Fill(random, b);
        fixed (float* pa = a, pb = b, pw = whole, pp = part)
        {
            Gemm.Multiply(M, N, K, pa, K, 1, pb, 1, K, pw, N, 1);
            foreach (int width in new[] { 128, 256 })
                foreach (int threads in new[] { 1, 2, 5 })
                    foreach (int rows in new[] { 1, 2, 6, 17, 64, 299 })
                    {
                        var (x, y) = ((nint)pp, (nint)pa);
                        var z = (nint)pb;
                        At(threads, width, () => Gemm.Multiply(rows, N, K, (float*)y, K, 1, (float*)z, 1, K, (float*)x, N, 1));
                        Assert.True(new Span<float>(pw, rows * N).SequenceEqual(new Span<float>(pp, rows * N)), $"seed {seed}: {rows} rows, {threads} threads, {width} bits");
                    }
        }
    }

    [Fact]
    public void A_product_allocates_nothing_once_its_kernels_exist()
    {
        float[] a = new float[300 * 300], b = new float[300 * 300], c = new float[300 * 300];
        int[] sizes = [1, 5, 20, 300];
        long[] rows = [300, 1];
        fixed (float* pa = a, pb = b, pc = c)
        {
            long before = 0;
            for (int round = 0; round < 3; round++)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
                foreach (int m in sizes)
                    foreach (long row in rows)
                    {
                        Gemm.Multiply(m, 300, 300, pa, 300, 1, pb, row, 301 - row, pc, 300, 1);
                        Gemm.MultiplyBatched(10, m, 30, 30, pa, 0, 30, 1, pb, 0, row == 1 ? 1 : 30, row == 1 ? 30 : 1, pc, 900, 30, 1);
                    }
            }
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    [Fact]
    public void No_contracted_index_gives_zeros_and_no_rows_touch_nothing()
    {
        float[] c = [1, 2, 3, 4, 5, 6, 7];
        float one = 1;
        fixed (float* pc = c)
        {
            Gemm.Multiply(2, 3, 0, &one, 1, 1, &one, 1, 1, pc, 3, 1);
            Gemm.Multiply(0, 3, 5, &one, 1, 1, &one, 1, 1, pc + 6, 3, 1);
            Gemm.Multiply(3, 0, 5, &one, 1, 1, &one, 1, 1, pc + 6, 3, 1);
        }
        Assert.Equal([0, 0, 0, 0, 0, 0, 7], c);
    }

    [Fact]
    public void Not_a_number_and_infinity_pass_through()
    {
        float[] a = [1, float.PositiveInfinity, float.NaN, 2], b = [3, 1, 1, 0], c = new float[4];
        fixed (float* pa = a, pb = b, pc = c) Gemm.Multiply(2, 2, 2, pa, 2, 1, pb, 2, 1, pc, 2, 1);
        Assert.Equal([float.PositiveInfinity, float.NaN, float.NaN, float.NaN], c); // ∞ · 0 is NaN
    }
}
