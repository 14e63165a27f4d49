using System.Runtime.CompilerServices;
using Flambeau.Runtime;

namespace Flambeau.Scalars;

/// <summary>The words of a <see cref="Philox"/> schedule, each in every lane.</summary>
internal interface ISchedule<S>
{
    S this[int word] { get; }
}

/// <summary>A schedule where it lies.</summary>
internal readonly unsafe struct ScheduleInMemory<S>(uint* words) : ISchedule<S> where S : ILanes<S>
{
    public S this[int word] { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => S.Broadcast(words + word); }
}

/// <summary>
/// Philox 4×32-10 over lanes, a block in each 64-bit word: a product's upper half is one shift away from where it is needed, and what lies above a lower half no later product reads.
/// n blocks make two vectors; interleaving pairs of results puts them in the elements' order.
/// </summary>
internal readonly struct PhiloxLanes<S>(S c0, S c1, S c2, S c3) where S : ILanes<S>, IWords<S>
{
    readonly S _c0 = c0, _c1 = c1, _c2 = c2, _c3 = c3;

    /// <summary>The counters of <paramref name="blocks"/> (<see cref="IWords{S}.Blocks"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PhiloxLanes<S> Begin<K>(S blocks, K schedule) where K : struct, ISchedule<S> =>
        new(blocks, S.UpperHalves(blocks), schedule[Philox.DrawWord], schedule[Philox.DrawWord + 1]);

    /// <summary>After one more round.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PhiloxLanes<S> Round(S key0, S key1)
    {
        S p0 = S.MultiplyHalves(_c0, S.FromBits(Philox.M0)), p1 = S.MultiplyHalves(_c2, S.FromBits(Philox.M1));
        return new(S.Xor(S.UpperHalves(p1), _c1, key0), p1, S.Xor(S.UpperHalves(p0), _c3, key1), p0);
    }

    /// <summary>The words of the blocks, four each: two vectors of them.</summary>
    public (S First, S Second) Words
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => S.Interleave(S.PairHalves(_c0, _c1), S.PairHalves(_c2, _c3));
    }

    /// <summary>Words as uniform numbers of 24 bits: multiples of 2⁻²⁴ in [0, 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Uniform(S words) => S.FromIntegerBits(S.ShiftRightBits(words, 8)) * S.Constant(1.0 / (1 << 24));
}
