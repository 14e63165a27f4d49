using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Ops
{
    /// <summary>x + y.</summary>
    public readonly struct Add : IBinary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x + y;
    }

    /// <summary>x + α · y, rounded once; α is a parameter.</summary>
    public readonly struct AddScaled : ITernary
    {
        /// <inheritdoc/>
        public static string? TorchName => "add";
        /// <inheritdoc/>
        public static int Parameters => 1;
        /// <inheritdoc/>
        public static double[] SampleParameters => [-0.5];
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y, S alpha) where S : IReal<S> => S.FusedMultiplyAdd(alpha, y, x);
    }

    /// <summary>x − y.</summary>
    public readonly struct Sub : IBinary
    {
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x - y;
    }

    /// <summary>x · y.</summary>
    public readonly struct Mul : IBinary
    {
        /// <inheritdoc/>
        public static bool RoundsScalars => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x * y;
    }

    /// <summary>x ÷ y, in floating point.</summary>
    public readonly struct Div : IBinary
    {
        /// <inheritdoc/>
        public static bool RoundsScalars => false;
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y) where S : IReal<S> => x / y;
    }

    /// <summary>−x.</summary>
    public readonly struct Neg : IUnary
    {
        /// <inheritdoc/>
        public static bool AllowsBool => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => -x;
    }

    /// <summary>|x|; derivative 0 at 0.</summary>
    public readonly struct Abs : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Abs(x);
    }

    /// <summary>−1, 0 or 1; NaN at NaN.</summary>
    public readonly struct Sign : IUnary
    {
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x) where S : IReal<S> => S.Sign(x);
    }

    /// <summary>x + y · z, rounded once.</summary>
    public readonly struct AddCMul : ITernary
    {
        /// <inheritdoc/>
        public static string? TorchName => "addcmul";
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y, S z) where S : IReal<S> => S.FusedMultiplyAdd(y, z, x);
    }

    /// <summary>x + y ÷ z, in floating point.</summary>
    public readonly struct AddCDiv : ITernary
    {
        /// <inheritdoc/>
        public static string? TorchName => "addcdiv";
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        public static (double Low, double High) Domain => (0.5, 2.5);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y, S z) where S : IReal<S> => x + y / z;
    }

    /// <summary>The point at weight w on the way from x to y: x + w · (y − x), counted from the nearer end so that w = 1 gives y exactly.</summary>
    public readonly struct Lerp : ITernary
    {
        /// <inheritdoc/>
        public static bool RoundsScalars => false;
        /// <inheritdoc/>
        public static Promotion Promotion => Promotion.IntToFloat;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Body<S>(S x, S y, S w) where S : IReal<S>
        {
            S way = y - x, one = S.Constant(1);
            return S.Select(S.Abs(w) < S.Constant(0.5), x + w * way, y - way * (one - w));
        }
    }
}

