using System.Runtime.CompilerServices;
using Flambeau.NN;
using Flambeau.Ops;
using Flambeau.Optim;
using Flambeau.Runtime;
using Flambeau.Tests.Table;

namespace Flambeau.Tests.Optim;

/// <summary>Steps over many parameters at once: each element has the bits of the formula in scalar code, whatever it lies beside and however the work is cut.</summary>
[Collection("Team")]
public class ManyParametersTests
{
    // empty, around a vector, a cut's alignment, a part of the team's work and several of them
    static readonly long[] s_sizes = [3, 0, 1, 7, 8, 15, 16, 17, 64, 64, 64, 1000, 16_319, 16_320, 16_321, 5, 16_384, 40_000, 2, 70_001, 64];

    static readonly int[] s_widths = Kernel.Width == 128 ? [128] : [128, 256];

    static void At(int width, int threads, Action run)
    {
        var (oldWidth, oldThreads) = (Kernel.Width, Team.Threads);
        try
        {
            (Kernel.Width, Team.Threads) = (width, threads);
            run();
        }
        finally { (Kernel.Width, Team.Threads) = (oldWidth, oldThreads); }
    }

    static Tensor Normal(long size, int seed) => Tensor.RandN([size], generator: new Generator((ulong)seed));

    static Tensor[] Parameters() => [.. s_sizes.Select((size, i) => Module.Parameter(Normal(size, i)))];

    // every third parameter has no gradient in the second step
    static bool HasGradient(int parameter, int step) => step != 2 || parameter % 3 != 0;

    static void Steps(Tensor[] parameters, Optimizer optimizer, int steps)
    {
        for (int t = 1; t <= steps; t++)
        {
            for (int i = 0; i < parameters.Length; i++) parameters[i].Grad = HasGradient(i, t) ? Normal(parameters[i].Numel, 1000 * t + i) : null;
            optimizer.Step();
        }
    }

    [Fact]
    public void AdamW_rounds_as_scalar_code_in_every_element_of_every_parameter()
    {
        const int Count = 3;
        foreach (int width in s_widths)
            foreach (int threads in (int[])[1, 2])
                At(width, threads, () =>
                {
                    var parameters = Parameters();
                    Steps(parameters, new AdamW(parameters, 0.01, (0.9, 0.95), 1e-8, 0.1), Count);
                    for (int i = 0; i < parameters.Length; i++) Assert.Equal(AdamWInScalars(i, Count), parameters[i].ToArray<float>());
                });
    }

    static float[] AdamWInScalars(int parameter, int steps)
    {
        var p = Normal(s_sizes[parameter], parameter).ToArray<float>();
        float[] m = new float[p.Length], v = new float[p.Length];
        int own = 0; // a parameter counts the steps in which it had a gradient
        for (int t = 1; t <= steps; t++)
        {
            if (!HasGradient(parameter, t)) continue;
            own++;
            var g = Normal(p.Length, 1000 * t + parameter).ToArray<float>();
            float root = (float)Math.Sqrt(1 - Math.Pow(0.95, own)), size = (float)(-0.01 / (1 - Math.Pow(0.9, own)));
            for (int k = 0; k < p.Length; k++)
            {
                p[k] *= (float)(1 - 0.01 * 0.1);
                m[k] += (float)(1 - 0.9) * (g[k] - m[k]);
                float square = (float)(1 - 0.95) * g[k] * g[k];
                v[k] = v[k] * (float)0.95 + square;
                float denominator = MathF.Sqrt(v[k]) / root + (float)1e-8, scaled = size * m[k];
                p[k] += scaled / denominator;
            }
        }
        return p;
    }

    [Fact]
    public void SGD_begins_the_momentum_of_each_parameter_with_its_own_first_gradient()
    {
        Tensor[] parameters = Parameters();
        var optimizer = new SGD(parameters, 0.1, momentum: 0.9, dampening: 0.25);
        for (int t = 1; t <= 3; t++)
        {
            // parameter i has its first gradient in step 1 or 2
            for (int i = 0; i < parameters.Length; i++) parameters[i].Grad = t > i % 2 ? Normal(s_sizes[i], 1000 * t + i) : null;
            optimizer.Step();
        }
        for (int i = 0; i < parameters.Length; i++)
        {
            var p = Normal(s_sizes[i], i).ToArray<float>();
            var buffer = new float[p.Length];
            for (int t = 1 + i % 2; t <= 3; t++)
            {
                var g = Normal(p.Length, 1000 * t + i).ToArray<float>();
                for (int k = 0; k < p.Length; k++)
                {
                    float kept = buffer[k] * (float)0.9, added = (t == 1 + i % 2 ? 1f : 0.75f) * g[k];
                    buffer[k] = kept + added;
                    float step = (float)-0.1 * buffer[k];
                    p[k] += step;
                }
            }
            Assert.Equal(p, parameters[i].ToArray<float>());
        }
    }

