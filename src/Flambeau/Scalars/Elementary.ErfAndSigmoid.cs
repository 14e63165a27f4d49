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

    /// <summary>erfc x: up to 1, (1 − x) − x e(x²) with the first difference in two parts; beyond, <see cref="ErfcPositive"/> or 2 less it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Erfc<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x);
        var sum = Pair<S>.OrderedSum(S.Constant(1), -x);
        S small = sum.Hi + S.FusedMultiplyAdd(-x, P.ErfTail(x * x), sum.Lo);
        S large = ErfcPositive(magnitude);
        large = S.Select(x < S.Constant(0), S.Constant(2) - large, large);
        return S.Select(magnitude < S.Constant(1), small, large);
    }

    /// <summary>
    /// erfc x for x ≥ 0 = e^(−x²) g(t) / (x + K), t = (x − K) / (x + K) = 1 − 2K / (x + K). The square is a pair, or its rounding would be multiplied by x².
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfcPositive<S>(S x) where S : ILanes<S>
    {
        S most = S.Constant(P.ErfcMax), one = S.Constant(1);
        x = S.Select(x > most, most, x);
        var square = Pair<S>.Product(x, x);
        var e = TakeApart(-square.Hi, -square.Lo);
        S inverse = one / (x + S.Constant(P.ErfcCentre));
        S t = S.FusedMultiplyAdd(inverse, S.Constant(-2 * P.ErfcCentre), one);
        S scaled = P.ErfcScaled(t) * inverse;
        var m = e.Mantissa;
        return S.Scale(S.FusedMultiplyAdd(m.Hi, scaled, m.Lo * scaled), e.N);
    }

    /// <summary>
    /// σ(x) = 1 / (1 + E) for x ≥ 0 and E / (1 + E) below, E = e^(−|x|), all in pairs; the power of two of the second comes last, so tiny results round once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Sigmoid<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), one = S.Constant(1), left = x < zero;
        var e = TakeApart(Clamp(-S.Abs(x), P.ExpMin, 0), zero);
        var m = e.Mantissa;
        var sum = Pair<S>.OrderedSum(one, S.Scale(m.Hi, e.N));
        S sumLo = sum.Lo + S.Scale(m.Lo, e.N);
        var quotient = Pair<S>.Quotient(S.Select(left, m.Hi, one), S.Select(left, m.Lo, zero), sum.Hi, sumLo);
        return S.Scale(quotient.Rounded, S.Select(left, e.N, zero));
    }

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + E), E = e^(−|x|) as a pair, which the logarithm takes in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Softplus<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0);
        var e = TakeApart(Clamp(-S.Abs(x), P.ExpMin, 0), zero);
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
