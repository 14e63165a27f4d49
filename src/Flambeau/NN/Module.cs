using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Flambeau.NN;

/// <summary>
/// A part of a model: it owns parameters, buffers and other modules (PyTorch: <c>nn.Module</c>). They are found without registering:
/// every field or auto-property that holds a module (or an array or list of modules), a tensor made by <see cref="Parameter"/>, or a tensor marked <see cref="BufferAttribute"/>.
/// </summary>
/// <remarks>
/// Names are PyTorch's: the member's in snake case without a leading underscore (<c>QProj</c> → <c>q_proj</c>), joined by dots; <see cref="NameAttribute"/> overrides.
/// The base class's members come first, then the order of declaration. docs/design/modules.md has the reasons.
/// </remarks>
[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields | DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.NonPublicProperties)]
public abstract partial class Module
{
    /// <summary>True while training: dropout drops, running statistics are updated. Set it with <c>Train()</c> and <c>Eval()</c>.</summary>
    public bool Training { get; internal set; } = true;

    /// <summary>
    /// Makes a tensor a parameter: a leaf that requires a gradient and that a module holding it trains, saves and moves (PyTorch: <c>nn.Parameter</c>).
    /// <c>Weight = Parameter(Init.Normal_(Tensor.Empty(4, 3)));</c>
    /// </summary>
    /// <param name="value">Floating point (or of whole numbers with <paramref name="requiresGrad"/> false). A leaf is marked itself; of a result, a detached tensor with the same memory is.</param>
    /// <param name="requiresGrad">False makes a frozen parameter.</param>
    public static Tensor Parameter(Tensor value, bool requiresGrad = true)
    {
        if (requiresGrad) WarmUp.Begin();
        var leaf = value.IsLeaf ? value : value.Detach();
        leaf.RequiresGrad = requiresGrad;
        return NN.Parameters.Mark(leaf);
    }

    /// <summary>A parameter as it is, frozen or not; another tensor as a new parameter.</summary>
    private protected static Tensor AsParameter(Tensor value) => NN.Parameters.Contains(value) ? value : Parameter(value);

    // ---- what it owns ----

    internal virtual IEnumerable<TensorSlot> OwnTensors() => Members.Of(this).Tensors(this);
    internal virtual IEnumerable<ChildSlot> OwnChildren() => Members.Of(this).Children(this);

    /// <summary>This module and all below with their paths, parents first, each once (PyTorch: <c>named_modules</c>). This module's path is empty.</summary>
    public IEnumerable<(string Name, Module Module)> NamedModules()
    {
        var seen = new HashSet<Module>(ReferenceEqualityComparer.Instance);
        foreach (var m in Walk("", null))
            if (seen.Add(m.Module)) yield return m;
    }

    /// <summary>This module and all below, each once (PyTorch: <c>modules</c>).</summary>
    public IEnumerable<Module> Modules() => NamedModules().Select(m => m.Module);

    /// <summary>The modules directly below with their names (PyTorch: <c>named_children</c>).</summary>
    public IEnumerable<(string Name, Module Module)> NamedChildren() => OwnChildren().Select(c => (c.Name, c.Value));

    /// <summary>The modules directly below (PyTorch: <c>children</c>).</summary>
    public IEnumerable<Module> Children() => OwnChildren().Select(c => c.Value);

    /// <summary>The parameters of this module and, unless <paramref name="recurse"/> is false, of all below; a tied one once, under its first name (PyTorch: <c>named_parameters</c>).</summary>
    public IEnumerable<(string Name, Tensor Value)> NamedParameters(bool recurse = true) => Distinct(recurse, s => s.Role == Role.Parameter);

    /// <summary>The parameters, each once (PyTorch: <c>parameters</c>).</summary>
    public IEnumerable<Tensor> Parameters(bool recurse = true) => NamedParameters(recurse).Select(p => p.Value);

    /// <summary>The buffers, each once, persistent or not (PyTorch: <c>named_buffers</c>).</summary>
    public IEnumerable<(string Name, Tensor Value)> NamedBuffers(bool recurse = true) => Distinct(recurse, s => s.Role != Role.Parameter);

    /// <summary>The buffers, each once (PyTorch: <c>buffers</c>).</summary>
    public IEnumerable<Tensor> Buffers(bool recurse = true) => NamedBuffers(recurse).Select(b => b.Value);

    IEnumerable<(string, Tensor)> Distinct(bool recurse, Func<TensorSlot, bool> wanted)
    {
        // an iterator: each enumeration begins anew
        var seen = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (path, slot) in Slots(recurse))
            if (wanted(slot) && seen.Add(slot.Value)) yield return (path, slot.Value);
    }

    // every tensor under every name it has
    internal IEnumerable<(string Path, TensorSlot Slot)> Slots(bool recurse = true) =>
        from m in recurse ? Walk("", null) : [("", this)]
        from slot in m.Module.OwnTensors()
        select (Join(m.Path, slot.Name), slot);

    sealed record Ancestors(Module Module, Ancestors? Above);

    // parents first; a module held twice appears under both names
    IEnumerable<(string Path, Module Module)> Walk(string path, Ancestors? above)
    {
        for (var a = above; a is not null; a = a.Above)
            if (ReferenceEquals(a.Module, this)) throw new FlambeauException($"{GetType().Name}: the module at \"{path}\" contains itself. Mark the member that refers back with [Unregistered].");
        yield return (path, this);
        var line = new Ancestors(this, above);
        foreach (var child in OwnChildren())
            foreach (var below in child.Value.Walk(Join(path, child.Name), line)) yield return below;
    }

    internal static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";

    /// <summary>Forgets all gradients (PyTorch: <c>zero_grad(set_to_none=True)</c>).</summary>
    public void ZeroGrad()
    {
        using var _ = Diagnostics.Recording.Part("ZeroGrad", Diagnostics.ProfileKind.Optimizer);
        foreach (var p in Parameters()) p.ForgetGrad();
    }

    // ---- printing ----

    /// <summary>What <see cref="ToString"/> shows between the parentheses: <c>in_features=3, out_features=4, bias=True</c> (PyTorch: <c>extra_repr</c>).</summary>
    protected virtual string ExtraRepr() => "";

    /// <summary>The tree of modules as PyTorch prints it.</summary>
    public override string ToString()
    {
        string name = GetType().Name.Split('`')[0], extra = ExtraRepr();
        var lines = Lines();
        if (lines.Count == 0) return $"{name}({extra})";
        var text = new StringBuilder($"{name}({extra}");
        foreach (string line in lines) text.Append("\n  ").Append(line.Replace("\n", "\n  ", StringComparison.Ordinal));
        return text.Append("\n)").ToString();
    }

    internal virtual List<string> Lines() => [.. OwnChildren().Select(c => $"({c.Name}): {c.Value}")];
}
