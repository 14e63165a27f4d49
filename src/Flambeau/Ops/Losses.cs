using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>−ln softmax(x)[target].</summary>
    public readonly struct CrossEntropy : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.CrossEntropy(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [4], generator: g)], t => t[0].CrossEntropy(t[1])),
            new("weighted, smoothed", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [4], generator: g), Tensor.Rand([5], generator: g)], t => t[0].CrossEntropy(t[1], t[2], ignoreIndex: 2, labelSmoothing: 0.1)),
            new("summed", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [4], generator: g)], t => t[0].CrossEntropy(t[1], reduction: LossReduction.Sum)),
        ];
    }

    /// <summary>−x[target].</summary>
    public readonly struct NllLoss : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.NllLoss(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandInt(0, 5, [4], generator: g)], t => t[0].NllLoss(t[1])),
        ];
    }

    /// <summary>(x − target)².</summary>
    public readonly struct MseLoss : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.MseLoss(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandN([4, 5], generator: g)], t => t[0].MseLoss(t[1])),
        ];
    }

    /// <summary>|x − target|.</summary>
    public readonly struct L1Loss : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.L1Loss(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandN([4, 5], generator: g)], t => t[0].L1Loss(t[1])),
        ];
    }

    /// <summary>Quadratic near zero, linear beyond.</summary>
    public readonly struct SmoothL1Loss : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.SmoothL1Loss(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.RandN([4, 5], generator: g)], t => t[0].SmoothL1Loss(t[1])),
        ];
    }

    /// <summary>−t ln σ(x) − (1 − t) ln σ(−x).</summary>
    public readonly struct BinaryCrossEntropyWithLogits : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.BinaryCrossEntropyWithLogits(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.Rand([4, 5], generator: g)], t => t[0].BinaryCrossEntropyWithLogits(t[1])),
        ];
    }

    /// <summary>t (ln t − x).</summary>
    public readonly struct KlDiv : IComposite
    {
        /// <inheritdoc/>
        public static CastPolicy Autocast => CastPolicy.Float32;
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.KlDiv(target)", g => [Tensor.RandN([4, 5], generator: g), Tensor.Rand([4, 5], generator: g)], t => t[0].KlDiv(t[1])),
        ];
    }
}

