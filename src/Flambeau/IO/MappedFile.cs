using System.IO.MemoryMappedFiles;

namespace Flambeau.IO;

/// <summary>
/// A file's bytes as memory, read from the disk when touched. Private and copy-on-write: writes change this process's copy, never the file. Unmapped when nobody refers to it.
/// </summary>
internal sealed unsafe class MappedFile
{
    readonly MemoryMappedFile _file;
    readonly MemoryMappedViewAccessor _view;

    /// <summary>Maps the whole file, which must not be empty.</summary>
    public MappedFile(FileStream stream)
    {
        Length = stream.Length;
        _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.CopyOnWrite, HandleInheritability.None, leaveOpen: false);
        _view = _file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite);
        byte* pointer = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        Pointer = pointer + _view.PointerOffset;
    }

    /// <summary>The first byte.</summary>
    public byte* Pointer { get; }
    /// <summary>Bytes.</summary>
    public long Length { get; }

    ~MappedFile()
    {
        if (_view is null) return;
        if (Pointer != null) _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
