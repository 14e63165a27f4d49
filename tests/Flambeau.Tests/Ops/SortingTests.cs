namespace Flambeau.Tests.Ops;

/// <summary>Orders are those of a stable sort that counts NaN as greatest and −0 as +0.</summary>
public class SortingTests
{
    static readonly double[] s_edges = [0, -0.0, 1, -1, double.NaN, double.PositiveInfinity, double.NegativeInfinity, double.Epsilon, -double.Epsilon, double.MaxValue, double.MinValue];

    static int Compare(double x, double y) => double.IsNaN(x) ? double.IsNaN(y) ? 0 : 1 : double.IsNaN(y) ? -1 : x < y ? -1 : x > y ? 1 : 0;

    static long[] Expected(double[] row, bool descending)
    {
        var order = Enumerable.Range(0, row.Length).Select(i => (long)i);
        var by = Comparer<double>.Create(Compare);
        return [.. descending ? order.OrderByDescending(i => row[i], by) : order.OrderBy(i => row[i], by)];
    }

    public static TheoryData<DType> Types => new(Enum.GetValues<DType>());

    [Theory, MemberData(nameof(Types))]
    public void ArgSort_TopK_and_KthValue_follow_the_stable_order(DType type)
    {
        var random = new Random(11);
        for (int trial = 0; trial < 12; trial++)
        {
            int n = trial < 6 ? random.Next(1, 12) : random.Next(50, 400);
            var data = new double[3 * n];
            for (int i = 0; i < data.Length; i++) data[i] = random.Next(3) == 0 && type.IsFloatingPoint ? s_edges[random.Next(s_edges.Length)] : random.Next(-20, 20) / (type.IsFloatingPoint ? 4.0 : 1);
            var x = Tensor.FromArray(data, new long[] { 3, n }).To(type);
            var values = x.ToArray<double>();
            foreach (bool descending in new[] { false, true })
            {
                var expected = Enumerable.Range(0, 3).SelectMany(r => Expected(values[(r * n)..((r + 1) * n)], descending)).ToArray();
                Assert.Equal(expected, x.ArgSort(-1, descending).ToArray<long>());
                Assert.Equal(expected, x.T.ArgSort(0, descending).T.ToArray<long>());
                foreach (int k in new[] { 0, 1, Math.Min(3, n), n })
                {
                    var top = Enumerable.Range(0, 3).SelectMany(r => expected[(r * n)..(r * n + k)]).ToArray();
                    var (v, i) = x.TopK(k, -1, largest: descending);
                    Assert.Equal(top, i.ToArray<long>());
                    Assert.Equal(x.Gather(-1, i).ToArray<double>(), v.ToArray<double>());
                    if (k > 0 && !descending) Assert.Equal(Enumerable.Range(0, 3).Select(r => expected[r * n + k - 1]), x.KthValue(k).Indices.ToArray<long>());
                }
            }
        }
    }

    [Fact]
    public void Median_is_the_lower_middle_or_NaN()
    {
        Assert.Equal(2, Tensor.Of(4, 1, 2, 3).Median().Item());
        Assert.Equal(2, Tensor.Of(3, 1, 2).Median().Item());
        Assert.True(double.IsNaN(Tensor.Of(3, float.NaN, 2, float.NaN).Median().Item()));
        Assert.Equal(1, Tensor.Of(3, float.NaN, 2, float.NaN).Median(0).Indices.Item());
        Assert.Equal(1, Tensor.Of(3, float.NaN, 2, float.NaN).Double().Median(0).Indices.Item());
        Assert.Equal([2f, 5], Tensor.FromArray(new float[,] { { 1, 2, 3 }, { 6, 5, 4 } }).Median(1).Values.ToArray<float>());
        Assert.Equal("[2, 1]", Tensor.FromArray(new float[,] { { 1, 2, 3 }, { 6, 5, 4 } }).Median(1, keepDim: true).Values.Shape.ToString());
    }

