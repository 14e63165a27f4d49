using System.Runtime.InteropServices;

namespace Flambeau.Kernels;

/// <summary>Memory for machine code: written first, then readable and executable and never writable again. It is kept until the process ends.</summary>
internal static unsafe partial class ExecutableMemory
{
    /// <summary>Where the code lies now, or 0 where the system does not let memory become executable.</summary>
    public static nint Place(ReadOnlySpan<byte> code)
    {
        try { return OperatingSystem.IsWindows() ? Windows(code) : OperatingSystem.IsLinux() || OperatingSystem.IsMacOS() ? Posix(code) : 0; }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException) { return 0; }
    }

    // mmap(2), mprotect(2)
    const int Read = 1, Write = 2, Execute = 4, Private = 2;
    static int Anonymous => OperatingSystem.IsMacOS() ? 0x1000 : 0x20;

    static nint Posix(ReadOnlySpan<byte> code)
    {
        nint at = Map(0, (nuint)code.Length, Read | Write, Private | Anonymous, -1, 0);
        if (at == -1) return 0;
        code.CopyTo(new((void*)at, code.Length));
        if (Protect(at, (nuint)code.Length, Read | Execute) == 0) return at;
        _ = Unmap(at, (nuint)code.Length);
        return 0;
    }

    // VirtualAlloc, VirtualProtect, VirtualFree
    const uint CommitAndReserve = 0x3000, Release = 0x8000, ReadWrite = 4, ExecuteRead = 0x20;

    static nint Windows(ReadOnlySpan<byte> code)
    {
        nint at = VirtualAlloc(0, (nuint)code.Length, CommitAndReserve, ReadWrite);
        if (at == 0) return 0;
        code.CopyTo(new((void*)at, code.Length));
        if (VirtualProtect(at, (nuint)code.Length, ExecuteRead, out uint _) != 0) return at;
        _ = VirtualFree(at, 0, Release);
        return 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);
    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nuint bytes, int protection);
    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint bytes);
    [LibraryImport("kernel32")]
    private static partial nint VirtualAlloc(nint address, nuint bytes, uint kind, uint protection);
    [LibraryImport("kernel32")]
    private static partial int VirtualProtect(nint address, nuint bytes, uint protection, out uint before);
    [LibraryImport("kernel32")]
    private static partial int VirtualFree(nint address, nuint bytes, uint kind);
}
