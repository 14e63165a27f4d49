using System.Runtime.CompilerServices;
using Flambeau.Diagnostics;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Transforms;

/// <summary>What the tape knows of a tensor. Shared by the tensor, its saved copies and its aliases; the tape never references a <see cref="Tensor"/> of the user's whose memory is pooled.</summary>
internal sealed class AutogradMeta
{
    /// <summary>The node that produced the tensor; null for a leaf.</summary>
    public Node? Node;
    public int Output;
    /// <summary>Of a view: the version of the memory that <see cref="Node"/> describes.</summary>
    public int NodeVersion;
    /// <summary>Of a result during one backward pass: the sum of what has arrived so far.</summary>
    public Tensor? Arrived;
    Attached? _attached;

    // leaves have it, results seldom
    sealed class Attached
    {
        public bool RequiresGrad, RetainGrad;
        public Node? Sink;
        public Tensor? Grad;
        public int GradThread;
        public List<Func<Tensor, Tensor?>>? Hooks;
        public List<Action<Tensor>>? AfterAccumulate;
    }

    Attached Own => _attached ??= new();

    /// <summary>Set on leaves only: the user asked for a gradient.</summary>
    public bool RequiresGrad { get => _attached is { RequiresGrad: true }; set => Own.RequiresGrad = value; }
    /// <summary>A leaf's sink, made when first needed.</summary>
    public Node Sink => Own.Sink ??= new Node(this);
    /// <summary>The gradient. Whoever asks for it may keep it.</summary>
    public Tensor? Grad
    {
        get
        {
            if (_attached is null) return null;
            _attached.GradThread = 0;
            return _attached.Grad;
        }
        set => (Own.Grad, Own.GradThread) = (value, 0);
    }

    /// <summary>A gradient that nobody has asked for yet: until somebody does, <see cref="ForgetGrad"/> gives its memory to this thread's next results.</summary>
    public void SetUnseenGrad(Tensor g) => (Own.Grad, Own.GradThread) = (g, Environment.CurrentManagedThreadId);

    /// <summary>The gradient, for code that does not keep it.</summary>
    public Tensor? PassingGrad => _attached is { Grad: { } g } && (_attached.GradThread == Environment.CurrentManagedThreadId || ReferenceEquals(Grad, g)) ? g : null;

    public void ForgetGrad()
    {
        if (_attached is not { Grad: { } g }) return;
        bool isUnseen = _attached.GradThread == Environment.CurrentManagedThreadId;
        _attached.Grad = null;
        if (isUnseen) g.Discard();
    }

    public bool RetainGrad { get => _attached is { RetainGrad: true }; set => Own.RetainGrad = value; }
    public List<Func<Tensor, Tensor?>>? Hooks { get => _attached?.Hooks; set => Own.Hooks = value; }
    /// <summary>Of a leaf: called once its gradient of a backward pass is complete.</summary>
    public List<Action<Tensor>>? AfterAccumulate { get => _attached?.AfterAccumulate; set => Own.AfterAccumulate = value; }

    public bool NeedsGrad => Node is not null || RequiresGrad;

    /// <summary>Of a tensor written in place: a gradient that was asked for is that of the new value. Hooks stay with the value that they were registered on.</summary>
    public void Inherit(AutogradMeta? before)
    {
        if (before?._attached is not { } attached || !attached.RetainGrad && attached.Grad is null) return;
        (RetainGrad, Grad) = (attached.RetainGrad, attached.Grad);
        (attached.RetainGrad, attached.Grad) = (false, null);
    }
}

/// <summary>A view remembers its base and the way there, so that an in-place write through it becomes an operator on the base.</summary>
/// <param name="root">The base.</param>
/// <param name="before">The view that this is a view of; null if it is one of the base.</param>
/// <param name="last">The last step.</param>
/// <param name="recorded">False for a view made while recording was off.</param>
internal sealed class ViewOf(Tensor root, ViewOf? before, ViewOp last, bool recorded)
{
    public Tensor Root { get; } = root;
    public bool Recorded { get; } = recorded;

