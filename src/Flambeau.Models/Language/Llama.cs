using Flambeau.NN;

namespace Flambeau.Models.Language;

// B batch, T tokens, C hidden size, H query heads, G key-value heads, D head size, V vocabulary

/// <summary>
/// A decoder-only language model of Llama's shape: rotary positions, RMS norms before each part, SwiGLU (Touvron et al. 2023). Parameters have Hugging Face's names.
/// </summary>
public sealed class Llama : Module<Tensor, Tensor>
{
    /// <summary>The sizes.</summary>
    public LlamaConfig Config { get; }
    /// <summary>Embedding, blocks and the last norm (<c>model.*</c>).</summary>
    public LlamaModel Model { get; }
    /// <summary>The output matrix; shares the embedding's weight if the config ties them (<c>lm_head</c>).</summary>
    public Linear LmHead { get; }

    /// <summary>A model with fresh weights: normal with deviation 0.02, the matrices that write to the residual stream divided by √(2 · layers) (Radford et al. 2019).</summary>
    public Llama(LlamaConfig config, Generator? generator = null)
    {
        Config = config;
        Model = new(config);
        LmHead = new(config.HiddenSize, config.VocabularySize, bias: false);
        if (config.TiedEmbeddings) LmHead.Weight = Model.EmbedTokens.Weight;
        using var _ = Autograd.NoGrad();
        foreach (var (name, parameter) in NamedParameters())
        {
            Tensor p = parameter;
            if (p.Rank < 2) continue;
            bool residual = name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            p.Copy_(Tensor.RandN(p.Shape, p.DType, generator) * (residual ? 0.02 / Math.Sqrt(2 * config.Layers) : 0.02));
        }
    }

    /// <summary>Token ids [B, T] → logits [B, T, V].</summary>
    protected override Tensor Forward(Tensor tokens) => LmHead.Call(Model.Call(tokens));

    /// <summary>The mean cross entropy, in nats a token, of predicting <paramref name="targets"/> [B, T] from <paramref name="tokens"/> [B, T].</summary>
    public Tensor Loss(Tensor tokens, Tensor targets) => Model.Call(tokens).LinearCrossEntropy(LmHead.Weight, targets);

    /// <summary>The weights as a Hugging Face file holds them: without the output matrix where it is the embedding.</summary>
    public IEnumerable<(string Name, Tensor Value)> FileTensors()
    {
        foreach (var (name, value) in StateDict())
            if (!(Config.TiedEmbeddings && name == "lm_head.weight")) yield return (name, value);
    }
}

/// <summary>Embedding, blocks and the last norm.</summary>
public sealed class LlamaModel : Module<Tensor, Tensor>
{
    readonly LlamaConfig _config;
    (Tensor Cos, Tensor Sin)? _angles;

    /// <summary>A row a token id.</summary>
    public Embedding EmbedTokens { get; }
    /// <summary>The blocks.</summary>
    public ModuleList<LlamaLayer> Layers { get; } = [];
    /// <summary>The norm before the output matrix.</summary>
    public RMSNorm Norm { get; }

    internal LlamaModel(LlamaConfig config)
    {
        _config = config;
        EmbedTokens = new(config.VocabularySize, config.HiddenSize);
        for (int i = 0; i < config.Layers; i++) Layers.Add(new LlamaLayer(config));
        Norm = new(config.HiddenSize, config.NormEpsilon);
    }

    /// <summary>Token ids [B, T] → hidden states [B, T, C].</summary>
    protected override Tensor Forward(Tensor tokens)
    {
        if (tokens.Rank != 2) throw new FlambeauException($"Llama: token ids must have shape [batch, tokens], got {tokens.Shape}");
        if (tokens.Shape[1] > _config.Context)
            throw new FlambeauException($"Llama: {tokens.Shape[1]} tokens do not fit into the model's context of {_config.Context}; shorten the prompt or keep its end");
        var h = EmbedTokens.Call(tokens);
        var (cos, sin) = Angles(tokens.Shape[1], h.DType);
        foreach (var layer in Layers) h = layer.Call((h, cos, sin));
        return Norm.Call(h);
    }

    // cos and sin of position · θ^(−2i/D), both halves alike; [T, D]
    (Tensor, Tensor) Angles(long tokens, DType type)
    {
        if (_angles is null || _angles.Value.Cos.DType != type)
        {
            var frequencies = Tensor.FromArray([.. Enumerable.Range(0, _config.HeadSize / 2).Select(i => Math.Pow(_config.RopeTheta, -2.0 * i / _config.HeadSize))]);
            var half = Tensor.Arange(_config.Context).Double().Unsqueeze(1) * frequencies;
            var angles = Tensor.Cat([half, half], -1);
            _angles = (angles.Cos().To(type), angles.Sin().To(type));
        }
        return (_angles.Value.Cos.Narrow(0, 0, tokens), _angles.Value.Sin.Narrow(0, 0, tokens));
    }
}

