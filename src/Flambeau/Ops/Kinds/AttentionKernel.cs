using Flambeau.Diagnostics;
using Flambeau.Kernels;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// Attention by <see cref="Attention"/>'s kernels: memory linear in the number of tokens, forward and backward. Operands q, k, v and perhaps a mask that is held fixed. Half precision computes in float32, bfloat16 in pairs; float16's gradients from widened copies.
/// </summary>
internal sealed class AttentionKernel(bool isCausal, long? window, double scale, double dropout) : ICompositeKernel
{
    public bool SavesResult => true;

    public bool HasPullback => true;

    // under a transform each draws as the body would
    public bool HasOwnBits => dropout == 0;

    /// <summary>True if the kernels know such operands: of one floating type, keys and values of as many heads, and none empty. Batch dims that broadcast are expanded.</summary>
    public static bool Suits(ref Tensor q, ref Tensor k, ref Tensor v, Tensor? mask)
    {
        if (q.DType != k.DType || q.DType != v.DType || !q.DType.IsFloatingPoint || q.Numel == 0 || k.Numel == 0 || v.Numel == 0) return false;
        if (HeadsOf(k) != HeadsOf(v) || HeadsOf(q) % HeadsOf(k) != 0) return false;
        var batch = BatchOf(q);
        if (Shapes.TryBroadcast(batch, BatchOf(k), out _) is not { } some || Shapes.TryBroadcast(some, BatchOf(v), out _) is not { } all) return false;
        int rank = Math.Max(q.Rank, Math.Max(k.Rank, v.Rank));
        if (mask is not null)
        {
            bool isFixed = mask.DType == DType.Bool || mask.DType.IsFloatingPoint && !(GradMode.Enabled && mask.RequiresGrad);
            var scores = Sized(all, rank, HeadsOf(q), q.Shape[^2], k.Shape[^2]);
            if (!isFixed || Shapes.TryBroadcast(mask.Shape, scores, out _) is not { } shape || !shape.Equals(scores)) return false;
        }
        (q, k, v) = (Raised(q, all, rank), Raised(k, all, rank), Raised(v, all, rank));
        return true;
    }

    static long HeadsOf(Tensor x) => x.Rank > 2 ? x.Shape[^3] : 1;

    static Shape BatchOf(Tensor x) => x.Rank > 3 ? Shape.Of(x.Shape.Sizes.AsSpan(0, x.Rank - 3)) : Shape.Scalar;

    static Shape Sized(Shape batch, int rank, long heads, long rows, long columns) => rank == 2 ? Shape.Of([rows, columns]) : Shape.Of([.. batch.Sizes, heads, rows, columns]);

    static Tensor Raised(Tensor x, Shape batch, int rank)
    {
        var shape = Sized(batch, rank, HeadsOf(x), x.Shape[^2], x.Shape[^1]);
        return shape.Equals(x.Shape) ? x : x.Expand(shape);
    }

    public Tensor[] Run(Tensor[] x, Draw first, bool record)
    {
        var type = x[0].DType;
        if (type == DType.Float64) return Forward<double, double>(x, first, record);
        if (type == DType.Float32) return Forward<float, float>(x, first, record);
        return type == DType.BFloat16 ? Forward<BFloat16, float>(x, first, record) : Forward<Half, float>(x, first, record);
    }

    public void Pullback(Node node, Tensor[] x, Tensor? y, Tensor[] statistics, Draw first, Tensor g)
    {
        var type = x[0].DType;
        var gradients = type == DType.Float64 ? Backward<double, double>(x, y!, statistics[0], first, g)
            : type == DType.BFloat16 ? Backward<BFloat16, float>(x, y!, statistics[0], first, g) : Backward<float, float>(x, y!, statistics[0], first, g);
        for (int i = 0; i < gradients.Length; i++)
            if (node.Needs(i)) node.Give(i, gradients[i].To(x[i].DType));
    }

