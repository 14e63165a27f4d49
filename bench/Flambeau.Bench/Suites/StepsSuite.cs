namespace Flambeau.Bench.Suites;

/// <summary>
/// A million training steps of a tiny model in a process of its own, through the ordinary API: whether they become slower, whether memory grows, and how much longer one of a hundred takes than the middle one,
/// beside a plain loop over an array in the same process, in turn with the steps (<c>limit</c>: what the machine allows).
/// </summary>
internal sealed class StepsSuite : ISuite
{
    private const int Steps = 1_000_000;

    private enum Figure { First, Last, Tail, LoopTail, Before, After, Collections }

    public string Name => "steps";

    public IEnumerable<Case> Cases(Options options)
    {
        // one run a round, whose figures are told row by row
        var runs = new List<double[]>();
        var peer = Case.Torch("eager.mlp_adam", new { widths = new[] { 8, 16, 4 }, batch = 8 });
        Case Told(string name, Unit unit, Figure figure) => new(name, unit) { Ours = Of(runs, r => r[(int)figure]) };
        yield return Told("step, first hundredth", Unit.Microseconds, Figure.First) with { Peer = peer };
        yield return Told("step, last hundredth", Unit.Microseconds, Figure.Last) with { Peer = peer };
        yield return Told("99th percentile over median", Unit.Times, Figure.Tail) with { Limit = () => Timing.Middle(runs.Select(r => r[(int)Figure.LoopTail])) };
        yield return Told("the same of a plain loop", Unit.Times, Figure.LoopTail);
        yield return Told("resident at the start", Unit.Megabytes, Figure.Before);
        yield return Told("resident at the end", Unit.Megabytes, Figure.After);
        yield return Told("collections", Unit.Times, Figure.Collections);
    }

    private static Func<Func<double, double>> Of(List<double[]> runs, Func<double[], double> figure) => () =>
    {
        var round = 0;
        return _ =>
        {
            if (runs.Count == round) runs.Add(FreshProcess.Ask(false, "long", $"{Steps}"));
            return figure(runs[round++]);
        };
    };
}
