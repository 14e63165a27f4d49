using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

internal static partial class OperatorTable
{
    private static Operator P(string name, Func<Draw, (long[] X, long[] Y)> shapes, Func<Ours, Ours, Ours> ours, Func<Theirs, Theirs, Theirs> theirs, bool careful = false) => new(name, d =>
    {
        d.Careful = careful;
        var type = careful ? d.Of(DType.Float32, DType.Float64) : d.Chance(0.8) ? d.FloatType() : d.Type();
        var (x, y) = shapes(d);
        if (!careful && d.Chance(0.04) && x.Length > 0) x[d.Next(x.Length)] += 1;
        return Two(d.Operand(type, x, Values.Tame), d.Operand(careful || d.Chance(0.97) ? type : d.Type(), y, Values.Tame), ours, theirs, Products64);
    });

    // sums of products of numbers up to 4
    private static readonly Tolerance Products64 = new(16, 64);

    private static long Inner(Draw d) => d.Chance(0.04) ? 0 : d.Chance(0.2) ? d.Next(8, 90) : d.Next(1, 8);

    private static (long[], long[]) MatMulShapes(Draw d)
    {
        long m = Inner(d), k = Inner(d), n = Inner(d);
        var batch = d.Shape(0, 2).Select(s => Math.Min(s, 4)).ToArray();
        return d.Next(6) switch
        {
            0 => ([k], [k]),
            1 => ([m, k], [k]),
            2 => ([k], [k, n]),
            3 => ([m, k], [k, n]),
            4 => ([.. batch, m, k], [.. d.Partner(batch), k, n]),
            _ => ([.. batch, m, k], d.Chance(0.5) ? [k, n] : [k]),
        };
    }

    private static Operator[] Products =>
    [
        P("MatMul", MatMulShapes, (x, y) => x.MatMul(y), (x, y) => x.matmul(y), careful: true),
        P("Mm", d => { var k = Inner(d); return ([Inner(d), k], [k, Inner(d)]); }, (x, y) => x.Mm(y), (x, y) => x.mm(y)),
        P("Bmm", d => { long b = d.Next(1, 3), k = Inner(d); return ([b, Inner(d), k], [b, k, Inner(d)]); }, (x, y) => x.Bmm(y), (x, y) => x.bmm(y)),
        new("IntMm", d =>
        {
            long k = Inner(d);
            Operand[] operands = [d.Operand(d.Chance(0.5) ? DType.UInt8 : DType.Int8, [Inner(d), k], Values.Any), d.Operand(DType.Int8, [k, Inner(d)], Values.Any)];
            return new(operands, x => [x[0].IntMm(x[1])], x => [x[0].to(torch.ScalarType.Int32).mm(x[1].to(torch.ScalarType.Int32))], Tolerance.Exact);
        }),
        P("Mv", d => { var k = Inner(d); return ([Inner(d), k], [k]); }, (x, y) => x.Mv(y), (x, y) => x.mv(y)),
        P("Dot", d => { var k = Inner(d); return ([k], [k]); }, (x, y) => x.Dot(y), (x, y) => x.dot(y)),
        P("Outer", d => ([Inner(d)], [Inner(d)]), (x, y) => x.Outer(y), (x, y) => x.outer(y)),
        new("AddMm", d =>
        {
            var (type, m, k, n, alpha, beta) = (d.FloatType(), Inner(d), Inner(d), Inner(d), d.Next(-2, 2) / 2.0, d.Next(-2, 2) / 2.0);
            Operand[] operands = [d.Operand(type, d.Partner([m, n]), Values.Tame), d.Operand(type, [m, k], Values.Tame), d.Operand(type, [k, n], Values.Tame)];
            return new(operands, x => [x[0].AddMm(x[1], x[2], beta, alpha)], x => [x[0].addmm(x[1], x[2], (float)beta, (float)alpha)], Products64, $"beta {beta} alpha {alpha}");
        }),
        new("Linear", d =>
        {
            var (type, k, n) = (d.FloatType(), Inner(d), Inner(d));
            Operand[] operands = [d.Operand(type, [.. d.Shape(0, 2).Select(s => Math.Min(s, 9)), k], Values.Tame), d.Operand(type, [n, k], Values.Tame), .. d.Chance(0.6) ? [d.Operand(type, [n], Values.Tame)] : Array.Empty<Operand>()];
            return new(operands, x => [x[0].Linear(x[1], x.Length > 2 ? x[2] : null)], x => [F.linear(x[0], x[1], x.Length > 2 ? x[2] : null)], Products64);
        }),
        new("Einsum", d =>
        {
            var equation = d.Of("ij,jk->ik", "bij,bjk->bik", "bthd,bshd->bhts", "ij->ji", "ij->", "ii->i", "ii", "i,j->ij", "ij,ij->i", "ijk,k->ij", "bi,bij,bj->b", "ij,jk", "...i,i->...", "ijij->", "ij,kl->iljk", "ab,ab,ab->ba");
            var sizes = equation.Where(char.IsLetter).Distinct().ToDictionary(c => c, _ => (long)d.Next(1, 4));
            var type = d.Of(DType.Float32, DType.Float64);
            var operands = equation.Split("->")[0].Split(',').Select(t => d.Operand(type, [.. t.StartsWith("...") ? [2L, 3L] : Array.Empty<long>(), .. t.Where(char.IsLetter).Select(c => sizes[c])], Values.Tame)).ToArray();
            return new(operands, x => [Ours.Einsum(equation, x)], x => [torch.einsum(equation, x)], Products64, equation);
        }),
    ];

