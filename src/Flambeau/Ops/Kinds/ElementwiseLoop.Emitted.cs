using Flambeau.Compile.Emit;
using Flambeau.Compile.Loops;
using Flambeau.Runtime;

namespace Flambeau.Ops;

// Emitted loops in a kernel's place.
internal static unsafe partial class ElementwiseLoop
{
    const int LoopPads = (MaxOperands + 1) * LoopEmitter.ChainBytes; // their scratch memory, which follows the operands
    const int Least = 64;  // elements that are worth a call
    const int Block = 64;  // rows and columns of a transposed operand that are turned together

    // Takes a loop in the kernel's place, if one gains: the way through the elements decides how it touches each operand.
    static void ChooseLoop(ref Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        int n = plan.Operands;
        bool isPlain = plan.Walks[n].Inner == 1, isTurned = false, isNarrow = plan.Walks[n].Type != plan.Compute && y.DType != DType.Bool, isInPlace = false;
        for (int k = 0; k < n; k++)
        {
            isTurned |= plan.Walks[k].Inner is not (0 or 1);
            isNarrow |= plan.Walks[k].Type != plan.Compute;
            isInPlace |= ReferenceEquals(x[k].Store, y.Store);
        }
        bool together = AreTogether(plan, y, x);
        var way = isPlain && !isTurned && (plan.Row >= RowMinimum || together && plan.RowsAtOnce * plan.Row >= Least) ? Way.LoopRows
            : isPlain && isTurned && CutsInBlocks(ref plan) ? Way.LoopBlocks : Way.Tiles;
        bool streams = way != Way.Tiles && !isInPlace && IsStream(plan, y, way);
        // in first-level cache and without a conversion, kernels of light bodies are as fast
        if (!(isNarrow || streams || way == Way.LoopBlocks || way == Way.LoopRows && plan.Rank > 1 || plan.Loops!.AlwaysGain)) return;
        Span<LoopOperand> operands = stackalloc LoopOperand[n + 1];
        for (int k = 0; k < n; k++) operands[k] = new(AccessOf(plan, way, plan.Walks[k]), plan.Walks[k].Type, k);
        operands[n] = new(streams ? Access.Stream : Access.Store, y.DType, n);
        plan.Loop = plan.Loops!.Find(plan.Compute, operands, plan.Count);
        if (plan.Loop is not null) (plan.Way, plan.Together, plan.Streams) = (way, together, streams);
    }

    static bool IsWhole(in Plan plan) => plan.Rank < 2 || plan.Row % RowProgram.MostLanes == 0;

    // True if one call may do many rows. A row's last vector reaches into the next row: of the result that must be written later, operands must have memory there, and none may be what is overwritten.
    static bool AreTogether(in Plan plan, Tensor y, ReadOnlySpan<Tensor> x)
    {
        if (IsWhole(plan)) return true;
        if (plan.Walks[plan.Operands].Outer != plan.Row) return false;
        for (int k = 0; k < plan.Operands; k++)
        {
            ref readonly var walk = ref plan.Walks[k];
            if (ReferenceEquals(x[k].Store, y.Store) || walk.Inner != 0 && walk.Outer != 0 && walk.Outer < plan.Row) return false;
        }
        return true;
    }

    // The result begins with a line, and so does each part of it: where parts cut a row, a piece shorter than a vector has the rest of the row beside it.
    static bool IsStream(in Plan plan, Tensor y, Way way)
    {
        if (!y.IsContiguous || y.DType == DType.Bool || (nint)plan.Y % LaneMemory.StreamBytes != 0 || !Streaming.Suits(plan.Count * plan.ResultSize)) return false;
        if (plan.Rank < 2) return plan.Count >= RowProgram.MostLanes;
        return plan.Row * plan.ResultSize % LaneMemory.StreamBytes == 0 || way == Way.LoopRows && plan.Row >= LoopEmitter.LeastShifted;
    }

    static Access AccessOf(in Plan plan, Way way, in Walk walk)
    {
        if (walk.IsScalar || walk.Inner == 0 && (way != Way.Tiles || plan.Row >= RowMinimum)) return Access.Broadcast;
        return way == Way.LoopRows && !IsWhole(plan) && walk.Outer == 0 ? Access.Shared : Access.Load;
    }

