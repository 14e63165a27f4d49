using System.Diagnostics;
using System.Globalization;
using Flambeau.Bench.Models;

namespace Flambeau.Bench.Fresh;

/// <summary>
/// Training steps of a tiny model, very many of them, each followed by a plain loop over an array that takes about as long: what delays one of a hundred loops is the machine's, what delays steps beyond that is ours.
/// Prints: nanoseconds of a step in the first and in the last hundredth of the run, the time that 99 of 100 steps keep to over the middle one, the same of the loops, resident bytes at the start and at the end, and collections.
/// </summary>
internal static class LongRun
{
    private const double WarmUp = 3; // seconds: the just-in-time compiler has a core of its own until then

    public static void Run(int count)
    {
        var mlp = new Mlp([8, 16, 4], batch: 8);
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUp) mlp.Step();
        var turns = Turns(mlp);
        long[] steps = new long[count], loops = new long[count];
        steps.AsSpan().Fill(1); // pages that come later would count as growth
        loops.AsSpan().Fill(1);
        var (before, collections) = (Resident.Now, GC.CollectionCount(0));
        for (var i = 0; i < count; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            mlp.Step();
            var between = Stopwatch.GetTimestamp();
            Loop(turns);
            (steps[i], loops[i]) = (between - begun, Stopwatch.GetTimestamp() - between);
        }
        var (after, collected) = (Resident.Now, GC.CollectionCount(0) - collections);
        double first = Quantile(steps.AsSpan(0, count / 100), 0.5), last = Quantile(steps.AsSpan(count - count / 100), 0.5);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{first} {last} {Tail(steps)} {Tail(loops)} {before} {after} {collected}"));
    }

    /// <summary>Turns of the loop that take as long as a step.</summary>
    private static int Turns(Mlp mlp)
    {
        const int Some = 1000;
        double Median(Action action)
        {
            var times = new long[Some];
            foreach (ref var time in times.AsSpan())
            {
                var begun = Stopwatch.GetTimestamp();
                action();
                time = Stopwatch.GetTimestamp() - begun;
            }
            return Quantile(times, 0.5);
        }
        for (var i = 0; i < 100; i++) Loop(Some); // compiled
        return (int)(Some * Median(mlp.Step) / Median(() => Loop(Some)));
    }

    private static readonly double[] s_array = new double[2048];

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
    private static void Loop(int turns)
    {
        // each turn by itself: what waits for the turn before would not notice a neighbour on the same core
        var x = s_array;
        for (var i = 0; i < turns; i++) x[i & (x.Length - 1)] = x[i & (x.Length - 1)] * 0.999 + 1e-3;
    }

    private static double Tail(long[] times) => Quantile(times, 0.99) / Quantile(times, 0.5);

    /// <summary>Nanoseconds that so many keep to.</summary>
    private static double Quantile(ReadOnlySpan<long> times, double share)
    {
        var sorted = times.ToArray();
        Array.Sort(sorted);
        return sorted[(int)(share * (sorted.Length - 1))] * 1e9 / Stopwatch.Frequency;
    }
}
