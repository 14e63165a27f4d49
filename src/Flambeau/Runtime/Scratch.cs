using System.Runtime.InteropServices;

namespace Flambeau.Runtime;

/// <summary>
/// Native buffers a thread reuses from call to call: grown, never freed before the thread ends. A buffer's contents are undefined at entry and last until the next
/// request for the same slot on the same thread, so a kernel names its slots and calls nothing that shares them.
/// </summary>
internal sealed unsafe class Scratch
{
    /// <summary>How many buffers a thread may hold at once.</summary>
    public const int Slots = 11;
    /// <summary>The slot of elementwise tiles; products use the first ones and the last three.</summary>
    public const int Elementwise = 7;
    /// <summary>The slot of an expression's intermediate tiles, read inside an elementwise loop.</summary>
    public const int Expression = 6;
    /// <summary>The slot of reductions.</summary>
    public const int Reduction = 5;
    /// <summary>The slot of the rows that a fused composite holds.</summary>
    public const int Rows = 4;
    /// <summary>The slot of what all rows of a fused composite share; the calling thread's.</summary>
    public const int Shared = 3;
    /// <summary>The slot of what a group of rows shares; inside a pass there are no products.</summary>
    public const int Group = 2;

    [ThreadStatic] static Scratch? mine;

    readonly nint[] buffers = new nint[Slots];
    readonly nuint[] sizes = new nuint[Slots];

    /// <summary>At least <paramref name="bytes"/> bytes, aligned to 64. Slots start at different offsets of a page so that equal offsets do not fight over cache sets.</summary>
    public static void* Rent(int slot, long bytes)
    {
        var scratch = mine ??= new Scratch();
        return scratch.sizes[slot] >= (nuint)bytes ? (void*)(scratch.buffers[slot] + Offset(slot)) : scratch.Grow(slot, (nuint)bytes);
    }

    static nint Offset(int slot) => slot * 448;

    void* Grow(int slot, nuint bytes)
    {
        nuint size = Math.Max(bytes, sizes[slot] + sizes[slot] / 2);
        NativeMemory.AlignedFree((void*)buffers[slot]);
        sizes[slot] = 0;
        buffers[slot] = 0;
        buffers[slot] = (nint)NativeMemory.AlignedAlloc(size + (nuint)Offset(slot), 4096);
        sizes[slot] = size;
        return (void*)(buffers[slot] + Offset(slot));
    }

    ~Scratch()
    {
        foreach (nint buffer in buffers) NativeMemory.AlignedFree((void*)buffer);
    }
}
