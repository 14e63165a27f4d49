using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Flambeau.Bench.Torch.Models;

// B batch, T tokens, C width, H query heads, K key and value heads, D head size

/// <summary>The sizes of a Llama-shaped model.</summary>
internal sealed record LlamaSizes(
    long Layers, long Width, long Heads, long KeyHeads, long Hidden, long Vocabulary, bool Tied, double Theta = 10_000, double Epsilon = 1e-5)
{
    public long HeadSize => Width / Heads;
}

/// <summary>
/// A Llama-shaped decoder: RMS norm first (Zhang and Sennrich 2019), rotary positions rotating a head's two halves (Su et al. 2021), SwiGLU
/// (Shazeer 2020), grouped query heads (Ainslie et al. 2023), no biases. Everything but attention is plain operators.
/// </summary>
internal sealed class Llama : ILanguageModel
{
    private readonly record struct Layer(Tensor Norm1, Tensor Q, Tensor K, Tensor V, Tensor O, Tensor Norm2, Tensor Gate, Tensor Up, Tensor Down);

    private readonly LlamaSizes _sizes;
    private readonly CausalAttention _attention;
    private readonly Layer[] _layers;
    private readonly Embedding _embedding;
    private readonly Tensor _last, _output, _cos_TD, _sin_TD;

    public Llama(LlamaSizes sizes, long context, ScalarType dtype, CausalAttention attention)
    {
        (Parameters, _sizes, _attention) = (new(dtype), sizes, attention);
        long width = sizes.Width, queries = sizes.Heads * sizes.HeadSize, keys = sizes.KeyHeads * sizes.HeadSize;
        var p = Parameters;
        var tokens = p.Normal(sizes.Vocabulary, width);
        _embedding = Parameters.Rows(tokens);
        _layers = [.. Enumerable.Range(0, (int)sizes.Layers).Select(_ => new Layer(
            p.Ones(width), p.Normal(queries, width), p.Normal(keys, width), p.Normal(keys, width), p.Normal(width, queries),
            p.Ones(width), p.Normal(sizes.Hidden, width), p.Normal(sizes.Hidden, width), p.Normal(width, sizes.Hidden)))];
        _last = p.Ones(width);
        _output = sizes.Tied ? tokens : p.Normal(sizes.Vocabulary, width);
        (_cos_TD, _sin_TD) = Rotations(context);
    }

    public Parameters Parameters { get; }

    public Tensor Logits(Tensor ids)
    {
        var x_BTC = _embedding.call(ids);
        foreach (var layer in _layers)
        {
            x_BTC = x_BTC + Attention(layer, RmsNorm(x_BTC, layer.Norm1));
            var h_BTC = RmsNorm(x_BTC, layer.Norm2);
            x_BTC = x_BTC + linear(silu(linear(h_BTC, layer.Gate)) * linear(h_BTC, layer.Up), layer.Down);
        }
        return linear(RmsNorm(x_BTC, _last), _output);
    }

    private Tensor Attention(Layer layer, Tensor x_BTC)
    {
        long b = x_BTC.shape[0], t = x_BTC.shape[1];
        var q_BHTD = Rotate(Split(linear(x_BTC, layer.Q), _sizes.Heads), t);
        var k_BHTD = Repeat(Rotate(Split(linear(x_BTC, layer.K), _sizes.KeyHeads), t));
        var v_BHTD = Repeat(Split(linear(x_BTC, layer.V), _sizes.KeyHeads));
        var y_BHTD = _attention.Apply(q_BHTD, k_BHTD, v_BHTD);
        return linear(y_BHTD.transpose(1, 2).reshape(b, t, _sizes.Heads * _sizes.HeadSize), layer.O);

        Tensor Split(Tensor x, long heads) => x.view(b, t, heads, _sizes.HeadSize).transpose(1, 2);
    }

    /// <summary>(x₁, x₂) → (x₁ cos − x₂ sin, x₂ cos + x₁ sin) over the halves of the head.</summary>
    private Tensor Rotate(Tensor x_BHTD, long tokens)
    {
        var range = TensorIndex.Slice(0, tokens);
        var halves = x_BHTD.chunk(2, -1);
        return x_BHTD * _cos_TD[range] + cat([-halves[1], halves[0]], -1) * _sin_TD[range];
    }

    /// <summary>Key and value heads, each as often as it has query heads.</summary>
    private Tensor Repeat(Tensor x_BKTD)
    {
        var group = _sizes.Heads / _sizes.KeyHeads;
        return group == 1 ? x_BKTD : x_BKTD.repeat_interleave(group, dim: 1);
    }

    private Tensor RmsNorm(Tensor x, Tensor weight) => x * rsqrt(x.square().mean([-1], keepdim: true) + _sizes.Epsilon) * weight;

    private (Tensor Cos, Tensor Sin) Rotations(long context)
    {
        var half = _sizes.HeadSize / 2;
        var frequencies = pow(_sizes.Theta, arange(half, dtype: ScalarType.Float64) / -(double)half);
        var angles = outer(arange(context, dtype: ScalarType.Float64), frequencies);
        var both = cat([angles, angles], -1);
        return (both.cos().to(Parameters.DType), both.sin().to(Parameters.DType));
    }
}
