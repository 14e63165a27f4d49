using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>softmax(q kᵀ / √D, the future masked) v over [B, H, T, D].</summary>
internal enum CausalAttention
{
    /// <summary>PyTorch's <c>scaled_dot_product_attention</c>.</summary>
    Fused,

    /// <summary>Two products and a softmax, the scores held in memory.</summary>
    Plain,
}

internal static class CausalAttentionMembers
{
    public static Tensor Apply(this CausalAttention kind, Tensor q, Tensor k, Tensor v)
    {
        if (kind is CausalAttention.Fused) return nn.functional.scaled_dot_product_attention(q, k, v, is_casual: true);
        var tokens = q.shape[2];
        var scores = (q * (1 / Math.Sqrt(q.shape[3]))).matmul(k.transpose(-2, -1));
        return scores.masked_fill(ones(tokens, tokens, dtype: ScalarType.Bool).triu(1), double.NegativeInfinity).softmax(-1).matmul(v);
    }
}
