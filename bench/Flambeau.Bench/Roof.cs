using Flambeau.Runtime;

namespace Flambeau.Bench;

/// <summary>Which plain loop over memory moves bytes in the same proportion: read and written.</summary>
internal enum Traffic { Read, Copy, Triad }

/// <summary>
/// The most that an operator whose bytes come and go can reach: the smaller of the bandwidth of a plain loop over as many bytes and of the operator's own rate in second-level cache, both measured in this run.
/// A share near 1 says that nothing is lost to memory, sharing and calls; how good the arithmetic is, a ratio to another library says.
/// </summary>
/// <param name="Traffic">The loop whose bandwidth bounds it.</param>
/// <param name="Bytes">Bytes of a row that must move: each operand and result once.</param>
/// <param name="Prepare">The operator over so many rows, as it is measured.</param>
internal sealed record Roof(Traffic Traffic, double Bytes, Func<long, Action> Prepare)
{
    const double Seconds = 0.1;

    /// <summary>Twice as many rows lie in second-level cache with room to spare. Never one alone, which kernels treat in their own way.</summary>
    long Few => Math.Max(2, (long)(Processor.L2 * 3 / 8 / Bytes));

    /// <summary>GB/s for so many rows; null where they are so few that the cost of a call is what is measured.</summary>
    public Func<double>? Of(long rows, int threads) =>
        rows <= 2 * Few ? null : () => Math.Min(Bandwidth(threads, (long)(rows * Bytes)), InCache(threads));

    double Bandwidth(int threads, long bytes) => Traffic switch
    {
        Traffic.Read => Limits.ReadBandwidth(threads, bytes),
        Traffic.Copy => Limits.CopyBandwidth(threads, bytes),
        _ => Limits.TriadBandwidth(threads, bytes),
    };

    /// <summary>One thread's rate in second-level cache, times the threads. Rows are added to rows: what a call costs before the first falls out of the difference.</summary>
    double InCache(int threads)
    {
        Settings.Threads = 1;
        try
        {
            var first = Time(Few); // the just-in-time compiler may be at work still
            var (twice, once) = (Time(2 * Few), Math.Min(first, Time(Few)));
            return threads * Few * Bytes / (twice - once);
        }
        finally { Settings.Threads = threads; }
    }

    double Time(long rows) => Timing.Of(Prepare(rows), Seconds).Fastest;
}
