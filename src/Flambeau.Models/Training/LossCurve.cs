using System.Globalization;
using System.Text;

namespace Flambeau.Models.Training;

/// <summary>Draws a run's losses as an SVG picture: every step faintly, their moving mean, and the held-out loss.</summary>
public static class LossCurve
{
    const int Width = 760, Height = 380, Left = 56, Right = 20, Top = 30, Bottom = 44;

    /// <summary>The picture's text. Losses are nats a token; held-out points are (step, bits a byte).</summary>
    public static string Draw(IReadOnlyList<(long Step, double Loss)> losses, IReadOnlyList<(long Step, double BitsPerByte)> heldOut, string title)
    {
        var svg = new StringBuilder();
        svg.Append($"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n");
        svg.Append($"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#fffdf8\"/>\n<text x=\"{Left}\" y=\"20\" font-size=\"14\" fill=\"#333\">{Escape(title)}</text>\n");
        if (losses.Count > 0)
        {
            double last = Math.Max(losses[^1].Step, 1), most = Math.Max(losses.Max(l => l.Loss), heldOut.Select(h => h.BitsPerByte).DefaultIfEmpty(0).Max());
            most = Math.Ceiling(Math.Max(most, 1e-3) * 2) / 2;
            double X(double step) => Left + (Width - Left - Right) * step / last;
            double Y(double loss) => Height - Bottom - (Height - Top - Bottom) * loss / most;
            Axes(svg, last, most, X, Y);
            Line(svg, losses.Select(l => (X(l.Step), Y(l.Loss))), "#f0c9a4", 1);
            Line(svg, Smooth(losses).Select(l => (X(l.Step), Y(l.Loss))), "#d9531e", 2);
            foreach (var (step, bits) in heldOut) svg.Append(Invariant($"<circle cx=\"{X(step):F1}\" cy=\"{Y(bits):F1}\" r=\"3.5\" fill=\"#2b6cb0\"/>\n"));
            svg.Append($"<text x=\"{Width - Right}\" y=\"20\" text-anchor=\"end\"><tspan fill=\"#d9531e\">training loss, nats a token</tspan><tspan fill=\"#2b6cb0\" dx=\"12\">held out, bits a byte</tspan></text>\n");
        }
        return svg.Append("</svg>\n").ToString();
    }

    static void Axes(StringBuilder svg, double last, double most, Func<double, double> x, Func<double, double> y)
    {
        double by = most <= 4 ? 0.5 : 1;
        for (double v = 0; v <= most + 1e-9; v += by)
            svg.Append(Invariant($"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y(v):F1}\" y2=\"{y(v):F1}\" stroke=\"#e8e2d6\"/><text x=\"{Left - 8}\" y=\"{y(v) + 4:F1}\" text-anchor=\"end\" fill=\"#666\">{v:0.0}</text>\n"));
        for (int i = 0; i <= 5; i++)
            svg.Append(Invariant($"<text x=\"{x(last * i / 5):F1}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\" fill=\"#666\">{last * i / 5:0}</text>\n"));
        svg.Append($"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\" fill=\"#666\">step</text>\n");
    }

    static void Line(StringBuilder svg, IEnumerable<(double X, double Y)> points, string colour, int width) =>
        svg.Append($"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" points=\"{string.Join(' ', points.Select(p => Invariant($"{p.X:F1},{p.Y:F1}")))}\"/>\n");

    // the mean over a window of 2 % of the run
    static IEnumerable<(long Step, double Loss)> Smooth(IReadOnlyList<(long Step, double Loss)> losses)
    {
        int window = Math.Max(1, losses.Count / 50);
        double sum = 0;
        for (int i = 0; i < losses.Count; i++)
        {
            sum += losses[i].Loss;
            if (i >= window) sum -= losses[i - window].Loss;
            yield return (losses[i].Step, sum / Math.Min(i + 1, window));
        }
    }

    static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;");
}
