using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>The larger of x and y; NaN if either is; at a tie half the gradient to each.</summary>
    public readonly struct Maximum : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Max(x, y);
    }

    /// <summary>The smaller of x and y; NaN if either is; at a tie half the gradient to each.</summary>
    public readonly struct Minimum : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Min(x, y);
    }

    /// <summary>The larger of x and y, the other one where one is NaN. At ties the gradient passes to x.</summary>
    public readonly struct Fmax : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(S.Equal(y, y), S.Select(S.Equal(x, x), S.Select(x >= y, x, y), y), x);
    }

    /// <summary>The smaller of x and y, the other one where one is NaN. At ties the gradient passes to x.</summary>
    public readonly struct Fmin : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(S.Equal(y, y), S.Select(S.Equal(x, x), S.Select(x <= y, x, y), y), x);
    }

    /// <summary>x, but at least y; NaN if either is. The gradient passes to x where x ≥ y.</summary>
    public readonly struct ClampMin : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(x >= y, x, S.Max(x, y));
    }

    /// <summary>x, but at most y; NaN if either is. The gradient passes to x where x ≤ y.</summary>
    public readonly struct ClampMax : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(x <= y, x, S.Min(x, y));
    }

    /// <summary>x cut to [y, z]; z where y > z; NaN if any is. The gradient passes to x where y ≤ x ≤ z, else to the bound taken.</summary>
    public readonly struct Clamp : ITernary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S low, S high) where S : IReal<S> => ClampMax.Body(ClampMin.Body(x, low), high);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>The larger of two elements; the operands broadcast (PyTorch: <c>maximum</c>).</summary>
            public Tensor Maximum(Tensor y) => Elementwise.Apply<Maximum>(x, y);
            /// <summary>The smaller of two elements; the operands broadcast (PyTorch: <c>minimum</c>).</summary>
            public Tensor Minimum(Tensor y) => Elementwise.Apply<Minimum>(x, y);
            /// <summary>The larger of two elements, NaN ignored; the operands broadcast (PyTorch: <c>fmax</c>).</summary>
            public Tensor Fmax(Tensor y) => Elementwise.Apply<Fmax>(x, y);
            /// <summary>The smaller of two elements, NaN ignored; the operands broadcast (PyTorch: <c>fmin</c>).</summary>
            public Tensor Fmin(Tensor y) => Elementwise.Apply<Fmin>(x, y);
            /// <summary>x, but at least the bound; the operands broadcast (PyTorch: <c>clamp_min</c>).</summary>
            public Tensor ClampMin(Tensor min) => Elementwise.Apply<ClampMin>(x, min);
            /// <summary>x, but at least the bound.</summary>
            public Tensor ClampMin(Scalar min) => Elementwise.Apply<ClampMin>(x, min);
            /// <summary>ClampMin in place; the operand broadcasts to the target (PyTorch: <c>clamp_min_</c>).</summary>
            public Tensor ClampMin_(Tensor min) => Elementwise.InPlace<ClampMin>(x, min);
            /// <summary>ClampMin in place.</summary>
            public Tensor ClampMin_(Scalar min) => Elementwise.InPlace<ClampMin>(x, min);
            /// <summary>x, but at most the bound; the operands broadcast (PyTorch: <c>clamp_max</c>).</summary>
            public Tensor ClampMax(Tensor max) => Elementwise.Apply<ClampMax>(x, max);
            /// <summary>x, but at most the bound.</summary>
            public Tensor ClampMax(Scalar max) => Elementwise.Apply<ClampMax>(x, max);
            /// <summary>ClampMax in place; the operand broadcasts to the target (PyTorch: <c>clamp_max_</c>).</summary>
            public Tensor ClampMax_(Tensor max) => Elementwise.InPlace<ClampMax>(x, max);
            /// <summary>ClampMax in place.</summary>
            public Tensor ClampMax_(Scalar max) => Elementwise.InPlace<ClampMax>(x, max);
            /// <summary>x cut to [min, max]; a missing bound does not cut (PyTorch: <c>clamp</c>).</summary>
            public Tensor Clamp(Scalar? min = null, Scalar? max = null) => (min, max) switch
            {
                ({ } low, { } high) => Elementwise.Apply<Clamp>(x, low, high),
                ({ } low, null) => x.ClampMin(low),
                (null, { } high) => x.ClampMax(high),
                _ => throw NoBounds(x),
            };
            /// <summary>x cut to [min, max] with a bound an element; gradients reach the bounds too.</summary>
            public Tensor Clamp(Tensor? min, Tensor? max) => (min, max) switch
            {
                ({ } low, { } high) => Elementwise.Apply<Clamp>(x, low, high),
                ({ } low, null) => x.ClampMin(low),
                (null, { } high) => x.ClampMax(high),
                _ => throw NoBounds(x),
            };
            /// <summary>Clamp in place (PyTorch: <c>clamp_</c>).</summary>
            public Tensor Clamp_(Scalar? min = null, Scalar? max = null) => (min, max) switch
            {
                ({ } low, { } high) => Elementwise.InPlace<Clamp>(x, low, high),
                ({ } low, null) => x.ClampMin_(low),
                (null, { } high) => x.ClampMax_(high),
                _ => throw NoBounds(x),
            };
        }

        static FlambeauException NoBounds(Tensor x) => Errors.Make("Clamp", "needs a minimum, a maximum or both", ("x", x));
    }
}
