using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Optim;

/// <summary>Whether numbers are finite, read off their bits: infinities and NaN have all bits of the exponent set.</summary>
internal static unsafe class Finite
{
    /// <summary>True if none of <paramref name="n"/> numbers is infinite or NaN.</summary>
    public static bool All(DType type, byte* x, long n) => type switch
    {
        DType.Float64 => AllBits((ulong*)x, n, 0x7FF0_0000_0000_0000ul),
        DType.Float32 => AllBits((uint*)x, n, 0x7F80_0000u),
        DType.BFloat16 => AllBits((ushort*)x, n, (ushort)0x7F80),
        _ => AllBits((ushort*)x, n, (ushort)0x7C00),
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static bool AllBits<T>(T* x, long n, T exponent) where T : unmanaged, IBinaryInteger<T>
    {
        Vector256<T> mask = Vector256.Create(exponent), found = Vector256<T>.Zero;
        long i = 0;
        for (; i + Vector256<T>.Count <= n; i += Vector256<T>.Count) found |= Vector256.Equals(Vector256.Load(x + i) & mask, mask);
        if (found != Vector256<T>.Zero) return false;
        for (; i < n; i++) if ((x[i] & exponent) == exponent) return false;
        return true;
    }
}
