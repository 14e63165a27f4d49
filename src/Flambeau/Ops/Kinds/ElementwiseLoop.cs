using System.Runtime.CompilerServices;
using Flambeau.Compile;
using Flambeau.Compile.Emit;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Ops;

/// <summary>
/// Drives a kernel over operands of any type, stride and broadcast. What lies contiguously in the compute type is used in place; everything else goes through tiles of L1 size
/// (gather, convert, compute, convert, scatter), so kernels exist for contiguous operands of four types only. Where that gains, an emitted loop (<see cref="OperatorLoops"/>) takes the kernel's place: it reads and writes
/// other types itself, works on many rows at a call, and writes past the caches what they could not hold.
/// </summary>
internal static unsafe partial class ElementwiseLoop
{
    public const int MaxOperands = 8;
    const int Tile = 1024;     // elements: MaxOperands tiles of it fit L1 beside the streams
    const int Chunk = 16384;   // elements a part of the team takes at a time, at least
    const int MostChunk = 16 * Chunk; // and at most: from memory, long runs come faster
    const int RowMinimum = 32; // below this a row's fixed cost exceeds that of gathering
    const int PlainRow = 64; // bytes: where nothing is converted, rows of whole lines need no gathering however few they are

    public static void Run(ElementwiseOp op, DType compute, Tensor y, ReadOnlySpan<Tensor> x)
    {
        var kernel = op.Kernel;
        long n = y.Shape.Count;
        if (n == 0) return;
        if (x.Length > MaxOperands) throw new NotSupportedException($"an elementwise operator takes at most {MaxOperands} operands");
        var plan = new Plan { Kernel = kernel, Compute = compute, Count = n, Operands = x.Length, Chunk = n <= Chunk ? Chunk : ChunkOf(n), ElementSize = compute.Size, ResultSize = y.DType.Size };
        bool direct = y.IsContiguous && (kernel.YieldsMask ? y.DType == DType.Bool : y.DType == compute);
        for (int k = 0; direct && k < x.Length; k++)
            direct = x[k].Shape.Count == 1 || x[k].DType == compute && x[k].IsContiguous && x[k].Shape.Equals(y.Shape);
        if (n >= OperatorLoops.Least && MayGain(plan, op, direct, y, x)) (plan.Loops, direct) = (op.Loops, false);
        Pin(ref plan, direct, y, x, 0);
    }

    static bool MayGain(in Plan plan, ElementwiseOp op, bool direct, Tensor y, ReadOnlySpan<Tensor> x) =>
        Settings.CodeGeneration && op.Loops.Take(plan.Compute, y, x) && (!direct || op.Loops.AlwaysGain && plan.Count >= Chunk || Streaming.Suits(plan.Count * plan.ResultSize));

    // whole chunks, at least four for each thread
    public static int ChunkOf(long n) => (int)Math.Clamp(n / (4 * Team.Share) / Chunk * Chunk, Chunk, MostChunk);

    /// <summary>
    /// The shortest way for the commonest case: two contiguous operands of one shape and a type that is computed in itself, small enough for one thread. Null if it is not that case.
    /// </summary>
    public static Tensor? TryRunSmall(Kernel kernel, Tensor a, Tensor b)
    {
        var type = a.DType;
        if (b.DType != type || type is not (DType.Float32 or DType.Float64) || a.IsWrappedNumber || b.IsWrappedNumber) return null;
        var shape = a.Shape;
        if (!ReferenceEquals(shape, b.Shape) && !shape.Equals(b.Shape) || !a.IsContiguous || !b.IsContiguous || shape.Count > Chunk) return null;
        var y = Tensor.Empty(shape, type);
        fixed (byte* pa = a.Store!)
        fixed (byte* pb = b.Store!)
        fixed (byte* py = y.Store!)
        {
            byte** x = stackalloc byte*[2];
            int size = type == DType.Float32 ? 4 : 8;
            x[0] = pa + a.Offset * size;
            x[1] = pb + b.Offset * size;
            kernel.Run(type, py, x, shape.Count, 0);
        }
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        return y;
    }

