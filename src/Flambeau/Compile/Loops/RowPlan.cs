using Flambeau.Compile.Emit;
using Flambeau.Ops;

namespace Flambeau.Compile.Loops;

/// <summary>
/// A loop over vectors: what is computed stays in registers from loads to stores. Over the elements of rows, or over the rows themselves for numbers a row.
/// </summary>
/// <param name="Over"><see cref="Extent.Full"/>: row by row, along each; <see cref="Extent.Row"/>: along the rows, or in a <see cref="Pass"/> with others one row after the other.</param>
/// <param name="Compute">float32 or float64.</param>
/// <param name="Code">Maps, casts and spreads, operands first.</param>
/// <param name="Loads">Values read from memory.</param>
/// <param name="Stores">Values of <paramref name="Code"/>, or loaded, that are written.</param>
/// <param name="Last">Those of them that no later step reads.</param>
/// <param name="FoldRows">Reductions along the row.</param>
/// <param name="FoldColumns">Reductions over the rows, into columns that all rows of a part share.</param>
internal sealed record Loop(Extent Over, DType Compute, Instruction[] Code, int[] Loads, int[] Stores, int[] Last, Instruction.FoldRow[] FoldRows, Instruction.FoldRows[] FoldColumns)
{
    /// <summary>How many places in memory it works on.</summary>
    public int OperandCount => Loads.Length + 2 * Draws.Length + Stores.Length + FoldColumns.Length + FoldRows.Length;

    /// <summary>Those of <see cref="Code"/> that draw.</summary>
    public Instruction.Draw[] Draws { get; } = [.. Code.OfType<Instruction.Draw>()];

    /// <summary>True if a vector's lanes do not depend on where in the row it begins.</summary>
    public bool BeginsAnywhere => Draws.Length + FoldRows.Length == 0;

    /// <summary>What its operands are, in the order of <see cref="LoopCode.Operands"/>.</summary>
    public IEnumerable<Pointer> Pointers =>
    [
        .. Loads.Select(v => new Pointer(Target.Value, v)),
        .. Draws.SelectMany(d => new Pointer[] { new(Target.Schedule, d.Number), new(Target.Block, d.Number) }),
        .. Stores.Select(v => new Pointer(Target.Value, v)),
        .. FoldColumns.Select(f => new Pointer(Target.Partial, f.Result)),
        .. FoldRows.Select(f => new Pointer(Target.Value, f.Result)),
    ];
}

/// <summary>What a pass is given a pointer to.</summary>
internal enum Target : byte
{
    /// <summary>The rows of a value.</summary>
    Value,
    /// <summary>A part's own columns of a value that is summed over rows.</summary>
    Partial,
    /// <summary>The words that all blocks of a draw share.</summary>
    Schedule,
    /// <summary>No place but a number in its stead: the first block of a draw in the row.</summary>
    Block,
}

/// <summary>A pointer of a pass: to a value, or something of a draw, by number.</summary>
internal readonly record struct Pointer(Target Target, int Number);

/// <summary>
/// Loops that a row goes through one after the other, then the next row: one compiled function. What they hand on to each other a row at a time stays in first-level cache.
/// </summary>
internal sealed class Pass(Loop[] loops)
{
    readonly EmittedPass?[] _emitted = new EmittedPass?[3]; // by what streams

    public Loop[] Loops { get; } = loops;

    /// <summary>What the function is given, once each.</summary>
    public Pointer[] Pointers { get; } = [.. loops.SelectMany(l => l.Pointers).Distinct()];

    /// <summary>Row by row along each; else the numbers of many rows are computed at once.</summary>
    public bool IsByRow { get; } = Array.Exists(loops, l => l.Over == Extent.Full);

    /// <summary>The compiled form; those of their own write what is <see cref="Loop.Last"/> past the caches.</summary>
    public EmittedPass Emitted(Streams streams, RowPlan plan, double[] constants) =>
        _emitted[(int)streams] ??= new(this, plan.Values, constants, streams);
}

/// <summary>How a block of rows goes through a program: instructions by themselves, and passes.</summary>
/// <param name="Values">The program's values, with the slots that this plan gives them.</param>
/// <param name="Slots">How many slots of a block's length it needs.</param>
/// <param name="Lines">How many of a row's length.</param>
/// <param name="Steps"><see cref="Instruction"/>s and <see cref="Pass"/>es in order.</param>
internal sealed record RowPlan(RowValue[] Values, int Slots, int Lines, object[] Steps)
{
    /// <summary>The pointers of all passes, and after those of each its scratch memory.</summary>
    public int PointerCount { get; } = Steps.OfType<Pass>().Sum(p => p.Pointers.Length + 1);

    /// <summary>Bytes of that: each operand's chains, or a padded copy of its last elements.</summary>
    public int ScratchBytes { get; } = Steps.OfType<Pass>().Select(p => p.Loops.Sum(l => l.OperandCount) * LoopEmitter.ChainBytes).DefaultIfEmpty(0).Max();

    /// <summary>Every instruction by itself, with the loops of the eager kernels: compiles nothing.</summary>
    public static RowPlan Interpreted(RowProgram program) => new(program.Values, program.Slots, 0, program.Body);
}
