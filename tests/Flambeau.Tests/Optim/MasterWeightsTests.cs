using Flambeau.Diagnostics;
using Flambeau.NN;
using Flambeau.Ops;
using Flambeau.Optim;
using Flambeau.Runtime;
using Flambeau.Tests.Table;

namespace Flambeau.Tests.Optim;

/// <summary>Parameters of half precision are rounded copies of what float32 steps make.</summary>
[Collection("Team")]
public class MasterWeightsTests
{
    // around a vector, a tile of conversion and a part of the team's work
    static readonly long[] s_sizes = [3, 0, 1, 16, 17, 1023, 1024, 1025, 16_320, 40_001];

    public static TheoryData<string, DType> Kinds
    {
        get
        {
            var data = new TheoryData<string, DType>();
            foreach (string kind in (string[])["sgd", "nesterov", "adam", "adamw", "amsgrad", "muon"])
                foreach (var type in (DType[])[DType.BFloat16, DType.Float16]) data.Add(kind, type);
            return data;
        }
    }

    static Optimizer Make(string kind, Tensor[] p) => kind switch
    {
        "sgd" => new SGD(p, 0.01),
        "nesterov" => new SGD(p, 0.01, momentum: 0.9, nesterov: true, weightDecay: 0.1),
        "adam" => new Adam(p, 0.01, weightDecay: 0.1),
        "adamw" => new AdamW(p, 0.01, (0.8, 0.9)),
        "amsgrad" => new AdamW(p, 0.01, amsGrad: true),
        _ => new Muon(p.Where(t => t.Rank == 2), p.Where(t => t.Rank != 2), 0.01),
    };

    static Tensor Normal(Shape shape, int seed) => Tensor.RandN(shape, generator: new Generator((ulong)seed));

    static Tensor[] Parameters(DType type) => [.. s_sizes.Select((size, i) => Module.Parameter(Normal(new([size]), i).To(type))), Module.Parameter(Normal(new([12, 20]), 77).To(type)), Module.Parameter(Normal(new([30, 20]), 78).To(type).T)];

    // of a loss whose gradient depends on what the model reads, in the model's type
    static Tensor Gradient(Tensor p, int parameter, int step) => p.Detach() * 0.5 + Normal(p.Shape, 1000 * step + parameter).To(p.DType);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_narrow_parameter_is_the_rounded_parameter_of_float32_training_with_its_gradients(string kind, DType type)
    {
        foreach (int width in Kernel.Width == 128 ? (int[])[128] : [128, 256, Kernel.Width])
            foreach (int threads in (int[])[1, 2])
            {
                var (oldWidth, oldThreads) = (Kernel.Width, Team.Threads);
                try
                {
                    (Kernel.Width, Team.Threads) = (width, threads);
                    FollowsFloat32(kind, type);
                }
                finally { (Kernel.Width, Team.Threads) = (oldWidth, oldThreads); }
            }
    }

    static void FollowsFloat32(string kind, DType type)
    {
        Tensor[] narrow = Parameters(type), wide = [.. narrow.Select(p => Module.Parameter(p.Detach().Float().Clone()))];
        Assert.False(narrow[^1].IsContiguous);
        Optimizer ours = Make(kind, narrow), truth = Make(kind, wide);
        for (int t = 1; t <= 4; t++)
        {
            for (int i = 0; i < narrow.Length; i++)
            {
                narrow[i].Grad = Gradient(narrow[i], i, t);
                wide[i].Grad = narrow[i].Grad!.Float();
            }
            ours.Step();
            truth.Step();
            for (int i = 0; i < narrow.Length; i++) Bits.Equal(wide[i].Detach().To(type), narrow[i].Detach(), $"{kind}, parameter {i}, step {t}");
        }
        var state = ours.StateDict();
        foreach (var (i, p) in truth.Groups.SelectMany(group => group.Parameters).Index()) Bits.Equal(p.Detach(), state[$"state.{i}.master"], $"{kind}, master {i}");
    }

