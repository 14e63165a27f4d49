using System.Numerics;
using Flambeau.Compile.Loops;
using Flambeau.Ops;

namespace Flambeau.Compile.Graphs;

/// <summary>
/// Cuts a graph that is not one pass over rows into several. A pass ends where a reduction needs all rows, or where rows would have to be other ones. From pass to pass go numbers that were reduced: whatever has as many elements as
/// the operands is computed again from them, which costs no more than storing and loading it. What fits no pass runs by itself.
/// </summary>
internal sealed class Staging
{
    readonly Trace _trace;
    readonly GraphNode[] _outputs;
    readonly GraphNode[] _wanted;                     // these, and what products take
    readonly Dictionary<GraphNode, int> _places;      // of what is given or computed
    readonly Dictionary<GraphNode, GraphNode> _inRuns = [];
    readonly Dictionary<int, int> _bits = [];         // of axes
    readonly List<long> _sizes = [];                  // of axes, by bit
    readonly List<Stage> _stages = [];
    int _count;                                       // of places

    /// <summary>Which axes are columns, and which of the others reductions over rows go over.</summary>
    readonly record struct Cut(ulong All, ulong Columns, ulong Over)
    {
        public ulong Rows => All & ~Columns;
    }

    Staging(Trace trace, GraphNode[] outputs, Dictionary<GraphNode, int> given)
    {
        (_trace, _places, _count) = (trace, new(given), given.Values.Max() + 1);
        _outputs = Array.ConvertAll(outputs, InRuns);
        _wanted = [.. _outputs, .. Cone(_outputs).Where(n => n.Step is Step.Product && !IsDone(n)).SelectMany(n => n.Operands).Distinct()];
    }

    /// <summary>The stages in order, and the places where they leave <paramref name="outputs"/>.</summary>
    /// <exception cref="NotTraceableException">Only operator by operator is the graph computed.</exception>
    public static (Stage[] Stages, int[] Places, int Count) Of(Trace trace, GraphNode[] outputs, Dictionary<GraphNode, int> given)
    {
        var staging = new Staging(trace, outputs, given);
        while (!Array.TrueForAll(staging._outputs, staging.IsDone)) staging.Next();
        staging.Turn();
        staging.FollowProducts();
        return ([.. staging._stages], Array.ConvertAll(staging._outputs, o => staging._places[o]), staging._count);
    }

    bool IsDone(GraphNode node) => _places.ContainsKey(node);

    GraphNode InRuns(GraphNode node)
    {
        if (IsDone(node) || node.Operands.Length == 0) return node;
        if (_inRuns.TryGetValue(node, out var known)) return known;
        var operands = Array.ConvertAll(node.Operands, InRuns);
        var now = operands.AsSpan().SequenceEqual(node.Operands) ? node : _trace.With(node, operands);
        return _inRuns[node] = now.Step is Step.Fold ? _trace.InRuns(now) : now;
    }

    void Next()
    {
        var rest = Cone(_outputs.Where(o => !IsDone(o)));
        var ranked = rest.Select(CutOf).OfType<Cut>().Distinct().Select(cut => Reached(cut, rest)).Where(r => r.Worth > 0).OrderByDescending(r => r.Worth);
        if (ranked.Any(reach => TryPass(Targets(reach), reach.Cut))) return;
        if (rest.Find(n => !IsDone(n) && n.Step is not (Step.Map or Step.Cast or Step.Relabel or Step.Number or Step.Draw)) is { } stubborn) Alone(stubborn);
        else Pointwise([.. _outputs.Where(o => !IsDone(o))]);
    }

    // what these nodes need that is not there, and what of it is there, operands first
    List<GraphNode> Cone(IEnumerable<GraphNode> of)
    {
        var seen = new HashSet<GraphNode>();
        foreach (var node in of) Visit(node);
        return [.. seen.OrderBy(n => n.Id)];

        void Visit(GraphNode node)
        {
            if (seen.Add(node) && !IsDone(node)) foreach (var operand in node.Operands) Visit(operand);
        }
    }

    // ---- axes ----

    ulong Bit(GraphNode node, int dim)
    {
        if (node.Axes[dim] < 0) return 0;
        int axis = _trace.Axis(node.Axes[dim]);
        if (!_bits.TryGetValue(axis, out int bit))
        {
            _bits[axis] = bit = _bits.Count < 64 ? _bits.Count : throw new NotTraceableException("more than 64 loop axes");
            _sizes.Add(node.Shape.Sizes[dim]);
        }
        return 1UL << bit;
    }

