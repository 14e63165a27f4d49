namespace Flambeau.Tests.Ops;

/// <summary>Composites of networks against loops in float64.</summary>
public class SoftmaxAndLossTests
{
    const int Seed = 51;

    static double[] Numbers(int n, double scale = 2)
    {
        var random = new Random(Seed + n);
        return [.. Enumerable.Range(0, n).Select(_ => scale * (2 * random.NextDouble() - 1))];
    }

    static void Near(double[] expected, Tensor actual, string what, double tolerance = 1e-12)
    {
        double[] got = actual.Detach().ToArray<double>();
        Assert.Equal(expected.Length, got.Length);
        for (int i = 0; i < got.Length; i++)
            Assert.True(Math.Abs(expected[i] - got[i]) <= tolerance * (1 + Math.Abs(expected[i])) || expected[i].Equals(got[i]), $"{what}, element {i}: {got[i]:R}, expected {expected[i]:R}");
    }

    // with the largest taken out, so that nothing overflows
    static double[] LogSoftmax(double[] x)
    {
        double most = x.Max(), sum = Math.Log(x.Sum(v => Math.Exp(v - most)));
        return [.. x.Select(v => v - most - sum)];
    }

    [Fact]
    public void Softmax_and_LogSoftmax_are_their_formulas_however_large_the_numbers()
    {
        double[][] rows = [Numbers(7), [1000, 1001, 990, 0, -1000, 1001, 999], [-1000, -1001, -1002, -1000, -1003, -1000, -1000], [double.NegativeInfinity, 1, 2, double.NegativeInfinity, 0, 0, 0]];
        foreach (var row in rows)
            foreach (var type in (DType[])[DType.Float64, DType.Float32])
            {
                double tolerance = type == DType.Float64 ? 1e-12 : 1e-6;
                double[] logs = LogSoftmax(row);
                var x = Tensor.FromArray(row).To(type);
                Near(logs, x.LogSoftmax(0), "LogSoftmax", tolerance);
                Near([.. logs.Select(Math.Exp)], x.Softmax(-1), "Softmax", tolerance);
                Near([row.Max() - logs.Max()], x.LogSumExp(0), "LogSumExp", tolerance);
                // along a first dim, each column by itself
                Near([.. logs.SelectMany(v => new[] { Math.Exp(v), 1.0 / 7 })], Tensor.Stack([x, Tensor.ZerosLike(x)], 1).Softmax(0), "Softmax(0)", tolerance);
            }
    }

    public static TheoryData<bool, bool, double, LossReduction, int> CrossEntropies
    {
        get
        {
            var data = new TheoryData<bool, bool, double, LossReduction, int>();
            foreach (bool weighted in (bool[])[false, true])
                foreach (bool ignoring in (bool[])[false, true])
                    foreach (double smoothing in (double[])[0, 0.1])
                        foreach (var reduction in Enum.GetValues<LossReduction>())
                            foreach (int places in (int[])[1, 3]) data.Add(weighted, ignoring, smoothing, reduction, places);
            return data;
        }
    }

    // loss = w[y] (1 − ε) (−log p[y]) + ε / C · Σ w[c] (−log p[c]), nothing where ignored; the mean divides by the sum of w[y]
    [Theory, MemberData(nameof(CrossEntropies))]
    public void CrossEntropy_is_its_loop(bool weighted, bool ignoring, double smoothing, LossReduction reduction, int places)
    {
        const int n = 6, classes = 5;
        double[] x = Numbers(n * classes * places), w = weighted ? [0.5, 2, 1, 0.25, 3] : [1, 1, 1, 1, 1];
        var random = new Random(Seed);
        long[] target = [.. Enumerable.Range(0, n * places).Select(i => ignoring && i % 4 == 1 ? -100L : random.Next(classes))];
        var losses = new double[n * places];
        double total = 0, weights = 0;
        for (int i = 0; i < n; i++)
            for (int p = 0; p < places; p++)
            {
                long y = target[i * places + p];
                if (y < 0) continue;
                double[] logs = LogSoftmax([.. Enumerable.Range(0, classes).Select(c => x[(i * classes + c) * places + p])]);
                double loss = -w[y] * (1 - smoothing) * logs[y];
                for (int c = 0; c < classes; c++) loss -= smoothing / classes * w[c] * logs[c];
                losses[i * places + p] = loss;
                total += loss;
                weights += w[y];
            }
        long[] shape = places == 1 ? [n, classes] : [n, classes, places], of = places == 1 ? [n] : [n, places];
        var logits = Tensor.FromArray(x, shape);
        var result = logits.CrossEntropy(Tensor.FromArray(target, of), weighted ? Tensor.FromArray(w) : null, -100, smoothing, reduction);
        Near(reduction == LossReduction.None ? losses : [reduction == LossReduction.Sum ? total : total / weights], result, "CrossEntropy");
        if (smoothing == 0)
            Near(reduction == LossReduction.None ? losses : [reduction == LossReduction.Sum ? total : total / weights],
                logits.LogSoftmax(1).NllLoss(Tensor.FromArray(target, of), weighted ? Tensor.FromArray(w) : null, -100, reduction), "NllLoss");
    }

