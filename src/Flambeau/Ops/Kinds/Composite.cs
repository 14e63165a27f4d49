using Flambeau.Compile;
using Flambeau.Compile.Graphs;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// Operators written with other operators, and nothing else; nobody writes a composite's backward. Where the body is elementwise operators around reductions of one set of dimensions, it runs as one pass over
/// rows, forward and backward: what a row needs is computed while the row lies in cache. Around other reductions it runs in a few such passes, else operator by operator, always with the same bits.
/// </summary>
/// <example><code>
/// static Tensor Standardize(Tensor x) => Composite.Apply("Standardize", static t => (t[0] - t[0].Mean(-1, true)) / t[0].Std(-1, keepDim: true), 0, x);
/// </code></example>
public static class Composite
{
    internal const int MostOperands = 30; // a node of the tape names what it saves by bits

    /// <summary>Applies <paramref name="body"/> to tensors. <see cref="FuseAttribute"/> writes this for a method.</summary>
    /// <param name="name">The composite's name in errors and profiles.</param>
    /// <param name="body">Computes a tensor of its own from those given, and from nothing else that changes but the attributes. It is traced once for each set of shapes, types and attributes.</param>
    /// <param name="attributes">Everything else that the body uses (dims, flags, constants), as a value with equality: a number, a tuple, a record.</param>
    /// <param name="x">The operands.</param>
    public static Tensor Apply(string name, Func<Tensor[], Tensor> body, object attributes, params Tensor[] x) => Run(name, body, attributes, null, x);

    /// <summary>
    /// As the form without a generator, for a body that draws: its random numbers are made inside the pass, backward again from seed, draw and element, and never stored. Without it such a body runs operator by operator.
    /// </summary>
    /// <param name="name">The composite's name in errors and profiles.</param>
    /// <param name="body">As in the other form; it may draw from <paramref name="generator"/> too.</param>
    /// <param name="attributes">Everything else that the body uses.</param>
    /// <param name="generator">What the body draws from: another each time if need be, since the compiled pass takes its state as operands. Null is <see cref="Generator.Default"/>.</param>
    /// <param name="x">The operands.</param>
    /// <example><code>
    /// Tensor Residual(Tensor x, Tensor h, Generator? source) => Composite.Apply("Residual", t => t[0] + t[1].Dropout(0.1, generator: source), 0, source, x, h);
    /// </code></example>
    public static Tensor Apply(string name, Func<Tensor[], Tensor> body, object attributes, Generator? generator, params Tensor[] x) => Run(name, body, attributes, generator ?? Generator.Default, x);

    /// <summary>As <see cref="Apply(string, Func{Tensor[], Tensor}, object, Tensor[])"/>, for a body that hands out more than its result: what it gives to <see cref="Beside"/>, in order.</summary>
    internal static Tensor Apply(string name, Func<Tensor[], Tensor> body, object attributes, Tensor[] x, out Tensor[] beside)
    {
        var (outer, own) = (t_beside, t_beside = []);
        try
        {
            var y = Run(name, body, attributes, null, x);
            beside = [.. own];
            return y;
        }
        finally { t_beside = outer; }
    }

    /// <summary>Hands out a number of the body's beside the result, without history: statistics that somebody keeps.</summary>
    internal static void Beside(Tensor x) => t_beside?.Add(x.Detach());

    [ThreadStatic] static List<Tensor>? t_beside;

    /// <summary>What <paramref name="body"/> hands out while it is traced.</summary>
    internal static (Tensor Y, Tensor[] Beside) Collect(Func<Tensor> body)
    {
        var (outer, own) = (t_beside, t_beside = []);
        try { return (body(), [.. own]); }
        finally { t_beside = outer; }
    }

