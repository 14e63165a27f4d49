using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

// Functions that float32 computes by tables: of 8 or 16 numbers, which an instruction or two look up for a whole vector. How they were found: docs/elementary-functions.md.
internal readonly partial struct Binary32
{
    // ---- eˣ = 2^⌊b⌋ 2^(k/8) eʳ, b = k/8 + a whole number, |r| ≤ ln 2 / 16 ----

    // 2^(k/8) in two parts. eʳ = 1 + r + c₂ r² + c₃ r³ + c₄ r⁴, relative error 2^−32.445.
    private static ReadOnlySpan<float> EighthPowers => [1, 1.0905077f, 1.1892071f, 1.2968396f, 1.4142135f, 1.5422108f, 1.6817929f, 1.8340081f];
    private static ReadOnlySpan<float> EighthPowersLo => [0, -1.307754e-08f, 3.7976353e-08f, -4.0189995e-08f, 2.4203235e-08f, 8.070905e-09f, -2.4755327e-08f, -1.1239278e-08f];

    // 1. t = x log₂ e + 1.5 · 2²⁰, whose last bit is worth ⅛: its three lowest bits are k, and t − 1.5 · 2²⁰ is b.
    // 2. r = x − b ln 2 with ln 2 in two parts, the first difference exact.
    // 3. The product with 2^(k/8) is a rest below 2⁻⁴ of it: its rounding shows little, and the sum rounds once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static PowerOfE<S> TakeApart<S>(S x) where S : ILanes<S>
    {
        S t = Eighths(x, out S b);
        return Reduced(t, b, S.FusedMultiplyAdd(b, S.Constant(-Ln2Lo), S.FusedMultiplyAdd(b, S.Constant(-Ln2Hi), x)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S Eighths<S>(S x, out S b) where S : ILanes<S>
    {
        S shift = S.Constant(1572864), t = S.FusedMultiplyAdd(x, S.Constant(Log2OfEHi), shift);
        b = t - shift;
        return t;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static PowerOfE<S> Reduced<S>(S t, S b, S r) where S : ILanes<S>
    {
        S p = S.FusedMultiplyAdd(r, S.Constant(0.04166734963655472), S.Constant(0.1666802167892456));
        p = S.FusedMultiplyAdd(S.FusedMultiplyAdd(p, r, S.Constant(0.5)), r * r, r);
        S power = S.Lookup(t, EighthPowers);
        return new(power, S.FusedMultiplyAdd(power, p, S.Lookup(t, EighthPowersLo)), b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PowerOfE<S> ExpTakenApart<S>(S x) where S : ILanes<S>
    {
        var e = TakeApart(x);
        var sum = Pair<S>.OrderedSum(e.Hi, e.Lo);
        return new(sum.Hi, sum.Lo, e.Power);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp<S>(S x) where S : ILanes<S> => Rounded(TakeApart(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S Exp<S>(S x, S xLo) where S : ILanes<S>
    {
        S t = Eighths(x, out S b), low = S.FusedMultiplyAdd(b, S.Constant(-Ln2Lo), xLo);
        return Rounded(Reduced(t, b, S.FusedMultiplyAdd(b, S.Constant(-Ln2Hi), x) + low));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static S Rounded<S>(PowerOfE<S> e) where S : ILanes<S> => S.ScaleByFloor(e.Hi + e.Lo, e.Power);

    // ---- tanh |x|, in 16 intervals: four to each octave of |x| + 0.625, from 0 to 9.02, where tanh rounds to 1 ----

    // The polynomials of degree 5 are within 0.78 · 2⁻²⁴ of tanh, relatively. Tables begin at |x| = 1.375, whose index is 0; the first interval, index 9, has x itself as its first term.
    // Centres were chosen where tanh is a float32 but for 2⁻³⁷ of it.
    private static ReadOnlySpan<float> TanhCentre => [1.625279f, 2.1244576f, 2.625136f, 3.1247869f, 3.8751073f, 4.874471f, 5.8763614f, 6.8735695f, 8.215361f, 0, 0.18747158f, 0.31252342f, 0.4999708f, 0.75014377f, 1.0001992f, 1.2497119f];
    private static ReadOnlySpan<float> TanhC0 => [0.9253863f, 0.97184265f, 0.9895626f, 0.9961449f, 0.9991391f, 0.9998833f, 0.99998426f, 0.99999785f, 0.9999999f, 0, 0.18530576f, 0.302731f, 0.4620942f, 0.6352347f, 0.7616778f, 0.8482028f];
    private static ReadOnlySpan<float> TanhC1 => [0.14366005f, 0.05552186f, 0.020765923f, 0.007695359f, 0.0017211662f, 0.00023340466f, 3.1472035e-05f, 4.283261e-06f, 2.9345057e-07f, 1f, 0.96566176f, 0.9083539f, 0.78646904f, 0.59647685f, 0.41984692f, 0.28055197f];
    private static ReadOnlySpan<float> TanhC2 => [-0.13294818f, -0.05395762f, -0.020548105f, -0.00766518f, -0.0017175806f, -0.00023308503f, -3.143176e-05f, -4.1419357e-06f, -5.9653786e-07f, 3.1198155e-07f, -0.1789425f, -0.27498662f, -0.3634176f, -0.37890276f, -0.31979007f, -0.23796652f];
    private static ReadOnlySpan<float> TanhC3 => [0.07514929f, 0.033933207f, 0.013412204f, 0.0050707166f, 0.0011430156f, 0.0001553499f, 2.0949381e-05f, 2.8495851e-06f, 1.8794996e-07f, -0.33335564f, -0.28872257f, -0.21953063f, -0.09424458f, 0.04186431f, 0.10362753f, 0.10832595f];
    private static ReadOnlySpan<float> TanhC4 => [-0.024854273f, -0.015037829f, -0.006478399f, -0.0025225861f, -0.0005966552f, -8.14062e-05f, -1.09859875e-05f, -2.038029e-06f, 3.243594e-07f, 0.0004727801f, 0.11288763f, 0.15778813f, 0.16359667f, 0.09968758f, 0.028075779f, -0.01223306f];
    private static ReadOnlySpan<float> TanhC5 => [0.0011028268f, 0.0044528544f, 0.0023600552f, 0.0009760474f, 0.00023672704f, 3.2477008e-05f, 4.4035005e-06f, 6.109958e-07f, 5.4259047e-08f, 0.12998614f, 0.09602841f, 0.044592395f, -0.025525358f, -0.06352676f, -0.046303645f, -0.019342752f];

    /// <summary>tanh |x| = Σ cₖ (|x| − centre)ᵏ; the difference is exact. The sign comes last, so that tanh is odd to the bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Tanh<S>(S x) where S : ILanes<S>
    {
        S magnitude = S.AtMost(S.Abs(x), S.Constant(9.02)), index = S.ShiftRightBits(magnitude + S.Constant(0.625), MantissaBits - 2);
        S t = magnitude - S.Lookup(index, TanhCentre);
        S p = S.FusedMultiplyAdd(S.Lookup(index, TanhC5), t, S.Lookup(index, TanhC4));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, TanhC3));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, TanhC2));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, TanhC1));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, TanhC0));
        return S.Or(p, S.And(x, S.FromBits(1L << SignBit)));
    }

    // ---- Φ(−a), a = |x|, in intervals of ½ around 0, ½, …, 7; beyond 7¼, where it is below 3e-13, 0 ----

    // Polynomials of degree 6: within 5.3e-9 of Φ absolutely, relatively within 1e-7 up to 3¾, 1.6e-5 up to 5¾ and 1.3e-4 at the end.
    private static ReadOnlySpan<float> NormalC0 => [0.5f, 0.30853754f, 0.15865526f, 0.0668072f, 0.022750132f, 0.006209665f, 0.0013498979f, 0.0002326291f, 3.167126e-05f, 3.3976812e-06f, 2.8665343e-07f, 1.898985e-08f, 9.866186e-10f, 4.0162394e-11f, 1.2799469e-12f, 0];
    private static ReadOnlySpan<float> NormalC1 => [-0.3989423f, -0.35206532f, -0.24197073f, -0.1295176f, -0.053990968f, -0.0175283f, -0.0044318475f, -0.000872683f, -0.00013383066f, -1.5983893e-05f, -1.48675e-06f, -1.0770156e-07f, -6.0762324e-09f, -2.6697689e-10f, -9.1355925e-12f, 0];
    private static ReadOnlySpan<float> NormalC2 => [6.9694926e-07f, 0.088015296f, 0.12098479f, 0.09713792f, 0.053991f, 0.021910442f, 0.0066477912f, 0.0015271883f, 0.00026765413f, 3.596088e-05f, 3.7162008e-06f, 2.960738e-07f, 1.8217145e-08f, 8.667655e-10f, 3.1922295e-11f, 0];
    private static ReadOnlySpan<float> NormalC3 => [0.066476114f, 0.044008125f, 1.6393215e-06f, -0.026981493f, -0.02699564f, -0.0153378425f, -0.005909347f, -0.001636224f, -0.00033450467f, -5.1255098e-05f, -5.941257e-06f, -5.242206e-07f, -3.5361897e-08f, -1.8294961e-09f, -7.277102e-11f, 0];
    private static ReadOnlySpan<float> NormalC4 => [0.00013335659f, -0.020131096f, -0.020141251f, -0.0060615707f, 0.0044974755f, 0.0059313956f, 0.003323209f, 0.0011775165f, 0.00029024202f, 5.1805557e-05f, 6.8395266e-06f, 6.765807e-07f, 5.0577494e-08f, 2.8743468e-09f, 1.2473071e-10f, 0];
    private static ReadOnlySpan<float> NormalC5 => [-0.010595162f, -0.0045679323f, 0.003963293f, 0.005814473f, 0.002259377f, -0.0006415568f, -0.0010995757f, -0.00058070454f, -0.0001843622f, -3.980452e-05f, -6.137212e-06f, -6.929885e-07f, -5.8174475e-08f, -3.66655e-09f, -1.7468636e-10f, 0];
    private static ReadOnlySpan<float> NormalC6 => [0.0013941539f, 0.0026738779f, 0.0017751307f, -0.00073875044f, -0.0013218927f, -0.00048710118f, 0.0001148838f, 0.00017651747f, 7.976301e-05f, 2.12585e-05f, 3.8103212e-06f, 4.832031e-07f, 4.4536396e-08f, 3.03209e-09f, 1.5411364e-10f, 0];

    /// <summary>Φ(−a) = Σ cₖ (a − centre)ᵏ: a + 1.5 · 2²² has a last bit worth ½, so its lowest bits are the interval's number and the difference is exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S NormalCdf<S>(S x) where S : ILanes<S>
    {
        S shift = S.Constant(6291456), a = S.AtMost(S.Abs(x), S.Constant(7.5)), index = a + shift, t = a - (index - shift);
        S p = S.FusedMultiplyAdd(S.Lookup(index, NormalC6), t, S.Lookup(index, NormalC5));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, NormalC4));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, NormalC3));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, NormalC2));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, NormalC1));
        p = S.FusedMultiplyAdd(p, t, S.Lookup(index, NormalC0));
        return S.Select(x < S.Constant(0), p, S.Constant(1) - p);
    }
}
