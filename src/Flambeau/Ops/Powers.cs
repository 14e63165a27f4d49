using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>xʸ with the special cases of IEEE 754; derivatives y · xʸ⁻¹ (0 where y = 0) and xʸ · ln x (0 where x = 0 and y ≥ 0).</summary>
    public readonly struct Pow : IBinary
    {
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Pow(x, y);
    }

    /// <summary>xʸ of whole numbers, wrapping; 0 for negative exponents unless x is 1 or −1.</summary>
    public readonly struct IntegerPow : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "pow";
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S>
        {
            // square and multiply over all bits of the exponent: lanes cannot branch
            S one = S.Integer(1), power = x, result = one, bits = y;
            for (int bit = 0; bit < 63; bit++)
            {
                result *= one + (bits & one) * (power - one);
                power *= power;
                bits = S.ShiftRight(bits, one);
            }
            S negative = S.ShiftRight(y, S.Integer(63));
            S odd = y & one, sign = one - (odd + odd);
            S inverse = (IsEqual(x, one) & one) | (IsEqual(x, S.Integer(-1)) & sign);
            return (negative & inverse) | (~negative & result);
        }

        // all bits set where equal: a difference or its negation has the sign bit unless it is zero
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static S IsEqual<S>(S x, S y) where S : IInteger<S> => ~S.ShiftRight((x ^ y) | -(x ^ y), S.Integer(63));
    }

    /// <summary>x².</summary>
    public readonly struct Square : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => x * x;
    }

    /// <summary>√x; NaN below zero, derivative ∞ at 0.</summary>
    public readonly struct Sqrt : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.1, 3);
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sqrt(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => S.Constant(0.5) / y * g;
    }

    /// <summary>1 ÷ √x.</summary>
    public readonly struct Rsqrt : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.2, 3);
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Rsqrt(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => S.Constant(-0.5) * y * y * y * g;
    }

    /// <summary>1 ÷ x.</summary>
    public readonly struct Reciprocal : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Constant(1) / x;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => -(y * y) * g;
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>baseʸ for a number base (PyTorch: <c>torch.pow(base, y)</c>).</summary>
            public static Tensor Pow(Scalar @base, Tensor exponent) => Tensor.Wrap(@base).Pow(exponent);
        }

        extension(Tensor x)
        {
            /// <summary>xʸ; the operands broadcast, whole numbers stay whole (PyTorch: <c>pow</c>).</summary>
            public Tensor Pow(Tensor exponent) => Whole(x, exponent) ? Elementwise.ApplyInteger<IntegerPow>(x, exponent) : Elementwise.Apply<Pow>(x, exponent);
            /// <summary>xʸ; exponents 2, 1, ½, −½ and −1 take their own operators, as PyTorch's do.</summary>
            public Tensor Pow(Scalar exponent) => PowerOf(x, exponent);
            /// <summary>Pow in place (PyTorch: <c>pow_</c>).</summary>
            public Tensor Pow_(Tensor exponent) => Whole(x, exponent) ? Elementwise.InPlaceInteger<IntegerPow>(x, exponent) : Elementwise.InPlace<Pow>(x, exponent);
            /// <summary>Pow in place.</summary>
            public Tensor Pow_(Scalar exponent) => exponent.Equals(2) ? Elementwise.InPlace<Square>(x) : x.Pow_(Exponent(x, exponent));
            /// <summary>x² (PyTorch: <c>square</c>).</summary>
            public Tensor Square() => Elementwise.Apply<Square>(x);
            /// <summary>Square in place (PyTorch: <c>square_</c>).</summary>
            public Tensor Square_() => Elementwise.InPlace<Square>(x);
            /// <summary>√x (PyTorch: <c>sqrt</c>).</summary>
            public Tensor Sqrt() => Elementwise.Apply<Sqrt>(x);
            /// <summary>Sqrt in place (PyTorch: <c>sqrt_</c>).</summary>
            public Tensor Sqrt_() => Elementwise.InPlace<Sqrt>(x);
            /// <summary>1 ÷ √x (PyTorch: <c>rsqrt</c>).</summary>
            public Tensor Rsqrt() => Elementwise.Apply<Rsqrt>(x);
            /// <summary>Rsqrt in place (PyTorch: <c>rsqrt_</c>).</summary>
            public Tensor Rsqrt_() => Elementwise.InPlace<Rsqrt>(x);
            /// <summary>1 ÷ x (PyTorch: <c>reciprocal</c>).</summary>
            public Tensor Reciprocal() => Elementwise.Apply<Reciprocal>(x);
            /// <summary>Reciprocal in place (PyTorch: <c>reciprocal_</c>).</summary>
            public Tensor Reciprocal_() => Elementwise.InPlace<Reciprocal>(x);
        }

        static Tensor PowerOf(Tensor x, Scalar exponent)
        {
            if (exponent.ToDouble() == 2 && !Promote.ResultType([x]).Equals(DType.Bool) && (exponent.Type != DType.Float64 || x.DType.IsFloatingPoint)) return x.Square();
            if (!x.DType.IsFloatingPoint) return x.Pow(Exponent(x, exponent));
            return exponent.ToDouble() switch
            {
                1 => x.Clone(),
                0.5 => x.Sqrt(),
                -0.5 => x.Rsqrt(),
                -1 => x.Reciprocal(),
                _ => x.Pow(Tensor.Wrap(exponent)),
            };
        }

        static Tensor Exponent(Tensor x, Scalar exponent)
        {
            if (!x.DType.IsFloatingPoint && exponent.Type != DType.Float64 && exponent.ToInt64() < 0)
                throw Errors.Make("Pow", $"whole numbers to the negative power {exponent} are fractions; cast with To(DType.Float32)", ("x", x));
            return Tensor.Wrap(exponent);
        }
    }
}
