using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>Tensors one after another.</summary>
    public readonly struct Cat : IIndexing
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Widest;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("Tensor.Cat(x, 1)", g => [Tensor.RandN([2, 3], generator: g), Tensor.RandN([2, 0], generator: g), Tensor.RandN([2, 4], generator: g)], t => Tensor.Cat(t, 1)),
        ];
    }

    /// <summary>Tensors along a new dimension.</summary>
    public readonly struct Stack : IIndexing
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Widest;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("Tensor.Stack(x, -1)", g => [Tensor.RandN([2, 3], generator: g), Tensor.RandN([2, 3], generator: g)], t => Tensor.Stack(t, -1)),
        ];
    }

    /// <summary>The whole tensor again and again.</summary>
    public readonly struct Repeat : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Repeat(2, 1, 3)", g => [Tensor.RandN([2, 3], generator: g)], t => t[0].Repeat(2, 1, 3)),
        ];
    }

    /// <summary>Each position several times in a row.</summary>
    public readonly struct RepeatInterleave : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.RepeatInterleave(3, 0)", g => [Tensor.RandN([2, 3], generator: g)], t => t[0].RepeatInterleave(3, 0)),
        ];
    }

    /// <summary>The order of positions reversed.</summary>
    public readonly struct Flip : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Flip(0, 2)", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Flip(0, 2)),
        ];
    }

    /// <summary>Positions moved on, around the end.</summary>
    public readonly struct Roll : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Roll([-1, 6], [1, 2])", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Roll([-1, 6], [1, 2])),
            new("x.Roll(2)", g => [Tensor.RandN([2, 3], generator: g)], t => t[0].Roll(2)),
        ];
    }

    /// <summary>Tensors one after another along a dimension. Linear in all operands together.</summary>
    internal sealed class CatOp(int dim) : Op
    {
        public int Dim => dim;
        public override string Name => "Cat";

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            long size = 0;
            foreach (var part in x) size += part.Shape.Sizes[dim];
            var y = Tensor.Empty(x[0].Shape.With(dim, size), Promote.ResultType(x));
            long at = 0;
            foreach (var part in x)
            {
                long n = part.Shape.Sizes[dim];
                Copy.Into(new Tensor(y.Store!, y.Shape.With(dim, n), y.Strides, at * y.Strides[dim], y.DType), part);
                at += n;
            }
            return y;
        }

        public override void Pullback(Node node, Tensor g)
        {
            long at = 0;
            for (int i = 0; i < node.InputShapes.Length; i++)
            {
                long n = node.InputShapes[i].Sizes[dim];
                if (node.Needs(i)) node.Give(i, g.Narrow(dim, at, n).To(node.InputTypes[i]));
                at += n;
            }
        }

        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y)
        {
            var parts = new Tensor[x.Length];
            for (int i = 0; i < parts.Length; i++) parts[i] = t[i] ?? Tensor.ZerosLike(x[i]);
            return Apply(parts).To(y.DType);
        }

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            var parts = new Tensor[x.Length];
            for (int i = 0; i < parts.Length; i++) parts[i] = Batching.Ensure(x[i], batched[i], size);
            return new CatOp(dim + 1).Apply(parts);
        }
    }
}

namespace Flambeau
{
    public sealed partial class Tensor
    {
        /// <summary>Tensors one after another along <paramref name="dim"/> (PyTorch: <c>torch.cat</c>). Types promote; tensors of shape [0] fit everywhere, and add their type alone.</summary>
        /// <exception cref="FlambeauException">There is no tensor, or ranks or other sizes differ; the message names the first tensor that does not fit.</exception>
        public static Tensor Cat(ReadOnlySpan<Tensor> tensors, int dim = 0)
        {
            if (tensors.Length == 0) throw Errors.Make("Cat", "needs at least one tensor");
            Tensor? first = null;
            foreach (var x in tensors) if (!IsNothing(x)) { first = x; break; }
            // nothing but tensors of shape [0] has no dimension to name
            if (first is null) return tensors.Length == 1 ? tensors[0].Clone() : new CatOp(0).Apply(tensors);
            int d = first.Shape.Normalize(dim, "Cat");
            if (first.Rank == 0) throw Errors.Make("Cat", "0-dim tensors have no dimension to follow along; use Stack", ("0", first));
            for (int i = 0; i < tensors.Length; i++) CheckFits(tensors[i], i, first, d);
            if (tensors.Length == 1) return first.Clone();
            var parts = tensors.ToArray();
            using var cast = Flambeau.Autocast.Enter<Ops.Cat>();
            cast.Widen(parts);
            for (int i = 0; i < parts.Length; i++) if (IsNothing(parts[i])) parts[i] = parts[i].Reshape(first.Shape.With(d, 0));
            return new CatOp(d).Apply(parts);
        }

        static bool IsNothing(Tensor x) => x.Rank == 1 && x.Numel == 0;

