using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>Categories drawn by weight.</summary>
    public readonly struct Multinomial : ICustom
    {
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("x.Multinomial(3)", g => [Tensor.Rand([2, 6], generator: g)], t => t[0].Multinomial(3, generator: new Generator(3))),
        ];
    }

    /// <summary>
    /// Categories drawn with given weights, a row each. With replacement: the inverse of the cumulative weights at uniform numbers. Without: the exponential race, which keeps the categories whose weight divided by
    /// exponential noise is greatest (Efraimidis and Spirakis 2006). Custom: whole numbers, no derivative. Every element of a batch sees the same random numbers, those of <c>rowsOfDraw</c> rows, as with <c>Rand</c>.
    /// </summary>
    internal sealed unsafe class MultinomialOp(long samples, bool replacement, ulong seed, ulong draw, long rowsOfDraw) : Op
    {
        public override string Name => "Multinomial";
        public override bool IsDifferentiable(int operand) => false;

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            long n = x[0].Shape.Sizes[^1];
            var weights = Dense.Of(x[0], DType.Float64);
            var y = Tensor.Empty(x[0].Shape.With(x[0].Rank - 1, samples), DType.Int64);
            if (y.Numel == 0) return y;
            long rows = y.Numel / samples;
            fixed (byte* p = weights.Store!, q = y.Store!)
            {
                double* w = (double*)p + weights.Offset;
                for (long r = 0; r < rows; r++) Check(x[0], w + r * n, n, r);
                var part = new Part { Weights = w, Y = (long*)q, N = (int)n, Samples = (int)samples, Replacement = replacement, Seed = seed, Draw = draw, RowsOfDraw = Math.Max(1, rowsOfDraw) };
                IndexRows.Run((int)rows, ref part, weights.Numel * 32);
            }
            GC.KeepAlive(weights);
            return y;
        }

        void Check(Tensor x, double* weights, long n, long row)
        {
            double sum = 0;
            long positive = 0;
            for (long i = 0; i < n; i++)
            {
                if (!(weights[i] >= 0) || double.IsInfinity(weights[i])) throw Errors.Make(Name, $"weights are finite and not negative, but the one at {row * n + i} of row {row} is {weights[i]}", ("x", x));
                sum += weights[i];
                if (weights[i] > 0) positive++;
            }
            if (sum == 0) throw Errors.Make(Name, $"row {row} has no positive weight", ("x", x));
            if (!replacement && positive < samples) throw Errors.Make(Name, $"cannot draw {samples} different categories: row {row} has {positive} of positive weight", ("x", x));
        }

        struct Part : IPart
        {
            public double* Weights;
            public long* Y;
            public int N, Samples;
            public bool Replacement;
            public ulong Seed, Draw;
            public long RowsOfDraw;

            public readonly void Run(int row)
            {
                double* weights = Weights + (long)row * N;
                var to = new Span<long>(Y + (long)row * Samples, Samples);
                if (Replacement) Invert(weights, row, to);
                else Race(weights, row, to);
            }

            readonly void Invert(double* weights, int row, Span<long> to)
            {
                var sums = new double[N];
                double sum = 0;
                for (int i = 0; i < N; i++) sums[i] = sum += weights[i];
                for (int s = 0; s < to.Length; s++)
                {
                    // the first category whose cumulative weight exceeds the number: one of weight 0 never is
                    double at = Uniform(row % RowsOfDraw * to.Length + s) * sum;
                    int low = 0, high = N;
                    while (low < high)
                    {
                        int middle = (low + high) >>> 1;
                        if (sums[middle] > at) high = middle;
                        else low = middle + 1;
                    }
                    // rounding can take the number up to the sum itself: then the last category of positive weight
                    if (low == N) for (low = N - 1; weights[low] == 0;) low--;
                    to[s] = low;
                }
            }

            readonly void Race(double* weights, int row, Span<long> to)
            {
                var keys = new double[N];
                var positions = new int[N];
                for (int i = 0; i < N; i++)
                {
                    // -ln(1 - u) is exponential; the least positive double keeps 0 / 0 away
                    double noise = -Math.Log(1 - Uniform(row % RowsOfDraw * N + i));
                    (keys[i], positions[i]) = (weights[i] == 0 ? 0 : -(weights[i] / Math.Max(noise, double.Epsilon)), i);
                }
                if (to.Length == 1)
                {
                    int best = 0;
                    for (int i = 1; i < N; i++) if (keys[i] < keys[best]) best = i;
                    to[0] = best;
                    return;
                }
                keys.AsSpan().Sort(positions.AsSpan());
                for (int s = 0; s < to.Length; s++) to[s] = positions[s];
            }

            readonly double Uniform(long i)
            {
                var (a, b, c, d) = Philox.Block(Seed, Draw, (ulong)i / 2);
                ulong word = (i & 1) == 0 ? a | (ulong)b << 32 : c | (ulong)d << 32;
                return (word >> 11) * (1.0 / (1L << 53));
            }
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Apply(x[0]);
    }
}

namespace Flambeau
{
    public static partial class Operators
    {
        extension(Tensor x)
        {
            /// <summary>Draws category numbers with the weights in each row, int64 […, <paramref name="samples"/>] (PyTorch: <c>torch.multinomial</c>). The same generator state gives the same numbers at any number of threads.</summary>
            /// <param name="samples">How many a row.</param>
            /// <param name="replacement">True if a category may be drawn again; false draws different ones, in the order of an exponential race.</param>
            /// <param name="generator">Where the randomness comes from; by default <see cref="Generator.Default"/>.</param>
            /// <exception cref="FlambeauException">A weight is negative or not finite, a row has none that is positive, or fewer than are to be drawn without replacement.</exception>
            public Tensor Multinomial(long samples, bool replacement = false, Generator? generator = null)
            {
                if (x.Rank == 0 || x.Shape.Sizes[^1] == 0) throw Errors.Make("Multinomial", "needs at least one category along the last dim", ("x", x));
                if (!x.DType.IsFloatingPoint) throw Errors.Make("Multinomial", $"weights have a floating-point type, got {x.DType.Name}; cast them with Float()", ("x", x));
                if (samples <= 0) throw Errors.Make("Multinomial", $"the number of samples must be positive, got {samples}", ("x", x));
                if (!replacement && samples > x.Shape.Sizes[^1]) throw Errors.Make("Multinomial", $"cannot draw {samples} different categories of {x.Shape.Sizes[^1]}", ("x", x));
                var (seed, draw) = RandomOp.NextOf("Multinomial", generator);
                return new MultinomialOp(samples, replacement, seed, draw, x.Numel / x.Shape.Sizes[^1]).Apply(x);
            }
        }
    }
}
