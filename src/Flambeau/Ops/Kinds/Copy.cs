using System.Runtime.CompilerServices;
using Flambeau.Diagnostics;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>Moves elements between layouts and types.</summary>
internal static unsafe class Copy
{
    const int Tile = 1024, Chunk = 16384, Block = 32;

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

        public readonly void Run(int part)
        {
            long start = (long)part * Chunk, end = Math.Min(start + Chunk, Count);
            bool flatTarget = Strided.IsFlat(Sizes, TargetStrides), flatSource = Strided.IsFlat(Sizes, SourceStrides);
            int to = TargetType.Size, from = SourceType.Size;
            if (flatTarget && flatSource && TargetType == SourceType && Streaming.Suits(Count * to))
            {
                Streaming.Copy(Source + start * from, Target + start * to, (end - start) * to);
                Streaming.End();
                return;
            }
            if (flatTarget && flatSource)
            {
                Conversion.Run(SourceType, Source + start * from, TargetType, Target + start * to, end - start);
                return;
            }
            byte* scratch = (byte*)Scratch.Rent(Scratch.Elementwise, 2 * Tile * 8), converted = scratch + Tile * 8;
            for (; start < end; start += Tile)
            {
                long n = Math.Min(Tile, end - start);
                bool same = TargetType == SourceType;
                byte* target = Target + start * to, values = flatSource ? Source + start * from : flatTarget && same ? target : scratch;
                if (!flatSource) Strided.Gather(Source, Sizes, SourceStrides, from, start, n, values);
                byte* result = flatTarget ? target : same ? values : converted;
                if (result != values) Conversion.Run(SourceType, values, TargetType, result, n);
                if (!flatTarget) Strided.Scatter(result, Target, Sizes, TargetStrides, to, start, n);
            }
        }
    }

    static void Run(ref Job job)
    {
        if (Transposes(job, out int dim)) { RunBlocked(ref job, dim); return; }
        int parts = (int)((job.Count + Chunk - 1) / Chunk);
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
        if (job.Sizes.Length < 2 || job.TargetType != job.SourceType || job.TargetStrides[^1] != 1 || job.SourceStrides[^1] == 1 || job.Sizes[^1] < Block) return false;
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

        public readonly void Run(int part)
        {
            long outer = part / RowBlocks, first = part % RowBlocks * Block;
            int size = Job.TargetType.Size;
            byte* target = Job.Target + Strided.Offset(OuterSizes, OuterTarget, outer) * size;
            byte* source = Job.Source + Strided.Offset(OuterSizes, OuterSource, outer) * size;
            long rows = Math.Min(Block, Job.Sizes[Dim] - first), columns = Job.Sizes[^1];
            nint targetRow = (nint)Job.TargetStrides[Dim], sourceColumn = (nint)Job.SourceStrides[^1];
            target += first * targetRow * size;
            source += first * size;
            for (long c = 0; c < columns; c += Block)
            {
                nint width = (nint)Math.Min(Block, columns - c);
                byte* t = target + c * size, s = source + c * sourceColumn * size;
                Transpose(s, sourceColumn, t, targetRow, (nint)rows, width, size);
            }
        }
    }

    static void RunBlocked(ref Job job, int dim)
    {
        int last = job.Sizes.Length - 1;
        bool outer(int d) => d != dim && d != last;
        var part = new BlockedPart
        {
            Job = job, Dim = dim, RowBlocks = (job.Sizes[dim] + Block - 1) / Block,
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
            case 1: Transpose(source, sourceColumn, target, targetRow, rows, columns); break;
            case 2: Transpose((short*)source, sourceColumn, (short*)target, targetRow, rows, columns); break;
            case 4: Transpose((int*)source, sourceColumn, (int*)target, targetRow, rows, columns); break;
            default: Transpose((long*)source, sourceColumn, (long*)target, targetRow, rows, columns); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Transpose<T>(T* source, nint sourceColumn, T* target, nint targetRow, nint rows, nint columns) where T : unmanaged
    {
        for (nint c = 0; c < columns; c++)
        {
            T* s = source + c * sourceColumn, t = target + c;
            for (nint r = 0; r < rows; r++) t[r * targetRow] = s[r];
        }
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
