using Flambeau.Ops;

namespace Flambeau.Compile.Graphs;

/// <summary>What a node of a graph computes from its operands.</summary>
internal abstract record Step
{
    /// <summary>Tensor number <paramref name="Index"/> of those given.</summary>
    public sealed record Input(int Index) : Step;

    /// <summary>One number of the node's type.</summary>
    public sealed record Number(double Value) : Step;

    /// <summary>An elementwise operator: operands and result are in its compute type (conditions in theirs), but a comparison's result, which is bool.</summary>
    public sealed record Map(ElementwiseOp Op, DType Compute) : Step;

    /// <summary>Uniform numbers in [0, 1), float32 or float64, of the <paramref name="Index"/>-th draw that a run of the graph takes.</summary>
    public sealed record Draw(int Index) : Step;

    /// <summary>The operand in the node's type.</summary>
    public sealed record Cast : Step;

    /// <summary>The operand's values with dimensions of size 1 added or removed, repeated, or in another order: for each dimension that of the operand, or −1.</summary>
    public sealed record Relabel(params int[] From) : Step
    {
        /// <summary>True if it does to an operand of <paramref name="rank"/> dimensions no more than broadcasting does: new dimensions in front, others repeated.</summary>
        public bool OnlyExpands(int rank)
        {
            int added = From.Length - rank;
            for (int i = 0; i < From.Length; i++) if (From[i] != Math.Max(i - added, -1)) return false;
            return added >= 0;
        }

        /// <summary>The operator on a tensor, as a view.</summary>
        public Tensor Of(Tensor x, Shape to)
        {
            int[] kept = [.. From.Where(f => f >= 0)];
            int[] gone = [.. Enumerable.Range(0, x.Rank).Where(d => Array.IndexOf(kept, d) < 0)];
            var ordered = x.Permute([.. gone, .. kept]); // what is gone has size 1
            var sizes = new long[From.Length];
            for (int i = 0; i < sizes.Length; i++) sizes[i] = From[i] < 0 ? 1 : x.Shape.Sizes[From[i]];
            return ordered.Reshape(Shape.Of(sizes)).Expand(to);
        }
    }

    /// <summary>Of each row along the last dimension of the first operand the element that the second, int64 with one number a row, names.</summary>
    public sealed record Take : Step;

    /// <summary>Zeros but for the element of each row that the first operand names, which is the second's number for the row: the adjoint of <see cref="Take"/>.</summary>
    public sealed record OneHot : Step;

    /// <summary>Columns of an input, as many as the node has: from <paramref name="Start"/> of its last dimension on.</summary>
    public sealed record Piece(long Start) : Step;

    /// <summary>The operands side by side along the last dimension.</summary>
    public sealed record Join : Step;

    /// <summary>The operand's columns, from <paramref name="Start"/> on, among zeros: the adjoint of <see cref="Piece"/>.</summary>
    public sealed record Pad(long Start) : Step;

    /// <summary>A product of the two operands, which are of the node's type, summed over the dimensions that the node lacks: no pass over rows, but one may follow on each row.</summary>
    public sealed record Product(ContractOp Op) : Step;

    /// <summary>A reduction over some of the operand's dimensions.</summary>
    public sealed record Fold(ReductionOp Op) : Step;
}

/// <summary>
/// A value of a graph: an operator applied to other values. Each dimension names the loop axis that it runs along, or −1 if it has size 1; which axes are one is known to the <see cref="Trace"/> that made the node.
/// </summary>
internal sealed class GraphNode(int id, Step step, GraphNode[] operands, Shape shape, DType type, int[] axes)
{
    /// <summary>Operands have smaller numbers than their users.</summary>
    public int Id => id;
    public Step Step => step;
    public GraphNode[] Operands => operands;
    public Shape Shape => shape;
    public DType Type => type;
    public int[] Axes => axes;

    /// <summary>The node as a line of text: <c>t5 = Mul(t3, t4) float32[8, 16]</c>.</summary>
    public override string ToString()
    {
        string what = step switch
        {
            Step.Input(var index) => $"input {index}",
            Step.Number(var value) => value.ToString("R", System.Globalization.CultureInfo.InvariantCulture),
            Step.Map(var op, _) => op.Name,
            Step.Fold(var op) => $"{op.Name}[{string.Join(", ", op.Dims)}]",
            Step.Draw(var number) => $"Draw {number}",
            Step.Relabel => "Relabel",
            _ => step.GetType().Name,
        };
        string arguments = operands.Length == 0 ? "" : $"({string.Join(", ", operands.Select(o => $"t{o.Id}"))})";
        return $"t{id} = {what}{arguments} {type.Name}{shape}";
    }
}
