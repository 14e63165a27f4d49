using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>1 at the index, 0 elsewhere.</summary>
    public readonly struct OneHot : IIndexing
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("index.OneHot(4)", g => [Tensor.RandInt(0, 4, [2, 3], generator: g)], t => t[0].OneHot(4)),
        ];
    }

    /// <summary>The positions of elements that are not zero, in row-major order: int64 [n, rank]. Custom: the result's shape depends on values.</summary>
    internal sealed unsafe class NonzeroOp : Op
    {
        public static readonly NonzeroOp Instance = new();
        public override string Name => "Nonzero";
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            var mask = Dense.Of(x[0], DType.Bool);
            var shape = x[0].Shape;
            fixed (byte* p = mask.Store!)
            {
                byte* at = p + mask.Offset;
                long found = 0;
                for (long i = 0; i < shape.Count; i++) found += at[i];
                var y = Tensor.Empty(new Shape([found, shape.Rank]), DType.Int64);
                fixed (byte* q = y.Store!)
                {
                    long* to = (long*)q;
                    for (long i = 0; i < shape.Count; i++)
                    {
                        if (at[i] == 0) continue;
                        long rest = i;
                        for (int d = shape.Rank - 1; d >= 0; d--) (rest, to[d]) = (rest / shape.Sizes[d], rest % shape.Sizes[d]);
                        to += shape.Rank;
                    }
                }
                return y;
            }
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);

        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => throw Errors.Make(Name,
            "how many elements are not zero differs for every element of the batch, so the result has no shape under Vmap; use Where with the mask instead", ("x", x[0]));
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>The positions of all elements that are not zero, in row-major order: int64 [n, rank] (PyTorch: <c>nonzero</c>).</summary>
            public Tensor Nonzero() => NonzeroOp.Instance.Apply(x);

            /// <summary>The positions as one index tensor [n] a dimension, ready for indexing (PyTorch: <c>nonzero(as_tuple=True)</c>).</summary>
            public Tensor[] NonzeroAsTuple() => x.Rank == 0 ? x.Reshape(1).NonzeroAsTuple() : x.Nonzero().Unbind(1);

            /// <summary>The elements where <paramref name="mask"/> is true, in row-major order, [n] (PyTorch: <c>masked_select</c>). Operand and mask broadcast; gradients flow back to the places.</summary>
            public Tensor MaskedSelect(Tensor mask)
            {
                CheckMask("MaskedSelect", x, mask);
                var shape = Shapes.Broadcast("MaskedSelect", x.Shape, mask.Shape);
                var places = Shapes.ExpandTo(mask, shape).Reshape(-1).Nonzero().Reshape(-1);
                return Shapes.ExpandTo(x, shape).Reshape(-1).IndexSelect(0, places);
            }

            /// <summary>x with the elements where <paramref name="mask"/> is true replaced, in row-major order, by the first elements of <paramref name="source"/> (PyTorch: <c>masked_scatter</c>).</summary>
            /// <exception cref="FlambeauException">The source has fewer elements than the mask has true ones.</exception>
            public Tensor MaskedScatter(Tensor mask, Tensor source)
            {
                CheckMask("MaskedScatter", x, mask);
                CheckType("MaskedScatter", x, source);
                var shape = Shapes.Broadcast("MaskedScatter", x.Shape, mask.Shape);
                var places = Shapes.ExpandTo(mask, shape).Reshape(-1).Nonzero().Reshape(-1);
                if (source.Numel < places.Numel) throw Errors.Make("MaskedScatter", $"the mask selects {places.Numel} elements, the source has {source.Numel}", ("mask", mask), ("source", source));
                return Shapes.ExpandTo(x, shape).Reshape(-1).IndexCopy(0, places, source.Reshape(-1).Narrow(0, 0, places.Numel)).Reshape(shape);
            }

            /// <summary>One more dimension of size <paramref name="classes"/> with 1 at the index and 0 elsewhere, int64 (PyTorch: <c>F.one_hot</c>). By default as many classes as the greatest index needs.</summary>
            public Tensor OneHot(long classes = -1)
            {
                Dense.CheckIndexType("OneHot", x);
                long size = classes > 0 || classes == 0 && x.Numel > 0 ? classes : x.Numel == 0 ? throw Errors.Make("OneHot", "the number of classes cannot follow from no indices; pass it", ("x", x)) : x.ToArray<long>().Max() + 1;
                if (size == 0 && x.Numel > 0) throw Errors.Make("OneHot", "needs at least one class", ("x", x));
                return Tensor.Zeros(new Shape([.. x.Shape.Sizes, size]), DType.Int64).Scatter(-1, x.Unsqueeze(-1), 1);
            }
        }

        static void CheckMask(string op, Tensor x, Tensor mask)
        {
            if (mask.DType != DType.Bool) throw Errors.Make(op, $"a mask has type bool, got {mask.DType.Name}; compare, or cast it with To(DType.Bool)", ("x", x), ("mask", mask));
        }
    }
}
