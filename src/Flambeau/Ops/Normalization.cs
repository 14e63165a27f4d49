using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>e^(x−m) / Σ e^(x−m).</summary>
    public readonly struct Softmax : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Softmax(-1)", g => [Tensor.RandN([3, 7], generator: g)], t => t[0].Softmax(-1)),
            new("x.Softmax(0)", g => [Tensor.RandN([4, 3], generator: g)], t => t[0].Softmax(0)),
        ];
    }

    /// <summary>x − ln Σ eˣ.</summary>
    public readonly struct LogSoftmax : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.LogSoftmax(-1)", g => [Tensor.RandN([3, 7], generator: g)], t => t[0].LogSoftmax(-1)),
        ];
    }

    /// <summary>(x − mean) / √(var + ε) · weight + bias.</summary>
    public readonly struct LayerNorm : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.LayerNorm(1, w, b)", g => [Tensor.RandN([4, 6], generator: g), Tensor.RandN([6], generator: g), Tensor.RandN([6], generator: g)], t => t[0].LayerNorm(1, t[1], t[2])),
            new("x.LayerNorm(2)", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].LayerNorm(2)),
        ];
    }

    /// <summary>x / √(mean x² + ε) · weight.</summary>
    public readonly struct RmsNorm : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.RmsNorm(w)", g => [Tensor.RandN([4, 6], generator: g), Tensor.RandN([6], generator: g)], t => t[0].RmsNorm(t[1])),
        ];
    }

    /// <summary>x · cos + (−x₂, x₁) · sin.</summary>
    public readonly struct RotaryEmbedding : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.RotaryEmbedding(cos, sin)", g => [Tensor.RandN([2, 3, 4], generator: g), Tensor.RandN([3, 4], generator: g), Tensor.RandN([3, 4], generator: g)], t => t[0].RotaryEmbedding(t[1], t[2])),
        ];
    }

    /// <summary>Elements dropped with a probability, the others scaled up.</summary>
    public readonly struct Dropout : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Dropout(0.4)", g => [Tensor.RandN([5, 7], generator: g)], t => t[0].Dropout(0.4, generator: new Generator(7))),
        ];
    }

    /// <summary>softmax(q · kᵀ · scale + mask) · v.</summary>
    public readonly struct ScaledDotProductAttention : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("causal", g => [Tensor.RandN([2, 2, 5, 4], generator: g), Tensor.RandN([2, 2, 5, 4], generator: g), Tensor.RandN([2, 2, 5, 4], generator: g)], t => t[0].ScaledDotProductAttention(t[1], t[2], isCausal: true)),
            new("grouped, masked", g => [Tensor.RandN([1, 4, 3, 4], generator: g), Tensor.RandN([1, 2, 5, 4], generator: g), Tensor.RandN([1, 2, 5, 6], generator: g), Tensor.RandN([3, 5], generator: g)], t => t[0].ScaledDotProductAttention(t[1], t[2], t[3])),
        ];
    }
}

