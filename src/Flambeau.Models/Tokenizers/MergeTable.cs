namespace Flambeau.Models.Tokenizers;

/// <summary>The learned merges in order of rank, and the rule that applies them to a word: of all adjacent pairs the one of least rank, of equals the leftmost, until none is left (Sennrich et al. 2016).</summary>
internal sealed class MergeTable
{
    private readonly PairTable pairs;
    private readonly int[] merged; // by rank

    /// <summary>Merges <c>(left, right) → merged</c> in order of rank, no pair twice.</summary>
    public MergeTable(IReadOnlyList<Merge> merges)
    {
        pairs = new PairTable(merges.Count);
        merged = new int[merges.Count];
        for (var rank = 0; rank < merged.Length; rank++)
        {
            if (pairs.Add(merges[rank].Left, merges[rank].Right) != rank)
                throw new ArgumentException($"MergeTable: merge {rank} repeats an earlier pair ({merges[rank].Left}, {merges[rank].Right}); a pair has one rank.", nameof(merges));
            merged[rank] = merges[rank].Merged;
        }
    }

    /// <summary>How many merges there are.</summary>
    public int Count => merged.Length;

    /// <summary>The merge of one rank.</summary>
    public Merge this[int rank] => new(pairs[rank].Left, pairs[rank].Right, merged[rank]);

    /// <summary>Merges <paramref name="symbols"/> in place and returns how many are left, at its front. O(n log n) with the word's length.</summary>
    public int Apply(Span<int> symbols, MergeScratch scratch)
    {
        if (symbols.Length < 2)
            return symbols.Length;
        scratch.Link(symbols.Length);
        for (var at = 0; at + 1 < symbols.Length; at++)
            Offer(symbols, scratch, at, at + 1);

        while (scratch.Candidates.TryDequeue(out var at, out var priority))
        {
            // The pair offered may have been merged away since.
            var rank = (int)(priority >> 32);
            var right = scratch.Next[at];
            if (symbols[at] < 0 || right == symbols.Length || pairs.Find(symbols[at], symbols[right]) != rank)
                continue;
            symbols[at] = merged[rank];
            symbols[right] = -1;
            var after = scratch.Unlink(right);
            if (after < symbols.Length)
                Offer(symbols, scratch, at, after);
            if (scratch.Previous[at] is var before and >= 0)
                Offer(symbols, scratch, before, at);
        }
        return Compact(symbols);
    }

    private void Offer(Span<int> symbols, MergeScratch scratch, int left, int right)
    {
        var rank = pairs.Find(symbols[left], symbols[right]);
        if (rank >= 0)
            scratch.Candidates.Enqueue(left, ((ulong)(uint)rank << 32) | (uint)left);
    }

    private static int Compact(Span<int> symbols)
    {
        var count = 0;
        foreach (var symbol in symbols)
            if (symbol >= 0)
                symbols[count++] = symbol;
        return count;
    }
}

/// <summary>One merge: the ids of two tokens and of the token they become.</summary>
internal readonly record struct Merge(int Left, int Right, int Merged);

/// <summary>What <see cref="MergeTable.Apply"/> works in: a doubly linked list over the symbols of a word and the queue of pairs. Not for two threads at once.</summary>
internal sealed class MergeScratch
{
    private int end;

    /// <summary>The symbol after each, or the word's length.</summary>
    public int[] Next { get; private set; } = [];

    /// <summary>The symbol before each, or −1.</summary>
    public int[] Previous { get; private set; } = [];

    /// <summary>Left ends of pairs, least rank first, then least place.</summary>
    public PriorityQueue<int, ulong> Candidates { get; } = new();

    /// <summary>Links <paramref name="length"/> symbols in a row.</summary>
    public void Link(int length)
    {
        if (Next.Length < length)
        {
            Next = new int[length];
            Previous = new int[length];
        }
        for (var at = 0; at < length; at++)
            (Previous[at], Next[at]) = (at - 1, at + 1);
        end = length;
    }

    /// <summary>Takes one symbol out and returns the one after it.</summary>
    public int Unlink(int at)
    {
        var after = Next[at];
        Next[Previous[at]] = after;
        if (after < end)
            Previous[after] = Previous[at];
        return after;
    }
}
