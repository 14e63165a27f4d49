using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    // (e^a ± e^−a) / 2 = 2^(N − 1) (M ± 2^−2N / M), M = Hi + Lo the mantissa of e^a.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S HalfOfExps<S>(S magnitude, bool plus) where S : ILanes<S>
    {
        S one = S.Constant(1);
        var e = TakeApart(S.Bound(magnitude, S.Constant(-1), S.Constant(P.ExpMax + 2)), S.Constant(0));
        var m = e.Mantissa;
        // Past N of the mantissa's length the other exponential is nothing; the bound keeps the scale in range.
        S n = S.Select(e.N > S.Constant(P.MantissaBits * 2), S.Constant(P.MantissaBits * 2), e.N);
        S power = S.Scale(plus ? one : -one, -(n + n));
        var other = Pair<S>.Quotient(power, S.Constant(0), m.Hi, m.Lo);
        var sum = Pair<S>.Sum(m.Hi, other.Hi);
        return S.Scale(sum.Hi + (sum.Lo + (m.Lo + other.Lo)), e.N - one);
    }

    /// <summary>sinh x: x + x³ s(x²) up to 1, then half the difference of the exponentials.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Sinh<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x), z = x * x;
        S small = S.FusedMultiplyAdd(x * z, P.SinhTail(z), x);
        // x · x² of a subnormal is zero and of −0 is −0 + 0.
        small = S.CopySign(small, x);
        return S.Select(magnitude < S.Constant(1), small, S.CopySign(HalfOfExps(magnitude, plus: false), x));
    }

    /// <summary>cosh x: half the sum of the exponentials.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Cosh<S>(S x) where S : ILanes<S> => HalfOfExps(S.Abs(x), plus: true);

    /// <summary>tanh x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Tanh<S>(S x) where S : ILanes<S> => P.Tanh(x);

    /// <summary>
    /// tanh |x| = (1 − E) / (1 + E), E = e^(−2|x|) ≤ 1. 1 − E is a pair as in <see cref="Expm1"/>, so nothing cancels near zero,
    /// 1 + E = 2 − (1 − E), and the quotient is corrected once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S TanhByExp<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), magnitude = S.Abs(x);
        S y = magnitude * S.Constant(-2);
        var e = TakeApart(S.Bound(y, S.Constant(P.Expm1Min), one), S.Constant(0));
        S power = S.Scale(one, e.N);
        var difference = Pair<S>.OrderedSum(one, -power);
        var sum = Pair<S>.OrderedSum(difference.Hi, -(power * e.R));
        var less = Pair<S>.OrderedSum(sum.Hi, S.FusedMultiplyAdd(-power, e.Tail, sum.Lo + difference.Lo));
        var more = Pair<S>.OrderedSum(S.Constant(2), -less.Hi);
        S quotient = Pair<S>.Quotient(less.Hi, less.Lo, more.Hi, more.Lo - less.Lo).Rounded;
        return S.CopySign(quotient, x);
    }

    /// <summary>
    /// asinh |x| = ln(|x| + √(x² + 1)), square, root and sum in pairs, which the logarithm takes in. Past <see cref="IPrecision.HyperbolicMax"/> ln |x| + ln 2;
    /// near zero, where the pair runs out of digits, x − x³/6.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Asinh<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), magnitude = S.Abs(x), big = magnitude > S.Constant(P.HyperbolicMax);
        S a = S.Select(big, one, magnitude);
        var square = Pair<S>.Product(a, a);
        var inside = Pair<S>.Sum(square.Hi, one);
        S result = LogOfSum(x, magnitude, big, a, inside.Hi, inside.Lo + square.Lo);
        S tiny = S.FusedMultiplyAdd(x * x, x * S.Constant(-1.0 / 6), x);
        return S.Select(magnitude < S.Constant(P.HyperbolicMin), S.CopySign(tiny, x), S.CopySign(result, x));
    }

    /// <summary>acosh x = ln(x + √(x² − 1)), as <see cref="Asinh"/>; NaN below 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Acosh<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), big = x > S.Constant(P.HyperbolicMax);
        S a = S.Select(big, one, x);
        var square = Pair<S>.Product(a, a);
        var inside = Pair<S>.OrderedSum(square.Hi, -one);
        var ordered = Pair<S>.OrderedSum(inside.Hi, inside.Lo + square.Lo);
        S result = LogOfSum(x, x, big, a, ordered.Hi, ordered.Lo);
        return S.Select(x < one, S.Constant(double.NaN), result);
    }

    // ln(a + √(hi + lo)), or where big ln(magnitude) + ln 2; x comes back if infinite or NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S LogOfSum<S>(S x, S magnitude, S big, S a, S hi, S lo) where S : ILanes<S>
    {
        S zero = S.Constant(0);
        var root = Pair<S>.SquareRoot(hi, lo);
        var sum = Pair<S>.Sum(a, root.Hi);
        var log = LogTakeApart(S.Select(big, magnitude, sum.Hi), S.Select(big, zero, sum.Lo + root.Lo));
        log = new(log.K + S.Select(big, S.Constant(1), zero), log.F, log.Rest);
        return S.Select(magnitude < S.Constant(double.PositiveInfinity), Natural(log).Rounded, x);
    }

    /// <summary>atanh x = ½ ln((1 + |x|) / (1 − |x|)), the quotient as a pair; near zero x + x³/3; ±∞ at ±1, NaN beyond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Atanh<S>(S x) where S : ILanes<S>
    {
        S one = S.Constant(1), magnitude = S.Abs(x);
        var above = Pair<S>.OrderedSum(one, magnitude);
        var below = Pair<S>.OrderedSum(one, -magnitude);
        var quotient = Pair<S>.Quotient(above.Hi, above.Lo, below.Hi, below.Lo);
        var u = Pair<S>.OrderedSum(quotient.Hi, quotient.Lo);
        S result = Natural(LogTakeApart(u.Hi, u.Lo)).Rounded * S.Constant(0.5);
        S edge = S.Select(S.Equal(magnitude, one), S.Constant(double.PositiveInfinity), S.Constant(double.NaN));
        result = S.Select(magnitude < one, result, edge);
        S tiny = S.FusedMultiplyAdd(x * x, x * S.Constant(1.0 / 3), x);
        return S.CopySign(S.Select(magnitude < S.Constant(P.HyperbolicMin), tiny, result), x);
    }
}
