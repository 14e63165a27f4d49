using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>Derivatives of every operator, in reverse and forward mode and of second order.</summary>
public class GradientTests
{
    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void The_gradient_is_that_of_the_values(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var draws = Rows.Draws(name);
        GradCheck.First(s.Call, s.Operands(draws), draws);
    }

    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void The_gradient_of_the_gradient_is_that_of_the_gradients(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var draws = Rows.Draws(name);
        GradCheck.Second(s.Call, s.Operands(draws), draws);
    }

    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void Forward_mode_agrees_with_reverse_mode(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var draws = Rows.Draws(name);
        GradCheck.Modes(s.Call, s.Operands(draws), draws);
    }

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Every_real_valued_elementwise_operator_is_recorded(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        if (truth.Promotion == Promotion.Bool) return;
        var x = Operands.Random(truth, DType.Float32, 5, Rows.Draws(name));
        foreach (var t in x) if (t.DType.IsFloatingPoint) t.RequiresGrad = true;
        Assert.True(truth.Apply(x).RequiresGrad);
    }

    [Theory, MemberData(nameof(Rows.StatedDerivatives), MemberType = typeof(Rows))]
    public void A_stated_derivative_equals_the_derived_one(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        foreach (double x in Operands.For(truth, DType.Float64, Rows.Draws(name))[0])
        {
            if (!double.IsFinite(x) || Math.Abs(x) > 1e15 || !double.IsFinite(truth.Value([x]))) continue;
            double derived = truth.Slope([x], 0), stated = truth.StatedDerivative!(truth.Value([x]));
            Assert.True(Math.Abs(derived - stated) <= 1e-12 * (1 + Math.Abs(derived)) || derived.Equals(stated), $"{name}'({x:R}): stated {stated:R}, derived {derived:R}");
        }
    }

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void The_derivative_kernels_of_narrow_types_follow_float64(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        if (truth.Promotion == Promotion.Bool) return;
        var x = Operands.Random(truth, DType.Float32, 77, Rows.Draws(name));
        var wide = Gradients(x, DType.Float64);
        foreach (var type in (DType[])[DType.Float32, DType.BFloat16])
        {
            // the same places in every type
            var rounded = x.Select(t => t.DType.IsFloatingPoint ? t.To(type) : t).ToArray();
            var (expected, actual) = (Gradients(rounded, DType.Float64), Gradients(rounded, type));
            for (int k = 0; k < expected.Length; k++)
                for (int i = 0; i < expected[k].Length; i++)
                    Assert.True(Math.Abs(actual[k][i] - expected[k][i]) <= 4 * Tolerance.Relative(type) * (1 + Math.Abs(expected[k][i])), $"{name}, {type.Name}, operand {k}: {actual[k][i]:R}, expected {expected[k][i]:R}");
        }

        double[][] Gradients(Tensor[] operands, DType type)
        {
            var leaves = operands.Select(t => t.DType.IsFloatingPoint ? t.To(type).Clone().RequiresGrad_() : t).ToArray();
            truth.Apply(leaves).Sum().Backward();
            return [.. leaves.Where(t => t.RequiresGrad).Select(t => t.Grad!.ToArray<double>())];
        }
    }
}
