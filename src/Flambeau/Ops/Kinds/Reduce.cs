using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>How a reduction's result type follows from its operand's.</summary>
public enum Accumulation
{
    /// <summary>The operand's type.</summary>
    Same,
    /// <summary>The operand's type; bool and whole numbers become int64: <c>Sum</c>.</summary>
    IntToInt64,
}

/// <summary>
/// A reduction: an associative combination with an identity, over any dims. The kind owns keepDim, the fixed order of combination (docs/design/numerics.md), the parallel form, batching and the
/// plumbing of derivatives.
/// </summary>
public interface IReduction : IOperator
{
    /// <summary>What leaves the other side of <see cref="Combine"/> unchanged.</summary>
    static abstract S Identity<S>() where S : IReal<S>;
    /// <summary>x ∘ y.</summary>
    static abstract S Combine<S>(S x, S y) where S : IReal<S>;
    /// <summary>How the result type follows.</summary>
    static virtual Accumulation Accumulation => Accumulation.Same;
    /// <summary>False if an empty reduction has no value: <c>Max</c>.</summary>
    static virtual bool HasIdentity => true;
    /// <summary>
    /// dy/dx for every element, from the operand, the result with its reduced dims kept, and the dims; null if it is 1 everywhere (a sum). Written with tensor operators, so it can be differentiated again.
    /// </summary>
    static virtual Tensor? Partial(Tensor x, Tensor y, int[] dims) => null;
    /// <summary>True if the reduction is a sum: dy/dx = 1, and nothing is saved.</summary>
    static virtual bool IsSum => false;
}

/// <summary>Applies reductions.</summary>
public static class Reduction
{
    /// <summary>Reduces the given dims (all if none are named).</summary>
    public static Tensor Apply<TOp>(Tensor x, ReadOnlySpan<int> dims, bool keepDim = false) where TOp : struct, IReduction =>
        ReduceOp<TOp>.Of(x.Shape, dims, keepDim).Apply(Autocast.Operand<TOp>(x));
}

/// <summary>A reduction with its dims, whatever its combination; and its loops over one row, for those who hold rows of their own.</summary>
internal abstract class ReductionOp(int[] dims, bool keepDim) : Op
{
    /// <summary>The reduced dims, sorted.</summary>
    public int[] Dims => dims;
    public bool KeepDim => keepDim;

    /// <summary>The same reduction over other dims.</summary>
    public abstract ReductionOp Over(int[] dims, bool keepDim);

    /// <summary>Reduces <paramref name="n"/> elements of the compute type at <paramref name="x"/>.</summary>
    public abstract unsafe void Row(DType compute, byte* x, long n, byte* result);

    /// <summary>x ∘ y as an expression of two operands.</summary>
    public abstract Expr Combination { get; }

    /// <summary>What leaves the other side of the combination unchanged.</summary>
    public abstract Expr Identity { get; }

    /// <summary>acc ← acc ∘ x for <paramref name="n"/> elements; or (start) acc ← identity.</summary>
    public abstract unsafe void Column(DType compute, byte* acc, byte* x, long n, bool start);

    /// <summary>Joins the results of <paramref name="count"/> blocks of rows, <paramref name="n"/> elements each, in the fixed order; the result is left in the first.</summary>
    public abstract unsafe void Join(DType compute, byte* blocks, long count, long n);

    /// <summary>Bytes of the chains that a row's elements go to in turn.</summary>
    public const int ChainBytes = 256;

    /// <summary>Longer rows are cut into chunks of so many elements.</summary>
    public const long RowChunk = 32768;

    /// <summary>In how many blocks so many rows are combined.</summary>
    public static long BlocksOf(long rows) => Math.Clamp(rows / 16, 1, 64);
}

internal sealed class ReduceOp<TOp>(int[] dims, bool keepDim) : ReductionOp(dims, keepDim) where TOp : struct, IReduction
{
    // over one dim, or over all: by far the usual ones are made once
    static readonly ReduceOp<TOp>?[] s_one = new ReduceOp<TOp>?[2 * KnownRank], s_all = new ReduceOp<TOp>?[2 * KnownRank];
    const int KnownRank = 8;

