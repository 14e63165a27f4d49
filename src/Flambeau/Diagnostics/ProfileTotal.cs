using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>What the events of a table are summed by.</summary>
public enum ProfileGroup
{
    /// <summary>By operator. Counts every event.</summary>
    Operator,
    /// <summary>By operator and the shapes of its operands. Counts the events that are kept.</summary>
    Shapes,
    /// <summary>By the user's line. Counts the events that are kept.</summary>
    Line,
}

/// <summary>The sum of all events of a group.</summary>
public sealed record ProfileTotal
{
    /// <summary>The group: an operator, an operator with shapes, a line, a range.</summary>
    public required string Name { get; init; }
    /// <summary>What the events are.</summary>
    public required ProfileKind Kind { get; init; }
    /// <summary>How many there were.</summary>
    public required long Calls { get; init; }
    /// <summary>Nested events included; one inside another of its own group counts once.</summary>
    public TimeSpan Total => Stopwatch.GetElapsedTime(0, TotalTicks);
    /// <summary>Without nested events: the self times of all groups, ranges included, add up to the time recorded.</summary>
    public TimeSpan Self => Stopwatch.GetElapsedTime(0, SelfTicks);
    /// <summary>Total time a call, in microseconds.</summary>
    public double AverageMicroseconds => Seconds(TotalTicks) / Calls * 1e6;
    /// <summary>Bytes that had to be read and written.</summary>
    public required long Bytes { get; init; }
    /// <summary>Floating-point operations of products.</summary>
    public required long Operations { get; init; }
    /// <summary><see cref="Bytes"/> by total time.</summary>
    public double BytesPerSecond => Rate(Bytes);
    /// <summary><see cref="Operations"/> by total time.</summary>
    public double OperationsPerSecond => Rate(Operations);
    /// <summary>
    /// The time that bytes or operations, whichever take longer, need at the machine's roof, as a share of the total time; null if no roof was measured or nothing was moved. Above 1 where data lay in cache.
    /// </summary>
    public double? RoofShare => Ideal > 0 && TotalTicks > 0 ? Ideal / TotalTicks : null;
    /// <summary>Of a range: the share of its time that lies in events which are work, not ranges. Of work: 1.</summary>
    public double Accounted => TotalTicks == 0 ? 1 : (double)AccountedTicks / TotalTicks;

    internal long TotalTicks { get; init; }
    internal long SelfTicks { get; init; }
    internal long AccountedTicks { get; init; }
    internal double Ideal { get; init; } // ticks at the roof

    double Rate(long amount) => TotalTicks == 0 ? 0 : amount / Seconds(TotalTicks);

    internal static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    internal static bool IsWork(ProfileKind kind) => kind is not (ProfileKind.Range or ProfileKind.Module);
}
