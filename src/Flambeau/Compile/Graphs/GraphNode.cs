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

    /// <summary>The operand in the node's type.</summary>
    public sealed record Cast : Step;

    /// <summary>The operand's values with dimensions of size 1 added, removed or repeated, or in another order: <see cref="GraphNode.Axes"/> says which is which.</summary>
    public sealed record Relabel : Step;

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
            _ => step.GetType().Name,
        };
        string arguments = operands.Length == 0 ? "" : $"({string.Join(", ", operands.Select(o => $"t{o.Id}"))})";
        return $"t{id} = {what}{arguments} {type.Name}{shape}";
    }
}
