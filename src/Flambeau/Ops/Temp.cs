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
        public static S Derivative<S>(S y) where S : IReal<S> => y;
    }
    /// <summary>ln x.</summary>
    public readonly struct Log : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Log(x);
    }
    /// <summary>√x.</summary>
    public readonly struct Sqrt : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sqrt(x);
    }
    /// <summary>cos x.</summary>
    public readonly struct Cos : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Cos(x);
    }
    /// <summary>x · σ(x).</summary>
    public readonly struct Silu : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => x * S.Sigmoid(x);
    }
    /// <summary>NaN?</summary>
    public readonly struct IsNaN : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Not(S.Equal(x, x));
    }
}
namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>eˣ.</summary>
            public Tensor Exp() => Elementwise.Apply<Exp>(x);
            /// <summary>ln x.</summary>
            public Tensor Log() => Elementwise.Apply<Log>(x);
            /// <summary>√x.</summary>
            public Tensor Sqrt() => Elementwise.Apply<Sqrt>(x);
            /// <summary>cos x.</summary>
            public Tensor Cos() => Elementwise.Apply<Cos>(x);
            /// <summary>silu.</summary>
            public Tensor Silu() => Elementwise.Apply<Silu>(x);
            /// <summary>nan?</summary>
            public Tensor IsNaN() => Elementwise.Apply<IsNaN>(x);
        }
    }
}