    /// <summary>The steps from the base.</summary>
    public ViewOp[] Chain() => before is null ? [last] : [.. before.Chain(), last];

    /// <summary>A view of this view, which is <paramref name="tensor"/>; or of the tensor itself if that is none.</summary>
    public static ViewOf Of(Tensor tensor, ViewOp op) =>
        tensor.View is { } of ? new(of.Root, of, op, of.Recorded && GradMode.Enabled) : new(tensor, null, op, GradMode.Enabled);
}

/// <summary>
/// A tensor kept for the backward pass. Pooled memory is held by count, never by the user's handle, whose death must be noticed; of managed memory the collector takes care, and the tensor itself is kept.
/// </summary>
internal readonly struct Saved
{
    readonly object? _kept; // a Tensor or a Held
    readonly int _version;
    readonly bool _wasKnown; // to the tape

    sealed class Held(Tensor x, Node holder)
    {
        public readonly StoragePool.Watch Watch = StoragePool.AddTape(holder, x.Store!);
        public readonly Storage Store = x.Store!;
        readonly long[] _strides = x.Strides;
        readonly long _offset = x.Offset;
        readonly AutogradMeta? _meta = x.Meta;
        public readonly Shape Shape = x.Shape;
        public readonly DType Type = x.DType;

        public Tensor Open() => new(Store, Shape, _strides, _offset, Type) { Meta = _meta };
    }

    public Saved(Tensor x, Node holder)
    {
        _kept = x;
        _wasKnown = x.Meta is not null;
        if (x.Store is not { } store) return; // a tensor of a transform
        _version = store.Version;
        if (store.IsPooled) _kept = new Held(x, holder);
        else if (x.Meta is { Node: not null }) store.Save();
        else store.NeverReuse(); // several callers may share it
    }

    Storage? Store => _kept is Tensor x ? x.Store : ((Held)_kept!).Store;

    bool IsCurrent => Store is not { } store || store.Version == _version;

    // a tensor that requires a gradient since it was saved is a constant here
    Tensor Open() => _kept is not Tensor x ? ((Held)_kept!).Open() : x.Meta is null || _wasKnown || x.Level is not null ? x : x.Alias();

    public Tensor Unpack(Node node, string role) => IsCurrent ? Open() : throw Modified(node, role);

    public Tensor Unpack(Node node, int operand) => IsCurrent ? Open() : throw Modified(node, $"operand {operand}");

    FlambeauException Modified(Node node, string role)
    {
        var (shape, type) = _kept is Tensor x ? (x.Shape, x.DType) : (((Held)_kept!).Shape, ((Held)_kept).Type);
        return Tape.ModifiedError(node, role, shape, type, _version, Store!.Version);
    }

    public void Release()
    {
        if (_kept is Held held) StoragePool.Drop(held.Watch);
        else if (_kept is Tensor { Store: { } store }) store.Unsave();
    }
}

/// <summary>What a node knows of one operand.</summary>
internal struct Operand
{
    /// <summary>The node that its gradient flows into; null if none is wanted.</summary>
    public Node? Node;
    /// <summary>Which output of that node it is.</summary>
    public int Output;
    public DType Type;
    public Shape Shape;
    public Saved Saved;
}

/// <summary>One operator application on the tape, or (Op null) the sink of a leaf's gradient.</summary>
internal sealed class Node
{
    [ThreadStatic] static long t_sequence;
    static readonly ConditionalWeakTable<Node, string> s_userLines = [];

    public readonly Op? Op;
    /// <summary>
    /// Operators are pulled back latest first. Each thread counts for itself, and past what it meets of other threads' nodes (Lamport 1978): an operand's node is older than its user's everywhere,
    /// and no callers share a counter.
    /// </summary>
    public readonly long Sequence;

    readonly AutogradMeta _result; // the first result, or a sink's leaf
    readonly AutogradMeta[]? _moreResults;
    readonly Operand[] _operands;
    Saved _output;
    bool _released;
    internal bool Reached; // of one backward pass
    /// <summary>While set, a backward pass goes to this node and no further: a rule that differentiates a body anew stays within it.</summary>
    internal bool IsBoundary;
    Tensor?[]? _given;

