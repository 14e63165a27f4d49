using Flambeau.Bench.Models;
using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Bench.Suites;

// B batch, T tokens, C width, H heads, D head size, V vocabulary

/// <summary>
/// What a training step of the GPT 6 × 384 is made of: each part alone, at the model's shapes and as often as it occurs in a step, forward and with its gradients; then their sum, and the whole step. <c>share</c> is of the
/// time at the machine's limit: of fused multiply-adds for products and attention, of the <see cref="Roof"/> for the rest.
/// </summary>
internal sealed class TokensSuite : ISuite
{
    private const long B = 16, T = 256, C = 384, D = C / H, V = 65;
    private const int H = 6, Layers = 6;

    /// <summary>Nanoseconds of cases measured so far, and at the limit.</summary>
    private readonly Dictionary<string, double> _times = [], _limits = [];

    public string Name => "tokens";

    public IEnumerable<Case> Cases(Options options)
    {
        Part[] parts = [.. Parts(options)];
        var step = parts.Select(part => part.Title(part.Directions[^1])).ToArray();
        foreach (var part in parts)
            foreach (var backward in part.Directions) yield return Measured(part, backward);
        yield return new("sum of parts + backward", Unit.Milliseconds) { Limit = Total(_limits, step), Ours = () => _ => step.Sum(_times.GetValueOrDefault) };
        yield return new("whole step", Unit.Milliseconds) { Limit = Total(_limits, step), Ours = Case.Timed(() => Case.Warm(Training.Gpt().Step, TrainSuite.Seconds)), Peer = Case.Torch("train.gpt") };
        yield return Measured(Clip(options), backward: false);
    }

    /// <param name="Count">How often it occurs in a step.</param>
    /// <param name="Prepare">Forward, or forward and backward.</param>
    /// <param name="Limit">Nanoseconds at best.</param>
    private sealed record Part(string Name, int Count, Func<bool, Action> Prepare, Func<bool, double> Limit)
    {
        /// <summary>What PyTorch is asked.</summary>
        public Func<bool, Func<PeerQuestion, double>>? Peer { get; init; }

        /// <summary>Without and with its gradient, where it has one.</summary>
        public bool[] Directions { get; init; } = [false, true];

        public string Title(bool backward) => $"{(Count > 1 ? $"{Count} × " : "")}{Name}{(backward ? " + backward" : "")}";
    }

    private Case Measured(Part part, bool backward)
    {
        var (title, peer) = (part.Title(backward), part.Peer?.Invoke(backward));
        return new(title, Unit.Milliseconds)
        {
            Limit = () => Unit.Milliseconds.Of(_limits[title] = part.Count * part.Limit(backward), 1),
            Ours = () =>
            {
                var action = Case.Warm(part.Prepare(backward));
                return seconds => _times[title] = part.Count * Timing.Of(action, seconds).Median;
            },
            Peer = peer is null ? null : question => part.Count * peer(question),
        };
    }

    private static Func<double> Total(Dictionary<string, double> figures, string[] titles) => () => Unit.Milliseconds.Of(titles.Sum(figures.GetValueOrDefault), 1);

    private static IEnumerable<Part> Parts(Options options) =>
    [
        Rows(options, "embedding + position", 1, Embedding, passes: 2, withBackward: 3),
        Norm(options, "layer norm", 2 * Layers),
        Product(options, "qkv product", C, 3 * C, x => x),
        Attention(options),
        Product(options, "output projection", C, C, x => x),
        Rows(options, "residual add", 2 * Layers, Residual, passes: 3, withBackward: 6),
        Product(options, "MLP up, bias, GELU", C, 4 * C, x => x.Gelu()),
        Product(options, "MLP down", 4 * C, C, x => x),
        Norm(options, "final norm", 1),
        Head(options),
        Update(options, "AdamW", 28, parameters => new AdamW(parameters).Step),
    ];

    // reads every gradient for the norm, then reads and writes it
    private static Part Clip(Options options) => Update(options, "clip norm, not in the step", 12, parameters =>
    {
        var bound = 1.0;
        return () => Gradients.ClipNorm(parameters, bound *= 0.99999); // sinks by a little, so that every call scales
    });

    /// <param name="passes">How often a number of each row must move, forward.</param>
    private static Part Rows(Options options, string name, int count, Func<long, bool, Action> prepare, int passes, int withBackward)
    {
        double Limit(bool backward)
        {
            double bytes = (backward ? withBackward : passes) * C * sizeof(float);
            return B * T * bytes / new Roof(passes == 2 && !backward ? Traffic.Copy : Traffic.Triad, bytes, tokens => prepare(tokens, backward)).Of(B * T, options.Threads)!();
        }
        return new(name, count, backward => prepare(B * T, backward), Limit);
    }

