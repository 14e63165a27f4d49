using System.Runtime.InteropServices;

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
        // The stream holds a duplicate of descriptor 1, which survives what happens to 1 itself.
        var replies = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        if (dup2(2, 1) < 0) throw new IOException($"Standard output cannot be redirected (error {Marshal.GetLastPInvokeError()}).");
        return replies;
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int dup2(int descriptor, int onto);
}
