using System.Runtime.CompilerServices;
using Flambeau.Compile.Emit;
using Flambeau.Kernels;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Compile.Loops;

/// <summary>
/// Runs a <see cref="RowProgram"/> with the loops of the eager kernels, an instruction at a time over a block of rows that stays in cache. It compiles nothing, so it also serves what runs ahead of time.
/// </summary>
internal static unsafe class RowRunner
{
    const int BlockBytes = 128 << 10; // what a block's values take: a share of the second-level cache
    const long ShortRow = 32;  // below this a row's fixed cost exceeds that of repeating what its elements share
    const int BlockElements = 4;  // that one block of random words makes
    const long PartElements = 16384;  // what a thread takes at a time, at least

    /// <summary>The results of <paramref name="program"/> for <paramref name="inputs"/> of the shapes that it was made for, and draws from <paramref name="first"/> on. <paramref name="lastFirst"/> begins with the last rows.
    /// <paramref name="produce"/> computes one of the inputs, and gives its rows to what it is given as they are complete; each goes through the program then.</summary>
    public static Tensor[] Run(RowProgram program, Tensor[] inputs, Draw first, bool lastFirst = false, Action<Epilogue>? produce = null)
    {
        var read = new Tensor[inputs.Length];
        for (int i = 0; i < read.Length; i++) read[i] = !program.Reads[i] || ReadsInPlace(program, i, inputs[i]) ? inputs[i] : inputs[i].Packed(inputs[i].DType);
        var results = new Tensor[program.Results.Length];
        for (int i = 0; i < results.Length; i++) results[i] = Laid(program, i, read);
        int axes = program.RowSizes.Length, lines = read.Length + program.Outputs.Length;
        byte** tensors = stackalloc byte*[read.Length + results.Length];
        long* steps = stackalloc long[Math.Max(1, axes * lines)];
        for (int i = 0; i < read.Length; i++) Steps(program, program.InputDims[i], read[i], steps + i * axes);
        for (int i = 0; i < program.Outputs.Length; i++) Steps(program, program.ResultDims[program.Outputs[i].Result], results[program.Outputs[i].Result], steps + (read.Length + i) * axes);
        Pin(program, read, results, first, lastFirst, produce, tensors, steps, 0);
        return results;
    }

    // a row's columns lie side by side, and its vectors do not reach beyond what follows it
    static bool ReadsInPlace(RowProgram program, int index, Tensor x)
    {
        if (x.IsContiguous) return true;
        // numbers a row are read as vectors along the rows
        if (program.InputDims[index] is not { Columns.Length: > 0 } dims) return false;
        long step = 1;
        for (int i = dims.Columns.Length - 1; i >= 0; i--)
        {
            if (x.Strides[dims.Columns[i]] != step) return false;
            step *= x.Shape.Sizes[dims.Columns[i]];
        }
        bool follows = dims.Rows.Length == 0 || dims.Rows[^1] < 0 || x.Strides[dims.Rows[^1]] >= step;
        return follows || IsWholeVectors(program);
    }

    static bool IsWholeVectors(RowProgram program) => program.Columns % RowProgram.MostLanes == 0;

    // The layout of the first input of the result's shape but for its columns, if that has its rows in another order: heads that lie side by side stay so.
    static Tensor Laid(RowProgram program, int index, Tensor[] inputs)
    {
        var (shape, type) = program.Results[index];
        if (program.ResultDims[index] is { Rows.Length: > 1, Columns.Length: > 0 } dims && IsWholeVectors(program))
            for (int i = 0; i < inputs.Length; i++)
                if (program.InputDims[i] is { Columns.Length: > 0 } own && own.Rows.AsSpan().SequenceEqual(dims.Rows) && inputs[i] is { IsContiguous: false } x && x.Rank == shape.Rank)
                    return Like(x, shape, type, dims);
        return Tensor.Empty(shape, type);
    }

