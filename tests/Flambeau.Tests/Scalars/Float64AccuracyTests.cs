using Flambeau.Scalars;
using static Flambeau.Tests.Scalars.Functions;

namespace Flambeau.Tests.Scalars;

/// <summary>Every elementary function in float64 stays within its bound of a truth of 240 bits.</summary>
public class Float64AccuracyTests
{
    internal const int Count = 80;

    /// <summary>A function, its truth, the inputs and the bound.</summary>
    internal sealed record Case(Func<double[], double[]> Lanes, Func<BigFloat, BigFloat> Truth, double[] Inputs, double Bound);

    internal static readonly Dictionary<string, Case> Cases = new()
    {
        ["Exp"] = Of<Exp>(BigFloat.Exp, Wide(-40, 9, 745), 1),
        ["Exp2"] = Of<Exp2>(x => BigFloat.Exp(x * BigFloat.Log(2)), Wide(-40, 9, 1074), 1),
        ["Expm1"] = Of<Expm1>(x => BigFloat.Exp(x) - 1, Wide(-60, 9, 709), 1),
        ["Log"] = Of<Log>(BigFloat.Log, Positive(), 1),
        ["Log2"] = Of<Log2>(x => BigFloat.Log(x) / BigFloat.Log(2), Positive(), 1),
        ["Log10"] = Of<Log10>(x => BigFloat.Log(x) / BigFloat.Log(10), Positive(), 1),
        ["Log1p"] = Of<Log1p>(x => BigFloat.Log(x + 1), [.. Positive().Where(x => x > 1e-30), .. Wide(-60, -1, 1)], 1),
        ["Sin"] = Of<Sin>(x => BigFloat.SinCos(x).Sin, Angles(), 1),
        ["Cos"] = Of<Cos>(x => BigFloat.SinCos(x).Cos, Angles(), 1),
        ["Tan"] = Of<Tan>(BigFloat.Tan, Angles(), 1),
        ["Asin"] = Of<Asin>(BigFloat.Asin, Wide(-40, -1, 1), 1),
        ["Acos"] = Of<Acos>(BigFloat.Acos, Wide(-40, -1, 1), 1),
        ["Atan"] = Of<Atan>(BigFloat.Atan, [.. Wide(-60, 60, 1e18), .. Wide(-3, 3, 8)], 1),
        ["Sinh"] = Of<Sinh>(BigFloat.Sinh, Wide(-40, 9, 710.4), 1),
        ["Cosh"] = Of<Cosh>(BigFloat.Cosh, Wide(-40, 9, 710.4), 1),
        ["Tanh"] = Of<Tanh>(BigFloat.Tanh, Wide(-40, 5, 40), 1),
        ["Asinh"] = Of<Asinh>(BigFloat.Asinh, Wide(-40, 100, 1e30), 1),
        ["Acosh"] = Of<Acosh>(BigFloat.Acosh, [.. Positive().Where(x => x > 1), .. Wide(-50, 2, 4).Select(x => 1 + Math.Abs(x))], 1),
        ["Atanh"] = Of<Atanh>(BigFloat.Atanh, Wide(-40, -1, 1), 1),
        ["Erf"] = Of<Erf>(BigFloat.Erf, Wide(-40, 3, 6.5), 1),
        ["Erfc"] = Of<Erfc>(BigFloat.Erfc, Wide(-20, 4, 27), 1),
        ["Sigmoid"] = Of<Sigmoid>(x => 1 / (1 + BigFloat.Exp(-x)), Wide(-40, 9, 745), 1),
        ["Logistic"] = Of<Logistic>(x => 1 / (1 + BigFloat.Exp(-x)), Wide(-40, 9, 745), 2.5),
        ["Softplus"] = Of<Softplus>(x => BigFloat.Log(1 + BigFloat.Exp(x)), Wide(-40, 6, 100), 1),
        ["LogSigmoid"] = Of<LogSigmoid>(x => -BigFloat.Log(1 + BigFloat.Exp(-x)), Wide(-40, 6, 100), 1),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    private static Case Of<F>(Func<BigFloat, BigFloat> truth, double[] inputs, double bound) where F : IUnaryFunction =>
        new(Through<Lanes256<double>>.Unary<F, double>, truth, inputs, bound);

    private static double[] Wide(int low, int high, double limit) =>
        [.. Samples.Float64(Count / 2, low, high).Concat(Samples.Float64(Count, Math.Min(-3, high - 4), high)).Where(x => Math.Abs(x) < limit)];
    private static double[] Positive() => [.. Samples.Float64(Count, -1060, 1023).Select(Math.Abs), .. Samples.Float64(Count, -2, 1).Select(Math.Abs)];
    private static double[] Angles() => [.. Samples.Float64(Count, -40, 1023), .. Samples.Float64(Count, -3, 27), 6381956970095103 * Math.ScaleB(1, 797)];

    [Theory, MemberData(nameof(Names))]
    public void A_float64_function_is_within_its_bound_of_the_truth(string name)
    {
        var c = Cases[name];
        var (worst, at, value) = Worst(c);
        Assert.True(worst <= c.Bound, $"{name}({at:R}) = {value:R} is {worst} ulp off, the bound is {c.Bound} (seed {Samples.Seed})");
    }

    internal static (double Worst, double At, double Value) Worst(Case c)
    {
        double[] y = c.Lanes(c.Inputs);
        (double Worst, double At, double Value) result = default;
        for (int i = 0; i < y.Length; i++)
        {
            double ulps = c.Truth(c.Inputs[i]).UlpsOf(y[i]);
            if (!(ulps <= result.Worst)) result = (ulps, c.Inputs[i], y[i]);
        }
        return result;
    }

    [Fact]
    public void Pow_in_float64_is_within_1_1_ulp_of_the_truth()
    {
        var random = new Random(Samples.Seed);
        double[] x = [.. Samples.Float64(2 * Count, -1060, 1023).Select(Math.Abs), .. Samples.Float64(2 * Count, -2, 1).Select(Math.Abs)];
        double[] y = [.. x.Select(v => (random.NextDouble() * 2 - 1) * Math.Min(1070 / Math.Abs(Math.Log2(v)), 1e300))];
        double[] z = Through<Lanes256<double>>.Binary<Pow, double>(x, y);
        for (int i = 0; i < x.Length; i++)
        {
            double ulps = BigFloat.Exp(BigFloat.Log(x[i]) * y[i]).UlpsOf(z[i]);
            Assert.True(ulps <= 1.1, $"Pow({x[i]:R}, {y[i]:R}) = {z[i]:R} is {ulps} ulp off (seed {Samples.Seed})");
        }
    }
}
