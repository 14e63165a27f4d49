using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>Derivatives where formulas break: at kinks PyTorch's choice, elsewhere the limit.</summary>
public class EdgeDerivativeTests
{
    static double Derivative(string name, DType type, int operand, params double[] at)
    {
        var x = at.Select(v => Tensor.FromArray([v]).To(type)).ToArray();
        x[operand].RequiresGrad = true;
        return Autograd.Grad(Truth.Of(Rows.Find(name)).Apply(x).Sum(), x[operand]).Item();
    }

    [Theory]
    [InlineData("Relu", 0, 0), InlineData("Relu6", 0, 0), InlineData("Relu6", 6, 0), InlineData("Abs", 0, 0), InlineData("Sign", 0, 0)]
    [InlineData("LeakyRelu", 0, 0.01), InlineData("Elu", 0, 1), InlineData("Celu", 0, 1), InlineData("Selu", 0, 1.7580993408473766), InlineData("Hardtanh", -1, 0), InlineData("Hardtanh", 1, 0)]
    [InlineData("Hardsigmoid", -3, 0), InlineData("Hardsigmoid", 3, 0), InlineData("Hardswish", -3, 0), InlineData("Hardswish", 3, 1), InlineData("Hardshrink", 0.5, 0), InlineData("Hardshrink", -0.5, 0)]
    [InlineData("Softshrink", 0.5, 0), InlineData("Softshrink", -0.5, 0), InlineData("Softsign", 0, 1), InlineData("Floor", 2, 0), InlineData("Round", 0.5, 0), InlineData("Frac", 2, 1)]
    public void At_a_kink_the_derivative_is_PyTorchs(string name, double x, double expected)
    {
        foreach (var type in (DType[])[DType.Float32, DType.Float64])
        {
            Assert.Equal(expected, Derivative(name, type, 0, x), 1e-6);
            if (x == 0) Assert.Equal(expected, Derivative(name, type, 0, -0.0), 1e-6);
        }
    }

    [Theory]
    [InlineData("Maximum", 0, 2, 2, 0.5), InlineData("Maximum", 1, 2, 2, 0.5), InlineData("Minimum", 0, 0, 0, 0.5), InlineData("Maximum", 0, 3, 2, 1), InlineData("Maximum", 0, 1, 2, 0)]
    [InlineData("ClampMin", 0, 2, 2, 1), InlineData("ClampMin", 1, 2, 2, 0), InlineData("ClampMin", 1, 1, 2, 1), InlineData("ClampMax", 0, 2, 2, 1), InlineData("ClampMax", 1, 2, 2, 0)]
    [InlineData("Pow", 0, 0, 2, 0), InlineData("Pow", 0, 0, 1, 1), InlineData("Pow", 0, 0, 0, 0), InlineData("Pow", 0, -2, 3, 12), InlineData("Pow", 1, 0, 2, 0), InlineData("Pow", 1, 0, 0, 0), InlineData("Pow", 1, 1, 5, 0)]
    [InlineData("Atan2", 0, 0, 1, 1), InlineData("Atan2", 1, 1, 0, -1), InlineData("Div", 0, 1, 0, double.PositiveInfinity), InlineData("Div", 1, 1, 0, double.NegativeInfinity), InlineData("Div", 0, double.PositiveInfinity, 2, 0.5)]
    [InlineData("Xlogy", 0, 0, 2, 0.6931471805599453), InlineData("Xlogy", 1, 3, 2, 1.5), InlineData("Xlogy", 1, 0, 0, 0), InlineData("LogAddExp", 0, 1, 1, 0.5), InlineData("LogAddExp", 1, 1, 1, 0.5)]
    [InlineData("Remainder", 1, -7, 3, 3), InlineData("Fmod", 1, -7, 3, 2), InlineData("FloorDivide", 0, 7, 2, 0), InlineData("Fmax", 0, 1, double.NaN, 1), InlineData("Fmin", 1, double.NaN, 1, 1)]
    public void Two_operands_at_a_tie_or_a_pole_follow_PyTorch(string name, int operand, double x, double y, double expected)
    {
        foreach (var type in (DType[])[DType.Float32, DType.Float64]) Assert.Equal(expected, Derivative(name, type, operand, x, y), 1e-6);
    }

    [Theory]
    [InlineData(0, 0.5, 0, 1, 1), InlineData(0, 0, 0, 1, 1), InlineData(0, 1, 0, 1, 1), InlineData(0, -1, 0, 1, 0), InlineData(1, -1, 0, 1, 1), InlineData(2, 5, 0, 1, 1), InlineData(2, 0.5, 0, 1, 0), InlineData(1, 0, 0, 1, 0), InlineData(2, 0, 2, 1, 1), InlineData(0, 0, 2, 1, 0)]
    public void Clamp_passes_the_gradient_at_its_bounds_and_to_the_bound_taken(int operand, double x, double low, double high, double expected) =>
        Assert.Equal(expected, Derivative("Clamp", DType.Float32, operand, x, low, high));

