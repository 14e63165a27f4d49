using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

// Functions that float32 computes by tables: of 8 or 16 numbers, which an instruction or two look up for a whole vector. How they were found: docs/elementary-functions.md.
internal readonly partial struct Binary32
{
    // ---- eˣ = 2^⌊b⌋ 2^(k/8) eʳ, b = k/8 + a whole number, |r| ≤ ln 2 / 16 ----

    // 2^(k/8) in two parts. eʳ = 1 + c₀ + r + c₂ r² + c₃ r³, relative error 2^−25.67; c₀ = −1.868e-8 is in the second part.
    private static ReadOnlySpan<float> EighthPowers => [1, 1.0905077f, 1.1892071f, 1.2968396f, 1.4142135f, 1.5422108f, 1.6817929f, 1.8340081f];
    private static ReadOnlySpan<float> EighthPowersLo => [-1.8679819e-08f, -3.3448025e-08f, 1.5762181e-08f, -6.441472e-08f, -2.2140176e-09f, -2.0737312e-08f, -5.617091e-08f, -4.5498215e-08f];

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
        S p = S.FusedMultiplyAdd(S.FusedMultiplyAdd(r, S.Constant(0.16667279601097107), S.Constant(0.5000782608985901)), r * r, r);
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
    private static ReadOnlySpan<float> TanhCentre => [1.6252789497375488f, 2.124457597732544f, 2.625135898590088f, 3.124786853790283f, 3.8751072883605957f, 4.874471187591553f, 5.87636137008667f, 6.873569488525391f, 8.215360641479492f, 0, 0.18747158348560333f, 0.31252342462539673f, 0.49997079372406006f, 0.7501437664031982f, 1.0001991987228394f, 1.2497118711471558f];
    private static ReadOnlySpan<float> TanhC0 => [0.9253863096237183f, 0.9718426465988159f, 0.9895625710487366f, 0.9961448907852173f, 0.9991390705108643f, 0.9998832941055298f, 0.9999842643737793f, 0.9999978542327881f, 0.9999998807907104f, 0, 0.18530575931072235f, 0.3027310073375702f, 0.46209418773651123f, 0.6352347135543823f, 0.7616778016090393f, 0.8482028245925903f];
    private static ReadOnlySpan<float> TanhC1 => [0.1436600536108017f, 0.05552186071872711f, 0.020765922963619232f, 0.00769535917788744f, 0.0017211661906912923f, 0.0002334046585019678f, 3.1472034606849775e-05f, 4.2832612052734476e-06f, 2.9345056873353315e-07f, 1f, 0.9656617641448975f, 0.9083539247512817f, 0.786469042301178f, 0.5964768528938293f, 0.41984692215919495f, 0.2805519700050354f];
    private static ReadOnlySpan<float> TanhC2 => [-0.13294817507266998f, -0.05395761877298355f, -0.020548105239868164f, -0.0076651801355183125f, -0.0017175805987790227f, -0.0002330850256839767f, -3.143175854347646e-05f, -4.141935733059654e-06f, -5.965378591099579e-07f, 3.11981551703866e-07f, -0.1789425015449524f, -0.2749866247177124f, -0.3634175956249237f, -0.37890276312828064f, -0.3197900652885437f, -0.23796652257442474f];
    private static ReadOnlySpan<float> TanhC3 => [0.0751492902636528f, 0.033933207392692566f, 0.013412203639745712f, 0.005070716608315706f, 0.0011430155718699098f, 0.00015534990234300494f, 2.0949380996171385e-05f, 2.8495851438492537e-06f, 1.879499649248828e-07f, -0.3333556354045868f, -0.28872257471084595f, -0.2195306271314621f, -0.0942445769906044f, 0.0418643094599247f, 0.1036275327205658f, 0.10832595080137253f];
    private static ReadOnlySpan<float> TanhC4 => [-0.024854272603988647f, -0.01503782905638218f, -0.006478399038314819f, -0.0025225861463695765f, -0.0005966551834717393f, -8.14062004792504e-05f, -1.0985987501044292e-05f, -2.0380289242893923e-06f, 3.2435940511277295e-07f, 0.0004727801133412868f, 0.11288762837648392f, 0.15778812766075134f, 0.16359667479991913f, 0.09968757629394531f, 0.028075778856873512f, -0.012233059853315353f];
    private static ReadOnlySpan<float> TanhC5 => [0.0011028267908841372f, 0.00445285439491272f, 0.002360055223107338f, 0.0009760474204085767f, 0.00023672703537158668f, 3.2477008062414825e-05f, 4.403500497573987e-06f, 6.109958121669479e-07f, 5.4259047033156094e-08f, 0.12998613715171814f, 0.0960284098982811f, 0.044592395424842834f, -0.025525357574224472f, -0.06352675706148148f, -0.0463036447763443f, -0.019342752173542976f];

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
    private static ReadOnlySpan<float> NormalC0 => [0.5f, 0.3085375428199768f, 0.15865525603294373f, 0.06680720299482346f, 0.0227501317858696f, 0.006209664978086948f, 0.0013498979387804866f, 0.00023262909962795675f, 3.167126124026254e-05f, 3.3976812119362876e-06f, 2.8665343165812374e-07f, 1.8989849692729877e-08f, 9.86618564624564e-10f, 4.016239424364798e-11f, 1.2799468516316859e-12f, 0];
    private static ReadOnlySpan<float> NormalC1 => [-0.3989422917366028f, -0.3520653247833252f, -0.2419707328081131f, -0.1295175999403f, -0.05399096757173538f, -0.017528299242258072f, -0.004431847482919693f, -0.0008726830128580332f, -0.0001338306610705331f, -1.5983892808435485e-05f, -1.4867499658066663e-06f, -1.0770155967065875e-07f, -6.076232406115878e-09f, -2.6697688504384587e-10f, -9.135592456133157e-12f, 0];
    private static ReadOnlySpan<float> NormalC2 => [6.969492574171454e-07f, 0.08801529556512833f, 0.12098479270935059f, 0.0971379205584526f, 0.05399100109934807f, 0.021910442039370537f, 0.006647791247814894f, 0.0015271883457899094f, 0.0002676541334949434f, 3.5960878449259326e-05f, 3.7162008084123954e-06f, 2.9607380724883114e-07f, 1.8217145125731804e-08f, 8.667654927130286e-10f, 3.1922294668751405e-11f, 0];
    private static ReadOnlySpan<float> NormalC3 => [0.06647611409425735f, 0.044008124619722366f, 1.6393214536947198e-06f, -0.026981493458151817f, -0.026995640248060226f, -0.015337842516601086f, -0.005909346975386143f, -0.001636223983950913f, -0.0003345046716276556f, -5.125509778736159e-05f, -5.94125685893232e-06f, -5.242205816102796e-07f, -3.536189652209032e-08f, -1.8294961101616991e-09f, -7.27710183778818e-11f, 0];
    private static ReadOnlySpan<float> NormalC4 => [0.00013335658877622336f, -0.020131096243858337f, -0.020141251385211945f, -0.006061570718884468f, 0.004497475456446409f, 0.005931395571678877f, 0.0033232090063393116f, 0.001177516533061862f, 0.0002902420237660408f, 5.180555672268383e-05f, 6.839526577095967e-06f, 6.765807256670087e-07f, 5.057749419279389e-08f, 2.8743467606062723e-09f, 1.2473071187013574e-10f, 0];
    private static ReadOnlySpan<float> NormalC5 => [-0.010595162399113178f, -0.004567932337522507f, 0.003963293042033911f, 0.005814473144710064f, 0.002259376924484968f, -0.0006415568059310317f, -0.0010995756601914763f, -0.0005807045381516218f, -0.00018436220125295222f, -3.980451947427355e-05f, -6.137212039902806e-06f, -6.92988521677762e-07f, -5.817447501499373e-08f, -3.6665499525412315e-09f, -1.746863625973205e-10f, 0];
    private static ReadOnlySpan<float> NormalC6 => [0.0013941539218649268f, 0.0026738778688013554f, 0.0017751307459548116f, -0.0007387504447251558f, -0.0013218927197158337f, -0.0004871011769864708f, 0.00011488379823276773f, 0.00017651746748015285f, 7.976301276357844e-05f, 2.1258500055409968e-05f, 3.8103212318674196e-06f, 4.832031095247658e-07f, 4.45363959045153e-08f, 3.0320899124802736e-09f, 1.541136385174724e-10f, 0];

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
