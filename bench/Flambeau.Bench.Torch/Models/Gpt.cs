using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Flambeau.Bench.Torch.Models;

// B batch, T tokens, C width, H heads, D head size

/// <summary>A GPT-2-shaped decoder: learned positions, layer norm first, GELU feed-forward four times as wide, output tied to the embedding.</summary>
internal sealed class Gpt : ILanguageModel
{
    private readonly record struct Norm(Tensor Weight, Tensor Bias);
    private readonly record struct Layer(Norm Norm1, Affine QKV, Affine Projection, Norm Norm2, Affine Up, Affine Down);
    private readonly record struct Affine(Tensor Weight, Tensor Bias);

    private readonly Layer[] _layers;
    private readonly Parameter _tokens, _positions;
    private readonly Embedding _embedding;
    private readonly Norm _last;
    private readonly long _width, _heads;
    private readonly CausalAttention _attention;

    public Gpt(long layers, long width, long heads, long context, long vocabulary, ScalarType dtype, CausalAttention attention)
    {
        (Parameters, _width, _heads, _attention) = (new(dtype), width, heads, attention);
        _tokens = Parameters.Normal(vocabulary, width);
        _embedding = Parameters.Rows(_tokens);
        _positions = Parameters.Normal(context, width);
        _layers = [.. Enumerable.Range(0, (int)layers).Select(_ => new Layer(
            NewNorm(), NewAffine(width, 3 * width), NewAffine(width, width), NewNorm(), NewAffine(width, 4 * width), NewAffine(4 * width, width)))];
        _last = NewNorm();
    }

    public Parameters Parameters { get; }

    public Tensor Logits(Tensor ids)
    {
        var x_BTC = _embedding.call(ids) + _positions[TensorIndex.Slice(0, ids.shape[1])];
        foreach (var layer in _layers)
        {
            x_BTC = x_BTC + Attention(layer, Normalize(x_BTC, layer.Norm1));
            x_BTC = x_BTC + Apply(layer.Down, gelu(Apply(layer.Up, Normalize(x_BTC, layer.Norm2))));
        }
        return linear(Normalize(x_BTC, _last), _tokens);
    }

    private Tensor Attention(Layer layer, Tensor x_BTC)
    {
        long b = x_BTC.shape[0], t = x_BTC.shape[1];
        var qkv = Apply(layer.QKV, x_BTC).chunk(3, -1);
        var q_BHTD = Split(qkv[0]);
        var y_BHTD = _attention.Apply(q_BHTD, Split(qkv[1]), Split(qkv[2]));
        return Apply(layer.Projection, y_BHTD.transpose(1, 2).reshape(b, t, _width));

        Tensor Split(Tensor x) => x.view(b, t, _heads, _width / _heads).transpose(1, 2);
    }

    private Tensor Normalize(Tensor x, Norm norm) => layer_norm(x, [_width], norm.Weight, norm.Bias);
    private static Tensor Apply(Affine affine, Tensor x) => linear(x, affine.Weight, affine.Bias);
    private Norm NewNorm() => new(Parameters.Ones(_width), Parameters.Zeros(_width));
    private Affine NewAffine(long from, long to) => new(Parameters.Normal(to, from), Parameters.Zeros(to));
}
