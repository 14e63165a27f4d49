using Flambeau.Bench.Models;

namespace Flambeau.Bench.Suites;

/// <summary>Single operators and a small model: what a call costs beside its arithmetic, and how fast memory streams through a kernel.</summary>
internal sealed class EagerSuite : ISuite
{
    private const int ChainLength = 32;
    private const long RowLength = 1024; // of softmax and layer norm

    public string Name => "eager";

    public IEnumerable<Case> Cases(Options options) => [.. Small(), .. MlpCases(), .. Streams(options)];

    private static IEnumerable<Case> Small()
    {
        yield return new("add 4x4", Unit.Nanoseconds) { Ours = Tiny((x, y) => x.Add(y)), Peer = Case.Torch("eager.add_tiny") };
        yield return new("add 4x4, PyTorch out=", Unit.Nanoseconds) { Ours = Tiny((x, y) => x.Add(y)), Peer = Case.Torch("eager.add_tiny_out") };
        yield return new("add + backward", Unit.Nanoseconds) { Ours = AddBackward, Peer = Case.Torch("eager.add_backward") };
    }

    private static Func<Func<double, double>> Tiny(Func<Tensor, Tensor, Tensor> op) => Case.Timed(() =>
    {
        Tensor x = Tensor.Rand([4, 4]), y = Tensor.Rand([4, 4]);
        return () => op(x, y);
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

    private static IEnumerable<Case> Streams(Options options) =>
        from op in Operators
        from size in (long[])[4096, 1 << 20, 32 << 20]
        select new Case($"{op.Name} {(size < 1 << 20 ? "4,096" : $"{size >> 20}M")}", Unit.GigabytesPerSecond)
        {
            Work = 2.0 * size * sizeof(float),
            Limit = size < 32 << 20 ? null : () => Limits.CopyBandwidth(options.Threads),
            Ours = Case.Timed(() => op.Prepare(size)),
            Peer = Case.Torch($"eager.{op.Peer}", new { size }),
        };

    private static (string Name, string Peer, Func<long, Action> Prepare)[] Operators =>
    [
        ("silu", "silu", Flat(x => x.Silu())),
        ("gelu", "gelu", Flat(x => x.Gelu())),
        ("exp", "exp", Flat(x => x.Exp())),
        ("softmax", "softmax", Rows(x => x.Softmax(-1))),
        ("layer norm", "layer_norm", LayerNorm),
    ];

    private static Func<long, Action> Flat(Func<Tensor, Tensor> op) => size =>
    {
        var x = Tensor.RandN([size]);
        return () => op(x).Dispose();
    };

    private static Func<long, Action> Rows(Func<Tensor, Tensor> op) => size =>
    {
        var x = Tensor.RandN([size / RowLength, RowLength]);
        return () => op(x).Dispose();
    };

    private static Action LayerNorm(long size)
    {
        Tensor x = Tensor.RandN([size / RowLength, RowLength]), weight = Tensor.Ones(RowLength), bias = Tensor.Zeros(RowLength);
        return () => x.LayerNorm(1, weight, bias).Dispose();
    }
}
