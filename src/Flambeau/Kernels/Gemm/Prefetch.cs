using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>Hints that memory will be read soon. Any address may be named; nothing faults. No effect where .NET offers none (Arm64).</summary>
internal static unsafe class Prefetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToL1(void* p)
    {
        if (Sse.IsSupported) Sse.Prefetch0(p);
    }

    /// <summary>The lines of a block of rows of vectors, a pitch apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToL1<T>(T* block, int rows, nint pitch, int vectors, int lanes) where T : unmanaged
    {
        for (int r = 0; r < rows; r++)
            for (int q = 0; q < vectors; q++) ToL1(block + r * pitch + q * lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToL2(void* p)
    {
        if (Sse.IsSupported) Sse.Prefetch1(p);
    }

    /// <summary>Rows of <paramref name="bytes"/> bytes each, <paramref name="pitch"/> bytes apart: hardware follows no strides beyond a page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RowsToL2(void* first, long rows, long pitch, long bytes)
    {
        byte* row = (byte*)first;
        for (long r = 0; r < rows; r++, row += pitch)
            for (long b = 0; b < bytes; b += 64) ToL2(row + b);
    }
}
