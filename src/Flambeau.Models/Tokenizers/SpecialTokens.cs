using System.Buffers;

namespace Flambeau.Models.Tokenizers;

/// <summary>A token that is found in text by its written form and never merged into: the end of a document, the turns of a chat.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its written form, such as <c>&lt;|endoftext|&gt;</c>.</param>
/// <param name="IsControl">Whether it marks structure (Hugging Face: <c>special</c>); false for an added word.</param>
public readonly record struct SpecialToken(int Id, string Text, bool IsControl = true);

/// <summary>Finds special tokens in text: the first place where one starts, and of those that start there the longest.</summary>
internal sealed class SpecialTokens
{
    private readonly SpecialToken[] longestFirst;
    private readonly SearchValues<string> texts;

    public SpecialTokens(IReadOnlyList<SpecialToken> tokens)
    {
        All = tokens;
        longestFirst = [.. tokens.OrderByDescending(token => token.Text.Length)];
        texts = SearchValues.Create([.. tokens.Select(token => token.Text)], StringComparison.Ordinal);
    }

    /// <summary>The tokens in order of id.</summary>
    public IReadOnlyList<SpecialToken> All { get; }

    /// <summary>The first special token in <paramref name="text"/> and its place, or −1.</summary>
    public int IndexIn(ReadOnlySpan<char> text, out SpecialToken found)
    {
        found = default;
        if (longestFirst.Length == 0)
            return -1;
        var at = text.IndexOfAny(texts);
        if (at < 0)
            return -1;
        foreach (var token in longestFirst)
        {
            if (!text[at..].StartsWith(token.Text, StringComparison.Ordinal))
                continue;
            found = token;
            return at;
        }
        throw new InvalidOperationException("SpecialTokens: a place was found where none of the tokens stands.");
    }
}
