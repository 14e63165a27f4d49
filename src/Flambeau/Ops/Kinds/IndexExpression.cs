using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>
/// What <c>x[…]</c> means. Numbers, slices and new axes make a view. What masks and index tensors select of the view comes down to one row number over the indexed dimensions together:
/// these are brought side by side, read as one dimension, and <see cref="IndexSelectOp"/> or <see cref="IndexCopyOp"/> does the rest.
/// </summary>
internal sealed class IndexExpression
{
    const string Op = "Index";
    readonly Tensor _x;
    readonly Tensor _view;
    // the index tensors, the dimensions of the view they index, and the dimensions of x that the program sees
    readonly List<Tensor> _indices = [];
    readonly List<int> _dims = [], _named = [];
    readonly Tensor? _onlyMask;

    public IndexExpression(Tensor x, ReadOnlySpan<TensorIndex> parts)
    {
        _x = x;
        int whole = x.Rank - Consumed(x, parts);
        var view = x;
        int dim = 0, named = 0, masks = 0;
        foreach (var part in parts)
            switch (part.Kind)
            {
                case TensorIndex.Part.Ellipsis:
                    dim += whole;
                    named += whole;
                    break;
                case TensorIndex.Part.NewAxis:
                    view = view.Unsqueeze(dim++);
                    break;
                case TensorIndex.Part.Slice:
                    view = view.Slice(dim++, part.Range.Start, part.Range.Stop, part.Range.Step);
                    named++;
                    break;
                case TensorIndex.Part.Number:
                    view = Select(view, dim, part.Number, named++);
                    break;
                case TensorIndex.Part.Truth:
                    view = view.Unsqueeze(dim);
                    Add(part.Number != 0 ? Tensor.Zeros(new Shape([1]), DType.Int64) : Tensor.Zeros(new Shape([0]), DType.Int64), dim++, named);
                    break;
                case TensorIndex.Part.Tensor when part.Tensor!.DType == DType.Bool:
                    var mask = part.Tensor;
                    if (mask.Rank == 0)
                    {
                        view = view.Unsqueeze(dim);
                        Add(mask.Reshape(1).Nonzero().Reshape(-1), dim++, named);
                        break;
                    }
                    CheckMask(mask, named);
                    masks++;
                    _onlyMask = mask;
                    var places = mask.NonzeroAsTuple();
                    for (int k = 0; k < places.Length; k++) Add(places[k], dim++, named++);
                    break;
                // as a number: a 0-dim index whose value can be read
                case TensorIndex.Part.Tensor when part.Tensor.Rank == 0 && part.Tensor.Level is null:
                    CheckPositions(part.Tensor);
                    view = Select(view, dim, part.Tensor.Item<long>(), named++);
                    break;
                default:
                    CheckPositions(part.Tensor!);
                    Add(part.Tensor!, dim++, named++);
                    break;
            }
        _view = view;
        if (masks != 1 || _indices.Count != _onlyMask!.Rank) _onlyMask = null;
    }

    void Add(Tensor index, int dim, int named)
    {
        _indices.Add(index);
        _dims.Add(dim);
        _named.Add(named);
    }

    // ---- checks ----

    static int Consumed(Tensor x, ReadOnlySpan<TensorIndex> parts)
    {
        int consumed = 0, ellipses = 0;
        foreach (var part in parts)
        {
            if (part.Kind == TensorIndex.Part.Tensor && part.Tensor is null) throw Errors.Make(Op, "an index tensor is null; a new dimension is TensorIndex.NewAxis", ("x", x));
            consumed += part.Kind switch
            {
                TensorIndex.Part.Number or TensorIndex.Part.Slice => 1,
                TensorIndex.Part.Tensor => part.Tensor!.DType == DType.Bool ? part.Tensor.Rank : 1,
                _ => 0,
            };
            if (part.Kind == TensorIndex.Part.Ellipsis && ++ellipses > 1) throw Errors.Make(Op, $"x[{Text(parts)}] has two ellipses, and what each stands for cannot be told", ("x", x));
        }
        if (consumed > x.Rank) throw Errors.Make(Op, $"x[{Text(parts)}] indexes {consumed} dims, the tensor has {x.Rank}", ("x", x));
        return consumed;
    }

    static string Text(ReadOnlySpan<TensorIndex> parts) => string.Join(", ", parts.ToArray().Select(p => p.ToString()));

