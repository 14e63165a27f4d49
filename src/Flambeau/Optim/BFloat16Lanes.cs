using System.Runtime.CompilerServices;
using Flambeau.Compile.Emit;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>bfloat16 in memory, float32 lanes in registers: a number is the upper half of its float32's bits.</summary>
internal static unsafe class BFloat16Lanes
{
    const long UpperHalf = 0xFFFF0000;

    /// <summary>Reads as many numbers as there are lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Load<L>(byte* p) where L : struct, ILanes<L> => L.ShiftLeftBits(Words<L>(p), 16);

    /// <summary>The nearest bfloat16, the even one of two, as float32; NaN is made quiet. As <see cref="Conversion"/> rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Round<L>(L x) where L : struct, ILanes<L>
    {
        var rounded = L.AddBits(L.AddBits(x, L.FromBits(0x7FFF)), L.And(L.ShiftRightBits(x, 16), L.FromBits(1)));
        return L.And(L.Select(L.Equal(x, x), rounded, L.Or(x, L.FromBits(0x400000))), L.FromBits(UpperHalf));
    }

    /// <summary>Writes rounded numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<L>(L rounded, byte* p) where L : struct, ILanes<L>
    {
        var words = L.ShiftRightBits(rounded, 16);
        if (typeof(L) == typeof(Lanes512<float>)) LaneMemory.StoreWords16(Unsafe.BitCast<L, Lanes512<int>>(words).V, p);
        else if (typeof(L) == typeof(Lanes256<float>)) LaneMemory.StoreWords8(Unsafe.BitCast<L, Lanes256<int>>(words).V, p);
        else if (typeof(L) == typeof(Lanes128<float>)) LaneMemory.StoreWords4(Unsafe.BitCast<L, Lanes128<int>>(words).V, p);
        else throw new NotSupportedException($"{typeof(L)} are no float32 lanes");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static L Words<L>(byte* p) where L : struct, ILanes<L> =>
        typeof(L) == typeof(Lanes512<float>) ? Unsafe.BitCast<Lanes512<int>, L>(new(LaneMemory.Words16(p)))
        : typeof(L) == typeof(Lanes256<float>) ? Unsafe.BitCast<Lanes256<int>, L>(new(LaneMemory.Words8(p)))
        : typeof(L) == typeof(Lanes128<float>) ? Unsafe.BitCast<Lanes128<int>, L>(new(LaneMemory.Words4(p)))
        : throw new NotSupportedException($"{typeof(L)} are no float32 lanes");
}
