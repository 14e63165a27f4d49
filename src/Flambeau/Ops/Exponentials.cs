using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>eˣ.</summary>
    public readonly struct Exp : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Exp(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => y * g;
    }

    /// <summary>2ˣ.</summary>
    public readonly struct Exp2 : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Exp2(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => y * S.Constant(0.69314718055994530942) * g;
    }

    /// <summary>eˣ − 1 without cancellation near zero.</summary>
    public readonly struct Expm1 : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Expm1(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => (y + S.Constant(1)) * g;
    }

    /// <summary>ln x.</summary>
    public readonly struct Log : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.2, 3);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Log(x);
    }

    /// <summary>log₂ x.</summary>
    public readonly struct Log2 : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.2, 3);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Log2(x);
    }

    /// <summary>log₁₀ x.</summary>
    public readonly struct Log10 : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.2, 3);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Log10(x);
    }

    /// <summary>ln(1 + x) without cancellation near zero.</summary>
    public readonly struct Log1p : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (-0.7, 2);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Log1p(x);
    }

    /// <summary>σ(x) = 1 ÷ (1 + e⁻ˣ).</summary>
    public readonly struct Sigmoid : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sigmoid(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => y * (S.Constant(1) - y) * g;
    }

    /// <summary>ln σ(x).</summary>
    public readonly struct LogSigmoid : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "logsigmoid";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.LogSigmoid(x);
    }

    /// <summary>ln(x ÷ (1 − x)), the inverse of σ.</summary>
    public readonly struct Logit : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.1, 0.9);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // near ½ the two logarithms cancel; there ln(1 + (2x − 1) ÷ (1 − x)), whose argument is exact up to the division
            S one = S.Constant(1), nearHalf = S.Abs(x - S.Constant(0.5)) < S.Constant(0.25);
            return S.Select(nearHalf, S.Log1p((x + x - one) / (one - x)), S.Log(x) - S.Log1p(-x));
        }
    }

    /// <summary>x · ln y; 0 where x = 0, unless y is NaN. At x = 0 the derivative by x is ln y where that is finite.</summary>
    public readonly struct Xlogy : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.2, 3);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(IsZero(x, y), S.Constant(0), x * S.Log(y));

        /// <inheritdoc/>
        public static bool StatesDerivativeByX => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S DerivativeByX<S>(S x, S y, S g) where S : IReal<S> =>
            // g · ln y is the operator itself: a gradient of 0, as of an element masked out, stays 0 at y = 0
            S.Select(IsZero(x, y), S.Constant(0), Body(g, y));

        // 0 by decree: 0 · ln y where ln y is no finite number
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static S IsZero<S>(S x, S y) where S : IReal<S> =>
            S.And(S.And(S.Equal(x, S.Constant(0)), S.Equal(y, y)), S.Not(S.And(y > S.Constant(0), y < S.Constant(double.PositiveInfinity))));
    }

    /// <summary>ln(eˣ + eʸ), without overflow.</summary>
    public readonly struct LogAddExp : IBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "logaddexp";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S>
        {
            // equal infinities have no difference
            S larger = S.Max(x, y), rest = S.Softplus(-S.Abs(x - y));
            return S.Select(S.Equal(S.Abs(larger), S.Constant(double.PositiveInfinity)), larger, larger + rest);
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>eˣ (PyTorch: <c>exp</c>).</summary>
            public Tensor Exp() => Elementwise.Apply<Exp>(x);
            /// <summary>Exp in place (PyTorch: <c>exp_</c>).</summary>
            public Tensor Exp_() => Elementwise.InPlace<Exp>(x);
            /// <summary>2ˣ (PyTorch: <c>exp2</c>).</summary>
            public Tensor Exp2() => Elementwise.Apply<Exp2>(x);
            /// <summary>Exp2 in place (PyTorch: <c>exp2_</c>).</summary>
            public Tensor Exp2_() => Elementwise.InPlace<Exp2>(x);
            /// <summary>eˣ − 1 (PyTorch: <c>expm1</c>).</summary>
            public Tensor Expm1() => Elementwise.Apply<Expm1>(x);
            /// <summary>Expm1 in place (PyTorch: <c>expm1_</c>).</summary>
            public Tensor Expm1_() => Elementwise.InPlace<Expm1>(x);
            /// <summary>ln x (PyTorch: <c>log</c>).</summary>
            public Tensor Log() => Elementwise.Apply<Log>(x);
            /// <summary>Log in place (PyTorch: <c>log_</c>).</summary>
            public Tensor Log_() => Elementwise.InPlace<Log>(x);
            /// <summary>log₂ x (PyTorch: <c>log2</c>).</summary>
            public Tensor Log2() => Elementwise.Apply<Log2>(x);
            /// <summary>Log2 in place (PyTorch: <c>log2_</c>).</summary>
            public Tensor Log2_() => Elementwise.InPlace<Log2>(x);
            /// <summary>log₁₀ x (PyTorch: <c>log10</c>).</summary>
            public Tensor Log10() => Elementwise.Apply<Log10>(x);
            /// <summary>Log10 in place (PyTorch: <c>log10_</c>).</summary>
            public Tensor Log10_() => Elementwise.InPlace<Log10>(x);
            /// <summary>ln(1 + x) (PyTorch: <c>log1p</c>).</summary>
            public Tensor Log1p() => Elementwise.Apply<Log1p>(x);
            /// <summary>Log1p in place (PyTorch: <c>log1p_</c>).</summary>
            public Tensor Log1p_() => Elementwise.InPlace<Log1p>(x);
            /// <summary>σ(x) = 1 ÷ (1 + e⁻ˣ) (PyTorch: <c>sigmoid</c>).</summary>
            public Tensor Sigmoid() => Elementwise.Apply<Sigmoid>(x);
            /// <summary>Sigmoid in place (PyTorch: <c>sigmoid_</c>).</summary>
            public Tensor Sigmoid_() => Elementwise.InPlace<Sigmoid>(x);
            /// <summary>ln σ(x) (PyTorch: <c>F.logsigmoid</c>).</summary>
            public Tensor LogSigmoid() => Elementwise.Apply<LogSigmoid>(x);
            /// <summary>ln(x ÷ (1 − x)); with eps given, x is first cut to [eps, 1 − eps] (PyTorch: <c>logit</c>).</summary>
            public Tensor Logit(double? eps = null) => Elementwise.Apply<Logit>(eps is { } e ? x.Clamp(e, 1 - e) : x);
            /// <summary>x · ln y, 0 where x = 0; the operands broadcast (PyTorch: <c>xlogy</c>).</summary>
            public Tensor Xlogy(Tensor y) => Elementwise.Apply<Xlogy>(x, y);
            /// <summary>x · ln y, 0 where x = 0.</summary>
            public Tensor Xlogy(Scalar y) => Elementwise.Apply<Xlogy>(x, y);
            /// <summary>ln(eˣ + eʸ); the operands broadcast (PyTorch: <c>logaddexp</c>).</summary>
            public Tensor LogAddExp(Tensor y) => Elementwise.Apply<LogAddExp>(x, y);
        }
    }
}
