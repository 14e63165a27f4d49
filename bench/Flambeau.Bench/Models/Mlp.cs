using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Bench.Models;

/// <summary>Linear layers with ReLU between them and cross entropy at the end, on one fixed batch, as the peer's.</summary>
internal sealed class Mlp
{
    private readonly Sequential _layers = new((IEnumerable<Module<Tensor, Tensor>>)[]);
    private readonly Adam _adam;
    private readonly Tensor _inputs, _labels;

    public Mlp(long[] widths, long batch)
    {
        for (var i = 1; i < widths.Length; i++)
        {
            if (i > 1) _layers.Add(new ReLU());
            _layers.Add(new Linear(widths[i - 1], widths[i]));
        }
        _adam = new Adam(_layers.Parameters(), learningRate: 1e-3);
        _inputs = Tensor.RandN([batch, widths[0]]);
        _labels = Tensor.RandInt(0, widths[^1], [batch]);
    }

    public long Parameters => _layers.Parameters().Sum(p => p.Numel);

    public Tensor Loss() => _layers.Call(_inputs).CrossEntropy(_labels);

    /// <summary>Fresh gradients in every parameter.</summary>
    public void Backward()
    {
        _adam.ZeroGrad();
        Loss().Backward();
    }

    public void Step()
    {
        Backward();
        _adam.Step();
    }
}
