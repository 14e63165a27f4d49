using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>The same values, without history, under a transform.</summary>
    internal sealed class DetachOp : MultilinearOp
    {
        public static readonly DetachOp Instance = new();
        public override string Name => "Detach";
        public override bool IsDifferentiable(int operand) => false;
        public override Tensor Run(ReadOnlySpan<Tensor> x) => x[0].Detached();
        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>A copy in fresh, contiguous memory; gradients flow through (PyTorch: <c>clone</c>).</summary>
            public Tensor Clone() => new CastOp(x.DType).Apply(x);

            /// <summary>The values in another type; the tensor itself if it has it (PyTorch: <c>to(dtype)</c>). Floating point to whole numbers cuts the fraction off; anything to bool is "not zero".</summary>
            public Tensor To(DType dtype) => x.DType == dtype && !x.IsWrappedNumber ? x : new CastOp(dtype).Apply(x);

            /// <summary>The values in float32 (PyTorch: <c>float()</c>).</summary>
            public Tensor Float() => x.To(DType.Float32);
            /// <summary>The values in float64 (PyTorch: <c>double()</c>).</summary>
            public Tensor Double() => x.To(DType.Float64);
            /// <summary>The values in int64 (PyTorch: <c>long()</c>).</summary>
            public Tensor Long() => x.To(DType.Int64);

            /// <summary>Writes another tensor's values, broadcast and cast, into this one (PyTorch: <c>copy_</c>).</summary>
            public Tensor Copy_(Tensor source)
            {
                if (x.Level is not null || source.Level is not null) return Lifting.InPlace(AssignOp.Instance, x, [x, source]);
                if (Shapes.TryBroadcast(x.Shape, source.Shape, out _) is not { } shape || !shape.Equals(x.Shape))
                    throw Errors.Make("Copy_", $"the source's shape {source.Shape} does not broadcast to the target's {x.Shape}", ("target", x), ("source", source));
                if (Shapes.Overlaps(x)) throw Errors.Make("Copy_", "several elements of the target share one place in memory (an expanded view); clone it first", ("target", x));
                return Tape.InPlace(x, AssignOp.Instance, [x, source], t => Copy.Into(t, ReferenceEquals(t.Store, source.Store) ? source.Detached().Clone() : source));
            }

            /// <summary>Writes a number into every element (PyTorch: <c>fill_</c>).</summary>
            public Tensor Fill_(Scalar value) => x.Copy_(Tensor.Wrap(value));

            /// <summary>Writes zeros (PyTorch: <c>zero_</c>).</summary>
            public Tensor Zero_() => x.Fill_(0);
        }
    }
}
