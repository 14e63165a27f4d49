using Flambeau.Ops;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Compile.Graphs;

/// <summary>A tensor under <see cref="Trace"/>: a node of the graph.</summary>
internal sealed class Traced(Trace trace, GraphNode node) : Lifted(trace, Trace.Placeholder)
{
    public GraphNode Node => node;
    public override bool HoldsValue => false;
}

/// <summary>An operator, or a value it was given, that a graph of row programs has no place for (yet): it runs operator by operator.</summary>
internal sealed class NotTraceableException(string reason) : Exception(reason);

/// <summary>
/// Records operators as nodes of a graph instead of running them. Equal nodes are one. The tape works on traced tensors as on any others, so the gradient of a traced function is more nodes of the same graph.
/// </summary>
/// <param name="generator">What may be drawn from; null: nothing.</param>
internal sealed class Trace(Generator? generator) : Interpreter
{
    [ThreadStatic] static Trace? t_open;


    /// <summary>What a traced tensor stands for one level below: nothing that may be read.</summary>
    internal static readonly Tensor Placeholder = Tensor.Empty(Shape.Scalar, DType.Float32);

    readonly List<GraphNode> _nodes = [];
    readonly Dictionary<(object, DType, Shape, string), GraphNode> _known = [];
    readonly List<int> _axes = []; // union-find: an axis leads to another that it is one with, or to itself

    public override string Name => "a compiled composite";

    public IReadOnlyList<GraphNode> Nodes => _nodes;

    /// <summary>The trace that a body runs under on this thread. Draws have no operands that would tell.</summary>
    public static Trace? Open => t_open;

    /// <summary>How many draws a run of the body takes.</summary>
    public int Draws { get; private set; }

    /// <summary>The body's result.</summary>
    public Tensor Run(Func<Tensor[], Tensor> body, Tensor[] x)
    {
        var outer = t_open;
        t_open = this;
        try { return body(x); }
        finally { t_open = outer; }
    }

    /// <summary>Uniform numbers of a draw.</summary>
    public Tensor Draw(Shape shape, DType type, Generator from)
    {
        if (from != generator) throw new NotTraceableException("the body draws from a generator that the composite was not given");
        int[] axes = [.. shape.Sizes.Select(size => size == 1 ? -1 : NewAxis())];
        var drawn = Add(new Step.Draw(Draws++), [], shape, type == DType.Float64 ? type : DType.Float32, axes);
        return Lift(Cast(drawn, type));
    }

    /// <summary>A tensor that stands for input number <paramref name="index"/>.</summary>
    public Tensor Input(int index, Shape shape, DType type)
    {
        var axes = new int[shape.Rank];
        for (int i = 0; i < axes.Length; i++) axes[i] = shape.Sizes[i] == 1 ? -1 : NewAxis();
        return Lift(Add(new Step.Input(index), [], shape, type, axes));
    }

    public static GraphNode NodeOf(Tensor x) => ((Traced)x.Level!).Node;

    /// <summary>The one axis that stands for all that <paramref name="axis"/> was found to be one with.</summary>
    public int Axis(int axis)
    {
        while (axis >= 0 && _axes[axis] != axis) axis = _axes[axis];
        return axis;
    }

    public override Tensor Bind(Op op, ReadOnlySpan<Tensor> x)
    {
        var operands = new GraphNode[x.Length];
        for (int i = 0; i < x.Length; i++) operands[i] = ReferenceEquals(x[i].Level?.Interpreter, this) ? NodeOf(x[i]) : Number(op, x[i]);
        return Lift(op switch
        {
            ElementwiseOp map => Map(map, x, operands),
            ReductionOp fold => Fold(fold, operands[0]),
            ContractOp product => Product(product, x, operands),
            CastOp cast => Cast(operands[0], cast.Type),
            DetachOp => operands[0],
            PermuteOp permute => Permute(permute, operands[0]),
            ExpandOp expand => Expand(operands[0], ShapeOf(expand, x[0])),
            ViewAsOp view => Reshape(operands[0], ShapeOf(view, x[0])),
            ReshapeOp reshape => Reshape(operands[0], reshape.To),
            GatherOp gather when NamesOne(gather.Dim, operands[1]) => Take(operands[0], operands[1]),
            ScatterSumOp scatter when NamesOne(scatter.Dim, operands[0]) => OneHot(operands[0], operands[1], scatter.Size),
            SliceOp { IsRun: true } slice when slice.Dim == x[0].Rank - 1 => Piece(operands[0], slice.Start, slice.Length),
            ViewScatterOp { View: SliceOp { IsRun: true } slice } scatter when slice.Dim == scatter.Shape.Rank - 1 => Pad(operands[0], slice.Start, scatter.Shape),
            CatOp cat when cat.Dim == x[0].Rank - 1 => SideBySide(operands),
            _ => throw new NotTraceableException($"{op.Name} is not elementwise, a reduction, a product or a change of shape"),
        });
    }

