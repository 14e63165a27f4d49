using Flambeau.Diagnostics;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// An operator with its attributes bound (dims, flags), ready to be applied to tensors. The kinds derive from it and own the rules; an operator's block fills in the rest.
/// </summary>
internal abstract class Op
{
    /// <summary>In <see cref="SavesFor"/>: the result.</summary>
    public const uint Output = 1u << 31;

    /// <summary>The name in errors, profiles and traces.</summary>
    public abstract string Name { get; }

    /// <summary>Runs on concrete tensors; checks everything before it allocates.</summary>
    public abstract Tensor Run(ReadOnlySpan<Tensor> x);

    /// <summary>True if user code sees the gradients that pass through, so that they are not freed when consumed.</summary>
    public virtual bool ShowsGradients => false;

    /// <summary>Called when the tape frees what a node of this operator saved.</summary>
    public virtual void Released() { }

    /// <summary>False for operands that are held fixed: masks, indices, parameters.</summary>
    public virtual bool IsDifferentiable(int operand) => true;

    /// <summary>What the gradient of an operand needs: bit i for operand i, <see cref="Output"/> for the result.</summary>
    public virtual uint SavesFor(int operand) => 0;

    /// <summary>Reverse mode: gives the gradient of each operand that needs one (vector–Jacobian product), with tensor operators, so that it can be differentiated again.</summary>
    public abstract void Pullback(Node node, Tensor g);

    /// <summary>Reverse mode of an operator with several results; a missing gradient is null.</summary>
    public virtual void Pullback(Node node, Tensor?[] g) => Pullback(node, g[0]!);

    /// <summary>Forward mode: the tangent of the result (Jacobian–vector product); <paramref name="t"/> has null where an operand does not vary.</summary>
    public abstract Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y);

    /// <summary>
    /// Batching: operand i carries the batch along its first dimension where <paramref name="batched"/>[i], else it is shared. Returns the result with the batch first.
    /// </summary>
    public abstract Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size);

    /// <summary>What an application cannot do without, for profiles.</summary>
    public virtual Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y) => Cost.Of(x, y);

    /// <summary>Applies the operator: whoever is in charge of the operands runs it, and the tape records it where a gradient can be asked for.</summary>
    public Tensor Apply(params ReadOnlySpan<Tensor> x)
    {
        var inCharge = Interpreter.InCharge(x);
        if (inCharge is null && Recording.Open is not null) return Recording.Apply(this, x);
        var y = inCharge is not null ? inCharge.Bind(this, x) : Run(x);
        return GradMode.Enabled ? Tape.Record(this, x, y) : y;
    }
}

/// <summary>An operator that is linear in each differentiable operand by itself: its tangent is itself, one operand replaced at a time.</summary>
internal abstract class MultilinearOp : Op
{
    public sealed override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y)
    {
        Tensor? sum = null;
        var operands = x.ToArray();
        for (int i = 0; i < x.Length; i++)
        {
            if (t[i] is not { } tangent || !IsDifferentiable(i)) continue;
            operands[i] = tangent;
            var term = Apply(operands);
            operands[i] = x[i];
            sum = sum is null ? term : sum + term;
        }
        return sum!;
    }
}