    // pins managed storages one by one down the recursion, then runs
    static void Pin(ref Plan plan, bool direct, Tensor y, ReadOnlySpan<Tensor> x, int k)
    {
        if (k == x.Length)
        {
            fixed (byte* p = y.Store!)
            {
                plan.X[k] = (nint)(p + y.Offset * y.DType.Size);
                if (direct) RunDirect(ref plan, x);
                else RunTiled(ref plan, y, x);
            }
            GC.KeepAlive(y);
            return;
        }
        fixed (byte* p = x[k].Store!)
        {
            plan.X[k] = (nint)(p + x[k].Offset * x[k].DType.Size);
            if (x[k].Shape.Count == 1 && x[k].DType != plan.Compute) ConvertScalar(ref plan, k, x[k].DType);
            Pin(ref plan, direct, y, x, k + 1);
        }
        GC.KeepAlive(x[k]);
    }

    // one element for all is converted once; the plan lies on the stack, so it does not move
    static void ConvertScalar(ref Plan plan, int k, DType type)
    {
        byte* converted = (byte*)Unsafe.AsPointer(ref Unsafe.Add(ref Unsafe.As<Pointers, nint>(ref plan.Converted), k));
        Conversion.Run(type, (byte*)plan.X[k], plan.Compute, converted, 1);
        plan.X[k] = (nint)converted;
    }

    [InlineArray(MaxOperands + 1)]
    struct Pointers { nint _first; }

    /// <summary>How the elements are gone through.</summary>
    enum Way : byte { Direct, Rows, LoopRows, LoopBlocks, Tiles }

    struct Plan : IPart
    {
        public Kernel Kernel;
        public OperatorLoops? Loops; // if they may gain
        public PassFunction? Loop;   // in the kernel's place
        public Way Way;
        public DType Compute;
        public long Count;
        public Pointers X, Converted; // operands, then the result; Converted holds values of up to 8 bytes
        public int Operands, Chunk;
        public uint Scalars;
        public int ElementSize, ResultSize;
        public bool Together;     // many rows are one call of the loop
        public bool Streams;      // the result goes past the caches
        public int BlockDim;      // along which the elements of transposed operands lie side by side
        public Walks Walks;       // operands, then the result
        public long* Collapsed;   // the sizes that all walk
        public int Rank;

        public readonly byte* Y => (byte*)X[Operands];
        public readonly ReadOnlySpan<long> Sizes => new(Collapsed, Rank);
        public readonly long Row => Rank == 0 ? 1 : Collapsed[Rank - 1];
        public readonly long RowsAtOnce => Rank < 2 ? 1 : Collapsed[Rank - 2];
        public readonly int Parts => (int)((Count + Chunk - 1) / Chunk);

        public readonly void Run(int part)
        {
            switch (Way)
            {
                case Way.Direct: DirectPart(this, part); break;
                case Way.Rows: PlainRowsPart(this, part); break;
                case Way.LoopRows: LoopRowsPart(this, part); break;
                case Way.LoopBlocks: LoopBlocksPart(this, part); break;
                default: TiledPart(this, part); break;
            }
        }
    }

    // ---- everything contiguous, in the compute type ----

    static void RunDirect(ref Plan plan, ReadOnlySpan<Tensor> x)
    {
        for (int k = 0; k < x.Length; k++)
            if (x[k].Shape.Count == 1 && plan.Count != 1) plan.Scalars |= 1u << k;
        if (plan.Count <= Chunk || !Team.Pays(plan.Count))
        {
            byte** pointers = stackalloc byte*[MaxOperands];
            for (int k = 0; k < x.Length; k++) pointers[k] = (byte*)plan.X[k];
            plan.Kernel.Run(plan.Compute, plan.Y, pointers, plan.Count, plan.Scalars);
            return;
        }
        Team.Run(plan.Parts, ref plan);
    }

    static void DirectPart(in Plan plan, int part)
    {
        long start = (long)part * plan.Chunk;
        byte** pointers = stackalloc byte*[MaxOperands];
        for (int k = 0; k < plan.Operands; k++)
            pointers[k] = (byte*)plan.X[k] + ((plan.Scalars >> k & 1) != 0 ? 0 : start * plan.ElementSize);
        plan.Kernel.Run(plan.Compute, plan.Y + start * plan.ResultSize, pointers, Math.Min(plan.Chunk, plan.Count - start), plan.Scalars);
    }

    // ---- the general case ----

    // how an operand or the result is walked: strides for the collapsed sizes, on the stack
    struct Walk
    {
        public DType Type;
        public bool IsScalar, IsFlat;   // one element for all; contiguous over the whole iteration
        public long* Start;
        public int Rank;
        public readonly ReadOnlySpan<long> Strides => new(Start, Rank);
        public readonly long Inner => Rank == 0 ? 0 : Start[Rank - 1];
        public readonly long Outer => Rank < 2 ? 0 : Start[Rank - 2]; // from row to row
        public readonly bool IsPlain(DType type) => Type == type && Inner is 0 or 1;
    }

