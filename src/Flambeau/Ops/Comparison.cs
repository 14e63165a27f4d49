using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x = y; false where either is NaN.</summary>
    public readonly struct Eq : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Equal(x, y);
    }

    /// <summary>x ≠ y; true where either is NaN.</summary>
    public readonly struct Ne : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Not(S.Equal(x, y));
    }

    /// <summary>x &lt; y.</summary>
    public readonly struct Lt : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x < y;
    }

    /// <summary>x ≤ y.</summary>
    public readonly struct Le : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x <= y;
    }

    /// <summary>x &gt; y.</summary>
    public readonly struct Gt : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x > y;
    }

    /// <summary>x ≥ y.</summary>
    public readonly struct Ge : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x >= y;
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>x &lt; y as bool; the operands broadcast.</summary>
            public static Tensor operator <(Tensor x, Tensor y) => Elementwise.Apply<Lt>(x, y);
            /// <summary>x &lt; y as bool.</summary>
            public static Tensor operator <(Tensor x, Scalar y) => Elementwise.Apply<Lt>(x, y);
            /// <summary>x &lt; y as bool.</summary>
            public static Tensor operator <(Scalar x, Tensor y) => Elementwise.Apply<Lt>(Tensor.Wrap(x), y);
            /// <summary>x &gt; y as bool; the operands broadcast.</summary>
            public static Tensor operator >(Tensor x, Tensor y) => Elementwise.Apply<Gt>(x, y);
            /// <summary>x &gt; y as bool.</summary>
            public static Tensor operator >(Tensor x, Scalar y) => Elementwise.Apply<Gt>(x, y);
            /// <summary>x &gt; y as bool.</summary>
            public static Tensor operator >(Scalar x, Tensor y) => Elementwise.Apply<Gt>(Tensor.Wrap(x), y);
            /// <summary>x ≤ y as bool; the operands broadcast.</summary>
            public static Tensor operator <=(Tensor x, Tensor y) => Elementwise.Apply<Le>(x, y);
            /// <summary>x ≤ y as bool.</summary>
            public static Tensor operator <=(Tensor x, Scalar y) => Elementwise.Apply<Le>(x, y);
            /// <summary>x ≤ y as bool.</summary>
            public static Tensor operator <=(Scalar x, Tensor y) => Elementwise.Apply<Le>(Tensor.Wrap(x), y);
            /// <summary>x ≥ y as bool; the operands broadcast.</summary>
            public static Tensor operator >=(Tensor x, Tensor y) => Elementwise.Apply<Ge>(x, y);
            /// <summary>x ≥ y as bool.</summary>
            public static Tensor operator >=(Tensor x, Scalar y) => Elementwise.Apply<Ge>(x, y);
            /// <summary>x ≥ y as bool.</summary>
            public static Tensor operator >=(Scalar x, Tensor y) => Elementwise.Apply<Ge>(Tensor.Wrap(x), y);
        }

        extension(Tensor x)
        {
            /// <summary>x = y; false where either is NaN, as bool; the operands broadcast (PyTorch: <c>eq</c>).</summary>
            public Tensor Eq(Tensor y) => Elementwise.Apply<Eq>(x, y);
            /// <summary>x = y; false where either is NaN, as bool.</summary>
            public Tensor Eq(Scalar y) => Elementwise.Apply<Eq>(x, y);
            /// <summary>x ≠ y; true where either is NaN, as bool; the operands broadcast (PyTorch: <c>ne</c>).</summary>
            public Tensor Ne(Tensor y) => Elementwise.Apply<Ne>(x, y);
            /// <summary>x ≠ y; true where either is NaN, as bool.</summary>
            public Tensor Ne(Scalar y) => Elementwise.Apply<Ne>(x, y);
            /// <summary>x &lt; y, as bool; the operands broadcast (PyTorch: <c>lt</c>).</summary>
            public Tensor Lt(Tensor y) => Elementwise.Apply<Lt>(x, y);
            /// <summary>x &lt; y, as bool.</summary>
            public Tensor Lt(Scalar y) => Elementwise.Apply<Lt>(x, y);
            /// <summary>x ≤ y, as bool; the operands broadcast (PyTorch: <c>le</c>).</summary>
            public Tensor Le(Tensor y) => Elementwise.Apply<Le>(x, y);
            /// <summary>x ≤ y, as bool.</summary>
            public Tensor Le(Scalar y) => Elementwise.Apply<Le>(x, y);
            /// <summary>x &gt; y, as bool; the operands broadcast (PyTorch: <c>gt</c>).</summary>
            public Tensor Gt(Tensor y) => Elementwise.Apply<Gt>(x, y);
            /// <summary>x &gt; y, as bool.</summary>
            public Tensor Gt(Scalar y) => Elementwise.Apply<Gt>(x, y);
            /// <summary>x ≥ y, as bool; the operands broadcast (PyTorch: <c>ge</c>).</summary>
            public Tensor Ge(Tensor y) => Elementwise.Apply<Ge>(x, y);
            /// <summary>x ≥ y, as bool.</summary>
            public Tensor Ge(Scalar y) => Elementwise.Apply<Ge>(x, y);
            /// <summary>True where x and y differ by at most atol + rtol · |y|; infinities are close to themselves, NaN to NaN only on request (PyTorch: <c>isclose</c>).</summary>
            public Tensor IsClose(Tensor y, double rtol = 1e-5, double atol = 1e-8, bool equalNan = false)
            {
                var same = x.Eq(y);
                if (equalNan) same |= x.IsNaN() & y.IsNaN();
                var difference = (x - y).Abs();
                return same | (difference.IsFinite() & difference.Le(y.Abs() * rtol + atol));
            }
            /// <summary>True if every pair of elements is close (PyTorch: <c>allclose</c>).</summary>
            public bool AllClose(Tensor y, double rtol = 1e-5, double atol = 1e-8, bool equalNan = false) => !x.IsClose(y, rtol, atol, equalNan).LogicalNot().Any().Item<bool>();
            /// <summary>True if the shapes and all values are the same (PyTorch: <c>equal</c>).</summary>
            public bool Equal(Tensor y) => x.Shape.Equals(y.Shape) && !x.Ne(y).Any().Item<bool>();
        }
    }
}
