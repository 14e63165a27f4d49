using Flambeau.Transforms;

namespace Flambeau;

/// <summary>Automatic differentiation: scopes, gradients without <c>.Grad</c>, forward mode, batching, checkpointing (PyTorch: <c>torch.autograd</c>, <c>torch.func</c>).</summary>
public static partial class Autograd
{
    /// <summary>True records where each operator is called and checks every gradient for NaN: slow, for finding an error (PyTorch: <c>set_detect_anomaly</c>).</summary>
    public static bool AnomalyMode { get; set; }

    /// <summary>True if operators are recorded on this thread.</summary>
    public static bool IsGradEnabled => GradMode.Enabled;

    /// <summary>A scope without recording: <c>using var _ = Autograd.NoGrad();</c>.</summary>
    public static GradScope NoGrad() => new(enable: false);

    /// <summary>A scope for inference: as <see cref="NoGrad"/> (PyTorch: <c>inference_mode</c>).</summary>
    public static GradScope InferenceMode() => new(enable: false);

    /// <summary>A scope with recording, inside one without.</summary>
    public static GradScope EnableGrad() => new(enable: true);

    /// <summary>
    /// The gradients of the sum of <paramref name="outputs"/> (each weighted by its <paramref name="gradOutputs"/>, all ones if null) with respect to <paramref name="inputs"/>;
    /// nothing is accumulated into <c>.Grad</c> (PyTorch: <c>torch.autograd.grad</c>).
    /// </summary>
    /// <param name="outputs">What is differentiated; scalars unless gradOutputs are given.</param>
    /// <param name="inputs">With respect to what; leaves or results.</param>
    /// <param name="gradOutputs">One gradient an output, of its shape.</param>
    /// <param name="retainGraph">Keeps what was saved, for another pass; by default as <paramref name="createGraph"/>.</param>
    /// <param name="createGraph">Records the backward pass itself, so that gradients can be differentiated.</param>
    /// <param name="allowUnused">Gives null for inputs that the outputs do not depend on, instead of an error.</param>
    /// <exception cref="FlambeauException">An output has no graph, or an input is unused and <paramref name="allowUnused"/> is false.</exception>
    public static Tensor?[] Grad(Tensor[] outputs, Tensor[] inputs, Tensor?[]? gradOutputs = null, bool? retainGraph = null, bool createGraph = false, bool allowUnused = false)
    {
        var captured = new Dictionary<AutogradMeta, Tensor?>();
        foreach (var x in inputs)
        {
            if (x.Meta is not { NeedsGrad: true }) throw Errors.Make("Grad", "an input does not require a gradient; set RequiresGrad before computing with it", ("input", x));
            _ = Tape.NodeOf(x, out _); // a view's node follows writes to its base
            captured[x.Meta] = null;
        }
        var gradients = Seeds("Grad", outputs, gradOutputs);
        BackwardPass.Run(outputs, gradients, retainGraph ?? createGraph, createGraph, captured);
        var result = new Tensor?[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            result[i] = captured[inputs[i].Meta!];
            if (result[i] is null && !allowUnused) throw Errors.Make("Grad", $"the outputs do not depend on input {i}; pass allowUnused: true to get null for it", ("input", inputs[i]));
        }
        return result;
    }

    /// <summary>The gradient of one scalar with respect to one tensor.</summary>
    public static Tensor Grad(Tensor output, Tensor input, bool createGraph = false, bool? retainGraph = null) =>
        Grad([output], [input], null, retainGraph, createGraph)[0]!;

    internal static Tensor[] Seeds(string op, Tensor[] outputs, Tensor?[]? gradients)
    {
        if (gradients is not null && gradients.Length != outputs.Length) throw Errors.Make(op, $"{outputs.Length} outputs, {gradients.Length} gradients");
        var seeds = new Tensor[outputs.Length];
        for (int i = 0; i < outputs.Length; i++)
        {
            var y = outputs[i];
            if (y.Meta is not { NeedsGrad: true })
                throw Errors.Make(op, "the tensor has no graph: no operand required a gradient, or it was computed inside Autograd.NoGrad()", ("tensor", y));
            if (gradients?[i] is { } g)
            {
                if (!g.Shape.Equals(y.Shape)) throw Errors.Make(op, $"the gradient has shape {g.Shape}, its tensor {y.Shape}", ("tensor", y), ("grad", g));
                seeds[i] = g.To(y.DType);
            }
            else if (y.Numel == 1) seeds[i] = Tensor.OnesLike(y);
            else throw Errors.Make(op, $"a gradient is implied for a tensor of one element only, this one has {y.Numel}; reduce it (Sum, Mean) or pass the gradient", ("tensor", y));
        }
        return seeds;
    }

