using System.Text;

namespace Flambeau.Models.Tokenizers;

/// <summary>
/// Learns byte-pair merges (Gage 1994; Sennrich et al. 2016) from counted words. The pair merged next is the adjacent pair that occurs most often; of equally frequent pairs the one whose left token has
/// the smaller id, then whose right token has. Learning stops early where no pair occurs twice.
/// </summary>
/// <remarks>
/// <para>All distinct words lie in one row of symbols, linked to their neighbours inside a word. Each pair keeps its weighted count and the list of its places, so a merge costs what it changes,
/// not what the words around it hold: one word of a megabyte is learned from as fast as a megabyte of words.</para>
/// <para>Counts fall as neighbours merge and the queue is not told; an entry that comes up too high is put back at its true count.</para>
/// </remarks>
internal sealed class BpeTrainer
{
    private const long LeastCount = 2;

    private readonly PairTable pairs = new(1 << 14);
    private readonly PriorityQueue<int, Priority> queue = new();
    private readonly Dictionary<string, int> ids = [];
    private readonly List<string> tokens = [];
    private readonly List<Merge> merges = [];
    private readonly HashSet<int> learnedPairs = [];
    private readonly List<int> grown = []; // pairs the current merge added places to

    private int[] symbols = [];   // −1: merged into a symbol on its left
    private int[] next = [];      // −1: none in this word
    private int[] previous = [];
    private int[] wordOf = [];
    private long[] weights = [];  // by word

    private long[] counts = new long[1 << 14]; // by pair
    private List<int>?[] places = new List<int>?[1 << 14];
    private int[] grownIn = new int[1 << 14];  // by pair, the pass that last added places
    private int pass = 1;

    /// <summary>The merges learned from <paramref name="words"/>, word <c>i</c> seen <c>counts[i]</c> times: at most so many that there are <paramref name="tokenCount"/> tokens, the 256 bytes included.</summary>
    public static IReadOnlyList<Merge> Learn(WordTable words, IReadOnlyList<long> counts, int tokenCount, IProgress<BpeProgress>? progress)
    {
        var trainer = new BpeTrainer();
        trainer.LayOut(words, counts);
        trainer.CountPairs();
        trainer.LearnMerges(tokenCount, progress);
        return trainer.merges;
    }

    private BpeTrainer()
    {
        for (var value = 0; value < 256; value++)
        {
            tokens.Add(ByteAlphabet.CharacterOf((byte)value).ToString());
            ids.Add(tokens[value], value);
        }
    }

    private void LayOut(WordTable words, IReadOnlyList<long> wordCounts)
    {
        var length = 0;
        for (var word = 0; word < words.Count; word++)
            length = checked(length + Encoding.UTF8.GetByteCount(words[word]));
        symbols = new int[length];
        next = new int[length];
        previous = new int[length];
        wordOf = new int[length];
        weights = new long[words.Count];

        var bytes = new byte[256];
        var at = 0;
        for (var word = 0; word < words.Count; word++)
        {
            weights[word] = wordCounts[word];
            var most = Encoding.UTF8.GetMaxByteCount(words[word].Length);
            if (bytes.Length < most)
                bytes = new byte[most];
            var count = Encoding.UTF8.GetBytes(words[word], bytes);
            for (var i = 0; i < count; i++, at++)
            {
                symbols[at] = bytes[i];
                wordOf[at] = word;
                previous[at] = i == 0 ? -1 : at - 1;
                next[at] = i == count - 1 ? -1 : at + 1;
            }
        }
    }

    private void CountPairs()
    {
        for (var at = 0; at < symbols.Length; at++)
            if (next[at] >= 0)
                AddPlace(at, next[at]);
        Announce();
    }

    private void LearnMerges(int tokenCount, IProgress<BpeProgress>? progress)
    {
        while (tokens.Count < tokenCount && queue.TryDequeue(out var pair, out var priority))
        {
            if (counts[pair] != priority.Count)
            {
                // A risen count was announced when it rose, so only a fallen one needs a new entry.
                if (counts[pair] < priority.Count && counts[pair] >= LeastCount)
                    queue.Enqueue(pair, PriorityOf(pair));
                continue;
            }
            MergeEverywhere(pair, TokenOf(pair));
            progress?.Report(new BpeProgress(tokens.Count, tokenCount));
        }
    }

    /// <summary>The id of the pair's merged token: an older one where another merge already spells it, since a vocabulary holds each spelling once.</summary>
    private int TokenOf(int pair)
    {
        var (left, right) = pairs[pair];
        var spelled = tokens[left] + tokens[right];
        if (!ids.TryGetValue(spelled, out var id))
        {
            id = tokens.Count;
            ids.Add(spelled, id);
            tokens.Add(spelled);
        }
        // A pair can come back once merged, when a later merge spells one of its sides again; its rank is the first.
        if (learnedPairs.Add(pair))
            merges.Add(new Merge(left, right, id));
        return id;
    }

    private void MergeEverywhere(int pair, int id)
    {
        var (left, right) = pairs[pair];
        var at = places[pair]!;
        places[pair] = null;
        // Places of a double overlap (aaa): like the encoder, from the left.
        if (left == right)
            at.Sort();
        foreach (var place in at)
        {
            var second = symbols[place] == left ? next[place] : -1;
            if (second < 0 || symbols[second] != right)
                continue;
            MergeAt(place, second, id);
        }
        counts[pair] = 0;
        Announce();
    }

    private void MergeAt(int first, int second, int id)
    {
        var before = previous[first];
        var after = next[second];
        if (before >= 0)
            RemovePlace(before, first);
        if (after >= 0)
            RemovePlace(second, after);

        symbols[first] = id;
        symbols[second] = -1;
        next[first] = after;
        if (after >= 0)
            previous[after] = first;

        if (before >= 0)
            AddPlace(before, first);
        if (after >= 0)
            AddPlace(first, after);
    }

    private void AddPlace(int left, int right)
    {
        var pair = pairs.Add(symbols[left], symbols[right]);
        if (pair == counts.Length)
        {
            Array.Resize(ref counts, pair * 2);
            Array.Resize(ref places, pair * 2);
            Array.Resize(ref grownIn, pair * 2);
        }
        counts[pair] += weights[wordOf[left]];
        (places[pair] ??= []).Add(left);
        if (grownIn[pair] != pass)
        {
            grownIn[pair] = pass;
            grown.Add(pair);
        }
    }

    /// <summary>Only the count falls; the place stays listed and is seen to be stale when it comes up.</summary>
    private void RemovePlace(int left, int right) => counts[pairs.Find(symbols[left], symbols[right])] -= weights[wordOf[left]];

    private void Announce()
    {
        foreach (var pair in grown)
            if (counts[pair] >= LeastCount)
                queue.Enqueue(pair, PriorityOf(pair));
        grown.Clear();
        pass++;
    }

    private Priority PriorityOf(int pair) => new(counts[pair], pairs[pair].Left, pairs[pair].Right);

    private readonly record struct Priority(long Count, int Left, int Right) : IComparable<Priority>
    {
        public int CompareTo(Priority other) =>
            Count != other.Count ? other.Count.CompareTo(Count) : Left != other.Left ? Left.CompareTo(other.Left) : Right.CompareTo(other.Right);
    }
}

/// <summary>How far the training of a vocabulary is: <paramref name="Tokens"/> of <paramref name="Wanted"/>.</summary>
public readonly record struct BpeProgress(int Tokens, int Wanted);
