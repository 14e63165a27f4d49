using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>
/// Matrix products of sizes <c>m</c>, <c>n</c>, <c>k</c>; <c>ta</c> and <c>tb</c> store an operand transposed; <c>batch</c> for bmm.
/// Into a tensor made beforehand, unless the name ends in <c>_fresh</c>.
/// </summary>
internal static class ProductCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("gemm.mm", Mm),
        new("gemm.mm_fresh", MmFresh),
        new("gemm.int_mm", IntMm),
        new("gemm.bmm", Bmm),
        new("gemm.linear_gelu", LinearGelu),
    ];

    private static JsonObject Mm(Request r)
    {
        var (a, b) = Operands(r);
        var (ops, c) = (new OutOperators(), a.mm(b));
        return r.Time(() => ops.Mm(a, b, c));
    }

    private static JsonObject MmFresh(Request r)
    {
        var (a, b) = Operands(r);
        return r.Time(() => a.mm(b).Dispose());
    }

    private static JsonObject IntMm(Request r)
    {
        var (a, b) = Operands(r);
        var (ops, c) = (new OutOperators(), zeros([a.shape[0], b.shape[1]], dtype: int32));
        return r.Time(() => ops.IntMm(a, b, c));
    }

    private static JsonObject Bmm(Request r)
    {
        var (a, b) = Operands(r, r.Integer("batch", 16));
        var (ops, c) = (new OutOperators(), a.bmm(b));
        return r.Time(() => ops.Bmm(a, b, c));
    }

    private static JsonObject LinearGelu(Request r)
    {
        var (x, w) = Operands(r);
        var b = randn(w.shape[1], dtype: r.DType);
        using var _ = no_grad();
        return r.Time(() =>
        {
            using var y = nn.functional.linear(x, w.transpose(0, 1), b);
            nn.functional.gelu(y).Dispose();
        });
    }

    private static (Tensor A, Tensor B) Operands(Request r, params long[] batch)
    {
        long m = r.Integer("m", 512), n = r.Integer("n", 512), k = r.Integer("k", 512);
        return (Matrix(r, batch, m, k, r.Flag("ta")), Matrix(r, batch, k, n, r.Flag("tb")));
    }

    private static Tensor Matrix(Request r, long[] batch, long rows, long columns, bool transposed)
    {
        long[] shape = transposed ? [.. batch, columns, rows] : [.. batch, rows, columns];
        var x = r.DType == int8 ? randint(-128, 128, shape, dtype: int8) : randn(shape, dtype: r.DType);
        return transposed ? x.transpose(-1, -2) : x;
    }
}
