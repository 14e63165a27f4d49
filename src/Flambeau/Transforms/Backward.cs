using System.Runtime.InteropServices;
using Flambeau.Diagnostics;
using Flambeau.Ops;

namespace Flambeau.Transforms;

/// <summary>One backward pass: from roots with their gradients down to the leaves, latest operator first.</summary>
internal sealed class BackwardPass
{
    // a pass's lists serve the thread's next one; a pass inside a pass finds none and makes its own
    [ThreadStatic] static BackwardPass? t_spare;
    [ThreadStatic] static int t_running; // a rule may run a pass of its own: only the outermost is the end of a forward pass
    static readonly Comparison<Node> s_latestFirst = (x, y) => y.Sequence.CompareTo(x.Sequence);

    bool _retain, _create;
    Dictionary<AutogradMeta, Tensor?>? _captured; // Autograd.Grad: gradients of these, and nothing is accumulated
    readonly List<Node> _order = [];
    readonly Stack<Node> _toVisit = [];
    readonly Dictionary<Node, SinkState> _sinks = [];
    Tensor?[] _given = []; // by the node at hand to its operands

    struct SinkState
    {
        public int Pending;
        public Tensor? Gradient;
    }

    /// <summary>Pulls <paramref name="gradients"/> of <paramref name="roots"/> back. With <paramref name="captured"/>, fills its values; else accumulates into leaves.</summary>
    public static void Run(Tensor[] roots, Tensor[] gradients, bool retain, bool create, Dictionary<AutogradMeta, Tensor?>? captured = null)
    {
        using var scope = Recording.Part("Backward", ProfileKind.Backward);
        if (t_running == 0) Runtime.StoragePool.AtBackward();
        t_running++;
        var pass = t_spare ?? new();
        t_spare = null;
        (pass._retain, pass._create, pass._captured) = (retain, create, captured);
        int before = GradMode.Exchange(create ? 0 : 1);
        var casts = Autocast.Exchange(default); // gradients have the types of what they are gradients of
        try
        {
            pass.Run(roots, gradients);
        }
        finally
        {
            t_running--;
            GradMode.Exchange(before);
            Autocast.Exchange(casts);
            pass.Clear();
            t_spare = pass;
        }
    }

    void Run(Tensor[] roots, Tensor[] gradients)
    {
        foreach (var root in roots) Visit(Tape.NodeOf(root, out _));
        _order.Sort(s_latestFirst);
        for (int i = 0; i < roots.Length; i++)
        {
            var node = Tape.NodeOf(roots[i], out int output);
            if (node.Leaf is not null) Sink(node).Pending++;
            // a handle of its own: gradients are disposed of when consumed, the caller's stays
            gradients[i].Store?.NeverReuse();
            Deliver(node, output, _create || gradients[i].Level is not null ? gradients[i] : gradients[i].Alias());
        }
        foreach (var node in _order) Step(node);
    }

    void Clear()
    {
        foreach (var node in _order) node.Forget();
        _order.Clear();
        _toVisit.Clear();
        _sinks.Clear();
        Array.Clear(_given);
        (_captured, _leads) = (null, null);
    }

    ref SinkState Sink(Node node) => ref CollectionsMarshal.GetValueRefOrAddDefault(_sinks, node, out _);

    // depth first without recursion: graphs are as deep as programs are long
    void Visit(Node root)
    {
        if (root.Leaf is not null || root.Reached) return;
        root.Reached = true;
        _toVisit.Push(root);
        while (_toVisit.TryPop(out var node))
        {
            _order.Add(node);
            if (node.IsBoundary) continue;
            foreach (ref readonly var operand in node.Inputs)
            {
                if (operand.Node is not { } input) continue;
                if (input.Leaf is not null) Sink(input).Pending++;
                else if (!input.Reached)
                {
                    input.Reached = true;
                    _toVisit.Push(input);
                }
            }
        }
    }

