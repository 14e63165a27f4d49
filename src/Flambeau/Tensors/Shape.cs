using System.Collections;
using System.Runtime.CompilerServices;

namespace Flambeau;

/// <summary>The sizes of a tensor's dimensions, outermost first: <c>[2, 3]</c>. Immutable; a 0-dim tensor's shape is <c>[]</c>.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public sealed class Shape : IReadOnlyList<long>, IEquatable<Shape>
{
    internal static readonly Shape Scalar = new([]);
    /// <summary>Up to this rank sizes are worked out on the stack.</summary>
    internal const int RankOnStack = 32;

    // Shapes recur from call to call, and being immutable are shared: the last one of each hash is remembered. Threads may overwrite each other's entries, which costs an allocation.
    static readonly Shape?[] s_known = new Shape?[512];

    internal readonly long[] Sizes;
    long[]? _contiguousStrides;

    internal Shape(long[] sizes)
    {
        Sizes = sizes;
        Count = 1;
        foreach (var size in sizes) Count *= size;
    }

    /// <summary>A shape of checked sizes: the one that was made before, where it is still known.</summary>
    internal static Shape Of(ReadOnlySpan<long> sizes)
    {
        if (sizes.Length == 0) return Scalar;
        ulong hash = (ulong)sizes.Length;
        foreach (long size in sizes) hash = (hash ^ (ulong)size) * 0x9E3779B97F4A7C15; // 2⁶⁴ ÷ the golden ratio
        ref var known = ref s_known[hash >> 55];
        if (known is { } shape && sizes.SequenceEqual(shape.Sizes)) return shape;
        return known = new(sizes.ToArray());
    }

    /// <summary>The strides of a contiguous tensor of this shape, in elements.</summary>
    internal long[] ContiguousStrides => _contiguousStrides ??= MakeContiguousStrides(Sizes);

    static long[] MakeContiguousStrides(long[] sizes)
    {
        var strides = new long[sizes.Length];
        long stride = 1;
        for (int i = sizes.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(sizes[i], 1);
        }
        return strides;
    }

    /// <summary>A shape of the given sizes.</summary>
    /// <exception cref="FlambeauException">A size is negative, or the element count exceeds 2⁶³.</exception>
    public static Shape Create(ReadOnlySpan<long> sizes)
    {
        if (sizes.Length == 0) return Scalar;
        long count = 1;
        foreach (var size in sizes)
        {
            if (size < 0) throw Errors.Make("Shape", $"sizes must not be negative, got [{Text(sizes)}]");
            try { count = checked(count * Math.Max(size, 1)); }
            catch (OverflowException) { throw Errors.Make("Shape", $"[{Text(sizes)}] has more than 2^63 elements"); }
        }
        return Of(sizes);
    }

    /// <summary>The number of dimensions (PyTorch: <c>x.dim()</c>).</summary>
    public int Rank => Sizes.Length;
    /// <summary>The number of elements: the product of the sizes (PyTorch: <c>numel</c>).</summary>
    public long Count { get; }

    /// <summary>The size of dimension <paramref name="dim"/>; negative counts from the end.</summary>
    public long this[int dim] => Rank > 0 ? Sizes[Normalize(dim, "Shape")] : throw Errors.Make("Shape", $"dim {dim} is asked for, but a 0-dim shape has no sizes");
    /// <summary>The size of a dimension: <c>shape[^1]</c> is the last.</summary>
    public long this[Index dim] => this[dim.IsFromEnd ? -dim.Value : dim.Value];

    /// <summary>The sizes as a span.</summary>
    public ReadOnlySpan<long> AsSpan() => Sizes;
    /// <summary>The sizes as a new array.</summary>
    public long[] ToArray() => [.. Sizes];

    internal int Normalize(int dim, string op)
    {
        if ((uint)dim < (uint)Sizes.Length) return dim;
        int d = dim < 0 ? dim + Rank : dim;
        if ((uint)d < (uint)Rank) return d;
        if (Rank == 0 && d is 0 or -1) return 0; // PyTorch lets dim 0 and -1 name a 0-dim tensor
        throw Errors.Make(op, $"dim {dim} is out of range for shape {this}: expected {-Math.Max(Rank, 1)} … {Math.Max(Rank, 1) - 1}");
    }

    internal Shape With(int dim, long size)
    {
        Span<long> sizes = Rank <= RankOnStack ? stackalloc long[Rank] : new long[Rank];
        Sizes.CopyTo(sizes);
        sizes[dim] = size;
        return Of(sizes);
    }

    internal Shape Without(int dim)
    {
        if (Rank == 0) return this;
        Span<long> sizes = Rank <= RankOnStack ? stackalloc long[Rank - 1] : new long[Rank - 1];
        for (int i = 0, j = 0; i < Rank; i++) if (i != dim) sizes[j++] = Sizes[i];
        return Of(sizes);
    }

    internal Shape Insert(int dim, long size)
    {
        Span<long> sizes = Rank < RankOnStack ? stackalloc long[Rank + 1] : new long[Rank + 1];
        for (int i = 0, j = 0; i < sizes.Length; i++) sizes[i] = i == dim ? size : Sizes[j++];
        return Of(sizes);
    }

    int IReadOnlyCollection<long>.Count => Rank;
    /// <inheritdoc/>
    public IEnumerator<long> GetEnumerator() => ((IEnumerable<long>)Sizes).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    public bool Equals(Shape? other) => other is not null && (ReferenceEquals(this, other) || Sizes.AsSpan().SequenceEqual(other.Sizes));
    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Shape);
    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var size in Sizes) hash.Add(size);
        return hash.ToHashCode();
    }

    static string Text(ReadOnlySpan<long> sizes) => string.Join(", ", sizes.ToArray());
    /// <summary>The sizes in brackets.</summary>
    public override string ToString() => $"[{Text(Sizes)}]";

    /// <summary>A shape from an array of sizes.</summary>
    public static implicit operator Shape(long[] sizes) => Create(sizes);
    /// <summary>A one-dimensional shape.</summary>
    public static implicit operator Shape(long size) => Create([size]);
}
