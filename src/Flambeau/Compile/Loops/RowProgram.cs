using Flambeau.Compile.Graphs;
using Flambeau.Ops;

namespace Flambeau.Compile.Loops;

// R rows, C columns: the loop axes of a graph in order, cut in two

/// <summary>What a value varies over.</summary>
internal enum Extent : byte
{
    /// <summary>One number for all.</summary>
    Number,
    /// <summary>A number a column: a weight, or a sum over all rows.</summary>
    Column,
    /// <summary>A number a row: a mean, a largest element.</summary>
    Row,
    /// <summary>A number an element.</summary>
    Full,
}

/// <summary>Where a value lies while the program runs.</summary>
internal enum Place : byte { Constant, Input, Output, Shared, RowSlot, Slot }

/// <summary>A value of a program: index into inputs, outputs, slots or bytes, by its place.</summary>
internal readonly record struct RowValue(Extent Extent, DType Type, Place Place, int Index);

/// <summary>When an instruction runs.</summary>
internal enum Phase : byte { Before, Rows, After }

/// <summary>One instruction: <paramref name="Result"/> and operands are numbers of values.</summary>
internal abstract record Instruction(int Result, int[] Operands)
{
    /// <summary>An elementwise operator.</summary>
    public sealed record Map(int Result, int[] Operands, ElementwiseOp Op, DType Compute) : Instruction(Result, Operands);
    /// <summary>A change of type.</summary>
    public sealed record Cast(int Result, int Operand) : Instruction(Result, [Operand]);
    /// <summary>A copy to where a value varies over more.</summary>
    public sealed record Spread(int Result, int Operand) : Instruction(Result, [Operand]);
    /// <summary>A copy of an input that varies over some of the rows' axes only: its step, in elements, along each.</summary>
    public sealed record Gather(int Result, int Input, long[] Steps) : Instruction(Result, []);
    /// <summary>A row's elements become one.</summary>
    public sealed record FoldRow(int Result, int Operand, ReductionOp Op) : Instruction(Result, [Operand]);
    /// <summary>All rows become one: each block of rows has its own partial result.</summary>
    public sealed record FoldRows(int Result, int Operand, ReductionOp Op) : Instruction(Result, [Operand]);
}

/// <summary>
/// A graph as one pass over rows: what each row needs is computed while the row lies in cache, and only inputs and outputs touch memory. Reductions run along a row or over all rows, in the order that
/// the eager reductions have, so the bits are those of the operators one by one.
/// </summary>
internal sealed class RowProgram
{
    /// <summary>The sizes of the rows' axes, outermost first.</summary>
    public required long[] RowSizes { get; init; }
    public required long Rows { get; init; }
    public required long Columns { get; init; }
    public required RowValue[] Values { get; init; }
    public required Instruction[] Before { get; init; }
    public required Instruction[] Body { get; init; }
    public required Instruction[] After { get; init; }
    /// <summary>Shape and type of each output.</summary>
    public required (Shape Shape, DType Type)[] Outputs { get; init; }
    public required double[] Constants { get; init; }
    public required int Slots { get; init; }
    public required int RowSlots { get; init; }
    /// <summary>How many columns all rows share: weights computed once, sums over rows.</summary>
    public required int SharedColumns { get; init; }
    public bool FoldsRows => Array.Exists(Body, i => i is Instruction.FoldRows);

    /// <summary>The blocks of rows that are summed apart, or 1.</summary>
    public long Blocks => FoldsRows ? ReductionOp.BlocksOf(Rows) : 1;

    /// <summary>Bytes of a shared column: one for each block of rows.</summary>
    public long ColumnBytes => (Columns * 8 + 63) / 64 * 64 * Blocks;

    /// <summary>The program that computes <paramref name="outputs"/> from the nodes in <paramref name="given"/>, which name their inputs.</summary>
    /// <exception cref="NotTraceableException">The graph is no pass over rows.</exception>
    public static RowProgram Of(Trace trace, IReadOnlyList<GraphNode> outputs, IReadOnlyDictionary<GraphNode, int> given) => new RowProgramBuilder(trace, outputs, given).Build();

    /// <summary>The program as text, an instruction a line.</summary>
    public override string ToString()
    {
        string Name(int v) => Values[v] is { Place: Place.Constant } c ? Constants[c.Index].ToString("R", System.Globalization.CultureInfo.InvariantCulture)
            : $"{Values[v].Place switch { Place.Input => "in", Place.Output => "out", Place.Shared => "col", Place.RowSlot => "row", _ => "s" }}{Values[v].Index}";
        string Line(Instruction i) => $"    {Name(i.Result)} = {i switch
        {
            Instruction.Map m => m.Op.Name,
            Instruction.FoldRow f => f.Op.Name + " of the row",
            Instruction.FoldRows f => f.Op.Name + " over rows",
            Instruction.Gather g => $"Gather in{g.Input}",
            _ => i.GetType().Name,
        }} {string.Join(", ", i.Operands.Select(Name))} : {Values[i.Result].Extent} {Values[i.Result].Type.Name}";
        return string.Join('\n', [$"{Rows} rows of {Columns}", .. Before.Select(Line), "  rows", .. Body.Select(Line), "  after", .. After.Select(Line)]);
    }
}
