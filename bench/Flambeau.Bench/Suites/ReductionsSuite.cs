namespace Flambeau.Bench.Suites;

/// <summary>Sums and largest elements over all elements, along rows and down columns (the gradients of biases), in bytes read.</summary>
internal sealed class ReductionsSuite : ISuite
{
    public string Name => "reductions";

    public IEnumerable<Case> Cases(Options options) =>
    [
        .. from size in (long[])[1 << 20, 32 << 20] select Sum(options, [size], 0),
        .. from rows in (long[])[512, 32768] select Sum(options, [rows, 384], 1),
        .. from shape in (long[][])[[65536, 64], [4096, 384], [32768, 1024]] select Sum(options, shape, 0),
        Sum(options, [4096, 384], 0, DType.BFloat16),
        Of("max", "reductions.max", [1 << 20], 0, x => x.Max(), options),
    ];

    private static Case Sum(Options options, long[] shape, int dim, DType type = DType.Float32) =>
        Of(shape.Length == 1 ? "sum" : dim == 0 ? "sum of columns" : "sum of rows", "reductions.sum", shape, dim, x => x.Sum(dim), options, type);

    private static Case Of(string name, string peer, long[] shape, int dim, Func<Tensor, Tensor> reduce, Options options, DType type = DType.Float32)
    {
        double bytes = shape.Aggregate((a, b) => a * b) * type.Size;
        return new($"{name} {string.Join('x', shape)}", Unit.GigabytesPerSecond)
        {
            DType = type.Name,
            Work = bytes,
            Limit = () => Limits.ReadBandwidth(options.Threads, (long)bytes),
            Ours = Case.Timed(() => { var x = Tensor.RandN(shape, type); return () => reduce(x).Dispose(); }),
            Peer = Case.Torch(peer, new { shape, dim }),
        };
    }
}
