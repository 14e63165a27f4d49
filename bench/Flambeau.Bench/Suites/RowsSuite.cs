namespace Flambeau.Bench.Suites;

/// <summary>Softmax, norms and cross entropy along rows, forward and with their gradients, in bytes that must move: operand and result, and backward operand, result's gradient and gradient.</summary>
internal sealed class RowsSuite : ISuite
{
    public string Name => "rows";

    public IEnumerable<Case> Cases(Options options) =>
    [
        .. from op in Operators from size in (long[][])[[4096, 384], [32768, 1024], [32768, 1000]] from backward in (bool[])[false, true] select Row(options, op, size[0], size[1], backward),
        CrossEntropy(options, false),
        CrossEntropy(options, true),
    ];

    private static (string Name, string Peer, Func<Tensor, Tensor, Tensor, Tensor> Apply)[] Operators =>
    [
        ("softmax", "softmax", (x, _, _) => x.Softmax(-1)),
        ("log-softmax", "log_softmax", (x, _, _) => x.LogSoftmax(-1)),
        ("layer norm", "layer_norm", (x, w, b) => x.LayerNorm(1, w, b)),
        ("RMS norm", "rms_norm", (x, w, _) => x.RmsNorm(w)),
        ("dropout", "dropout", (x, _, _) => x.Dropout(0.1)),
    ];

    private static Case Row(Options options, (string Name, string Peer, Func<Tensor, Tensor, Tensor, Tensor> Apply) op, long rows, long columns, bool backward) =>
        new($"{op.Name} {rows}x{columns}{(backward ? " + backward" : "")}", Unit.GigabytesPerSecond)
        {
            Work = (backward ? 5.0 : 2.0) * rows * columns * sizeof(float),
            Limit = rows * columns < 32 << 20 ? null : () => Limits.CopyBandwidth(options.Threads),
            Ours = Case.Timed(() =>
            {
                Tensor x = Leaf(Tensor.RandN([rows, columns]), backward), w = Leaf(Tensor.Ones(columns), backward), b = Leaf(Tensor.Zeros(columns), backward), g = Tensor.RandN([rows, columns]);
                return () =>
                {
                    using var y = op.Apply(x, w, b);
                    if (!backward) return;
                    y.Backward(g);
                    foreach (var leaf in new[] { x, w, b }) { leaf.Grad?.Dispose(); leaf.Grad = null; }
                };
            }),
            Peer = Case.Torch($"rows.{op.Peer}", new { rows, columns, backward }),
        };

    private static Case CrossEntropy(Options options, bool backward) => new($"cross entropy 512x50304{(backward ? " + backward" : "")}", Unit.GigabytesPerSecond)
    {
        Work = (backward ? 3.0 : 1.0) * 512 * 50304 * sizeof(float),
        Ours = Case.Timed(() =>
        {
            Tensor x = Leaf(Tensor.RandN([512, 50304]), backward), target = Tensor.RandInt(0, 50304, [512]);
            return () =>
            {
                using var loss = x.CrossEntropy(target);
                if (!backward) return;
                loss.Backward();
                x.Grad!.Dispose();
                x.Grad = null;
            };
        }),
        Peer = Case.Torch("rows.cross_entropy", new { rows = 512, columns = 50304, backward }),
    };

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.RequiresGrad_() : x;
}
