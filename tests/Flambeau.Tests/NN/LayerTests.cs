using Flambeau.NN;

namespace Flambeau.Tests.NN;

/// <summary>Layers against loops in float64.</summary>
public class LayerTests
{
    static double[,] Matrix(Tensor x)
    {
        var flat = x.Detach().ToArray<double>();
        var m = new double[x.Shape[0], x.Shape[1]];
        for (int i = 0; i < flat.Length; i++) m[i / (int)x.Shape[1], i % (int)x.Shape[1]] = flat[i];
        return m;
    }

    static void Near(double[] expected, Tensor actual, double tolerance = 1e-12)
    {
        var got = actual.Detach().ToArray<double>();
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++) Assert.True(Math.Abs(expected[i] - got[i]) <= tolerance * (1 + Math.Abs(expected[i])), $"element {i}: {expected[i]} and {got[i]}");
    }

    [Fact]
    public void Linear_is_x_times_the_transposed_weight_plus_bias()
    {
        var generator = new Generator(1);
        var layer = new Linear(5, 3, dtype: DType.Float64, generator: generator);
        var x = Tensor.RandN([2, 5], DType.Float64, generator);
        double[,] w = Matrix(layer.Weight), v = Matrix(x);
        var b = layer.Bias!.Detach().ToArray<double>();
        var y = new double[6];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 3; j++)
            {
                y[i * 3 + j] = b[j];
                for (int k = 0; k < 5; k++) y[i * 3 + j] += v[i, k] * w[j, k];
            }
        Near(y, layer.Call(x));
    }

    [Fact]
    public void Linear_begins_uniform_within_one_over_the_root_of_its_inputs()
    {
        var layer = new Linear(100, 2000, generator: new Generator(3));
        foreach (var values in new[] { layer.Weight.ToArray<double>(), layer.Bias!.ToArray<double>() })
        {
            Assert.All(values, v => Assert.InRange(v, -0.1, 0.1));
            Assert.InRange(values.Average(v => v * v), 0.95 * 0.01 / 3, 1.05 * 0.01 / 3);
        }
    }

    [Fact]
    public void The_padding_row_is_zero_and_gets_no_gradient()
    {
        var table = new Embedding(5, 2, paddingIndex: -1, generator: new Generator(1));
        Assert.Equal(new float[] { 0, 0 }, table.Weight.Detach().Select(0, 4).ToArray<float>());
        for (int pass = 0; pass < 2; pass++)
        {
            table.ZeroGrad();
            table.Call(Tensor.FromArray(new long[] { 4, 1, 4, 1, 0 })).Sum().Backward();
            Assert.Equal(new float[] { 1, 1, 2, 2, 0, 0, 0, 0, 0, 0 }, table.Weight.Grad!.ToArray<float>());
        }
    }

    [Fact]
    public void Norms_are_their_formulas_and_refuse_other_sizes()
    {
        var x = Tensor.RandN([3, 4], DType.Float64, new Generator(2));
        var rows = Matrix(x);
        double[] layer = new double[12], rms = new double[12];
        for (int i = 0; i < 3; i++)
        {
            double mean = 0, square = 0, variance = 0;
            for (int j = 0; j < 4; j++) { mean += rows[i, j] / 4; square += rows[i, j] * rows[i, j] / 4; }
            for (int j = 0; j < 4; j++) variance += (rows[i, j] - mean) * (rows[i, j] - mean) / 4;
            for (int j = 0; j < 4; j++)
            {
                layer[i * 4 + j] = (rows[i, j] - mean) / Math.Sqrt(variance + 1e-5);
                rms[i * 4 + j] = rows[i, j] / Math.Sqrt(square + 1e-6);
            }
        }
        Near(layer, new LayerNorm(4, dtype: DType.Float64).Call(x));
        Near(rms, new RMSNorm(4, dtype: DType.Float64).Call(x));
        Assert.Contains("normalizes [5]", Assert.Throws<FlambeauException>(() => new LayerNorm(5).Call(x)).Message, StringComparison.Ordinal);
        Assert.Contains("normalizes [5]", Assert.Throws<FlambeauException>(() => new RMSNorm(5).Call(x)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dropout_scales_what_it_keeps_and_does_nothing_in_evaluation()
    {
        var drop = new Dropout(0.25, new Generator(9));
        var y = drop.Call(Tensor.Ones(40_000)).ToArray<double>();
        Assert.All(y, v => Assert.True(v == 0 || Math.Abs(v - 4.0 / 3) < 1e-6));
        Assert.InRange(y.Count(v => v == 0), 9_600, 10_400);
        var x = Tensor.Ones(4);
        Assert.Same(x, drop.Eval().Call(x));
        Assert.Throws<FlambeauException>(() => new Dropout(1.5));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void MultiheadAttention_equals_attention_by_loops(bool batchFirst)
    {
        var generator = new Generator(4);
        const int N = 2, T = 3, S = 4, E = 6, H = 2, D = E / H;
        var layer = new MultiheadAttention(E, H, batchFirst: batchFirst, dtype: DType.Float64, generator: generator);
        using (Autograd.NoGrad()) layer.InProjBias!.Copy_(Tensor.RandN([3 * E], DType.Float64, generator));
        Tensor q = Tensor.RandN([N, T, E], DType.Float64, generator), k = Tensor.RandN([N, S, E], DType.Float64, generator), v = Tensor.RandN([N, S, E], DType.Float64, generator);
        double[] weight = layer.InProjWeight.Detach().ToArray<double>(), bias = layer.InProjBias!.Detach().ToArray<double>(), output = layer.OutProj.Weight.Detach().ToArray<double>();

        double[] Project(Tensor x, int which, int n)
        {
            double[] rows = x.Select(0, n).ToArray<double>(), y = new double[rows.Length];
            for (int t = 0; t < rows.Length / E; t++)
                for (int j = 0; j < E; j++)
                {
                    double sum = bias[which * E + j];
                    for (int i = 0; i < E; i++) sum += rows[t * E + i] * weight[(which * E + j) * E + i];
                    y[t * E + j] = sum;
                }
            return y;
        }

        var expected = new double[N * T * E];
        for (int n = 0; n < N; n++)
        {
            double[] qs = Project(q, 0, n), ks = Project(k, 1, n), vs = Project(v, 2, n);
            for (int t = 0; t < T; t++)
            {
                var joined = new double[E];
                for (int h = 0; h < H; h++)
                {
                    var p = new double[S];
                    for (int s = 0; s < S; s++)
                    {
                        for (int d = 0; d < D; d++) p[s] += qs[t * E + h * D + d] * ks[s * E + h * D + d];
                        p[s] = Math.Exp(p[s] / Math.Sqrt(D));
                    }
                    for (int s = 0; s < S; s++)
                        for (int d = 0; d < D; d++) joined[h * D + d] += p[s] / p.Sum() * vs[s * E + h * D + d];
                }
                for (int j = 0; j < E; j++)
                    for (int i = 0; i < E; i++) expected[(n * T + t) * E + j] += joined[i] * output[j * E + i];
            }
        }
        var y = batchFirst ? layer.Call(q, k, v) : layer.Call(q.Transpose(0, 1), k.Transpose(0, 1), v.Transpose(0, 1)).Transpose(0, 1);
        Near(expected, y);
        Assert.Equal(["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"], layer.StateDict().Keys);
    }

    [Fact]
    public void Losses_and_activations_are_the_operators()
    {
        Tensor x = Tensor.Of(-1.5f, 0.25f, 2), t = Tensor.Of(0, 1, 1);
        Assert.Equal(x.MseLoss(t).Item(), new MSELoss().Call(x, t).Item());
        Assert.Equal(x.L1Loss(t).Item(), new L1Loss().Call(x, t).Item());
        Assert.Equal(x.SmoothL1Loss(t).Item(), new SmoothL1Loss().Call(x, t).Item());
        Assert.Equal(x.BinaryCrossEntropyWithLogits(t).Item(), new BCEWithLogitsLoss().Call(x, t).Item());
        var label = Tensor.FromArray(new long[] { 2 });
        Assert.Equal(-Math.Log(Math.Exp(2) / (Math.Exp(-1.5) + Math.Exp(0.25) + Math.Exp(2))), new CrossEntropyLoss().Call(x.Unsqueeze(0), label).Item(), 6);
        Assert.Equal(new CrossEntropyLoss().Call(x.Unsqueeze(0), label).Item(), new NLLLoss().Call(x.Unsqueeze(0).LogSoftmax(1), label).Item(), 6);
        Assert.Single(new CrossEntropyLoss(Tensor.Ones(3)).StateDict());
        Module<Tensor, Tensor>[] modules = [new ReLU(), new LeakyReLU(), new ELU(), new GELU(), new SiLU(), new Sigmoid(), new Tanh(), new Softplus(), new Softmax(0), new LogSoftmax(0)];
        Tensor[] expected = [x.Relu(), x.LeakyRelu(), x.Elu(), x.Gelu(), x.Silu(), x.Sigmoid(), x.Tanh(), x.Softplus(), x.Softmax(0), x.LogSoftmax(0)];
        Assert.All(modules.Zip(expected), m => Assert.Equal(m.Second.ToArray<float>(), m.First.Call(x).ToArray<float>()));
    }
}
