using Flambeau.Diagnostics;

namespace Flambeau.Optim;

/// <summary>
/// Dynamic loss scaling for gradients in float16, whose small ones would become 0: the loss is multiplied before the backward pass and the gradients are divided after it. A step whose gradients are not all finite
/// is left out and the scale sinks; after many good ones it rises (Micikevicius et al. 2018, "Mixed precision training"; PyTorch: <c>torch.amp.GradScaler</c>). bfloat16 has float32's range and needs none.
/// </summary>
/// <example><code>
/// scaler.Scale(loss).Backward();
/// scaler.Unscale(optimizer);                            // only where something reads the gradients before the step
/// Gradients.ClipNorm(model.Parameters(), 1);
/// scaler.Step(optimizer);
/// scaler.Update();
/// </code></example>
public sealed class GradScaler
{
    readonly Dictionary<Optimizer, Stage> _stages = [];
    double _scale, _growth, _backoff;
    long _interval, _good; // steps in a row

    // of an optimizer since the last Update
    readonly record struct Stage(bool FoundNonfinite, bool Stepped);

    /// <summary>A scaler with PyTorch's defaults.</summary>
    /// <param name="initScale">The first scale.</param>
    /// <param name="growthFactor">What the scale is multiplied by after <paramref name="growthInterval"/> good steps in a row; more than 1.</param>
    /// <param name="backoffFactor">What it is multiplied by after a step that was left out; less than 1.</param>
    /// <param name="growthInterval">Good steps before the scale rises.</param>
    /// <param name="enabled">False passes everything through.</param>
    /// <exception cref="FlambeauException">A number is out of its range.</exception>
    public GradScaler(double initScale = 65536, double growthFactor = 2, double backoffFactor = 0.5, long growthInterval = 2000, bool enabled = true)
    {
        Check(initScale, growthFactor, backoffFactor, growthInterval);
        (_scale, _growth, _backoff, _interval, IsEnabled) = (initScale, growthFactor, backoffFactor, growthInterval, enabled);
    }

    static void Check(double scale, double growth, double backoff, double interval)
    {
        static void Require(bool holds, string law, double value)
        {
            if (!holds) throw new FlambeauException($"GradScaler: {law}, got {value}");
        }
        Require(scale > 0 && double.IsFinite(scale), "the scale must be positive and finite", scale);
        Require(growth > 1 && double.IsFinite(growth), "the growth factor must be more than 1 and finite", growth);
        Require(backoff is > 0 and < 1, "the backoff factor must lie between 0 and 1", backoff);
        Require(interval >= 1, "the growth interval must be at least 1", interval);
    }

    /// <summary>False if everything is passed through.</summary>
    public bool IsEnabled { get; }

    /// <summary>What losses are multiplied by now (PyTorch: <c>get_scale</c>).</summary>
    public double CurrentScale => IsEnabled ? _scale : 1;

    /// <summary>The loss times the scale, in float32 at least: 65,536 is no float16.</summary>
    public Tensor Scale(Tensor loss) => IsEnabled ? loss.To(UpdateLoop.StateType(loss.DType)) * _scale : loss;

    /// <summary>
    /// Divides the gradients of the optimizer's parameters by the scale, all in one parallel region, and sees whether they are finite; for whoever reads them before <see cref="Step"/>. Those in float16 become float32, which holds what float16 would not.
    /// </summary>
    /// <exception cref="FlambeauException">They were divided already, or the optimizer stepped, since the last <see cref="Update"/>.</exception>
    public void Unscale(Optimizer optimizer)
    {
        if (!IsEnabled) return;
        if (_stages.TryGetValue(optimizer, out var stage))
            throw new FlambeauException($"GradScaler.Unscale: {(stage.Stepped ? $"{optimizer.Name} stepped" : $"the gradients of {optimizer.Name} were unscaled")} since the last Update(); unscale once, before Step");
        using var scope = Recording.Part("Unscale", ProfileKind.Optimizer);
        _stages[optimizer] = new(!Gradients.Unscale(optimizer.Groups.SelectMany(group => group.Parameters), 1 / _scale), false);
    }

