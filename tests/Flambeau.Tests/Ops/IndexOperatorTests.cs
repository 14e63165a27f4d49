using Flambeau.Transforms;

namespace Flambeau.Tests.Ops;

/// <summary>Index operators obey the laws of linear maps: their adjoint, tangent, batch and layouts all follow from their values, which loops state.</summary>
public class IndexOperatorTests
{
    // ---- the cases: a name, operands from a source of randomness, a call ----

    sealed record Case(string Name, Func<Random, Tensor[]> Operands, Func<Tensor[], Tensor> Call, bool Vmap = true)
    {
        public override string ToString() => Name;
    }

    static Tensor Real(Random r, params long[] shape)
    {
        var data = new double[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < data.Length; i++) data[i] = r.NextDouble() * 30 - 15;
        return Tensor.FromArray(data, shape);
    }

    static Tensor Whole(Random r, long below, params long[] shape)
    {
        var data = new long[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < data.Length; i++) data[i] = r.NextInt64(below);
        return Tensor.FromArray(data, shape);
    }

    static readonly Case[] s_cases =
    [
        new("IndexSelect first", r => [Real(r, 5, 3, 2), Whole(r, 5, 7)], x => x[0].IndexSelect(0, x[1])),
        new("IndexSelect middle", r => [Real(r, 2, 5, 3), Whole(r, 5, 7)], x => x[0].IndexSelect(1, x[1])),
        new("IndexSelect last", r => [Real(r, 2, 3, 5), Whole(r, 5, 7)], x => x[0].IndexSelect(-1, x[1])),
        new("IndexSelect nothing", r => [Real(r, 2, 3), Whole(r, 5, 0)], x => x[0].IndexSelect(-1, x[1])),
        new("IndexAdd first", r => [Real(r, 5, 3), Whole(r, 5, 9), Real(r, 9, 3)], x => x[0].IndexAdd(0, x[1], x[2])),
        new("IndexAdd last", r => [Real(r, 3, 5), Whole(r, 5, 9), Real(r, 3, 9)], x => x[0].IndexAdd(1, x[1], x[2])),
        new("IndexCopy first", r => [Real(r, 5, 3), Whole(r, 5, 4), Real(r, 4, 3)], x => x[0].IndexCopy(0, x[1], x[2])),
        new("IndexCopy middle", r => [Real(r, 2, 5, 3), Whole(r, 5, 4), Real(r, 2, 4, 3)], x => x[0].IndexCopy(1, x[1], x[2])),
        new("IndexFill", r => [Real(r, 2, 5, 3), Whole(r, 5, 4)], x => x[0].IndexFill(1, x[1], 2.5)),
        new("Embedding", r => [Real(r, 6, 4), Whole(r, 6, 2, 3)], x => x[1].Embedding(x[0])),
        new("Take", r => [Real(r, 3, 4), Whole(r, 12, 2, 3)], x => x[0].Take(x[1] - 0)),
        new("IndexPut", r => [Real(r, 3, 4, 2), Whole(r, 3, 5), Whole(r, 4, 5), Real(r, 5, 2)], x => x[0].IndexPut([x[1], x[2]], x[3])),
        new("IndexPut spread", r => [Real(r, 3, 4), Whole(r, 3, 5, 1), Whole(r, 4, 2), Real(r, 2)], x => x[0].IndexPut([x[1], x[2]], x[3], accumulate: true)),
        new("Gather first", r => [Real(r, 5, 3), Whole(r, 5, 4, 2)], x => x[0].Gather(0, x[1])),
        new("Gather middle", r => [Real(r, 3, 5, 4), Whole(r, 5, 3, 6, 4)], x => x[0].Gather(1, x[1])),
        new("Gather last", r => [Real(r, 3, 5), Whole(r, 5, 3, 7)], x => x[0].Gather(-1, x[1])),
        new("ScatterAdd first", r => [Real(r, 5, 4), Whole(r, 5, 6, 3), Real(r, 7, 4)], x => x[0].ScatterAdd(0, x[1], x[2])),
        new("ScatterAdd last", r => [Real(r, 4, 5), Whole(r, 5, 3, 6), Real(r, 3, 6)], x => x[0].ScatterAdd(1, x[1], x[2])),
        new("Scatter first", r => [Real(r, 5, 4), Whole(r, 5, 6, 3), Real(r, 6, 3)], x => x[0].Scatter(0, x[1], x[2])),
        new("Scatter last", r => [Real(r, 4, 5), Whole(r, 5, 3, 6), Real(r, 3, 6)], x => x[0].Scatter(-1, x[1], x[2])),
        new("Scatter number", r => [Real(r, 4, 5), Whole(r, 5, 3, 6)], x => x[0].Scatter(-1, x[1], 3)),
        new("MaskedSelect", r => [Real(r, 4, 5)], x => x[0].MaskedSelect(Tensor.FromArray(new[] { true, false, true, true, false })), Vmap: false),
        new("MaskedScatter", r => [Real(r, 4, 5), Real(r, 20)], x => x[0].MaskedScatter(Tensor.FromArray(new[] { true, false, true, true, false }), x[1]), Vmap: false),
        new("Cat", r => [Real(r, 2, 3), Real(r, 1, 3), Real(r, 4, 3)], x => Tensor.Cat(x)),
        new("Cat last", r => [Real(r, 2, 3), Real(r, 2, 1)], x => Tensor.Cat(x, -1)),
        new("Stack", r => [Real(r, 2, 3), Real(r, 2, 3)], x => Tensor.Stack(x, 1)),
        new("Stack last", r => [Real(r, 2, 3), Real(r, 2, 3)], x => Tensor.Stack(x, -1)),
        new("Repeat", r => [Real(r, 2, 3)], x => x[0].Repeat(2, 3, 2)),
        new("Tile", r => [Real(r, 2, 3)], x => x[0].Tile(2)),
        new("RepeatInterleave", r => [Real(r, 2, 3)], x => x[0].RepeatInterleave(3, 0)),
        new("RepeatInterleave by tensor", r => [Real(r, 2, 3)], x => x[0].RepeatInterleave(Tensor.FromArray(new long[] { 2, 0, 3 }), 1)),
        new("Pad", r => [Real(r, 2, 3, 4)], x => x[0].Pad([1, 2, -1, 3], PadMode.Constant, 0.5)),
        new("Pad reflect", r => [Real(r, 2, 3, 4)], x => x[0].Pad([3, 1, 2, 0], PadMode.Reflect)),
        new("Pad replicate", r => [Real(r, 2, 3, 4)], x => x[0].Pad([3, 5], PadMode.Replicate)),
        new("Pad circular", r => [Real(r, 2, 3, 4)], x => x[0].Pad([4, 2], PadMode.Circular)),
        new("Flip", r => [Real(r, 2, 3, 4)], x => x[0].Flip(0, 2)),
        new("Roll", r => [Real(r, 2, 3, 4)], x => x[0].Roll([-1, 6], [1, 2])),
        new("Roll flat", r => [Real(r, 2, 3)], x => x[0].Roll(2)),
        new("Triu", r => [Real(r, 2, 3, 4)], x => x[0].Triu(1)),
        new("Tril", r => [Real(r, 2, 4, 3)], x => x[0].Tril(-1)),
        new("Meshgrid", r => [Real(r, 3), Real(r, 2)], x => Tensor.Meshgrid(x[0], x[1])[1] - Tensor.Meshgrid(x[0], x[1])[0]),
        new("Unfold overlapping", r => [Real(r, 2, 7)], x => x[0].Unfold(1, 3, 2)),
        new("Unfold apart", r => [Real(r, 7, 2)], x => x[0].Unfold(0, 2, 3)),
        new("AsStrided", r => [Real(r, 3, 4)], x => x[0].AsStrided([3, 3], [2, 1], 1), Vmap: false),
        new("Sort", r => [Real(r, 3, 9)], x => x[0].Sort().Values),
        new("Sort descending first", r => [Real(r, 9, 3)], x => x[0].Sort(0, descending: true).Values),
        new("TopK", r => [Real(r, 3, 40)], x => x[0].TopK(3).Values),
        new("KthValue", r => [Real(r, 3, 9)], x => x[0].KthValue(4).Values),
        new("Median", r => [Real(r, 3, 8)], x => x[0].Median(-1).Values),
        new("Reshape of a transpose", r => [Real(r, 2, 3, 4)], x => x[0].Transpose(0, 2).Reshape(6, 4)),
    ];

