using Flambeau.Bench.Models;

namespace Flambeau.Bench.Suites;

/// <summary>Single small operators and a small model: what a call costs beside its arithmetic.</summary>
internal sealed class EagerSuite : ISuite
{
    private const int ChainLength = 32;

    public string Name => "eager";

    public IEnumerable<Case> Cases(Options options) => [.. Small(), .. MlpCases()];

    private static IEnumerable<Case> Small()
    {
        yield return new("add 4x4", Unit.Nanoseconds) { Ours = Tiny((x, y) => x.Add(y)), Peer = Case.Torch("eager.add_tiny") };
        yield return new("add 4x4, PyTorch out=", Unit.Nanoseconds) { Ours = Tiny((x, y) => x.Add(y)), Peer = Case.Torch("eager.add_tiny_out") };
        yield return new("add + backward", Unit.Nanoseconds) { Ours = AddBackward, Peer = Case.Torch("eager.add_backward") };
        yield return new("softmax 4x1024", Unit.Nanoseconds) { Ours = Rows((x, _, _) => x.Softmax(-1)), Peer = Case.Torch("eager.softmax") };
        yield return new("layer norm 4x1024", Unit.Nanoseconds) { Ours = Rows((x, w, b) => x.LayerNorm(1, w, b)), Peer = Case.Torch("eager.layer_norm") };
    }

    private static Func<Func<double, double>> Tiny(Func<Tensor, Tensor, Tensor> op) => Case.Timed(() =>
    {
        Tensor x = Tensor.Rand([4, 4]), y = Tensor.Rand([4, 4]);
        return () => op(x, y);
    });

    private static Func<Func<double, double>> Rows(Func<Tensor, Tensor, Tensor, Tensor> op) => Case.Timed(() =>
    {
        Tensor x = Tensor.RandN([4, 1024]), weight = Tensor.Ones(1024), bias = Tensor.Zeros(1024);
        return () => op(x, weight, bias).Dispose();
    });

    /// <summary>A chain of 4×4 additions and its backward; the time is that of one link, forward and backward.</summary>
    private static Func<double, double> AddBackward()
    {
        Tensor x = Tensor.Rand([4, 4]).RequiresGrad_(), y = Tensor.Rand([4, 4]), seed = Tensor.Ones(4, 4);
        return seconds => Timing.Of(Chain, seconds).Median / ChainLength;

        void Chain()
        {
            var last = x;
            for (var i = 0; i < ChainLength; i++) last = last.Add(y);
            last.Backward(seed);
        }
    }

    private static IEnumerable<Case> MlpCases()
    {
        yield return new("MLP forward", Unit.Microseconds) { Ours = Mlp(m => m.Loss()), Peer = Case.Torch("eager.mlp_forward") };
        yield return new("MLP forward, backward", Unit.Microseconds) { Ours = Mlp(m => m.Backward()), Peer = Case.Torch("eager.mlp_backward") };
        yield return new("MLP Adam step", Unit.StepsPerSecond) { Ours = Mlp(m => m.Step()), Peer = Case.Torch("eager.mlp_adam") };
    }

    private static Func<Func<double, double>> Mlp(Action<Mlp> step) => Case.Timed(() =>
    {
        var mlp = new Mlp([64, 128, 64, 10], batch: 64);
        return () => step(mlp);
    });
}
