using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>Between elements of 16 bits and the float32 that products add up in; bytes and int32.</summary>
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

    /// <summary>True if a number for each column is to be taken off the sums (<see cref="Packing.PackRows"/>): a row of 128s times B.</summary>
    public static bool IsShifted => typeof(S) == typeof(sbyte);

    /// <summary>
    /// The finished sums of a tile, rounded once: C[h × w], to nearest even; of bytes, less <paramref name="shift"/>. A row of sums has room for whole vectors.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(T* sums, nint row, int h, int w, void* result, nint cRow, T* shift = null)
    {
        if (typeof(T) == typeof(int))
        {
            PutIntegers((int*)sums, row, h, w, (int*)result, cRow, (int*)shift);
            return;
        }
        S* c = (S*)result;
        ushort* ragged = stackalloc ushort[16];
        for (int r = 0; r < h; r++, sums += row, c += cRow)
        {
            int q = 0;
            if (typeof(S) == typeof(BFloat16) && Avx512F.IsSupported)
            {
                for (; q + 16 <= w; q += 16) UpperHalf(Vector512.Load((float*)sums + q)).Store((ushort*)(c + q));
                if (q == w) continue;
                UpperHalf(Vector512.Load((float*)sums + q)).Store(ragged);
                for (int l = 0; q < w; l++, q++) ((ushort*)c)[q] = ragged[l];
            }
            else Conversion.Run(DType.Float32, sums, Stored, c, w);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void PutIntegers(int* sums, nint row, int h, int w, int* c, nint cRow, int* shift)
    {
        for (int r = 0; r < h; r++, sums += row, c += cRow)
        {
            int q = 0;
            for (; q + 8 <= w; q += 8)
            {
                var x = Vector256.Load(sums + q);
                (IsShifted ? x - Vector256.Load(shift + q) : x).Store(c + q);
            }
            for (; q < w; q++) c[q] = IsShifted ? sums[q] - shift[q] : sums[q];
        }
    }

    // as the operator of BFloat16: to nearest even, NaN made quiet
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<ushort> UpperHalf(Vector512<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = bits + Vector512.Create(0x7FFFu) + ((bits >> 16) & Vector512<uint>.One);
        return Avx512F.ConvertToVector256UInt16(Vector512.ConditionalSelect(Vector512.Equals(x, x).AsUInt32(), rounded, bits | Vector512.Create(0x400000u)) >> 16);
    }
}
