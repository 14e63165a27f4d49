using System.Collections;
using System.Runtime.CompilerServices;

namespace Flambeau;

/// <summary>The sizes of a tensor's dimensions, outermost first: <c>[2, 3]</c>. Immutable; a 0-dim tensor's shape is <c>[]</c>.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public sealed class Shape : IReadOnlyList<long>, IEquatable<Shape>
{
    internal static readonly Shape Scalar = new([]);

    internal readonly long[] Sizes;
    /// <summary>The strides of a contiguous tensor of this shape, in elements. Tensors share this array, so "same reference" proves contiguity.</summary>
    internal readonly long[] ContiguousStrides;

    internal Shape(long[] sizes)
    {
        Sizes = sizes;
        ContiguousStrides = new long[sizes.Length];
        long stride = 1;
        for (int i = sizes.Length - 1; i >= 0; i--)
        {
            ContiguousStrides[i] = stride;
            stride *= Math.Max(sizes[i], 1);
        }
        Count = 1;
        foreach (var size in sizes) Count *= size;
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
        return new(sizes.ToArray());
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
        var sizes = ToArray();
        sizes[dim] = size;
        return new(sizes);
    }

    internal Shape Without(int dim)
    {
        if (Rank == 0) return this;
        var sizes = new long[Rank - 1];
        for (int i = 0, j = 0; i < Rank; i++) if (i != dim) sizes[j++] = Sizes[i];
        return sizes.Length == 0 ? Scalar : new(sizes);
    }

    internal Shape Insert(int dim, long size)
    {
        var sizes = new long[Rank + 1];
        for (int i = 0, j = 0; i < sizes.Length; i++) sizes[i] = i == dim ? size : Sizes[j++];
        return new(sizes);
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
