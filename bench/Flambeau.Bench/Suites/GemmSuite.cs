using Flambeau.Ops;
namespace Flambeau.Bench.Suites;

/// <summary>Matrix products, against PyTorch and against the fused multiply-adds this machine can do.</summary>
internal sealed class GemmSuite : ISuite
{
    public string Name => "gemm";

    public IEnumerable<Case> Cases(Options options)
    {
        foreach (var dtype in (DType[])[DType.Float32, DType.Float64])
        {
            foreach (var n in (long[])[64, 128, 256, 512, 1024, 2048, 4096]) yield return Mm(options, dtype, $"mm {n}", n, n, n);
            yield return Mm(options, dtype, "mm 1024 NT", 1024, 1024, 1024, tb: true);
            yield return Mm(options, dtype, "mm 1024 TN", 1024, 1024, 1024, ta: true);
            yield return Mm(options, dtype, "mm 1024 TT", 1024, 1024, 1024, ta: true, tb: true);
            yield return Mm(options, dtype, "mm 1000x777x1234", 1000, 777, 1234);
            yield return Mm(options, dtype, "mm 2048x384x384 NT", 2048, 384, 384, tb: true);
        }
        foreach (var n in (long[])[64, 256, 512, 1024, 2048, 4096]) yield return Mm(options, DType.BFloat16, $"mm {n}", n, n, n);
        foreach (var n in (long[])[1024, 2048])
        {
            yield return Mm(options, DType.BFloat16, $"mm {n} NT", n, n, n, tb: true);
            yield return Mm(options, DType.BFloat16, $"mm {n} TN", n, n, n, ta: true);
            yield return Mm(options, DType.BFloat16, $"mm {n} TT", n, n, n, ta: true, tb: true);
        }
        yield return Mm(options, DType.BFloat16, "mm 1000x777x1234", 1000, 777, 1234);
        // a GPT's MLP of 6 × 384: both products, the gradients of what goes in and of a weight
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            yield return Mm(options, dtype, "mm 4096x384x1536 NT", 4096, 384, 1536, tb: true);
            yield return Mm(options, dtype, "mm 4096x1536x384 NT", 4096, 1536, 384, tb: true);
            yield return Mm(options, dtype, "mm 4096x384x1536", 4096, 384, 1536);
            yield return Mm(options, dtype, "mm 4096x1536x384", 4096, 1536, 384);
            yield return Mm(options, dtype, "mm 384x1536x4096 TN", 384, 1536, 4096, ta: true);
            yield return Mm(options, dtype, "mm 1536x384x4096 TN", 1536, 384, 4096, ta: true);
        }
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            yield return LinearGelu(options, dtype, 4096, 1536, 384);
            yield return LinearGelu(options, dtype, 2048, 2048, 2048);
        }
        foreach (var n in (long[])[256, 512, 1024, 2048, 4096]) yield return Mm(options, DType.Int8, $"mm {n}", n, n, n);
        yield return Mm(options, DType.Int8, "mm 2048 NT", 2048, 2048, 2048, tb: true);
        yield return Mm(options, DType.Int8, "mm 2048 TN", 2048, 2048, 2048, ta: true);
        yield return Mm(options, DType.Int8, "mm 1000x777x1234", 1000, 777, 1234);
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16, DType.Int8])
            foreach (var tb in (bool[])[true, false])
                foreach (var rows in (long[])[1, 2, 4, 8, 16]) yield return FewRows(options, dtype, rows, 4096, tb);
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16, DType.Int8])
            foreach (var tb in (bool[])[true, false])
                foreach (var rows in (long[])[1, 16]) yield return FewRows(options, dtype, rows, 11008, tb);
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            yield return Bmm(options, dtype, "bmm 96x256x256x64", 96, 256, 256, 64, tb: true);
            yield return Bmm(options, dtype, "bmm 96x256x64x256", 96, 256, 64, 256);
        }
    }

    private static Case Mm(Options options, DType dtype, string name, long m, long n, long k, bool ta = false, bool tb = false) => new(name, Unit.GigaflopsPerSecond)
    {
        DType = dtype.Name,
        Work = 2.0 * m * n * k,
        Limit = Limit(dtype, options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor a = Matrix([], m, k, ta, dtype), b = Matrix([], k, n, tb, dtype);
            return dtype == DType.Int8 ? () => a.IntMm(b).Dispose() : () => a.Mm(b).Dispose();
        }),
        Peer = Case.Torch(dtype == DType.Int8 ? "gemm.int_mm" : "gemm.mm", new { m, n, k, ta, tb }),
    };

    /// <summary>GELU(x · Wᵀ + b) as one composite.</summary>
    private static Case LinearGelu(Options options, DType dtype, long m, long n, long k) => new($"linear + bias + GELU {m}x{n}x{k}", Unit.GigaflopsPerSecond)
    {
        DType = dtype.Name,
        Work = 2.0 * m * n * k,
        Limit = Limit(dtype, options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor x = Matrix([], m, k, false, dtype), w = Matrix([], n, k, false, dtype), b = Tensor.RandN([n], dtype);
            return () => Composite.Apply("LinearGelu", static t => t[0].Linear(t[1], t[2]).Gelu(), 0, x, w, b).Dispose();
        }),
        Peer = Case.Torch("gemm.linear_gelu", new { m, n, k, tb = true }),
    };

    private static Func<double> Limit(DType dtype, int threads) => () => dtype switch
    {
        DType.BFloat16 => Limits.DotBFloat16(threads),
        DType.Int8 => Limits.DotInt8(threads),
        DType.Float32 => Limits.FmaFloat32(threads),
        _ => Limits.FmaFloat64(threads),
    };

    /// <summary>Few rows times a weight of 4096 × <paramref name="n"/>, as in serving: the weight's bytes and how fast memory is read are what counts.</summary>
    private static Case FewRows(Options options, DType dtype, long rows, long n, bool tb)
    {
        const long K = 4096;
        double bytes = (double)dtype.Size * K * n;
        return Mm(options, dtype, $"mm {rows}x{n}x{K}{(tb ? " NT" : "")}", rows, n, K, tb: tb) with { Unit = Unit.GigabytesPerSecond, Work = bytes, Limit = () => Limits.ReadBandwidth(options.Threads, (long)bytes) };
    }

    private static Case Bmm(Options options, DType dtype, string name, long batch, long m, long n, long k, bool tb = false) => new(name, Unit.GigaflopsPerSecond)
    {
        DType = dtype.Name,
        Work = 2.0 * batch * m * n * k,
        Limit = Limit(dtype, options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor a = Matrix([batch], m, k, false, dtype), b = Matrix([batch], k, n, tb, dtype);
            return () => a.Bmm(b).Dispose();
        }),
        Peer = Case.Torch("gemm.bmm", new { batch, m, n, k, tb }),
    };

    private static Tensor Matrix(long[] batch, long rows, long columns, bool transposed, DType dtype)
    {
        var shape = new Shape(transposed ? [.. batch, columns, rows] : [.. batch, rows, columns]);
        var x = dtype == DType.Int8 ? Tensor.RandInt(-128, 128, shape, dtype) : Tensor.RandN(shape, dtype);
        return transposed ? x.Transpose(-1, -2) : x;
    }
}