    /// <summary>The reduction of a tensor of the given shape over the given dims; all if none are named.</summary>
    public static ReduceOp<TOp> Of(Shape shape, ReadOnlySpan<int> dims, bool keepDim)
    {
        int kept = keepDim ? 1 : 0;
        if (shape.Rank is 0 or >= KnownRank || dims.Length > 1) return new(Shapes.Dims(OpNames.Of<TOp>(), shape, dims), keepDim);
        ref var known = ref dims.Length == 0 ? ref s_all[2 * shape.Rank + kept] : ref s_one[2 * shape.Normalize(dims[0], OpNames.Of<TOp>()) + kept];
        return known ??= new(Shapes.Dims(OpNames.Of<TOp>(), shape, dims), keepDim);
    }

    public override string Name => OpNames.Of<TOp>();

    public override ReductionOp Over(int[] dims, bool keepDim) => new ReduceOp<TOp>(dims, keepDim);

    public override Expr Combination => TOp.Combine(Expr.Input(0), Expr.Input(1));
    public override Expr Identity => TOp.Identity<Expr>();
    public override unsafe void Row(DType compute, byte* x, long n, byte* result) => ReduceLoop<TOp>.Row(compute, x, n, result);
    public override unsafe void Column(DType compute, byte* acc, byte* x, long n, bool start) => ReduceLoop<TOp>.Column(compute, acc, x, n, start);
    public override unsafe void Join(DType compute, byte* blocks, long count, long n) => ReduceLoop<TOp>.JoinPairwise(blocks, count, n, n, compute);

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var type = TOp.Accumulation == Accumulation.IntToInt64 && !x[0].DType.IsFloatingPoint ? DType.Int64 : x[0].DType;
        var shape = Shapes.Reduced(x[0].Shape, Dims, KeepDim);
        if (!TOp.HasIdentity && x[0].Numel == 0 && ReducesNothing(x[0].Shape))
            throw Errors.Make(Name, "has no value over no elements: a reduced dim has size 0", ("x", x[0]));
        return ReduceLoop<TOp>.Run(x[0], Dims, shape, type);
    }

    bool ReducesNothing(Shape shape)
    {
        foreach (int d in Dims) if (shape.Sizes[d] == 0) return true;
        return false;
    }

    public override uint SavesFor(int operand) => TOp.IsSum ? 0 : 1 | Output;

    Tensor Keep(Tensor y, Shape operand) => KeepDim ? y : y.Reshape(Shapes.Reduced(operand, Dims, keepDim: true));

    public override void Pullback(Node node, Tensor g)
    {
        var shape = node.InputShapes[0];
        var kept = Keep(g, shape).To(node.InputTypes[0]);
        node.Give(0, TOp.IsSum ? kept.Expand(shape) : TOp.Partial(node.Input(0), Keep(node.Output(), shape), Dims)! * kept);
    }

    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y)
    {
        var term = TOp.IsSum ? t[0]! : TOp.Partial(x[0], Keep(y, x[0].Shape), Dims)! * t[0]!;
        return Dims.Length == 0 ? term : term.Sum(Dims, KeepDim);
    }

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        // "no dims" means none here, not all: a 0-dim element reduces to itself
        return Dims.Length == 0 ? x[0] : new ReduceOp<TOp>([.. Dims.Select(d => d + 1)], KeepDim).Apply(x[0]);
    }
}

/// <summary>
/// The order of combination, the same at every width and number of threads. A row: element i goes to chain i mod C, the chains are joined by halving; rows longer than 32,768 are cut into chunks of that,
/// joined pairwise. C is 256 bytes of the compute type: 64 chains of float32, 32 of float64. Over leading dims: rows in a number of blocks fixed by their count, each combined in order, then pairwise.
/// </summary>
internal static unsafe class ReduceLoop<TOp> where TOp : struct, IReduction
{
    /// <summary>How many elements of a row are combined before the chunks are joined.</summary>
    public const int RowChunk = (int)ReductionOp.RowChunk;
    const int ChainBytes = ReductionOp.ChainBytes, Strip = 1024, RowsAtOnce = 8, NearBytes = 16 << 10;