    // rows that the loop reads and writes where they are, those along one dim at a call
    static void LoopRowsPart(in Plan plan, int part)
    {
        long start = (long)part * plan.Chunk, end = Math.Min(start + plan.Chunk, plan.Count), row = plan.Row;
        int last = plan.Rank - 1;
        byte** at = stackalloc byte*[MaxOperands + 2];
        long* steps = stackalloc long[MaxOperands + 1];
        Steps(plan, plan.Rank - 2, steps);
        Span<long> index = stackalloc long[plan.Rank];
        at[plan.Operands + 1] = (byte*)Scratch.Rent(Scratch.Elementwise, LoopPads);
        while (start < end)
        {
            Strided.IndexOf(plan.Sizes, start, index);
            for (int k = 0; k <= plan.Operands; k++) at[k] = (byte*)plan.X[k] + Strided.Offset(plan.Walks[k].Strides, index) * plan.Walks[k].Type.Size;
            long length = Math.Min(row - index[last], end - start);
            long rows = length < row || last == 0 ? 1 : Math.Min((end - start) / row, plan.Collapsed[last - 1] - index[last - 1]);
            Call(plan, at, steps, rows, length, plan.Together);
            start += rows * length;
        }
        if (plan.Streams) Streaming.End();
    }

    static void Call(in Plan plan, byte** at, long* steps, long rows, long length, bool together)
    {
        if (together) { plan.Loop!(at, steps, rows, length); return; }
        for (long r = 0; r < rows; r++)
        {
            plan.Loop!(at, steps, 1, length);
            for (int k = 0; k <= plan.Operands; k++) at[k] += steps[k];
        }
    }

    // bytes from one place to the next along a dim
    static void Steps(in Plan plan, int dim, long* steps)
    {
        for (int k = 0; k <= plan.Operands; k++) steps[k] = dim < 0 ? 0 : plan.Walks[k].Start[dim] * plan.Walks[k].Type.Size;
    }

    // Transposed operands: their elements lie side by side along another dim, the same for all. Squares of that and the last one are turned in first-level cache; row by row each element would cost a cache line.
    static bool CutsInBlocks(ref Plan plan)
    {
        if (plan.Row < Block) return false;
        int dim = -1;
        for (int k = 0; k < plan.Operands; k++)
        {
            ref readonly var walk = ref plan.Walks[k];
            if (walk.Inner is 0 or 1) continue;
            int side = walk.Strides.IndexOf(1);
            if (side < 0 || dim >= 0 && dim != side) return false;
            dim = side;
        }
        plan.BlockDim = dim;
        return plan.Collapsed[dim] >= Block;
    }

    static int BlockRows(in Plan plan) => (int)(plan.Count / (plan.Collapsed[plan.BlockDim] * plan.Row) * BlocksOf(plan.Collapsed[plan.BlockDim]));

    static long BlocksOf(long size) => (size + Block - 1) / Block;

    // a row of blocks
    static void LoopBlocksPart(in Plan plan, int part)
    {
        int dim = plan.BlockDim, last = plan.Rank - 1, n = plan.Operands;
        byte* scratch = (byte*)Scratch.Rent(Scratch.Elementwise, n * Block * Block * 8 + LoopPads);
        byte** at = stackalloc byte*[MaxOperands + 2];
        long* steps = stackalloc long[MaxOperands + 1];
        Steps(plan, dim, steps);
        Span<long> index = stackalloc long[plan.Rank];
        long rest = part;
        for (int d = last - 1; d >= 0; d--) // the last dim begins at 0
        {
            long size = d == dim ? BlocksOf(plan.Collapsed[d]) : plan.Collapsed[d];
            (index[d], rest) = (rest % size * (d == dim ? Block : 1), rest / size);
        }
        long rows = Math.Min(Block, plan.Collapsed[dim] - index[dim]);
        for (long column = 0; column < plan.Row; column += Block)
        {
            long columns = Math.Min(Block, plan.Row - column);
            index[last] = column;
            for (int k = 0; k <= n; k++)
            {
                ref readonly var walk = ref plan.Walks[k];
                at[k] = (byte*)plan.X[k] + Strided.Offset(walk.Strides, index) * walk.Type.Size;
                if (walk.Inner is 0 or 1) continue;
                byte* tile = scratch + k * Block * Block * 8;
                Copy.Transpose(at[k], (nint)walk.Inner, tile, (nint)columns, (nint)rows, (nint)columns, walk.Type.Size);
                at[k] = tile;
                steps[k] = columns * walk.Type.Size;
            }
            at[n + 1] = scratch + n * Block * Block * 8;
            Call(plan, at, steps, rows, columns, columns % RowProgram.MostLanes == 0);
        }
        if (plan.Streams) Streaming.End();
    }
}
