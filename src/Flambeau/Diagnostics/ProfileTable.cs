using System.Globalization;
using System.Text;

namespace Flambeau.Diagnostics;

/// <summary>Words a profile as text.</summary>
internal static class ProfileTable
{
    const int WidestName = 60;

    public static string Of(Profile profile, ProfileGroup by, int rows)
    {
        var totals = profile.Totals(by);
        var ranges = profile.Ranges;
        // shares are of all that was recorded: ranges' own time is that of which nothing is known
        long all = profile.Operators.Sum(t => t.SelfTicks) + ranges.Sum(t => t.SelfTicks);
        var text = new StringBuilder();
        Write(text, OfOperators(totals, all, profile.Roof is not null, by, rows));
        if (ranges.Count > 0) Write(text.Append('\n'), OfRanges(ranges));
        return text.Append('\n').Append(Footer(profile, all)).ToString();
    }

    static List<string[]> OfOperators(IReadOnlyList<ProfileTotal> totals, long all, bool roof, ProfileGroup by, int rows)
    {
        var lines = new List<string[]> { Header(by == ProfileGroup.Line ? "line" : "operator", roof) };
        foreach (var t in totals.Take(rows))
            lines.Add(
            [
                Shortened(t.Name), $"{t.Calls:N0}", Milliseconds(t.TotalTicks), Milliseconds(t.SelfTicks), Share(t.SelfTicks, all), Number(t.AverageMicroseconds),
                t.Bytes == 0 ? "" : Number(t.Bytes / 1e6), t.Bytes == 0 ? "" : Number(t.BytesPerSecond / 1e9), t.Operations == 0 ? "" : Number(t.OperationsPerSecond / 1e9),
                .. roof ? new[] { t.RoofShare is { } share ? Percent(share) : "" } : [],
            ]);
        var others = totals.Skip(rows).ToList();
        if (others.Count > 0)
            lines.Add([$"({others.Count} others)", $"{others.Sum(t => t.Calls):N0}", "", Milliseconds(others.Sum(t => t.SelfTicks)), Share(others.Sum(t => t.SelfTicks), all), "", "", "", "", .. roof ? new[] { "" } : []]);
        return lines;
    }

    static string[] Header(string first, bool roof) => [first, "calls", "total ms", "self ms", "self", "average µs", "MB", "GB/s", "GFLOP/s", .. roof ? new[] { "of roof" } : []];

    static List<string[]> OfRanges(IReadOnlyList<ProfileTotal> ranges) =>
    [
        ["range", "calls", "total ms", "self ms", "average µs", "accounted"],
        .. ranges.Select(t => new[] { Shortened(t.Name), $"{t.Calls:N0}", Milliseconds(t.TotalTicks), Milliseconds(t.SelfTicks), Number(t.AverageMicroseconds), Percent(t.Accounted) }),
    ];

    static string Footer(Profile profile, long all)
    {
        int threads = profile.Logs.Length;
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture,
            $"recorded {ProfileTotal.Seconds(all):F2} s on {threads} {(threads == 1 ? "thread" : "threads")} in {profile.Wall.TotalSeconds:F2} s; the collector paused {profile.CollectorPauses.TotalMilliseconds:F0} ms"));
        if (profile.Roof is { } roof) text.Append(string.Create(CultureInfo.InvariantCulture, $"; the roof is {roof.BytesPerSecond / 1e9:F1} GB/s, {roof.OperationsPerSecond / 1e9:F0} GFLOP/s in float32"));
        if (profile.EventsLeftOut is > 0 and var left)
            text.Append(string.Create(CultureInfo.InvariantCulture, $"\n{left:N0} events after the first {profile.Options.MaxEvents:N0} (MaxEvents) are in the sums by operator only, not in the trace"));
        return text.Append('\n').ToString();
    }

    static void Write(StringBuilder text, List<string[]> lines)
    {
        int[] widths = [.. Enumerable.Range(0, lines[0].Length).Select(c => lines.Max(l => l[c].Length))];
        foreach (var line in lines)
        {
            text.Append(line[0].PadRight(widths[0]));
            for (int c = 1; c < line.Length; c++) text.Append("  ").Append(line[c].PadLeft(widths[c]));
            while (text[^1] == ' ') text.Length--;
            text.Append('\n');
        }
    }

    static string Shortened(string name) => name.Length <= WidestName ? name : name[..(WidestName - 1)] + "…";
    static string Milliseconds(long ticks) => Number(ProfileTotal.Seconds(ticks) * 1e3);
    static string Share(long part, long all) => all == 0 ? "" : Percent((double)part / all);
    static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:F1} %");
    static string Number(double x) => x.ToString(x < 10 ? "N2" : x < 1000 ? "N1" : "N0", CultureInfo.InvariantCulture);
}
