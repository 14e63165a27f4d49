using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>Parameters with the options of <see cref="SGD"/>.</summary>
/// <param name="parameters">The parameters.</param>
public sealed class SgdGroup(IEnumerable<Tensor> parameters) : ParameterGroup(parameters)
{
    /// <summary>The share µ of the last direction that is kept.</summary>
    public double Momentum { get; set; }
    /// <summary>The share τ by which a new gradient is weakened in the momentum.</summary>
    public double Dampening { get; set; }
    /// <summary>True looks ahead along the momentum. Needs momentum and no dampening.</summary>
    public bool Nesterov { get; set; }

    internal override void Validate(string optimizer)
    {
        base.Validate(optimizer);
        Require(optimizer, Momentum >= 0, "the momentum must not be negative", Momentum);
        Require(optimizer, !Nesterov || Momentum > 0 && Dampening == 0, "Nesterov's momentum needs a momentum and no dampening; the dampening is", Dampening);
    }

    internal override void Options(IOptionVisitor visit)
    {
        base.Options(visit);
        Momentum = visit.Number("momentum", Momentum);
        Dampening = visit.Number("dampening", Dampening);
        Nesterov = visit.Flag("nesterov", Nesterov);
    }
}

/// <summary>
/// Stochastic gradient descent, with momentum after Sutskever et al. (2013) as PyTorch states it: g ← g + λp; b ← µb + (1 − τ)g (at first b ← g); d = g + µb (Nesterov) or b; p ← p − ηd
/// (PyTorch: <c>torch.optim.SGD</c>). Each product and sum is rounded by itself, in this order.
/// </summary>
public sealed class SGD : Optimizer
{
    const int Buffer = 0;

    /// <summary>One group with the given options.</summary>
    public SGD(IEnumerable<Tensor> parameters, double learningRate = 1e-3, double momentum = 0, double dampening = 0, double weightDecay = 0, bool nesterov = false, bool maximize = false)
        : this(new SgdGroup(parameters) { LearningRate = learningRate, Momentum = momentum, Dampening = dampening, WeightDecay = weightDecay, Nesterov = nesterov, Maximize = maximize }) { }

    /// <summary>Groups with options of their own.</summary>
    public SGD(params IEnumerable<SgdGroup> groups) : base(groups) { }

    private protected override IReadOnlyList<string> StateNames(ParameterGroup group) => s_stateNames;
    static readonly string[] s_stateNames = ["momentum_buffer"];

    private protected override void Update(ParameterGroup group, Tensor p, Tensor g, ParameterState state, Updates updates)
    {
        if (group.WeightDecay != 0) Update<Yes>((SgdGroup)group, p, g, state, updates);
        else Update<No>((SgdGroup)group, p, g, state, updates);
    }

    static void Update<TDecay>(SgdGroup o, Tensor p, Tensor g, ParameterState state, Updates updates) where TDecay : struct, IChoice
    {
        bool first = !state.Has(Buffer);
        state.Step++;
        // at first the buffer is the gradient itself: 0 · µ + 1 · g
        if (!updates.HasCoefficients(o, first ? 0 : 1))
            updates.SetCoefficients(o, first ? 0 : 1, [-o.LearningRate, o.WeightDecay, o.Maximize ? -1 : 1, o.Momentum, first ? 1 : 1 - o.Dampening]);
        if (o.Momentum == 0) updates.Add<Plain<TDecay>>(p, g, state);
        else if (o.Nesterov) updates.Add<Momentum<TDecay, Yes>>(p, g, state);
        else updates.Add<Momentum<TDecay, No>>(p, g, state);
    }

    readonly struct Plain<TDecay> : IUpdate where TDecay : struct, IChoice
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 0; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S> =>
            p = p + c.C0 * Direction<S, TDecay>(p, g, c);
    }

    readonly struct Momentum<TDecay, TNesterov> : IUpdate where TDecay : struct, IChoice where TNesterov : struct, IChoice
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 1; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S>
        {
            g = Direction<S, TDecay>(p, g, c);
            s.A = s.A * c.C3 + c.C4 * g;
            p = p + c.C0 * (TNesterov.Value ? g + c.C3 * s.A : s.A);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Direction<S, TDecay>(S p, S g, in UpdateCoefficients<S> c) where S : IReal<S> where TDecay : struct, IChoice =>
        TDecay.Value ? c.C2 * g + c.C1 * p : c.C2 * g;
}
