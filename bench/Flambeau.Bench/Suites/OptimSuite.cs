using Flambeau.Optim;

namespace Flambeau.Bench.Suites;

/// <summary>
/// Optimizer steps over fixed gradients: GPT-2's 124M parameters in the bytes that must move (AdamW reads parameter, gradient and two averages and writes three of them: 28 a parameter),
/// and a thousand tensors of 64 elements in time.
/// </summary>
internal sealed class OptimSuite : ISuite
{
    public string Name => "optim";

    public IEnumerable<Case> Cases(Options options) =>
    [
        Many("AdamW", "adamw", p => new AdamW(p).Step),
        Many("SGD with momentum", "sgd", p => new SGD(p, momentum: 0.9).Step),
        Many("clip norm", "clip_norm", Clip),
        Gpt(options, "AdamW", "adamw", 28, p => new AdamW(p).Step),
        // and a master of each parameter, read and written; parameter and gradient are half as long
        Gpt(options, "AdamW with masters", "adamw_masters", 30, p => new AdamW(p).Step, DType.BFloat16),
        Gpt(options, "SGD with momentum", "sgd", 20, p => new SGD(p, momentum: 0.9).Step),
        Gpt(options, "clip norm", "clip_norm", 12, Clip),
    ];

    private static Case Many(string name, string peer, Func<Tensor[], Action> make) => new($"{name}, 1000 tensors of 64", Unit.Microseconds)
    {
        Ours = Case.Timed(() => make(Parameters(Enumerable.Repeat<long[]>([64], 1000)))),
        Peer = Case.Torch($"optim.{peer}", new { count = 1000, elements = 64 }),
    };

    private static Case Gpt(Options options, string name, string peer, double bytes, Func<Tensor[], Action> make, DType type = DType.Float32) => new($"{name}, GPT-2 124M", Unit.GigabytesPerSecond)
    {
        DType = type.Name,
        Work = bytes * Gpt2.Shapes.Sum(shape => shape.Aggregate((a, b) => a * b)),
        Limit = () => Limits.CopyBandwidth(options.Threads),
        Ours = Case.Timed(() => make(Parameters(Gpt2.Shapes, type))),
        Peer = Case.Torch($"optim.{peer}", new { gpt2 = true }),
    };

    // a bound that sinks by a little each call, so that every call scales
    private static Action Clip(Tensor[] parameters)
    {
        var bound = 1.0;
        return () => Gradients.ClipNorm(parameters, bound *= 0.99999);
    }

    private static Tensor[] Parameters(IEnumerable<long[]> shapes, DType type = DType.Float32)
    {
        Tensor[] parameters = [.. shapes.Select(shape => NN.Module.Parameter(Tensor.RandN(shape, type)))];
        foreach (var p in parameters) p.Grad = Tensor.RandN(p.Shape, type) * 0.01;
        return parameters;
    }
}
