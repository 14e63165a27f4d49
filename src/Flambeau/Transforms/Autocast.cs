using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau;

/// <summary>What becomes of an operator's floating-point operands inside <see cref="Autocast"/>; an operator states it with its row of the table. float64 stays what it is everywhere.</summary>
public enum CastPolicy
{
    /// <summary>Nothing: the operator runs in the types that it is given.</summary>
    AsIs,
    /// <summary>They are cast to the scope's type: products, attention.</summary>
    Lower,
    /// <summary>They are cast to float32: losses, products of many elements.</summary>
    Float32,
    /// <summary>They are cast to the widest type among them.</summary>
    Widest,
}

/// <summary>
/// Mixed precision without a change to the model: inside <c>using (Autocast.To(DType.BFloat16))</c> products run in bfloat16 whatever their operands' types, losses in float32, and everything else in the types it is given
/// (PyTorch: <c>torch.autocast("cpu", dtype=torch.bfloat16)</c>, with its lists of operators). Parameters stay float32, and so do their gradients.
/// A backward pass takes the types that its forward pass had, inside the scope or behind it.
/// </summary>
/// <example><code>
/// Tensor loss;
/// using (Autocast.To(DType.BFloat16)) loss = model.Call(x).CrossEntropy(targets);
/// loss.Backward();
/// </code></example>
public static class Autocast
{
    [ThreadStatic] static CastMode t_mode;
    [ThreadStatic] static int t_open; // scopes
    [ThreadStatic] static Dictionary<Tensor, (Tensor Cast, int Version)>? t_casts; // of parameters, until the outermost scope ends

    /// <summary>A scope that casts to float16 or bfloat16. Scopes nest; a <c>ref struct</c> cannot cross an <c>await</c> and leak onto another thread.</summary>
    /// <param name="type">The narrow type.</param>
    /// <param name="enabled">False is a scope without casts.</param>
    /// <param name="cache">True casts a parameter once, however often it is used until the outermost scope ends.</param>
    /// <exception cref="FlambeauException">The type is neither of the two.</exception>
    public static AutocastScope To(DType type, bool enabled = true, bool cache = true)
    {
        if (type is not (DType.BFloat16 or DType.Float16)) throw Errors.Make("Autocast", $"casts to bfloat16 or float16, got {type.Name}; use Autocast.Off() for a scope without casts");
        return Enter(enabled ? new(type, cache) : default);
    }

    /// <summary>A scope without casts, inside one that has them.</summary>
    public static AutocastScope Off() => Enter(default);

    /// <summary>True inside a scope that casts.</summary>
    public static bool IsEnabled => t_mode.IsOn;

    /// <summary>The type that products run in here; null outside of a scope.</summary>
    public static DType? Type => t_mode.IsOn ? t_mode.Type : null;

    /// <summary>What this thread's scopes come to: to be entered again where a forward pass is repeated.</summary>
    internal static CastMode Mode => t_mode;

    internal static AutocastScope Enter(CastMode mode)
    {
        t_open++;
        return new(Exchange(mode));
    }

    internal static CastMode Exchange(CastMode mode)
    {
        var before = t_mode;
        t_mode = mode;
        return before;
    }

    internal static void Leave(CastMode before)
    {
        t_mode = before;
        if (--t_open > 0 || t_casts is not { Count: > 0 }) return;
        foreach (var (cast, _) in t_casts.Values) cast.Dispose();
        t_casts.Clear();
    }

    /// <summary>
    /// For the body of an operator that states a policy: casts what it is given, and runs the rest in the types it then has.
    /// <c>using var cast = Autocast.Enter&lt;Row&gt;(); (x, y) = (cast.Of(x), cast.Of(y));</c>
    /// </summary>
    internal static OperandCasts Enter<TOp>() where TOp : struct, IOperator => t_mode.IsOn ? new(Target(TOp.Autocast), Exchange(default)) : default;

    /// <summary>The operand of an operator that needs no scope.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] // nothing is left of it where the operator has no policy
    internal static Tensor Operand<TOp>(Tensor x) where TOp : struct, IOperator => TOp.Autocast == CastPolicy.AsIs || !t_mode.IsOn ? x : Cast(x, Target(TOp.Autocast), t_mode);

    static DType? Target(CastPolicy policy) => policy switch { CastPolicy.Lower => t_mode.Type, CastPolicy.Float32 => DType.Float32, _ => null };

    internal static Tensor Cast(Tensor x, DType? to, CastMode mode)
    {
        if (to is not { } type || x.DType == type || x.DType == DType.Float64 || !x.DType.IsFloatingPoint || x.IsWrappedNumber) return x;
        return mode.Caches && type != DType.Float32 && x is { IsLeaf: true, RequiresGrad: true, Level: null, View: null } ? OfParameter(x, type) : x.To(type);
    }

    static Tensor OfParameter(Tensor x, DType type)
    {
        t_casts ??= new(ReferenceEqualityComparer.Instance);
        // one made without recording leads no gradient to the parameter
        if (t_casts.TryGetValue(x, out var known) && known.Version == x.Version && known.Cast.DType == type && (known.Cast.RequiresGrad || !GradMode.Enabled)) return known.Cast;
        // whoever is at work drops what it makes, and this is not its own
        using var _ = Temporaries.Suspend();
        var cast = x.To(type);
        cast.Store!.NeverReuse();
        t_casts[x] = (cast, x.Version);
        return cast;
    }
}

/// <summary>What the scopes of a thread come to.</summary>
internal readonly record struct CastMode(DType Type, bool Caches, bool IsOn = true);

/// <summary>A scope of <see cref="Autocast"/>; disposing of it restores what was before.</summary>
public readonly ref struct AutocastScope
{
    readonly CastMode _before;
    internal AutocastScope(CastMode before) => _before = before;
    /// <summary>Restores what was before.</summary>
    public void Dispose() => Autocast.Leave(_before);
}

/// <summary>The casts of one operator's operands; while it is open nothing else is cast.</summary>
internal readonly ref struct OperandCasts(DType? target, CastMode before)
{
    /// <summary>The operand in the type that the operator's policy says.</summary>
    [return: NotNullIfNotNull(nameof(x))]
    public Tensor? Of(Tensor? x) => x is null ? null : Autocast.Cast(x, target, before);

    /// <summary>Several operands; the array itself where nothing is cast.</summary>
    public Tensor[] Of(Tensor[] x)
    {
        if (!before.IsOn) return x;
        var y = new Tensor[x.Length];
        for (int i = 0; i < y.Length; i++) y[i] = Of(x[i]);
        return y;
    }

    /// <summary>The type that <see cref="Of(Tensor)"/> gives an operand.</summary>
    public DType TypeOf(Tensor x) => target is { } type && x.DType.IsFloatingPoint && x.DType != DType.Float64 ? type : x.DType;

    /// <summary>Operands of <see cref="CastPolicy.Widest"/>: float32, unless all are of one narrow type.</summary>
    public void Widen(Span<Tensor> x)
    {
        if (!before.IsOn) return;
        DType? common = null;
        foreach (var t in x)
            if (t.DType.IsFloatingPoint) common = common is { } known ? DTypes.Promote(known, t.DType) : t.DType;
        foreach (ref var t in x) t = Autocast.Cast(t, common, before);
    }

    /// <summary>Lets operators be cast again.</summary>
    public void Dispose()
    {
        if (before.IsOn) Autocast.Exchange(before);
    }
}
