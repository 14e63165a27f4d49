using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

internal static partial class OperatorTable
{
    /// <summary>Copies and views: nothing is rounded.</summary>
    private static Operator V(string name, Func<Draw, long[], (Func<Ours, Ours[]> Ours, Func<Theirs, Theirs[]> Theirs, string Parameters)> draw, int minRank = 0, bool small = false) => new(name, d =>
    {
        var shape = d.Shape(d.Chance(0.95) ? minRank : 0);
        // every result has a backward pass of its own
        var x = d.Operand(d.Type(), small ? [.. shape.Select(n => Math.Min(n, 30))] : shape, Values.Any);
        var (ours, theirs, parameters) = draw(d, x.Shape);
        return new([x], xs => ours(xs[0]), xs => theirs(xs[0]), Tolerance.Exact, parameters);
    });

    /// <summary>Factors that multiply to the count, or nearly; now and then one of them as −1.</summary>
    private static long[] Refactored(Draw d, long[] shape)
    {
        var factors = shape.Order().ToList();
        if (factors.Count > 1 && d.Chance(0.6)) { factors[0] *= factors[1]; factors.RemoveAt(1); }
        if (d.Chance(0.3)) factors.Insert(d.Next(factors.Count + 1), 1);
        if (factors.Count > 0 && d.Chance(0.3)) factors[d.Next(factors.Count)] = -1;
        if (factors.Count > 0 && d.Chance(0.05)) factors[d.Next(factors.Count)] += 1;
        return [.. factors];
    }

