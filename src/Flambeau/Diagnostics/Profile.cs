using System.Collections.Concurrent;
using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>
/// Records, while it is open, what runs on any thread and how long it takes: operators, composites, the pieces of the backward pass, optimizer steps, data loading, the user's ranges
/// (PyTorch: <c>torch.profiler.profile</c>). Read it as a table, or as a trace in Perfetto.
/// </summary>
/// <example><code>
/// using var profile = Profile.Start();
/// using (Profile.Range("step")) Step(batch);
/// Console.WriteLine(profile);
/// profile.WriteTrace("trace.json");
/// </code></example>
/// <remarks>
/// Each thread keeps its own events without locks. A kernel that the team shares is one event of the thread that called it. What has not ended when the profile is read or stopped is not in it.
/// While no profile is open, an operator pays the test of one static field; while one is, some 0.2 µs an event (0.4 µs while events are kept with their shapes), which counts for what is around the event.
/// </remarks>
public sealed class Profile : IDisposable
{
    readonly ConcurrentDictionary<(string, ProfileKind), int> _keys = new();
    readonly List<ThreadLog> _logs = []; // locked
    readonly TimeSpan _collectedBefore = GC.GetTotalPauseDuration();
    TimeSpan _collected;
    int _lastKey = -1, _granted;
    long _stoppedAt = long.MaxValue;

    Profile(ProfileOptions options, Roof? roof) => (Options, Roof) = (options, roof);

    internal ProfileOptions Options { get; }
    internal long StartedAt { get; private set; }
    internal long StoppedAt => Volatile.Read(ref _stoppedAt);

    /// <summary>The machine's limits, if they were to be measured.</summary>
    public Roof? Roof { get; }

    /// <summary>Starts recording on all threads, until the profile is stopped or disposed of.</summary>
    /// <exception cref="FlambeauException">A profile is open already, or an option is out of its range.</exception>
    public static Profile Start(ProfileOptions? options = null)
    {
        options ??= new();
        options.Validate();
        if (Recording.Open is not null) throw AlreadyOpen();
        var profile = new Profile(options, options.Roof ? Diagnostics.Roof.Measure() : null) { StartedAt = Stopwatch.GetTimestamp() };
        return Interlocked.CompareExchange(ref Recording.Open, profile, null) is null ? profile : throw AlreadyOpen();
    }

    static FlambeauException AlreadyOpen() => Errors.Make("Profile.Start", "a profile is open already, and one records all threads; dispose of it first");

    /// <summary>
    /// A range of the user's own, to see what belongs together: <c>using (Profile.Range("data")) …</c> (PyTorch: <c>record_function</c>). Ranges nest, and the table says what share of each lies in work.
    /// Does nothing while no profile is open.
    /// </summary>
    public static ProfileScope Range(string name) => Recording.Part(name, ProfileKind.Range);

    /// <summary>Stops recording; what was recorded stays readable.</summary>
    public void Stop()
    {
        if (Interlocked.CompareExchange(ref _stoppedAt, Stopwatch.GetTimestamp(), long.MaxValue) != long.MaxValue) return;
        _collected = GC.GetTotalPauseDuration() - _collectedBefore;
        Interlocked.CompareExchange(ref Recording.Open, null, this);
    }

    /// <summary>Stops recording.</summary>
    public void Dispose() => Stop();

    // ---- reading ----

    /// <summary>From the start to the end, or to now.</summary>
    public TimeSpan Wall => Stopwatch.GetElapsedTime(StartedAt, Math.Min(Stopwatch.GetTimestamp(), StoppedAt));

    /// <summary>How long the collector stopped all threads meanwhile.</summary>
    public TimeSpan CollectorPauses => StoppedAt == long.MaxValue ? GC.GetTotalPauseDuration() - _collectedBefore : _collected;

    /// <summary>Events that ended but were not kept one by one, since there were <see cref="ProfileOptions.MaxEvents"/> before them.</summary>
    public long EventsLeftOut => Logs.Sum(l => l.Left);

    /// <summary>The kept events that have ended, thread by thread, each thread's in the order of their beginning: one that encloses others comes before them.</summary>
    public IReadOnlyList<ProfileEvent> Events
    {
        get
        {
            var keys = Keys;
            return [.. Logs.SelectMany(l => l.Events(keys))];
        }
    }

    /// <summary>All work by operator, the longest self time first.</summary>
    public IReadOnlyList<ProfileTotal> Operators => ProfileSums.ByKey(this, ProfileTotal.IsWork);

    /// <summary>All ranges and modules by name, the longest first; <see cref="ProfileTotal.Accounted"/> says what share of each is known work.</summary>
    public IReadOnlyList<ProfileTotal> Ranges => ProfileSums.ByKey(this, kind => !ProfileTotal.IsWork(kind));

    /// <summary>Work summed by operator, by operator and shapes, or by the user's line, the longest self time first (PyTorch: <c>key_averages(group_by_input_shape=True)</c>).</summary>
    public IReadOnlyList<ProfileTotal> Totals(ProfileGroup by) => by == ProfileGroup.Operator ? Operators : ProfileSums.ByEvent(this, by);

    /// <summary>Operators and ranges as text: calls, total and self time, averages, rates; below them how much of the ranges is accounted for.</summary>
    /// <param name="by">What a line sums.</param>
    /// <param name="rows">The most lines of operators; the others are joined in one.</param>
    public string Table(ProfileGroup by = ProfileGroup.Operator, int rows = 40) => ProfileTable.Of(this, by, rows);

    /// <summary>The table by operator.</summary>
    public override string ToString() => Table();

    /// <summary>Writes the kept events in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open. The file is replaced whole or not at all.</summary>
    /// <exception cref="IOException">The folder is missing or the disk is full.</exception>
    public void WriteTrace(string path) => IO.AtomicFile.Write(path, WriteTrace);

    /// <summary>Writes the trace to a stream, as UTF-8.</summary>
    public void WriteTrace(Stream stream) => TraceFile.Write(this, stream);

    // ---- what the threads ask for ----

    internal int KeyOf(string name, ProfileKind kind) =>
        _keys.TryGetValue((name, kind), out int key) ? key : _keys.GetOrAdd((name, kind), static (_, profile) => Interlocked.Increment(ref profile._lastKey), this);

    /// <summary>How many more of <paramref name="wanted"/> events a thread may keep.</summary>
    internal int Grant(int wanted)
    {
        while (true)
        {
            int before = Volatile.Read(ref _granted), granted = Math.Min(wanted, Options.MaxEvents - before);
            if (granted == 0 || Interlocked.CompareExchange(ref _granted, before + granted, before) == before) return granted;
        }
    }

    internal void Add(ThreadLog log)
    {
        lock (_logs) _logs.Add(log);
    }

    internal ThreadLog[] Logs
    {
        get { lock (_logs) return [.. _logs]; }
    }

    /// <summary>Names and kinds by number. While the profile is open a thread may use numbers that came later.</summary>
    internal IReadOnlyList<(string Name, ProfileKind Kind)> Keys
    {
        get
        {
            var known = _keys.ToArray();
            var keys = new (string, ProfileKind)[known.Length == 0 ? 0 : known.Max(k => k.Value) + 1];
            foreach (var (key, number) in known) keys[number] = key;
            return keys;
        }
    }
}
