using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>Between elements of 16 bits and the float32 that products add up in.</summary>
internal static unsafe class Narrow<S, T> where S : unmanaged where T : unmanaged
{
    static DType Stored => typeof(S) == typeof(BFloat16) ? DType.BFloat16 : DType.Float16;

    /// <summary>Exact: so many elements, <paramref name="stride"/> apart, side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(S* source, long stride, T* target, long n)
    {
        if (stride == 1) Conversion.Run(Stored, source, DType.Float32, target, n);
        else
            for (long i = 0; i < n; i++) ((float*)target)[i] = (float)*(Half*)(source + i * stride);
    }

    /// <summary>The finished sums of a tile, rounded once: C[h × w], to nearest even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(T* sums, nint row, int h, int w, S* c, nint cRow)
    {
        for (int r = 0; r < h; r++, sums += row, c += cRow)
        {
            int q = 0;
            if (typeof(S) == typeof(BFloat16) && Vector512.IsHardwareAccelerated)
                for (; q + 32 <= w; q += 32)
                    Vector512.Narrow(UpperHalf(Vector512.Load((float*)sums + q)), UpperHalf(Vector512.Load((float*)sums + q + 16))).Store((ushort*)(c + q));
            if (q < w) Conversion.Run(DType.Float32, sums + q, Stored, c + q, w - q);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> UpperHalf(Vector512<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One)) >> 16;
        return Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, (bits >> 16) | Vector512.Create(0x40u));
    }
}
