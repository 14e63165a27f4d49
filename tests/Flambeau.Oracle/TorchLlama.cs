using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Tensor = TorchSharp.torch.Tensor;

// B batch, T tokens (S as keys), C width, H query heads, K key and value heads, D head size, V vocabulary

/// <summary>
/// A Hugging Face <c>LlamaForCausalLM</c> in PyTorch's plain operators: what Flambeau's own model must compute. No fused attention, no cache;
/// every step as the formula says it.
/// </summary>
internal sealed class TorchLlama : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly ScalarType _dtype;

    /// <param name="weights">By Hugging Face's names; <c>lm_head.weight</c> only where the embedding is not tied. They are copied.</param>
    public TorchLlama(LlamaConfig config, IReadOnlyDictionary<string, Tensor> weights, ScalarType dtype)
    {
        (_config, _dtype) = (config, dtype);
        foreach (var name in Names(config))
            Weights[name] = weights.TryGetValue(name, out var weight)
                ? (Parameter)new Parameter(weight.detach().to(dtype, copy: true)).DetachFromDisposeScope()
                : throw new KeyNotFoundException($"TorchLlama: there is no weight {name} among {string.Join(", ", weights.Keys)}.");
    }

    /// <summary>The parameters by Hugging Face's names, in the order of the layers.</summary>
    public Dictionary<string, Parameter> Weights { get; } = [];

    public LlamaConfig Config => _config;

    /// <summary>Reads a folder with <c>config.json</c> and one or several <c>*.safetensors</c>.</summary>
    public static TorchLlama Load(string folder, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var weights = Directory.EnumerateFiles(folder, "*.safetensors").SelectMany(file => SafetensorsFile.Read(file, dtype)).ToDictionary();
        return new(LlamaConfig.Read(Path.Combine(folder, "config.json")), weights, dtype);
    }

    /// <summary>The names of a model's weights.</summary>
    public static IEnumerable<string> Names(LlamaConfig config) =>
    [
        "model.embed_tokens.weight",
        .. from layer in Enumerable.Range(0, config.Layers)
           from name in (string[])
           [
               "input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
               "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
           ]
           select $"model.layers.{layer}.{name}.weight",
        "model.norm.weight",
        .. config.Tied ? (string[])[] : ["lm_head.weight"],
    ];

    /// <summary>The logits of one sequence, [T][V].</summary>
    public double[][] Logits(ReadOnlySpan<int> ids)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var ids_BT = tensor(Array.ConvertAll(ids.ToArray(), id => (long)id)).unsqueeze(0);
        var logits_TV = Logits(ids_BT)[0].to(ScalarType.Float64);
        var flat = logits_TV.data<double>().ToArray();
        return [.. flat.Chunk(_config.Vocabulary)];
    }

    /// <summary>[B, T] → [B, T, V], differentiable in <see cref="Weights"/>.</summary>
    public Tensor Logits(Tensor ids_BT)
    {
        var x_BTC = Weights["model.embed_tokens.weight"][ids_BT];
        for (var i = 0; i < _config.Layers; i++)
        {
            var layer = $"model.layers.{i}.";
            x_BTC = x_BTC + Attention(layer + "self_attn.", RmsNorm(x_BTC, layer + "input_layernorm"));
            x_BTC = x_BTC + FeedForward(layer + "mlp.", RmsNorm(x_BTC, layer + "post_attention_layernorm"));
        }
        var output_VC = Weights[_config.Tied ? "model.embed_tokens.weight" : "lm_head.weight"];
        return RmsNorm(x_BTC, "model.norm").matmul(output_VC.t());
    }

    private Tensor Attention(string layer, Tensor x_BTC)
    {
        long b = x_BTC.shape[0], t = x_BTC.shape[1], d = _config.HeadSize;
        var q_BHTD = Rotate(Heads(Linear(x_BTC, layer + "q_proj"), _config.Heads));
        var k_BHSD = Grouped(Rotate(Heads(Linear(x_BTC, layer + "k_proj"), _config.KeyHeads)));
        var v_BHSD = Grouped(Heads(Linear(x_BTC, layer + "v_proj"), _config.KeyHeads));

        var scores_BHTS = q_BHTD.matmul(k_BHSD.transpose(2, 3)) / Math.Sqrt(d);
        var future_TS = ones(t, t, dtype: ScalarType.Bool).triu(1);
        var weights_BHTS = scores_BHTS.masked_fill(future_TS, double.NegativeInfinity).softmax(-1);
        var y_BTHD = weights_BHTS.matmul(v_BHSD).transpose(1, 2);
        return Linear(y_BTHD.reshape(b, t, _config.Heads * d), layer + "o_proj");

        Tensor Heads(Tensor x, int heads) => x.view(b, t, heads, d).transpose(1, 2);
    }

    /// <summary>down(silu(gate(x)) · up(x)), Shazeer 2020.</summary>
    private Tensor FeedForward(string layer, Tensor x_BTC) =>
        Linear(Linear(x_BTC, layer + "gate_proj").silu() * Linear(x_BTC, layer + "up_proj"), layer + "down_proj");

    /// <summary>x / √(mean(x²) + ε) · weight, Zhang and Sennrich 2019.</summary>
    private Tensor RmsNorm(Tensor x, string name) =>
        x * (x.square().mean([-1], keepdim: true) + _config.Epsilon).rsqrt() * Weights[name + ".weight"];

    private Tensor Linear(Tensor x, string name) => x.matmul(Weights[name + ".weight"].t());

    /// <summary>
    /// Rotary positions (Su et al. 2021): position p turns the pair (x[i], x[i + D/2]) by the angle p · θ^(−2i/D). Hugging Face pairs the two
    /// halves of a head, not neighbours as the paper does.
    /// </summary>
    private Tensor Rotate(Tensor x_BHTD)
    {
        long t = x_BHTD.shape[2], half = _config.HeadSize / 2;
        var angles_TD = new double[t, half];
        for (var p = 0; p < t; p++)
            for (var i = 0; i < half; i++)
                angles_TD[p, i] = p * Math.Pow(_config.Theta, -2.0 * i / _config.HeadSize);

        var (cos, sin) = (tensor(angles_TD).cos().to(_dtype), tensor(angles_TD).sin().to(_dtype));
        var (first, second) = (x_BHTD.narrow(3, 0, half), x_BHTD.narrow(3, half, half));
        return cat([first * cos - second * sin, second * cos + first * sin], 3);
    }

    /// <summary>Query head h reads key head h · K / H.</summary>
    private Tensor Grouped(Tensor x_BKSD) => x_BKSD.repeat_interleave(_config.Heads / _config.KeyHeads, dim: 1);

    public void Dispose()
    {
        foreach (var weight in Weights.Values) weight.Dispose();
    }
}
