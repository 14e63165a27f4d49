using System.Diagnostics;

namespace Flambeau.Bench;

/// <summary>How long one call takes: nanoseconds a call over several batches of calls.</summary>
/// <param name="Median">The middle batch: what comparisons use.</param>
/// <param name="Fastest">The fastest batch: what an undisturbed machine would do.</param>
/// <param name="Calls">Calls timed, the warm-up left out.</param>
/// <param name="Busy">Processors this process had while it was timed; well below its threads, somebody else had them.</param>
internal readonly record struct Timing(double Median, double Fastest, long Calls, double Busy)
{
    private const double ShortestBatch = 0.0005; // seconds: a thousand times the clock's own cost
    private const int FewestBatches = 3;
    private const double ShortestWarmUp = 0.2;   // seconds: .NET recompiles what is hot a tenth of a second after the start

    /// <summary>
    /// Times an action for about <paramref name="seconds"/>, after a warm-up. Both sides of every comparison use
    /// this one rule. At least three batches are timed, however long each takes.
    /// </summary>
    public static Timing Of(Action action, double seconds)
    {
        var perBatch = WarmUp(action, Math.Max(seconds / 4, ShortestWarmUp));
        var batches = new List<double>();
        var (start, used) = (Stopwatch.GetTimestamp(), ProcessorTime);
        while (batches.Count < FewestBatches || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
            batches.Add(Batch(action, perBatch));
        var busy = (ProcessorTime - used) / Stopwatch.GetElapsedTime(start);
        return new(Middle(batches), batches.Min(), batches.Count * perBatch, busy);
    }

    /// <summary>The median; the mean of the two middle values of an even count.</summary>
    public static double Middle(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static TimeSpan ProcessorTime => Environment.CpuUsage.TotalTime;

    /// <summary>Runs until the time is over, at least once, and says how many calls fill a batch.</summary>
    private static long WarmUp(Action action, double seconds)
    {
        var calls = 1L;
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var nanoseconds = Batch(action, calls);
            var batch = nanoseconds * calls * 1e-9;
            if (batch < ShortestBatch) calls = Math.Min(calls * 8, (long)Math.Ceiling(calls * 1.2 * ShortestBatch / Math.Max(batch, 1e-9)));
            else if (Stopwatch.GetElapsedTime(start).TotalSeconds >= seconds) return calls;
        }
    }

    private static double Batch(Action action, long calls)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0L; i < calls; i++) action();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / calls;
    }
}
