using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

internal static class Saturation
{
    /// <summary>A constant as a whole number of the width of <typeparamref name="T"/>; beyond the range, ±∞ included, the nearest end: the identity of a maximum is the least value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long ToInteger<T>(double value) where T : unmanaged =>
        Unsafe.SizeOf<T>() == 4 ? value <= int.MinValue ? int.MinValue : value >= int.MaxValue ? int.MaxValue : (long)value
        : value <= long.MinValue ? long.MinValue : value >= long.MaxValue ? long.MaxValue : (long)value;
}