    public static Tensor Run(Tensor x, int[] dims, Shape shape, DType type)
    {
        var compute = TOp.Accumulation == Accumulation.IntToInt64 && type == DType.Int64 ? DType.Int64 : ElementwiseOp.ComputeType(type);
        // trailing reduced dims are one row; leading ones are then combined row by row
        int trailing = x.Rank;
        while (trailing > 0 && Array.IndexOf(dims, trailing - 1) >= 0) trailing--;
        int split = 0; // dims are sorted
        while (split < dims.Length && dims[split] < trailing) split++;
        var leading = split == dims.Length ? dims : split == 0 ? [] : dims[..split];
        var current = x;
        if (split < dims.Length || split == 0)
        {
            var partial = Shape.Of(x.Shape.Sizes.AsSpan(0, trailing));
            var y = Tensor.Empty(leading.Length == 0 ? shape : partial, leading.Length == 0 ? type : compute);
            Rows(x.Packed(x.DType), partial.Count, x.Shape.Count == 0 ? Product(x.Shape.Sizes.AsSpan(trailing)) : x.Shape.Count / Math.Max(1, partial.Count), compute, y);
            current = y;
        }
        if (leading.Length == 0) return current;
        return Leading(current, leading, shape, type, compute);
    }

    // groups of adjacent reduced dims, innermost first; what lies between is kept
    static Tensor Leading(Tensor x, ReadOnlySpan<int> dims, Shape shape, DType type, DType compute)
    {
        var current = x;
        while (dims.Length > 0)
        {
            int last = dims[^1], first = last;
            dims = dims[..^1];
            while (dims.Length > 0 && dims[^1] == first - 1) { first--; dims = dims[..^1]; }
            ReadOnlySpan<long> sizes = current.Shape.Sizes, before = sizes[..first], after = sizes[(last + 1)..];
            long outer = Product(before), count = Product(sizes[first..(last + 1)]), inner = Product(after);
            bool final = dims.Length == 0;
            var y = Tensor.Empty(final ? shape : Shape.Of([.. before, .. after]), final ? type : compute);
            Columns(current.Packed(current.DType), outer, count, inner, compute, y);
            current = y;
        }
        return current;
    }

    static long Product(ReadOnlySpan<long> sizes)
    {
        long product = 1;
        foreach (long size in sizes) product *= size;
        return product;
    }

    // ---- rows ----

    /// <summary>One row of any length.</summary>
    public static void Row(DType compute, byte* x, long n, byte* result)
    {
        var row = RowFunction(compute);
        if (n <= RowChunk) { row(x, n, result); return; }
        long chunks = (n + RowChunk - 1) / RowChunk;
        byte* results = (byte*)Scratch.Rent(Scratch.Reduction, chunks * 8);
        for (long c = 0; c < chunks; c++) row(x + c * RowChunk * compute.Size, Math.Min(RowChunk, n - c * RowChunk), results + c * compute.Size);
        JoinPairwise(results, chunks, 1, 1, compute);
        Unsafe.CopyBlockUnaligned(result, results, (uint)compute.Size);
    }

    /// <summary>acc ← acc ∘ x, or the identity.</summary>
    public static void Column(DType compute, byte* acc, byte* x, long n, bool start) => ColumnFunction(compute, compute)(acc, start ? null : x, 0, start ? 0 : 1, n);

