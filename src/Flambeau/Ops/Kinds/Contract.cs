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
    static readonly ConcurrentDictionary<(string, string, string, bool), ContractOp> s_known = new();

    readonly string _left, _right, _result;
    readonly bool _isOfBytes;
    readonly Roles _leftRoles, _rightRoles, _resultRoles; // batch, rows, contracted; batch, contracted, columns; batch, rows, columns
    ContractOp? _gradient0, _gradient1;

    ContractOp(string left, string right, string result, bool isOfBytes)
    {
        (_left, _right, _result, _isOfBytes) = (left, right, result, isOfBytes);
        string batch = new([.. result.Where(l => left.Contains(l) && right.Contains(l))]);
        string rows = new([.. result.Where(l => left.Contains(l) && !right.Contains(l))]);
        string columns = new([.. result.Where(l => !left.Contains(l) && right.Contains(l))]);
        string inner = new([.. left.Where(l => right.Contains(l) && !result.Contains(l))]);
        _leftRoles = Roles.Of(left, batch, rows, inner);
        _rightRoles = Roles.Of(right, batch, inner, columns);
        _resultRoles = Roles.Of(result, batch, rows, columns);
    }

    /// <summary>The contraction of these labels; one object for all its uses. <paramref name="ofBytes"/>: int8, the left also uint8, whose products add up in int32.</summary>
    public static ContractOp Of(string left, string right, string result, bool ofBytes = false) =>
        s_known.GetOrAdd((left, right, result, ofBytes), static labels => new(labels.Item1, labels.Item2, labels.Item3, labels.Item4));

    /// <summary>The contraction that gives the same result from an operand before its dimensions were put in another order: dimension i was <paramref name="from"/>[i].</summary>
    public ContractOp Of(int operand, int[] from)
    {
        var before = new char[from.Length];
        for (int i = 0; i < from.Length; i++) before[from[i]] = (operand == 0 ? _left : _right)[i];
        return operand == 0 ? Of(new(before), _right, _result, _isOfBytes) : Of(_left, new(before), _result, _isOfBytes);
    }

    /// <summary>The product of two matrices.</summary>
    public static readonly ContractOp Matrices = Of("xz", "zy", "xy"), MatricesOfBytes = Of("xz", "zy", "xy", ofBytes: true);

    public override string Name => _isOfBytes ? "IntMm" : "MatMul";

    public override uint SavesFor(int operand) => operand == 0 ? 2u : 1u;

    public override void Pullback(Node node, Tensor g)
    {
        if (node.Needs(0)) node.Give(0, (_gradient0 ??= Of(_result, _right, _left)).Apply(g, node.Input(1)).To(node.InputTypes[0]));
        if (node.Needs(1)) node.Give(1, (_gradient1 ??= Of(_left, _result, _right)).Apply(node.Input(0), g).To(node.InputTypes[1]));
    }

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        char b = Labels.Unused(_left + _right + _result);
        return Of(batched[0] ? b + _left : _left, batched[1] ? b + _right : _right, b + _result, _isOfBytes).Apply(x);
    }

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var y = EmptyResult(x);
        Into(y, x);
        return y;
    }

    /// <summary>The result's place.</summary>
    public Tensor EmptyResult(ReadOnlySpan<Tensor> x) => Tensor.Empty(ShapeOf(x[0], x[1]), _isOfBytes ? DType.Int32 : Promote.ResultType(x));

    /// <summary>Computes the result into its place. <paramref name="then"/> is given its rows (all dims but the last as one) as they are complete.</summary>
    public void Into(Tensor y, ReadOnlySpan<Tensor> x, Epilogue? then = null)
    {
        if (y.Shape.Count == 0) return;
        if (x[0].DType is DType.Int8 or DType.UInt8 && x[1].DType == DType.Int8) OfBytes(x[0], x[1], y);
        else if (InOneType(x[0], x[1], y, then)) return;
        then?.Run(0, y.Numel / y.Shape.Sizes[^1]);
    }

    /// <summary>True if the result is one matrix whose rows are the left's, in order, and whose columns are the right's last labels.</summary>
    public bool IsRowByRow => _resultRoles.Batch.Length == 0 && _resultRoles.Second.Length == 1 && _resultRoles.Second[0] == _result.Length - 1;

    // sums of int32, of which a narrower result keeps the lower bits
    void OfBytes(Tensor a, Tensor b, Tensor y)
    {
        var target = y.DType == DType.Int32 ? y : Tensor.Empty(y.Shape, DType.Int32);
        Multiply(a, b, target, a.DType);
        if (!ReferenceEquals(target, y)) Copy.Into(y, target);
    }

    // true if what follows was done
    bool InOneType(Tensor a, Tensor b, Tensor y, Epilogue? then)
    {
        // products of 16-bit elements add up in float32 by themselves
        bool isNarrow = y.DType is DType.BFloat16 or DType.Float16 && a.DType == y.DType && b.DType == y.DType;
        var compute = isNarrow ? y.DType : ElementwiseOp.ComputeType(y.DType);
        if (a.DType != compute) a = a.Packed(compute);
        if (b.DType != compute) b = b.Packed(compute);
        var target = y.DType == compute ? y : Tensor.Empty(y.Shape, compute);
        if (ReferenceEquals(target, y)) return Multiply(a, b, y, compute, then);
        Multiply(a, b, target, compute);
        Copy.Into(y, target);
        return false;
    }

    // a multiplication and an addition for every element of the result and every step along the contracted indices
    public override Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y)
    {
        long operations = 2 * y.Numel;
        foreach (int dim in _leftRoles.Second) operations *= x[0].Shape.Sizes[dim];
        return new(Cost.Of(x, y).Bytes, operations);
    }

    /// <summary>The result's shape.</summary>
    /// <exception cref="FlambeauException">Inner sizes differ.</exception>
    public Shape ShapeOf(Tensor a, Tensor b)
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

    /// <summary>The dims of a tensor by role: batch indices, and two more groups. Each group in one fixed order, that of the result or, for the contracted ones, of the left.</summary>
    sealed class Roles(int[] batch, int[] first, int[] second)
    {
        public readonly int[] Batch = batch, First = first, Second = second;

        public static Roles Of(string labels, string batch, string first, string second)
        {
            return new(Dims(batch), Dims(first), Dims(second));
            int[] Dims(string group) => [.. group.Select(l => labels.IndexOf(l))];
        }

        public int[] All => [.. Batch, .. First, .. Second];

        /// <summary>The same roles where the dims lie in the order of the groups.</summary>
        public Roles InOrder => new([.. Enumerable.Range(0, Batch.Length)], [.. Enumerable.Range(Batch.Length, First.Length)], [.. Enumerable.Range(Batch.Length + First.Length, Second.Length)]);
    }

    // a group of indices walked by one stride
    readonly record struct Group(long Size, long Stride);

    static bool HasOneStride(ReadOnlySpan<int> dims, Tensor x, out Group group)
    {
        long[] sizes = x.Shape.Sizes, strides = x.Strides;
        long size = 1, stride = 1;
        bool any = false;
        group = new(0, 1);
        for (int i = dims.Length - 1; i >= 0; i--)
        {
            long n = sizes[dims[i]], s = strides[dims[i]];
            if (n == 1) continue;
            if (n == 0) return true;
            if (!any) (any, stride) = (true, s);
            else if (s != stride * size) return false;
            size *= n;
        }
        group = new(size, stride);
        return true;
    }

    // a tensor and how its groups are walked
    struct Side(Tensor x, Roles roles)
    {
        public Tensor X = x;
        public Roles Roles = roles;
        public Group First, Second;

        // finds both strides; false if a group has none
        public bool TryWalk() => HasOneStride(Roles.First, X, out First) && HasOneStride(Roles.Second, X, out Second);

        public void Walk()
        {
            if (TryWalk()) return;
            (X, Roles) = (Packed(X, Roles), Roles.InOrder);
            TryWalk();
        }
    }

    // what the dims of a group are in an array of sizes or strides
    static long[] Of(ReadOnlySpan<int> dims, long[] values)
    {
        if (dims.Length == 0) return [];
        var found = new long[dims.Length];
        for (int i = 0; i < found.Length; i++) found[i] = values[dims[i]];
        return found;
    }

    // the tensor with its dims in the order of the groups, row-major: what every group has one stride in
    static Tensor Packed(Tensor x, Roles roles)
    {
        using var _ = Recording.Copy("Pack", x);
        var map = new PermuteOp(roles.All).Map(new(x.Shape, x.Strides, x.Offset));
        var packed = Tensor.Empty(map.Shape, x.DType);
        Copy.Into(packed, new Tensor(x.Store!, map.Shape, map.Strides, map.Offset, x.DType));
        return packed;
    }

    // true if what follows was done
    bool Multiply(Tensor left, Tensor right, Tensor result, DType compute, Epilogue? then = null)
    {
        Side a = new(left, _leftRoles), b = new(right, _rightRoles), c = new(result, _resultRoles);
        a.Walk();
        b.Walk();
        if (!c.TryWalk())
        {
            c = new(Tensor.Empty(new Shape(Of(c.Roles.All, result.Shape.Sizes)), result.DType), c.Roles.InOrder);
            c.TryWalk();
        }
        if (!IsRowByRow || !ReferenceEquals(c.X, result) || !compute.IsFloatingPoint) then = null;
        switch (compute)
        {
            case DType.Float32: Products<float>(a, b, c, then); break;
            case DType.Float64: Products<double>(a, b, c, then); break;
            case DType.BFloat16: Products<BFloat16>(a, b, c, then); break;
            case DType.Float16: Products<Half>(a, b, c, then); break;
            case DType.Int8: Products<sbyte>(a, b, c); break;
            case DType.UInt8: Products<byte>(a, b, c); break;
            default: WholeNumbers(a, b, c); break;
        }
        if (!ReferenceEquals(c.X, result)) CopyInOrder(c.X, result, _resultRoles);
        return then is not null;
    }

    // a tensor whose dims lie in the order of the groups into one where they have these roles
    static void CopyInOrder(Tensor x, Tensor target, Roles roles)
    {
        int[] order = roles.All;
        var map = new PermuteOp([.. order.Select((_, dim) => Array.IndexOf(order, dim))]).Map(new(x.Shape, x.Strides, x.Offset));
        Copy.Into(target, new Tensor(x.Store!, map.Shape, map.Strides, map.Offset, x.DType));
    }

    static unsafe void Products<T>(in Side a, in Side b, in Side c, Epilogue? then = null) where T : unmanaged
    {
        long m = a.First.Size, n = b.Second.Size, k = a.Second.Size;
        long aRow = a.First.Stride, aCol = a.Second.Stride, bRow = b.First.Stride, bCol = b.Second.Stride, cRow = c.First.Stride, cCol = c.Second.Stride;
        fixed (byte* atA = a.X.Store!)
        fixed (byte* atB = b.X.Store!)
        fixed (byte* atC = c.X.Store!)
        {
            int bytes = Product<T>.ResultBytes;
            T* pa = (T*)atA + a.X.Offset, pb = (T*)atB + b.X.Offset;
            byte* pc = atC + c.X.Offset * bytes;
            if (c.Roles.Batch.Length == 0) Gemm.Multiply(m, n, k, pa, aRow, aCol, pb, bRow, bCol, pc, cRow, cCol, then);
            else
            {
                // the innermost batch indices that all three walk by one stride go to the kernel together, the others are looped over
                int split = c.Roles.Batch.Length;
                Group inA = new(1, 1), inB = inA, inC = inA;
                while (split > 0 && HasOneStride(a.Roles.Batch.AsSpan(split - 1), a.X, out var nextA) && HasOneStride(b.Roles.Batch.AsSpan(split - 1), b.X, out var nextB)
                    && HasOneStride(c.Roles.Batch.AsSpan(split - 1), c.X, out var nextC)) (split, inA, inB, inC) = (split - 1, nextA, nextB, nextC);
                long[] outer = Of(c.Roles.Batch.AsSpan(0, split), c.X.Shape.Sizes);
                long[] outerA = Of(a.Roles.Batch.AsSpan(0, split), a.X.Strides), outerB = Of(b.Roles.Batch.AsSpan(0, split), b.X.Strides), outerC = Of(c.Roles.Batch.AsSpan(0, split), c.X.Strides);
                long count = 1;
                foreach (long size in outer) count *= size;
                for (long i = 0; i < count; i++)
                {
                    T* ia = pa + Strided.Offset(outer, outerA, i), ib = pb + Strided.Offset(outer, outerB, i);
                    byte* ic = pc + Strided.Offset(outer, outerC, i) * bytes;
                    if (inC.Size == 1) Gemm.Multiply(m, n, k, ia, aRow, aCol, ib, bRow, bCol, ic, cRow, cCol);
                    else Gemm.MultiplyBatched(inC.Size, m, n, k, ia, inA.Stride, aRow, aCol, ib, inB.Stride, bRow, bCol, ic, inC.Stride, cRow, cCol);
                }
            }
        }
        GC.KeepAlive(a.X);
        GC.KeepAlive(b.X);
        GC.KeepAlive(c.X);
    }

    // exact and wrapping; not fast: whole-number products are rare
    static void WholeNumbers(in Side a, in Side b, in Side c)
    {
        long[] x = Packed(a.X, a.Roles).ToArray<long>(), y = Packed(b.X, new(b.Roles.Batch, b.Roles.Second, b.Roles.First)).ToArray<long>();
        long m = a.First.Size, n = b.Second.Size, k = a.Second.Size, batch = 1;
        foreach (int dim in a.Roles.Batch) batch *= a.X.Shape.Sizes[dim];
        var z = new long[batch * m * n];
        for (long i = 0; i < batch * m; i++)
            for (long j = 0; j < n; j++)
            {
                long sum = 0;
                for (long p = 0; p < k; p++) sum += x[i * k + p] * y[((i / m) * n + j) * k + p];
                z[i * n + j] = sum;
            }
        CopyInOrder(Tensor.FromArray(z, new Shape(Of(c.Roles.All, c.X.Shape.Sizes))), c.X, c.Roles);
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