    private static Operator[] Views =>
    [
        V("Permute", (d, s) => { var o = Array.ConvertAll(d.Order(s.Length), i => d.Chance(0.3) ? i - s.Length : i); if (d.Chance(0.04) && o.Length > 0) o[0] = d.Next(s.Length + 1); return (x => [x.Permute(o)], x => [x.permute(Longs(o))], Text(o)); }),
        V("Transpose", (d, s) => { var (a, b) = (d.Dim(s.Length), d.Dim(s.Length)); return (x => [x.Transpose(a, b)], x => [x.transpose(a, b)], $"{a}, {b}"); }),
        V("MoveDim", (d, s) => { var (a, b) = (d.Dim(s.Length), d.Dim(s.Length)); return (x => [x.MoveDim(a, b)], x => [torch.movedim(x, a, b)], $"{a}, {b}"); }),
        V("View", (d, s) => { var to = Refactored(d, s); return (x => [x.View(to)], x => [x.view(to)], Text(to)); }),
        V("Reshape", (d, s) => { var to = Refactored(d, s); return (x => [x.Reshape(to)], x => [x.reshape(to)], Text(to)); }),
        V("Flatten", (d, s) => { var (a, b) = (d.Dim(s.Length), d.Dim(s.Length)); return (x => [x.Flatten(a, b)], x => [x.flatten(a, b)], $"{a}, {b}"); }),
        V("Unflatten", (d, s) => { var (a, to) = (d.Next(Math.Max(1, s.Length)), d.Of<long[]>([2, -1], [1, -1], [-1, 3], [2, 2], [1, 1, -1])); return (x => [x.Unflatten(a, to)], x => [x.unflatten(a, to)], $"{a}, {Text(to)}"); }, 1),
        V("Expand", (d, s) => { long[] to = [.. d.Chance(0.4) ? d.Shape(1, 2).Where(n => n < 9) : [], .. s.Select(n => d.Chance(0.3) ? -1 : n == 1 ? d.Size() : n)]; return (x => [x.Expand(to)], x => [x.expand(to)], Text(to)); }),
        V("Unsqueeze", (d, s) => { var a = d.Dim(s.Length + 1); return (x => [x.Unsqueeze(a)], x => [x.unsqueeze(a)], $"{a}"); }),
        V("Squeeze", (d, s) => { var a = d.Dim(s.Length); return (x => [x.Squeeze(a)], x => [x.squeeze(a)], $"{a}"); }),
        V("Squeeze all", (d, s) => (x => [x.Squeeze()], x => [x.squeeze()], "")),
        V("Select", (d, s) => { var a = d.Dim(s.Length); var n = At(s, a); long i = n == 0 ? 0 : d.Next(-(int)n, (int)n - 1); if (d.Chance(0.04)) i = n; return (x => [x.Select(a, i)], x => [x.select(a, i)], $"{a}, {i}"); }, 1),
        V("Narrow", (d, s) => { var a = d.Dim(s.Length); var n = (int)At(s, a); int start = d.Next(n + 1), length = d.Next(n - start + 1) + (d.Chance(0.04) ? 1 : 0); if (d.Chance(0.2)) start -= n; return (x => [x.Narrow(a, start, length)], x => [x.narrow(a, start, length)], $"{a}, {start}, {length}"); }, 1),
        V("Slice", (d, s) => { var a = d.Dim(s.Length); var n = (int)At(s, a); int start = d.Next(-n - 2, n + 2), end = d.Next(-n - 2, n + 2), step = d.Next(1, 3); return (x => [x.Slice(a, start, end, step)], x => [x.slice(a, start, end, step)], $"{a}, {start}, {end}, {step}"); }, 1),
        V("Diagonal", (d, s) => { var (o, a, b) = (d.Next(-3, 3), d.Dim(s.Length), d.Dim(s.Length)); return (x => [x.Diagonal(o, a, b)], x => [x.diagonal(o, a, b)], $"{o}, {a}, {b}"); }, 2),
        V("Unbind", (d, s) => { var a = d.Dim(s.Length); return (x => x.Unbind(a), x => x.unbind(a), $"{a}"); }, 1, small: true),
        V("Split", (d, s) => { var (n, a) = (d.Next(0, 4), d.Dim(s.Length)); return (x => x.Split(n, a), x => x.split(n, a), $"{n}, {a}"); }, 1, small: true),
        V("Split by sizes", (d, s) => { var a = d.Dim(s.Length); var n = At(s, a); long[] sizes = [n / 2, n - n / 2 - (d.Chance(0.05) ? 1 : 0)]; return (x => x.Split(sizes, a), x => x.split(sizes, a), $"{Text(sizes)}, {a}"); }, 1),
        V("Chunk", (d, s) => { var (n, a) = (d.Next(d.Chance(0.05) ? 0 : 1, 5), d.Dim(s.Length)); return (x => x.Chunk(n, a), x => x.chunk(n, a), $"{n}, {a}"); }, 1),
        V("Contiguous", (d, s) => (x => [x.Contiguous()], x => [x.contiguous()], "")), V("Clone", (d, s) => (x => [x.Clone()], x => [x.clone()], "")), V("Ravel", (d, s) => (x => [x.Ravel()], x => [x.ravel()], "")),
        V("Unfold", (d, s) => { var (a, size, step) = (d.Dim(s.Length), d.Next(0, 4), d.Next(d.Chance(0.04) ? 0 : 1, 3)); return (x => [x.Unfold(a, size, step)], x => [x.unfold(a, size, step)], $"{a}, {size}, {step}"); }, 1),
    ];

    private static long At(long[] shape, int dim) => dim >= -shape.Length && dim < shape.Length ? shape[dim < 0 ? dim + shape.Length : dim] : 1;

