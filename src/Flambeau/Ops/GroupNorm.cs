using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>(x − mean) / √(var + ε) over groups of channels.</summary>
    public readonly struct GroupNorm : IComposite
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.GroupNorm(2, w, b)", g => [Tensor.RandN([3, 4, 5], generator: g), Tensor.RandN([4], generator: g), Tensor.RandN([4], generator: g)], t => t[0].GroupNorm(2, t[1], t[2])),
            new("x.GroupNorm(3) of 2 dims", g => [Tensor.RandN([2, 6], generator: g)], t => t[0].GroupNorm(3)),
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
            /// (x − mean) / √(var + ε) · weight + bias, mean and variance over each sample's groups of neighbouring channels: [N, C, …], weight and bias [C] (Wu, He 2018; PyTorch: <c>group_norm</c>).
            /// </summary>
            /// <param name="groups">Into how many groups the channels are cut.</param>
            /// <param name="weight">A scale a channel.</param>
            /// <param name="bias">A shift a channel.</param>
            /// <param name="eps">ε.</param>
            public Tensor GroupNorm(int groups, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5)
            {
                if (x.Rank < 2) throw Errors.Make("GroupNorm", "needs [samples, channels, …]", ("x", x));
                if (groups < 1 || x.Shape[1] % groups != 0) throw Errors.Make("GroupNorm", $"{x.Shape[1]} channels do not divide into {groups} groups", ("x", x));
                using var temporaries = Temporaries.Begin();
                foreach (var t in new[] { weight, bias })
                    if (t is not null && (t.Rank != 1 || t.Shape[0] != x.Shape[1])) throw Errors.Make("GroupNorm", $"weight and bias need a value for each of {x.Shape[1]} channels", ("x", x), ("weight", weight), ("bias", bias));
                bool scaled = weight is not null, shifted = bias is not null;
                var rows = x.Reshape(x.Shape[0], groups, x.Shape[1] / groups, -1);
                // a value a channel, along what is normalized together
                Tensor? Channels(Tensor? t) => t?.Reshape(groups, x.Shape[1] / groups, 1);
                var y = Composite.Apply("GroupNorm", t =>
                {
                    using var temporaries = Temporaries.Begin();
                    var y = Standardized(Wide(t[0]), [2, 3], eps);
                    if (scaled) y *= t[1];
                    if (shifted) y += t[^1];
                    return temporaries.Keep(y.To(t[0].DType));
                }, (eps, scaled, shifted), Present(rows, Channels(weight), Channels(bias)));
                return temporaries.Keep(y.Reshape(x.Shape));
            }
        }
    }
}