    [Fact]
    public void CrossEntropy_of_probabilities_is_minus_their_sum_of_logarithms()
    {
        double[] x = Numbers(8), t = [0.1, 0.2, 0.3, 0.4, 0, 0, 1, 0];
        double expected = 0;
        for (int i = 0; i < 2; i++)
        {
            double[] logs = LogSoftmax(x[(4 * i)..(4 * i + 4)]);
            for (int c = 0; c < 4; c++) expected -= t[4 * i + c] * logs[c] / 2;
        }
        Near([expected], Tensor.FromArray(x, new long[] { 2, 4 }).CrossEntropy(Tensor.FromArray(t, new long[] { 2, 4 })), "CrossEntropy");
    }

    [Fact]
    public void Losses_of_elements_are_their_formulas()
    {
        double[] x = Numbers(12), t = [.. Numbers(13)[..12].Select(v => (v + 2) / 4)], d = [.. x.Zip(t, (a, b) => a - b)];
        Tensor input = Tensor.FromArray(x), target = Tensor.FromArray(t);
        (string Name, Func<LossReduction, Tensor> Call, double[] Losses)[] losses =
        [
            ("MseLoss", r => input.MseLoss(target, r), [.. d.Select(v => v * v)]),
            ("L1Loss", r => input.L1Loss(target, r), [.. d.Select(Math.Abs)]),
            ("SmoothL1Loss", r => input.SmoothL1Loss(target, 0.7, r), [.. d.Select(v => Math.Abs(v) < 0.7 ? v * v / 1.4 : Math.Abs(v) - 0.35)]),
            ("BinaryCrossEntropyWithLogits", r => input.BinaryCrossEntropyWithLogits(target, reduction: r), [.. x.Zip(t, (a, p) => p * Math.Log(1 + Math.Exp(-a)) + (1 - p) * Math.Log(1 + Math.Exp(a)))]),
            ("KlDiv", r => input.KlDiv(target, r), [.. x.Zip(t, (a, p) => p == 0 ? 0 : p * (Math.Log(p) - a))]),
        ];
        foreach (var (name, call, expected) in losses)
        {
            Near(expected, call(LossReduction.None), name);
            Near([expected.Sum()], call(LossReduction.Sum), name);
            Near([expected.Average()], call(LossReduction.Mean), name);
        }
        Near([800], Tensor.FromArray(new double[] { -800 }).BinaryCrossEntropyWithLogits(Tensor.FromArray(new double[] { 1 })), "far below");
        Near([0], Tensor.FromArray(new double[] { -1 }).KlDiv(Tensor.FromArray(new double[] { 0 })), "nothing expected");
    }

    // ---- the output layer of a language model ----

