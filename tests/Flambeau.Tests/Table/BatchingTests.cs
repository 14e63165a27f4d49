namespace Flambeau.Tests.Table;

/// <summary><c>Vmap</c> computes what a loop over the batch computes, to the bit.</summary>
public class BatchingTests
{
    const int Batch = 3;

    // elements of a batch draw different numbers: each sample of a batch is its own
    static readonly string[] s_random = ["Multinomial"];

    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void Vmap_equals_a_loop(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var draws = Rows.Draws(name);
        var each = Enumerable.Range(0, Batch).Select(_ => s.Operands(draws)).ToArray();
        int count = each[0].Length;
        if (count == 0 || s_random.Contains(name)) return;
        Check(Enumerable.Repeat<int?>(0, count).ToArray(), "all along dim 0");
        Check([.. each[0].Select(x => (int?)x.Rank)], "all along the last dim");
        for (int only = 0; only < count && count > 1; only++)
            Check([.. Enumerable.Range(0, count).Select(k => k == only ? (int?)0 : null)], $"operand {only} alone");

        void Check(int?[] dims, string what)
        {
            Tensor[] operands = [.. Enumerable.Range(0, count).Select(k => dims[k] is { } dim ? Stack(each.Select(e => e[k]).ToArray()).MoveDim(0, dim) : each[0][k])];
            var y = Autograd.Vmap(s.Call, operands, dims);
            for (int i = 0; i < Batch; i++)
                Bits.Equal(s.Call([.. Enumerable.Range(0, count).Select(k => dims[k] is null ? each[0][k] : each[i][k])]), y.Select(0, i), $"{s.Text}, {what}, element {i}");
        }
    }

    static Tensor Stack(Tensor[] x)
    {
        var y = Tensor.Zeros(Shape.Create([x.Length, .. x[0].Shape.ToArray()]), x[0].DType);
        for (int i = 0; i < x.Length; i++) y.Select(0, i).Copy_(x[i]);
        return y;
    }

    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void Gradients_under_Vmap_equal_a_loop(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var draws = Rows.Draws(name);
        var each = Enumerable.Range(0, Batch).Select(_ => s.Operands(draws)).ToArray();
        int first = Array.FindIndex(each[0], x => x.DType.IsFloatingPoint);
        if (first < 0 || !Differentiable(each[0])) return;
        var stacked = Stack([.. each.Select(e => e[first])]);
        var all = Autograd.Vmap(x => Gradient(x[0], 0), [stacked]);
        for (int i = 0; i < Batch; i++)
        {
            double[] e = Gradient(each[i][first], 0).ToArray<double>(), a = all.Select(0, i).ToArray<double>();
            for (int k = 0; k < e.Length; k++) Assert.True(Math.Abs(e[k] - a[k]) <= 1e-6 * (1 + Math.Abs(e[k])), $"{s.Text}, element {i}: {a[k]:R}, expected {e[k]:R}");
        }

        bool Differentiable(Tensor[] operands)
        {
            var x = operands[first].Detach().RequiresGrad_();
            return Call(x).RequiresGrad;
        }

        Tensor Call(Tensor x)
        {
            var operands = (Tensor[])each[0].Clone();
            operands[first] = x;
            return s.Call(operands);
        }

        // forward mode inside Vmap: the tangent along ones
        Tensor Gradient(Tensor x, int _) => Autograd.Jvp(Call, x, Tensor.OnesLike(x)).Tangent;
    }
}
