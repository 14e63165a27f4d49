using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>The positions that sort.</summary>
    public readonly struct ArgSort : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "argsort";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.ArgSort(0, descending: true)", g => [Tensor.RandN([5, 3], generator: g)], t => t[0].ArgSort(0, descending: true)),
        ];
    }

    /// <summary>Elements in order.</summary>
    public readonly struct Sort : ICustom
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Sort().Values", g => [Tensor.RandN([3, 7], generator: g)], t => t[0].Sort().Values),
        ];
    }

    /// <summary>The greatest elements.</summary>
    public readonly struct TopK : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "topk";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.TopK(3).Values", g => [Tensor.RandN([3, 40], generator: g)], t => t[0].TopK(3).Values),
        ];
    }

    /// <summary>The k-th smallest element.</summary>
    public readonly struct KthValue : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "kthvalue";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.KthValue(2, 0).Values", g => [Tensor.RandN([5, 3], generator: g)], t => t[0].KthValue(2, 0).Values),
        ];
    }

    /// <summary>The middle element.</summary>
    public readonly struct Median : ICustom
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Median(-1).Values", g => [Tensor.RandN([3, 8], generator: g)], t => t[0].Median(-1).Values),
        ];
    }

    /// <summary>The positions that sort a dimension, or the first few of them, or one of them. Custom: whole numbers, no derivative.</summary>
    internal sealed class OrderOp(string name, int dim, RowOrders.Pick pick, long count, bool descending) : Op
    {
        public override string Name => name;
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            using var _ = Autograd.NoGrad();
            var shape = x[0].Shape.With(dim, pick == RowOrders.Pick.First ? count : 1);
            var rows = Dense.Of(x[0].Detached().MoveDim(dim, -1));
            var y = Tensor.Empty(new Shape([.. rows.Shape.Sizes[..^1], shape.Sizes[dim]]), DType.Int64);
            RowOrders.Run(rows, y, pick, count, descending);
            return Dense.Of(y.MoveDim(-1, dim));
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => new OrderOp(name, dim + 1, pick, count, descending).Apply(x[0]);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// The positions that sort dimension <paramref name="dim"/>, int64 (PyTorch: <c>argsort(stable=True)</c>). NaN counts as greatest, −0 equals +0; equal elements keep their order, also when descending.
            /// </summary>
            public Tensor ArgSort(int dim = -1, bool descending = false)
            {
                if (x.Rank == 0) return x.Reshape(1).ArgSort(dim, descending).Reshape(Shape.Scalar);
                int d = x.Shape.Normalize(dim, "ArgSort");
                return new OrderOp("ArgSort", d, RowOrders.Pick.First, x.Shape.Sizes[d], descending).Apply(x);
            }

            /// <summary>The elements along <paramref name="dim"/> in order, and where each stood; as <c>ArgSort</c> orders (PyTorch: <c>sort(stable=True)</c>). Gradients follow the values.</summary>
            public (Tensor Values, Tensor Indices) Sort(int dim = -1, bool descending = false)
            {
                var order = x.ArgSort(dim, descending);
                return (x.Gather(dim, order), order);
            }

            /// <summary>
            /// The <paramref name="k"/> greatest (or smallest) elements along <paramref name="dim"/>, greatest (smallest) first, and where they stand; of equal ones the first (PyTorch: <c>topk</c>).
            /// </summary>
            /// <param name="k">0 … the size of the dimension.</param>
            /// <param name="dim">The dimension; negative counts from the end.</param>
            /// <param name="largest">False for the smallest.</param>
            /// <param name="sorted">Has no effect: the result is always in order.</param>
            public (Tensor Values, Tensor Indices) TopK(long k, int dim = -1, bool largest = true, bool sorted = true)
            {
                _ = sorted;
                if (x.Rank == 0)
                {
                    // k = 0 too gives the element: PyTorch's rule, the result of a 0-dim tensor is 0-dim
                    if (k is < 0 or > 1) throw Errors.Make("TopK", $"k = {k} is out of range for a 0-dim tensor, which has one element", ("x", x));
                    var (values, places) = x.Reshape(1).TopK(1, dim, largest);
                    return (values.Reshape(Shape.Scalar), places.Reshape(Shape.Scalar));
                }
                int d = x.Shape.Normalize(dim, "TopK");
                if (k < 0 || k > x.Shape.Sizes[d]) throw Errors.Make("TopK", $"k = {k} is out of range for dim {d} of size {x.Shape.Sizes[d]}", ("x", x));
                var index = new OrderOp("TopK", d, RowOrders.Pick.First, k, largest).Apply(x);
                return (x.Gather(d, index), index);
            }

            /// <summary>The <paramref name="k"/>-th smallest element along <paramref name="dim"/>, counted from 1, and where it stands (PyTorch: <c>kthvalue</c>).</summary>
            public (Tensor Values, Tensor Indices) KthValue(long k, int dim = -1, bool keepDim = false)
            {
                if (x.Rank == 0)
                {
                    var (values, places) = x.Reshape(1).KthValue(k, dim);
                    return (values.Reshape(Shape.Scalar), places.Reshape(Shape.Scalar));
                }
                int d = x.Shape.Normalize(dim, "KthValue");
                if (k < 1 || k > x.Shape.Sizes[d]) throw Errors.Make("KthValue", $"k = {k} is out of range for dim {d} of size {x.Shape.Sizes[d]}: it counts from 1", ("x", x));
                return PickOne(x, d, new OrderOp("KthValue", d, RowOrders.Pick.Kth, k, descending: false), keepDim);
            }

            /// <summary>The middle element along <paramref name="dim"/> in sorted order, the lower of two, and where it stands; NaN if there is one (PyTorch: <c>median</c>).</summary>
            public (Tensor Values, Tensor Indices) Median(int dim, bool keepDim = false)
            {
                if (x.Rank == 0) return (x.Clone(), Tensor.Zeros(Shape.Scalar, DType.Int64));
                int d = x.Shape.Normalize(dim, "Median");
                if (x.Shape.Sizes[d] == 0) throw Errors.Make("Median", $"has no value over no elements: dim {d} has size 0", ("x", x));
                return PickOne(x, d, new OrderOp("Median", d, RowOrders.Pick.Median, 1, descending: false), keepDim);
            }

            /// <summary>The middle of all elements in sorted order, the lower of two; NaN if there is one, or no element (PyTorch: <c>median</c>).</summary>
            public Tensor Median() => x.Numel == 0 && x.DType.IsFloatingPoint ? x.Mean() : x.Reshape(-1).Median(0).Values;
        }

        static (Tensor, Tensor) PickOne(Tensor x, int dim, OrderOp op, bool keepDim)
        {
            var index = op.Apply(x);
            var values = x.Gather(dim, index);
            return keepDim ? (values, index) : (values.Squeeze(dim), index.Squeeze(dim));
        }
    }
}
