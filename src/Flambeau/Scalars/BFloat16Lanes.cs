using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Scalars;

/// <summary>bfloat16 in memory, float32 lanes in registers: a number is the upper half of its float32's bits.</summary>
internal static unsafe class BFloat16Lanes
{
    const long UpperHalf = 0xFFFF0000;

    /// <summary>The nearest bfloat16, the even one of two, as float32; NaN is made quiet. As <see cref="Conversion"/> rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Round<S>(S x) where S : ILanes<S>
    {
        var rounded = S.AddBits(S.AddBits(x, S.FromBits(0x7FFF)), S.And(S.ShiftRightBits(x, 16), S.FromBits(1)));
        return S.And(S.Select(S.Equal(x, x), rounded, S.Or(x, S.FromBits(0x400000))), S.FromBits(UpperHalf));
    }

    /// <summary>Writes the upper halves of as many numbers as there are lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<S>(S x, ushort* to) where S : ILanes<S>
    {
        if (typeof(S) == typeof(Lanes512<float>))
        {
            var halves = Unsafe.BitCast<S, Vector512<uint>>(x) >> 16;
            (Avx512F.IsSupported ? Avx512F.ConvertToVector256UInt16(halves) : Vector256.Narrow(halves.GetLower(), halves.GetUpper())).Store(to);
        }
        else if (typeof(S) == typeof(Lanes256<float>))
        {
            var halves = Unsafe.BitCast<S, Vector256<uint>>(x) >> 16;
            Vector128.Narrow(halves.GetLower(), halves.GetUpper()).Store(to);
        }
        else
        {
            var halves = Unsafe.BitCast<S, Vector128<uint>>(x) >> 16;
            Vector128.Narrow(halves, halves).GetLower().Store(to);
        }
    }

    /// <summary>Reads as many.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Load<S>(ushort* from) where S : ILanes<S>
    {
        if (typeof(S) == typeof(Lanes512<float>))
        {
            var halves = Vector256.Load(from);
            var wide = Avx512F.IsSupported ? Avx512F.ConvertToVector512UInt32(halves) : Vector512.Create(Vector256.WidenLower(halves), Vector256.WidenUpper(halves));
            return Unsafe.BitCast<Vector512<uint>, S>(wide << 16);
        }
        if (typeof(S) == typeof(Lanes256<float>))
        {
            var halves = Vector128.Load(from);
            return Unsafe.BitCast<Vector256<uint>, S>(Vector256.Create(Vector128.WidenLower(halves), Vector128.WidenUpper(halves)) << 16);
        }
        return Unsafe.BitCast<Vector128<uint>, S>(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)from).AsUInt16()) << 16);
    }
}