    [Theory]
    [InlineData(0.0, LossReduction.Mean, false), InlineData(0.1, LossReduction.Mean, true), InlineData(0.0, LossReduction.Sum, true), InlineData(0.0, LossReduction.None, false)]
    public void LinearCrossEntropy_has_the_bits_of_its_parts(double smoothing, LossReduction reduction, bool ignores)
    {
        foreach (var type in new[] { DType.Float32, DType.Float64 })
            foreach (long tokens in new long[] { 7, 513, 1300 })
            {
                var g = new Generator((ulong)tokens);
                Tensor x = Tensor.RandN([tokens, 24], type, g).RequiresGrad_(), w = Tensor.RandN([37, 24], type, g).RequiresGrad_(), target = Tensor.RandInt(0, 37, [tokens], generator: g);
                if (ignores) target.Narrow(0, 0, tokens / 2).Fill_(-100);
                Tensor Parts() => x.Linear(w).CrossEntropy(target, labelSmoothing: smoothing, reduction: reduction);
                Tensor Whole() => x.LinearCrossEntropy(w, target, labelSmoothing: smoothing, reduction: reduction);
                Assert.Equal(Parts().ToArray<double>(), Whole().ToArray<double>());
                using (Autograd.NoGrad()) Assert.Equal(Parts().ToArray<double>(), Whole().ToArray<double>());
                var (a, b) = (Autograd.Grad([Parts().Sum()], [x, w], null), Autograd.Grad([Whole().Sum()], [x, w], null));
                for (int i = 0; i < 2; i++) Assert.Equal(a[i]!.ToArray<double>(), b[i]!.ToArray<double>());
                // a loss that is scaled, and only one operand that wants a gradient
                var scaled = Autograd.Grad((Whole().Sum() * 0.5), w);
                Assert.Equal((a[1]! * 0.5).ToArray<double>(), scaled.ToArray<double>());
                Assert.Equal(a[1]!.ToArray<double>(), Autograd.Grad(x.Detach().LinearCrossEntropy(w, target, labelSmoothing: smoothing, reduction: reduction).Sum(), w).ToArray<double>());
            }
    }

    [Fact]
    public void LinearCrossEntropy_can_be_differentiated_twice_and_names_what_does_not_fit()
    {
        var g = new Generator(3);
        Tensor x = Tensor.RandN([2, 300, 4], DType.Float64, g).RequiresGrad_(), w = Tensor.RandN([5, 4], DType.Float64, g).RequiresGrad_(), target = Tensor.RandInt(0, 5, [2, 300], generator: g);
        Tensor Twice(Tensor loss) => Autograd.Grad((Autograd.Grad(loss, w, createGraph: true) * w).Sum(), x);
        var difference = Twice(x.LinearCrossEntropy(w, target)) - Twice(x.Linear(w).Flatten(0, 1).CrossEntropy(target.Flatten()));
        Assert.True(difference.Abs().Max().Item() < 1e-14);
        Assert.Contains("[2, 300]", Assert.Throws<FlambeauException>(() => x.LinearCrossEntropy(w, target.Flatten())).Message);
        Assert.Contains("[classes, in]", Assert.Throws<FlambeauException>(() => x.LinearCrossEntropy(w.T, target)).Message);
        target.Fill_(5);
        Assert.Contains("target 5 is no class", Assert.Throws<FlambeauException>(() => x.LinearCrossEntropy(w, target)).Message);
    }

    [Fact]
    public void LinearCrossEntropy_under_Vmap_is_a_loop()
    {
        var g = new Generator(6);
        Tensor x = Tensor.RandN([3, 600, 4], generator: g), w = Tensor.RandN([5, 4], generator: g), target = Tensor.RandInt(0, 5, [600], generator: g);
        var all = Autograd.Vmap(t => t.LinearCrossEntropy(w, target))(x).ToArray<float>();
        for (int i = 0; i < 3; i++) Assert.Equal(x.Select(0, i).LinearCrossEntropy(w, target).Item<float>(), all[i]);
    }

    // the gradient of a mean is one number for all rows
    [Theory]
    [InlineData(5), InlineData(64), InlineData(300)]
    public void The_gradient_of_CrossEntropy_is_softmax_less_the_target(int classes)
    {
        const int n = 40;
        var g = new Generator((ulong)classes);
        Tensor x = Tensor.RandN([n, classes], DType.Float32, g).RequiresGrad_(), target = Tensor.RandInt(0, classes, [n], generator: g);
        double[] logits = x.ToArray<double>(), found = Autograd.Grad(x.CrossEntropy(target), x).ToArray<double>();
        long[] names = target.ToArray<long>();
        for (int i = 0; i < n; i++)
        {
            double[] logs = LogSoftmax(logits[(i * classes)..((i + 1) * classes)]);
            for (int c = 0; c < classes; c++) Assert.Equal((Math.Exp(logs[c]) - (c == names[i] ? 1 : 0)) / n, found[i * classes + c], 1e-7);
        }
    }