    static void Rows(Tensor x, long rows, long length, DType compute, Tensor y)
    {
        if (rows == 0) return;
        long chunks = Math.Max(1, (length + RowChunk - 1) / RowChunk);
        fixed (byte* px = x.Store!)
        fixed (byte* py = y.Store!)
        {
            var job = new RowJob
            {
                X = px + x.Offset * x.DType.Size, Type = x.DType, Compute = compute, Length = length, Chunks = chunks, Rows = rows,
                Group = Math.Max(Math.Max(1, 16384 / Math.Max(1, length)), rows * chunks / (8L * Team.Share)), Row = RowFunction(compute),
            };
            // chunk results in the compute type; one of them a row is the row's result
            bool direct = chunks == 1 && y.DType == compute;
            var results = direct ? null : Tensor.Empty(Shape.Of([rows * chunks]), compute);
            fixed (byte* pr = (results ?? y).Store!)
            {
                job.Results = pr;
                int parts = checked((int)((rows * chunks + job.Group - 1) / job.Group));
                if (!Team.Pays(rows * length)) for (int i = 0; i < parts; i++) job.Run(i);
                else Team.Run(parts, ref job);
                GC.KeepAlive(x);
                if (direct) return;
                for (long r = 0; r < rows; r++) JoinPairwise(pr + r * chunks * compute.Size, chunks, 1, 1, compute);
                for (long r = 0; r < rows && chunks > 1; r++) Unsafe.CopyBlockUnaligned(pr + r * compute.Size, pr + r * chunks * compute.Size, (uint)compute.Size);
                Conversion.Run(compute, pr, y.DType, py + y.Offset * y.DType.Size, rows);
            }
            results!.Discard();
        }
        GC.KeepAlive(y);
    }

    struct RowJob : IPart
    {
        public byte* X, Results;
        public DType Type, Compute;
        public long Length, Chunks, Rows, Group;
        public delegate*<byte*, long, byte*, void> Row;

        public readonly void Run(int part)
        {
            for (long i = part * Group; i < Math.Min(Rows * Chunks, (part + 1) * Group); i++) One(i / Chunks, i % Chunks);
        }

        readonly void One(long row, long chunk)
        {
            long start = chunk * RowChunk, n = Math.Min(RowChunk, Length - start);
            byte* source = X + (row * Length + start) * Type.Size;
            if (Type != Compute)
            {
                byte* converted = (byte*)Scratch.Rent(Scratch.Reduction, Math.Max(n, 1) * Compute.Size);
                Conversion.Run(Type, source, Compute, converted, n);
                source = converted;
            }
            Row(source, n, Results + (row * Chunks + chunk) * Compute.Size);
        }
    }

    // as in LoopKernel: only the lanes in use are loaded
    static delegate*<byte*, long, byte*, void> RowFunction(DType compute) => compute switch
    {
        DType.Float32 => RowFunction<float>(),
        DType.Float64 => RowFunction<double>(),
        DType.Int32 => RowFunction<int>(),
        _ => RowFunction<long>(),
    };

