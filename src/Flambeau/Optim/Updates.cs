using System.Diagnostics;
using Flambeau.Diagnostics;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>
/// Updates of many tensors, gathered first and then made in one parallel region. The elements of all tensors lie on one line, one tensor after the other, and a part is a stretch of that line:
/// many small tensors share a part, a large one spans many, and all parts are of equal work. An element's bits depend on its own numbers only, so not on where the line is cut.
/// </summary>
/// <remarks>
/// A part pins the memory of the tensors it works on, for as long as it does: no handles, and nothing is allocated once the tables have grown. Tensors of the type that is computed in
/// are updated in place; others (float16, bfloat16) are converted tile by tile on the way in and rounded once on the way out. One with a master follows it: the master is updated in place, and rounded into the tensor.
/// </remarks>
internal sealed unsafe class Updates
{
    const int LargestPart = 16384, SmallestPart = 2048; // elements
    const int Overhead = 64;   // what a tensor costs beside its elements, in elements
    const int Alignment = 16;  // elements: cuts keep the alignment of a tensor's start
    const int Tile = 1024;     // elements converted at a time
    const int Operations = 4;  // cheap elementwise operations that an element's update costs, at least
    const int MaxCoefficients = 9, MaxStates = 3;

    struct Entry
    {
        public Kernel Kernel;
        public bool IsMixed;     // the kernel reads and writes bfloat16 beside the master by itself
        public Tensor P, G;
        public Tensor? A, B, C, Master;
        public long Begin;       // on the line
        public int Coefficients; // where they begin in the table
    }

    Entry[] _entries = [];
    double[] _coefficients = [];
    int _count, _known;
    long _end, _part;
    object? _owner;
    long _step;

    /// <summary>True looks at what was updated, while it is in the cache: <see cref="FoundNonfinite"/> tells whether an element became infinite or NaN.</summary>
    public bool Watches { get; init; }

    /// <summary>Since it was set to false.</summary>
    public bool FoundNonfinite { get; set; }

    /// <summary>True if the coefficients set last are those of this group in this step, so that they need not be computed again.</summary>
    public bool HasCoefficients(object group, long step) => ReferenceEquals(_owner, group) && _step == step;

    /// <summary>Sets the coefficients of what is added from now on.</summary>
    public void SetCoefficients(object group, long step, ReadOnlySpan<double> coefficients)
    {
        if (_known + MaxCoefficients > _coefficients.Length) Array.Resize(ref _coefficients, 2 * _coefficients.Length + MaxCoefficients);
        var row = _coefficients.AsSpan(_known, MaxCoefficients);
        row.Clear();
        coefficients.CopyTo(row);
        _known += MaxCoefficients;
        (_owner, _step) = (group, step);
    }

    /// <summary>Adds the update of a parameter, with its master if it has one, and as many of its states as the update has.</summary>
    public void Add<TUpdate>(Tensor p, Tensor g, ParameterState state) where TUpdate : struct, IUpdate
    {
        Tensor? Get(int k) => k < TUpdate.States ? state.Get(k, p) : null;
        Add<TUpdate>(p, g, Get(0), Get(1), Get(2), state.Master);
    }

    /// <summary>Adds the update of one tensor and its states with the coefficients set last.</summary>
    /// <param name="p">Of any floating-point type; float16 and bfloat16 are computed in float32 and rounded once at the end. What is strided is updated at once.</param>
    /// <param name="g">Of the same shape.</param>
    /// <param name="a">The first state, as the others contiguous, in the type that is computed in (<see cref="UpdateLoop.StateType"/>), of the same shape.</param>
    /// <param name="b">The second state.</param>
    /// <param name="c">The third state.</param>
    /// <param name="master">As a state: what is updated instead, if the tensor is of half precision; the tensor becomes its rounded values. Where it does not round to the tensor any more, the tensor counts.</param>
    /// <exception cref="FlambeauException">The tensor or its gradient has no values to be read; it is not added.</exception>
    public void Add<TUpdate>(Tensor p, Tensor g, Tensor? a = null, Tensor? b = null, Tensor? c = null, Tensor? master = null) where TUpdate : struct, IUpdate
    {
        Debug.Assert(_known > 0);
        // memory that was given back is found now, not on another thread
        p.Concrete("Step").GetPinnableReference();
        g.Concrete("Step").GetPinnableReference();
        if (!p.IsContiguous || !g.IsContiguous)
        {
            AddStrided<TUpdate>(p, g, a, b, c, master);
            return;
        }
        if (_count == _entries.Length) Array.Resize(ref _entries, Math.Max(16, 2 * _count));
        ref var e = ref _entries[_count++];
        e.IsMixed = master is not null && p.DType == DType.BFloat16 && g.DType == DType.BFloat16;
        e.Kernel = UpdateLoop.KernelOf<TUpdate>(e.IsMixed);
        (e.P, e.G, e.A, e.B, e.C, e.Master) = (p, g, a, b, c, master);
        e.Begin = _end;
        e.Coefficients = _known - MaxCoefficients;
        _end += Overhead + (p.Numel + Alignment - 1) / Alignment * Alignment;
    }

    void AddStrided<TUpdate>(Tensor p, Tensor g, Tensor? a, Tensor? b, Tensor? c, Tensor? master) where TUpdate : struct, IUpdate
    {
        var packed = p.Contiguous();
        Add<TUpdate>(packed, g.Contiguous(), a, b, c, master);
        Run();
        if (!ReferenceEquals(packed, p)) p.Copy_(packed);
    }

