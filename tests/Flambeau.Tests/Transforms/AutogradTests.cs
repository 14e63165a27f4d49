using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Transforms;

public class AutogradTests
{
    static Tensor D(params double[] values) => Tensor.FromArray(values);
    static double[] Values(Tensor? x) => x!.ToArray<double>();

    [Fact]
    public void Gradients_accumulate_over_backward_passes()
    {
        var x = D(1, 2).RequiresGrad_();
        (x * x).Sum().Backward();
        (x * 3).Sum().Backward();
        Assert.Equal([5, 7], Values(x.Grad));
    }

    [Fact]
    public void The_gradient_given_by_the_caller_stays_usable()
    {
        var x = Tensor.RandN([40_000]).RequiresGrad_(); // large enough for pooled memory
        var g = Tensor.OnesLike(x);
        (x * 2).Backward(g);
        (x * 2).Backward(g);
        Assert.Equal(40_000, g.Sum().Item());
        Assert.Equal(4, x.Grad![7].Item());
    }

    [Fact]
    public void A_tensor_used_twice_gets_both_gradients()
    {
        var x = D(3).RequiresGrad_();
        var y = x * x + x;
        (y * x).Sum().Backward();
        // (x² + x) x = x³ + x²
        Assert.Equal([3 * 9 + 2 * 3], Values(x.Grad));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40_000)] // large enough for pooled memory
    public void A_gradient_given_to_several_operands_becomes_each_ones_own(int n)
    {
        Tensor a = Tensor.Full([n], 0.5).RequiresGrad_(), b = Tensor.Full([n], 2.0).RequiresGrad_();
        // sums hand one gradient to both sides; below one of them work goes on after the other's is done
        var h = a.Exp() + b;
        (h + (h + a.Square())).Sum().Backward();
        double slope = 2 * Math.Exp(0.5) + 1;
        Assert.All(Values(a.Grad), g => Assert.Equal(slope, g, 1e-5));
        Assert.All(Values(b.Grad), g => Assert.Equal(2, g));
        a.Grad!.Mul_(10);
        Assert.All(Values(b.Grad), g => Assert.Equal(2, g));

        // a contiguous gradient could be kept as it is: by one of them, and not by the caller's tensor
        Tensor c = Tensor.Zeros([n]).RequiresGrad_(), d = Tensor.Zeros([n]).RequiresGrad_(), given = Tensor.Ones([n]);
        (c + d).Backward(given);
        c.Grad!.Fill_(7);
        Assert.All(Values(d.Grad), g => Assert.Equal(1, g));
        Assert.All(Values(given), g => Assert.Equal(1, g));
        (c + d).Backward(given);
        Assert.All(Values(c.Grad), g => Assert.Equal(8, g));
        Assert.All(Values(d.Grad), g => Assert.Equal(2, g));
        Assert.All(Values(given), g => Assert.Equal(1, g));
    }

    [Fact]
    public void Derivatives_of_any_order_of_a_sine()
    {
        var x = D(0.3, -1.2).RequiresGrad_();
        var y = x.Sin().Sum();
        double[] expected = [0.3, -1.2];
        for (int order = 1; order <= 6; order++)
        {
            var g = Autograd.Grad(y, x, createGraph: true);
            var got = Values(g.Detach());
            for (int i = 0; i < 2; i++) Assert.Equal(Math.Sin(expected[i] + order * Math.PI / 2), got[i], 1e-12);
            y = g.Sum();
        }
    }

    [Fact]
    public void Grad_of_unused_inputs_is_an_error_or_null()
    {
        Tensor x = D(1).RequiresGrad_(), z = D(1).RequiresGrad_();
        Assert.Throws<FlambeauException>(() => Autograd.Grad([(x * 2).Sum()], [z]));
        Assert.Null(Autograd.Grad([(x * 2).Sum()], [x, z], allowUnused: true)[1]);
        Assert.Null(x.Grad);
    }

    [Fact]
    public void Grad_reaches_results_too()
    {
        var x = D(2).RequiresGrad_();
        var h = x * x;
        var y = (h * 3).Sum();
        Assert.Equal([3], Values(Autograd.Grad(y, h, retainGraph: true)));
        Assert.Equal([12], Values(Autograd.Grad(y, x)));
    }

    [Fact]
    public void NoGrad_records_nothing_and_ends_with_its_scope()
    {
        var x = D(1).RequiresGrad_();
        Tensor y;
        using (Autograd.NoGrad())
        {
            y = x * 2;
            using (Autograd.EnableGrad()) Assert.True((x * 2).RequiresGrad);
        }
        Assert.False(y.RequiresGrad);
        Assert.True((x * 2).RequiresGrad);
    }

    [Fact]
    public void Detach_shares_memory_and_cuts_history()
    {
        var x = D(1, 2).RequiresGrad_();
        var h = x * 2;
        var d = h.Detach();
        Assert.False(d.RequiresGrad);
        d.Zero_();
        Assert.Equal([0, 0], Values(h));
    }

    [Fact]
    public void Hooks_see_and_replace_gradients_in_order()
    {
        var x = D(1).RequiresGrad_();
        var log = new List<string>();
        var h = x * 3;
        h.RegisterHook(g => { log.Add($"h {g.Item()}"); return g * 10; });
        var removed = h.RegisterHook(g => { log.Add("never"); return null; });
        removed.Dispose();
        x.RegisterHook(g => { log.Add($"x {g.Item()}"); return null; });
        x.RegisterPostAccumulateGradHook(g => log.Add($"after {g.Item()}"));
        h.RetainGrad();
        (h * 2).Sum().Backward();
        Assert.Equal(["h 2", "x 60", "after 60"], log);
        Assert.Equal([20], Values(h.Grad));
    }

    sealed class Cube : Function
    {
        protected internal override Tensor[] Forward(Tensor[] x) { Save(x[0]); return [x[0] * x[0] * x[0]]; }
        protected internal override Tensor?[] Backward(Tensor?[] g) => [g[0]! * 3 * Saved(0) * Saved(0)];
    }

    sealed class SplitSigns : Function
    {
        protected internal override Tensor[] Forward(Tensor[] x) => [x[0] * 2, x[0] * -5];
        protected internal override Tensor?[] Backward(Tensor?[] g) => [(g[0] is { } a ? a * 2 : 0 * g[1]!) - (g[1] is { } b ? b * 5 : 0 * g[0]!)];
    }

    [Fact]
    public void A_function_of_the_users_is_differentiated_by_its_own_rule_twice()
    {
        var x = D(2).RequiresGrad_();
        var y = new Cube().Apply(x)[0];
        var g = Autograd.Grad(y.Sum(), x, createGraph: true);
        Assert.Equal([12], Values(g.Detach()));
        Assert.Equal([12], Values(Autograd.Grad(g.Sum(), x)));
    }

    [Fact]
    public void A_function_of_several_results_gets_null_for_those_unused()
    {
        var x = D(1).RequiresGrad_();
        var y = new SplitSigns().Apply(x);
        y[1].Sum().Backward();
        Assert.Equal([-5], Values(x.Grad));
        x.Grad = null;
        y = new SplitSigns().Apply(x);
        (y[0] + y[1]).Sum().Backward();
        Assert.Equal([-3], Values(x.Grad));
    }

    [Fact]
    public void Checkpointing_gives_the_same_bits_with_the_same_random_numbers()
    {
        float[] Run(bool checkpoint)
        {
            Tensor.ManualSeed(5);
            var x = Tensor.RandN([8, 16]).RequiresGrad_();
            var w = Tensor.RandN([16, 16]).RequiresGrad_();
            Tensor Block(Tensor h) => h.MatMul(w).Gelu().Dropout(0.3);
            var h1 = checkpoint ? Autograd.Checkpoint(Block, x) : Block(x);
            var h2 = checkpoint ? Autograd.Checkpoint(Block, h1) : Block(h1);
            h2.Sum().Backward();
            return [.. x.Grad!.ToArray<float>(), .. w.Grad!.ToArray<float>()];
        }
        Assert.Equal(Run(false), Run(true));
    }

    [Fact]
    public void Anomaly_mode_names_the_forward_line_of_a_NaN()
    {
        Autograd.AnomalyMode = true;
        try
        {
            var x = D(0).RequiresGrad_();
            var y = (x.Sqrt() * 0).Sum();
            var e = Assert.Throws<FlambeauException>(() => y.Backward());
            Assert.Contains("Sqrt", e.Message);
            Assert.Contains("AutogradTests.cs:", e.Message);
        }
        finally { Autograd.AnomalyMode = false; }
    }

    // ---- transforms composed ----

    [Fact]
    public void Per_sample_gradients_by_Vmap_of_Grad_equal_a_loop()
    {
        var generator = new Generator(11);
        var w = Tensor.RandN([3], DType.Float64, generator);
        var xs = Tensor.RandN([4, 3], DType.Float64, generator);
        Tensor Gradient(Tensor x)
        {
            var v = x.Detach().RequiresGrad_();
            return Autograd.Grad((v * w).Sum().Tanh() * v.Sum(), v);
        }
        var batched = Autograd.Vmap(Gradient)(xs);
        for (int i = 0; i < 4; i++) Assert.Equal(Values(Gradient(xs[i])), Values(batched[i]));
    }

    [Fact]
    public void Grad_of_Vmap_equals_grad_of_the_loop()
    {
        var x = Tensor.RandN([4, 3], DType.Float64, new Generator(12)).RequiresGrad_();
        Tensor F(Tensor v) => v.Softmax(0).MatMul(v);
        var a = Autograd.Grad(Autograd.Vmap(F)(x).Sum(), x);
        var b = Autograd.Grad(Tensor.Stack([.. Enumerable.Range(0, 4).Select(i => F(x[i]))]).Sum(), x);
        // a composite's gradient is regrouped by algebra, its body's under a transform is not
        Assert.True((a - b).Abs().Max().Item() < 1e-15);
    }

    [Fact]
    public void Gradients_of_overlapping_parts_add_up_where_they_belong()
    {
        var x = Tensor.RandN([4, 9], DType.Float64, new Generator(21)).RequiresGrad_();
        var y = x * 2;
        var loss = (y.Slice(1, 0, 6) * 3).Sum() + (y.Slice(1, 3, 9, 2) * 5).Sum() + (y[1] * 7).Sum() + y.Exp().Sum();
        loss.Backward();
        var expected = (x.Detach() * 2).Exp();
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 9; j++)
            {
                double part = (j < 6 ? 3 : 0) + (j is 3 or 5 or 7 ? 5 : 0) + (i == 1 ? 7 : 0);
                Assert.Equal(2 * (expected[i, j].Item<double>() + part), x.Grad![i, j].Item<double>(), 1e-12);
            }
    }

    [Fact]
    public void Nested_Vmap_is_a_loop_in_a_loop()
    {
        Tensor x = Tensor.RandN([3, 5], DType.Float64, new Generator(13)), y = Tensor.RandN([4, 5], DType.Float64, new Generator(14));
        var dots = Autograd.Vmap(a => Autograd.Vmap(b => a.MatMul(b))(y))(x);
        Assert.Equal(Values(x.MatMul(y.T)), Values(dots));
    }

    [Fact]
    public void Forward_over_reverse_is_a_Hessian_vector_product()
    {
        Tensor x = D(0.7, -0.4, 1.1), v = D(1, 2, -1);
        static Tensor F(Tensor p) => (p * p).Sum().Exp() * p.Sum();
        Tensor Gradient(Tensor p) { var q = p.RequiresGrad ? p : p.RequiresGrad_(); return Autograd.Grad(F(q), q, createGraph: true); }
        var leaf = x.Clone().RequiresGrad_();
        var twice = Autograd.Grad((Autograd.Grad(F(leaf), leaf, createGraph: true) * v).Sum(), leaf);
        var (_, forward) = Autograd.Jvp(Gradient, x.Clone(), v);
        var expected = Values(twice);
        var got = Values(forward.Detach());
        for (int i = 0; i < 3; i++) Assert.Equal(expected[i], got[i], 1e-10 * Math.Abs(expected[i]) + 1e-12);
    }

    // ---- threads ----

    [Fact]
    public void Many_callers_at_once_get_the_bits_of_one()
    {
        float[] Work(int seed)
        {
            var g = new Generator((ulong)seed);
            Tensor x = Tensor.RandN([64, 96], generator: g), w = Tensor.RandN([96, 96], generator: g).RequiresGrad_();
            for (int i = 0; i < 5; i++) (x.MatMul(w).Tanh().MatMul(w.T).Softmax(-1) * x).Sum().Backward();
            return w.Grad!.ToArray<float>();
        }
        var alone = Enumerable.Range(0, 4).Select(Work).ToArray();
        var together = new float[4][];
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() => together[i] = Work(i))).ToArray();
        foreach (var t in threads) t.Start();
        foreach (var t in threads) t.Join();
        for (int i = 0; i < 4; i++) Assert.Equal(alone[i], together[i]);
    }

    // with a number the old value is not needed, with a tensor that wants a gradient it is
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_write_in_place_has_the_gradient_of_its_twin_and_hooks_see_the_value_they_were_registered_on(bool needsOldValue)
    {
        var x = Tensor.FromArray([1.0, 2, 3]).RequiresGrad_();
        var w = Tensor.FromArray([4.0, 5, 6]).RequiresGrad_();
        double[] before = [], after = [];
        var y = x * 2;
        y.RetainGrad();
        y.RegisterHook(g => { before = Values(g); return null; });
        if (needsOldValue) y.Mul_(w);
        else y.Mul_(7);
        y.RegisterHook(g => { after = Values(g); return null; });
        (y * 10).Sum().Backward();
        Assert.Equal(needsOldValue ? [40, 50, 60] : [70, 70, 70], before);
        Assert.Equal([10, 10, 10], after);
        Assert.Equal([10, 10, 10], Values(y.Grad)); // PyTorch: of the value that it has now
        Assert.Equal(needsOldValue ? [80, 100, 120] : [140, 140, 140], Values(x.Grad));
        if (needsOldValue) Assert.Equal([20, 40, 60], Values(w.Grad));
    }

    [Fact]
    public void Two_threads_accumulate_into_shared_leaves()
    {
        var w = Tensor.Ones([100], DType.Float64).RequiresGrad_();
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() => { for (int i = 0; i < 50; i++) (w * 2).Sum().Backward(); })).ToArray();
        foreach (var t in threads) t.Start();
        foreach (var t in threads) t.Join();
        Assert.All(Values(w.Grad), v => Assert.Equal(400, v));
    }
}
