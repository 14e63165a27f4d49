using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>The largest whole number not above x; derivative 0.</summary>
    public readonly struct Floor : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Floor(x);
    }

    /// <summary>The smallest whole number not below x; derivative 0.</summary>
    public readonly struct Ceil : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Ceiling(x);
    }

    /// <summary>The nearest whole number, halves to even; derivative 0.</summary>
    public readonly struct Round : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Round(x);
    }

    /// <summary>x without its fraction; derivative 0.</summary>
    public readonly struct Trunc : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Truncate(x);
    }

    /// <summary>The fraction of x, with its sign; derivative 1.</summary>
    public readonly struct Frac : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => x - S.Truncate(x);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>The largest whole number not above x (PyTorch: <c>floor</c>).</summary>
            public Tensor Floor() => Elementwise.Apply<Floor>(x);
            /// <summary>Floor in place (PyTorch: <c>floor_</c>).</summary>
            public Tensor Floor_() => Elementwise.InPlace<Floor>(x);
            /// <summary>The smallest whole number not below x (PyTorch: <c>ceil</c>).</summary>
            public Tensor Ceil() => Elementwise.Apply<Ceil>(x);
            /// <summary>Ceil in place (PyTorch: <c>ceil_</c>).</summary>
            public Tensor Ceil_() => Elementwise.InPlace<Ceil>(x);
            /// <summary>The nearest whole number, halves to even (PyTorch: <c>round</c>).</summary>
            public Tensor Round() => Elementwise.Apply<Round>(x);
            /// <summary>Round in place (PyTorch: <c>round_</c>).</summary>
            public Tensor Round_() => Elementwise.InPlace<Round>(x);
            /// <summary>x without its fraction (PyTorch: <c>trunc</c>).</summary>
            public Tensor Trunc() => Elementwise.Apply<Trunc>(x);
            /// <summary>Trunc in place (PyTorch: <c>trunc_</c>).</summary>
            public Tensor Trunc_() => Elementwise.InPlace<Trunc>(x);
            /// <summary>The fraction of x, with its sign (PyTorch: <c>frac</c>).</summary>
            public Tensor Frac() => Elementwise.Apply<Frac>(x);
            /// <summary>Frac in place (PyTorch: <c>frac_</c>).</summary>
            public Tensor Frac_() => Elementwise.InPlace<Frac>(x);
            /// <summary>x rounded to the given number of decimals, halves to even (PyTorch: <c>round(decimals=…)</c>).</summary>
            public Tensor Round(int decimals) => decimals >= 0 ? (x * Math.Pow(10, decimals)).Round() / Math.Pow(10, decimals) : (x / Math.Pow(10, -decimals)).Round() * Math.Pow(10, -decimals);
        }
    }
}