    Tensor Lift(GraphNode node) => new(new Traced(this, node), node.Shape, node.Type);

    GraphNode Number(Op op, Tensor x)
    {
        if (x.Level is not null || x.Numel != 1) throw new NotTraceableException($"{op.Name} takes a tensor of {x.Shape} that is no operand of the composite");
        double value = x.ToArray<double>()[0];
        if (x.DType == DType.Int64 && Math.Abs(value) > 1L << 52) throw new NotTraceableException($"{op.Name} takes a whole number beyond 2^52");
        var axes = new int[x.Rank];
        Array.Fill(axes, -1);
        return Add(new Step.Number(value), [], x.Shape, x.DType, axes);
    }

    GraphNode Add(Step step, GraphNode[] operands, Shape shape, DType type, int[] axes)
    {
        var key = Key(step, operands, shape, type, axes);
        if (_known.TryGetValue(key, out var known)) return known;
        var node = new GraphNode(_nodes.Count, step, operands, shape, type, axes);
        _nodes.Add(node);
        return _known[key] = node;
    }

    static (object, DType, Shape, string) Key(Step step, GraphNode[] operands, Shape shape, DType type, int[] axes)
    {
        object what = step switch
        {
            Step.Map(var op, _) => op,
            Step.Fold(var fold) => (fold.GetType(), string.Join(',', fold.Dims)),
            Step.Relabel(var from) => (string.Join(',', from), string.Join(',', axes)),
            Step.Number(var value) => BitConverter.DoubleToInt64Bits(value),
            Step.OneHot => (nameof(Step.OneHot), axes[^1]),
            _ => step,
        };
        return (what, type, shape, string.Join(',', operands.Select(o => o.Id)));
    }

    GraphNode Cast(GraphNode x, DType type) => x.Type == type ? x : x.Step is Step.Number && type.IsFloatingPoint && x.Type != DType.Bool
        ? Add(new Step.Number(Rounded(((Step.Number)x.Step).Value, type)), [], x.Shape, type, x.Axes)
        : Add(new Step.Cast(), [x], x.Shape, type, x.Axes);

    static double Rounded(double value, DType type) => Tensor.Full(Shape.Scalar, value, type).Item<double>();

    GraphNode Map(ElementwiseOp op, ReadOnlySpan<Tensor> x, GraphNode[] operands)
    {
        if (op.IsInteger) throw new NotTraceableException($"{op.Name} works on whole numbers");
        var shape = op.ResultShape(x); // says which operands do not broadcast
        var (type, common) = op.Types(x);
        var compute = ElementwiseOp.ComputeType(common);
        if (!compute.IsFloatingPoint) throw new NotTraceableException($"{op.Name} is computed in whole numbers here");
        for (int k = 0; k < operands.Length; k++) operands[k] = Cast(op.IsFiner(k, x[k], common) ? Cast(operands[k], common) : operands[k], compute);
        var y = Arithmetic(op, compute, operands) is { } expanded && expanded.Shape.Equals(shape) ? expanded : Apply(op, compute, operands);
        return Cast(y, type);
    }