    static delegate*<byte*, long, byte*, void> RowFunction<T>() where T : unmanaged => Kernel.Width switch { 512 => RowFunction512<T>(), 256 => RowFunction256<T>(), _ => RowFunction128<T>() };
    static delegate*<byte*, long, byte*, void> RowFunction512<T>() where T : unmanaged => RowFunction<Lanes512<T>, T>();
    static delegate*<byte*, long, byte*, void> RowFunction256<T>() where T : unmanaged => RowFunction<Lanes256<T>, T>();
    static delegate*<byte*, long, byte*, void> RowFunction128<T>() where T : unmanaged => RowFunction<Lanes128<T>, T>();
    static delegate*<byte*, long, byte*, void> RowFunction<L, T>() where L : struct, ILanes<L> where T : unmanaged => &Row<L, T>;

    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    static void Row<L, T>(byte* x, long n, byte* result) where L : struct, ILanes<L> where T : unmanaged
    {
        int bytes = L.Count * sizeof(T), vectors = ChainBytes / bytes; // 4, 8 or 16: a constant here
        byte* last = x + n * sizeof(T) / ChainBytes * ChainBytes, pad = stackalloc byte[ChainBytes];
        long left = n * sizeof(T) % ChainBytes;
        // what does not fill all chains is copied before there are chains: a call would store them at every step of the loop
        if (left > 0) Pad<L, T>(last, left, pad);
        L c0 = TOp.Identity<L>(), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0, c8 = c0, c9 = c0, c10 = c0, c11 = c0, c12 = c0, c13 = c0, c14 = c0, c15 = c0;
        while (true)
        {
            if (x == last)
            {
                if (left == 0) break;
                x = pad;
                last = pad + ChainBytes;
                left = 0;
            }
            c0 = TOp.Combine(c0, L.Load(x));
            c1 = TOp.Combine(c1, L.Load(x + bytes));
            c2 = TOp.Combine(c2, L.Load(x + 2 * bytes));
            c3 = TOp.Combine(c3, L.Load(x + 3 * bytes));
            if (vectors > 4)
            {
                c4 = TOp.Combine(c4, L.Load(x + 4 * bytes));
                c5 = TOp.Combine(c5, L.Load(x + 5 * bytes));
                c6 = TOp.Combine(c6, L.Load(x + 6 * bytes));
                c7 = TOp.Combine(c7, L.Load(x + 7 * bytes));
            }
            if (vectors > 8)
            {
                c8 = TOp.Combine(c8, L.Load(x + 8 * bytes));
                c9 = TOp.Combine(c9, L.Load(x + 9 * bytes));
                c10 = TOp.Combine(c10, L.Load(x + 10 * bytes));
                c11 = TOp.Combine(c11, L.Load(x + 11 * bytes));
                c12 = TOp.Combine(c12, L.Load(x + 12 * bytes));
                c13 = TOp.Combine(c13, L.Load(x + 13 * bytes));
                c14 = TOp.Combine(c14, L.Load(x + 14 * bytes));
                c15 = TOp.Combine(c15, L.Load(x + 15 * bytes));
            }
            x += ChainBytes;
        }
        // by halving: chain i with chain i + C/2, then i + C/4, …; whole vectors first
        if (vectors > 8)
        {
            (c0, c1, c2, c3) = (TOp.Combine(c0, c8), TOp.Combine(c1, c9), TOp.Combine(c2, c10), TOp.Combine(c3, c11));
            (c4, c5, c6, c7) = (TOp.Combine(c4, c12), TOp.Combine(c5, c13), TOp.Combine(c6, c14), TOp.Combine(c7, c15));
        }
        if (vectors > 4) (c0, c1, c2, c3) = (TOp.Combine(c0, c4), TOp.Combine(c1, c5), TOp.Combine(c2, c6), TOp.Combine(c3, c7));
        L.Store(TOp.Combine(TOp.Combine(c0, c2), TOp.Combine(c1, c3)), pad);
        JoinLanes<T>(pad, bytes, result);
    }

    // the last elements of a row; the other chains get the identity
    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Pad<L, T>(byte* x, long n, byte* pad) where L : struct, ILanes<L> where T : unmanaged
    {
        for (int i = 0; i < ChainBytes; i += L.Count * sizeof(T)) L.Store(TOp.Identity<L>(), pad + i);
        Unsafe.CopyBlockUnaligned(pad, x, (uint)n);
    }

    // a vector's lanes, by halving
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void JoinLanes<T>(byte* x, int bytes, byte* result) where T : unmanaged
    {
        var sum = Lanes128<T>.Load(x);
        if (bytes == 32) sum = TOp.Combine(sum, Lanes128<T>.Load(x + 16));
        if (bytes == 64) sum = TOp.Combine(TOp.Combine(sum, Lanes128<T>.Load(x + 32)), TOp.Combine(Lanes128<T>.Load(x + 16), Lanes128<T>.Load(x + 48)));
        Lanes128<T>.Store(sum, x);
        var lanes = (T*)x;
        Lane<T> first = Lane<T>.Load(lanes), second = Lane<T>.Load(lanes + 1);
        if (sizeof(T) == 4) (first, second) = (TOp.Combine(first, Lane<T>.Load(lanes + 2)), TOp.Combine(second, Lane<T>.Load(lanes + 3)));
        Lane<T>.Store(TOp.Combine(first, second), result);
    }

    // ---- columns: [outer, count, inner] → [outer, inner] ----

