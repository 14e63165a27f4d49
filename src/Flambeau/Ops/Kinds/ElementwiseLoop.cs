using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Ops;

/// <summary>
/// Drives a kernel over operands of any type, stride and broadcast. What lies contiguously in the compute type is used in place; everything else goes through tiles of L1 size
/// (gather, convert, compute, convert, scatter), so kernels exist for contiguous operands of four types only.
/// </summary>
internal static unsafe class ElementwiseLoop
{
    public const int MaxOperands = 8;
    const int Tile = 1024;     // elements: MaxOperands tiles of it fit L1 beside the streams
    const int Chunk = 16384;   // elements a part of the team takes at a time
    const int RowMinimum = 32; // below this a row's fixed cost exceeds that of gathering
    const int PlainRow = 64; // bytes: where nothing is converted, rows of whole lines need no gathering however few they are

    public static void Run(Kernel kernel, DType compute, Tensor y, ReadOnlySpan<Tensor> x)
    {
        long n = y.Shape.Count;
        if (n == 0) return;
        if (x.Length > MaxOperands) throw new NotSupportedException($"an elementwise operator takes at most {MaxOperands} operands");
        var plan = new Plan { Kernel = kernel, Compute = compute, Count = n };
        bool direct = y.IsContiguous && (kernel.YieldsMask ? y.DType == DType.Bool : y.DType == compute);
        for (int k = 0; direct && k < x.Length; k++)
            direct = x[k].Shape.Count == 1 || x[k].DType == compute && x[k].IsContiguous && x[k].Shape.Equals(y.Shape);
        Pin(ref plan, direct, y, x, 0);
    }

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
                plan.Y = p + y.Offset * y.DType.Size;
                if (direct) RunDirect(ref plan, y, x);
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

    [InlineArray(MaxOperands)]
    struct Pointers { nint _first; }

    struct Plan : IPart
    {
        public Kernel Kernel;
        public DType Compute;
        public long Count;
        public byte* Y;
        public Pointers X, Converted; // Converted holds values of up to 8 bytes
        public int Operands;
        public uint Scalars;
        public int ElementSize, ResultSize;
        public bool Tiled, PlainRows;
        public Walks Walks;       // operands, then the result
        public long* Collapsed;   // the sizes that all walk
        public int Rank;

        public readonly ReadOnlySpan<long> Sizes => new(Collapsed, Rank);
        public readonly long Row => Rank == 0 ? 1 : Collapsed[Rank - 1];

        public readonly void Run(int part)
        {
            if (PlainRows) PlainRowsPart(this, part);
            else if (Tiled) TiledPart(this, part);
            else DirectPart(this, part);
        }
    }

    // ---- everything contiguous, in the compute type ----

    static void RunDirect(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        plan.Operands = x.Length;
        plan.ElementSize = plan.Compute.Size;
        plan.ResultSize = y.DType.Size;
        for (int k = 0; k < x.Length; k++)
            if (x[k].Shape.Count == 1 && plan.Count != 1) plan.Scalars |= 1u << k;
        if (plan.Count <= Chunk || !Team.Pays(plan.Count))
        {
            byte** pointers = stackalloc byte*[MaxOperands];
            for (int k = 0; k < x.Length; k++) pointers[k] = (byte*)plan.X[k];
            plan.Kernel.Run(plan.Compute, plan.Y, pointers, plan.Count, plan.Scalars);
            return;
        }
        Team.Run((int)((plan.Count + Chunk - 1) / Chunk), ref plan);
    }

    static void DirectPart(in Plan plan, int part)
    {
        long start = (long)part * Chunk;
        byte** pointers = stackalloc byte*[MaxOperands];
        for (int k = 0; k < plan.Operands; k++)
            pointers[k] = (byte*)plan.X[k] + ((plan.Scalars >> k & 1) != 0 ? 0 : start * plan.ElementSize);
        plan.Kernel.Run(plan.Compute, plan.Y + start * plan.ResultSize, pointers, Math.Min(Chunk, plan.Count - start), plan.Scalars);
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
        public readonly bool IsPlain(DType type) => Type == type && Inner is 0 or 1;
    }

    [InlineArray(MaxOperands + 1)]
    struct Walks { Walk _first; }

    static void RunTiled(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        plan.Operands = x.Length;
        plan.ElementSize = plan.Compute.Size;
        plan.ResultSize = y.DType.Size;
        int room = (x.Length + 2) * y.Rank;
        Span<long> memory = y.Rank <= Shape.RankOnStack ? stackalloc long[room] : new long[room];
        fixed (long* collapsed = memory)
        {
            Collapse(ref plan, y, x, collapsed);
            int parts = (int)((plan.Count + Chunk - 1) / Chunk);
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
        (plan.Tiled, plan.Rank) = (true, groups);
        for (int k = 0; k < rows; k++)
        {
            ref var walk = ref plan.Walks[k];
            walk.Start = strides + k * rank;
            walk.Rank = groups;
            walk.Type = k == x.Length ? y.DType : x[k].Shape.Count == 1 ? plan.Compute : x[k].DType;
            walk.IsScalar = !walk.Strides.ContainsAnyExcept(0L);
            walk.IsFlat = Strided.IsFlat(plan.Sizes, walk.Strides);
        }
        plan.PlainRows = (plan.Row >= RowMinimum || plan.Row * plan.ElementSize % PlainRow == 0) && plan.Walks[x.Length].IsPlain(plan.Kernel.YieldsMask ? DType.Bool : plan.Compute) && plan.Walks[x.Length].Inner == 1;
        for (int k = 0; k < x.Length; k++) plan.PlainRows &= plan.Walks[k].IsPlain(plan.Compute);
    }

    // rows that the kernel reads and writes where they are: one call for each, and hardly more
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void PlainRowsPart(in Plan plan, int part)
    {
        long start = (long)part * Chunk, end = Math.Min(start + Chunk, plan.Count), row = plan.Row;
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
        long start = (long)part * Chunk, end = Math.Min(start + Chunk, plan.Count);
        byte* scratch = (byte*)Scratch.Rent(Scratch.Elementwise, (MaxOperands + 2) * Tile * 8);
        byte** pointers = stackalloc byte*[MaxOperands];
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
            bool plain = walk.Type == plan.Compute;
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
        bool plain = walk.Type == produced, contiguous = walk.IsFlat || byRow && walk.Inner == 1;
        byte* target = plan.Y + (contiguous ? walk.IsFlat ? start : Strided.Offset(plan.Sizes, walk.Strides, start) : 0) * walk.Type.Size;
        byte* computed = plain && contiguous ? target : spare;
        plan.Kernel.Run(plan.Compute, computed, pointers, n, scalars);
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
