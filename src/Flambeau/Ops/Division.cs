using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>⌊x ÷ y⌋ in floating point; derivative 0.</summary>
    public readonly struct FloorDivide : IBinary
    {
        /// <inheritdoc/>
        public static bool RoundsScalars => false;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S>
        {
            // through the exact remainder: the quotient of rounded x ÷ y may have crossed a whole number
            S zero = S.Constant(0), r = S.Fmod(x, y);
            S crosses = S.And(S.Not(S.Equal(r, zero)), S.Not(S.Equal(S.Select(y < zero, S.Constant(1), zero), S.Select(r < zero, S.Constant(1), zero))));
            S q = (x - r) / y;
            S whole = S.Round(S.Select(crosses, q - S.Constant(1), q));
            whole = S.Select(S.Equal(whole, zero), S.CopySign(zero, x / y), whole);
            return S.StopGradient(S.Select(S.Equal(y, zero), x / y, whole));
        }
    }

    /// <summary>x ÷ y without its fraction, in floating point; derivative 0.</summary>
    public readonly struct TruncDivide : IBinary
    {
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.StopGradient(S.Truncate(x / y));
    }

    /// <summary>x − y · ⌊x ÷ y⌋: the sign of y, as Python's <c>%</c>; derivatives 1 and −⌊x ÷ y⌋.</summary>
    public readonly struct Remainder : IBinary
    {
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S>
        {
            S zero = S.Constant(0), r = S.Fmod(x, y);
            S opposite = S.Or(S.And(r < zero, y > zero), S.And(r > zero, y < zero));
            return S.Select(opposite, r + y, r);
        }
    }

    /// <summary>x − y · trunc(x ÷ y): the sign of x, as C's <c>fmod</c>; derivatives 1 and −trunc(x ÷ y).</summary>
    public readonly struct Fmod : IBinary
    {
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Fmod(x, y);
    }

    /// <summary>⌊x ÷ y⌋ of whole numbers.</summary>
    public readonly struct IntegerFloorDivide : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "floor_divide";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        public static bool RefusesZeroDivisor => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => S.DivideFloor(x, y);
    }

    /// <summary>trunc(x ÷ y) of whole numbers.</summary>
    public readonly struct IntegerTruncDivide : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "div";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        public static bool RefusesZeroDivisor => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => S.DivideTruncate(x, y);
    }

    /// <summary>x − y · ⌊x ÷ y⌋ of whole numbers: the sign of y.</summary>
    public readonly struct IntegerRemainder : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "remainder";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        public static bool RefusesZeroDivisor => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => x - S.DivideFloor(x, y) * y;
    }

    /// <summary>x − y · trunc(x ÷ y) of whole numbers: the sign of x.</summary>
    public readonly struct IntegerFmod : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "fmod";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        public static bool RefusesZeroDivisor => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => x - S.DivideTruncate(x, y) * y;
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>x − y · ⌊x ÷ y⌋, with the sign of y as in Python (PyTorch: <c>%</c>).</summary>
            public static Tensor operator %(Tensor x, Tensor y) => x.Remainder(y);
            /// <summary>x − y · ⌊x ÷ y⌋, with the sign of y.</summary>
            public static Tensor operator %(Tensor x, Scalar y) => x.Remainder(y);
            /// <summary>x − y · ⌊x ÷ y⌋, with the sign of y.</summary>
            public static Tensor operator %(Scalar x, Tensor y) => Tensor.Wrap(x).Remainder(y);
        }

        extension(Tensor x)
        {
            /// <summary>⌊x ÷ y⌋; whole numbers stay whole and refuse zero divisors (PyTorch: <c>floor_divide</c>).</summary>
            public Tensor FloorDivide(Tensor y) => Whole(x, y) ? Elementwise.ApplyInteger<IntegerFloorDivide>(x, y) : Elementwise.Apply<FloorDivide>(x, y);
            /// <summary>⌊x ÷ y⌋.</summary>
            public Tensor FloorDivide(Scalar y) => x.FloorDivide(Tensor.Wrap(y));
            /// <summary>FloorDivide in place (PyTorch: <c>floor_divide_</c>).</summary>
            public Tensor FloorDivide_(Tensor y) => Whole(x, y) ? Elementwise.InPlaceInteger<IntegerFloorDivide>(x, y) : Elementwise.InPlace<FloorDivide>(x, y);
            /// <summary>FloorDivide in place.</summary>
            public Tensor FloorDivide_(Scalar y) => x.FloorDivide_(Tensor.Wrap(y));
            /// <summary>x − y · ⌊x ÷ y⌋, with the sign of y as Python's %; whole numbers stay whole and refuse zero divisors (PyTorch: <c>remainder</c>).</summary>
            public Tensor Remainder(Tensor y) => Whole(x, y) ? Elementwise.ApplyInteger<IntegerRemainder>(x, y) : Elementwise.Apply<Remainder>(x, y);
            /// <summary>x − y · ⌊x ÷ y⌋, with the sign of y as Python's %.</summary>
            public Tensor Remainder(Scalar y) => x.Remainder(Tensor.Wrap(y));
            /// <summary>Remainder in place (PyTorch: <c>remainder_</c>).</summary>
            public Tensor Remainder_(Tensor y) => Whole(x, y) ? Elementwise.InPlaceInteger<IntegerRemainder>(x, y) : Elementwise.InPlace<Remainder>(x, y);
            /// <summary>Remainder in place.</summary>
            public Tensor Remainder_(Scalar y) => x.Remainder_(Tensor.Wrap(y));
            /// <summary>x − y · trunc(x ÷ y), with the sign of x; whole numbers stay whole and refuse zero divisors (PyTorch: <c>fmod</c>).</summary>
            public Tensor Fmod(Tensor y) => Whole(x, y) ? Elementwise.ApplyInteger<IntegerFmod>(x, y) : Elementwise.Apply<Fmod>(x, y);
            /// <summary>x − y · trunc(x ÷ y), with the sign of x.</summary>
            public Tensor Fmod(Scalar y) => x.Fmod(Tensor.Wrap(y));
            /// <summary>Fmod in place (PyTorch: <c>fmod_</c>).</summary>
            public Tensor Fmod_(Tensor y) => Whole(x, y) ? Elementwise.InPlaceInteger<IntegerFmod>(x, y) : Elementwise.InPlace<Fmod>(x, y);
            /// <summary>Fmod in place.</summary>
            public Tensor Fmod_(Scalar y) => x.Fmod_(Tensor.Wrap(y));
            /// <summary>trunc(x ÷ y); whole numbers stay whole and refuse zero divisors (PyTorch: <c>div(y, rounding_mode="trunc")</c>).</summary>
            public Tensor TruncDivide(Tensor y) => Whole(x, y) ? Elementwise.ApplyInteger<IntegerTruncDivide>(x, y) : Elementwise.Apply<TruncDivide>(x, y);
            /// <summary>trunc(x ÷ y).</summary>
            public Tensor TruncDivide(Scalar y) => x.TruncDivide(Tensor.Wrap(y));
        }

        static bool Whole(Tensor x, Tensor y) => !Promote.ResultType([x, y]).IsFloatingPoint;
    }
}
