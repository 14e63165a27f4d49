using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>max(0, margin − x): what a score x lacks to its margin (Vapnik 1995). The parameter is the margin; at it the derivative is 0.</summary>
    public readonly struct Hinge : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [1];

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S margin) where S : IReal<S> => S.Select(x >= margin, S.Constant(0), margin - x);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>max(0, margin − x), elementwise.</summary>
            public Tensor Hinge(double margin = 1) => Elementwise.Apply<Hinge>(x, margin);
        }
    }
}
