using Flambeau.Ops;

namespace Flambeau.Compile.Loops;

/// <summary>
/// A loop over vectors: what is computed stays in registers from loads to stores. Over the elements of rows, or over the rows themselves for numbers a row.
/// </summary>
/// <param name="Over"><see cref="Extent.Full"/>: row by row, along each; <see cref="Extent.Row"/>: along the rows.</param>
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

    Emit.EmittedLoop? _emitted, _streaming;

    /// <summary>The compiled form; one of its own writes what is <see cref="Last"/> past the caches.</summary>
    public Emit.EmittedLoop Emitted(bool streams, RowPlan plan, double[] constants) =>
        streams && Last.Length > 0 ? _streaming ??= new(this, plan.Values, constants, true) : _emitted ??= new(this, plan.Values, constants, false);
}

/// <summary>How a block of rows goes through a program: instructions by themselves, and loops.</summary>
/// <param name="Values">The program's values, with the slots that this plan gives them.</param>
/// <param name="Slots">How many slots of a row's length it needs.</param>
/// <param name="Steps"><see cref="Instruction"/>s and <see cref="Loop"/>s in order.</param>
internal sealed record RowPlan(RowValue[] Values, int Slots, object[] Steps)
{
    /// <summary>The operands of all loops, and after those of each its scratch memory.</summary>
    public int OperandCount { get; } = Steps.OfType<Loop>().Sum(l => l.OperandCount + 1);

    /// <summary>Every instruction by itself, with the loops of the eager kernels: compiles nothing.</summary>
    public static RowPlan Interpreted(RowProgram program) => new(program.Values, program.Slots, program.Body);
}
