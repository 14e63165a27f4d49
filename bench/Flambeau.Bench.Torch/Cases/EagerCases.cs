using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>
/// Single operators, over <c>size</c> elements. <c>eager.NAME</c> makes a fresh result and disposes of it; <c>eager.NAME_out</c> writes into
/// a tensor made beforehand, through PyTorch's C++ function.
/// </summary>
internal static class EagerCases
{
    private const long RowLength = 1024; // of softmax and layer norm

    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("eager.add_tiny", r => Fresh(r, Tiny(r), x => x.add(x))),
        new("eager.add_tiny_inplace", AddTinyInPlace),
        new("eager.add_tiny_out", r => Into(r, Tiny(r), (ops, x, y) => ops.Add(x, x, y))),

        new("eager.add", r => Binary(r, (x, y) => x.add(y))),
        new("eager.add_out", AddOut),
        new("eager.exp", r => Fresh(r, Flat(r), x => x.exp())),
        new("eager.exp_out", r => Into(r, Flat(r), (ops, x, y) => ops.Exp(x, y))),
        new("eager.silu", r => Fresh(r, Flat(r), x => x.silu())),
        new("eager.silu_out", r => Into(r, Flat(r), (ops, x, y) => ops.Silu(x, y))),
        new("eager.gelu", r => Fresh(r, Flat(r), x => x.gelu())),
        new("eager.gelu_out", r => Into(r, Flat(r), (ops, x, y) => ops.Gelu(x, y))),
        new("eager.sum", r => Fresh(r, Flat(r), x => x.sum())),
        new("eager.sum_out", SumOut),
        new("eager.softmax", r => Fresh(r, Rows(r), x => nn.functional.softmax(x, -1))),
        new("eager.softmax_out", r => Into(r, Rows(r), (ops, x, y) => ops.Softmax(x, y))),
        new("eager.layer_norm", LayerNorm),
    ];

    private static JsonObject Fresh(Request r, Tensor x, Func<Tensor, Tensor> op) => r.Time(() => op(x).Dispose());

    private static JsonObject Into(Request r, Tensor x, Action<OutOperators, Tensor, Tensor> op)
    {
        using var _ = no_grad();
        var (ops, output) = (new OutOperators(), empty_like(x));
        return r.Time(() => op(ops, x, output));
    }

    private static JsonObject Binary(Request r, Func<Tensor, Tensor, Tensor> op)
    {
        var (x, y) = (Flat(r), Flat(r));
        return r.Time(() => op(x, y).Dispose());
    }

    private static JsonObject AddTinyInPlace(Request r)
    {
        var (x, y) = (Tiny(r), zeros(4, 4, dtype: r.DType));
        return r.Time(() => x.add_(y));
    }

    private static JsonObject AddOut(Request r)
    {
        var y = Flat(r);
        return Into(r, Flat(r), (ops, x, output) => ops.Add(x, y, output));
    }

    private static JsonObject SumOut(Request r)
    {
        var (ops, x, total) = (new OutOperators(), Flat(r), zeros([], dtype: r.DType));
        return r.Time(() => ops.Sum(x, total));
    }

    /// <summary>There is no <c>out=</c> worth measuring: PyTorch's computes a fresh result and copies it.</summary>
    private static JsonObject LayerNorm(Request r)
    {
        var (weight, bias) = (ones(RowLength, dtype: r.DType), zeros(RowLength, dtype: r.DType));
        return Fresh(r, Rows(r), x => nn.functional.layer_norm(x, [RowLength], weight, bias));
    }

    private static Tensor Tiny(Request r) => rand(4, 4, dtype: r.DType);
    private static Tensor Flat(Request r) => randn(r.Integer("size", 4096), dtype: r.DType);
    private static Tensor Rows(Request r) => randn([r.Integer("size", 4096) / RowLength, RowLength], dtype: r.DType);
}
