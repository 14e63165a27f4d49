using System.Runtime.CompilerServices;
using Flambeau.Diagnostics;
using Flambeau.Runtime;

namespace Flambeau.Optim;

/// <summary>What is done to all gradients between backward pass and step.</summary>
public static class Gradients
{
    /// <summary>
    /// Scales all gradients so that their joint norm is at most <paramref name="maxNorm"/>: g ← g · min(1, maxNorm / (‖g‖ + 10⁻⁶)), in place (PyTorch: <c>clip_grad_norm_</c>).
    /// The norms of the tensors are joined in the order given, in float64: the same bits at any number of threads.
    /// </summary>
    /// <param name="parameters">Those without a gradient are passed over.</param>
    /// <param name="maxNorm">The largest norm; must not be negative.</param>
    /// <param name="normType">p of the p-norm; infinity for the largest magnitude.</param>
    /// <param name="errorIfNonfinite">True throws, before any change, if the norm is NaN or infinite.</param>
    /// <returns>The norm before.</returns>
    public static double ClipNorm(IEnumerable<Tensor> parameters, double maxNorm, double normType = 2, bool errorIfNonfinite = false)
    {
        if (!(maxNorm >= 0)) throw new FlambeauException($"ClipNorm: the largest norm must not be negative, got {maxNorm}");
        using var scope = Recording.Part("ClipNorm", ProfileKind.Optimizer);
        using var _ = Autograd.NoGrad();
        var gradients = Of(parameters);
        double norm = Join(gradients, normType);
        if (errorIfNonfinite && !double.IsFinite(norm)) throw new FlambeauException($"ClipNorm: the norm of the gradients is {norm}; nothing was changed");
        double scale = Math.Min(maxNorm / (norm + 1e-6), 1);
        // a NaN must show in every gradient, so only an exact 1 may be left out
        if (scale != 1) Change<Scale>(gradients, scale);
        return norm;
    }

    /// <summary>The joint p-norm of all gradients.</summary>
    public static double Norm(IEnumerable<Tensor> parameters, double normType = 2)
    {
        using var _ = Autograd.NoGrad();
        return Join(Of(parameters), normType);
    }

    static double Join(List<Tensor> gradients, double p)
    {
        if (!(p > 0)) throw new FlambeauException($"Norm: p must be positive, got {p}");
        double[] norms = new double[gradients.Count];
        if (p == 2) EuclideanNorms(gradients, norms);
        else for (int i = 0; i < norms.Length; i++) norms[i] = NormOf(gradients[i], p);
        double sum = 0;
        // Math.Max passes NaN on
        foreach (double norm in norms) sum = double.IsPositiveInfinity(p) ? Math.Max(sum, norm) : sum + Math.Pow(norm, p);
        return double.IsPositiveInfinity(p) ? sum : p == 2 ? Math.Sqrt(sum) : Math.Pow(sum, 1 / p);
    }

    static void EuclideanNorms(List<Tensor> gradients, double[] norms)
    {
        var together = t_norms ??= new();
        foreach (var g in gradients) if (IsPlain(g)) together.Add(g);
        together.Run(norms);
        // what was added lies in front; from the end, so that nothing is overwritten before it is moved
        int next = gradients.Count(IsPlain);
        for (int i = norms.Length - 1; i >= 0; i--) norms[i] = IsPlain(gradients[i]) ? norms[--next] : NormOf(gradients[i], 2);
    }

    static double NormOf(Tensor g, double p) => g.To(UpdateLoop.StateType(g.DType)).Norm(p, []).Item();

    static bool IsPlain(Tensor g) => g.IsContiguous && g.Numel > 0 && g.Level is null && g.DType.IsFloatingPoint;

    /// <summary>Cuts every element of every gradient to [−<paramref name="value"/>, <paramref name="value"/>], in place; NaN stays (PyTorch: <c>clip_grad_value_</c>).</summary>
    public static void ClipValue(IEnumerable<Tensor> parameters, double value)
    {
        if (!(value >= 0)) throw new FlambeauException($"ClipValue: the bound must not be negative, got {value}");
        using var _ = Autograd.NoGrad();
        Change<Clip>(Of(parameters), value);
    }

    /// <summary>
    /// Multiplies all gradients, in place; those in float16 are replaced by float32 ones, since what is scaled down may be too small for float16. False if one is infinite or NaN. One parallel region.
    /// </summary>
    internal static bool Unscale(IEnumerable<Tensor> parameters, double factor)
    {
        using var _ = Autograd.NoGrad();
        var updates = t_watched ??= new() { Watches = true };
        updates.FoundNonfinite = false;
        List<Tensor> gradients = [], scaled = [];
        foreach (var p in parameters)
        {
            if (p.Meta?.PassingGrad is not { } g) continue;
            gradients.Add(g);
            scaled.Add(g.DType == DType.Float16 ? Tensor.Empty(g.Shape, DType.Float32) : g);
            if (g.DType == DType.Float16) p.Grad = scaled[^1];
        }
        Change<Scale>(updates, scaled, gradients, factor);
        return !updates.FoundNonfinite;
    }

    static List<Tensor> Of(IEnumerable<Tensor> parameters)
    {
        var gradients = new List<Tensor>();
        foreach (var p in parameters) if (p.Meta?.PassingGrad is { } g) gradients.Add(g);
        return gradients;
    }

    static void Change<TUpdate>(List<Tensor> gradients, double coefficient) where TUpdate : struct, IUpdate => Change<TUpdate>(t_updates ??= new(), gradients, gradients, coefficient);

    // every gradient by itself, all in one parallel region; what shares memory is changed in turn
    static void Change<TUpdate>(Updates updates, List<Tensor> changes, List<Tensor> gradients, double coefficient) where TUpdate : struct, IUpdate
    {
        var changed = t_changed ??= new(ReferenceEqualityComparer.Instance);
        updates.SetCoefficients(updates, 0, [coefficient]);
        try
        {
            for (int i = 0; i < changes.Count; i++)
            {
                if (!changed.Add(changes[i].Concrete("Gradients"))) updates.Run();
                updates.Add<TUpdate>(changes[i], gradients[i]);
            }
        }
        finally
        {
            updates.Finish();
            changed.Clear();
        }
    }

    // their tables are kept from step to step, their tensors are not
    [ThreadStatic] static Norms? t_norms;
    [ThreadStatic] static Updates? t_updates, t_watched;
    [ThreadStatic] static HashSet<Storage>? t_changed;

    readonly struct Scale : IUpdate
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 0; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : Scalars.IReal<S> => p = g * c.C0;
    }

    readonly struct Clip : IUpdate
    {
        public static int States { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 0; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : Scalars.IReal<S> =>
            p = S.Max(-c.C0, S.Min(c.C0, g));
    }
}
