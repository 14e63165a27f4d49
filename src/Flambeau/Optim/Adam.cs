using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>Parameters with the options of <see cref="Adam"/> and <see cref="AdamW"/>.</summary>
/// <param name="parameters">The parameters.</param>
public sealed class AdamGroup(IEnumerable<Tensor> parameters) : ParameterGroup(parameters)
{
    /// <summary>How much of the mean gradient and of the mean squared gradient is kept in a step, β₁ and β₂.</summary>
    public (double Beta1, double Beta2) Betas { get; set; } = (0.9, 0.999);
    /// <summary>What is added to the root of the mean square, ε.</summary>
    public double Epsilon { get; set; } = 1e-8;
    /// <summary>True divides by the largest mean square so far (Reddi et al. 2018).</summary>
    public bool AmsGrad { get; set; }

    internal override void Validate(string optimizer)
    {
        base.Validate(optimizer);
        Require(optimizer, Betas.Beta1 is >= 0 and < 1, "beta1 must lie in [0, 1)", Betas.Beta1);
        Require(optimizer, Betas.Beta2 is >= 0 and < 1, "beta2 must lie in [0, 1)", Betas.Beta2);
        Require(optimizer, Epsilon >= 0, "epsilon must not be negative", Epsilon);
    }

    internal override void Options(IOptionVisitor visit)
    {
        base.Options(visit);
        Betas = (visit.Number("betas.0", Betas.Beta1), visit.Number("betas.1", Betas.Beta2));
        Epsilon = visit.Number("eps", Epsilon);
        AmsGrad = visit.Flag("amsgrad", AmsGrad);
    }
}

/// <summary>
/// Adam (Kingma and Ba 2015, "Adam: a method for stochastic optimization"), with weight decay added to the gradient: g ← g + λp; then as <see cref="AdamW"/> without its first line
/// (PyTorch: <c>torch.optim.Adam</c>).
/// </summary>
public sealed class Adam : Optimizer
{
    /// <summary>One group with the given options.</summary>
    public Adam(IEnumerable<Tensor> parameters, double learningRate = 1e-3, (double Beta1, double Beta2)? betas = null, double epsilon = 1e-8, double weightDecay = 0, bool amsGrad = false, bool maximize = false)
        : this(new AdamGroup(parameters) { LearningRate = learningRate, Betas = betas ?? (0.9, 0.999), Epsilon = epsilon, WeightDecay = weightDecay, AmsGrad = amsGrad, Maximize = maximize }) { }

    /// <summary>Groups with options of their own.</summary>
    public Adam(params IEnumerable<AdamGroup> groups) : base(groups) { }

    private protected override IReadOnlyList<string> StateNames(ParameterGroup group) => AdamStep.StateNames;

    private protected override void Update(ParameterGroup group, Tensor p, Tensor g, ParameterState state, Updates updates) => AdamStep.Add((AdamGroup)group, p, g, state, updates, decoupled: false);
}

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"), one pass over memory a step (PyTorch: <c>torch.optim.AdamW</c>). In step t, each operation rounded by itself, in this order:
/// <code>
/// p ← p · (1 − ηλ)
/// m ← m + (1 − β₁) · (g − m)                      for β₁ &gt; ½, else g − (g − m) · β₁
/// v ← v · β₂ + ((1 − β₂) · g) · g
/// p ← p + (−η / (1 − β₁ᵗ) · m) / (√v / √(1 − β₂ᵗ) + ε)
/// </code>
/// </summary>
/// <remarks>A weight decay of 0.01 is the default, as in PyTorch.</remarks>
public sealed class AdamW : Optimizer
{
    /// <summary>One group with the given options.</summary>
    public AdamW(IEnumerable<Tensor> parameters, double learningRate = 1e-3, (double Beta1, double Beta2)? betas = null, double epsilon = 1e-8, double weightDecay = 0.01, bool amsGrad = false, bool maximize = false)
        : this(new AdamGroup(parameters) { LearningRate = learningRate, Betas = betas ?? (0.9, 0.999), Epsilon = epsilon, WeightDecay = weightDecay, AmsGrad = amsGrad, Maximize = maximize }) { }

    /// <summary>Groups with options of their own.</summary>
    public AdamW(params IEnumerable<AdamGroup> groups) : base(groups) { }

    private protected override IReadOnlyList<string> StateNames(ParameterGroup group) => AdamStep.StateNames;

    private protected override void Update(ParameterGroup group, Tensor p, Tensor g, ParameterState state, Updates updates) => AdamStep.Add((AdamGroup)group, p, g, state, updates, decoupled: true);
}

/// <summary>The arithmetic that Adam, AdamW and Muon's other parameters share.</summary>
internal static class AdamStep
{
    public static IReadOnlyList<string> StateNames { get; } = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

    public static void Add(AdamGroup o, Tensor p, Tensor g, ParameterState state, Updates updates, bool decoupled)
    {
        if (!decoupled && o.WeightDecay != 0) Add<Yes>(o, p, g, state, updates, kept: 1);
        else Add<No>(o, p, g, state, updates, kept: 1 - o.LearningRate * o.WeightDecay);
    }

    static void Add<TCoupled>(AdamGroup o, Tensor p, Tensor g, ParameterState state, Updates updates, double kept) where TCoupled : struct, IChoice
    {
        state.Step++;
        if (!updates.HasCoefficients(o, state.Step)) SetCoefficients(o, state.Step, updates, kept);
        if (UpdateLoop.IsNear(1 - o.Betas.Beta1, UpdateLoop.StateType(p.DType))) Add<TCoupled, Yes>(o, p, g, state, updates);
        else Add<TCoupled, No>(o, p, g, state, updates);
    }

    static void Add<TCoupled, TNear>(AdamGroup o, Tensor p, Tensor g, ParameterState state, Updates updates) where TCoupled : struct, IChoice where TNear : struct, IChoice
    {
        if (o.AmsGrad) updates.Add<Step<TCoupled, TNear, Yes>>(p, g, state);
        else updates.Add<Step<TCoupled, TNear, No>>(p, g, state);
    }

    static void SetCoefficients(AdamGroup o, long step, Updates updates, double kept)
    {
        double t = step;
        var (beta1, beta2) = o.Betas;
        double stepSize = o.LearningRate / (1 - Math.Pow(beta1, t)), root = Math.Sqrt(1 - Math.Pow(beta2, t));
        updates.SetCoefficients(o, step, [kept, o.WeightDecay, o.Maximize ? -1 : 1, 1 - beta1, beta2, 1 - beta2, root, o.Epsilon, -stepSize]);
    }

    readonly struct Step<TCoupled, TNear, TAmsGrad> : IUpdate where TCoupled : struct, IChoice where TNear : struct, IChoice where TAmsGrad : struct, IChoice
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => TAmsGrad.Value ? 3 : 2; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S>
        {
            g = c.C2 * g;
            if (TCoupled.Value) g = g + c.C1 * p;
            else p = p * c.C0;
            s.A = UpdateLoop.Lerp<S, TNear>(s.A, g, c.C3);
            s.B = s.B * c.C4 + c.C5 * g * g;
            if (TAmsGrad.Value) s.C = S.Max(s.C, s.B);
            p = p + c.C8 * s.A / (S.Sqrt(TAmsGrad.Value ? s.C : s.B) / c.C6 + c.C7);
        }
    }
}
