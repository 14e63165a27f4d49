using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>True where x is not a number.</summary>
    public readonly struct IsNaN : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "isnan";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Not(S.Equal(x, x));
    }

    /// <summary>True where x is ∞ or −∞.</summary>
    public readonly struct IsInf : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "isinf";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.And(S.Equal(x, x), S.Not(S.Equal(x - x, S.Constant(0))));
    }

    /// <summary>True where x is neither infinite nor NaN.</summary>
    public readonly struct IsFinite : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "isfinite";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Equal(x - x, S.Constant(0));
    }

    /// <summary>True where x is ∞.</summary>
    public readonly struct IsPosInf : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "isposinf";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.And(x > S.Constant(0), S.Not(S.Equal(x - x, S.Constant(0))));
    }

    /// <summary>True where x is −∞.</summary>
    public readonly struct IsNegInf : IUnary
    {
        /// <inheritdoc/>
        public static string? TorchName => "isneginf";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.And(x < S.Constant(0), S.Not(S.Equal(x - x, S.Constant(0))));
    }

    /// <summary>True where x is 0.</summary>
    public readonly struct LogicalNot : IUnary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Equal(x, S.Constant(0));
    }

    /// <summary>True where neither is 0.</summary>
    public readonly struct LogicalAnd : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Not(S.Or(S.Equal(x, S.Constant(0)), S.Equal(y, S.Constant(0))));
    }

    /// <summary>True where one is not 0.</summary>
    public readonly struct LogicalOr : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Not(S.And(S.Equal(x, S.Constant(0)), S.Equal(y, S.Constant(0))));
    }

    /// <summary>True where exactly one is not 0.</summary>
    public readonly struct LogicalXor : IBinary
    {
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.Bool;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S>
        {
            S noX = S.Equal(x, S.Constant(0)), noY = S.Equal(y, S.Constant(0));
            return S.And(S.Or(noX, noY), S.Not(S.And(noX, noY)));
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>True where x is not a number (PyTorch: <c>isnan</c>).</summary>
            public Tensor IsNaN() => Elementwise.Apply<IsNaN>(x);
            /// <summary>True where x is infinite (PyTorch: <c>isinf</c>).</summary>
            public Tensor IsInf() => Elementwise.Apply<IsInf>(x);
            /// <summary>True where x is neither infinite nor NaN (PyTorch: <c>isfinite</c>).</summary>
            public Tensor IsFinite() => Elementwise.Apply<IsFinite>(x);
            /// <summary>True where x is ∞ (PyTorch: <c>isposinf</c>).</summary>
            public Tensor IsPosInf() => Elementwise.Apply<IsPosInf>(x);
            /// <summary>True where x is −∞ (PyTorch: <c>isneginf</c>).</summary>
            public Tensor IsNegInf() => Elementwise.Apply<IsNegInf>(x);
            /// <summary>True where x is 0 (PyTorch: <c>logical_not</c>).</summary>
            public Tensor LogicalNot() => Elementwise.Apply<LogicalNot>(x);
            /// <summary>LogicalNot in place (PyTorch: <c>logical_not_</c>).</summary>
            public Tensor LogicalNot_() => Elementwise.InPlace<LogicalNot>(x);
            /// <summary>True where neither is 0; the operands broadcast (PyTorch: <c>logical_and</c>).</summary>
            public Tensor LogicalAnd(Tensor y) => Elementwise.Apply<LogicalAnd>(x, y);
            /// <summary>LogicalAnd in place; the operand broadcasts to the target (PyTorch: <c>logical_and_</c>).</summary>
            public Tensor LogicalAnd_(Tensor y) => Elementwise.InPlace<LogicalAnd>(x, y);
            /// <summary>True where one is not 0; the operands broadcast (PyTorch: <c>logical_or</c>).</summary>
            public Tensor LogicalOr(Tensor y) => Elementwise.Apply<LogicalOr>(x, y);
            /// <summary>LogicalOr in place; the operand broadcasts to the target (PyTorch: <c>logical_or_</c>).</summary>
            public Tensor LogicalOr_(Tensor y) => Elementwise.InPlace<LogicalOr>(x, y);
            /// <summary>True where exactly one is not 0; the operands broadcast (PyTorch: <c>logical_xor</c>).</summary>
            public Tensor LogicalXor(Tensor y) => Elementwise.Apply<LogicalXor>(x, y);
            /// <summary>LogicalXor in place; the operand broadcasts to the target (PyTorch: <c>logical_xor_</c>).</summary>
            public Tensor LogicalXor_(Tensor y) => Elementwise.InPlace<LogicalXor>(x, y);
        }
    }
}
