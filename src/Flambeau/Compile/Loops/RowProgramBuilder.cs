using System.Numerics;
using Flambeau.Compile.Graphs;
using Flambeau.Ops;

namespace Flambeau.Compile.Loops;

/// <summary>Which axes are columns, and which of the others reductions over rows go over.</summary>
internal sealed record RowCut(IReadOnlySet<int> Columns, IReadOnlySet<int> Over);

/// <summary>Cuts a graph's axes into rows and columns and lays its nodes out as a <see cref="RowProgram"/>.</summary>
internal sealed class RowProgramBuilder
{
    readonly Trace _trace;
    readonly IReadOnlyList<GraphNode> _results;     // what is asked for
    readonly List<GraphNode> _outputs = [];         // what is computed: results, or what stands side by side in one
    readonly List<(int Result, long Start)> _places = []; // of outputs
    readonly Dictionary<int, RowDims> _inputDims = [];
    readonly IReadOnlyDictionary<GraphNode, int> _given; // nodes whose values are handed in, and as which input
    readonly List<GraphNode> _nodes = [];           // what the outputs need, operands first
    readonly List<int> _order = [];                 // axes, outermost first
    readonly Dictionary<int, long> _sizes = [];     // of axes
    readonly RowCut? _cut;                          // null: to be found
    ulong _all, _columns, _rows, _over;             // bit i: axis _order[i]
    (long Start, long Rows, long Length)? _pieces;  // a row of everything that is cut in pieces: where they begin, how many there are, and how long

    readonly List<RowValue> _values = [];
    readonly List<Phase> _phases = [];              // of values
    readonly List<Instruction>[] _code = [[], [], []];
    readonly List<double> _constants = [];
    readonly Dictionary<GraphNode, int> _valueOf = [];
    int _rowSlots, _shared;

    public RowProgramBuilder(Trace trace, IReadOnlyList<GraphNode> outputs, IReadOnlyDictionary<GraphNode, int> given, RowCut? cut = null)
    {
        (_trace, _results, _given, _cut) = (trace, outputs, given, cut);
        for (int i = 0; i < outputs.Count; i++)
        {
            long start = 0;
            foreach (var part in outputs[i].Step is Step.Join && !given.ContainsKey(outputs[i]) ? outputs[i].Operands : [outputs[i]])
            {
                _outputs.Add(part);
                _places.Add((i, start));
                start += part.Shape.Sizes.Length > 0 ? part.Shape.Sizes[^1] : 1;
            }
        }
    }

    bool HasPieces => _outputs.Count > _results.Count || _nodes.Exists(n => n.Step is Step.Piece);

    public RowProgram Build()
    {
        Collect();
        OrderAxes();
        CutAxes();
        foreach (var node in _nodes) _valueOf[node] = ValueOf(node);
        for (int i = 0; i < _outputs.Count; i++) Output(i);
        int slots = AssignSlots();
        return new()
        {
            RowSizes = _pieces is { Rows: var pieces } ? [pieces] : [.. _order.Where((_, i) => (_rows >> i & 1) != 0).Select(a => _sizes[a])],
            Rows = _pieces?.Rows ?? Product(_rows), Columns = _pieces?.Length ?? Product(_columns), Groups = Product(_rows & ~_over), Values = [.. _values],
            Before = [.. _code[0]], Body = [.. _code[1]], After = [.. _code[2]],
            Results = [.. _results.Select(r => (Mask(r) == 0 && _pieces is { } p ? Shape.Of([(Product(_all) + p.Length - 1) / p.Length]) : r.Shape, r.Type))], Outputs = [.. _places],
            Reads = [.. Enumerable.Range(0, _given.Values.Max() + 1).Select(i => _nodes.Exists(n => _given.TryGetValue(n, out int index) && index == i))],
            InputDims = [.. Enumerable.Range(0, _given.Values.Max() + 1).Select(_inputDims.GetValueOrDefault)],
            ResultDims = [.. Enumerable.Range(0, _results.Count).Select(r => DimsOf(_outputs[_places.FindIndex(p => p.Result == r)]))],
            Constants = [.. _constants], Start = _pieces?.Start ?? 0, Rest = RestOf(), IsCut = _pieces is not null, Slots = slots, RowSlots = _rowSlots, SharedColumns = _shared,
            Draws = _code[1].OfType<Instruction.Draw>().Select(d => d.Number + 1).DefaultIfEmpty(0).Max(),
        };
    }

