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
        yield return Bmm(options, "bmm 96x256x256x64", 96, 256, 256, 64, tb: true);
        yield return Bmm(options, "bmm 96x256x64x256", 96, 256, 64, 256);
    }

    private static Case Mm(Options options, DType dtype, string name, long m, long n, long k, bool ta = false, bool tb = false) => new(name, Unit.GigaflopsPerSecond)
    {
        DType = dtype.Name,
        Work = 2.0 * m * n * k,
        Limit = () => dtype == DType.Float32 ? Limits.FmaFloat32(options.Threads) : Limits.FmaFloat64(options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor a = Matrix([], m, k, ta, dtype), b = Matrix([], k, n, tb, dtype);
            return () => a.Mm(b).Dispose();
        }),
        Peer = Case.Torch("gemm.mm", new { m, n, k, ta, tb }),
    };

    private static Case Bmm(Options options, string name, long batch, long m, long n, long k, bool tb = false) => new(name, Unit.GigaflopsPerSecond)
    {
        Work = 2.0 * batch * m * n * k,
        Limit = () => Limits.FmaFloat32(options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor a = Matrix([batch], m, k, false, DType.Float32), b = Matrix([batch], k, n, tb, DType.Float32);
            return () => a.Bmm(b).Dispose();
        }),
        Peer = Case.Torch("gemm.bmm", new { batch, m, n, k, tb }),
    };

    private static Tensor Matrix(long[] batch, long rows, long columns, bool transposed, DType dtype) => transposed
        ? Tensor.RandN([.. batch, columns, rows], dtype).Transpose(-1, -2)
        : Tensor.RandN([.. batch, rows, columns], dtype);
}
