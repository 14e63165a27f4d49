namespace Flambeau.Ops;

/// <summary>A row of the operator table: implemented by the type that defines an operator.</summary>
public interface IOperator
{
    /// <summary>Calls that reach the operator's edges; tests run each in every type, layout and transform. Elementwise operators get theirs from their kind.</summary>
    static virtual IEnumerable<Sample> Samples => [];
    /// <summary>PyTorch's name; by default the type's name in snake case.</summary>
    static virtual string? TorchName => null;
    /// <summary>What becomes of its operands inside <see cref="Flambeau.Autocast"/>.</summary>
    static virtual CastPolicy Autocast => CastPolicy.AsIs;
}

/// <summary>A row of the table for members written with other operators: they have no rule of their own, and the row only provides samples.</summary>
public interface IComposite : IOperator;

/// <summary>A row for operators of the Index kind (views, gathers, scatters, concatenations): their members call what the row stands for, and the row only provides samples.</summary>
public interface IIndexing : IOperator;

/// <summary>A row for operators of the Contract kind (matrix products, convolutions): their members call what the row stands for, and the row only provides samples. Products are what narrow types are fast at.</summary>
public interface IContraction : IOperator
{
    /// <inheritdoc/>
    static CastPolicy IOperator.Autocast => CastPolicy.Lower;
}

/// <summary>A row for operators that state all their rules themselves (sorts, scans, fused kernels): the row only provides samples.</summary>
public interface ICustom : IOperator;

/// <summary>One call of an operator on given operands: what tests and benchmarks repeat.</summary>
/// <param name="Text">How it reads: <c>x.Sum(dim: 1)</c>.</param>
/// <param name="Operands">Makes the tensor operands, in float32 unless the operator needs another type, from a generator.</param>
/// <param name="Call">Applies the operator.</param>
public sealed record Sample(string Text, Func<Generator, Tensor[]> Operands, Func<Tensor[], Tensor> Call);

/// <summary>The operators' names: a type's name without its ending <c>Op</c>.</summary>
internal static class OpNames
{
    public static string Of<TOp>() => Name<TOp>.Text;

    static class Name<TOp>
    {
        public static readonly string Text = typeof(TOp).Name is var name && name.EndsWith("Op", StringComparison.Ordinal) ? name[..^2] : name;
    }
}