    static Tensor Like(Tensor x, Shape shape, DType type, RowDims dims)
    {
        var strides = new long[shape.Rank];
        long step = 1;
        for (int i = dims.Columns.Length - 1; i >= 0; i--) (strides[dims.Columns[i]], step) = (step, step * shape.Sizes[dims.Columns[i]]);
        foreach (int dim in dims.Rows.Order(Comparer<int>.Create((a, b) => x.Strides[a] != x.Strides[b] ? x.Strides[a].CompareTo(x.Strides[b]) : b.CompareTo(a))))
            (strides[dim], step) = (step, step * shape.Sizes[dim]);
        for (int i = 0; i < strides.Length; i++) if (shape.Sizes[i] == 1 && Array.IndexOf(dims.Rows, i) < 0 && Array.IndexOf(dims.Columns, i) < 0) strides[i] = step;
        return new(Storage.Allocate(shape.Count * type.Size), shape, strides, 0, type);
    }

    static void Steps(RowProgram program, RowDims? dims, Tensor x, long* steps)
    {
        if (dims is null) return;
        if (program.IsCut) *steps = dims.Columns.Length > 0 ? program.Columns : 1;
        else for (int i = 0; i < dims.Rows.Length; i++) steps[i] = dims.Rows[i] < 0 ? 0 : x.Strides[dims.Rows[i]];
    }

    // pins managed storages one by one down the recursion, then runs
    static void Pin(RowProgram program, Tensor[] inputs, Tensor[] results, Draw first, bool lastFirst, Action<Epilogue>? produce, byte** tensors, long* steps, int k)
    {
        if (k == inputs.Length + results.Length)
        {
            byte** outputs = stackalloc byte*[program.Outputs.Length];
            for (int i = 0; i < program.Outputs.Length; i++)
            {
                var (result, start) = program.Outputs[i];
                outputs[i] = tensors[inputs.Length + result] + start * results[result].DType.Size;
            }
            Run(program, tensors, inputs.Length, outputs, first, lastFirst, produce, steps);
            if (program.Rest is not { } rest) return;
            // behind the whole pieces, or their results
            for (int i = 0; i < inputs.Length; i++) if (program.InputDims[i] is not null) tensors[i] += rest.Start * inputs[i].DType.Size;
            for (int i = 0; i < program.Outputs.Length; i++)
            {
                int result = program.Outputs[i].Result;
                outputs[i] += (program.ResultDims[result]!.Columns.Length > 0 ? rest.Start : program.Rows) * results[result].DType.Size;
            }
            Run(rest, tensors, inputs.Length, outputs, first, lastFirst, null, steps);
            return;
        }
        var x = k < inputs.Length ? inputs[k] : results[k - inputs.Length];
        fixed (byte* p = x.Store!)
        {
            tensors[k] = p + x.Offset * x.DType.Size;
            Pin(program, inputs, results, first, lastFirst, produce, tensors, steps, k + 1);
        }
        GC.KeepAlive(x);
    }

    static void Run(RowProgram program, byte** inputs, int inputCount, byte** outputs, Draw first, bool lastFirst, Action<Epilogue>? produce, long* steps)
    {
        var plan = program.Plan;
        long blocks = program.Blocks, perPart = Math.Max(1, PartElements / program.Columns);
        int parts = checked((int)(program.IsGrouped ? program.Groups : program.FoldsRows ? blocks : (program.Rows + perPart - 1) / perPart));
        var job = new Job
        {
            Program = program, Plan = plan, Inputs = inputs, Outputs = outputs, InputCount = inputCount, Steps = steps, Parts = parts, First = first, LastFirst = lastFirst,
            Shared = (byte*)Scratch.Rent(Scratch.Shared, program.SharedColumns * program.ColumnBytes + program.Constants.Length * 8 + program.Draws * Job.ScheduleBytes),
        };
        job.Constants = job.Shared + program.SharedColumns * program.ColumnBytes;
        job.RunRows = job.RunLength();
        job.Streams = job.SuitStreams();
        FillConstants(program, job.Constants);
        for (int i = 0; i < program.Draws; i++) Philox.Schedule(job.DrawOf(i), (uint*)job.ScheduleOf(i));
        job.Whole(program.Before);
        if (produce is not null) produce(new Follower(job));
        else if (Team.Pays(program.Rows * program.Columns * program.Body.Length)) Team.Run(parts, ref job);
        else for (int i = 0; i < parts; i++) job.Run(i);
        if (program.IsGrouped) return;
        job.Join();
        job.Whole(program.After);
    }

