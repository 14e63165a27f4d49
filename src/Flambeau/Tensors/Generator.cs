using Flambeau.Runtime;

namespace Flambeau;

/// <summary>
/// A source of random numbers: Philox 4×32-10 keyed by the seed; each draw takes the next number as its counter. The same seed gives the same numbers at any number of threads.
/// Its state is two numbers, to be saved and restored (PyTorch: <c>torch.Generator</c>).
/// </summary>
/// <param name="seed">The key.</param>
public sealed class Generator(ulong seed)
{
    ulong _draws;

    /// <summary>The generator used where none is named; <see cref="Tensor.ManualSeed"/> sets its seed.</summary>
    public static Generator Default { get; } = new(0x5EED_F1A3_BEA0);

    /// <summary>Seed and number of draws so far: all of the state. Setting it continues from there.</summary>
    public (ulong Seed, ulong Draws) State
    {
        get { lock (this) return (seed, _draws); }
        set { lock (this) (seed, _draws) = value; }
    }

    /// <summary>Starts anew from a seed (PyTorch: <c>manual_seed</c>).</summary>
    public void ManualSeed(ulong value) => State = (value, 0);

    /// <summary>The next draw, the first of <paramref name="count"/> that are taken.</summary>
    internal Draw Next(int count = 1)
    {
        lock (this)
        {
            var draw = new Draw(seed, _draws);
            _draws += (ulong)count;
            return draw;
        }
    }
}
