using System.Text;
using Flambeau.Diagnostics;

namespace Flambeau.Optim;

/// <summary>
/// Changes parameters by their gradients (PyTorch: <c>torch.optim.Optimizer</c>). Parameters come in groups with options of their own; a state is kept for each parameter that ever had a gradient.
/// </summary>
/// <remarks>
/// States of float16 and bfloat16 parameters are float32, and so is the copy that steps change (<see cref="ParameterGroup.MasterWeights"/>); the parameter is that copy, rounded once.
/// Whoever writes to the parameter between steps is followed: an element that the copy no longer rounds to counts. Everything else is in the parameter's own type.
/// </remarks>
public abstract class Optimizer
{
    const string Master = "master";

    readonly Slot[] _slots; // parameters are counted over the groups
    readonly Updates _updates = new();
    readonly bool _sharesMemory;

    struct Slot
    {
        public ParameterGroup Group;
        public Tensor Parameter;
        public ParameterState? State;
    }

    /// <summary>An optimizer of the given groups.</summary>
    /// <exception cref="FlambeauException">There is no parameter, one occurs twice or is no leaf of floating-point numbers, or an option is out of its range.</exception>
    private protected Optimizer(IEnumerable<ParameterGroup> groups)
    {
        Groups = [.. groups];
        var seen = new HashSet<Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var group in Groups)
        {
            group.Validate(Name);
            foreach (var p in group.Parameters)
            {
                if (!seen.Add(p)) throw Errors.Make(Name, "a parameter is given twice; a tied parameter belongs to one group", ("param", p));
                if (!p.IsLeaf) throw Errors.Make(Name, "a parameter is the result of an operator; only leaves can be optimized", ("param", p));
                if (!p.DType.IsFloatingPoint) throw Errors.Make(Name, $"a parameter has the element type {p.DType.Name}; only floating-point numbers can be optimized", ("param", p));
            }
        }
        _slots = [.. Groups.SelectMany(group => group.Parameters, (group, p) => new Slot { Group = group, Parameter = p })];
        _sharesMemory = _slots.DistinctBy(slot => slot.Parameter.Store).Count() < _slots.Length;
        if (seen.Count == 0) throw new FlambeauException($"{Name}: there are no parameters. Does the model hold its tensors with Parameter(…)?");
    }

    internal string Name => GetType().Name;

    /// <summary>The groups.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>The learning rate of the first group; setting it sets that of all groups.</summary>
    public double LearningRate
    {
        get => Groups[0].LearningRate;
        set { foreach (var group in Groups) group.LearningRate = value; }
    }

    /// <summary>Updates every parameter that has a gradient, all in one parallel region.</summary>
    /// <exception cref="FlambeauException">An option was set outside of its range; no parameter was changed.</exception>
    public void Step()
    {
        using var scope = Recording.Part(Name, "Step", ProfileKind.Optimizer);
        using var _ = Autograd.NoGrad();
        using var casts = Autocast.Off();
        foreach (var group in Groups) group.Validate(Name);
        try
        {
            foreach (ref var slot in _slots.AsSpan())
            {
                if (slot.Parameter.Meta?.PassingGrad is not { } g) continue;
                var state = slot.State ??= new(StateNames(slot.Group).Count);
                state.Master = !slot.Group.MasterWeights || slot.Parameter.DType == UpdateLoop.StateType(slot.Parameter.DType) ? null : state.Master ?? MasterOf(slot.Parameter);
                Update(slot.Group, slot.Parameter, g, state, _updates);
                // what may overlap is updated in turn
                if (_sharesMemory) _updates.Run();
            }
        }
        finally
        {
            // those before one that cannot be updated have counted their step
            _updates.Finish();
        }
    }

    static Tensor MasterOf(Tensor p)
    {
        var master = Tensor.Empty(p.Shape, UpdateLoop.StateType(p.DType));
        return master.Copy_(p);
    }

    /// <summary>Forgets all gradients (PyTorch: <c>zero_grad(set_to_none=True)</c>).</summary>
    public void ZeroGrad()
    {
        using var _ = Recording.Part("ZeroGrad", ProfileKind.Optimizer);
        foreach (var group in Groups) foreach (var p in group.Parameters) p.ForgetGrad();
    }

    /// <summary>One step of one parameter: adds its update, or makes it.</summary>
    private protected abstract void Update(ParameterGroup group, Tensor p, Tensor g, ParameterState state, Updates updates);

    /// <summary>The names of the states that a parameter of the group can have.</summary>
    private protected abstract IReadOnlyList<string> StateNames(ParameterGroup group);

    // ---- saving and restoring ----

    /// <summary>
    /// All that a later step depends on, as tensors to be saved with the model: PyTorch's structure with its levels joined by dots. <c>state.3.exp_avg</c> (parameters are counted over the groups),
    /// <c>state.3.step</c> (float64), <c>state.3.master</c> (float32, of a float16 or bfloat16 parameter), <c>param_groups.0.lr</c> (float64 or bool) and <c>param_groups.0.params</c> (int64). States are copies: later steps do not change them.
    /// </summary>
    public OrderedDictionary<string, Tensor> StateDict()
    {
        var result = new OrderedDictionary<string, Tensor>();
        using var _ = Autograd.NoGrad();
        int index = 0;
        for (int g = 0; g < Groups.Count; g++)
        {
            int first = index;
            var names = StateNames(Groups[g]);
            for (; index < _slots.Length && ReferenceEquals(_slots[index].Group, Groups[g]); index++)
            {
                if (_slots[index].State is not { Step: > 0 } state) continue;
                result.Add($"state.{index}.step", Tensor.FromScalar((double)state.Step, DType.Float64));
                for (int k = 0; k < names.Count; k++) if (state.Has(k)) result.Add($"state.{index}.{names[k]}", state[k]!.Clone());
                if (state.Master is { } master) result.Add($"state.{index}.{Master}", master.Clone());
            }
            Groups[g].Options(new Writer(result, $"param_groups.{g}."));
            result.Add($"param_groups.{g}.params", Tensor.Arange(first, index, 1));
        }
        return result;
    }

    /// <summary>Continues from a saved state: options and states become exactly what they were. Everything is checked first; on an error nothing has changed.</summary>
    /// <exception cref="FlambeauException">Groups, parameter counts, names, shapes or element types differ; all differences are listed.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        var wrong = new StringBuilder();
        var known = new HashSet<string>();
        var loaded = new ParameterState?[_slots.Length];
        int index = 0;
        using var _ = Autograd.NoGrad();
        for (int g = 0; g < Groups.Count; g++)
        {
            int first = index;
            foreach (var p in Groups[g].Parameters)
            {
                loaded[index] = Restore(state, index, Groups[g], p, known, wrong);
                index++;
            }
            Groups[g].Options(new Checker(state, $"param_groups.{g}.", known, wrong));
            string key = $"param_groups.{g}.params";
            known.Add(key);
            if (!state.TryGetValue(key, out var indices)) wrong.Append($"\n  missing     {key}");
            else if (!indices.ToArray<long>().AsSpan().SequenceEqual(Tensor.Arange(first, index, 1).AsSpan<long>()))
                wrong.Append($"\n  parameters  group {g} has {index - first} of them from number {first}, the state has [{string.Join(", ", indices.ToArray<long>().Take(3))}, …] ({indices.Numel})");
        }
        foreach (string name in state.Keys) if (!known.Contains(name)) wrong.Append($"\n  unexpected  {name}");
        if (wrong.Length > 0) throw new FlambeauException($"{Name}.LoadStateDict: the state does not fit; nothing was changed{wrong}{(Errors.UserLine() is { } line ? $"\n  at {line}" : "")}");
        for (int i = 0; i < loaded.Length; i++) _slots[i].State = loaded[i];
        for (int g = 0; g < Groups.Count; g++) Groups[g].Options(new Reader(state, $"param_groups.{g}."));
    }

    ParameterState? Restore(IReadOnlyDictionary<string, Tensor> state, int index, ParameterGroup group, Tensor p, HashSet<string> known, StringBuilder wrong)
    {
        string prefix = $"state.{index}.";
        known.Add(prefix + "step");
        var names = StateNames(group);
        foreach (string name in names) known.Add(prefix + name);
        known.Add(prefix + Master);
        if (!state.TryGetValue(prefix + "step", out var step)) return null;
        var restored = new ParameterState(names.Count) { Step = step.Numel == 1 ? (long)step.Item() : 0 };
        if (restored.Step <= 0) wrong.Append($"\n  value       {prefix}step must be one positive number");
        for (int k = 0; k < names.Count; k++) restored[k] = Restore(state, prefix + names[k], p, wrong);
        restored.Master = Restore(state, prefix + Master, p, wrong);
        return restored;
    }

    static Tensor? Restore(IReadOnlyDictionary<string, Tensor> state, string name, Tensor p, StringBuilder wrong)
    {
        if (!state.TryGetValue(name, out var value)) return null;
        var type = UpdateLoop.StateType(p.DType);
        if (value.Shape.Equals(p.Shape) && value.DType == type) return value.Detach().Clone();
        wrong.Append($"\n  shape       {name} needs {type.Name}{p.Shape}, the state has {value.DType.Name}{value.Shape}");
        return null;
    }

    sealed class Writer(OrderedDictionary<string, Tensor> into, string prefix) : IOptionVisitor
    {
        public double Number(string name, double value) { into.Add(prefix + name, Tensor.FromScalar(value, DType.Float64)); return value; }
        public bool Flag(string name, bool value) { into.Add(prefix + name, Tensor.FromScalar(value, DType.Bool)); return value; }
    }

    sealed class Checker(IReadOnlyDictionary<string, Tensor> from, string prefix, HashSet<string> known, StringBuilder wrong) : IOptionVisitor
    {
        public double Number(string name, double value) { Check(name); return value; }
        public bool Flag(string name, bool value) { Check(name); return value; }

        void Check(string name)
        {
            known.Add(prefix + name);
            if (!from.TryGetValue(prefix + name, out var x)) wrong.Append($"\n  missing     {prefix}{name}");
            else if (x.Numel != 1) wrong.Append($"\n  shape       {prefix}{name} must be one number, the state has {x.DType.Name}{x.Shape}");
        }
    }

    sealed class Reader(IReadOnlyDictionary<string, Tensor> from, string prefix) : IOptionVisitor
    {
        public double Number(string name, double value) => from[prefix + name].Item();
        public bool Flag(string name, bool value) => from[prefix + name].Item() != 0;
    }
}

/// <summary>What an optimizer remembers of one parameter: running averages, numbered as the optimizer names them.</summary>
internal sealed class ParameterState(int count)
{
    readonly Tensor?[] _tensors = new Tensor?[count];

    /// <summary>Steps taken.</summary>
    public long Step;

    /// <summary>What steps change instead of a parameter of half precision, if anything.</summary>
    public Tensor? Master;

    public Tensor? this[int index] { get => _tensors[index]; set => _tensors[index] = value; }

    public bool Has(int index) => _tensors[index] is not null;

    /// <summary>The state of that number; zeros at first.</summary>
    public Tensor Get(int index, Tensor parameter) => _tensors[index] ??= Tensor.ZerosLike(parameter, UpdateLoop.StateType(parameter.DType));
}
