using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x + y.</summary>
    public readonly struct Add : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x + y;
    }

    /// <summary>x − y.</summary>
    public readonly struct Sub : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x - y;
    }

    /// <summary>x · y.</summary>
    public readonly struct Mul : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x * y;
    }

    /// <summary>x ÷ y, in floating point.</summary>
    public readonly struct Div : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x / y;
    }

    /// <summary>−x.</summary>
    public readonly struct Neg : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => -x;
    }
}

namespace Flambeau
{
    /// <summary>The operators as members of <see cref="Tensor"/>.</summary>
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>x + y; the operands broadcast.</summary>
            public static Tensor operator +(Tensor x, Tensor y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x + y.</summary>
            public static Tensor operator +(Tensor x, Scalar y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x + y.</summary>
            public static Tensor operator +(Scalar x, Tensor y) => Elementwise.Apply<Add>(Tensor.Wrap(x), y);
            /// <summary>x − y; the operands broadcast.</summary>
            public static Tensor operator -(Tensor x, Tensor y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x − y.</summary>
            public static Tensor operator -(Tensor x, Scalar y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x − y.</summary>
            public static Tensor operator -(Scalar x, Tensor y) => Elementwise.Apply<Sub>(Tensor.Wrap(x), y);
            /// <summary>x · y; the operands broadcast.</summary>
            public static Tensor operator *(Tensor x, Tensor y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x · y.</summary>
            public static Tensor operator *(Tensor x, Scalar y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x · y.</summary>
            public static Tensor operator *(Scalar x, Tensor y) => Elementwise.Apply<Mul>(Tensor.Wrap(x), y);
            /// <summary>x ÷ y in floating point; the operands broadcast.</summary>
            public static Tensor operator /(Tensor x, Tensor y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ÷ y in floating point.</summary>
            public static Tensor operator /(Tensor x, Scalar y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ÷ y in floating point.</summary>
            public static Tensor operator /(Scalar x, Tensor y) => Elementwise.Apply<Div>(Tensor.Wrap(x), y);
            /// <summary>−x.</summary>
            public static Tensor operator -(Tensor x) => Elementwise.Apply<Neg>(x);
        }

        extension(Tensor x)
        {
            /// <summary>x + y.</summary>
            public Tensor Add(Tensor y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x ← x + y in place (PyTorch: <c>add_</c>).</summary>
            public Tensor Add_(Tensor y) => Elementwise.InPlace<Add>(x, y);
            /// <summary>x ← x + y in place.</summary>
            public Tensor Add_(Scalar y) => Elementwise.InPlace<Add>(x, y);
            /// <summary>x ← x − y in place (PyTorch: <c>sub_</c>).</summary>
            public Tensor Sub_(Tensor y) => Elementwise.InPlace<Sub>(x, y);
            /// <summary>x ← x · y in place (PyTorch: <c>mul_</c>).</summary>
            public Tensor Mul_(Tensor y) => Elementwise.InPlace<Mul>(x, y);
            /// <summary>x ← x · y in place.</summary>
            public Tensor Mul_(Scalar y) => Elementwise.InPlace<Mul>(x, y);
            /// <summary>x ← x ÷ y in place (PyTorch: <c>div_</c>).</summary>
            public Tensor Div_(Tensor y) => Elementwise.InPlace<Div>(x, y);
            /// <summary>x ← x ÷ y in place.</summary>
            public Tensor Div_(Scalar y) => Elementwise.InPlace<Div>(x, y);
        }
    }
}
