using Flambeau.Kernels;
using Flambeau.Runtime;
using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// −ln softmax(x · Wᵀ)[target], the loss of a language model's output layer: [.., in], weight [classes, in], target [..]. As <c>x.Linear(weight).CrossEntropy(target)</c>, with the same bits, but 512 rows of logits
            /// at most exist at a time, whatever the number of tokens: the gradients of x and of the weight are made chunk by chunk in the forward pass (Hsu et al. 2024, "Liger kernel"), and multiplied by the loss's own in the backward pass.
            /// </summary>
            /// <param name="weight">A row a class.</param>
            /// <param name="target">Class numbers, int64.</param>
            /// <param name="ignoreIndex">Targets of this value count for nothing.</param>
            /// <param name="labelSmoothing">The share ε of a target that is spread evenly over all classes.</param>
            /// <param name="reduction">Mean or sum over the targets that count; None gives a loss a target, and holds all logits.</param>
            /// <exception cref="FlambeauException">Shapes do not fit, or a target is no class.</exception>
            public Tensor LinearCrossEntropy(Tensor weight, Tensor target, long ignoreIndex = -100, double labelSmoothing = 0, LossReduction reduction = LossReduction.Mean)
            {
                const string op = "LinearCrossEntropy";
                if (weight.Rank != 2 || x.Rank == 0 || x.Shape[^1] != weight.Shape[1]) throw Errors.Make(op, "needs x [.., in] and a weight [classes, in]", ("x", x), ("weight", weight));
                if (!target.Shape.Equals(x.Shape.Without(x.Rank - 1))) throw Errors.Make(op, $"targets need the shape of x without its last dimension, {x.Shape.Without(x.Rank - 1)}", ("x", x), ("target", target));
                if (target.DType.IsFloatingPoint) throw Errors.Make(op, "targets are class numbers; use Linear and CrossEntropy for probabilities", ("target", target));
                var rows = x.Rank == 2 ? x : x.Reshape(-1, x.Shape[^1]);
                var classes = target.Rank == 1 ? target : target.Reshape(-1);
                Tensor Whole(Tensor[] t) => t[0].Linear(t[1]).CrossEntropy(t[2], null, ignoreIndex, labelSmoothing, reduction);
                // under Autocast a product and a loss, each by its own policy
                bool chunked = !Autocast.IsEnabled && reduction != LossReduction.None && x.DType == weight.DType && x.DType is DType.Float32 or DType.Float64 && rows.Shape[0] > LinearCrossEntropyKernel.Rows;
                if (!chunked)
                {
                    var loss = Whole([rows, weight, classes]);
                    return reduction == LossReduction.None ? loss.Reshape(target.Shape) : loss;
                }
                return Composite.Recompute(op, Whole, new LinearCrossEntropyKernel(ignoreIndex, labelSmoothing, reduction), null, rows, weight, classes);
            }
        }

        /// <summary>The gradient of each target's loss, before anything is known of the losses.</summary>
        internal static Tensor GradientOfReduction(Tensor target, long classes, long ignoreIndex, DType type, LossReduction reduction)
        {
            var (counted, safe) = Targets("LinearCrossEntropy", target, ignoreIndex, classes);
            using var _ = Autograd.EnableGrad();
            var losses = Tensor.Zeros(target.Shape, type).RequiresGrad_();
            return Autograd.Grad(Reduce(losses, TargetWeights(null, safe, counted, type), reduction), losses);
        }

        /// <summary>The loss of all targets from each one's.</summary>
        internal static Tensor ReducedLoss(Tensor losses, Tensor target, long classes, long ignoreIndex, LossReduction reduction)
        {
            var (counted, safe) = Targets("LinearCrossEntropy", target, ignoreIndex, classes);
            return Reduce(losses, TargetWeights(null, safe, counted, losses.DType), reduction);
        }
    }
}

namespace Flambeau.Ops
{
    /// <summary>−ln softmax(x · Wᵀ)[target].</summary>
    public readonly struct LinearCrossEntropy : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.LinearCrossEntropy(w, target)", g => [Tensor.RandN([6, 5], generator: g), Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 4, [6], generator: g)], t => t[0].LinearCrossEntropy(t[1], t[2])),
        ];
    }

    /// <summary>Rows of logits in chunks, each with its part of the gradients while it is there. A chunk is a block of the products' law, so the weight's gradient is the sum of blocks that one product over all tokens would be.</summary>
    internal sealed class LinearCrossEntropyKernel(long ignoreIndex, double labelSmoothing, LossReduction reduction) : ICompositeKernel
    {
        /// <summary>Rows of a chunk.</summary>
        public const int Rows = Gemm.BlockK;

        public bool SavesResult => false;

        public bool HasPullback => true;

        public Tensor[] Run(Tensor[] x, Draw first, bool record)
        {
            using var temporaries = Temporaries.Begin();
            using var _ = Autograd.NoGrad();
            var (rows, weight, target) = (x[0], x[1], x[2]);
            long n = rows.Shape[0], classes = weight.Shape[0];
            var each = record ? Operators.GradientOfReduction(target, classes, ignoreIndex, rows.DType, reduction) : null;
            var losses = Tensor.Empty(target.Shape, rows.DType);
            // an empty tensor where no gradient is wanted
            var ofRows = Tensor.Empty(record && x[0].RequiresGrad ? rows.Shape : Shape.Of([0]), rows.DType);
            var ofWeight = Tensor.Empty(record && x[1].RequiresGrad ? weight.Shape : Shape.Of([0]), rows.DType);
            for (long i = 0; i < n; i += Rows)
            {
                long count = Math.Min(Rows, n - i);
                Chunk(rows.Narrow(0, i, count), weight, target.Narrow(0, i, count), each?.Narrow(0, i, count), losses.Narrow(0, i, count), ofRows.Numel > 0 ? ofRows.Narrow(0, i, count) : null, ofWeight, i == 0);
            }
            Tensor[] results = [Operators.ReducedLoss(losses, target, classes, ignoreIndex, reduction), .. record ? new[] { ofRows, ofWeight } : []];
            temporaries.Keep(results);
            return results;
        }

        void Chunk(Tensor rows, Tensor weight, Tensor target, Tensor? each, Tensor losses, Tensor? ofRows, Tensor ofWeight, bool isFirst)
        {
            using var temporaries = Temporaries.Begin();
            var logits = rows.Linear(weight);
            if (each is null)
            {
                losses.Copy_(Loss(logits, target));
                return;
            }
            var gradient = Gradient(logits.RequiresGrad_(), target, each, losses);
            ofRows?.Copy_(gradient.MatMul(weight));
            if (ofWeight.Numel == 0) return;
            var part = gradient.T.MatMul(rows);
            if (isFirst) ofWeight.Copy_(part);
            else ofWeight.Add_(part);
        }

        Tensor Loss(Tensor logits, Tensor target) => logits.CrossEntropy(target, null, ignoreIndex, labelSmoothing, LossReduction.None);

        Tensor Gradient(Tensor logits, Tensor target, Tensor each, Tensor losses)
        {
            using var _ = Autograd.EnableGrad();
            var loss = Loss(logits, target);
            using (Autograd.NoGrad()) losses.Copy_(loss);
            return Autograd.Grad([loss], [logits], [each])[0]!;
        }

        public void Pullback(Node node, Tensor[] x, Tensor? y, Tensor[] statistics, Draw first, Tensor g)
        {
            for (int i = 0; i < 2; i++)
                if (node.Needs(i)) node.Give(i, statistics[i] * g);
        }
    }
}