    void Collect()
    {
        var seen = new HashSet<GraphNode>();
        foreach (var output in _outputs) Visit(output);
        _nodes.Sort((x, y) => x.Id.CompareTo(y.Id));

        void Visit(GraphNode node)
        {
            if (!seen.Add(node)) return;
            if (!_given.ContainsKey(node)) foreach (var operand in node.Operands) Visit(operand);
            _nodes.Add(node);
        }
    }

    // ---- axes ----

    void OrderAxes()
    {
        foreach (var axis in _nodes.Select(AxesOf).MaxBy(a => a.Count)!) _order.Add(axis);
        if (_order.Count is 0 or > 60) throw new NotTraceableException($"{_order.Count} loop axes");
        _all = (1UL << _order.Count) - 1;
        foreach (var node in _nodes)
        {
            int last = -1;
            foreach (int axis in AxesOf(node))
            {
                int at = _order.IndexOf(axis);
                if (at <= last) throw new NotTraceableException($"{node} has its dimensions in another order than the rest");
                last = at;
            }
            for (int i = 0; i < node.Axes.Length; i++) if (node.Axes[i] >= 0) _sizes[_trace.Axis(node.Axes[i])] = node.Shape.Sizes[i];
        }
    }

    List<int> AxesOf(GraphNode node)
    {
        var axes = new List<int>();
        foreach (int axis in node.Axes) if (axis >= 0) axes.Add(_trace.Axis(axis));
        return axes;
    }

    ulong Mask(GraphNode node)
    {
        ulong mask = 0;
        foreach (int axis in AxesOf(node)) mask |= 1UL << _order.IndexOf(axis);
        return mask;
    }

    // the axes that a fold sums over
    ulong Folded(GraphNode node, ReductionOp op)
    {
        ulong mask = 0;
        foreach (int d in op.Dims)
            if (node.Operands[0].Axes[d] is >= 0 and var axis) mask |= 1UL << _order.IndexOf(_trace.Axis(axis));
        return mask != 0 ? mask : throw new NotTraceableException($"{node} reduces dimensions of size 1");
    }

    ulong LastAxis(GraphNode node) => node.Axes[^1] >= 0 ? 1UL << _order.IndexOf(_trace.Axis(node.Axes[^1])) : throw new NotTraceableException($"{node} is of one column");

    long Product(ulong mask)
    {
        long product = 1;
        for (int i = 0; i < _order.Count; i++) if ((mask >> i & 1) != 0) product *= _sizes[_order[i]];
        return product;
    }

    ulong MaskOf(IReadOnlySet<int> axes) => _order.Select((axis, i) => axes.Contains(axis) ? 1UL << i : 0).Aggregate(0UL, (a, b) => a | b);

