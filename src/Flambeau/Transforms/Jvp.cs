using Flambeau.Ops;

namespace Flambeau.Transforms;

/// <summary>A tensor under <c>Jvp</c>: a value and its tangent along the direction asked for.</summary>
internal sealed class Tangent(Jvp interpreter, Tensor value, Tensor direction) : Lifted(interpreter, value)
{
    public Tensor Direction { get; } = direction;
}

/// <summary>Forward-mode differentiation: each operator pushes tangents along by its kind's rule.</summary>
internal sealed class Jvp : Interpreter
{
    public override string Name => "Jvp";

    public Tensor Lift(Tensor value, Tensor direction) => new(new Tangent(this, value, direction), value.Shape, value.DType);

    public Tensor Primal(Tensor x) => ReferenceEquals(x.Level?.Interpreter, this) ? x.Level!.Value : x;

    public Tensor? DirectionOf(Tensor x) => ReferenceEquals(x.Level?.Interpreter, this) ? ((Tangent)x.Level!).Direction : null;

    public override Tensor Bind(Op op, ReadOnlySpan<Tensor> x)
    {
        var values = new Tensor[x.Length];
        var tangents = new Tensor?[x.Length];
        bool varies = false;
        for (int i = 0; i < x.Length; i++)
        {
            values[i] = Primal(x[i]);
            tangents[i] = op.IsDifferentiable(i) && x[i].DType.IsFloatingPoint ? DirectionOf(x[i]) : null;
            varies |= tangents[i] is not null;
        }
        var y = op.Apply(values);
        return varies && y.DType.IsFloatingPoint ? Lift(y, op.Push(values, tangents, y)) : y;
    }
}

/// <summary>In-place operators on tensors of a transform: the handle gets a new value, since what it stands for is a value, not memory.</summary>
internal static class Lifting
{
    public static Tensor InPlace(Op op, Tensor target, ReadOnlySpan<Tensor> x)
    {
        throw Errors.Make(op.Name + "_", target.Level is null
            ? $"writes a value that differs for every element of the batch or carries a tangent into one shared tensor ({Interpreter.InCharge(x)!.Name}); use the out-of-place form"
            : $"in-place operators inside {target.Level.Interpreter.Name} are not supported; use the out-of-place form", ("target", target));
    }
}