    void CheckMask(Tensor mask, int named)
    {
        for (int k = 0; k < mask.Rank; k++)
            if (mask.Shape.Sizes[k] != _x.Shape.Sizes[named + k])
                throw Errors.Make(Op, $"a mask has the sizes of the dims it stands for, but its dim {k} has size {mask.Shape.Sizes[k]} and dim {named + k} of the tensor {_x.Shape.Sizes[named + k]}", ("x", _x), ("mask", mask));
    }

    void CheckPositions(Tensor index)
    {
        if (index.DType is not (DType.Int64 or DType.Int32)) throw Errors.Make(Op, $"an index tensor has type int64, int32 or bool (a mask), got {index.DType.Name}; cast it with Long()", ("x", _x), ("index", index));
    }

    Tensor Select(Tensor view, int dim, long position, int named)
    {
        long size = view.Shape.Sizes[dim];
        if (position < -size || position >= size) throw Errors.Make(Op, $"index {position} is out of range for dim {named} with size {size}: expected {-size} … {size - 1}", ("x", _x));
        return view.Select(dim, position);
    }

    // ---- index tensors ----

    bool IsView => _indices.Count == 0;

    /// <summary>The view with the indexed dimensions side by side from <paramref name="first"/> on: in place if adjacent, else brought to the front.</summary>
    Tensor SideBySide(out int first)
    {
        first = _dims[0];
        for (int k = 1; k < _dims.Count; k++) if (_dims[k] != _dims[k - 1] + 1) first = -1;
        if (first >= 0) return _view;
        first = 0;
        return _view.Permute([.. _dims, .. Enumerable.Range(0, _view.Rank).Where(d => !_dims.Contains(d))]);
    }

    /// <summary>Row numbers over the indexed dimensions together, of the shape that the indices broadcast to.</summary>
    Tensor Rows()
    {
        if (_onlyMask is { } mask) return mask.Reshape(-1).Nonzero().Reshape(-1);
        return new LinearIndexOp(Op, [.. _dims.Select(d => _view.Shape.Sizes[d])], [.. _named]).Apply([.. _indices]);
    }

    static long[] Merged(Tensor view, int first, int count)
    {
        long rows = 1;
        for (int d = first; d < first + count; d++) rows *= view.Shape.Sizes[d];
        return [.. view.Shape.Sizes[..first], rows, .. view.Shape.Sizes[(first + count)..]];
    }

    static Shape Put(Shape merged, int first, Shape rows) => new([.. merged.Sizes[..first], .. rows.Sizes, .. merged.Sizes[(first + 1)..]]);

    public Tensor Read()
    {
        if (IsView) return _view;
        var view = SideBySide(out int first);
        var merged = new Shape(Merged(view, first, _dims.Count));
        var rows = Rows();
        return new IndexSelectOp(first).Apply(view.Reshape(merged), rows.Reshape(-1)).Reshape(Put(merged, first, rows.Shape));
    }

    // ---- assignment ----

    public void Write(Tensor value)
    {
        ArgumentNullException.ThrowIfNull(value);
        if (IsView)
        {
            _view.Copy_(Fitting(value, _view.Shape));
            return;
        }
        if (_x.Level is not null || value.Level is not null || _indices.Any(i => i.Level is not null)) Lifting.InPlace(new IndexCopyOp(0), _x, [_x, value, .. _indices]);
        var view = SideBySide(out int first);
        var merged = new Shape(Merged(view, first, _dims.Count));
        var rows = Rows();
        var target = Put(merged, first, rows.Shape);
        var source = Shapes.ExpandTo(Fitting(value, target), target).To(_x.DType).Reshape(merged.With(first, rows.Numel));
        var positions = rows.Reshape(-1);
        // dims that do not merge into one without a copy: out of place, then written back
        if (ViewAsOp.TryStrides(view.Shape, view.Strides, merged) is null) view.Copy_(view.Reshape(merged).IndexCopy(first, positions, source).Reshape(view.Shape));
        else new IndexCopyOp(first).InPlace(view.Reshape(merged), positions, source);
    }

    // a value may have leading sizes 1 that the target has not
    Tensor Fitting(Tensor value, Shape target)
    {
        var fitting = value;
        while (fitting.Rank > target.Rank && fitting.Shape.Sizes[0] == 1) fitting = fitting.Squeeze(0);
        if (Shapes.TryBroadcast(fitting.Shape, target, out _) is not { } shape || !shape.Equals(target))
            throw Errors.Make(Op, $"the value's shape {value.Shape} does not broadcast to {target}, the shape of what is assigned to", ("x", _x), ("value", value));
        return fitting;
    }
}