    private static readonly (LossReduction Ours, torch.nn.Reduction Theirs)[] LossReductions =
        [(LossReduction.None, torch.nn.Reduction.None), (LossReduction.Mean, torch.nn.Reduction.Mean), (LossReduction.Sum, torch.nn.Reduction.Sum)];

    private static Operator L(string name, Func<Ours, Ours, LossReduction, Ours> ours, Func<Theirs, Theirs, torch.nn.Reduction, Theirs> theirs, Values target = Values.Tame) => new(name, d =>
    {
        var (type, shape) = (d.FloatType(), d.Shape());
        var (mine, yours) = d.Of(LossReductions);
        var x = d.Operand(type, shape, Values.Tame);
        return Two(x, d.Operand(type, shape, target), (a, b) => ours(a, b, mine), (a, b) => theirs(a, b, yours), SumOf(x) with { Ulps = 2 * SumOf(x).Ulps }, $"{mine}");
    });

    private static Case Classes(Draw d, bool logs)
    {
        var (type, classes, smoothing) = (d.FloatType(), d.Next(1, 9), logs || d.Chance(0.6) ? 0 : 0.2);
        var (mine, yours) = d.Of(LossReductions);
        var rest = d.Shape(0, 2).Select(n => Math.Min(n, 6)).ToArray();
        var batch = d.Next(1, 4);
        var (shape, target) = !logs && d.Chance(0.15) ? ([classes], Array.Empty<long>()) : (new long[] { batch, classes }.Concat(rest).ToArray(), new long[] { batch }.Concat(rest).ToArray());
        var x = d.Operand(type, shape, Values.Tame);
        var t = d.Index(target, classes);
        if (!logs && t.Values.Length > 0 && d.Chance(0.3)) t.Values[0] = -100;
        Operand[] operands = [x, t, .. d.Chance(0.4) ? [d.Operand(type, [classes], Values.Positive) with { IsFixed = true }] : Array.Empty<Operand>()];
        return logs
            ? new(operands, o => [o[0].NllLoss(o[1], o.Length > 2 ? o[2] : null, reduction: mine)], o => [F.nll_loss(o[0], o[1], o.Length > 2 ? o[2] : null, yours)], SumOf(x), $"{mine}")
            : new(operands, o => [o[0].CrossEntropy(o[1], o.Length > 2 ? o[2] : null, labelSmoothing: smoothing, reduction: mine)],
                o => [F.cross_entropy(o[0], o[1], o.Length > 2 ? o[2] : null, -100, yours, smoothing)], SumOf(x), $"{mine} smoothing {smoothing}");
    }

