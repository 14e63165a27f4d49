using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>What recording and running backward costs on tensors so small that arithmetic is free.</summary>
internal static class GradientCases
{
    private const int ChainLength = 32;

    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("eager.add_backward", AddBackward),
        new("eager.mlp_forward", r => Mlp(r, (mlp, _) => mlp.Loss().Dispose())),
        new("eager.mlp_backward", r => Mlp(r, (mlp, _) => mlp.Backward())),
        new("eager.mlp_adam", r => Mlp(r, (mlp, adam) => { mlp.Backward(); adam.step(); })),
    ];

    /// <summary>A chain of 4×4 additions and its backward; the time is that of one link, forward and backward.</summary>
    private static JsonObject AddBackward(Request r)
    {
        var (x, y, seed) = (rand([4, 4], dtype: r.DType, requires_grad: true), rand(4, 4, dtype: r.DType), ones(4, 4, dtype: r.DType));
        var chain = new Tensor[ChainLength];
        return r.Time(() =>
        {
            var last = x;
            for (var i = 0; i < ChainLength; i++) chain[i] = last = last.add(y);
            last.backward([seed]);
            foreach (var link in chain) link.Dispose();
        }, ChainLength);
    }

    private static JsonObject Mlp(Request r, Action<Models.Mlp, optim.Optimizer> step)
    {
        var mlp = new Models.Mlp(r.Sizes("widths", 64, 128, 64, 10), r.Integer("batch", 64), r.DType);
        using var adam = optim.Adam(mlp.Parameters, lr: 1e-3);
        return r.Time(() => step(mlp, adam));
    }
}