    [InlineArray(MaxOperands + 1)]
    struct Walks { Walk _first; }

    static void RunTiled(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        int room = (x.Length + 2) * y.Rank;
        Span<long> memory = y.Rank <= Shape.RankOnStack ? stackalloc long[room] : new long[room];
        fixed (long* collapsed = memory)
        {
            Collapse(ref plan, y, x, collapsed);
            plan.Way = ArePlainRows(plan) ? Way.Rows : Way.Tiles;
            if (plan.Loops is not null) ChooseLoop(ref plan, y, x);
            int parts = plan.Way == Way.LoopBlocks ? BlockRows(plan) : plan.Parts;
            if (!Team.Pays(plan.Count)) for (int i = 0; i < parts; i++) plan.Run(i);
            else Team.Run(parts, ref plan);
        }
    }

    // merges neighbouring dims that every operand walks as one: first the sizes, then a row of strides for each operand and the result
    static void Collapse(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x, long* room)
    {
        var shape = y.Shape;
        int rank = shape.Rank, rows = x.Length + 1, groups = 0;
        long* sizes = room, strides = room + rank;
        for (int d = 0; d < rank; d++)
        {
            long size = shape.Sizes[d];
            if (size == 1) continue;
            bool merges = groups > 0;
            for (int k = 0; k < rows; k++)
            {
                // behind the groups so far: where this dim begins one, if it does
                long stride = strides[k * rank + groups] = k < x.Length ? Shapes.BroadcastStride(x[k], shape, d) : y.Strides[d];
                merges = merges && strides[k * rank + groups - 1] == stride * size;
            }
            if (!merges) { sizes[groups++] = size; continue; }
            sizes[groups - 1] *= size;
            for (int k = 0; k < rows; k++) strides[k * rank + groups - 1] = strides[k * rank + groups];
        }
        plan.Collapsed = sizes;
        plan.Rank = groups;
        for (int k = 0; k < rows; k++)
        {
            ref var walk = ref plan.Walks[k];
            walk.Start = strides + k * rank;
            walk.Rank = groups;
            walk.Type = k == x.Length ? y.DType : x[k].Shape.Count == 1 ? plan.Compute : x[k].DType;
            walk.IsScalar = !walk.Strides.ContainsAnyExcept(0L);
            walk.IsFlat = Strided.IsFlat(plan.Sizes, walk.Strides);
        }
    }

    static bool ArePlainRows(in Plan plan)
    {
        bool plain = (plan.Row >= RowMinimum || plan.Row * plan.ElementSize % PlainRow == 0) && plan.Walks[plan.Operands].IsPlain(plan.Kernel.YieldsMask ? DType.Bool : plan.Compute) && plan.Walks[plan.Operands].Inner == 1;
        for (int k = 0; k < plan.Operands; k++) plain &= plan.Walks[k].IsPlain(plan.Compute);
        return plain;
    }

    // rows that the kernel reads and writes where they are: one call for each, and hardly more
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void PlainRowsPart(in Plan plan, int part)
    {
        long start = (long)part * plan.Chunk, end = Math.Min(start + plan.Chunk, plan.Count), row = plan.Row;
        int operands = plan.Operands, last = plan.Rank - 1, size = plan.ElementSize;
        byte** pointers = stackalloc byte*[MaxOperands];
        long* steps = stackalloc long[MaxOperands];
        Span<long> index = stackalloc long[plan.Rank];
        uint scalars = 0;
        for (int k = 0; k < operands; k++)
        {
            if (plan.Walks[k].Inner == 0) scalars |= 1u << k;
            steps[k] = last == 0 ? 0 : plan.Walks[k].Start[last - 1] * size;
        }
        long step = last == 0 ? 0 : plan.Walks[operands].Start[last - 1] * plan.ResultSize;
        while (start < end)
        {
            Strided.IndexOf(plan.Sizes, start, index);
            for (int k = 0; k < operands; k++) pointers[k] = (byte*)plan.X[k] + Strided.Offset(plan.Walks[k].Strides, index) * size;
            byte* y = plan.Y + Strided.Offset(plan.Walks[operands].Strides, index) * plan.ResultSize;
            long length = Math.Min(row - index[last], end - start);
            long rows = length < row || last == 0 ? 1 : Math.Min((end - start) / row, plan.Collapsed[last - 1] - index[last - 1]);
            uint spread = length > 1 ? scalars : 0;
            for (long r = 0; r < rows; r++)
            {
                plan.Kernel.Run(plan.Compute, y, pointers, length, spread);
                y += step;
                for (int k = 0; k < operands; k++) pointers[k] += steps[k];
            }
            start += rows * length;
        }
    }

