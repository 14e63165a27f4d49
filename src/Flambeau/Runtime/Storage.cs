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

    object? _memory; // an array of primitives, of which only the data reference is used, or a NativeBlock; null once given back

    /// <summary>Counts in-place writes: a saved tensor whose version moved is not what was saved.</summary>
    public int Version;

    // Who needs it: exact and guarded by the pool's lock for pooled storage. For managed memory whether there were one, two or more handles, and how often it is saved, or Never.
    internal int Handles, Tape;
    const int Never = int.MinValue; // others may have seen it or save it: the collector's
    bool _isAbandoned;
    internal readonly int SizeClass = -1;

    Storage(object memory, int handles) => (_memory, Handles) = (memory, handles);

    /// <summary>Over an array that the program holds too.</summary>
    public Storage(Array array) : this(array, handles: 1) { }

    /// <summary>Over memory of another owner, which is kept alive and frees it in its own finalizer.</summary>
    public Storage(void* memory, object owner) : this(new NativeBlock((byte*)memory, owner), handles: 1) { }

    /// <summary>Over a block of the pool.</summary>
    internal Storage(void* block, int sizeClass) : this(new NativeBlock((byte*)block, null), handles: 0) => SizeClass = sizeClass;

    sealed class NativeBlock(byte* start, object? owner)
    {
        public byte* Start { get; } = start;
        public object? Owner { get; } = owner;
    }

    /// <summary>True if <see cref="StoragePool"/> counts who needs the memory.</summary>
    public bool IsPooled => SizeClass >= 0;
    public bool IsReleased => _memory is null;
    /// <summary>Of pooled storage: the size of its block.</summary>
    public long Bytes => StoragePool.BytesOf(SizeClass);

    /// <summary>A new storage of unspecified content.</summary>
    public static Storage Allocate(long bytes) =>
        bytes <= ManagedLimit ? new(SpareArrays.Take((int)Math.Max(bytes, 8)), handles: 0) : StoragePool.Lease(bytes);

    /// <summary>Lets <c>fixed (byte* p = storage)</c> pin managed memory; native memory never moves.</summary>
    public ref byte GetPinnableReference()
    {
        var memory = _memory;
        if (memory is NativeBlock block) return ref *block.Start;
        if (memory is null) throw new ObjectDisposedException("Tensor", "The tensor's memory was given back by Dispose. Clone what must outlive it.");
        return ref MemoryMarshal.GetArrayDataReference(Unsafe.As<byte[]>(memory));
    }

    /// <summary>Takes a pooled block out; null if it was taken before.</summary>
    internal byte* TakeBlock()
    {
        var block = (NativeBlock?)_memory;
        _memory = null;
        return block is null ? null : block.Start;
    }

    // Of managed memory, without a lock. What is known is not written again: callers that share a weight would pass its cache line back and forth.
    internal int CountHandle() => Handles < 3 ? ++Handles : Handles;

    /// <summary>Of managed memory: whoever may need it, on any thread, it is the collector's.</summary>
    internal void NeverReuse()
    {
        if (!IsPooled && Tape != Never) Tape = Never;
    }

    /// <summary>Of managed memory that one thread's operator made: the tape saves it.</summary>
    internal void Save()
    {
        if (Tape >= 0) Tape++;
    }

    /// <summary>A saved tensor is consumed.</summary>
    internal void Unsave()
    {
        if (!IsPooled && Tape > 0 && --Tape == 0 && _isAbandoned) Recycle();
    }

    /// <summary>The only handle is dead and nobody else has seen it: the memory goes back, now or when the tape is through with it.</summary>
    internal void Abandon()
    {
        _isAbandoned = true;
        Recycle();
    }

    /// <summary>Of two handles that there ever were to managed memory, one is dead: true if that leaves the other alone.</summary>
    internal bool LoseOneOfTwo()
    {
        if (IsPooled || Handles != 2 || Tape != 0) return false;
        Handles = 1;
        return true;
    }

    internal bool IsWorthRecycling => _memory is byte[] { Length: >= SpareArrays.Shortest };

    /// <summary>Gives a managed array back that one dead handle alone referred to; what others may see stays.</summary>
    internal void Recycle()
    {
        if (IsPooled || Handles != 1 || Tape != 0 || _memory is not byte[] array) return;
        _memory = null;
        SpareArrays.Give(array);
    }
}
