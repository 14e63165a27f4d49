namespace Flambeau.Transforms;

/// <summary>One backward pass: from roots with their gradients down to the leaves, latest operator first.</summary>
internal sealed class BackwardPass
{
    [ThreadStatic] static int t_running; // a rule may run a pass of its own: only the outermost is the end of a forward pass

    readonly bool _retain, _create;
    readonly List<Node> _order = [];
    readonly Dictionary<AutogradMeta, Tensor?>? _captured; // Autograd.Grad: gradients of these, and nothing is accumulated
    readonly Dictionary<Node, SinkState> _sinks = [];

    sealed class SinkState
    {
        public int Pending;
        public Tensor? Gradient;
    }

    BackwardPass(bool retain, bool create, Dictionary<AutogradMeta, Tensor?>? captured) =>
        (_retain, _create, _captured) = (retain, create, captured);

    /// <summary>Pulls <paramref name="gradients"/> of <paramref name="roots"/> back. With <paramref name="captured"/>, fills its values; else accumulates into leaves.</summary>
    public static void Run(Tensor[] roots, Tensor[] gradients, bool retain, bool create, Dictionary<AutogradMeta, Tensor?>? captured = null)
    {
        if (t_running == 0) Runtime.StoragePool.AtBackward();
        t_running++;
        var pass = new BackwardPass(retain, create, captured);
        int before = GradMode.Exchange(create ? 0 : 1);
        try
        {
            foreach (var root in roots) pass.Visit(Tape.NodeOf(root, out _));
            pass._order.Sort((x, y) => y.Sequence.CompareTo(x.Sequence));
            for (int i = 0; i < roots.Length; i++)
            {
                var node = Tape.NodeOf(roots[i], out int output);
                if (pass._sinks.TryGetValue(node, out var sink)) sink.Pending++;
                // a handle of its own: gradients are disposed of when consumed, the caller's stays
                pass.Deliver(node, output, create || gradients[i].Level is not null ? gradients[i] : gradients[i].Alias());
            }
            foreach (var node in pass._order) pass.Step(node);
        }
        finally
        {
            t_running--;
            GradMode.Exchange(before);
            foreach (var node in pass._order) (node.Gradients, node.Reached) = (null, false);
        }
    }

    // depth first without recursion: graphs are as deep as programs are long
    void Visit(Node root)
    {
        if (root.Leaf is not null) { _sinks.TryAdd(root, new()); return; }
        if (root.Reached) return;
        var stack = new Stack<Node>();
        root.Reached = true;
        stack.Push(root);
        while (stack.TryPop(out var node))
        {
            _order.Add(node);
            if (node.IsBoundary) continue;
            foreach (var input in node.Inputs)
            {
                if (input is null) continue;
                if (input.Leaf is not null)
                {
                    if (!_sinks.TryGetValue(input, out var sink)) _sinks.Add(input, sink = new());
                    sink.Pending++;
                }
                else if (!input.Reached)
                {
                    input.Reached = true;
                    stack.Push(input);
                }
            }
        }
    }

    void Step(Node node)
    {
        if (node.Gradients is null) { if (!node.IsBoundary) Starve(node); return; }
        for (int i = 0; i < node.Results.Length; i++)
            if (node.Gradients[i] is { } g) node.Gradients[i] = Observe(node.Results[i], g);
        if (node.IsBoundary) { node.Gradients = null; return; }
        if (_captured is not null && !LeadsToCaptured(node)) { Starve(node); return; }

        var given = Pull(node);
        if (!_retain) node.Release();
        if (Autograd.AnomalyMode) CheckFinite(node, given);
        for (int i = 0; i < given.Length; i++)
        {
            if (node.Inputs[i] is not { } input) continue;
            if (given[i] is { } g) Deliver(input, node.InputOutputs[i], Unshared(node, given, i, g));
            else Skip(input);
        }
        foreach (var g in node.Gradients)
            if (g is not null && Disposable(node)) g.Dispose();
        node.Gradients = null;
    }

    // what a rule made besides the gradients it gives, and what it unpacked, is dropped at once
    Tensor?[] Pull(Node node)
    {
        if (_create || node.Op!.ShowsGradients) return node.Pull();
        using var temporaries = Temporaries.Begin();
        return temporaries.Keep(node.Pull());
    }

