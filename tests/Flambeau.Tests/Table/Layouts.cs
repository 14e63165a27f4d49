namespace Flambeau.Tests.Table;

/// <summary>The same values laid out in other ways.</summary>
public static class Layouts
{
    public static IEnumerable<(string Name, Func<Tensor, Tensor> Relay)> All =>
    [
        ("every second element", EverySecond),
        ("first dim innermost", FirstDimInnermost),
        ("with an offset", WithOffset),
        ("every third row", EveryThirdRow),
    ];

    static Tensor EverySecond(Tensor x)
    {
        if (x.Rank == 0) return WithOffset(x);
        var sizes = x.Shape.ToArray();
        sizes[^1] *= 2;
        return Filled(Tensor.Zeros(Shape.Create(sizes), x.DType).Slice(-1, 0, null, 2), x);
    }

    static Tensor FirstDimInnermost(Tensor x) => x.Rank < 2 ? EverySecond(x) : Filled(Tensor.Zeros(Shape.Create(x.MoveDim(0, -1).Shape.AsSpan()), x.DType).MoveDim(-1, 0), x);

    static Tensor WithOffset(Tensor x) => Filled(Tensor.Zeros(Shape.Create([x.Numel + 3]), x.DType).Narrow(0, 3, x.Numel).View(x.Shape.AsSpan()), x);

    static Tensor EveryThirdRow(Tensor x)
    {
        if (x.Rank == 0) return x;
        var sizes = x.Shape.ToArray();
        sizes[0] *= 3;
        return Filled(Tensor.Zeros(Shape.Create(sizes), x.DType).Slice(0, 0, null, 3), x);
    }

    static Tensor Filled(Tensor view, Tensor x)
    {
        view.Copy_(x);
        return view;
    }
}
