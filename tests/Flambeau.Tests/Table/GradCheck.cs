namespace Flambeau.Tests.Table;

/// <summary>Gradients against differences of values, in float64: the proof that a derivative is that of the function, whatever the operator.</summary>
public static class GradCheck
{
    const double Step = 1e-6;

    /// <summary>The operands in float64, those that are floating-point as leaves.</summary>
    public static Tensor[] Leaves(Tensor[] operands) => [.. operands.Select(x => x.DType.IsFloatingPoint ? x.Detach().To(DType.Float64).Clone().RequiresGrad_() : x)];

    /// <summary>First order: the gradient of a weighted sum of the result.</summary>
    public static void First(Func<Tensor[], Tensor> function, Tensor[] operands, Generator draws, double tolerance = 1e-6)
    {
        var x = Leaves(operands);
        var y = function(x);
        if (!y.RequiresGrad) return;
        var weights = Tensor.Rand(y.Shape, DType.Float64, draws) + 0.5;
        var leaves = x.Where(t => t.RequiresGrad).ToArray();
        var gradients = Autograd.Grad([y], leaves, [weights], allowUnused: true);
        Compare(x, leaves, gradients, t => WeightedSum(function(t), weights), tolerance, "gradient");
    }

    /// <summary>Second order: the gradient of a weighted sum of the first gradients.</summary>
    public static void Second(Func<Tensor[], Tensor> function, Tensor[] operands, Generator draws, double tolerance = 1e-5)
    {
        var x = Leaves(operands);
        var y = function(x);
        if (!y.RequiresGrad) return;
        var leaves = x.Where(t => t.RequiresGrad).ToArray();
        var seed = Tensor.Rand(y.Shape, DType.Float64, draws) + 0.5;
        var weights = leaves.Select(t => Tensor.Rand(t.Shape, DType.Float64, draws) + 0.5).ToArray();
        var sum = GradientSum(y, leaves);
        var gradients = sum.RequiresGrad ? Autograd.Grad([sum], leaves, allowUnused: true) : new Tensor?[leaves.Length];
        Compare(x, leaves, gradients, t => GradientSum(function(t), [.. t.Where(v => v.RequiresGrad)]).Item(), tolerance, "second gradient");

        Tensor GradientSum(Tensor result, Tensor[] of)
        {
            var first = Autograd.Grad([result], of, [seed], createGraph: true, allowUnused: true);
            var total = Tensor.Zeros(Shape.Create([]), DType.Float64);
            for (int i = 0; i < first.Length; i++) if (first[i] is { } g) total += (g * weights[i]).Sum();
            return total;
        }
    }

    /// <summary>Forward mode against reverse mode: ⟨w, J t⟩ = ⟨Jᵀ w, t⟩.</summary>
    public static void Modes(Func<Tensor[], Tensor> function, Tensor[] operands, Generator draws, double tolerance = 1e-9)
    {
        var x = Leaves(operands);
        var y = function(x);
        if (!y.RequiresGrad) return;
        var w = Tensor.Rand(y.Shape, DType.Float64, draws) + 0.5;
        var leaves = x.Where(t => t.RequiresGrad).ToArray();
        var directions = leaves.Select(t => Tensor.Rand(t.Shape, DType.Float64, draws) - 0.5).ToArray();
        var gradients = Autograd.Grad([y], leaves, [w], allowUnused: true);
        double reverse = 0;
        for (int i = 0; i < leaves.Length; i++) if (gradients[i] is { } g) reverse += WeightedSum(g, directions[i]);
        var fixedOperands = x.Select(t => t.Detach()).ToArray();
        var (_, tangent) = Autograd.Jvp(moving =>
        {
            var all = (Tensor[])fixedOperands.Clone();
            for (int i = 0, k = 0; i < x.Length; i++) if (x[i].RequiresGrad) all[i] = moving[k++];
            return function(all);
        }, [.. leaves.Select(t => t.Detach())], directions);
        double forward = WeightedSum(tangent, w);
        Assert.True(Close(forward, reverse, tolerance), $"forward mode says {forward:R}, reverse mode {reverse:R}");
    }

    static double WeightedSum(Tensor y, Tensor weights)
    {
        double[] v = y.Detach().ToArray<double>(), w = weights.ToArray<double>();
        double sum = 0;
        for (int i = 0; i < v.Length; i++) sum += v[i] * w[i];
        return sum;
    }

    static void Compare(Tensor[] x, Tensor[] leaves, Tensor?[] gradients, Func<Tensor[], double> value, double tolerance, string what)
    {
        for (int leaf = 0; leaf < leaves.Length; leaf++)
        {
            int operand = Array.IndexOf(x, leaves[leaf]);
            var held = leaves[leaf].Detach().ToArray<double>();
            var analytic = gradients[leaf]?.ToArray<double>();
            if (analytic is not null) Assert.Equal(leaves[leaf].Shape, gradients[leaf]!.Shape);
            for (int i = 0; i < held.Length; i++)
            {
                double h = Step * Math.Max(1, Math.Abs(held[i]));
                double numeric = (At(held[i] + h) - At(held[i] - h)) / (2 * h);
                Assert.True(Close(analytic?[i] ?? 0, numeric, tolerance), $"{what} of operand {operand}, element {i}: {analytic?[i] ?? 0:R}, by differences {numeric:R} (at {held[i]:R})");

                double At(double moved)
                {
                    var copy = (double[])held.Clone();
                    copy[i] = moved;
                    var all = x.Select(t => t.RequiresGrad ? t.Detach().Clone().RequiresGrad_() : t).ToArray();
                    all[operand] = Tensor.FromArray(copy).View(leaves[leaf].Shape.AsSpan()).RequiresGrad_();
                    return value(all);
                }
            }
        }
    }

    static bool Close(double a, double b, double tolerance) => Math.Abs(a - b) <= tolerance * (1 + Math.Abs(a) + Math.Abs(b)) || double.IsNaN(a) && double.IsNaN(b);
}
