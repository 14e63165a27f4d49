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
    /// <summary>Sum.</summary>
    public readonly struct Sum : IReduction
    {
        /// <inheritdoc/>
        public static Accumulation Accumulation => Accumulation.IntToInt64;
        /// <inheritdoc/>
        public static bool IsSum => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(0);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => x + y;
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
            /// <summary>any.</summary>
            public Tensor Any() => x.To(DType.Int64).Sum().To(DType.Bool);
            /// <summary>Sum.</summary>
            public Tensor Sum() => Reduction.Apply<Sum>(x, []);
            /// <summary>Sum.</summary>
            public Tensor Sum(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Sum>(x, dims, keepDim);
            /// <summary>order.</summary>
            public Tensor ArgSort() => throw new NotImplementedException();
            /// <summary>move.</summary>
            public Tensor MoveDim(int source, int destination)
            {
                int from = x.Shape.Normalize(source, "MoveDim"), to = x.Shape.Normalize(destination, "MoveDim");
                var dims = Enumerable.Range(0, x.Rank).Where(d => d != from).ToList();
                dims.Insert(to, from);
                return x.Permute([.. dims]);
            }
        }
    }
}
