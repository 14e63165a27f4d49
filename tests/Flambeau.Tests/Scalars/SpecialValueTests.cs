using Flambeau.Scalars;
using static Flambeau.Tests.Scalars.Functions;

namespace Flambeau.Tests.Scalars;

/// <summary>The results that are exact by definition: at zeros of both signs, at infinities, at NaN, at the ends of domains, at subnormals.</summary>
public class SpecialValueTests
{
    private const float Inf = float.PositiveInfinity, NaN = float.NaN, Tiny = float.Epsilon;

    public static TheoryData<string> Names => [.. Table.Keys];

    private static readonly Dictionary<string, (Func<float[], float[]> Single, Func<double[], double[]> Double, (float X, float Y)[] Points)> Table = new()
    {
        ["Sqrt"] = Of<Sqrt>((0f, 0), (-0f, -0f), (4, 2), (Inf, Inf), (-1, NaN), (NaN, NaN)),
        ["Rsqrt"] = Of<Rsqrt>((0f, Inf), (4, 0.5f), (Inf, 0), (-1, NaN), (NaN, NaN)),
        ["Exp"] = Of<Exp>((0f, 1), (-0f, 1), (Tiny, 1), (-Tiny, 1), (Inf, Inf), (-Inf, 0), (1000, Inf), (-1000, 0), (NaN, NaN)),
        ["Exp2"] = Of<Exp2>((0f, 1), (-0f, 1), (10, 1024), (-3, 0.125f), (-126, 1.17549435E-38f), (Inf, Inf), (-Inf, 0), (2000, Inf), (-2000, 0), (NaN, NaN)),
        ["Expm1"] = Of<Expm1>((0f, 0), (-0f, -0f), (Tiny, Tiny), (-Tiny, -Tiny), (Inf, Inf), (-Inf, -1), (-1000, -1), (1000, Inf), (NaN, NaN)),
        ["Log"] = Of<Log>((1, 0), (0f, -Inf), (-0f, -Inf), (Inf, Inf), (-1, NaN), (-Inf, NaN), (NaN, NaN)),
        ["Log2"] = Of<Log2>((1, 0), (8, 3), (0.25f, -2), (0f, -Inf), (-0f, -Inf), (Tiny, -149), (Inf, Inf), (-1, NaN), (NaN, NaN)),
        ["Log10"] = Of<Log10>((1, 0), (10, 1), (1000, 3), (1e10f, 10), (0f, -Inf), (Inf, Inf), (-1, NaN), (NaN, NaN)),
        ["Log1p"] = Of<Log1p>((0f, 0), (-0f, -0f), (Tiny, Tiny), (-Tiny, -Tiny), (-1, -Inf), (-2, NaN), (Inf, Inf), (-Inf, NaN), (NaN, NaN)),
        ["Sin"] = Of<Sin>((0f, 0), (-0f, -0f), (Tiny, Tiny), (Inf, NaN), (-Inf, NaN), (NaN, NaN)),
        ["Cos"] = Of<Cos>((0f, 1), (-0f, 1), (Tiny, 1), (Inf, NaN), (-Inf, NaN), (NaN, NaN)),
        ["Tan"] = Of<Tan>((0f, 0), (-0f, -0f), (Tiny, Tiny), (Inf, NaN), (NaN, NaN)),
        ["Asin"] = Of<Asin>((0f, 0), (-0f, -0f), (Tiny, Tiny), (1.0001f, NaN), (-2, NaN), (Inf, NaN), (NaN, NaN)),
        ["Acos"] = Of<Acos>((1, 0), (1.0001f, NaN), (-2, NaN), (Inf, NaN), (NaN, NaN)),
        ["Atan"] = Of<Atan>((0f, 0), (-0f, -0f), (Tiny, Tiny), (NaN, NaN)),
        ["Sinh"] = Of<Sinh>((0f, 0), (-0f, -0f), (Tiny, Tiny), (Inf, Inf), (-Inf, -Inf), (1000, Inf), (NaN, NaN)),
        ["Cosh"] = Of<Cosh>((0f, 1), (-0f, 1), (Tiny, 1), (Inf, Inf), (-Inf, Inf), (-1000, Inf), (NaN, NaN)),
        ["Tanh"] = Of<Tanh>((0f, 0), (-0f, -0f), (Tiny, Tiny), (-Tiny, -Tiny), (Inf, 1), (-Inf, -1), (50, 1), (-1e30f, -1), (NaN, NaN)),
        ["Asinh"] = Of<Asinh>((0f, 0), (-0f, -0f), (Tiny, Tiny), (Inf, Inf), (-Inf, -Inf), (NaN, NaN)),
        ["Acosh"] = Of<Acosh>((1, 0), (0.5f, NaN), (-1, NaN), (-Inf, NaN), (Inf, Inf), (NaN, NaN)),
        ["Atanh"] = Of<Atanh>((0f, 0), (-0f, -0f), (Tiny, Tiny), (1, Inf), (-1, -Inf), (2, NaN), (Inf, NaN), (NaN, NaN)),
        ["Erf"] = Of<Erf>((0f, 0), (-0f, -0f), (Inf, 1), (-Inf, -1), (10, 1), (-1e30f, -1), (NaN, NaN)),
        ["Erfc"] = Of<Erfc>((0f, 1), (-0f, 1), (Tiny, 1), (Inf, 0), (-Inf, 2), (100, 0), (-100, 2), (NaN, NaN)),
        ["Sigmoid"] = Of<Sigmoid>((0f, 0.5f), (-0f, 0.5f), (Tiny, 0.5f), (Inf, 1), (-Inf, 0), (1000, 1), (-1000, 0), (NaN, NaN)),
        ["Logistic"] = Of<Logistic>((0f, 0.5f), (-0f, 0.5f), (Tiny, 0.5f), (Inf, 1), (-Inf, 0), (1000, 1), (-1000, 0), (NaN, NaN)),
        ["Softplus"] = Of<Softplus>((Inf, Inf), (-Inf, 0), (1000, 1000), (-1000, 0), (NaN, NaN)),
        ["NormalCdf"] = Of<NormalCdf>((Inf, 1), (-Inf, 0), (-1000, 0), (1000, 1), (NaN, NaN)),
        ["LogSigmoid"] = Of<LogSigmoid>((Inf, -0f), (-Inf, -Inf), (-1000, -1000), (1000, -0f), (NaN, NaN)),
        ["Sign"] = Of<Sign>((0f, 0), (-3, -1), (Tiny, 1), (Inf, 1), (NaN, NaN)),
        ["Abs"] = Of<Abs>((-0f, 0), (-Inf, Inf), (-Tiny, Tiny), (NaN, NaN)),
        ["Round"] = Of<Round>((0.5f, 0), (1.5f, 2), (2.5f, 2), (-0.5f, -0f), (Inf, Inf), (NaN, NaN)),
    };

