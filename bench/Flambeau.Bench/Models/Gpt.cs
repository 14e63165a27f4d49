using Flambeau.NN;

namespace Flambeau.Bench.Models;

// B batch, T tokens, C width, H heads, D head size

/// <summary>A GPT-2-shaped decoder, as the peer's: learned positions, layer norm first, GELU feed-forward four times as wide, output tied to the embedding.</summary>
internal sealed class Gpt : Module<Tensor, Tensor>
{
    public Gpt(int layers, long width, int heads, long context, long vocabulary)
    {
        Tokens = new(vocabulary, width);
        Positions = new(context, width);
        for (var i = 0; i < layers; i++) Layers.Add(new Block(width, heads));
        Last = new(width);
        using var _ = Autograd.NoGrad();
        // as the peer begins, so that losses compare
        foreach (var (name, parameter) in NamedParameters())
            if (parameter.Rank == 2) Init.Normal_(parameter, 0, 0.02);
            else if (name.EndsWith("bias", StringComparison.Ordinal)) Init.Zeros_(parameter);
    }

    public Embedding Tokens { get; }
    public Embedding Positions { get; }
    public ModuleList<Block> Layers { get; } = [];
    public LayerNorm Last { get; }

    /// <summary>Token ids [B, T] → logits [B, T, vocabulary].</summary>
    protected override Tensor Forward(Tensor ids)
    {
        var x_BTC = Tokens.Call(ids) + Positions.Weight.Narrow(0, 0, ids.Shape[1]);
        foreach (var layer in Layers) x_BTC = layer.Call(x_BTC);
        return Last.Call(x_BTC).Linear(Tokens.Weight);
    }

    internal sealed class Block(long width, int heads) : Module<Tensor, Tensor>
    {
        public LayerNorm Norm1 { get; } = new(width);
        public Linear QKV { get; } = new(width, 3 * width);
        public Linear Projection { get; } = new(width, width);
        public LayerNorm Norm2 { get; } = new(width);
        public Linear Up { get; } = new(width, 4 * width);
        public Linear Down { get; } = new(4 * width, width);

        protected override Tensor Forward(Tensor x_BTC)
        {
            x_BTC += Attention(Norm1.Call(x_BTC));
            return x_BTC + Down.Call(Up.Call(Norm2.Call(x_BTC)).Gelu());
        }

        private Tensor Attention(Tensor x_BTC) => Projection.Call(Attend(QKV.Call(x_BTC), heads));

        /// <summary>Attention of queries, keys and values that lie side by side in [B, T, 3C] → [B, T, C].</summary>
        public static Tensor Attend(Tensor qkv_BTE, int heads)
        {
            var qkv = qkv_BTE.Chunk(3, -1);
            var y_BHTD = Split(qkv[0], heads).ScaledDotProductAttention(Split(qkv[1], heads), Split(qkv[2], heads), isCausal: true);
            return y_BHTD.Transpose(1, 2).Flatten(2);
        }

        private static Tensor Split(Tensor x, int heads) => x.Unflatten(-1, heads, x.Shape[^1] / heads).Transpose(1, 2);
    }
}
