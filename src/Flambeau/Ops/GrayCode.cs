using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x ⊕ ⌊x / 2⌋, the reflected binary code: neighbours differ in one bit (Gray 1953).</summary>
    public readonly struct GrayCode : IIntegerUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IInteger<S> => x ^ S.ShiftRight(x, S.Integer(1));
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>x ⊕ ⌊x / 2⌋, the reflected binary code of whole numbers.</summary>
            public Tensor GrayCode() => Elementwise.ApplyInteger<GrayCode>(x);
        }
    }
}
