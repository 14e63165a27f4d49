using System.Runtime.InteropServices;
using Flambeau.Kernels;
using Flambeau.Runtime;
using static Flambeau.Tests.Kernels.GemmTests;

namespace Flambeau.Tests.Kernels;

/// <summary>Products of bytes equal sums in 64 bits, with machine code and without, at every width, in every layout; what leaves int32 is taken modulo 2³².</summary>
[Collection("Team")]
public unsafe class ByteGemmTests
{
    static long Signed(sbyte x) => x;
    static long Signed(byte x) => (sbyte)x;
    static long Left<S>(S x) where S : unmanaged => x is sbyte s ? s : (byte)(object)x;
    static long Right<S>(S x) where S : unmanaged => x is sbyte s ? Signed(s) : Signed((byte)(object)x);

    static void Fill<S>(Random random, S[] x) where S : unmanaged
    {
        random.NextBytes(MemoryMarshal.AsBytes(x.AsSpan()));
        // often the numbers that saturate narrower sums
        if (random.Next(3) == 0)
            for (int i = 0; i < x.Length; i++) x[i] = (S)(object)(x[i] is sbyte s ? (sbyte)(s < 0 ? -128 : 127) : (object)(byte)((byte)(object)x[i] | 0xF0));
    }

    // S sbyte: int8 · int8; byte: uint8 · int8
    static void Check<S>(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what) where S : unmanaged
    {
        var (a, b, c) = (new Matrix<S>(la, m, k), new Matrix<S>(lb, k, n), new Matrix<int>(lc, m, n));
        Fill(random, a.Data);
        Fill(random, b.Data);
        Array.Fill(c.Data, int.MinValue);
        fixed (S* pa = a.Data, pb = b.Data)
        fixed (int* pc = c.Data)
            Gemm.Multiply(m, n, k, pa + a.Start, a.Row, a.Column, pb + b.Start, b.Row, b.Column, pc + c.Start, c.Row, c.Column);
        foreach (var (i, j) in Sample(random, m, n, k))
        {
            long want = 0;
            for (long p = 0; p < k; p++) want += Left(a.Data[a.At(i, p)]) * Right(b.Data[b.At(p, j)]);
            Assert.True(want == c.Data[c.At(i, j)], $"{what}: C[{i}, {j}] of {m}x{n}x{k} {typeof(S).Name} {la} {lb} {lc} is {c.Data[c.At(i, j)]}, not {want}");
        }
        Assert.Equal(c.Data.Length - m * n, c.Data.LongCount(x => x == int.MinValue));
    }

    static void Both(Random random, long m, long n, long k, Layout la, Layout lb, Layout lc, string what)
    {
        Check<sbyte>(random, m, n, k, la, lb, lc, what);
        Check<byte>(random, m, n, k, la, lb, lc, what);
    }

    static void With(bool machineCode, int threads, int width, Action body)
    {
        DotCode<DotFours>.IsUsed = machineCode;
        try { At(threads, width, body); }
        finally { DotCode<DotFours>.IsUsed = true; }
    }

