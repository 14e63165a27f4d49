using System.Collections.Concurrent;
using System.Reflection;
using Flambeau.Compile.Graphs;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Compile;

/// <summary>
/// A composite as a program forward, and one backward that starts from its operands, its result and a few numbers a row; what lies between is computed again.
/// </summary>
internal sealed class Fused : ICompositeKernel
{
    const int MostKnown = 4096;

    static readonly ConcurrentDictionary<Key, Fused> s_known = [];

    /// <summary>Operands → result, then the statistics of rows that the backward pass needs; null if the composite has operators that no graph holds.</summary>
    public GraphProgram? Forward { get; private init; }

    /// <summary>Why <see cref="Forward"/> or <see cref="Backward"/> is missing.</summary>
    public string? Reason { get; private init; }

    /// <summary>The nodes of both, operands first.</summary>
    public IReadOnlyList<GraphNode> Graph { get; private init; } = [];

    /// <summary>Operands, result, statistics, gradient → the gradients of the operands that want one; null if no graph holds the gradient.</summary>
    public GraphProgram? Backward { get; private init; }

    /// <summary>False if no gradient flows through the result: it is detached, or no floating-point number.</summary>
    public bool IsDifferentiable { get; private init; }

    /// <summary>Which operands <see cref="Backward"/> gives a gradient, in order.</summary>
    public int[] Differentiated { get; private init; } = [];

    /// <summary>True if the backward pass reads the result.</summary>
    public bool SavesResult { get; private init; }

    /// <inheritdoc/>
    public bool HasPullback => Backward is not null;

    /// <inheritdoc/>
    public int Draws { get; private init; }

    /// <inheritdoc/>
    public int Beside { get; private init; }

    /// <inheritdoc/>
    public uint SavedOperands { get; private init; } = uint.MaxValue;

    /// <inheritdoc/>
    public Tensor[] Run(Tensor[] x, Draw first, bool record) => Diagnostics.Recording.Run(Forward!, x, first);

    /// <inheritdoc/>
    public void Pullback(Node node, Tensor[] x, Tensor? y, Tensor[] statistics, Draw first, Tensor g)
    {
        var gradients = Diagnostics.Recording.Run(Backward!, [.. x, y ?? x[0], .. statistics, g], first);
        for (int i = 0; i < gradients.Length; i++) node.Give(Differentiated[i], gradients[i]);
    }

    /// <summary>The programs of a composite for such operands.</summary>
    public static Fused Of(Func<Tensor[], Tensor> body, object attributes, Generator? generator, Tensor[] x, bool record)
    {
        var key = new Key(body.Method, attributes, x, record);
        if (s_known.TryGetValue(key, out var fused)) return fused;
        if (s_known.Count >= MostKnown) s_known.Clear();
        return s_known[key] = Make(body, generator, x, record);
    }

    static Fused Make(Func<Tensor[], Tensor> body, Generator? generator, Tensor[] x, bool record)
    {
        var trace = new Trace(generator);
        try
        {
            using var _ = Autograd.EnableGrad();
            var inputs = new Tensor[x.Length];
            for (int i = 0; i < x.Length; i++)
            {
                inputs[i] = trace.Input(i, x[i].Shape, x[i].DType);
                if (record && x[i].RequiresGrad) inputs[i].RequiresGrad = true;
            }
            var (y, beside) = Composite.Collect(() => trace.Run(body, [.. inputs]));
            var handed = Array.ConvertAll(beside, Trace.NodeOf);
            if (y.Level is null) throw new NotTraceableException("the result is computed from no operand");
            return y.RequiresGrad ? WithGradient(trace, inputs, y, handed) : new() { Graph = trace.Nodes, Draws = trace.Draws, Beside = handed.Length, Forward = new(trace, [Trace.NodeOf(y), .. handed], Given(inputs)) };
        }
        // also the errors of the operators themselves: operator by operator they are thrown with what the user gave
        catch (Exception e) when (e is NotTraceableException or FlambeauException)
        {
            return new() { Graph = trace.Nodes, Reason = e.Message };
        }
    }

    static Dictionary<GraphNode, int> Given(Tensor[] inputs)
    {
        var given = new Dictionary<GraphNode, int>();
        for (int i = 0; i < inputs.Length; i++) given[Trace.NodeOf(inputs[i])] = i;
        return given;
    }