    void Step(Node node)
    {
        bool arrived = false;
        for (int i = 0; i < node.Results; i++)
        {
            if (node.Result(i) is not { Arrived: { } g } result) continue;
            result.Arrived = Observe(result, g);
            arrived = true;
        }
        if (node.IsBoundary) { node.Forget(); return; }
        if (!arrived || _captured is not null && !LeadsToCaptured(node)) { Starve(node); return; }

        using var _ = Recording.Backward(node);
        bool disposable = Disposable(node);
        if (!_create && TryAddToWhole(node))
        {
            if (!_retain) node.Release();
            if (disposable) node.Result(0).Arrived!.Discard();
            node.Forget();
            return;
        }
        var given = Pull(node);
        // a saved tensor may itself be a gradient
        foreach (var g in given) if (g?.Store is { Tape: > 0, IsPooled: false } store) store.NeverReuse();
        if (!_retain) node.Release();
        if (Autograd.AnomalyMode) CheckFinite(node, given);
        if (node.Op!.ShowsGradients)
            foreach (var g in given) g?.Store?.NeverReuse();
        if (!_create) Unshare(node, given, disposable);
        for (int i = 0; i < given.Length; i++)
        {
            if (node.Inputs[i].Node is not { } input) continue;
            if (given[i] is { } g) Deliver(input, node.Inputs[i].Output, g);
            else Skip(input);
        }
        given.Clear();
        for (int i = 0; i < node.Results && disposable; i++) node.Result(i).Arrived?.Discard();
        node.Forget();
    }

    // the gradient of a part is added where it belongs in what has arrived for the whole, if that is this pass's own: no zeros are made to be added
    static bool TryAddToWhole(Node node)
    {
        if (Autograd.AnomalyMode || node.Op is not ViewOp { IsPart: true } view || node.Inputs[0].Node is not { Leaf: null } input) return false;
        Tensor? whole = input.Result(node.Inputs[0].Output).Arrived, g = node.Result(0).Arrived;
        if (whole is not { Level: null } || g is not { Level: null } || whole.DType != g.DType || !IsOwn(whole) || ReferenceEquals(whole.Store, g.Store)) return false;
        using var part = view.Run([whole]);
        part.Add_(g);
        return true;
    }

    // what a rule made besides the gradients it gives, and what it unpacked, is dropped at once
    Span<Tensor?> Pull(Node node)
    {
        int count = node.Inputs.Length;
        if (_given.Length < count) _given = new Tensor?[Math.Max(count, 4)];
        if (_create || node.Op!.ShowsGradients) node.Pull(_given);
        else
        {
            using var temporaries = Temporaries.Begin();
            node.Pull(_given);
            temporaries.Keep(_given);
        }
        return _given.AsSpan(0, count);
    }

    // A gradient given to two operands becomes two handles: each is disposed of once. One that is passed through goes on itself, or, where user code may have seen it, as another handle.
    static void Unshare(Node node, Span<Tensor?> given, bool disposable)
    {
        for (int i = 0; i < given.Length; i++)
        {
            if (given[i] is not { Level: null } g || !node.Needs(i)) continue;
            if (given[..i].Contains(g) || PassesThrough(node, g) && !disposable) given[i] = g.Alias();
        }
        for (int i = 0; i < node.Results; i++)
            if (node.Result(i) is { Arrived: { Level: null } g } result && (given.Contains(g) || disposable && TryBequeath(g, given))) result.Arrived = null;
    }

    // Where one operand's gradient is a view of this one, and no third handle was ever made, the view is the only one left.
    static bool TryBequeath(Tensor g, ReadOnlySpan<Tensor?> given)
    {
        int heirs = 0;
        foreach (var t in given) if (ReferenceEquals(t?.Store, g.Store)) heirs++;
        return heirs == 1 && g.TryBequeath();
    }

    static bool PassesThrough(Node node, Tensor g)
    {
        for (int i = 0; i < node.Results; i++) if (ReferenceEquals(node.Result(i).Arrived, g)) return true;
        return false;
    }

    // what user code may have seen stays; the rest is freed exactly when consumed
    bool Disposable(Node node)
    {
        if (_create || node.Op!.ShowsGradients) return false;
        for (int i = 0; i < node.Results; i++)
            if (node.Result(i) is var meta && (meta.Hooks is not null || meta.RetainGrad || (_captured?.ContainsKey(meta) ?? false))) return false;
        return true;
    }

    Tensor Observe(AutogradMeta meta, Tensor g)
    {
        if (meta.Hooks is { } hooks)
        {
            foreach (var hook in hooks) g = hook(g) ?? g;
            g.Store?.NeverReuse();
        }
        if (_captured is not null && _captured.ContainsKey(meta)) _captured[meta] = g;
        else if (meta.RetainGrad && meta.Node is not null) meta.Grad = meta.Grad is { } old ? old + g : g;
        return g;
    }