    /// <summary>The rows of a job as they come.</summary>
    sealed class Follower(Job job) : Epilogue
    {
        public override void Run(long row, long rows) => job.RunPart(0, row, row + rows);
    }

    static void FillConstants(RowProgram program, byte* constants)
    {
        foreach (var value in program.Values)
        {
            if (value.Place != Place.Constant) continue;
            double number = program.Constants[value.Index];
            Conversion.Run(DType.Float64, &number, value.Type, constants + value.Index * 8, 1);
        }
    }

    struct Job : IPart
    {
        public RowProgram Program;
        public RowPlan Plan;
        public byte** Inputs, Outputs;
        public byte* Shared, Constants;
        public int Parts, InputCount;
        /// <summary>By input, then by output: elements from place to place along each axis of the rows.</summary>
        public long* Steps;
        /// <summary>True if the last part is the first.</summary>
        public bool LastFirst;
        /// <summary>Which results go past the caches.</summary>
        public Streams Streams;
        /// <summary>Blocks end at multiples of so many rows: between them each operand's rows are equally far apart.</summary>
        public long RunRows;

        /// <summary>The first of the run's draws.</summary>
        public Draw First;

        public const int ScheduleBytes = Philox.ScheduleWords * sizeof(uint);

        public readonly Draw DrawOf(int number) => First with { Number = First.Number + (ulong)number };

        public readonly byte* ScheduleOf(int number) => Constants + Program.Constants.Length * 8 + number * ScheduleBytes;

        /// <summary>How many rows there are from one break to the next: the innermost axes along which every operand goes on as it began.</summary>
        public readonly long RunLength()
        {
            var sizes = Program.RowSizes;
            long length = 1;
            for (int axis = sizes.Length - 1; axis >= 0; axis--)
            {
                length *= sizes[axis];
                if (axis > 0 && !GoesOn(axis)) return length;
            }
            return long.MaxValue;
        }

        /// <summary>Which, if the results are more than caches hold: all whose rows begin with a line; else, of rows that are long enough for what their ends cost, those whose lines begin at the same elements.</summary>
        public readonly Streams SuitStreams()
        {
            int axes = Program.RowSizes.Length;
            long bytes = 0, places = 0, first = 0, apart = 0; // elements by which the results' lines do not begin together
            long* others = null;
            foreach (var value in Program.Values)
            {
                if (value is not { Extent: Extent.Full, Place: Place.Output }) continue;
                long size = value.Type.Size, start = (long)Outputs[value.Index];
                bytes += Program.Rows * Program.Columns * size;
                if (value.Type == DType.Bool) continue;
                long* steps = Steps + (InputCount + value.Index) * axes;
                if (others is null)
                {
                    others = steps;
                    first = start / size;
                }
                places |= start;
                apart |= start / size - first;
                for (int axis = 0; axis < axes; axis++)
                {
                    places |= steps[axis] * size;
                    apart |= steps[axis] - others[axis];
                }
            }
            if (others is null || Program.Columns < RowProgram.MostLanes || !Streaming.Suits(bytes)) return Streams.None;
            if (places % LaneMemory.StreamBytes == 0) return Streams.All;
            return apart % RowProgram.MostLanes == 0 && Program.Columns >= LoopEmitter.LeastShifted ? Streams.Shifted : Streams.None;
        }

        // one step further along the axis outside of this one is as far as the whole of this one
        readonly bool GoesOn(int axis)
        {
            int axes = Program.RowSizes.Length;
            foreach (var value in Program.Values)
            {
                if (value.Extent < Extent.Row || value.Place is not (Place.Input or Place.Output)) continue;
                long* steps = Steps + (value.Place == Place.Input ? value.Index : InputCount + value.Index) * axes;
                if (steps[axis - 1] != steps[axis] * Program.RowSizes[axis]) return false;
            }
            return true;
        }

        /// <summary>How many elements into an operand row <paramref name="row"/> begins.</summary>
        public readonly long OffsetOf(int operand, long row)
        {
            var sizes = Program.RowSizes;
            long* steps = Steps + operand * sizes.Length;
            if (RunRows == long.MaxValue && sizes.Length > 0) return row * steps[sizes.Length - 1];
            return PlaceOf(operand, row);
        }