    void CutAxes()
    {
        var folds = new List<ulong>();
        foreach (var node in _nodes)
        {
            if (_given.ContainsKey(node)) continue;
            if (node.Step is Step.Fold(var op)) folds.Add(Folded(node, op));
            else if (node.Step is Step.Take) folds.Add(LastAxis(node.Operands[0]));
            else if (node.Step is Step.OneHot) folds.Add(LastAxis(node));
        }
        bool Suffix(ulong mask) => BitOperations.IsPow2((_all & ~mask) + 1) && mask != 0;
        if (_cut is not null) _columns = MaskOf(_cut.Columns);
        else if (folds.Count == 0) _columns = LongestRow(Suffix);
        else if (folds.Find(f => f != _all && Suffix(f)) is not 0 and var row) _columns = row;
        else if (folds.Find(f => f != _all && Suffix(_all & ~f)) is not 0 and var column) _columns = _all & ~column;
        else _columns = _all;
        _rows = _all & ~_columns;
        _over = _cut is null ? _rows : MaskOf(_cut.Over);
        if (!Suffix(_columns)) throw new NotTraceableException("reductions are neither along the last dimensions nor over all others");
        foreach (ulong f in folds) if (f != _columns && f != _over) throw new NotTraceableException("reductions run over different sets of dimensions");
        foreach (var node in _nodes) if (!AllOrNone(node)) throw new NotTraceableException($"{node} varies over a part of a row's dimensions");
        if (_outputs.Count > _results.Count && !ColumnsAreWholeVectorsOfTheLastDimension()) throw new NotTraceableException("what stands side by side is no run of whole vectors of the last dimension");
        if (_rows == 0 && Product(_columns) > ReductionOp.RowChunk) CutLongRow(folds.Count > 0);
    }

    const long PieceLength = 4096; // of a long row in which nothing is reduced

    // One row of everything, where nothing waits for its sums: pieces of it are rows, and what is left over is a shorter one.
    void CutLongRow(bool reduces)
    {
        if (HasPieces || !_outputs.TrueForAll(o => reduces ? _cut is not null && o.Step is Step.Fold : Mask(o) == _all)) throw new NotTraceableException("one row of everything");
        long all = Product(_all), length = reduces ? ReductionOp.RowChunk : PieceLength;
        _pieces ??= (0, all / length, length);
    }

    // the same with what is left over as its only row
    RowProgram? RestOf()
    {
        if (_pieces is not { Start: 0 } pieces) return null;
        long rest = Product(_all) % pieces.Length;
        return rest == 0 ? null : new RowProgramBuilder(_trace, _results, _given, _cut) { _pieces = (pieces.Rows * pieces.Length, 1, rest) }.Build();
    }

    // the last vector of a piece would else reach into the next one
    bool ColumnsAreWholeVectorsOfTheLastDimension() => _columns == 1UL << _order.Count - 1 && Product(_columns) % RowProgram.MostLanes == 0
        && Enumerable.Range(0, _outputs.Count).All(i => _places.Count(p => p.Result == _places[i].Result) == 1 || _outputs[i].Axes[^1] is >= 0 and var axis && _trace.Axis(axis) == _order[^1]);

    bool AllOrNone(GraphNode node) => (Mask(node) & _columns) == 0 || (Mask(node) & _columns) == _columns;

    const long LeastColumns = 32; // of rows that are worth while

    // pointwise: rows as short as is still efficient, and more than one of them where one would be too long
    ulong LongestRow(Func<ulong, bool> suffix)
    {
        if (HasPieces) return 1UL << _order.Count - 1;
        ulong best = 0;
        for (int from = _order.Count - 1; from >= 0; from--)
        {
            _columns = _all >> from << from;
            if (!suffix(_columns) || !_nodes.TrueForAll(AllOrNone)) continue;
            if (Product(best) >= LeastColumns && Product(_columns) > ReductionOp.RowChunk) break;
            best = _columns;
            if (Product(best) >= 512) break;
        }
        return best;
    }

    // ---- values and instructions ----

