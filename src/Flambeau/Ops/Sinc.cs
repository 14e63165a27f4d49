using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>sin(πx) / (πx), 1 at 0: the ideal low-pass filter (PyTorch: <c>sinc</c>).</summary>
    public readonly struct Sinc : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;

        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S>
        {
            // sin has period 2π: x modulo 2 is exact, and keeps πx from overflowing. Near 0 the series 1 − a²/6 + a⁴/120 − a⁶/5040 + a⁸/362880, a = πx, whose derivative does not divide 0 by 0; |a| < 0.05 leaves an error below 3e-21, of the derivative 2e-18
            var turns = x - S.Constant(2) * S.Round(x * S.Constant(0.5));
            var a = x * S.Constant(Math.PI);
            var square = a * a;
            var near = S.Constant(1) - square * (S.Constant(1.0 / 6) - square * (S.Constant(1.0 / 120) - square * (S.Constant(1.0 / 5040) - square * S.Constant(1.0 / 362880))));
            var isNear = S.Abs(a) < S.Constant(0.05);
            var safe = S.Select(isNear, S.Constant(1), a);
            return S.Select(isNear, near, S.Sin(turns * S.Constant(Math.PI)) / safe);
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>sin(πx) / (πx), 1 at 0 (PyTorch: <c>sinc</c>).</summary>
            public Tensor Sinc() => Elementwise.Apply<Sinc>(x);
        }
    }
}
