using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Flambeau.Diagnostics;
using Flambeau.Kernels;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>Moves elements between layouts and types.</summary>
internal static unsafe class Copy
{
    const int Tile = 1024, Chunk = 16384;
    const int Block = 32; // elements of two dims from which on they are turned in tiles
    const int Side = 64;  // of a tile

    /// <summary>Writes <paramref name="source"/>, which broadcasts, into <paramref name="target"/>, converting.</summary>
    public static void Into(Tensor target, Tensor source)
    {
        if (target.Shape.Count == 0) return;
        fixed (byte* t = target.Concrete("Copy"))
        fixed (byte* s = source.Concrete("Copy"))
        {
            if (target.Shape.Count <= Chunk && target.IsContiguous && source.IsContiguous && target.Shape.Equals(source.Shape))
            {
                Conversion.Run(source.DType, s + source.Offset * source.DType.Size, target.DType, t + target.Offset * target.DType.Size, target.Shape.Count);
                GC.KeepAlive(target);
                GC.KeepAlive(source);
                return;
            }
            var job = new Job
            {
                Target = t + target.Offset * target.DType.Size, Source = s + source.Offset * source.DType.Size,
                TargetType = target.DType, SourceType = source.DType, Count = target.Shape.Count,
            };
            (job.Sizes, job.TargetStrides, job.SourceStrides) = Collapse(target.Shape, target.Strides, Shapes.BroadcastStrides(source, target.Shape));
            Run(ref job);
        }
        GC.KeepAlive(target);
        GC.KeepAlive(source);
    }

    /// <summary>Writes a number, converted once, into <paramref name="count"/> elements side by side.</summary>
    public static void Fill(byte* target, DType type, Scalar value, long count)
    {
        if (count == 0) return;
        bool whole = value.Type != DType.Float64;
        long integer = value.ToInt64();
        double real = value.ToDouble();
        if (type == DType.Float32) *(float*)target = whole ? integer : (float)real;
        else Conversion.Run(whole ? DType.Int64 : DType.Float64, whole ? (byte*)&integer : (byte*)&real, type, target, 1);
        // what is written is copied behind itself: twice as much each time
        long all = count * type.Size;
        for (long done = type.Size; done < all; done *= 2) Buffer.MemoryCopy(target, target + done, all - done, Math.Min(done, all - done));
    }

    /// <summary>Writes the elements in row-major order to <paramref name="destination"/>, converting.</summary>
    public static void ToContiguous(Tensor source, DType type, void* destination)
    {
        if (source.Shape.Count == 0) return;
        fixed (byte* s = source.Concrete("ToArray"))
        {
            var job = new Job
            {
                Target = (byte*)destination, Source = s + source.Offset * source.DType.Size, TargetType = type, SourceType = source.DType, Count = source.Shape.Count,
            };
            (job.Sizes, job.TargetStrides, job.SourceStrides) = Collapse(source.Shape, source.Shape.ContiguousStrides, source.Strides);
            Run(ref job);
        }
        GC.KeepAlive(source);
    }

    struct Job : IPart
    {
        public byte* Target, Source;
        public DType TargetType, SourceType;
        public long Count;
        public long[] Sizes, TargetStrides, SourceStrides;

        public int Part; // elements that a thread takes at a time

