namespace Flambeau.Tests.Indexing;

/// <summary>What an index expression names, by definition: the result's shape, and for every element of the result the flat position of the element it shows.</summary>
sealed class IndexOracle
{
    abstract record Part;
    sealed record Fixed(long At) : Part;
    sealed record Walk(long[] At) : Part;
    sealed record NewAxis : Part;
    // positions of an index tensor, its shape; a truth value has no source dimension
    sealed record Listed(long[] At, long[] Shape, bool HasSource = true) : Part;

    readonly List<Part> _parts = [];
    readonly long[] _sizes;
    public List<TensorIndex> Indices { get; } = [];
    public List<string> Text { get; } = [];
    int _dim;

    public IndexOracle(long[] sizes) => _sizes = sizes;

    /// <summary>A random expression for a tensor of the given sizes.</summary>
    public static IndexOracle Random(Random r, long[] sizes)
    {
        var o = new IndexOracle(sizes);
        // index tensors of one expression broadcast: each takes the trailing part of one shape, some sizes 1
        long[] listed = [.. Enumerable.Range(0, r.Next(0, 3)).Select(_ => r.NextInt64(1, 4))];
        int tensors = 0, masks = 0;
        bool ellipsis = false;
        int count = r.Next(1, sizes.Length + 3);
        for (int n = 0; n < count; n++)
        {
            int left = sizes.Length - o._dim;
            switch (r.Next(10))
            {
                case 0: o.AddNewAxis(); break;
                case 1 when !ellipsis:
                    ellipsis = true;
                    o.AddEllipsis(r.Next(0, left + 1), r.Next(2) == 0);
                    break;
                case 2 or 3 when left > 0 && o.Size > 0: o.AddNumber(r.NextInt64(-sizes.Min(), sizes.Min()), r.Next(3)); break; // in range wherever it ends up
                case 4 or 5 when left > 0: o.AddSlice(r); break;
                case 6 or 7 when left > 0 && o.Size > 0 && masks == 0:
                    tensors++;
                    o.AddTensor(r, listed);
                    break;
                case 8 when left > 0 && tensors == 0 && masks == 0:
                    masks++;
                    o.AddMask(r, r.Next(1, Math.Min(left, 2) + 1));
                    break;
                case 9 when r.Next(4) == 0 && masks == 0 && tensors == 0: masks++; o.AddTruth(r.Next(3) != 0); break;
                default: break;
            }
        }
        if (o.Indices.Count == 0) o.AddNewAxis();
        // an ellipsis before the end takes what is left; where it took less, the rest must not be indexed after all
        o.Finish();
        return o;
    }

    long Size => _sizes[_dim];
    int? _open; // where an ellipsis that takes "the rest" stands

    void AddNewAxis() { _parts.Add(new NewAxis()); Indices.Add(TensorIndex.NewAxis); Text.Add("NewAxis"); }

    void AddEllipsis(int takes, bool text)
    {
        // how much it takes is settled at the end: remember the place and the dims taken so far
        _ = takes;
        _open = _parts.Count;
        Indices.Add(text ? "..." : TensorIndex.Ellipsis);
        Text.Add("...");
    }

    void AddNumber(long at, int form)
    {
        _parts.Add(new Fixed(at));
        Indices.Add(form switch { 0 => at, 1 when at < 0 => new Index((int)-at, fromEnd: true), 2 => Tensor.FromScalar(at), _ => (int)at });
        Text.Add($"{at}");
        _dim++;
    }

    void AddSlice(Random r)
    {
        long n = 5; // the size is known only once the ellipsis is settled: bounds are clipped anyway
        long? start = r.Next(3) == 0 ? null : r.NextInt64(-n - 1, n + 2), stop = r.Next(3) == 0 ? null : r.NextInt64(-n - 1, n + 2);
        long step = r.Next(2) == 0 ? 1 : r.Next(2) == 0 ? r.Next(1, 4) : -r.Next(1, 4);
        _parts.Add(new SliceOf(start, stop, step));
        Indices.Add(new Slice(start, stop, step));
        Text.Add($"{start}:{stop}:{step}");
        _dim++;
    }

    sealed record SliceOf(long? Start, long? Stop, long Step) : Part;

    void AddTensor(Random r, long[] broadcast)
    {
        long[] shape = [.. broadcast[r.Next(0, broadcast.Length + 1)..].Select(s => r.Next(3) == 0 ? 1 : s)];
        var at = new long[shape.Aggregate(1L, (a, b) => a * b)];
        // in the range of the smallest dim, so that it fits wherever it ends up
        long least = _sizes.Min();
        for (int i = 0; i < at.Length; i++) at[i] = r.NextInt64(-least, least);
        var index = Tensor.FromArray(at, shape);
        if (shape.Length == 0) { _parts.Add(new Fixed(at[0])); }
        else _parts.Add(new Listed(at, shape));
        Indices.Add(r.Next(2) == 0 ? index : index.To(DType.Int32));
        Text.Add($"[{string.Join(" ", at)}]@{string.Join("x", shape)}");
        _dim++;
    }

    void AddMask(Random r, int rank)
    {
        _parts.Add(new MaskOf(rank, r.Next()));
        Indices.Add(true); // replaced when the sizes are known
        Text.Add($"mask{rank}");
        _dim += rank;
    }

    sealed record MaskOf(int Rank, int Seed) : Part;

    void AddTruth(bool truth)
    {
        _parts.Add(new Listed(truth ? [0] : [], [truth ? 1 : 0], HasSource: false));
        Indices.Add(truth);
        Text.Add($"{truth}");
    }

