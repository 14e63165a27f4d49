using System.Text;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Models;

/// <summary>Byte-pair encoding as it is defined, with nothing remembered from step to step.</summary>
internal static class SlowBpe
{
    public static List<Merge> Learn(string text, int tokenCount)
    {
        var words = WordPatternTests.Words(WordPattern.Gpt2, text).Select(Symbols).ToList();
        var spelled = Enumerable.Range(0, 256).Select(value => new byte[] { (byte)value }).ToList();
        var merges = new List<Merge>();
        while (spelled.Count < tokenCount)
        {
            var counts = new Dictionary<(int Left, int Right), int>();
            foreach (var word in words)
                for (var i = 0; i + 1 < word.Count; i++)
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
            var (pair, count) = counts.OrderByDescending(entry => entry.Value).ThenBy(entry => entry.Key.Left).ThenBy(entry => entry.Key.Right).FirstOrDefault();
            if (count < 2)
                break;
            byte[] bytes = [.. spelled[pair.Left], .. spelled[pair.Right]];
            var id = spelled.FindIndex(known => known.SequenceEqual(bytes));
            if (id < 0)
            {
                id = spelled.Count;
                spelled.Add(bytes);
            }
            var merge = new Merge(pair.Left, pair.Right, id);
            if (!merges.Contains(merge))
                merges.Add(merge);
            foreach (var word in words)
                for (var i = 0; i + 1 < word.Count; i++)
                    if ((word[i], word[i + 1]) == pair)
                        Join(word, i, id);
        }
        return merges;
    }

    public static int[] Encode(string text, List<Merge> merges)
    {
        var ids = new List<int>();
        foreach (var text1 in WordPatternTests.Words(WordPattern.Gpt2, text))
        {
            var word = Symbols(text1);
            while (true)
            {
                var (rank, at) = (int.MaxValue, -1);
                for (var i = 0; i + 1 < word.Count; i++)
                    if (merges.FindIndex(merge => (merge.Left, merge.Right) == (word[i], word[i + 1])) is var found and >= 0 && found < rank)
                        (rank, at) = (found, i);
                if (at < 0)
                    break;
                Join(word, at, merges[rank].Merged);
            }
            ids.AddRange(word);
        }
        return [.. ids];
    }

    private static List<int> Symbols(string word) => [.. Encoding.UTF8.GetBytes(word).Select(value => (int)value)];

    private static void Join(List<int> word, int at, int id)
    {
        word[at] = id;
        word.RemoveAt(at + 1);
    }
}
