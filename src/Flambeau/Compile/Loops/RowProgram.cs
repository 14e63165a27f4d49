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
internal enum Place : byte
{
    Constant, Input, Output, Shared, RowSlot,
    /// <summary>The rows of a block.</summary>
    Slot,
    /// <summary>One row, which the next overwrites: what the loops of a pass hand on to each other.</summary>
    Line,
}

/// <summary>A value of a program: index into inputs, outputs, slots or bytes, by its place.</summary>
internal readonly record struct RowValue(Extent Extent, DType Type, Place Place, int Index);

/// <summary>The dimension of a tensor that each axis of the rows is, −1 where it varies not along it, and those that are columns, outermost first.</summary>
internal sealed record RowDims(int[] Rows, int[] Columns);

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
    /// <summary>A copy of an input that varies over some of the rows' axes only.</summary>
    public sealed record Gather(int Result, int Input) : Instruction(Result, []);
    /// <summary>Uniform numbers of the <paramref name="Number"/>-th of the draws that a run takes.</summary>
    public sealed record Draw(int Result, int Number) : Instruction(Result, []);
    /// <summary>Of each row the element that a number names.</summary>
    public sealed record Take(int Result, int Operand, int Which) : Instruction(Result, [Operand, Which]);
    /// <summary>Zeros but for one element of each row.</summary>
    public sealed record OneHot(int Result, int Which, int Operand) : Instruction(Result, [Which, Operand]);
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
    /// <summary>Lanes of the widest vectors: columns that are a multiple of it are whole vectors anywhere.</summary>
    public const int MostLanes = 16;

    /// <summary>The sizes of the rows' axes, outermost first.</summary>
    public required long[] RowSizes { get; init; }
    public required long Rows { get; init; }
    public required long Columns { get; init; }
    /// <summary>Into how many runs of as many rows they are cut, of which each has sums over rows of its own.</summary>
    public required long Groups { get; init; }
    /// <summary>True if the rows are pieces of one long row: operands' rows follow one another.</summary>
    public required bool IsCut { get; init; }
    /// <summary>The first of its elements.</summary>
    public required long Start { get; init; }
    /// <summary>The same for the elements that are left over after whole pieces.</summary>
    public required RowProgram? Rest { get; init; }
    public required RowValue[] Values { get; init; }
    public required Instruction[] Before { get; init; }
    public required Instruction[] Body { get; init; }
    public required Instruction[] After { get; init; }
    /// <summary>Shape and type of each result.</summary>
    public required (Shape Shape, DType Type)[] Results { get; init; }
    /// <summary>Of each output the result that it is, or a run of whose columns it is.</summary>
    public required (int Result, long Start)[] Outputs { get; init; }
    /// <summary>Which inputs are read.</summary>
    public required bool[] Reads { get; init; }
    /// <summary>Which dimensions of inputs, and of results, are rows' axes; null where there are no rows, or an input is not read.</summary>
    public required RowDims?[] InputDims { get; init; }
    /// <summary>See <see cref="InputDims"/>.</summary>
    public required RowDims?[] ResultDims { get; init; }
    public required double[] Constants { get; init; }
    public required int Slots { get; init; }
    public required int RowSlots { get; init; }
    /// <summary>How many draws a run takes.</summary>
    public required int Draws { get; init; }
    /// <summary>How many columns all rows share: weights computed once, sums over rows.</summary>
    public required int SharedColumns { get; init; }
    /// <summary>How a block of rows goes through <see cref="Body"/>.</summary>
    public RowPlan Plan => Settings.CodeGeneration ? _loops ??= LoopPlanner.Plan(this) : _instructions ??= RowPlan.Interpreted(this);

    RowPlan? _loops, _instructions;

    public bool FoldsRows => Array.Exists(Body, i => i is Instruction.FoldRows);

    /// <summary>True if row i of the pass needs of input <paramref name="input"/>, of this shape, what lies in its row i, all dimensions but the last counted as one, and nothing else is summed over rows.</summary>
    public bool IsByRow(int input, Shape shape)
    {
        if (FoldsRows || IsCut || Rest is not null || Groups > 1 || InputDims[input] is not { } dims || !Reads[input]) return false;
        int[] rows = [.. Enumerable.Range(0, shape.Rank - 1).Where(d => shape.Sizes[d] != 1)];
        return shape.Sizes[^1] == Columns && Columns > 1 && shape.Count == Rows * Columns && dims.Rows.AsSpan().SequenceEqual(rows) && dims.Columns is [var last] && last == shape.Rank - 1;
    }

    /// <summary>True if a part of the work is a group of rows, with its sums.</summary>
    public bool IsGrouped => Groups > 1 && FoldsRows;

    /// <summary>The blocks of a group's rows that are summed apart, or 1.</summary>
    public long Blocks => FoldsRows ? ReductionOp.BlocksOf(Rows / Groups) : 1;

    /// <summary>Bytes of a shared column: one for each block of rows.</summary>
    public long ColumnBytes => (Columns * 8 + 63) / 64 * 64 * Blocks;

    /// <summary>The program that computes <paramref name="outputs"/> from the nodes in <paramref name="given"/>, which name their inputs.</summary>
    /// <exception cref="NotTraceableException">The graph is no pass over rows.</exception>
    public static RowProgram Of(Trace trace, IReadOnlyList<GraphNode> outputs, IReadOnlyDictionary<GraphNode, int> given) => new RowProgramBuilder(trace, outputs, given).Build();

    /// <summary>The program as text, an instruction a line, those of a loop together.</summary>
    public override string ToString()
    {
        var plan = Plan;
        return string.Join('\n', [$"{(Groups > 1 ? $"{Groups} times {Rows / Groups}" : Rows)} rows of {Columns}{(Rest is null ? "" : $" and one of {Rest.Columns}")}", .. Before.Select(i => Line(i, Values, "  ")), "  rows", .. plan.Steps.SelectMany(s => Lines(s, plan)), "  after", .. After.Select(i => Line(i, Values, "  "))]);
    }

    IEnumerable<string> Lines(object step, RowPlan plan)
    {
        if (step is not Pass pass) return [Line((Instruction)step, plan.Values, "    ")];
        return [.. pass.Loops.Length > 1 ? ["    each row through"] : Array.Empty<string>(), .. pass.Loops.SelectMany(l => Lines(l, pass, plan))];
    }

    IEnumerable<string> Lines(Loop loop, Pass pass, RowPlan plan)
    {
        string indent = pass.Loops.Length > 1 ? "      " : "    ";
        string Names(IEnumerable<int> values) => string.Join(", ", values.Select(v => Name(v, plan.Values)));
        string over = loop.Over == Extent.Full ? "loop over its elements" : pass.IsByRow ? "numbers" : "loop over rows";
        string heading = $"{indent}{over} in {loop.Compute.Name}: loads {Names(loop.Loads)}{(loop.Stores.Length > 0 ? "; stores " + Names(loop.Stores) : "")}";
        return [heading, .. loop.Code.Concat(loop.FoldColumns).Concat(loop.FoldRows).Select(i => Line(i, plan.Values, indent + "  "))];
    }

    string Line(Instruction instruction, RowValue[] values, string indent) => $"{indent}{Name(instruction.Result, values)} = {instruction switch
    {
        Instruction.Map m => m.Op.Name,
        Instruction.FoldRow f => f.Op.Name + " of the row",
        Instruction.FoldRows f => f.Op.Name + " over rows",
        Instruction.Gather g => $"Gather in{g.Input}",
        Instruction.Draw d => $"Draw {d.Number}",
        _ => instruction.GetType().Name,
    }} {string.Join(", ", instruction.Operands.Select(v => Name(v, values)))} : {values[instruction.Result].Extent} {values[instruction.Result].Type.Name}";

    // what only registers hold has no slot
    string Name(int v, RowValue[] values) => values[v] is { Place: Place.Constant } c ? Constants[c.Index].ToString("R", System.Globalization.CultureInfo.InvariantCulture)
        : $"{values[v].Place switch { Place.Input => "in", Place.Output => "out", Place.Shared => "col", Place.RowSlot => "row", _ => "s" }}{(values[v].Place is Place.Slot or Place.Line ? v : values[v].Index)}";
}
