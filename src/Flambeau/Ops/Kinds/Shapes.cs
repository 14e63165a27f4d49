using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>The rules of shapes that the kinds share.</summary>
internal static class Shapes
{
    /// <summary>The shape that both broadcast to; null if they do not, with the offending dim counted from the end.</summary>
    public static Shape? TryBroadcast(Shape x, Shape y, out int badDim)
    {
        badDim = 0;
        if (x.Equals(y)) return x;
        int rank = Math.Max(x.Rank, y.Rank);
        Span<long> sizes = rank <= Shape.RankOnStack ? stackalloc long[rank] : new long[rank];
        bool isX = x.Rank == rank, isY = y.Rank == rank;
        for (int i = 1; i <= rank; i++)
        {
            long a = i <= x.Rank ? x.Sizes[^i] : 1, b = i <= y.Rank ? y.Sizes[^i] : 1;
            if (a != b && a != 1 && b != 1) { badDim = -i; return null; }
            sizes[^i] = a == 1 ? b : a;
            isX &= sizes[^i] == a;
            isY &= sizes[^i] == b;
        }
        // one of the two is usually the result: shapes are shared
        return isX ? x : isY ? y : Shape.Of(sizes);
    }

    public static Shape Broadcast(string op, params ReadOnlySpan<Shape> shapes)
    {
        var result = shapes[0];
        foreach (var shape in shapes[1..])
            result = TryBroadcast(result, shape, out int dim) ?? throw Errors.Make(op, $"shapes {result} and {shape} do not broadcast: sizes at dim {dim} (from the end) differ and neither is 1");
        return result;
    }

    /// <summary>The strides of <paramref name="x"/> seen as <paramref name="shape"/>: 0 where it broadcasts.</summary>
    public static long[] BroadcastStrides(Tensor x, Shape shape)
    {
        if (ReferenceEquals(x.Shape, shape)) return x.Strides;
        var strides = new long[shape.Rank];
        for (int d = 0; d < strides.Length; d++) strides[d] = BroadcastStride(x, shape, d);
        return strides;
    }

    /// <summary>One of <see cref="BroadcastStrides"/>.</summary>
    public static long BroadcastStride(Tensor x, Shape shape, int dim)
    {
        int own = dim - (shape.Rank - x.Rank);
        return own < 0 || x.Shape.Sizes[own] == 1 && shape.Sizes[dim] != 1 ? 0 : x.Strides[own];
    }

    /// <summary>Sums a gradient of a broadcast result down to the operand's shape: the adjoint of broadcasting.</summary>
    public static Tensor SumTo(Tensor g, Shape shape)
    {
        if (g.Shape.Equals(shape)) return g;
        int lead = g.Rank - shape.Rank;
        Span<int> dims = g.Rank <= Shape.RankOnStack ? stackalloc int[g.Rank] : new int[g.Rank];
        int count = 0;
        for (int i = 0; i < lead; i++) dims[count++] = i;
        for (int i = 0; i < shape.Rank; i++) if (shape.Sizes[i] == 1 && g.Shape.Sizes[lead + i] != 1) dims[count++] = lead + i;
        var sum = count == 0 ? g : g.Sum(dims[..count], keepDim: true);
        return sum.Shape.Equals(shape) ? sum : sum.Reshape(shape);
    }

    public static Tensor ExpandTo(Tensor x, Shape shape) => x.Shape.Equals(shape) ? x : x.Expand(shape);

    /// <summary>Normalizes dims: negative ones count from the end, none may repeat; empty means all. Sorted.</summary>
    public static int[] Dims(string op, Shape shape, ReadOnlySpan<int> dims)
    {
        var result = new int[dims.Length == 0 ? shape.Rank : dims.Length];
        for (int i = 0; i < result.Length; i++) result[i] = dims.Length == 0 ? i : shape.Normalize(dims[i], op);
        Array.Sort(result);
        for (int i = 1; i < result.Length; i++)
            if (result[i] == result[i - 1]) throw Errors.Make(op, $"dim {result[i]} is named twice in [{string.Join(", ", dims.ToArray())}]");
        return shape.Rank == 0 ? [] : result;
    }

    public static Shape Reduced(Shape shape, int[] dims, bool keepDim)
    {
        int rank = keepDim ? shape.Rank : shape.Rank - dims.Length;
        if (rank == 0) return Shape.Scalar;
        Span<long> sizes = rank <= Shape.RankOnStack ? stackalloc long[rank] : new long[rank];
        for (int i = 0, j = 0; i < shape.Rank; i++)
            if (!dims.Contains(i)) sizes[j++] = shape.Sizes[i];
            else if (keepDim) sizes[j++] = 1;
        return Shape.Of(sizes);
    }

    /// <summary>True if two index positions name one element: an expanded view.</summary>
    public static bool Overlaps(Tensor x)
    {
        if (x.IsContiguous) return false;
        for (int i = 0; i < x.Rank; i++) if (x.Shape.Sizes[i] > 1 && x.Strides[i] == 0) return true;
        // sorted by stride, each dimension must step over all that the smaller ones reach
        var order = Enumerable.Range(0, x.Rank).Where(i => x.Shape.Sizes[i] > 1).OrderBy(i => Math.Abs(x.Strides[i])).ToArray();
        long reach = 0;
        foreach (int i in order)
        {
            if (Math.Abs(x.Strides[i]) <= reach) return true;
            reach += Math.Abs(x.Strides[i]) * (x.Shape.Sizes[i] - 1);
        }
        return false;
    }

    /// <summary>True if writing <paramref name="target"/> may change what is still to be read of <paramref name="x"/>: one memory, another layout.</summary>
    public static bool MayAlias(Tensor target, Tensor x) =>
        ReferenceEquals(target.Store, x.Store) && !(target.Offset == x.Offset && target.DType == x.DType && target.Shape.Equals(x.Shape) && target.Strides.AsSpan().SequenceEqual(x.Strides));
}