    /// <summary>An elementwise operator on nodes of the type that it computes in.</summary>
    public GraphNode Apply(ElementwiseOp op, DType compute, GraphNode[] operands)
    {
        // sums and products of the same two are one node
        if (operands.Length == 2 && operands[0].Id > operands[1].Id && (ReferenceEquals(op, BinaryOp<Add>.Instance) || ReferenceEquals(op, BinaryOp<Mul>.Instance))) operands = [operands[1], operands[0]];
        var (shape, axes) = Broadcast(operands);
        return Add(new Step.Map(op, compute), operands, shape, op.Kernel.YieldsMask ? DType.Bool : compute, axes);
    }

    /// <summary>The node of <paramref name="op"/> on these operands, if there is one.</summary>
    public GraphNode? Find(ElementwiseOp op, params GraphNode[] operands)
    {
        var (shape, axes) = Broadcast(operands);
        return _known.GetValueOrDefault(Key(new Step.Map(op, operands[0].Type), operands, shape, operands[0].Type, axes));
    }

    /// <summary><paramref name="node"/> with other operands, of the same shapes but for what elementwise operators expand.</summary>
    public GraphNode With(GraphNode node, GraphNode[] operands) => node.Step is Step.Map(var op, var compute) ? Apply(op, compute, operands) : Add(node.Step, operands, node.Shape, node.Type, node.Axes);

    (Shape Shape, int[] Axes) Broadcast(GraphNode[] operands)
    {
        var shape = operands[0].Shape;
        foreach (var operand in operands) shape = Shapes.TryBroadcast(shape, operand.Shape, out _) ?? throw new InvalidOperationException($"{shape} and {operand.Shape} do not broadcast");
        var axes = new int[shape.Rank];
        Array.Fill(axes, -1);
        foreach (var operand in operands)
            for (int i = 1; i <= operand.Shape.Rank; i++)
                if (operand.Axes[^i] >= 0) axes[^i] = axes[^i] < 0 ? operand.Axes[^i] : Join(axes[^i], operand.Axes[^i]);
        return (shape, axes);
    }

    // A body of the four operations alone becomes those operations, which the algebra on gradients knows; the same bits, since nothing is rounded in between.
    GraphNode? Arithmetic(ElementwiseOp op, DType compute, GraphNode[] operands)
    {
        var body = op.Expression;
        if (body.Op is Opcode.Input or Opcode.Constant || !Expr.InOrder(body).TrueForAll(e => e.Op is Opcode.Input or Opcode.Constant || Operation(e.Op) is not null)) return null;
        var nodes = new Dictionary<Expr, GraphNode>();
        foreach (var e in Expr.InOrder(body))
            nodes[e] = e.Op switch
            {
                Opcode.Input => operands[e.Index],
                Opcode.Constant => Add(new Step.Number(Rounded(e.Value, compute)), [], Shape.Scalar, compute, []),
                _ => Apply(Operation(e.Op)!, compute, [.. e.Args.Select(a => nodes[a])]),
            };
        return nodes[body];
    }

    static ElementwiseOp? Operation(Opcode op) => op switch
    {
        Opcode.Add => BinaryOp<Add>.Instance,
        Opcode.Subtract => BinaryOp<Sub>.Instance,
        Opcode.Multiply => BinaryOp<Mul>.Instance,
        Opcode.Divide => BinaryOp<Div>.Instance,
        Opcode.Negate => UnaryOp<Neg>.Instance,
        _ => null,
    };

    GraphNode Fold(ReductionOp op, GraphNode x)
    {
        if (!x.Type.IsFloatingPoint) throw new NotTraceableException($"{op.Name} of {x.Type.Name}");
        var compute = ElementwiseOp.ComputeType(x.Type);
        var axes = new List<int>();
        for (int i = 0; i < x.Shape.Rank; i++)
            if (Array.IndexOf(op.Dims, i) < 0) axes.Add(x.Axes[i]);
            else if (op.KeepDim) axes.Add(-1);
        var y = Add(new Step.Fold(op), [Cast(x, compute)], Shapes.Reduced(x.Shape, op.Dims, op.KeepDim), compute, [.. axes]);
        return Cast(y, x.Type);
    }

