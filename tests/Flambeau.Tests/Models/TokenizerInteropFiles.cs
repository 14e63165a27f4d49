using System.Globalization;
using System.Text;
using Flambeau.Models.Data;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Models;

/// <summary>Writes what tests/interop/tokenizers compares with Hugging Face's own tokenizers, into the folder FLAMBEAU_INTEROP_OUT.</summary>
public class TokenizerInteropFiles
{
    [Fact]
    public void Are_written_where_asked_for()
    {
        var folder = Environment.GetEnvironmentVariable("FLAMBEAU_INTEROP_OUT");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "FLAMBEAU_INTEROP_OUT is not set");
        Directory.CreateDirectory(folder!);

        var corpus = ReferenceCorpus.Load();
        var random = new Random(5);
        string[] lines =
        [
            .. corpus.Lines.Where((_, i) => i % (corpus.Lines.Count / 1000) == 0).Take(1000),
            .. TokenizerTexts.Nasty,
            .. Enumerable.Range(0, 500).Select(_ => TokenizerTexts.Random(random, 60, loneSurrogates: true)),
            .. EveryCodePoint(),
        ];
        File.WriteAllLines(Path.Join(folder, "lines.jsonl"), lines.Select(Quote));

        var bpe = ByteLevelBpe.Train(corpus.Split().Training.Text, 2048);
        Write("bpe", bpe);
        Write("bytes", new ByteTokenizer());
        foreach (var name in (string[])["gpt2", "llama3", "qwen2"])
            Write(name, Cut(bpe, WordPatternTests.Named(name)));

        void Write(string name, ITokenizer tokenizer)
        {
            File.WriteAllText(Path.Join(folder, name + ".json"), TokenizerJsonTests.Saved(tokenizer));
            File.WriteAllLines(Path.Join(folder, name + ".ids.jsonl"), lines.Select(line => $"[{string.Join(',', tokenizer.Encode(line))}]"));
        }
    }

    /// <summary>The same vocabulary under another pattern, with words that are tokens kept whole.</summary>
    private static ByteLevelBpe Cut(ByteLevelBpe bpe, WordPattern pattern) => new(
        [.. Enumerable.Range(0, bpe.VocabularySize).Select(id => bpe.BytesOf(id).ToArray())],
        [.. Enumerable.Range(0, bpe.Merges.Count).Select(rank => bpe.Merges[rank])],
        pattern, bpe.SpecialTokens, bpe.EndOfText, keepsWholeWords: true);

    /// <summary>Every code point with a meaning among neighbours that show its class; what Unicode has yet to assign differs from version to version.</summary>
    private static IEnumerable<string> EveryCodePoint()
    {
        var text = new StringBuilder();
        for (var codePoint = 0; codePoint <= 0x10FFFF; codePoint++)
        {
            if (codePoint is 0x17F or (>= 0xD800 and < 0xE000) || CharUnicodeInfo.GetUnicodeCategory(codePoint) is UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse)
                continue;
            text.Append('a').Append(new Rune(codePoint)).Append('1').Append(new Rune(codePoint)).Append('!').Append(new Rune(codePoint)).Append(' ');
            if (text.Length < 1000)
                continue;
            yield return text.ToString();
            text.Clear();
        }
        yield return text.ToString();
    }

    /// <summary>A JSON text that may hold a lone surrogate, which the serializer would replace.</summary>
    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var unit in text)
            quoted.Append(unit is >= ' ' and <= '~' and not ('"' or '\\') ? unit.ToString() : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}"));
        return quoted.Append('"').ToString();
    }
}
