using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    /// <summary>1 / √x: two roundings, below 1.5 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Rsqrt<S>(S x) where S : ILanes<S> => S.Constant(1) / S.Sqrt(x);

    /// <summary>
    /// x^y = 2^(y log₂ |x|), the logarithm and the product in pairs, since the exponent's absolute error becomes the result's relative error.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Pow<S>(S x, S y) where S : ILanes<S>
    {
        S zero = S.Constant(0), one = S.Constant(1), infinity = S.Constant(double.PositiveInfinity);
        S magnitude = S.Abs(x);
        var log2 = PreciseLog2(magnitude);
        S logHi = S.Select(S.Equal(magnitude, zero), -infinity, S.Select(magnitude < infinity, log2.Hi, infinity));
        S result = PowerOfTwo(y, logHi, log2.Lo);

        // IEEE 754-2019, 9.2.1. ±1 to any power has magnitude 1; a negative base needs a whole exponent, an odd one keeps the sign.
        result = S.Select(S.Equal(magnitude, one), one, result);
        S half = y * S.Constant(0.5);
        S whole = S.Equal(S.Floor(y), y);
        S odd = S.And(whole, S.Not(S.Equal(S.Floor(half), half)));
        S negative = S.GreaterBits(S.FromBits(0), x);
        result = S.Select(S.And(negative, odd), -result, result);
        S undefined = S.And(S.And(x < zero, x > -infinity), S.Not(whole));
        result = S.Select(undefined, S.Constant(double.NaN), result);
        result = S.Select(S.And(S.Equal(x, x), S.Equal(y, y)), result, x + y);
        return S.Select(S.Or(S.Equal(x, one), S.Equal(y, zero)), one, result);
    }

    // log₂ u as a pair, for 0 < u < ∞.
    // 1. u = 2ᵏ m, f = m − 1 exact; s = f / (2 + f) as a pair, |s| ≤ 0.1716; ln m = ln((1 + s) / (1 − s)).
    // 2. ln m = s (2 + z (⅔ + z q(z))), z = s²: the first two coefficients act on pairs, q on single numbers (z² q is 2⁻¹² of the whole).
    // 3. times log₂ e in two parts, plus k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pair<S> PreciseLog2<S>(S u) where S : ILanes<S>
    {
        var b = Split(Normalize(u, out S shift));
        S one = S.Constant(1), two = S.Constant(2), twoThirds = S.Constant(2.0 / 3);
        var divisor = Pair<S>.OrderedSum(one, b.M);
        var s = Pair<S>.Quotient(b.M - one, S.Constant(0), divisor.Hi, divisor.Lo);
        var z = Pair<S>.Product(s.Hi, s.Hi);
        S zLo = S.FusedMultiplyAdd(s.Hi + s.Hi, s.Lo, z.Lo);
        S inner = S.FusedMultiplyAdd(z.Hi, P.PowTail(z.Hi), S.Constant(P.TwoThirdsLo));
        var w = Pair<S>.Product(z.Hi, twoThirds);
        S wLo = S.FusedMultiplyAdd(z.Hi, inner, S.FusedMultiplyAdd(zLo, twoThirds, w.Lo));
        w = Pair<S>.OrderedSum(w.Hi, wLo);
        var factor = Pair<S>.OrderedSum(two, w.Hi);
        S factorLo = factor.Lo + w.Lo;
        var ln = Pair<S>.Product(s.Hi, factor.Hi);
        S lnLo = S.FusedMultiplyAdd(s.Hi, factorLo, S.FusedMultiplyAdd(s.Lo, factor.Hi, ln.Lo));
        var scaled = Pair<S>.Product(ln.Hi, S.Constant(P.Log2OfEHi));
        S scaledLo = S.FusedMultiplyAdd(lnLo, S.Constant(P.Log2OfEHi), S.FusedMultiplyAdd(ln.Hi, S.Constant(P.Log2OfELo), scaled.Lo));
        var sum = Pair<S>.OrderedSum(b.K - shift, scaled.Hi);
        return Pair<S>.OrderedSum(sum.Hi, sum.Lo + scaledLo);
    }

    // 2^(y (hi + lo)): the product as a pair, its nearest whole number n split off, 2ʳ = e^(r ln 2) with r ln 2 as a pair.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S PowerOfTwo<S>(S y, S hi, S lo) where S : ILanes<S>
    {
        S limit = S.Constant(2 * P.Bias);
        var product = Pair<S>.Product(y, hi);
        S productLo = S.Select(S.Abs(product.Hi) < limit, S.FusedMultiplyAdd(y, lo, product.Lo), S.Constant(0));
        S exponent = S.Bound(product.Hi, S.Constant(-P.Bias - P.MantissaBits - 3), S.Constant(P.Bias + 2));
        S n = S.Round(exponent);
        var r = Pair<S>.OrderedSum(exponent - n, productLo);
        S ln2 = S.Constant(P.Ln2Hi);
        var q = Pair<S>.Product(r.Hi, ln2);
        S qLo = S.FusedMultiplyAdd(r.Lo, ln2, S.FusedMultiplyAdd(r.Hi, S.Constant(P.Ln2Lo), q.Lo));
        var sum = Pair<S>.OrderedSum(S.Constant(1), q.Hi);
        return S.Scale(sum.Hi + (sum.Lo + ExpRest(q.Hi, qLo)), n);
    }

    /// <summary>
    /// x − y trunc(x / y), exact. Where the quotient is small, the rounded quotient is off by at most one, the fused remainder is exact
    /// (a multiple of both last bits, below 2y), and one correction settles it; the other lanes go one by one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Fmod<S>(S x, S y) where S : ILanes<S>
    {
        S a = S.Abs(x), b = S.Abs(y);
        S quotient = S.Truncate(a / b);
        S trusted = quotient < S.Constant(P.FmodMax);
        if (!S.None(S.Not(trusted))) return FmodLaneByLane(x, y);
        return FmodSmall(x, a, b, quotient);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S FmodSmall<S>(S x, S a, S b, S quotient) where S : ILanes<S>
    {
        S zero = S.Constant(0);
        // An infinite b has quotient 0, and 0 · ∞ must not come about.
        S remainder = S.Select(S.Equal(quotient, zero), a, S.FusedMultiplyAdd(-quotient, b, a));
        remainder = S.Select(remainder < zero, remainder + b, remainder);
        remainder = S.Select(remainder >= b, remainder - b, remainder);
        return S.CopySign(remainder, x);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static unsafe S FmodLaneByLane<S>(S x, S y) where S : ILanes<S>
    {
        // The remainder of float32 numbers is the same in float64: it is exact.
        double* buffer = stackalloc double[16];
        S.Store(x, buffer);
        S.Store(y, buffer + 8);
        for (int i = 0; i < S.Count; i++) P.Write(buffer, i, P.Read(buffer, i) % P.Read(buffer + 8, i));
        return S.Load(buffer);
    }
}