    ulong Mask(GraphNode node) => Mask(node, 0, node.Axes.Length);

    ulong Mask(GraphNode node, int from, int to)
    {
        ulong mask = 0;
        for (int dim = from; dim < to; dim++) mask |= Bit(node, dim);
        return mask;
    }

    long Product(ulong mask)
    {
        long product = 1;
        for (; mask != 0; mask &= mask - 1) product *= _sizes[BitOperations.TrailingZeroCount(mask)];
        return product;
    }

    HashSet<int> AxesOf(ulong mask) => [.. _bits.Where(b => (mask >> b.Value & 1) != 0).Select(b => b.Key)];

    bool IsLong(Cut cut) => cut.Rows == 0 && Product(cut.All) > ReductionOp.RowChunk;

    // the pass that a node asks for
    Cut? CutOf(GraphNode node)
    {
        if (IsDone(node)) return null;
        switch (node.Step)
        {
            case Step.Fold({ Dims.Length: > 0 } op):
                var x = node.Operands[0];
                ulong all = Mask(x), folded = Mask(x, op.Dims[0], op.Dims[^1] + 1);
                return folded == 0 ? null : IsOfRow(node, op) ? new(all, folded, all & ~folded) : new(all, Mask(x, op.Dims[^1] + 1, x.Shape.Rank), folded);
            case Step.Take: return OfRows(node.Operands[0]);
            case Step.OneHot: return OfRows(node);
            default: return null;
        }
    }

    static bool IsOfRow(GraphNode node, ReductionOp op) => op.Dims[^1] == node.Operands[0].Shape.Rank - 1;

    Cut OfRows(GraphNode node)
    {
        ulong all = Mask(node), last = Bit(node, node.Shape.Rank - 1);
        return new(all, last, all & ~last);
    }

    // ---- passes ----

    /// <summary>What a pass can compute; true: only after all rows, for rows of a later one.</summary>
    sealed record Reach(Cut Cut, Dictionary<GraphNode, bool> Nodes, HashSet<GraphNode> Small, List<GraphNode> Outputs, int Worth);

    Reach Reached(Cut cut, List<GraphNode> rest)
    {
        var nodes = new Dictionary<GraphNode, bool>();
        var reduced = new HashSet<GraphNode>();
        int afterRows = 0, ofRows = 0;
        foreach (var node in rest)
        {
            if (When(node, cut, nodes) is not { } after) continue;
            nodes[node] = after;
            if (IsDone(node)) continue;
            bool reduces = node.Step is Step.Fold or Step.Take;
            if (reduces) _ = after ? afterRows++ : ofRows++;
            if (reduces || Array.Exists(node.Operands, reduced.Contains)) reduced.Add(node);
        }
        // a reduction of rows can wait for a pass that uses it, one over rows is why there is a pass
        var small = nodes.Where(n => n.Value || afterRows == 0 && reduced.Contains(n.Key) && Mask(n.Key) != cut.All).Select(n => n.Key).ToHashSet();
        List<GraphNode> outputs = IsLong(cut) ? [] : [.. _wanted.Where(o => !IsDone(o) && nodes.ContainsKey(o) && (small.Contains(o) || Mask(o) == cut.All)).Distinct()];
        return new(cut, nodes, small, outputs, (afterRows << 20) + (ofRows << 10) + outputs.Count);
    }

    // null: not in this pass
    bool? When(GraphNode node, Cut cut, Dictionary<GraphNode, bool> reached)
    {
        ulong mask = Mask(node);
        if ((mask & ~cut.All) != 0 || (mask & cut.Columns) != 0 && (mask & cut.Columns) != cut.Columns) return null;
        if (IsDone(node) || node.Step is Step.Number) return false;
        foreach (var operand in node.Operands) if (!reached.ContainsKey(operand)) return null;
        bool after = Array.Exists(node.Operands, o => reached[o]), isLong = IsLong(cut);
        switch (node.Step)
        {
            case Step.Map or Step.Cast or Step.Relabel:
                if (!after) return false;
                bool known = Array.TrueForAll(node.Operands, o => reached[o] || (Mask(o) & cut.Rows) == 0);
                return isLong || !known || (mask & cut.Over) != 0 ? null : true;
            case Step.Draw: return mask == cut.All && !isLong ? false : null;
            case Step.Fold(var op):
                if (after || CutOf(node) is not { } own || own.All != cut.All || own.Columns != cut.Columns) return null;
                return IsOfRow(node, op) ? isLong : own == cut ? true : null;
            case Step.Take: return after || isLong || OfRows(node.Operands[0]) is var row && (row.All != cut.All || row.Columns != cut.Columns) ? null : false;
            case Step.OneHot: return after || isLong || OfRows(node).Columns != cut.Columns ? null : false;
            default: return null;
        }
    }

