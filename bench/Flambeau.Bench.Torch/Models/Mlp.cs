using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>Linear layers with ReLU between them and cross entropy at the end, on one fixed batch.</summary>
internal sealed class Mlp
{
    private readonly Parameter[] _weights, _biases;
    private readonly Tensor _inputs, _labels;

    public Mlp(long[] widths, long batch, ScalarType dtype)
    {
        _weights = [.. widths.Zip(widths[1..], (inputs, outputs) => Leaf(randn([outputs, inputs], dtype: dtype) / Math.Sqrt(inputs)))];
        _biases = [.. widths[1..].Select(outputs => Leaf(zeros([outputs], dtype: dtype)))];
        _inputs = randn([batch, widths[0]], dtype: dtype);
        _labels = randint(widths[^1], [batch], dtype: ScalarType.Int64);
    }

    public IEnumerable<Parameter> Parameters => _weights.Concat(_biases);

    /// <summary>The loss, with the tape behind it. The values between are disposed of at once; the tape holds what it needs.</summary>
    public Tensor Loss()
    {
        using var scope = NewDisposeScope();
        var x = _inputs;
        for (var i = 0; i < _weights.Length; i++)
        {
            x = nn.functional.linear(x, _weights[i], _biases[i]);
            if (i < _weights.Length - 1) x = nn.functional.relu(x);
        }
        return nn.functional.cross_entropy(x, _labels).MoveToOuterDisposeScope();
    }

    /// <summary>The same without disposing of anything: the garbage collector is left to find out.</summary>
    public Tensor LossUndisposed()
    {
        var x = _inputs;
        for (var i = 0; i < _weights.Length; i++)
        {
            x = nn.functional.linear(x, _weights[i], _biases[i]);
            if (i < _weights.Length - 1) x = nn.functional.relu(x);
        }
        return nn.functional.cross_entropy(x, _labels);
    }

    /// <summary>Fresh gradients in every parameter.</summary>
    public void Backward()
    {
        ClearGradients();
        using var loss = Loss();
        loss.backward();
    }

    public void ClearGradients()
    {
        foreach (var parameter in Parameters) parameter.grad = null;
    }

    private static Parameter Leaf(Tensor x) => new(x.detach());
}
