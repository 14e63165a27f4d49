using System.Runtime.CompilerServices;
using Flambeau.Ops;

namespace Flambeau;

public sealed partial class Tensor
{
    /// <summary>
    /// Part of a tensor, by PyTorch's rules: <c>x[1..^1, 0]</c>, <c>x[.., ^1]</c>, <c>x["...", TensorIndex.NewAxis]</c>, <c>x[mask]</c>, <c>x[rows, cols]</c>.
    /// </summary>
    /// <param name="indices">
    /// From the first dimension on; what is not named is whole. Numbers drop their dimension; ranges and slices clip. A bool tensor (mask) of rank r stands for r dimensions and selects where it is true.
    /// Index tensors broadcast to one shape, which takes the place of the indexed dimensions if these are adjacent, and else comes first.
    /// </param>
    /// <returns>Without masks and index tensors a view, which shares memory and to which writes through; with them a copy. Gradients follow either way.</returns>
    /// <remarks>
    /// Setting writes a tensor that broadcasts, or a number, cast to the type of this one, into the named elements; where an index repeats, the last write stays. On the tape it is an in-place operator.
    /// </remarks>
    /// <exception cref="FlambeauException">
    /// There are more indices than dimensions, a position lies outside, a mask's shape is not that of its dimensions, there are two ellipses, an index tensor is neither bool nor int64 nor int32, or a value does not broadcast.
    /// </exception>
    [IndexerName("Elements")]
    public Tensor this[params ReadOnlySpan<TensorIndex> indices]
    {
        get => new IndexExpression(this, indices).Read();
        set => new IndexExpression(this, indices).Write(value);
    }

    // ---- numbers where a tensor is expected: they promote by category only, as operands do ----

    /// <summary>A number as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(Scalar value) => Wrap(value);
    /// <summary>A number as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(int value) => Wrap(value);
    /// <summary>A number as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(long value) => Wrap(value);
    /// <summary>A number as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(float value) => Wrap(value);
    /// <summary>A number as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(double value) => Wrap(value);
    /// <summary>A truth value as a 0-dim tensor that promotes by category only.</summary>
    public static implicit operator Tensor(bool value) => Wrap(value);
}
