using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x − λ above λ, x + λ below −λ, 0 between: the proximal step of an L1 penalty (PyTorch: <c>softshrink</c>). The parameter is λ.</summary>
    public readonly struct Softshrink : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static int Parameters => 1;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S lambda) where S : IReal<S> =>
            S.Select(x > lambda, x - lambda, S.Select(x < -lambda, x + lambda, x * S.Constant(0)));
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>x − λ above λ, x + λ below −λ, 0 between (PyTorch: <c>softshrink</c>).</summary>
            /// <param name="lambda">λ ≥ 0.</param>
            public Tensor Softshrink(double lambda = 0.5) => lambda >= 0 ? Elementwise.Apply<Softshrink>(x, lambda)
                : throw Errors.Make("Softshrink", $"lambda must not be negative, got {lambda}", ("x", x));
        }
    }
}
