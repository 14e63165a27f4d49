using System.Diagnostics;
using System.Numerics;

namespace Flambeau.Models.Tokenizers;

/// <summary>
/// Numbers pairs of token ids 0, 1, 2, … in the order of their first sight. Open addressing with Fibonacci hashing, since the runtime's hash of a packed pair is <c>left ^ right</c>,
/// under which <c>(a, b)</c> and <c>(b, a)</c> and all doubles collide.
/// </summary>
internal sealed class PairTable
{
    private ulong[] pairs;
    private int[] slots; // index of a pair + 1; 0 is free
    private int shift;

    public PairTable(int capacity)
    {
        pairs = new ulong[Math.Max(capacity, 8)];
        var slotCount = BitOperations.RoundUpToPowerOf2((uint)pairs.Length * 2);
        slots = new int[slotCount];
        shift = 64 - BitOperations.Log2(slotCount);
    }

    /// <summary>How many pairs are numbered.</summary>
    public int Count { get; private set; }

    /// <summary>The pair numbered <paramref name="index"/>.</summary>
    public (int Left, int Right) this[int index] => ((int)(pairs[index] >> 32), (int)(uint)pairs[index]);

    /// <summary>The number of a pair, or −1.</summary>
    public int Find(int left, int right) => slots[SlotOf(Pack(left, right))] - 1;

    /// <summary>The number of a pair, a new one where it was not seen.</summary>
    public int Add(int left, int right)
    {
        var pair = Pack(left, right);
        var slot = SlotOf(pair);
        if (slots[slot] == 0)
        {
            if (Count == pairs.Length)
            {
                Grow();
                slot = SlotOf(pair);
            }
            pairs[Count] = pair;
            slots[slot] = ++Count;
        }
        return slots[slot] - 1;
    }

    private static ulong Pack(int left, int right)
    {
        Debug.Assert(left >= 0 && right >= 0, "ids are not negative");
        return ((ulong)(uint)left << 32) | (uint)right;
    }

    private int SlotOf(ulong pair)
    {
        var slot = (int)((pair * 0x9E3779B97F4A7C15UL) >> shift);
        while (slots[slot] != 0 && pairs[slots[slot] - 1] != pair)
            slot = (slot + 1) & (slots.Length - 1);
        return slot;
    }

    private void Grow()
    {
        Array.Resize(ref pairs, pairs.Length * 2);
        slots = new int[slots.Length * 2];
        shift--;
        for (var index = 0; index < Count; index++)
            slots[SlotOf(pairs[index])] = index + 1;
    }
}