    /// <summary>The sink of a leaf.</summary>
    public Node(AutogradMeta leaf) => (_result, _operands) = (leaf, []);

    /// <summary>An operator with its operands and results.</summary>
    public Node(Op op, ReadOnlySpan<Tensor> x, params ReadOnlySpan<Tensor> results)
    {
        Op = op;
        _operands = new Operand[x.Length];
        uint saves = 0;
        for (int i = 0; i < x.Length; i++)
        {
            ref var operand = ref _operands[i];
            (operand.Shape, operand.Type) = (x[i].Shape, x[i].DType);
            if (!Tape.Wants(op, i, x[i])) continue;
            operand.Node = Tape.NodeOf(x[i], out operand.Output);
            t_sequence = Math.Max(t_sequence, operand.Node.Sequence);
            saves |= op.SavesFor(i);
        }
        // not before: looking for an operand's node may make it anew, when the base of a view was written to
        Sequence = ++t_sequence;
        _result = Produce(results[0], 0);
        if (results.Length > 1) _moreResults = new AutogradMeta[results.Length - 1];
        for (int i = 1; i < results.Length; i++) _moreResults![i - 1] = Produce(results[i], i);
        for (int i = 0; i < x.Length && i < 31; i++)
            if ((saves >> i & 1) != 0) _operands[i].Saved = new(x[i], this);
        if ((saves & Op.Output) != 0) _output = new(results[0], this);
        if ((Autograd.AnomalyMode ? Errors.UserLine() : Recording.Line) is { } line) s_userLines.Add(this, line);
    }

    AutogradMeta Produce(Tensor result, int output) => result.Meta = new() { Node = this, Output = output, NodeVersion = result.Version };

    public string Name => Op?.Name ?? "AccumulateGrad";

    /// <summary>Where the operator was called; known in anomaly mode, and while a profile records lines.</summary>
    public string? UserLine => s_userLines.TryGetValue(this, out string? line) ? line : null;

    /// <summary>A sink's leaf.</summary>
    public AutogradMeta? Leaf => Op is null ? _result : null;

    // ---- operands ----

    public ReadOnlySpan<Operand> Inputs => _operands;
    public ShapesOfInputs InputShapes => new(_operands);
    public TypesOfInputs InputTypes => new(_operands);

    public readonly ref struct ShapesOfInputs(ReadOnlySpan<Operand> operands)
    {
        readonly ReadOnlySpan<Operand> _operands = operands;
        public int Length => _operands.Length;
        public Shape this[int i] => _operands[i].Shape;
    }

    public readonly ref struct TypesOfInputs(ReadOnlySpan<Operand> operands)
    {
        readonly ReadOnlySpan<Operand> _operands = operands;
        public DType this[int i] => _operands[i].Type;
    }

    /// <summary>True if operand <paramref name="i"/> wants a gradient.</summary>
    public bool Needs(int i) => _operands[i].Node is not null;

    /// <summary>The saved operand.</summary>
    public Tensor Input(int i) => _released ? throw Tape.ReleasedError(this) : _operands[i].Saved.Unpack(this, i);

    /// <summary>The saved result.</summary>
    public Tensor Output() => _released ? throw Tape.ReleasedError(this) : _output.Unpack(this, "result");

    /// <summary>Hands over the gradient of operand <paramref name="i"/>.</summary>
    public void Give(int i, Tensor gradient) => _given![i] = gradient;

    // ---- results ----

    /// <summary>How many results the operator has.</summary>
    public int Results => 1 + (_moreResults?.Length ?? 0);

    /// <summary>What hooks, retained gradients and the arriving gradient of a result hang on.</summary>
    public AutogradMeta Result(int i) => i == 0 ? _result : _moreResults![i - 1];

    // ---- one backward pass ----