    private static Part Norm(Options options, string name, int count) => Rows(options, name, count, Norm, passes: 2, withBackward: 5) with
    {
        Peer = backward => Case.Torch("rows.layer_norm", new { shape = (long[])[B * T, C], backward }),
    };

    private static Action Embedding(long tokens, bool backward)
    {
        var length = Math.Min(tokens, T);
        Embedding embedding = new(V, C), positions = new(T, C);
        var ids = Tensor.RandInt(0, V, [tokens / length, length]);
        return Run(() => embedding.Call(ids) + positions.Weight.Narrow(0, 0, length), backward, embedding.Weight, positions.Weight);
    }

    private static Action Norm(long tokens, bool backward)
    {
        var (norm, x) = (new LayerNorm(C), Leaf(tokens, C));
        return Run(() => norm.Call(x), backward, x, norm.Weight!, norm.Bias!);
    }

    /// <summary>Backward the two gradients of x, from the branch and from around it, are added.</summary>
    private static Action Residual(long tokens, bool backward)
    {
        Tensor x = Leaf(tokens, C), branch = Leaf(tokens, C);
        x.Grad = Tensor.Zeros(tokens, C);
        return Run(() => x + branch, backward, branch);
    }

    private static Part Product(Options options, string name, long from, long to, Func<Tensor, Tensor> then) => new(name, Layers, backward =>
    {
        var (linear, x) = (new Linear(from, to), Leaf(B, T, from));
        return Run(() => then(linear.Call(x)), backward, x, linear.Weight, linear.Bias!);
    }, Flops(options, B * T * from * to, B * T * from * to * 2));

    // a causal mask leaves half of two products forward, and of five backward
    private static Part Attention(Options options) => new("attention", Layers, backward =>
    {
        var qkv = Leaf(B, T, 3 * C);
        return Run(() => Gpt.Block.Attend(qkv, H), backward, qkv);
    }, Flops(options, B * H * T * T * D, B * H * T * T * D * 5 / 2))
    {
        Peer = backward => Case.Torch("attention", new { batch = B, heads = H, shared = H, tokens = T, size = D, causal = true, backward }),
    };

    private static Part Head(Options options) => new("head, cross entropy", 1, backward =>
    {
        Tensor x = Leaf(B * T, C), weight = Leaf(V, C), target = Tensor.RandInt(0, V, [B * T]);
        return Run(() => x.LinearCrossEntropy(weight, target), backward, x, weight);
    }, Flops(options, B * T * C * V, B * T * C * V * 2));

    private static Part Update(Options options, string name, double bytes, Func<Tensor[], Action> make)
    {
        Tensor[] Parameters(IEnumerable<Shape> shapes)
        {
            Tensor[] parameters = [.. shapes.Select(shape => NN.Module.Parameter(Tensor.RandN(shape)))];
            foreach (var p in parameters) p.Grad = Tensor.RandN(p.Shape) * 0.01;
            return parameters;
        }
        Shape[] shapes = [.. new Gpt(Layers, C, H, T, V).Parameters().Select(p => p.Shape)];
        var elements = shapes.Sum(shape => shape.Count);
        var roof = new Roof(Traffic.Copy, bytes, count => make(Parameters([new Shape([count])])));
        return new(name, 1, _ => make(Parameters(shapes)), _ => elements * bytes / roof.Of(elements, options.Threads)!()) { Directions = [false] };
    }

    /// <summary>Nanoseconds of so many multiply-adds forward, and so many more backward.</summary>
    private static Func<bool, double> Flops(Options options, double forward, double backward) =>
        both => 2 * (forward + (both ? backward : 0)) / Limits.FmaFloat32(options.Threads);

    private static Tensor Leaf(params long[] shape) => Tensor.RandN(shape).RequiresGrad_();

    /// <summary>Forward, or forward and backward with fresh gradients for the leaves.</summary>
    private static Action Run(Func<Tensor> forward, bool backward, params Tensor[] leaves)
    {
        if (!backward)
            return () =>
            {
                using var _ = Autograd.NoGrad();
                forward().Dispose();
            };
        var g = Tensor.RandN(forward().Shape);
        return () =>
        {
            using var y = forward();
            y.Backward(g);
            foreach (var leaf in leaves) { leaf.Grad!.Dispose(); leaf.Grad = null; }
        };
    }
}