    [Fact]
    public void Unique_gives_values_places_and_counts()
    {
        var (values, inverse, counts) = Tensor.FromArray(new long[,] { { 3, 1, 3 }, { 2, 1, 3 } }).Unique();
        Assert.Equal([1L, 2, 3], values.ToArray<long>());
        Assert.Equal([2L, 0, 2, 1, 0, 2], inverse.ToArray<long>());
        Assert.Equal("[2, 3]", inverse.Shape.ToString());
        Assert.Equal([2L, 1, 3], counts.ToArray<long>());
        Assert.Equal(3, Tensor.Of(float.NaN, 0, -0f, float.NaN).Unique().Values.Numel);
    }

    [Fact]
    public void SearchSorted_and_BinCount_are_as_written()
    {
        var sorted = Tensor.Of(1, 3, 3, 5);
        Assert.Equal([0L, 1, 4, 3, 0], sorted.SearchSorted(Tensor.Of(1, 3, 9, 4, 0)).ToArray<long>());
        Assert.Equal([1L, 3, 4, 3, 0], sorted.SearchSorted(Tensor.Of(1, 3, 9, 4, 0), right: true).ToArray<long>());
        var rows = Tensor.FromArray(new float[,] { { 1, 2 }, { 5, 6 } });
        Assert.Equal([2L, 0], rows.SearchSorted(Tensor.FromArray(new float[,] { { 3 }, { 3 } })).ToArray<long>());
        Assert.Equal([2L, 0], Autograd.Vmap(x => x[0].SearchSorted(x[1]), [rows, Tensor.Of(3, 3)]).ToArray<long>());
        Assert.Equal([0L, 2, 0, 1, 0], Tensor.FromArray(new long[] { 1, 3, 1 }).BinCount(minLength: 5).ToArray<long>());
        Assert.Equal([0f, 1.5f, 0, 1], Tensor.FromArray(new long[] { 1, 3, 1 }).BinCount(Tensor.Of(0.5f, 1, 1)).ToArray<float>());
    }

    [Fact]
    public void Multinomial_draws_by_weight()
    {
        var generator = new Generator(5);
        var weights = Tensor.FromArray(new float[,] { { 1, 0, 3, 4 }, { 0, 0, 1, 1 } });
        var drawn = weights.Multinomial(4000, replacement: true, generator).ToArray<long>();
        double[] share = [.. Enumerable.Range(0, 4).Select(c => drawn[..4000].Count(i => i == c) / 4000.0)];
        // five standard deviations of a frequency
        for (int c = 0; c < 4; c++) Assert.Equal(new[] { 0.125, 0, 0.375, 0.5 }[c], share[c], 5 * Math.Sqrt(0.25 / 4000));
        Assert.DoesNotContain(drawn[4000..], i => i < 2);
        // without replacement: first draws have the same law, and none repeats
        var many = weights.Narrow(0, 0, 1).Expand(4000, 4).Multinomial(3, generator: generator);
        var first = many.Select(1, 0).ToArray<long>();
        for (int c = 0; c < 4; c++) Assert.Equal(new[] { 0.125, 0, 0.375, 0.5 }[c], first.Count(i => i == c) / 4000.0, 5 * Math.Sqrt(0.25 / 4000));
        Assert.All(many.ToArray<long>().Chunk(3), row => Assert.Equal(3, row.Distinct().Count()));
        Assert.Throws<FlambeauException>(() => weights.Multinomial(3));
        Assert.Throws<FlambeauException>(() => Tensor.Of(1, -1).Multinomial(1));
        Assert.Equal(weights.Multinomial(2, generator: new Generator(3)).ToArray<long>(), weights.Multinomial(2, generator: new Generator(3)).ToArray<long>());
    }

    [Fact]
    public void RandPerm_is_an_order()
    {
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), Tensor.RandPerm(1000).ToArray<long>().Order());
    }
}
