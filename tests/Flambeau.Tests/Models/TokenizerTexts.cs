using System.Text;

namespace Flambeau.Tests.Models;

/// <summary>Texts for the tests of tokenizers.</summary>
internal static class TokenizerTexts
{
    /// <summary>Strings meant to break a tokenizer.</summary>
    public static readonly string[] Nasty =
    [
        "", " ", "  ", "\n", "\r\n", "\t", "a", "'", "''", "'s", "'S", "don't won't I'LL we'Ve 'tis '", " 's", "x's's", "'re'r'e", "'v", "'l", "'ll",
        "a  b", "a   b", " a", "  a", "a ", "a  ", "a\n b", "a\n\nb", "a \n b", "a\r\nb\r\n\r\n  c\r\n", "\t\tif (x)\n\t{\n\t\treturn  y;\n\t}\n", "a\u00A0b\u3000c\u2028d",
        "12345 ١٢٣٤ Ⅷ ½ x2y 3.14e-10", "héllo wörld", "e\u0301e\u0301 \u0301x a\u0308\u0323", "中文分词 測試。你好，世界！", "日本語のテキスト ひらがな", "한국어", "עברית العربية",
        "👍🏽👩‍👩‍👧‍👦 🇫🇷 x👍y 👍", "𝒳𝒴 𝟘𝟙 𐐀𐐨 𠀀𠀁 a𝒳1", "\uD800", "a\uDC00b", "\uD83D \uDE00", "\uDE00\uD83D", "x\uD83D",
        "\0\u0001\u007F\u0080\u00AD", "\u0085a\u0085 b", "\uFEFFa \uFEFFb", "\u200Ba\u200D\u180Eb", "…—“”‘’ !?!? ... --> == {}[]();", "<|endoftext|>", "a<|endoftext|>b <|endoftext|> ", "<|endoftext", "<|endoftext|><|endoftext|>",
        new string(' ', 300), new string('\n', 77), new string('!', 200), "x" + new string('\t', 65) + "y", new string('z', 1000),
        "public static int Main(string[] args) => args.Length == 0 ? 1 : 0; // comment\n", "https://example.org/a?b=c&d=%20e#f", "ĠĊ Ġa", "K\u212A S\u1E9E",
    ];

    /// <summary>A text of random code points from every plane and class, lone surrogates among them where asked for.</summary>
    public static string Random(Random random, int length, bool loneSurrogates = false)
    {
        var text = new StringBuilder();
        for (var i = 0; i < length; i++)
        {
            switch (random.Next(loneSurrogates ? 10 : 9))
            {
                case 0: text.Append(' ', random.Next(1, 4)); break;
                case 1: text.Append((char)random.Next('0', '9' + 1)); break;
                case 2: text.Append("\r\n\t'\u00A0\u0085"[random.Next(6)]); break;
                case 3: text.Append((char)random.Next('!', '~' + 1)); break;
                case 4: text.Append("'s't're've'm'll'd'S'LL"[random.Next(20)]); break;
                case 5: text.Append(new Rune(random.Next(0x80, 0xD800))); break;
                case 6: text.Append(new Rune(random.Next(0x10000, 0x20000))); break;
                case 9: text.Append((char)random.Next(0xD800, 0xE000)); break;
                default: text.Append("etaoinsr"[random.Next(8)]); break;
            }
        }
        return text.ToString();
    }

    /// <summary>The text as UTF-8 can hold it: U+FFFD for a lone surrogate.</summary>
    public static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>English enough to learn merges from.</summary>
    public static readonly string English = string.Concat(Enumerable.Repeat(
        "The quick brown fox jumps over the lazy dog, and the dog doesn't mind. There's a tokenizer in the text; the tokens it gives are the tokens it takes.\n"
        + "Returns the number of elements in the collection. Gets or sets a value that indicates whether the collection is read-only.\n"
        + "Wörter mit Umlauten, 123 numbers 4567, 你好世界 你好, 👍👍 emoji.\n", 20));
}
