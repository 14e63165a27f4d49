using System.Runtime.InteropServices;

namespace Flambeau.Runtime;

/// <summary>
/// Large blocks ask Linux for pages of 2 MB, which it gives on request where transparent huge pages are set to <c>madvise</c>: a stream over 128 MB crosses 64 pages instead of 32,768. Elsewhere nothing happens.
/// </summary>
internal static unsafe partial class HugePages
{
    /// <summary>Bytes of a huge page, and the alignment of what asks for them.</summary>
    public const int Size = 2 << 20;

    const int Advice = 14; // MADV_HUGEPAGE of madvise(2)
    static bool s_isKnown = OperatingSystem.IsLinux();

    /// <summary>True if blocks of so many bytes ask.</summary>
    public static bool Suit(long bytes) => bytes >= 2 * Size;

    /// <summary>Asks. A refusal costs nothing but speed.</summary>
    public static void Ask(nint start, nuint bytes)
    {
        if (!s_isKnown) return;
        try { _ = Advise(start, bytes, Advice); }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException) { s_isKnown = false; }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint start, nuint bytes, int advice);
}
