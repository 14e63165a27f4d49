using System.Globalization;
using System.Text;

namespace Flambeau.Bench;

/// <summary>
/// Draws rows as an SVG picture, a bar a case: the ratio to PyTorch, on a logarithmic axis from the line at 1; where few rows have a peer, the share of the limit. Colours follow the reader's light or dark mode.
/// </summary>
internal static class Charts
{
    private const int Width = 760, Left = 290, Right = 104, Top = 62, Line = 18, Bottom = 12;

    private const string Style = """
        <style>
        svg { --page: #fffdf8; --text: #333; --faint: #767066; --grid: #e8e2d6; --ahead: #2b6cb0; --behind: #d9531e }
        @media (prefers-color-scheme: dark) { svg { --page: #1d1c1a; --text: #e6e1d6; --faint: #a39c8f; --grid: #3a3732; --ahead: #6aa9e9; --behind: #f08a5d } }
        .page { fill: var(--page) } text { fill: var(--text) } .faint { fill: var(--faint) } .grid { stroke: var(--grid) } .one { stroke: var(--text) }
        .ahead { fill: var(--ahead) } .behind { fill: var(--behind) } .title { font-size: 14px } .end { text-anchor: end } .middle { text-anchor: middle }
        </style>

        """;

    /// <param name="Value">What a bar shows; null leaves the row out.</param>
    /// <param name="Beside">What stands at the right, under <paramref name="BesideCaption"/>.</param>
    /// <param name="Place">From a value to 0 … 1.</param>
    /// <param name="Origin">Where bars begin.</param>
    private sealed record Axis(
        string Caption, string BesideCaption, Func<Row, double?> Value, Func<Row, string> Beside, Func<double, double> Place, double Origin, double[] Ticks, string Format);

    public static string Draw(IReadOnlyList<Row> rows)
    {
        var axis = 2 * rows.Count(row => row.Ratio is not null) >= rows.Count ? Ratios(rows) : Shares();
        var drawn = rows.Where(row => axis.Value(row) is not null).ToArray();
        var height = Top + Line * drawn.Length + Bottom;
        var svg = new StringBuilder($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n{Style}");
        svg.Append($"<rect class=\"page\" width=\"{Width}\" height=\"{height}\"/>\n");
        if (drawn.Length > 0) Text(svg, 12, 22, $"{drawn[0].Suite}: {axis.Caption}, {drawn[0].Threads} thread{(drawn[0].Threads == 1 ? "" : "s")}", "title");
        if (drawn.Any(row => axis.Beside(row) != "")) Text(svg, Width - 12, 52, axis.BesideCaption, "faint end");
        foreach (var tick in axis.Ticks) Tick(svg, axis, tick, height - Bottom);
        for (var i = 0; i < drawn.Length; i++) Bar(svg, axis, drawn[i], Top + Line * i);
        return svg.Append("</svg>\n").ToString();
    }

    private static Axis Ratios(IReadOnlyList<Row> rows)
    {
        var exponents = rows.Where(row => row.Ratio is > 0).Select(row => Math.Log2(row.Ratio!.Value)).ToArray();
        int least = (int)Math.Floor(exponents.Append(-1).Min()), most = (int)Math.Ceiling(exponents.Append(1).Max());
        double[] ticks = [.. Enumerable.Range(least, most - least + 1).Select(exponent => Math.Pow(2, exponent))];
        return new("ratio to PyTorch's best face", "share", row => row.Ratio is > 0 ? row.Ratio : null, row => row.ShareText, ratio => (Math.Log2(ratio) - least) / (most - least), 1, ticks, "0.##");
    }

    private static Axis Shares() => new(
        "share of the limit", "time", row => row.Share, row => $"{row.OursText} {row.Unit.Name}", share => Math.Clamp(share, 0, 1.25) / 1.25, 0, [0, 0.25, 0.5, 0.75, 1], "0 %");

    private static double X(Axis axis, double value) => Left + (Width - Left - Right) * axis.Place(value);

    private static void Tick(StringBuilder svg, Axis axis, double value, int bottom)
    {
        var x = X(axis, value);
        svg.Append(Invariant($"<line class=\"{(value == 1 ? "one" : "grid")}\" x1=\"{x:F1}\" x2=\"{x:F1}\" y1=\"{Top - 4}\" y2=\"{bottom}\"/>\n"));
        Text(svg, x, 52, value.ToString(axis.Format, CultureInfo.InvariantCulture), "faint middle");
    }

    private static void Bar(StringBuilder svg, Axis axis, Row row, int y)
    {
        var value = axis.Value(row)!.Value;
        double from = X(axis, axis.Origin), to = X(axis, value), baseline = y + 13;
        var ahead = value >= 1 || axis.Origin == 0;
        Text(svg, Left - 10, baseline, row.DType switch { "float32" => row.Case, "bfloat16" => $"{row.Case}, bf16", var other => $"{row.Case}, {other}" }, "end");
        svg.Append(Invariant($"<rect class=\"{(ahead ? "ahead" : "behind")}\" x=\"{Math.Min(from, to):F1}\" y=\"{y + 3}\" width=\"{Math.Abs(to - from):F1}\" height=\"{Line - 6}\"/>\n"));
        // beside the bar, on the side away from the origin
        Text(svg, ahead ? to + 4 : to - 4, baseline, value.ToString(axis.Origin == 0 ? "0 %" : "0.00", CultureInfo.InvariantCulture), ahead ? "" : "end");
        Text(svg, Width - 12, baseline, axis.Beside(row), "faint end");
    }

    private static void Text(StringBuilder svg, double x, double y, string text, string @class) =>
        svg.Append(Invariant($"<text x=\"{x:F1}\" y=\"{y}\" class=\"{@class}\">{text.Replace("&", "&amp;").Replace("<", "&lt;")}</text>\n"));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
