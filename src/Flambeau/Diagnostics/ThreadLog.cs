using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>
/// What a profile keeps of one thread: the events that are open, those that ended, and their sums. The thread alone writes, without locks; others may read at any time and see events that have ended.
/// </summary>
internal sealed class ThreadLog
{
    const int ChunkSize = 512, TensorsTogether = 2048; // below the size of the large object heap

    // weak: a thread that lives on does not keep a profile that nobody reads
    [ThreadStatic] static WeakReference<ThreadLog>? t_log;

    readonly Profile _profile;
    Frame[] _open = new Frame[16];
    int _depth;
    long _serial;
    Event[][] _chunks = new Event[4][];
    int _kept, _granted;
    bool _full;
    long _left; // out, since there was no room
    Sum[] _sums = new Sum[64];
    ProfiledTensor[] _tensors = []; // of the latest events, one after another
    int _tensorsTaken;

    ThreadLog(Profile profile, Thread thread) => (_profile, Thread, ThreadName) = (profile, thread.ManagedThreadId, thread.Name);

    public int Thread { get; }
    public string? ThreadName { get; }

    /// <summary>The line of the innermost open event that has one.</summary>
    public string? Line { get; private set; }

    /// <summary>Events that were not kept.</summary>
    public long Left => Volatile.Read(ref _left);

    /// <summary>This thread's log of a profile.</summary>
    public static ThreadLog Of(Profile profile)
    {
        if (t_log is { } known && known.TryGetTarget(out var log) && ReferenceEquals(log._profile, profile)) return log;
        log = new(profile, System.Threading.Thread.CurrentThread);
        t_log = new(log);
        if (!NN.WarmUp.IsHere) profile.Add(log);
        return log;
    }

    struct Frame
    {
        public Event[]? Chunk; // where the event is kept, if it is
        public int At, Key;
        public ProfileKind Kind;
        public long Serial, Start, Ended, Nested, Accounted, Bytes, Operations;
        public double Ideal;
        public string? LineAround;
    }

    struct Event
    {
        public int Key, Depth, First, Operands;
        public ProfiledTensor[]? Tensors; // operands from First on, then the result, which is empty until it is there
        public string? Line;
        public long Start, Ticks, Self, Bytes, Operations; // Ticks: −1 while it runs
        public double Ideal;
    }

    /// <summary>The sum of a key's events.</summary>
    public struct Sum
    {
        public int Open;
        public long Calls, Total, Self, Accounted, Bytes, Operations;
        public double Ideal;
    }

    // ---- writing ----

    /// <summary>Opens an event. Its time begins last, so that noting it counts for the event around.</summary>
    public ProfileScope Begin(string name, ProfileKind kind, scoped ReadOnlySpan<Tensor> x, string? line)
    {
        var options = _profile.Options;
        int key = _profile.KeyOf(name, kind);
        if (_depth == _open.Length) Array.Resize(ref _open, 2 * _depth);
        ref var frame = ref _open[_depth];
        frame = new() { Key = key, Kind = kind, Serial = ++_serial, LineAround = Line };
        // what runs inside an operator belongs to the operator's line
        if (options.Lines && ProfileTotal.IsWork(kind)) Line = line ?? Line ?? Errors.UserPlace();
        if (key >= _sums.Length) Array.Resize(ref _sums, Math.Max(key + 1, 2 * _sums.Length));
        _sums[key].Open++;
        if (TryKeep(ref frame))
        {
            ref var e = ref frame.Chunk![frame.At];
            e = new() { Key = key, Depth = _depth, Line = ProfileTotal.IsWork(kind) ? Line : null, Ticks = -1 };
            if (options.Shapes && ProfileTotal.IsWork(kind)) See(ref e, x);
            Volatile.Write(ref _kept, _kept + 1);
        }
        _depth++;
        frame.Start = Stopwatch.GetTimestamp();
        return new(this, _depth - 1, frame.Serial);
    }

    void See(ref Event e, scoped ReadOnlySpan<Tensor> x)
    {
        int count = x.Length + 1;
        if (_tensorsTaken + count > _tensors.Length) (_tensors, _tensorsTaken) = (new ProfiledTensor[Math.Max(TensorsTogether, count)], 0);
        (e.Tensors, e.First, e.Operands) = (_tensors, _tensorsTaken, x.Length);
        for (int i = 0; i < x.Length; i++) _tensors[_tensorsTaken + i] = new(x[i].DType, x[i].Shape);
        _tensorsTaken += count;
    }

