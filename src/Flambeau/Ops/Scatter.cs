using Flambeau.Diagnostics;
using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>y[…, i, …] = x[…, index[…, i, …], …].</summary>
    public readonly struct Gather : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Gather(-1, index)", g => [Tensor.RandN([3, 5], generator: g), Tensor.RandInt(0, 5, [3, 7], generator: g)], t => t[0].Gather(-1, t[1])),
            new("x.Gather(0, smaller index)", g => [Tensor.RandN([5, 3], generator: g), Tensor.RandInt(0, 5, [4, 2], generator: g)], t => t[0].Gather(0, t[1])),
        ];
    }

    /// <summary>y[…, index[…, i, …], …] += source[…, i, …].</summary>
    public readonly struct ScatterAdd : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.ScatterAdd(1, index, source)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [3, 6], generator: g), Tensor.RandN([3, 6], generator: g)], t => t[0].ScatterAdd(1, t[1], t[2])),
        ];
    }

    /// <summary>y[…, index[…, i, …], …] = source[…, i, …].</summary>
    public readonly struct Scatter : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Scatter(0, index, source)", g => [Tensor.RandN([5, 4], generator: g), Tensor.RandInt(0, 5, [6, 3], generator: g), Tensor.RandN([6, 3], generator: g)], t => t[0].Scatter(0, t[1], t[2])),
            new("x.Scatter(-1, index, 3)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [3, 6], generator: g)], t => t[0].Scatter(-1, t[1], 3)),
        ];
    }

    /// <summary>y[…, i, …] = x[…, index[…, i, …], …]. Operands x, index; their other sizes agree.</summary>
    internal sealed class GatherOp(int dim) : MultilinearOp
    {
        public override string Name => "Gather";
        public int Dim => dim;
        public override bool IsDifferentiable(int operand) => operand == 0;
        public override Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y) => Cost.OfPicking(x[1], y);
        public override uint SavesFor(int operand) => 1u << 1;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var index = Dense.Index(Name, x[1], dim, x[0].Shape.Sizes[dim]);
            var y = Tensor.Empty(index.Shape, x[0].DType);
            IndexLanes.Take(y, x[0], dim, index);
            return y;
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, new ScatterSumOp(dim, node.InputShapes[0].Sizes[dim]).Apply(node.Input(1), g));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) =>
            new GatherOp(dim + 1).Apply(Batching.Ensure(x[0], batched[0], size), Batching.Ensure(x[1], batched[1], size));
    }

    /// <summary>The adjoint of <see cref="GatherOp"/>: sums into zeros, in the order of i. Operands index, source of one shape.</summary>
    internal sealed class ScatterSumOp(int dim, long size) : MultilinearOp
    {
        public override string Name => "ScatterSum";
        public int Dim => dim;
        public long Size => size;
        public override bool IsDifferentiable(int operand) => operand == 1;
        public override uint SavesFor(int operand) => 1u << 0;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var index = Dense.Index(Name, x[0], dim, size);
            var sums = ElementTypes.Sums(x[1].DType);
            var y = Tensor.Zeros(index.Shape.With(dim, size), sums);
            IndexLanes.Add(y, dim, index, Dense.Of(x[1], sums));
            return Dense.Of(y, x[1].DType);
        }

        public override void Pullback(Node node, Tensor g) => node.Give(1, new GatherOp(dim).Apply(g, node.Input(0)));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long batch) =>
            new ScatterSumOp(dim + 1, size).Apply(Batching.Ensure(x[0], batched[0], batch), Batching.Ensure(x[1], batched[1], batch));
    }

    /// <summary>Elements written or added to, named by an index of full rank.</summary>
    internal abstract class ElementWriteOp(int dim) : IndexedWriteOp(dim)
    {
        public sealed override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) =>
            At(Dim + 1).Apply(Batching.Ensure(x[0], batched[0], size), Batching.Ensure(x[1], batched[1], size), Batching.Ensure(x[2], batched[2], size));
    }

    /// <summary>y = target with y[…, index[…, i, …], …] += source[…, i, …].</summary>
    internal sealed class ScatterAddOp(int dim) : ElementWriteOp(dim)
    {
        public override string Name => "ScatterAdd";
        protected override bool Replaces => false;
        protected override void Write(Tensor target, Tensor index, Tensor source) => IndexLanes.Add(target, Dim, index, source);
        public override IndexedWriteOp At(int dim) => new ScatterAddOp(dim);

        public override void Pullback(Node node, Tensor g)
        {
            if (node.Needs(0)) node.Give(0, g);
            if (node.Needs(2)) node.Give(2, g.Gather(Dim, node.Input(1)));
        }
    }

    /// <summary>y = target with y[…, index[…, i, …], …] = source[…, i, …]; of several writes the last stays.</summary>
    internal sealed class ScatterOp(int dim) : ElementWriteOp(dim)
    {
        public override string Name => "Scatter";
        protected override bool Replaces => true;
        protected override void Write(Tensor target, Tensor index, Tensor source) => IndexLanes.Put(target, Dim, index, source);
        public override IndexedWriteOp At(int dim) => new ScatterOp(dim);

        public override void Pullback(Node node, Tensor g)
        {
            var index = node.Input(1);
            if (node.Needs(0)) node.Give(0, Apply(g, index, Tensor.Zeros(node.InputShapes[2], g.DType)));
            if (node.Needs(2)) node.Give(2, g.Gather(Dim, index) * new LastWriterOp(Dim, node.InputShapes[0].Sizes[Dim], g.DType).Apply(index));
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>y[…, i, …] = x[…, index[…, i, …], …] along <paramref name="dim"/> (PyTorch: <c>gather</c>).</summary>
            /// <param name="dim">The indexed dimension; negative counts from the end.</param>
            /// <param name="index">int64 or int32, of the rank of x; along other dimensions no larger than x. Each in 0 … size − 1.</param>
            /// <returns>Of the index's shape.</returns>
            public Tensor Gather(int dim, Tensor index)
            {
                if (x.Rank == 0 && index.Rank == 0) return x.Reshape(1).Gather(dim, index.Reshape(1)).Reshape(Shape.Scalar);
                int d = LaneDim("Gather", x, dim, index);
                if (index.Numel == 0) return Nothing(x, index.Shape);
                return new GatherOp(d).Apply(NarrowTo(x, index.Shape, except: d), index);
            }

            /// <summary>x with y[…, index[…, i, …], …] += source[…, i, …]; repeats add up in order (PyTorch: <c>scatter_add</c>).</summary>
            /// <param name="dim">The indexed dimension; negative counts from the end.</param>
            /// <param name="index">int64 or int32, of the rank of x; along other dimensions no larger than x, and nowhere larger than the source.</param>
            /// <param name="source">Of the type and rank of x.</param>
            public Tensor ScatterAdd(int dim, Tensor index, Tensor source)
            {
                if (x.Rank == 0 && index.Rank == 0 && source.Rank == 0) return x.Reshape(1).ScatterAdd(dim, index.Reshape(1), source.Reshape(1)).Reshape(Shape.Scalar);
                var (d, values) = LaneWrite("ScatterAdd", x, dim, index, source);
                return new ScatterAddOp(d).Apply(x, index, values);
            }

            /// <summary><c>ScatterAdd</c> in place (PyTorch: <c>scatter_add_</c>).</summary>
            public Tensor ScatterAdd_(int dim, Tensor index, Tensor source)
            {
                var (d, values) = LaneWrite("ScatterAdd_", x, dim, index, source);
                return new ScatterAddOp(d).InPlace(x, index, values);
            }

            /// <summary>x with y[…, index[…, i, …], …] = source[…, i, …]; where an index repeats in a lane, the last write stays (PyTorch: <c>scatter</c>).</summary>
            public Tensor Scatter(int dim, Tensor index, Tensor source)
            {
                if (x.Rank == 0 && index.Rank == 0 && source.Rank == 0) return x.Reshape(1).Scatter(dim, index.Reshape(1), source.Reshape(1)).Reshape(Shape.Scalar);
                var (d, values) = LaneWrite("Scatter", x, dim, index, source);
                return new ScatterOp(d).Apply(x, index, values);
            }

            /// <summary>x with a number at […, index[…, i, …], …] (PyTorch: <c>scatter</c> with a value).</summary>
            public Tensor Scatter(int dim, Tensor index, Scalar value) => x.Scatter(dim, index, Tensor.FromScalar(value, x.DType).Expand(index.Shape));

            /// <summary><c>Scatter</c> in place (PyTorch: <c>scatter_</c>).</summary>
            public Tensor Scatter_(int dim, Tensor index, Tensor source)
            {
                var (d, values) = LaneWrite("Scatter_", x, dim, index, source);
                return new ScatterOp(d).InPlace(x, index, values);
            }

            /// <summary><c>Scatter</c> of a number in place.</summary>
            public Tensor Scatter_(int dim, Tensor index, Scalar value) => x.Scatter_(dim, index, Tensor.FromScalar(value, x.DType).Expand(index.Shape));
        }

        static int LaneDim(string op, Tensor x, int dim, Tensor index)
        {
            int d = x.Shape.Normalize(dim, op);
            Dense.CheckIndexType(op, index);
            // no index names nothing that could be too small
            if (index.Numel == 0 && x.Rank > 0 && index.Rank == x.Rank) return d;
            if (x.Rank != index.Rank || x.Rank == 0) throw Errors.Make(op, $"the index needs the rank of the tensor, {x.Rank}, got {index.Rank}; IndexSelect takes a one-dimensional one", ("x", x), ("index", index));
            for (int i = 0; i < x.Rank; i++)
                if (i != d && index.Shape.Sizes[i] > x.Shape.Sizes[i])
                    throw Errors.Make(op, $"the index is larger than the tensor at dim {i}: {index.Shape.Sizes[i]} > {x.Shape.Sizes[i]}", ("x", x), ("index", index));
            return d;
        }

        static (int Dim, Tensor Source) LaneWrite(string op, Tensor x, int dim, Tensor index, Tensor source)
        {
            int d = LaneDim(op, x, dim, index);
            CheckType(op, x, source);
            if (index.Numel == 0) return (d, Nothing(source, index.Shape));
            if (source.Rank != index.Rank) throw Errors.Make(op, $"the source needs the rank of the index, {index.Rank}, got {source.Rank}", ("x", x), ("index", index), ("source", source));
            for (int i = 0; i < x.Rank; i++)
                if (index.Shape.Sizes[i] > source.Shape.Sizes[i])
                    throw Errors.Make(op, $"the index is larger than the source at dim {i}: {index.Shape.Sizes[i]} > {source.Shape.Sizes[i]}", ("index", index), ("source", source));
            return (d, NarrowTo(source, index.Shape, except: -1));
        }

        // of the empty shape of an index, and still a part of x to the tape
        static Tensor Nothing(Tensor x, Shape shape) => x.Reshape(-1).Narrow(0, 0, 0).Reshape(shape);

        static Tensor NarrowTo(Tensor x, Shape shape, int except)
        {
            for (int d = 0; d < x.Rank; d++)
                if (d != except && x.Shape.Sizes[d] != shape.Sizes[d]) x = x.Narrow(d, 0, shape.Sizes[d]);
            return x;
        }
    }
}
