using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>Reductions along rows with what surrounds them, over a tensor of <c>shape</c> (cross entropy: <c>rows</c> × <c>columns</c>): <c>rows.NAME</c>, with its gradient if <c>backward</c> is true.</summary>
internal static class RowCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("rows.softmax", r => Row(r, (x, _, _) => nn.functional.softmax(x, -1))),
        new("rows.log_softmax", r => Row(r, (x, _, _) => nn.functional.log_softmax(x, -1))),
        new("rows.layer_norm", r => Row(r, (x, w, b) => nn.functional.layer_norm(x, [x.shape[^1]], w, b))),
        new("rows.rms_norm", r => Row(r, (x, w, _) => x * (x * x).mean([-1], keepdim: true).add(1e-6).rsqrt() * w)),
        new("rows.dropout", r => Row(r, (x, _, _) => nn.functional.dropout(x, 0.1, training: true))),
        new("rows.batch_norm", r => Row(r, BatchNorm(r))),
        new("rows.softmax_channels", r => Row(r, (x, _, _) => nn.functional.softmax(x, 1))),
        new("rows.group_norm", r => Row(r, (x, w, b) => nn.functional.group_norm(x, 32, w, b))),
        new("rows.mse_loss", MseLoss),
        new("rows.cross_entropy", CrossEntropy),
    ];

    /// <summary>Weight and bias belong to dimension 1: the columns of a matrix, the channels of pictures.</summary>
    private static JsonObject Row(Request r, Func<Tensor, Tensor, Tensor, Tensor> op)
    {
        var backward = r.Flag("backward");
        var shape = r.Sizes("shape", 4096, 384);
        var (x, w, b) = (Leaf(randn(shape, dtype: r.DType), backward), Leaf(ones(shape[1], dtype: r.DType), backward), Leaf(zeros(shape[1], dtype: r.DType), backward));
        var g = randn(shape, dtype: r.DType);
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            var y = op(x, w, b);
            if (!backward) return;
            y.backward([g]);
            foreach (var leaf in new[] { x, w, b }) leaf.grad = null;
        });
    }

    /// <summary>As in training: by the batch's own statistics, which also move the running ones.</summary>
    private static Func<Tensor, Tensor, Tensor, Tensor> BatchNorm(Request r)
    {
        var channels = r.Sizes("shape", 64, 64, 32, 32)[1];
        var (mean, variance) = (zeros(channels, dtype: r.DType), ones(channels, dtype: r.DType));
        return (x, w, b) => nn.functional.batch_norm(x, mean, variance, w, b, training: true);
    }

    private static JsonObject CrossEntropy(Request r)
    {
        var backward = r.Flag("backward");
        var (rows, columns) = (r.Integer("rows", 512), r.Integer("columns", 50304));
        var x = Leaf(randn([rows, columns], dtype: r.DType), backward);
        var target = randint(0, columns, rows, dtype: ScalarType.Int64);
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            var loss = nn.functional.cross_entropy(x, target);
            if (!backward) return;
            loss.backward();
            x.grad = null;
        });
    }

    private static JsonObject MseLoss(Request r)
    {
        var backward = r.Flag("backward");
        var (rows, columns) = (r.Integer("rows", 4096), r.Integer("columns", 1024));
        var x = Leaf(randn([rows, columns], dtype: r.DType), backward);
        var target = randn([rows, columns], dtype: r.DType);
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            var loss = nn.functional.mse_loss(x, target);
            if (!backward) return;
            loss.backward();
            x.grad = null;
        });
    }

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.requires_grad_() : x;
}