        static void CheckFits(Tensor x, int i, Tensor first, int dim)
        {
            if (IsNothing(x)) return;
            if (x.Rank != first.Rank) throw Errors.Make("Cat", $"tensor {i} has {x.Rank} dims, the first {first.Rank}", ("first", first), ($"{i}", x));
            for (int k = 0; k < x.Rank; k++)
                if (k != dim && x.Shape.Sizes[k] != first.Shape.Sizes[k])
                    throw Errors.Make("Cat", $"sizes other than along dim {dim} must agree, but dim {k} of tensor {i} is {x.Shape.Sizes[k]}, of the first {first.Shape.Sizes[k]}", ("first", first), ($"{i}", x));
        }

        /// <summary>Tensors of one shape along a new dimension (PyTorch: <c>torch.stack</c>).</summary>
        public static Tensor Stack(ReadOnlySpan<Tensor> tensors, int dim = 0)
        {
            if (tensors.Length == 0) throw Errors.Make("Stack", "needs at least one tensor");
            var parts = new Tensor[tensors.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (!tensors[i].Shape.Equals(tensors[0].Shape)) throw Errors.Make("Stack", $"all tensors need one shape, but tensor {i} has {tensors[i].Shape}, the first {tensors[0].Shape}", ("first", tensors[0]), ($"{i}", tensors[i]));
                parts[i] = tensors[i].Unsqueeze(dim);
            }
            return Cat(parts, dim < 0 ? dim + parts[0].Rank : dim);
        }

        /// <summary>
        /// Coordinates of a grid: result k varies along dimension k like the k-th tensor and is constant along the others; views (PyTorch: <c>torch.meshgrid(indexing="ij")</c>).
        /// </summary>
        /// <param name="tensors">One-dimensional or 0-dim.</param>
        public static Tensor[] Meshgrid(params ReadOnlySpan<Tensor> tensors)
        {
            var sizes = new long[tensors.Length];
            for (int i = 0; i < sizes.Length; i++)
            {
                if (tensors[i].Rank > 1) throw Errors.Make("Meshgrid", $"tensor {i} has {tensors[i].Rank} dims; coordinates have one", ($"{i}", tensors[i]));
                sizes[i] = tensors[i].Numel;
            }
            var shape = new Shape(sizes);
            var result = new Tensor[sizes.Length];
            for (int i = 0; i < sizes.Length; i++)
            {
                var along = Enumerable.Repeat(1L, sizes.Length).ToArray();
                along[i] = sizes[i];
                result[i] = tensors[i].Reshape(new Shape(along)).Expand(shape);
            }
            return result;
        }

        /// <summary>The tensors as views of the shape that all broadcast to (PyTorch: <c>torch.broadcast_tensors</c>).</summary>
        public static Tensor[] BroadcastTensors(params ReadOnlySpan<Tensor> tensors)
        {
            if (tensors.Length == 0) return [];
            var shapes = new Shape[tensors.Length];
            for (int i = 0; i < shapes.Length; i++) shapes[i] = tensors[i].Shape;
            var shape = Ops.Shapes.Broadcast("BroadcastTensors", shapes);
            var result = new Tensor[tensors.Length];
            for (int i = 0; i < result.Length; i++) result[i] = tensors[i].Expand(shape);
            return result;
        }
    }

    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>As <c>Expand</c>: a view of a shape that the tensor broadcasts to (PyTorch: <c>broadcast_to</c>).</summary>
            public Tensor BroadcastTo(params ReadOnlySpan<long> shape) => x.Expand(shape);

            /// <summary>As <c>Transpose</c> (PyTorch: <c>swapaxes</c>).</summary>
            public Tensor Swapaxes(int axis0, int axis1) => x.Transpose(axis0, axis1);

            /// <summary>All elements in one dimension, a view where strides allow (PyTorch: <c>ravel</c>).</summary>
            public Tensor Ravel() => x.Reshape(-1);

            /// <summary>The whole tensor again and again, <paramref name="times"/> a dimension; new dimensions may lead (PyTorch: <c>repeat</c>).</summary>
            public Tensor Repeat(params ReadOnlySpan<long> times)
            {
                int lead = times.Length - x.Rank;
                if (lead < 0) throw Errors.Make("Repeat", $"needs a number for each of {x.Rank} dims, got {times.Length}", ("x", x));
                long[] spread = new long[2 * times.Length], apart = new long[2 * times.Length], sizes = new long[times.Length];
                for (int i = 0; i < times.Length; i++)
                {
                    if (times[i] < 0) throw Errors.Make("Repeat", $"cannot repeat {times[i]} times along dim {i}", ("x", x));
                    long size = i < lead ? 1 : x.Shape.Sizes[i - lead];
                    (apart[2 * i], apart[2 * i + 1]) = (1, size);
                    (spread[2 * i], spread[2 * i + 1]) = (times[i], size);
                    sizes[i] = times[i] * size;
                }
                var y = x.Reshape(new Shape(apart)).Expand(new Shape(spread)).Reshape(new Shape(sizes));
                return y.Level is null && ReferenceEquals(y.Store, x.Store) ? y.Clone() : y;
            }

