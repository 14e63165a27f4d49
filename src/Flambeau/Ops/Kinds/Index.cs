using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>Where a tensor's elements lie: what a view maps to another such.</summary>
internal readonly record struct Layout(Shape Shape, long[] Strides, long Offset);

/// <summary>
/// A view: a map of layouts, and nothing is copied. The kind owns aliasing, the tape's chain for in-place writes, forward mode and the gradient; a view states its map, its adjoint and
/// the same map with the batch in front.
/// </summary>
internal abstract class ViewOp : MultilinearOp
{
    public abstract Layout Map(Layout x);

    /// <summary>The adjoint: what of a gradient of the view belongs to each element of the viewed, of shape <paramref name="shape"/>.</summary>
    protected abstract Tensor Adjoint(Tensor g, Shape shape);

    /// <summary>True if the view shows some of the elements, each once: the adjoint puts zeros elsewhere.</summary>
    public virtual bool IsPart => false;

    /// <summary>This view behind one more leading dimension of the given size.</summary>
    public abstract ViewOp ShiftedBy(long size);

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var source = x[0];
        var to = Map(new(source.Shape, source.Strides, source.Offset));
        return new(source.Store!, to.Shape, to.Strides, to.Offset, source.DType) { View = ViewOf.Of(source, this) };
    }

    public override void Pullback(Node node, Tensor g) => node.Give(0, Adjoint(g, node.InputShapes[0]));

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => ShiftedBy(size).Apply(x[0]);

    /// <summary>Zeros of the viewed's shape with the gradient at the viewed places.</summary>
    protected Tensor ScatterInto(Tensor g, Shape shape) => new ViewScatterOp(this, shape).Apply(g);
}

/// <summary>The adjoint of a view that picks distinct elements: zeros elsewhere. Its own adjoint is the view.</summary>
internal sealed class ViewScatterOp(ViewOp view, Shape shape) : MultilinearOp
{
    public ViewOp View => view;
    public Shape Shape => shape;
    public override string Name => view.Name + "Backward";

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        var y = Tensor.Zeros(shape, x[0].DType);
        var to = view.Map(new(y.Shape, y.Strides, 0));
        Copy.Into(new Tensor(y.Store!, to.Shape, to.Strides, to.Offset, y.DType), x[0]);
        return y;
    }

    public override void Pullback(Node node, Tensor g) => node.Give(0, view.Apply(g));

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) =>
        new ViewScatterOp(view.ShiftedBy(size), shape.Insert(0, size)).Apply(x[0]);
}

/// <summary>The base after a write through a view: (base, written) → base with the written elements at the view's places. Linear in both operands together.</summary>
internal sealed class ViewWriteOp(ViewOp[] chain) : Op
{
    public override string Name => "ViewWrite";

    Tensor Follow(Tensor x)
    {
        foreach (var view in chain) x = view.Apply(x);
        return x;
    }

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        using var _ = Autograd.NoGrad();
        var y = x[0].Clone();
        Copy.Into(Follow(y), x[1]);
        return y;
    }

    public override void Pullback(Node node, Tensor g)
    {
        var written = Follow(g);
        if (node.Needs(1)) node.Give(1, written);
        if (node.Needs(0)) node.Give(0, Apply(g, Tensor.ZerosLike(written)));
    }

    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Apply(t[0] ?? Tensor.ZerosLike(x[0]), t[1] ?? Tensor.ZerosLike(x[1]));

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) =>
        new ViewWriteOp([.. chain.Select(v => v.ShiftedBy(size))]).Apply(Batching.Ensure(x[0], batched[0], size), Batching.Ensure(x[1], batched[1], size));
}
