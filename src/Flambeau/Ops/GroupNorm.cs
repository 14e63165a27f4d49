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
                var rows = Wide(x).Reshape(x.Shape[0], groups, -1);
                var y = Composite.Apply("GroupNorm", t => Standardized(t[0], [-1], eps), eps, rows).Reshape(x.Shape);
                Tensor Channels(Tensor t) => t.Unflatten(0, [t.Shape[0], .. Enumerable.Repeat(1L, x.Rank - 2)]);
                if (weight is not null) y *= Channels(weight);
                if (bias is not null) y += Channels(bias);
                return temporaries.Keep(y.To(x.DType));
            }
        }
    }
}
