using System.Diagnostics;
using Flambeau.Runtime;

namespace Flambeau.Bench.Suites;

/// <summary>What a parallel region costs while the team spins, beside .NET's own, and several callers at once against one.</summary>
internal sealed class RuntimeSuite : ISuite
{
    private const int Callers = 8;

    public string Name => "runtime";

    public IEnumerable<Case> Cases(Options options) =>
    [
        new("parallel region, empty", Unit.Nanoseconds) { Ours = Case.Timed(() => { var body = new Nothing(); return () => Team.Run(options.Threads, ref body); }) },
        new("parallel region, all threads meet", Unit.Nanoseconds) { Ours = Case.Timed(() => { var body = new Meeting(options.Threads); return () => Team.Run(options.Threads, ref body); }) },
        new("Parallel.For, empty", Unit.Nanoseconds) { Ours = Case.Timed(() => () => Parallel.For(0, options.Threads, static _ => { })) },
        new("Parallel.For, all threads meet", Unit.Nanoseconds) { Ours = Case.Timed(() => { var body = new Meeting(options.Threads); return () => Parallel.For(0, options.Threads, body.Run); }) },
        new("softmax 64x1024, one caller", Unit.Microseconds) { Ours = () => seconds => Together(1, seconds) },
        new($"softmax 64x1024, {Callers} callers", Unit.Microseconds) { Ours = () => seconds => Together(Callers, seconds), Limit = () => Alone(options.Threads) },
    ];

    private struct Nothing : IPart
    {
        public readonly void Run(int part) { }
    }

    /// <summary>Each part waits until all are under way, so that every thread has one.</summary>
    private readonly struct Meeting(int parts) : IPart
    {
        private static int s_arrived;

        public void Run(int part)
        {
            var all = (Interlocked.Increment(ref s_arrived) + parts - 1) / parts * parts;
            while (Volatile.Read(ref s_arrived) < all) Thread.SpinWait(1);
        }
    }

    /// <summary>Nanoseconds a call where so many threads call at once: the time of all over the calls of all.</summary>
    private static double Together(int callers, double seconds)
    {
        long calls = 0;
        using var ready = new Barrier(callers + 1);
        var threads = Enumerable.Range(0, callers).Select(_ => new Thread(() =>
        {
            var x = Tensor.RandN([64, 1024]);
            Case.Warm(() => x.Softmax(-1).Dispose(), 0.1);
            ready.SignalAndWait();
            var mine = 0L;
            for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < seconds; mine++) x.Softmax(-1).Dispose();
            Interlocked.Add(ref calls, mine);
            ready.SignalAndWait();
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        ready.SignalAndWait();
        var start = Stopwatch.GetTimestamp();
        ready.SignalAndWait();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / calls;
    }

    /// <summary>What the cores could do at most, each with calls of its own: one thread's time over their number.</summary>
    private static double Alone(int threads)
    {
        Settings.Threads = 1;
        try { return Unit.Microseconds.Of(Together(1, 0.3), 1) / threads; }
        finally { Settings.Threads = threads; }
    }
}
