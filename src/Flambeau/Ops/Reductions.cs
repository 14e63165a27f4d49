using System.Runtime.CompilerServices;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>Σ x. Whole numbers and bool add up in int64 (PyTorch: <c>sum</c>).</summary>
    public readonly struct Sum : IReduction
    {
        /// <inheritdoc/>
        public static Accumulation Accumulation => Accumulation.IntToInt64;
        /// <inheritdoc/>
        public static bool IsSum => true;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(0);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => x + y;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples => ReductionSamples.Of("Sum", (x, dims, keep) => x.Sum(dims, keep));
    }

    /// <summary>Π x. Whole numbers and bool multiply in int64 (PyTorch: <c>prod</c>).</summary>
    public readonly struct Prod : IReduction
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static Accumulation Accumulation => Accumulation.IntToInt64;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(1);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => x * y;

        /// <summary>The product of the others: y / x, and where x = 0 the product of the rest if x is the only zero, else 0.</summary>
        public static Tensor? Partial(Tensor x, Tensor y, int[] dims)
        {
            var isZero = x.Eq(0);
            var rest = Tensor.Where(isZero, Tensor.OnesLike(x), x);
            var product = rest.Prod(dims, keepDim: true);
            var zeros = isZero.Sum(dims, keepDim: true);
            return Tensor.Where(isZero, product * zeros.Eq(1), product * zeros.Eq(0) / rest);
        }
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples => ReductionSamples.Of("Prod", (x, dims, keep) => x.Prod(dims, keep));
    }

    /// <summary>The largest element; NaN if any is; of equal zeros the last in the order of combination. Gradients are shared equally among ties (PyTorch: <c>amax</c>).</summary>
    public readonly struct Amax : IReduction
    {
        /// <inheritdoc/>
        public static bool HasIdentity => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(double.NegativeInfinity);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => S.Select(S.Or(x > y, S.Not(S.Equal(x, x))), x, y);
        /// <summary>1 / ties where x is the largest, else 0.</summary>
        public static Tensor? Partial(Tensor x, Tensor y, int[] dims) => ReductionSamples.Ties(x, y, dims);
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples => ReductionSamples.Of("Amax", (x, dims, keep) => x.Amax(dims, keep));
    }

    /// <summary>The smallest element; NaN if any is; of equal zeros the last in the order of combination. Gradients are shared equally among ties (PyTorch: <c>amin</c>).</summary>
    public readonly struct Amin : IReduction
    {
        /// <inheritdoc/>
        public static bool HasIdentity => false;
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Identity<S>() where S : IReal<S> => S.Constant(double.PositiveInfinity);
        /// <inheritdoc/>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static S Combine<S>(S x, S y) where S : IReal<S> => S.Select(S.Or(x < y, S.Not(S.Equal(x, x))), x, y);
        /// <summary>1 / ties where x is the smallest, else 0.</summary>
        public static Tensor? Partial(Tensor x, Tensor y, int[] dims) => ReductionSamples.Ties(x, y, dims);
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples => ReductionSamples.Of("Amin", (x, dims, keep) => x.Amin(dims, keep));
    }

    /// <summary>Σ x / n.</summary>
    public readonly struct Mean : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Mean()", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Mean()),
            new("x.Mean(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Mean(1)),
            new("x.Mean([0, 2], true)", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Mean([0, 2], true)),
        ];
    }

    /// <summary>The variance.</summary>
    public readonly struct Var : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Var()", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Var()),
            new("x.Var(0, 0)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Var(0, 0)),
        ];
    }

    /// <summary>The standard deviation.</summary>
    public readonly struct Std : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Std()", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Std()),
            new("x.Std(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Std(1)),
        ];
    }

    /// <summary>(Σ |x|ᵖ)^(1/p).</summary>
    public readonly struct Norm : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Norm()", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Norm()),
            new("x.Norm(3, [1])", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Norm(3, [1])),
            new("x.Norm(1, [0])", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Norm(1, [0])),
        ];
    }

    /// <summary>ln Σ eˣ.</summary>
    public readonly struct LogSumExp : IComposite
    {
        /// <inheritdoc/>
        public static string? TorchName => "logsumexp";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.LogSumExp(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].LogSumExp(1)),
            new("x.LogSumExp([0, 1])", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].LogSumExp([0, 1])),
        ];
    }

    /// <summary>The largest element of one dimension.</summary>
    public readonly struct Max : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Max(1).Values", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Max(1).Values),
            new("x.Max(0, true).Values", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Max(0, true).Values),
        ];
    }

    /// <summary>The smallest element of one dimension.</summary>
    public readonly struct Min : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Min(1).Values", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Min(1).Values),
            new("x.Min(0, true).Values", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Min(0, true).Values),
        ];
    }

    /// <summary>True if any element is not zero.</summary>
    public readonly struct Any : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Gt(1).Any(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Gt(1).Any(1)),
        ];
    }

    /// <summary>True if no element is zero.</summary>
    public readonly struct All : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Gt(-1).All(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Gt(-1).All(1)),
        ];
    }

    /// <summary>How many elements are not zero.</summary>
    public readonly struct CountNonzero : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Relu().CountNonzero([1])", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Relu().CountNonzero([1])),
        ];
    }

    /// <summary>The position of the largest element.</summary>
    public readonly struct ArgMax : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "argmax";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.ArgMax(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].ArgMax(1)),
            new("x.ArgMax()", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].ArgMax()),
        ];
    }

    /// <summary>The position of the smallest element.</summary>
    public readonly struct ArgMin : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "argmin";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.ArgMin(0)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].ArgMin(0)),
        ];
    }

    /// <summary>Running sums.</summary>
    public readonly struct Cumsum : ICustom
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Cumsum(1)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Cumsum(1)),
            new("x.Cumsum(0)", g => [Tensor.RandN([3, 5], generator: g)], t => t[0].Cumsum(0)),
        ];
    }

    internal static class ReductionSamples
    {
        public static Tensor Ties(Tensor x, Tensor y, int[] dims)
        {
            var is_ = x.Detach().Eq(y.Detach()).To(x.DType);
            return is_ / is_.Sum(dims, keepDim: true);
        }

        public static IEnumerable<Sample> Of(string name, Func<Tensor, int[], bool, Tensor> call)
        {
            yield return new($"x.{name}()", g => [Tensor.RandN([3, 5], generator: g)], t => call(t[0], [], false));
            yield return new($"x.{name}(1)", g => [Tensor.RandN([3, 70], generator: g)], t => call(t[0], [1], false));
            yield return new($"x.{name}(0, keepDim: true)", g => [Tensor.RandN([37, 3], generator: g)], t => call(t[0], [0], true));
            yield return new($"x.{name}([0, 2])", g => [Tensor.RandN([3, 4, 5], generator: g)], t => call(t[0], [0, 2], false));
            yield return new($"x.{name}(1) of 3 dims", g => [Tensor.RandN([2, 33, 3], generator: g)], t => call(t[0], [1], false));
        }
    }

    /// <summary>The position of the largest or smallest element along the last dimension: the first of ties; NaN counts as beyond both ends (PyTorch: <c>argmax</c>, <c>argmin</c>).</summary>
    internal sealed unsafe class ArgExtremeOp(bool largest) : Op
    {
        public override string Name => largest ? "ArgMax" : "ArgMin";
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var compute = ElementwiseOp.ComputeType(x[0].DType);
            var rows = x[0].Packed(compute);
            long n = rows.Shape.Sizes[^1];
            if (n == 0) throw Errors.Make(Name, "has no value over no elements", ("x", x[0]));
            var y = Tensor.Empty(x[0].Shape.Without(x[0].Rank - 1), DType.Int64);
            fixed (byte* px = rows.Store!)
            fixed (byte* py = y.Store!)
            {
                var part = new Part { X = px + rows.Offset * compute.Size, Y = (long*)py, Length = n, Rows = y.Numel, Compute = compute, Largest = largest, Group = Math.Max(1, 16384 / n) };
                int parts = (int)((part.Rows + part.Group - 1) / part.Group);
                if (!Team.Pays(rows.Numel)) for (int i = 0; i < parts; i++) part.Run(i);
                else Team.Run(parts, ref part);
            }
            GC.KeepAlive(rows);
            return y;
        }

        struct Part : IPart
        {
            public byte* X;
            public long* Y;
            public long Length, Rows, Group;
            public DType Compute;
            public bool Largest;

            public readonly void Run(int part)
            {
                for (long r = part * Group; r < Math.Min(Rows, (part + 1) * Group); r++)
                    Y[r] = Compute switch
                    {
                        DType.Float32 => Find((float*)X + r * Length, Length, Largest),
                        DType.Float64 => Find((double*)X + r * Length, Length, Largest),
                        DType.Int32 => Find((int*)X + r * Length, Length, Largest),
                        _ => Find((long*)X + r * Length, Length, Largest),
                    };
            }
        }

        static long Find<T>(T* x, long n, bool largest) where T : unmanaged, System.Numerics.INumber<T>
        {
            long best = 0;
            for (long i = 0; i < n; i++)
            {
                if (T.IsNaN(x[i])) return i;
                if (largest ? x[i] > x[best] : x[i] < x[best]) best = i;
            }
            return best;
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }

    /// <summary>Running sums along the last dimension, in order; float32 adds up in float64 and rounds each result once (PyTorch: <c>cumsum</c>).</summary>
    internal sealed unsafe class CumsumOp : MultilinearOp
    {
        public static readonly CumsumOp Instance = new();
        public override string Name => "Cumsum";

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var type = x[0].DType.IsFloatingPoint ? x[0].DType : DType.Int64;
            var compute = type.IsFloatingPoint ? DType.Float64 : DType.Int64;
            var sums = x[0].To(compute);
            sums = ReferenceEquals(sums, x[0]) || !sums.IsContiguous ? sums.Detached().Clone() : sums;
            long n = x[0].Shape.Sizes[^1], rows = n == 0 ? 0 : sums.Numel / n;
            fixed (byte* p = sums.Store!)
                for (long r = 0; r < rows; r++)
                    if (compute == DType.Float64) Run((double*)p + r * n, n);
                    else Run((long*)p + r * n, n);
            return sums.To(type);
        }

        static void Run<T>(T* x, long n) where T : unmanaged, System.Numerics.IAdditionOperators<T, T, T>
        {
            for (long i = 1; i < n; i++) x[i] += x[i - 1];
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, Apply(g.Slice(-1, step: -1)).Slice(-1, step: -1).To(node.InputTypes[0]));
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>Σ over all elements; whole numbers and bool add up in int64 (PyTorch: <c>sum</c>).</summary>
            public Tensor Sum() => Reduction.Apply<Sum>(x, []);
            /// <summary>Σ over one dimension.</summary>
            public Tensor Sum(int dim, bool keepDim = false) => Reduction.Apply<Sum>(x, [dim], keepDim);
            /// <summary>Σ over the given dimensions; none means all.</summary>
            public Tensor Sum(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Sum>(x, dims, keepDim);

            /// <summary>Π over all elements (PyTorch: <c>prod</c>).</summary>
            public Tensor Prod() => Reduction.Apply<Prod>(x, []);
            /// <summary>Π over one dimension.</summary>
            public Tensor Prod(int dim, bool keepDim = false) => Reduction.Apply<Prod>(x, [dim], keepDim);
            /// <summary>Π over the given dimensions; none means all.</summary>
            public Tensor Prod(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Prod>(x, dims, keepDim);

            /// <summary>The largest element over the given dimensions; ties share the gradient (PyTorch: <c>amax</c>).</summary>
            public Tensor Amax(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Amax>(x, dims, keepDim);
            /// <summary>The largest element of one dimension; ties share the gradient.</summary>
            public Tensor Amax(int dim, bool keepDim = false) => Reduction.Apply<Amax>(x, [dim], keepDim);
            /// <summary>The smallest element over the given dimensions; ties share the gradient (PyTorch: <c>amin</c>).</summary>
            public Tensor Amin(ReadOnlySpan<int> dims, bool keepDim = false) => Reduction.Apply<Amin>(x, dims, keepDim);
            /// <summary>The smallest element of one dimension; ties share the gradient.</summary>
            public Tensor Amin(int dim, bool keepDim = false) => Reduction.Apply<Amin>(x, [dim], keepDim);

            /// <summary>The largest of all elements (PyTorch: <c>max</c>).</summary>
            public Tensor Max() => Reduction.Apply<Amax>(x, []);
            /// <summary>The smallest of all elements (PyTorch: <c>min</c>).</summary>
            public Tensor Min() => Reduction.Apply<Amin>(x, []);
            /// <summary>The largest element of one dimension and its first position; the gradient goes there (PyTorch: <c>max(dim)</c>).</summary>
            public (Tensor Values, Tensor Indices) Max(int dim, bool keepDim = false) => Extreme(x, dim, keepDim, largest: true);
            /// <summary>The smallest element of one dimension and its first position; the gradient goes there (PyTorch: <c>min(dim)</c>).</summary>
            public (Tensor Values, Tensor Indices) Min(int dim, bool keepDim = false) => Extreme(x, dim, keepDim, largest: false);

            /// <summary>The position of the largest of all elements in row-major order (PyTorch: <c>argmax</c>).</summary>
            public Tensor ArgMax() => new ArgExtremeOp(largest: true).Apply(x.Reshape(-1));
            /// <summary>The positions of the largest elements along one dimension; the first of ties.</summary>
            public Tensor ArgMax(int dim, bool keepDim = false) => ArgExtreme(x, dim, keepDim, largest: true);
            /// <summary>The position of the smallest of all elements in row-major order (PyTorch: <c>argmin</c>).</summary>
            public Tensor ArgMin() => new ArgExtremeOp(largest: false).Apply(x.Reshape(-1));
            /// <summary>The positions of the smallest elements along one dimension; the first of ties.</summary>
            public Tensor ArgMin(int dim, bool keepDim = false) => ArgExtreme(x, dim, keepDim, largest: false);

            /// <summary>True if any element is not zero (PyTorch: <c>any</c>).</summary>
            public Tensor Any(ReadOnlySpan<int> dims = default, bool keepDim = false) => x.To(DType.Bool).Sum(dims, keepDim).To(DType.Bool);
            /// <summary>True if any element of one dimension is not zero.</summary>
            public Tensor Any(int dim, bool keepDim = false) => x.To(DType.Bool).Sum([dim], keepDim).To(DType.Bool);
            /// <summary>True if no element is zero (PyTorch: <c>all</c>).</summary>
            public Tensor All(ReadOnlySpan<int> dims = default, bool keepDim = false) => x.Eq(0).Sum(dims, keepDim).Eq(0);
            /// <summary>True if no element of one dimension is zero.</summary>
            public Tensor All(int dim, bool keepDim = false) => x.Eq(0).Sum([dim], keepDim).Eq(0);
            /// <summary>How many elements are not zero (PyTorch: <c>count_nonzero</c>).</summary>
            public Tensor CountNonzero(ReadOnlySpan<int> dims = default) => x.To(DType.Bool).Sum(dims);

            /// <summary>Σ x / n over the given dimensions; none means all (PyTorch: <c>mean</c>).</summary>
            public Tensor Mean(ReadOnlySpan<int> dims, bool keepDim = false)
            {
                if (!x.DType.IsFloatingPoint) throw Errors.Make("Mean", $"needs floating point, got {x.DType.Name}; cast with To(DType.Float32)", ("x", x));
                // sums of half precision overflow from 65504
                var sum = Wide(x).Sum(dims, keepDim);
                return (sum / ((double)x.Numel / Math.Max(1, sum.Numel) is var n && sum.Numel > 0 ? n : 0)).To(x.DType);
            }
            /// <summary>Σ x / n over all elements.</summary>
            public Tensor Mean() => x.Mean([]);
            /// <summary>Σ x / n over one dimension.</summary>
            public Tensor Mean(int dim, bool keepDim = false) => x.Mean([dim], keepDim);

            /// <summary>Σ (x − mean)² / (n − correction), in two passes (PyTorch: <c>var</c>).</summary>
            public Tensor Var(ReadOnlySpan<int> dims, double correction = 1, bool keepDim = false)
            {
                using var temporaries = Temporaries.Begin();
                var named = Shapes.Dims("Var", x.Shape, dims);
                double n = 1;
                foreach (int d in named) n *= x.Shape.Sizes[d];
                var wide = Wide(x);
                var centred = wide - wide.Mean(dims, keepDim: true);
                return temporaries.Keep(((centred * centred).Sum(dims, keepDim) / Math.Max(0, n - correction)).To(x.DType));
            }
            /// <summary>The variance of all elements, n − 1 in the denominator.</summary>
            public Tensor Var() => x.Var([]);
            /// <summary>The variance along one dimension.</summary>
            public Tensor Var(int dim, double correction = 1, bool keepDim = false) => x.Var([dim], correction, keepDim);

            /// <summary>√Var; its gradient is 0 where the variance is (PyTorch: <c>std</c>).</summary>
            public Tensor Std(ReadOnlySpan<int> dims, double correction = 1, bool keepDim = false) => RootOrZero(Wide(x).Var(dims, correction, keepDim)).To(x.DType);
            /// <summary>The standard deviation of all elements.</summary>
            public Tensor Std() => x.Std([]);
            /// <summary>The standard deviation along one dimension.</summary>
            public Tensor Std(int dim, double correction = 1, bool keepDim = false) => x.Std([dim], correction, keepDim);

            /// <summary>(Σ |x|ᵖ)^(1/p); p may be 0 (count of nonzeros), 1, 2, ±∞ or any other (PyTorch: <c>norm</c>). The gradient at 0 is 0.</summary>
            public Tensor Norm(double p, ReadOnlySpan<int> dims, bool keepDim = false)
            {
                if (!x.DType.IsFloatingPoint) throw Errors.Make("Norm", $"needs floating point, got {x.DType.Name}; cast with To(DType.Float32)", ("x", x));
                if (p == 2)
                {
                    // squares of half precision overflow from 256
                    var wide = Wide(x);
                    return RootOrZero((wide * wide).Sum(dims, keepDim)).To(x.DType);
                }
                if (p == 1) return x.Abs().Sum(dims, keepDim);
                if (p == 0) return x.Ne(0).To(x.DType).Sum(dims, keepDim);
                if (double.IsPositiveInfinity(p)) return x.Abs().Amax(dims, keepDim);
                if (double.IsNegativeInfinity(p)) return x.Abs().Amin(dims, keepDim);
                var sum = Wide(x).Abs().Pow(p).Sum(dims, keepDim);
                var isZero = sum.Eq(0);
                return sum.MaskedFill(isZero, 1).Pow(1 / p).MaskedFill(isZero, 0).To(x.DType);
            }
            /// <summary>The Euclidean norm of all elements.</summary>
            public Tensor Norm() => x.Norm(2, []);
            /// <summary>The Euclidean norm along one dimension.</summary>
            public Tensor Norm(int dim, bool keepDim = false) => x.Norm(2, [dim], keepDim);

            /// <summary>ln Σ eˣ without overflow: m + ln Σ e^(x−m), m the largest (PyTorch: <c>logsumexp</c>).</summary>
            public Tensor LogSumExp(ReadOnlySpan<int> dims, bool keepDim = false)
            {
                if (!x.DType.IsFloatingPoint) return x.To(DType.Float32).LogSumExp(dims, keepDim);
                if (x.Numel == 0) return x.Exp().Sum(dims, keepDim).Log();
                int[] named = Shapes.Dims("LogSumExp", x.Shape, dims);
                return Composite.Apply("LogSumExp", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var most = t[0].Detach().Amax(named, keepDim: true);
                    // a row of −∞ has no shift, and its logarithm is −∞
                    most = most.MaskedFill(most.Abs().Eq(double.PositiveInfinity), 0);
                    var sum = (t[0] - most).Exp().Sum(named, keepDim: true).Log() + most;
                    return temporaries.Keep(keepDim ? sum : sum.Reshape(Shapes.Reduced(t[0].Shape, named, keepDim: false)));
                }, (string.Join(',', named), keepDim), x);
            }
            /// <summary>ln Σ eˣ along one dimension.</summary>
            public Tensor LogSumExp(int dim, bool keepDim = false) => x.LogSumExp([dim], keepDim);

            /// <summary>Running sums along one dimension (PyTorch: <c>cumsum</c>).</summary>
            public Tensor Cumsum(int dim) => x.Rank == 0 ? x.Reshape(1).Cumsum(dim).Reshape(Shape.Scalar) : CumsumOp.Instance.Apply(x.MoveDim(dim, -1)).MoveDim(-1, dim);
        }

        // √x whose derivative at 0 is taken as 0: a standard deviation or norm of nothing but zeros
        static Tensor RootOrZero(Tensor x)
        {
            if (!x.RequiresGrad && x.Level is null) return x.Sqrt();
            var isZero = x.Eq(0);
            return x.MaskedFill(isZero, 1).Sqrt().MaskedFill(isZero, 0);
        }

        static Tensor ArgExtreme(Tensor x, int dim, bool keepDim, bool largest)
        {
            int d = x.Shape.Normalize(dim, largest ? "ArgMax" : "ArgMin");
            if (x.Rank == 0) return Tensor.Zeros(Shape.Scalar, DType.Int64);
            var y = new ArgExtremeOp(largest).Apply(x.MoveDim(d, -1));
            return keepDim ? y.Unsqueeze(d) : y;
        }

        static (Tensor, Tensor) Extreme(Tensor x, int dim, bool keepDim, bool largest)
        {
            var indices = ArgExtreme(x, dim, keepDim: true, largest);
            if (x.Rank == 0) return (x, indices);
            var values = x.Gather(dim, indices);
            return keepDim ? (values, indices) : (values.Squeeze(dim), indices.Squeeze(dim));
        }
    }
}
