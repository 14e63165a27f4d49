using System.Runtime.CompilerServices;
using System.Text;

namespace Flambeau.Models.Data;

/// <summary>
/// The prose of an XML documentation file: each element inside a <c>member</c> (<c>summary</c>, <c>param</c>, <c>returns</c>, <c>exception</c>, …) is one line, white space folded, references as
/// their readable names: <c>&lt;see cref="T:System.String"/&gt;</c> is <c>String</c>, <c>&lt;paramref name="x"/&gt;</c> is <c>x</c>.
/// </summary>
/// <remarks>
/// A scanner over bytes and no XML reader: the files are written by hand in parts, one broken element must not cost the rest, and there are 70 MB of them. Its methods are optimized at their first
/// call, since a process reads the files once, in less time than tiered compilation takes to see which methods are hot.
/// </remarks>
internal ref struct DocumentationText
{
    private static readonly byte[][] Inline = [.. "see paramref typeparamref c code xref seealso a b i u em strong span sub sup tt".Split(' ').Select(Encoding.ASCII.GetBytes)];

    private readonly ReadOnlySpan<byte> xml;
    private readonly FoldedLine line;
    private readonly LineFound found;
    private int at;

    /// <summary>Reports every line of one file in order.</summary>
    public static void Read(ReadOnlySpan<byte> xml, LineFound found) => new DocumentationText(xml, found).ReadMembers();

    private DocumentationText(ReadOnlySpan<byte> xml, LineFound found)
    {
        this.xml = xml;
        this.found = found;
        line = new FoldedLine();
    }

    private void ReadMembers()
    {
        while (xml[at..].IndexOf("<member "u8) is var ahead and >= 0)
        {
            at += ahead;
            if (!ReadMarkup().IsEmptyElement)
                ReadMember();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadMember()
    {
        var depth = 0; // elements open below the member
        while (at < xml.Length && !xml[at..].StartsWith("</member>"u8))
        {
            var rest = xml[at..];
            if (rest[0] != '<')
                ReadText(keep: depth > 0);
            else if (rest.StartsWith("<![CDATA["u8))
                ReadRawText(keep: depth > 0);
            else if (rest.StartsWith("<!--"u8))
                SkipPast("-->"u8);
            else if (rest.StartsWith("<?"u8))
                SkipPast("?>"u8);
            else if (rest.Length > 1 && (char.IsAsciiLetter((char)rest[1]) || rest[1] == '/'))
                depth = ReadTag(depth);
            else
                ReadText(keep: depth > 0); // a stray <
        }
        line.End(found);
    }

    /// <summary>A start, end or empty tag; returns the depth after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int ReadTag(int depth)
    {
        var tag = ReadMarkup();
        if (!IsInline(tag.Name))
            line.Space();
        if (tag.IsEnd)
        {
            if (depth == 1)
                line.End(found);
            return Math.Max(depth - 1, 0);
        }
        if (depth > 0 && (tag.IsEmptyElement || xml[at..].StartsWith("</"u8)))
            WriteReference(tag);
        return tag.IsEmptyElement ? depth : depth + 1;
    }

    /// <summary>Moves past the tag at hand. <c>&gt;</c> inside a quoted value does not end it; <c>&lt;</c> does, for a tag left open must not swallow the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Tag ReadMarkup()
    {
        var isEnd = at + 1 < xml.Length && xml[at + 1] == '/';
        var start = at + (isEnd ? 2 : 1);
        var nameEnd = start;
        while (nameEnd < xml.Length && xml[nameEnd] > ' ' && xml[nameEnd] is not ((byte)'>' or (byte)'/' or (byte)'<'))
            nameEnd++;

        var end = nameEnd;
        var quote = 0;
        for (; end < xml.Length && xml[end] != '<' && (quote != 0 || xml[end] != '>'); end++)
            if (xml[end] is (byte)'"' or (byte)'\'')
                quote = quote == 0 ? xml[end] : quote == xml[end] ? 0 : quote;

        var isEmpty = !isEnd && end > nameEnd && xml[end - 1] == '/';
        at = end < xml.Length && xml[end] == '>' ? end + 1 : end;
        return new Tag(xml[start..nameEnd], xml[nameEnd..(isEmpty ? end - 1 : end)], isEnd, isEmpty);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void WriteReference(Tag tag)
    {
        if (tag.Name.SequenceEqual("see"u8) || tag.Name.SequenceEqual("seealso"u8))
        {
            if (tag.Value("cref"u8) is { IsEmpty: false } id)
                line.Write(DocumentationId.ReadableName(id));
            else if (tag.Value("langword"u8) is { IsEmpty: false } word)
                line.Write(word);
            else
                line.Write(tag.Value("href"u8));
        }
        else if (tag.Name.SequenceEqual("xref"u8))
            line.Write(DocumentationId.ReadableName(tag.Value("uid"u8)));
        else if (tag.Name.SequenceEqual("paramref"u8) || tag.Name.SequenceEqual("typeparamref"u8))
            line.Write(tag.Value("name"u8));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadText(bool keep)
    {
        var end = xml[(at + 1)..].IndexOf((byte)'<') is var ahead and >= 0 ? at + 1 + ahead : xml.Length;
        if (keep)
            line.Write(xml[at..end]);
        at = end;
    }

    private void ReadRawText(bool keep)
    {
        var start = at + "<![CDATA[".Length;
        SkipPast("]]>"u8);
        if (keep)
            line.WriteRaw(xml[start..Math.Max(start, xml[..at].EndsWith("]]>"u8) ? at - "]]>".Length : at)]);
    }

    private void SkipPast(ReadOnlySpan<byte> mark) => at = xml[at..].IndexOf(mark) is var ahead and >= 0 ? at + ahead + mark.Length : xml.Length;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool IsInline(ReadOnlySpan<byte> element)
    {
        foreach (var name in Inline)
            if (element.SequenceEqual(name))
                return true;
        return false;
    }

    private readonly ref struct Tag(ReadOnlySpan<byte> name, ReadOnlySpan<byte> attributes, bool isEnd, bool isEmptyElement)
    {
        private readonly ReadOnlySpan<byte> attributes = attributes;

        public ReadOnlySpan<byte> Name { get; } = name;

        public bool IsEnd { get; } = isEnd;

        public bool IsEmptyElement { get; } = isEmptyElement;

        /// <summary>The value of an attribute, or nothing.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public ReadOnlySpan<byte> Value(ReadOnlySpan<byte> attribute)
        {
            for (var rest = attributes; rest.IndexOf((byte)'=') is var equals and >= 0;)
            {
                var key = rest[..equals].Trim(" \t\r\n"u8);
                rest = rest[(equals + 1)..].TrimStart(" \t\r\n"u8);
                if (rest.IsEmpty)
                    break;
                var end = rest[1..].IndexOf(rest[0]);
                if (end < 0)
                    break;
                if (key.SequenceEqual(attribute))
                    return rest[1..(end + 1)];
                rest = rest[(end + 2)..];
            }
            return [];
        }
    }
}
