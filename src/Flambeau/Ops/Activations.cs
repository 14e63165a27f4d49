using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>max(x, 0); derivative 0 at 0; NaN stays.</summary>
    public readonly struct Relu : IUnary
    {
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(x <= S.Constant(0), S.Constant(0), x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => S.Select(y <= S.Constant(0), S.Constant(0), g);
    }

    /// <summary>x cut to [0, 6]; derivative 0 at both ends.</summary>
    public readonly struct Relu6 : IUnary
    {
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(x <= S.Constant(0), S.Constant(0), S.Select(x >= S.Constant(6), S.Constant(6), x));
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => S.Select(S.Or(y <= S.Constant(0), y >= S.Constant(6)), S.Constant(0), g);
    }

    /// <summary>x above zero, slope · x below; derivative slope at 0.</summary>
    public readonly struct LeakyRelu : IBinary
    {
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [0.01];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S slope) where S : IReal<S> => S.Select(x > S.Constant(0), x, slope * x);
    }

    /// <summary>x above zero, α (eˣ − 1) below (Clevert et al. 2015).</summary>
    public readonly struct Elu : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [1];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S alpha) where S : IReal<S> => S.Select(x > S.Constant(0), x, alpha * S.Expm1(x));
    }

    /// <summary>x above zero, α (e^(x ÷ α) − 1) below (Barron 2017).</summary>
    public readonly struct Celu : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [1.5];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S alpha) where S : IReal<S> => S.Select(x > S.Constant(0), x, alpha * S.Expm1(x / alpha));
    }

    /// <summary>λ x above zero, λ α (eˣ − 1) below, with the λ and α that keep mean 0 and variance 1 (Klambauer et al. 2017).</summary>
    public readonly struct Selu : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(x > S.Constant(0), S.Constant(1.0507009873554804934), S.Constant(1.0507009873554804934 * 1.6732632423543772848)) * S.Select(x > S.Constant(0), x, S.Expm1(x));
    }

    /// <summary>x · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016).</summary>
    public readonly struct Gelu : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // beyond ±40 the result is x or 0 to the last bit, and 0 · ∞ must not come about
            S phi = S.NormalCdf(x), far = S.Constant(40);
            return S.Select(x > far, x, S.Select(x < -far, S.Constant(-0.0), x * phi));
        }
    }

    /// <summary>½ x (1 + tanh(√(2⁄π) (x + 0.044715 x³))): Gelu's approximation.</summary>
    public readonly struct GeluTanh : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "gelu";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // ½ (1 + tanh u) = σ(2u), which does not cancel on the left; beyond ±40 as Gelu
            S u = S.Constant(1.5957691216057307118) * (x + S.Constant(0.044715) * x * x * x), far = S.Constant(40);
            return S.Select(x > far, x, S.Select(x < -far, S.Constant(-0.0), x * S.Logistic(u)));
        }
    }

    /// <summary>x · σ(x) (Elfwing et al. 2017; also called swish).</summary>
    public readonly struct Silu : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // beyond ±1000 the result is x or 0 to the last bit, and 0 · ∞ must not come about
            S far = S.Constant(1000);
            return S.Select(x > far, x, S.Select(x < -far, S.Constant(-0.0), x * S.Logistic(x)));
        }
    }

    /// <summary>x · tanh(ln(1 + eˣ)) (Misra 2019).</summary>
    public readonly struct Mish : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // far from zero as Silu
            S far = S.Constant(1000);
            return S.Select(x > far, x, S.Select(x < -far, S.Constant(-0.0), x * S.Tanh(S.Softplus(x))));
        }
    }

    /// <summary>x cut to [low, high]; derivative 0 at both ends.</summary>
    public readonly struct Hardtanh : ITernary
    {
        /// <inheritdoc/>
        public static int Parameters => 2;
        /// <inheritdoc/>
        public static double[] SampleParameters => [-1, 1];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S low, S high) where S : IReal<S> => S.Select(x <= low, low, S.Select(x >= high, high, x));
    }

    /// <summary>x · min(max(x + 3, 0), 6) ÷ 6 (Howard et al. 2019).</summary>
    public readonly struct Hardswish : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(x <= S.Constant(-3), S.Constant(0), S.Select(x < S.Constant(3), x * (x + S.Constant(3)) / S.Constant(6), x));
    }

    /// <summary>min(max(x + 3, 0), 6) ÷ 6; derivative 0 at ±3.</summary>
    public readonly struct Hardsigmoid : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(x <= S.Constant(-3), S.Constant(0), S.Select(x >= S.Constant(3), S.Constant(1), (x + S.Constant(3)) / S.Constant(6)));
    }

    /// <summary>x ÷ (1 + |x|); ±1 at ±∞.</summary>
    public readonly struct Softsign : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Select(S.Equal(S.Abs(x), S.Constant(double.PositiveInfinity)), S.Sign(x), x / (S.Constant(1) + S.Abs(x)));
    }

    /// <summary>ln(1 + e^(βx)) ÷ β; x itself where βx exceeds the threshold.</summary>
    public readonly struct Softplus : ITernary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static int Parameters => 2;
        /// <inheritdoc/>
        public static double[] SampleParameters => [1, 20];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S beta, S threshold) where S : IReal<S> => S.Select(x * beta > threshold, x, S.Softplus(x * beta) / beta);
    }

    /// <summary>x above the threshold, else the value.</summary>
    public readonly struct Threshold : ITernary
    {
        /// <inheritdoc/>
        public static int Parameters => 2;
        /// <inheritdoc/>
        public static double[] SampleParameters => [0.1, -0.5];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S threshold, S value) where S : IReal<S> => S.Select(x <= threshold, value, x);
    }

    /// <summary>x outside of [−λ, λ], else 0.</summary>
    public readonly struct Hardshrink : IBinary
    {
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [0.5];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S lambda) where S : IReal<S> => S.Select(S.Abs(x) <= lambda, S.Constant(0), x);
    }

    /// <summary>x moved towards zero by λ, 0 within it.</summary>
    public readonly struct Softshrink : IBinary
    {
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [0.5];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S lambda) where S : IReal<S> => S.Select(x > lambda, x - lambda, S.Select(x < -lambda, x + lambda, x * S.Constant(0)));
    }

    /// <summary>silu(x) · y.</summary>
    public readonly struct SwiGlu : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.SwiGlu(y)", g => [Tensor.RandN([4, 6], generator: g), Tensor.RandN([4, 6], generator: g)], t => t[0].SwiGlu(t[1])),
            new("x.SwiGlu(y) that broadcasts", g => [Tensor.RandN([4, 1, 6], generator: g), Tensor.RandN([3, 1], generator: g)], t => t[0].SwiGlu(t[1])),
        ];
    }
}

