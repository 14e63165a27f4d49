using System.Text;

namespace Flambeau.NN;

/// <summary>What <see cref="Module.LoadStateDict"/> with <c>strict: false</c> left alone.</summary>
/// <param name="Missing">Names the module has and the state lacks.</param>
/// <param name="Unexpected">Names the state has and the module lacks.</param>
public sealed record StateDifference(IReadOnlyList<string> Missing, IReadOnlyList<string> Unexpected);

public abstract partial class Module
{
    /// <summary>
    /// The parameters and persistent buffers under their names, detached, sharing memory with the module (PyTorch: <c>state_dict</c>). A tied parameter appears under each of its names.
    /// </summary>
    public OrderedDictionary<string, Tensor> StateDict()
    {
        var state = new OrderedDictionary<string, Tensor>();
        foreach (var (path, slot) in Persistent()) state.Add(path, slot.Value.Detach());
        return state;
    }

    IEnumerable<(string Path, TensorSlot Slot)> Persistent() => Slots().Where(s => s.Slot.Role != Role.TransientBuffer);

    /// <summary>
    /// Takes over the values of a state (PyTorch: <c>load_state_dict</c>). Everything is checked first; on an error, which lists all that does not fit, nothing has changed.
    /// </summary>
    /// <param name="state">Tensors by name, as <see cref="StateDict"/> gives them or a file holds them.</param>
    /// <param name="strict">False accepts missing and unexpected names and returns them. A name is not missing if the state has its tensor under another name (tied parameters).</param>
    /// <param name="cast">True converts element types that differ; else they are errors.</param>
    /// <param name="assign">True makes the module hold the state's tensors instead of copies of their values: a memory-mapped file is then used in place. The parameters are new tensors, so an optimizer must be made afterwards.</param>
    /// <exception cref="FlambeauException">The state does not fit.</exception>
    public StateDifference LoadStateDict(IReadOnlyDictionary<string, Tensor> state, bool strict = true, bool cast = false, bool assign = false)
    {
        var slots = Persistent().ToList();
        var loaded = new HashSet<Tensor>(slots.Where(s => state.ContainsKey(s.Path)).Select(s => s.Slot.Value), ReferenceEqualityComparer.Instance);
        var missing = slots.Where(s => !loaded.Contains(s.Slot.Value)).ToList();
        var names = slots.Select(s => s.Path).ToHashSet();
        var unexpected = state.Where(entry => !names.Contains(entry.Key)).ToList();

        var wrong = new StringBuilder();
        if (strict)
        {
            foreach (var (path, slot) in missing) wrong.Append($"\n  missing     {path} {Describe(slot.Value)}");
            foreach (var (name, value) in unexpected) wrong.Append($"\n  unexpected  {name} {Describe(value)}");
        }
        foreach (var (path, slot) in slots)
        {
            if (!state.TryGetValue(path, out var value)) continue;
            if (!value.Shape.Equals(slot.Value.Shape)) wrong.Append($"\n  shape       {path} is {Describe(slot.Value)}, the state has {Describe(value)}");
            else if (value.DType != slot.Value.DType && !cast) wrong.Append($"\n  dtype       {path} is {Describe(slot.Value)}, the state has {Describe(value)}; pass cast: true to convert");
        }
        if (wrong.Length > 0)
            throw new FlambeauException($"LoadStateDict: the state does not fit {GetType().Name}; nothing was changed{wrong}{(Errors.UserLine() is { } line ? $"\n  at {line}" : "")}");

        if (assign) Assign(slots, state);
        else
        {
            using var _ = Autograd.NoGrad();
            foreach (var (path, slot) in slots)
                if (state.TryGetValue(path, out var value)) slot.Value.Copy_(value);
        }
        return new([.. missing.Select(s => s.Path)], [.. unexpected.Select(e => e.Key)]);
    }

    static void Assign(List<(string Path, TensorSlot Slot)> slots, IReadOnlyDictionary<string, Tensor> state)
    {
        var given = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (path, slot) in slots)
            if (state.TryGetValue(path, out var value)) given[slot.Value] = Successor(slot, value.To(slot.Value.DType).Detach());
        foreach (var (_, slot) in slots)
            if (given.TryGetValue(slot.Value, out var value)) slot.Assign(value);
    }

    static string Describe(Tensor x) => $"{x.DType.Name}{x.Shape}";

    // the tensor that takes a slot's place: in the same role
    static Tensor Successor(TensorSlot slot, Tensor value) => slot.Role == Role.Parameter ? Parameter(value, slot.Value.RequiresGrad) : value;

    internal void Convert(DType dtype)
    {
        if (!dtype.IsFloatingPoint) throw Errors.Make("To", $"modules hold floating-point numbers; {dtype.Name} is none");
        var converted = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
        using var _ = Autograd.NoGrad();
        foreach (var (_, slot) in Slots().ToList())
        {
            var x = slot.Value;
            if (!x.DType.IsFloatingPoint || x.DType == dtype) continue;
            if (!converted.TryGetValue(x, out var y))
            {
                converted[x] = y = Successor(slot, x.To(dtype));
                if (x.Grad is { } grad) y.Grad = grad.To(dtype);
            }
            slot.Assign(y);
        }
    }
}

/// <summary>What is done to a module and all below it; each returns the module itself, of its own type.</summary>
public static class ModuleExtensions
{
    extension<T>(T module) where T : Module
    {
        /// <summary>Switches to training, or with false to evaluation (PyTorch: <c>train</c>).</summary>
        public T Train(bool mode = true)
        {
            foreach (var m in module.Modules()) m.Training = mode;
            return module;
        }

        /// <summary>Switches to evaluation: no dropout, fixed statistics (PyTorch: <c>eval</c>).</summary>
        public T Eval() => module.Train(false);

        /// <summary>
        /// Converts floating-point parameters, their gradients and buffers to another type (PyTorch: <c>to(dtype)</c>). The parameters are new tensors: make the optimizer afterwards. Ties stay.
        /// </summary>
        public T To(DType dtype)
        {
            module.Convert(dtype);
            return module;
        }

        /// <summary>Calls <paramref name="action"/> with every module, those below first (PyTorch: <c>apply</c>): initialization by type.</summary>
        public T Apply(Action<Module> action)
        {
            // parents come first in the walk
            foreach (var m in module.Modules().Reverse()) action(m);
            return module;
        }

        /// <summary>Freezes (false) or thaws all parameters (PyTorch: <c>requires_grad_</c>).</summary>
        public T RequiresGrad_(bool value = true)
        {
            foreach (var p in module.Parameters()) p.RequiresGrad = value;
            return module;
        }
    }
}