    // all operands have q's rank, the mask at most that
    public Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        var operands = x.ToArray();
        operands[0] = Batching.Ensure(x[0], batched[0], size);
        int rank = operands[0].Rank - 1;
        for (int i = 0; i < operands.Length; i++)
            // ones between the batch and the operand's own dims, and a dim for heads where it has none: the batch is none
            while ((batched[i] || i == 0) && operands[i].Rank < Math.Max(rank, 3) + 1) operands[i] = operands[i].Unsqueeze(1);
        var y = operands[0].ScaledDotProductAttention(operands[1], operands[2], x.Length > 3 ? operands[3] : null, 0, isCausal, scale, window);
        return rank == 2 ? y.Squeeze(1) : y;
    }

    unsafe Tensor[] Forward<E, T>(Tensor[] x, Draw first, bool record) where E : unmanaged where T : unmanaged
    {
        var compute = DTypes.Of<T>();
        Tensor q = x[0], k = x[1], v = x[2];
        Shape shape = Sized(q.Shape, v.Shape[^1]);
        var y = Laid(shape, q);
        var sums = record ? Tensor.Empty(Sized(q.Shape, 1), compute) : null;
        var mask = x.Length > 3 ? Mask(x[3], Sized(q.Shape, k.Shape[^2]), compute) : null;
        fixed (byte* atQ = q.Store!, atK = k.Store!, atV = v.Store!, atY = y.Store!, atMask = (mask ?? q).Store!, atSums = (sums ?? q).Store!)
        {
            var task = Task<E, T>(q, (E*)atQ, k, (E*)atK, v, (E*)atV, y, (E*)atY, mask, atMask);
            task.LogSum = sums is null ? null : (T*)atSums;
            (task.Dropout, task.Draw) = (dropout, first);
            Attention.Forward(ref task);
            Spend(task, 1, q.DType, [.. x, y]);
        }
        return sums is null ? [y] : [y, sums];
    }

    unsafe Tensor[] Backward<E, T>(Tensor[] x, Tensor y, Tensor sums, Draw first, Tensor g) where E : unmanaged where T : unmanaged
    {
        DType compute = DTypes.Of<T>(), element = DTypes.Of<E>();
        Tensor q = Wide(x[0], element), k = Wide(x[1], element), v = Wide(x[2], element), o = Wide(y, element), gO = Wide(g, element);
        Tensor gQ = Laid(q.Shape, q), gK = Laid(k.Shape, k), gV = Laid(v.Shape, v);
        var mask = x.Length > 3 ? Mask(x[3], Sized(q.Shape, k.Shape[^2]), compute) : null;
        fixed (byte* atQ = q.Store!, atK = k.Store!, atV = v.Store!, atO = o.Store!, atMask = (mask ?? q).Store!, atSums = sums.Store!)
        fixed (byte* atGO = gO.Store!, atGQ = gQ.Store!, atGK = gK.Store!, atGV = gV.Store!)
        {
            var task = Task<E, T>(q, (E*)atQ, k, (E*)atK, v, (E*)atV, o, (E*)atO, mask, atMask);
            task.LogSum = (T*)atSums + sums.Offset;
            (task.Dropout, task.Draw) = (dropout, first);
            task.GradO = OfQueries(gO, (E*)atGO, task.Groups);
            task.GradQ = OfQueries(gQ, (E*)atGQ, task.Groups);
            task.GradK = OfKeys(gK, (E*)atGK);
            task.GradV = OfKeys(gV, (E*)atGV);
            Attention.Backward(ref task);
            Spend(task, 2.5, element, [.. x, y, g, gQ, gK, gV]);
        }
        return [gQ, gK, gV];
    }

    static Tensor Wide(Tensor x, DType type) => x.DType == type ? x : x.Packed(type);

    static Shape Sized(Shape like, long last) => Shape.Of([.. like.Sizes.AsSpan(0, like.Rank - 1), last]);

    // converted before it is expanded: what repeats stays one
    static Tensor Mask(Tensor mask, Shape shape, DType compute)
    {
        using var _ = Autograd.NoGrad();
        return (mask.DType == DType.Bool ? mask : mask.To(compute)).Expand(shape);
    }

    // Where the heads of a token lie side by side, as a projection of all heads leaves them, so do those of the result: the model's next Transpose and Flatten then cost nothing.
    static Tensor Laid(Shape shape, Tensor like)
    {
        if (shape.Rank < 3 || like.Strides[^3] >= like.Strides[^2]) return Tensor.Empty(shape, like.DType);
        var strides = (long[])shape.ContiguousStrides.Clone();
        strides[^3] = shape[^1];
        strides[^2] = shape[^1] * shape[^3];
        return new(Runtime.Storage.Allocate(shape.Count * like.DType.Size), shape, strides, 0, like.DType);
    }

    unsafe AttentionOf<E, T> Task<E, T>(Tensor q, E* atQ, Tensor k, E* atK, Tensor v, E* atV, Tensor o, E* atO, Tensor? mask, byte* atMask) where E : unmanaged where T : unmanaged
    {
        long[] sizes = k.Shape.Sizes[..^2];
        long items = 1;
        foreach (long size in sizes) items *= size;
        int groups = (int)(HeadsOf(q) / HeadsOf(k));
        var task = new AttentionOf<E, T>
        {
            Sizes = sizes, Items = items, Groups = groups, Queries = q.Shape[^2], Keys = k.Shape[^2], Size = (int)k.Shape[^1], ValueSize = (int)v.Shape[^1], Scale = scale,
            IsCausal = isCausal || window is not null, Shift = window is null ? 0 : k.Shape[^2] - q.Shape[^2], Window = Math.Min(window ?? 0, k.Shape[^2]),
            Q = OfQueries(q, atQ, groups), K = OfKeys(k, atK), V = OfKeys(v, atV), O = OfQueries(o, atO, groups),
        };
        if (mask is { DType: DType.Bool }) task.Allowed = OfQueries(mask, atMask, groups);
        else if (mask is not null) task.Bias = OfQueries(mask, (T*)atMask, groups);
        return task;
    }

    static unsafe Heads<T> OfKeys<T>(Tensor x, T* at) where T : unmanaged => new() { At = at + x.Offset, Strides = x.Strides[..^2], Row = x.Strides[^2], Column = x.Strides[^1] };

    static unsafe Heads<T> OfQueries<T>(Tensor x, T* at, int groups) where T : unmanaged
    {
        var heads = OfKeys(x, at);
        if (x.Rank == 2) return heads;
        heads.Group = x.Strides[^3];
        heads.Strides[^1] *= groups;
        return heads;
    }

    static unsafe void Spend<E, T>(in AttentionOf<E, T> task, double times, DType type, ReadOnlySpan<Tensor> moved) where E : unmanaged where T : unmanaged
    {
        if (Recording.Open is not { } profile) return;
        long bytes = 0;
        foreach (var t in moved) bytes += Cost.BytesOf(t);
        ThreadLog.Of(profile).Spend(new(bytes, (long)(2 * times * task.Work)), type);
    }
}
