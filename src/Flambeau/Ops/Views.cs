using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>y[…] = x[…] with dimensions in another order.</summary>
    internal sealed class PermuteOp(int[] order) : ViewOp
    {
        /// <summary>A matrix transposed.</summary>
        public static readonly PermuteOp Matrix = new([1, 0]);

        public override string Name => "Permute";

        public override Layout Map(Layout x)
        {
            Span<long> sizes = order.Length <= Shape.RankOnStack ? stackalloc long[order.Length] : new long[order.Length];
            var strides = new long[order.Length];
            for (int i = 0; i < order.Length; i++) (sizes[i], strides[i]) = (x.Shape.Sizes[order[i]], x.Strides[order[i]]);
            return new(Shape.Of(sizes), strides, x.Offset);
        }

        protected override Tensor Adjoint(Tensor g, Shape shape)
        {
            if (this == Matrix) return Apply(g);
            var inverse = new int[order.Length];
            for (int i = 0; i < order.Length; i++) inverse[order[i]] = i;
            return new PermuteOp(inverse).Apply(g);
        }

        public override ViewOp ShiftedBy(long size) => new PermuteOp([0, .. order.Select(d => d + 1)]);
    }

    /// <summary>Repeats size-1 dimensions without copying: stride 0.</summary>
    internal sealed class ExpandOp(Shape to) : ViewOp
    {
        public override string Name => "Expand";

        public override Layout Map(Layout x)
        {
            var strides = new long[to.Rank];
            int lead = to.Rank - x.Shape.Rank;
            for (int i = 0; i < x.Shape.Rank; i++) strides[lead + i] = x.Shape.Sizes[i] == 1 && to.Sizes[lead + i] != 1 ? 0 : x.Strides[i];
            return new(to, strides, x.Offset);
        }

        protected override Tensor Adjoint(Tensor g, Shape shape) => Shapes.SumTo(g, shape);

        public override ViewOp ShiftedBy(long size) => new ExpandOp(to.Insert(0, size));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            var y = x[0];
            while (y.Rank < to.Rank + 1) y = y.Unsqueeze(1);
            return ShiftedBy(size).Apply(y);
        }
    }

    /// <summary>The same elements in row-major order under another shape, where strides allow it without a copy.</summary>
    internal sealed class ViewAsOp(Shape to) : ViewOp
    {
        public override string Name => "View";

        public override Layout Map(Layout x) => new(to, TryStrides(x.Shape, x.Strides, to) ?? throw Errors.Make("View",
            $"shape {to} cannot be had from {x.Shape} with strides [{string.Join(", ", x.Strides)}] without a copy; use Reshape, or Contiguous() first"), x.Offset);

        protected override Tensor Adjoint(Tensor g, Shape shape) => g.Reshape(shape);

        public override ViewOp ShiftedBy(long size) => new ViewAsOp(to.Insert(0, size));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => x[0].Reshape(to.Insert(0, size));

        /// <summary>The strides under which the elements of a layout read as <paramref name="to"/>; null if they need a copy.</summary>
        public static long[]? TryStrides(Shape from, long[] strides, Shape to)
        {
            if (to.Count == 0 || strides == from.ContiguousStrides) return to.ContiguousStrides;
            var result = new long[to.Rank];
            int d = to.Rank - 1;
            // groups of source dims that one stride walks, innermost first; each must be filled by whole target dims
            for (int i = from.Rank - 1; i >= 0;)
            {
                if (from.Sizes[i] == 1) { i--; continue; }
                long groupSize = from.Sizes[i], stride = strides[i];
                int j = i - 1;
                for (; j >= 0; j--)
                {
                    if (from.Sizes[j] == 1) continue;
                    if (strides[j] != stride * groupSize) break;
                    groupSize *= from.Sizes[j];
                }
                long filled = 1;
                for (; d >= 0 && (filled < groupSize || to.Sizes[d] == 1); d--)
                {
                    result[d] = stride * filled;
                    filled *= to.Sizes[d];
                }
                if (filled != groupSize) return null;
                i = j;
            }
            for (; d >= 0; d--) result[d] = 1;
            return result;
        }
    }

    /// <summary>The same elements in row-major order under another shape, for tensors of a transform: whether that takes a copy is decided where the memory is known.</summary>
    internal sealed class ReshapeOp(Shape to) : MultilinearOp
    {
        public override string Name => "Reshape";
        public Shape To => to;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            if (ViewAsOp.TryStrides(x[0].Shape, x[0].Strides, to) is not null) return new ViewAsOp(to).Run(x);
            var copy = Tensor.Empty(x[0].Shape, x[0].DType);
            Copy.Into(copy, x[0]);
            return new ViewAsOp(to).Run([copy]);
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, g.Reshape(node.InputShapes[0]));
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => x[0].Reshape(to.Insert(0, size));
    }

    /// <summary>Every step-th element of one dimension from a start: x[…, start : start + length · step : step, …]. A negative step walks backwards.</summary>
    internal sealed class SliceOp(int dim, long start, long length, long step) : ViewOp
    {
        public int Dim => dim;
        public long Start => start;
        public long Length => length;
        public bool IsRun => step == 1;
        public override string Name => "Slice";
        public override Layout Map(Layout x)
        {
            var strides = (long[])x.Strides.Clone();
            strides[dim] *= step;
            return new(x.Shape.With(dim, length), strides, x.Offset + start * x.Strides[dim]);
        }
        public override bool IsPart => true;
        protected override Tensor Adjoint(Tensor g, Shape shape) => ScatterInto(g, shape);
        public override ViewOp ShiftedBy(long size) => new SliceOp(dim + 1, start, length, step);
    }

    /// <summary>One position of one dimension, which disappears.</summary>
    internal sealed class SelectOp(int dim, long index) : ViewOp
    {
        public override string Name => "Select";
        public override Layout Map(Layout x) => new(x.Shape.Without(dim), Without(x.Strides, dim), x.Offset + index * x.Strides[dim]);
        public override bool IsPart => true;
        protected override Tensor Adjoint(Tensor g, Shape shape) => ScatterInto(g, shape);
        public override ViewOp ShiftedBy(long size) => new SelectOp(dim + 1, index);

        static long[] Without(long[] strides, int dim)
        {
            var left = new long[strides.Length - 1];
            for (int i = 0; i < left.Length; i++) left[i] = strides[i < dim ? i : i + 1];
            return left;
        }
    }

    /// <summary>The elements x[…, i, …, i + offset, …] of two dimensions, as a last dimension.</summary>
    internal sealed class DiagonalOp(int offset, int dim1, int dim2) : ViewOp
    {
        public override string Name => "Diagonal";
        public override Layout Map(Layout x)
        {
            long rows = x.Shape.Sizes[dim1], columns = x.Shape.Sizes[dim2];
            long length = Math.Max(0, Math.Min(rows - Math.Max(-offset, 0), columns - Math.Max(offset, 0)));
            bool kept(int i) => i != dim1 && i != dim2;
            long start = length == 0 ? 0 : offset >= 0 ? offset * x.Strides[dim2] : -offset * x.Strides[dim1];
            return new(new Shape([.. x.Shape.Sizes.Where((_, i) => kept(i)), length]), [.. x.Strides.Where((_, i) => kept(i)), x.Strides[dim1] + x.Strides[dim2]], x.Offset + start);
        }
        public override bool IsPart => true;
        protected override Tensor Adjoint(Tensor g, Shape shape) => ScatterInto(g, shape);
        public override ViewOp ShiftedBy(long size) => new DiagonalOp(offset, dim1 + 1, dim2 + 1);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>A view with the dimensions in the given order (PyTorch: <c>permute</c>).</summary>
            public Tensor Permute(params ReadOnlySpan<int> order)
            {
                if (order.Length != x.Rank) throw Errors.Make("Permute", $"names {order.Length} dims [{string.Join(", ", order.ToArray())}], the tensor has {x.Rank}", ("x", x));
                _ = Shapes.Dims("Permute", x.Shape, order);
                var dims = new int[order.Length];
                for (int i = 0; i < dims.Length; i++) dims[i] = x.Shape.Normalize(order[i], "Permute");
                return new PermuteOp(dims).Apply(x);
            }

            /// <summary>A view with two dimensions exchanged (PyTorch: <c>transpose</c>).</summary>
            public Tensor Transpose(int dim0, int dim1)
            {
                int a = x.Shape.Normalize(dim0, "Transpose"), b = x.Shape.Normalize(dim1, "Transpose");
                if (a == b) return x;
                if (x.Rank == 2) return PermuteOp.Matrix.Apply(x);
                var dims = new int[x.Rank];
                for (int i = 0; i < dims.Length; i++) dims[i] = i;
                (dims[a], dims[b]) = (b, a);
                return new PermuteOp(dims).Apply(x);
            }

            /// <summary>A view with one dimension moved to another place, the others in order (PyTorch: <c>movedim</c>).</summary>
            public Tensor MoveDim(int source, int destination)
            {
                int from = x.Shape.Normalize(source, "MoveDim"), to = x.Shape.Normalize(destination, "MoveDim");
                if (from == to) return x;
                var dims = Enumerable.Range(0, x.Rank).Where(d => d != from).ToList();
                dims.Insert(to, from);
                return x.Permute([.. dims]);
            }

            /// <summary>The matrix transposed: a view with the last two dimensions exchanged (PyTorch: <c>x.mT</c>; <c>x.T</c> for matrices).</summary>
            public Tensor T => x.Rank < 2 ? throw Errors.Make("T", "needs at least two dims", ("x", x)) : x.Transpose(-2, -1);

            /// <summary>A view of the given shape; one size may be −1 and follows from the others (PyTorch: <c>view</c>). Never copies.</summary>
            /// <exception cref="FlambeauException">The element count differs, or the strides do not allow the shape without a copy.</exception>
            public Tensor View(params ReadOnlySpan<long> shape)
            {
                var to = Infer("View", x, shape);
                return new ViewAsOp(to).Apply(x);
            }

            /// <summary>The elements in row-major order under another shape: a view if strides allow, else a copy (PyTorch: <c>reshape</c>).</summary>
            public Tensor Reshape(params ReadOnlySpan<long> shape) => x.Reshape(Infer("Reshape", x, shape));

            /// <summary>As <c>Reshape</c>, to a complete shape.</summary>
            internal Tensor Reshape(Shape shape)
            {
                if (shape.Count != x.Numel) throw Errors.Make("Reshape", $"shape {shape} has {shape.Count} elements, the tensor {x.Numel}", ("x", x));
                if (shape.Equals(x.Shape)) return x;
                if (x.Level is not null) return new ReshapeOp(shape).Apply(x);
                return new ViewAsOp(shape).Apply(ViewAsOp.TryStrides(x.Shape, x.Strides, shape) is not null ? x : x.Clone());
            }

            /// <summary>Dimensions from <paramref name="start"/> to <paramref name="end"/> as one (PyTorch: <c>flatten</c>).</summary>
            public Tensor Flatten(int start = 0, int end = -1)
            {
                int a = x.Shape.Normalize(start, "Flatten"), b = x.Shape.Normalize(end, "Flatten");
                if (x.Rank == 0) return x.Reshape(1);
                if (a > b) throw Errors.Make("Flatten", $"start dim {start} comes after end dim {end}", ("x", x));
                long size = 1;
                for (int i = a; i <= b; i++) size *= x.Shape.Sizes[i];
                return x.Reshape(new Shape([.. x.Shape.Sizes[..a], size, .. x.Shape.Sizes[(b + 1)..]]));
            }

            /// <summary>One dimension as several, whose sizes multiply to its (PyTorch: <c>unflatten</c>); one may be −1.</summary>
            public Tensor Unflatten(int dim, params ReadOnlySpan<long> sizes)
            {
                if (x.Rank == 0) throw Errors.Make("Unflatten", "a 0-dim tensor has no dimension to divide", ("x", x));
                int d = x.Shape.Normalize(dim, "Unflatten");
                long known = 1;
                foreach (long s in sizes) if (s != -1) known *= s;
                var inner = sizes.ToArray();
                for (int i = 0; i < inner.Length; i++) if (inner[i] == -1) inner[i] = known == 0 ? 0 : x.Shape.Sizes[d] / known;
                // by itself: a size of 0 elsewhere would let any product pass
                if (Shape.Create(inner).Count != x.Shape.Sizes[d]) throw Errors.Make("Unflatten", $"sizes [{string.Join(", ", sizes.ToArray())}] do not multiply to the size of dim {dim}, {x.Shape.Sizes[d]}", ("x", x));
                return x.Reshape(Shape.Create([.. x.Shape.Sizes[..d], .. inner, .. x.Shape.Sizes[(d + 1)..]]));
            }

            /// <summary>A view with size-1 dimensions repeated to <paramref name="shape"/>; −1 keeps a size; new dimensions may lead (PyTorch: <c>expand</c>).</summary>
            public Tensor Expand(params ReadOnlySpan<long> shape)
            {
                Span<long> sizes = shape.Length <= Shape.RankOnStack ? stackalloc long[shape.Length] : new long[shape.Length];
                shape.CopyTo(sizes);
                int lead = sizes.Length - x.Rank;
                if (lead < 0) throw Errors.Make("Expand", $"[{string.Join(", ", shape.ToArray())}] has fewer dims than the tensor", ("x", x));
                for (int i = 0; i < sizes.Length; i++)
                {
                    if (sizes[i] == -1 && i >= lead) sizes[i] = x.Shape.Sizes[i - lead];
                    if (i >= lead && x.Shape.Sizes[i - lead] != sizes[i] && x.Shape.Sizes[i - lead] != 1 || sizes[i] < 0)
                        throw Errors.Make("Expand", $"cannot expand to [{string.Join(", ", shape.ToArray())}]: only size 1 repeats, and dim {i} asks for {sizes[i]}", ("x", x));
                }
                return x.Expand(Shape.Of(sizes));
            }

            /// <summary>As <c>Expand</c>, to a complete shape.</summary>
            internal Tensor Expand(Shape shape) => shape.Equals(x.Shape) ? x : new ExpandOp(shape).Apply(x);

            /// <summary>Expanded to the shape of <paramref name="other"/> (PyTorch: <c>expand_as</c>).</summary>
            public Tensor ExpandAs(Tensor other) => x.Expand(other.Shape.Sizes);

            /// <summary>A view with a new dimension of size 1 at <paramref name="dim"/> (PyTorch: <c>unsqueeze</c>).</summary>
            public Tensor Unsqueeze(int dim)
            {
                int d = dim < 0 ? dim + x.Rank + 1 : dim;
                if (d < 0 || d > x.Rank) throw Errors.Make("Unsqueeze", $"dim {dim} is out of range: expected {-x.Rank - 1} … {x.Rank}", ("x", x));
                return new ViewAsOp(x.Shape.Insert(d, 1)).Apply(x);
            }

            /// <summary>A view without the dimensions of size 1: all of them, or those named (others stay) (PyTorch: <c>squeeze</c>).</summary>
            public Tensor Squeeze(params ReadOnlySpan<int> dims)
            {
                var named = Shapes.Dims("Squeeze", x.Shape, dims);
                var sizes = new List<long>();
                for (int i = 0; i < x.Rank; i++) if (x.Shape.Sizes[i] != 1 || Array.IndexOf(named, i) < 0) sizes.Add(x.Shape.Sizes[i]);
                return sizes.Count == x.Rank ? x : new ViewAsOp(sizes.Count == 0 ? Shape.Scalar : new Shape([.. sizes])).Apply(x);
            }

            /// <summary>Position <paramref name="index"/> of one dimension, which disappears; negative counts from the end (PyTorch: <c>select</c>).</summary>
            public Tensor Select(int dim, long index)
            {
                int d = x.Shape.Normalize(dim, "Select");
                if (x.Rank == 0) throw Errors.Make("Select", "a 0-dim tensor has nothing to index", ("x", x));
                long size = x.Shape.Sizes[d], i = index < 0 ? index + size : index;
                if (i < 0 || i >= size) throw Errors.Make("Select", $"index {index} is out of range for dim {d} with size {size}", ("x", x));
                return new SelectOp(d, i).Apply(x);
            }

            /// <summary>A view of <paramref name="length"/> positions of one dimension from <paramref name="start"/> (PyTorch: <c>narrow</c>).</summary>
            public Tensor Narrow(int dim, long start, long length)
            {
                if (x.Rank == 0) throw Errors.Make("Narrow", "a 0-dim tensor has no dimension to narrow", ("x", x));
                int d = x.Shape.Normalize(dim, "Narrow");
                long size = x.Shape.Sizes[d], from = start < 0 ? start + size : start;
                if (from < 0 || length < 0 || from + length > size) throw Errors.Make("Narrow", $"start {start} and length {length} do not fit dim {d} of size {size}", ("x", x));
                return new SliceOp(d, from, length, 1).Apply(x);
            }

            /// <summary>
            /// A view of every <paramref name="step"/>-th position of one dimension, from <paramref name="start"/> up to but without <paramref name="end"/>, with Python's rules:
            /// bounds are clipped, negative ones count from the end; null is the respective end. A negative step walks backwards.
            /// </summary>
            public Tensor Slice(int dim, long? start = null, long? end = null, long step = 1)
            {
                int d = x.Shape.Normalize(dim, "Slice");
                if (x.Rank == 0) throw Errors.Make("Slice", "a 0-dim tensor has nothing to slice", ("x", x));
                if (step == 0) throw Errors.Make("Slice", "the step must not be zero", ("x", x));
                long size = x.Shape.Sizes[d];
                long low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
                long Clip(long i) => Math.Clamp(i < 0 ? i + size : i, low, high);
                long from = start is { } s ? Clip(s) : step > 0 ? 0 : size - 1, to = end is { } e ? Clip(e) : step > 0 ? size : -1;
                long length = step > 0 ? Math.Max(0, (to - from + step - 1) / step) : Math.Max(0, (from - to - step - 1) / -step);
                if (length == size && step == 1) return x;
                return new SliceOp(d, length == 0 ? 0 : from, length, step).Apply(x);
            }

            /// <summary>The diagonal x[…, i, i + offset] of two dimensions as a last dimension, a view (PyTorch: <c>diagonal</c>).</summary>
            public Tensor Diagonal(int offset = 0, int dim1 = 0, int dim2 = 1)
            {
                int a = x.Shape.Normalize(dim1, "Diagonal"), b = x.Shape.Normalize(dim2, "Diagonal");
                if (a == b) throw Errors.Make("Diagonal", $"needs two different dims, got {dim1} and {dim2}", ("x", x));
                return new DiagonalOp(offset, a, b).Apply(x);
            }

            /// <summary>Views along one dimension, which disappears (PyTorch: <c>unbind</c>).</summary>
            public Tensor[] Unbind(int dim = 0) => [.. Enumerable.Range(0, (int)x.Size(dim)).Select(i => x.Select(dim, i))];

            /// <summary>Views of consecutive parts of <paramref name="size"/> positions; the last may be shorter (PyTorch: <c>split</c>).</summary>
            public Tensor[] Split(long size, int dim = 0)
            {
                long n = x.Size(dim);
                if (size < 0 || size == 0 && n > 0) throw Errors.Make("Split", $"the part size must be positive, got {size}", ("x", x));
                if (n == 0) return [x.Narrow(dim, 0, 0)];
                var parts = new List<Tensor>();
                for (long i = 0; i < n; i += size) parts.Add(x.Narrow(dim, i, Math.Min(size, n - i)));
                return [.. parts];
            }

            /// <summary>Views of consecutive parts of the given sizes, which add up to the dimension's (PyTorch: <c>split</c>).</summary>
            public Tensor[] Split(ReadOnlySpan<long> sizes, int dim = 0)
            {
                long sum = 0;
                foreach (long s in sizes) sum += s;
                if (sum != x.Size(dim)) throw Errors.Make("Split", $"part sizes [{string.Join(", ", sizes.ToArray())}] add up to {sum}, dim {dim} has size {x.Size(dim)}", ("x", x));
                var parts = new Tensor[sizes.Length];
                long at = 0;
                for (int i = 0; i < parts.Length; at += sizes[i++]) parts[i] = x.Narrow(dim, at, sizes[i]);
                return parts;
            }

            /// <summary>Views of at most <paramref name="count"/> consecutive parts of equal size, the last possibly shorter (PyTorch: <c>chunk</c>).</summary>
            public Tensor[] Chunk(int count, int dim = 0)
            {
                if (count <= 0) throw Errors.Make("Chunk", $"the number of parts must be positive, got {count}", ("x", x));
                if (x.Size(dim) == 0) return [.. Enumerable.Range(0, count).Select(_ => x.Narrow(dim, 0, 0))];
                return x.Split((x.Size(dim) + count - 1) / count, dim);
            }

            /// <summary>The same elements in row-major order without gaps: the tensor itself if it is so already, else a copy (PyTorch: <c>contiguous</c>).</summary>
            public Tensor Contiguous() => x.Level is not null || x.IsContiguous ? x : x.Clone();
        }

        static Shape Infer(string op, Tensor x, ReadOnlySpan<long> shape)
        {
            long known = 1;
            int unknown = -1;
            for (int i = 0; i < shape.Length; i++)
            {
                if (shape[i] != -1) known *= shape[i];
                else if (unknown < 0) unknown = i;
                else throw Errors.Make(op, $"only one size may be -1, got [{string.Join(", ", shape.ToArray())}]", ("x", x));
            }
            Span<long> sizes = shape.Length <= Shape.RankOnStack ? stackalloc long[shape.Length] : new long[shape.Length];
            shape.CopyTo(sizes);
            if (unknown >= 0 && known == 0) throw Errors.Make(op, $"shape [{string.Join(", ", shape.ToArray())}]: the -1 could be any size beside a 0; state it", ("x", x));
            if (unknown >= 0) sizes[unknown] = x.Numel / known;
            var to = Shape.Create(sizes);
            if (to.Count != x.Numel) throw Errors.Make(op, $"shape [{string.Join(", ", shape.ToArray())}] needs {(unknown < 0 ? $"{to.Count}" : $"a multiple of {known}")} elements, the tensor has {x.Numel}", ("x", x));
            return to;
        }
    }
}