    /// <summary>A fold as folds over one run of adjacent dimensions each, innermost first: the order that it has itself.</summary>
    public GraphNode InRuns(GraphNode fold)
    {
        var (op, x) = (((Step.Fold)fold.Step).Op, fold.Operands[0]);
        ReadOnlySpan<int> dims = op.Dims;
        if (dims.Length == 0 || dims[^1] - dims[0] == dims.Length - 1) return fold;
        while (dims.Length > 0)
        {
            int first = dims.Length - 1;
            while (first > 0 && dims[first - 1] == dims[first] - 1) first--;
            x = Fold(op.Over(dims[first..].ToArray(), keepDim: true), x);
            dims = dims[..first];
        }
        int[] kept = [.. Enumerable.Range(0, x.Shape.Rank).Where(d => op.KeepDim || Array.IndexOf(op.Dims, d) < 0)];
        return op.KeepDim ? x : Add(new Step.Relabel(kept), [x], fold.Shape, fold.Type, fold.Axes);
    }

    GraphNode Product(ContractOp op, ReadOnlySpan<Tensor> x, GraphNode[] operands)
    {
        var type = operands[0].Type;
        if (!type.IsFloatingPoint || operands[1].Type != type) throw new NotTraceableException($"{op.Name} of {type.Name} and {operands[1].Type.Name}");
        var shape = op.ShapeOf(x[0], x[1]);
        // dimensions in another order are other labels, and no copy
        for (int k = 0; k < 2; k++)
            while (operands[k].Step is Step.Relabel { From: var from } && from.Length == operands[k].Operands[0].Shape.Rank && from.Order().SequenceEqual(Enumerable.Range(0, from.Length)))
                (op, operands[k]) = (op.Of(k, from), operands[k].Operands[0]);
        return Add(new Step.Product(op), operands, shape, type, [.. shape.Sizes.Select(size => size == 1 ? -1 : NewAxis())]);
    }

    // an index of one number a row
    static bool NamesOne(int dim, GraphNode index) => index.Type == DType.Int64 && dim == index.Shape.Rank - 1 && index.Shape.Sizes[^1] == 1;

    // exact, and less work: what is elementwise is done to the taken element alone
    GraphNode Take(GraphNode x, GraphNode index)
    {
        long columns = x.Shape.Sizes[^1];
        if (x.Step is Step.Cast) return Cast(Take(x.Operands[0], index), x.Type);
        if (x.Step is Step.Map(var op, var compute) && Array.TrueForAll(x.Operands, o => o.Shape.Equals(x.Shape) || o.Shape.Rank == 0 || o.Shape.Sizes[^1] == 1 && o.Shape.Rank == x.Shape.Rank))
        {
            var taken = Array.ConvertAll(x.Operands, o => o.Shape.Rank > 0 && o.Shape.Sizes[^1] == columns && columns > 1 ? Take(o, index) : o);
            return Apply(op, compute, taken);
        }
        return Add(new Step.Take(), [x, index], index.Shape, x.Type, [.. index.Axes[..^1], -1]);
    }

    readonly Dictionary<(Shape, long), int> _oneHotAxes = [];

    GraphNode OneHot(GraphNode index, GraphNode x, long columns)
    {
        if (!x.Type.IsFloatingPoint) throw new NotTraceableException($"ScatterSum of {x.Type.Name}");
        var shape = index.Shape.With(index.Shape.Rank - 1, columns);
        if (!_oneHotAxes.TryGetValue((shape, columns), out int axis)) _oneHotAxes[(shape, columns)] = axis = columns == 1 ? -1 : NewAxis();
        return Add(new Step.OneHot(), [index, x], shape, x.Type, [.. index.Axes[..^1], axis]);
    }

    // what is elementwise is done to the piece alone
    GraphNode Piece(GraphNode x, long start, long length)
    {
        long columns = x.Shape.Sizes[^1];
        if (start == 0 && length == columns) return x;
        var shape = x.Shape.With(x.Shape.Rank - 1, length);
        switch (x.Step)
        {
            case Step.Input: return Add(new Step.Piece(start), [x], shape, x.Type, [.. x.Axes[..^1], length == 1 ? -1 : NewAxis()]);
            case Step.Cast: return Cast(Piece(x.Operands[0], start, length), x.Type);
            case Step.Map(var op, var compute):
                return Apply(op, compute, Array.ConvertAll(x.Operands, o => o.Shape.Rank > 0 && o.Shape.Sizes[^1] == columns && columns > 1 ? Piece(o, start, length) : o));
            default: throw new NotTraceableException($"a piece of {x}");
        }
    }

