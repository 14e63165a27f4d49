using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x where the condition holds, else y; the side not taken gets no gradient.</summary>
    public readonly struct Where : ITernary
    {
        /// <inheritdoc/>
        public static int Conditions => 1;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S condition, S x, S y) where S : IReal<S> => S.Select(S.Equal(condition, S.Constant(0)), y, x);
    }

    /// <summary>0 below zero, 1 above, y at zero; 0 at NaN.</summary>
    public readonly struct Heaviside : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => S.Select(S.Equal(x, S.Constant(0)), y, S.Select(x > S.Constant(0), S.Constant(1), S.Constant(0)));
    }
}

namespace Flambeau
{
    public sealed partial class Tensor
    {
        /// <summary>x where the condition holds, else y; all broadcast (PyTorch: <c>torch.where</c>).</summary>
        /// <exception cref="FlambeauException">The condition is not bool.</exception>
        public static Tensor Where(Tensor condition, Tensor x, Tensor y) => Elementwise.Apply<Where>(Operators.Condition("Where", condition), x, y);
        /// <summary>x where the condition holds, else a number.</summary>
        public static Tensor Where(Tensor condition, Tensor x, Scalar y) => Where(condition, x, Wrap(y));
        /// <summary>A number where the condition holds, else y.</summary>
        public static Tensor Where(Tensor condition, Scalar x, Tensor y) => Where(condition, Wrap(x), y);
        /// <summary>One number where the condition holds, else another.</summary>
        public static Tensor Where(Tensor condition, Scalar x, Scalar y) => Where(condition, Wrap(x), Wrap(y));
    }

    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>x where the condition holds, else the other; all broadcast (PyTorch: <c>x.where(condition, other)</c>).</summary>
            public Tensor Where(Tensor condition, Tensor other) => Tensor.Where(condition, x, other);
            /// <summary>x where the condition holds, else a number.</summary>
            public Tensor Where(Tensor condition, Scalar other) => Tensor.Where(condition, x, other);
            /// <summary>The value where the mask holds, else x; the type stays (PyTorch: <c>masked_fill</c>).</summary>
            public Tensor MaskedFill(Tensor mask, Scalar value) => Tensor.Where(Condition("MaskedFill", mask), Tensor.Wrap(Filling(x, value)), x);
            /// <summary>The value of a 0-dim tensor where the mask holds, else x; the gradient reaches the value too.</summary>
            public Tensor MaskedFill(Tensor mask, Tensor value) => Tensor.Where(Condition("MaskedFill", mask), value.To(x.DType), x);
            /// <summary>MaskedFill in place; the mask broadcasts to x (PyTorch: <c>masked_fill_</c>).</summary>
            public Tensor MaskedFill_(Tensor mask, Scalar value) => TernaryOp<Where>.Instance.ApplyInPlace(x, Condition("MaskedFill", mask), Tensor.Wrap(Filling(x, value)), x);
            /// <summary>x with NaN, ∞ and −∞ replaced; by default by 0 and the largest and smallest finite numbers of the type (PyTorch: <c>nan_to_num</c>).</summary>
            public Tensor NanToNum(double nan = 0, double? posinf = null, double? neginf = null)
            {
                if (!x.DType.IsFloatingPoint) return x.Clone();
                double largest = Largest(x.DType);
                var finite = Tensor.Where(x.IsNaN(), nan, x);
                return Tensor.Where(x.IsPosInf(), posinf ?? largest, Tensor.Where(x.IsNegInf(), neginf ?? -largest, finite));
            }
            /// <summary>The unit step, with the given value at zero; the operands broadcast (PyTorch: <c>heaviside</c>).</summary>
            public Tensor Heaviside(Tensor values) => Elementwise.Apply<Heaviside>(x, values);
        }

        internal static Tensor Condition(string name, Tensor condition) => condition.DType == DType.Bool ? condition
            : throw Errors.Make(name, $"the condition must be bool, got {condition.DType.Name}; compare (x > 0) or cast with To(DType.Bool)", ("condition", condition));

        // the type stays x's: a number that it cannot hold is an error, not a new type
        static Scalar Filling(Tensor x, Scalar value, string name = "MaskedFill")
        {
            if (x.DType == DType.Bool) return value.ToDouble() != 0;
            if (x.DType.IsFloatingPoint || value.Type != DType.Float64) return value;
            if (value.ToDouble() != Math.Truncate(value.ToDouble()))
                throw Errors.Make(name, $"the value {value} has a fraction or is not finite, which {x.DType.Name} cannot hold; cast x first", ("x", x));
            return value.ToInt64();
        }

        static double Largest(DType type) => type switch
        {
            DType.Float16 => (double)Half.MaxValue,
            DType.BFloat16 => 3.3895313892515355e38,
            DType.Float32 => float.MaxValue,
            _ => double.MaxValue,
        };
    }
}
