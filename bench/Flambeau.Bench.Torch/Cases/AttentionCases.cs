using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>PyTorch's scaled dot-product attention, <c>batch</c> × <c>heads</c> × <c>tokens</c> × <c>size</c>, with its gradients if <c>backward</c> is true. A <c>window</c> is a mask to it. Heads that share keys get copies of them, as its kernel wants. And one query against <c>tokens</c> keys.</summary>
internal static class AttentionCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All => [new("attention", Attention), new("attention.one", OneQuery), new("attention.sequences", Sequences)];

    private static JsonObject Attention(Request r)
    {
        var (backward, causal) = (r.Flag("backward"), r.Flag("causal"));
        var (batch, heads, shared, tokens, size) = (r.Integer("batch", 4), r.Integer("heads", 12), r.Integer("shared", 12), r.Integer("tokens", 1024), r.Integer("size", 64));
        Tensor Operand(long count) => randn([batch, tokens, count, size], dtype: r.DType).transpose(1, 2);
        var (q, k, v, g) = (Leaf(Operand(heads), backward), Leaf(Operand(shared), backward), Leaf(Operand(shared), backward), Operand(heads));
        var window = r.Integer("window", 0);
        var mask = r.Flag("mask") ? randn([tokens, tokens], dtype: r.DType) : window > 0 ? ones([tokens, tokens], ScalarType.Bool).tril(0).triu(1 - window) : null;
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            var y = nn.functional.scaled_dot_product_attention(q, Whole(k, heads), Whole(v, heads), mask, 0, causal && mask is null);
            if (!backward) return;
            y.backward([g]);
            foreach (var leaf in new[] { q, k, v }) leaf.grad = null;
        });
    }

    // packed sequences, one after the other
    private static JsonObject Sequences(Request r)
    {
        var backward = r.Flag("backward");
        var (lengths, heads, size) = (r.Sizes("lengths"), r.Integer("heads", 12), r.Integer("size", 64));
        Tensor Operand() => randn([lengths.Sum(), heads, size], dtype: r.DType);
        var (q, k, v, g) = (Leaf(Operand(), backward), Leaf(Operand(), backward), Leaf(Operand(), backward), Operand());
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            Tensor One(Tensor x, int i) => x.narrow(0, lengths[..i].Sum(), lengths[i]).transpose(0, 1).unsqueeze(0);
            var y = cat([.. Enumerable.Range(0, lengths.Length).Select(i => nn.functional.scaled_dot_product_attention(One(q, i), One(k, i), One(v, i), null, 0, true).squeeze(0).transpose(0, 1))], 0);
            if (!backward) return;
            y.backward([g]);
            foreach (var leaf in new[] { q, k, v }) leaf.grad = null;
        });
    }

    private static JsonObject OneQuery(Request r)
    {
        var (batch, heads, shared, tokens, size) = (r.Integer("batch", 4), r.Integer("heads", 12), r.Integer("shared", 12), r.Integer("tokens", 4096), r.Integer("size", 64));
        var (q, k, v) = (randn([batch, heads, 1, size], dtype: r.DType), randn([batch, shared, tokens, size], dtype: r.DType), randn([batch, shared, tokens, size], dtype: r.DType));
        return r.Time(() =>
        {
            using var scope = NewDisposeScope();
            _ = nn.functional.scaled_dot_product_attention(q, Whole(k, heads), Whole(v, heads));
        });
    }

    private static Tensor Whole(Tensor x, long heads) => heads == x.shape[1] ? x : x.repeat_interleave(heads / x.shape[1], 1);

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.requires_grad_() : x;
}