    [Fact]
    public void Types_layouts_and_groups_may_be_mixed()
    {
        Tensor[] Make()
        {
            Tensor x = Normal(30_000, 1).Reshape(200, 150);
            return [.. new[] { x.Clone(), x.To(DType.BFloat16), x.T.Clone().T, x.To(DType.Float16), x.To(DType.Float64), Normal(10, 2), x.To(DType.BFloat16).T.Clone().T, x.Narrow(0, 3, 100).Clone() }.Select(t => Module.Parameter(t))];
        }
        AdamGroup[] Groups(Tensor[] p) => [new(p[..3]) { LearningRate = 0.1 }, new(p[3..5]) { Betas = (0.3, 0.9), Maximize = true }, new(p[5..]) { AmsGrad = true, WeightDecay = 0.1 }];
        Tensor[] together = Make(), alone = Make();
        Assert.False(together[2].IsContiguous || together[6].IsContiguous);
        var one = new Adam(Groups(together));
        Optimizer[] several = [.. Groups(alone).SelectMany(g => g.Parameters.Select(p => new Adam(new AdamGroup([p]) { LearningRate = g.LearningRate, Betas = g.Betas, Maximize = g.Maximize, AmsGrad = g.AmsGrad, WeightDecay = g.WeightDecay })))];
        for (int t = 0; t < 3; t++)
        {
            for (int i = 0; i < together.Length; i++)
            {
                // the gradient of the last is strided, that of the first float64
                var g = Normal(together[i].Numel, 10 * t + i).Reshape(together[i].Shape);
                together[i].Grad = alone[i].Grad = i == together.Length - 1 ? g.T.Clone().T : g.To(i == 0 ? DType.Float64 : together[i].DType);
            }
            one.Step();
            foreach (var optimizer in several) optimizer.Step();
        }
        for (int i = 0; i < together.Length; i++) Bits.Equal(alone[i].Detach(), together[i].Detach(), $"parameter {i}");
        // and half precision is a float32 step, rounded once
        Tensor narrow = Module.Parameter(Normal(5000, 3).To(DType.Float16)), wide = Module.Parameter(narrow.Detach().Float());
        narrow.Grad = Normal(5000, 4).To(DType.Float16);
        wide.Grad = narrow.Grad.Float();
        new AdamW([Module.Parameter(Normal(7, 5)), narrow]).Step();
        new AdamW([wide]).Step();
        Bits.Equal(wide.Detach().To(DType.Float16), narrow.Detach(), "float16");
    }

    [Fact]
    public void Parameters_that_share_memory_are_updated_in_turn()
    {
        var buffer = Normal(100_000, 1);
        var expected = (buffer * 0.5 * 0.25).ToArray<float>(); // exact
        Tensor a = buffer.Detach().RequiresGrad_(), b = buffer.Detach().RequiresGrad_();
        Assert.Same(a.Store, b.Store);
        (a.Grad, b.Grad) = (Tensor.Zeros(100_000), Tensor.Zeros(100_000));
        new AdamW(new AdamGroup([a]) { LearningRate = 0.5, WeightDecay = 1 }, new AdamGroup([b]) { LearningRate = 0.75, WeightDecay = 1 }).Step();
        Assert.Equal(expected, buffer.ToArray<float>());
    }

    [Fact]
    public void What_stands_before_a_parameter_without_memory_is_updated_and_what_stands_behind_is_not()
    {
        Tensor[] p = [Module.Parameter(Tensor.Zeros(4)), Module.Parameter(Tensor.Zeros(50_000)), Module.Parameter(Tensor.Zeros(4))];
        foreach (var x in p) x.Grad = Tensor.OnesLike(x);
        p[1].Grad!.Dispose();
        var sgd = new SGD(p, 1);
        Assert.Throws<ObjectDisposedException>(sgd.Step);
        Assert.Equal([-1, -1, -1, -1], p[0].ToArray<float>());
        Assert.Equal([0, 0, 0, 0], p[2].ToArray<float>());
        p[1].Grad = Tensor.Ones(50_000);
        sgd.Step();
        Assert.Equal(-2, p[0].ToArray<float>()[0]);
        Assert.Equal(-1, p[2].ToArray<float>()[0]);
    }

