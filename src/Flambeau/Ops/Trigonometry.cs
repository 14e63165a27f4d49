using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>sin x, x in radians.</summary>
    public readonly struct Sin : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sin(x);
    }

    /// <summary>cos x, x in radians.</summary>
    public readonly struct Cos : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Cos(x);
    }

    /// <summary>tan x, x in radians.</summary>
    public readonly struct Tan : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (-1.2, 1.2);
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Tan(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => (S.Constant(1) + y * y) * g;
    }

    /// <summary>The inverse sine, in radians.</summary>
    public readonly struct Asin : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (-0.9, 0.9);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Asin(x);
    }

    /// <summary>The inverse cosine, in radians.</summary>
    public readonly struct Acos : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (-0.9, 0.9);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Acos(x);
    }

    /// <summary>The inverse tangent, in radians.</summary>
    public readonly struct Atan : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Atan(x);
    }

    /// <summary>The hyperbolic sine.</summary>
    public readonly struct Sinh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sinh(x);
    }

    /// <summary>The hyperbolic cosine.</summary>
    public readonly struct Cosh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Cosh(x);
    }

    /// <summary>The hyperbolic tangent.</summary>
    public readonly struct Tanh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static bool StatesDerivative => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Tanh(x);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Derivative<S>(S y, S g) where S : IReal<S> => (S.Constant(1) - y) * (S.Constant(1) + y) * g;
    }

    /// <summary>The inverse hyperbolic sine.</summary>
    public readonly struct Asinh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Asinh(x);
    }

    /// <summary>The inverse hyperbolic cosine.</summary>
    public readonly struct Acosh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (1.2, 3);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Acosh(x);
    }

    /// <summary>The inverse hyperbolic tangent.</summary>
    public readonly struct Atanh : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (-0.9, 0.9);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Atanh(x);
    }

    /// <summary>The angle of the point (other, x), in radians, in [−π, π].</summary>
    public readonly struct Atan2 : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.3, 2);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S y, S x) where S : IReal<S> => S.Atan2(y, x);
    }

    /// <summary>The error function 2⁄√π · ∫₀ˣ e^(−t²) dt.</summary>
    public readonly struct Erf : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Erf(x);
    }

    /// <summary>1 − erf x without cancellation.</summary>
    public readonly struct Erfc : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Erfc(x);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>sin x, x in radians (PyTorch: <c>sin</c>).</summary>
            public Tensor Sin() => Elementwise.Apply<Sin>(x);
            /// <summary>Sin in place (PyTorch: <c>sin_</c>).</summary>
            public Tensor Sin_() => Elementwise.InPlace<Sin>(x);
            /// <summary>cos x, x in radians (PyTorch: <c>cos</c>).</summary>
            public Tensor Cos() => Elementwise.Apply<Cos>(x);
            /// <summary>Cos in place (PyTorch: <c>cos_</c>).</summary>
            public Tensor Cos_() => Elementwise.InPlace<Cos>(x);
            /// <summary>tan x, x in radians (PyTorch: <c>tan</c>).</summary>
            public Tensor Tan() => Elementwise.Apply<Tan>(x);
            /// <summary>Tan in place (PyTorch: <c>tan_</c>).</summary>
            public Tensor Tan_() => Elementwise.InPlace<Tan>(x);
            /// <summary>The inverse sine, in radians (PyTorch: <c>asin</c>).</summary>
            public Tensor Asin() => Elementwise.Apply<Asin>(x);
            /// <summary>Asin in place (PyTorch: <c>asin_</c>).</summary>
            public Tensor Asin_() => Elementwise.InPlace<Asin>(x);
            /// <summary>The inverse cosine, in radians (PyTorch: <c>acos</c>).</summary>
            public Tensor Acos() => Elementwise.Apply<Acos>(x);
            /// <summary>Acos in place (PyTorch: <c>acos_</c>).</summary>
            public Tensor Acos_() => Elementwise.InPlace<Acos>(x);
            /// <summary>The inverse tangent, in radians (PyTorch: <c>atan</c>).</summary>
            public Tensor Atan() => Elementwise.Apply<Atan>(x);
            /// <summary>Atan in place (PyTorch: <c>atan_</c>).</summary>
            public Tensor Atan_() => Elementwise.InPlace<Atan>(x);
            /// <summary>The hyperbolic sine (PyTorch: <c>sinh</c>).</summary>
            public Tensor Sinh() => Elementwise.Apply<Sinh>(x);
            /// <summary>Sinh in place (PyTorch: <c>sinh_</c>).</summary>
            public Tensor Sinh_() => Elementwise.InPlace<Sinh>(x);
            /// <summary>The hyperbolic cosine (PyTorch: <c>cosh</c>).</summary>
            public Tensor Cosh() => Elementwise.Apply<Cosh>(x);
            /// <summary>Cosh in place (PyTorch: <c>cosh_</c>).</summary>
            public Tensor Cosh_() => Elementwise.InPlace<Cosh>(x);
            /// <summary>The hyperbolic tangent (PyTorch: <c>tanh</c>).</summary>
            public Tensor Tanh() => Elementwise.Apply<Tanh>(x);
            /// <summary>Tanh in place (PyTorch: <c>tanh_</c>).</summary>
            public Tensor Tanh_() => Elementwise.InPlace<Tanh>(x);
            /// <summary>The inverse hyperbolic sine (PyTorch: <c>asinh</c>).</summary>
            public Tensor Asinh() => Elementwise.Apply<Asinh>(x);
            /// <summary>Asinh in place (PyTorch: <c>asinh_</c>).</summary>
            public Tensor Asinh_() => Elementwise.InPlace<Asinh>(x);
            /// <summary>The inverse hyperbolic cosine (PyTorch: <c>acosh</c>).</summary>
            public Tensor Acosh() => Elementwise.Apply<Acosh>(x);
            /// <summary>Acosh in place (PyTorch: <c>acosh_</c>).</summary>
            public Tensor Acosh_() => Elementwise.InPlace<Acosh>(x);
            /// <summary>The inverse hyperbolic tangent (PyTorch: <c>atanh</c>).</summary>
            public Tensor Atanh() => Elementwise.Apply<Atanh>(x);
            /// <summary>Atanh in place (PyTorch: <c>atanh_</c>).</summary>
            public Tensor Atanh_() => Elementwise.InPlace<Atanh>(x);
            /// <summary>The angle of the point (other, x): atan(x ÷ other) in the right quadrant; the operands broadcast (PyTorch: <c>atan2</c>).</summary>
            public Tensor Atan2(Tensor other) => Elementwise.Apply<Atan2>(x, other);
            /// <summary>Atan2 in place; the operand broadcasts to the target (PyTorch: <c>atan2_</c>).</summary>
            public Tensor Atan2_(Tensor other) => Elementwise.InPlace<Atan2>(x, other);
            /// <summary>The error function (PyTorch: <c>erf</c>).</summary>
            public Tensor Erf() => Elementwise.Apply<Erf>(x);
            /// <summary>Erf in place (PyTorch: <c>erf_</c>).</summary>
            public Tensor Erf_() => Elementwise.InPlace<Erf>(x);
            /// <summary>1 − erf x (PyTorch: <c>erfc</c>).</summary>
            public Tensor Erfc() => Elementwise.Apply<Erfc>(x);
            /// <summary>Erfc in place (PyTorch: <c>erfc_</c>).</summary>
            public Tensor Erfc_() => Elementwise.InPlace<Erfc>(x);
        }
    }
}
