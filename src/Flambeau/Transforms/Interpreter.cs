using Flambeau.Ops;

namespace Flambeau.Transforms;

/// <summary>Who runs an operator when an operand is not concrete: <see cref="Vmap"/>, <see cref="Jvp"/>. The deepest level of the operands is in charge.</summary>
internal abstract class Interpreter
{
    static int s_depth;

    /// <summary>Transforms nest; the one entered last has the greatest depth.</summary>
    public int Depth { get; } = Interlocked.Increment(ref s_depth);

    public abstract string Name { get; }

    /// <summary>Runs <paramref name="op"/> where at least one operand belongs to this interpreter.</summary>
    public abstract Tensor Bind(Op op, ReadOnlySpan<Tensor> x);

    /// <summary>The interpreter in charge of the operands, or null if all are concrete.</summary>
    public static Interpreter? InCharge(ReadOnlySpan<Tensor> x)
    {
        Interpreter? top = null;
        foreach (var t in x)
            if (t.Level is { } level && (top is null || level.Interpreter.Depth > top.Depth)) top = level.Interpreter;
        return top;
    }
}

/// <summary>What a tensor of a transform stands for: a value one level below, and what the interpreter carries along.</summary>
internal abstract class Lifted(Interpreter interpreter, Tensor value)
{
    public Interpreter Interpreter { get; } = interpreter;
    public Tensor Value { get; } = value;
    /// <summary>False if no tensor below is referred to.</summary>
    public virtual bool HoldsValue => true;
}
