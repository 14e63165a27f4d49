namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>How far apart two results may lie: |a − b| ≤ Ulps · ε(type) · max(|a|, |b|, Floor).</summary>
internal readonly record struct Tolerance(double Ulps, double Floor = 0)
{
    /// <summary>The same bits, but for NaN's.</summary>
    public static readonly Tolerance Exact = new(0);

    /// <summary>Functions that each library approximates in its own way.</summary>
    public static readonly Tolerance Function = new(16, 1);

    /// <summary>Sums of <paramref name="terms"/> numbers in any order.</summary>
    public static Tolerance Sum(double terms, double size = 16) => new(8, Math.Max(1, terms) * size);

    public bool Allows(double a, double b, DType type) =>
        a.Equals(b) || double.IsNaN(a) && double.IsNaN(b) || a == b || Math.Abs(a - b) <= Ulps * Types.Epsilon(type) * Math.Max(Math.Max(Math.Abs(a), Math.Abs(b)), Floor);
}

/// <summary>One call of an operator in both libraries.</summary>
internal sealed record Case(
    Operand[] Operands, Func<Ours[], Ours[]> Ours, Func<Theirs[], Theirs[]> Theirs, Tolerance Tolerance, string Parameters = "", bool Gradients = true)
{
    /// <summary>The number beside the tensors, where the operator takes one.</summary>
    public Number? Number { get; init; }

    /// <summary>An operand's elements as they meet the elements of a result of some shape, row-major.</summary>
    public double[] Spread(int operand, long[] shape) =>
        Operands[operand].View(Operands[operand].OurBase()).Expand(shape).ToArray<double>();

    /// <summary>The same call of PyTorch in float64: what is right to more digits than either library computes.</summary>
    public Case Wide => this with { Operands = Array.ConvertAll(Operands, o => o.Type.IsFloatingPoint ? o with { Type = DType.Float64 } : o) };
}

/// <summary>An operator of the table: its name, and how to draw a case.</summary>
internal sealed record Operator(string Name, Func<Draw, Case> Draw);

/// <summary>In what the libraries differ.</summary>
internal enum Difference
{
    /// <summary>PyTorch alone refuses the inputs.</summary>
    Refused,
    /// <summary>Flambeau alone refuses the inputs.</summary>
    Throws,
    /// <summary>The result's type, shape, or number.</summary>
    Form,
    /// <summary>Whether a result has a gradient.</summary>
    RequiresGrad,
    /// <summary>An element of a result.</summary>
    Value,
    /// <summary>An element of an operand's gradient.</summary>
    Gradient,
}

/// <summary>One disagreement.</summary>
/// <param name="Kind">In what.</param>
/// <param name="Text">In words.</param>
internal sealed record Complaint(Difference Kind, string Text)
{
    /// <summary>Whose gradient it is.</summary>
    public int Operand { get; init; } = -1;

    /// <summary>The place in the result, or in the operand's base, row-major.</summary>
    public int Element { get; init; } = -1;

    /// <summary>The result's shape.</summary>
    public long[] Shape { get; init; } = [];

    /// <summary>The gradients that the results were given.</summary>
    public double[] Seeds { get; init; } = [];

    public double Ours { get; init; }
    public double Theirs { get; init; }
}