        /// <summary>True if what is written goes past the caches.</summary>
        public readonly bool Streams => Streaming.Suits(Count * TargetType.Size);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int part)
        {
            long start = (long)part * Part, end = Math.Min(start + Part, Count);
            bool flatTarget = Strided.IsFlat(Sizes, TargetStrides), flatSource = Strided.IsFlat(Sizes, SourceStrides), same = TargetType == SourceType, streams = flatTarget && Streams;
            int to = TargetType.Size, from = SourceType.Size;
            byte* scratch = (byte*)Scratch.Rent(Scratch.Elementwise, 2 * Tile * 8), converted = scratch + Tile * 8;
            long most = flatSource && flatTarget && (same || !streams) ? Part : Tile;
            for (; start < end; start += most)
            {
                long n = Math.Min(most, end - start);
                byte* target = Target + start * to, values = flatSource ? Source + start * from : flatTarget && same && !streams ? target : scratch;
                if (!flatSource) Strided.Gather(Source, Sizes, SourceStrides, from, start, n, values);
                byte* result = same && (streams || !flatTarget) ? values : flatTarget && !streams ? target : converted;
                if (result != values) Conversion.Run(SourceType, values, TargetType, result, n);
                if (streams) Streaming.Copy(result, target, n * to);
                else if (!flatTarget) Strided.Scatter(result, Target, Sizes, TargetStrides, to, start, n);
            }
            if (streams) Streaming.End();
        }
    }

    static void Run(ref Job job)
    {
        if (Transposes(job, out int dim)) { RunBlocked(ref job, dim); return; }
        job.Part = ElementwiseLoop.ChunkOf(job.Count);
        int parts = (int)((job.Count + job.Part - 1) / job.Part);
        if (!Team.Pays(job.Count)) for (int i = 0; i < parts; i++) job.Run(i);
        else Team.Run(parts, ref job);
    }

    static (long[] Sizes, long[] A, long[] B) Collapse(Shape shape, long[] a, long[] b)
    {
        if (a == b && a == shape.ContiguousStrides) return ([shape.Count], s_one, s_one);
        long[] sizes = new long[shape.Rank], ofA = new long[shape.Rank], ofB = new long[shape.Rank];
        int n = 0;
        for (int d = 0; d < shape.Rank; d++)
        {
            long size = shape.Sizes[d];
            if (size == 1) continue;
            if (n > 0 && ofA[n - 1] == a[d] * size && ofB[n - 1] == b[d] * size) (sizes[n - 1], ofA[n - 1], ofB[n - 1]) = (sizes[n - 1] * size, a[d], b[d]);
            else (sizes[n], ofA[n], ofB[n++]) = (size, a[d], b[d]);
        }
        return n == sizes.Length ? (sizes, ofA, ofB) : (sizes[..n], ofA[..n], ofB[..n]);
    }

    static readonly long[] s_one = [1];

    // ---- transposes: walking either side in order would touch a cache line for every element of the other ----

    static bool Transposes(in Job job, out int dim)
    {
        dim = -1;
        if (job.Sizes.Length < 2 || job.TargetStrides[^1] != 1 || job.SourceStrides[^1] == 1 || job.Sizes[^1] < Block) return false;
        for (int d = 0; d < job.Sizes.Length - 1; d++)
            if (job.SourceStrides[d] == 1 && job.Sizes[d] >= Block) dim = d;
        return dim >= 0;
    }

    struct BlockedPart : IPart
    {
        public Job Job;
        public int Dim;
        public long[] OuterSizes, OuterTarget, OuterSource;
        public long RowBlocks;

        // a row of tiles: each is turned in first-level cache, from where its rows go on in whole lines
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int part)
        {
            long outer = part / RowBlocks, first = part % RowBlocks * Side;
            int from = Job.SourceType.Size, to = Job.TargetType.Size;
            byte* target = Job.Target + Strided.Offset(OuterSizes, OuterTarget, outer) * to;
            byte* source = Job.Source + Strided.Offset(OuterSizes, OuterSource, outer) * from;
            long rows = Math.Min(Side, Job.Sizes[Dim] - first), columns = Job.Sizes[^1];
            nint row = (nint)Job.TargetStrides[Dim] * to, step = (nint)Job.SourceStrides[^1] * from;
            target += first * row;
            source += first * from;
            byte* tile = (byte*)Scratch.Rent(Scratch.Elementwise, (Side + 1) * Side * 8), converted = tile + Side * Side * 8;
            bool streams = Job.Streams;
            for (long c = 0; c < columns; c += Side)
            {
                int width = (int)Math.Min(Side, columns - c);
                Turn(source + c * step, step, width, (int)rows, tile, (int)Math.Min(Side, columns - c - width), from);
                for (long r = 0; r < rows; r++)
                {
                    byte* values = tile + r * Side * from, into = target + r * row + c * to, result = Job.SourceType == Job.TargetType ? values : streams ? converted : into;
                    if (result != values) Conversion.Run(Job.SourceType, values, Job.TargetType, result, width);
                    if (streams) Streaming.Copy(result, into, width * to);
                    else if (result != into) Unsafe.CopyBlockUnaligned(into, result, (uint)(width * to));
                }
            }
            if (streams) Streaming.End();
        }

        // some rows of the source at a time, and as many of the next tile's are asked for: processors foresee no steps beyond a page
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Turn(byte* source, nint step, int rows, int columns, byte* tile, int next, int size)
        {
            const int AtOnce = 8;
            for (int r = 0; r < rows; r += AtOnce)
            {
                byte* ahead = source + (rows + r) * step;
                for (int k = 0; k < Math.Min(AtOnce, next - r); k++, ahead += step)
                    for (int bytes = 0; bytes < columns * size; bytes += 64) Prefetch.ToL1(ahead + bytes);
                Transpose(source + r * step, step / size, tile + r * size, Side, columns, Math.Min(AtOnce, rows - r), size);
            }
        }
    }

    static void RunBlocked(ref Job job, int dim)
    {
        int last = job.Sizes.Length - 1;
        bool outer(int d) => d != dim && d != last;
        var part = new BlockedPart
        {
            Job = job, Dim = dim, RowBlocks = (job.Sizes[dim] + Side - 1) / Side,
            OuterSizes = [.. job.Sizes.Where((_, d) => outer(d))], OuterTarget = [.. job.TargetStrides.Where((_, d) => outer(d))], OuterSource = [.. job.SourceStrides.Where((_, d) => outer(d))],
        };
        int parts = (int)(job.Count / (job.Sizes[dim] * job.Sizes[^1]) * part.RowBlocks);
        if (!Team.Pays(job.Count)) for (int i = 0; i < parts; i++) part.Run(i);
        else Team.Run(parts, ref part);
    }

    /// <summary>Copies rows whose elements are <paramref name="sourceColumn"/> apart, and which begin side by side, to rows of elements side by side; distances are in elements of <paramref name="size"/> bytes.</summary>
    public static void Transpose(byte* source, nint sourceColumn, byte* target, nint targetRow, nint rows, nint columns, int size)
    {
        switch (size)
        {
            case 1: Turn(source, sourceColumn, target, targetRow, (int)rows, (int)columns); break;
            case 2: TurnWords((ushort*)source, sourceColumn, (ushort*)target, targetRow, (int)rows, (int)columns); break;
            case 4: Packing.Turn((float*)source, sourceColumn, (int)columns, (int)rows, (float*)target, targetRow); break;
            default: Packing.Turn((double*)source, sourceColumn, (int)columns, (int)rows, (double*)target, targetRow); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Turn<T>(T* source, nint sourceColumn, T* target, nint targetRow, int rows, int columns) where T : unmanaged
    {
        for (nint c = 0; c < columns; c++)
        {
            T* s = source + c * sourceColumn, t = target + c;
            for (nint r = 0; r < rows; r++) t[r * targetRow] = s[r];
        }
    }

    // squares of eight: words, then pairs, then fours of two vectors are interleaved
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TurnWords(ushort* source, nint sourceColumn, ushort* target, nint targetRow, int rows, int columns)
    {
        int c = 0;
        for (; c + 8 <= columns; c += 8)
        {
            ushort* s = source + c * sourceColumn, t = target + c;
            int r = 0;
            for (; r + 8 <= rows; r += 8, s += 8, t += 8 * targetRow) Eight(s, sourceColumn, t, targetRow);
            Turn(s, sourceColumn, t, targetRow, rows - r, 8);
        }
        Turn(source + c * sourceColumn, sourceColumn, target + c, targetRow, rows, columns - c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Eight(ushort* s, nint column, ushort* t, nint row)
    {
        Vector128<ushort> a = Vector128.Load(s), b = Vector128.Load(s + column), c = Vector128.Load(s + 2 * column), d = Vector128.Load(s + 3 * column);
        Vector128<ushort> e = Vector128.Load(s + 4 * column), f = Vector128.Load(s + 5 * column), g = Vector128.Load(s + 6 * column), h = Vector128.Load(s + 7 * column);
        Vector128<float> ab0 = GroupPacking.ZipLow(a, b).AsSingle(), ab1 = GroupPacking.ZipHigh(a, b).AsSingle(), cd0 = GroupPacking.ZipLow(c, d).AsSingle(), cd1 = GroupPacking.ZipHigh(c, d).AsSingle();
        Vector128<float> ef0 = GroupPacking.ZipLow(e, f).AsSingle(), ef1 = GroupPacking.ZipHigh(e, f).AsSingle(), gh0 = GroupPacking.ZipLow(g, h).AsSingle(), gh1 = GroupPacking.ZipHigh(g, h).AsSingle();
        Two(Packing.ZipLow(ab0, cd0), Packing.ZipLow(ef0, gh0), t, row);
        Two(Packing.ZipHigh(ab0, cd0), Packing.ZipHigh(ef0, gh0), t + 2 * row, row);
        Two(Packing.ZipLow(ab1, cd1), Packing.ZipLow(ef1, gh1), t + 4 * row, row);
        Two(Packing.ZipHigh(ab1, cd1), Packing.ZipHigh(ef1, gh1), t + 6 * row, row);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Two(Vector128<float> x, Vector128<float> y, ushort* t, nint row)
    {
        Packing.ZipLow(x.AsDouble(), y.AsDouble()).AsUInt16().Store(t);
        Packing.ZipHigh(x.AsDouble(), y.AsDouble()).AsUInt16().Store(t + row);
    }
}

/// <summary>The same values in another type, or in fresh memory. The gradient is cast back.</summary>
internal sealed class CastOp(DType type) : MultilinearOp
{
    public override string Name => "To";
    public DType Type => type;

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var y = Tensor.Empty(x[0].Shape, type);
        Copy.Into(y, x[0]);
        return y;
    }

    public override void Pullback(Node node, Tensor g) => node.Give(0, g.To(node.InputTypes[0]));
    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
}

/// <summary>(target, source) → source, broadcast and cast to the target: what a tensor holds after being written to.</summary>
internal sealed class AssignOp : Op
{
    public static readonly AssignOp Instance = new();
    public override string Name => "Copy";
    public override bool IsDifferentiable(int operand) => operand == 1;
    public override Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y) => Cost.Of(x[1..], y);

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var y = Tensor.Empty(x[0].Shape, x[0].DType);
        Copy.Into(y, x[1]);
        return y;
    }

    public override void Pullback(Node node, Tensor g) => node.Give(1, Shapes.SumTo(g, node.InputShapes[1]).To(node.InputTypes[1]));
    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => t[1] is { } tangent ? Apply(x[0], tangent) : Tensor.ZerosLike(x[0]);
    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        var target = Batching.Ensure(x[0], batched[0], size);
        var source = x[1];
        if (batched[1]) while (source.Rank < target.Rank) source = source.Unsqueeze(1);
        return Apply(target, source);
    }
}
