using Flambeau.Ops;

namespace Flambeau.Transforms;

/// <summary>
/// A composite whose intermediates are larger than its operands: the tape keeps the operands alone, and the backward pass computes the rest again with the same bits
/// (Chen et al. 2016, "Training deep nets with sublinear memory cost"). Attention's weights, T·T a head, are the case that it exists for.
/// </summary>
internal sealed class Recompute : Op
{
    [ThreadStatic] static bool t_again; // inside a second run: what is nested is recorded operator by operator

    readonly string _name;
    readonly Func<Tensor[], Tensor> _body;
    readonly Generator? _generator;
    readonly (ulong, ulong) _state;
    readonly uint _operands;

    Recompute(string name, Func<Tensor[], Tensor> body, Generator? generator, int operands) =>
        (_name, _body, _generator, _state, _operands) = (name, body, generator, generator?.State ?? default, (1u << operands) - 1);

    /// <summary>Applies <paramref name="body"/>, a function of <paramref name="x"/> alone that makes a tensor of its own and may draw from <paramref name="generator"/>.</summary>
    public static Tensor Run(string name, Func<Tensor[], Tensor> body, Generator? generator, params Tensor[] x)
    {
        // tensors of a transform are differentiated by whoever is in charge of them
        if (t_again || !GradMode.Enabled || !Array.Exists(x, t => t.RequiresGrad) || Interpreter.InCharge(x) is not null) return body(x);
        var op = new Recompute(name, body, generator, x.Length);
        return Tape.Record(op, x, op.Run(x));
    }

    public override string Name => _name;

    public override uint SavesFor(int operand) => _operands;

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        using var _ = Autograd.NoGrad();
        return _body(x.ToArray());
    }

    public override void Pullback(Node node, Tensor g)
    {
        var x = new Tensor[node.Inputs.Length];
        for (int i = 0; i < x.Length; i++) x[i] = node.Needs(i) ? Own(node.Input(i)) : node.Input(i);
        var wanted = Array.FindAll(x, t => t.RequiresGrad);
        var gradients = Autograd.Grad([Again(x)], wanted, [g], createGraph: GradMode.Enabled, allowUnused: true);
        for (int i = 0, k = 0; i < x.Length; i++)
            if (node.Needs(i) && gradients[k++] is { } given) node.Give(i, given.To(node.InputTypes[i]));
    }

    // One tensor may be several operands: each gets a place of its own on the tape. Where gradients are to be differentiated it stays connected to what it was computed from.
    static Tensor Own(Tensor x) => GradMode.Enabled ? new ViewAsOp(x.Shape).Apply(x) : x.Detached().RequiresGrad_();

    Tensor Again(Tensor[] x)
    {
        var later = _generator?.State ?? default;
        if (_generator is not null) _generator.State = _state;
        t_again = true;
        try
        {
            using var _ = Autograd.EnableGrad();
            return _body(x);
        }
        finally
        {
            t_again = false;
            if (_generator is not null) _generator.State = later;
        }
    }

    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => throw NotLifted();

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => throw NotLifted();

    InvalidOperationException NotLifted() => new($"{_name} runs its body under a transform, never itself");
}
