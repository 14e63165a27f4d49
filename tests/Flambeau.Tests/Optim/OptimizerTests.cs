using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Tests.Optim;

/// <summary>Optimizers against loops written from the papers' formulas in float64.</summary>
public class OptimizerTests
{
    const int N = 37; // not a multiple of any vector's width
    const int Steps = 7;

    static (double[] P, double[][] G) Numbers()
    {
        var random = new Random(11);
        double Next() => random.NextDouble() * 2 - 1;
        return ([.. Enumerable.Range(0, N).Select(_ => Next())], [.. Enumerable.Range(0, Steps).Select(_ => Enumerable.Range(0, N).Select(_ => Next()).ToArray())]);
    }

    // runs an optimizer over the gradients
    static double[] Run(Func<Tensor, Optimizer> make, DType type = DType.Float64)
    {
        var (p, g) = Numbers();
        var parameter = Module.Parameter(Tensor.FromArray(p).To(type).Clone());
        var optimizer = make(parameter);
        foreach (var gradient in g)
        {
            parameter.Grad = Tensor.FromArray(gradient).To(type);
            optimizer.Step();
        }
        return parameter.Detach().ToArray<double>();
    }

    static void Near(double[] expected, double[] actual, double tolerance)
    {
        for (int i = 0; i < N; i++) Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"element {i}: expected {expected[i]:R}, got {actual[i]:R}");
    }

    static double[] SgdReference(double lr, double momentum, double dampening, double decay, bool nesterov, bool maximize)
    {
        var (p, g) = Numbers();
        var buffer = new double[N];
        for (int t = 0; t < Steps; t++)
            for (int i = 0; i < N; i++)
            {
                double d = (maximize ? -g[t][i] : g[t][i]) + decay * p[i];
                buffer[i] = t == 0 ? d : momentum * buffer[i] + (1 - dampening) * d;
                p[i] -= lr * (momentum == 0 ? d : nesterov ? d + momentum * buffer[i] : buffer[i]);
            }
        return p;
    }

    [Theory]
    [InlineData(0, 0, 0, false, false)]
    [InlineData(0, 0, 0.1, false, true)]
    [InlineData(0.9, 0, 0, false, false)]
    [InlineData(0.9, 0.3, 0.1, false, false)]
    [InlineData(0.9, 0, 0.1, true, false)]
    [InlineData(0.9, 0, 0.1, true, true)]
    public void SGD_follows_its_formula(double momentum, double dampening, double decay, bool nesterov, bool maximize)
    {
        var expected = SgdReference(0.1, momentum, dampening, decay, nesterov, maximize);
        Near(expected, Run(p => new SGD([p], 0.1, momentum, dampening, decay, nesterov, maximize)), 1e-15);
        Near(expected, Run(p => new SGD([p], 0.1, momentum, dampening, decay, nesterov, maximize), DType.Float32), 1e-6);
    }

    static double[] AdamReference(bool decoupled, double lr, double b1, double b2, double eps, double decay, bool amsGrad, bool maximize)
    {
        var (p, g) = Numbers();
        double[] m = new double[N], v = new double[N], largest = new double[N];
        for (int t = 1; t <= Steps; t++)
            for (int i = 0; i < N; i++)
            {
                double d = maximize ? -g[t - 1][i] : g[t - 1][i];
                if (decoupled) p[i] *= 1 - lr * decay;
                else d += decay * p[i];
                m[i] = b1 * m[i] + (1 - b1) * d;
                v[i] = b2 * v[i] + (1 - b2) * d * d;
                largest[i] = Math.Max(largest[i], v[i]);
                double mean = m[i] / (1 - Math.Pow(b1, t)), square = (amsGrad ? largest[i] : v[i]) / (1 - Math.Pow(b2, t));
                p[i] -= lr * mean / (Math.Sqrt(square) + eps);
            }
        return p;
    }

    [Theory]
    [InlineData(true, 0.01, 0.9, 0.999, 0.1, false, false)]
    [InlineData(true, 0.01, 0.3, 0.5, 0, false, true)]
    [InlineData(true, 0.01, 0.9, 0.95, 0.1, true, false)]
    [InlineData(false, 0.01, 0.9, 0.999, 0.1, false, false)]
    [InlineData(false, 0.01, 0.9, 0.999, 0, true, true)]
    public void Adam_and_AdamW_follow_their_formulas(bool decoupled, double lr, double b1, double b2, double decay, bool amsGrad, bool maximize)
    {
        var expected = AdamReference(decoupled, lr, b1, b2, 1e-8, decay, amsGrad, maximize);
        Optimizer Make(Tensor p) => decoupled ? new AdamW([p], lr, (b1, b2), 1e-8, decay, amsGrad, maximize) : new Adam([p], lr, (b1, b2), 1e-8, decay, amsGrad, maximize);
        Near(expected, Run(Make), 1e-14);
        Near(expected, Run(Make, DType.Float32), 2e-6);
    }

    [Fact]
    public void AdamW_in_float32_rounds_in_the_stated_order()
    {
        // one element, operation by operation in float, against the kernel's bits
        float p = 0.7f, m = 0, v = 0;
        var parameter = Module.Parameter(Tensor.Of(p, p, p));
        var optimizer = new AdamW([parameter], 0.01, (0.9, 0.95), 1e-8, 0.1);
        for (int t = 1; t <= 5; t++)
        {
            float g = 0.3f / t - 0.1f;
            parameter.Grad = Tensor.Of(g, g, g);
            optimizer.Step();
            p *= (float)(1 - 0.01 * 0.1);
            m += (float)(1 - 0.9) * (g - m);
            float square = (float)(1 - 0.95) * g * g;
            v = v * (float)0.95 + square;
            float denominator = MathF.Sqrt(v) / (float)Math.Sqrt(1 - Math.Pow(0.95, t)) + (float)1e-8;
            float scaled = (float)(-0.01 / (1 - Math.Pow(0.9, t))) * m;
            p += scaled / denominator;
            Assert.Equal(new[] { p, p, p }, parameter.ToArray<float>());
        }
    }

    [Fact]
    public void Large_strided_and_half_precision_parameters_are_updated_alike()
    {
        const int Rows = 300, Columns = 400;
        var values = Tensor.RandN([Rows, Columns], DType.Float32, new Generator(1));
        var gradient = Tensor.RandN([Rows, Columns], DType.Float32, new Generator(2));
        Tensor plain = Module.Parameter(values.Clone()), strided = Module.Parameter(values.T.Clone().T), half = Module.Parameter(values.To(DType.BFloat16));
        Assert.False(strided.IsContiguous);
        foreach (var p in new[] { plain, strided, half })
        {
            p.Grad = gradient.To(p.DType);
            new AdamW([p], 0.1).Step();
        }
        Assert.Equal(plain.ToArray<float>(), strided.ToArray<float>());
        // one rounding of the updated value: as a float32 step of the same numbers
        var wide = Module.Parameter(values.To(DType.BFloat16).Float());
        wide.Grad = gradient.To(DType.BFloat16).Float();
        new AdamW([wide], 0.1).Step();
        Assert.Equal(wide.Detach().To(DType.BFloat16).ToArray<float>(), half.ToArray<float>());
    }

    [Fact]
    public void A_step_counts_as_a_write_for_the_tape()
    {
        var p = Module.Parameter(Tensor.Of(1, 2));
        var loss = (p * p).Sum();
        p.Grad = Tensor.Of(1, 1);
        new SGD([p]).Step();
        Assert.Throws<FlambeauException>(() => loss.Backward());
    }

    [Fact]
    public void Muon_steps_along_nearly_orthogonal_matrices()
    {
        foreach (var (rows, columns) in new[] { (8, 20), (20, 8) })
        {
            var x = Muon.Orthogonalize(Tensor.RandN([rows, columns], DType.Float64, new Generator(5)), 5, 1e-7);
            var gram = rows < columns ? x.MatMul(x.T) : x.T.MatMul(x);
            // singular values in about [0.7, 1.2]: their squares on the diagonal's scale
            double trace = gram.Diagonal().Sum().Item();
            Assert.InRange(trace / 8, 0.45, 1.5);
            Assert.True((gram - Tensor.Eye(8, dtype: DType.Float64)).Norm().Item() < 0.6 * Math.Sqrt(8));
        }
    }

    [Fact]
    public void Muon_follows_its_formula_and_leaves_other_parameters_to_AdamW()
    {
        var generator = new Generator(6);
        Tensor matrix = Module.Parameter(Tensor.RandN([4, 3], DType.Float64, generator)), vector = Module.Parameter(Tensor.RandN([5], DType.Float64, generator)), twin = Module.Parameter(vector.Detach().Clone());
        Tensor w = matrix.Detach().Clone(), buffer = Tensor.ZerosLike(w);
        var muon = new Muon([matrix], [vector], learningRate: 0.02, weightDecay: 0.1);
        var adam = new AdamW([twin], 0.02, weightDecay: 0.1);
        for (int t = 0; t < 3; t++)
        {
            var g = Tensor.RandN([4, 3], DType.Float64, generator);
            matrix.Grad = g;
            vector.Grad = twin.Grad = Tensor.RandN([5], DType.Float64, generator);
            muon.Step();
            adam.Step();
            buffer = buffer * 0.95 + g * 0.05;
            var step = Muon.Orthogonalize(g * 0.05 + buffer * 0.95, 5, 1e-7);
            w = w * (1 - 0.02 * 0.1) - step * (0.02 * Math.Sqrt(4.0 / 3));
        }
        Assert.True((matrix.Detach() - w).Norm().Item() < 1e-13);
        Assert.Equal(twin.ToArray<double>(), vector.ToArray<double>());
        Assert.Throws<FlambeauException>(() => new Muon([vector]));
    }

    // ---- saving and restoring ----

    public static TheoryData<string> Kinds => new("sgd", "adam", "adamw", "muon");

    static Optimizer Make(string kind, Tensor[] p) => kind switch
    {
        "sgd" => new SGD(new SgdGroup(p[..1]) { Momentum = 0.9, LearningRate = 0.1 }, new SgdGroup(p[1..]) { LearningRate = 0.3, WeightDecay = 0.1 }),
        "adam" => new Adam(p, 0.01, amsGrad: true),
        "adamw" => new AdamW(new AdamGroup(p[..1]) { LearningRate = 0.1 }, new AdamGroup(p[1..]) { Betas = (0.8, 0.9) }),
        _ => new Muon(p[..1], p[1..]),
    };

    static Tensor[] Parameters() => [Module.Parameter(Tensor.RandN([4, 3], generator: new Generator(1))), Module.Parameter(Tensor.RandN([5], generator: new Generator(2)))];

    static void Advance(Optimizer optimizer, Tensor[] p, int from, int to)
    {
        for (int t = from; t < to; t++)
        {
            for (int i = 0; i < p.Length; i++) p[i].Grad = Tensor.RandN(p[i].Shape, generator: new Generator((ulong)(100 * t + i)));
            optimizer.LearningRate *= 0.9;
            optimizer.Step();
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_resumed_run_has_the_bits_of_one_that_never_stopped(string kind)
    {
        Tensor[] whole = Parameters(), parts = Parameters();
        Advance(Make(kind, whole), whole, 0, 6);

        var first = Make(kind, parts);
        Advance(first, parts, 0, 3);
        var state = first.StateDict();
        Advance(first, parts, 3, 4); // must not touch what was saved
        Tensor[] resumed = Parameters();
        Advance(Make(kind, resumed), resumed, 0, 3);
        var second = Make(kind, resumed);
        second.LoadStateDict(state);
        Advance(second, resumed, 3, 6);
        for (int i = 0; i < whole.Length; i++) Assert.Equal(whole[i].ToArray<float>(), resumed[i].ToArray<float>());
    }

    [Fact]
    public void The_state_has_PyTorchs_structure()
    {
        var p = Parameters();
        var adam = new AdamW(p);
        Assert.DoesNotContain(adam.StateDict().Keys, k => k.StartsWith("state.", StringComparison.Ordinal));
        Advance(adam, p, 0, 2);
        var state = adam.StateDict();
        Assert.Equal(2, state["state.1.step"].Item());
        Assert.Equal([5L], state["state.1.exp_avg_sq"].Shape);
        Assert.Equal(new long[] { 0, 1 }, state["param_groups.0.params"].ToArray<long>());
        Assert.Equal(0.01, state["param_groups.0.weight_decay"].Item());
    }

    [Fact]
    public void A_state_that_does_not_fit_is_refused_with_all_differences()
    {
        var p = Parameters();
        var adam = new AdamW(p);
        Advance(adam, p, 0, 1);
        var state = adam.StateDict();
        state["state.0.exp_avg"] = Tensor.Zeros(2);
        state["state.7.exp_avg"] = Tensor.Zeros(2);
        state.Remove("param_groups.0.lr");
        string message = Assert.Throws<FlambeauException>(() => adam.LoadStateDict(state)).Message;
        foreach (string part in new[] { "state.0.exp_avg needs float32[4, 3]", "unexpected  state.7.exp_avg", "missing     param_groups.0.lr" }) Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains("unexpected", Assert.Throws<FlambeauException>(() => new SGD(p).LoadStateDict(adam.StateDict())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_uses_are_refused()
    {
        var p = Parameters();
        Assert.Throws<FlambeauException>(() => new SGD(Array.Empty<Tensor>()));
        Assert.Throws<FlambeauException>(() => new SGD([p[0], p[0]]));
        Assert.Throws<FlambeauException>(() => new SGD([p[0] * 2]));
        Assert.Throws<FlambeauException>(() => new SGD(p, learningRate: -1));
        Assert.Throws<FlambeauException>(() => new SGD(p, momentum: 0, nesterov: true));
        Assert.Throws<FlambeauException>(() => new AdamW(p, betas: (1, 0.9)));
    }

    // ---- gradients ----

    [Fact]
    public void Clipping_by_norm_scales_all_gradients_alike()
    {
        var p = Parameters();
        p[0].Grad = Tensor.Full([4, 3], 2, DType.Float32);
        p[1].Grad = Tensor.Full([5], -1, DType.Float32);
        double norm = Math.Sqrt(12 * 4 + 5);
        Assert.Equal(norm, Gradients.ClipNorm(p, 100), 6);
        Assert.Equal(2, p[0].Grad!.ToArray<float>()[0]);
        Assert.Equal(norm, Gradients.ClipNorm(p, 1.5), 6);
        Assert.Equal(2 * 1.5 / norm, p[0].Grad!.ToArray<float>()[0], 6);
        Assert.Equal(1.5, Gradients.Norm(p), 5);
        Assert.Equal(2 * 1.5 / norm, Gradients.Norm(p, double.PositiveInfinity), 6);
        p[1].Grad = Tensor.Full([5], double.NaN, DType.Float32);
        Assert.Throws<FlambeauException>(() => Gradients.ClipNorm(p, 1, errorIfNonfinite: true));
    }

    [Fact]
    public void Clipping_by_value_cuts_every_element_and_keeps_NaN()
    {
        var p = Module.Parameter(Tensor.Zeros(5));
        p.Grad = Tensor.Of(-3, -0.5f, 0.5f, 3, float.NaN);
        Gradients.ClipValue([p], 1);
        Assert.Equal(new[] { -1, -0.5f, 0.5f, 1, float.NaN }, p.Grad!.ToArray<float>());
    }
}
