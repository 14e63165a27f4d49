using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

internal static partial class OperatorTable
{
    /// <summary>Rows by number: the tensor, positions along a dimension, and as many rows to write.</summary>
    private static Operator Rows(string name, Func<Ours, int, Ours, Ours, Ours> ours, Func<Theirs, int, Theirs, Theirs, Theirs> theirs, bool distinct = false) => new(name, d =>
    {
        var (type, shape) = (d.Type(), d.Chance(0.05) ? [] : d.Shape(1));
        var dim = d.Dim(shape.Length);
        var n = At(shape, dim);
        var index = d.Index([d.Next(0, 4)], n);
        if (distinct) index = index with { Shape = [Math.Min(n, index.Shape[0])], Values = [.. d.Order((int)n).Take((int)index.Shape[0]).Select(i => (double)i)] };
        var rows = shape.ToArray();
        if (dim >= -shape.Length && dim < shape.Length && shape.Length > 0) rows[dim < 0 ? dim + shape.Length : dim] = index.Shape[0];
        var source = d.Operand(d.Chance(0.97) ? type : d.Type(), rows);
        return new([d.Operand(type, shape), index, source], x => [ours(x[0], dim, x[1], x[2])], x => [theirs(x[0], dim, x[1], x[2])], new(4, 64), $"dim {dim}");
    });

    /// <summary>Positions of full rank along a dimension.</summary>
    private static Operator Places(string name, Func<Ours, int, Ours, Ours, Ours> ours, Func<Theirs, int, Theirs, Theirs, Theirs> theirs, bool distinct = false) => new(name, d =>
    {
        var (type, shape) = (d.Type(), d.Shape());
        var dim = d.Dim(shape.Length);
        var at = shape.Length == 0 ? 0 : dim < 0 ? dim + shape.Length : dim;
        var places = shape.Select((n, k) => k == at ? d.Next(0, (int)Math.Min(n + (distinct ? 0 : 2), 40)) : d.Chance(0.7) ? n : Math.Max(0, n - 1)).ToArray();
        if (d.Chance(0.02) && places.Length > 0 && d.Next(places.Length) is var wrong && (!distinct || wrong != at)) places[wrong] += 3;
        var index = d.Index(places, At(shape, dim));
        // places written twice leave either value: every line along the dimension counts on from another start
        if (distinct && at >= 0 && at < shape.Length && Count(places) > 0) index = index with { Values = Counting(places, at, shape[at], d.Next(5)) };
        var source = d.Operand(d.Chance(0.97) ? type : d.Type(), places);
        return new([d.Operand(type, shape), index, source], x => [ours(x[0], dim, x[1], x[2])], x => [theirs(x[0], dim, x[1], x[2])], new(8, 64), $"dim {dim}");
    });

    private static double[] Counting(long[] shape, int dim, long bound, int start)
    {
        var inner = Count(shape[(dim + 1)..]);
        return [.. Enumerable.Range(0, (int)Count(shape)).Select(i => bound == 0 ? 0.0 : (i / inner % shape[dim] + start) % bound)];
    }

    private static Operator[] Indexing =>
    [
        Rows("IndexSelect", (x, dim, i, _) => x.IndexSelect(dim, i), (x, dim, i, _) => x.index_select(dim, i)),
        Rows("IndexAdd", (x, dim, i, s) => x.IndexAdd(dim, i, s), (x, dim, i, s) => x.index_add(dim, i, s, 1)),
        Rows("IndexCopy", (x, dim, i, s) => x.IndexCopy(dim, i, s), (x, dim, i, s) => x.index_copy(dim, i, s), distinct: true),
        Rows("IndexFill", (x, dim, i, _) => x.IndexFill(dim, i, 2), (x, dim, i, _) => x.index_fill(dim, i, 2)),
        Places("Gather", (x, dim, i, _) => x.Gather(dim, i), (x, dim, i, _) => x.gather(dim, i)),
        Places("ScatterAdd", (x, dim, i, s) => x.ScatterAdd(dim, i, s), (x, dim, i, s) => x.scatter_add(dim, i, s)),
        Places("Scatter", (x, dim, i, s) => x.Scatter(dim, i, s), (x, dim, i, s) => x.scatter(dim, i, s), distinct: true),
        new("Take", d =>
        {
            var x = d.Operand(d.Type(), d.Shape());
            return Two(x, d.Index(d.Shape(0, 2).Select(n => Math.Min(n, 9)).ToArray(), Count(x.Shape), negative: true), (y, i) => y.Take(i), (y, i) => y.take(i), Tolerance.Exact);
        }),
        new("Embedding", d =>
        {
            var table = d.Operand(d.FloatType(), [d.Next(1, 9), d.Next(0, 70)], Values.Tame);
            return Two(table, d.Index(d.Shape(0, 3).Select(n => Math.Min(n, 9)).ToArray(), table.Shape[0]), (w, i) => i.Embedding(w), (w, i) => w.index_select(0, i.reshape(-1)).reshape([.. i.shape, w.shape[1]]), Tolerance.Exact);
        }),
        new("IndexPut", d =>
        {
            var (type, shape, accumulate) = (d.Type(), d.Shape(1, 3), d.Chance(0.5));
            var count = d.Next(1, shape.Length);
            long n = accumulate ? d.Next(0, 5) : 1;
            var operands = new List<Operand> { d.Operand(type, shape), d.Operand(d.Chance(0.97) ? type : d.Type(), [n, .. shape[count..]]) };
            for (var k = 0; k < count; k++) operands.Add(d.Index([n], shape[k], negative: true));
            return new(
                [.. operands], x => [x[0].IndexPut(x[2..], x[1], accumulate)], x => [x[0].clone().index_put_(x[1], x[2..], accumulate)], new(8, 64), $"accumulate {accumulate}");
        }),
        new("Nonzero", d => One(d.Operand(d.Type(), d.Shape(), Values.Any), x => x.Nonzero(), x => x.nonzero(), Tolerance.Exact)),
        new("MaskedSelect", d =>
        {
            var shape = d.Shape();
            return Two(d.Operand(d.Type(), shape), d.Operand(d.Chance(0.97) ? DType.Bool : d.Type(), d.Partner(shape)), (x, m) => x.MaskedSelect(m), (x, m) => x.masked_select(m), Tolerance.Exact);
        }),
        new("MaskedScatter", d =>
        {
            var (type, shape) = (d.Type(), d.Shape());
            var mask = d.Operand(DType.Bool, d.Chance(0.7) ? shape : d.Partner(shape));
            Operand[] operands = [d.Operand(type, shape), mask, d.Operand(d.Chance(0.97) ? type : d.Type(), d.Chance(0.95) ? shape : [1])];
            return new(operands, x => [x[0].MaskedScatter(x[1], x[2])], x => [x[0].masked_scatter(x[1], x[2])], Tolerance.Exact);
        }),
        new("OneHot", d =>
        {
            var classes = d.Chance(0.5) ? -1 : d.Next(0, 8);
            var x = d.Index(d.Shape().Select(n => Math.Min(n, 40)).ToArray(), 6, type: d.Chance(0.95) ? DType.Int64 : DType.Int32);
            return One(x, y => y.OneHot(classes), y => F.one_hot(y, classes), Tolerance.Exact, $"{classes}");
        }),
    ];

