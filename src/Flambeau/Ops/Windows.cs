using Flambeau.Ops;

namespace Flambeau.Ops
{
    /// <summary>Windows as a last dimension.</summary>
    public readonly struct Unfold : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("overlapping", g => [Tensor.RandN([2, 7], generator: g)], t => t[0].Unfold(1, 3, 2)),
            new("apart", g => [Tensor.RandN([7, 2], generator: g)], t => t[0].Unfold(0, 2, 3)),
        ];
    }

    /// <summary>Windows of one dimension as a last dimension: y[…, i, …, k] = x[…, i · step + k, …].</summary>
    internal sealed class UnfoldOp(int dim, long window, long step) : ViewOp
    {
        public override string Name => "Unfold";

        public override Layout Map(Layout x)
        {
            long count = (x.Shape.Sizes[dim] - window) / step + 1;
            var strides = new long[x.Strides.Length + 1];
            x.Strides.CopyTo(strides, 0);
            strides[dim] *= step;
            strides[^1] = x.Strides[dim];
            return new(x.Shape.With(dim, count).Insert(x.Shape.Rank, window), strides, x.Offset);
        }

        protected override Tensor Adjoint(Tensor g, Shape shape)
        {
            if (step >= window) return ScatterInto(g, shape);
            // windows overlap: each position of each adds to the element it shows
            long count = g.Shape.Sizes[dim];
            var index = new long[count * window];
            for (long i = 0; i < index.Length; i++) index[i] = i / window * step + i % window;
            return new IndexSumOp(dim, shape.Sizes[dim]).Apply(Tensor.FromArray(index), g.MoveDim(-1, dim + 1).Flatten(dim, dim + 1));
        }

        public override ViewOp ShiftedBy(long size) => new UnfoldOp(dim + 1, window, step);
    }

    /// <summary>Elements of a contiguous tensor's memory under any sizes and strides.</summary>
    internal sealed class AsStridedOp(Shape to, long[] strides, long offset) : ViewOp
    {
        public override string Name => "AsStrided";

        public override Layout Map(Layout x) => new(to, strides, x.Offset + offset);

        protected override Tensor Adjoint(Tensor g, Shape shape)
        {
            var index = new long[to.Count];
            for (long i = 0; i < index.Length; i++) index[i] = offset + Strided.Offset(to.Sizes, strides, i);
            return new IndexSumOp(0, shape.Count).Apply(Tensor.FromArray(index), g.Reshape(-1)).Reshape(shape);
        }

        // an element of the batch after another: their distance is all that the strides of one element can reach
        public override ViewOp ShiftedBy(long size) => throw Errors.Make(Name, "addresses memory by strides, which a batch has of its own; use Unfold, Diagonal or Slice inside Vmap");
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// All windows of <paramref name="size"/> positions of one dimension, <paramref name="step"/> apart, as a last dimension: y[…, i, …, k] = x[…, i · step + k, …]. A view; gradients of overlapping windows add up
            /// (PyTorch: <c>unfold</c>).
            /// </summary>
            public Tensor Unfold(int dim, long size, long step)
            {
                int d = x.Shape.Normalize(dim, "Unfold");
                if (x.Rank == 0) return x.Reshape(1).Unfold(0, size, step).Select(0, 0);
                if (size < 0 || size > x.Shape.Sizes[d]) throw Errors.Make("Unfold", $"a window of {size} does not fit dim {d} of size {x.Shape.Sizes[d]}", ("x", x));
                if (step <= 0) throw Errors.Make("Unfold", $"the step must be positive, got {step}", ("x", x));
                return new UnfoldOp(d, size, step).Apply(x);
            }

            /// <summary>
            /// A view of any sizes and strides into the memory of a contiguous tensor, counted in elements from its first (PyTorch: <c>as_strided</c>). Gradients of an element shown twice add up.
            /// </summary>
            /// <exception cref="FlambeauException">The tensor is not contiguous, or the view would reach outside of it.</exception>
            public Tensor AsStrided(ReadOnlySpan<long> size, ReadOnlySpan<long> stride, long offset = 0)
            {
                if (size.Length != stride.Length) throw Errors.Make("AsStrided", $"{size.Length} sizes, {stride.Length} strides", ("x", x));
                if (!x.IsContiguous) throw Errors.Make("AsStrided", "needs a contiguous tensor; call Contiguous() first", ("x", x));
                var shape = Shape.Create(size);
                long low = offset, high = offset;
                for (int d = 0; d < size.Length; d++)
                {
                    long reach = stride[d] * Math.Max(0, size[d] - 1);
                    if (reach < 0) low += reach;
                    else high += reach;
                }
                if (shape.Count > 0 && (low < 0 || high >= x.Numel))
                    throw Errors.Make("AsStrided", $"sizes {shape} with strides [{string.Join(", ", stride.ToArray())}] from {offset} reach elements {low} … {high} of {x.Numel}", ("x", x));
                return new AsStridedOp(shape, stride.ToArray(), offset).Apply(x);
            }
        }
    }
}