            /// <summary>As <c>Repeat</c>, but fewer numbers than dimensions stand for the last ones (PyTorch: <c>tile</c>).</summary>
            public Tensor Tile(params ReadOnlySpan<long> times) => x.Repeat([.. Enumerable.Repeat(1L, Math.Max(0, x.Rank - times.Length)), .. times]);

            /// <summary>Each position along <paramref name="dim"/> <paramref name="times"/> times in a row; null flattens first (PyTorch: <c>repeat_interleave</c>).</summary>
            public Tensor RepeatInterleave(long times, int? dim = null)
            {
                if (times < 0) throw Errors.Make("RepeatInterleave", $"cannot repeat {times} times", ("x", x));
                if (dim is { } named) x.Shape.Normalize(named, "RepeatInterleave");
                if (dim is null || x.Rank == 0) return x.Reshape(-1).RepeatInterleave(times, 0);
                int d = x.Shape.Normalize(dim.Value, "RepeatInterleave");
                var apart = x.Unsqueeze(d + 1);
                var y = apart.Expand(apart.Shape.With(d + 1, times)).Reshape(x.Shape.With(d, x.Shape.Sizes[d] * times));
                return y.Level is null && ReferenceEquals(y.Store, x.Store) ? y.Clone() : y;
            }

            /// <summary>Each position i along <paramref name="dim"/> times[i] times in a row; null flattens first (PyTorch: <c>repeat_interleave</c> with a tensor). The size of the result depends on the values of <paramref name="times"/>.</summary>
            public Tensor RepeatInterleave(Tensor times, int? dim = null)
            {
                if (dim is { } named) x.Shape.Normalize(named, "RepeatInterleave");
                if (dim is null || x.Rank == 0) return x.Reshape(-1).RepeatInterleave(times, 0);
                int d = x.Shape.Normalize(dim.Value, "RepeatInterleave");
                Dense.CheckIndexType("RepeatInterleave", times);
                long n = x.Shape.Sizes[d];
                if (times.Rank > 1 || times.Numel != n && times.Numel != 1) throw Errors.Make("RepeatInterleave", $"needs one number for each of {n} positions along dim {d}, got shape {times.Shape}", ("x", x), ("times", times));
                var counts = times.ToArray<long>();
                if (counts.Length == 1 && n != 1) return x.RepeatInterleave(counts[0], d);
                var index = new List<long>();
                for (int i = 0; i < counts.Length; i++)
                {
                    if (counts[i] < 0) throw Errors.Make("RepeatInterleave", $"cannot repeat position {i} {counts[i]} times", ("times", times));
                    for (long k = 0; k < counts[i]; k++) index.Add(i);
                }
                return x.IndexSelect(d, Tensor.FromArray(index.ToArray()));
            }

            /// <summary>The order of positions reversed along each of <paramref name="dims"/>, a copy (PyTorch: <c>flip</c>).</summary>
            public Tensor Flip(params ReadOnlySpan<int> dims)
            {
                var y = x;
                if (x.Rank > 0 && dims.Length > 0) foreach (int d in Shapes.Dims("Flip", x.Shape, dims)) y = y.Slice(d, step: -1);
                return y.Clone();
            }

            /// <summary>Positions moved on by <paramref name="shift"/> along <paramref name="dim"/>, those beyond the end coming back at the start; null rolls the flattened tensor (PyTorch: <c>roll</c>).</summary>
            public Tensor Roll(long shift, int? dim = null)
            {
                if (dim is null) return x.Reshape(-1).Roll(shift, 0).Reshape(x.Shape);
                int d = x.Shape.Normalize(dim.Value, "Roll");
                long n = x.Rank == 0 ? 0 : x.Shape.Sizes[d];
                if (n == 0) return x.Clone();
                long by = (shift % n + n) % n;
                return by == 0 ? x.Clone() : Tensor.Cat([x.Narrow(d, n - by, by), x.Narrow(d, 0, n - by)], d);
            }

            /// <summary><c>Roll</c> along several dimensions.</summary>
            public Tensor Roll(ReadOnlySpan<long> shifts, ReadOnlySpan<int> dims)
            {
                if (shifts.Length != dims.Length) throw Errors.Make("Roll", $"{shifts.Length} shifts for {dims.Length} dims", ("x", x));
                if (shifts.Length == 0) return x.Clone();
                var y = x;
                for (int i = 0; i < shifts.Length; i++) y = y.Roll(shifts[i], dims[i]);
                return y;
            }
        }
    }
}
