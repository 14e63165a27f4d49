using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>Operators and chains of them element by element, over <c>rows</c> × <c>columns</c>, with gradients if <c>backward</c> is true: <c>pointwise.NAME</c>. Each makes fresh results and disposes of them.</summary>
internal static class PointwiseCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        Unary("exp", x => x.exp()), Unary("gelu", x => x.gelu()), Unary("tanh", x => x.tanh()),
        Unary("sigmoid", x => x.sigmoid()), Unary("silu", x => x.silu()), Named("sqrt", (r, rows, columns) => [rand(rows, columns, dtype: r.DType)], t => t[0].sqrt()),
        Binary("add", (x, y) => x + y), Binary("mul", (x, y) => x * y),
        Binary("chain", (x, y) => ((x * y + x).sigmoid() * y - x).tanh()),
        Binary("swiglu", (x, y) => x.silu() * y),
        Named("bias_gelu", (r, rows, columns) => [Random(r, rows, columns), Random(r, columns)], t => (t[0] + t[1]).gelu()),
        Named("transposed", (r, rows, columns) => [Random(r, columns, rows).t(), Random(r, rows, columns)], t => t[0] + t[1]),
        Named("half_rows", (r, rows, columns) => [Random(r, rows, 2 * columns).narrow(1, 0, columns), Random(r, rows, columns)], t => t[0] + t[1]),
        Named("column", (r, rows, columns) => [Random(r, rows, columns), Random(r, rows, 1)], t => t[0] + t[1]),
    ];

    private delegate Tensor[] Operands(Request r, long rows, long columns);

    private static KeyValuePair<string, Func<Request, JsonObject>> Unary(string name, Func<Tensor, Tensor> op) =>
        Named(name, (r, rows, columns) => [Random(r, rows, columns)], t => op(t[0]));

    private static KeyValuePair<string, Func<Request, JsonObject>> Binary(string name, Func<Tensor, Tensor, Tensor> op) =>
        Named(name, (r, rows, columns) => [Random(r, rows, columns), Random(r, rows, columns)], t => op(t[0], t[1]));

    private static KeyValuePair<string, Func<Request, JsonObject>> Named(string name, Operands operands, Func<Tensor[], Tensor> op) =>
        new($"pointwise.{name}", r => Measure(r, operands, op));

    private static JsonObject Measure(Request r, Operands operands, Func<Tensor[], Tensor> op)
    {
        long rows = r.Integer("rows", 1024), columns = r.Integer("columns", 1024);
        var x = operands(r, rows, columns);
        if (!r.Flag("backward")) return r.Time(() => { using var scope = NewDisposeScope(); op(x); });
        var g = Random(r, rows, columns);
        foreach (var leaf in x) leaf.requires_grad_();
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            op(x).backward([g]);
            foreach (var leaf in x) leaf.grad = null;
        });
    }

    private static Tensor Random(Request r, params long[] shape) => randn(shape, dtype: r.DType);
}