namespace Flambeau
{
    /// <summary>How <c>Gelu</c> is computed (PyTorch: <c>approximate="none"</c> or <c>"tanh"</c>).</summary>
    public enum GeluApproximation
    {
        /// <summary>x · Φ(x) with the error function.</summary>
        None,
        /// <summary>½ x (1 + tanh(√(2⁄π) (x + 0.044715 x³))).</summary>
        Tanh,
    }

    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>max(x, 0) (PyTorch: <c>relu</c>).</summary>
            public Tensor Relu() => Elementwise.Apply<Relu>(x);
            /// <summary>Relu in place (PyTorch: <c>relu_</c>).</summary>
            public Tensor Relu_() => Elementwise.InPlace<Relu>(x);
            /// <summary>x cut to [0, 6] (PyTorch: <c>F.relu6</c>).</summary>
            public Tensor Relu6() => Elementwise.Apply<Relu6>(x);
            /// <summary>Relu6 in place (PyTorch: <c>F.relu6_</c>).</summary>
            public Tensor Relu6_() => Elementwise.InPlace<Relu6>(x);
            /// <summary>x above zero, negativeSlope · x below (PyTorch: <c>F.leaky_relu</c>).</summary>
            public Tensor LeakyRelu(double negativeSlope = 0.01) => Elementwise.Apply<LeakyRelu>(x, negativeSlope);
            /// <summary>LeakyRelu in place (PyTorch: <c>F.leaky_relu_</c>).</summary>
            public Tensor LeakyRelu_(double negativeSlope = 0.01) => Elementwise.InPlace<LeakyRelu>(x, negativeSlope);
            /// <summary>x above zero, alpha · (eˣ − 1) below (PyTorch: <c>F.elu</c>).</summary>
            public Tensor Elu(double alpha = 1) => Elementwise.Apply<Elu>(x, alpha);
            /// <summary>Elu in place (PyTorch: <c>F.elu_</c>).</summary>
            public Tensor Elu_(double alpha = 1) => Elementwise.InPlace<Elu>(x, alpha);
            /// <summary>x above zero, alpha · (e^(x ÷ alpha) − 1) below (PyTorch: <c>F.celu</c>).</summary>
            public Tensor Celu(double alpha = 1) => Elementwise.Apply<Celu>(x, alpha);
            /// <summary>Celu in place (PyTorch: <c>F.celu_</c>).</summary>
            public Tensor Celu_(double alpha = 1) => Elementwise.InPlace<Celu>(x, alpha);
            /// <summary>The self-normalizing Elu (PyTorch: <c>F.selu</c>).</summary>
            public Tensor Selu() => Elementwise.Apply<Selu>(x);
            /// <summary>Selu in place (PyTorch: <c>F.selu_</c>).</summary>
            public Tensor Selu_() => Elementwise.InPlace<Selu>(x);
            /// <summary>x · Φ(x), exactly or by its approximation with tanh (PyTorch: <c>F.gelu</c>).</summary>
            public Tensor Gelu(GeluApproximation approximate = GeluApproximation.None) => approximate == GeluApproximation.Tanh ? Elementwise.Apply<GeluTanh>(x) : Elementwise.Apply<Gelu>(x);
            /// <summary>x · σ(x) (PyTorch: <c>F.silu</c>).</summary>
            public Tensor Silu() => Elementwise.Apply<Silu>(x);
            /// <summary>Silu in place (PyTorch: <c>F.silu_</c>).</summary>
            public Tensor Silu_() => Elementwise.InPlace<Silu>(x);
            /// <summary>x · tanh(ln(1 + eˣ)) (PyTorch: <c>F.mish</c>).</summary>
            public Tensor Mish() => Elementwise.Apply<Mish>(x);
            /// <summary>Mish in place (PyTorch: <c>F.mish_</c>).</summary>
            public Tensor Mish_() => Elementwise.InPlace<Mish>(x);
            /// <summary>x cut to [min, max], with derivative 0 at both ends (PyTorch: <c>F.hardtanh</c>).</summary>
            public Tensor Hardtanh(double min = -1, double max = 1) => Elementwise.Apply<Hardtanh>(x, min, max);
            /// <summary>Hardtanh in place (PyTorch: <c>F.hardtanh_</c>).</summary>
            public Tensor Hardtanh_(double min = -1, double max = 1) => Elementwise.InPlace<Hardtanh>(x, min, max);
            /// <summary>x · min(max(x + 3, 0), 6) ÷ 6 (PyTorch: <c>F.hardswish</c>).</summary>
            public Tensor Hardswish() => Elementwise.Apply<Hardswish>(x);
            /// <summary>Hardswish in place (PyTorch: <c>F.hardswish_</c>).</summary>
            public Tensor Hardswish_() => Elementwise.InPlace<Hardswish>(x);
            /// <summary>min(max(x + 3, 0), 6) ÷ 6 (PyTorch: <c>F.hardsigmoid</c>).</summary>
            public Tensor Hardsigmoid() => Elementwise.Apply<Hardsigmoid>(x);
            /// <summary>Hardsigmoid in place (PyTorch: <c>F.hardsigmoid_</c>).</summary>
            public Tensor Hardsigmoid_() => Elementwise.InPlace<Hardsigmoid>(x);
            /// <summary>x ÷ (1 + |x|) (PyTorch: <c>F.softsign</c>).</summary>
            public Tensor Softsign() => Elementwise.Apply<Softsign>(x);
            /// <summary>ln(1 + e^(beta · x)) ÷ beta; x itself where beta · x exceeds the threshold (PyTorch: <c>F.softplus</c>).</summary>
            public Tensor Softplus(double beta = 1, double threshold = 20) => Elementwise.Apply<Softplus>(x, beta, threshold);
            /// <summary>x above the threshold, else the value (PyTorch: <c>F.threshold</c>).</summary>
            public Tensor Threshold(double threshold, double value) => Elementwise.Apply<Threshold>(x, threshold, value);
            /// <summary>Threshold in place (PyTorch: <c>F.threshold_</c>).</summary>
            public Tensor Threshold_(double threshold, double value) => Elementwise.InPlace<Threshold>(x, threshold, value);
            /// <summary>x outside of [−lambda, lambda], else 0 (PyTorch: <c>F.hardshrink</c>).</summary>
            public Tensor Hardshrink(double lambda = 0.5) => Elementwise.Apply<Hardshrink>(x, lambda);
            /// <summary>x moved towards zero by lambda, 0 within it (PyTorch: <c>F.softshrink</c>).</summary>
            public Tensor Softshrink(double lambda = 0.5) => Elementwise.Apply<Softshrink>(x, lambda);
            /// <summary>silu(x) · y, the gated unit of Llama's feed-forward layers, in one pass forward and one backward (Shazeer 2020, "GLU variants improve transformer"; PyTorch: <c>F.silu(x) * y</c>).</summary>
            /// <param name="y">What the gate lets through; broadcasts with the gate.</param>
            public Tensor SwiGlu(Tensor y) => Composite.Apply("SwiGlu", static t =>
            {
                using var temporaries = Temporaries.Begin();
                // further left e⁻ˣ overflows, and the result is 0 to any purpose
                var gate = Wide(t[0]);
                gate = gate.Clamp(gate.DType == DType.Float64 ? -700 : -87);
                return temporaries.Keep((gate * ((-gate).Exp() + 1).Reciprocal() * t[1]).To(Floating(DTypes.Promote(t[0].DType, t[1].DType))));
            }, 0, x, y);
            /// <summary>x − tanh x (PyTorch: <c>F.tanhshrink</c>).</summary>
            public Tensor Tanhshrink() => x - x.Tanh();
        }
    }
}
