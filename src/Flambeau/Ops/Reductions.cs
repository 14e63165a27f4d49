using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>Σ x.</summary>
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
            /// <summary>Σ over all elements; whole numbers and bool add up in int64 (PyTorch: <c>sum</c>).</summary>
            public Tensor Sum() => Reduction.Apply<Sum>(x, []);
            /// <summary>Σ over one dimension.</summary>
            public Tensor Sum(int dim, bool keepDim = false) => Reduction.Apply<Sum>(x, [dim], keepDim);
            /// <summary>Σ over the given dimensions; none means all.</summary>
            public Tensor Sum(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Sum>(x, dims, keepDim);
            /// <summary>True if any element is not zero (PyTorch: <c>any</c>).</summary>
            public Tensor Any() => x.To(DType.Bool).Sum().To(DType.Bool);
        }
    }
}
