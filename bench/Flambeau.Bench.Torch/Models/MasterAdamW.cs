using Flambeau.Bench.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>AdamW of parameters in half precision as PyTorch's users write it: the fused step changes float32 copies, which are then copied back.</summary>
internal sealed class MasterAdamW
{
    private readonly Tensor[] _parameters, _masters;
    private readonly FusedAdamW _adam;

    public MasterAdamW(IEnumerable<Tensor> parameters, double rate)
    {
        _parameters = [.. parameters];
        _masters = Array.ConvertAll(_parameters, p => p.detach().to(ScalarType.Float32));
        _adam = new(_masters, rate);
    }

    /// <summary>One step. Every parameter must have a gradient.</summary>
    public void Step()
    {
        using var scope = NewDisposeScope();
        Step(Array.ConvertAll(_parameters, p => p.grad ?? throw new InvalidOperationException("MasterAdamW: a parameter has no gradient.")));
    }

    /// <summary>One step with the gradients at hand.</summary>
    public void Step(Tensor[] gradients)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        _adam.Step(Array.ConvertAll(gradients, g => g.to(ScalarType.Float32)));
        for (var i = 0; i < _parameters.Length; i++) _parameters[i].copy_(_masters[i]);
    }
}
