using Flambeau.NN;

namespace Flambeau.Tests.Ops;

/// <summary>Batch norm against its formula in float64, against finite differences, and under transforms.</summary>
public class BatchNormTests
{
    // x as [N, C, places] in float64 → normalized, mean and variance a channel
    static (double[] Y, double[] Mean, double[] Var) Reference(double[] x, long n, long c, long places, double eps)
    {
        var y = new double[x.Length];
        var (mean, variance) = (new double[c], new double[c]);
        for (long k = 0; k < c; k++)
        {
            IEnumerable<long> Elements() => from i in Enumerable.Range(0, (int)n) from p in Enumerable.Range(0, (int)places) select (i * c + k) * places + p;
            mean[k] = Elements().Average(i => x[i]);
            variance[k] = Elements().Average(i => (x[i] - mean[k]) * (x[i] - mean[k]));
            foreach (long i in Elements()) y[i] = (x[i] - mean[k]) / Math.Sqrt(variance[k] + eps);
        }
        return (y, mean, variance);
    }

    static void Near(double[] expected, Tensor actual, double tolerance)
    {
        var got = actual.Detach().ToArray<double>();
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++) Assert.True(Math.Abs(expected[i] - got[i]) <= tolerance * (1 + Math.Abs(expected[i])), $"element {i}: {got[i]}, expected {expected[i]}");
    }

    // few and many samples; planes of whole vectors and others; so many places that each channel goes through all passes by itself
    public static TheoryData<long[]> Shapes => [.. new[] { new long[] { 7, 3 }, new long[] { 300, 20 }, new long[] { 2, 1, 2 }, new long[] { 5, 3, 9 }, new long[] { 6, 4, 8, 6 }, new long[] { 40, 8, 24, 20 }, new long[] { 17, 9, 32, 32 }, new long[] { 3, 2, 4, 3, 5 } }];

    [Theory, MemberData(nameof(Shapes))]
    public void It_is_the_formula(long[] shape)
    {
        foreach (var type in new[] { DType.Float32, DType.Float64, DType.BFloat16 })
        {
            var g = new Generator(4);
            // a mean of many deviations: sums of squares less the square of the sum would fail
            Tensor x = Tensor.RandN(shape, type, g) + 30, w = Tensor.RandN([shape[1]], type, g), b = Tensor.RandN([shape[1]], type, g);
            long n = shape[0], c = shape[1], places = shape[2..].Aggregate(1L, (p, s) => p * s);
            var (y, _, _) = Reference(x.ToArray<double>(), n, c, places, 1e-5);
            double[] weight = w.ToArray<double>(), bias = b.ToArray<double>();
            for (long i = 0; i < y.Length; i++) y[i] = y[i] * weight[i / places % c] + bias[i / places % c];
            Near(y, x.BatchNorm(weight: w, bias: b), type switch { DType.Float64 => 1e-12, DType.Float32 => 3e-5, _ => 0.02 });
        }
    }

    // the worst for the number near the mean that one pass starts from: what lies at its places lies nowhere else
    [Theory, InlineData(4096, 64), InlineData(1000, 15), InlineData(256, 4)]
    public void It_is_the_formula_where_every_so_many_samples_are_far_from_the_mean(int n, int step)
    {
        var g = new Generator(8);
        var far = (Tensor.Arange(n).Remainder(step).Eq(0)).To(DType.Float32).Unsqueeze(1) * 1000;
        var x = Tensor.RandN([n, 5], generator: g) + far - 30;
        var (y, _, _) = Reference(x.ToArray<double>(), n, 5, 1, 1e-5);
        Near(y, x.BatchNorm(), 3e-5);
    }

    [Theory, MemberData(nameof(Shapes))]
    public void Its_gradients_are_those_of_finite_differences(long[] shape)
    {
        var g = new Generator(5);
        Tensor x = Tensor.RandN(shape, DType.Float64, g), w = Tensor.RandN([shape[1]], DType.Float64, g), b = Tensor.RandN([shape[1]], DType.Float64, g), weights = Tensor.RandN(shape, DType.Float64, g);
        Tensor[] leaves = [x.Clone().RequiresGrad_(), w.Clone().RequiresGrad_(), b.Clone().RequiresGrad_()];
        (leaves[0].BatchNorm(weight: leaves[1], bias: leaves[2]) * weights).Sum().Backward();
        Tensor[] operands = [x, w, b];
        for (int k = 0; k < 3; k++)
        {
            var direction = Tensor.RandN(operands[k].Shape, DType.Float64, g);
            double At(double step)
            {
                Tensor[] moved = [x, w, b];
                moved[k] = operands[k] + direction * step;
                return (moved[0].BatchNorm(weight: moved[1], bias: moved[2]) * weights).Sum().Item();
            }
            double expected = (At(1e-5) - At(-1e-5)) / 2e-5, actual = (leaves[k].Grad! * direction).Sum().Item();
            Assert.True(Math.Abs(expected - actual) < 1e-5 * (1 + Math.Abs(expected)), $"operand {k}: {actual}, by differences {expected}");
        }
    }

    [Fact]
    public void Second_derivatives_Vmap_and_Jvp_are_those_of_the_operators()
    {
        var g = new Generator(6);
        Tensor x = Tensor.RandN([5, 3, 4], DType.Float64, g), w = Tensor.RandN([3], DType.Float64, g);
        static Tensor Plain(Tensor[] t)
        {
            var centred = t[0] - t[0].Mean([0, 2], true);
            return centred * ((centred * centred).Mean([0, 2], true) + 1e-5).Rsqrt() * t[1].Reshape(-1, 1);
        }
        static Tensor Norm(Tensor[] t) => t[0].BatchNorm(weight: t[1]);
        Tensor Second(Func<Tensor[], Tensor> f)
        {
            var leaf = x.Clone().RequiresGrad_();
            var first = Autograd.Grad((f([leaf, w]).Sin() * leaf).Sum(), leaf, createGraph: true);
            return Autograd.Grad((first * first).Sum(), leaf);
        }
        Assert.True((Second(Plain) - Second(Norm)).Abs().Max().Item() < 1e-10);
        var many = Tensor.RandN([2, 5, 3, 4], DType.Float64, g);
        Assert.Equal(Autograd.Vmap(Plain, [many, w], [0, null]).ToArray<double>(), Autograd.Vmap(Norm, [many, w], [0, null]).ToArray<double>());
        Tensor[] direction = [Tensor.RandN(x.Shape, DType.Float64, g), Tensor.RandN(w.Shape, DType.Float64, g)];
        Assert.Equal(Autograd.Jvp(Plain, [x, w], direction).Tangent.ToArray<double>(), Autograd.Jvp(Norm, [x, w], direction).Tangent.ToArray<double>());
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Running_numbers_move_towards_the_batch_and_then_take_its_place(bool grad)
    {
        var g = new Generator(7);
        var layer = new BatchNorm2d(3, dtype: DType.Float64);
        var x = Tensor.RandN([4, 3, 5, 2], DType.Float64, g) * 2 + 1;
        x.RequiresGrad = grad;
        var (y, mean, variance) = Reference(x.Detach().ToArray<double>(), 4, 3, 10, 1e-5);
        Near(y, layer.Call(x), 1e-12);
        Near([.. mean.Select(m => 0.1 * m)], layer.RunningMean!, 1e-13);
        Near([.. variance.Select(v => 0.9 + 0.1 * v * 40 / 39)], layer.RunningVar!, 1e-13);
        Assert.Equal(1, layer.StateDict()["num_batches_tracked"].Item<long>());
        layer.Eval();
        var (m, v) = (layer.RunningMean!.ToArray<double>(), layer.RunningVar!.ToArray<double>());
        Near([.. x.Detach().ToArray<double>().Select((e, i) => (e - m[i / 10 % 3]) / Math.Sqrt(v[i / 10 % 3] + 1e-5))], layer.Call(x), 1e-12);
        Near(m, layer.RunningMean!, 0);
    }

    [Fact]
    public void Not_training_its_gradients_are_those_of_the_formula()
    {
        var g = new Generator(8);
        Tensor x = Tensor.RandN([6, 3, 4], DType.Float64, g).RequiresGrad_(), w = Tensor.RandN([3], DType.Float64, g).RequiresGrad_(), b = Tensor.Zeros([3], DType.Float64).RequiresGrad_();
        Tensor mean = Tensor.RandN([3], DType.Float64, g), variance = Tensor.Rand([3], DType.Float64, g) + 0.5, gradient = Tensor.RandN([6, 3, 4], DType.Float64, g);
        x.BatchNorm(mean, variance, w, b, training: false).Backward(gradient);
        Tensor scale = (variance + 1e-5).Rsqrt().Reshape(3, 1), normalized = (x.Detach() - mean.Reshape(3, 1)) * scale;
        Near((gradient * scale * w.Detach().Reshape(3, 1)).ToArray<double>(), x.Grad!, 1e-12);
        Near((gradient * normalized).Sum([0, 2]).ToArray<double>(), w.Grad!, 1e-12);
        Near(gradient.Sum([0, 2]).ToArray<double>(), b.Grad!, 1e-12);
    }

    [Fact]
    public void Momentum_null_is_the_plain_average()
    {
        var g = new Generator(9);
        var layer = new BatchNorm1d(2, momentum: null, dtype: DType.Float64);
        Tensor first = Tensor.RandN([5, 2], DType.Float64, g), second = Tensor.RandN([9, 2], DType.Float64, g);
        layer.Call(first);
        layer.Call(second);
        Near(((first.Mean(0) + second.Mean(0)) / 2).ToArray<double>(), layer.RunningMean!, 1e-13);
    }

    [Fact]
    public void What_does_not_fit_is_said_before_anything_moves()
    {
        var layer = new BatchNorm2d(3);
        Assert.Contains("C = 3", Assert.Throws<FlambeauException>(() => layer.Call(Tensor.RandN([2, 4, 5, 5]))).Message);
        Assert.Contains("[N, C, H, W]", Assert.Throws<FlambeauException>(() => layer.Call(Tensor.RandN([2, 3, 5]))).Message);
        Assert.Contains("more than one value a channel", Assert.Throws<FlambeauException>(() => layer.Call(Tensor.RandN([1, 3, 1, 1]))).Message);
        Assert.Contains("weight needs a value for each of 3 channels", Assert.Throws<FlambeauException>(() => Tensor.RandN([2, 3]).BatchNorm(weight: Tensor.Ones([2]))).Message);
        Assert.Contains("both running mean and running variance", Assert.Throws<FlambeauException>(() => Tensor.RandN([2, 3]).BatchNorm(runningMean: Tensor.Ones([3]))).Message);
        Assert.Equal(0, layer.StateDict()["num_batches_tracked"].Item<long>());
    }
}
