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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToL2(void* p)
    {
        if (Sse.IsSupported) Sse.Prefetch1(p);
    }
}
