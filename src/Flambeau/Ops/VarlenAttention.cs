using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// Attention within each of several sequences that lie one after the other, without padding (PyTorch: <c>torch.nn.attention.varlen.varlen_attn</c>; FlashAttention: <c>flash_attn_varlen_func</c>):
            /// q [T, H, d], k [S, G, d], v [S, G, e] → [T, H, e], tokens of all sequences together; where q has a multiple of k's heads each of these serves a group of them. Sequence i's queries are q[cuSeqQ[i] .. cuSeqQ[i + 1]] and its keys those of
            /// <paramref name="cuSeqK"/>. A sequence has the bits that it has alone in <see cref="ScaledDotProductAttention"/>; one without keys gets zeros.
            /// </summary>
            /// <remarks>Memory is linear in the tokens. The last query of a sequence stands at its last key, so with <paramref name="isCausal"/> fewer queries than keys are the last positions of a cache (PyTorch's <c>is_causal</c> for one sequence counts from the first).</remarks>
            /// <param name="k">The keys.</param>
            /// <param name="v">The values.</param>
            /// <param name="cuSeqQ">int32 [sequences + 1]: 0 and where each sequence's queries end, the last one at T.</param>
            /// <param name="cuSeqK">The same for keys, up to S; as for queries if not given.</param>
            /// <param name="isCausal">A query sees keys up to its own position only.</param>
            /// <param name="scale">1/√d if not given.</param>
            /// <param name="window">A sliding window, as in <see cref="ScaledDotProductAttention"/>: itself and the window − 1 keys before it.</param>
            /// <exception cref="FlambeauException">Shapes do not fit, or the ends of sequences are not int32, do not rise, or do not end where the tokens do.</exception>
            /// <example><code>
            /// // documents of 5 and 3 tokens
            /// var y = q.VarlenAttention(k, v, Tensor.FromArray([0, 5, 8]), isCausal: true);
            /// </code></example>
            public Tensor VarlenAttention(Tensor k, Tensor v, Tensor cuSeqQ, Tensor? cuSeqK = null, bool isCausal = false, double? scale = null, long? window = null)
            {
                const string op = "VarlenAttention";
                if (x.Rank != 3 || k.Rank != 3 || v.Rank != 3) throw Errors.Make(op, "needs [tokens, heads, size] tensors", ("q", x), ("k", k), ("v", v));
                if (x.Shape[2] != k.Shape[2]) throw Errors.Make(op, $"queries and keys differ in size: {x.Shape[2]} and {k.Shape[2]}", ("q", x), ("k", k));
                if (k.Shape[0] != v.Shape[0] || k.Shape[1] != v.Shape[1]) throw Errors.Make(op, "keys and values differ in tokens or heads", ("k", k), ("v", v));
                if (k.Shape[1] == 0 || x.Shape[1] % k.Shape[1] != 0) throw Errors.Make(op, $"{x.Shape[1]} query heads are no multiple of {k.Shape[1]} key heads", ("q", x), ("k", k));
                if (window < 1) throw Errors.Make(op, $"a window of {window} hides a query from itself; it must be at least 1, or left out", ("q", x), ("k", k));
                int[] queries = Ends(op, "cuSeqQ", cuSeqQ, "q", x), keys = cuSeqK is null && k.Shape[0] == x.Shape[0] ? queries : Ends(op, cuSeqK is null ? "cuSeqQ, which stands for cuSeqK," : "cuSeqK", cuSeqK ?? cuSeqQ, "k", k);
                if (queries.Length != keys.Length) throw Errors.Make(op, $"cuSeqQ has {queries.Length - 1} sequences and cuSeqK {keys.Length - 1}", ("cuSeqQ", cuSeqQ), ("cuSeqK", cuSeqK));
                using var cast = Autocast.Enter<Ops.VarlenAttention>();
                return AttendSequences(cast.Of(x).Transpose(0, 1), cast.Of(k).Transpose(0, 1), cast.Of(v).Transpose(0, 1), new(queries, keys), isCausal, window, scale ?? 1 / Math.Sqrt(x.Shape[2])).Transpose(0, 1);
            }
        }

        static int[] Ends(string op, string name, Tensor ends, string of, Tensor tokens)
        {
            if (ends.DType != DType.Int32 || ends.Rank != 1 || ends.Numel == 0) throw Errors.Make(op, $"{name} must be int32 [sequences + 1]: 0 and where each sequence ends", (name, ends));
            int[] all = ends.ToArray<int>();
            if (all[0] != 0) throw Errors.Make(op, $"{name} must begin with 0, where the first sequence does; it begins with {all[0]}", (name, ends));
            for (int i = 1; i < all.Length; i++)
                if (all[i] < all[i - 1]) throw Errors.Make(op, $"{name} falls from {all[i - 1]} to {all[i]} at entry {i}; a sequence ends where it begins, or later", (name, ends));
            if (all[^1] != tokens.Shape[0]) throw Errors.Make(op, $"{name} ends with {all[^1]}, but {of} has {tokens.Shape[0]} tokens; its last entry must be their number", (name, ends), (of, tokens));
            return all;
        }

        /// <summary>Attention within sequences: q [H, T, d], k [G, S, d], v [G, S, e] → [H, T, e].</summary>
        internal static Tensor AttendSequences(Tensor q, Tensor k, Tensor v, Sequences sequences, bool isCausal, long? window, double scale)
        {
            AttentionKernel? kernel = AttentionKernel.Suits(ref q, ref k, ref v, null) ? new(isCausal, window, scale, 0, sequences) : null;
            // a window as wide as can be is causal, counted from the last key
            long? limit = window ?? (isCausal ? long.MaxValue : null);
            return Composite.Recompute("VarlenAttention", t => OneByOne(t[0], t[1], t[2], sequences, limit, scale), kernel, null, q, k, v);
        }

        static Tensor OneByOne(Tensor q, Tensor k, Tensor v, Sequences sequences, long? window, double scale)
        {
            using var temporaries = Temporaries.Begin();
            // no tokens, but operands whose gradients are zeros
            var none = q.Narrow(1, 0, 0).Sum(-1, keepDim: true) + k.Narrow(1, 0, 0).Sum() + v.Narrow(1, 0, 0).Sum();
            var results = new List<Tensor> { none.Expand(q.Shape[0], 0, v.Shape[2]) };
            foreach (var part in sequences.Parts)
            {
                if (part.Queries == 0) continue;
                Tensor own = part.OfQueries(q), keys = part.OfKeys(k), values = part.OfKeys(v);
                results.Add(part.Keys == 0 ? Tensor.Zeros([q.Shape[0], part.Queries, v.Shape[2]], q.DType)
                    : q.Shape[0] == k.Shape[0] ? Attend(own, keys, values, null, 0, false, window, scale, Generator.Default) : Grouped(own, keys, values, null, 0, false, window, scale, Generator.Default));
            }
            return temporaries.Keep(Tensor.Cat(results.ToArray(), 1));
        }
    }
}

namespace Flambeau.Ops
{
    /// <summary><see cref="ScaledDotProductAttention"/> within sequences that lie one after the other.</summary>
    public readonly struct VarlenAttention : IComposite
    {
        /// <inheritdoc/>
        public static string? TorchName => "varlen_attn";
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Lower;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("causal", g => [Tensor.RandN([7, 2, 4], generator: g), Tensor.RandN([7, 2, 4], generator: g), Tensor.RandN([7, 2, 4], generator: g)], t => t[0].VarlenAttention(t[1], t[2], Tensor.FromArray([0, 3, 7]), isCausal: true)),
            new("grouped, of different lengths", g => [Tensor.RandN([5, 4, 4], generator: g), Tensor.RandN([6, 2, 4], generator: g), Tensor.RandN([6, 2, 3], generator: g)],
                t => t[0].VarlenAttention(t[1], t[2], Tensor.FromArray([0, 2, 2, 5]), Tensor.FromArray([0, 3, 5, 6]))),
        ];
    }
}
