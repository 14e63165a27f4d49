using TorchSharp;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

internal static partial class OperatorTable
{
    private delegate Ours Reduces(Ours x, int[] dims, bool keep);
    private delegate Theirs TheyReduce(Theirs x, long[] dims, bool keep);

    // large terms that cancel leave their rounding errors; equal terms round alike, and their errors add up
    private static Tolerance SumOf(Operand x)
    {
        var sum = Tolerance.Sum(Math.Sqrt(Count(x.Shape)) + 1, x.Type.IsFloatingPoint ? x.Values.Where(double.IsFinite).Select(Math.Abs).Append(16).Max() : 16);
        return x.Layout == Layout.Expanded ? sum with { Ulps = sum.Ulps + Count(x.Shape) / 128.0 } : sum;
    }

    // the deviation of equal elements whose mean is rounded is a rounding error, and what is divided by it anything: none are expanded
    private static Operand Unequal(Draw d, DType type, long[] shape, Values values)
    {
        var x = d.Operand(type, shape, values);
        return x.Layout == Layout.Expanded ? Unequal(d, type, shape, values) : x;
    }

    /// <summary>Over several dimensions.</summary>
    private static Operator R(string name, Reduces ours, TheyReduce theirs, bool exact = false, int least = 1, Func<Draw, DType>? type = null, bool careful = false, bool expands = true) => new(name, d =>
    {
        d.Careful = careful;
        var x = expands ? d.Operand((type ?? (e => e.Type()))(d), d.Shape(), Values.Any) : Unequal(d, type!(d), d.Shape(), Values.Any);
        var (dims, keep) = (d.Dims(x.Shape.Length, least), d.Chance(0.5));
        return One(x, y => ours(y, dims, keep), y => theirs(y, Longs(dims), keep), exact ? Tolerance.Exact : SumOf(x), $"dims {Text(dims)} keep {keep}");
    });

    /// <summary>Over one dimension.</summary>
    private static Operator D(string name, Func<Ours, int, bool, Ours> ours, Func<Theirs, int, bool, Theirs> theirs, bool exact = false, Func<Draw, DType>? type = null, Values values = Values.Any) => new(name, d =>
    {
        var x = d.Operand((type ?? (e => e.Type()))(d), d.Shape(), values);
        var (dim, keep) = (d.Dim(x.Shape.Length), d.Chance(0.5));
        return One(x, y => ours(y, dim, keep), y => theirs(y, dim, keep), exact ? Tolerance.Exact : SumOf(x), $"dim {dim} keep {keep}");
    });

