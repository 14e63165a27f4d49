using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// softmax(q · kᵀ · scale + mask) · v: q [.., T, d], k [.., S, d], v [.., S, e] → [.., T, e] (Vaswani et al. 2017; PyTorch: <c>scaled_dot_product_attention</c>).
            /// Where q has a multiple of k's heads (third dim from the end), each of k's heads serves a group of them. A query that may see no key gets zeros.
            /// One kernel forward and one backward, whose memory is linear in the number of tokens; with a mask that is learned the weights [.., T, S] are made.
            /// </summary>
            /// <remarks>What a hidden key's value holds counts for nothing unless it is infinite or NaN. A query has the same bits whatever it is batched with, and whether its keys come at once or in pieces (docs/design/numerics.md).</remarks>
            /// <param name="k">The keys.</param>
            /// <param name="v">The values.</param>
            /// <param name="mask">Bool (true takes part) or added to the scores; broadcasts to [.., T, S].</param>
            /// <param name="dropout">The probability that a weight is dropped.</param>
            /// <param name="isCausal">Position t sees positions up to t only.</param>
            /// <param name="scale">1/√d if not given.</param>
            /// <param name="window">
            /// A sliding window (Beltagy et al. 2020; Mistral): a query sees itself and the window − 1 keys before it, none after, and of those what the mask allows. The last query stands at the last key, so that T queries against a cache
            /// are its last T positions (FlashAttention: <c>window_size=(window - 1, 0)</c>). Time is that of the window; keys before it are not read.
            /// </param>
            /// <param name="generator">Source of the dropout.</param>
            public Tensor ScaledDotProductAttention(Tensor k, Tensor v, Tensor? mask = null, double dropout = 0, bool isCausal = false, double? scale = null, long? window = null, Generator? generator = null)
            {
                const string op = "ScaledDotProductAttention";
                if (x.Rank < 2 || k.Rank < 2 || v.Rank < 2) throw Errors.Make(op, "needs [.., tokens, size] tensors", ("q", x), ("k", k), ("v", v));
                if (x.Shape[^1] != k.Shape[^1]) throw Errors.Make(op, $"queries and keys differ in size: {x.Shape[^1]} and {k.Shape[^1]}", ("q", x), ("k", k));
                if (k.Shape[^2] != v.Shape[^2]) throw Errors.Make(op, $"keys and values differ in length: {k.Shape[^2]} and {v.Shape[^2]}", ("k", k), ("v", v));
                if (mask is not null && isCausal) throw Errors.Make(op, "takes a mask or isCausal, not both", ("mask", mask));
                if (window < 1) throw Errors.Make(op, $"a window of {window} hides a query from itself; it must be at least 1, or left out", ("q", x), ("k", k));
                if (window is not null && isCausal && x.Shape[^2] != k.Shape[^2])
                    throw Errors.Make(op, $"isCausal counts from the first key and a window from the last, which differs with {x.Shape[^2]} queries and {k.Shape[^2]} keys; leave out isCausal: a window hides what comes after", ("q", x), ("k", k));
                long heads = x.Rank > 2 ? x.Shape[^3] : 1, shared = k.Rank > 2 ? k.Shape[^3] : 1;
                bool grouped = heads != shared && shared > 1;
                if (grouped && heads % shared != 0) throw Errors.Make(op, $"{heads} query heads are no multiple of {shared} key heads", ("q", x), ("k", k));
                double factor = scale ?? 1 / Math.Sqrt(x.Shape[^1]);
                using var cast = Autocast.Enter<Ops.ScaledDotProductAttention>();
                (x, k, v, mask) = (cast.Of(x), cast.Of(k), cast.Of(v), cast.Of(mask));
                generator ??= Generator.Default;
                var (q, kernel) = (x, (AttentionKernel?)null);
                if (dropout is >= 0 and < 1 && AttentionKernel.Suits(ref q, ref k, ref v, mask)) kernel = new(isCausal, window, factor, dropout);
                // the weights, T·S a head, are far larger than the operands: the tape keeps these alone
                return Composite.Recompute(op, t => grouped
                    ? Grouped(t[0], t[1], t[2], t.Length > 3 ? t[3] : null, dropout, isCausal, window, factor, generator)
                    : Attend(t[0], t[1], t[2], t.Length > 3 ? t[3] : null, dropout, isCausal, window, factor, generator), kernel, dropout > 0 ? generator : null, Present(q, k, v, mask));
            }
        }

        // H = G·groups: queries [.., G, groups, T, d] against keys [.., G, 1, S, d]
        static Tensor Grouped(Tensor q, Tensor k, Tensor v, Tensor? mask, double dropout, bool isCausal, long? window, double scale, Generator generator)
        {
            using var temporaries = Temporaries.Begin();
            long heads = q.Shape[^3], shared = k.Shape[^3];
            if (mask is { Rank: > 2 }) mask = mask.Shape[^3] == 1 ? mask.Unsqueeze(-3) : mask.Unflatten(-3, shared, heads / shared);
            return temporaries.Keep(Attend(q.Unflatten(-3, shared, heads / shared), k.Unsqueeze(-3), v.Unsqueeze(-3), mask, dropout, isCausal, window, scale, generator).Flatten(-4, -3));
        }

        static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? mask, double dropout, bool isCausal, long? window, double scale, Generator generator)
        {
            using var temporaries = Temporaries.Begin();
            // the scale goes into the queries: T·d products instead of T·S
            var scores = (q * scale).MatMul(k.T);
            long t = scores.Shape[^2], s = scores.Shape[^1];
            bool mayBeBlind = mask is not null || window is not null && t > s;
            // masks are added, as 0 and -∞: addition needs no pass of its own backward
            foreach (var m in Present(mask, window is { } w ? WindowMask(t, s, w) : isCausal ? CausalMask(t, s) : null))
                scores += m.DType == DType.Bool ? Tensor.Zeros(m.Shape, scores.DType).MaskedFill(m.LogicalNot(), double.NegativeInfinity) : m;
            // a query that may see no key at all: its weights are 0, not the NaN of a softmax of nothing but -∞
            var blind = !mayBeBlind ? null : scores.Eq(double.NegativeInfinity).All(-1, keepDim: true);
            var weights = blind is null ? scores.Softmax(-1) : scores.MaskedFill(blind, 0).Softmax(-1).MaskedFill(blind, 0);
            return temporaries.Keep(weights.Dropout(dropout, dropout > 0, generator).MatMul(v));
        }

        /// <summary>True where the query in row i, whose position is i + s − t, sees key j: the window's keys up to its position.</summary>
        static Tensor WindowMask(long t, long s, long window)
        {
            Tensor position = Tensor.Arange(s - t, s, 1).Unsqueeze(1), key = Tensor.Arange(s);
            return key.Le(position).LogicalAnd(key.Gt(position - Math.Min(window, s)));
        }

        /// <summary>True where position t (row) may see position s (column): s ≤ t.</summary>
        internal static Tensor CausalMask(long t, long s) => Tensor.Arange(s).Le(Tensor.Arange(t).Unsqueeze(1));
    }
}

namespace Flambeau.Ops
{
    /// <summary>softmax(q · kᵀ · scale + mask) · v.</summary>
    public readonly struct ScaledDotProductAttention : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Lower;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("causal", g => [Tensor.RandN([2, 2, 5, 4], generator: g), Tensor.RandN([2, 2, 5, 4], generator: g), Tensor.RandN([2, 2, 5, 4], generator: g)], t => t[0].ScaledDotProductAttention(t[1], t[2], isCausal: true)),
            new("grouped, masked", g => [Tensor.RandN([1, 4, 3, 4], generator: g), Tensor.RandN([1, 2, 5, 4], generator: g), Tensor.RandN([1, 2, 5, 6], generator: g), Tensor.RandN([3, 5], generator: g)], t => t[0].ScaledDotProductAttention(t[1], t[2], t[3])),
            new("window", g => [Tensor.RandN([2, 2, 4, 4], generator: g), Tensor.RandN([2, 1, 6, 4], generator: g), Tensor.RandN([2, 1, 6, 4], generator: g)], t => t[0].ScaledDotProductAttention(t[1], t[2], window: 3)),
        ];
    }
}