    public static TheoryData<int, string> Cases()
    {
        var data = new TheoryData<int, string>();
        for (int i = 0; i < s_cases.Length; i++) data.Add(i, s_cases[i].Name);
        return data;
    }

    static bool Varies(Tensor x) => x.DType.IsFloatingPoint;

    static void Same(Tensor expected, Tensor actual, string what, double tolerance = 1e-9)
    {
        Assert.True(expected.Shape.Equals(actual.Shape), $"{what}: shape {actual.Shape}, expected {expected.Shape}");
        double[] e = expected.ToArray<double>(), a = actual.ToArray<double>();
        for (int i = 0; i < e.Length; i++) Assert.True(Math.Abs(e[i] - a[i]) <= tolerance * Math.Max(1, Math.Abs(e[i])), $"{what}: element {i} is {a[i]}, expected {e[i]}");
    }

    static Tensor Moved(Tensor[] x, Tensor?[] by, double h, Func<Tensor[], Tensor> call) => call([.. x.Select((t, i) => by[i] is { } d ? t + d * h : t)]);

    // every operator here is linear, or linear as long as the order of elements stays
    static Tensor Difference(Case c, Tensor[] x, Tensor?[] by)
    {
        const double h = 1.0 / (1 << 20);
        return (Moved(x, by, h, c.Call) - Moved(x, by, -h, c.Call)) * (0.5 / h);
    }

