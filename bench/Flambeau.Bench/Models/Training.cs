using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Bench.Models;

/// <summary>Training steps of a language model on one fixed batch, as the peer's: forward, cross entropy, backward, AdamW. Nothing is disposed of.</summary>
internal sealed class Training
{
    private readonly Module<Tensor, Tensor> _model;
    private readonly Func<Tensor, Tensor, Tensor>? _loss;
    private readonly AdamW _adam;
    private readonly Tensor _inputs, _targets;
    private readonly bool _autocast;

    /// <param name="loss">The model's own loss of inputs and targets [B, T], where it has one.</param>
    /// <param name="autocast">Products in bfloat16, whatever the parameters' type.</param>
    public Training(Module<Tensor, Tensor> model, long batch, long context, long vocabulary, Func<Tensor, Tensor, Tensor>? loss = null, bool autocast = false)
    {
        (_model, _loss, _autocast) = (model, loss, autocast);
        _adam = new(model.Parameters(), learningRate: 3e-4, weightDecay: 0.01);
        var tokens = Tensor.RandInt(0, vocabulary, [batch, context + 1]);
        _inputs = tokens.Narrow(1, 0, context).Clone();
        _targets = tokens.Narrow(1, 1, context).Clone();
    }

    /// <summary>The GPT that memory and speed are measured on: 6 layers, 384 wide, 6 heads, 256 tokens, a batch of 16.</summary>
    public static Training Gpt(int batch = 16, DType type = DType.Float32, bool autocast = false) =>
        new(new Gpt(layers: 6, width: 384, heads: 6, context: 256, vocabulary: 65).To(type), batch, 256, 65, autocast: autocast);

    /// <summary>GPT-2's smallest model: 12 layers, 768 wide, 12 heads; one sequence of 512 tokens.</summary>
    public static Training Gpt2(DType type) => new(new Gpt(layers: 12, width: 768, heads: 12, context: 512, vocabulary: 50257).To(type), 1, 512, 50257);

    public void Step() => Step(static () => { });

    /// <summary>A step that tells when its forward pass, its backward pass and the update are done.</summary>
    public void Step(Action done)
    {
        _adam.ZeroGrad();
        var loss = Loss();
        done();
        loss.Backward();
        done();
        _adam.Step();
        done();
    }

    /// <summary>The loss without a tape.</summary>
    public double Evaluate()
    {
        using var _ = Autograd.NoGrad();
        return Loss().Item();
    }

    // a method of its own: the logits are dead when Backward begins
    private Tensor Loss()
    {
        using var scope = Autocast.To(DType.BFloat16, enabled: _autocast);
        return Compute();
    }

    private Tensor Compute() => _loss is { } own ? own(_inputs, _targets) : _model.Call(_inputs).Flatten(0, 1).CrossEntropy(_targets.Flatten());
}
