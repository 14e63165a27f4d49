using Flambeau.Runtime;

namespace Flambeau.Data;

/// <summary>The order in which an epoch takes samples: a function of the seed and the epoch's number alone, so that it can be made again in the middle.</summary>
/// <param name="Count">How many samples are taken.</param>
/// <param name="At">The number of the sample taken at a place.</param>
public readonly record struct SampleOrder(long Count, Func<long, long> At);

/// <summary>Chooses the order of samples (PyTorch: <c>torch.utils.data.Sampler</c>).</summary>
public abstract class Sampler
{
    /// <summary>The order of an epoch over <paramref name="count"/> samples.</summary>
    public abstract SampleOrder Order(long count, ulong seed, long epoch);

    /// <summary>How many samples an epoch takes of <paramref name="count"/>.</summary>
    public virtual long Taken(long count) => count;

    /// <summary>One after another.</summary>
    public static Sampler Sequential { get; } = new SequentialSampler();

    /// <summary>All in a random order, another one each epoch.</summary>
    public static Sampler Random { get; } = new RandomSampler();

    /// <summary>The given samples only, in a random order unless told otherwise (PyTorch: <c>SubsetRandomSampler</c>).</summary>
    public static Sampler Subset(IEnumerable<long> indices, bool shuffle = true) => new SubsetSampler([.. indices], shuffle);

    /// <summary>Draws with replacement, sample i as often as its weight says (PyTorch: <c>WeightedRandomSampler</c>).</summary>
    /// <param name="weights">One for each sample, not negative, not all zero.</param>
    /// <param name="draws">How many samples an epoch takes.</param>
    public static Sampler Weighted(IEnumerable<double> weights, long draws) => new WeightedSampler([.. weights], draws);

    // a random word for each place of an epoch; the key differs from that of a generator with the same seed
    static ulong Word(ulong seed, long epoch, long i)
    {
        const ulong Own = 0x9E3779B97F4A7C15;
        var (a, b, _, _) = Philox.Block(seed ^ Own, (ulong)epoch, (ulong)i);
        return a | (ulong)b << 32;
    }

    // Fisher and Yates: every order is equally likely, up to 2⁻⁶⁴ · count
    static long[] Shuffled(long count, ulong seed, long epoch)
    {
        var order = new long[count];
        for (long i = 0; i < count; i++) order[i] = i;
        for (long i = count - 1; i > 0; i--)
        {
            long j = (long)Math.BigMul(Word(seed, epoch, i), (ulong)i + 1, out _);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    sealed class SequentialSampler : Sampler
    {
        public override SampleOrder Order(long count, ulong seed, long epoch) => new(count, i => i);
    }

    sealed class RandomSampler : Sampler
    {
        public override SampleOrder Order(long count, ulong seed, long epoch)
        {
            var order = Shuffled(count, seed, epoch);
            return new(count, i => order[i]);
        }
    }

    sealed class SubsetSampler(long[] indices, bool shuffle) : Sampler
    {
        public override long Taken(long count) => indices.Length;

        public override SampleOrder Order(long count, ulong seed, long epoch)
        {
            foreach (long i in indices)
                if (i < 0 || i >= count) throw new FlambeauException($"Sampler.Subset: sample {i} is out of range for {count} samples");
            if (!shuffle) return new(indices.Length, i => indices[i]);
            var order = Shuffled(indices.Length, seed, epoch);
            return new(indices.Length, i => indices[order[i]]);
        }
    }

    sealed class WeightedSampler : Sampler
    {
        readonly double[] _sums;
        readonly long _draws;

        public WeightedSampler(double[] weights, long draws)
        {
            _draws = draws;
            _sums = new double[weights.Length];
            double sum = 0;
            for (int i = 0; i < weights.Length; i++)
            {
                if (!(weights[i] >= 0) || double.IsInfinity(weights[i])) throw new FlambeauException($"Sampler.Weighted: weight {i} is {weights[i]}; weights must be finite and not negative");
                _sums[i] = sum += weights[i];
            }
            if (!(sum > 0) || draws < 0) throw new FlambeauException($"Sampler.Weighted: needs a positive weight and a number of draws that is not negative, got a sum of {sum} and {draws} draws");
        }

        public override long Taken(long count) => _draws;

        public override SampleOrder Order(long count, ulong seed, long epoch)
        {
            if (count != _sums.Length) throw new FlambeauException($"Sampler.Weighted: {_sums.Length} weights for {count} samples");
            return new(_draws, i => Draw((Word(seed, epoch, i) >> 11) * (1.0 / (1L << 53))));
        }

        // the first place whose running sum exceeds the drawn number: never one of weight 0
        long Draw(double u)
        {
            double at = u * _sums[^1];
            int low = 0, high = _sums.Length - 1;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (_sums[middle] > at) high = middle;
                else low = middle + 1;
            }
            return low;
        }
    }
}
