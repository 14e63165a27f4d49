using Flambeau.Diagnostics;
using Flambeau.NN;
using Flambeau.Optim;
using Flambeau.Tests.Diagnostics;
using Flambeau.Tests.Table;

namespace Flambeau.Tests.Optim;

/// <summary>Losses are scaled, steps with infinite gradients are left out.</summary>
[Collection(nameof(ProfileTests))] // only one profile may be open, and it records all threads
public class GradScalerTests
{
    static Tensor Normal(long size, int seed) => Tensor.RandN([size], generator: new Generator((ulong)seed));

    static Tensor Parameter(long size, DType type = DType.Float32) => Module.Parameter(Normal(size, 1).To(type));

    [Fact]
    public void An_infinite_gradient_leaves_the_step_out_and_halves_the_scale()
    {
        Tensor p = Parameter(10), q = Parameter(3000);
        var before = p.Detach().Clone();
        var adam = new AdamW([p, q]);
        var scaler = new GradScaler();
        foreach (float wrong in (float[])[float.PositiveInfinity, float.NegativeInfinity, float.NaN])
        {
            double scale = scaler.CurrentScale;
            p.Grad = Tensor.Ones(10);
            q.Grad = Normal(3000, 2);
            q.Grad.AsSpan<float>()[2999] = wrong;
            Assert.False(scaler.Step(adam));
            scaler.Update();
            Assert.Equal(scale / 2, scaler.CurrentScale);
            Bits.Equal(before, p.Detach(), "parameter");
            Assert.DoesNotContain(adam.StateDict().Keys, key => key.StartsWith("state.", StringComparison.Ordinal));
        }
        (p.Grad, q.Grad) = (Tensor.Ones(10), Normal(3000, 2));
        Assert.True(scaler.Step(adam));
        scaler.Update();
        Assert.Equal(65536 / 8, scaler.CurrentScale);
        Assert.NotEqual(before.ToArray<float>(), p.ToArray<float>());
    }

