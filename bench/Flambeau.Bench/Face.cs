using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Flambeau.Bench;

/// <summary>
/// A way to run PyTorch. Its speed depends on settings few users know, so a comparison says which it is against.
/// </summary>
/// <param name="Name">Names the face by what it does.</param>
/// <param name="KeepsMemory">The C library keeps freed blocks mapped, so a fresh result does not fault in every page again.</param>
/// <param name="SaysIntel">MKL is told that the processor is Intel's, and chooses kernels by the instructions there are.</param>
internal sealed record Face(string Name, bool KeepsMemory, bool SaysIntel)
{
    // mallopt(3): never map a block for itself, never give the heap's top back, grow it in large steps, one heap for all threads.
    private const string Keep =
        "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=34359738368:glibc.malloc.top_pad=67108864:glibc.malloc.arena_max=1";

    /// <summary>As a user gets it, then each setting alone, then both.</summary>
    public static IReadOnlyList<Face> All { get; } =
    [
        new("shipped", KeepsMemory: false, SaysIntel: false),
        new("warm", KeepsMemory: true, SaysIntel: false),
        new("intel", KeepsMemory: false, SaysIntel: true),
        new("tuned", KeepsMemory: true, SaysIntel: true),
    ];

    public IEnumerable<KeyValuePair<string, string>> Environment => KeepsMemory ? [new("GLIBC_TUNABLES", Keep)] : [];
    public IEnumerable<string> Arguments => SaysIntel ? ["--intel"] : [];

    /// <summary>Why this face says nothing on this machine; null where it does.</summary>
    public string? WhyNot =>
        !OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64 ? "the peer runs on Linux on x64 only"
        : SaysIntel && Vendor() == "GenuineIntel" ? "the processor is Intel's already"
        : null;

    /// <summary>The processor's maker, as CPUID leaf 0 spells it in EBX, EDX, ECX.</summary>
    private static string Vendor()
    {
        if (!X86Base.IsSupported) return "";
        var (_, b, c, d) = X86Base.CpuId(0, 0);
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes<int>([b, d, c]));
    }
}
