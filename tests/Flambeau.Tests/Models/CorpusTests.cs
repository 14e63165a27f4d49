using System.Text;
using Flambeau.Models.Data;

namespace Flambeau.Tests.Models;

public sealed class CorpusTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("flambeau-corpus").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_file_is_taken_as_it_is_without_its_byte_order_mark()
    {
        var corpus = Corpus.FromFile(Write([0xEF, 0xBB, 0xBF, .. "é\r\nb\n\n👍"u8]));
        Assert.Equal("é\r\nb\n\n👍", corpus.Text);
        Assert.Equal(["é", "b", "", "👍"], corpus.Lines);
        Assert.EndsWith("text.txt", corpus.Source);
    }

    [Fact]
    public void The_hash_is_the_SHA256_of_the_text() =>
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", new Corpus("abc", "FIPS 180-4").Hash);

    [Fact]
    public void Bad_files_are_refused_by_what_is_wrong()
    {
        Assert.Contains("is empty", Fault([]));
        Assert.Contains("is empty", Fault([0xEF, 0xBB, 0xBF]));
        Assert.Contains("is binary: byte 2 is 0", Fault([65, 66, 0, 67]));
        Assert.Contains("is UTF-16", Fault([0xFF, 0xFE, 65, 0]));
        Assert.Contains("line 2, byte 0xE9 at 3 starts no character", Fault([65, 66, 10, 0xE9, 65]));
        Assert.Contains("line 1, byte 0xE9 at 0", Fault([0xE9]));
        Assert.Contains("is a folder", Assert.Throws<InvalidDataException>(() => Corpus.FromFile(folder)).Message);
        Assert.Contains("no file", Assert.Throws<FileNotFoundException>(() => Corpus.FromFile(Path.Join(folder, "absent"))).Message);
    }

    [Fact]
    public void Lines_are_held_out_by_their_own_text_alone()
    {
        var lines = Enumerable.Range(0, 20_000).Select(i => $"line {i}\n").ToArray();
        var (training, held) = new Corpus(string.Concat(lines), "lines").Split();
        Assert.InRange(held.Lines.Count, 140, 260);
        Assert.Equal(20_000, held.Lines.Count + training.Lines.Count);
        Assert.Empty(held.Lines.Intersect(training.Lines));
        Assert.Equal(held.Lines.OrderBy(line => int.Parse(line[5..])), held.Lines);

        // Twice the text, in another order, with other lines between: the same lines are held out.
        var (_, again) = new Corpus(string.Concat(lines.Reverse().SelectMany(line => new[] { line, "\n", line })), "lines").Split();
        Assert.Equal(held.Lines.ToHashSet(), again.Lines.ToHashSet());
        Assert.Equal(held.Lines.Count * 2, again.Lines.Count);
    }

    [Fact]
    public void Both_sides_have_a_line_and_the_ends_stay()
    {
        var (training, held) = new Corpus("a\r\n\r\nb", "two lines").Split();
        Assert.Equal(["a", "b"], training.Lines.Concat(held.Lines).Where(line => line.Length > 0).Order());
        Assert.Equal("a\r\n\r\nb".Length, training.Text.Length + held.Text.Length);
        Assert.EndsWith("\r\n", training.Lines.Contains("a") ? training.Text : held.Text);
        var (most, rest) = new Corpus("a\nb\nc\n", "three lines").Split(0.999999);
        Assert.Equal((1, 2), (most.Lines.Count, rest.Lines.Count));
        Assert.Contains("fewer than two different lines", Assert.Throws<InvalidDataException>(() => new Corpus("a\n\na\r\n", "one line").Split()).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Corpus("a\nb", "").Split(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Corpus("a\nb", "").Split(double.NaN));
    }

    private string Fault(byte[] bytes) => Assert.Throws<InvalidDataException>(() => Corpus.FromFile(Write(bytes))).Message;

    private string Write(byte[] bytes)
    {
        var path = Path.Join(folder, "text.txt");
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