    int ValueOf(GraphNode node)
    {
        if (_given.TryGetValue(node, out int index)) return Input(node, index);
        if (node.Step is Step.Piece or Step.Join or Step.Pad) throw new NotTraceableException($"{node} inside of the rows");
        switch (node.Step)
        {
            case Step.Number(var value):
                _constants.Add(value);
                return Add(Extent.Number, node.Type, Place.Constant, _constants.Count - 1, Phase.Before);
            case Step.Draw(var draw):
                if (Mask(node) != _all) throw new NotTraceableException($"{node} is smaller than the rows together");
                int drawn = Add(Extent.Full, node.Type, Phase.Rows);
                _code[1].Add(new Instruction.Draw(drawn, draw));
                return drawn;
            case Step.Relabel: return _valueOf[node.Operands[0]];
            case Step.Fold(var op): return Fold(node, op);
            case Step.Take:
                int row = Spread(_valueOf[node.Operands[0]], Extent.Full), which = Spread(_valueOf[node.Operands[1]], Extent.Row);
                int taken = Add(Extent.Row, node.Type, Phase.Rows);
                _code[1].Add(new Instruction.Take(taken, row, which));
                return taken;
            case Step.OneHot:
                int named = Spread(_valueOf[node.Operands[0]], Extent.Row), number = Spread(_valueOf[node.Operands[1]], Extent.Row);
                int hot = Add(Extent.Full, node.Type, Phase.Rows);
                _code[1].Add(new Instruction.OneHot(hot, named, number));
                return hot;
        }
        int[] operands = [.. node.Operands.Select(o => _valueOf[o])];
        var (extent, phase) = Join(operands);
        int result = Add(extent, node.Type, phase);
        _code[(int)phase].Add(node.Step is Step.Map(var map, var compute) ? new Instruction.Map(result, operands, map, compute) : new Instruction.Cast(result, operands[0]));
        return result;
    }

    int Add(Extent extent, DType type, Place place, int index, Phase phase)
    {
        _values.Add(new(extent, type, place, index));
        _phases.Add(phase);
        return _values.Count - 1;
    }

    // of a computed value
    int Add(Extent extent, DType type, Phase phase) => extent switch
    {
        Extent.Full => Add(extent, type, Place.Slot, -1, phase),
        Extent.Row => Add(extent, type, Place.RowSlot, _rowSlots++, phase),
        _ => Add(extent, type, Place.Shared, _shared++, phase),
    };

    (Extent, Phase) Join(int[] operands)
    {
        var extent = Extent.Number;
        var phase = Phase.Before;
        foreach (int v in operands)
        {
            extent |= _values[v].Extent; // Column and Row together are Full
            if (_values[v].Extent <= Extent.Column && _phases[v] > phase) phase = _phases[v];
        }
        if (extent <= Extent.Column) return (extent, phase);
        return phase == Phase.After ? throw new NotTraceableException("a sum over all rows is used by the rows again") : (extent, Phase.Rows);
    }

    int Input(GraphNode node, int index)
    {
        ulong mask = Mask(node);
        var extent = (mask & _columns) == 0 ? (mask == 0 ? Extent.Number : Extent.Row) : (mask & _rows) == 0 && _rows != 0 ? Extent.Column : Extent.Full;
        if (extent <= Extent.Column) return Add(extent, node.Type, Place.Input, index, Phase.Before);
        _inputDims[index] = DimsOf(node);
        if ((mask & _rows) == _rows || IsReadInPlace(mask)) return Add(extent, node.Type, Place.Input, index, Phase.Rows);
        int result = Add(extent, node.Type, Phase.Rows);
        _code[1].Add(new Instruction.Gather(result, index));
        return result;
    }

    /// <summary>From so many rows on that an input goes on as it began, it is read where it lies, although it varies over some of the rows' axes only.</summary>
    const long LongRun = 32;

    // numbers a row are read as vectors along the rows, so they are copied
    bool IsReadInPlace(ulong mask)
    {
        if ((mask & _columns) == 0 || Product(_columns) % RowProgram.MostLanes != 0) return false;
        int last = BitOperations.Log2(_rows);
        bool varies = (mask >> last & 1) != 0;
        long run = 1;
        for (int i = last; i >= 0 && (mask >> i & 1) != 0 == varies; i--) run *= _sizes[_order[i]];
        return run >= LongRun;
    }

