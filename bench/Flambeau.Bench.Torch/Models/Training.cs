using Flambeau.Bench.Torch.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>Training steps of a language model on one fixed batch: forward, cross entropy, backward, AdamW.</summary>
internal sealed class Training
{
    private readonly ILanguageModel _model;
    private readonly Action _update;
    private readonly Tensor _inputs, _targets;

    /// <param name="fused">PyTorch's fused AdamW; otherwise TorchSharp's, operator by operator.</param>
    public Training(ILanguageModel model, long batch, long context, long vocabulary, bool fused, double rate = 3e-4)
    {
        _model = model;
        var tokens = randint(vocabulary, [batch, context + 1], dtype: ScalarType.Int64);
        _inputs = tokens[TensorIndex.Colon, TensorIndex.Slice(0, context)].contiguous();
        _targets = tokens[TensorIndex.Colon, TensorIndex.Slice(1)].reshape(-1);
        _update = fused
            ? new FusedAdamW(model.Parameters.All, rate).Step
            : Composed(model.Parameters.All, rate);
    }

    /// <summary>One step. Nobody reads the loss, so nothing waits for it.</summary>
    public void Step() => Step(readLoss: false);

    /// <summary>One step, and the loss before it.</summary>
    public double StepAndLoss() => Step(readLoss: true);

    private double Step(bool readLoss)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in _model.Parameters.All) parameter.grad = null;
        var logits = _model.Logits(_inputs);
        var loss = nn.functional.cross_entropy(logits.view(-1, logits.shape[^1]), _targets);
        loss.backward();
        _update();
        return readLoss ? loss.to(ScalarType.Float64).item<double>() : 0;
    }

    private static Action Composed(IEnumerable<Parameter> parameters, double rate)
    {
        var adam = optim.AdamW(parameters, lr: rate, weight_decay: 0.01);
        return () => adam.step();
    }
}
