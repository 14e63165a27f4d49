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
    const int MaxOperands = 8;
    const int Tile = 1024;     // elements: MaxOperands tiles of it fit L1 beside the streams
    const int Chunk = 16384;   // elements a part of the team takes at a time
    const int RowMinimum = 32; // below this a row's fixed cost exceeds that of gathering

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
        public Layout[]? Layouts; // operands, then the result
        public long Row;          // innermost collapsed size

        public readonly void Run(int part)
        {
            if (Layouts is null) DirectPart(this, part);
            else TiledPart(this, part);
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

    internal sealed class Layout
    {
        public required DType Type;
        public required long[] Sizes;   // collapsed
        public required long[] Strides;
        public bool IsScalar, IsFlat;   // one element for all; contiguous over the whole iteration
        public long Inner => Strides.Length == 0 ? 0 : Strides[^1];
    }

    static void RunTiled(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        plan.Operands = x.Length;
        plan.ElementSize = plan.Compute.Size;
        plan.ResultSize = y.DType.Size;
        plan.Layouts = Collapse(y, x, plan.Compute);
        plan.Row = plan.Layouts[^1].Sizes is { Length: > 0 } sizes ? sizes[^1] : 1;
        int parts = (int)((plan.Count + Chunk - 1) / Chunk);
        if (!Team.Pays(plan.Count)) for (int i = 0; i < parts; i++) plan.Run(i);
        else Team.Run(parts, ref plan);
    }

    // merges neighbouring dims that every operand walks as one
    static Layout[] Collapse(Tensor y, ReadOnlySpan<Tensor> x, DType compute)
    {
        var shape = y.Shape;
        var strides = new long[x.Length + 1][];
        for (int k = 0; k < x.Length; k++) strides[k] = Shapes.BroadcastStrides(x[k], shape);
        strides[^1] = y.Strides;
        var sizes = new long[shape.Rank];
        var dims = new int[shape.Rank]; // the innermost of each group
        int groups = 0;
        for (int d = 0; d < shape.Rank; d++)
        {
            long size = shape.Sizes[d];
            if (size == 1) continue;
            if (groups > 0 && Merges(strides, dims[groups - 1], d, size)) (sizes[groups - 1], dims[groups - 1]) = (sizes[groups - 1] * size, d);
            else (sizes[groups], dims[groups++]) = (size, d);
        }
        sizes = sizes[..groups];
        var layouts = new Layout[strides.Length];
        for (int k = 0; k < strides.Length; k++)
        {
            var own = new long[groups];
            for (int i = 0; i < groups; i++) own[i] = strides[k][dims[i]];
            layouts[k] = new()
            {
                Type = k == x.Length ? y.DType : x[k].Shape.Count == 1 ? compute : x[k].DType, Sizes = sizes, Strides = own,
                IsScalar = !own.AsSpan().ContainsAnyExcept(0L), IsFlat = Strided.IsFlat(sizes, own),
            };
        }
        return layouts;
    }

    static bool Merges(long[][] strides, int outer, int inner, long innerSize)
    {
        foreach (var s in strides) if (s[outer] != s[inner] * innerSize) return false;
        return true;
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
            var layout = plan.Layouts![k];
            byte* source = (byte*)plan.X[k], tile = scratch + k * Tile * 8;
            bool plain = layout.Type == plan.Compute;
            int size = layout.Type.Size;
            if (layout.IsScalar || byRow && layout.Inner == 0)
            {
                source += layout.IsScalar ? 0 : Place(layout, start) * size;
                if (plain) pointers[k] = source;
                else { Conversion.Run(layout.Type, source, plan.Compute, tile, 1); pointers[k] = tile; }
                if (n > 1) scalars |= 1u << k;
                continue;
            }
            bool contiguous = layout.IsFlat || byRow && layout.Inner == 1;
            if (contiguous)
            {
                source += (layout.IsFlat ? start : Place(layout, start)) * size;
                if (plain) pointers[k] = source;
                else { Conversion.Run(layout.Type, source, plan.Compute, tile, n); pointers[k] = tile; }
                continue;
            }
            byte* gathered = plain ? tile : spare;
            Strided.Gather(source, layout.Sizes, layout.Strides, size, start, n, gathered);
            if (!plain) Conversion.Run(layout.Type, gathered, plan.Compute, tile, n);
            pointers[k] = tile;
        }
        Store(plan, start, n, byRow, pointers, scalars, spare);
    }

    static void Store(in Plan plan, long start, long n, bool byRow, byte** pointers, uint scalars, byte* spare)
    {
        var layout = plan.Layouts![^1];
        var produced = plan.Kernel.YieldsMask ? DType.Bool : plan.Compute;
        bool plain = layout.Type == produced, contiguous = layout.IsFlat || byRow && layout.Inner == 1;
        byte* target = plan.Y + (contiguous ? layout.IsFlat ? start : Place(layout, start) : 0) * layout.Type.Size;
        byte* computed = plain && contiguous ? target : spare;
        plan.Kernel.Run(plan.Compute, computed, pointers, n, scalars);
        if (computed == target) return;
        if (!plain)
        {
            byte* converted = contiguous ? target : spare + Tile * 8;
            Conversion.Run(produced, computed, layout.Type, converted, n);
            computed = converted;
        }
        if (!contiguous) Strided.Scatter(computed, plan.Y, layout.Sizes, layout.Strides, layout.Type.Size, start, n);
    }

    // the element offset of flat position i
    static long Place(Layout layout, long i) => Strided.Offset(layout.Sizes, layout.Strides, i);
}
