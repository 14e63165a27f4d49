using System.Numerics;

namespace Flambeau.Models.Tokenizers;

/// <summary>Numbers distinct words 0, 1, 2, … in the order of their first sight. The hash is the runtime's seeded one, so no chosen text can make it slow.</summary>
internal sealed class WordTable
{
    private char[] characters = new char[1 << 12];
    private Entry[] entries = new Entry[1 << 9];
    private int[] slots = new int[1 << 10]; // index of a word + 1; 0 is free
    private int used;

    /// <summary>How many words are numbered.</summary>
    public int Count { get; private set; }

    /// <summary>The word numbered <paramref name="index"/>; valid until the next <see cref="Add"/>.</summary>
    public ReadOnlySpan<char> this[int index] => characters.AsSpan(entries[index].Start, entries[index].Length);

    /// <summary>The number of a word, a new one (then equal to the former <see cref="Count"/>) where it was not seen.</summary>
    public int Add(ReadOnlySpan<char> word)
    {
        var hash = string.GetHashCode(word);
        var slot = hash & (slots.Length - 1);
        for (; slots[slot] != 0; slot = (slot + 1) & (slots.Length - 1))
        {
            var index = slots[slot] - 1;
            if (entries[index].Hash == hash && this[index].SequenceEqual(word))
                return index;
        }
        return Append(word, hash, slot);
    }

    private int Append(ReadOnlySpan<char> word, int hash, int slot)
    {
        if (Count == entries.Length)
        {
            Grow();
            slot = FreeSlot(hash);
        }
        if (characters.Length - used < word.Length)
            Array.Resize(ref characters, checked((int)BitOperations.RoundUpToPowerOf2((uint)(used + word.Length))));
        word.CopyTo(characters.AsSpan(used));
        entries[Count] = new Entry(hash, used, word.Length);
        used += word.Length;
        slots[slot] = ++Count;
        return Count - 1;
    }

    private void Grow()
    {
        Array.Resize(ref entries, entries.Length * 2);
        slots = new int[slots.Length * 2];
        for (var index = 0; index < Count; index++)
            slots[FreeSlot(entries[index].Hash)] = index + 1;
    }

    private int FreeSlot(int hash)
    {
        var slot = hash & (slots.Length - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slots.Length - 1);
        return slot;
    }

    private readonly record struct Entry(int Hash, int Start, int Length);
}