    void Finish()
    {
        // an ellipsis, explicit or implied at the end, becomes whole walks
        int rest = _sizes.Length - _dim;
        _parts.InsertRange(_open ?? _parts.Count, Enumerable.Range(0, rest).Select(_ => (Part)new SliceOf(null, null, 1)));
        int dim = 0;
        for (int i = 0; i < _parts.Count; i++)
        {
            switch (_parts[i])
            {
                case Fixed f: _parts[i] = new Fixed(f.At < 0 ? f.At + _sizes[dim] : f.At); dim++; break;
                case SliceOf s: _parts[i] = new Walk(Positions(s, _sizes[dim])); dim++; break;
                case Listed { HasSource: true } t: _parts[i] = t with { At = [.. t.At.Select(a => a < 0 ? a + _sizes[dim] : a)] }; dim++; break;
                case MaskOf m:
                    var random = new Random(m.Seed);
                    long[] shape = _sizes[dim..(dim + m.Rank)];
                    var values = new bool[shape.Aggregate(1L, (a, b) => a * b)];
                    for (int k = 0; k < values.Length; k++) values[k] = random.Next(2) == 0;
                    int place = Indices.FindIndex(x => x.Equals((TensorIndex)true));
                    Indices[place] = Tensor.FromArray(values, shape);
                    long[] places = [.. Enumerable.Range(0, values.Length).Where(k => values[k]).Select(k => (long)k)];
                    _parts.RemoveAt(i);
                    for (int d = 0; d < m.Rank; d++)
                    {
                        long inner = shape[(d + 1)..].Aggregate(1L, (a, b) => a * b);
                        int of = d;
                        _parts.Insert(i + d, new Listed([.. places.Select(p => p / inner % shape[of])], [places.Length]));
                    }
                    i += m.Rank - 1;
                    dim += m.Rank;
                    break;
            }
        }
    }

    // Python's range(*slice.indices(n)), walked
    static long[] Positions(SliceOf s, long n)
    {
        var result = new List<long>();
        long start = s.Start is { } a ? a < 0 ? a + n : a : s.Step > 0 ? 0 : n - 1;
        if (s.Step > 0)
        {
            long stop = s.Stop is { } b ? b < 0 ? b + n : b : n;
            for (long i = Math.Max(start, 0); i < Math.Min(stop, n); i += s.Step) result.Add(i);
        }
        else
        {
            long stop = s.Stop is { } b ? b < 0 ? b + n : b : -1;
            for (long i = Math.Min(start, n - 1); i > Math.Max(stop, -1); i += s.Step) result.Add(i);
        }
        return [.. result];
    }

    /// <summary>The result's shape and, row-major, the flat position of each element. Null if the index tensors do not broadcast.</summary>
    public (long[] Shape, long[] Flat, bool IsView)? Evaluate()
    {
        var listed = _parts.OfType<Listed>().ToArray();
        long[] common = [];
        foreach (var t in listed)
        {
            int rank = Math.Max(common.Length, t.Shape.Length);
            var merged = new long[rank];
            for (int i = 1; i <= rank; i++)
            {
                long a = i <= common.Length ? common[^i] : 1, b = i <= t.Shape.Length ? t.Shape[^i] : 1;
                if (a != b && a != 1 && b != 1) return null;
                merged[^i] = a == 1 ? b : a;
            }
            common = merged;
        }
        // where the common shape goes: with the first listed part if all of them stand together, numbers aside
        var visible = _parts.Where(p => p is not Fixed).ToArray();
        int first = Array.FindIndex(visible, p => p is Listed), last = Array.FindLastIndex(visible, p => p is Listed);
        bool together = first >= 0 && visible[first..(last + 1)].All(p => p is Listed);
        var shape = new List<long>();
        int commonAt = together || first < 0 ? -1 : 0;
        if (commonAt == 0) shape.AddRange(common);
        var dimOf = new Dictionary<Part, int>(ReferenceEqualityComparer.Instance);
        foreach (var p in visible)
        {
            if (p is Listed)
            {
                if (commonAt >= 0) continue;
                commonAt = shape.Count;
                shape.AddRange(common);
                continue;
            }
            dimOf[p] = shape.Count;
            shape.Add(p is Walk w ? w.At.Length : 1);
        }
        long[] sizes = [.. shape];
        var flat = new long[sizes.Aggregate(1L, (a, b) => a * b)];
        var at = new long[sizes.Length];
        for (int e = 0; e < flat.Length; e++)
        {
            long position = 0;
            int dim = 0;
            foreach (var p in _parts)
            {
                long? k = p switch
                {
                    Fixed f => f.At,
                    Walk w => w.At[at[dimOf[p]]],
                    Listed { HasSource: true } t => t.At[Within(at, commonAt, common, t.Shape)],
                    _ => null,
                };
                if (k is { } here) position = position * _sizes[dim++] + here;
            }
            flat[e] = position;
            for (int d = at.Length - 1; d >= 0 && ++at[d] == sizes[d]; d--) at[d] = 0;
        }
        return (sizes, flat, listed.Length == 0);
    }

    static long Within(long[] at, int start, long[] common, long[] shape)
    {
        long position = 0;
        int lead = common.Length - shape.Length;
        for (int d = 0; d < shape.Length; d++) position = position * shape[d] + (shape[d] == 1 ? 0 : at[start + lead + d]);
        return position;
    }

    public override string ToString() => $"[{string.Join(",", _sizes)}][{string.Join(", ", Text)}]";
}
