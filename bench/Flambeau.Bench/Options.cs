namespace Flambeau.Bench;

/// <summary>What the command line asked for.</summary>
/// <param name="Json">One JSON object a line instead of a table.</param>
/// <param name="Threads">Threads on both sides.</param>
/// <param name="Face">The name of a <see cref="Bench.Face"/>, or "best".</param>
/// <param name="Filter">Only cases whose name and dtype contain this.</param>
/// <param name="Seconds">Time for each measurement.</param>
/// <param name="Rounds">Measurements of each side, taken in turn.</param>
/// <param name="Chart">The file that a chart of the rows goes into; null for none.</param>
internal sealed record Options(bool Json, int Threads, string Face, string Filter, double Seconds, int Rounds, string? Chart)
{
    /// <summary>The faces asked for; not all of them make sense on every machine (<see cref="Bench.Face.WhyNot"/>).</summary>
    public IEnumerable<Face> Faces => Bench.Face.All.Where(f => Face == "best" || f.Name == Face);
}
