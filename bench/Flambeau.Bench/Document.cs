using System.Globalization;
using System.Text;

namespace Flambeau.Bench;

/// <summary>
/// Puts figures into a document: for each file SUITE.jsonl of rows a chart SUITE.svg beside it, and chart and table between the lines <c>&lt;!-- figures: SUITE --&gt;</c> and <c>&lt;!-- end --&gt;</c>.
/// </summary>
internal static class Document
{
    private const string End = "<!-- end -->";

    public static int Write(FileInfo document, FileInfo[] figures)
    {
        var text = File.ReadAllText(document.FullName);
        foreach (var file in figures)
        {
            var rows = Latest(File.ReadLines(file.FullName).Select(Row.FromJson));
            var chart = Path.ChangeExtension(file.FullName, ".svg");
            File.WriteAllText(chart, Charts.Draw(rows));
            text = Between(text, Path.GetFileNameWithoutExtension(file.Name), Section(rows, Path.GetRelativePath(document.DirectoryName!, chart)));
        }
        File.WriteAllText(document.FullName, text);
        return 0;
    }

    /// <summary>A row that was measured again replaces the one before, in its place.</summary>
    private static Row[] Latest(IEnumerable<Row> rows) => [.. rows.GroupBy(row => (row.Case, row.DType, row.Threads)).Select(same => same.Last())];

    private static string Between(string text, string suite, string section)
    {
        var begin = $"<!-- figures: {suite} -->";
        var from = text.IndexOf(begin, StringComparison.Ordinal);
        if (from < 0) throw new InvalidOperationException($"The document has no line {begin}.");
        var to = text.IndexOf(End, from, StringComparison.Ordinal);
        if (to < 0) throw new InvalidOperationException($"The document has no line {End} after {begin}.");
        return $"{text[..(from + begin.Length)]}\n{section}{text[to..]}";
    }

    private static string Section(Row[] rows, string chart)
    {
        var section = new StringBuilder($"![{rows[0].Suite}: ratios and shares]({chart})\n\n<details><summary>Table</summary>\n\n");
        section.Append("| case | dtype | ours | PyTorch | unit | face | ratio | share |\n|---|---|--:|--:|---|---|--:|--:|\n");
        foreach (var row in rows)
            section.Append(CultureInfo.InvariantCulture, $"| {row.Case} | {row.DType} | {row.OursText} | {row.PeerText} | {row.Unit.Name} | {row.Face} | {row.RatioText} | {row.ShareText} |\n");
        return section.Append("\n</details>\n").ToString();
    }
}