/// <summary>One block: attention, then a gated feed-forward part, each added to the residual stream.</summary>
public sealed class LlamaLayer : Module<(Tensor Hidden, Tensor Cos, Tensor Sin), Tensor>
{
    /// <summary>Before attention.</summary>
    public RMSNorm InputLayernorm { get; }
    /// <summary>Attention.</summary>
    public LlamaAttention SelfAttn { get; }
    /// <summary>Before the feed-forward part.</summary>
    public RMSNorm PostAttentionLayernorm { get; }
    /// <summary>The feed-forward part.</summary>
    public LlamaMlp Mlp { get; }

    internal LlamaLayer(LlamaConfig config)
    {
        InputLayernorm = new(config.HiddenSize, config.NormEpsilon);
        SelfAttn = new(config);
        PostAttentionLayernorm = new(config.HiddenSize, config.NormEpsilon);
        Mlp = new(config);
    }

    /// <summary>Hidden states [B, T, C] and the angles' cosines and sines [T, D] → [B, T, C].</summary>
    protected override Tensor Forward((Tensor Hidden, Tensor Cos, Tensor Sin) x)
    {
        var h_BTC = x.Hidden + SelfAttn.Call((InputLayernorm.Call(x.Hidden), x.Cos, x.Sin));
        return h_BTC + Mlp.Call(PostAttentionLayernorm.Call(h_BTC));
    }
}

/// <summary>Causal attention with rotary positions and grouped keys.</summary>
public sealed class LlamaAttention : Module<(Tensor Hidden, Tensor Cos, Tensor Sin), Tensor>
{
    readonly LlamaConfig _config;
    /// <summary>Queries [C] → [H·D].</summary>
    public Linear QProj { get; }
    /// <summary>Keys [C] → [G·D].</summary>
    public Linear KProj { get; }
    /// <summary>Values [C] → [G·D].</summary>
    public Linear VProj { get; }
    /// <summary>Back to the residual stream [H·D] → [C].</summary>
    public Linear OProj { get; }

    internal LlamaAttention(LlamaConfig config)
    {
        _config = config;
        int queries = config.Heads * config.HeadSize, keys = config.KeyValueHeads * config.HeadSize;
        QProj = new(config.HiddenSize, queries, bias: false);
        KProj = new(config.HiddenSize, keys, bias: false);
        VProj = new(config.HiddenSize, keys, bias: false);
        OProj = new(queries, config.HiddenSize, bias: false);
    }

    /// <summary>Normed states [B, T, C] and the angles' cosines and sines [T, D] → [B, T, C].</summary>
    protected override Tensor Forward((Tensor Hidden, Tensor Cos, Tensor Sin) x)
    {
        var (x_BTC, cos, sin) = x;
        var q_BHTD = Split(QProj.Call(x_BTC), _config.Heads).RotaryEmbedding(cos, sin);
        var k_BGTD = Split(KProj.Call(x_BTC), _config.KeyValueHeads).RotaryEmbedding(cos, sin);
        var v_BGTD = Split(VProj.Call(x_BTC), _config.KeyValueHeads);
        var y_BHTD = q_BHTD.ScaledDotProductAttention(k_BGTD, v_BGTD, isCausal: true);
        return OProj.Call(y_BHTD.Transpose(1, 2).Flatten(2));
    }

    Tensor Split(Tensor x, int heads) => x.Unflatten(-1, heads, _config.HeadSize).Transpose(1, 2);
}

/// <summary>SwiGLU: (silu(x W₁) · x W₃) W₂ (Shazeer 2020).</summary>
public sealed class LlamaMlp : Module<Tensor, Tensor>
{
    /// <summary>W₁.</summary>
    public Linear GateProj { get; }
    /// <summary>W₃.</summary>
    public Linear UpProj { get; }
    /// <summary>W₂.</summary>
    public Linear DownProj { get; }

    internal LlamaMlp(LlamaConfig config)
    {
        GateProj = new(config.HiddenSize, config.IntermediateSize, bias: false);
        UpProj = new(config.HiddenSize, config.IntermediateSize, bias: false);
        DownProj = new(config.IntermediateSize, config.HiddenSize, bias: false);
    }

    /// <summary>[.., C] → [.., C].</summary>
    protected override Tensor Forward(Tensor x) => DownProj.Call(GateProj.Call(x).SwiGlu(UpProj.Call(x)));
}
