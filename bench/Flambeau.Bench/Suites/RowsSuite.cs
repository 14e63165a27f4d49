using Flambeau.Ops;

namespace Flambeau.Bench.Suites;

/// <summary>
/// Softmax, norms and cross entropy along rows, and batch norm across them, forward and with their gradients, in bytes that must move: operand and result, and backward operand, result's gradient and gradient.
/// </summary>
internal sealed class RowsSuite : ISuite
{
    public string Name => "rows";

    public IEnumerable<Case> Cases(Options options) =>
    [
        .. from op in Operators from shape in (long[][])[[4096, 384], [32768, 1024], [32768, 1000]] from backward in (bool[])[false, true] select Row(options, op, shape, backward),
        .. from op in InHalfPrecision from shape in (long[][])[[4096, 384], [32768, 1024]] from backward in (bool[])[false, true] select Row(options, op, shape, backward, DType.BFloat16),
        .. from shape in (long[][])[[64, 64, 32, 32], [32, 64, 56, 56], [32768, 1024]] from backward in (bool[])[false, true] select Row(options, s_batchNorm, shape, backward),
        .. from op in OfPictures from backward in (bool[])[false, true] select Row(options, op, [32, 64, 56, 56], backward),
        MseLoss(options, false),
        MseLoss(options, true),
        CrossEntropy(options, false),
        CrossEntropy(options, true),
    ];

    /// <param name="Apply">Of x, a weight and a bias.</param>
    private sealed record Op(string Name, string Peer, Func<Tensor, Tensor, Tensor, Tensor> Apply);

    private static readonly Op
        s_softmax = new("softmax", "softmax", (x, _, _) => x.Softmax(-1)), s_layerNorm = new("layer norm", "layer_norm", (x, w, b) => x.LayerNorm(1, w, b)),
        s_rmsNorm = new("RMS norm", "rms_norm", (x, w, _) => x.RmsNorm(w)), s_batchNorm = new("batch norm", "batch_norm", BatchNorm);

    private static Op[] Operators => [s_softmax, new("log-softmax", "log_softmax", (x, _, _) => x.LogSoftmax(-1)), s_layerNorm, s_rmsNorm, new("dropout", "dropout", (x, _, _) => x.Dropout(0.1))];

    private static Op[] InHalfPrecision => [s_softmax, s_layerNorm, s_rmsNorm];

    private static Op[] OfPictures => [new("softmax of channels", "softmax_channels", (x, _, _) => x.Softmax(1)), new("group norm", "group_norm", (x, w, b) => x.GroupNorm(32, w, b))];

    /// <summary>As in training, by the batch's own statistics, towards which the running ones move.</summary>
    private static Tensor BatchNorm(Tensor x, Tensor weight, Tensor bias) => x.BatchNorm(Tensor.Zeros([x.Shape[1]]), Tensor.Ones([x.Shape[1]]), weight, bias);

    private static Case Row(Options options, Op op, long[] shape, bool backward, DType type = DType.Float32)
    {
        double bytes = (backward ? 5.0 : 2.0) * shape[1..].Aggregate((a, b) => a * b) * (type == DType.BFloat16 ? 2 : 4);
        Action Prepare(long rows) => RowsSuite.Prepare(op, [rows, .. shape[1..]], type, backward);
        return new($"{op.Name} {string.Join('x', shape)}{(backward ? " + backward" : "")}", Unit.GigabytesPerSecond)
        {
            DType = type.Name,
            Work = bytes * shape[0],
            Limit = new Roof(backward ? Traffic.Triad : Traffic.Copy, bytes, Prepare).Of(shape[0], options.Threads),
            Ours = Case.Timed(() => Prepare(shape[0])),
            Peer = Case.Torch($"rows.{op.Peer}", new { shape, backward }),
        };
    }

    private static Action Prepare(Op op, long[] shape, DType type, bool backward)
    {
        // a weight a column of a matrix, or a channel of pictures
        Tensor x = Leaf(Tensor.RandN(shape, type), backward), w = Leaf(Tensor.Ones([shape[1]], type), backward), b = Leaf(Tensor.Zeros([shape[1]], type), backward);
        if (!backward) return () => op.Apply(x, w, b).Dispose();
        var g = Tensor.RandN(shape, type);
        return () =>
        {
            using var y = op.Apply(x, w, b);
            y.Backward(g);
            foreach (var leaf in new[] { x, w, b }) { leaf.Grad?.Dispose(); leaf.Grad = null; }
        };
    }

    private static Case CrossEntropy(Options options, bool backward) =>
        Loss("cross entropy", "rows.cross_entropy", 512, 50304, 1, (rows, columns) => Tensor.RandInt(0, columns, [rows]), (x, target) => x.CrossEntropy(target), options, backward);

    private static Case MseLoss(Options options, bool backward) =>
        Loss("MSE loss", "rows.mse_loss", 4096, 1024, 2, (rows, columns) => Tensor.RandN([rows, columns]), (x, target) => x.MseLoss(target), options, backward);

    // full-size operands are read, and again backward, where the gradient is written
    private static Case Loss(string name, string peer, long rows, long columns, int operands, Func<long, long, Tensor> target, Func<Tensor, Tensor, Tensor> loss, Options options, bool backward)
    {
        double bytes = (backward ? 2.0 * operands + 1 : operands) * columns * sizeof(float);
        Action Prepare(long count) => PrepareLoss(Leaf(Tensor.RandN([count, columns]), backward), target(count, columns), loss, backward);
        return new($"{name} {rows}x{columns}{(backward ? " + backward" : "")}", Unit.GigabytesPerSecond)
        {
            Work = bytes * rows,
            Limit = new Roof(backward ? Traffic.Triad : Traffic.Read, bytes, Prepare).Of(rows, options.Threads),
            Ours = Case.Timed(() => Prepare(rows)),
            Peer = Case.Torch(peer, new { rows, columns, backward }),
        };
    }

    private static Action PrepareLoss(Tensor x, Tensor target, Func<Tensor, Tensor, Tensor> loss, bool backward) => () =>
    {
        using var value = loss(x, target);
        if (!backward) return;
        value.Backward();
        x.Grad!.Dispose();
        x.Grad = null;
    };

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.RequiresGrad_() : x;
}
