using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>Where values belong in sorted rows.</summary>
    public readonly struct SearchSorted : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "searchsorted";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("boundaries.SearchSorted(x)", g => [Tensor.RandN([3, 4], generator: g)], t => Tensor.Of(-1, 0, 1).SearchSorted(t[0])),
        ];
    }

    /// <summary>Where values belong in sorted rows. Operands: rows [n] or […, n], values […, m]. Custom: whole numbers, no derivative.</summary>
    internal sealed unsafe class SearchSortedOp(bool right) : Op
    {
        public override string Name => "SearchSorted";
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            // whole numbers compare exactly in int64, all others in float64
            var type = DTypes.Promote(x[0].DType, x[1].DType).IsFloatingPoint ? DType.Float64 : DType.Int64;
            Tensor sorted = Dense.Of(x[0], type), values = Dense.Of(x[1], type);
            var y = Tensor.Empty(values.Shape, DType.Int64);
            long n = sorted.Shape.Sizes[^1], m = sorted.Rank == 1 ? Math.Max(1, values.Numel) : values.Shape.Sizes[^1];
            fixed (byte* s = sorted.Store!, v = values.Store!, t = y.Store!)
            {
                var part = new Part { Sorted = (ulong*)s + sorted.Offset, Values = (ulong*)v + values.Offset, Y = (long*)t, N = n, M = m, Count = values.Numel, Whole = type == DType.Int64, Right = right };
                IndexRows.Run((int)((values.Numel + Part.Chunk - 1) / Part.Chunk), ref part, values.Numel * 16);
            }
            GC.KeepAlive(sorted);
            GC.KeepAlive(values);
            return y;
        }

        struct Part : IPart
        {
            public const int Chunk = 2048;
            public ulong* Sorted, Values;
            public long* Y;
            public long N, M, Count;
            public bool Whole, Right;

            public readonly void Run(int part)
            {
                long end = Math.Min(Count, (part + 1L) * Chunk);
                for (long i = part * (long)Chunk; i < end; i++)
                {
                    ulong* row = Sorted + i / M * N;
                    ulong key = Key(Values[i]);
                    long low = 0, high = N;
                    while (low < high)
                    {
                        long middle = (low + high) >>> 1;
                        ulong at = Key(row[middle]);
                        if (at < key || Right && at == key) low = middle + 1;
                        else high = middle;
                    }
                    Y[i] = low;
                }
            }

            readonly ulong Key(ulong bits) => Whole ? RowOrders.Key((long)bits) : RowOrders.Key(BitConverter.UInt64BitsToDouble(bits));
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
        {
            if (!batched[0] && x[0].Rank == 1) return Apply(x[0], x[1]);
            Tensor sorted = Batching.Ensure(x[0], batched[0], size), values = Batching.Ensure(x[1], batched[1], size);
            if (sorted.Rank == values.Rank) return Apply(sorted, values);
            // one row for each element of the batch, and values of any shape
            return Apply(sorted, values.Reshape(new Shape([size, size == 0 ? 0 : values.Numel / size]))).Reshape(values.Shape);
        }
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>Where <paramref name="values"/> belong in the sorted rows of this tensor so that they stay sorted, int64: before equal ones, or after them if <paramref name="right"/> (PyTorch: <c>searchsorted</c>).</summary>
            /// <param name="values">Any shape if this tensor is one-dimensional; else of its leading sizes.</param>
            /// <param name="right">True for the first position whose element is greater than the value; false for the first whose element is not less.</param>
            public Tensor SearchSorted(Tensor values, bool right = false)
            {
                if (x.Rank == 0) throw Errors.Make("SearchSorted", "needs at least one dim of sorted numbers", ("x", x));
                if (x.Rank > 1 && (values.Rank != x.Rank || !values.Shape.Sizes.AsSpan()[..^1].SequenceEqual(x.Shape.Sizes.AsSpan()[..^1])))
                    throw Errors.Make("SearchSorted", "rows and values need the same sizes but for the last dim", ("x", x), ("values", values));
                return new SearchSortedOp(right).Apply(x, values);
            }

            /// <summary>In which bucket between sorted <paramref name="boundaries"/> each element lies, int64 (PyTorch: <c>bucketize</c>).</summary>
            public Tensor Bucketize(Tensor boundaries, bool right = false) => boundaries.SearchSorted(x, right);

            /// <summary>How often each whole number 0, 1, … stands in a one-dimensional tensor, or the sum of the weights at these places (PyTorch: <c>bincount</c>).</summary>
            /// <param name="weights">One a number, or null to count in int64. float32 and float64 keep their type, others add up in float64.</param>
            /// <param name="minLength">The least size of the result.</param>
            public Tensor BinCount(Tensor? weights = null, long minLength = 0)
            {
                Dense.CheckIndexType("BinCount", x);
                if (x.Rank != 1) throw Errors.Make("BinCount", $"needs one dim, got {x.Rank}", ("x", x));
                if (minLength < 0) throw Errors.Make("BinCount", $"the least size must not be negative, got {minLength}", ("x", x));
                if (weights is not null && !weights.Shape.Equals(x.Shape)) throw Errors.Make("BinCount", "needs one weight a number", ("x", x), ("weights", weights));
                long size = minLength;
                foreach (long i in x.ToArray<long>())
                {
                    if (i < 0) throw Errors.Make("BinCount", $"counts numbers from 0 on, got {i}", ("x", x));
                    size = Math.Max(size, i + 1);
                }
                var each = weights is null ? Tensor.Ones(x.Shape, DType.Int64) : weights.DType == DType.Float32 ? weights : weights.To(DType.Float64);
                return new IndexSumOp(0, size).Apply(x, each);
            }

            /// <summary>
            /// The different elements in ascending order; where each element of the tensor stands among them (of its shape); and how often each occurs (PyTorch: <c>unique(sorted=True, return_inverse=True, return_counts=True)</c>).
            /// Every NaN is different from all others.
            /// </summary>
            public (Tensor Values, Tensor Inverse, Tensor Counts) Unique()
            {
                var flat = x.Detach().Reshape(-1);
                var order = flat.ArgSort().ToArray<long>();
                var isNew = Changes(flat.IndexSelect(0, Tensor.FromArray(order)));
                var firsts = new List<long>();
                var counts = new List<long>();
                var inverse = new long[order.Length];
                for (int i = 0; i < order.Length; i++)
                {
                    if (isNew[i]) { firsts.Add(order[i]); counts.Add(0); }
                    counts[^1]++;
                    inverse[order[i]] = firsts.Count - 1;
                }
                return (flat.IndexSelect(0, Tensor.FromArray(firsts.ToArray())), Tensor.FromArray(inverse, x.Shape), Tensor.FromArray(counts.ToArray()));
            }
        }

        // where a sorted row's element differs from the one before
        static bool[] Changes(Tensor sorted)
        {
            var changes = new bool[sorted.Numel];
            if (sorted.DType.IsFloatingPoint)
            {
                var values = sorted.ToArray<double>();
                for (int i = 0; i < values.Length; i++) changes[i] = i == 0 || !(values[i] == values[i - 1]);
            }
            else
            {
                var values = sorted.ToArray<long>();
                for (int i = 0; i < values.Length; i++) changes[i] = i == 0 || values[i] != values[i - 1];
            }
            return changes;
        }
    }
}
