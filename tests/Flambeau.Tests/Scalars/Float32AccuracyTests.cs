using System.Runtime.Intrinsics;
using Flambeau.Scalars;
using static Flambeau.Tests.Scalars.Functions;

namespace Flambeau.Tests.Scalars;

/// <summary>Every elementary function in float32 stays within its bound of the double truth, over all exponents and the edges.</summary>
public class Float32AccuracyTests
{
    public static TheoryData<string> Names => [.. Bounds.Keys];

    private static readonly Dictionary<string, (Func<float[], float[]> Lanes, Func<double, double> Truth, double Bound)> Bounds = new()
    {
        ["Sqrt"] = Of<Sqrt>(0.5),
        ["Rsqrt"] = Of<Rsqrt>(1.5),
        ["Exp"] = Of<Exp>(1),
        ["Exp2"] = Of<Exp2>(1),
        ["Expm1"] = Of<Expm1>(1),
        ["Log"] = Of<Log>(1),
        ["Log2"] = Of<Log2>(1),
        ["Log10"] = Of<Log10>(1),
        ["Log1p"] = Of<Log1p>(1),
        ["Sin"] = Of<Sin>(1),
        ["Cos"] = Of<Cos>(1),
        ["Tan"] = Of<Tan>(1),
        ["Asin"] = Of<Asin>(1),
        ["Acos"] = Of<Acos>(1),
        ["Atan"] = Of<Atan>(1),
        ["Sinh"] = Of<Sinh>(1),
        ["Cosh"] = Of<Cosh>(1),
        ["Tanh"] = Of<Tanh>(1.5),
        ["Asinh"] = Of<Asinh>(1),
        ["Acosh"] = Of<Acosh>(1),
        ["Atanh"] = Of<Atanh>(1),
        ["Erf"] = Of<Erf>(1),
        ["Erfc"] = Of<Erfc>(1),
        ["Sigmoid"] = Of<Sigmoid>(1),
        ["Logistic"] = Of<Logistic>(2.5),
        ["Softplus"] = Of<Softplus>(1),
        ["LogSigmoid"] = Of<LogSigmoid>(1),
        ["Abs"] = Of<Abs>(0),
        ["Sign"] = Of<Sign>(0),
        ["Floor"] = Of<Floor>(0),
        ["Ceiling"] = Of<Ceiling>(0),
        ["Truncate"] = Of<Truncate>(0),
        ["Round"] = Of<Round>(0),
    };

    private static (Func<float[], float[]>, Func<double, double>, double) Of<F>(double bound) where F : IUnaryFunction =>
        (Through<Lanes256<float>>.Unary<F, float>, x => F.Of(new Reference(x)).Value, bound);