    static Fused WithGradient(Trace trace, Tensor[] inputs, Tensor y, GraphNode[] handed)
    {
        int forward = trace.Nodes.Count;
        var result = Trace.NodeOf(y);
        try
        {
            var wanted = Array.FindAll(inputs, t => t.RequiresGrad);
            var g = trace.Input(inputs.Length, y.Shape, y.DType);
            var gradients = Autograd.Grad([y], wanted, [g], allowUnused: true);
            var outputs = new List<GraphNode>();
            var differentiated = new List<int>();
            for (int i = 0; i < wanted.Length; i++)
            {
                if (gradients[i] is not { } gradient) continue;
                outputs.Add(Trace.NodeOf(gradient));
                differentiated.Add(Array.IndexOf(inputs, wanted[i]));
            }
            uint read = Read(outputs);
            var rewriter = new Rewriter(trace, forward);
            for (int i = 0; i < outputs.Count; i++) outputs[i] = rewriter.Rewrite(outputs[i]);
            var saved = new Saves(result, forward);
            foreach (var output in outputs) saved.Visit(output);
            var given = Given(inputs);
            given[result] = inputs.Length;
            for (int i = 0; i < saved.Statistics.Count; i++) given[saved.Statistics[i]] = inputs.Length + 1 + i;
            given[Trace.NodeOf(g)] = inputs.Length + 1 + saved.Statistics.Count;
            return new()
            {
                Graph = trace.Nodes, Draws = trace.Draws, SavedOperands = read, Beside = handed.Length,
                Forward = new(trace, [result, .. saved.Statistics, .. handed], Given(inputs)),
                Backward = new(trace, [.. outputs], given), IsDifferentiable = true, Differentiated = [.. differentiated], SavesResult = saved.Result,
            };
        }
        catch (NotTraceableException e)
        {
            return new() { Graph = trace.Nodes, Draws = trace.Draws, Reason = $"backward: {e.Message}", Beside = handed.Length, Forward = new(trace, [result, .. handed], Given(inputs)), IsDifferentiable = true };
        }
    }

    // the operands that the gradients depend on, as bits
    static uint Read(IEnumerable<GraphNode> gradients)
    {
        uint read = 0;
        var seen = new HashSet<GraphNode>();
        foreach (var gradient in gradients) Visit(gradient);
        return read;

        void Visit(GraphNode node)
        {
            if (!seen.Add(node)) return;
            if (node.Step is Step.Input(var index and < Composite.MostOperands)) read |= 1u << index;
            foreach (var operand in node.Operands) Visit(operand);
        }
    }

    /// <summary>The graph and its programs as text.</summary>
    public override string ToString()
    {
        static string[] Text(string name, GraphProgram? program) => program is null ? [] : ["", $"{name}: {program}"];
        return string.Join('\n', [.. Graph.Select(n => n.ToString()), .. Text("forward", Forward), .. Text("backward", Backward), .. Reason is null ? [] : new[] { "", "no graph: " + Reason }]);
    }

    /// <summary>What a backward graph takes from the forward one: the result, and what was reduced. Everything else is computed again.</summary>
    sealed class Saves(GraphNode result, int forward)
    {
        readonly HashSet<GraphNode> _seen = [];
        readonly Dictionary<GraphNode, bool> _reduced = [];
        readonly Dictionary<GraphNode, long> _largest = [];

        public List<GraphNode> Statistics { get; } = [];
        public bool Result { get; private set; }

        public void Visit(GraphNode node)
        {
            if (!_seen.Add(node)) return;
            if (node == result) { Result = true; return; }
            if (node.Id < forward && node.Step is Step.Product) { Statistics.Add(node); return; }
            if (node.Id < forward && IsReduced(node) && (node.Shape.Count < result.Shape.Count || node.Shape.Count * Few < Largest(node))) { Statistics.Add(node); return; }
            foreach (var operand in node.Operands) Visit(operand);
        }

        const int Few = 16; // times what it was reduced from

        // what a node is computed from, at its largest
        long Largest(GraphNode node)
        {
            if (!_largest.TryGetValue(node, out long known)) _largest[node] = known = node.Operands.Select(Largest).Append(node.Shape.Count).Max();
            return known;
        }

        bool IsReduced(GraphNode node)
        {
            if (!_reduced.TryGetValue(node, out bool known)) _reduced[node] = known = node.Step is Step.Fold or Step.Product || Array.Exists(node.Operands, IsReduced);
            return known;
        }
    }

    /// <summary>What programs are known by: the body, its attributes, the type that operators are cast to, and of each operand shape, type and whether it wants a gradient.</summary>
    sealed class Key : IEquatable<Key>
    {
        readonly MethodInfo _body;
        readonly object _attributes;
        readonly long[] _operands;
        readonly int _hash;

        public Key(MethodInfo body, object attributes, Tensor[] x, bool record)
        {
            (_body, _attributes) = (body, attributes);
            int length = 1;
            foreach (var t in x) length += t.Rank + 1;
            _operands = new long[length];
            // inside a scope of Autocast a body has casts
            _operands[0] = Autocast.Type is { } type ? (long)type + 1 : 0;
            int at = 1;
            var hash = new HashCode();
            foreach (var t in x)
            {
                _operands[at++] = t.Rank << 16 | (int)t.DType << 8 | (record && t.RequiresGrad ? 1 : 0);
                foreach (long size in t.Shape.AsSpan()) _operands[at++] = size;
            }
            foreach (long part in _operands) hash.Add(part);
            hash.Add(body);
            hash.Add(attributes);
            _hash = hash.ToHashCode();
        }

        public bool Equals(Key? other) => other is not null && _hash == other._hash && _operands.AsSpan().SequenceEqual(other._operands) && _body.Equals(other._body) && _attributes.Equals(other._attributes);
        public override bool Equals(object? other) => Equals(other as Key);
        public override int GetHashCode() => _hash;
    }
}
