using System.Collections.Concurrent;
using Flambeau.Diagnostics;
using Flambeau.Kernels;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// A product of two tensors summed over the indices that the result lacks, in the language of einsum: labels of the left, of the right, of the result. Every label of an operand stands in the other or in
/// the result, and none twice in one. The derivative is again a contraction. Matrix products, batched or broadcast, linear layers and einsum are all this; the kernel is <see cref="Gemm"/>.
/// </summary>
internal sealed class ContractOp : MultilinearOp
{
    static readonly ConcurrentDictionary<(string, string, string), ContractOp> s_known = new();

    readonly string _left, _right, _result;
    readonly IndexOrder _order;
    ContractOp? _gradient0, _gradient1;

    ContractOp(string left, string right, string result)
    {
        (_left, _right, _result) = (left, right, result);
        _order = new(left, right, result);
    }

    /// <summary>The contraction of these labels; one object for all its uses.</summary>
    public static ContractOp Of(string left, string right, string result) =>
        s_known.GetOrAdd((left, right, result), static labels => new(labels.Item1, labels.Item2, labels.Item3));

    /// <summary>The product of two matrices.</summary>
    public static readonly ContractOp Matrices = Of("xz", "zy", "xy");

    public override string Name => "MatMul";

    public override uint SavesFor(int operand) => operand == 0 ? 2u : 1u;