namespace Flambeau
{
    /// <summary>The operators as members of <see cref="Tensor"/>.</summary>
    public static partial class Operators
    {
        extension(Tensor)
        {
            /// <summary>x + y; the operands broadcast.</summary>
            public static Tensor operator +(Tensor x, Tensor y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x + y.</summary>
            public static Tensor operator +(Tensor x, Scalar y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x + y.</summary>
            public static Tensor operator +(Scalar x, Tensor y) => Elementwise.Apply<Add>(Tensor.Wrap(x), y);
            /// <summary>x − y; the operands broadcast.</summary>
            public static Tensor operator -(Tensor x, Tensor y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x − y.</summary>
            public static Tensor operator -(Tensor x, Scalar y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x − y.</summary>
            public static Tensor operator -(Scalar x, Tensor y) => Elementwise.Apply<Sub>(Tensor.Wrap(x), y);
            /// <summary>x · y; the operands broadcast.</summary>
            public static Tensor operator *(Tensor x, Tensor y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x · y.</summary>
            public static Tensor operator *(Tensor x, Scalar y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x · y.</summary>
            public static Tensor operator *(Scalar x, Tensor y) => Elementwise.Apply<Mul>(Tensor.Wrap(x), y);
            /// <summary>x ÷ y in floating point; the operands broadcast.</summary>
            public static Tensor operator /(Tensor x, Tensor y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ÷ y in floating point.</summary>
            public static Tensor operator /(Tensor x, Scalar y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ÷ y in floating point.</summary>
            public static Tensor operator /(Scalar x, Tensor y) => Elementwise.Apply<Div>(Tensor.Wrap(x), y);
            /// <summary>−x.</summary>
            public static Tensor operator -(Tensor x) => Elementwise.Apply<Neg>(x);
        }

        extension(Tensor x)
        {
            /// <summary>x + y; the operands broadcast (PyTorch: <c>add</c>).</summary>
            public Tensor Add(Tensor y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x + y.</summary>
            public Tensor Add(Scalar y) => Elementwise.Apply<Add>(x, y);
            /// <summary>x ← x + y in place; y broadcasts to x (PyTorch: <c>add_</c>).</summary>
            public Tensor Add_(Tensor y) => Elementwise.InPlace<Add>(x, y);
            /// <summary>x ← x + y in place.</summary>
            public Tensor Add_(Scalar y) => Elementwise.InPlace<Add>(x, y);
            /// <summary>x + α · y, the product and the sum rounded once (PyTorch: <c>add(y, alpha=α)</c>).</summary>
            public Tensor Add(Tensor y, Scalar alpha) => Elementwise.Apply<AddScaled>(x, y, Scaling(nameof(Add), x, y, alpha));
            /// <summary>x ← x + α · y in place: what optimizers do (PyTorch: <c>add_(y, alpha=α)</c>).</summary>
            public Tensor Add_(Tensor y, Scalar alpha) => Elementwise.InPlace<AddScaled>(x, y, Scaling(nameof(Add), x, y, alpha));
            /// <summary>x − y; the operands broadcast (PyTorch: <c>sub</c>).</summary>
            public Tensor Sub(Tensor y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x − y.</summary>
            public Tensor Sub(Scalar y) => Elementwise.Apply<Sub>(x, y);
            /// <summary>x ← x − y in place; y broadcasts to x (PyTorch: <c>sub_</c>).</summary>
            public Tensor Sub_(Tensor y) => Elementwise.InPlace<Sub>(x, y);
            /// <summary>x ← x − y in place.</summary>
            public Tensor Sub_(Scalar y) => Elementwise.InPlace<Sub>(x, y);
            /// <summary>x − α · y, the product and the difference rounded once (PyTorch: <c>sub(y, alpha=α)</c>).</summary>
            public Tensor Sub(Tensor y, Scalar alpha) => Elementwise.Apply<AddScaled>(x, y, Scaling(nameof(Sub), x, y, Negated(alpha)));
            /// <summary>x ← x − α · y in place (PyTorch: <c>sub_(y, alpha=α)</c>).</summary>
            public Tensor Sub_(Tensor y, Scalar alpha) => Elementwise.InPlace<AddScaled>(x, y, Scaling(nameof(Sub), x, y, Negated(alpha)));
            /// <summary>x · y; the operands broadcast (PyTorch: <c>mul</c>).</summary>
            public Tensor Mul(Tensor y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x · y.</summary>
            public Tensor Mul(Scalar y) => Elementwise.Apply<Mul>(x, y);
            /// <summary>x ← x · y in place; y broadcasts to x (PyTorch: <c>mul_</c>).</summary>
            public Tensor Mul_(Tensor y) => Elementwise.InPlace<Mul>(x, y);
            /// <summary>x ← x · y in place.</summary>
            public Tensor Mul_(Scalar y) => Elementwise.InPlace<Mul>(x, y);
            /// <summary>x ÷ y; the operands broadcast (PyTorch: <c>div</c>).</summary>
            public Tensor Div(Tensor y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ÷ y.</summary>
            public Tensor Div(Scalar y) => Elementwise.Apply<Div>(x, y);
            /// <summary>x ← x ÷ y in place; y broadcasts to x (PyTorch: <c>div_</c>).</summary>
            public Tensor Div_(Tensor y) => Elementwise.InPlace<Div>(x, y);
            /// <summary>x ← x ÷ y in place.</summary>
            public Tensor Div_(Scalar y) => Elementwise.InPlace<Div>(x, y);
            /// <summary>−x (PyTorch: <c>neg</c>).</summary>
            public Tensor Neg() => Elementwise.Apply<Neg>(x);
            /// <summary>Neg in place (PyTorch: <c>neg_</c>).</summary>
            public Tensor Neg_() => Elementwise.InPlace<Neg>(x);
            /// <summary>|x| (PyTorch: <c>abs</c>).</summary>
            public Tensor Abs() => Elementwise.Apply<Abs>(x);
            /// <summary>Abs in place (PyTorch: <c>abs_</c>).</summary>
            public Tensor Abs_() => Elementwise.InPlace<Abs>(x);
            /// <summary>The sign: −1, 0 or 1 (PyTorch: <c>sign</c>).</summary>
            public Tensor Sign() => Elementwise.Apply<Sign>(x);
            /// <summary>Sign in place (PyTorch: <c>sign_</c>).</summary>
            public Tensor Sign_() => Elementwise.InPlace<Sign>(x);
            /// <summary>x + value · y · z (PyTorch: <c>addcmul</c>).</summary>
            public Tensor AddCMul(Tensor y, Tensor z, Scalar? value = null) => Elementwise.Apply<AddCMul>(x, Scaled(nameof(AddCMul), x, y, z, value), z).To(Promote.ResultType([x, y, z]));
            /// <summary>x ← x + value · y · z in place (PyTorch: <c>addcmul_</c>).</summary>
            public Tensor AddCMul_(Tensor y, Tensor z, Scalar? value = null) => Elementwise.InPlace<AddCMul>(x, Scaled(nameof(AddCMul_), x, y, z, value), z);
            /// <summary>x + value · y ÷ z (PyTorch: <c>addcdiv</c>).</summary>
            public Tensor AddCDiv(Tensor y, Tensor z, Scalar? value = null) => Elementwise.Apply<AddCDiv>(x, Scaled(nameof(AddCDiv), x, Divided(nameof(AddCDiv), y, z), z, value), z).To(Promote.ResultType([x, y, z]));
            /// <summary>x ← x + value · y ÷ z in place (PyTorch: <c>addcdiv_</c>).</summary>
            public Tensor AddCDiv_(Tensor y, Tensor z, Scalar? value = null) => Elementwise.InPlace<AddCDiv>(x, Scaled(nameof(AddCDiv_), x, Divided(nameof(AddCDiv_), y, z), z, value), z);
            /// <summary>x + weight · (end − x) (PyTorch: <c>lerp</c>).</summary>
            public Tensor Lerp(Tensor end, Tensor weight) => Elementwise.Apply<Lerp>(x, end, weight);
            /// <summary>x + weight · (end − x).</summary>
            public Tensor Lerp(Tensor end, Scalar weight) => Elementwise.Apply<Lerp>(x, end, Tensor.Wrap(weight));
            /// <summary>x ← x + weight · (end − x) in place: a moving average (PyTorch: <c>lerp_</c>).</summary>
            public Tensor Lerp_(Tensor end, Scalar weight) => Elementwise.InPlace<Lerp>(x, end, Tensor.Wrap(weight));
            /// <summary>x ← x + weight · (end − x) in place.</summary>
            public Tensor Lerp_(Tensor end, Tensor weight) => Elementwise.InPlace<Lerp>(x, end, weight);
        }

        // value · y in the type that is computed in: in y's own, or a half result's, it could overflow or lose digits
        static Tensor Scaled(string name, Tensor x, Tensor y, Tensor z, Scalar? value)
        {
            if (value is not { } v) return y;
            var type = Promote.ResultType([x, y, z]);
            if (type.IsFloatingPoint) return y.To(type.Size == 2 ? DType.Float32 : type) * v;
            if (type == DType.Bool) return y * (v.ToDouble() != 0);
            if (v.Type != DType.Float64) return y.To(type) * v;
            // whole numbers stay whole: a fractional factor would change the type behind the user's back
            double factor = v.ToDouble();
            if (factor != Math.Floor(factor) || Math.Abs(factor) > 1L << 53 || factor < 0 && type == DType.UInt8)
                throw Errors.Make(name, $"value = {v} is no number of type {type.Name}, which the result has; cast an operand with To(DType.Float32)", ("x", x), ("y", y), ("z", z));
            return y.To(type) * (long)factor;
        }

        // x of whole numbers and a quotient of whole numbers would have two types
        static Tensor Divided(string name, Tensor y, Tensor z)
        {
            if (!y.DType.IsFloatingPoint && !z.DType.IsFloatingPoint) throw Errors.Make(name, $"does not divide whole numbers; cast y or z with To(DType.Float32)", ("y", y), ("z", z));
            return y;
        }

        // whole numbers stay whole: a fractional factor would change the type behind the user's back
        static Tensor Scaling(string name, Tensor x, Tensor y, Scalar alpha)
        {
            if (alpha.Type == DType.Float64 && !x.DType.IsFloatingPoint && !y.DType.IsFloatingPoint)
                throw Errors.Make(name, $"alpha = {alpha} is not a whole number but both operands are; cast one with To(DType.Float32)", ("left", x), ("right", y));
            if (x.DType != DType.Bool || y.DType != DType.Bool) return Tensor.Wrap(alpha);
            // alpha is no operand: two truth values stay one
            if (name == nameof(Sub)) throw Errors.Make(name, "is not defined on bool; use LogicalNot, LogicalXor or cast with To(DType.Int64)", ("left", x), ("right", y));
            return Tensor.Wrap(alpha.ToInt64() != 0);
        }

        static Scalar Negated(Scalar alpha) => alpha.Type == DType.Float64 ? -alpha.ToDouble() : -alpha.ToInt64();
    }
}