    private static Operator[] Sorting =>
    [
        new("Sort", d =>
        {
            var x = d.Operand(d.Type(), d.Shape());
            var (dim, down) = (d.Dim(x.Shape.Length), d.Chance(0.5));
            return new([x], y => { var (v, i) = y[0].Sort(dim, down); return [v, i]; }, y => { var (v, i) = y[0].sort(dim, down, stable: true); return [v, i]; }, Tolerance.Exact, $"dim {dim} descending {down}");
        }),
        new("ArgSort", d =>
        {
            var x = d.Operand(d.Type(), d.Shape());
            var (dim, down) = (d.Dim(x.Shape.Length), d.Chance(0.5));
            return One(x, y => y.ArgSort(dim, down), y => y.sort(dim, down, stable: true).Item2, Tolerance.Exact, $"dim {dim} descending {down}");
        }),
        new("TopK", d =>
        {
            var x = d.Operand(d.Type(), d.Shape());
            var (dim, largest) = (d.Dim(x.Shape.Length), d.Chance(0.5));
            var k = d.Next(0, (int)At(x.Shape, dim) + (d.Chance(0.05) ? 1 : 0));
            // among equals PyTorch takes any: only the values are compared
            return One(x, y => y.TopK(k, dim, largest).Values, y => y.topk(k, dim, largest).Item1, Tolerance.Exact, $"k {k} dim {dim} largest {largest}") with { Gradients = false };
        }),
        new("KthValue", d =>
        {
            var x = d.Operand(d.Type(), d.Shape());
            var (dim, keep) = (d.Dim(x.Shape.Length), d.Chance(0.5));
            var k = d.Next(d.Chance(0.05) ? 0 : 1, Math.Max(1, (int)At(x.Shape, dim)));
            return One(x, y => y.KthValue(k, dim, keep).Values, y => y.kthvalue(k, dim, keep).Item1, Tolerance.Exact, $"k {k} dim {dim} keep {keep}") with { Gradients = false };
        }),
        new("Median", d => One(d.Operand(d.Type(), d.Shape()), x => x.Median(), x => x.median(), Tolerance.Exact) with { Gradients = false }),
        new("SearchSorted", d =>
        {
            var (type, right) = (d.Of(DType.Float32, DType.Float64, DType.Int64, DType.Int32), d.Chance(0.5));
            var boundaries = new Operand(type, [d.Next(0, 9)], Layout.Contiguous, 0, [], []);
            boundaries = boundaries with { Values = [.. d.Elements(type, (int)boundaries.Shape[0], Values.Tame).Order()] };
            return Two(boundaries, d.Operand(type, d.Shape(), Values.Tame), (b, v) => b.SearchSorted(v, right), (b, v) => torch.searchsorted(b, v, false, right), Tolerance.Exact, $"right {right}");
        }),
        new("BinCount", d =>
        {
            var (n, least) = (d.Next(0, 20), d.Next(0, 9));
            return One(d.Index([n], 7), x => x.BinCount(null, least), x => torch.bincount(x, null, least), Tolerance.Exact, $"{least}");
        }),
        new("Unique", d => new([d.Operand(d.Of(DType.Float32, DType.Int64, DType.Int32, DType.UInt8, DType.Bool), d.Shape(), Values.Tame)],
            x => { var (v, i, c) = x[0].Unique(); return [v, i, c]; }, x => { var (v, i, c) = x[0].unique(true, true, true); return [v, i!, c!]; }, Tolerance.Exact, Gradients: false)),
    ];
}
