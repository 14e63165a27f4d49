using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>
/// Adds up, while enabled, how often each operator ran and how long it took, backward passes included. For one thread's work: operators of several threads add into one table.
/// </summary>
public static class OperatorTimes
{
    [ThreadStatic] static bool t_inside;

    /// <summary>Whether operators are timed. Costs two clock readings an operator while on, one test while off.</summary>
    public static bool Enabled { get; set; }

    /// <summary>Operators by time, the slowest first.</summary>
    public static IReadOnlyList<(string Operator, long Calls, TimeSpan Time)> Table
    {
        get { lock (Times.Known) return [.. Times.Known.OrderByDescending(t => t.Value.Ticks).Select(t => (t.Key, t.Value.Calls, Stopwatch.GetElapsedTime(0, t.Value.Ticks)))]; }
    }

    /// <summary>Forgets all.</summary>
    public static void Clear()
    {
        lock (Times.Known) Times.Known.Clear();
    }

    /// <summary>A program that does a whole composite's work.</summary>
    internal static Tensor[] Run(string name, Compile.Graphs.GraphProgram program, Tensor[] x)
    {
        if (!Enabled || t_inside) return program.Run(x);
        long start = Stopwatch.GetTimestamp();
        var results = program.Run(x);
        Add(name, Stopwatch.GetTimestamp() - start);
        return results;
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
        lock (Times.Known)
        {
            Times.Known.TryGetValue(name, out var known);
            Times.Known[name] = (known.Calls + 1, known.Ticks + ticks);
        }
    }

    // apart, so that the test of Enabled, which every operator makes, initializes nothing
    static class Times
    {
        public static readonly Dictionary<string, (long Calls, long Ticks)> Known = [];
    }
}