    /// <summary>
    /// Runs <paramref name="function"/> once for a batch: it sees one element (without dimension <paramref name="inDim"/>), the machine computes all (PyTorch: <c>torch.func.vmap</c>).
    /// Results get the batch as their first dimension.
    /// </summary>
    public static Func<Tensor, Tensor> Vmap(Func<Tensor, Tensor> function, int inDim = 0) => x => Vmap(xs => function(xs[0]), [x], [inDim]);

    /// <summary>As the form of one operand; an operand whose dim is null is shared by the whole batch.</summary>
    public static Tensor Vmap(Func<Tensor[], Tensor> function, Tensor[] operands, int?[]? inDims = null)
    {
        long? size = null;
        for (int i = 0; i < operands.Length; i++)
        {
            if ((inDims is null ? 0 : inDims[i]) is not { } dim) continue;
            long n = operands[i].Size(dim);
            if (operands[i].Rank == 0) throw Errors.Make("Vmap", $"operand {i} is 0-dim and has no batch; pass null as its dim to share it", ("x", operands[i]));
            if (size is { } known && known != n) throw Errors.Make("Vmap", $"batch sizes differ: {known} and {n} (operand {i}, dim {dim})", ("x", operands[i]));
            size = n;
        }
        if (size is null) throw Errors.Make("Vmap", "no operand carries a batch: every dim is null");
        var vmap = new Transforms.Vmap(size.Value);
        var lifted = new Tensor[operands.Length];
        for (int i = 0; i < operands.Length; i++)
            lifted[i] = (inDims is null ? 0 : inDims[i]) is { } dim ? vmap.Lift(operands[i].MoveDim(dim, 0)) : operands[i];
        return vmap.Lower(function(lifted));
    }

    /// <summary>
    /// f(x) and the derivative of f at x along <paramref name="tangents"/>, in one forward pass (PyTorch: <c>torch.func.jvp</c>).
    /// </summary>
    public static (Tensor Value, Tensor Tangent) Jvp(Func<Tensor[], Tensor> function, Tensor[] x, Tensor[] tangents)
    {
        if (x.Length != tangents.Length) throw Errors.Make("Jvp", $"{x.Length} operands, {tangents.Length} tangents");
        var jvp = new Transforms.Jvp();
        var lifted = new Tensor[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            if (!x[i].Shape.Equals(tangents[i].Shape)) throw Errors.Make("Jvp", $"operand {i} has shape {x[i].Shape}, its tangent {tangents[i].Shape}", ("x", x[i]), ("t", tangents[i]));
            lifted[i] = jvp.Lift(x[i], tangents[i]);
        }
        var y = function(lifted);
        return (jvp.Primal(y), jvp.DirectionOf(y) ?? Tensor.ZerosLike(jvp.Primal(y)));
    }

    /// <summary>As the general form, for one operand.</summary>
    public static (Tensor Value, Tensor Tangent) Jvp(Func<Tensor, Tensor> function, Tensor x, Tensor tangent) => Jvp(xs => function(xs[0]), [x], [tangent]);
}

public sealed partial class Tensor
{
    /// <summary>True if gradients with respect to this tensor can be asked for. Setting it makes a leaf record what is computed from it.</summary>
    /// <exception cref="FlambeauException">Set on a tensor of whole numbers or bool, or switched off on a result.</exception>
    public bool RequiresGrad
    {
        get => Meta is { NeedsGrad: true };
        set
        {
            if (value && !DType.IsFloatingPoint) throw Errors.Make("RequiresGrad", $"only floating-point tensors have gradients, this one is {DType.Name}; cast it first", ("tensor", this));
            if (Meta?.Node is not null)
            {
                if (!value) throw Errors.Make("RequiresGrad", "can only be switched off on leaves; use Detach() for a copy without history", ("tensor", this));
                return;
            }
            if (value) (Meta ??= new()).RequiresGrad = true;
            else if (Meta is not null) Meta.RequiresGrad = false;
        }
    }

