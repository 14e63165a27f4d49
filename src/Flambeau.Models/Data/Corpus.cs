using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;

namespace Flambeau.Models.Data;

/// <summary>A text to train a language model on.</summary>
/// <param name="text">The text, lines ended by <c>\n</c>.</param>
/// <param name="source">Where it comes from, for people.</param>
public sealed class Corpus(string text, string source)
{
    /// <summary>The whole text.</summary>
    public string Text { get; } = text;

    /// <summary>Where the text comes from, for people.</summary>
    public string Source { get; } = source;

    /// <summary>The lines without their ends (<c>\n</c> or <c>\r\n</c>); no empty one after the last.</summary>
    public IReadOnlyList<string> Lines => field ??= CutLines(Text);

    /// <summary>SHA-256 of the text in UTF-8, 64 lower-case hexadecimal digits: two corpora of one hash are one corpus.</summary>
    public string Hash => field ??= Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));

    /// <summary>Reads a file of UTF-8 text; a byte order mark is dropped, all else is kept as it is.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is empty, binary or not UTF-8; the message says where.</exception>
    public static Corpus FromFile(string path)
    {
        if (Directory.Exists(path))
            throw new InvalidDataException($"Corpus: {path} is a folder; give one file of UTF-8 text.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"Corpus: no file {path} (that is {Path.GetFullPath(path)}); give a file of UTF-8 text.", path);
        return new Corpus(Decode(File.ReadAllBytes(path), path), path);
    }

    /// <summary>
    /// Parts the lines into those to train on and those held out to measure on. A line's side depends on its own text alone (a hash below <paramref name="heldOut"/>), so equal lines lie on one side, nothing
    /// held out was seen in training, and lines added to a corpus leave the others where they were. Blank lines are trained on. Both sides keep the order and the ends of their lines.
    /// </summary>
    /// <param name="heldOut">The share of distinct lines held out, between 0 and 1: one in a hundred by default. Each side has a line at least.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="heldOut"/> is not between 0 and 1.</exception>
    /// <exception cref="InvalidDataException">The text has fewer than two different lines that are not blank.</exception>
    public (Corpus Training, Corpus HeldOut) Split(double heldOut = 0.01)
    {
        if (!(heldOut > 0 && heldOut < 1))
            throw new ArgumentOutOfRangeException(nameof(heldOut), heldOut, $"Corpus.Split: the share held out is {heldOut}; it must lie between 0 and 1, such as 0.01.");
        var threshold = Threshold(heldOut);
        var training = new StringBuilder(Text.Length);
        var held = new StringBuilder();
        foreach (var line in new LineCutter(Text))
            (!IsBlank(line) && Side(line) <= threshold ? held : training).Append(line);
        return (new Corpus(training.ToString(), $"{Source}, lines to train on"), new Corpus(held.ToString(), $"{Source}, lines held out"));
    }

    /// <summary>The threshold of the share asked for, moved as far as it takes for each side to have a line.</summary>
    private ulong Threshold(double share)
    {
        var (least, most) = (ulong.MaxValue, ulong.MinValue);
        var below = ulong.MinValue; // the greatest that is less than the greatest
        foreach (var line in new LineCutter(Text))
        {
            if (IsBlank(line))
                continue;
            var side = Side(line);
            least = Math.Min(least, side);
            if (side > most)
                (below, most) = (most, side);
            else if (side < most)
                below = Math.Max(below, side);
        }
        if (least >= most)
            throw new InvalidDataException($"Corpus.Split: {Source} has fewer than two different lines, so none can be held out; give a text of many lines.");
        return Math.Clamp((ulong)(share * ulong.MaxValue), least, below);
    }

    /// <summary>A hash of the line without its end, evenly spread: FNV-1a over UTF-16 units, then the finalizer of MurmurHash3.</summary>
    private static ulong Side(ReadOnlySpan<char> line)
    {
        var hash = 14695981039346656037UL;
        foreach (var unit in line.TrimEnd("\r\n"))
            hash = (hash ^ unit) * 1099511628211UL;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDUL;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53UL;
        return hash ^ (hash >> 33);
    }

    private static bool IsBlank(ReadOnlySpan<char> line) => line.IsWhiteSpace();

    private static List<string> CutLines(string text)
    {
        var lines = new List<string>();
        foreach (var line in new LineCutter(text))
            lines.Add(line.TrimEnd('\n').TrimEnd('\r').ToString());
        return lines;
    }

    private static string Decode(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            throw new InvalidDataException($"Corpus: {path} is UTF-16 by its first two bytes; convert it to UTF-8.");
        if (bytes.StartsWith(Encoding.UTF8.Preamble))
            bytes = bytes[Encoding.UTF8.Preamble.Length..];
        if (bytes.IsEmpty)
            throw new InvalidDataException($"Corpus: {path} is empty; give a file of UTF-8 text.");
        if (bytes.IndexOf((byte)0) is var zero and >= 0)
            throw new InvalidDataException($"Corpus: {path} is binary: byte {zero} is 0, which no text has. Give a file of UTF-8 text.");

        var characters = new char[bytes.Length];
        if (Utf8.ToUtf16(bytes, characters, out var read, out var written, replaceInvalidSequences: false) != OperationStatus.Done)
            throw new InvalidDataException($"Corpus: {path} is not UTF-8: line {bytes[..read].Count((byte)'\n') + 1}, byte 0x{bytes[read]:X2} at {read} starts no character. Convert it to UTF-8.");
        return new string(characters, 0, written);
    }

    /// <summary>The lines of a text with their ends.</summary>
    private ref struct LineCutter(ReadOnlySpan<char> text)
    {
        private ReadOnlySpan<char> rest = text;

        public ReadOnlySpan<char> Current { get; private set; }

        public readonly LineCutter GetEnumerator() => this;

        public bool MoveNext()
        {
            if (rest.IsEmpty)
                return false;
            var end = rest.IndexOf('\n') is var at and >= 0 ? at + 1 : rest.Length;
            Current = rest[..end];
            rest = rest[end..];
            return true;
        }
    }
}