    [Theory]
    [InlineData(true, 1, 512, 150), InlineData(true, 2, 512, 150)]
    [InlineData(false, 1, 512, 25), InlineData(false, 2, 256, 100), InlineData(false, 1, 128, 60)]
    public void Every_small_product_in_every_layout_is_exact(bool machineCode, int threads, int width, int cases) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < cases; t++)
        {
            int top = width == 512 && !machineCode ? 30 : 70;
            Both(random, random.Next(top), random.Next(top), random.Next(top), Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)], $"seed {seed} case {t}");
        }
    });

    [Theory]
    [InlineData(true, 1, 512), InlineData(true, 2, 512), InlineData(true, 3, 512)]
    [InlineData(false, 2, 256), InlineData(false, 2, 128)]
    public void Every_large_product_in_every_layout_is_exact(bool machineCode, int threads, int width) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        for (int t = 0; t < 24; t++)
        {
            int Size(int bit, int most) => (t + 1 >> bit & 1) == 1 ? random.Next(1, most) : random.Next(1, 40);
            Both(random, Size(0, 1100), Size(1, 1100), Size(2, 5200), Inputs[random.Next(8)], Inputs[random.Next(8)], Outputs[random.Next(7)], $"seed {seed} case {t}");
        }
    });

    [Fact]
    public void Few_rows_and_few_columns_are_exact()
    {
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                int seed = Random.Shared.Next();
                var random = new Random(seed);
                foreach (int few in new[] { 1, 2, 5, 7, 8, 9, 16, 33 })
                    foreach (Layout weights in new[] { Layout.Rows, Layout.Columns, Layout.PaddedRows, Layout.PaddedColumns })
                    {
                        var (n, k) = (random.Next(1, 900), random.Next(1, 5200));
                        Both(random, few, n, k, Layout.Rows, weights, Layout.Rows, $"seed {seed}");
                        Both(random, n, few, k, weights, Layout.Rows, Layout.Rows, $"seed {seed}");
                    }
            });
    }

    // weights k × n: several blocks, stripes and threads, with columns and steps left over
    [Theory]
    [InlineData(true, 512, 1), InlineData(true, 512, 3), InlineData(false, 512, 2), InlineData(false, 256, 2)]
    public void Few_rows_swept_in_stripes_are_exact(bool machineCode, int width, int threads) => With(machineCode, threads, width, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int m in new[] { 1, 2, 3, 8, 16 })
            foreach (var (n, k) in new[] { (random.Next(4000, 6000), random.Next(2049, 2300)), (random.Next(40, 140), random.Next(5000, 9000)), (2048, 2048), (96, 7), (64, 18) })
                Both(random, m, n, k, Inputs[random.Next(8)], random.Next(2) == 0 ? Layout.Rows : Layout.PaddedRows, Outputs[random.Next(7)], $"seed {seed}");
    });

    // weights n × k: whole pieces of 64 steps and what is left, rows by fours and what is left
    [Theory]
    [InlineData(true, 1), InlineData(true, 3), InlineData(false, 2)]
    public void Few_rows_times_rows_are_exact(bool machineCode, int threads) => With(machineCode, threads, 512, () =>
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int m in new[] { 1, 2, 3, 4, 9, 10 })
            foreach (var (n, k) in new[] { (random.Next(1000, 3000), random.Next(100, 700)), (random.Next(8, 30), random.Next(5000, 9000)), (64, 64), (97, 63), (9, 4096) })
                Both(random, m, n, k, Inputs[random.Next(8)], random.Next(2) == 0 ? Layout.Columns : Layout.PaddedColumns, Outputs[random.Next(7)], $"seed {seed}");
    });

    [Fact]
    public void Products_beyond_the_caches_are_exact()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                Both(random, 2500, 2100, 2100, Layout.Rows, Layout.Columns, Layout.Rows, $"seed {seed}");
                Both(random, 130, 9000, 4099, Layout.Columns, Layout.Rows, Layout.PaddedRows, $"seed {seed}");
            });
    }

    [Theory]
    [InlineData(true, 512), InlineData(false, 512), InlineData(false, 256), InlineData(false, 128)]
    public void The_largest_sums_fit_and_larger_ones_are_taken_modulo_two_to_the_32(bool machineCode, int width) => With(machineCode, 1, width, () =>
    {
        // 2³¹ at 131,072 steps of (−128)²; 65,793 steps of 255 · (−128) stay above −2³¹
        foreach (long k in new long[] { 131_071, 131_072, 300_000 })
        {
            sbyte least = sbyte.MinValue;
            int got;
            Gemm.Multiply(1, 1, k, &least, 0, 0, &least, 0, 0, &got, 1, 1);
            Assert.Equal(unchecked((int)(k * 16_384)), got);
            if (k < 131_072) Assert.Equal(k * 16_384, got);
        }
        foreach (long k in new long[] { 65_793, 65_794, 200_000 })
        {
            byte most = 255, least = 0x80;
            int got;
            Gemm.Multiply(1, 1, k, &most, 0, 0, &least, 0, 0, &got, 1, 1);
            Assert.Equal(unchecked((int)(k * -32_640)), got);
            if (k < 65_794) Assert.Equal(k * -32_640, got);
        }
    });

    [Fact]
    public void Batches_of_any_strides_are_exact()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var generator = new Generator((ulong)seed);
        foreach (int threads in new[] { 1, 2 })
            At(threads, Gemm.Width, () =>
            {
                for (int t = 0; t < 40; t++)
                {
                    long batch = random.Next(6), m = random.Next(40), n = random.Next(60), k = random.Next(90);
                    bool isUnsigned = random.Next(2) == 0;
                    Tensor Made(bool left, params long[] shape)
                    {
                        bool turned = random.Next(2) == 0, stepped = random.Next(3) == 0;
                        if (turned) (shape[^1], shape[^2]) = (shape[^2], shape[^1]);
                        if (stepped) shape[^1] *= 2;
                        var x = left && isUnsigned ? Tensor.RandInt(0, 256, shape, DType.UInt8, generator) : Tensor.RandInt(-128, 128, shape, DType.Int8, generator);
                        if (stepped) x = x.Reshape(new Shape([.. shape[..^1], shape[^1] / 2, 2])).Select(-1, 1);
                        return turned ? x.Transpose(-1, -2) : x;
                    }
                    Tensor x = random.Next(2) == 0 ? Made(true, batch, 3, m, k) : Made(true, 3, m, k), y = random.Next(2) == 0 ? Made(false, batch, 1, k, n) : Made(false, k, n);
                    var got = x.IntMm(y);
                    Assert.Equal(DType.Int32, got.DType);
                    var want = x.To(DType.Int64).MatMul(y.To(DType.Int64));
                    Assert.True(want.ToArray<long>().SequenceEqual(got.ToArray<int>().Select(v => (long)v)), $"seed {seed} case {t}: {x.Shape} {x.DType} · {y.Shape}");
                    Assert.Equal(want.Shape, got.Shape);
                }
            });
    }

    [Fact]
    public void MatMul_of_int8_keeps_the_lower_bits()
    {
        var generator = new Generator(7);
        Tensor x = Tensor.RandInt(-128, 128, [19, 70], DType.Int8, generator), y = Tensor.RandInt(-128, 128, [70, 33], DType.Int8, generator), z = Tensor.RandInt(0, 256, [19, 70], DType.UInt8, generator);
        var wide = x.To(DType.Int64).MatMul(y.To(DType.Int64)).ToArray<long>();
        Assert.Equal(wide.Select(v => (sbyte)v), x.MatMul(y).ToArray<sbyte>());
        Assert.Equal(z.To(DType.Int64).MatMul(y.To(DType.Int64)).ToArray<long>().Select(v => (short)v), z.MatMul(y).ToArray<short>());
        Assert.Equal(wide.Select(v => (int)v), x.IntMm(y).ToArray<int>());
    }

    [Fact]
    public void Vectors_are_rows_on_the_left_and_columns_on_the_right()
    {
        Tensor x = Tensor.FromArray(new sbyte[] { 1, -2, 3 }), y = Tensor.FromArray(new sbyte[] { 100, 100, 100, -128, 127, 5 }).Reshape(3, 2);
        Assert.Equal([1 * 100 - 2 * 100 + 3 * 127, 100 + 256 + 15], x.IntMm(y).ToArray<int>());
        Assert.Equal(14, x.IntMm(x).ToArray<int>()[0]);
        Assert.Equal(y.T.IntMm(x).ToArray<int>(), x.IntMm(y).ToArray<int>());
    }

    [Fact]
    public void Other_types_and_sizes_are_refused()
    {
        Tensor x = Tensor.Zeros([2, 3], DType.Int8), u = Tensor.Zeros([3, 2], DType.UInt8), f = Tensor.Zeros([3, 2]);
        Assert.Contains("got int8 · uint8", Assert.Throws<FlambeauException>(() => x.IntMm(u)).Message);
        Assert.Contains("got int8 · float32", Assert.Throws<FlambeauException>(() => x.IntMm(f)).Message);
        Assert.Contains("inner sizes differ, 3 ≠ 2", Assert.Throws<FlambeauException>(() => x.IntMm(x)).Message);
    }

    [Fact]
    public void A_product_allocates_nothing_once_its_kernels_exist()
    {
        sbyte[] a = new sbyte[300 * 300];
        int[] c = new int[300 * 300], sizes = [1, 5, 20, 300];
        fixed (sbyte* pa = a)
        fixed (int* pc = c)
        {
            long before = 0;
            for (int round = 0; round < 3; round++)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
                foreach (int m in sizes) Gemm.Multiply(m, 300, 300, pa, 300, 1, pa, 300, 1, pc, 300, 1);
            }
            Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }
}