    /// <summary>Writes the gradients of the operands into <paramref name="given"/>, null where there is none.</summary>
    public void Pull(Tensor?[] given)
    {
        if (_released) throw Tape.ReleasedError(this);
        _given = given;
        if (_moreResults is null) Op!.Pullback(this, _result.Arrived!);
        else Op!.Pullback(this, [_result.Arrived, .. _moreResults.Select(r => r.Arrived)]);
        _given = null;
    }

    /// <summary>Forgets what a backward pass left.</summary>
    public void Forget()
    {
        Reached = false;
        for (int i = 0; i < Results; i++) Result(i).Arrived = null;
    }

    /// <summary>Frees what was saved: each node as it is consumed.</summary>
    public void Release()
    {
        // one cast of a parameter serves several losses inside an Autocast scope, and saves nothing
        _released = Op is not CastOp;
        foreach (ref var operand in _operands.AsSpan())
        {
            operand.Saved.Release();
            operand.Saved = default;
        }
        _output.Release();
        _output = default;
        Op?.Released();
    }
}

/// <summary>How an in-place operator writes its result into its target.</summary>
internal interface IInPlaceWrite
{
    void Write(Tensor target, ReadOnlySpan<Tensor> operands);
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
        if (WantsAny(op, x) && y.DType.IsFloatingPoint) _ = new Node(op, x, y);
        return y;
    }

    /// <summary>The node that a gradient of <paramref name="x"/> flows into.</summary>
    public static Node NodeOf(Tensor x, out int output)
    {
        var meta = x.Meta!;
        if (x.View is { } view && x.Store is { } store && meta.NodeVersion != store.Version && view.Root.Meta is { NeedsGrad: true }) Regenerate(x, view);
        output = meta.Output;
        return meta.Node ?? meta.Sink;
    }

    // the base was written to through another view: what this view holds now is read from the base as it is now
    static void Regenerate(Tensor x, ViewOf view)
    {
        var current = view.Root.Alias();
        current.Meta = view.Root.Meta;
        foreach (var op in view.Chain())
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
    public static Tensor InPlace(Tensor target, Op op, ReadOnlySpan<Tensor> operands, Action<Tensor> write) => InPlace(target, op, operands, new WriteBy(write));

    readonly struct WriteBy(Action<Tensor> write) : IInPlaceWrite
    {
        public void Write(Tensor target, ReadOnlySpan<Tensor> operands) => write(target);
    }

    /// <summary>As the form with a delegate.</summary>
    public static Tensor InPlace<TWrite>(Tensor target, Op op, ReadOnlySpan<Tensor> operands, TWrite write) where TWrite : struct, IInPlaceWrite
    {
        using var scope = Recording.InPlace(op, operands);
        bool record = GradMode.Enabled && (WantsAny(op, operands) || target.Meta is { NeedsGrad: true } || view(target)?.Root.Meta is { NeedsGrad: true });
        CheckWritable(target, op.Name, record);
        if (!record || !target.DType.IsFloatingPoint)
        {
            write.Write(target, operands);
            target.Store!.Version++;
            return target;
        }
        if (target.View is null && !SavesTarget(op, operands))
        {
            // nothing needs the old value: the tensor itself becomes the result
            write.Write(target, operands);
            target.Store!.Version++;
            var old = target.Meta;
            if (WantsAny(op, operands)) _ = new Node(op, operands, target);
            else target.Meta = null;
            target.Meta?.Inherit(old);
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
        write.Write(target, operands);
        target.Store!.Version++;
        var after = target.Alias();
        var wanted = WantsAny(op, x);
        if (wanted) _ = new Node(op, x, after);
        if (target.View is { } v) WriteThrough(target, v, after);
        else if (wanted) Adopt(target, after.Meta!);
        else target.Meta = null;
        return target;

        static ViewOf? view(Tensor t) => t.View;
    }

    static bool SavesTarget(Op op, ReadOnlySpan<Tensor> x)
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
        meta.NodeVersion = target.Version;
        meta.Inherit(target.Meta);
        target.Meta = meta;
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
        _ = new Node(new ViewWriteOp(view.Chain()), [before, after], written);
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
