using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Flambeau.Bench.Torch;

/// <summary>Standard output, kept for replies alone.</summary>
internal static class ProtocolStream
{
    /// <summary>
    /// Takes standard output away from everybody else: whatever a native library or the console prints from now on goes to standard
    /// error, so that it cannot fall between two replies.
    /// </summary>
    public static StreamWriter Take()
    {
        var own = dup(1);
        if (own < 0 || dup2(2, 1) < 0) throw new IOException($"Standard output cannot be redirected (error {Marshal.GetLastPInvokeError()}).");
        return new StreamWriter(new FileStream(new SafeFileHandle(own, ownsHandle: true), FileAccess.Write)) { AutoFlush = true };
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int dup(int descriptor);

    [DllImport("libc", SetLastError = true)]
    private static extern int dup2(int descriptor, int onto);
}
