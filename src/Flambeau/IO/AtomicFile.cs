using System.Runtime.InteropServices;

namespace Flambeau.IO;

/// <summary>
/// Writes a file whole or not at all: into a temporary file beside it, flushed to the disk, then renamed over the target, and the folder's entry flushed too.
/// Whenever the process or the machine stops, the path holds the complete old or the complete new content.
/// </summary>
/// <remarks>The temporary file is the path with <c>.tmp</c> appended. What a killed process left there is overwritten by the next write.</remarks>
public static partial class AtomicFile
{
    /// <summary>Called before each operation on the file system with its name (create, write, flush, rename, flush folder) and path: tests stop the process at every one.</summary>
    internal static Action<string>? BeforeOperation { get; set; }

    /// <summary>Replaces the content of <paramref name="path"/> by what <paramref name="write"/> writes.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="write">Writes the content. If it throws, the old content stays.</param>
    /// <exception cref="IOException">The folder is missing, another writer is at work, or the disk is full. The old content stays.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path), temporary = full + ".tmp";
        Announce("create", temporary);
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
        {
            try
            {
                Announce("write", temporary);
                write(stream);
                stream.Flush();
                Announce("flush", temporary);
                stream.Flush(flushToDisk: true);
            }
            catch
            {
                stream.Dispose();
                File.Delete(temporary);
                throw;
            }
        }
        Announce("rename", full);
        File.Move(temporary, full, overwrite: true);
        FlushFolder(Path.GetDirectoryName(full)!);
    }

    /// <summary>Replaces the content of <paramref name="path"/> by bytes.</summary>
    public static void WriteBytes(string path, ReadOnlyMemory<byte> content) => Write(path, stream => stream.Write(content.Span));

    /// <summary>Replaces the content of <paramref name="path"/> by text in UTF-8.</summary>
    public static void WriteText(string path, string content) => WriteBytes(path, System.Text.Encoding.UTF8.GetBytes(content));

    static void Announce(string operation, string path) => BeforeOperation?.Invoke($"{operation} {path}");

    /// <summary>Makes the entries of a folder durable: after a rename the name itself must reach the disk. Windows does so by itself.</summary>
    internal static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        Announce("flush folder", folder);
        int handle = Open(folder, 0);
        if (handle < 0) throw new IOException($"AtomicFile: cannot open the folder {folder} to flush it (error {Marshal.GetLastPInvokeError()}).");
        int result = Sync(handle), error = Marshal.GetLastPInvokeError();
        _ = Close(handle);
        // a file system that cannot flush folders says EINVAL: there is nothing to flush then
        const int InvalidArgument = 22;
        if (result != 0 && error != InvalidArgument) throw new IOException($"AtomicFile: the folder {folder} was not flushed to the disk (error {error}).");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int handle);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int handle);
}
