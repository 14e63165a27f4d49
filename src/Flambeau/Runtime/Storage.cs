using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Flambeau.Runtime;

/// <summary>
/// The bytes behind tensors and their views. Small ones are managed arrays; large ones are leased from <see cref="StoragePool"/>, which counts who needs them:
/// handles (<c>Tensor</c> objects) and the tape. Wrapped memory belongs to its owner.
/// </summary>
internal sealed unsafe class Storage
{
    /// <summary>Up to here a managed array is cheaper than a counted native block (docs/design/memory.md).</summary>
    public const long ManagedLimit = 64 * 1024;

    readonly byte[]? _array; // any array of primitives: only its data reference is used
    byte* _native;
    readonly object? _owner; // keeps wrapped memory alive, and frees it in its own finalizer

    /// <summary>Counts in-place writes: a saved tensor whose version moved is not what was saved.</summary>
    public int Version;

    // who needs it: exact and guarded by the pool's lock for pooled storage; for managed memory counted up only, to know what was never shared
    internal int Handles, Tape;
    internal readonly int SizeClass = -1;

    /// <summary>Over an array that the program holds too.</summary>
    public Storage(Array array, long bytes) : this(Unsafe.As<byte[]>(array), bytes) => Handles = 1;

    Storage(byte[] array, long bytes) => (_array, Bytes) = (array, bytes);

    public Storage(void* memory, long bytes, object owner) { _native = (byte*)memory; Bytes = bytes; _owner = owner; Handles = 1; }

    internal Storage(void* block, long bytes, int sizeClass) { _native = (byte*)block; Bytes = bytes; SizeClass = sizeClass; }

    public long Bytes { get; }
    public bool IsPooled => SizeClass >= 0;
    public bool IsReleased => IsPooled && _native == null;

    /// <summary>A new storage of unspecified content.</summary>
    public static Storage Allocate(long bytes) =>
        bytes <= ManagedLimit ? new(GC.AllocateUninitializedArray<byte>((int)Math.Max(bytes, 8)), bytes) : StoragePool.Lease(bytes);

    /// <summary>Lets <c>fixed (byte* p = storage)</c> pin managed memory; native memory never moves.</summary>
    public ref byte GetPinnableReference()
    {
        if (_array is not null) return ref MemoryMarshal.GetArrayDataReference(_array);
        if (_native == null) throw new ObjectDisposedException("Tensor", "The tensor's memory was given back by Dispose. Clone what must outlive it.");
        return ref *_native;
    }

    internal byte* TakeBlock()
    {
        var block = _native;
        _native = null;
        return block;
    }
}
