namespace Flambeau.Models.Tokenizers;

/// <summary>
/// The rule that cuts text into words before merging; no merge crosses a word. Each rule is a regular expression of the literature scanned by hand: in one pass, and over whole code points,
/// which <see cref="System.Text.RegularExpressions.Regex"/> does not see (to it a letter beyond U+FFFF is two surrogates).
/// </summary>
internal sealed class WordPattern
{
    private delegate int Scanner(ReadOnlySpan<char> text, int start);

    /// <summary>GPT-2's pattern (Radford et al. 2019): contractions, letters, numbers and others with one leading space each, then spaces.</summary>
    public static readonly WordPattern Gpt2 = new(
        @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", ScanGpt2);

    /// <summary>The pattern of Llama 3 and of OpenAI's cl100k: numbers in groups of three, line ends apart.</summary>
    public static readonly WordPattern Llama3 = new(Cl100k(@"\p{N}{1,3}"), static (text, start) => ScanCl100k(text, start, longestNumber: 3));

    /// <summary>The pattern of Qwen 2 and later: as Llama 3's with each digit alone.</summary>
    public static readonly WordPattern Qwen2 = new(Cl100k(@"\p{N}"), static (text, start) => ScanCl100k(text, start, longestNumber: 1));

    /// <summary>No cutting: the whole text is one word.</summary>
    public static readonly WordPattern Whole = new(null, static (text, _) => text.Length);

    private readonly Scanner scan;

    private WordPattern(string? regex, Scanner scan) => (Regex, this.scan) = (regex, scan);

    /// <summary>The regular expression; null where text is not cut.</summary>
    public string? Regex { get; }

    /// <summary>The patterns a <c>tokenizer.json</c> may name.</summary>
    public static IReadOnlyList<WordPattern> Known { get; } = [Gpt2, Llama3, Qwen2];

    /// <summary>Where the word that starts at <paramref name="start"/>, before the text's end, ends.</summary>
    public int WordEnd(ReadOnlySpan<char> text, int start) => scan(text, start);

    private static string Cl100k(string number) =>
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + number + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static int ScanGpt2(ReadOnlySpan<char> text, int start)
    {
        if (text[start] == '\'' && ContractionEnd(text, start, foldCase: false) is var contraction and > 0)
            return contraction;

        // One space belongs to the run after it, whichever class that run has; a run of spaces leaves its last to the next word.
        var run = start;
        if (text[run] == ' ' && run + 1 < text.Length)
            run++;
        var kind = CharacterClasses.At(text, run, out var length);
        return kind == CharacterClass.Space
            ? SpaceEnd(text, start, CharacterClasses.RunEnd(text, run + length, CharacterClass.Space))
            : CharacterClasses.RunEnd(text, run + length, kind);
    }

    private static int ScanCl100k(ReadOnlySpan<char> text, int start, int longestNumber)
    {
        if (text[start] == '\'' && ContractionEnd(text, start, foldCase: true) is var contraction and > 0)
            return contraction;

        var kind = CharacterClasses.At(text, start, out var length);
        if (kind == CharacterClass.Letter)
            return CharacterClasses.RunEnd(text, start + length, CharacterClass.Letter);
        if (kind == CharacterClass.Number)
            return NumberEnd(text, start, longestNumber);

        // Any one character but a line end leads letters.
        var second = start + length;
        if (text[start] is not ('\r' or '\n') && CharacterClasses.RunEnd(text, second, CharacterClass.Letter) is var letters && letters > second)
            return letters;

        var others = CharacterClasses.RunEnd(text, text[start] == ' ' ? second : start, CharacterClass.Other);
        if (others > second || (kind == CharacterClass.Other && others == second))
            return LineEndsEnd(text, others);

        var spaces = CharacterClasses.RunEnd(text, start, CharacterClass.Space);
        var lastLineEnd = text[start..spaces].LastIndexOfAny('\r', '\n');
        return lastLineEnd >= 0 ? start + lastLineEnd + 1 : SpaceEnd(text, start, spaces);
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: the run of spaces, less its last where a word follows and something is left.</summary>
    private static int SpaceEnd(ReadOnlySpan<char> text, int start, int end) => end == text.Length || end - start == 1 ? end : end - 1;

    private static int NumberEnd(ReadOnlySpan<char> text, int at, int longest)
    {
        for (var digits = 0; digits < longest && at < text.Length && CharacterClasses.At(text, at, out var length) == CharacterClass.Number; digits++)
            at += length;
        return at;
    }

    private static int LineEndsEnd(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && text[at] is '\r' or '\n')
            at++;
        return at;
    }

    /// <summary>The end of <c>'s|'t|'re|'ve|'m|'ll|'d</c> at <paramref name="start"/>, or 0. Folded, <c>ſ</c> (U+017F) is an <c>s</c>, as Unicode's simple case folding has it.</summary>
    private static int ContractionEnd(ReadOnlySpan<char> text, int start, bool foldCase)
    {
        var first = Letter(text, start + 1, foldCase);
        if (first is 's' or 't' or 'm' or 'd')
            return start + 2;
        var second = Letter(text, start + 2, foldCase);
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? start + 3 : 0;
    }

    private static char Letter(ReadOnlySpan<char> text, int at, bool foldCase) =>
        at >= text.Length ? '\0'
        : !foldCase ? text[at]
        : text[at] == '\u017F' ? 's'
        : char.ToLowerInvariant(text[at]);
}
