using System.Runtime.Intrinsics;
using Flambeau.Scalars;
using static Flambeau.Tests.Scalars.Functions;

namespace Flambeau.Tests.Scalars;

/// <summary>The four widths perform the same operations: their results have the same bits.</summary>
public class WidthTests
{
    public static TheoryData<string> Names => [.. All.Keys];

    private static readonly Dictionary<string, Action> All = new()
    {
        ["Sqrt"] = Unary<Sqrt>,
        ["Rsqrt"] = Unary<Rsqrt>,
        ["Exp"] = Unary<Exp>,
        ["Exp2"] = Unary<Exp2>,
        ["Expm1"] = Unary<Expm1>,
        ["Log"] = Unary<Log>,
        ["Log2"] = Unary<Log2>,
        ["Log10"] = Unary<Log10>,
        ["Log1p"] = Unary<Log1p>,
        ["Sin"] = Unary<Sin>,
        ["Cos"] = Unary<Cos>,
        ["Tan"] = Unary<Tan>,
        ["Asin"] = Unary<Asin>,
        ["Acos"] = Unary<Acos>,
        ["Atan"] = Unary<Atan>,
        ["Sinh"] = Unary<Sinh>,
        ["Cosh"] = Unary<Cosh>,
        ["Tanh"] = Unary<Tanh>,
        ["Asinh"] = Unary<Asinh>,
        ["Acosh"] = Unary<Acosh>,
        ["Atanh"] = Unary<Atanh>,
        ["Erf"] = Unary<Erf>,
        ["Erfc"] = Unary<Erfc>,
        ["Sigmoid"] = Unary<Sigmoid>,
        ["Softplus"] = Unary<Softplus>,
        ["LogSigmoid"] = Unary<LogSigmoid>,
        ["NormalCdf"] = Unary<NormalCdf>,
        ["Logistic"] = Unary<Logistic>,
        ["Abs"] = Unary<Abs>,
        ["Sign"] = Unary<Sign>,
        ["Floor"] = Unary<Floor>,
        ["Ceiling"] = Unary<Ceiling>,
        ["Truncate"] = Unary<Truncate>,
        ["Round"] = Unary<Round>,
        ["Pow"] = Binary<Pow>,
        ["Atan2"] = Binary<Atan2>,
        ["Fmod"] = Binary<Fmod>,
        ["Min"] = Binary<Min>,
        ["Max"] = Binary<Max>,
        ["CopySign"] = Binary<CopySign>,
    };

    [Theory, MemberData(nameof(Names))]
    public void All_widths_give_the_same_bits(string name) => All[name]();

    // Without the hardware, 512 bits run as two halves: right but slow to compile, so a few functions stand for all.
    private static bool Wide<F>() => Vector512.IsHardwareAccelerated || typeof(F) == typeof(Exp) || typeof(F) == typeof(Log) || typeof(F) == typeof(Sin) || typeof(F) == typeof(Min) || typeof(F) == typeof(Round);

    private static void Unary<F>() where F : IUnaryFunction
    {
        float[] x = Samples.Float32(2);
        Same(x, Through<Lane<float>>.Unary<F, float>(x), Through<Lanes128<float>>.Unary<F, float>(x), Through<Lanes256<float>>.Unary<F, float>(x), Wide<F>() ? Through<Lanes512<float>>.Unary<F, float>(x) : Through<Lanes256<float>>.Unary<F, float>(x));
        double[] y = Samples.Float64(500, -1074, 1023);
        Same(y, Through<Lane<double>>.Unary<F, double>(y), Through<Lanes128<double>>.Unary<F, double>(y), Through<Lanes256<double>>.Unary<F, double>(y), Wide<F>() ? Through<Lanes512<double>>.Unary<F, double>(y) : Through<Lanes256<double>>.Unary<F, double>(y));
    }

    private static void Binary<F>() where F : IBinaryFunction
    {
        float[] x = Samples.Float32(2), y = [.. x.Reverse()];
        Same(x, Through<Lane<float>>.Binary<F, float>(x, y), Through<Lanes128<float>>.Binary<F, float>(x, y), Through<Lanes256<float>>.Binary<F, float>(x, y), Wide<F>() ? Through<Lanes512<float>>.Binary<F, float>(x, y) : Through<Lanes256<float>>.Binary<F, float>(x, y));
        double[] u = Samples.Float64(500, -20, 20), v = [.. u.Reverse()];
        Same(u, Through<Lane<double>>.Binary<F, double>(u, v), Through<Lanes128<double>>.Binary<F, double>(u, v), Through<Lanes256<double>>.Binary<F, double>(u, v), Wide<F>() ? Through<Lanes512<double>>.Binary<F, double>(u, v) : Through<Lanes256<double>>.Binary<F, double>(u, v));
    }

    private static void Same<T>(T[] x, params T[][] results) where T : System.Numerics.IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++)
            foreach (var result in results)
                Assert.True(T.IsNaN(result[i]) ? T.IsNaN(results[0][i]) : result[i].Equals(results[0][i]) && T.IsNegative(result[i]) == T.IsNegative(results[0][i]),
                    $"of {x[i]:R}: {string.Join(", ", results.Select(r => $"{r[i]:R}"))} (seed {Samples.Seed})");
    }
}
