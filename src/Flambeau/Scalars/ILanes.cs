namespace Flambeau.Scalars;

/// <summary>
/// The machine's side of a scalar: lanes of one element type whose bits can be taken apart. The elementary functions are written once over this algebra, for every width.
/// Methods named <c>…Bits</c> treat each lane as a whole number of the lane's width.
/// </summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
public interface ILanes<S> : IReal<S>, IInteger<S> where S : ILanes<S>
{
    /// <summary>How many elements one value holds.</summary>
    static abstract int Count { get; }
    /// <summary>Reads <see cref="Count"/> elements at <paramref name="p"/>; no alignment is needed.</summary>
    static abstract unsafe S Load(void* p);
    /// <summary>Writes <see cref="Count"/> elements at <paramref name="p"/>; no alignment is needed.</summary>
    static abstract unsafe void Store(S x, void* p);
    /// <summary>Every lane the element at <paramref name="p"/>.</summary>
    static abstract unsafe S Broadcast(void* p);
    /// <summary>Writes <see cref="Count"/> bytes: 1 where the mask holds, else 0.</summary>
    static abstract unsafe void StoreMask(S mask, byte* p);
    /// <summary>Every lane the bit pattern <paramref name="bits"/>, cut to the lane's width.</summary>
    static abstract S FromBits(long bits);
    /// <summary>Adds the lanes as whole numbers.</summary>
    static abstract S AddBits(S x, S y);
    /// <summary>Subtracts the lanes as whole numbers.</summary>
    static abstract S SubtractBits(S x, S y);
    /// <summary>Shifts the bits left by a constant.</summary>
    static abstract S ShiftLeftBits(S x, int n);
    /// <summary>Shifts the bits right by a constant, zeros coming in.</summary>
    static abstract S ShiftRightBits(S x, int n);
    /// <summary>Shifts the bits right by a constant, the sign coming in.</summary>
    static abstract S ShiftRightSignBits(S x, int n);
    /// <summary>The mask of x &gt; y as whole numbers.</summary>
    static abstract S GreaterBits(S x, S y);
    /// <summary>The mask of equal bits.</summary>
    static abstract S EqualBits(S x, S y);
    /// <summary>
    /// Of a <paramref name="table"/> of 8 or 16 numbers, the one that the lowest three or four bits of each <paramref name="index"/> name. Only float32 lanes have it.
    /// The table is static data, whose address stays (an array literal read as a span).
    /// </summary>
    static abstract S Lookup(S index, ReadOnlySpan<float> table);
    /// <summary>The whole number nearest to x, as an integer of the lane's width; x must fit (float64: |x| ≤ 2⁵¹).</summary>
    static abstract S ToIntegerBits(S x);
    /// <summary>The lane's integer as a floating-point number (float64: of magnitude up to 2⁵¹).</summary>
    static abstract S FromIntegerBits(S x);
    /// <summary>x · 2ⁿ rounded once, subnormal results included; n is a whole number with |n| at most twice the largest exponent less two.</summary>
    static abstract S Scale(S x, S n);
    /// <summary>x · 2^⌊n⌋, otherwise as <see cref="Scale"/>: n need not be whole.</summary>
    static virtual S ScaleByFloor(S x, S n) => S.Scale(x, S.Floor(n));
    /// <summary>x held within [min, max]; NaN passes. The bounds are not zeros.</summary>
    static abstract S Bound(S x, S min, S max);
    /// <summary>x, or max where x is above it; NaN passes. The bound is no zero.</summary>
    static virtual S AtMost(S x, S max) => S.Bound(x, S.Constant(double.NegativeInfinity), max);
    /// <summary>x, or min where x is below it; NaN in x passes. The bound is no zero.</summary>
    static virtual S AtLeast(S x, S min) => S.Bound(x, min, S.Constant(double.PositiveInfinity));
    /// <summary>x − ⌊x⌋; x is finite or NaN.</summary>
    static virtual S Fraction(S x) => x - S.Floor(x);
    /// <summary>True if the mask holds in no lane: a rare path may be skipped.</summary>
    static abstract bool None(S mask);
}
