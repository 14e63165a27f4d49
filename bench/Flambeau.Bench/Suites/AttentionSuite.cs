namespace Flambeau.Bench.Suites;

/// <summary>
/// Scaled dot-product attention, forward and with its gradients, in multiplications and additions that a causal mask or a window leaves (two products forward, five backward); heads lie as a projection of all heads leaves them.
/// And one query against a long cache of keys and values, in bytes of the cache, against how fast memory is read.
/// </summary>
internal sealed class AttentionSuite : ISuite
{
    public string Name => "attention";

    private sealed record Sizes(string Name, long Batch, long Heads, long Shared, long Tokens, long Size, bool Causal = true, bool Mask = false, long Window = 0)
    {
        /// <summary>Pairs of a query and a key that it sees.</summary>
        public double Pairs => Window > 0 ? Window * (Tokens - (Window - 1) / 2.0) : (double)Tokens * Tokens / (Causal ? 2 : 1);
    }

    private static readonly Sizes[] s_sizes =
    [
        new("causal 4x12x1024x64", 4, 12, 12, 1024, 64), new("causal 4x12x1000x64", 4, 12, 12, 1000, 64), new("causal 4x12x77x64", 4, 12, 12, 77, 64), new("causal 16x6x256x64", 16, 6, 6, 256, 64),
        new("causal 4x12x1024x80", 4, 12, 12, 1024, 80), new("causal 4x12x1024x128", 4, 12, 12, 1024, 128), new("causal, 3 groups 4x12x1024x64", 4, 12, 4, 1024, 64),
        new("all 4x12x1024x64", 4, 12, 12, 1024, 64, Causal: false), new("added mask 4x12x1024x64", 4, 12, 12, 1024, 64, Causal: false, Mask: true),
        new("window of 1024, 1x12x4096x64", 1, 12, 12, 4096, 64, Window: 1024), new("window of 256, 1x12x4096x64", 1, 12, 12, 4096, 64, Window: 256),
    ];

    private static readonly Sizes[] s_caches =
    [
        new("one query 4x12x4096x64", 4, 12, 12, 4096, 64, Causal: false), new("one query 1x12x32768x64", 1, 12, 12, 32768, 64, Causal: false), new("one query, 4 groups 4x32x4096x128", 4, 32, 8, 4096, 128, Causal: false),
        new("one query, one head 1x1x65536x64", 1, 1, 1, 65536, 64, Causal: false), new("one query, window of 1024, 4x12x32768x64", 4, 12, 12, 32768, 64, Window: 1024),
    ];

    public IEnumerable<Case> Cases(Options options)
    {
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            foreach (var sizes in s_sizes)
            {
                yield return Attention(options, dtype, sizes, backward: false);
                yield return Attention(options, dtype, sizes, backward: true);
            }
            yield return Sequences(options, dtype, backward: false);
            yield return Sequences(options, dtype, backward: true);
            foreach (var sizes in s_caches) yield return OneQuery(options, dtype, sizes);
        }
    }

    private static Case Attention(Options options, DType dtype, Sizes s, bool backward) => new($"{s.Name}{(backward ? " + backward" : "")}", Unit.GigaflopsPerSecond)
    {
        DType = dtype.Name,
        Work = (backward ? 7.0 : 2.0) * 2 * s.Batch * s.Heads * s.Pairs * s.Size,
        Limit = () => dtype == DType.BFloat16 ? Limits.DotBFloat16(options.Threads) : Limits.FmaFloat32(options.Threads),
        Ours = Case.Timed(() =>
        {
            Tensor Operand(long heads) => Tensor.RandN([s.Batch, s.Tokens, heads, s.Size], dtype).Transpose(1, 2);
            Tensor q = Leaf(Operand(s.Heads), backward), k = Leaf(Operand(s.Shared), backward), v = Leaf(Operand(s.Shared), backward), g = Operand(s.Heads);
            var mask = s.Mask ? Tensor.RandN([s.Tokens, s.Tokens], dtype) : null;
            return () =>
            {
                using var y = q.ScaledDotProductAttention(k, v, mask, isCausal: s.Causal, window: s.Window > 0 ? s.Window : null);
                if (!backward) return;
                y.Backward(g);
                foreach (var leaf in new[] { q, k, v }) { leaf.Grad!.Dispose(); leaf.Grad = null; }
            };
        }),
        Peer = Case.Torch("attention", new { batch = s.Batch, heads = s.Heads, shared = s.Shared, tokens = s.Tokens, size = s.Size, causal = s.Causal, mask = s.Mask, window = s.Window, backward }),
    };

    // documents of all lengths, as a packed batch has them
    private static readonly int[] s_lengths = [512, 31, 77, 256, 18, 140, 300, 64, 5, 410, 96, 139];

    private static Case Sequences(Options options, DType dtype, bool backward)
    {
        const int heads = 12, size = 64;
        int tokens = s_lengths.Sum();
        return new($"12 sequences of 5 to 512 tokens, causal 12x64{(backward ? " + backward" : "")}", Unit.GigaflopsPerSecond)
        {
            DType = dtype.Name,
            Work = (backward ? 7.0 : 2.0) * heads * size * s_lengths.Sum(n => (double)n * n),
            Limit = () => dtype == DType.BFloat16 ? Limits.DotBFloat16(options.Threads) : Limits.FmaFloat32(options.Threads),
            Ours = Case.Timed(() =>
            {
                Tensor q = Leaf(Operand(), backward), k = Leaf(Operand(), backward), v = Leaf(Operand(), backward), g = Operand(), ends = Tensor.FromArray([0, .. s_lengths.Select((n, i) => s_lengths[..i].Sum() + n)]);
                return () =>
                {
                    using var y = q.VarlenAttention(k, v, ends, isCausal: true);
                    if (!backward) return;
                    y.Backward(g);
                    foreach (var leaf in new[] { q, k, v }) { leaf.Grad!.Dispose(); leaf.Grad = null; }
                };
            }),
            Peer = Case.Torch("attention.sequences", new { lengths = s_lengths, heads, size, backward }),
        };

        Tensor Operand() => Tensor.RandN([tokens, heads, size], dtype);
    }

    private static Case OneQuery(Options options, DType dtype, Sizes s)
    {
        double bytes = 2.0 * s.Batch * s.Shared * (s.Window > 0 ? s.Window : s.Tokens) * s.Size * dtype.Size;
        return new(s.Name, Unit.GigabytesPerSecond)
        {
            DType = dtype.Name,
            Work = bytes,
            Limit = () => Limits.ReadBandwidth(options.Threads, (long)bytes),
            Ours = Case.Timed(() =>
            {
                Tensor q = Tensor.RandN([s.Batch, s.Heads, 1, s.Size], dtype), k = Tensor.RandN([s.Batch, s.Shared, s.Tokens, s.Size], dtype), v = Tensor.RandN([s.Batch, s.Shared, s.Tokens, s.Size], dtype);
                return () => q.ScaledDotProductAttention(k, v, window: s.Window > 0 ? s.Window : null).Dispose();
            }),
            Peer = Case.Torch("attention.one", new { batch = s.Batch, heads = s.Heads, shared = s.Shared, tokens = s.Window > 0 ? s.Window : s.Tokens, size = s.Size }),
        };
    }

    private static Tensor Leaf(Tensor x, bool requiresGrad) => requiresGrad ? x.RequiresGrad_() : x;
}
