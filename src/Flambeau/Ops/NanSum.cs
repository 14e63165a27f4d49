using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>Σ x, NaN counting as 0 (PyTorch: <c>nansum</c>).</summary>
    public readonly struct NanSum : IReduction
    {
        /// <inheritdoc/>
        public static string? TorchName => "nansum";
        /// <inheritdoc/>
        public static Accumulation Accumulation => Accumulation.IntToInt64;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(0);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => x + S.Select(S.Equal(y, y), y, S.Constant(0));
        /// <summary>1 where x is a number, 0 where it is NaN.</summary>
        public static Tensor? Partial(Tensor x, Tensor y, int[] dims) => x.IsNaN().LogicalNot().To(x.DType);
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples => ReductionSamples.Of("NanSum", (x, dims, keep) => x.NanSum(dims, keep));
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>Σ over the given dimensions (none means all), NaN counting as 0 (PyTorch: <c>nansum</c>).</summary>
            public Tensor NanSum(ReadOnlySpan<int> dims = default, bool keepDim = false) => Reduction.Apply<NanSum>(x, dims, keepDim);
        }
    }
}