    [Theory, MemberData(nameof(Names))]
    public void A_float32_function_is_within_its_bound_of_the_truth(string name)
    {
        var (lanes, truth, bound) = Bounds[name];
        float[] x = Samples.Float32(200);
        float[] y = lanes(x);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = truth(x[i]), ulps = Samples.UlpsOfFloat32(y[i], expected);
            Assert.True(ulps <= bound, $"{name}({x[i]:R}) = {y[i]:R}, expected {expected:R} within {bound} ulp, was {ulps} off (seed {Samples.Seed})");
        }
    }

    [Fact]
    public void The_normal_distribution_in_float32_is_within_1e_7_everywhere()
    {
        var x = Enumerable.Range(-175_000, 350_001).Select(i => i * 8e-5f).Concat(Samples.Float32(200)).ToArray();
        var y = Through<Lanes256<float>>.Unary<NormalCdf, float>(x);
        double worst = 0;
        for (int i = 0; i < x.Length; i++)
            if (!float.IsNaN(x[i])) worst = Math.Max(worst, Math.Abs(y[i] - NormalCdf.Of(new Reference(x[i])).Value));
        Assert.True(worst <= 1e-7, $"off by {worst:E2}");
    }

    [Fact]
    public void Functions_by_tables_stay_in_their_range_between_all_their_pieces()
    {
        // every 7,919th number: all exponents, both signs, and each table's every interval many times
        var x = Enumerable.Range(0, (int)(uint.MaxValue / 7919)).Select(i => BitConverter.UInt32BitsToSingle((uint)i * 7919)).Where(v => !float.IsNaN(v)).ToArray();
        float[] tanh = Through<Lanes256<float>>.Unary<Tanh, float>(x), sigmoid = Through<Lanes256<float>>.Unary<Sigmoid, float>(x), normal = Through<Lanes256<float>>.Unary<NormalCdf, float>(x);
        for (int i = 0; i < x.Length; i++)
        {
            Assert.True(MathF.Abs(tanh[i]) <= 1 && float.IsNegative(tanh[i]) == float.IsNegative(x[i]), $"tanh({x[i]:R}) = {tanh[i]:R}");
            Assert.True(sigmoid[i] is >= 0 and <= 1, $"sigmoid({x[i]:R}) = {sigmoid[i]:R}");
            Assert.True(normal[i] is >= 0 and <= 1, $"normal({x[i]:R}) = {normal[i]:R}");
        }
    }

    private static ReadOnlySpan<float> Eight => [1, 2, 3, 4, 5, 6, 7, 8];
    private static ReadOnlySpan<float> Sixteen => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    [Fact]
    public void A_table_is_read_by_the_lowest_bits_of_an_index_at_every_width()
    {
        Check<Lane<float>>();
        Check<Lanes128<float>>();
        Check<Lanes256<float>>();
        Check<Lanes512<float>>();

        static unsafe void Check<S>() where S : ILanes<S>
        {
            int* index = stackalloc int[16];
            float* eight = stackalloc float[16], sixteen = stackalloc float[16];
            for (int first = 0; first < 64; first += S.Count)
            {
                for (int i = 0; i < S.Count; i++) index[i] = (first + i) * 0x1234567;
                S.Store(S.Lookup(S.Load(index), Eight), eight);
                S.Store(S.Lookup(S.Load(index), Sixteen), sixteen);
                for (int i = 0; i < S.Count; i++) Assert.Equal(((index[i] & 7) + 1, (index[i] & 15) + 1), (eight[i], sixteen[i]));
            }
        }
    }

    [Fact]
    public void Pow_in_float32_is_within_one_ulp_and_a_half_of_the_truth()
    {
        float[] x = Samples.Float32(60), y = Shuffled(x);
        // Exponents that keep the power in range are where the error shows.
        for (int i = 0; i < y.Length; i += 2)
        {
            double limit = 150 / Math.Abs(Math.Log2(Math.Abs(x[i])));
            if (double.IsFinite(limit)) y[i] = (float)(limit * (i % 1000 - 500) / 500);
        }
        Compare<Pow>(x, y, 1.5);
    }

    [Fact]
    public void Atan2_in_float32_is_within_one_ulp_of_the_truth()
    {
        float[] x = Samples.Float32(60), y = Shuffled(x);
        for (int i = 0; i < y.Length; i += 2) y[i] = x[i] * (1 + (i % 100) * 0.37f);
        Compare<Atan2>(x, y, 1);
    }

    [Fact]
    public void Fmod_in_float32_is_exact()
    {
        float[] x = Samples.Float32(60), y = Shuffled(x);
        for (int i = 0; i < y.Length; i += 2) y[i] = x[i] / (1 + i % 100);
        Compare<Fmod>(x, y, 0);
    }

    private static float[] Shuffled(float[] x)
    {
        float[] y = [.. x];
        new Random(Samples.Seed + 1).Shuffle(y);
        return y;
    }

    private static void Compare<F>(float[] x, float[] y, double bound) where F : IBinaryFunction
    {
        float[] z = Through<Lanes256<float>>.Binary<F, float>(x, y);
        for (int i = 0; i < x.Length; i++)
        {
            double expected = F.Of(new Reference(x[i]), new Reference(y[i])).Value, ulps = Samples.UlpsOfFloat32(z[i], expected);
            Assert.True(ulps <= bound, $"{typeof(F).Name}({x[i]:R}, {y[i]:R}) = {z[i]:R}, expected {expected:R} within {bound} ulp, was {ulps} off (seed {Samples.Seed})");
        }
    }
}