    GraphNode Pad(GraphNode x, long start, Shape to) => Add(new Step.Pad(start), [x], to, x.Type, [.. x.Axes[..^1], NewAxis()]);

    /// <summary>Nodes of one type side by side along the last dimension.</summary>
    /// <exception cref="NotTraceableException">Their types or other dimensions differ.</exception>
    public GraphNode SideBySide(GraphNode[] x)
    {
        long columns = 0;
        int[] axes = (int[])x[0].Axes.Clone();
        foreach (var part in x)
        {
            if (part.Type != x[0].Type || part.Shape.Rank != x[0].Shape.Rank || !part.Shape.Sizes.AsSpan(0, axes.Length - 1).SequenceEqual(x[0].Shape.Sizes.AsSpan(0, axes.Length - 1)))
                throw new NotTraceableException($"{part} beside {x[0]}");
            columns += part.Shape.Sizes[^1];
            for (int i = 0; i < axes.Length - 1; i++)
                if (part.Axes[i] >= 0) axes[i] = axes[i] < 0 ? part.Axes[i] : Join(axes[i], part.Axes[i]);
        }
        axes[^1] = columns == 1 ? -1 : NewAxis();
        return Add(new Step.Join(), x, x[0].Shape.With(axes.Length - 1, columns), x[0].Type, axes);
    }

    GraphNode Permute(PermuteOp op, GraphNode x)
    {
        // strides that name the dims tell where each went
        var to = op.Map(new(x.Shape, [.. Enumerable.Range(0, x.Shape.Rank).Select(i => (long)i)], 0));
        return Add(new Step.Relabel([.. to.Strides.Select(d => (int)d)]), [x], to.Shape, x.Type, [.. to.Strides.Select(d => x.Axes[d])]);
    }

    GraphNode Expand(GraphNode x, Shape to)
    {
        int[] axes = new int[to.Rank], from = new int[to.Rank];
        for (int i = 1; i <= to.Rank; i++)
        {
            from[^i] = x.Shape.Rank - i;
            int axis = i <= x.Shape.Rank ? x.Axes[^i] : -1;
            axes[^i] = axis < 0 && to.Sizes[^i] != 1 ? NewAxis() : axis;
        }
        for (int i = 0; i < from.Length; i++) from[i] = Math.Max(from[i], -1);
        return Add(new Step.Relabel(from), [x], to, x.Type, axes);
    }

    // only dims of size 1 may come and go: anything else would cut an axis in pieces
    GraphNode Reshape(GraphNode x, Shape to)
    {
        int[] axes = new int[to.Rank], dims = new int[to.Rank];
        int from = 0;
        for (int i = 0; i < axes.Length; i++)
        {
            (axes[i], dims[i]) = (-1, -1);
            if (to.Sizes[i] == 1) continue;
            while (from < x.Shape.Rank && x.Shape.Sizes[from] == 1) from++;
            if (from == x.Shape.Rank || x.Shape.Sizes[from] != to.Sizes[i]) throw new NotTraceableException($"a reshape from {x.Shape} to {to} cuts or joins dimensions");
            (axes[i], dims[i]) = (x.Axes[from], from++);
        }
        return Add(new Step.Relabel(dims), [x], to, x.Type, axes);
    }

    static Shape ShapeOf(ViewOp op, Tensor x) => op.Map(new(x.Shape, x.Shape.ContiguousStrides, 0)).Shape;

    int NewAxis()
    {
        _axes.Add(_axes.Count);
        return _axes.Count - 1;
    }

    int Join(int x, int y)
    {
        (x, y) = (Axis(x), Axis(y));
        int first = Math.Min(x, y);
        _axes[Math.Max(x, y)] = first;
        return first;
    }
}