    public override void Pullback(Node node, Tensor g)
    {
        if (node.Needs(0)) node.Give(0, (_gradient0 ??= Of(_result, _right, _left)).Apply(g, node.Input(1)).To(node.InputTypes[0]));
        if (node.Needs(1)) node.Give(1, (_gradient1 ??= Of(_left, _result, _right)).Apply(node.Input(0), g).To(node.InputTypes[1]));
    }

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        char b = Labels.Unused(_left + _right + _result);
        return Of(batched[0] ? b + _left : _left, batched[1] ? b + _right : _right, b + _result).Apply(x);
    }

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var type = Promote.ResultType(x);
        var shape = ResultShape(x[0], x[1]);
        var y = Tensor.Empty(shape, type);
        if (shape.Count == 0) return y;
        var compute = ElementwiseOp.ComputeType(type);
        Tensor a = x[0].DType == compute ? x[0] : x[0].Packed(compute), b = x[1].DType == compute ? x[1] : x[1].Packed(compute);
        var target = y.DType == compute ? y : Tensor.Empty(shape, compute);
        Multiply(a, b, target, _order, compute);
        if (!ReferenceEquals(target, y)) Copy.Into(y, target);
        return y;
    }

    // a multiplication and an addition for every element of the result and every step along the contracted indices
    public override Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y)
    {
        long operations = 2 * y.Numel;
        foreach (char label in _order.Inner) operations *= x[0].Shape.Sizes[_left.IndexOf(label)];
        return new(Cost.Of(x, y).Bytes, operations);
    }

    Shape ResultShape(Tensor a, Tensor b)
    {
        for (int i = 0; i < _right.Length; i++)
        {
            int at = _left.IndexOf(_right[i]);
            if (at >= 0 && a.Shape.Sizes[at] != b.Shape.Sizes[i])
                throw Errors.Make(Name, $"inner sizes differ, {a.Shape.Sizes[at]} ≠ {b.Shape.Sizes[i]} (dim {at} of the left, dim {i} of the right)", ("left", a), ("right", b));
        }
        Span<long> sizes = stackalloc long[_result.Length];
        for (int i = 0; i < sizes.Length; i++)
            sizes[i] = _left.IndexOf(_result[i]) is >= 0 and var at ? a.Shape.Sizes[at] : b.Shape.Sizes[_right.IndexOf(_result[i])];
        return Shape.Of(sizes);
    }

    /// <summary>The indices by role, each group in one fixed order: batch, rows and columns in the result's, the contracted ones in the left's.</summary>
    sealed class IndexOrder(string left, string right, string result)
    {
        public readonly string Batch = new([.. result.Where(l => left.Contains(l) && right.Contains(l))]);
        public readonly string Rows = new([.. result.Where(l => left.Contains(l) && !right.Contains(l))]);
        public readonly string Columns = new([.. result.Where(l => !left.Contains(l) && right.Contains(l))]);
        public readonly string Inner = new([.. left.Where(l => right.Contains(l) && !result.Contains(l))]);
        public readonly string Left = left, Right = right, Result = result;
    }

    // a group of indices walked by one stride
    readonly record struct Group(long Size, long Stride);

    static Group? OneStride(string group, string labels, Tensor x)
    {
        long size = 1, stride = 1;
        bool any = false;
        for (int i = group.Length - 1; i >= 0; i--)
        {
            int dim = labels.IndexOf(group[i]);
            long n = x.Shape.Sizes[dim], s = x.Strides[dim];
            if (n == 1) continue;
            if (n == 0) return new(0, 1);
            if (!any) (any, stride) = (true, s);
            else if (s != stride * size) return null;
            size *= n;
        }
        return new(size, any ? stride : 1);
    }

    // what the dims of a tensor say of these labels
    static long[] Of(string group, string labels, long[] values)
    {
        if (group.Length == 0) return [];
        var found = new long[group.Length];
        for (int i = 0; i < found.Length; i++) found[i] = values[labels.IndexOf(group[i])];
        return found;
    }

    // the tensor with its indices in the order of the groups, row-major: what every group of has one stride in
    static Tensor Packed(Tensor x, string labels, string order)
    {
        using var _ = Recording.Copy("Pack", x);
        var dims = order.Select(l => labels.IndexOf(l)).ToArray();
        var map = new PermuteOp(dims).Map(new(x.Shape, x.Strides, x.Offset));
        var packed = Tensor.Empty(map.Shape, x.DType);
        Copy.Into(packed, new Tensor(x.Store!, map.Shape, map.Strides, map.Offset, x.DType));
        return packed;
    }

    static void Multiply(Tensor a, Tensor b, Tensor c, IndexOrder order, DType compute)
    {
        string la = order.Left, lb = order.Right, lc = order.Result;
        if (OneStride(order.Rows, la, a) is null || OneStride(order.Inner, la, a) is null) (a, la) = (Packed(a, la, order.Batch + order.Rows + order.Inner), order.Batch + order.Rows + order.Inner);
        if (OneStride(order.Columns, lb, b) is null || OneStride(order.Inner, lb, b) is null) (b, lb) = (Packed(b, lb, order.Batch + order.Inner + order.Columns), order.Batch + order.Inner + order.Columns);
        var target = c;
        if (OneStride(order.Rows, lc, c) is null || OneStride(order.Columns, lc, c) is null)
        {
            lc = order.Batch + order.Rows + order.Columns;
            target = Tensor.Empty(new Shape(Of(lc, order.Result, c.Shape.Sizes)), compute);
        }
        switch (compute)
        {
            case DType.Float32: Products<float>(a, la, b, lb, target, lc, order); break;
            case DType.Float64: Products<double>(a, la, b, lb, target, lc, order); break;
            default: WholeNumbers(a, la, b, lb, target, lc, order); break;
        }
        if (!ReferenceEquals(target, c)) CopyInOrder(target, lc, c, order.Result);
    }

    // the tensor's elements, its indices in another order
    static void CopyInOrder(Tensor x, string labels, Tensor target, string order)
    {
        var dims = order.Select(l => labels.IndexOf(l)).ToArray();
        var map = new PermuteOp(dims).Map(new(x.Shape, x.Strides, x.Offset));
        Copy.Into(target, new Tensor(x.Store!, map.Shape, map.Strides, map.Offset, x.DType));
    }

    static unsafe void Products<T>(Tensor a, string la, Tensor b, string lb, Tensor c, string lc, IndexOrder order) where T : unmanaged
    {
        Group m = OneStride(order.Rows, la, a)!.Value, ka = OneStride(order.Inner, la, a)!.Value;
        Group n = OneStride(order.Columns, lb, b)!.Value, kb = OneStride(order.Inner, lb, b)!.Value;
        Group cm = OneStride(order.Rows, lc, c)!.Value, cn = OneStride(order.Columns, lc, c)!.Value;
        // the innermost batch indices that all three walk by one stride go to the kernel together, the others are looped over
        int split = order.Batch.Length;
        while (split > 0 && OneStride(order.Batch[(split - 1)..], la, a) is not null && OneStride(order.Batch[(split - 1)..], lb, b) is not null && OneStride(order.Batch[(split - 1)..], lc, c) is not null) split--;
        string outer = order.Batch[..split], inner = order.Batch[split..];
        Group ba = OneStride(inner, la, a)!.Value, bb = OneStride(inner, lb, b)!.Value, bc = OneStride(inner, lc, c)!.Value;
        long[] outerSizes = Of(outer, lc, c.Shape.Sizes), oa = Of(outer, la, a.Strides), ob = Of(outer, lb, b.Strides), oc = Of(outer, lc, c.Strides);
        long count = 1;
        foreach (long size in outerSizes) count *= size;
        fixed (byte* pa = a.Store!)
        fixed (byte* pb = b.Store!)
        fixed (byte* pc = c.Store!)
            for (long i = 0; i < count; i++)
            {
                T* ta = (T*)pa + a.Offset + Strided.Offset(outerSizes, oa, i), tb = (T*)pb + b.Offset + Strided.Offset(outerSizes, ob, i), tc = (T*)pc + c.Offset + Strided.Offset(outerSizes, oc, i);
                if (bc.Size == 1) Gemm.Multiply(m.Size, n.Size, ka.Size, ta, m.Stride, ka.Stride, tb, kb.Stride, n.Stride, tc, cm.Stride, cn.Stride);
                else Gemm.MultiplyBatched(bc.Size, m.Size, n.Size, ka.Size, ta, ba.Stride, m.Stride, ka.Stride, tb, bb.Stride, kb.Stride, n.Stride, tc, bc.Stride, cm.Stride, cn.Stride);
            }
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
    }

    // exact and wrapping; not fast: whole-number products are rare
    static void WholeNumbers(Tensor a, string la, Tensor b, string lb, Tensor c, string lc, IndexOrder order)
    {
        Tensor pa = Packed(a, la, order.Batch + order.Rows + order.Inner), pb = Packed(b, lb, order.Batch + order.Columns + order.Inner);
        long[] x = pa.ToArray<long>(), y = pb.ToArray<long>();
        long Count(Tensor t, string labels, string group) => group.Aggregate(1L, (p, l) => p * t.Shape.Sizes[labels.IndexOf(l)]);
        long batch = Count(a, la, order.Batch), m = Count(a, la, order.Rows), n = Count(b, lb, order.Columns), k = Count(a, la, order.Inner);
        var z = new long[batch * m * n];
        for (long i = 0; i < batch * m; i++)
            for (long j = 0; j < n; j++)
            {
                long sum = 0;
                for (long p = 0; p < k; p++) sum += x[i * k + p] * y[((i / m) * n + j) * k + p];
                z[i * n + j] = sum;
            }
        string packed = order.Batch + order.Rows + order.Columns;
        CopyInOrder(Tensor.FromArray(z, new Shape([.. packed.Select(l => c.Shape.Sizes[lc.IndexOf(l)])])), packed, c, lc);
    }
}

internal static class Labels
{
    public static char Unused(string used)
    {
        char c = 'a';
        while (used.Contains(c)) c++;
        return c;
    }
}