    // a derivative of 0 is these operators' statement, not a limit
    static readonly string[] s_steps = ["Floor", "Ceil", "Round", "Trunc", "Sign"];

    // kinks, where the limits of the two sides differ
    static readonly Dictionary<string, double[]> s_kinks = new()
    {
        ["Relu"] = [0], ["Relu6"] = [0, 6], ["Abs"] = [0], ["Selu"] = [0], ["Hardswish"] = [-3, 3], ["Hardsigmoid"] = [-3, 3], ["Softsign"] = [0],
        ["Frac"] = [0, 1, -1, 2, -2, 3, -3, 6, 20, -20, 100, -100, 1000, -1000], ["Reciprocal"] = [0], ["Rsqrt"] = [0],
    };

    [Theory, MemberData(nameof(Rows.DifferentiableUnary), MemberType = typeof(Rows))]
    public void Elsewhere_the_derivative_is_the_limit_of_the_slopes(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        foreach (var type in (DType[])[DType.Float32, DType.Float64])
        {
            var (tensors, held) = Operands.Make(truth, type, [Operands.Edges(type)]);
            tensors[0].RequiresGrad = true;
            var actual = Autograd.Grad(truth.Apply(tensors).Sum(), tensors[0]).ToArray<double>();
            for (int i = 0; i < actual.Length; i++)
            {
                double x = held[0][i];
                if (s_kinks.GetValueOrDefault(name, []).Contains(x) || name == "Tan" && Math.Abs(Math.Cos(x)) < 1e-3) continue;
                double[] limits = s_steps.Contains(name) ? double.IsNaN(x) ? [] : [0] : [.. Limits(v => truth.Value([v]), x, s_kinks.GetValueOrDefault(name, []))];
                if (limits.Length == 0) continue;
                Assert.True(limits.Any(limit => Near(actual[i], limit, type)), $"{name}'({x:R}) of {type.Name} = {actual[i]:R}, slopes near there {string.Join(" or ", limits.Select(l => l.ToString("R")))}");
            }
        }
    }

    static bool Near(double actual, double limit, DType type)
    {
        if (Math.Abs(limit) > Tolerance.Largest(type) / 2) return double.IsInfinity(actual) && Math.Sign(actual) == Math.Sign(limit) || Math.Abs(actual) > 1e30;
        double tolerance = type == DType.Float32 ? 2e-5 : 2e-7;
        return Math.Abs(actual - limit) <= tolerance * (1 + Math.Abs(limit));
    }

    // what differences of the formula in double say: near x by a step relative to x and by one relative to 1; at infinity by secants far out. None where they say nothing.
    static IEnumerable<double> Limits(Func<double, double> f, double x, double[] kinks)
    {
        if (double.IsNaN(x)) yield break;
        if (double.IsInfinity(x))
        {
            if (double.IsNaN(f(x))) yield break;
            double far = Math.CopySign(Math.ScaleB(1, 500), x), further = 2 * far;
            double slope = (f(further) - f(far)) / far;
            if (!double.IsNaN(slope)) yield return Math.Abs(slope) > 1e30 ? Math.CopySign(double.PositiveInfinity, slope) : Math.Abs(slope) < 1e-30 ? 0 : slope;
            yield break;
        }
        if (!double.IsFinite(f(x)) || Math.Abs(x) > 1e4 && Math.Abs(f(x)) <= 2) yield break;
        // a step relative to 1 would reach across a kink nearby, and one relative to a subnormal is none
        double[] scales = x == 0 ? [1] : [Math.Abs(x), Math.Max(1, Math.Abs(x))];
        foreach (double scale in scales.Where(s => s > 1e-290))
        {
            double h = scale * Math.ScaleB(1, -17);
            if (kinks.Any(kink => Math.Abs(x - kink) <= h)) continue;
            double forward = (f(x + h) - f(x)) / h, backward = (f(x) - f(x - h)) / h;
            if (double.IsFinite(forward) && double.IsFinite(backward))
            {
                // Richardson: the error of central differences is O(h²)
                double narrow = (f(x + h / 2) - f(x - h / 2)) / h, wide = (f(x + h) - f(x - h)) / (2 * h);
                yield return (4 * narrow - wide) / 3;
                continue;
            }
            foreach (int side in (int[])[1, -1])
            {
                double first = (f(x + side * h) - f(x)) / (side * h), closer = (f(x + side * h / 1024) - f(x)) / (side * h / 1024), closest = (f(x + side * h / 1048576) - f(x)) / (side * h / 1048576);
                if (!double.IsFinite(closest)) continue;
                yield return Math.Abs(closer) > 8 * Math.Abs(first) && Math.Abs(closest) > 8 * Math.Abs(closer) ? Math.CopySign(double.PositiveInfinity, closest) : closest;
            }
        }
    }