    [Theory, MemberData(nameof(Cases))]
    public void The_tangent_is_the_difference_quotient(int number, string name)
    {
        _ = name;
        var c = s_cases[number];
        var random = new Random(number + 1);
        var x = c.Operands(random);
        Tensor?[] by = [.. x.Select(t => Varies(t) ? Real(random, t.Shape.ToArray()) : null)];
        int[] varying = [.. Enumerable.Range(0, x.Length).Where(i => Varies(x[i]))];
        Tensor Partial(Tensor[] v)
        {
            var all = (Tensor[])x.Clone();
            for (int k = 0; k < varying.Length; k++) all[varying[k]] = v[k];
            return c.Call(all);
        }
        var (_, tangent) = Autograd.Jvp(Partial, [.. varying.Select(i => x[i])], [.. varying.Select(i => by[i]!)]);
        Same(Difference(c, x, by), tangent, c.Name, 1e-7);
    }

    [Theory, MemberData(nameof(Cases))]
    public void The_gradient_is_the_adjoint_of_the_difference_quotient(int number, string name)
    {
        _ = name;
        var c = s_cases[number];
        var random = new Random(number + 100);
        var x = c.Operands(random);
        var leaves = x.Where(Varies).Select(t => t.RequiresGrad_()).ToArray();
        var y = c.Call(x);
        var g = Real(random, y.Shape.ToArray()).RequiresGrad_();
        var gradients = Autograd.Grad([y], leaves, [g], createGraph: true, allowUnused: true);
        var by = leaves.Select(t => Real(random, t.Shape.ToArray())).ToArray();
        int k = 0;
        Tensor?[] direction = [.. x.Select(t => Varies(t) ? by[k++] : null)];
        Tensor push;
        using (Autograd.NoGrad()) push = Difference(c, x, direction);
        double expected = push.ToArray<double>().Zip(g.ToArray<double>(), (a, b) => a * b).Sum(), actual = 0;
        for (int i = 0; i < leaves.Length; i++) actual += gradients[i]!.ToArray<double>().Zip(by[i].ToArray<double>(), (a, b) => a * b).Sum();
        Assert.Equal(expected, actual, 1e-5 * Math.Max(1, Math.Abs(expected)));
        // the gradient is linear in g: differentiated once more it gives the tangent back
        if (y.Numel == 0) return;
        Tensor? total = null;
        for (int i = 0; i < leaves.Length; i++) total = total is null ? (gradients[i]! * by[i]).Sum() : total + (gradients[i]! * by[i]).Sum();
        Same(push, Autograd.Grad(total!, g), c.Name + " twice", 1e-6);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Batched_is_each_element_by_itself(int number, string name)
    {
        _ = name;
        var c = s_cases[number];
        if (!c.Vmap) return;
        const int batch = 3;
        var random = new Random(number + 200);
        var elements = Enumerable.Range(0, batch).Select(_ => c.Operands(random)).ToArray();
        int count = elements[0].Length;
        // every choice of operands that carry the batch; the others are shared
        for (int chosen = 1; chosen < 1 << count; chosen++)
        {
            var operands = new Tensor[count];
            var dims = new int?[count];
            for (int i = 0; i < count; i++)
            {
                bool carries = (chosen >> i & 1) != 0;
                operands[i] = carries ? Tensor.Stack([.. elements.Select(e => e[i])], 0) : elements[0][i];
                dims[i] = carries ? 0 : null;
            }
            var expected = Tensor.Stack([.. Enumerable.Range(0, batch).Select(b => c.Call([.. Enumerable.Range(0, count).Select(i => (chosen >> i & 1) != 0 ? elements[b][i] : elements[0][i])]))]);
            Same(expected, Autograd.Vmap(x => c.Call(x), operands, dims), $"{c.Name}, operands {chosen:b}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Strided_operands_give_what_contiguous_ones_do(int number, string name)
    {
        _ = name;
        var c = s_cases[number];
        if (c.Name == "AsStrided") return;
        var x = c.Operands(new Random(number + 300));
        var expected = c.Call(x);
        // last dimension reversed in memory, in a buffer with every other element unused
        static Tensor loose(Tensor t)
        {
            if (t.Rank == 0) return t;
            var doubled = Tensor.Stack([t.Flip(-1), t.Flip(-1)], t.Rank);
            return doubled.Select(-1, 1).Slice(-1, step: -1);
        }
        Same(expected, c.Call([.. x.Select(loose)]), c.Name);
        // and as a transpose of contiguous memory
        Same(expected, c.Call([.. x.Select(t => t.Rank < 2 ? t : t.Transpose(0, -1).Clone().Transpose(0, -1))]), c.Name + " transposed");
    }

    [Theory, MemberData(nameof(Cases))]
    public void Every_element_type_moves_alike(int number, string name)
    {
        _ = name;
        var c = s_cases[number];
        if (c.Name.StartsWith("IndexFill", StringComparison.Ordinal)) return;
        var whole = c.Operands(new Random(number + 400)).Select(t => Varies(t) ? t.To(DType.Int8).To(DType.Float64) * 0.25 : t).Select(t => Varies(t) ? t.To(DType.Int8) : t).ToArray();
        foreach (var type in new[] { DType.Float32, DType.BFloat16, DType.Float16, DType.Int32, DType.Int16, DType.Int8, DType.Int64 })
        {
            var x = whole.Select(t => t.DType == DType.Int8 ? t.To(type) : t).ToArray();
            if (!type.IsFloatingPoint && c.Name is "Pad") continue;
            var y = c.Call(x);
            Assert.Equal(type, y.DType);
            if (type != DType.Int8 && c.Name is not "Pad") Same(c.Call([.. x.Select(t => t.DType == type && t.DType != DType.Int64 ? t.To(DType.Float64) : t)]), y, $"{c.Name} in {type}", 0.02);
        }
    }

    // ---- values, against loops ----

    [Fact]
    public void IndexSelect_and_IndexAdd_are_their_loops()
    {
        var random = new Random(7);
        for (int trial = 0; trial < 20; trial++)
        {
            long a = random.Next(1, 5), n = random.Next(1, 6), b = random.Next(1, 300), m = random.Next(0, 30);
            Tensor x = Real(random, a, n, b), index = Whole(random, n, m), source = Real(random, a, m, b);
            double[] xs = x.ToArray<double>(), ss = source.ToArray<double>();
            var at = index.ToArray<long>();
            var picked = new double[a * m * b];
            var added = (double[])xs.Clone();
            var written = (double[])xs.Clone();
            for (long i = 0; i < a; i++)
                for (long k = 0; k < m; k++)
                    for (long j = 0; j < b; j++)
                    {
                        picked[(i * m + k) * b + j] = xs[(i * n + at[k]) * b + j];
                        added[(i * n + at[k]) * b + j] += ss[(i * m + k) * b + j];
                        written[(i * n + at[k]) * b + j] = ss[(i * m + k) * b + j];
                    }
            Assert.Equal(picked, x.IndexSelect(1, index).ToArray<double>());
            Assert.Equal(added, x.IndexAdd(1, index, source).ToArray<double>());
            Assert.Equal(written, x.IndexCopy(1, index.To(DType.Int32), source).ToArray<double>());
            Assert.Equal(added, x.Clone().IndexAdd_(1, index, source).ToArray<double>());
            Assert.Equal(written, x.Clone().IndexCopy_(1, index, source).ToArray<double>());
        }
    }

    [Fact]
    public void Gather_and_Scatter_are_their_loops()
    {
        var random = new Random(8);
        for (int trial = 0; trial < 20; trial++)
        {
            long a = random.Next(1, 5), n = random.Next(1, 6), b = random.Next(1, 200), m = random.Next(1, 8);
            long ia = random.NextInt64(1, a + 1), ib = random.NextInt64(1, b + 1);
            Tensor x = Real(random, a, n, b), index = Whole(random, n, ia, m, ib), source = Real(random, ia + 1, m, ib + 2);
            double[] xs = x.ToArray<double>(), ss = source.ToArray<double>();
            var at = index.ToArray<long>();
            var picked = new double[ia * m * ib];
            var added = (double[])xs.Clone();
            var written = (double[])xs.Clone();
            for (long i = 0; i < ia; i++)
                for (long k = 0; k < m; k++)
                    for (long j = 0; j < ib; j++)
                    {
                        long p = (i * m + k) * ib + j, to = (i * n + at[p]) * b + j, from = (i * m + k) * (ib + 2) + j;
                        picked[p] = xs[to];
                        added[to] += ss[from];
                        written[to] = ss[from];
                    }
            Assert.Equal(picked, x.Gather(1, index).ToArray<double>());
            Assert.Equal(added, x.ScatterAdd(1, index, source).ToArray<double>());
            Assert.Equal(written, x.Scatter(1, index, source).ToArray<double>());
            Assert.Equal(added, x.Clone().ScatterAdd_(1, index, source).ToArray<double>());
            Assert.Equal(written, x.Clone().Scatter_(1, index, source).ToArray<double>());
            // into a view that is not contiguous
            var view = x.Transpose(0, 2).Clone().Transpose(0, 2);
            Assert.Equal(added, view.ScatterAdd_(1, index, source).ToArray<double>());
        }
    }

    [Fact]
    public void The_gradient_of_Embedding_is_the_same_at_any_number_of_threads()
    {
        var random = new Random(9);
        var table = Tensor.Rand([50, 700]).RequiresGrad_();
        var index = Whole(random, 50, 40, 25);
        var g = Tensor.Rand([40, 25, 700]);
        int before = Flambeau.Runtime.Team.Threads;
        try
        {
            Flambeau.Runtime.Team.Threads = 1;
            var alone = Autograd.Grad([index.Embedding(table)], [table], [g])[0]!.ToArray<float>();
            Flambeau.Runtime.Team.Threads = 4;
            Assert.Equal(alone, Autograd.Grad([index.Embedding(table)], [table], [g])[0]!.ToArray<float>());
            // in the order of the indices
            var expected = new float[50 * 700];
            float[] gs = g.ToArray<float>();
            var at = index.ToArray<long>();
            for (int i = 0; i < at.Length; i++) for (int j = 0; j < 700; j++) expected[at[i] * 700 + j] += gs[i * 700 + j];
            Assert.Equal(expected, alone);
        }
        finally { Flambeau.Runtime.Team.Threads = before; }
    }

    [Fact]
    public void The_padding_row_of_Embedding_gets_no_gradient()
    {
        var table = Tensor.Rand([4, 3]).RequiresGrad_();
        var index = Tensor.FromArray(new long[] { 0, 2, 2, 3, 1 });
        index.Embedding(table, paddingIndex: -2).Sum().Backward();
        Assert.Equal([1f, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1], table.Grad!.ToArray<float>());
    }

    [Fact]
    public void An_index_outside_is_named_before_anything_is_written()
    {
        var x = Tensor.Zeros(2, 3);
        var index = Tensor.FromArray(new long[] { 0, 3 });
        var error = Assert.Throws<FlambeauException>(() => x.IndexCopy_(1, index, Tensor.Ones(2, 2)));
        Assert.Contains("index 3 at position 1 is out of range for dim 1 with size 3", error.Message);
        Assert.All(x.ToArray<float>(), v => Assert.Equal(0, v));
        Assert.Contains("index -1", Assert.Throws<FlambeauException>(() => x.IndexSelect(0, Tensor.FromArray(new long[] { -1 }))).Message);
        Assert.Contains("float32", Assert.Throws<FlambeauException>(() => x.IndexSelect(0, Tensor.Of(1))).Message);
        Assert.Contains("one dim", Assert.Throws<FlambeauException>(() => x.IndexSelect(0, Tensor.FromArray(new long[,] { { 1 } }))).Message);
        Assert.Contains("position [1, 0]", Assert.Throws<FlambeauException>(() => x.Gather(1, Tensor.FromArray(new long[,] { { 1 }, { 7 } }))).Message);
        Assert.Contains("of the first 3", Assert.Throws<FlambeauException>(() => Tensor.Cat([x, Tensor.Zeros(2, 4)])).Message);
        Assert.Contains("tensor 1", Assert.Throws<FlambeauException>(() => Tensor.Stack([x, Tensor.Zeros(2, 4)])).Message);
        Assert.Contains("under Vmap", Assert.Throws<FlambeauException>(() => Autograd.Vmap(t => t.Nonzero())(x)).Message);
    }

    [Fact]
    public void Cat_promotes_and_skips_empty_ones()
    {
        var y = Tensor.Cat([Tensor.FromArray(new long[,] { { 1, 2 } }), Tensor.Zeros(0), Tensor.FromArray(new float[,] { { 0.5f, 3 } })]);
        Assert.Equal(DType.Float32, y.DType);
        Assert.Equal([1f, 2, 0.5f, 3], y.ToArray<float>());
        Assert.Equal("[2, 2]", y.Shape.ToString());
        Assert.Equal("[0]", Tensor.Cat([Tensor.Zeros(0)]).Shape.ToString());
    }

    [Fact]
    public void Masks_select_in_row_major_order()
    {
        var x = Tensor.FromArray(new float[,] { { 1, 2, 3 }, { 4, 5, 6 } });
        var mask = Tensor.FromArray(new[,] { { true, false, true }, { false, true, false } });
        Assert.Equal([1f, 3, 5], x.MaskedSelect(mask).ToArray<float>());
        Assert.Equal([0L, 0, 0, 2, 1, 1], mask.Nonzero().ToArray<long>());
        Assert.Equal("[3, 2]", mask.Nonzero().Shape.ToString());
        Assert.Equal([0L, 2, 1], mask.NonzeroAsTuple()[1].ToArray<long>());
        Assert.Equal("[1, 0]", Tensor.FromScalar(3).Nonzero().Shape.ToString());
        Assert.Equal([9f, 2, 8, 4, 7, 6], x.MaskedScatter(mask, Tensor.Of(9, 8, 7, 6)).ToArray<float>());
        Assert.Equal([0L, 0, 1, 1, 0, 0], Tensor.FromArray(new long[] { 2, 0 }).OneHot(3).ToArray<long>());
    }

    [Fact]
    public void Borders_are_as_written()
    {
        var x = Tensor.Of(1, 2, 3);
        Assert.Equal([0f, 1, 2, 3, 0, 0], x.Pad([1, 2]).ToArray<float>());
        Assert.Equal([3f, 2, 1, 2, 3, 2], x.Pad([2, 1], PadMode.Reflect).ToArray<float>());
        Assert.Equal([1f, 1, 1, 2, 3, 3], x.Pad([2, 1], PadMode.Replicate).ToArray<float>());
        Assert.Equal([2f, 3, 1, 2, 3, 1], x.Pad([2, 1], PadMode.Circular).ToArray<float>());
        Assert.Equal([2f], x.Pad([-1, -1]).ToArray<float>());
        Assert.Equal([0f, 0, 1, 2, 0, 0, 3, 4], Tensor.FromArray(new float[,] { { 1, 2 }, { 3, 4 } }).Pad([2, 0]).ToArray<float>());
        Assert.Throws<FlambeauException>(() => x.Pad([3, 0], PadMode.Reflect));
    }

    [Fact]
    public void Rolled_flipped_and_cut_are_as_written()
    {
        var x = Tensor.FromArray(new long[,] { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } });
        Assert.Equal([3L, 1, 2, 6, 4, 5, 9, 7, 8], x.Roll(1, 1).ToArray<long>());
        Assert.Equal([9L, 1, 2, 3, 4, 5, 6, 7, 8], x.Roll(1).ToArray<long>());
        Assert.Equal([3L, 2, 1, 6, 5, 4, 9, 8, 7], x.Flip(1).ToArray<long>());
        Assert.Equal([0L, 2, 3, 0, 0, 6, 0, 0, 0], x.Triu(1).ToArray<long>());
        Assert.Equal([1L, 2, 0, 4, 5, 6, 7, 8, 9], x.Tril(1).ToArray<long>());
        Assert.Equal([1L, 1, 2, 2], Tensor.FromArray(new long[] { 1, 2 }).RepeatInterleave(2).ToArray<long>());
        Assert.Equal([1L, 2, 1, 2], Tensor.FromArray(new long[] { 1, 2 }).Repeat(2).ToArray<long>());
    }

    [Fact]
    public void A_repeated_copy_is_never_a_view()
    {
        var x = Tensor.Zeros(2);
        x.Repeat(1).Fill_(1);
        x.RepeatInterleave(1).Fill_(1);
        x.Flip().Fill_(1);
        x.Roll(0).Fill_(1);
        Tensor.Cat([x]).Fill_(1);
        Assert.Equal([0f, 0], x.ToArray<float>());
    }
}
