using System.Text;

namespace Flambeau.Models.Tokenizers;

/// <summary>
/// Text from ids that come one at a time, as in generation. A token may end inside a character; such bytes are held back until the character is whole, so every piece returned is
/// final, and all pieces with <see cref="Finish"/> make the text that <see cref="ITokenizer.Decode"/> gives.
/// </summary>
public sealed class StreamingDecoder(ITokenizer tokenizer)
{
    private readonly Decoder utf8 = Encoding.UTF8.GetDecoder(); // keeps the bytes of an unfinished character
    private char[] characters = new char[64];

    /// <summary>The text that <paramref name="id"/> completes; empty where a character is still unfinished.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    public string Append(int id) => Convert(tokenizer.BytesOf(id), isLast: false);

    /// <summary>What is left at the end: U+FFFD where a character stayed unfinished, else nothing. The decoder is then as new.</summary>
    public string Finish() => Convert([], isLast: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool isLast)
    {
        var count = utf8.GetCharCount(bytes, isLast);
        if (characters.Length < count)
            characters = new char[count];
        count = utf8.GetChars(bytes, characters, isLast);
        return count == 0 ? "" : new string(characters, 0, count);
    }
}
