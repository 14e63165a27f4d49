using Flambeau.NN;

namespace Flambeau.Tests.NN;

public class InitTests
{
    static (double Mean, double Std, double Min, double Max) Moments(Tensor x)
    {
        var v = x.ToArray<double>();
        double mean = v.Average();
        return (mean, Math.Sqrt(v.Average(e => (e - mean) * (e - mean))), v.Min(), v.Max());
    }

    static Tensor Of(long rows = 300, long columns = 200) => Tensor.Empty(rows, columns);

    // bounds of five standard errors for 60,000 elements
    static void HasMoments(Tensor x, double mean, double std)
    {
        var m = Moments(x);
        Assert.True(Math.Abs(m.Mean - mean) < 5 * std / Math.Sqrt(x.Numel), $"mean {m.Mean}, expected {mean}");
        Assert.True(Math.Abs(m.Std - std) < 0.02 * std, $"deviation {m.Std}, expected {std}");
    }

    [Fact]
    public void Uniform_fills_its_interval()
    {
        var x = Init.Uniform_(Of(), -1, 3, new Generator(1));
        HasMoments(x, 1, 4 / Math.Sqrt(12));
        var m = Moments(x);
        Assert.True(m.Min is >= -1 and < -0.99 && m.Max is < 3 and > 2.99);
    }

    [Fact]
    public void Normal_has_its_moments() => HasMoments(Init.Normal_(Of(), 2, 0.5, new Generator(2)), 2, 0.5);

    [Fact]
    public void Equal_seeds_give_equal_values() =>
        Assert.Equal(Init.Normal_(Of(), generator: new Generator(7)).ToArray<float>(), Init.Normal_(Of(), generator: new Generator(7)).ToArray<float>());

    [Theory]
    [InlineData(0, 1, -2, 2)]
    [InlineData(1, 2, -1, 0.5)]
    [InlineData(0, 1, 6, 7)] // far out in a tail
    [InlineData(0, 1, -9, -8)]
    public void Truncated_normal_has_the_moments_of_its_density(double mean, double std, double low, double high)
    {
        var x = Init.TruncNormal_(Of(), mean, std, low, high, new Generator(3));
        var m = Moments(x);
        Assert.True(m.Min >= (float)low && m.Max <= (float)high);
        // by Simpson's rule over the density
        const int N = 20_000;
        double h = (high - low) / N, mass = 0, first = 0, second = 0;
        for (int i = 0; i <= N; i++)
        {
            double z = low + i * h, w = (i == 0 || i == N ? 1 : i % 2 == 1 ? 4 : 2) * Math.Exp(-((z - mean) / std * ((z - mean) / std) - Closest() * Closest()) / 2);
            mass += w;
            first += w * z;
            second += w * z * z;
        }
        double expected = first / mass, deviation = Math.Sqrt(second / mass - expected * expected);
        Assert.True(Math.Abs(m.Mean - expected) < 5 * deviation / Math.Sqrt(x.Numel), $"mean {m.Mean}, expected {expected}");
        Assert.True(Math.Abs(m.Std - deviation) < 0.02 * deviation, $"deviation {m.Std}, expected {deviation}");

        double Closest() => Math.Clamp(mean, low, high) is var c ? (c - mean) / std : 0;
    }

    [Fact]
    public void Glorot_and_He_have_their_deviations()
    {
        HasMoments(Init.XavierUniform_(Of(), 2, new Generator(4)), 0, 2 * Math.Sqrt(2.0 / 500));
        HasMoments(Init.XavierNormal_(Of(), 2, new Generator(5)), 0, 2 * Math.Sqrt(2.0 / 500));
        HasMoments(Init.KaimingUniform_(Of(), generator: new Generator(6)), 0, Math.Sqrt(2.0 / 200));
        HasMoments(Init.KaimingNormal_(Of(), mode: Fan.Out, nonlinearity: Nonlinearity.Relu, generator: new Generator(7)), 0, Math.Sqrt(2.0 / 300));
        HasMoments(Init.KaimingNormal_(Tensor.Empty(20, 30, 10, 10), generator: new Generator(8)), 0, Math.Sqrt(2.0 / 3000));
    }

    [Theory]
    [InlineData(20, 30)]
    [InlineData(30, 20)]
    [InlineData(16, 16)]
    public void Orthogonal_rows_or_columns_have_products_of_one_and_zero(long rows, long columns)
    {
        var x = Init.Orthogonal_(Tensor.Empty([rows, columns], DType.Float64), 3, new Generator(9));
        var gram = (rows <= columns ? x.MatMul(x.T) : x.T.MatMul(x)) / 9;
        Assert.True((gram - Tensor.Eye(Math.Min(rows, columns), dtype: DType.Float64)).Norm().Item() < 1e-13);
    }

    [Fact]
    public void Constants_and_the_identity()
    {
        Assert.Equal(new float[] { 1, 0, 0, 0, 1, 0 }, Init.Eye_(Tensor.Empty(2, 3)).ToArray<float>());
        Assert.Equal(new float[] { 2, 2 }, Init.Constant_(Tensor.Empty(2), 2).ToArray<float>());
        Assert.Equal(new float[] { 1, 1 }, Init.Ones_(Tensor.Empty(2)).ToArray<float>());
        Assert.Equal(new float[] { 0, 0 }, Init.Zeros_(Tensor.Ones(2)).ToArray<float>());
        Assert.Throws<FlambeauException>(() => Init.XavierNormal_(Tensor.Empty(3)));
    }

    [Fact]
    public void Filling_a_parameter_is_not_recorded()
    {
        var p = Module.Parameter(Tensor.Empty(2, 2));
        Init.Uniform_(p);
        Assert.True(p.IsLeaf && p.RequiresGrad);
    }
}
