using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>Reductions of a tensor of <c>shape</c> over <c>dim</c>: <c>reductions.NAME</c>; the largest element is of all.</summary>
internal static class ReductionCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("reductions.sum", r => Reduce(r, x => x.sum(r.Integer("dim", 0)))),
        new("reductions.max", r => Reduce(r, x => x.max())),
    ];

    private static JsonObject Reduce(Request r, Func<Tensor, Tensor> reduce)
    {
        var x = randn(r.Sizes("shape", 1 << 20), dtype: r.DType);
        return r.Time(() => reduce(x).Dispose());
    }
}