    private static Operator[] Reductions =>
    [
        U("Sum of all", x => x.Sum(), x => x.sum(), new(64, 256)), R("Sum", (x, dims, keep) => x.Sum(dims, keep), (x, dims, keep) => x.sum(dims, keep)),
        // products of many sixteenths leave the range of the narrow types in different places
        U("Prod of all", x => x.Prod(), x => x.prod(), new(2048, 1e-37), Values.Unit), new("Prod", d =>
        {
            var x = d.Operand(d.Of(DType.Float32, DType.Float64, DType.Int64, DType.Int32, DType.Bool), [.. d.Shape().Select(n => Math.Min(n, 60))], Values.Tame);
            var (dim, keep) = (d.Dim(x.Shape.Length), d.Chance(0.5));
            // every factor rounds; more of them would leave float32's range, in an order that each library has for itself
            return One(x, y => y.Prod(dim, keep), y => y.prod(dim, keep), new(16 + At(x.Shape, dim), 1e-37), $"dim {dim} keep {keep}");
        }),
        R("NanSum", (x, dims, keep) => x.NanSum(dims, keep), (x, dims, keep) => x.masked_fill(x.isnan(), 0).sum(dims, keep)), U("NanSum of all", x => x.NanSum(), x => x.nansum(), new(64, 256)),
        R("Mean", (x, dims, keep) => x.Mean(dims, keep), (x, dims, keep) => x.mean(dims, keep)), U("Mean of all", x => x.Mean(), x => x.mean(), new(64, 16)),
        R("Var", (x, dims, keep) => x.Var(dims, 1, keep), (x, dims, keep) => x.var(dims, true, keep), type: d => d.FloatType(), careful: true), R("Var without correction", (x, dims, keep) => x.Var(dims, 0, keep), (x, dims, keep) => x.var(dims, false, keep), type: d => d.FloatType(), careful: true),
        R("Std", (x, dims, keep) => x.Std(dims, 1, keep), (x, dims, keep) => x.std(dims, true, keep), type: d => d.FloatType(), careful: true, expands: false), A("Var of all", x => x.Var(), x => x.var(), new(64, 64)), R("Std of all", (x, _, _) => x.Std(), (x, _, _) => x.std(), type: d => d.FloatType(), careful: true, expands: false),
        R("Amax", (x, dims, keep) => x.Amax(dims, keep), (x, dims, keep) => x.amax(dims, keep), true), R("Amin", (x, dims, keep) => x.Amin(dims, keep), (x, dims, keep) => x.amin(dims, keep), true),
        U("Max of all", x => x.Max(), x => x.max(), Tolerance.Exact), U("Min of all", x => x.Min(), x => x.min(), Tolerance.Exact),
        D("Max values", (x, dim, keep) => x.Max(dim, keep).Values, (x, dim, keep) => x.max(dim, keep).Item1, true), D("Min values", (x, dim, keep) => x.Min(dim, keep).Values, (x, dim, keep) => x.min(dim, keep).Item1, true),
        D("Max indices", (x, dim, keep) => x.Max(dim, keep).Indices, (x, dim, keep) => x.max(dim, keep).Item2, true), D("Min indices", (x, dim, keep) => x.Min(dim, keep).Indices, (x, dim, keep) => x.min(dim, keep).Item2, true),
        D("ArgMax", (x, dim, keep) => x.ArgMax(dim, keep), (x, dim, keep) => x.argmax(dim, keep), true), D("ArgMin", (x, dim, keep) => x.ArgMin(dim, keep), (x, dim, keep) => x.argmin(dim, keep), true),
        U("ArgMax of all", x => x.ArgMax(), x => x.argmax(), Tolerance.Exact), U("ArgMin of all", x => x.ArgMin(), x => x.argmin(), Tolerance.Exact),
        D("Any", (x, dim, keep) => x.Any(dim, keep), (x, dim, keep) => x.any(dim, keep), true), D("All", (x, dim, keep) => x.All(dim, keep), (x, dim, keep) => x.all(dim, keep), true),
        U("Any of all", x => x.Any(), x => x.any(), Tolerance.Exact), U("All of all", x => x.All(), x => x.all(), Tolerance.Exact),
        R("CountNonzero", (x, dims, _) => x.CountNonzero(dims), (x, dims, _) => x.count_nonzero(dims), true),
        D("LogSumExp", (x, dim, keep) => x.LogSumExp(dim, keep), (x, dim, keep) => x.logsumexp(dim, keep)), D("Norm", (x, dim, keep) => x.Norm(dim, keep), (x, dim, keep) => x.norm(dim, keep), type: d => d.FloatType()),
        new("Norm of some p", d =>
        {
            var x = d.Operand(d.FloatType(), d.Shape(), Values.Tame);
            var (dim, p) = (d.Dim(x.Shape.Length), d.Of(0, 1, 2, 3, double.PositiveInfinity, double.NegativeInfinity));
            return One(x, y => y.Norm(p, [dim]), y => y.norm(dim, false, (float)p), SumOf(x) with { Ulps = 64 }, $"p {p} dim {dim}");
        }),
        D("Cumsum", (x, dim, _) => x.Cumsum(dim), (x, dim, _) => x.cumsum(dim)),
        D("Softmax", (x, dim, _) => x.Softmax(dim), (x, dim, _) => x.softmax(dim), type: d => d.FloatType()), D("LogSoftmax", (x, dim, _) => x.LogSoftmax(dim), (x, dim, _) => x.log_softmax(dim), type: d => d.FloatType()),
    ];
}