    [Theory]
    [InlineData("Gelu"), InlineData("GeluTanh"), InlineData("Silu"), InlineData("Mish"), InlineData("Softplus"), InlineData("Elu")]
    public void Saturating_activations_have_slopes_1_and_0_at_the_infinities(string name)
    {
        foreach (var type in (DType[])[DType.Float32, DType.Float64, DType.BFloat16])
        {
            Assert.Equal(1, Derivative(name, type, 0, double.PositiveInfinity));
            Assert.Equal(0, Derivative(name, type, 0, double.NegativeInfinity));
            Assert.Equal(1, Derivative(name, type, 0, 3e38));
            Assert.Equal(0, Derivative(name, type, 0, -3e38));
        }
    }

    [Fact]
    public void A_zero_gradient_of_Xlogy_stays_zero_at_any_y_but_NaN()
    {
        const float Inf = float.PositiveInfinity, NaN = float.NaN;
        foreach (var type in (DType[])[DType.Float16, DType.Float32, DType.Float64])
        {
            // x is spread over the rows of y; its gradient sums what the rows pass back
            var x = Tensor.Of(2, 2, 2, 2, 0, 0).To(type).RequiresGrad_();
            var y = Tensor.Of(3, 3, 3, 3, 3, 3, 0, -1, Inf, NaN, 0, 1).Reshape(2, 6).To(type);
            var zeroBelow = Tensor.Of(1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0).Reshape(2, 6).To(type);
            double ln3 = Tensor.Of(3).To(type).Log().Item();
            Assert.Equal([ln3, ln3, ln3, double.NaN, ln3, ln3], Autograd.Grad((x.Xlogy(y) * zeroBelow).Sum(), x).ToArray<double>());
            // a gradient of 1 shows the pole, except where x is 0
            Assert.Equal([-Inf, NaN, Inf, NaN, ln3, ln3], Autograd.Grad(x.Xlogy(y).Sum(), x).ToArray<double>());
            var (_, tangent) = Autograd.Jvp(v => v.Xlogy(y.Select(0, 1)), x.Detach(), zeroBelow.Select(0, 1));
            Assert.Equal([0, 0, 0, double.NaN, 0, 0], tangent.ToArray<double>());
        }
    }

    [Fact]
    public void The_derivative_of_Xlogy_by_x_has_derivatives()
    {
        var (x, y, g) = (Tensor.Of(2, -3).RequiresGrad_(), Tensor.Of(0.5f, 4).RequiresGrad_(), Tensor.Of(1.5f, -2).RequiresGrad_());
        var first = Autograd.Grad([x.Xlogy(y)], [x], [g], createGraph: true)[0];
        var second = Autograd.Grad([first!.Sum()], [y, g]);
        Assert.Equal([3, -0.5f], second[0]!.ToArray<float>()); // g ÷ y
        Assert.Equal(y.Log().ToArray<float>(), second[1]!.ToArray<float>());
    }

    [Fact]
    public void The_branch_not_taken_gives_no_gradient()
    {
        var x = Tensor.Of(-1, 4).RequiresGrad_();
        Tensor.Where(x > 0, x.Sqrt(), 0).Sum().Backward();
        Assert.Equal(0.25f, x.Grad!.ToArray<float>()[1]);
        // the root's gradient at 0 is infinite; what was cut off or filled has no part in it
        Func<Tensor, Tensor>[] cuts = [t => t.Clamp(min: 0), t => t.ClampMin(0), t => t.Relu(), t => t.MaskedFill(t < 0, 0), t => t.Threshold(0, 0), t => t.Hardtanh(0, 9), t => t.Relu6(), t => t.Maximum(Tensor.Zeros(2))];
        foreach (var cut in cuts)
        {
            var y = Tensor.Of(-1, 4).RequiresGrad_();
            Assert.Equal([0, 0.25f], Autograd.Grad(cut(y).Sqrt().Sum(), y).ToArray<float>());
            var (_, tangent) = Autograd.Jvp(t => cut(t * t - 2).Square(), Tensor.Of(1, 2), Tensor.Of(1, 1));
            Assert.Equal([0, 16], tangent.ToArray<float>());
        }
    }
}
