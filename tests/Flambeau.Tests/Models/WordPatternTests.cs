using System.Text;
using System.Text.RegularExpressions;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Models;

public class WordPatternTests
{
    public static TheoryData<string> Names => ["gpt2", "llama3", "qwen2"];

    internal static WordPattern Named(string name) => name switch
    {
        "gpt2" => WordPattern.Gpt2,
        "llama3" => WordPattern.Llama3,
        "qwen2" => WordPattern.Qwen2,
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, null),
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void Words_are_the_matches_of_the_regular_expression(string name)
    {
        var pattern = Named(name);
        var regex = new Regex(pattern.Regex!, RegexOptions.CultureInvariant);
        foreach (var text in TokenizerTexts.Nasty.Concat(RandomTexts()))
            Assert.Equal(Matches(regex, text), Words(pattern, text));
    }

    [Fact]
    public void Letters_beyond_the_first_plane_are_letters() =>
        Assert.Equal(["a𝒳𐐀", " 𠀀", "𝟘𝟙", "👍", "b"], Words(WordPattern.Gpt2, "a𝒳𐐀 𠀀𝟘𝟙👍b"));

    [Fact]
    public void A_lone_surrogate_is_neither_letter_nor_space() =>
        Assert.Equal(["a", "\uD800", "b", " \uDC00", " c"], Words(WordPattern.Gpt2, "a\uD800b \uDC00 c"));

    [Fact]
    public void Runs_of_spaces_leave_their_last_to_the_next_word() =>
        Assert.Equal(["a", "  ", " b", "\n", "\n", "c", "   "], Words(WordPattern.Gpt2, "a   b\n\nc   "));

    [Fact]
    public void Llama3_takes_numbers_by_three_and_line_ends_with_punctuation() =>
        Assert.Equal(["123", "45", ";\r\n\n", "  ", " x", "\n\n", "  ", "\ty", "'LL", " \n"], Words(WordPattern.Llama3, "12345;\r\n\n   x\n\n  \ty'LL \n"));

    [Fact]
    public void Qwen2_takes_digits_one_by_one() => Assert.Equal(["x", "1", "2", "½"], Words(WordPattern.Qwen2, "x12½"));

    internal static List<string> Words(WordPattern pattern, string text)
    {
        var words = new List<string>();
        for (int at = 0, end; at < text.Length; at = end)
        {
            end = pattern.WordEnd(text, at);
            words.Add(text[at..end]);
        }
        return words;
    }

    /// <summary>
    /// .NET's Regex matches UTF-16 units, so code points beyond the first plane are matched through stand-ins of their class: one unit for each.
    /// </summary>
    private static List<string> Matches(Regex regex, string text)
    {
        var shadow = new StringBuilder();
        var starts = new List<int>();
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            starts.Add(at);
            var isLone = rune == Rune.ReplacementChar && text[at] != '\uFFFD';
            shadow.Append(rune.IsBmp || isLone ? (char)rune.Value : Rune.IsLetter(rune) ? 'ª' : Rune.IsNumber(rune) ? '²' : '§');
            at += isLone ? 1 : rune.Utf16SequenceLength;
        }
        starts.Add(at);
        return [.. regex.Matches(shadow.ToString()).Select(match => text[starts[match.Index]..starts[match.Index + match.Length]])];
    }

    private static IEnumerable<string> RandomTexts()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var i = 0; i < 2000; i++)
            yield return TokenizerTexts.Random(random, random.Next(1, 40), loneSurrogates: true);
    }
}
