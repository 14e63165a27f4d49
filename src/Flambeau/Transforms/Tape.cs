using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Transforms;

/// <summary>What the tape knows of a tensor. Shared by the tensor, its saved copies and its aliases; the tape never references a <see cref="Tensor"/> of the user's.</summary>
internal sealed class AutogradMeta
{
    /// <summary>Set on leaves only: the user asked for a gradient.</summary>
    public bool RequiresGrad;
    /// <summary>The node that produced the tensor; null for a leaf.</summary>
    public Node? Node;
    public int Output;
    /// <summary>A leaf's sink, made when first needed.</summary>
    public Node? Sink;
    public Tensor? Grad;
    public bool RetainGrad;
    public List<Func<Tensor, Tensor?>>? Hooks;
    /// <summary>Of a leaf: called once its gradient of a backward pass is complete.</summary>
    public List<Action<Tensor>>? AfterAccumulate;
    /// <summary>Of a view: the version of the memory that <see cref="Node"/> describes.</summary>
    public int NodeVersion;

    public bool NeedsGrad => RequiresGrad || Node is not null;
}

/// <summary>A view remembers its base and the way there, so that an in-place write through it becomes an operator on the base.</summary>
internal sealed class ViewOf(Tensor root, ViewOp[] chain, bool recorded)
{
    public Tensor Root { get; } = root;
    public ViewOp[] Chain { get; } = chain;
    /// <summary>False for a view made while recording was off.</summary>
    public bool Recorded { get; } = recorded;
}

/// <summary>A tensor kept for the backward pass: its memory by count, never its handle.</summary>
internal sealed class Saved
{
    readonly Storage? _store;
    readonly Tensor? _lifted; // tensors of a transform are kept as they are
    readonly Shape _shape;
    readonly long[] _strides;
    readonly long _offset;
    readonly DType _type;
    readonly int _version;
    readonly AutogradMeta? _meta;
    readonly StoragePool.Watch? _watch;

    public Saved(Tensor x, Node holder)
    {
        (_shape, _strides, _offset, _type, _meta) = (x.Shape, x.Strides, x.Offset, x.DType, x.Meta);
        if (x.Level is not null) { _lifted = x; return; }
        _store = x.Store!;
        _version = _store.Version;
        if (_store.IsPooled) _watch = StoragePool.AddTape(holder, _store);
        else _store.Tape++;
    }

    public Tensor Unpack(Node node, string role)
    {
        if (_lifted is not null) return _lifted;
        if (_store!.Version != _version) throw Tape.ModifiedError(node, role, _shape, _type, _version, _store.Version);
        return new(_store, _shape, _strides, _offset, _type) { Meta = _meta };
    }

    public void Release()
    {
        if (_watch is not null) StoragePool.Drop(_watch);
    }
}

/// <summary>One operator application on the tape, or (Op null) the sink of a leaf's gradient.</summary>
internal sealed class Node
{
    static long s_sequence;

    public readonly Op? Op;
    public readonly Node?[] Inputs;
    public readonly int[] InputOutputs; // which output of the input node
    public readonly Shape[] InputShapes;
    public readonly DType[] InputTypes;
    /// <summary>Operators are pulled back latest first; an operand's node is always older than its user's.</summary>
    public readonly long Sequence;
    /// <summary>A sink's leaf.</summary>
    public readonly AutogradMeta? Leaf;
    /// <summary>What hooks and retained gradients of each result hang on.</summary>
    public readonly AutogradMeta[] Results;
    /// <summary>Where the operator was called; known in anomaly mode.</summary>
    public readonly string? UserLine;

    static readonly int[] s_zeros = new int[64];
    Saved?[]? _inputs;
    Saved? _output;
    bool _released;
    internal Tensor?[]? Gradients; // of one backward pass
    internal bool Reached;
    /// <summary>While set, a backward pass goes to this node and no further: a rule that differentiates a body anew stays within it.</summary>
    internal bool IsBoundary;
    Tensor?[]? _given;

    /// <summary>The sink of a leaf.</summary>
    public Node(AutogradMeta leaf)
    {
        (Leaf, Results, Sequence) = (leaf, [leaf], Interlocked.Increment(ref s_sequence));
        (Inputs, InputOutputs, InputShapes, InputTypes) = ([], [], [], []);
    }

