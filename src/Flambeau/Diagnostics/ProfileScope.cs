namespace Flambeau.Diagnostics;

/// <summary>An open event: <c>using var step = Profile.Range("step");</c>. It ends on the thread that it began on, so it cannot be held across an <c>await</c>.</summary>
public readonly ref struct ProfileScope
{
    readonly ThreadLog? _log; // null: no profile was open
    readonly int _depth;
    readonly long _serial;

    internal ProfileScope(ThreadLog log, int depth, long serial) => (_log, _depth, _serial) = (log, depth, serial);

    /// <summary>False if no profile was open when it began.</summary>
    internal bool IsRecorded => _log is not null;

    /// <summary>Notes the result and what it cost; the event ended at <paramref name="now"/>, before that was looked at.</summary>
    internal void Made(long now, Tensor y, Cost cost) => _log!.Made(_depth, now, y, cost);

    /// <summary>Ends the event, and what is still open in it.</summary>
    public void Dispose() => _log?.End(_depth, _serial);
}
