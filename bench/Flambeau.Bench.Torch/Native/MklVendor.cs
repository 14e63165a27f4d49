using System.Runtime.InteropServices;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// Lets MKL choose its kernels by what the processor can do. MKL asks who made it first, and gives others than Intel a slower
/// selection: on Zen 5 the AVX2 kernels in place of the AVX-512 ones. This answers "Intel".
/// </summary>
internal static unsafe class MklVendor
{
    private const int ReadWrite = 0x1 | 0x2, ReadExecute = 0x1 | 0x4;

    // mov eax, 1; ret
    private static ReadOnlySpan<byte> ReturnOne => [0xB8, 1, 0, 0, 0, 0xC3];

    /// <summary>
    /// Overwrites MKL's two vendor checks, in this process's memory only, by functions that return 1. Call before the first
    /// product: MKL asks once and remembers.
    /// </summary>
    public static void SayIntel()
    {
        foreach (var name in (string[])["mkl_serv_intel_cpu_true", "mkl_serv_intel_cpu"])
            Overwrite(TorchLibrary.Function(name), ReturnOne);
    }

    private static void Overwrite(nint function, ReadOnlySpan<byte> code)
    {
        // The mapping is private: writing copies the pages, the file keeps its bytes.
        nint page = Environment.SystemPageSize, start = function & -page;
        var length = ((function + code.Length + page - 1) & -page) - start;
        Protect(start, length, ReadWrite);
        code.CopyTo(new Span<byte>((void*)function, code.Length));
        Protect(start, length, ReadExecute);
    }

    private static void Protect(nint start, nint length, int protection)
    {
        if (mprotect(start, length, protection) != 0)
            throw new InvalidOperationException(
                $"MKL's vendor check cannot be replaced: mprotect of {length} bytes to {protection} failed with error {Marshal.GetLastPInvokeError()}. Leave this face out.");
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int mprotect(nint start, nint length, int protection);
}
