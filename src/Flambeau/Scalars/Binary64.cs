using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>IEEE 754 binary64, double. Every polynomial is a minimax fit in Horner's form.</summary>
internal readonly struct Binary64 : IPrecision
{
    public static int MantissaBits => 52;
    public static int SignBit => 63;
    public static int Bias => 1023;
    public static long SqrtHalfBits => 0x3FE6A09E667F3BCC;
    public static double MinNormal => 2.2250738585072014e-308;
    public static double ExpMax => 710;
    public static double ExpMin => -746;
    public static double Expm1Min => -40;
    public static double ErfcMax => 27.3;
    public static double TrigonometricMax => 67108864;
    public static double TrigonometricMin => 7.450580596923828e-09;
    public static double HyperbolicMin => 6.103515625e-05;
    public static double HyperbolicMax => 1152921504606846976;
    public static double FmodMax => 2251799813685248;
    public static double Ln2Hi => 0.6931471805599453;
    public static double Ln2Lo => 2.3190468138462996e-17;
    public static double Ln2Short => 0.6931471805598903;
    public static double Ln2ShortLo => 5.497923018708371e-14;
    public static double Log10Of2Short => 0.30102999566395283;
    public static double Log10Of2ShortLo => 2.8363394551044964e-14;
    public static double Log2OfEHi => 1.4426950408889634;
    public static double Log2OfELo => 2.0355273740931033e-17;
    public static double Log10OfEHi => 0.4342944819032518;
    public static double Log10OfELo => 1.098319650216765e-17;
    public static double HalfPiHi => 1.5707963267948966;
    public static double HalfPiLo => 6.123233995736766e-17;
    public static double HalfPiLoLo => -1.4973849048591698e-33;
    public static double TwoThirdsLo => 3.700743415417188e-17;
    public static double ErfcC0Hi => 1.095995661000491;
    public static double ErfcC0Lo => 5.723890268759134e-17;
    public static double ErfcC1Hi => -0.976548729080882;
    public static double ErfcC1Lo => -2.5455690074059878e-17;
    public static double ErfcCentre => 4;

    // [-0.34761, 0.34761], degree 9, relative error 2^−63.84 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ExpTail<S>(S r) where S : ILanes<S>
    {
        S p = S.Constant(2.0838297022209487e-09);
        p = S.FusedMultiplyAdd(p, r, S.Constant(2.5111586265088947e-08));
        p = S.FusedMultiplyAdd(p, r, S.Constant(2.7557528469912504e-07));
        p = S.FusedMultiplyAdd(p, r, S.Constant(2.7557236515141563e-06));
        p = S.FusedMultiplyAdd(p, r, S.Constant(2.4801587020824448e-05));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0001984126989423731));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0013888888889036612));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.008333333333318189));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0416666666666664));
        return S.FusedMultiplyAdd(p, r, S.Constant(0.16666666666666682));
    }

    // [-0.5, 0.5], degree 10, relative error 2^−64.03 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp2Tail<S>(S r) where S : ILanes<S>
    {
        S p = S.Constant(2.561678700850695e-11);
        p = S.FusedMultiplyAdd(p, r, S.Constant(4.45617055494061e-10));
        p = S.FusedMultiplyAdd(p, r, S.Constant(7.054978828971473e-09));
        p = S.FusedMultiplyAdd(p, r, S.Constant(1.0178054863173392e-07));
        p = S.FusedMultiplyAdd(p, r, S.Constant(1.3215486590468045e-06));
        p = S.FusedMultiplyAdd(p, r, S.Constant(1.525273384640271e-05));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.00015403530393632878));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0013333558146402386));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.009618129107628345));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.05550410866482164));
        return S.FusedMultiplyAdd(p, r, S.Constant(0.24022650695910072));
    }

    // [0.0, 0.02945], degree 6, relative error 2^−59.49 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S LogTail<S>(S f) where S : ILanes<S>
    {
        // s = f / (2 + f): ln(1 + f) = f − s (f − r), r = ln((1 + s) / (1 − s)) / s − 2 = z p(z); and s f = f²/2 − s f²/2.
        S s = f / (f + S.Constant(2)), z = s * s;
        S p = S.Constant(0.14796624368748662);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.15313986783860176));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.18183566668943643));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.2222219853113518));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.2857142874276605));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.3999999999941313));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.6666666666666735));
        return s * S.FusedMultiplyAdd(z, p, f * f * S.Constant(0.5));
    }

    // [0.0, 0.02945], degree 7, relative error 2^−73.54 of the logarithm: a power multiplies it by up to 2¹⁰.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S PowTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(0.11989539264971186);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.11674755451201194));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.13336320519887024));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.153845567905319));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.18181818871492375));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.22222222217526877));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.2857142857144515));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.3999999999999998));
    }

    // [0.0, 0.62056], degree 6, relative error 2^−68.67 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S SinTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(-7.578128478692212e-13);
        p = S.FusedMultiplyAdd(p, z, S.Constant(1.605835495709973e-10));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-2.5052104818225732e-08));
        p = S.FusedMultiplyAdd(p, z, S.Constant(2.7557319213823716e-06));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0001984126984125434));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.008333333333333323));
        return S.FusedMultiplyAdd(p, z, S.Constant(-0.16666666666666666));
    }

    // [0.0, 0.62056], degree 5, relative error 2^−63.89 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S CosTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(-1.1357857651797031e-11);
        p = S.FusedMultiplyAdd(p, z, S.Constant(2.087568799302757e-09));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-2.755731408679528e-07));
        p = S.FusedMultiplyAdd(p, z, S.Constant(2.4801587288538884e-05));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0013888888888872568));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.04166666666666659));
    }

    // [0.0, 1.0], degree 20, relative error 2^−60.2 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S AtanTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(-8.65418598548437e-06);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.00010387165687317508));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0005928919213106908));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.002151583462984801));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.005612376485322977));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.011317631849378652));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.018614175236615568));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.026151644432075963));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.03278541313606503));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.038210055668627334));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.04286390572990229));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.04744926002827644));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0525943375937834));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.05881716148260492));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.06666583721937369));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.0769229971167778));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.09090908547246479));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.11111111086446754));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.14285714285036602));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.19999999999990448));
        return S.FusedMultiplyAdd(p, z, S.Constant(-0.33333333333333287));
    }

    // [0.0, 0.25], degree 12, relative error 2^−59.86 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S AsinTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(0.032628650726069665);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.02099910802138774));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.02170748182856655));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.003706392821060009));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.010780257688348793));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.011398911154487294));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.01398082071477513));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.017351611995480732));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.02237221498895337));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.03038194270772455));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.04464285717461342));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.07499999999970798));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.1666666666666676));
    }

    // [0.0, 1.0], degree 6, relative error 2^−63.33 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S SinhTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(7.758748794640108e-13);
        p = S.FusedMultiplyAdd(p, z, S.Constant(1.6057259769006807e-10));
        p = S.FusedMultiplyAdd(p, z, S.Constant(2.5052123136718054e-08));
        p = S.FusedMultiplyAdd(p, z, S.Constant(2.755731915707192e-06));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.00019841269841431873));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.008333333333333148));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.16666666666666669));
    }

    // [0.0, 1.0], degree 12, relative error 2^−62.74 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(5.945259246202125e-11);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-1.1365664467385295e-09));
        p = S.FusedMultiplyAdd(p, z, S.Constant(1.4657879453784196e-08));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-1.6350025165009285e-07));
        p = S.FusedMultiplyAdd(p, z, S.Constant(1.6460972811638407e-06));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-1.4925593506560198e-05));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.00012055331036886213));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0008548326978741847));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.005223977624780861));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.026866170645072893));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.11283791670954857));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.3761263890318375));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.1283791670955126));
    }

    // [-1.0, 0.74522], degree 23, relative error 2^−60.902 of erfc.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfcTail<S>(S t) where S : ILanes<S>
    {
        S p = S.Constant(4.1534933272930697e-10);
        p = S.FusedMultiplyAdd(p, t, S.Constant(2.100793718401848e-09));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-8.346860055501567e-10));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.8590360597275213e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.8059638467236179e-09));
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.2800723201953857e-07));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-7.598873826253771e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-8.489303204184745e-07));
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.4242904522475926e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(4.695638684833683e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.886087739352088e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-3.6355290069514528e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.00017681280881223587));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.0004550526167140822));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.00028095886343579887));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.0061120556479197855));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.026370053340509028));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.07638151490981634));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.1740109372399291));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.3308515878779959));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.5408538313132351));
        return S.FusedMultiplyAdd(p, t, S.Constant(0.7732087022652373));
    }

    // No shorter way than through erfc.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfAboveOne<S>(S x) where S : ILanes<S> => S.Constant(1) - Elementary<Binary64>.ErfcPositive(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp<S>(S x) where S : ILanes<S> => Elementary<Binary64>.ExpByPolynomial(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PowerOfE<S> ExpTakenApart<S>(S x) where S : ILanes<S> => Elementary<Binary64>.ExpByPair(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Tanh<S>(S x) where S : ILanes<S> => Elementary<Binary64>.TanhByExp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S NormalCdf<S>(S x) where S : ILanes<S> => S.Constant(0.5) * Elementary<Binary64>.Erfc(x * S.Constant(-0.70710678118654752440));

    public static unsafe double Read(void* p, int i) => ((double*)p)[i];
    public static unsafe void Write(void* p, int i, double value) => ((double*)p)[i] = (double)value;
}
