using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static partial class Elementary<P>
{
    /// <summary>x = quadrant · π/2 + Hi + Lo, |Hi| ≤ π/4 and a little; the quadrant is an integer's bits.</summary>
    private readonly struct Angle<S>(S hi, S lo, S quadrant) where S : ILanes<S>
    {
        public readonly S Hi = hi;
        public readonly S Lo = lo;
        public readonly S Quadrant = quadrant;
    }

    // Cody and Waite with FMA, for |x| ≤ TrigonometricMax.
    // 1. n = round(x · 2/π). 2. x − n c₁ is exact (whole multiples of the last bit of c₁, below 1).
    // 3. n c₂ is a pair, subtracted with its error. 4. n c₃ goes to the rest. 5. The pair is put in order: step 3 may cancel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Angle<S> Reduce<S>(S x) where S : ILanes<S>
    {
        S n = S.Round(x * S.Constant(2 / Math.PI));
        S first = S.FusedMultiplyAdd(n, S.Constant(-P.HalfPiHi), x);
        var product = Pair<S>.Product(n, S.Constant(-P.HalfPiLo));
        var sum = Pair<S>.Sum(first, product.Hi);
        var r = Pair<S>.OrderedSum(sum.Hi, S.FusedMultiplyAdd(n, S.Constant(-P.HalfPiLoLo), sum.Lo + product.Lo));
        return new(r.Hi, r.Lo, S.ToIntegerBits(n));
    }

    // sin r ≈ hi + (lo cos hi + hi³ s(hi²)), cos hi ≈ 1 − hi²/2 for the rest's sake.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pair<S> SinKernel<S>(S hi, S lo) where S : ILanes<S>
    {
        S z = hi * hi;
        S slope = S.FusedMultiplyAdd(z, S.Constant(-0.5), S.Constant(1));
        return new(hi, S.FusedMultiplyAdd(hi * z, P.SinTail(z), lo * slope));
    }

    // cos r ≈ 1 − z/2 + (z² c(z) − hi lo), the first difference with its error.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pair<S> CosKernel<S>(S hi, S lo) where S : ILanes<S>
    {
        S z = hi * hi;
        S zLo = S.FusedMultiplyAdd(hi, hi, -z);
        var sum = Pair<S>.OrderedSum(S.Constant(1), z * S.Constant(-0.5));
        S rest = S.FusedMultiplyAdd(z * z, P.CosTail(z), -(S.FusedMultiplyAdd(zLo, S.Constant(0.5), hi * lo)));
        return new(sum.Hi, sum.Lo + rest);
    }

    // The sign bit where bit 1 of the quadrant is set.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S QuadrantSign<S>(S quadrant) where S : ILanes<S> =>
        S.ShiftLeftBits(S.ShiftRightBits(quadrant, 1), P.SignBit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S IsOdd<S>(S quadrant) where S : ILanes<S> =>
        S.EqualBits(quadrant & S.FromBits(1), S.FromBits(1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S SinOf<S>(Angle<S> a) where S : ILanes<S>
    {
        S sin = SinKernel(a.Hi, a.Lo).Rounded, cos = CosKernel(a.Hi, a.Lo).Rounded;
        return S.Select(IsOdd(a.Quadrant), cos, sin) ^ QuadrantSign(a.Quadrant);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S CosOf<S>(Angle<S> a) where S : ILanes<S>
    {
        S sin = SinKernel(a.Hi, a.Lo).Rounded, cos = CosKernel(a.Hi, a.Lo).Rounded;
        return S.Select(IsOdd(a.Quadrant), sin, cos) ^ QuadrantSign(S.AddBits(a.Quadrant, S.FromBits(1)));
    }

    // tan = sin / cos, or −cos / sin in odd quadrants, both as pairs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S TanOf<S>(Angle<S> a) where S : ILanes<S>
    {
        var sin = SinKernel(a.Hi, a.Lo);
        var cos = CosKernel(a.Hi, a.Lo);
        sin = Pair<S>.OrderedSum(sin.Hi, sin.Lo);
        cos = Pair<S>.OrderedSum(cos.Hi, cos.Lo);
        S odd = IsOdd(a.Quadrant);
        return Pair<S>.Quotient(
            S.Select(odd, -cos.Hi, sin.Hi), S.Select(odd, -cos.Lo, sin.Lo),
            S.Select(odd, sin.Hi, cos.Hi), S.Select(odd, sin.Lo, cos.Lo)).Rounded;
    }

    // True where Reduce is not enough; NaN is not huge.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S IsHuge<S>(S magnitude) where S : ILanes<S> => magnitude > S.Constant(P.TrigonometricMax);

    // Near zero the function is x, also −0 and subnormal.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S TinyIsItself<S>(S x, S magnitude, S result) where S : ILanes<S> =>
        S.Select(magnitude < S.Constant(P.TrigonometricMin), x, result);

    /// <summary>sin x. If a lane is huge, the whole vector goes through the slow reduction; the other lanes' bits are the same there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Sin<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x);
        if (!S.None(IsHuge(magnitude))) return SinHuge(x);
        return TinyIsItself(x, magnitude, SinOf(Reduce(x)));
    }

    /// <summary>cos x, as <see cref="Sin"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Cos<S>(S x) where S : ILanes<S> => S.None(IsHuge(S.Abs(x))) ? CosOf(Reduce(x)) : CosHuge(x);

    /// <summary>tan x, as <see cref="Sin"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Tan<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.Abs(x);
        if (!S.None(IsHuge(magnitude))) return TanHuge(x);
        return TinyIsItself(x, magnitude, TanOf(Reduce(x)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static S SinHuge<S>(S x) where S : ILanes<S> => TinyIsItself(x, S.Abs(x), SinOf(ReduceAny(x)));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static S CosHuge<S>(S x) where S : ILanes<S> => CosOf(ReduceAny(x));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static S TanHuge<S>(S x) where S : ILanes<S> => TinyIsItself(x, S.Abs(x), TanOf(ReduceAny(x)));

    private static unsafe Angle<S> ReduceAny<S>(S x) where S : ILanes<S>
    {
        double* buffer = stackalloc double[32];
        double* hi = buffer + 8, lo = buffer + 16, quadrant = buffer + 24;
        S.Store(x, buffer);
        for (int i = 0; i < S.Count; i++)
        {
            double value = P.Read(buffer, i);
            if (!(Math.Abs(value) > P.TrigonometricMax)) continue;
            var (q, high, low) = HugeAngle.Reduce(value);
            P.Write(quadrant, i, q);
            P.Write(hi, i, high);
            // The part of the pair that the lane's precision drops from high goes to low.
            P.Write(lo, i, high - P.Read(hi, i) + low);
        }
        var easy = Reduce(x);
        S huge = IsHuge(S.Abs(x));
        return new(S.Select(huge, S.Load(hi), easy.Hi), S.Select(huge, S.Load(lo), easy.Lo),
            S.Select(huge, S.ToIntegerBits(S.Load(quadrant)), easy.Quadrant));
    }
}
