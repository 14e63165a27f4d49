using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;

namespace Flambeau.Models.Data;

/// <summary>What is done with a line; the span is valid during the call.</summary>
internal delegate void LineFound(ReadOnlySpan<char> line);

/// <summary>A line of text in the making: white space of any length becomes one space, none at the ends; XML's entities become their characters.</summary>
internal sealed class FoldedLine
{
    private byte[] bytes = new byte[1 << 10];
    private char[] characters = new char[1 << 10];
    private int length;
    private bool spaceDue; // white space seen since the last character

    /// <summary>White space.</summary>
    public void Space() => spaceDue = true;

    /// <summary>Text with entities.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Write(ReadOnlySpan<byte> text)
    {
        while (text.IndexOf((byte)'&') is var entity and >= 0)
        {
            WriteRaw(text[..entity]);
            text = text[entity..];
            var end = text.IndexOf((byte)';');
            if (end > 1 && TryReadEntity(text[1..end], out var character))
            {
                WriteCharacter(character);
                text = text[(end + 1)..];
            }
            else
            {
                WriteWord("&"u8);
                text = text[1..];
            }
        }
        WriteRaw(text);
    }

    /// <summary>Text as it stands.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void WriteRaw(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            var word = 0;
            while (word < text.Length && text[word] > ' ')
                word++;
            if (word > 0)
                WriteWord(text[..word]);
            if (word == text.Length)
                return;
            spaceDue = true;
            text = text[(word + 1)..];
        }
    }

    /// <summary>Reports the line, unless it is empty, and starts the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void End(LineFound found)
    {
        if (length > 0)
        {
            if (characters.Length < length)
                characters = new char[bytes.Length];
            found(characters.AsSpan(0, Encoding.UTF8.GetChars(bytes.AsSpan(0, length), characters)));
        }
        length = 0;
        spaceDue = false;
    }

    private void WriteCharacter(Rune character)
    {
        Span<byte> utf8 = stackalloc byte[4];
        WriteRaw(utf8[..character.EncodeToUtf8(utf8)]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteWord(ReadOnlySpan<byte> word)
    {
        if (length + 1 + word.Length > bytes.Length)
            Array.Resize(ref bytes, Math.Max(bytes.Length * 2, length + 1 + word.Length));
        if (spaceDue && length > 0)
            bytes[length++] = (byte)' ';
        spaceDue = false;
        word.CopyTo(bytes.AsSpan(length));
        length += word.Length;
    }

    private static bool TryReadEntity(ReadOnlySpan<byte> name, out Rune character)
    {
        if (name[0] == '#')
            return TryReadNumber(name[1..], out character);
        var named = name.SequenceEqual("lt"u8) ? '<'
            : name.SequenceEqual("gt"u8) ? '>'
            : name.SequenceEqual("amp"u8) ? '&'
            : name.SequenceEqual("quot"u8) ? '"'
            : name.SequenceEqual("apos"u8) ? '\''
            : '\0';
        character = new Rune(named);
        return named != '\0';
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> digits, out Rune character)
    {
        var isHexadecimal = digits.StartsWith("x"u8);
        if (isHexadecimal)
            digits = digits[1..];
        character = default;
        return Utf8Parser.TryParse(digits, out int value, out var read, isHexadecimal ? 'x' : 'D') && read == digits.Length && Rune.TryCreate(value, out character);
    }
}