namespace Flambeau
{
    /// <summary>What becomes of the losses of the elements.</summary>
    public enum LossReduction
    {
        /// <summary>They stay as they are.</summary>
        None,
        /// <summary>Their (weighted) mean.</summary>
        Mean,
        /// <summary>Their sum.</summary>
        Sum,
    }

    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// −ln softmax(x)[target], the classes along dimension 1, or 0 of a single sample (PyTorch: <c>cross_entropy</c>). The log-probabilities are never stored:
            /// a loss is ln Σ eˣ − x[target].
            /// </summary>
            /// <param name="target">Class numbers, of the shape of x without the class dimension; or probabilities, of the shape of x.</param>
            /// <param name="weight">A weight a class.</param>
            /// <param name="ignoreIndex">Targets of this value count for nothing.</param>
            /// <param name="labelSmoothing">The share ε of a target that is spread evenly over all classes.</param>
            /// <param name="reduction">Mean divides by the sum of the targets' weights.</param>
            /// <exception cref="FlambeauException">Shapes do not fit, or a target is no class.</exception>
            public Tensor CrossEntropy(Tensor target, Tensor? weight = null, long ignoreIndex = -100, double labelSmoothing = 0, LossReduction reduction = LossReduction.Mean)
            {
                if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) throw Errors.Make("CrossEntropy", $"labelSmoothing must lie in [0, 1], got {labelSmoothing}", ("x", x));
                using var cast = Autocast.Enter<Ops.CrossEntropy>();
                if (target.DType.IsFloatingPoint) return SoftTargets(cast.Of(x), cast.Of(target), cast.Of(weight), labelSmoothing, reduction);
                // computed in float32 anyhow: logits need no cast, which would be a pass over the largest tensor of a language model
                (var type, weight) = (cast.TypeOf(x), cast.Of(weight));
                using var temporaries = Temporaries.Begin();
                var logits = ClassesLast("CrossEntropy", x, target, weight);
                var (counted, classes) = Targets("CrossEntropy", target, ignoreIndex, logits.Shape[^1]);
                var loss = Ops.Composite.Apply("CrossEntropy", static t =>
                {
                    var wide = Wide(t[0]);
                    return wide.LogSumExp(-1) - wide.Gather(-1, t[1].Unsqueeze(-1)).Squeeze(-1);
                }, 0, logits, classes);
                var weights = TargetWeights(weight, classes, counted, loss.DType);
                if (weights is not null) loss *= weights;
                if (labelSmoothing > 0)
                {
                    var wide = Wide(logits);
                    var total = wide.LogSumExp(-1);
                    var spread = weight is null ? total * logits.Shape[^1] - wide.Sum(-1) : total * weight.Sum() - (wide * weight).Sum(-1);
                    if (counted is not null) spread = spread.MaskedFill(counted.LogicalNot(), 0);
                    loss = loss * (1 - labelSmoothing) + spread * (labelSmoothing / logits.Shape[^1]);
                }
                return temporaries.Keep(Reduce(loss, weights, reduction).To(type));
            }

            /// <summary>−x[target], x log-probabilities with the classes along dimension 1, or 0 of a single sample (PyTorch: <c>nll_loss</c>).</summary>
            public Tensor NllLoss(Tensor target, Tensor? weight = null, long ignoreIndex = -100, LossReduction reduction = LossReduction.Mean)
            {
                using var temporaries = Temporaries.Begin();
                using var cast = Autocast.Enter<Ops.NllLoss>();
                (x, weight) = (cast.Of(x), cast.Of(weight));
                var logs = ClassesLast("NllLoss", x, target, weight);
                var (counted, classes) = Targets("NllLoss", target, ignoreIndex, logs.Shape[^1]);
                var loss = -logs.Gather(-1, classes.Unsqueeze(-1)).Squeeze(-1);
                var weights = TargetWeights(weight, classes, counted, logs.DType);
                if (weights is not null) loss *= weights;
                return temporaries.Keep(Reduce(loss, weights, reduction));
            }

            /// <summary>(x − target)² (PyTorch: <c>mse_loss</c>).</summary>
            public Tensor MseLoss(Tensor target, LossReduction reduction = LossReduction.Mean)
            {
                SameShape("MseLoss", x, target);
                using var cast = Autocast.Enter<Ops.MseLoss>();
                (x, target) = (cast.Of(x), cast.Of(target));
                return Ops.Composite.Apply("MseLoss", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var d = t[0] - t[1];
                    return temporaries.Keep(Reduce(d * d, null, reduction));
                }, reduction, x, target);
            }

            /// <summary>|x − target| (PyTorch: <c>l1_loss</c>).</summary>
            public Tensor L1Loss(Tensor target, LossReduction reduction = LossReduction.Mean)
            {
                SameShape("L1Loss", x, target);
                using var cast = Autocast.Enter<Ops.L1Loss>();
                (x, target) = (cast.Of(x), cast.Of(target));
                return Ops.Composite.Apply("L1Loss", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    return temporaries.Keep(Reduce((t[0] - t[1]).Abs(), null, reduction));
                }, reduction, x, target);
            }

            /// <summary>d² / 2β where |d| &lt; β, else |d| − β/2, d = x − target (Huber 1964; PyTorch: <c>smooth_l1_loss</c>).</summary>
            public Tensor SmoothL1Loss(Tensor target, double beta = 1, LossReduction reduction = LossReduction.Mean)
            {
                SameShape("SmoothL1Loss", x, target);
                using var cast = Autocast.Enter<Ops.SmoothL1Loss>();
                (x, target) = (cast.Of(x), cast.Of(target));
                if (beta == 0) return x.L1Loss(target, reduction);
                return Ops.Composite.Apply("SmoothL1Loss", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var d = t[0] - t[1];
                    var size = d.Abs();
                    return temporaries.Keep(Reduce(Tensor.Where(size.Lt(beta), d * d * (0.5 / beta), size - 0.5 * beta), null, reduction));
                }, (beta, reduction), x, target);
            }

            /// <summary>−t ln σ(x) · posWeight − (1 − t) ln σ(−x), safe for any x (PyTorch: <c>binary_cross_entropy_with_logits</c>).</summary>
            /// <param name="target">Probabilities t of the shape of x.</param>
            /// <param name="weight">Multiplies each loss; broadcasts.</param>
            /// <param name="posWeight">Multiplies the positive part; broadcasts.</param>
            /// <param name="reduction">Mean divides by the number of elements.</param>
            public Tensor BinaryCrossEntropyWithLogits(Tensor target, Tensor? weight = null, Tensor? posWeight = null, LossReduction reduction = LossReduction.Mean)
            {
                using var temporaries = Temporaries.Begin();
                SameShape("BinaryCrossEntropyWithLogits", x, target);
                using var cast = Autocast.Enter<Ops.BinaryCrossEntropyWithLogits>();
                (x, target, weight, posWeight) = (cast.Of(x), cast.Of(target), cast.Of(weight), cast.Of(posWeight));
                var positive = x.LogSigmoid() * target;
                if (posWeight is not null) positive *= posWeight;
                var loss = -(positive + (-x).LogSigmoid() * (1 - target));
                if (weight is not null) loss *= weight;
                return temporaries.Keep(Reduce(loss, null, reduction));
            }

            /// <summary>t (ln t − x), x log-probabilities; 0 where t is (PyTorch: <c>kl_div</c>).</summary>
            public Tensor KlDiv(Tensor target, LossReduction reduction = LossReduction.Mean)
            {
                SameShape("KlDiv", x, target);
                using var cast = Autocast.Enter<Ops.KlDiv>();
                (x, target) = (cast.Of(x), cast.Of(target));
                return Ops.Composite.Apply("KlDiv", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var isZero = t[1].Eq(0);
                    return temporaries.Keep(Reduce(t[1] * (t[1].MaskedFill(isZero, 1).Log() - t[0]), null, reduction));
                }, reduction, x, target);
            }
        }

        static void SameShape(string op, Tensor x, Tensor target)
        {
            if (!x.Shape.Equals(target.Shape)) throw Errors.Make(op, "input and target need one shape", ("input", x), ("target", target));
        }

        static Tensor ClassesLast(string op, Tensor x, Tensor target, Tensor? weight)
        {
            if (x.Rank == 0) throw Errors.Make(op, "needs a dimension of classes", ("input", x));
            int dim = x.Rank == 1 ? 0 : 1;
            if (!x.Shape.Without(dim).Equals(target.Shape))
                throw Errors.Make(op, $"targets need the input's shape without the classes (dim {dim}): {x.Shape.Without(dim)}", ("input", x), ("target", target));
            if (weight is not null && (weight.Rank != 1 || weight.Shape[0] != x.Shape[dim])) throw Errors.Make(op, $"needs a weight for each of {x.Shape[dim]} classes", ("weight", weight));
            return x.MoveDim(dim, -1);
        }

        // which targets count (null: all), and classes that are safe to look up
        static (Tensor? Counted, Tensor Classes) Targets(string op, Tensor target, long ignoreIndex, long classes)
        {
            var t = target.To(DType.Int64);
            // inside a transform the values of the whole batch decide
            var values = t;
            while (values.Level is { } level) values = level.Value;
            bool ignores = false;
            foreach (long c in values.Contiguous().AsSpan<long>())
            {
                if (c == ignoreIndex) ignores = true;
                else if (c < 0 || c >= classes) throw Errors.Make(op, $"target {c} is no class: expected 0 … {classes - 1}, or {ignoreIndex} to ignore", ("target", target));
            }
            if (!ignores) return (null, t);
            var counted = t.Ne(ignoreIndex);
            return (counted, t.MaskedFill(counted.LogicalNot(), 0));
        }

        static Tensor? TargetWeights(Tensor? weight, Tensor classes, Tensor? counted, DType type)
        {
            if (weight is null) return counted?.To(type);
            var weights = classes.Embedding(weight.Unsqueeze(1)).Squeeze(-1).To(type);
            return counted is null ? weights : weights * counted.To(type);
        }

        static Tensor SoftTargets(Tensor x, Tensor target, Tensor? weight, double smoothing, LossReduction reduction)
        {
            SameShape("CrossEntropy", x, target);
            int dim = x.Rank == 1 ? 0 : 1;
            var wide = Wide(x);
            var logs = wide.LogSoftmax(dim).MoveDim(dim, -1);
            var t = target.MoveDim(dim, -1);
            if (smoothing > 0) t = t * (1 - smoothing) + smoothing / x.Shape[dim];
            if (weight is not null) t *= weight;
            var loss = -(logs * t).Sum(-1);
            // the mean over no classes is 0 ÷ 0, however many samples there are
            if (reduction == LossReduction.Mean && x.Numel == 0) return (loss.Sum() * double.NaN).To(x.DType);
            return Reduce(loss, null, reduction).To(x.DType);
        }

        // with no weight at all (every target ignored) the mean is NaN and, as in PyTorch, its gradient 0
        static Tensor WeightedMean(Tensor loss, Tensor total)
        {
            var isZero = total.Eq(0);
            return (loss.Sum() / total.MaskedFill(isZero, 1)).MaskedFill(isZero, double.NaN);
        }

        static Tensor Reduce(Tensor loss, Tensor? weights, LossReduction reduction) => reduction switch
        {
            LossReduction.None => loss,
            LossReduction.Sum => loss.Sum(),
            _ => weights is null ? loss.Mean() : WeightedMean(loss, weights.Sum()),
        };
    }
}
