namespace Flambeau.Models.Tokenizers;

/// <summary>
/// The printable stand-in of each byte in a byte-level vocabulary (Radford et al. 2019, GPT-2): a byte that is a visible Latin-1 character stands for itself,
/// and the 68 others (controls, space, no-break space, soft hyphen) take U+0100, U+0101, … in order, so a space is written <c>Ġ</c> and a line feed <c>Ċ</c>.
/// </summary>
internal static class ByteAlphabet
{
    private const int CharacterCount = 256 + 68;

    private static readonly char[] CharacterOfByte = BuildCharacters();
    private static readonly short[] ByteOfCharacter = BuildBytes();

    /// <summary>The stand-in of one byte.</summary>
    public static char CharacterOf(byte value) => CharacterOfByte[value];

    /// <summary>The written form of a token's bytes in <c>tokenizer.json</c>.</summary>
    public static string Write(ReadOnlySpan<byte> bytes)
    {
        Span<char> written = bytes.Length <= 256 ? stackalloc char[bytes.Length] : new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++)
            written[i] = CharacterOfByte[bytes[i]];
        return new string(written);
    }

    /// <summary>The bytes of a written token, or false where a character is no byte's stand-in.</summary>
    public static bool TryRead(ReadOnlySpan<char> written, out byte[] bytes)
    {
        bytes = new byte[written.Length];
        for (var i = 0; i < written.Length; i++)
        {
            var value = written[i] < CharacterCount ? ByteOfCharacter[written[i]] : -1;
            if (value < 0)
                return false;
            bytes[i] = (byte)value;
        }
        return true;
    }

    private static char[] BuildCharacters()
    {
        var characters = new char[256];
        var next = 256;
        for (var value = 0; value < 256; value++)
            characters[value] = IsVisible(value) ? (char)value : (char)next++;
        return characters;
    }

    private static short[] BuildBytes()
    {
        var bytes = new short[CharacterCount];
        Array.Fill(bytes, (short)-1);
        for (var value = 0; value < 256; value++)
            bytes[CharacterOfByte[value]] = (short)value;
        return bytes;
    }

    private static bool IsVisible(int value) => value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
}
