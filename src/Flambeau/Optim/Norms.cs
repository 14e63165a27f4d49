using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>
/// The Euclidean norms of many tensors in one parallel region, with the bits of <c>x.Norm()</c>: squares, rounded, are summed in rows of 32,768 in the order of reductions, the rows joined pairwise.
/// A part takes the rows that begin on its stretch of the line that all tensors lie on; squares pass through a tile and are never written to memory.
/// </summary>
internal sealed unsafe class Norms
{
    const int Row = ReduceLoop<Sum>.RowChunk;
    const int Part = Row;
    const int Overhead = 64;  // what a tensor costs beside its elements, in elements
    const int Operations = 2; // an element's square and its sum

    struct Entry
    {
        public Tensor X;
        public long Begin;   // on the line
        public int FirstRow; // where the sums of its rows go
    }

    Entry[] _entries = [];
    double[] _sums = []; // of rows, in the type that is computed in, packed from an entry's first row on
    int _count, _rows;
    long _end;

    /// <summary>Adds a contiguous tensor with elements.</summary>
    public void Add(Tensor x)
    {
        if (_count == _entries.Length) Array.Resize(ref _entries, Math.Max(16, 2 * _count));
        _entries[_count++] = new() { X = x, Begin = _end, FirstRow = _rows };
        _rows += checked((int)((x.Numel + Row - 1) / Row));
        _end += x.Numel + Overhead;
    }

    /// <summary>The norms in the order that the tensors were added; forgets the tensors.</summary>
    public void Run(Span<double> norms)
    {
        if (_sums.Length < _rows) _sums = new double[Math.Max(_rows, 2 * _sums.Length)];
        var job = new Job(this);
        int parts = checked((int)((_end + Part - 1) / Part));
        try
        {
            if (!Team.Pays(Operations * _end)) for (int i = 0; i < parts; i++) job.Run(i);
            else Team.Run(parts, ref job);
            for (int i = 0; i < _count; i++) norms[i] = Join(_entries[i]);
        }
        finally
        {
            Array.Clear(_entries, 0, _count);
            (_count, _rows, _end) = (0, 0, 0);
        }
    }

    readonly struct Job(Norms norms) : IPart
    {
        public void Run(int part) => norms.RunPart((long)part * Part, (long)(part + 1) * Part);
    }

    void RunPart(long from, long to)
    {
        for (int i = EntryAt(from); i < _count && _entries[i].Begin < to; i++)
        {
            ref readonly var e = ref _entries[i];
            // rows begin at multiples of a row from the tensor's own start
            long first = Math.Max(0, (from - e.Begin + Row - 1) / Row);
            for (long row = first; row * Row < e.X.Numel && e.Begin + row * Row < to; row++) SumSquares(e, row);
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

    void SumSquares(in Entry e, long row)
    {
        var compute = UpdateLoop.StateType(e.X.DType);
        long start = row * Row, n = Math.Min(Row, e.X.Numel - start);
        byte* tile = (byte*)Scratch.Rent(Scratch.Elementwise, Row * sizeof(double));
        fixed (byte* store = e.X.Store)
        fixed (double* sums = _sums)
        {
            byte* x = store + (e.X.Offset + start) * e.X.DType.Size;
            if (e.X.DType != compute)
            {
                Conversion.Run(e.X.DType, x, compute, tile, n);
                x = tile;
            }
            byte** operands = stackalloc byte*[2] { x, x };
            BinaryOp<Mul>.Instance.Kernel.Run(compute, tile, operands, n, 0);
            ReduceLoop<Sum>.Row(compute, tile, n, (byte*)(sums + e.FirstRow) + row * compute.Size);
        }
    }

    double Join(in Entry e)
    {
        var compute = UpdateLoop.StateType(e.X.DType);
        fixed (double* sums = _sums)
        {
            double* first = sums + e.FirstRow;
            ReduceLoop<Sum>.JoinPairwise((byte*)first, (e.X.Numel + Row - 1) / Row, 1, 1, compute);
            return compute == DType.Float64 ? Math.Sqrt(*first) : MathF.Sqrt(*(float*)first);
        }
    }
}