    RowDims DimsOf(GraphNode node)
    {
        if (_pieces is not null) return Mask(node) == 0 ? new([0], []) : new([-1], [.. Enumerable.Range(0, node.Shape.Rank)]);
        List<int> rows = [], columns = [];
        for (int i = 0; i < _order.Count; i++)
        {
            int dim = Array.FindIndex(node.Axes, a => a >= 0 && _trace.Axis(a) == _order[i]);
            if ((_rows >> i & 1) != 0) rows.Add(dim);
            else if (dim >= 0) columns.Add(dim);
        }
        return new([.. rows], [.. columns]);
    }

    int Fold(GraphNode node, ReductionOp op)
    {
        var operand = node.Operands[0];
        bool alongRow = Folded(node, op) == _columns;
        // in the order of the eager reductions: trailing dims are a row, and leading ones are rows
        bool adjacent = op.Dims[^1] - op.Dims[0] == op.Dims.Length - 1;
        bool leads = operand.Shape.Sizes.AsSpan(0, op.Dims[0]).IndexOfAnyExcept(1) < 0 || _over != _rows;
        if (!adjacent || alongRow != (op.Dims[^1] == operand.Shape.Rank - 1) || !alongRow && !leads) throw new NotTraceableException($"{node} has an order of its own");
        int x = Spread(_valueOf[operand], Extent.Full);
        if (!alongRow && Product(_rows) == 1) throw new NotTraceableException("no rows to reduce");
        int result = alongRow ? Add(Extent.Row, node.Type, Phase.Rows) : Add(Extent.Column, node.Type, Phase.After);
        _code[1].Add(alongRow ? new Instruction.FoldRow(result, x, op) : new Instruction.FoldRows(result, x, op));
        return result;
    }

    int Spread(int value, Extent extent)
    {
        if (_values[value].Extent == extent) return value;
        if (_phases[value] == Phase.After) throw new NotTraceableException("a sum over all rows is used by the rows again");
        int result = Add(extent, _values[value].Type, Phase.Rows);
        _code[1].Add(new Instruction.Spread(result, value));
        return result;
    }

    // a result is computed in the output's own memory, if it is not there already
    void Output(int index)
    {
        var node = _outputs[index];
        ulong mask = Mask(node);
        var extent = mask == _all ? Extent.Full : mask == _rows ? Extent.Row : mask == (_all & ~_over) ? Extent.Column
            : throw new NotTraceableException($"output {node} has neither the rows nor the columns whole");
        int value = _valueOf[node];
        var (has, type, place, _) = _values[value];
        if (has > extent) throw new NotTraceableException($"output {node} varies over more than its dimensions");
        if (place is Place.Slot or Place.RowSlot && has == extent)
        {
            _values[value] = new(extent, type, Place.Output, index);
            return;
        }
        var phase = extent == Extent.Column ? Phase.After : Phase.Rows;
        if (phase == Phase.Rows && _phases[value] == Phase.After) throw new NotTraceableException("a sum over all rows is repeated for every row");
        int result = Add(extent, type, Place.Output, index, phase);
        _code[(int)phase].Add(new Instruction.Spread(result, value));
    }

    // ---- slots ----

    // a slot is free again after the last instruction that reads its value
    int AssignSlots()
    {
        var body = _code[1];
        var lastUse = new int[_values.Count];
        for (int i = 0; i < body.Count; i++) foreach (int v in body[i].Operands) lastUse[v] = i;
        var free = new Stack<int>();
        int slots = 0;
        for (int i = 0; i < body.Count; i++)
        {
            int result = body[i].Result;
            if (_values[result] is { Place: Place.Slot } value)
            {
                if (!free.TryPop(out int slot)) slot = slots++;
                _values[result] = value with { Index = slot };
            }
            foreach (int v in body[i].Operands.Distinct())
                if (lastUse[v] == i && _values[v] is { Place: Place.Slot, Index: >= 0 } done) free.Push(done.Index);
            if (lastUse[result] == 0 && _values[result] is { Place: Place.Slot } unused && !body.Exists(b => b.Operands.Contains(result))) free.Push(unused.Index);
        }
        return slots;
    }
}
