using System.Globalization;
using Flambeau.Bench.Models;

namespace Flambeau.Bench.Fresh;

/// <summary>
/// Resident memory and pauses over steps that dispose of nothing. Prints: bytes before, bytes after the first steps, bytes at the end, the peak, the seconds the steps took,
/// the milliseconds of all pauses for collections that we forced, and the longest of them.
/// </summary>
internal static class Memory
{
    public static void Run(string name, int steps)
    {
        var before = Resident.Now;
        using var crowd = name.EndsWith("crowded", StringComparison.Ordinal) ? new Crowd() : null;
        var step = Step(name.Split(' ')[0]);
        var settle = Math.Min(500, steps / 3);
        for (var i = 0; i < settle; i++) step(i);
        var settled = Resident.Now;
        using var pauses = new Pauses();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (var i = settle; i < steps; i++) step(i);
        var seconds = clock.Elapsed.TotalSeconds;
        var (forced, longest) = pauses.Forced;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{before} {settled} {Resident.Now} {Resident.Peak} {seconds} {forced} {longest}"));
    }

    private static Action<int> Step(string name)
    {
        switch (name)
        {
            case "mlp":
                var mlp = new Mlp([512, 1024, 512, 10], batch: 64);
                return _ => mlp.Step();
            case "gpt":
                var gpt = Training.Gpt();
                return _ => gpt.Step();
            case "inference":
                var inference = Training.Gpt(batch: 1);
                return _ => inference.Evaluate();
            case "evaluation":
                var both = Training.Gpt(batch: 2);
                return i => { if (i % 4 == 3) both.Evaluate(); else both.Step(); };
            default: throw new ArgumentException($"memory: expected mlp, gpt, inference or evaluation, each also with ' crowded', not '{name}'");
        }
    }
}
