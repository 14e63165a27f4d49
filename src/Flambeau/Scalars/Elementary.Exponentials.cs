using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>
/// The elementary functions in one precision, written once over the lane algebra: every width, and every executor, runs this sequence of IEEE 754 operations.
/// Measured errors and speeds: docs/elementary-functions.md.
/// </summary>
/// <typeparam name="P">The precision: constants and polynomials.</typeparam>
internal static partial class Elementary<P> where P : struct, IPrecision
{
    /// <summary>eˣ taken apart: eˣ = 2^N (1 + R + Tail), |R| ≤ ½ ln 2.</summary>
    private readonly struct Exponential<S>(S n, S r, S tail) where S : ILanes<S>
    {
        public readonly S N = n;
        public readonly S R = r;
        public readonly S Tail = tail;

        /// <summary>1 + R + Tail as a pair in order.</summary>
        public Pair<S> Mantissa
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get
            {
                var sum = Pair<S>.OrderedSum(S.Constant(1), R);
                return Pair<S>.OrderedSum(sum.Hi, sum.Lo + Tail);
            }
        }
    }

    // 1. n = round(x / ln 2).
    // 2. r = x − n ln 2 with ln 2 in two parts. The first product and difference is exact: both terms are whole multiples of the
    //    last bit of ln 2 (or of x), and the result is below ½ ln 2.
    // 3. eʳ = 1 + r + (r²/2 + r³ q(r)). xLo is a rest of the argument below its last bit.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Exponential<S> TakeApart<S>(S x, S xLo) where S : ILanes<S>
    {
        S n = S.Round(x * S.Constant(P.Log2OfEHi));
        S high = S.FusedMultiplyAdd(n, S.Constant(-P.Ln2Hi), x);
        S low = S.FusedMultiplyAdd(n, S.Constant(-P.Ln2Lo), xLo);
        S r = high + low;
        return new(n, high, ExpRest(r, low));
    }

    // r²/2 + r³ q(r) + low. The half is exact, and q's rounding is scaled down by r³.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S ExpRest<S>(S r, S low) where S : ILanes<S>
    {
        S square = r * r;
        return S.FusedMultiplyAdd(square * r, P.ExpTail(r), S.FusedMultiplyAdd(square, S.Constant(0.5), low));
    }

    // 1 + r + r² (½ + r q(r)), rounded: shorter than the sum of pairs, within an ulp.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S ExpReduced<S>(S r) where S : ILanes<S>
    {
        S q = S.FusedMultiplyAdd(r, P.ExpTail(r), S.Constant(0.5));
        return S.Constant(1) + S.FusedMultiplyAdd(r * r, q, r);
    }

    /// <summary>eˣ, exact at 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp<S>(S x) where S : ILanes<S> => ExpInRange(S.Bound(x, S.Constant(P.ExpMin), S.Constant(P.ExpMax)));

    /// <summary>eˣ for <see cref="IPrecision.ExpMin"/> ≤ x ≤ <see cref="IPrecision.ExpMax"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ExpInRange<S>(S x) where S : ILanes<S> => P.Exp(x);

    /// <summary>
    /// x = n ln 2 + r, eʳ = 1 + (r + r² q(r)), times 2ⁿ in one rounding.
    /// The sum with 1 costs half an ulp; below 1 the rounding of the bracket adds up to a quarter.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ExpByPolynomial<S>(S x) where S : ILanes<S>
    {
        S n = S.Round(x * S.Constant(P.Log2OfEHi));
        S r = S.FusedMultiplyAdd(n, S.Constant(-P.Ln2Lo), S.FusedMultiplyAdd(n, S.Constant(-P.Ln2Hi), x));
        return S.Scale(ExpReduced(r), n);
    }

    /// <summary>The mantissa as the sum of a pair in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PowerOfE<S> ExpByPair<S>(S x) where S : ILanes<S>
    {
        var e = TakeApart(x, S.Constant(0));
        var m = e.Mantissa;
        return new(m.Hi, m.Lo, e.N);
    }

    /// <summary>2ˣ: x = n + r exactly, 2ʳ = 1 + r ln 2 + r² q(r) with ln 2 in two parts. Exact at whole numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp2<S>(S x) where S : ILanes<S>
    {
        x = S.Bound(x, S.Constant(-P.Bias - P.MantissaBits - 3), S.Constant(P.Bias + 2));
        S n = S.Round(x);
        S r = x - n;
        S rest = r * S.FusedMultiplyAdd(r, P.Exp2Tail(r), S.Constant(P.Ln2Lo));
        S mantissa = S.Constant(1) + S.FusedMultiplyAdd(r, S.Constant(P.Ln2Hi), rest);
        return S.Scale(mantissa, n);
    }

    /// <summary>
    /// eˣ − 1. 1. eˣ = T (1 + R + tail), T = 2ⁿ. 2. (T − 1) + T·R is summed with its error, so that only the last addition rounds.
    /// 3. All is halved, that T stay finite where the result is. At 0 itself x is the result.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Expm1<S>(S x) where S : ILanes<S>
    {
        S y = S.Bound(x, S.Constant(P.Expm1Min), S.Constant(P.ExpMax));
        var e = TakeApart(y, S.Constant(0));
        S half = S.Constant(0.5);
        S power = S.Scale(half, e.N);
        S less = power - half;
        S lost = (power - less) - half;
        var sum = Pair<S>.OrderedSum(less, power * e.R);
        S result = sum.Hi + (sum.Lo + S.FusedMultiplyAdd(power, e.Tail, lost));
        return S.Select(S.Abs(x) < S.Constant(P.TrigonometricMin * P.TrigonometricMin), x, result + result);
    }
}