namespace Flambeau
{
    // Composites: C# over tensors, and nothing else; nobody writes a composite's backward. Half precision computes in float32 and rounds once at the end.
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>e^(x−m) / Σ e^(x−m) along one dimension, m its largest (PyTorch: <c>softmax</c>).</summary>
            public Tensor Softmax(int dim)
            {
                if (x.Rank == 0) return x.Reshape(1).Softmax(dim).Reshape(Shape.Scalar);
                x.Shape.Normalize(dim, "Softmax");
                if (x.Numel == 0) return x.To(Floating(x.DType)).Clone();
                return Composite.Apply("Softmax", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var wide = Wide(t[0]);
                    // max before exp: exp(89) overflows float32, and softmax is unchanged by a shift
                    var e = (wide - wide.Detach().Amax(dim, keepDim: true)).Exp();
                    return temporaries.Keep((e / e.Sum(dim, keepDim: true)).To(Floating(t[0].DType)));
                }, dim, x);
            }

            /// <summary>x − ln Σ eˣ along one dimension (PyTorch: <c>log_softmax</c>).</summary>
            public Tensor LogSoftmax(int dim)
            {
                if (x.Rank == 0) return x.Reshape(1).LogSoftmax(dim).Reshape(Shape.Scalar);
                x.Shape.Normalize(dim, "LogSoftmax");
                if (x.Numel == 0) return x.To(Floating(x.DType)).Clone();
                return Composite.Apply("LogSoftmax", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var wide = Wide(t[0]);
                    var shifted = wide - wide.Detach().Amax(dim, keepDim: true);
                    return temporaries.Keep((shifted - shifted.Exp().Sum(dim, keepDim: true).Log()).To(Floating(t[0].DType)));
                }, dim, x);
            }

            /// <summary>
            /// (x − mean) / √(var + ε) · weight + bias over the last <paramref name="dims"/> dimensions, the variance with n in the denominator (Ba, Kiros, Hinton 2016; PyTorch: <c>layer_norm</c>).
            /// </summary>
            /// <param name="dims">How many of the last dimensions are normalized together.</param>
            /// <param name="weight">A scale of the normalized shape.</param>
            /// <param name="bias">A shift of the normalized shape.</param>
            /// <param name="eps">ε.</param>
            public Tensor LayerNorm(int dims, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5)
            {
                int[] last = LastDims("LayerNorm", x, dims, weight, bias);
                bool scaled = weight is not null, shifted = bias is not null;
                return Composite.Apply("LayerNorm", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var y = Standardized(Wide(t[0]), last, eps);
                    if (scaled) y *= t[1];
                    if (shifted) y += t[^1];
                    return temporaries.Keep(y.To(t[0].DType));
                }, (dims, eps, scaled, shifted), Present(x, weight, bias));
            }

            /// <summary>x / √(mean x² + ε) · weight over the last dimension (Zhang, Sennrich 2019; PyTorch: <c>rms_norm</c>).</summary>
            public Tensor RmsNorm(Tensor? weight = null, double eps = 1e-6)
            {
                _ = LastDims("RmsNorm", x, 1, weight, null);
                return Composite.Apply("RmsNorm", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var wide = Wide(t[0]);
                    var y = wide * ((wide * wide).Mean(-1, keepDim: true) + eps).Rsqrt();
                    return temporaries.Keep((t.Length == 1 ? y : y * t[1]).To(t[0].DType));
                }, eps, Present(x, weight));
            }

            /// <summary>
            /// Rotates pairs (x[i], x[i + d/2]) of the last dimension by angles whose cosines and sines are given, [.., T, d] with both halves equal as in Hugging Face models
            /// (Su et al. 2021, RoFormer): x · cos + (−x₂, x₁) · sin.
            /// </summary>
            public Tensor RotaryEmbedding(Tensor cos, Tensor sin)
            {
                long d = x.Shape[^1];
                if (d % 2 != 0) throw Errors.Make("RotaryEmbedding", $"needs an even last size, got {d}", ("x", x));
                if (cos.Shape[^1] != d || !cos.Shape.Equals(sin.Shape)) throw Errors.Make("RotaryEmbedding", "cos and sin need one shape that ends in the last size of x", ("x", x), ("cos", cos), ("sin", sin));
                using var temporaries = Temporaries.Begin();
                var turned = Tensor.Cat([-x.Narrow(-1, d / 2, d / 2), x.Narrow(-1, 0, d / 2)], -1);
                return temporaries.Keep(x * cos + turned * sin);
            }

            /// <summary>
            /// While training, each element becomes 0 with probability <paramref name="p"/> and is else divided by 1 − p (Srivastava et al. 2014; PyTorch: <c>dropout</c>).
            /// </summary>
            public Tensor Dropout(double p, bool training = true, Generator? generator = null)
            {
                if (!(p >= 0 && p <= 1)) throw Errors.Make("Dropout", $"p is a probability, got {p}", ("x", x));
                if (!training || p == 0) return x;
                if (p == 1) return x * Tensor.ZerosLike(x);
                using var temporaries = Temporaries.Begin();
                var kept = Tensor.Rand(x.Shape, DType.Float32, generator).Ge(p).To(x.DType);
                return temporaries.Keep(x * (kept * (1 / (1 - p))));
            }

            /// <summary>
            /// softmax(q · kᵀ · scale + mask) · v: q [.., T, d], k [.., S, d], v [.., S, e] → [.., T, e] (Vaswani et al. 2017; PyTorch: <c>scaled_dot_product_attention</c>).
            /// Where q has a multiple of k's heads (third dim from the end), each of k's heads serves a group of them.
            /// </summary>
            /// <param name="k">The keys.</param>
            /// <param name="v">The values.</param>
            /// <param name="mask">Bool (true takes part) or added to the scores; broadcasts to [.., T, S].</param>
            /// <param name="dropout">The probability that a weight is dropped.</param>
            /// <param name="isCausal">Position t sees positions up to t only.</param>
            /// <param name="scale">1/√d if not given.</param>
            /// <param name="generator">Source of the dropout.</param>
            public Tensor ScaledDotProductAttention(Tensor k, Tensor v, Tensor? mask = null, double dropout = 0, bool isCausal = false, double? scale = null, Generator? generator = null)
            {
                const string op = "ScaledDotProductAttention";
                if (x.Rank < 2 || k.Rank < 2 || v.Rank < 2) throw Errors.Make(op, "needs [.., tokens, size] tensors", ("q", x), ("k", k), ("v", v));
                if (x.Shape[^1] != k.Shape[^1]) throw Errors.Make(op, $"queries and keys differ in size: {x.Shape[^1]} and {k.Shape[^1]}", ("q", x), ("k", k));
                if (k.Shape[^2] != v.Shape[^2]) throw Errors.Make(op, $"keys and values differ in length: {k.Shape[^2]} and {v.Shape[^2]}", ("k", k), ("v", v));
                if (mask is not null && isCausal) throw Errors.Make(op, "takes a mask or isCausal, not both", ("mask", mask));
                long heads = x.Rank > 2 ? x.Shape[^3] : 1, shared = k.Rank > 2 ? k.Shape[^3] : 1;
                bool grouped = heads != shared && shared > 1;
                if (grouped && heads % shared != 0) throw Errors.Make(op, $"{heads} query heads are no multiple of {shared} key heads", ("q", x), ("k", k));
                scale ??= 1 / Math.Sqrt(x.Shape[^1]);
                generator ??= Generator.Default;
                // the weights, T·S a head, are far larger than the operands: the tape keeps these alone
                return Composite.Recompute(op, t => grouped
                    ? Grouped(t[0], t[1], t[2], t.Length > 3 ? t[3] : null, dropout, isCausal, scale.Value, generator)
                    : Attend(t[0], t[1], t[2], t.Length > 3 ? t[3] : null, dropout, isCausal, scale.Value, generator), dropout > 0 ? generator : null, Present(x, k, v, mask));
            }
        }

        // H = G·groups: queries [.., G, groups, T, d] against keys [.., G, 1, S, d]
        static Tensor Grouped(Tensor q, Tensor k, Tensor v, Tensor? mask, double dropout, bool isCausal, double scale, Generator generator)
        {
            using var temporaries = Temporaries.Begin();
            long heads = q.Shape[^3], shared = k.Shape[^3];
            if (mask is { Rank: > 2 }) mask = mask.Shape[^3] == 1 ? mask.Unsqueeze(-3) : mask.Unflatten(-3, shared, heads / shared);
            return temporaries.Keep(Attend(q.Unflatten(-3, shared, heads / shared), k.Unsqueeze(-3), v.Unsqueeze(-3), mask, dropout, isCausal, scale, generator).Flatten(-4, -3));
        }

        static Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? mask, double dropout, bool isCausal, double scale, Generator generator)
        {
            using var temporaries = Temporaries.Begin();
            // the scale goes into the queries: T·d products instead of T·S
            var scores = (q * scale).MatMul(k.T);
            if (isCausal) mask = CausalMask(scores.Shape[^2], scores.Shape[^1]);
            // a mask is added, as 0 and -∞: addition needs no pass of its own backward
            if (mask is not null) scores += mask.DType == DType.Bool ? Tensor.Zeros(mask.Shape, scores.DType).MaskedFill(mask.LogicalNot(), double.NegativeInfinity) : mask;
            // a query that may see no key at all: its weights are 0, not the NaN of a softmax of nothing but -∞
            var blind = mask is null || isCausal ? null : scores.Eq(double.NegativeInfinity).All(-1, keepDim: true);
            var weights = blind is null ? scores.Softmax(-1) : scores.MaskedFill(blind, 0).Softmax(-1).MaskedFill(blind, 0);
            return temporaries.Keep(weights.Dropout(dropout, dropout > 0, generator).MatMul(v));
        }

        /// <summary>True where position t (row) may see position s (column): s ≤ t.</summary>
        internal static Tensor CausalMask(long t, long s) => Tensor.Arange(s).Le(Tensor.Arange(t).Unsqueeze(1));

        // half precision is computed in float32: every intermediate would else be rounded
        static Tensor Wide(Tensor x) => x.DType is DType.Float32 or DType.Float64 ? x : x.To(DType.Float32);

        static Tensor Standardized(Tensor x, int[] dims, double eps)
        {
            var centred = x - x.Mean(dims, keepDim: true);
            return centred * ((centred * centred).Mean(dims, keepDim: true) + eps).Rsqrt();
        }

        static Tensor[] Present(params ReadOnlySpan<Tensor?> operands)
        {
            var present = new List<Tensor>(operands.Length);
            foreach (var t in operands) if (t is not null) present.Add(t);
            return [.. present];
        }

        static DType Floating(DType type) => type.IsFloatingPoint ? type : DType.Float32;

        static int[] LastDims(string op, Tensor x, int dims, Tensor? weight, Tensor? bias)
        {
            if (dims < 1 || dims > x.Rank) throw Errors.Make(op, $"normalizes the last {dims} dims of a tensor that has {x.Rank}", ("x", x));
            foreach (var t in new[] { weight, bias })
                if (t is not null && !t.Shape.Sizes.AsSpan().SequenceEqual(x.Shape.Sizes.AsSpan(x.Rank - dims)))
                    throw Errors.Make(op, $"weight and bias need the normalized shape [{string.Join(", ", x.Shape.Sizes[(x.Rank - dims)..])}]", ("x", x), ("weight", weight), ("bias", bias));
            return [.. Enumerable.Range(x.Rank - dims, dims)];
        }
    }
}
