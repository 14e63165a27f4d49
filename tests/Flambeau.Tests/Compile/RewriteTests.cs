using Flambeau.Ops;

namespace Flambeau.Tests.Compile;

/// <summary>
/// Each rule of the rewriter where its condition holds, and next to that where it just does not: gradients agree with those of the body, operator by operator, and what the rule does shows in the graph.
/// </summary>
[Collection(nameof(CompositeTests))]
public class RewriteTests
{
    static readonly Generator s_random = new(17);
    static Tensor Full() => Tensor.RandN([5, 11], generator: s_random);
    static Tensor Row() => Tensor.Rand([5, 1], generator: s_random) + 0.5;

    static void Agrees(string what, Func<Tensor[], Tensor> body, params Tensor[] x) => CompositeTests.SameBits(what, body, 0, x);

    // the lines of the backward pass
    static string[] Backward(string what, Func<Tensor[], Tensor> body, params Tensor[] x)
    {
        var text = Composite.Explain(() => Composite.Apply(what, body, what, [.. x.Select(t => t.Detach().RequiresGrad_())]));
        return Assert.Single(text).Split("\nbackward: ")[1].Split('\n');
    }

    static int Count(string op, string[] lines) => lines.Count(l => l.Contains($"= {op} "));

    [Fact]
    public void Signs_move_outside_and_become_differences()
    {
        static Tensor Body(Tensor[] t) => (t[0] * t[1] - t[0]).Exp();
        Agrees("signs", Body, Full(), Full());
        Agrees("sign on the left", t => (-t[0]).Exp() * t[1] + t[0] * t[1], Full(), Full());
        Agrees("two signs", t => (-t[0]) * (-t[1]) - (-t[0]), Full(), Full());
        Assert.Equal(0, Count("Neg", Backward("signs", Body, Full(), Full())));
    }

    [Fact]
    public void A_divisor_that_a_row_shares_is_taken_out_of_the_sum()
    {
        static Tensor Shared(Tensor[] t) => t[0] * (t[1] / t[2]);
        Agrees("shared", Shared, Full(), Row(), Row());
        Agrees("its own for every element", t => t[1] / t[0], Full().Abs() + 0.5, Row());
        Agrees("shared by columns", t => t[1] / t[0] * t[2], Full().Abs() + 0.5, Row(), Tensor.RandN([11], generator: s_random));
    }

    [Fact]
    public void A_factor_that_a_row_shares_is_taken_out_of_the_sum()
    {
        Agrees("shared", t => t[0] * (t[1] * t[2]), Full(), Row(), Row());
        Agrees("its own for every element", t => t[0] * t[1] * t[2], Full(), Row(), Full());
    }

    [Fact]
    public void A_factor_inside_a_product_is_taken_out_of_the_sum()
    {
        // batch norm: of the gradient the sums of g and of g times the deviation alone
        static Tensor Normed(Tensor[] t)
        {
            var c = t[0] - t[0].Mean(0, true);
            return c * ((c * c).Mean(0, true) + 1e-3).Rsqrt() * t[1] + t[2];
        }
        Tensor[] x = [Tensor.RandN([50, 11], generator: s_random), Tensor.RandN([11], generator: s_random), Tensor.RandN([11], generator: s_random)];
        Agrees("batch norm", Normed, x);
        Assert.Equal(2, Backward("batch norm", Normed, x).Count(l => l.Contains("= Sum over rows ")));
        Agrees("its own for every element", t => t[0] * (t[1] * t[2]) * t[0], Full(), Row(), Full());
        Agrees("a product that is the result", t => t[0].Exp() * t[1], Full(), Row());
    }

    [Fact]
    public void Deviations_from_the_mean_add_up_to_nothing()
    {
        static Tensor Normed(Tensor x, double count)
        {
            var c = x - x.Sum(-1, keepDim: true) / count;
            return c * ((c * c).Mean(-1, keepDim: true) + 1e-3).Rsqrt();
        }
        Agrees("mean", t => Normed(t[0], 11), Full());
        Agrees("one less", t => Normed(t[0], 10), Full());
        Agrees("of another", t => (t[0] - t[1].Mean(-1, true)) * t[0].Sum(-1, true).Exp(), Full() * 0.1, Full());
        // one pass less over the row
        int Passes(double count) => Backward($"deviations {count}", t => Normed(t[0], count), Full()).Count(l => l.Contains("loop over its elements"));
        Assert.Equal((2, 3), (Passes(11), Passes(10)));
    }

    [Fact]
    public void Quotients_by_one_divisor_are_added_first()
    {
        Agrees("one divisor", t => t[0] / t[1] * (t[0] / t[1]), Full(), Row());
        Agrees("two divisors", t => t[0] / t[1] + t[0] / t[2], Full(), Row(), Row());
        Agrees("two divisors, a difference", t => t[0] / t[1] - t[0] / t[2], Full(), Row(), Row());
    }

    [Fact]
    public void A_quotient_that_is_there_is_used()
    {
        static Tensor Softmax(Tensor[] t)
        {
            var e = t[0].Exp();
            return e / e.Sum(-1, keepDim: true);
        }
        Agrees("softmax", Softmax, Full());
        Assert.Equal(0, Count("Div", Backward("softmax", Softmax, Full())));
        Agrees("another numerator", t => t[0].Exp() / (t[0] * t[0]).Sum(-1, true), Full());
    }
}