    static void Columns(Tensor x, long outer, long count, long inner, DType compute, Tensor y)
    {
        if (outer * inner == 0) return;
        long blocks = ReductionOp.BlocksOf(count);
        fixed (byte* px = x.Store!)
        fixed (byte* py = y.Store!)
        {
            var job = new ColumnJob
            {
                X = px + x.Offset * x.DType.Size, Type = x.DType, Compute = compute, Count = count, Inner = inner, Blocks = blocks,
                Strips = (inner + Strip - 1) / Strip, Add = ColumnFunction(x.DType, compute),
            };
            bool direct = blocks == 1 && y.DType == compute;
            var results = direct ? null : Tensor.Empty(Shape.Of([outer * blocks * inner]), compute);
            fixed (byte* pr = (results ?? y).Store!)
            {
                job.Results = pr;
                int parts = checked((int)(outer * blocks * job.Strips));
                if (!Team.Pays(outer * count * inner)) for (int i = 0; i < parts; i++) job.Run(i);
                else Team.Run(parts, ref job);
                GC.KeepAlive(x);
                if (direct) return;
                int size = compute.Size;
                for (long o = 0; o < outer; o++)
                {
                    byte* block = pr + o * blocks * inner * size;
                    JoinPairwise(block, blocks, inner, inner, compute);
                    Conversion.Run(compute, block, y.DType, py + (y.Offset + o * inner) * y.DType.Size, inner);
                }
            }
            results!.Discard();
        }
        GC.KeepAlive(y);
    }

    struct ColumnJob : IPart
    {
        public byte* X, Results;
        public DType Type, Compute;
        public long Count, Inner, Blocks, Strips;
        public delegate*<byte*, byte*, long, long, long, void> Add;

        public readonly void Run(int part)
        {
            long strip = part % Strips, block = part / Strips % Blocks, outer = part / Strips / Blocks;
            long first = strip * Strip, n = Math.Min(Strip, Inner - first);
            long from = Count * block / Blocks, to = Count * (block + 1) / Blocks;
            byte* result = Results + ((outer * Blocks + block) * Inner + first) * Compute.Size;
            byte* source = X + ((outer * Count + from) * Inner + first) * Type.Size;
            Add(result, null, 0, 0, n);
            if (IsRead(Type, Compute)) Add(result, source, Inner * Type.Size, to - from, n);
            else Convert(result, source, to - from, n);
        }

        // as many rows at once as Strip elements have room for
        readonly void Convert(byte* result, byte* source, long rows, long n)
        {
            byte* converted = (byte*)Scratch.Rent(Scratch.Reduction, Strip * RowsAtOnce * 8);
            long most = n == Inner ? Strip * RowsAtOnce / n : RowsAtOnce;
            for (long row = 0; row < rows; row += most)
            {
                long count = Math.Min(most, rows - row);
                byte* at = source + row * Inner * Type.Size;
                if (n == Inner) Conversion.Run(Type, at, Compute, converted, count * n);
                else for (long r = 0; r < count; r++) Conversion.Run(Type, at + r * Inner * Type.Size, Compute, converted + r * n * Compute.Size, n);
                Add(result, converted, n * Compute.Size, count, n);
            }
        }
    }

    // bfloat16 becomes float32 on the way into registers
    static bool IsRead(DType type, DType compute) => type == compute || (type == DType.BFloat16 && compute == DType.Float32);

    static delegate*<byte*, byte*, long, long, long, void> ColumnFunction(DType type, DType compute) => compute switch
    {
        DType.Float32 when type == DType.BFloat16 => ColumnFunction<float, BFloat16>(),
        DType.Float32 => ColumnFunction<float, float>(),
        DType.Float64 => ColumnFunction<double, double>(),
        DType.Int32 => ColumnFunction<int, int>(),
        _ => ColumnFunction<long, long>(),
    };

