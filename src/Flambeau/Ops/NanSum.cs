using Flambeau.Ops;

namespace Flambeau.Ops
{
    /// <summary>Σ x, NaN counting as 0 (PyTorch: <c>nansum</c>).</summary>
    public readonly struct NanSum : IComposite
    {
        /// <inheritdoc/>
        public static string? TorchName => "nansum";
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
            /// <summary>Σ over the given dimensions (none means all), NaN counting as 0 (PyTorch: <c>nansum</c>). The sum of opposite infinities is NaN, as ever.</summary>
            public Tensor NanSum(ReadOnlySpan<int> dims = default, bool keepDim = false) => (x.DType.IsFloatingPoint ? x.MaskedFill(x.IsNaN(), 0) : x).Sum(dims, keepDim);
        }
    }
}
