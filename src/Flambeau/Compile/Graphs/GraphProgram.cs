using Flambeau.Compile.Loops;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Compile.Graphs;

/// <summary>A graph with outputs, ready to run: as one pass over rows where it is one, else in stages, else operator by operator, always with the same bits.</summary>
internal sealed class GraphProgram
{
    readonly GraphNode[] _outputs, _order;
    readonly Dictionary<GraphNode, int> _given;
    readonly List<(int Source, SliceOp View)> _pieces = []; // of inputs, which are handed in after them
    readonly Stage[] _stages = [];
    readonly int[] _places = []; // of outputs among what is given and what the stages yield
    readonly int _values;        // how many those are

    /// <summary>The program that computes <paramref name="outputs"/> from the nodes in <paramref name="given"/>, which name their inputs.</summary>
    public GraphProgram(Trace trace, GraphNode[] outputs, Dictionary<GraphNode, int> given)
    {
        (_outputs, _given) = (outputs, WithPieces(trace, given));
        _order = InOrder(outputs, _given);
        try { Rows = RowProgram.Of(trace, outputs, _given); }
        catch (NotTraceableException e)
        {
            Reason = e.Message;
            try { (_stages, _places, _values) = Staging.Of(trace, outputs, _given); }
            catch (NotTraceableException again) { Reason = again.Message; }
        }
    }

    /// <summary>The pass over rows, if the graph is one.</summary>
    public RowProgram? Rows { get; }

    /// <summary>Why <see cref="Rows"/> is missing.</summary>
    public string? Reason { get; }

    /// <summary>How the graph runs, as text.</summary>
    public override string ToString() => Rows?.ToString() ?? (_stages.Length == 0 ? $"operator by operator: {Reason}"
        : string.Join('\n', [$"{_stages.Length} stages, as {Reason}", .. _stages.Select(s => s.ToString()), $"results v{string.Join(", v", _places)}"]));

    Dictionary<GraphNode, int> WithPieces(Trace trace, Dictionary<GraphNode, int> given)
    {
        int inputs = given.Values.Max() + 1;
        var all = new Dictionary<GraphNode, int>(given);
        foreach (var node in trace.Nodes)
        {
            if (node.Step is not Step.Piece(var start) || !given.TryGetValue(node.Operands[0], out int source)) continue;
            all[node] = inputs + _pieces.Count;
            _pieces.Add((source, new SliceOp(node.Shape.Rank - 1, start, node.Shape.Sizes[^1], 1)));
        }
        return all;
    }

    static GraphNode[] InOrder(GraphNode[] outputs, Dictionary<GraphNode, int> given)
    {
        var seen = new HashSet<GraphNode>();
        foreach (var output in outputs) Visit(output);
        return [.. seen.OrderBy(n => n.Id)];

        void Visit(GraphNode node)
        {
            if (seen.Add(node) && !given.ContainsKey(node)) foreach (var operand in node.Operands) Visit(operand);
        }
    }

    /// <summary>True if input <paramref name="index"/> is read.</summary>
    public bool Reads(int index) => Array.Exists(_order, n => _given.TryGetValue(n, out int given) && (given == index || n.Step is Step.Piece && _given[n.Operands[0]] == index));

    /// <summary>The outputs for operands of the shapes and types that the graph was traced with, and draws from <paramref name="first"/> on.</summary>
    public Tensor[] Run(Tensor[] x, Draw first)
    {
        if (_pieces.Count > 0) x = [.. x, .. _pieces.Select(p => p.View.Run([x[p.Source]]))];
        if (Settings.Fusion && Rows is { } rows) return RowRunner.Run(rows, x, first);
        using var _ = Autograd.NoGrad();
        if (Settings.Fusion && _stages.Length > 0) return RunStages(x, first);
        var values = new Dictionary<GraphNode, Tensor>();
        var lastUse = new Dictionary<GraphNode, GraphNode>();
        foreach (var node in _order) foreach (var operand in node.Operands) lastUse[operand] = node;
        foreach (var node in _order)
        {
            values[node] = _given.TryGetValue(node, out int index) ? x[index] : Compute(node, values, first);
            if (_given.ContainsKey(node)) continue;
            foreach (var operand in node.Operands) if (lastUse[operand] == node && Array.IndexOf(_outputs, operand) < 0) values.Remove(operand);
        }
        // an output may be a view of an operand or of another output
        return Array.ConvertAll(_outputs, o => _given.ContainsKey(o) || o.Step is Step.Relabel or Step.Number ? values[o].Clone() : values[o]);
    }

    Tensor[] RunStages(Tensor[] x, Draw first)
    {
        var values = new Tensor[_values];
        x.CopyTo(values, 0);
        foreach (var stage in _stages)
        {
            var results = stage.Run(Array.ConvertAll(stage.Sources, s => values[s]), first);
            for (int i = 0; i < results.Length; i++) values[stage.Results[i]] = results[i];
        }
        // what is given, or asked for twice, is copied
        var outputs = new Tensor[_places.Length];
        for (int i = 0; i < outputs.Length; i++) outputs[i] = _places[i] < x.Length || Array.IndexOf(_places, _places[i]) < i ? values[_places[i]].Clone() : values[_places[i]];
        for (int v = x.Length; v < values.Length; v++) if (Array.IndexOf(_places, v) < 0) values[v].Dispose();
        return outputs;
    }

    /// <summary>One node as an operator by itself.</summary>
    public static Tensor Compute(GraphNode node, Dictionary<GraphNode, Tensor> values, Draw first) => node.Step switch
    {
        Step.Number(var value) => Tensor.Full(node.Shape, value, node.Type),
        Step.Draw(var number) => new RandomOp(node.Shape, node.Type, first with { Number = first.Number + (ulong)number }, 0, 0).Run([]),
        Step.Map(var op, _) => op.Run(Array.ConvertAll(node.Operands, o => values[o])),
        Step.Fold(var op) => op.Run([values[node.Operands[0]]]),
        Step.Product(var op) => op.Run([values[node.Operands[0]], values[node.Operands[1]]]),
        Step.Take => new GatherOp(node.Shape.Rank - 1).Run([values[node.Operands[0]], values[node.Operands[1]]]),
        Step.OneHot => new ScatterSumOp(node.Shape.Rank - 1, node.Shape.Sizes[^1]).Run([values[node.Operands[0]], values[node.Operands[1]]]),
        Step.Cast => values[node.Operands[0]].To(node.Type),
        Step.Join => new CatOp(node.Shape.Rank - 1).Run(Array.ConvertAll(node.Operands, o => values[o])),
        Step.Pad(var start) => new ViewScatterOp(new SliceOp(node.Shape.Rank - 1, start, node.Operands[0].Shape.Sizes[^1], 1), node.Shape).Run([values[node.Operands[0]]]),
        Step.Relabel relabel => relabel.Of(values[node.Operands[0]], node.Shape),
        _ => throw new InvalidOperationException($"{node} was not given"),
    };
}
