namespace Flambeau.Bench.Suites;

/// <summary>
/// Resident memory and forced pauses of processes that dispose of nothing, alone and beside a gigabyte of living objects and fifty megabytes of garbage a second ("crowded").
/// Two sizes of each: the short one for every day, the long one (choose it with <c>--filter</c>, and <c>--rounds 1</c>) runs for minutes.
/// </summary>
internal sealed class MemorySuite : ISuite
{
    private enum Figure { Before, Settled, End, Peak, Seconds, Forced, LongestForced }

    public string Name => "memory";

    public IEnumerable<Case> Cases(Options options)
    {
        foreach (var steps in (int[])[600, 20_000])
            yield return new($"MLP 1M, {steps:#,0} steps: growth", Unit.Megabytes)
            {
                Ours = Ask("mlp", steps, r => r[(int)Figure.End] - r[(int)Figure.Settled]),
                Peer = steps > 1000 ? null : Case.FreshTorch("memory.mlp_undisposed", new { steps = 100 }),
            };
        foreach (var steps in (int[])[12, 300])
        {
            yield return new($"GPT 6x384, {steps} steps: peak", Unit.Megabytes)
            {
                Ours = Ask("gpt", steps, r => r[(int)Figure.Peak] - r[(int)Figure.Before]),
                Peer = Case.FreshTorch("memory.gpt_peak"),
            };
            yield return new($"GPT 6x384, {steps} steps: growth", Unit.Megabytes) { Ours = Ask("gpt", steps, r => r[(int)Figure.End] - r[(int)Figure.Settled]) };
        }
        foreach (var (name, short_, long_) in ((string, int, int)[])[("inference", 40, 1000), ("evaluation", 16, 200)])
            foreach (var steps in (int[])[short_, long_])
            {
                yield return new($"{name}, {steps:#,0} passes: growth", Unit.Megabytes) { Ours = Ask(name, steps, r => r[(int)Figure.End] - r[(int)Figure.Settled]) };
                yield return new($"{name}, {steps:#,0} passes: peak", Unit.Megabytes) { Ours = Ask(name, steps, r => r[(int)Figure.Peak] - r[(int)Figure.Before]) };
            }
        foreach (var server in (bool[])[false, true])
            foreach (var (name, steps) in ((string, int)[])[("mlp", 900), ("gpt", 12)])
            {
                var title = $"{name} crowded{(server ? ", server GC" : "")}";
                yield return new($"{title}: forced pauses a second", Unit.Milliseconds) { Ours = Ask($"{name} crowded", steps, r => 1e6 * r[(int)Figure.Forced] / r[(int)Figure.Seconds], server) };
                yield return new($"{title}: longest forced pause", Unit.Milliseconds) { Ours = Ask($"{name} crowded", steps, r => 1e6 * r[(int)Figure.LongestForced], server) };
            }
    }

    private static Func<Func<double, double>> Ask(string name, int steps, Func<double[], double> figure, bool server = false) =>
        () => _ => figure(FreshProcess.Ask(server, "memory", name, $"{steps}"));
}