    /// <summary>Makes the updates that were added; returns when all are done. Their tensors must not overlap.</summary>
    public void Run()
    {
        if (_count == 0) return;
        using var scope = Recording.Update("Updates", Recording.Open is null ? 0 : Bytes(), _entries[0].P.DType);
        bool shared = Team.Pays(Operations * _end);
        // a few parts for each thread: none waits long for another's last
        _part = shared ? Math.Clamp((_end / (2 * Team.Share) + Alignment - 1) / Alignment * Alignment, SmallestPart, LargestPart) : LargestPart;
        var job = new Job(this);
        int parts = checked((int)((_end + _part - 1) / _part));
        try
        {
            if (!shared) for (int i = 0; i < parts; i++) job.Run(i);
            else Team.Run(parts, ref job);
        }
        finally
        {
            // gradients are not kept alive from step to step
            Array.Clear(_entries, 0, _count);
            (_count, _end) = (0, 0);
        }
    }

    // parameters and states are read and written
    long Bytes()
    {
        long bytes = 0;
        foreach (ref readonly var e in _entries.AsSpan(0, _count))
            foreach (var (t, times) in new[] { (e.P, 2), (e.G, 1), (e.A, 2), (e.B, 2), (e.C, 2), (e.Master, 2) })
                if (t is not null) bytes += times * t.Numel * t.DType.Size;
        return bytes;
    }

    static void CountWrites(in Entry e)
    {
        e.P.Store!.Version++;
        if (e.A is not null) e.A.Store!.Version++;
        if (e.B is not null) e.B.Store!.Version++;
        if (e.C is not null) e.C.Store!.Version++;
        if (e.Master is not null) e.Master.Store!.Version++;
    }

    /// <summary>Makes what was added, and forgets the coefficients: options may change before the next step.</summary>
    public void Finish()
    {
        Run();
        (_owner, _known) = (null, 0);
    }

    readonly struct Job(Updates updates) : IPart
    {
        public void Run(int part) => updates.RunPart(part * updates._part, Math.Min((part + 1) * updates._part, updates._end));
    }

    void RunPart(long from, long to)
    {
        fixed (double* coefficients = _coefficients)
            for (int i = EntryAt(from); i < _count && _entries[i].Begin < to; i++)
            {
                ref readonly var e = ref _entries[i];
                // by the one part that its beginning lies in
                if (e.Begin >= from) CountWrites(e);
                long first = e.Begin + Overhead, start = Math.Max(0, from - first), end = Math.Min(e.P.Numel, to - first);
                if (start >= end) continue;
                RunStretch(e, start, end - start, coefficients + e.Coefficients);
                if (Watches && !IsFinite(e.P, start, end - start)) FoundNonfinite = true;
            }
    }

    // the last entry that begins at or before a position
    int EntryAt(long position)
    {
        int low = 0, high = _count;
        while (high - low > 1)
        {
            int middle = (low + high) / 2;
            if (_entries[middle].Begin <= position) low = middle;
            else high = middle;
        }
        return low;
    }

    static void RunStretch(in Entry e, long start, long n, double* coefficients)
    {
        var compute = UpdateLoop.StateType(e.P.DType);
        fixed (byte* p = e.P.Store, g = e.G.Store, a = e.A?.Store, b = e.B?.Store, c = e.C?.Store, master = e.Master?.Store)
        {
            byte** x = stackalloc byte*[MaxStates + 3] { At(e.G, g, start), At(e.A, a, start), At(e.B, b, start), At(e.C, c, start), (byte*)coefficients, At(e.P, p, start) };
            if (e.IsMixed) e.Kernel.Run(compute, At(e.Master, master, start), x, n, 0);
            else if (e.P.DType == compute && e.G.DType == compute) e.Kernel.Run(compute, At(e.P, p, start), x, n, 0);
            else RunTiles(e, compute, At(e.P, p, start), At(e.Master, master, start), x, n);
        }
    }

    static bool IsFinite(Tensor x, long start, long n)
    {
        fixed (byte* store = x.Store) return Finite.All(x.DType, At(x, store, start), n);
    }

    static byte* At(Tensor? x, byte* store, long element) => x is null ? null : store + (x.Offset + element) * x.DType.Size;

    static void RunTiles(in Entry e, DType compute, byte* p, byte* master, byte** x, long n)
    {
        int size = compute.Size;
        byte* g = x[0], tile = (byte*)Scratch.Rent(Scratch.Elementwise, 2 * Tile * sizeof(double)), wideG = tile + Tile * size;
        x[0] = wideG;
        for (long done = 0; done < n; done += Tile)
        {
            long count = Math.Min(Tile, n - done);
            byte* wide = master == null ? tile : master + done * size;
            if (master == null) Conversion.Run(e.P.DType, p, compute, wide, count);
            else Follow(e.P.DType, p, (float*)wide, count, (ushort*)tile);
            Conversion.Run(e.G.DType, g, compute, wideG, count);
            e.Kernel.Run(compute, wide, x, count, 0);
            Conversion.Run(compute, wide, e.P.DType, p, count);
            p += count * e.P.DType.Size;
            g += count * e.G.DType.Size;
            for (int k = 1; k <= MaxStates; k++) if (x[k] != null) x[k] += count * size;
        }
    }

    // as the loop of an update does
    static void Follow(DType type, byte* p, float* master, long n, ushort* rounded)
    {
        Conversion.Run(DType.Float32, master, type, rounded, n);
        var now = new ReadOnlySpan<ushort>(p, (int)n);
        if (now.SequenceEqual(new(rounded, (int)n))) return;
        for (int i = 0; i < n; i++)
            if (now[i] != rounded[i]) Conversion.Run(type, p + i * sizeof(ushort), DType.Float32, master + i, 1);
    }
}