        /// <summary>The same of an operand that does not vary along every axis.</summary>
        public readonly long PlaceOf(int operand, long row)
        {
            var sizes = Program.RowSizes;
            long* steps = Steps + operand * sizes.Length;
            long offset = 0;
            for (int axis = sizes.Length - 1; axis >= 0; axis--)
            {
                offset += row % sizes[axis] * steps[axis];
                row /= sizes[axis];
            }
            return offset;
        }

        /// <summary>Elements from one row of an operand to the next.</summary>
        public readonly long StepOf(int operand) => Program.RowSizes.Length is > 0 and var axes ? Steps[operand * axes + axes - 1] : 0;

        /// <summary>Part <paramref name="part"/> of the rows.</summary>
        public readonly void Run(int part)
        {
            if (LastFirst) part = Parts - 1 - part;
            if (Program.IsGrouped) RunGroup(part);
            else RunPart(part, Program.Rows * part / Parts, Program.Rows * (part + 1) / Parts);
        }

        // with sums of its own, in memory of this thread
        readonly void RunGroup(int group)
        {
            var own = this;
            own.Shared = (byte*)Scratch.Rent(Scratch.Group, Program.SharedColumns * Program.ColumnBytes);
            own.Whole(Program.Before);
            long rows = Program.Rows / Program.Groups, first = group * rows, blocks = Program.Blocks;
            for (int block = 0; block < blocks; block++) own.RunPart(block, first + rows * block / blocks, first + rows * (block + 1) / blocks);
            own.Join();
            own.Whole(Program.After, first);
        }

        // in blocks
        [SkipLocalsInit]
        public readonly void RunPart(int part, long from, long to)
        {
            var p = Program;
            int slots = Plan.Slots + (p.Columns < ShortRow ? ElementwiseLoop.MaxOperands : 0);
            long most = Math.Max(1, to - from);
            if (Plan.Steps.Length > 1) most = Math.Clamp(BlockBytes / (Math.Max(1, Plan.Slots) * p.Columns * 8), 1, most); // else a row at a time goes through all there is
            long slot = Aligned(most * p.Columns * 8), line = Aligned(p.Columns * 8), rowSlot = Aligned(most * 8);
            byte* scratch = (byte*)Scratch.Rent(Scratch.Rows, slots * slot + Plan.Lines * line + p.RowSlots * rowSlot + Plan.ScratchBytes);
            byte** at = stackalloc byte*[Plan.PointerCount];
            long* steps = stackalloc long[2 * Plan.PointerCount];
            var block = new Block { Job = this, Slots = scratch, SlotBytes = slot, LineBytes = line, RowSlotBytes = rowSlot, Part = part, At = at, Steps = steps, Advances = steps + Plan.PointerCount };
            block.Lines = scratch + slots * slot;
            block.RowSlots = block.Lines + Plan.Lines * line;
            block.Passes = block.RowSlots + p.RowSlots * rowSlot;
            foreach (var instruction in p.Body)
                if (instruction is Instruction.FoldRows fold) fold.Op.Column(p.Values[fold.Result].Type, Partial(fold.Result, part), Partial(fold.Result, part), p.Columns, true);
            for (long row = from; row < to; row += block.Count)
            {
                if (row > from && RunRows == long.MaxValue) block.Next();
                block.First = row;
                block.Count = Math.Min(Math.Min(most, to - row), RunRows - row % RunRows);
                if (row == from || RunRows < long.MaxValue) block.Bind();
                int pointer = 0;
                foreach (object step in Plan.Steps)
                {
                    if (step is not Pass pass) { block.Run((Instruction)step); continue; }
                    block.Run(pass, pointer);
                    pointer += pass.Pointers.Length + 1;
                }
            }
            if (Streams != Streams.None) Streaming.End();
        }

        static long Aligned(long bytes) => (bytes + 63) / 64 * 64;

