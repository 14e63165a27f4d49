using System.Runtime.InteropServices;

namespace Flambeau.Models.Tokenizers;

/// <summary>The ids of words already merged, with the scratch for the next. Text repeats its words, so nearly every word costs one look-up. Not for two threads at once.</summary>
internal sealed class WordCache
{
    private const int MostWords = 1 << 17; // then it starts anew: some 10 MB
    private const int LongestWord = 64;

    private WordTable words = new();
    private readonly List<(int Start, int Count)> idsOf = []; // by word
    private readonly List<int> ids = [];
    private int[] symbols = [];
    private byte[] bytes = [];

    /// <summary>What merging works in.</summary>
    public MergeScratch Scratch { get; } = new();

    /// <summary>Room for <paramref name="length"/> symbols of the word at hand.</summary>
    public Span<int> Symbols(int length) => Room(ref symbols, length);

    /// <summary>Room for <paramref name="length"/> bytes of the word at hand.</summary>
    public Span<byte> Bytes(int length) => Room(ref bytes, length);

    /// <summary>Appends the ids of a kept word, or numbers it for <see cref="Keep"/>; <paramref name="place"/> is −1 for a word too long to keep.</summary>
    public bool TryAppend(ReadOnlySpan<char> word, List<int> to, out int place)
    {
        place = -1;
        if (word.Length > LongestWord)
            return false;
        if (words.Count == MostWords)
            Clear();
        var known = words.Count;
        place = words.Add(word);
        if (place == known)
            return false;
        var (start, count) = idsOf[place];
        to.AddRange(CollectionsMarshal.AsSpan(ids).Slice(start, count));
        return true;
    }

    /// <summary>Keeps the ids of the word that <see cref="TryAppend"/> just numbered.</summary>
    public void Keep(int place, ReadOnlySpan<int> wordIds)
    {
        if (place < 0)
            return;
        idsOf.Add((ids.Count, wordIds.Length));
        ids.AddRange(wordIds);
    }

    private void Clear()
    {
        words = new WordTable();
        idsOf.Clear();
        ids.Clear();
    }

    private static Span<T> Room<T>(ref T[] array, int length)
    {
        if (array.Length < length)
            array = new T[Math.Max(length, 256)];
        return array.AsSpan(0, length);
    }
}
