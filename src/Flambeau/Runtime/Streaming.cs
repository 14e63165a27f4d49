using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Runtime;

/// <summary>Copies and results past the caches, of what no cache holds until it is read again: an ordinary store would first fetch the line that it overwrites.</summary>
internal static unsafe class Streaming
{
    const int Line = 64;

    /// <summary>Bytes from which on it pays: tests set it.</summary>
    public static long Least { get; set; } = Processor.L3 / 2;

    /// <summary>True if it pays for so many bytes.</summary>
    public static bool Suits(long bytes) => bytes >= Least && Vector128.IsHardwareAccelerated;

    /// <summary>Copies; the areas do not overlap. <see cref="End"/> follows before another thread may read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Copy(byte* from, byte* to, long bytes)
    {
        long head = Math.Min(bytes, -(nint)to & (Line - 1));
        if (head > 0)
        {
            Unsafe.CopyBlockUnaligned(to, from, (uint)head);
            from += head;
            to += head;
            bytes -= head;
        }
        for (; bytes >= Line; from += Line, to += Line, bytes -= Line)
        {
            if (Vector512.IsHardwareAccelerated) Vector512.StoreAlignedNonTemporal(Vector512.Load(from), to);
            else if (Vector256.IsHardwareAccelerated)
            {
                Vector256<byte> a = Vector256.Load(from), b = Vector256.Load(from + 32);
                Vector256.StoreAlignedNonTemporal(a, to);
                Vector256.StoreAlignedNonTemporal(b, to + 32);
            }
            else
            {
                Vector128<byte> a = Vector128.Load(from), b = Vector128.Load(from + 16), c = Vector128.Load(from + 32), d = Vector128.Load(from + 48);
                Vector128.StoreAlignedNonTemporal(a, to);
                Vector128.StoreAlignedNonTemporal(b, to + 16);
                Vector128.StoreAlignedNonTemporal(c, to + 32);
                Vector128.StoreAlignedNonTemporal(d, to + 48);
            }
        }
        if (bytes > 0) Unsafe.CopyBlockUnaligned(to, from, (uint)bytes);
    }

    /// <summary>What this thread has written so is there for others to read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End()
    {
        if (Sse.IsSupported) Sse.StoreFence();
    }
}
