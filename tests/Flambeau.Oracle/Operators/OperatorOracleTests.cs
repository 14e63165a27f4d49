using System.Globalization;
using System.Text;

namespace Flambeau.Oracle.Operators;

/// <summary>
/// Random cases over the table of operators. <c>FLAMBEAU_ORACLE_CASES</c> sets their number (2,000), <c>FLAMBEAU_ORACLE_SEED</c> the seed,
/// <c>FLAMBEAU_ORACLE_ONLY</c> the operators (names, by commas).
/// </summary>
public class OperatorOracleTests
{
    private static readonly int Cases = Setting("FLAMBEAU_ORACLE_CASES", 2000), Seed = Setting("FLAMBEAU_ORACLE_SEED", 20261124);

    private static readonly string? s_trace = Environment.GetEnvironmentVariable("FLAMBEAU_ORACLE_TRACE");

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : otherwise;

    [Fact]
    public void Operators_agree_with_PyTorch_on_random_cases()
    {
        var only = Environment.GetEnvironmentVariable("FLAMBEAU_ORACLE_ONLY")?.Split(',');
        var table = OperatorTable.All.Where(o => only is null || only.Contains(o.Name)).ToArray();
        Assert.NotEmpty(table);

        var complaints = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        var deliberate = new SortedDictionary<string, List<string>>(StringComparer.Ordinal);
        int skipped = 0, threw = 0, gradients = 0;
        for (var i = 0; i < Cases; i++)
        {
            var op = table[i % table.Length];
            var seed = HashCode(Seed, op.Name, i / table.Length);
            var c = op.Draw(new Draw(seed));
            // the last line names the case that ended the process
            if (s_trace is { } trace) File.WriteAllText(trace, $"{i} {op.Name}({Comparison.Describe(c)}");
            var outcome = Comparison.Of(op.Name, c, seed + 1);
            if (outcome.Skipped) skipped++;
            if (outcome.Threw) threw++;
            if (outcome.HadGradients) gradients++;
            foreach (var (reason, difference) in outcome.Deliberate) Note(deliberate, $"{op.Name} ({reason})", difference);
            if (outcome.Complaint is { } complaint) Note(complaints, op.Name, complaint);

            void Note(SortedDictionary<string, List<string>> report, string heading, Complaint what)
            {
                if (!report.TryGetValue(heading, out var list)) report.Add(heading, list = []);
                list.Add($"{what.Text}\n      case {i / table.Length}: {op.Name}({Comparison.Describe(c)}");
            }
        }

        var summary = $"{Cases} cases over {table.Length} operators, seed {Seed}: {gradients} with gradients, {threw} refused, {skipped} without a kernel in PyTorch, {deliberate.Values.Sum(list => list.Count)} deliberate differences";
        TestContext.Current.SendDiagnosticMessage(summary);
        if (Environment.GetEnvironmentVariable("FLAMBEAU_ORACLE_LOG") is { } log) File.WriteAllText(log, summary + "\n" + Report(complaints, 6) + "On purpose:\n" + Report(deliberate, 4));
        Assert.True(complaints.Count == 0, summary + "\n" + Report(complaints, 2));
    }

    private static string Report(SortedDictionary<string, List<string>> complaints, int each)
    {
        var text = new StringBuilder();
        foreach (var (name, list) in complaints)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {name}: {list.Count}");
            foreach (var complaint in list.Take(each)) text.AppendLine("    " + complaint);
        }
        return text.ToString();
    }

    // FNV-1a: the same on every run, so that a case can be drawn again
    private static int HashCode(int seed, string name, int index)
    {
        var hash = 2166136261u;
        foreach (var c in $"{seed}/{name}/{index}") hash = (hash ^ c) * 16777619;
        return (int)(hash & 0x7FFFFFFF);
    }
}