    /// <summary>An operator with its operands and results.</summary>
    public Node(Op op, ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor> results)
    {
        Op = op;
        Inputs = new Node?[x.Length];
        InputOutputs = x.Length <= s_zeros.Length ? s_zeros : new int[x.Length];
        InputShapes = new Shape[x.Length];
        InputTypes = new DType[x.Length];
        uint saves = 0;
        for (int i = 0; i < x.Length; i++)
        {
            (InputShapes[i], InputTypes[i]) = (x[i].Shape, x[i].DType);
            if (!Tape.Wants(op, i, x[i])) continue;
            Inputs[i] = Tape.NodeOf(x[i], out int output);
            if (output != 0)
            {
                if (InputOutputs == s_zeros) InputOutputs = new int[x.Length];
                InputOutputs[i] = output;
            }
            saves |= op.SavesFor(i);
        }
        // not before: looking for an operand's node may make it anew, when the base of a view was written to
        Sequence = Interlocked.Increment(ref s_sequence);
        Results = new AutogradMeta[results.Length];
        for (int i = 0; i < results.Length; i++)
            Results[i] = results[i].Meta = new AutogradMeta { Node = this, Output = i, NodeVersion = results[i].Version };
        for (int i = 0; i < x.Length && i < 31; i++)
            if ((saves >> i & 1) != 0) (_inputs ??= new Saved?[x.Length])[i] = new Saved(x[i], this);
        if ((saves & Op.Output) != 0) _output = new Saved(results[0], this);
        if (Autograd.AnomalyMode) UserLine = Errors.UserLine();
    }

    public string Name => Op?.Name ?? "AccumulateGrad";

    /// <summary>True if operand <paramref name="i"/> wants a gradient.</summary>
    public bool Needs(int i) => Inputs[i] is not null;

    /// <summary>The saved operand.</summary>
    public Tensor Input(int i) => _inputs is null ? throw Tape.ReleasedError(this) : _inputs[i]!.Unpack(this, $"operand {i}");

    /// <summary>The saved result.</summary>
    public Tensor Output() => _output is null ? throw Tape.ReleasedError(this) : _output.Unpack(this, "result");

    /// <summary>Hands over the gradient of operand <paramref name="i"/>.</summary>
    public void Give(int i, Tensor gradient) => _given![i] = gradient;

    public Tensor?[] Pull()
    {
        if (_released) throw Tape.ReleasedError(this);
        var given = _given = new Tensor?[Inputs.Length];
        Op!.Pullback(this, Gradients!);
        _given = null;
        return given;
    }

    /// <summary>Frees what was saved: each node as it is consumed.</summary>
    public void Release()
    {
        _released = true;
        if (_inputs is not null)
            foreach (var saved in _inputs) saved?.Release();
        _output?.Release();
        (_inputs, _output) = (null, null);
        Op?.Released();
    }
}

/// <summary>Records operators and pulls gradients back through them: the one differentiation engine.</summary>
internal static class Tape
{
    public static bool Wants(Op op, int i, Tensor x) => x.Meta is { NeedsGrad: true } && x.DType.IsFloatingPoint && op.IsDifferentiable(i);

    static bool WantsAny(Op op, ReadOnlySpan<Tensor> x)
    {
        for (int i = 0; i < x.Length; i++) if (Wants(op, i, x[i])) return true;
        return false;
    }

    /// <summary>Puts an application on the tape if any operand wants a gradient.</summary>
    public static Tensor Record(Op op, ReadOnlySpan<Tensor> x, Tensor y)
    {
        if (WantsAny(op, x) && y.DType.IsFloatingPoint) _ = new Node(op, x, [y]);
        return y;
    }

    /// <summary>The node that a gradient of <paramref name="x"/> flows into.</summary>
    public static Node NodeOf(Tensor x, out int output)
    {
        var meta = x.Meta!;
        if (x.View is { } view && x.Store is { } store && meta.NodeVersion != store.Version && view.Root.Meta is { NeedsGrad: true }) Regenerate(x, view);
        output = meta.Output;
        return meta.Node ?? (meta.Sink ??= new Node(meta));
    }

    // the base was written to through another view: what this view holds now is read from the base as it is now
    static void Regenerate(Tensor x, ViewOf view)
    {
        var current = view.Root.Alias();
        current.Meta = view.Root.Meta;
        foreach (var op in view.Chain)
        {
            var next = op.Run([current]);
            Record(op, [current], next);
            current = next;
        }
        (x.Meta!.Node, x.Meta.Output, x.Meta.NodeVersion) = (current.Meta!.Node, 0, x.Version);
    }

    // ---- in-place ----

