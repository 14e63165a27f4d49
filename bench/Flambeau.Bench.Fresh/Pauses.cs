using System.Diagnostics.Tracing;

namespace Flambeau.Bench.Fresh;

/// <summary>The pauses of collections that somebody forced, as the runtime's own events tell them.</summary>
internal sealed class Pauses : EventListener
{
    // Microsoft-Windows-DotNETRuntime's events and the reasons of a collection
    private const int Start = 1, Restarted = 3, Suspending = 9;
    private const uint Induced = 1, InducedNotForced = 7, InducedCompacting = 10;

    private DateTime _suspended;
    private bool _isForced; // the collection in progress; a pause without a start belongs to it
    private double _sum, _longest;

    /// <summary>Milliseconds of all of them, and of the longest.</summary>
    public (double Sum, double Longest) Forced { get { lock (this) return (_sum, _longest); } }

    protected override void OnEventSourceCreated(EventSource source)
    {
        if (source.Name == "Microsoft-Windows-DotNETRuntime") EnableEvents(source, EventLevel.Informational, (EventKeywords)1);
    }

    protected override void OnEventWritten(EventWrittenEventArgs e)
    {
        lock (this)
            switch (e.EventId)
            {
                case Suspending: _suspended = e.TimeStamp; break;
                case Start: _isForced = Convert.ToUInt32(e.Payload![2], null) is Induced or InducedNotForced or InducedCompacting; break;
                case Restarted when _isForced && _suspended != default:
                    var pause = (e.TimeStamp - _suspended).TotalMilliseconds;
                    _sum += pause;
                    _longest = Math.Max(_longest, pause);
                    break;
            }
    }
}
