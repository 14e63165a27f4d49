namespace Flambeau.Bench.Suites;

/// <summary>Scaled dot-product attention, forward and with its gradients, in multiplications and additions that a causal mask leaves (two products forward, five backward); heads lie as a projection of all heads leaves them.</summary>
internal sealed class AttentionSuite : ISuite
{
    public string Name => "attention";

    private sealed record Sizes(string Name, long Batch, long Heads, long Shared, long Tokens, long Size, bool Causal = true, bool Mask = false);

    private static readonly Sizes[] s_sizes =
    [
        new("causal 4x12x1024x64", 4, 12, 12, 1024, 64), new("causal 4x12x1000x64", 4, 12, 12, 1000, 64), new("causal 4x12x77x64", 4, 12, 12, 77, 64), new("causal 16x6x256x64", 16, 6, 6, 256, 64),
        new("causal 4x12x1024x80", 4, 12, 12, 1024, 80), new("causal 4x12x1024x128", 4, 12, 12, 1024, 128), new("causal, 3 groups 4x12x1024x64", 4, 12, 4, 1024, 64),
        new("all 4x12x1024x64", 4, 12, 12, 1024, 64, Causal: false), new("added mask 4x12x1024x64", 4, 12, 12, 1024, 64, Causal: false, Mask: true),
    ];

    public IEnumerable<Case> Cases(Options options) => from sizes in s_sizes from backward in (bool[])[false, true] select Attention(options, sizes, backward);

    private static Case Attention(Options options, Sizes s, bool backward) => new($"{s.Name}{(backward ? " + backward" : "")}", Unit.GigaflopsPerSecond)
    {
        Work = (backward ? 7.0 : 2.0) * 2 * s.Batch * s.Heads * s.Tokens * s.Tokens * s.Size / (s.Causal ? 2 : 1),
        Limit = () => Limits.FmaFloat32(options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor Operand(long heads) => Tensor.RandN([s.Batch, s.Tokens, heads, s.Size]).Transpose(1, 2);
            Tensor q = Leaf(Operand(s.Heads), backward), k = Leaf(Operand(s.Shared), backward), v = Leaf(Operand(s.Shared), backward), g = Operand(s.Heads);
            var mask = s.Mask ? Tensor.RandN([s.Tokens, s.Tokens]) : null;
            return () =>
            {
                using var y = q.ScaledDotProductAttention(k, v, mask, isCausal: s.Causal);
                if (!backward) return;
                y.Backward(g);
                foreach (var leaf in new[] { q, k, v }) { leaf.Grad!.Dispose(); leaf.Grad = null; }
            };
        }),
        Peer = Case.Torch("attention", new { batch = s.Batch, heads = s.Heads, shared = s.Shared, tokens = s.Tokens, size = s.Size, causal = s.Causal, mask = s.Mask, backward }),
    };

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.RequiresGrad_() : x;
}