    /// <summary>The optimizer's step, unless a gradient is infinite or NaN: then nothing of it changes. Unscales first, where that was not done.</summary>
    /// <returns>True if the step was made.</returns>
    /// <exception cref="FlambeauException">The optimizer stepped since the last <see cref="Update"/>.</exception>
    public bool Step(Optimizer optimizer)
    {
        if (IsEnabled)
        {
            if (!_stages.TryGetValue(optimizer, out var stage))
            {
                Unscale(optimizer);
                stage = _stages[optimizer];
            }
            if (stage.Stepped) throw new FlambeauException($"GradScaler.Step: {optimizer.Name} stepped since the last Update(); call Update() after each step");
            _stages[optimizer] = stage with { Stepped = true };
            if (stage.FoundNonfinite) return false;
        }
        optimizer.Step();
        return true;
    }

    /// <summary>Sets the scale for the next step: lower if a gradient of any optimizer was not finite, higher after enough good steps in a row. Call it once after all steps.</summary>
    /// <param name="newScale">The scale to take instead.</param>
    /// <exception cref="FlambeauException">There was no step, or the new scale is not positive.</exception>
    public void Update(double? newScale = null)
    {
        if (!IsEnabled) return;
        if (newScale is { } given)
        {
            Check(given, _growth, _backoff, _interval);
            _scale = given;
        }
        else
        {
            if (_stages.Count == 0) throw new FlambeauException("GradScaler.Update: no optimizer was unscaled or stepped since the last Update()");
            Adapt(_stages.Values.Any(stage => stage.FoundNonfinite));
        }
        _stages.Clear();
    }

    void Adapt(bool foundNonfinite)
    {
        if (foundNonfinite)
        {
            _scale *= _backoff;
            _good = 0;
        }
        else if (++_good >= _interval)
        {
            // beyond float32 every loss would be infinite
            if (float.IsFinite((float)(_scale * _growth))) _scale *= _growth;
            _good = 0;
        }
    }

    /// <summary>All that later steps depend on, under PyTorch's names: <c>scale</c>, <c>growth_factor</c>, <c>backoff_factor</c> (float64), <c>growth_interval</c>, <c>_growth_tracker</c> (int64). Empty if it is not enabled.</summary>
    public OrderedDictionary<string, Tensor> StateDict() => !IsEnabled ? [] : new()
    {
        ["scale"] = Tensor.FromScalar(_scale, DType.Float64), ["growth_factor"] = Tensor.FromScalar(_growth, DType.Float64), ["backoff_factor"] = Tensor.FromScalar(_backoff, DType.Float64),
        ["growth_interval"] = Tensor.FromScalar(_interval), ["_growth_tracker"] = Tensor.FromScalar(_good),
    };

    /// <summary>Continues from a saved state.</summary>
    /// <exception cref="FlambeauException">A number is missing or out of its range; nothing was changed.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        if (!IsEnabled) return;
        double Number(string name) => state.TryGetValue(name, out var x) && x.Numel == 1 ? x.Item()
            : throw new FlambeauException($"GradScaler.LoadStateDict: the state needs one number {name}, it has {(state.Count == 0 ? "nothing (of a scaler that was not enabled?)" : string.Join(", ", state.Select(s => $"{s.Key} {s.Value.Shape}")))}");
        var (scale, growth, backoff, interval, good) = (Number("scale"), Number("growth_factor"), Number("backoff_factor"), Number("growth_interval"), Number("_growth_tracker"));
        Check(scale, growth, backoff, interval);
        (_scale, _growth, _backoff, _interval, _good) = (scale, growth, backoff, (long)interval, (long)good);
    }
}