    [Fact]
    public void SwiGlu_is_a_gate_of_silu()
    {
        double[] x = [.. Numbers(40), -1000, -90, 0, 90, 1000], y = [.. Numbers(45)];
        foreach (var (type, bound) in new[] { (DType.Float64, 1e-14), (DType.Float32, 1e-6), (DType.BFloat16, 0.02) })
        {
            double[] a = Tensor.FromArray(x).To(type).ToArray<double>(), b = Tensor.FromArray(y[..x.Length]).To(type).ToArray<double>();
            var found = Tensor.FromArray(a).To(type).SwiGlu(Tensor.FromArray(b).To(type));
            Assert.Equal(type, found.DType);
            for (int i = 0; i < a.Length; i++)
            {
                double expected = a[i] / (1 + Math.Exp(-a[i])) * b[i];
                Assert.Equal(expected, found.ToArray<double>()[i], bound * Math.Max(1, Math.Abs(expected)));
            }
        }
        Assert.Equal(DType.Float32, Tensor.Arange(3).SwiGlu(Tensor.Arange(3)).DType);
    }

    // 512 rows of logits and of their gradients exist at a time
    [Fact]
    public void LinearCrossEntropy_never_holds_the_logits()
    {
        Tensor x = Tensor.RandN([8192, 8]).RequiresGrad_(), w = Tensor.RandN([4096, 8]).RequiresGrad_(), target = Tensor.RandInt(0, 4096, [8192]); // logits of 128 MB
        long before = Flambeau.Runtime.StoragePool.PeakBytes;
        x.LinearCrossEntropy(w, target).Backward();
        Assert.True(Flambeau.Runtime.StoragePool.PeakBytes - before < 64 << 20, $"{Flambeau.Runtime.StoragePool.PeakBytes - before} bytes more");
    }

    // ---- attention ----

    // heads of queries share those of keys in groups; position t sees s ≤ t where causal, and what the mask lets it
    [Theory]
    [InlineData(2, 2, false), InlineData(2, 2, true), InlineData(4, 2, true), InlineData(3, 1, true), InlineData(4, 2, false)]
    public void Attention_is_its_loop(int heads, int shared, bool causal)
    {
        const int n = 2, length = 5, size = 3;
        double[] q = Numbers(n * heads * length * size), k = Numbers(n * shared * length * size + 1), v = Numbers(n * shared * length * size + 2);
        var expected = new double[q.Length];
        for (int b = 0; b < n; b++)
            for (int h = 0; h < heads; h++)
                for (int t = 0; t < length; t++)
                {
                    int own = ((b * heads + h) * length + t) * size, group = (b * shared + h / (heads / shared)) * length;
                    int seen = causal ? t + 1 : length;
                    double[] logs = LogSoftmax([.. Enumerable.Range(0, seen).Select(s => Enumerable.Range(0, size).Sum(d => q[own + d] * k[(group + s) * size + d]) / Math.Sqrt(size))]);
                    for (int s = 0; s < seen; s++)
                        for (int d = 0; d < size; d++) expected[own + d] += Math.Exp(logs[s]) * v[(group + s) * size + d];
                }
        Tensor Of(double[] x, int count) => Tensor.FromArray(x[..(n * count * length * size)], new long[] { n, count, length, size });
        Near(expected, Of(q, heads).ScaledDotProductAttention(Of(k, shared), Of(v, shared), isCausal: causal), "attention");
        if (!causal) return;
        var mask = Tensor.FromArray(Enumerable.Range(0, length * length).Select(i => i % length <= i / length).ToArray(), new long[] { length, length });
        Near(expected, Of(q, heads).ScaledDotProductAttention(Of(k, shared), Of(v, shared), mask), "attention by a mask");
    }

    [Fact]
    public void RotaryEmbedding_turns_the_pairs_of_both_halves_by_their_angles()
    {
        const int length = 4, size = 6, half = size / 2;
        double[] x = Numbers(length * size), cos = new double[length * size], sin = new double[length * size], expected = new double[length * size];
        for (int t = 0; t < length; t++)
            for (int i = 0; i < half; i++)
            {
                double angle = t * Math.Pow(10_000, -2.0 * i / size), a = x[t * size + i], b = x[t * size + half + i];
                cos[t * size + i] = cos[t * size + half + i] = Math.Cos(angle);
                sin[t * size + i] = sin[t * size + half + i] = Math.Sin(angle);
                expected[t * size + i] = a * Math.Cos(angle) - b * Math.Sin(angle);
                expected[t * size + half + i] = a * Math.Sin(angle) + b * Math.Cos(angle);
            }
        Tensor Of(double[] values) => Tensor.FromArray(values, new long[] { length, size });
        Near(expected, Of(x).RotaryEmbedding(Of(cos), Of(sin)), "RotaryEmbedding");
    }

