using Flambeau.Optim;
using TorchSharp;

namespace Flambeau.Oracle;

using Ours = Flambeau.Tensor;
using Parameter = TorchSharp.Modules.Parameter;

/// <summary>A hundred steps on a fixed problem: logistic regression; its columns differ in scale, within what SGD is stable for.</summary>
public class OptimizerTests
{
    private const int Seed = 5, Rows = 24, Columns = 7, Steps = 100;

    public static TheoryData<string> Names => [.. Optimizers.Keys];

    // the binding passes SGD's settings on as float32: they are exact in it
    private static readonly Dictionary<string, (Func<Ours[], Optimizer> Ours, Func<Parameter[], torch.optim.Optimizer> Theirs)> Optimizers = new()
    {
        ["SGD"] = (p => new SGD(p, 0.0625), p => torch.optim.SGD(p, 0.0625)),
        ["SGD with momentum"] = (p => new SGD(p, 0.03125, momentum: 0.875, dampening: 0.125, weightDecay: 0.015625), p => torch.optim.SGD(p, 0.03125, 0.875, 0.125, 0.015625)),
        ["SGD with Nesterov's momentum"] = (p => new SGD(p, 0.03125, momentum: 0.875, weightDecay: 0.015625, nesterov: true), p => torch.optim.SGD(p, 0.03125, 0.875, 0, 0.015625, nesterov: true)),
        ["SGD upwards"] = (p => new SGD(p, 1.0 / 1024, maximize: true), p => torch.optim.SGD(p, 1.0 / 1024, maximize: true)),
        ["Adam"] = (p => new Adam(p, 0.02), p => torch.optim.Adam(p, 0.02)),
        ["Adam with decay"] = (p => new Adam(p, 0.02, (0.8, 0.95), 1e-6, 0.05), p => torch.optim.Adam(p, 0.02, 0.8, 0.95, 1e-6, 0.05)),
        ["Adam of the largest square"] = (p => new Adam(p, 0.02, amsGrad: true), p => torch.optim.Adam(p, 0.02, amsgrad: true)),
        ["AdamW"] = (p => new AdamW(p, 0.02, (0.9, 0.95), weightDecay: 0.1), p => torch.optim.AdamW(p, 0.02, 0.9, 0.95, weight_decay: 0.1)),
        ["AdamW of the largest square"] = (p => new AdamW(p, 0.02, weightDecay: 0.05, amsGrad: true), p => torch.optim.AdamW(p, 0.02, weight_decay: 0.05, amsgrad: true)),
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void A_hundred_steps_are_PyTorchs(string name)
    {
        using var scope = torch.NewDisposeScope();
        var random = new Random(Seed);
        var design = Enumerable.Range(0, Rows * Columns).Select(i => (random.NextDouble() - 0.5) * Math.Pow(2, i % Columns - 3)).ToArray();
        var labels = Enumerable.Range(0, Rows).Select(i => (double)(i % 2)).ToArray();
        var start = Enumerable.Range(0, Columns).Select(_ => random.NextDouble() - 0.5).ToArray();

        var (x, y, w, b) = (Ours.FromArray(design, (Shape)new long[] { Rows, Columns }), Ours.FromArray(labels), Ours.FromArray([.. start]).RequiresGrad_(), Ours.Zeros(new long[] { 1 }, DType.Float64).RequiresGrad_());
        var (tx, ty, tw, tb) = (torch.tensor(design).reshape(Rows, Columns), torch.tensor(labels), new Parameter(torch.tensor(start)), new Parameter(torch.zeros(1, dtype: torch.ScalarType.Float64)));
        var (mine, yours) = (Optimizers[name].Ours([w, b]), Optimizers[name].Theirs([tw, tb]));
        for (var step = 0; step < Steps; step++)
        {
            mine.ZeroGrad();
            (x.Mv(w) + b).BinaryCrossEntropyWithLogits(y).Backward();
            mine.Step();
            yours.zero_grad();
            torch.nn.functional.binary_cross_entropy_with_logits(tx.mv(tw) + tb, ty).backward();
            yours.step();
            var (a, t) = (w.Detach().ToArray<double>(), tw.detach().data<double>().ToArray());
            for (var i = 0; i < a.Length; i++) Assert.True(Math.Abs(a[i] - t[i]) <= 1e-10 * Math.Max(1, Math.Abs(t[i])), $"step {step}, weight {i}: {a[i]:R}, PyTorch has {t[i]:R}");
            Assert.Equal(tb.detach().item<double>(), b.Item(), 1e-10);
        }
        Assert.True(w.Detach().ToArray<double>().Zip(start, (a, s) => Math.Abs(a - s)).Max() > 1e-3, "the weights moved");
    }
}