    [Fact]
    public void A_step_allocates_nothing_for_a_parameter()
    {
        static long Bytes(int count)
        {
            Tensor[] p = [.. Enumerable.Range(0, count).Select(i => Module.Parameter(Normal(64, i)))];
            foreach (var x in p) x.Grad = Tensor.Ones(64);
            var optimizer = new AdamW(p);
            for (int i = 0; i < 50; i++) optimizer.Step();
            long least = long.MaxValue;
            for (int i = 0; i < 20; i++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                optimizer.Step();
                least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            }
            return least;
        }
        Assert.Equal(Bytes(1), Bytes(300));
    }

    [Fact]
    public void A_step_keeps_no_gradient_alive()
    {
        var p = Module.Parameter(Tensor.Zeros(64));
        var optimizer = new AdamW([p]);
        var gradient = StepOnce(p, optimizer);
        GC.Collect();
        Assert.False(gradient.IsAlive);
        GC.KeepAlive(optimizer);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static WeakReference StepOnce(Tensor p, Optimizer optimizer)
    {
        p.Grad = Tensor.Ones(64);
        optimizer.Step();
        var gradient = new WeakReference(p.Grad);
        p.Grad = null;
        return gradient;
    }

    // ---- gradients ----

    static Tensor[] WithGradients()
    {
        long[] sizes = [.. s_sizes, 32_767, 32_768, 32_769, 100_000];
        Tensor[] gradients = [.. sizes.Select((size, i) => Normal(size, 50 + i)), Normal(30_000, 1).Reshape(150, 200).T, Normal(300, 2).To(DType.BFloat16), Normal(40_000, 3).To(DType.Float64), Normal(50, 4).To(DType.Float16) * 100];
        return [.. gradients.Select(g => { var p = Module.Parameter(Tensor.Zeros(g.Shape, g.DType)); p.Grad = g; return p; }), Module.Parameter(Tensor.Zeros(3))];
    }

    [Fact]
    public void The_joint_norm_has_the_bits_of_the_norms_of_the_tensors()
    {
        var gradients = WithGradients().Where(p => p.Grad is not null).Select(p => p.Grad!).ToArray();
        double joined = 0, truth = 0;
        foreach (var g in gradients)
        {
            joined += Math.Pow(g.To(g.DType == DType.Float64 ? DType.Float64 : DType.Float32).Norm().Item(), 2);
            foreach (double v in g.ToArray<double>()) truth += v * v;
        }
        foreach (int width in s_widths)
            foreach (int threads in (int[])[1, 2])
                At(width, threads, () => Assert.Equal(Math.Sqrt(joined), Gradients.Norm(WithGradients())));
        Assert.Equal(Math.Sqrt(truth), Math.Sqrt(joined), 1e-6 * Math.Sqrt(truth));
    }

    [Fact]
    public void Clipping_scales_every_gradient_as_a_product_does()
    {
        foreach (int threads in (int[])[1, 2])
            At(Kernel.Width, threads, () =>
            {
                var parameters = WithGradients();
                var before = parameters.Select(p => p.Grad?.Clone()).ToArray();
                int version = parameters[0].Grad!.Store!.Version;
                double norm = Gradients.ClipNorm(parameters, 0.7), scale = 0.7 / (norm + 1e-6);
                for (int i = 0; i < parameters.Length; i++)
                    if (before[i] is { } g) Bits.Equal(g * scale, parameters[i].Grad!, $"gradient {i}");
                Assert.NotEqual(version, parameters[0].Grad!.Store!.Version);
            });
    }

    [Fact]
    public void A_gradient_that_two_parameters_share_is_scaled_twice()
    {
        Tensor a = Module.Parameter(Tensor.Zeros(100_000)), b = Module.Parameter(Tensor.Zeros(100_000)), g = Tensor.Ones(100_000);
        (a.Grad, b.Grad) = (g, g.Detach());
        double norm = Gradients.ClipNorm([a, b], Math.Sqrt(200_000) / 2);
        Assert.Equal(Math.Sqrt(200_000), norm, 1e-3);
        Assert.All(g.ToArray<float>(), v => Assert.Equal(0.25, v, 1e-6));
    }
}