    [Fact]
    public void GroupNorm_normalizes_each_samples_groups_of_channels()
    {
        const int n = 2, channels = 6, groups = 3, places = 4, size = channels / groups * places;
        double[] x = Numbers(n * channels * places), w = Numbers(channels), b = Numbers(channels + 1)[..channels], expected = new double[x.Length];
        for (int start = 0; start < x.Length; start += size)
        {
            double mean = x[start..(start + size)].Average(), variance = x[start..(start + size)].Average(v => (v - mean) * (v - mean));
            for (int i = start; i < start + size; i++) expected[i] = (x[i] - mean) / Math.Sqrt(variance + 1e-5) * w[i / places % channels] + b[i / places % channels];
        }
        Near(expected, Tensor.FromArray(x, new long[] { n, channels, places }).GroupNorm(groups, Tensor.FromArray(w), Tensor.FromArray(b)), "GroupNorm");
    }

    [Fact]
    public void Attention_computed_again_has_the_gradients_of_its_parts_dropout_included()
    {
        var x = Tensor.RandN([2, 5, 4], DType.Float64, new Generator(3)).RequiresGrad_();
        Tensor Whole(Tensor t) => t.ScaledDotProductAttention(t, t, dropout: 0.3, generator: new Generator(8));
        Tensor Parts(Tensor t) => (t * 0.5).MatMul(t.T).Softmax(-1).Dropout(0.3, generator: new Generator(8)).MatMul(t);
        var weights = Tensor.RandN([2, 5, 4], DType.Float64, new Generator(4));
        Tensor Gradient(Func<Tensor, Tensor> f) => Autograd.Grad((f(x) * weights).Sum(), x, createGraph: true);
        var (whole, parts) = (Gradient(Whole), Gradient(Parts));
        Assert.True((whole - parts).Abs().Max().Item() < 1e-13);
        var second = Autograd.Grad((whole * weights).Sum(), x);
        Assert.True((second - Autograd.Grad((parts * weights).Sum(), x)).Abs().Max().Item() < 1e-12);
    }

    [Fact]
    public void An_operand_of_attention_that_was_written_to_is_named()
    {
        var q = Tensor.RandN([3, 4]).RequiresGrad_();
        var k = Tensor.RandN([3, 4]);
        var y = q.ScaledDotProductAttention(k, k).Sum();
        k.Mul_(2);
        Assert.Contains("ScaledDotProductAttention", Assert.Throws<FlambeauException>(() => y.Backward()).Message);
    }

    // on values whose variance is of its size
    [Fact]
    public void Norms_add_the_epsilon_that_is_documented()
    {
        double[] values = [1e-3, -2e-3, 3e-3, 0.5e-3];
        double mean = values.Average(), variance = values.Average(v => (v - mean) * (v - mean)), square = values.Average(v => v * v);
        var x = Tensor.FromArray(values).View(1, 4);
        void Are(Func<double, double> expected, Tensor y)
        {
            for (int i = 0; i < values.Length; i++) Assert.Equal(expected(values[i]), y.ToArray<double>()[i], 1e-12);
        }
        Are(v => (v - mean) / Math.Sqrt(variance + 1e-5), x.LayerNorm(1));
        Are(v => (v - mean) / Math.Sqrt(variance + 1e-5), new Flambeau.NN.LayerNorm(Shape.Of([4]), dtype: DType.Float64).Call(x));
        Are(v => (v - mean) / Math.Sqrt(variance + 1e-5), x.GroupNorm(1));
        Are(v => v / Math.Sqrt(square + 1e-6), x.RmsNorm());
        Are(v => v / Math.Sqrt(square + 1e-6), new Flambeau.NN.RMSNorm(4, dtype: DType.Float64).Call(x));
    }
}
