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
            new("x.Dropout(0.1), rows of whole blocks", g => [Tensor.RandN([3, 72], generator: g)], t => t[0].Dropout(0.1, generator: new Generator(7))),
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
                // in halves, which are read where they lie and written side by side
                return Composite.Apply("RotaryEmbedding", static t =>
                {
                    using var temporaries = Temporaries.Begin();
                    long half = t[0].Shape[^1] / 2;
                    Tensor x1 = t[0].Narrow(-1, 0, half), x2 = t[0].Narrow(-1, half, half);
                    var first = x1 * t[1].Narrow(-1, 0, half) - x2 * t[2].Narrow(-1, 0, half);
                    var second = x2 * t[1].Narrow(-1, half, half) + x1 * t[2].Narrow(-1, half, half);
                    return temporaries.Keep(Tensor.Cat([first, second], -1));
                }, 0, x, cos, sin);
            }

            /// <summary>
            /// While training, each element becomes 0 with probability <paramref name="p"/> and is else divided by 1 − p (Srivastava et al. 2014; PyTorch: <c>dropout</c>).
            /// </summary>
            public Tensor Dropout(double p, bool training = true, Generator? generator = null)
            {
                if (!(p >= 0 && p <= 1)) throw Errors.Make("Dropout", $"p is a probability, got {p}", ("x", x));
                if (!training || p == 0) return x;
                if (p == 1) return x * 0;
                // the mask is never stored: the backward pass makes it again
                return Composite.Apply("Dropout", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var kept = Tensor.Rand(t[0].Shape, DType.Float32, generator).Ge(p).To(t[0].DType);
                    return temporaries.Keep(t[0] * (kept * (1 / (1 - p))));
                }, p, generator, x);
            }
        }

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