    static delegate*<byte*, byte*, long, long, long, void> ColumnFunction<T, M>() where T : unmanaged where M : unmanaged =>
        Kernel.Width switch { 512 => ColumnFunction512<T, M>(), 256 => ColumnFunction256<T, M>(), _ => ColumnFunction128<T, M>() };
    static delegate*<byte*, byte*, long, long, long, void> ColumnFunction512<T, M>() where T : unmanaged where M : unmanaged => &Add<Lanes512<T>, T, M>;
    static delegate*<byte*, byte*, long, long, long, void> ColumnFunction256<T, M>() where T : unmanaged where M : unmanaged => &Add<Lanes256<T>, T, M>;
    static delegate*<byte*, byte*, long, long, long, void> ColumnFunction128<T, M>() where T : unmanaged where M : unmanaged => &Add<Lanes128<T>, T, M>;

    // acc ← acc ∘ row for so many rows of n elements, a step of bytes apart, in order; without rows (x is null) acc ← identity. Elements are M in memory
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Add<L, T, M>(byte* acc, byte* x, long step, long rows, long n) where L : struct, ILanes<L> where T : unmanaged where M : unmanaged
    {
        var sums = (T*)acc;
        long vectors = n / L.Count * L.Count;
        if (x == null)
        {
            for (long i = 0; i < vectors; i += L.Count) L.Store(TOp.Identity<L>(), sums + i);
            for (long i = vectors; i < n; i++) Lane<T>.Store(TOp.Identity<Lane<T>>(), sums + i);
        }
        // so many rows as first-level cache holds, four vectors' sums in registers through all of them
        for (long count; rows > 0; rows -= count, x += count * step)
        {
            count = Math.Min(rows, Math.Max(RowsAtOnce, NearBytes / Math.Max(1, n * sizeof(M))));
            long i = 0;
            for (; i + 4 * L.Count <= n; i += 4 * L.Count) Four<L, T, M>(sums + i, (byte*)((M*)x + i), step, count);
            for (; i < vectors; i += L.Count) One<L, T, M>(sums + i, (byte*)((M*)x + i), step, count);
            for (; i < n; i++) One<Lane<T>, T, M>(sums + i, (byte*)((M*)x + i), step, count);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four<L, T, M>(T* sums, byte* x, long step, long rows) where L : struct, ILanes<L> where T : unmanaged where M : unmanaged
    {
        int next = L.Count * sizeof(M);
        L c0 = L.Load(sums), c1 = L.Load(sums + L.Count), c2 = L.Load(sums + 2 * L.Count), c3 = L.Load(sums + 3 * L.Count);
        for (; rows > 0; rows--, x += step)
        {
            c0 = TOp.Combine(c0, Read<L, M>(x));
            c1 = TOp.Combine(c1, Read<L, M>(x + next));
            c2 = TOp.Combine(c2, Read<L, M>(x + 2 * next));
            c3 = TOp.Combine(c3, Read<L, M>(x + 3 * next));
        }
        L.Store(c0, sums);
        L.Store(c1, sums + L.Count);
        L.Store(c2, sums + 2 * L.Count);
        L.Store(c3, sums + 3 * L.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void One<L, T, M>(T* sums, byte* x, long step, long rows) where L : struct, ILanes<L> where T : unmanaged where M : unmanaged
    {
        var c = L.Load(sums);
        for (; rows > 0; rows--, x += step) c = TOp.Combine(c, Read<L, M>(x));
        L.Store(c, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static L Read<L, M>(byte* x) where L : struct, ILanes<L> where M : unmanaged =>
        typeof(M) != typeof(BFloat16) ? L.Load(x) : L.Count == 1 ? L.FromBits((long)*(ushort*)x << 16) : BFloat16Lanes.Load<L>((ushort*)x);

    // neighbours, then neighbours of those: (0∘1)∘(2∘3) …; the result is left in the first place
    public static void JoinPairwise(byte* x, long count, long stride, long n, DType compute)
    {
        if (count <= 1) return;
        var add = ColumnFunction(compute, compute);
        for (long step = 1; step < count; step *= 2)
            for (long i = 0; i + step < count; i += 2 * step)
                add(x + i * stride * compute.Size, x + (i + step) * stride * compute.Size, 0, 1, n);
    }
}
