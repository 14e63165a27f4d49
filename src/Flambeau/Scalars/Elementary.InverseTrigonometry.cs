using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    // (base + v) + (baseLo + vLo), base = 0 or |base| ≥ |v|: the leading sum keeps its error.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S AddAngles<S>(S turn, S turnLo, S v, S vLo) where S : ILanes<S>
    {
        var sum = Pair<S>.OrderedSum(turn, v);
        return sum.Hi + (sum.Lo + (turnLo + vLo));
    }

    // atan(t + rest) − t for 0 ≤ t ≤ 1; the derivative 1 / (1 + z) is near 1 − z/2 at both ends.
    // Where ∞ took part the rest is NaN, and there is none to speak of.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S AtanTail<S>(S t, S rest) where S : ILanes<S>
    {
        rest = S.Select(S.Abs(rest) < t, rest, S.Constant(0));
        S z = t * t;
        S slope = S.FusedMultiplyAdd(z, S.Constant(-0.5), S.Constant(1));
        return S.FusedMultiplyAdd(t * z, P.AtanTail(z), rest * slope);
    }

    /// <summary>atan x: beyond 1, π/2 − atan(1/x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Atan<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), one = S.Constant(1), magnitude = S.Abs(x);
        S outer = magnitude > one;
        S t = S.Select(outer, one / magnitude, magnitude);
        S tail = AtanTail(t, S.Select(outer, S.FusedMultiplyAdd(-t, magnitude, one) * t, zero));
        S turn = S.Select(outer, S.Constant(P.HalfPiHi), zero), turnLo = S.Select(outer, S.Constant(P.HalfPiLo), zero);
        S result = AddAngles(turn, turnLo, S.Select(outer, -t, t), S.Select(outer, -tail, tail));
        return S.CopySign(result, x);
    }

    /// <summary>
    /// The angle of (x, y): t = smaller / larger as a pair, atan t, then the octants: π/2 − · where |y| is the larger, π − · where x is negative, the sign of y.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Atan2<S>(S y, S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), ax = S.Abs(x), ay = S.Abs(y);
        S steep = ay > ax;
        S smaller = S.Select(steep, ax, ay), larger = S.Select(steep, ay, ax);
        // ∞/∞ is 1 and 0/0 is 0 here; 0/0 only where both are zeros.
        S t = S.Select(S.Equal(smaller, larger), S.Constant(1), smaller / larger);
        t = S.Select(S.Equal(larger, zero), zero, t);
        S rest = S.FusedMultiplyAdd(-t, larger, smaller) / larger;
        S tail = AtanTail(t, rest);

        S left = S.GreaterBits(S.FromBits(0), x);
        S turn = S.Select(left, S.Constant(2 * P.HalfPiHi), zero), turnLo = S.Select(left, S.Constant(2 * P.HalfPiLo), zero);
        turn = S.Select(steep, S.Constant(P.HalfPiHi), turn);
        turnLo = S.Select(steep, S.Constant(P.HalfPiLo), turnLo);
        // Backwards from π where only left, backwards from π/2 where only steep, forwards from π/2 where both.
        S back = S.EqualBits(S.And(left, steep), S.Or(left, steep));
        S result = AddAngles(turn, turnLo, S.Select(back, t, -t), S.Select(back, tail, -tail));
        result = S.CopySign(result, y);
        return S.Select(S.And(S.Equal(x, x), S.Equal(y, y)), result, x + y);
    }

    // asin |x| = Value + Rest up to ½; beyond, asin |x| = π/2 − (Value + Rest), Value = 2 √((1 − |x|) / 2) as a pair.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pair<S> ArcKernel<S>(S magnitude, S outer) where S : ILanes<S>
    {
        S half = S.Constant(0.5), zero = S.Constant(0);
        S z = S.Select(outer, S.FusedMultiplyAdd(magnitude, S.Constant(-0.5), half), magnitude * magnitude);
        var root = Pair<S>.SquareRoot(z, zero);
        S s = S.Select(outer, root.Hi, magnitude), sLo = S.Select(outer, root.Lo, zero);
        S rest = S.FusedMultiplyAdd(s * z, P.AsinTail(z), sLo);
        return new(S.Select(outer, s + s, s), S.Select(outer, rest + rest, rest));
    }

    /// <summary>asin x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Asin<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), magnitude = S.Abs(x), outer = magnitude > S.Constant(0.5);
        var arc = ArcKernel(magnitude, outer);
        S turn = S.Select(outer, S.Constant(P.HalfPiHi), zero), turnLo = S.Select(outer, S.Constant(P.HalfPiLo), zero);
        return S.CopySign(AddAngles(turn, turnLo, S.Select(outer, -arc.Hi, arc.Hi), S.Select(outer, -arc.Lo, arc.Lo)), x);
    }

    /// <summary>acos x: from π/2 within ½; beyond, the kernel's angle itself, from π where x is negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Acos<S>(S x) where S : ILanes<S>
    {
        S zero = S.Constant(0), magnitude = S.Abs(x), outer = magnitude > S.Constant(0.5), left = x < zero;
        var arc = ArcKernel(magnitude, outer);
        S turn = S.Select(outer, S.Select(left, S.Constant(2 * P.HalfPiHi), zero), S.Constant(P.HalfPiHi));
        S turnLo = S.Select(outer, S.Select(left, S.Constant(2 * P.HalfPiLo), zero), S.Constant(P.HalfPiLo));
        S forward = S.Not(S.EqualBits(outer, left));
        return AddAngles(turn, turnLo, S.Select(forward, arc.Hi, -arc.Hi), S.Select(forward, arc.Lo, -arc.Lo));
    }
}
