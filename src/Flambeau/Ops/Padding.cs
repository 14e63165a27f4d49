using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau
{
    /// <summary>What stands beyond the edge of a padded tensor.</summary>
    public enum PadMode
    {
        /// <summary>One number.</summary>
        Constant,
        /// <summary>The tensor mirrored at its edge element, which is not repeated: c b | a b c | b a.</summary>
        Reflect,
        /// <summary>The edge element: a a | a b c | c c.</summary>
        Replicate,
        /// <summary>The other end: b c | a b c | a b.</summary>
        Circular,
    }
}

namespace Flambeau.Ops
{
    /// <summary>A border around the tensor.</summary>
    public readonly struct Pad : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Pad([1, 2, -1, 3])", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Pad([1, 2, -1, 3], PadMode.Constant, 2)),
            new("mirrored", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Pad([3, 1, 2, 0], PadMode.Reflect)),
            new("edge repeated", g => [Tensor.RandN([2, 3], generator: g)], t => t[0].Pad([3, 5], PadMode.Replicate)),
            new("circular", g => [Tensor.RandN([2, 3], generator: g)], t => t[0].Pad([3, 2], PadMode.Circular)),
        ];
    }

    /// <summary>The upper triangle.</summary>
    public readonly struct Triu : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Triu(1)", g => [Tensor.RandN([2, 3, 4], generator: g)], t => t[0].Triu(1)),
        ];
    }

    /// <summary>The lower triangle.</summary>
    public readonly struct Tril : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Tril(-1)", g => [Tensor.RandN([2, 4, 3], generator: g)], t => t[0].Tril(-1)),
        ];
    }

    /// <summary>A border of one number, before and after along each dimension; negative widths cut off. The adjoint has the widths negated.</summary>
    internal sealed class PadOp(long[] before, long[] after, Scalar value) : Op
    {
        public override string Name => "Pad";

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var source = x[0];
            var sizes = new long[source.Rank];
            var middle = new long[source.Rank];
            long from = 0, to = 0;
            var shape = Padded(source.Shape);
            for (int d = 0; d < sizes.Length; d++)
            {
                middle[d] = Math.Max(0, source.Shape.Sizes[d] + Math.Min(before[d], 0) + Math.Min(after[d], 0));
                from += Math.Max(-before[d], 0) * source.Strides[d];
                to += Math.Max(before[d], 0) * shape.ContiguousStrides[d];
            }
            var inner = new Shape(middle);
            var y = inner.Count == shape.Count ? Tensor.Empty(shape, source.DType) : Tensor.Full(shape, value, source.DType);
            if (inner.Count > 0) Copy.Into(new Tensor(y.Store!, inner, y.Strides, to, y.DType), new Tensor(source.Store!, inner, source.Strides, source.Offset + from, source.DType));
            return y;
        }

        Shape Padded(Shape shape)
        {
            var sizes = new long[shape.Rank];
            for (int d = 0; d < sizes.Length; d++)
            {
                sizes[d] = shape.Sizes[d] + before[d] + after[d];
                if (shape.Sizes[d] + Math.Min(before[d], 0) + Math.Min(after[d], 0) < 0) throw Errors.Make(Name, $"widths {before[d]} and {after[d]} cut off more than dim {d} has, {shape.Sizes[d]}");
            }
            return new Shape(sizes);
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, new PadOp([.. before.Select(w => -w)], [.. after.Select(w => -w)], 0).Apply(g));
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => new PadOp(before, after, 0).Apply(t[0]!);
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => new PadOp([0, .. before], [0, .. after], value).Apply(x[0]);
    }

    /// <summary>Matrices with zeros below (upper) or above (lower) a diagonal: its own adjoint.</summary>
    internal sealed unsafe class TriangleOp(bool upper, long diagonal) : MultilinearOp
    {
        public override string Name => upper ? "Triu" : "Tril";

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var y = Dense.Copied(x[0], x[0].DType);
            long columns = y.Shape.Sizes[^1], rows = y.Shape.Sizes[^2];
            if (y.Numel == 0) return y;
            fixed (byte* p = y.Store!)
            {
                var part = new Part { Y = p, Columns = columns, Rows = rows, Size = y.DType.Size, Diagonal = diagonal, Upper = upper };
                IndexRows.Run((int)(y.Numel / (rows * columns)), ref part, y.Numel);
            }
            return y;
        }

        struct Part : IPart
        {
            public byte* Y;
            public long Columns, Rows, Diagonal;
            public int Size;
            public bool Upper;

            public readonly void Run(int matrix)
            {
                byte* row = Y + matrix * Rows * Columns * Size;
                for (long r = 0; r < Rows; r++, row += Columns * Size)
                {
                    // kept: columns >= r + diagonal of an upper, <= r + diagonal of a lower triangle
                    long edge = Math.Clamp(Upper ? r + Diagonal : r + Diagonal + 1, 0, Columns);
                    new Span<byte>(row + (Upper ? 0 : edge * Size), (int)((Upper ? edge : Columns - edge) * Size)).Clear();
                }
            }
        }

        public override void Pullback(Node node, Tensor g) => node.Give(0, Apply(g));
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        static Scalar Border(Tensor x, Scalar value)
        {
            var border = Filling(x, value, "Pad");
            if (x.DType == DType.UInt8 && border.ToInt64() is < 0 or > 255) throw Errors.Make("Pad", $"the value {value} is no uint8; cast x first", ("x", x));
            return border;
        }

        extension(Tensor x)
        {
            /// <summary>A border around the tensor (PyTorch: <c>F.pad</c>).</summary>
            /// <param name="widths">Before and after the last dimension, then before and after the one before it, and so on; negative widths of a constant border cut off.</param>
            /// <param name="mode">What the border holds. Mirrored and circular borders are at most as wide as the tensor allows.</param>
            /// <param name="value">The constant border's number.</param>
            public Tensor Pad(ReadOnlySpan<long> widths, PadMode mode = PadMode.Constant, Scalar value = default)
            {
                if (widths.Length % 2 != 0 || widths.Length > 2 * x.Rank)
                    throw Errors.Make("Pad", $"needs pairs of widths for at most {x.Rank} dims, last dim first, got [{string.Join(", ", widths.ToArray())}]", ("x", x));
                long[] before = new long[x.Rank], after = new long[x.Rank];
                for (int i = 0; i < widths.Length; i += 2) (before[x.Rank - 1 - i / 2], after[x.Rank - 1 - i / 2]) = (widths[i], widths[i + 1]);
                if (mode == PadMode.Constant) return new PadOp(before, after, widths.ContainsAnyInRange(1, long.MaxValue) ? Border(x, value) : 0).Apply(x);
                var y = x;
                for (int d = 0; d < x.Rank; d++)
                    if (before[d] != 0 || after[d] != 0) y = y.IndexSelect(d, Border(x, d, before[d], after[d], mode));
                return y;
            }

            /// <summary>The upper triangle of each matrix: columns from row + <paramref name="diagonal"/> on, zeros before (PyTorch: <c>triu</c>).</summary>
            public Tensor Triu(long diagonal = 0) => Triangle("Triu", x, upper: true, diagonal);

            /// <summary>The lower triangle of each matrix: columns up to row + <paramref name="diagonal"/>, zeros after (PyTorch: <c>tril</c>).</summary>
            public Tensor Tril(long diagonal = 0) => Triangle("Tril", x, upper: false, diagonal);
        }

        static Tensor Triangle(string op, Tensor x, bool upper, long diagonal) =>
            x.Rank < 2 ? throw Errors.Make(op, "needs at least two dims", ("x", x)) : new TriangleOp(upper, diagonal).Apply(x);

        // which position each one of the padded dimension shows
        static Tensor Border(Tensor x, int dim, long before, long after, PadMode mode)
        {
            long n = x.Shape.Sizes[dim], widest = mode switch { PadMode.Reflect => n - 1, PadMode.Circular => n, _ => n == 0 ? 0 : long.MaxValue };
            if (before > widest || after > widest || n + before + after < 0)
                throw Errors.Make("Pad", $"widths {before} and {after} do not fit dim {dim} of size {n}: a {mode} border is at most {widest} wide", ("x", x));
            var index = new long[n + before + after];
            for (long i = 0; i < index.Length; i++)
            {
                long at = i - before;
                index[i] = mode switch
                {
                    PadMode.Reflect => at < 0 ? -at : at >= n ? 2 * (n - 1) - at : at,
                    PadMode.Replicate => Math.Clamp(at, 0, n - 1),
                    _ => (at % n + n) % n,
                };
            }
            return Tensor.FromArray(index);
        }
    }
}
