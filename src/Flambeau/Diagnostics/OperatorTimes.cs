using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>
/// Adds up, while enabled, how often each operator ran and how long it took, backward passes included. For one thread's work: operators of several threads add into one table.
/// </summary>
public static class OperatorTimes
{
    static readonly Dictionary<string, (long Calls, long Ticks)> s_times = [];
    [ThreadStatic] static bool t_inside;

    /// <summary>Whether operators are timed. Costs two clock readings an operator while on, one test while off.</summary>
    public static bool Enabled { get; set; }

    /// <summary>Operators by time, the slowest first.</summary>
    public static IReadOnlyList<(string Operator, long Calls, TimeSpan Time)> Table
    {
        get { lock (s_times) return [.. s_times.OrderByDescending(t => t.Value.Ticks).Select(t => (t.Key, t.Value.Calls, Stopwatch.GetElapsedTime(0, t.Value.Ticks)))]; }
    }

    /// <summary>Forgets all.</summary>
    public static void Clear()
    {
        lock (s_times) s_times.Clear();
    }

    internal static Tensor Run(Ops.Op op, ReadOnlySpan<Tensor> x)
    {
        // an operator that runs others (a batching rule) counts once
        if (t_inside) return op.Run(x);
        t_inside = true;
        long start = Stopwatch.GetTimestamp();
        try { return op.Run(x); }
        finally
        {
            t_inside = false;
            Add(op.Name, Stopwatch.GetTimestamp() - start);
        }
    }

    static void Add(string name, long ticks)
    {
        lock (s_times)
        {
            s_times.TryGetValue(name, out var known);
            s_times[name] = (known.Calls + 1, known.Ticks + ticks);
        }
    }
}
