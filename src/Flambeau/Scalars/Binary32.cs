using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>IEEE 754 binary32, float. Every polynomial is a minimax fit in Horner's form.</summary>
internal readonly partial struct Binary32 : IPrecision
{
    public static int MantissaBits => 23;
    public static int SignBit => 31;
    public static int Bias => 127;
    public static long SqrtHalfBits => 0x3F3504F3;
    public static double MinNormal => 1.1754943508222875e-38;
    public static double ExpMax => 89;
    public static double ExpMin => -104;
    public static double Expm1Min => -20;
    public static double ErfcMax => 10.2;
    public static double TrigonometricMax => 32768;
    public static double TrigonometricMin => 0.0001220703125;
    public static double HyperbolicMin => 0.0078125;
    public static double HyperbolicMax => 1073741824;
    public static double FmodMax => 4194304;
    public static double Ln2Hi => 0.6931471824645996;
    public static double Ln2Lo => -1.9046542121259336e-09;
    public static double Ln2Short => 0.693145751953125;
    public static double Ln2ShortLo => 1.428606765330187e-06;
    public static double Log10Of2Short => 0.30103302001953125;
    public static double Log10Of2ShortLo => -3.024355464731343e-06;
    public static double Log2OfEHi => 1.4426950216293335;
    public static double Log2OfELo => 1.925963033500011e-08;
    public static double Log10OfEHi => 0.4342944920063019;
    public static double Log10OfELo => -1.0103049952192578e-08;
    public static double HalfPiHi => 1.5707963705062866;
    public static double HalfPiLo => -4.371138828673793e-08;
    public static double HalfPiLoLo => -1.7151245100058819e-15;
    public static double TwoThirdsLo => -1.9868214962137642e-08;
    public static double ErfcC0Hi => 1.0215827226638794;
    public static double ErfcC0Lo => -1.7216610359582774e-08;
    public static double ErfcC1Hi => -0.6871606707572937;
    public static double ErfcC1Lo => -1.7400683560708785e-08;
    public static double ErfcCentre => 2;

    // [-0.34761, 0.34761], degree 4, relative error 2^−33.25 of the function built on it. Degree 3 (2^−28.01) would put expm1 past 1 ulp.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ExpTail<S>(S r) where S : ILanes<S>
    {
        S p = S.Constant(0.00019732840883079916);
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0013935503084212542));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.00833358895033598));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.041666459292173386));
        return S.FusedMultiplyAdd(p, r, S.Constant(0.1666666567325592));
    }

    // [-0.5, 0.5], degree 4, relative error 2^−28.29 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Exp2Tail<S>(S r) where S : ILanes<S>
    {
        S p = S.Constant(0.00015321154205594212);
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.0013390161329880357));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.009618526324629784));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.05550362169742584));
        return S.FusedMultiplyAdd(p, r, S.Constant(0.24022647738456726));
    }

    // [-0.29289, 0.41421], degree 8, relative error 2^−30.31 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S LogTail<S>(S f) where S : ILanes<S>
    {
        S p = S.Constant(0.06746642291545868);
        p = S.FusedMultiplyAdd(p, f, S.Constant(-0.11675652861595154));
        p = S.FusedMultiplyAdd(p, f, S.Constant(0.11888162046670914));
        p = S.FusedMultiplyAdd(p, f, S.Constant(-0.1240558847784996));
        p = S.FusedMultiplyAdd(p, f, S.Constant(0.14219552278518677));
        p = S.FusedMultiplyAdd(p, f, S.Constant(-0.1666799634695053));
        p = S.FusedMultiplyAdd(p, f, S.Constant(0.2000211924314499));
        p = S.FusedMultiplyAdd(p, f, S.Constant(-0.25000008940696716));
        p = S.FusedMultiplyAdd(p, f, S.Constant(0.3333331346511841));
        return f * f * f * p;
    }

    // [0.0, 0.02945], degree 2, relative error 2^−36.78 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S PowTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(0.2341911345720291);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.285471111536026));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.40000152587890625));
    }

    // [0.0, 0.62056], degree 3, relative error 2^−37.45 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S SinTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(2.7178959953744197e-06);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0001983928814297542));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.008333329111337662));
        return S.FusedMultiplyAdd(p, z, S.Constant(-0.1666666716337204));
    }

    // [0.0, 0.62056], degree 2, relative error 2^−32.97 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S CosTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(2.4430923076579347e-05);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0013887296663597226));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.04166664555668831));
    }

    // [0.0, 1.0], degree 9, relative error 2^−31.1 of the function built on it; each coefficient was rounded before the next were fitted.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S AtanTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(0.001134520280174911);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.007425359450280666));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.0227776151150465));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.04498325660824776));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.06763648986816406));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.08821462094783783));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.11061233282089233));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.14280343055725098));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.1999971568584442));
        return S.FusedMultiplyAdd(p, z, S.Constant(-0.333333283662796));
    }

    // [0.0, 0.25], degree 5, relative error 2^−31.76 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S AsinTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(0.037516478449106216);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.014438586309552193));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.03180772438645363));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.04451695457100868));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.07500503957271576));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.16666659712791443));
    }

    // [0.0, 1.0], degree 3, relative error 2^−34.16 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S SinhTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(2.8169511097075883e-06);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.0001983615948120132));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.008333349600434303));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.1666666716337204));
    }

    // [0.0, 1.0], degree 6, relative error 2^−29.62 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(7.853861461626366e-05);
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0008010193705558777));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.005188327748328447));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.026853812858462334));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.1128358542919159));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.3761262595653534));
        return S.FusedMultiplyAdd(p, z, S.Constant(0.12837916612625122));
    }

    // [-1.0, 0.67213], degree 11, relative error 2^−31.612 of erfc.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfcTail<S>(S t) where S : ILanes<S>
    {
        S p = S.Constant(2.8275120712351054e-05);
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.00011522951535880566));
        p = S.FusedMultiplyAdd(p, t, S.Constant(2.6672289095586166e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.0006480820011347532));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.00083119235932827));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.003086900105699897));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.006477627903223038));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.021510209888219833));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.03644208237528801));
        return S.FusedMultiplyAdd(p, t, S.Constant(0.27947208285331726));
    }

    // erf x = 1 − e^(−x g(x)), g = −ln(erfc x) / x: [0.99, 4.0], degree 6, relative error 2^−32.4 of erf; each coefficient was rounded before the next were fitted. From 4 on erf rounds to 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfAboveOne<S>(S x) where S : ILanes<S>
    {
        x = S.Bound(x, S.Constant(-1), S.Constant(4));
        S p = S.Constant(1.3658469470101409e-05);
        p = S.FusedMultiplyAdd(p, x, S.Constant(-0.0003474316035863012));
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.0037441584281623363));
        p = S.FusedMultiplyAdd(p, x, S.Constant(-0.023980801925063133));
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.10649546980857849));
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.6349918842315674));
        p = S.FusedMultiplyAdd(p, x, S.Constant(1.1286885738372803));
        var product = Pair<S>.Product(-x, p);
        return S.Constant(1) - Exp(product.Hi, product.Lo);
    }

    public static unsafe double Read(void* p, int i) => ((float*)p)[i];
    public static unsafe void Write(void* p, int i, double value) => ((float*)p)[i] = (float)value;
}