    /// <summary>
    /// <paramref name="target"/> ← op(operands), where operands[0] is the target itself. The tape sees an out-of-place operator whose result lives in the target's memory;
    /// through a view, also the write of the view's elements into its base.
    /// </summary>
    public static Tensor InPlace(Tensor target, Op op, ReadOnlySpan<Tensor> operands, Action<Tensor> write)
    {
        bool record = GradMode.Enabled && (WantsAny(op, operands) || target.Meta is { NeedsGrad: true } || view(target)?.Root.Meta is { NeedsGrad: true });
        CheckWritable(target, op.Name, record);
        if (!record || !target.DType.IsFloatingPoint)
        {
            write(target);
            target.Store!.Version++;
            return target;
        }
        var before = target.Alias();
        if (target.Meta is { NeedsGrad: true })
        {
            var node = NodeOf(target, out int output);
            before.Meta = new AutogradMeta { Node = node, Output = output, NodeVersion = target.Version };
        }
        var x = operands.ToArray();
        // a gradient that needs the old value of the target gets a copy of it
        if (SavesTarget(op, x)) before = Copy(before);
        for (int i = 0; i < x.Length; i++) if (ReferenceEquals(x[i], target)) x[i] = before;
        write(target);
        target.Store!.Version++;
        var after = target.Alias();
        var wanted = WantsAny(op, x);
        if (wanted) _ = new Node(op, x, [after]);
        if (target.View is { } v) WriteThrough(target, v, after);
        else if (wanted) Adopt(target, after.Meta!);
        else target.Meta = null;
        return target;

        static ViewOf? view(Tensor t) => t.View;
    }

    static bool SavesTarget(Op op, Tensor[] x)
    {
        for (int i = 0; i < x.Length; i++) if (Wants(op, i, x[i]) && (op.SavesFor(i) & 1) != 0) return true;
        return false;
    }

    static Tensor Copy(Tensor x)
    {
        Tensor copy;
        using (Autograd.NoGrad()) copy = x.Clone();
        copy.Meta = x.Meta;
        return copy;
    }

    static void Adopt(Tensor target, AutogradMeta meta)
    {
        target.Meta ??= new();
        (target.Meta.Node, target.Meta.Output, target.Meta.NodeVersion) = (meta.Node, meta.Output, target.Version);
    }

    static void WriteThrough(Tensor target, ViewOf view, Tensor after)
    {
        var root = view.Root;
        var written = root.Alias();
        var before = root.Alias();
        if (root.Meta is { NeedsGrad: true })
        {
            var node = NodeOf(root, out int output);
            before.Meta = new AutogradMeta { Node = node, Output = output };
        }
        if (before.Meta is null && after.Meta is null) return;
        _ = new Node(new ViewWriteOp(view.Chain), [before, after], [written]);
        Adopt(root, written.Meta!);
        target.Meta ??= new();
        Regenerate(target, view);
    }

    static void CheckWritable(Tensor target, string op, bool record)
    {
        target.Concrete(op);
        if (!record) return;
        if (target.Meta is { RequiresGrad: true })
            throw Errors.Make(op, "writes in place to a leaf that requires a gradient, which would change the value that the gradient is asked for; use the out-of-place form, or update inside Autograd.NoGrad()", ("target", target));
        if (target.View is not { } view) return;
        if (view.Root.Meta is { RequiresGrad: true })
            throw Errors.Make(op, "writes in place to a view of a leaf that requires a gradient; clone the leaf first, or update inside Autograd.NoGrad()", ("view", target), ("leaf", view.Root));
        if (!view.Recorded)
            throw Errors.Make(op, "writes in place, with gradients on, to a view that was made inside Autograd.NoGrad(); make the view outside of the scope, or clone it", ("view", target));
    }

    // ---- errors ----

    public static FlambeauException ModifiedError(Node node, string role, Shape shape, DType type, int saved, int now) => Errors.Make("Backward",
        $"the {role} of {node.Name} ({type.Name}{shape}) is needed for the gradient and was changed in place afterwards (version {now}, saved at version {saved})"
        + (node.UserLine is { } line ? $"\n  {node.Name} was called at {line}" : $"; Autograd.AnomalyMode = true tells where {node.Name} was called")
        + "\n  use the out-of-place form of the later write, or clone before it");

    public static FlambeauException ReleasedError(Node node) => Errors.Make("Backward",
        $"the graph was already consumed: the tensors that {node.Name} saved are freed. Pass retainGraph: true to the first Backward if you need a second"
        + (node.UserLine is { } line ? $"\n  {node.Name} was called at {line}" : ""));
}