    // a gradient passed through, or given to two operands, becomes a handle of its own: each is disposed of once
    Tensor Unshared(Node node, Tensor?[] given, int i, Tensor g)
    {
        if (_create || g.Level is not null) return g;
        bool shared = Array.IndexOf(node.Gradients!, g) >= 0 || Array.IndexOf(given, g) < i;
        return shared ? g.Alias() : g;
    }

    // what user code may have seen stays; the rest is freed exactly when consumed
    bool Disposable(Node node)
    {
        if (_create || node.Op!.ShowsGradients) return false;
        foreach (var meta in node.Results)
            if (meta.Hooks is not null || meta.RetainGrad || (_captured?.ContainsKey(meta) ?? false)) return false;
        return true;
    }

    Tensor Observe(AutogradMeta meta, Tensor g)
    {
        if (meta.Hooks is { } hooks)
            foreach (var hook in hooks) g = hook(g) ?? g;
        if (_captured is not null && _captured.ContainsKey(meta)) _captured[meta] = g;
        else if (meta.RetainGrad && meta.Node is not null) meta.Grad = meta.Grad is { } old ? old + g : g;
        return g;
    }

    void Deliver(Node node, int output, Tensor g)
    {
        if (node.Leaf is not null)
        {
            var sink = _sinks[node];
            sink.Gradient = Sum(sink.Gradient, g);
            if (--sink.Pending == 0) Flush(node.Leaf, sink.Gradient);
            return;
        }
        node.Gradients ??= new Tensor?[node.Results.Length];
        node.Gradients[output] = Sum(node.Gradients[output], g);
    }

    Tensor Sum(Tensor? x, Tensor y)
    {
        if (x is null) return y;
        var sum = x + y;
        if (!_create) { x.Dispose(); y.Dispose(); }
        return sum;
    }

    void Skip(Node node)
    {
        if (node.Leaf is null) return;
        var sink = _sinks[node];
        if (--sink.Pending == 0 && sink.Gradient is { } g) Flush(node.Leaf, g);
    }

    // no gradient arrived, or none is wanted below: its operands get none from here
    void Starve(Node node)
    {
        foreach (var input in node.Inputs) if (input is not null) Skip(input);
        node.Gradients = null;
    }

    void Flush(AutogradMeta leaf, Tensor g)
    {
        if (leaf.Hooks is { } hooks)
            foreach (var hook in hooks) g = hook(g) ?? g;
        if (_captured is not null)
        {
            if (_captured.ContainsKey(leaf)) _captured[leaf] = g;
            return;
        }
        lock (leaf)
        {
            if (leaf.Grad is not { } old) leaf.Grad = _create ? g : Owned(g);
            else if (_create || old.Level is not null || g.Level is not null) leaf.Grad = old + g;
            else { old.Add_(g); g.Dispose(); }
        }
        if (leaf.AfterAccumulate is { } after)
            foreach (var action in after) action(leaf.Grad!);
    }

    // .Grad is the user's to write to: it must not share memory with another gradient
    static Tensor Owned(Tensor g)
    {
        if (g.Level is not null) return g;
        if (g.IsContiguous && g.Store is { Handles: 1, Tape: 0 }) return g;
        var copy = g.Clone();
        g.Dispose();
        return copy;
    }

    bool LeadsToCaptured(Node node)
    {
        foreach (var input in node.Inputs)
            if (input is not null && Leads(input)) return true;
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
            bool leads = n.Results.Any(_captured!.ContainsKey);
            if (!n.IsBoundary) foreach (var input in n.Inputs)
                leads |= input is not null && (input.Leaf is { } leaf ? _captured.ContainsKey(leaf) : found[input]);
            found[n] = leads;
        }
        return found;
    }

    static void CheckFinite(Node node, Tensor?[] given)
    {
        foreach (var g in given)
            if (g is { Level: null } && g.DType.IsFloatingPoint && g.IsNaN().Any().Item<bool>())
                throw Errors.Make("Backward", $"{node.Name} gave a gradient with NaN"
                    + (node.UserLine is { } line ? $"\n  {node.Name} was called at {line}" : ""), ("grad", g));
    }
}
