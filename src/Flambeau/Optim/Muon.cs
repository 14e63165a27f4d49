using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>How <see cref="Muon"/> scales its step with a matrix's shape [r, c].</summary>
public enum MuonScale
{
    /// <summary>By √max(1, r / c) (Jordan 2024).</summary>
    Original,
    /// <summary>By 0.2 · √max(r, c): updates as large as AdamW's, so that its learning rate and weight decay fit (Liu et al. 2025, "Muon is scalable for LLM training").</summary>
    MatchAdamW,
}

/// <summary>Matrices with the options of <see cref="Muon"/>.</summary>
/// <param name="parameters">Tensors of two dimensions: hidden layers, not embeddings, heads, biases or gains.</param>
public sealed class MuonGroup(IEnumerable<Tensor> parameters) : ParameterGroup(parameters)
{
    /// <summary>The share µ of the mean direction that is kept.</summary>
    public double Momentum { get; set; } = 0.95;
    /// <summary>True looks ahead along the momentum.</summary>
    public bool Nesterov { get; set; } = true;
    /// <summary>Newton–Schulz steps.</summary>
    public int Iterations { get; set; } = 5;
    /// <summary>What a norm below is raised to before dividing by it.</summary>
    public double Epsilon { get; set; } = 1e-7;
    /// <summary>How the step depends on the shape.</summary>
    public MuonScale Scale { get; set; }

    internal override void Validate(string optimizer)
    {
        base.Validate(optimizer);
        Require(optimizer, Momentum is >= 0 and < 1, "the momentum must lie in [0, 1)", Momentum);
        Require(optimizer, Iterations is > 0 and < 100, "the number of Newton–Schulz steps must lie in 1 … 99", Iterations);
        foreach (var p in Parameters)
            if (p.Rank != 2) throw Errors.Make(optimizer, "a parameter is no matrix: give tensors of other ranks to an AdamGroup", ("param", p));
    }

    internal override void Options(IOptionVisitor visit)
    {
        base.Options(visit);
        Momentum = visit.Number("momentum", Momentum);
        Nesterov = visit.Flag("nesterov", Nesterov);
        Iterations = (int)visit.Number("ns_steps", Iterations);
        Epsilon = visit.Number("eps", Epsilon);
        Scale = (MuonScale)(int)visit.Number("adjust_lr_fn", (int)Scale);
    }
}

/// <summary>
/// Muon (Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"): steps along the nearest orthogonal matrix to the momentum, found by a Newton–Schulz iteration
/// (PyTorch: <c>torch.optim.Muon</c>). For matrices; other parameters go in groups of AdamW. In this order, computed in the parameter's type (float32 for narrower ones):
/// <code>
/// b ← b + (1 − µ)(g − b);  d = g + µ(b − g) (Nesterov) or b
/// X = d / max(‖d‖, ε), transposed if it has more rows than columns;  5 times:  A = XXᵀ;  X ← 3.4445 X + (−4.775 A + 2.0315 AA) X
/// p ← p · (1 − ηλ);  p ← p − η · scale · X
/// </code>
/// </summary>
public sealed class Muon : Optimizer
{
    const int Buffer = 0;

    /// <summary>One group of matrices, and one of other parameters for AdamW.</summary>
    public Muon(IEnumerable<Tensor> matrices, IEnumerable<Tensor>? others = null, double learningRate = 1e-3, double weightDecay = 0.1, double momentum = 0.95, bool nesterov = true, double? othersLearningRate = null, MuonScale scale = MuonScale.Original)
        : this([
            new MuonGroup(matrices) { LearningRate = learningRate, WeightDecay = weightDecay, Momentum = momentum, Nesterov = nesterov, Scale = scale },
            .. others is null ? [] : new ParameterGroup[] { new AdamGroup(others) { LearningRate = othersLearningRate ?? learningRate, WeightDecay = weightDecay } }]) { }

    /// <summary>Groups with options of their own: <see cref="MuonGroup"/> for matrices, <see cref="AdamGroup"/> for AdamW.</summary>
    public Muon(params IEnumerable<ParameterGroup> groups) : base(groups)
    {
        foreach (var group in Groups)
            if (group is not (MuonGroup or AdamGroup)) throw new FlambeauException($"Muon: a group is a {group.GetType().Name}; give a MuonGroup for matrices or an AdamGroup for AdamW");
    }

    private protected override IReadOnlyList<string> StateNames(ParameterGroup group) => group is MuonGroup ? s_stateNames : AdamStep.StateNames;
    static readonly string[] s_stateNames = ["momentum_buffer"];

    private protected override void Update(ParameterGroup group, Tensor p, Tensor g, ParameterState state, Updates updates)
    {
        if (group is AdamGroup adam) { AdamStep.Add(adam, p, g, state, updates, decoupled: true); return; }
        var o = (MuonGroup)group;
        state.Step++;
        var buffer = state.Get(Buffer, p);
        var direction = g.Detach().To(buffer.DType).Clone();
        UpdateLoop.Run<Averages>(direction, direction, buffer, null, [1 - o.Momentum, o.Momentum, o.Maximize ? -1 : 1, o.Nesterov ? 1 : 0]);
        var step = Orthogonalize(direction, o.Iterations, o.Epsilon);
        double rows = p.Shape[0], columns = p.Shape[1];
        double scale = o.Scale == MuonScale.Original ? Math.Sqrt(Math.Max(1, rows / columns)) : 0.2 * Math.Sqrt(Math.Max(rows, columns));
        UpdateLoop.Run<Apply>(p, step, null, state.Master, [1 - o.LearningRate * o.WeightDecay, -o.LearningRate * scale]);
    }

    /// <summary>Near the nearest matrix with singular values 1: five steps bring them into about [0.7, 1.2].</summary>
    internal static Tensor Orthogonalize(Tensor x, int iterations, double epsilon)
    {
        const double A = 3.4445, B = -4.7750, C = 2.0315;
        bool tall = x.Shape[0] > x.Shape[1];
        if (tall) x = x.T;
        x = x / Math.Max(x.Norm().Item(), epsilon);
        for (int i = 0; i < iterations; i++)
        {
            var gram = x.MatMul(x.T);
            var polynomial = gram * B + gram.MatMul(gram) * C;
            x = x * A + polynomial.MatMul(x);
        }
        return tall ? x.T : x;
    }

    // the direction replaces the gradient
    readonly struct Averages : IUpdate
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 1; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S>
        {
            g = c.C2 * g;
            s.A = UpdateLoop.Lerp(s.A, g, c.C0);
            p = S.Select(c.C3 > S.Constant(0), UpdateLoop.Lerp(g, s.A, c.C1), s.A);
        }
    }

    readonly struct Apply : IUpdate
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 0; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S> => p = p * c.C0 + c.C1 * g;
    }
}
