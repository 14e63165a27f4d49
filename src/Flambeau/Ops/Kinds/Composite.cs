using Flambeau.Compile;
using Flambeau.Compile.Graphs;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// Operators written with other operators, and nothing else; nobody writes a composite's backward. Where the body is elementwise operators around reductions of one set of dimensions, it runs as one pass over
/// rows, forward and backward: what a row needs is computed while the row lies in cache. Else it runs operator by operator, with the same bits.
/// </summary>
/// <example><code>
/// static Tensor Standardize(Tensor x) => Composite.Apply("Standardize", static t => (t[0] - t[0].Mean(-1, true)) / t[0].Std(-1, keepDim: true), (), x);
/// </code></example>
public static class Composite
{
    const int MostOperands = 30; // a node of the tape names what it saves by bits

    /// <summary>Applies <paramref name="body"/> to tensors.</summary>
    /// <param name="name">The composite's name in errors and profiles.</param>
    /// <param name="body">Computes a tensor of its own from those given, and from nothing else that changes but the attributes. It is traced once for each set of shapes, types and attributes.</param>
    /// <param name="attributes">Everything else that the body uses (dims, flags, constants), as a value with equality: a number, a tuple, a record.</param>
    /// <param name="x">The operands.</param>
    public static Tensor Apply(string name, Func<Tensor[], Tensor> body, object attributes, params Tensor[] x)
    {
        if (x.Length > MostOperands || Interpreter.InCharge(x) is not null || Array.Exists(x, t => t.Numel == 0)) return body(x);
        using var _ = Diagnostics.Recording.Operator(name, x);
        bool record = GradMode.Enabled && Array.Exists(x, t => t.RequiresGrad);
        var fused = Fused.Of(body, attributes, x, record);
        t_explained?.Add($"{name}\n{fused}");
        if (fused.Forward is null) return body(x);
        return record ? new CompositeOp(name, body, fused, null, x.Length).Record(x) : fused.Run(x)[0];
    }

    /// <summary>What becomes of each composite that <paramref name="run"/> applies, as text: its graph, its passes over rows forward and backward, and why one of them is missing.</summary>
    public static IReadOnlyList<string> Explain(Action run)
    {
        var before = t_explained;
        var explained = t_explained = [];
        try { run(); }
        finally { t_explained = before; }
        return explained;
    }

    [ThreadStatic] static List<string>? t_explained;

    /// <summary>
    /// Applies a body whose intermediates are larger than its operands: the tape keeps the operands alone, and the backward pass computes the rest again with the same bits
    /// (Chen et al. 2016, "Training deep nets with sublinear memory cost"). It may draw from <paramref name="generator"/>. Attention's weights, T·T a head, are the case that it exists for.
    /// </summary>
    internal static Tensor Recompute(string name, Func<Tensor[], Tensor> body, Generator? generator, params Tensor[] x)
    {
        // tensors of a transform are differentiated by whoever is in charge of them
        if (CompositeOp.IsAgain || !GradMode.Enabled || !Array.Exists(x, t => t.RequiresGrad) || Interpreter.InCharge(x) is not null) return body(x);
        using var _ = Diagnostics.Recording.Operator(name, x);
        return new CompositeOp(name, body, null, generator, x.Length).Record(x);
    }

    internal static Tensor[] Run(this Fused fused, Tensor[] x) => Diagnostics.Recording.Run(fused.Forward!, x);
}

/// <summary>One application of a composite on the tape.</summary>
internal sealed class CompositeOp(string name, Func<Tensor[], Tensor> body, Fused? fused, Generator? generator, int operands) : Op
{
    [ThreadStatic] static bool t_again;

    readonly (ulong, ulong) _state = generator?.State ?? default;
    Saved[] _statistics = [];

    /// <summary>True inside a second run: what is nested is recorded operator by operator.</summary>
    public static bool IsAgain => t_again;

    public override string Name => name;

    // gradients of gradients start from the operands
    public override uint SavesFor(int operand) => (1u << operands) - 1 | (fused?.SavesResult == true ? Output : 0);

    /// <summary>Runs and, since an operand wants a gradient, goes on the tape.</summary>
    public Tensor Record(Tensor[] x)
    {
        if (fused is null) return Tape.Record(this, x, Run(x));
        var results = fused.Run(x);
        var y = Tape.Record(this, x, results[0]);
        if (y.Meta?.Node is not { } node) return y;
        _statistics = new Saved[results.Length - 1];
        for (int i = 0; i < _statistics.Length; i++)
        {
            _statistics[i] = new Saved(results[i + 1], node);
            results[i + 1].Dispose();
        }
        return y;
    }

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        using var _ = Autograd.NoGrad();
        return body(x.ToArray());
    }

    public override void Released()
    {
        foreach (var saved in _statistics) saved.Release();
        _statistics = [];
    }

    public override void Pullback(Node node, Tensor g)
    {
        if (fused?.Backward is { } backward && !GradMode.Enabled && g.Level is null) RunBackward(backward, node, g);
        else PullAgain(node, g);
    }

    void RunBackward(GraphProgram backward, Node node, Tensor g)
    {
        var given = new Tensor[operands + 2 + _statistics.Length];
        for (int i = 0; i < operands; i++) given[i] = node.Input(i);
        given[operands] = fused!.SavesResult ? node.Output() : given[0];
        for (int i = 0; i < _statistics.Length; i++) given[operands + 1 + i] = _statistics[i].Unpack(node, "row statistics");
        given[^1] = g;
        var gradients = Diagnostics.Recording.Run(backward, given);
        for (int i = 0; i < gradients.Length; i++) node.Give(fused.Differentiated[i], gradients[i]);
    }

    void PullAgain(Node node, Tensor g)
    {
        var x = new Tensor[operands];
        for (int i = 0; i < x.Length; i++) x[i] = node.Needs(i) ? Own(node.Input(i)) : node.Input(i);
        var wanted = Array.FindAll(x, t => t.RequiresGrad);
        Bound(wanted, true);
        var gradients = Autograd.Grad([Again(x)], wanted, [g], createGraph: GradMode.Enabled, allowUnused: true);
        Bound(wanted, false);
        for (int i = 0, k = 0; i < x.Length; i++)
            if (node.Needs(i) && gradients[k++] is { } given) node.Give(i, given.To(node.InputTypes[i]));
    }

    // One tensor may be several operands: each gets a place of its own on the tape. Where gradients are to be differentiated it stays connected to what it was computed from,
    static Tensor Own(Tensor x) => GradMode.Enabled ? new ViewAsOp(x.Shape).Apply(x) : x.Detached().RequiresGrad_();

    // but the pass through the body ends there: the one that asked for it is still on its way
    static void Bound(Tensor[] operands, bool ends)
    {
        foreach (var x in operands) if (x.Meta!.Node is { } made) made.IsBoundary = ends;
    }

    Tensor Again(Tensor[] x)
    {
        var later = generator?.State ?? default;
        if (generator is not null) generator.State = _state;
        t_again = true;
        try
        {
            using var _ = Autograd.EnableGrad();
            return body(x);
        }
        finally
        {
            t_again = false;
            if (generator is not null) generator.State = later;
        }
    }

    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => throw NotLifted();

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => throw NotLifted();

    InvalidOperationException NotLifted() => new($"{name} runs its body under a transform, never itself");
}
