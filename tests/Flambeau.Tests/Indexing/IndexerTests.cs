namespace Flambeau.Tests.Indexing;

/// <summary>x[…] reads, writes and differentiates as the definition of index expressions says.</summary>
public class IndexerTests
{
    const int Seed = 20260;
    const int Trials = 500;

    static IEnumerable<(IndexOracle Expression, long[] Sizes, long[] Shape, long[] Flat, bool IsView, Random Random)> Expressions()
    {
        for (int trial = 0; trial < Trials; trial++)
        {
            var random = new Random(Seed + trial);
            long[] sizes = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => random.NextInt64(1, 5))];
            var expression = IndexOracle.Random(random, sizes);
            if (expression.Evaluate() is not { } result) continue;
            yield return (expression, sizes, result.Shape, result.Flat, result.IsView, random);
        }
    }

    static double[] Numbers(Random r, long count) => [.. Enumerable.Range(0, (int)count).Select(_ => r.Next(-99, 99) / 4.0)];

    static long Count(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);

    // contiguous, or a transpose of contiguous memory
    static Tensor Make(double[] data, long[] sizes, bool strided)
    {
        var x = Tensor.FromArray((double[])data.Clone(), sizes);
        return strided && sizes.Length > 1 ? x.Transpose(0, -1).Clone().Transpose(0, -1) : x;
    }

    [Fact]
    public void Reads_are_the_definition_and_gradients_its_adjoint()
    {
        foreach (var (expression, sizes, shape, flat, isView, random) in Expressions())
        {
            var data = Numbers(random, Count(sizes));
            var x = Make(data, sizes, random.Next(2) == 0).RequiresGrad_();
            var y = x[[.. expression.Indices]];
            Assert.True(y.Shape.ToArray().SequenceEqual(shape), $"seed {Seed}, {expression}: shape {y.Shape}, expected [{string.Join(", ", shape)}]");
            Assert.True(y.ToArray<double>().SequenceEqual(flat.Select(i => data[i])), $"seed {Seed}, {expression}: values");
            if (isView) Assert.True(ReferenceEquals(x.Store, y.Store), $"{expression} is a view");
            var g = Numbers(random, flat.Length);
            var expected = new double[data.Length];
            for (int i = 0; i < flat.Length; i++) expected[flat[i]] += g[i];
            var gradient = Autograd.Grad([y], [x], [Tensor.FromArray(g, shape)])[0]!;
            Assert.True(gradient.ToArray<double>().SequenceEqual(expected), $"seed {Seed}, {expression}: gradient");
        }
    }

    [Fact]
    public void Assignments_are_the_definition_and_gradients_its_adjoint()
    {
        foreach (var (expression, sizes, shape, flat, _, random) in Expressions())
        {
            var data = Numbers(random, Count(sizes));
            // a value of a shape that broadcasts: leading dims missing, some sizes 1
            int from = random.Next(0, shape.Length + 1);
            long[] valueShape = [.. shape[from..].Select(s => random.Next(3) == 0 ? 1 : s)];
            var values = Numbers(random, Count(valueShape));
            var x = Make(data, sizes, random.Next(2) == 0).RequiresGrad_();
            var v = Tensor.FromArray(values, valueShape).RequiresGrad_();
            var y = x * 1;
            y[[.. expression.Indices]] = v;

            long[] source = Broadcast(valueShape, shape);
            var written = (double[])data.Clone();
            var winner = new long[data.Length];
            Array.Fill(winner, -1);
            for (int i = 0; i < flat.Length; i++) (written[flat[i]], winner[flat[i]]) = (values[source[i]], source[i]);
            Assert.True(y.ToArray<double>().SequenceEqual(written), $"seed {Seed}, {expression} = [{string.Join(",", valueShape)}]: values");

            var w = Numbers(random, data.Length);
            double[] dx = new double[data.Length], dv = new double[values.Length];
            for (int i = 0; i < w.Length; i++)
                if (winner[i] < 0) dx[i] = w[i];
                else dv[winner[i]] += w[i];
            // where all is overwritten the result does not depend on the target at all
            var gradients = Autograd.Grad([y], [x, v], [Tensor.FromArray(w, sizes)], allowUnused: true);
            Assert.True((gradients[0]?.ToArray<double>() ?? new double[dx.Length]).SequenceEqual(dx), $"seed {Seed}, {expression}: gradient of the target");
            if (v.Numel > 0) Assert.True((gradients[1]?.ToArray<double>() ?? new double[dv.Length]).SequenceEqual(dv), $"seed {Seed}, {expression}: gradient of the value");
        }
    }

    // for each element of the target the flat position of the value it gets
    static long[] Broadcast(long[] from, long[] to)
    {
        var result = new long[Count(to)];
        var at = new long[to.Length];
        for (int e = 0; e < result.Length; e++)
        {
            for (int d = 0; d < from.Length; d++) result[e] = result[e] * from[d] + (from[d] == 1 ? 0 : at[to.Length - from.Length + d]);
            for (int d = at.Length - 1; d >= 0 && ++at[d] == to[d]; d--) at[d] = 0;
        }
        return result;
    }

    [Fact]
    public void Batched_reads_are_each_element_by_itself()
    {
        foreach (var (expression, sizes, _, _, _, random) in Expressions().Take(150))
        {
            if (expression.Text.Any(t => t.StartsWith("mask", StringComparison.Ordinal))) continue;
            var x = Tensor.FromArray(Numbers(random, 3 * Count(sizes)), new long[] { 3 }.Concat(sizes).ToArray());
            TensorIndex[] indices = [.. expression.Indices];
            var expected = Tensor.Stack([.. x.Unbind().Select(e => e[indices])]);
            var actual = Autograd.Vmap(e => e[indices])(x);
            Assert.Equal(expected.Shape, actual.Shape);
            Assert.Equal(expected.ToArray<double>(), actual.ToArray<double>());
        }
    }

    [Fact]
    public void An_index_may_differ_for_every_element_of_a_batch()
    {
        var x = Tensor.FromArray(new float[,] { { 1, 2, 3 }, { 4, 5, 6 } });
        var i = Tensor.FromArray(new long[] { 2, -3 });
        Assert.Equal([3f, 4], Autograd.Vmap(t => t[0][t[1]], [x, i]).ToArray<float>());
        Assert.Equal([4f, 5, 6, 1, 2, 3], Autograd.Vmap(t => t[0][t[1]], [x, Tensor.FromArray(new long[] { 1, 0 })], [null, 0]).ToArray<float>());
        Assert.Equal([6f, 1], Autograd.Vmap(t => x[t[0], t[1]], [Tensor.FromArray(new long[] { 1, 0 }), i]).ToArray<float>());
        // checked for every element, though the batch is one
        Assert.Throws<FlambeauException>(() => Autograd.Vmap(t => t[0][t[1]], [x, Tensor.FromArray(new long[] { 3, 0 })]));
    }

    [Fact]
    public void Forms_of_the_language_compile_and_mean_what_they_say()
    {
        var x = Tensor.Arange(12).Reshape(3, 4);
        long[] Read(Tensor t) => t.ToArray<long>();
        Assert.Equal([5L, 6], Read(x[1, 1..^1]));
        Assert.Equal([3L, 7, 11], Read(x[.., ^1]));
        Assert.Equal([4L], Read(x[1..2, 0]));
        Assert.Equal([8L, 9, 10, 11], Read(x[^1]));
        Assert.Equal(11, x[2, 3].Item<long>());
        Assert.Equal([11L, 9], Read(x[2, new Slice(null, null, -2)]));
        Assert.Equal([8L, 4, 0], Read(x[new Slice(null, null, -1), 0]));
        Assert.Equal("[3, 1, 4]", x[.., TensorIndex.NewAxis].Shape.ToString());
        Assert.Equal([2L, 6, 10], Read(x["...", 2]));
        Assert.Equal([1L, 11], Read(x[new long[] { 0, 2 }, new[] { 1, 3 }]));
        Assert.Equal([9L, 10, 11], Read(x[x > 8]));
        Assert.Equal([0L, 1, 2, 3, 8, 9, 10, 11], Read(x[new[] { true, false, true }]));
        Assert.Equal("[0, 4]", x[^0..].Shape.ToString());
        Tensor rows = Tensor.FromArray(new long[] { 2, 0 }), columns = Tensor.FromArray(new long[,] { { 0 }, { 1 } });
        Assert.Equal([8L, 0, 9, 1], Read(x[rows, columns]));
        x[0] = 7;
        x[1, ..2] = Tensor.FromArray(new long[] { 1, 2 });
        x[.., 3] = 2.9;
        x[rows, 2] = -1;
        Assert.Equal([7L, 7, -1, 2, 1, 2, 6, 2, 8, 9, -1, 2], Read(x));
        x[x < 0] = 100;
        Assert.Equal(200, x[x > 50].Sum().Item());
        x[..] = 0;
        Assert.Equal(0, x.Sum().Item());
    }

    [Theory]
    [InlineData("too many", "indexes 3 dims, the tensor has 2")]
    [InlineData("outside", "index 3 is out of range for dim 1 with size 3: expected -3 … 2")]
    [InlineData("outside, listed", "index -4 at position 1 is out of range for dim 1 with size 3: expected -3 … 2")]
    [InlineData("outside after a new axis", "index 2 is out of range for dim 0 with size 2")]
    [InlineData("float index", "got float32; cast it with Long()")]
    [InlineData("mask of another shape", "its dim 0 has size 3 and dim 0 of the tensor 2")]
    [InlineData("two ellipses", "two ellipses")]
    [InlineData("indices that do not broadcast", "do not broadcast")]
    [InlineData("value that does not fit", "the value's shape [2] does not broadcast to [3], the shape of what is assigned to")]
    [InlineData("value that does not fit the listed", "the value's shape [2] does not broadcast to [4, 3], the shape of what is assigned to")]
    [InlineData("text", "the only text in an index expression is \"...\"")]
    public void Wrong_expressions_are_refused_with_the_reason(string what, string reason)
    {
        var x = Tensor.Zeros(2, 3);
        var error = Assert.Throws<FlambeauException>(() =>
        {
            switch (what)
            {
                case "too many": _ = x[0, 0, 0]; break;
                case "outside": _ = x[0, 3]; break;
                case "outside, listed": _ = x[.., new long[] { 1, -4 }]; break;
                case "outside after a new axis": _ = x[TensorIndex.NewAxis, 2]; break;
                case "float index": _ = x[Tensor.Of(1)]; break;
                case "mask of another shape": _ = x[new[] { true, false, true }]; break;
                case "two ellipses": _ = x["...", 0, "..."]; break;
                case "indices that do not broadcast": _ = x[new long[] { 0, 1 }, new long[] { 0, 1, 2 }]; break;
                case "value that does not fit": x[0] = Tensor.Ones(2); break;
                case "value that does not fit the listed": x[new long[] { 0, 1, 0, 1 }] = Tensor.Ones(2); break;
                default: _ = x["all"]; break;
            }
        });
        Assert.Contains(reason, error.Message);
        Assert.All(x.ToArray<float>(), v => Assert.Equal(0, v));
    }
}
