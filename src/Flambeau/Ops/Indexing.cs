using Flambeau.Diagnostics;
using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>y[…, i, …] = x[…, index[i], …].</summary>
    public readonly struct IndexSelect : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.IndexSelect(1, index)", g => [Tensor.RandN([3, 5, 2], generator: g), Tensor.RandInt(0, 5, [7], generator: g)], t => t[0].IndexSelect(1, t[1])),
            new("x.IndexSelect(0, nothing)", g => [Tensor.RandN([3, 2], generator: g), Tensor.RandInt(0, 3, [0], generator: g)], t => t[0].IndexSelect(0, t[1])),
        ];
    }

    /// <summary>y[…, index[i], …] += source[…, i, …].</summary>
    public readonly struct IndexAdd : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.IndexAdd(0, index, source)", g => [Tensor.RandN([4, 3], generator: g), Tensor.RandInt(0, 4, [7], generator: g), Tensor.RandN([7, 3], generator: g)], t => t[0].IndexAdd(0, t[1], t[2])),
        ];
    }

    /// <summary>y[…, index[i], …] = source[…, i, …].</summary>
    public readonly struct IndexCopy : IIndexing
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Widest;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.IndexCopy(1, index, source)", g => [Tensor.RandN([3, 5], generator: g), Tensor.RandInt(0, 5, [3], generator: g), Tensor.RandN([3, 3], generator: g)], t => t[0].IndexCopy(1, t[1], t[2])),
        ];
    }

    /// <summary>y[…, index[i], …] = value.</summary>
    public readonly struct IndexFill : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.IndexFill(1, index, 2)", g => [Tensor.RandN([3, 5], generator: g), Tensor.RandInt(0, 5, [3], generator: g)], t => t[0].IndexFill(1, t[1], 2)),
        ];
    }

    /// <summary>y[indices] = values.</summary>
    public readonly struct IndexPut : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.IndexPut([rows, columns], values)", g => [Tensor.RandN([3, 4, 2], generator: g), Tensor.RandInt(0, 3, [5], generator: g), Tensor.RandInt(0, 4, [5], generator: g), Tensor.RandN([5, 2], generator: g)], t => t[0].IndexPut([t[1], t[2]], t[3])),
            new("adding", g => [Tensor.RandN([3, 4], generator: g), Tensor.RandInt(0, 3, [5, 1], generator: g), Tensor.RandInt(0, 4, [2], generator: g), Tensor.RandN([2], generator: g)], t => t[0].IndexPut([t[1], t[2]], t[3], accumulate: true)),
        ];
    }

    /// <summary>Rows of a table by number.</summary>
    public readonly struct Embedding : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("index.Embedding(table)", g => [Tensor.RandInt(0, 6, [2, 3], generator: g), Tensor.RandN([6, 4], generator: g)], t => t[0].Embedding(t[1])),
        ];
    }

    /// <summary>Elements by their row-major number.</summary>
    public readonly struct Take : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Take(index)", g => [Tensor.RandN([3, 4], generator: g), Tensor.RandInt(0, 12, [2, 3], generator: g)], t => t[0].Take(t[1])),
        ];
    }

    /// <summary>Rows of one dimension by number: y[…, i, …] = x[…, index[i], …]. Operands x, index.</summary>
    internal sealed class IndexSelectOp(int dim) : MultilinearOp
    {
        public override string Name => "IndexSelect";
        public override bool IsDifferentiable(int operand) => operand == 0;
        public override Cost CostOf(ReadOnlySpan<Tensor> x, Tensor y) => Cost.OfPicking(x[1], y);
        public override uint SavesFor(int operand) => 1u << 1;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var index = Dense.Index(Name, x[1], dim, x[0].Shape.Sizes[dim]);
            var y = Tensor.Empty(x[0].Shape.With(dim, index.Numel), x[0].DType);
            IndexRows.Select(y, Dense.Of(x[0]), dim, index);
            return y;
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, new IndexSumOp(dim, node.InputShapes[0].Sizes[dim]).Apply(node.Input(1), g));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            if (!batched[1]) return new IndexSelectOp(dim + 1).Apply(x[0], x[1]);
            // the batch and the dimension become one: row index[b, i] of element b is row b · rows + index[b, i] of all
            if (!batched[0])
            {
                var all = new IndexSelectOp(dim).Apply(x[0], x[1].Reshape(-1));
                return all.Unflatten(dim, size, x[1].Shape.Sizes[1]).MoveDim(dim, 0);
            }
            long rows = x[0].Shape.Sizes[dim + 1];
            var flat = x[0].MoveDim(dim + 1, 1).Flatten(0, 1);
            var y = new IndexSelectOp(0).Apply(flat, Joined(x[1], rows, Name, dim));
            return y.Unflatten(0, size, x[1].Shape.Sizes[1]).MoveDim(1, dim + 1);
        }

        /// <summary>Row numbers over batch and dimension together, from row numbers for each element of the batch: [batch, n] → [batch · n].</summary>
        public static Tensor Joined(Tensor index, long rows, string op, int dim) =>
            (new BoundedIndexOp(op, dim, rows).Apply(index) + (Tensor.Arange(index.Shape.Sizes[0]) * rows).Unsqueeze(1)).Reshape(-1);
    }

    /// <summary>The adjoint of <see cref="IndexSelectOp"/>: y[…, r, …] = Σ of source[…, i, …] over index[i] = r, in the order of i. Operands index, source.</summary>
    internal sealed class IndexSumOp(int dim, long rows) : MultilinearOp
    {
        public override string Name => "IndexSum";
        public override bool IsDifferentiable(int operand) => operand == 1;
        public override uint SavesFor(int operand) => 1u << 0;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var index = Dense.Index(Name, x[0], dim, rows);
            var sums = ElementTypes.Sums(x[1].DType);
            var y = Tensor.Zeros(x[1].Shape.With(dim, rows), sums);
            IndexRows.Add(y, dim, index, Dense.Of(x[1], sums));
            return Dense.Of(y, x[1].DType);
        }

        public override void Pullback(Node node, Tensor g) => node.Give(1, new IndexSelectOp(dim).Apply(g, node.Input(0)));

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            if (!batched[0]) return new IndexSumOp(dim + 1, rows).Apply(x[0], x[1]);
            var source = Batching.Ensure(x[1], batched[1], size).MoveDim(dim + 1, 1).Flatten(0, 1);
            var y = new IndexSumOp(0, size * rows).Apply(IndexSelectOp.Joined(x[0], rows, Name, dim), source);
            return y.Unflatten(0, size, rows).MoveDim(1, dim + 1);
        }
    }

    /// <summary>The index itself as int64, its range checked: what joins it with another dimension checks first.</summary>
    internal sealed class BoundedIndexOp(string name, int dim, long size) : MultilinearOp
    {
        public override string Name => name;
        public override bool IsDifferentiable(int operand) => false;
        public override Tensor Run(ReadOnlySpan<Tensor> x) => Dense.Index(name, x[0], dim, size).Alias();
        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }

    /// <summary>
    /// What a tensor holds after some of its elements were written or added to. Operands target, index, source; linear in target and source together.
    /// An operator states the write, which both the operator and its in-place form run.
    /// </summary>
    internal abstract class IndexedWriteOp(int dim) : Op
    {
        protected int Dim => dim;

        /// <summary>True if written elements keep nothing of what they held.</summary>
        protected abstract bool Replaces { get; }

        /// <summary>Writes to a contiguous target; the index is contiguous int64 and checked.</summary>
        protected abstract void Write(Tensor target, Tensor index, Tensor source);

        public abstract IndexedWriteOp At(int dim);

        public sealed override bool IsDifferentiable(int operand) => operand != 1;
        public sealed override uint SavesFor(int operand) => operand == 0 && !Replaces ? 0 : 1u << 1;

        public sealed override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var index = Dense.Index(Name, x[1], dim, x[0].Shape.Sizes[dim]);
            var type = Replaces ? x[0].DType : ElementTypes.Sums(x[0].DType);
            var y = Dense.Copied(x[0], type);
            Write(y, index, Dense.Of(x[2], type));
            return Dense.Of(y, x[0].DType);
        }

        /// <summary>The in-place form.</summary>
        public Tensor InPlace(Tensor target, Tensor index, Tensor source)
        {
            if (target.Level is not null || index.Level is not null || source.Level is not null) return Lifting.InPlace(this, target, [target, index, source]);
            if (Shapes.Overlaps(target)) throw Errors.Make(Name + "_", "several elements of the target share one place in memory (an expanded view); clone it first", ("target", target));
            var positions = Dense.Index(Name + "_", index, dim, target.Shape.Sizes[dim]);
            return Tape.InPlace(target, this, [target, index, source], t =>
            {
                var type = Replaces ? t.DType : ElementTypes.Sums(t.DType);
                var values = ReferenceEquals(t.Store, source.Store) ? Dense.Copied(source, type) : Dense.Of(source, type);
                if (ReferenceEquals(t.Store, positions.Store)) positions = Dense.Copied(positions, DType.Int64);
                if (t.IsContiguous && type == t.DType) { Write(t, positions, values); return; }
                var dense = Dense.Copied(t, type);
                Write(dense, positions, values);
                Copy.Into(t, dense);
            });
        }

        public sealed override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Apply(t[0] ?? Tensor.ZerosLike(x[0]), x[1], t[2] ?? Tensor.ZerosLike(x[2]));
    }

    /// <summary>Rows written or added to, named by an index of one dimension.</summary>
    internal abstract class RowWriteOp(int dim) : IndexedWriteOp(dim)
    {
        public sealed override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            Tensor target = Batching.Ensure(x[0], batched[0], size), source = Batching.Ensure(x[2], batched[2], size);
            if (!batched[1]) return At(Dim + 1).Apply(target, x[1], source);
            long rows = target.Shape.Sizes[Dim + 1];
            Tensor flat(Tensor t) => t.MoveDim(Dim + 1, 1).Flatten(0, 1);
            return At(0).Apply(flat(target), IndexSelectOp.Joined(x[1], rows, Name, Dim), flat(source)).Unflatten(0, size, rows).MoveDim(1, Dim + 1);
        }
    }

    /// <summary>y = target with y[…, index[i], …] += source[…, i, …], in the order of i.</summary>
    internal sealed class IndexAddOp(int dim) : RowWriteOp(dim)
    {
        public override string Name => "IndexAdd";
        protected override bool Replaces => false;
        protected override void Write(Tensor target, Tensor index, Tensor source) => IndexRows.Add(target, Dim, index, source);
        public override IndexedWriteOp At(int dim) => new IndexAddOp(dim);

        public override void Pullback(Node node, Tensor g)
        {
            if (node.Needs(0)) node.Give(0, g);
            if (node.Needs(2)) node.Give(2, g.IndexSelect(Dim, node.Input(1)));
        }
    }

    /// <summary>y = target with y[…, index[i], …] = source[…, i, …]; of several writes the last stays.</summary>
    internal sealed class IndexCopyOp(int dim) : RowWriteOp(dim)
    {
        public override string Name => "IndexCopy";
        protected override bool Replaces => true;
        protected override void Write(Tensor target, Tensor index, Tensor source) => IndexRows.Put(target, Dim, index, source);
        public override IndexedWriteOp At(int dim) => new IndexCopyOp(dim);

        public override void Pullback(Node node, Tensor g)
        {
            var index = node.Input(1);
            if (node.Needs(0)) node.Give(0, Apply(g, index, Tensor.Zeros(node.InputShapes[2], g.DType)));
            if (!node.Needs(2)) return;
            var last = new LastWriterOp(0, node.InputShapes[0].Sizes[Dim], g.DType).Apply(index);
            node.Give(2, g.IndexSelect(Dim, index) * last.Reshape(new Shape([index.Numel, .. Enumerable.Repeat(1L, g.Rank - Dim - 1)])));
        }
    }

    /// <summary>1 where a position's write stays, 0 where a later position of the same lane names the same element.</summary>
    internal sealed class LastWriterOp(int dim, long size, DType type) : MultilinearOp
    {
        public override string Name => "LastWriter";
        public override bool IsDifferentiable(int operand) => false;
        public override Tensor Run(ReadOnlySpan<Tensor> x) => IndexLanes.LastWriters(Dense.Index(Name, x[0], dim, size), dim, size, type);
        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long count) => new LastWriterOp(dim + 1, size, type).Apply(x[0]);
    }

    /// <summary>
    /// One row number from an index for each of several dimensions: Σ indexₖ · Π of later sizes. Negative indices count from the end. Operands: index tensors that broadcast.
    /// </summary>
    internal sealed unsafe class LinearIndexOp(string name, long[] sizes, int[] dims) : MultilinearOp
    {
        public override string Name => name;
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var shapes = new Shape[x.Length];
            for (int k = 0; k < x.Length; k++) shapes[k] = x[k].Shape;
            var shape = Shapes.Broadcast(name, shapes);
            var y = Tensor.Zeros(shape, DType.Int64);
            for (int k = 0; k < x.Length; k++) Join(y, x[k], k);
            return y;
        }

        void Join(Tensor y, Tensor index, int k)
        {
            var spread = Dense.Of(Shapes.ExpandTo(index.Detached(), y.Shape), DType.Int64);
            long size = sizes[k];
            fixed (byte* p = y.Store!, q = spread.Store!)
            {
                long* to = (long*)p, from = (long*)q + spread.Offset;
                for (long i = 0; i < y.Numel; i++)
                {
                    long at = from[i] < 0 ? from[i] + size : from[i];
                    if ((ulong)at >= (ulong)size)
                        throw Errors.Make(name, $"index {from[i]} at position {Dense.Place(y.Shape, i)} is out of range for dim {dims[k]} with size {size}: expected {-size} … {size - 1}", ("index", index));
                    to[i] = to[i] * size + at;
                }
            }
        }

        public override void Pullback(Node node, Tensor g) { }

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            int rank = 0;
            for (int k = 0; k < x.Length; k++) rank = Math.Max(rank, x[k].Rank - (batched[k] ? 1 : 0));
            var aligned = new Tensor[x.Length];
            for (int k = 0; k < x.Length; k++)
            {
                var index = x[k];
                if (batched[k]) while (index.Rank < rank + 1) index = index.Unsqueeze(1);
                aligned[k] = index;
            }
            return Apply(aligned);
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>Rows of dimension <paramref name="dim"/> by number: y[…, i, …] = x[…, index[i], …] (PyTorch: <c>index_select</c>).</summary>
            /// <param name="dim">The indexed dimension; negative counts from the end.</param>
            /// <param name="index">int64 or int32 [n], each in 0 … size − 1; repeats are fine, and their gradients add up in order.</param>
            /// <exception cref="FlambeauException">The index is not one-dimensional or not of whole numbers, or one lies outside.</exception>
            public Tensor IndexSelect(int dim, Tensor index)
            {
                if (x.Rank == 0) return OneRow("IndexSelect", x, index).IndexSelect(dim, index).Reshape(Shape.Scalar);
                return new IndexSelectOp(RowDim("IndexSelect", x, dim, index)).Apply(x, index);
            }

            /// <summary>x with y[…, index[i], …] += source[…, i, …]; repeats add up in order, the same at any number of threads (PyTorch: <c>index_add</c>).</summary>
            /// <param name="dim">The indexed dimension; negative counts from the end.</param>
            /// <param name="index">int64 or int32 [n].</param>
            /// <param name="source">Of the type of x and its shape, but for n positions along <paramref name="dim"/>.</param>
            public Tensor IndexAdd(int dim, Tensor index, Tensor source) => Written("IndexAdd", x, dim, index, source, static d => new IndexAddOp(d));

            /// <summary><c>IndexAdd</c> in place (PyTorch: <c>index_add_</c>).</summary>
            public Tensor IndexAdd_(int dim, Tensor index, Tensor source) => WrittenInPlace("IndexAdd_", x, dim, index, source, static d => new IndexAddOp(d));

            /// <summary>x with y[…, index[i], …] = source[…, i, …]; where an index repeats, the last write stays (PyTorch: <c>index_copy</c>).</summary>
            /// <param name="dim">The indexed dimension; negative counts from the end.</param>
            /// <param name="index">int64 or int32 [n].</param>
            /// <param name="source">Of the type of x and its shape, but for n positions along <paramref name="dim"/>.</param>
            public Tensor IndexCopy(int dim, Tensor index, Tensor source)
            {
                using var cast = Autocast.Enter<Ops.IndexCopy>();
                Tensor[] both = [x, source];
                cast.Widen(both);
                return Written("IndexCopy", both[0], dim, index, both[1], static d => new IndexCopyOp(d));
            }

            /// <summary><c>IndexCopy</c> in place (PyTorch: <c>index_copy_</c>).</summary>
            public Tensor IndexCopy_(int dim, Tensor index, Tensor source) => WrittenInPlace("IndexCopy_", x, dim, index, source, static d => new IndexCopyOp(d));

            /// <summary>x with rows of dimension <paramref name="dim"/> filled with a number (PyTorch: <c>index_fill</c>).</summary>
            public Tensor IndexFill(int dim, Tensor index, Scalar value)
            {
                if (x.Rank == 0) return x.Reshape(1).IndexFill(dim, index, value).Reshape(Shape.Scalar);
                return x.IndexCopy(dim, index, Filled(x, RowDim("IndexFill", x, dim, index), index, value));
            }

            /// <summary><c>IndexFill</c> in place (PyTorch: <c>index_fill_</c>).</summary>
            public Tensor IndexFill_(int dim, Tensor index, Scalar value)
            {
                if (x.Rank > 0) return x.IndexCopy_(dim, index, Filled(x, RowDim("IndexFill_", x, dim, index), index, value));
                x.Reshape(1).IndexFill_(dim, index, value);
                return x;
            }

            /// <summary>
            /// Rows of a table by number: y[…, :] = weight[x[…], :] (PyTorch: <c>F.embedding</c>, with the indices first).
            /// </summary>
            /// <param name="weight">[rows, width].</param>
            /// <param name="paddingIndex">A row that gets no gradient; negative counts from the end.</param>
            /// <returns>[…, width], in the type of the table. Gradients of a repeated row add up in the order of the indices.</returns>
            public Tensor Embedding(Tensor weight, long? paddingIndex = null)
            {
                Dense.CheckIndexType("Embedding", x);
                if (weight.Rank != 2) throw Errors.Make("Embedding", $"the table needs two dims [rows, width], got {weight.Shape}", ("weight", weight));
                long rows = weight.Shape.Sizes[0];
                var shape = x.Shape;
                if (paddingIndex is { } p)
                {
                    if (p < -rows || p >= rows) throw Errors.Make("Embedding", $"padding index {p} is out of range for {rows} rows", ("weight", weight));
                    return new PaddedRowsOp(p < 0 ? p + rows : p).Apply(weight, x.Reshape(-1)).Reshape(new Shape([.. shape.Sizes, weight.Shape.Sizes[1]]));
                }
                return new IndexSelectOp(0).Apply(weight, x.Reshape(-1)).Reshape(new Shape([.. shape.Sizes, weight.Shape.Sizes[1]]));
            }

            /// <summary>Elements by their row-major number, negative from the end: y[…] = x.flat[index[…]] (PyTorch: <c>take</c>).</summary>
            public Tensor Take(Tensor index)
            {
                Dense.CheckIndexType("Take", index);
                var flat = new LinearIndexOp("Take", [x.Numel], [0]).Apply(index);
                return x.Reshape(-1).IndexSelect(0, flat.Reshape(-1)).Reshape(index.Shape);
            }

            /// <summary>
            /// x with y[indices[0][s], indices[1][s], …, :] = values[s, :], or += if <paramref name="accumulate"/> (PyTorch: <c>index_put</c>).
            /// </summary>
            /// <param name="indices">One for each leading dimension, of whole numbers; they broadcast to a shape S. Negative ones count from the end.</param>
            /// <param name="values">Broadcasts to S and the dimensions not indexed; of the type of x.</param>
            /// <param name="accumulate">Adds, repeats in order. If false, the last write stays.</param>
            public Tensor IndexPut(Tensor[] indices, Tensor values, bool accumulate = false)
            {
                var (flat, linear, source) = PutOperands("IndexPut", x, indices, values);
                var y = accumulate ? flat.IndexAdd(0, linear, source) : flat.IndexCopy(0, linear, source);
                return y.Reshape(x.Shape);
            }

            /// <summary><c>IndexPut</c> in place (PyTorch: <c>index_put_</c>).</summary>
            public Tensor IndexPut_(Tensor[] indices, Tensor values, bool accumulate = false)
            {
                if (x.Level is not null || values.Level is not null || indices.Any(i => i.Level is not null)) return Lifting.InPlace(new IndexCopyOp(0), x, [x, values, .. indices]);
                // leading dims that do not merge into one without a copy: out of place, then written back
                var merged = PutShape("IndexPut_", x, indices);
                if (ViewAsOp.TryStrides(x.Shape, x.Strides, merged) is null) return x.Copy_(x.IndexPut(indices, values, accumulate));
                var (flat, linear, source) = PutOperands("IndexPut_", x, indices, values);
                if (accumulate) flat.IndexAdd_(0, linear, source);
                else flat.IndexCopy_(0, linear, source);
                return x;
            }
        }

        static int RowDim(string op, Tensor x, int dim, Tensor index)
        {
            int d = x.Shape.Normalize(dim, op);
            if (index.Rank != 1) throw Errors.Make(op, $"the index needs one dim, got {index.Rank}; Gather takes one of full rank", ("x", x), ("index", index));
            Dense.CheckIndexType(op, index);
            return d;
        }

        // a 0-dim tensor is one row; as many indices as rows keep it 0-dim
        static Tensor OneRow(string op, Tensor x, Tensor index) =>
            index.Numel == 1 ? x.Reshape(1) : throw Errors.Make(op, $"a 0-dim tensor is a single row, which {index.Numel} indices do not fit; reshape it to [1] first", ("x", x), ("index", index));

        static Tensor Written(string op, Tensor x, int dim, Tensor index, Tensor source, Func<int, RowWriteOp> to)
        {
            if (x.Rank == 0) return Written(op, OneRow(op, x, index), dim, index, Row(source), to).Reshape(Shape.Scalar);
            return to(RowWrite(op, x, dim, index, source)).Apply(x, index, source);
        }

        static Tensor WrittenInPlace(string op, Tensor x, int dim, Tensor index, Tensor source, Func<int, RowWriteOp> to)
        {
            if (x.Rank > 0) return to(RowWrite(op, x, dim, index, source)).InPlace(x, index, source);
            WrittenInPlace(op, OneRow(op, x, index), dim, index, Row(source), to);
            return x;
        }

        static Tensor Row(Tensor x) => x.Rank == 0 ? x.Reshape(1) : x;

        static int RowWrite(string op, Tensor x, int dim, Tensor index, Tensor source)
        {
            int d = RowDim(op, x, dim, index);
            CheckType(op, x, source);
            var expected = x.Shape.With(d, index.Numel);
            if (!source.Shape.Equals(expected)) throw Errors.Make(op, $"the source needs shape {expected}: the target's with {index.Numel} positions along dim {d}", ("x", x), ("index", index), ("source", source));
            return d;
        }

        static void CheckType(string op, Tensor x, Tensor source)
        {
            if (x.DType != source.DType) throw Errors.Make(op, $"the source has type {source.DType.Name}, the target {x.DType.Name}; cast it with To(DType.{x.DType})", ("x", x), ("source", source));
        }

        static Tensor Filled(Tensor x, int dim, Tensor index, Scalar value) => Tensor.FromScalar(value, x.DType).Expand(x.Shape.With(dim, index.Numel));

        static Shape PutShape(string op, Tensor x, Tensor[] indices)
        {
            if (indices.Length == 0 || indices.Length > x.Rank) throw Errors.Make(op, $"got {indices.Length} index tensors for a tensor of {x.Rank} dims: expected 1 … {x.Rank}", ("x", x));
            long rows = 1;
            for (int k = 0; k < indices.Length; k++) rows *= x.Shape.Sizes[k];
            return new Shape([rows, .. x.Shape.Sizes[indices.Length..]]);
        }

        static (Tensor Flat, Tensor Linear, Tensor Source) PutOperands(string op, Tensor x, Tensor[] indices, Tensor values)
        {
            var merged = PutShape(op, x, indices);
            foreach (var index in indices) Dense.CheckIndexType(op, index);
            CheckType(op, x, values);
            var linear = new LinearIndexOp(op, x.Shape.Sizes[..indices.Length], [.. Enumerable.Range(0, indices.Length)]).Apply(indices);
            var full = new Shape([.. linear.Shape.Sizes, .. merged.Sizes[1..]]);
            if (Shapes.TryBroadcast(values.Shape, full, out _) is not { } shape || !shape.Equals(full))
                throw Errors.Make(op, $"values of shape {values.Shape} do not broadcast to the indexed shape {full}", ("x", x), ("values", values));
            return (x.Reshape(merged), linear.Reshape(-1), Shapes.ExpandTo(values, full).Reshape(merged.With(0, linear.Numel)));
        }
    }
}