    [Fact]
    public void AdamW_on_bfloat16_follows_its_formula_in_float64_where_rounding_each_step_loses_every_update()
    {
        // a rate of 1e-4 moves numbers near 1 by a fortieth of bfloat16's last place
        const int Steps = 200;
        const double Rate = 1e-4, Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8;
        var random = new System.Random(3);
        var start = Enumerable.Range(0, 50).Select(_ => (double)(float)(BFloat16)(float)(1 + random.NextDouble())).ToArray();
        Tensor kept = Module.Parameter(Tensor.FromArray(start).To(DType.BFloat16)), lost = Module.Parameter(kept.Detach().Clone());
        var p = start.ToArray();
        double[] m = new double[p.Length], v = new double[p.Length];
        Optimizer with = new AdamW([kept], Rate, (Beta1, Beta2), Epsilon, weightDecay: 0);
        Optimizer without = new AdamW(new AdamGroup([lost]) { LearningRate = Rate, MasterWeights = false });
        for (int t = 1; t <= Steps; t++)
        {
            var g = p.Select(_ => (double)(float)(BFloat16)(float)(0.5 + random.NextDouble())).ToArray();
            kept.Grad = Tensor.FromArray(g).To(DType.BFloat16);
            lost.Grad = kept.Grad.Clone();
            with.Step();
            without.Step();
            for (int i = 0; i < p.Length; i++)
            {
                m[i] = Beta1 * m[i] + (1 - Beta1) * g[i];
                v[i] = Beta2 * v[i] + (1 - Beta2) * g[i] * g[i];
                p[i] -= Rate * (m[i] / (1 - Math.Pow(Beta1, t))) / (Math.Sqrt(v[i] / (1 - Math.Pow(Beta2, t))) + Epsilon);
            }
        }
        var master = with.StateDict()["state.0.master"].ToArray<double>();
        var read = kept.ToArray<double>();
        for (int i = 0; i < p.Length; i++)
        {
            Assert.Equal(p[i], master[i], 1e-6 * Math.Sqrt(Steps));
            Assert.Equal((double)(float)(BFloat16)(float)master[i], read[i]);
            Assert.True(read[i] < start[i]);
        }
        Assert.Equal(start, lost.ToArray<double>());
        Assert.DoesNotContain("state.0.master", without.StateDict().Keys);
    }

    [Fact]
    public void What_is_written_to_a_parameter_between_steps_counts_and_the_rest_keeps_its_master()
    {
        const int Count = 3000;
        var p = Module.Parameter(Tensor.Full([Count], 1, DType.BFloat16));
        var sgd = new SGD([p], 1e-3);
        p.Grad = Tensor.OnesLike(p);
        sgd.Step();
        Assert.All(p.ToArray<float>(), x => Assert.Equal(1, x)); // 0.999, which rounds to 1
        using (Autograd.NoGrad()) p.Narrow(0, 1020, 10).Fill_(3);
        for (int i = 0; i < 3; i++) sgd.Step();
        var master = sgd.StateDict()["state.0.master"].ToArray<float>();
        for (int i = 0; i < Count; i++) Assert.Equal(i is >= 1020 and < 1030 ? 3 - 3e-3f : 1 - 4e-3f, master[i], 1e-6);
        Assert.Equal(0.99609375f, p.ToArray<float>()[0]);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_resumed_run_has_the_bits_of_one_that_never_stopped(string kind, DType type)
    {
        static void Advance(Optimizer optimizer, Tensor[] p, int from, int to)
        {
            for (int t = from; t < to; t++)
            {
                for (int i = 0; i < p.Length; i++) p[i].Grad = Gradient(p[i], i, t);
                optimizer.Step();
            }
        }
        Tensor[] whole = Parameters(type), first = Parameters(type);
        Optimizer always = Make(kind, whole), before = Make(kind, first);
        Advance(always, whole, 0, 6);
        Advance(before, first, 0, 3);
        // another process: the parameters as a file holds them, and the state
        Tensor[] second = [.. first.Select(p => Module.Parameter(p.Detach().Clone()))];
        var state = before.StateDict();
        Advance(before, first, 3, 4); // must not touch what was saved
        var after = Make(kind, second);
        after.LoadStateDict(state);
        Advance(after, second, 3, 6);
        var (expected, got) = (always.StateDict(), after.StateDict());
        for (int i = 0; i < whole.Length; i++) Bits.Equal(whole[i].Detach(), second[i].Detach(), $"{kind}, parameter {i}");
        Assert.Equal(expected.Keys, got.Keys);
        foreach (var (name, value) in expected) Bits.Equal(value, got[name], name);
    }

    [Fact]
    public void A_master_of_another_type_or_shape_is_refused()
    {
        var p = Module.Parameter(Tensor.Ones([4], DType.BFloat16));
        p.Grad = Tensor.OnesLike(p);
        var sgd = new SGD([p]);
        sgd.Step();
        var state = sgd.StateDict();
        state["state.0.master"] = Tensor.Zeros([4], DType.BFloat16);
        Assert.Contains("state.0.master needs float32[4]", Assert.Throws<FlambeauException>(() => sgd.LoadStateDict(state)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_thousand_narrow_parameters_are_updated_in_one_region()
    {
        Tensor[] p = [.. Enumerable.Range(0, 1000).Select(i => Module.Parameter(Normal(new([64]), i).To(DType.BFloat16)))];
        foreach (var x in p) x.Grad = Tensor.OnesLike(x);
        var adam = new AdamW(p);
        adam.Step();
        using var profile = Profile.Start();
        adam.Step();
        profile.Stop();
        var update = Assert.Single(profile.Events, e => e.Name == "Updates");
        // parameter, gradient, two averages and the master: 2 · 2 + 2 + 3 · 2 · 4 bytes
        Assert.Equal(1000 * 64 * 30, update.Bytes);
    }
}