    // room is asked for a chunk at a time; once refused it stays so, hence every kept event's surroundings are kept too
    bool TryKeep(ref Frame frame)
    {
        if (_kept == _granted && !_full)
        {
            int granted = _profile.Grant(ChunkSize);
            _full = granted == 0;
            if (!_full) AddChunk();
            _granted += granted;
        }
        if (_full)
        {
            _left++;
            return false;
        }
        (frame.Chunk, frame.At) = (_chunks[_kept / ChunkSize], _kept % ChunkSize);
        return true;
    }

    void AddChunk()
    {
        int at = _kept / ChunkSize;
        if (at == _chunks.Length) Array.Resize(ref _chunks, 2 * at);
        _chunks[at] = new Event[ChunkSize];
    }

    /// <summary>Notes an open event's result and cost.</summary>
    public void Made(int depth, long now, Tensor y, Cost cost)
    {
        if (depth >= _depth) return;
        ref var frame = ref _open[depth];
        frame.Ended = now;
        if (frame.Chunk is { } chunk)
        {
            ref var e = ref chunk[frame.At];
            if (e.Tensors is { } tensors) tensors[e.First + e.Operands] = new(y.DType, y.Shape);
        }
        Spend(ref frame, cost, y.DType);
    }

    /// <summary>Adds a cost to the innermost open event.</summary>
    public void Spend(Cost cost, DType type)
    {
        if (_depth > 0) Spend(ref _open[_depth - 1], cost, type);
    }

    void Spend(ref Frame frame, Cost cost, DType type)
    {
        frame.Bytes += cost.Bytes;
        frame.Operations += cost.Operations;
        if (_profile.Roof is { } roof) frame.Ideal += roof.SecondsFor(cost, type) * Stopwatch.Frequency;
    }

    /// <summary>Ends an event and what is still open in it; nothing if it has ended with one around it.</summary>
    public void End(int depth, long serial)
    {
        long now = Math.Min(Stopwatch.GetTimestamp(), _profile.StoppedAt);
        if (depth >= _depth || _open[depth].Serial != serial) return;
        while (_depth > depth) Close(now);
    }

    /// <summary>Ends the innermost module's call; nothing if none was open when it began.</summary>
    public void EndModule()
    {
        for (int depth = _depth - 1; depth >= 0; depth--)
        {
            if (_open[depth].Kind != ProfileKind.Module) continue;
            End(depth, _open[depth].Serial);
            return;
        }
    }

    void Close(long now)
    {
        ref var frame = ref _open[--_depth];
        long ticks = Math.Max(0, (frame.Ended != 0 ? Math.Min(frame.Ended, now) : now) - frame.Start), self = ticks - frame.Nested;
        long accounted = ProfileTotal.IsWork(frame.Kind) ? ticks : frame.Accounted;
        ref var sum = ref _sums[frame.Key];
        sum.Calls++;
        sum.Self += self;
        sum.Bytes += frame.Bytes;
        sum.Operations += frame.Operations;
        sum.Ideal += frame.Ideal;
        if (--sum.Open == 0) (sum.Total, sum.Accounted) = (sum.Total + ticks, sum.Accounted + accounted);
        if (frame.Chunk is { } chunk)
        {
            ref var e = ref chunk[frame.At];
            (e.Start, e.Self, e.Bytes, e.Operations, e.Ideal) = (frame.Start, self, frame.Bytes, frame.Operations, frame.Ideal);
            Volatile.Write(ref e.Ticks, ticks);
        }
        Line = frame.LineAround;
        if (_depth > 0)
        {
            _open[_depth - 1].Nested += ticks;
            _open[_depth - 1].Accounted += accounted;
        }
        frame = default;
    }

    // ---- reading ----

    /// <summary>The events that have ended, in the order of their beginning.</summary>
    public IEnumerable<ProfileEvent> Events(IReadOnlyList<(string Name, ProfileKind Kind)> keys)
    {
        int kept = Volatile.Read(ref _kept);
        for (int i = 0; i < kept; i++)
        {
            var e = _chunks[i / ChunkSize][i % ChunkSize];
            // still running, or begun after the keys were read
            if (Volatile.Read(ref e.Ticks) < 0 || e.Key >= keys.Count || keys[e.Key].Name is null) continue;
            yield return new()
            {
                Name = keys[e.Key].Name, Kind = keys[e.Key].Kind, Thread = Thread, Depth = e.Depth,
                Operands = e.Tensors is null ? [] : e.Tensors[e.First..(e.First + e.Operands)], Result = e.Tensors is { } t && t[e.First + e.Operands] is { Shape: not null } result ? result : null, Line = e.Line,
                Bytes = e.Bytes, Operations = e.Operations, StartTicks = e.Start - _profile.StartedAt, Ticks = e.Ticks, SelfTicks = e.Self, Ideal = e.Ideal,
            };
        }
    }

    /// <summary>The sums by key.</summary>
    public ReadOnlySpan<Sum> Sums => Volatile.Read(ref _sums);
}