    static void TiledPart(in Plan plan, int part)
    {
        long start = (long)part * plan.Chunk, end = Math.Min(start + plan.Chunk, plan.Count);
        byte* scratch = (byte*)Scratch.Rent(Scratch.Elementwise, (MaxOperands + 2) * Tile * 8 + LoopPads);
        byte** pointers = stackalloc byte*[MaxOperands + 2];
        bool byRow = plan.Row >= RowMinimum;
        while (start < end)
        {
            long length = Math.Min(Tile, end - start);
            if (byRow) length = Math.Min(length, plan.Row - start % plan.Row);
            Piece(plan, start, length, byRow, pointers, scratch);
            start += length;
        }
    }

    // one piece: at most a tile, and by row within one row
    static void Piece(in Plan plan, long start, long n, bool byRow, byte** pointers, byte* scratch)
    {
        byte* spare = scratch + MaxOperands * Tile * 8;
        uint scalars = 0;
        for (int k = 0; k < plan.Operands; k++)
        {
            ref readonly var walk = ref plan.Walks[k];
            byte* source = (byte*)plan.X[k], tile = scratch + k * Tile * 8;
            bool plain = walk.Type == plan.Compute || plan.Loop is not null; // an emitted loop converts
            int size = walk.Type.Size;
            if (walk.IsScalar || byRow && walk.Inner == 0)
            {
                source += walk.IsScalar ? 0 : Strided.Offset(plan.Sizes, walk.Strides, start) * size;
                if (plain) pointers[k] = source;
                else { Conversion.Run(walk.Type, source, plan.Compute, tile, 1); pointers[k] = tile; }
                if (n > 1) scalars |= 1u << k;
                continue;
            }
            bool contiguous = walk.IsFlat || byRow && walk.Inner == 1;
            if (contiguous)
            {
                source += (walk.IsFlat ? start : Strided.Offset(plan.Sizes, walk.Strides, start)) * size;
                if (plain) pointers[k] = source;
                else { Conversion.Run(walk.Type, source, plan.Compute, tile, n); pointers[k] = tile; }
                continue;
            }
            byte* gathered = plain ? tile : spare;
            Strided.Gather(source, plan.Sizes, walk.Strides, size, start, n, gathered);
            if (!plain) Conversion.Run(walk.Type, gathered, plan.Compute, tile, n);
            pointers[k] = tile;
        }
        Store(plan, start, n, byRow, pointers, scalars, spare);
    }

    static void Store(in Plan plan, long start, long n, bool byRow, byte** pointers, uint scalars, byte* spare)
    {
        ref readonly var walk = ref plan.Walks[plan.Operands];
        var produced = plan.Kernel.YieldsMask ? DType.Bool : plan.Compute;
        bool plain = walk.Type == produced || plan.Loop is not null, contiguous = walk.IsFlat || byRow && walk.Inner == 1;
        byte* target = plan.Y + (contiguous ? walk.IsFlat ? start : Strided.Offset(plan.Sizes, walk.Strides, start) : 0) * walk.Type.Size;
        byte* computed = plain && contiguous ? target : spare;
        if (plan.Loop is null) plan.Kernel.Run(plan.Compute, computed, pointers, n, scalars);
        else
        {
            long* steps = stackalloc long[MaxOperands + 1]; // of one row
            pointers[plan.Operands] = computed;
            pointers[plan.Operands + 1] = spare + 2 * Tile * 8;
            plan.Loop(pointers, steps, 1, n);
        }
        if (computed == target) return;
        if (!plain)
        {
            byte* converted = contiguous ? target : spare + Tile * 8;
            Conversion.Run(produced, computed, walk.Type, converted, n);
            computed = converted;
        }
        if (!contiguous) Strided.Scatter(computed, plan.Y, plan.Sizes, walk.Strides, walk.Type.Size, start, n);
    }
}