    static Tensor Run(string name, Func<Tensor[], Tensor> body, object attributes, Generator? generator, Tensor[] x)
    {
        if (x.Length is 0 or > MostOperands || Interpreter.InCharge(x) is not null || Array.Exists(x, t => t.Numel == 0)) return body(x);
        using var _ = Diagnostics.Recording.Operator(name, x);
        bool record = GradMode.Enabled && Array.Exists(x, t => t.RequiresGrad);
        var fused = Fused.Of(body, attributes, generator, x, record);
        t_explained?.Add($"{name}\n{fused}");
        if (fused.Forward is null) return body(x);
        var first = fused.Draws > 0 ? RandomOp.NextOf(name, generator!, fused.Draws) : default;
        if (record && fused.IsDifferentiable) return new CompositeOp(name, body, fused, fused.Draws > 0 ? generator : null, first, x.Length).Record(x);
        var results = fused.Run(x, first, false);
        HandOut(results, fused.Beside);
        return results[0];
    }

    /// <summary>The last <paramref name="count"/> of the results are what the body hands out.</summary>
    internal static void HandOut(Tensor[] results, int count)
    {
        for (int i = results.Length - count; i < results.Length; i++) t_beside?.Add(results[i]);
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
    /// (Chen et al. 2016, "Training deep nets with sublinear memory cost"). It may draw from <paramref name="generator"/>. A kernel, where there is one, is what runs it and its gradient.
    /// Attention's weights, T·T a head, are the case that this exists for.
    /// </summary>
    internal static Tensor Recompute(string name, Func<Tensor[], Tensor> body, ICompositeKernel? kernel, Generator? generator, params Tensor[] x)
    {
        if (CompositeOp.IsAgain) return body(x);
        // unless a kernel has bits of its own, tensors of a transform are differentiated by whoever is in charge of them
        if (Interpreter.InCharge(x) is not null) return kernel is { HasOwnBits: true } ? new CompositeOp(name, body, kernel, null, default, x.Length).Apply(x) : body(x);
        using var _ = Diagnostics.Recording.Operator(name, x);
        bool record = GradMode.Enabled && Array.Exists(x, t => t.RequiresGrad);
        // a kernel takes one draw, a body takes its own
        var first = generator is null ? default : kernel is null ? new(generator.State.Seed, generator.State.Draws) : RandomOp.NextOf(name, generator);
        return record ? new CompositeOp(name, body, kernel, generator, first, x.Length).Record(x) : kernel is null ? body(x) : kernel.Run(x, first, false)[0];
    }
}

/// <summary>What computes a composite and its gradient in one go each.</summary>
internal interface ICompositeKernel
{
    /// <summary>True if the backward pass reads the result.</summary>
    bool SavesResult { get; }

    /// <summary>The operands that gradients of any order depend on, as bits.</summary>
    uint SavedOperands => uint.MaxValue;

    /// <summary>How many numbers the body hands out beside the result; they come last.</summary>
    int Beside => 0;

    /// <summary>The result, and, to be recorded, what the backward pass needs besides. Draws are taken from <paramref name="first"/> on.</summary>
    Tensor[] Run(Tensor[] x, Draw first, bool record);

    /// <summary>True if <see cref="Pullback"/> can be called.</summary>
    bool HasPullback { get; }

    /// <summary>Gives the gradients of the operands that need one. <paramref name="y"/> is given if it was saved, of the operands those that were have their values.</summary>
    void Pullback(Node node, Tensor[] x, Tensor? y, Tensor[] statistics, Draw first, Tensor g);

    /// <summary>True if the body has other bits: then the kernel runs under transforms too, and <see cref="Batch"/> can be called.</summary>
    bool HasOwnBits => false;

    /// <summary>The composite of a whole batch, as <see cref="Op.Batch"/>.</summary>
    Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => throw new NotSupportedException("the body runs under a transform");
}

/// <summary>One application of a composite on the tape. <paramref name="first"/> is the first draw that it took of <paramref name="generator"/>, if it took any.</summary>
internal sealed class CompositeOp(string name, Func<Tensor[], Tensor> body, ICompositeKernel? kernel, Generator? generator, Draw first, int operands) : Op
{
    [ThreadStatic] static bool t_again;

    readonly CastMode _casts = Autocast.Mode;
    Saved[] _statistics = [];
    bool _byKernel;

    /// <summary>True inside a second run: what is nested is recorded operator by operator.</summary>
    public static bool IsAgain => t_again;

    public override string Name => name;