namespace Flambeau.Ops
{
    /// <summary>Rows of a table of which one, the padding's, gets no gradient. Operands table, index.</summary>
    internal sealed class PaddedRowsOp(long padding) : MultilinearOp
    {
        public override string Name => "Embedding";
        public override bool IsDifferentiable(int operand) => operand == 0;
        public override uint SavesFor(int operand) => 1u << 1;
        public override Tensor Run(ReadOnlySpan<Tensor> x) => new IndexSelectOp(0).Run(x);

        public override void Pullback(Node node, Tensor g)
        {
            // the padding's gradients go to one row more, which is cut off
            long rows = node.InputShapes[0].Sizes[0];
            var index = new RedirectOp(padding, rows).Apply(node.Input(1));
            node.Give(0, new IndexSumOp(0, rows + 1).Apply(index, g).Narrow(0, 0, rows));
        }

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            if (!batched[0]) return Apply(x[0], x[1].Reshape(-1)).Unflatten(0, size, x[1].Shape.Sizes[1]);
            throw Errors.Make(Name, "a table that differs for every element of the batch cannot have a padding row; index its rows with IndexSelect", ("table", x[0]));
        }
    }

    /// <summary>An index with one number replaced by another.</summary>
    internal sealed unsafe class RedirectOp(long from, long to) : MultilinearOp
    {
        public override string Name => "Redirect";
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var y = Dense.Copied(x[0], DType.Int64);
            fixed (byte* p = y.Store!)
                for (long i = 0; i < y.Numel; i++) if (((long*)p)[i] == from) ((long*)p)[i] = to;
            return y;
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }
}