    void Deliver(Node node, int output, Tensor g)
    {
        if (node.Leaf is not null)
        {
            ref var sink = ref Sink(node);
            sink.Gradient = Sum(sink.Gradient, g);
            if (--sink.Pending == 0) Flush(node.Leaf, sink.Gradient);
            return;
        }
        var result = node.Result(output);
        result.Arrived = Sum(result.Arrived, g);
    }

    Tensor Sum(Tensor? x, Tensor y)
    {
        if (x is null) return y;
        if (!_create && x.Level is null && y.Level is null && x.DType == y.DType && (IsOwn(x) || IsOwn(y)))
        {
            var (kept, added) = IsOwn(x) ? (x, y) : (y, x);
            kept.Add_(added);
            added.Discard();
            return kept;
        }
        var sum = x + y;
        if (!_create) { x.Discard(); y.Discard(); }
        return sum;
    }

    void Skip(Node node)
    {
        if (node.Leaf is null) return;
        ref var sink = ref Sink(node);
        if (--sink.Pending == 0 && sink.Gradient is { } g) Flush(node.Leaf, g);
    }

    // no gradient arrived, or none is wanted below: its operands get none from here
    void Starve(Node node)
    {
        foreach (ref readonly var operand in node.Inputs) if (operand.Node is { } input) Skip(input);
        node.Forget();
    }

    void Flush(AutogradMeta leaf, Tensor g)
    {
        using var _ = Recording.Part("AccumulateGrad", ProfileKind.Backward);
        bool seen = leaf.Hooks is not null;
        if (leaf.Hooks is { } hooks)
            foreach (var hook in hooks) g = hook(g) ?? g;
        if (_captured is not null)
        {
            if (_captured.ContainsKey(leaf)) _captured[leaf] = g;
            return;
        }
        lock (leaf)
        {
            if (leaf.PassingGrad is not { } old)
            {
                if (_create || seen || g.Level is not null) leaf.Grad = _create ? g : Owned(g, seen);
                else leaf.SetUnseenGrad(Owned(g, seen));
            }
            else if (_create || old.Level is not null || g.Level is not null) leaf.Grad = old + g;
            else { old.Add_(g); if (!seen) g.Discard(); }
        }
        if (leaf.AfterAccumulate is { } after)
            foreach (var action in after) action(leaf.Grad!);
    }

    // in memory that nothing else refers to
    static bool IsOwn(Tensor g) => g.IsContiguous && g.View is null && g.Store is { Handles: 1, Tape: 0 };

    // .Grad is the user's to write to: it must not share memory with another gradient
    static Tensor Owned(Tensor g, bool seen)
    {
        if (g.Level is not null) return g;
        if (IsOwn(g)) return g;
        var copy = g.Clone();
        if (!seen) g.Discard();
        return copy;
    }

    bool LeadsToCaptured(Node node)
    {
        foreach (ref readonly var operand in node.Inputs)
            if (operand.Node is { } input && Leads(input)) return true;
        return false;
    }

    Dictionary<Node, bool>? _leads;

    bool Leads(Node node) => node.Leaf is { } sink ? _captured!.ContainsKey(sink) : (_leads ??= FindLeads())[node];

    // operands are older than users, so walking _order backwards settles every operand first
    Dictionary<Node, bool> FindLeads()
    {
        var found = new Dictionary<Node, bool>();
        for (int i = _order.Count - 1; i >= 0; i--)
        {
            var n = _order[i];
            bool leads = false;
            for (int r = 0; r < n.Results; r++) leads |= _captured!.ContainsKey(n.Result(r));
            foreach (ref readonly var operand in n.IsBoundary ? [] : n.Inputs)
                leads |= operand.Node is { } input && (input.Leaf is { } leaf ? _captured!.ContainsKey(leaf) : found[input]);
            found[n] = leads;
        }
        return found;
    }

    static void CheckFinite(Node node, ReadOnlySpan<Tensor?> given)
    {
        foreach (var g in given)
            if (g is { Level: null } && g.DType.IsFloatingPoint && g.IsNaN().Any().Item<bool>())
                throw Errors.Make("Backward", $"{node.Name} gave a gradient with NaN"
                    + (node.UserLine is { } line ? $"\n  {node.Name} was called at {line}" : ""), ("grad", g));
    }
}