    private static (Func<float[], float[]>, Func<double[], double[]>, (float, float)[]) Of<F>(params (float, float)[] points) where F : IUnaryFunction =>
        (Through<Lanes256<float>>.Unary<F, float>, Through<Lanes256<double>>.Unary<F, double>, points);

    [Theory, MemberData(nameof(Names))]
    public void Special_values_are_right_in_both_precisions(string name)
    {
        var (single, wide, points) = Table[name];
        float[] y = single([.. points.Select(p => p.X)]);
        // The float32 subnormal stands for float64's own.
        double[] z = wide([.. points.Select(p => MathF.Abs(p.X) == Tiny ? Math.CopySign(double.Epsilon, p.X) : p.X)]);
        for (int i = 0; i < points.Length; i++)
        {
            var (x, expected) = points[i];
            Assert.True(float.IsNaN(expected) ? float.IsNaN(y[i]) : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(y[i]), $"{name}({x:R}) = {y[i]:R} in float32, expected {expected:R}");
            if (MathF.Abs(x) == Tiny || expected is 1.17549435E-38f) continue;
            Assert.True(float.IsNaN(expected) ? double.IsNaN(z[i]) : z[i] == expected && double.IsNegative(z[i]) == float.IsNegative(expected), $"{name}({x:R}) = {z[i]:R} in float64, expected {expected:R}");
        }
    }

    [Fact]
    public void Binary_functions_follow_IEEE_754_at_every_pair_of_special_values()
    {
        float[] values = [0, -0f, 1, -1, 0.5f, -0.5f, 2, -2, 3, -3, 2.5f, -2.5f, Inf, -Inf, NaN, Tiny, -Tiny, float.MaxValue, -float.MaxValue, 1e10f, -16777217];
        float[] x = [.. values.SelectMany(v => values.Select(_ => v))], y = [.. values.SelectMany(_ => values)];
        Check<Pow>(x, y, MathF.Pow, 1.5);
        Check<Atan2>(x, y, MathF.Atan2, 1);
        Check<Fmod>(x, y, (a, b) => a % b, 0);
        Check<Min>(x, y, MathF.Min, 0);
        Check<Max>(x, y, MathF.Max, 0);
        Check<CopySign>(x, y, MathF.CopySign, 0);
    }

    private static void Check<F>(float[] x, float[] y, Func<float, float, float> truth, double bound) where F : IBinaryFunction
    {
        float[] z = Through<Lanes256<float>>.Binary<F, float>(x, y);
        double[] wide = Through<Lanes256<double>>.Binary<F, double>([.. x.Select(v => (double)v)], [.. y.Select(v => (double)v)]);
        for (int i = 0; i < x.Length; i++)
        {
            float expected = truth(x[i], y[i]);
            bool same = float.IsNaN(expected) ? float.IsNaN(z[i]) : Samples.UlpsOfFloat32(z[i], expected) <= bound + 1 && float.IsNegative(z[i]) == float.IsNegative(expected);
            Assert.True(same, $"{typeof(F).Name}({x[i]:R}, {y[i]:R}) = {z[i]:R}, expected {expected:R}");
            double reference = F.Of(new Reference(x[i]), new Reference(y[i])).Value;
            bool sameWide = double.IsNaN(reference) ? double.IsNaN(wide[i]) : wide[i] == reference || Math.Abs(wide[i] - reference) <= 1e-15 * Math.Abs(reference);
            Assert.True(sameWide, $"{typeof(F).Name}({x[i]:R}, {y[i]:R}) = {wide[i]:R} in float64, expected {reference:R}");
        }
    }
}