    private static Operator[] Joining =>
    [
        new("Cat", d =>
        {
            var (type, shape) = (d.Type(), d.Shape(1));
            var dim = d.Dim(shape.Length);
            // of one tensor the binding makes an alias, whatever the dim
            var operands = new Operand[d.Next(2, 4)];
            for (var i = 0; i < operands.Length; i++)
            {
                var sizes = shape.ToArray();
                if (dim >= -shape.Length && dim < shape.Length) sizes[dim < 0 ? dim + shape.Length : dim] = d.Size();
                if (d.Chance(0.02)) sizes[d.Next(sizes.Length)] += 1;
                // PyTorch passes over empty vectors whatever the others' rank
                if (d.Chance(0.03)) sizes = [0];
                operands[i] = d.Operand(d.PartnerType(type), sizes);
            }
            return new(operands, x => [Ours.Cat(x, dim)], x => [torch.cat(x, dim)], Tolerance.Exact, $"dim {dim}");
        }),
        new("Stack", d =>
        {
            var (type, shape) = (d.Type(), d.Shape());
            var dim = d.Dim(shape.Length + 1);
            var operands = Enumerable.Range(0, d.Next(1, 3)).Select(_ => d.Operand(d.PartnerType(type), d.Chance(0.03) ? d.Shape() : shape)).ToArray();
            return new(operands, x => [Ours.Stack(x, dim)], x => [torch.stack(x, dim)], Tolerance.Exact, $"dim {dim}");
        }),
        new("Meshgrid", d =>
        {
            var type = d.Type();
            var operands = Enumerable.Range(0, d.Next(1, 3)).Select(_ => d.Operand(type, d.Chance(0.9) ? [d.Size()] : d.Shape(0, 2).Where(n => n < 9).ToArray())).ToArray();
            return new(operands, x => Ours.Meshgrid(x), x => torch.meshgrid(x), Tolerance.Exact);
        }),
        V("BroadcastTo", (d, s) => { long[] to = [.. d.Chance(0.4) ? [2L] : Array.Empty<long>(), .. s.Select(n => n == 1 ? d.Size() : n)]; return (x => [x.BroadcastTo(to)], x => [x.broadcast_to(to)], Text(to)); }),
        V("Repeat", (d, s) => { long[] n = [.. Enumerable.Range(0, Math.Max(0, s.Length + d.Next(d.Chance(0.05) ? -1 : 0, 1))).Select(_ => (long)d.Next(0, 3))]; return (x => [x.Repeat(n)], x => [x.repeat(n)], Text(n)); }),
        V("Tile", (d, s) => { long[] n = [.. Enumerable.Range(0, d.Next(0, 4)).Select(_ => (long)d.Next(0, 3))]; return (x => [x.Tile(n)], x => [x.tile(n)], Text(n)); }),
        V("RepeatInterleave", (d, s) => { var (n, a) = (d.Next(0, 3), d.Chance(0.3) ? (int?)null : d.Dim(s.Length)); return (x => [x.RepeatInterleave(n, a)], x => [x.repeat_interleave(n, a)], $"{n}, {a}"); }),
        new("RepeatInterleave by a tensor", d =>
        {
            var shape = d.Shape(1);
            var a = d.Dim(shape.Length);
            return Two(d.Operand(d.Type(), shape), d.Index([At(shape, a)], 4), (x, n) => x.RepeatInterleave(n, a), (x, n) => x.repeat_interleave(n, a), Tolerance.Exact, $"dim {a}");
        }),
        V("Flip", (d, s) => { var a = d.Dims(s.Length, 0); return (x => [x.Flip(a)], x => [x.flip(Longs(a))], Text(a)); }),
        V("Roll", (d, s) => { var (n, a) = (d.Next(-9, 9), d.Chance(0.3) ? (int?)null : d.Dim(s.Length)); return (x => [x.Roll(n, a)], x => [x.roll(n, a)], $"{n}, {a}"); }),
        V("Triu", (d, s) => { var n = d.Next(-3, 3); return (x => [x.Triu(n)], x => [x.triu(n)], $"{n}"); }, 2), V("Tril", (d, s) => { var n = d.Next(-3, 3); return (x => [x.Tril(n)], x => [x.tril(n)], $"{n}"); }, 2),
        V("Pad", (d, s) =>
        {
            var (widths, value) = (Enumerable.Range(0, 2 * d.Next(1, Math.Max(1, s.Length))).Select(_ => (long)d.Next(d.Chance(0.1) ? -2 : 0, 3)).ToArray(), d.Next(-1, 3));
            return (x => [x.Pad(widths, PadMode.Constant, value)], x => [F.pad(x, widths, TorchSharp.PaddingModes.Constant, value)], $"{Text(widths)} value {value}");
        }, 1),
        new("Pad by mirrors", d =>
        {
            // the last dimension of two or three, as PyTorch has it
            var (mode, x) = (d.Of(PadMode.Reflect, PadMode.Replicate, PadMode.Circular), d.Operand(d.FloatType(), [d.Next(1, 3), d.Next(1, 3), d.Next(1, 6)]));
            long[] widths = [d.Next(0, 4), d.Next(0, 4)];
            var theirs = mode switch { PadMode.Reflect => TorchSharp.PaddingModes.Reflect, PadMode.Replicate => TorchSharp.PaddingModes.Replicate, _ => TorchSharp.PaddingModes.Circular };
            return One(x, y => y.Pad(widths, mode), y => F.pad(y, widths, theirs), Tolerance.Exact, $"{mode} {Text(widths)}");
        }),
    ];
}