    /// <summary>This leaf itself, recording (PyTorch: <c>requires_grad_()</c>).</summary>
    public Tensor RequiresGrad_(bool value = true)
    {
        RequiresGrad = value;
        return this;
    }

    /// <summary>The gradient accumulated by <see cref="Backward"/>; null before the first.</summary>
    public Tensor? Grad
    {
        get => Meta?.Grad;
        set
        {
            if (value is not null && !value.Shape.Equals(Shape)) throw Errors.Make("Grad", $"a gradient has its tensor's shape {Shape}, got {value.Shape}", ("tensor", this), ("grad", value));
            if (value is not null || Meta is not null) (Meta ??= new()).Grad = value;
        }
    }

    /// <summary>Forgets the gradient; memory that only it used serves the next one.</summary>
    internal void ForgetGrad() => Meta?.ForgetGrad();

    /// <summary>True for tensors that no recorded operator produced.</summary>
    public bool IsLeaf => Meta?.Node is null;

    /// <summary>The name of the operator that produced this tensor on the tape; null for leaves.</summary>
    public string? GradFn => Meta?.Node?.Name;

    /// <summary>
    /// Accumulates into <c>.Grad</c> of every leaf the derivative of this tensor with respect to it (PyTorch: <c>backward</c>). What was saved is freed as it is consumed.
    /// </summary>
    /// <param name="gradient">The gradient of whatever is differentiated with respect to this tensor; 1 if it has one element.</param>
    /// <param name="retainGraph">Keeps what was saved, for another pass.</param>
    /// <param name="createGraph">Records the backward pass, so that gradients can be differentiated.</param>
    /// <exception cref="FlambeauException">The tensor has no graph, has several elements without a gradient given, or the graph was consumed.</exception>
    public void Backward(Tensor? gradient = null, bool retainGraph = false, bool createGraph = false) =>
        BackwardPass.Run([this], Autograd.Seeds("Backward", [this], [gradient]), retainGraph || createGraph, createGraph);

    /// <summary>The same elements without history, sharing memory (PyTorch: <c>detach</c>).</summary>
    public Tensor Detach() => Level is null ? Detached() : Ops.DetachOp.Instance.Apply(this);

    internal Tensor Detached() => Alias();

    /// <summary>Keeps the gradient of this result in <c>.Grad</c> too (PyTorch: <c>retain_grad</c>).</summary>
    public void RetainGrad()
    {
        if (Meta is not { NeedsGrad: true }) throw Errors.Make("RetainGrad", "the tensor does not require a gradient", ("tensor", this));
        Meta.RetainGrad = true;
    }

    /// <summary>Calls <paramref name="hook"/> with the gradient of this tensor when it is complete; what it returns, if not null, replaces the gradient (PyTorch: <c>register_hook</c>). Dispose of the result to remove it.</summary>
    public IDisposable RegisterHook(Func<Tensor, Tensor?> hook)
    {
        if (Meta is not { NeedsGrad: true }) throw Errors.Make("RegisterHook", "the tensor does not require a gradient", ("tensor", this));
        var hooks = Meta.Hooks ??= [];
        hooks.Add(hook);
        return new Removal(() => hooks.Remove(hook));
    }

    /// <summary>Calls <paramref name="action"/> after a backward pass has accumulated this leaf's gradient (PyTorch: <c>register_post_accumulate_grad_hook</c>).</summary>
    public IDisposable RegisterPostAccumulateGradHook(Action<Tensor> action)
    {
        if (Meta is not { RequiresGrad: true }) throw Errors.Make("RegisterPostAccumulateGradHook", "the tensor is not a leaf that requires a gradient", ("tensor", this));
        var actions = Meta.AfterAccumulate ??= [];
        void Call(Tensor grad) => action(grad);
        Action<Tensor> added = Call;
        actions.Add(added);
        return new Removal(() => actions.Remove(added));
    }

    sealed class Removal(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