        /// <summary>Instructions on numbers and columns alone, of the group that begins with row <paramref name="first"/>.</summary>
        public readonly void Whole(Instruction[] instructions, long first = 0)
        {
            var block = new Block { Job = this, Count = 1, IsWhole = true, First = first };
            foreach (var instruction in instructions) block.Run(instruction);
        }

        /// <summary>The partial sums of the blocks of rows become one.</summary>
        public readonly void Join()
        {
            foreach (var instruction in Program.Body)
                if (instruction is Instruction.FoldRows fold) fold.Op.Join(Program.Values[fold.Result].Type, Partial(fold.Result, 0), Program.Blocks, Program.Columns);
        }

        /// <summary>A part's own columns of a sum over rows.</summary>
        public readonly byte* Partial(int sum, int part)
        {
            var value = Program.Values[sum];
            return Shared + value.Index * Program.ColumnBytes + part * Program.Columns * value.Type.Size;
        }
    }

    /// <summary>Where a value's rows begin, and how many bytes apart they are: 0 if all share one.</summary>
    readonly struct Lines(byte* start, long step)
    {
        public readonly byte* Start = start;
        public readonly long Step = step;
    }

    /// <summary>Rows that are worked on together.</summary>
    ref struct Block
    {
        public Job Job;
        public byte* Slots, Lines, RowSlots, Passes;
        public long SlotBytes, LineBytes, RowSlotBytes, First, Count;
        /// <summary>Of the passes' pointers one after the other: where the block's rows begin, bytes from row to row, and how many of those the next block is away for each row of this one.</summary>
        public byte** At;
        public long* Steps, Advances;
        public int Part;
        public bool IsWhole; // outside the rows, where the program's own values hold

        readonly RowValue ValueOf(int value) => IsWhole ? Job.Program.Values[value] : Job.Plan.Values[value];

        readonly Lines Of(int value)
        {
            var p = Job.Program;
            var v = ValueOf(value);
            long size = v.Type.Size, step = v.Extent switch { Extent.Full => p.Columns * size, Extent.Row => size, _ => 0 };
            return v.Place switch
            {
                Place.Constant => new(Job.Constants + v.Index * 8, 0),
                Place.Input => InMemory(Job.Inputs[v.Index], v.Index, v),
                Place.Output => InMemory(Job.Outputs[v.Index], Job.InputCount + v.Index, v),
                Place.Shared => new(Job.Shared + v.Index * p.ColumnBytes, 0),
                Place.RowSlot => new(RowSlots + v.Index * RowSlotBytes, step),
                Place.Line => new(Lines + v.Index * LineBytes, 0),
                _ => new(Slots + v.Index * SlotBytes, step),
            };
        }

        readonly Lines InMemory(byte* start, int operand, RowValue value) => value.Extent < Extent.Row ? new(IsWhole && Job.Program.IsGrouped && value.Place == Place.Output ? start + Job.PlaceOf(operand, First) * value.Type.Size : start, 0)
            : new(start + Job.OffsetOf(operand, First) * value.Type.Size, Job.StepOf(operand) * value.Type.Size);

        // true if the block's rows follow one another without gaps
        readonly bool IsOne(int value, Lines lines)
        {
            var v = ValueOf(value);
            return Count == 1 || v.Extent < Extent.Row || lines.Step == (v.Extent == Extent.Full ? Job.Program.Columns : 1) * v.Type.Size;
        }

        // elements of a value that lie together for this block; a Number counts as one
        readonly long Length(Extent extent) => extent switch { Extent.Full => Count * Job.Program.Columns, Extent.Row => Count, Extent.Column => Job.Program.Columns, _ => 1 };

        public void Run(Instruction instruction)
        {
            switch (instruction)
            {
                case Instruction.Map map: Map(map); break;
                case Instruction.Cast cast: Cast(cast); break;
                case Instruction.Spread spread: Spread(spread); break;
                case Instruction.Gather gather: Gather(gather); break;
                case Instruction.Draw draw: Draw(draw); break;
                case Instruction.Take take: Take(take); break;
                case Instruction.OneHot hot: OneHot(hot); break;
                case Instruction.FoldRow fold: FoldRow(fold); break;
                case Instruction.FoldRows fold: FoldRows(fold); break;
            }
        }

        /// <summary>Finds what the pointers of all passes point to.</summary>
        public readonly void Bind()
        {
            int k = 0;
            foreach (object step in Job.Plan.Steps)
            {
                if (step is not Pass pass) continue;
                foreach (var (target, number) in pass.Pointers)
                    switch (target)
                    {
                        case Target.Value: Bind(k++, number); break;
                        case Target.Partial: Bind(k++, new(Job.Partial(number, Part), 0), false); break;
                        case Target.Schedule: Bind(k++, new(Job.ScheduleOf(number), 0), false); break;
                        case Target.Block: Bind(k++, new((byte*)((Job.Program.Start + First * Job.Program.Columns) / BlockElements), Job.Program.Columns / BlockElements), true); break;
                    }
                Bind(k++, new(Passes, 0), false);
            }
        }

        readonly void Bind(int operand, int value) => Bind(operand, Of(value), ValueOf(value).Place is Place.Input or Place.Output);

        readonly void Bind(int operand, Lines lines, bool advances)
        {
            At[operand] = lines.Start;
            Steps[operand] = lines.Step;
            Advances[operand] = advances ? lines.Step : 0;
        }

        /// <summary>The pointers of the block that follows this one.</summary>
        public readonly void Next()
        {
            for (int k = 0; k < Job.Plan.PointerCount; k++) At[k] += Count * Advances[k];
        }

        /// <summary>A compiled pass over the block.</summary>
        public readonly void Run(Pass pass, int pointer)
        {
            byte** at = At + pointer;
            long* steps = Steps + pointer;
            var emitted = pass.Emitted(Job.Streams, Job.Plan, Job.Program.Constants);
            long columns = Job.Program.Columns;
            if (!pass.IsByRow) emitted.Function(at, steps, 1, Count);
            else if (columns <= ReductionOp.RowChunk || pass.Loops[0].FoldRows.Length == 0) emitted.Function(at, steps, Count, columns);
            else RunLong(pass, emitted, at, steps);
        }

        // rows beyond a chunk, which go through one loop: chunk by chunk, whose results are joined pairwise
        readonly void RunLong(Pass pass, EmittedPass emitted, byte** at, long* steps)
        {
            var folds = pass.Loops[0].FoldRows;
            long columns = Job.Program.Columns, chunks = (columns + ReductionOp.RowChunk - 1) / ReductionOp.RowChunk;
            byte* results = (byte*)Scratch.Rent(Scratch.Reduction, folds.Length * chunks * 8);
            int pointers = pass.Pointers.Length;
            byte** from = stackalloc byte*[pointers + 1];
            from[pointers] = at[pointers];
            long* shifted = stackalloc long[pointers]; // numbers of columns count from the chunk's first
            for (long row = 0; row < Count; row++)
            {
                for (long chunk = 0; chunk < chunks; chunk++)
                {
                    byte* result = results + chunk * 8;
                    foreach (var (access, type, p) in emitted.Operands[0])
                    {
                        long into = access switch { Access.Broadcast or Access.Schedule => 0, Access.Block => chunk * ReductionOp.RowChunk / BlockElements, _ => chunk * ReductionOp.RowChunk * type.Size };
                        from[p] = at[p] + row * steps[p] + into;
                        if (access == Access.Chains)
                        {
                            from[p] = result;
                            result += chunks * 8;
                        }
                        if (access != Access.Broadcast || type != DType.Int64) continue;
                        shifted[p] = *(long*)from[p] - chunk * ReductionOp.RowChunk;
                        from[p] = (byte*)(shifted + p);
                    }
                    emitted.Function(from, steps, 1, Math.Min(ReductionOp.RowChunk, columns - chunk * ReductionOp.RowChunk));
                }
                JoinChunks(pass, folds, results, chunks, row, at, steps);
            }
        }

        // each fold has 8 bytes a chunk, which its results are drawn together in
        readonly void JoinChunks(Pass pass, Instruction.FoldRow[] folds, byte* results, long chunks, long row, byte** at, long* steps)
        {
            for (int f = 0; f < folds.Length; f++)
            {
                var type = ValueOf(folds[f].Result).Type;
                byte* chunked = results + f * chunks * 8;
                for (long c = 1; c < chunks; c++) Unsafe.CopyBlockUnaligned(chunked + c * type.Size, chunked + c * 8, (uint)type.Size);
                folds[f].Op.Join(type, chunked, chunks, 1);
                int p = Array.IndexOf(pass.Pointers, new(Target.Value, folds[f].Result));
                Unsafe.CopyBlockUnaligned(at[p] + row * steps[p], chunked, (uint)type.Size);
            }
        }

        [SkipLocalsInit]
        readonly void Map(Instruction.Map map)
        {
            var values = IsWhole ? Job.Program.Values : Job.Plan.Values;
            var extent = values[map.Result].Extent;
            var to = Of(map.Result);
            int n = map.Operands.Length;
            byte** x = stackalloc byte*[n];
            long* steps = stackalloc long[n];
            uint scalars = 0;
            bool together = IsOne(map.Result, to); // one call does the whole block
            for (int k = 0; k < n; k++)
            {
                var operand = Of(map.Operands[k]);
                x[k] = operand.Start;
                steps[k] = operand.Step;
                var has = values[map.Operands[k]].Extent;
                if (extent == Extent.Full && has is Extent.Row or Extent.Column && Job.Program.Columns < ShortRow)
                {
                    int size = values[map.Operands[k]].Type.Size;
                    x[k] = Repeat(operand, has, size, k);
                    steps[k] = Job.Program.Columns * size;
                    continue;
                }
                if (has == Extent.Number || has == Extent.Row && extent == Extent.Full) scalars |= 1u << k;
                together &= has == Extent.Number || has == extent && IsOne(map.Operands[k], operand);
            }
            var kernel = map.Op.Kernel;
            if (together)
            {
                kernel.Run(map.Compute, to.Start, x, Length(extent), scalars);
                return;
            }
            byte* y = to.Start;
            for (long row = 0; row < Count; row++, y += to.Step)
            {
                kernel.Run(map.Compute, y, x, extent == Extent.Full ? Job.Program.Columns : 1, scalars);
                for (int k = 0; k < n; k++) x[k] += steps[k];
            }
        }

        readonly void Cast(Instruction.Cast cast)
        {
            var from = ValueOf(cast.Operand);
            var to = ValueOf(cast.Result);
            Lines x = Of(cast.Operand), y = Of(cast.Result);
            if (IsOne(cast.Operand, x) && IsOne(cast.Result, y)) Conversion.Run(from.Type, x.Start, to.Type, y.Start, Length(to.Extent));
            else
                for (long row = 0; row < Count; row++) Conversion.Run(from.Type, x.Start + row * x.Step, to.Type, y.Start + row * y.Step, to.Extent == Extent.Full ? Job.Program.Columns : 1);
        }

        // beside the slots
        readonly byte* Repeat(Lines from, Extent has, int size, int k)
        {
            byte* to = Slots + (Job.Plan.Slots + k) * SlotBytes;
            Spread(from, has, new(to, Job.Program.Columns * size), Job.Program.Columns, size);
            return to;
        }

        readonly void Spread(Instruction.Spread spread)
        {
            var values = IsWhole ? Job.Program.Values : Job.Plan.Values;
            var (has, extent, size) = (values[spread.Operand].Extent, values[spread.Result].Extent, values[spread.Result].Type.Size);
            Lines from = Of(spread.Operand), to = Of(spread.Result);
            if (has == extent && IsOne(spread.Operand, from) && IsOne(spread.Result, to)) Buffer.MemoryCopy(from.Start, to.Start, long.MaxValue, Length(extent) * size);
            else if (has == extent)
            {
                long bytes = (extent == Extent.Full ? Job.Program.Columns : 1) * size;
                for (long row = 0; row < Count; row++) Buffer.MemoryCopy(from.Start + row * from.Step, to.Start + row * to.Step, bytes, bytes);
            }
            else Spread(from, has, to, extent == Extent.Row ? 1 : Job.Program.Columns, size);
        }

        readonly void Spread(Lines from, Extent has, Lines to, long columns, int size)
        {
            byte* x = from.Start, y = to.Start;
            for (long row = 0; row < Count; row++, x += from.Step, y += to.Step)
                if (has == Extent.Column) Buffer.MemoryCopy(x, y, columns * size, columns * size);
                else Fill(y, x, columns, size);
        }

        static void Fill(byte* to, byte* from, long count, int size)
        {
            if (size == 4) new Span<int>(to, checked((int)count)).Fill(*(int*)from);
            else if (size == 8) new Span<long>(to, checked((int)count)).Fill(*(long*)from);
            else if (size == 2) new Span<short>(to, checked((int)count)).Fill(*(short*)from);
            else new Span<byte>(to, checked((int)count)).Fill(*from);
        }

        readonly void Gather(Instruction.Gather gather)
        {
            var p = Job.Program;
            var value = ValueOf(gather.Result);
            var to = Of(gather.Result);
            long size = value.Type.Size, bytes = value.Extent == Extent.Full ? p.Columns * size : size;
            // runs along the innermost axis, in which the operand's rows are equally far apart
            long axis = p.RowSizes[^1], step = Job.StepOf(gather.Input) * size;
            byte* y = to.Start;
            for (long row = 0; row < Count;)
            {
                byte* x = Job.Inputs[gather.Input] + Job.PlaceOf(gather.Input, First + row) * size;
                long end = Math.Min(Count, row + axis - (First + row) % axis);
                if (bytes == sizeof(int)) for (; row < end; row++, x += step, y += to.Step) *(int*)y = *(int*)x;
                else for (; row < end; row++, x += step, y += to.Step) Buffer.MemoryCopy(x, y, bytes, bytes);
            }
        }

        readonly void Draw(Instruction.Draw draw)
        {
            var to = Of(draw.Result);
            long columns = Job.Program.Columns, together = IsOne(draw.Result, to) ? Count : 1;
            for (long row = 0; row < Count; row += together)
                UniformFill.Run(ValueOf(draw.Result).Type, to.Start + row * to.Step, Job.Program.Start + (First + row) * columns, together * columns, Job.DrawOf(draw.Number), Kernel.Width);
        }

        readonly void Take(Instruction.Take take)
        {
            Lines from = Of(take.Operand), to = Of(take.Result), which = Of(take.Which);
            int size = ValueOf(take.Result).Type.Size;
            for (long row = 0; row < Count; row++)
            {
                long index = *(long*)(which.Start + row * which.Step);
                if ((ulong)index >= (ulong)Job.Program.Columns) throw new FlambeauException($"Gather: index {index} is out of range for a row of {Job.Program.Columns} elements; expected 0 … {Job.Program.Columns - 1}");
                Unsafe.CopyBlockUnaligned(to.Start + row * to.Step, from.Start + row * from.Step + index * size, (uint)size);
            }
        }

        readonly void OneHot(Instruction.OneHot hot)
        {
            Lines which = Of(hot.Which), x = Of(hot.Operand), to = Of(hot.Result);
            int size = ValueOf(hot.Result).Type.Size;
            for (long row = 0; row < Count; row++)
            {
                new Span<byte>(to.Start + row * to.Step, checked((int)(Job.Program.Columns * size))).Clear();
                long index = *(long*)(which.Start + row * which.Step);
                if ((ulong)index < (ulong)Job.Program.Columns) Unsafe.CopyBlockUnaligned(to.Start + row * to.Step + index * size, x.Start + row * x.Step, (uint)size);
            }
        }

        readonly void FoldRow(Instruction.FoldRow fold)
        {
            Lines from = Of(fold.Operand), to = Of(fold.Result);
            var type = ValueOf(fold.Result).Type;
            byte* x = from.Start, y = to.Start;
            for (long row = 0; row < Count; row++, x += from.Step, y += to.Step) fold.Op.Row(type, x, Job.Program.Columns, y);
        }

        readonly void FoldRows(Instruction.FoldRows fold)
        {
            var from = Of(fold.Operand);
            var type = ValueOf(fold.Result).Type;
            byte* acc = Job.Partial(fold.Result, Part), x = from.Start;
            for (long row = 0; row < Count; row++, x += from.Step) fold.Op.Column(type, acc, x, Job.Program.Columns, false);
        }
    }
}
