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
    Operand[] Operands, Func<Ours[], Ours[]> Ours, Func<Theirs[], Theirs[]> Theirs, Tolerance Tolerance, string Parameters = "", bool Gradients = true);

/// <summary>An operator of the table: its name, and how to draw a case.</summary>
internal sealed record Operator(string Name, Func<Draw, Case> Draw);
