using Flambeau.Ops;

namespace Flambeau.Transforms;

/// <summary>A tensor under <c>Vmap</c>: one element of a batch to the program, the whole batch (first dimension of <see cref="Lifted.Value"/>) to the machine.</summary>
internal sealed class Batched(Vmap interpreter, Tensor value) : Lifted(interpreter, value);

/// <summary>Runs a program once for a whole batch: each operator by its kind's batching rule.</summary>
internal sealed class Vmap(long size) : Interpreter
{
    public override string Name => "Vmap";
    public long Size => size;

    public Tensor Lift(Tensor value) => new(new Batched(this, value), value.Shape.Without(0), value.DType);

    /// <summary>The batch behind a tensor, the batch dimension first; shared operands get one.</summary>
    public Tensor Lower(Tensor x) => IsMine(x) ? x.Level!.Value : x.Unsqueeze(0).Expand(x.Shape.Insert(0, size));

    bool IsMine(Tensor x) => ReferenceEquals(x.Level?.Interpreter, this);

    public override Tensor Bind(Op op, ReadOnlySpan<Tensor> x)
    {
        var values = new Tensor[x.Length];
        var batched = new bool[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            batched[i] = IsMine(x[i]);
            values[i] = batched[i] ? x[i].Level!.Value : x[i];
        }
        return Lift(op.Batch(values, batched, size));
    }
}

internal static class Batching
{
    /// <summary>The operand with the batch in front, repeated if it was shared.</summary>
    public static Tensor Ensure(Tensor x, bool batched, long size) => batched ? x : x.Unsqueeze(0).Expand(x.Shape.Insert(0, size));
}
