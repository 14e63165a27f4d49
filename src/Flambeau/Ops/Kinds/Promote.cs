namespace Flambeau.Ops;

/// <summary>Type promotion with PyTorch's priorities: tensors with dimensions, then 0-dim tensors, then numbers; a lower priority counts only by a higher category (bool &lt; integer &lt; floating point).</summary>
internal static class Promote
{
    public static DType ResultType(ReadOnlySpan<Tensor> x)
    {
        // one type among operands of dimensions is by far the usual case
        if (x.Length == 1) return x[0].IsWrappedNumber ? Default(x[0].DType) : x[0].DType;
        if (x.Length == 2 && x[0].DType == x[1].DType && x[0].IsWrappedNumber == x[1].IsWrappedNumber && !x[0].IsWrappedNumber) return x[0].DType;
        if (x.Length == 2 && x[1].IsWrappedNumber && !x[0].IsWrappedNumber && x[0].DType.IsFloatingPoint) return x[0].DType;
        DType? dims = null, zeroDim = null, number = null;
        foreach (var t in x)
        {
            if (t.IsWrappedNumber) number = Join(number, Default(t.DType));
            else if (t.Rank == 0) zeroDim = Join(zeroDim, t.DType);
            else dims = Join(dims, t.DType);
        }
        return Combine(Combine(dims, zeroDim), number)!.Value;
    }

    static DType Default(DType number) => number == DType.Float64 ? DType.Float32 : number;

    static DType Join(DType? x, DType y) => x is { } known ? DTypes.Promote(known, y) : y;

    static DType? Combine(DType? higher, DType? lower)
    {
        if (higher is not { } h) return lower;
        if (lower is not { } l || h.IsFloatingPoint) return h;
        return l.IsFloatingPoint || h == DType.Bool ? DTypes.Promote(h, l) : h;
    }
}