    private static Operator[] Networks =>
    [
        L("MseLoss", (x, t, r) => x.MseLoss(t, r), (x, t, r) => F.mse_loss(x, t, r)), L("L1Loss", (x, t, r) => x.L1Loss(t, r), (x, t, r) => F.l1_loss(x, t, r)), L("SmoothL1Loss", (x, t, r) => x.SmoothL1Loss(t, 0.5, r), (x, t, r) => F.smooth_l1_loss(x, t, r, 0.5)),
        L("BinaryCrossEntropyWithLogits", (x, t, r) => x.BinaryCrossEntropyWithLogits(t, reduction: r), (x, t, r) => F.binary_cross_entropy_with_logits(x, t, null, r), Values.Unit), L("KlDiv", (x, t, r) => x.KlDiv(t, r), (x, t, r) => F.kl_div(x, t, false, r), Values.Unit),
        new("CrossEntropy", d => Classes(d, logs: false)), new("NllLoss", d => Classes(d, logs: true)),
        new("CrossEntropy of probabilities", d =>
        {
            var (type, smoothing, shape) = (d.FloatType(), d.Chance(0.6) ? 0 : 0.2, d.Shape(1, 3));
            var (mine, yours) = d.Of(LossReductions);
            var x = d.Operand(type, shape, Values.Tame);
            return Two(x, d.Operand(type, shape, Values.Unit), (a, t) => a.CrossEntropy(t, labelSmoothing: smoothing, reduction: mine), (a, t) => F.cross_entropy(a, t, null, -100, yours, smoothing), SumOf(x) with { Ulps = 32 }, $"{mine} smoothing {smoothing}");
        }),
        new("LayerNorm", d =>
        {
            var (type, shape) = (d.FloatType(), d.Shape(1));
            var dims = d.Next(1, Math.Min(shape.Length, 2));
            var last = shape[^dims..];
            Operand[] operands = [Unequal(d, type, shape, Values.Tame), .. d.Chance(0.6) ? [d.Operand(type, last, Values.Tame), d.Operand(type, last, Values.Tame)] : Array.Empty<Operand>()];
            return new(operands, x => [x[0].LayerNorm(dims, x.Length > 1 ? x[1] : null, x.Length > 1 ? x[2] : null, 1e-3)], x => [F.layer_norm(x[0], last, x.Length > 1 ? x[1] : null, x.Length > 1 ? x[2] : null, 1e-3)], new(128, 256), $"last {dims}");
        }),
        new("GroupNorm", d =>
        {
            var (type, groups) = (d.FloatType(), d.Next(1, 3));
            var channels = groups * d.Next(1, 4);
            Operand[] operands = [Unequal(d, type, [d.Next(1, 4), channels, .. d.Shape(0, 2).Select(n => Math.Min(n, 9))], Values.Tame), .. d.Chance(0.6) ? [d.Operand(type, [channels], Values.Tame), d.Operand(type, [channels], Values.Tame)] : Array.Empty<Operand>()];
            return new(operands, x => [x[0].GroupNorm(groups, x.Length > 1 ? x[1] : null, x.Length > 1 ? x[2] : null, 1e-3)], x => [F.group_norm(x[0], groups, x.Length > 1 ? x[1] : null, x.Length > 1 ? x[2] : null, 1e-3)], new(128, 256), $"groups {groups}");
        }),
        new("BatchNorm", d =>
        {
            var (type, channels) = (d.FloatType(), d.Next(1, 5));
            Operand[] operands = [Unequal(d, type, [d.Chance(0.1) ? d.Next(256, 400) : d.Next(2, 40), channels, .. d.Shape(0, 2).Select(n => Math.Min(n, 40))], Values.Tame), .. d.Chance(0.6) ? [d.Operand(type, [channels], Values.Tame), d.Operand(type, [channels], Values.Tame)] : Array.Empty<Operand>()];
            return new(operands, x => [x[0].BatchNorm(weight: x.Length > 1 ? x[1] : null, bias: x.Length > 2 ? x[2] : null, eps: 1e-3)],
                // its backward kernel reads the weight's memory without regard to strides
                x => [F.batch_norm(x[0], null!, null!, x.Length > 1 ? x[1].contiguous() : null, x.Length > 2 ? x[2].contiguous() : null, training: true, eps: 1e-3)], new(128, 256), "training");
        }),
        new("RmsNorm", d =>
        {
            // PyTorch's formula: it has no binding here
            var (type, shape) = (d.Of(DType.Float32, DType.Float64), d.Shape(1));
            return Two(d.Operand(type, shape, Values.Tame), d.Operand(type, shape[^1..], Values.Tame), (x, w) => x.RmsNorm(w, 1e-3),
                (x, w) => x * (x.square().mean([-1], keepdim: true) + 1e-3).rsqrt() * w, new(64, 16));
        }),
        new("SwiGlu", d =>
        {
            var (type, shape) = (d.FloatType(), d.Shape(1));
            return Two(d.Operand(type, shape, Values.Tame), d.Operand(type, shape, Values.Tame), (x, y) => x.SwiGlu(y), (x, y) => F.silu(x) * y, new(16, 16));
        }),
        new("ScaledDotProductAttention", d =>
        {
            var (type, causal) = (d.Of(DType.Float32, DType.Float64), d.Chance(0.4));
            long t = d.Next(1, 20), s = causal ? t : d.Next(1, 20), size = d.Next(1, 20);
            long[] heads = d.Chance(0.2) ? [d.Next(1, 3)] : [d.Next(1, 2), d.Next(1, 3)];
            Operand[] operands =
            [
                d.Operand(type, [.. heads, t, size], Values.Tame), d.Operand(type, [.. heads, s, size], Values.Tame), d.Operand(type, [.. heads, s, size], Values.Tame),
                .. causal || d.Chance(0.5) ? Array.Empty<Operand>() : [d.Operand(d.Chance(0.5) ? DType.Bool : type, [t, s], Values.Tame)],
            ];
            return new(operands, x => [x[0].ScaledDotProductAttention(x[1], x[2], x.Length > 3 ? x[3] : null, isCausal: causal)],
                x => [F.scaled_dot_product_attention(x[0], x[1], x[2], x.Length > 3 ? x[3] : null, 0, causal)], new(64, 64), $"causal {causal}");
        }),
        new("VarlenAttention", d =>
        {
            // by PyTorch's attention to each sequence, since its own form for sequences has no kernel for the CPU
            var (type, causal) = (d.Of(DType.Float32, DType.Float64), d.Chance(0.5));
            int shared = d.Next(1, 2), heads = shared * d.Next(1, 3), size = d.Next(1, 20);
            int[] queries = [.. Enumerable.Range(0, d.Next(1, 4)).Select(_ => d.Next(0, 20))], keys = causal ? queries : [.. queries.Select(_ => d.Next(1, 20))];
            Operand[] operands = [d.Operand(type, [queries.Sum(), heads, size], Values.Tame), d.Operand(type, [keys.Sum(), shared, size], Values.Tame), d.Operand(type, [keys.Sum(), shared, size], Values.Tame)];
            int[] Ends(int[] lengths) => [.. lengths.Select((_, i) => lengths[..i].Sum()), lengths.Sum()];
            Theirs Of(Theirs x, int[] lengths, int i) => x.narrow(0, lengths[..i].Sum(), lengths[i]).transpose(0, 1).repeat_interleave(heads / x.shape[1], 0);
            return new(operands, x => [x[0].VarlenAttention(x[1], x[2], Ours.FromArray(Ends(queries)), Ours.FromArray(Ends(keys)), causal)],
                x => [torch.cat([x[0].narrow(0, 0, 0), .. Enumerable.Range(0, queries.Length).Where(i => queries[i] > 0)
                    .Select(i => F.scaled_dot_product_attention(Of(x[0], queries, i), Of(x[1], keys, i), Of(x[2], keys, i), null, 0, causal).transpose(0, 1))], 0)], new(64, 64), $"causal {causal}");
        }),
        new("ScaledDotProductAttention in a window", d =>
        {
            // no query without a key: PyTorch's formulas differ there from version to version
            var type = d.Of(DType.Float32, DType.Float64);
            long t = d.Next(1, 20), s = t + (d.Chance(0.5) ? d.Next(0, 200) : 0), size = d.Chance(0.5) ? 16 : d.Next(1, 20), window = d.Next(1, 20);
            long[] heads = [d.Next(1, 2), d.Next(1, 3)];
            Operand[] operands = [d.Operand(type, [.. heads, t, size], Values.Tame), d.Operand(type, [.. heads, s, size], Values.Tame), d.Operand(type, [.. heads, s, size], Values.Tame)];
            return new(operands, x => [x[0].ScaledDotProductAttention(x[1], x[2], window: window)],
                x => [F.scaled_dot_product_attention(x[0], x[1], x[2], torch.ones([t, s], torch.ScalarType.Bool).tril(s - t).triu(s - t - window + 1), 0, false)], new(64, 64), $"window {window}");
        }),
    ];
}