    // gradients of gradients start from the operands
    public override uint SavesFor(int operand) => Kept | (kernel?.SavesResult == true ? Output : 0);

    uint Kept => (1u << operands) - 1 & (kernel?.SavedOperands ?? uint.MaxValue);

    // where nothing depends on an operand's values any do
    Tensor OperandOf(Node node, int i) => (Kept >> i & 1) != 0 ? node.Input(i) : Tensor.Zeros(Shape.Scalar, node.InputTypes[i]).Expand(node.InputShapes[i]);

    /// <summary>Runs and, since an operand wants a gradient, goes on the tape.</summary>
    public Tensor Record(Tensor[] x)
    {
        if (kernel is null) return Tape.Record(this, x, Run(x));
        var results = kernel.Run(x, first, true);
        _byKernel = kernel.HasPullback;
        Composite.HandOut(results, kernel.Beside);
        var y = Tape.Record(this, x, results[0]);
        if (y.Meta?.Node is not { } node) return y;
        _statistics = new Saved[results.Length - 1 - kernel.Beside];
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
        return kernel is null ? body(x.ToArray()) : kernel.Run(x.ToArray(), first, false)[0];
    }

    public override void Released()
    {
        foreach (var saved in _statistics) saved.Release();
        _statistics = [];
    }

    public override void Pullback(Node node, Tensor g)
    {
        if (_byKernel && !GradMode.Enabled && g.Level is null) PullThrough(kernel!, node, g);
        else PullAgain(node, g);
    }

    void PullThrough(ICompositeKernel kernel, Node node, Tensor g)
    {
        var x = new Tensor[operands];
        for (int i = 0; i < operands; i++) x[i] = OperandOf(node, i);
        var y = kernel.SavesResult ? node.Output() : null;
        var statistics = new Tensor[_statistics.Length];
        for (int i = 0; i < statistics.Length; i++) statistics[i] = _statistics[i].Unpack(node, "row statistics");
        kernel.Pullback(node, x, y, statistics, first, g);
    }

    void PullAgain(Node node, Tensor g)
    {
        var x = new Tensor[operands];
        for (int i = 0; i < x.Length; i++) x[i] = node.Needs(i) ? Own(OperandOf(node, i)) : OperandOf(node, i);
        var wanted = Array.FindAll(x, t => t.RequiresGrad);
        Bound(wanted, true);
        var gradients = Autograd.Grad([Again(x)], wanted, [g], createGraph: GradMode.Enabled, allowUnused: true);
        Bound(wanted, false);
        for (int i = 0, k = 0; i < x.Length; i++)
            if (node.Needs(i) && gradients[k++] is { } given) node.Give(i, given.To(node.InputTypes[i]));
    }

    // One tensor may be several operands: each gets a place of its own on the tape. Where gradients are to be differentiated it stays connected to what it was computed from,
    static Tensor Own(Tensor x) => GradMode.Enabled && x.RequiresGrad ? new ViewAsOp(x.Shape).Apply(x) : x.Detached().RequiresGrad_();

    // but the pass through the body ends there: the one that asked for it is still on its way
    static void Bound(Tensor[] operands, bool ends)
    {
        foreach (var x in operands) if (x.Meta!.Node is { } made) made.IsBoundary = ends;
    }

    Tensor Again(Tensor[] x)
    {
        var later = generator?.State ?? default;
        if (generator is not null) generator.State = (first.Seed, first.Number);
        t_again = true;
        try
        {
            using var _ = Autograd.EnableGrad();
            using var casts = Autocast.Enter(_casts);
            return body(x);
        }
        finally
        {
            t_again = false;
            if (generator is not null) generator.State = later;
        }
    }

    /// <summary>The tangent of the body; the value stays the kernel's.</summary>
    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y)
    {
        var jvp = new Jvp();
        var lifted = x.ToArray();
        for (int i = 0; i < lifted.Length; i++)
            if (t[i] is { } tangent) lifted[i] = jvp.Lift(lifted[i], tangent);
        return jvp.DirectionOf(Again(lifted)) ?? Tensor.ZerosLike(y);
    }

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => kernel!.Batch(x, batched, size);
}
