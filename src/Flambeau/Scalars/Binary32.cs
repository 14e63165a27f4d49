using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>IEEE 754 binary32, float. Every polynomial is a minimax fit in Horner's form.</summary>
internal readonly struct Binary32 : IPrecision
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
    public static double ErfcCentre => 2;

    // [-0.34761, 0.34761], degree 4, relative error 2^−28.25 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ExpTail<S>(S r) where S : ILanes<S>
    {
        S p = S.Constant(0.0013814172707498074);
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.008368921466171741));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.04166840761899948));
        p = S.FusedMultiplyAdd(p, r, S.Constant(0.1666651964187622));
        return S.FusedMultiplyAdd(p, r, S.Constant(0.4999999403953552));
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

    // [0.0, 1.0], degree 8, relative error 2^−28.53 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S AtanTail<S>(S z) where S : ILanes<S>
    {
        S p = S.Constant(-0.0017936237854883075);
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.010914617218077183));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.03117787092924118));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.05795762315392494));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.0840345248579979));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.10952186584472656));
        p = S.FusedMultiplyAdd(p, z, S.Constant(-0.14264242351055145));
        p = S.FusedMultiplyAdd(p, z, S.Constant(0.19998548924922943));
        return S.FusedMultiplyAdd(p, z, S.Constant(-0.33333298563957214));
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

    // [-1.0, 0.86395], degree 26, relative error 2^−58.61 of the function built on it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfcScaled<S>(S t) where S : ILanes<S>
    {
        S p = S.Constant(1.1083506418473596e-09);
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.94730879443364e-10));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.3275303297292572e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.6732545010151047e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(4.50584635430878e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.1768266699447428e-07));
        p = S.FusedMultiplyAdd(p, t, S.Constant(1.2347413378308178e-08));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-3.2928902512013867e-07));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-5.832075976651961e-07));
        p = S.FusedMultiplyAdd(p, t, S.Constant(4.114124153615071e-09));
        p = S.FusedMultiplyAdd(p, t, S.Constant(2.008008570632367e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(3.6431680867917257e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.127733353746805e-06));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-1.612074071251159e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-2.1695645856724318e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(3.414884518217409e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.0001444706359951483));
        p = S.FusedMultiplyAdd(p, t, S.Constant(3.4371447367730724e-05));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.0006630734901852696));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.0008372960639178678));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.003090612057961146));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.0064791850678337015));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.021510661889435092));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.036442231506881737));
        p = S.FusedMultiplyAdd(p, t, S.Constant(0.27947209255605393));
        p = S.FusedMultiplyAdd(p, t, S.Constant(-0.6871606844138106));
        return S.FusedMultiplyAdd(p, t, S.Constant(1.021582705242023));
    }

    // erf x = 1 − e^(−x g(x)), g = −ln(erfc x) / x: [0.99, 4.0], degree 5, relative error 2^−28.54 of erf. From 4 on erf rounds to 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S ErfAboveOne<S>(S x) where S : ILanes<S>
    {
        S four = S.Constant(4);
        x = S.Select(x > four, four, x);
        S p = S.Constant(-0.00021113544062245637);
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.003191122319549322));
        p = S.FusedMultiplyAdd(p, x, S.Constant(-0.022812284529209137));
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.10513846576213837));
        p = S.FusedMultiplyAdd(p, x, S.Constant(0.6358138918876648));
        p = S.FusedMultiplyAdd(p, x, S.Constant(1.1284854412078857));
        return S.Constant(1) - Elementary<Binary32>.Exp(-(x * p));
    }

    public static unsafe double Read(void* p, int i) => ((float*)p)[i];
    public static unsafe void Write(void* p, int i, double value) => ((float*)p)[i] = (float)value;
}
