using System.Text;
using Flambeau.Models.Data;

namespace Flambeau.Tests.Models;

public sealed class ReferenceCorpusTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("flambeau-dotnet").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Theory]
    [InlineData("<summary>Plain  text,\r\n   folded. </summary>", "Plain text, folded.")]
    [InlineData("<summary>A <see cref=\"T:System.String\" /> or <see langword=\"null\"/>.</summary>", "A String or null.")]
    [InlineData("<param name=\"x\"><paramref name=\"x\" /> of <typeparamref name=\"T\"></typeparamref></param>", "x of T")]
    [InlineData("<returns><see cref=\"T:System.String\">the text</see> itself</returns>", "the text itself")]
    [InlineData("<summary>See <see href=\"https://example.org/a\"/> or <see href=\"b\">there</see>.</summary>", "See https://example.org/a or there.")]
    [InlineData("<summary><see cref=\"T:System.Collections.Generic.Dictionary`2\"/> and <xref uid=\"System.Int32\"></xref></summary>", "Dictionary and Int32")]
    [InlineData("<summary><para>One.</para><para>Two.</para><list><item><description>three</description></item></list></summary>", "One. Two. three")]
    [InlineData("<summary>a<c>b</c>, x<sup>2</sup>, one<br/>two</summary>", "ab, x2, one two")]
    [InlineData("<summary>&lt;T&gt; &amp; &quot;q&quot; &#65;&#x42; &apos; &unknown; & &#xD800;</summary>", "<T> & \"q\" AB ' &unknown; & &#xD800;")]
    [InlineData("<summary>a<!-- no > text -->b<![CDATA[<x> & ]] y]]>c<?pi?></summary>", "ab<x> & ]] yc")]
    [InlineData("<summary>a <see cref='T:A.B' title=\"x > y\"/> < 5</summary>", "a B < 5")]
    [InlineData("<summary>a</summary>\n<returns>b</returns><exception cref=\"T:E\">c</exception>", "a|b|c")]
    [InlineData("<summary></summary><inheritdoc /><remarks> </remarks><seealso cref=\"T:X\"/>", "")]
    [InlineData("text outside <summary>inside", "inside")]
    [InlineData("<summary>cut <see cref=\"T:A", "cut A|next")]
    public void Elements_of_a_member_are_lines_of_readable_text(string member, string lines)
    {
        var open = lines.EndsWith("|next");
        var xml = $"<doc><assembly><name>N</name></assembly><members><member name=\"T:N\">{member}{(open ? "" : "</member>")}{(open ? "\"/></summary></member><member name=\"x\"><summary>next</summary></member>" : "")}</members></doc>";
        Assert.Equal(lines.Length == 0 ? [] : lines.Split('|'), Read(xml));
    }

    [Theory]
    [InlineData("T:System.Collections.Generic.List`1", "List")]
    [InlineData("T:System.Environment.SpecialFolder", "SpecialFolder")]
    [InlineData("P:System.String.Length", "String.Length")]
    [InlineData("F:System.Int32.MaxValue", "Int32.MaxValue")]
    [InlineData("M:System.String.Format(System.String,System.Object[])", "String.Format")]
    [InlineData("M:System.Linq.Enumerable.First``1(System.Collections.Generic.IEnumerable{``0})", "Enumerable.First")]
    [InlineData("M:System.Collections.Generic.List`1.#ctor(System.Int32)", "List")]
    [InlineData("Overload:System.String.Concat", "Concat")]
    [InlineData("N:System.IO", "System.IO")]
    [InlineData("!:Missing", "Missing")]
    [InlineData("M:Alone", "Alone")]
    [InlineData("", "")]
    public void A_documentation_id_is_read_as_people_say_it(string id, string name) =>
        Assert.Equal(name, Encoding.UTF8.GetString(DocumentationId.ReadableName(Encoding.UTF8.GetBytes(id))));

    [Fact]
    public void A_file_cut_off_anywhere_gives_lines_and_no_fault()
    {
        const string xml = "<doc><members><member name=\"M:A\"><summary>a <see cref=\"T:B\" /> &lt;<![CDATA[c]]><!-- d --></summary><returns>e</returns></member></members></doc>";
        for (var length = 0; length <= xml.Length; length++)
            Assert.True(Read(xml[..length]).Count <= 2);
    }

    [Fact]
    public void Lines_of_all_packs_come_once_in_order_of_paths()
    {
        Pack("B.Ref/9.0.0/ref/net9.0/B.xml", "old");
        Pack("B.Ref/10.0.1-rc.1/ref/net10.0/B.xml", "candidate");
        Pack("B.Ref/10.0.1/ref/net10.0/B.xml", "shared", "of b");
        Pack("B.Ref/10.0.1/ref/net10.0/C.xml", "of c", "of b");
        Pack("A.Ref/10.0.1/ref/net10.0/b.xml", "second", "shared");
        Pack("A.Ref/10.0.1/ref/net10.0/Z.xml", "first", "ünïcode 👍");
        Pack("A.Ref/10.0.1/ref/net10.0/de/Z.xml", "deutsch");
        Pack("A.Ref/10.0.1/analyzers/Z.xml", "elsewhere");
        var corpus = ReferenceCorpus.Load(root);
        Assert.Equal("first\nünïcode 👍\nsecond\nshared\nof b\nof c\n", corpus.Text);
        Assert.Contains("4 files", corpus.Source);
        Assert.Equal(corpus.Hash, ReferenceCorpus.Load(root).Hash);
    }

    [Fact]
    public void Where_there_is_no_SDK_the_fault_says_where_it_looked_and_what_to_do()
    {
        var fault = Assert.Throws<DirectoryNotFoundException>(() => ReferenceCorpus.Load(root));
        Assert.Contains(root, fault.Message);
        Assert.Contains("--data FILE", fault.Message);
        Pack("A.Ref/1.0.0/ref/net10.0/A.xml");
        Assert.Contains("hold no text", Assert.Throws<InvalidDataException>(() => ReferenceCorpus.Load(root)).Message);
    }

    [Fact]
    public void The_SDK_that_builds_this_carries_megabytes_of_English()
    {
        var corpus = ReferenceCorpus.Load();
        Assert.True(corpus.Text.Length > 2_000_000);
        Assert.Equal(corpus.Lines.Count, corpus.Lines.Distinct().Count());
        Assert.Contains("Represents text as a sequence of UTF-16 code units.", corpus.Lines);
    }

    private static List<string> Read(string xml)
    {
        var lines = new List<string>();
        DocumentationText.Read(Encoding.UTF8.GetBytes(xml), line => lines.Add(line.ToString()));
        return lines;
    }

    private void Pack(string path, params string[] lines)
    {
        var file = Path.Join(root, "packs", path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, $"<doc><members>{string.Concat(lines.Select(line => $"<member name=\"T:X\"><summary>{line}</summary></member>"))}</members></doc>");
    }
}