    [Fact]
    public void A_number_that_is_not_finite_is_found_wherever_it_stands()
    {
        foreach (var type in (DType[])[DType.Float32, DType.Float64, DType.BFloat16, DType.Float16])
            foreach (long size in (long[])[1, 7, 8, 33, 16_384 + 5])
                foreach (long place in new HashSet<long> { 0, size / 2, size - 1 })
                    foreach (double value in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
                        foreach (bool strided in (bool[])[false, true])
                        {
                            Tensor Gradient() => (strided ? Tensor.Full([size, 2], 3, type).Select(1, 0) : Tensor.Full([size], 3, type)).Detach();
                            var p = Module.Parameter(Tensor.Zeros([size], type));
                            p.Grad = Gradient();
                            Assert.True(Gradients.Unscale([p], 0.5), $"{type} {size}");
                            p.Grad = Gradient();
                            p.Grad.Narrow(0, place, 1).Fill_(value);
                            Assert.False(Gradients.Unscale([p], 0.5), $"{type} {size}: {value} at {place}");
                        }
        // the largest numbers are finite
        var large = Parameter(2, DType.Float16);
        large.Grad = Tensor.Of(65504, -65504).To(DType.Float16);
        Assert.True(Gradients.Unscale([large], 1));
    }

    [Fact]
    public void Unscaling_is_one_region_and_what_float16_cannot_hold_becomes_float32()
    {
        DType[] types = [DType.Float32, DType.BFloat16, DType.Float64, DType.Float16];
        Tensor[] p = [.. Enumerable.Range(0, 400).Select(i => Parameter(64 + i, types[i % 4]))];
        Tensor[] g = [.. p.Select((x, i) => Normal(x.Numel, 100 + i).To(x.DType))];
        for (int i = 0; i < p.Length; i++) p[i].Grad = g[i].Clone();
        var scaler = new GradScaler(initScale: 3e6);
        var adam = new AdamW(p);
        using (var profile = Profile.Start())
        {
            scaler.Unscale(adam);
            profile.Stop();
            Assert.Single(profile.Events, e => e.Name == "Updates");
        }
        for (int i = 0; i < p.Length; i++)
            Bits.Equal((g[i].DType == DType.Float16 ? g[i].Float() : g[i]) * (1 / 3e6), p[i].Grad!, $"gradient {i}");
        Assert.True(scaler.Step(adam));
    }

    [Fact]
    public void The_scale_rises_after_good_steps_in_a_row_and_stays_finite()
    {
        var p = Parameter(4);
        var sgd = new SGD([p]);
        var scaler = new GradScaler(initScale: 8, growthInterval: 3);
        void Step(float gradient)
        {
            p.Grad = Tensor.Of(gradient, 0, 0, 0);
            scaler.Step(sgd);
            scaler.Update();
        }
        foreach (var (gradient, expected) in ((float, double)[])[(1, 8), (1, 8), (1, 16), (1, 16), (float.NaN, 8), (1, 8), (1, 8), (1, 16)])
        {
            Step(gradient);
            Assert.Equal(expected, scaler.CurrentScale);
        }
        scaler.Update(2e38);
        for (int i = 0; i < 3; i++) Step(1);
        Assert.Equal(2e38, scaler.CurrentScale);
    }

    [Fact]
    public void Gradients_too_small_for_float16_train_a_float16_parameter()
    {
        // d loss / dp is 10⁻⁹ x, which is 0 in float16
        double Trained(bool enabled)
        {
            var p = Module.Parameter(Tensor.Zeros([4], DType.Float16));
            var sgd = new SGD([p], learningRate: 1e6);
            var scaler = new GradScaler(enabled: enabled);
            for (int i = 0; i < 5; i++)
            {
                sgd.ZeroGrad();
                scaler.Scale(((p.Float() + 1) * 1e-9).Sum()).Backward();
                scaler.Step(sgd);
                scaler.Update();
            }
            return sgd.StateDict()["state.0.master"].ToArray<double>()[0];
        }
        Assert.Equal(-5e-3, Trained(enabled: true), 1e-5);
        Assert.Equal(0, Trained(enabled: false));
    }

    [Fact]
    public void A_scaled_loss_has_the_gradients_of_the_loss()
    {
        Tensor p = Parameter(50), twin = Parameter(50), loss = (p * p).Sum();
        var (scaler, sgd) = (new GradScaler(), new SGD([p]));
        Assert.Equal(loss.Item() * 65536, scaler.Scale(loss).Item());
        scaler.Scale(loss).Backward();
        scaler.Unscale(sgd);
        (twin * twin).Sum().Backward();
        Bits.Equal(twin.Grad!, p.Grad!, "a power of two changes no bit");
        // 65,536 times a loss in float16 is no float16
        Assert.Equal(131072, scaler.Scale(Tensor.FromScalar(2, DType.Float16)).Item());
    }

    [Fact]
    public void A_resumed_scaler_goes_on_as_the_first()
    {
        var p = Parameter(4);
        var sgd = new SGD([p]);
        var first = new GradScaler(initScale: 8, growthFactor: 4, backoffFactor: 0.25, growthInterval: 2);
        p.Grad = Tensor.Ones(4);
        first.Step(sgd);
        first.Update();
        var second = new GradScaler();
        second.LoadStateDict(first.StateDict());
        foreach (var scaler in (GradScaler[])[first, second])
        {
            scaler.Step(sgd);
            scaler.Update();
            Assert.Equal(32, scaler.CurrentScale);
        }
        var state = first.StateDict();
        Assert.Equal(["scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"], state.Keys);
        state.Remove("scale");
        Assert.Contains("one number scale", Assert.Throws<FlambeauException>(() => second.LoadStateDict(state)).Message, StringComparison.Ordinal);
        Assert.Empty(new GradScaler(enabled: false).StateDict());
    }

    [Fact]
    public void Wrong_uses_are_refused()
    {
        var p = Parameter(4);
        p.Grad = Tensor.Ones(4);
        var (scaler, sgd) = (new GradScaler(), new SGD([p]));
        Assert.Throws<FlambeauException>(() => scaler.Update());
        scaler.Unscale(sgd);
        Assert.Contains("unscaled", Assert.Throws<FlambeauException>(() => scaler.Unscale(sgd)).Message, StringComparison.Ordinal);
        scaler.Step(sgd);
        Assert.Throws<FlambeauException>(() => scaler.Step(sgd));
        Assert.Contains("stepped", Assert.Throws<FlambeauException>(() => scaler.Unscale(sgd)).Message, StringComparison.Ordinal);
        scaler.Update();
        scaler.Step(sgd);
        Assert.Throws<FlambeauException>(() => new GradScaler(initScale: 0));
        Assert.Throws<FlambeauException>(() => new GradScaler(growthFactor: 1));
        Assert.Throws<FlambeauException>(() => new GradScaler(backoffFactor: 1));
        Assert.Throws<FlambeauException>(() => new GradScaler(growthInterval: 0));
    }
}
