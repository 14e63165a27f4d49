using Flambeau.Diagnostics;
using Flambeau.Kernels;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// Attention by <see cref="Attention"/>'s kernels: memory linear in the number of tokens, forward and backward. Operands q, k, v and perhaps a mask that is held fixed. Half precision computes in float32, bfloat16 in pairs; float16's gradients from widened copies.
/// Of sequences that lie one after the other in q, k and v, where <paramref name="sequences"/> says where; then a causal query's position counts from the last key, as with a window.
/// </summary>
internal sealed class AttentionKernel(bool isCausal, long? window, double scale, double dropout, Sequences? sequences = null) : ICompositeKernel
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
        if (sequences is not null) return BatchOfSequences([operands[0], Batching.Ensure(x[1], batched[1], size), Batching.Ensure(x[2], batched[2], size)], size);
        int rank = operands[0].Rank - 1;
        for (int i = 0; i < operands.Length; i++)
            // ones between the batch and the operand's own dims, and a dim for heads where it has none: the batch is none
            while ((batched[i] || i == 0) && operands[i].Rank < Math.Max(rank, 3) + 1) operands[i] = operands[i].Unsqueeze(1);
        var y = operands[0].ScaledDotProductAttention(operands[1], operands[2], x.Length > 3 ? operands[3] : null, 0, isCausal, scale, window);
        return rank == 2 ? y.Squeeze(1) : y;
    }

    // the sequences of all batches one after the other
    Tensor BatchOfSequences(Tensor[] x_BHTD, long size)
    {
        var x = Array.ConvertAll(x_BHTD, t => t.Transpose(0, 1).Flatten(1, 2));
        return Operators.AttendSequences(x[0], x[1], x[2], sequences!.Repeated(size), isCausal, window, scale).Unflatten(1, size, x_BHTD[0].Shape[2]).Transpose(0, 1);
    }

    unsafe Tensor[] Forward<E, T>(Tensor[] x, Draw first, bool record) where E : unmanaged where T : unmanaged
    {
        var compute = DTypes.Of<T>();
        Tensor q = x[0], k = x[1], v = x[2];
        Shape shape = Sized(q.Shape, v.Shape[^1]);
        var y = Result(shape, q);
        var sums = record ? Tensor.Empty(Sized(q.Shape, 1), compute) : null;
        var mask = x.Length > 3 ? Mask(x[3], Sized(q.Shape, k.Shape[^2]), compute) : null;
        using var _ = Autograd.NoGrad();
        fixed (byte* atQ = q.Store!, atK = k.Store!, atV = v.Store!, atY = y.Store!, atMask = (mask ?? q).Store!, atSums = (sums ?? q).Store!)
        {
            var all = new List<AttentionOf<E, T>>();
            foreach (var part in Parts(q, k))
            {
                var task = Task<E, T>(part.OfQueries(q), (E*)atQ, part.OfKeys(k), (E*)atK, part.OfKeys(v), (E*)atV, part.OfQueries(y), (E*)atY, mask, atMask, first);
                task.LogSum = sums is null ? null : (T*)atSums + HeadsOf(q) * part.FirstQuery;
                all.Add(task);
            }
            Attention.Forward(all.ToArray());
            Spend(all, 1, q.DType, [.. x, y]);
        }
        return sums is null ? [y] : [y, sums];
    }

    unsafe Tensor[] Backward<E, T>(Tensor[] x, Tensor y, Tensor sums, Draw first, Tensor g) where E : unmanaged where T : unmanaged
    {
        DType compute = DTypes.Of<T>(), element = DTypes.Of<E>();
        Tensor q = Wide(x[0], element), k = Wide(x[1], element), v = Wide(x[2], element), o = Wide(y, element), gO = Wide(g, element);
        Tensor gQ = Result(q.Shape, q), gK = Result(k.Shape, k), gV = Result(v.Shape, v);
        var mask = x.Length > 3 ? Mask(x[3], Sized(q.Shape, k.Shape[^2]), compute) : null;
        fixed (byte* atQ = q.Store!, atK = k.Store!, atV = v.Store!, atO = o.Store!, atMask = (mask ?? q).Store!, atSums = sums.Store!)
        fixed (byte* atGO = gO.Store!, atGQ = gQ.Store!, atGK = gK.Store!, atGV = gV.Store!)
        {
            var all = new List<AttentionOf<E, T>>();
            foreach (var part in Parts(q, k))
            {
                var task = Task<E, T>(part.OfQueries(q), (E*)atQ, part.OfKeys(k), (E*)atK, part.OfKeys(v), (E*)atV, part.OfQueries(o), (E*)atO, mask, atMask, first);
                task.LogSum = (T*)atSums + sums.Offset + HeadsOf(q) * part.FirstQuery;
                task.GradO = OfQueries(part.OfQueries(gO), (E*)atGO, task.Groups);
                task.GradQ = OfQueries(part.OfQueries(gQ), (E*)atGQ, task.Groups);
                task.GradK = OfKeys(part.OfKeys(gK), (E*)atGK);
                task.GradV = OfKeys(part.OfKeys(gV), (E*)atGV);
                all.Add(task);
            }
            Attention.Backward(all.ToArray());
            Spend(all, 2.5, element, [.. x, y, g, gQ, gK, gV]);
        }
        return [gQ, gK, gV];
    }

    IEnumerable<Sequences.Part> Parts(Tensor q, Tensor k) => sequences is null ? [new(0, q.Shape[^2], 0, k.Shape[^2])] : sequences.Parts.Where(p => p is { Queries: > 0, Keys: > 0 });

    // what no sequence with queries and keys writes is 0
    Tensor Result(Shape shape, Tensor like)
    {
        var y = Laid(shape, like);
        return sequences is { AreWhole: false } ? y.Fill_(0) : y;
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

    unsafe AttentionOf<E, T> Task<E, T>(Tensor q, E* atQ, Tensor k, E* atK, Tensor v, E* atV, Tensor o, E* atO, Tensor? mask, byte* atMask, Draw first) where E : unmanaged where T : unmanaged
    {
        long[] sizes = k.Shape.Sizes[..^2];
        long items = 1;
        foreach (long size in sizes) items *= size;
        int groups = (int)(HeadsOf(q) / HeadsOf(k));
        var task = new AttentionOf<E, T>
        {
            Sizes = sizes, Items = items, Groups = groups, Queries = q.Shape[^2], Keys = k.Shape[^2], Size = (int)k.Shape[^1], ValueSize = (int)v.Shape[^1], Scale = scale, Dropout = dropout, Draw = first,
            // a window that holds all keys is none
            IsCausal = isCausal || window is not null, Shift = window is null && sequences is null ? 0 : k.Shape[^2] - q.Shape[^2], Window = window < k.Shape[^2] ? window.Value : 0,
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

    static unsafe void Spend<E, T>(List<AttentionOf<E, T>> all, double times, DType type, ReadOnlySpan<Tensor> moved) where E : unmanaged where T : unmanaged
    {
        if (Recording.Open is not { } profile) return;
        long bytes = 0;
        foreach (var t in moved) bytes += Cost.BytesOf(t);
        double work = 0;
        foreach (var task in all) work += task.Work;
        ThreadLog.Of(profile).Spend(new(bytes, (long)(2 * times * work)), type);
    }
}

/// <summary>Sequences one after the other: where each begins among the queries and among the keys, and at last where they end.</summary>
internal sealed class Sequences(int[] queries, int[] keys)
{
    /// <summary>One of them.</summary>
    public readonly record struct Part(long FirstQuery, long Queries, long FirstKey, long Keys)
    {
        public Tensor OfQueries(Tensor x) => Of(x, FirstQuery, Queries);

        public Tensor OfKeys(Tensor x) => Of(x, FirstKey, Keys);

        // tokens are the last dim but one
        static Tensor Of(Tensor x, long first, long count) => x.Shape[^2] == count ? x : x.Narrow(-2, first, count);
    }

    public IEnumerable<Part> Parts
    {
        get
        {
            for (int i = 0; i + 1 < queries.Length; i++) yield return new(queries[i], queries[i + 1] - queries[i], keys[i], keys[i + 1] - keys[i]);
        }
    }

    /// <summary>True if each has queries and keys.</summary>
    public bool AreWhole => Parts.All(p => p is { Queries: > 0, Keys: > 0 });

    /// <summary>All of them <paramref name="times"/> times.</summary>
    public Sequences Repeated(long times)
    {
        return new(Repeat(queries), Repeat(keys));

        int[] Repeat(int[] begins)
        {
            var all = new List<int> { 0 };
            for (int n = 0, first = 0; n < times; n++, first = all[^1])
                foreach (int end in begins.AsSpan(1)) all.Add(checked(first + end));
            return [.. all];
        }
    }
}
