namespace Flambeau.Diagnostics;

/// <summary>What an operator cannot do without: bytes to read and write, floating-point operations of a product.</summary>
internal readonly record struct Cost(long Bytes, long Operations = 0)
{
    /// <summary>Each element of operands and result once.</summary>
    public static Cost Of(ReadOnlySpan<Tensor> x, Tensor y)
    {
        long bytes = BytesOf(y);
        foreach (var t in x) bytes += BytesOf(t);
        return new(bytes);
    }

    /// <summary>Elements picked by an index: only those are read.</summary>
    public static Cost OfPicking(Tensor index, Tensor y) => new(BytesOf(index) + 2 * BytesOf(y));

    /// <summary>The bytes of a tensor's distinct elements: what an expanded dimension repeats counts once.</summary>
    public static long BytesOf(Tensor x)
    {
        if (x.IsContiguous) return x.Numel * x.DType.Size;
        long count = 1;
        for (int i = 0; i < x.Rank; i++)
            if (x.Strides[i] != 0) count *= x.Shape.Sizes[i];
        return count * x.DType.Size;
    }
}
