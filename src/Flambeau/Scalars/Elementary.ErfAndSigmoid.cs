using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    /// <summary>erf x: x + x e(x²) up to 1, beyond by the precision's own formula for 1 − erfc.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Erf<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x);
        S small = S.FusedMultiplyAdd(x, P.ErfTail(x * x), x);
        return S.Select(magnitude < S.Constant(1), small, S.CopySign(P.ErfAboveOne(magnitude), x));
    }

    /// <summary>erfc x: from −1 to ¾, (1 − x) − x e(x²) with the first difference in two parts (later, what is left would show e's own rounding); beyond, <see cref="ErfcPositive{S}"/> or 2 less it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Erfc<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x), one = S.Constant(1), turn = S.Constant(0.75);
        var sum = Pair<S>.OrderedSum(one, -x);
        S small = sum.Hi + S.FusedMultiplyAdd(-x, P.ErfTail(x * x), sum.Lo);
        S large = ErfcPositive(magnitude);
        S left = x < S.Constant(0);
        large = S.Select(left, S.Constant(2) - large, large);
        return S.Select(magnitude < S.Select(left, one, turn), small, large);
    }

    // 1. 1 / (x + K) and t are pairs; |2K / (x + K)| < 2, so that 1 − 2K / (x + K) is an ordered sum. x ≥ ½ here.
    // 2. g = c₀ + t (c₁ + t q(t)): q is single, sums and products are pairs; tLo acts by g′ ≈ c₁ + 2 q t.
    // 3. The three factors' product rounds once.
    /// <summary>
    /// erfc x for x ≥ 0 = e^(−x²) g(t) / (x + K), t = (x − K) / (x + K) = 1 − 2K / (x + K). The square is a pair, or its rounding would be multiplied by x².
    /// Everything is in pairs that rounding would show in. For x ≥ ½.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfcPositive<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), twice = S.Constant(-2 * P.ErfcCentre), c1 = S.Constant(P.ErfcC1Hi);
        x = S.Bound(x, S.Constant(0.5), S.Constant(P.ErfcMax));
        var divisor = Pair<S>.Sum(S.Constant(P.ErfcCentre), x);
        var inverse = Pair<S>.Quotient(one, S.Constant(0), divisor.Hi, divisor.Lo);
        var t = Pair<S>.OrderedSum(one, inverse.Hi * twice);
        S tLo = S.FusedMultiplyAdd(inverse.Lo, twice, t.Lo);

        S q = P.ErfcTail(t.Hi);
        var inner = Pair<S>.Product(t.Hi, q);
        var slope = Pair<S>.Sum(c1, inner.Hi);
        S slopeLo = slope.Lo + (inner.Lo + S.Constant(P.ErfcC1Lo));
        var outer = Pair<S>.Product(t.Hi, slope.Hi);
        var g = Pair<S>.Sum(S.Constant(P.ErfcC0Hi), outer.Hi);
        S derivative = S.FusedMultiplyAdd(inner.Hi, S.Constant(2), c1);
        S gLo = g.Lo + S.FusedMultiplyAdd(tLo, derivative, S.FusedMultiplyAdd(t.Hi, slopeLo, outer.Lo + S.Constant(P.ErfcC0Lo)));

        var scaled = Pair<S>.Product(g.Hi, inverse.Hi);
        S scaledLo = S.FusedMultiplyAdd(g.Hi, inverse.Lo, S.FusedMultiplyAdd(gLo, inverse.Hi, scaled.Lo));

        // The exponential last: fewer registers are held across the polynomials.
        var square = Pair<S>.Product(x, x);
        var e = TakeApart(-square.Hi, -square.Lo);
        var m = e.Mantissa;
        S rest = S.FusedMultiplyAdd(m.Lo, scaled.Hi, m.Hi * scaledLo);
        return S.Scale(S.FusedMultiplyAdd(m.Hi, scaled.Hi, rest), e.N);
    }

    /// <summary>
    /// σ(x) = 1 / (1 + E) for x ≥ 0 and E / (1 + E) below, E = e^(−|x|) in two parts, and so is the sum; the quotient is corrected once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Sigmoid<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), one = S.Constant(1), left = x < zero;
        var e = P.ExpTakenApart(-S.AtMost(S.Abs(x), S.Constant(-P.ExpMin)));
        S hi = S.ScaleByFloor(e.Hi, e.Power), lo = S.ScaleByFloor(e.Lo, e.Power);
        var sum = Pair<S>.OrderedSum(one, hi);
        return Pair<S>.Quotient(S.Select(left, hi, one), S.Select(left, lo, zero), sum.Hi, sum.Lo + lo).Rounded;
    }

    // Roundings of E (1 ulp, less where it is added to 1), of the sum and of the quotient.
    /// <summary>σ(x) as <see cref="Sigmoid{S}"/>, rounded at each step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Logistic<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), e = P.Exp(-S.AtMost(S.Abs(x), S.Constant(-P.ExpMin)));
        return S.Select(x < S.Constant(0), e, one) / (one + e);
    }

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + E), E = e^(−|x|) as a pair, which the logarithm takes in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Softplus<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0);
        var e = TakeApart(S.Bound(-S.Abs(x), S.Constant(P.ExpMin), S.Constant(1)), zero);
        var m = e.Mantissa;
        var u = Pair<S>.OrderedSum(S.Constant(1), S.Scale(m.Hi, e.N));
        var log = Natural(LogTakeApart(u.Hi, u.Lo + S.Scale(m.Lo, e.N)));
        var sum = Pair<S>.Sum(S.Select(x > zero, x, zero), log.Hi);
        S result = sum.Hi + (sum.Lo + log.Lo);
        return S.Select(x < S.Constant(double.PositiveInfinity), result, x);
    }

    /// <summary>ln σ(x) = −ln(1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S LogSigmoid<S>(S x) where S : ILanes<S> => -Softplus(-x);
}