    // what a pass yields: outputs, and reduced numbers that the rest needs
    List<GraphNode> Targets(Reach reach)
    {
        List<GraphNode> targets = [.. reach.Outputs];
        var seen = new HashSet<GraphNode>(targets);
        foreach (var output in _outputs) Visit(output);
        return targets;

        void Visit(GraphNode node)
        {
            if (!seen.Add(node) || IsDone(node)) return;
            var named = Unlabelled(node);
            if (!reach.Small.Contains(named)) foreach (var operand in node.Operands) Visit(operand);
            else if (named == node || seen.Add(named)) targets.Add(named);
        }
    }

    // the value itself, in whatever shape it is used
    static GraphNode Unlabelled(GraphNode node) => node.Step is Step.Relabel ? Unlabelled(node.Operands[0]) : node;

    bool TryPass(List<GraphNode> targets, Cut? cut)
    {
        try { Pass(targets, cut); }
        catch (NotTraceableException) { return false; }
        return true;
    }

    void Pass(List<GraphNode> targets, Cut? cut)
    {
        var read = Cone(targets).FindAll(IsDone);
        var given = new Dictionary<GraphNode, int>();
        foreach (var node in read) given[node] = given.Count;
        if (given.Count == 0) throw new NotTraceableException("a pass over nothing");
        var rows = cut is { } c ? new RowCut(AxesOf(c.Columns), AxesOf(c.Over)) : null;
        var program = new RowProgramBuilder(_trace, targets, given, rows).Build();
        Add(read, targets, (from, to) => cut is { } here && IsLong(here) ? new Stage.LongRow(from, to, program, [.. targets]) : new Stage.Pass(from, to, program));
    }

    void Add(List<GraphNode> read, List<GraphNode> targets, Func<int[], int[], Stage> stage)
    {
        _stages.Add(stage([.. read.Select(n => _places[n])], [.. Enumerable.Range(_count, targets.Count)]));
        foreach (var target in targets) _places[target] = _count++;
    }

    // a pass goes over a product's rows while they are in cache
    void FollowProducts()
    {
        for (int i = 0; i + 1 < _stages.Count; i++)
        {
            if (_stages[i] is not Stage.Alone product || _stages[i + 1] is not Stage.Pass pass || Stage.ProductPass.Of(product, pass) is not { } both) continue;
            _stages[i] = both;
            _stages.RemoveAt(i + 1);
        }
    }

    // large passes go to and fro, the last one forward: larger than the cache, what the next one reads first would else be gone
    void Turn()
    {
        long largest = _stages.Max(s => s.Elements);
        bool lastFirst = false;
        for (int i = _stages.Count - 1; i >= 0; i--)
        {
            if (_stages[i].Elements < largest) continue;
            _stages[i] = _stages[i] with { LastFirst = lastFirst };
            lastFirst = !lastFirst;
        }
    }

    // ---- without reductions ----

    void Pointwise(GraphNode[] wanted)
    {
        ulong largest = wanted.Select(Mask).MaxBy(Product);
        List<GraphNode> targets = [.. wanted.Where(n => Mask(n) == largest).Distinct()];
        if (largest != 0 && TryPass(targets, null)) return;
        foreach (var node in Cone(targets).Where(n => !IsDone(n)).ToList()) Alone(node); // single numbers, or rows in another order
    }

    void Alone(GraphNode node)
    {
        foreach (var operand in node.Operands)
            if (IsDone(operand)) continue;
            else if (operand.Step is Step.Relabel && IsDone(operand.Operands[0])) Alone(operand);
            else Pointwise([operand]);
        List<GraphNode> read = [.. node.Operands.Distinct()];
        Add(read, [node], (from, to) => new Stage.Alone(from, to, node));
    }
}
