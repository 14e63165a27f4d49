using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    /// <summary>ln u taken apart: ln u = K ln 2 + F + Rest, |F| &lt; 0.42, |Rest| ≤ about F²/2.</summary>
    private readonly struct Logarithm<S>(S k, S f, S rest) where S : ILanes<S>
    {
        public readonly S K = k;
        public readonly S F = f;
        public readonly S Rest = rest;
    }

    /// <summary>u = 2ᵏ m with m in [√½, √2), for normal u. Also the power 2⁻ᵏ (zero where that is subnormal).</summary>
    private readonly struct Binade<S>(S k, S m, S inversePower) where S : ILanes<S>
    {
        public readonly S K = k;
        public readonly S M = m;
        public readonly S InversePower = inversePower;
    }

    // 1. t = bits(u) − bits(√½) + bits(1): a step of the exponent happens at √½ times a power of two.
    // 2. The exponent field of t is k + bias; its mantissa field counts from √½.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Binade<S> Split<S>(S u) where S : ILanes<S>
    {
        long one = (long)P.Bias << P.MantissaBits, mantissa = (1L << P.MantissaBits) - 1;
        S t = S.AddBits(u, S.FromBits(one - P.SqrtHalfBits));
        S field = S.ShiftRightBits(t, P.MantissaBits);
        S m = S.AddBits(t & S.FromBits(mantissa), S.FromBits(P.SqrtHalfBits));
        S k = S.FromIntegerBits(field) - S.Constant(P.Bias);
        S inverse = S.SubtractBits(S.FromBits(2 * one), S.ShiftLeftBits(field, P.MantissaBits));
        return new(k, m, S.And(S.GreaterBits(inverse, S.FromBits(0)), inverse));
    }

    // Of a subnormal u, 2^d u with d bits of mantissa more; returns also what to take from the exponent.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S Normalize<S>(S u, out S shift) where S : ILanes<S>
    {
        S small = u < S.Constant(P.MinNormal);
        shift = S.Select(small, S.Constant(P.MantissaBits + 1), S.Constant(0));
        return S.Select(small, u * S.Constant(1L << (P.MantissaBits + 1)), u);
    }

    // ln u, u > 0: f = m − 1 is exact, ln(1 + f) = f + (−f²/2 + tail(f)).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Logarithm<S> LogTakeApart<S>(S u) where S : ILanes<S>
    {
        var b = Split(Normalize(u, out S shift));
        S f = b.M - S.Constant(1);
        return new(b.K - shift, f, S.FusedMultiplyAdd(f * S.Constant(-0.5), f, P.LogTail(f)));
    }

    // ln(u + uLo), u normal: as above with f = fHi + fLo; d/df [ln(1 + f) − f] · fLo = −fLo f / (1 + f), two terms of it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Logarithm<S> LogTakeApart<S>(S u, S uLo) where S : ILanes<S>
    {
        var b = Split(u);
        S one = S.Constant(1);
        var f = Pair<S>.OrderedSum(b.M - one, uLo * b.InversePower);
        S slope = S.FusedMultiplyAdd(f.Hi, f.Hi - one, one);
        S rest = S.FusedMultiplyAdd(f.Hi * S.Constant(-0.5), f.Hi, P.LogTail(f.Hi));
        return new(b.K, f.Hi, S.FusedMultiplyAdd(f.Lo, slope, rest));
    }

    // K ln 2 + F + Rest: the product with the short ln 2 is exact, the sum keeps its error, the last addition rounds.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pair<S> Natural<S>(Logarithm<S> l) where S : ILanes<S>
    {
        var sum = Pair<S>.OrderedSum(l.K * S.Constant(P.Ln2Short), l.F);
        return new(sum.Hi, sum.Lo + S.FusedMultiplyAdd(l.K, S.Constant(P.Ln2ShortLo), l.Rest));
    }

    // K log_b 2 + (F + Rest) log_b e, all constants in two parts.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S InBase<S>(Logarithm<S> l, double twoHi, double twoLo, double eHi, double eLo) where S : ILanes<S>
    {
        var f = Pair<S>.Product(l.F, S.Constant(eHi));
        S rest = S.FusedMultiplyAdd(l.Rest, S.Constant(eHi), S.FusedMultiplyAdd(l.F, S.Constant(eLo), f.Lo));
        var sum = Pair<S>.OrderedSum(l.K * S.Constant(twoHi), f.Hi);
        return sum.Hi + (sum.Lo + S.FusedMultiplyAdd(l.K, S.Constant(twoLo), rest));
    }

    // −∞ at 0, NaN below, +∞ and NaN themselves. u is the logarithm's argument, x the function's.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S LogEdges<S>(S u, S x, S result) where S : ILanes<S>
    {
        S zero = S.Constant(0), infinity = S.Constant(double.PositiveInfinity);
        S pole = S.Select(S.Equal(u, zero), -infinity, S.Constant(double.NaN));
        return S.Select(u > zero, S.Select(x < infinity, result, x), pole);
    }

    /// <summary>ln x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Log<S>(S x) where S : ILanes<S> => LogEdges(x, x, Natural(LogTakeApart(x)).Rounded);

    /// <summary>log₂ x, exact at powers of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Log2<S>(S x) where S : ILanes<S> =>
        LogEdges(x, x, InBase(LogTakeApart(x), 1, 0, P.Log2OfEHi, P.Log2OfELo));

    /// <summary>log₁₀ x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Log10<S>(S x) where S : ILanes<S> =>
        LogEdges(x, x, InBase(LogTakeApart(x), P.Log10Of2Short, P.Log10Of2ShortLo, P.Log10OfEHi, P.Log10OfELo));

    /// <summary>ln(1 + x): 1 + x is summed with its error, which the logarithm takes in. Where 1 + x is near 1 that pair is x exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Log1p<S>(S x) where S : ILanes<S>
    {
        var u = Pair<S>.Sum(S.Constant(1), x);
        S result = LogEdges(u.Hi, x, Natural(LogTakeApart(u.Hi, u.Lo)).Rounded);
        return S.Select(S.Equal(x, S.Constant(0)), x, result);
    }
}
