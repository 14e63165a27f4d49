using Flambeau.Bench.Torch.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>How a model is trained in bfloat16.</summary>
internal enum Mixed
{
    /// <summary>All in the parameters' type, optimizer included: small updates are lost.</summary>
    None,

    /// <summary>Parameters in bfloat16, of which the optimizer keeps float32 copies.</summary>
    Masters,

    /// <summary>Parameters in float32, <c>torch.autocast</c> around the forward pass.</summary>
    Autocast,
}

/// <summary>Training steps of a language model on one fixed batch: forward, cross entropy, backward, AdamW.</summary>
internal sealed class Training
{
    private readonly ILanguageModel _model;
    private readonly Action _update;
    private readonly Tensor _inputs, _targets;
    private readonly bool _autocast;

    /// <param name="fused">PyTorch's fused AdamW; otherwise TorchSharp's, operator by operator.</param>
    public Training(ILanguageModel model, long batch, long context, long vocabulary, bool fused, double rate = 3e-4, Mixed mixed = Mixed.None)
    {
        (_model, _autocast) = (model, mixed is Mixed.Autocast);
        var tokens = randint(vocabulary, [batch, context + 1], dtype: ScalarType.Int64);
        _inputs = tokens[TensorIndex.Colon, TensorIndex.Slice(0, context)].contiguous();
        _targets = tokens[TensorIndex.Colon, TensorIndex.Slice(1)].reshape(-1);
        _update = mixed is Mixed.Masters ? new MasterAdamW(model.Parameters.All, rate).Step
            : fused
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
        var loss = Loss();
        loss.backward();
        _update();
        return readLoss ? loss.to(ScalarType.Float64).item<double>() : 0;
    }

    private Tensor Loss()
    {
        if (!_autocast) return Compute();
        using var _ = new TorchAutocast(ScalarType.BFloat16);
        return Compute();
    }

    private Tensor Compute()
    {
        var logits = _model.Logits(_inputs);
        return nn.functional.cross_entropy(logits.view(-1, logits.shape[^1]), _targets);
    }

    private static Action Composed(IEnumerable<Parameter> parameters, double rate)
    {
        var adam = optim.AdamW(parameters, lr: rate, weight_decay: 0.01);
        return () => adam.step();
    }
}
