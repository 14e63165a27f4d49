using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>Bitwise and; of bool: both.</summary>
    public readonly struct BitwiseAnd : IIntegerBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => x & y;
    }

    /// <summary>Bitwise or; of bool: either.</summary>
    public readonly struct BitwiseOr : IIntegerBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => x | y;
    }

    /// <summary>Bitwise exclusive or; of bool: exactly one.</summary>
    public readonly struct BitwiseXor : IIntegerBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => x ^ y;
    }

    /// <summary>x · 2ʸ, wrapping; 0 where y is negative or at least the width.</summary>
    public readonly struct LeftShift : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "bitwise_left_shift";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => S.ShiftLeft(x, y);
    }

    /// <summary>⌊x ÷ 2ʸ⌋; the sign alone where y is negative or at least the width.</summary>
    public readonly struct RightShift : IIntegerBinary
    {
        /// <inheritdoc/>
        public static string? TorchName => "bitwise_right_shift";
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IInteger<S> => S.ShiftRight(x, y);
    }

    /// <summary>Every bit flipped. Bool has one bit, which is LogicalNot's.</summary>
    public readonly struct BitwiseNot : IIntegerUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IInteger<S> => ~x;
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>Bitwise and; of bool: both (PyTorch: <c>&amp;</c>).</summary>
            public static Tensor operator &(Tensor x, Tensor y) => x.BitwiseAnd(y);
            /// <summary>Bitwise and; of bool: both.</summary>
            public static Tensor operator &(Tensor x, Scalar y) => x.BitwiseAnd(y);
            /// <summary>Bitwise or; of bool: either (PyTorch: <c>|</c>).</summary>
            public static Tensor operator |(Tensor x, Tensor y) => x.BitwiseOr(y);
            /// <summary>Bitwise or; of bool: either.</summary>
            public static Tensor operator |(Tensor x, Scalar y) => x.BitwiseOr(y);
            /// <summary>Bitwise exclusive or; of bool: exactly one (PyTorch: <c>^</c>).</summary>
            public static Tensor operator ^(Tensor x, Tensor y) => x.BitwiseXor(y);
            /// <summary>Bitwise exclusive or; of bool: exactly one.</summary>
            public static Tensor operator ^(Tensor x, Scalar y) => x.BitwiseXor(y);
            /// <summary>Every bit flipped; of bool: not (PyTorch: <c>~</c>).</summary>
            public static Tensor operator ~(Tensor x) => x.BitwiseNot();
        }

        extension(Tensor x)
        {
            /// <summary>Bitwise and of whole numbers or bool; the operands broadcast (PyTorch: <c>bitwise_and</c>).</summary>
            public Tensor BitwiseAnd(Tensor y) => Elementwise.ApplyInteger<BitwiseAnd>(x, y);
            /// <summary>Bitwise and.</summary>
            public Tensor BitwiseAnd(Scalar y) => Elementwise.ApplyInteger<BitwiseAnd>(x, Tensor.Wrap(y));
            /// <summary>BitwiseAnd in place (PyTorch: <c>bitwise_and_</c>).</summary>
            public Tensor BitwiseAnd_(Tensor y) => Elementwise.InPlaceInteger<BitwiseAnd>(x, y);
            /// <summary>Bitwise or of whole numbers or bool; the operands broadcast (PyTorch: <c>bitwise_or</c>).</summary>
            public Tensor BitwiseOr(Tensor y) => Elementwise.ApplyInteger<BitwiseOr>(x, y);
            /// <summary>Bitwise or.</summary>
            public Tensor BitwiseOr(Scalar y) => Elementwise.ApplyInteger<BitwiseOr>(x, Tensor.Wrap(y));
            /// <summary>BitwiseOr in place (PyTorch: <c>bitwise_or_</c>).</summary>
            public Tensor BitwiseOr_(Tensor y) => Elementwise.InPlaceInteger<BitwiseOr>(x, y);
            /// <summary>Bitwise exclusive or of whole numbers or bool; the operands broadcast (PyTorch: <c>bitwise_xor</c>).</summary>
            public Tensor BitwiseXor(Tensor y) => Elementwise.ApplyInteger<BitwiseXor>(x, y);
            /// <summary>Bitwise exclusive or.</summary>
            public Tensor BitwiseXor(Scalar y) => Elementwise.ApplyInteger<BitwiseXor>(x, Tensor.Wrap(y));
            /// <summary>BitwiseXor in place (PyTorch: <c>bitwise_xor_</c>).</summary>
            public Tensor BitwiseXor_(Tensor y) => Elementwise.InPlaceInteger<BitwiseXor>(x, y);
            /// <summary>x · 2ʸ of whole numbers; the operands broadcast (PyTorch: <c>bitwise_left_shift</c>).</summary>
            public Tensor LeftShift(Tensor y) => Elementwise.ApplyInteger<LeftShift>(x, y);
            /// <summary>x · 2ʸ.</summary>
            public Tensor LeftShift(Scalar y) => Elementwise.ApplyInteger<LeftShift>(x, Tensor.Wrap(y));
            /// <summary>LeftShift in place (PyTorch: <c>bitwise_left_shift_</c>).</summary>
            public Tensor LeftShift_(Tensor y) => Elementwise.InPlaceInteger<LeftShift>(x, y);
            /// <summary>⌊x ÷ 2ʸ⌋ of whole numbers; the operands broadcast (PyTorch: <c>bitwise_right_shift</c>).</summary>
            public Tensor RightShift(Tensor y) => Elementwise.ApplyInteger<RightShift>(x, y);
            /// <summary>⌊x ÷ 2ʸ⌋.</summary>
            public Tensor RightShift(Scalar y) => Elementwise.ApplyInteger<RightShift>(x, Tensor.Wrap(y));
            /// <summary>RightShift in place (PyTorch: <c>bitwise_right_shift_</c>).</summary>
            public Tensor RightShift_(Tensor y) => Elementwise.InPlaceInteger<RightShift>(x, y);
            /// <summary>Every bit flipped; of bool: not (PyTorch: <c>bitwise_not</c>).</summary>
            public Tensor BitwiseNot() => x.DType == DType.Bool ? x.LogicalNot() : Elementwise.ApplyInteger<BitwiseNot>(x);
        }
    }
}
