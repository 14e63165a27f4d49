using System.Globalization;

namespace Flambeau.Models.Tokenizers;

/// <summary>What the patterns of byte-level tokenizers tell apart.</summary>
internal enum CharacterClass : byte
{
    /// <summary>None of the others; a lone surrogate too.</summary>
    Other,
    /// <summary><c>\p{L}</c>.</summary>
    Letter,
    /// <summary><c>\p{N}</c>.</summary>
    Number,
    /// <summary><c>\s</c>: Unicode's White_Space, so U+0085 is one and U+FEFF is none.</summary>
    Space,
}

/// <summary>The class of each code point, from a table for the first plane.</summary>
internal static class CharacterClasses
{
    private static readonly byte[] OfUnit = BuildTable();

    /// <summary>The class of the code point that starts at <paramref name="at"/>, and how many UTF-16 units it takes.</summary>
    public static CharacterClass At(ReadOnlySpan<char> text, int at, out int length)
    {
        var unit = text[at];
        if (char.IsHighSurrogate(unit) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]))
        {
            length = 2;
            return Classify(char.ConvertToUtf32(unit, text[at + 1]));
        }
        length = 1;
        return (CharacterClass)OfUnit[unit];
    }

    /// <summary>The end of the run of one class that starts at <paramref name="at"/>; <paramref name="at"/> itself where there is none.</summary>
    public static int RunEnd(ReadOnlySpan<char> text, int at, CharacterClass kind)
    {
        while (at < text.Length && At(text, at, out var length) == kind)
            at += length;
        return at;
    }

    private static byte[] BuildTable()
    {
        var table = new byte[char.MaxValue + 1];
        for (var unit = 0; unit < table.Length; unit++)
            table[unit] = (byte)Classify(unit);
        return table;
    }

    private static CharacterClass Classify(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
        UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator => CharacterClass.Space,
        UnicodeCategory.Control when codePoint is >= '\t' and <= '\r' or 0x85 => CharacterClass.Space,
        _ => CharacterClass.Other,
    };
}
