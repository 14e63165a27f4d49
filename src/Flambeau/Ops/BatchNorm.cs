using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>(x − mean) / √(var + ε) · weight + bias a channel.</summary>
    public readonly struct BatchNorm : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.BatchNorm(weight: w, bias: b)", g => [Tensor.RandN([6, 4, 5], generator: g), Tensor.RandN([4], generator: g), Tensor.RandN([4], generator: g)], t => t[0].BatchNorm(weight: t[1], bias: t[2])),
            new("x.BatchNorm() of 2 dims", g => [Tensor.RandN([7, 3], generator: g)], t => t[0].BatchNorm()),
            new("x.BatchNorm(mean, var), not training", g => [Tensor.RandN([3, 4, 2, 2], generator: g), Tensor.RandN([4], generator: g)],
                t => t[0].BatchNorm(Tensor.Full([4], 0.25, t[0].DType), Tensor.Full([4], 2, t[0].DType), t[1], training: false)),
        ];
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>
            /// (x − mean) / √(var + ε) · weight + bias for each channel of [N, C, …], over all samples and places (Ioffe, Szegedy 2015; PyTorch: <c>batch_norm</c>). While training, mean and variance are the batch's,
            /// and the running ones, if there are any, move towards them in place; else they are the running ones.
            /// </summary>
            /// <param name="runningMean">[C], or null: the batch's mean is never kept.</param>
            /// <param name="runningVar">[C], or null; it takes the variance with n − 1 in the denominator.</param>
            /// <param name="weight">A scale a channel.</param>
            /// <param name="bias">A shift a channel.</param>
            /// <param name="training">True normalizes by the batch's own mean and variance. Without running ones that is always so.</param>
            /// <param name="momentum">The share of the batch in the new running numbers.</param>
            /// <param name="eps">ε.</param>
            /// <exception cref="FlambeauException">Shapes do not fit, or there is one value a channel and nothing to learn a variance from.</exception>
            public Tensor BatchNorm(Tensor? runningMean = null, Tensor? runningVar = null, Tensor? weight = null, Tensor? bias = null, bool training = true, double momentum = 0.1, double eps = 1e-5)
            {
                CheckChannels(x, runningMean, runningVar, weight, bias);
                bool scaled = weight is not null, shifted = bias is not null;
                if (!training && runningMean is not null) return ByRunning(x, runningMean, runningVar!, weight, bias, eps);
                long n = x.Shape[1] == 0 ? 0 : x.Numel / x.Shape[1];
                if (n == 1) throw Errors.Make("BatchNorm", "needs more than one value a channel to train: the variance of one is 0", ("x", x));
                int[] others = [0, .. Enumerable.Range(2, x.Rank - 2)];
                int rank = x.Rank;
                bool byPlanes = x.Shape[0] > 0 && n / x.Shape[0] >= LeastPlaces;
                var near = !byPlanes && x.Shape[0] >= LeastSamples ? Near(x, others) : null;
                var y = Composite.Apply("BatchNorm", t =>
                {
                    var wide = Wide(t[0]);
                    var (mean, variance) = byPlanes ? OfPlanes(wide, others[1..]) : near is null ? OfAll(wide, others) : OfApart(wide, t[^1], others);
                    Composite.Beside(mean);
                    Composite.Beside(variance);
                    var y = (wide - mean) * (variance + eps).Rsqrt();
                    if (scaled) y *= Channels(t[1], rank);
                    if (shifted) y += Channels(t[scaled ? 2 : 1], rank);
                    return y.To(t[0].DType);
                }, (eps, scaled, shifted), Present(x, weight, bias, near), out var statistics);
                if (runningMean is null || x.Numel == 0) return y;
                using var _ = Autograd.NoGrad();
                Move(runningMean, statistics[0].Reshape(-1), momentum);
                Move(runningVar!, statistics[1].Reshape(-1) * ((double)n / (n - 1)), momentum);
                return y;
            }
        }

        const long LeastPlaces = 16, LeastSamples = 256;

        static (Tensor Mean, Tensor Variance) OfAll(Tensor x, int[] dims)
        {
            var mean = x.Mean(dims, keepDim: true);
            var centred = x - mean;
            return (mean, (centred * centred).Mean(dims, keepDim: true));
        }

        // Some number near the mean: that of every so many samples. A sample counts for its own part of the variance, so (mean − near)² ≤ n/k · var for k of n samples.
        static Tensor Near(Tensor x, int[] dims)
        {
            using var _ = Autograd.NoGrad();
            long n = x.Shape[0], k = Math.Max(LeastSamples / 4, n / 512);
            return Wide(x.Slice(0, 0, n, n / k)).Mean(dims, keepDim: true);
        }

        // One pass finds both (Chan, Golub, LeVeque 1983, shifted data): the variance loses to cancellation what (mean − near)² is in it. Neither depends on what number it is, so that has no derivative.
        static (Tensor Mean, Tensor Variance) OfApart(Tensor x, Tensor near, int[] dims)
        {
            var apart = x - near;
            var mean = apart.Mean(dims, keepDim: true);
            return (near + mean, (apart * apart).Mean(dims, keepDim: true) - mean * mean);
        }

        // Each sample's own, which one pass finds, and of those the mean and the spread (Chan, Golub, LeVeque 1979): var = mean over samples of (variance there + (mean there − mean)²).
        static (Tensor Mean, Tensor Variance) OfPlanes(Tensor x, int[] places)
        {
            var (means, variances) = OfAll(x, places);
            var mean = means.Mean(0, keepDim: true);
            var apart = means - mean;
            return (mean, (variances + apart * apart).Mean(0, keepDim: true));
        }

        static void Move(Tensor running, Tensor to, double momentum) => running.Copy_(running * (1 - momentum) + to.To(running.DType) * momentum);

        static Tensor ByRunning(Tensor x, Tensor mean, Tensor variance, Tensor? weight, Tensor? bias, double eps)
        {
            bool scaled = weight is not null, shifted = bias is not null;
            int rank = x.Rank;
            return Composite.Apply("BatchNorm", t =>
            {
                using var temporaries = Temporaries.Begin();
                var y = (Wide(t[0]) - Channels(t[1], rank)) * (Wide(Channels(t[2], rank)) + eps).Rsqrt();
                if (scaled) y *= Channels(t[3], rank);
                if (shifted) y += Channels(t[^1], rank);
                return temporaries.Keep(y.To(t[0].DType));
            }, (eps, scaled, shifted), Present(x, mean, variance, weight, bias));
        }

        // a value a channel, as dimension 1 of so many
        static Tensor Channels(Tensor t, int rank) => t.Reshape(Shape.Of([t.Numel, .. Enumerable.Repeat(1L, rank - 2)]));

        static void CheckChannels(Tensor x, Tensor? mean, Tensor? variance, Tensor? weight, Tensor? bias)
        {
            if (x.Rank < 2) throw Errors.Make("BatchNorm", "needs [samples, channels, …]", ("x", x));
            if (!x.DType.IsFloatingPoint) throw Errors.Make("BatchNorm", $"needs floating point, got {x.DType.Name}", ("x", x));
            if (mean is null != variance is null) throw Errors.Make("BatchNorm", "needs both running mean and running variance, or neither", ("runningMean", mean), ("runningVar", variance));
            foreach (var (name, t) in new[] { ("runningMean", mean), ("runningVar", variance), ("weight", weight), ("bias", bias) })
                if (t is not null && (t.Rank != 1 || t.Shape[0] != x.Shape[1])) throw Errors.Make("BatchNorm", $"{name} needs a value for each of {x.Shape[1]} channels", ("x", x), (name, t));
        }
    }
}
