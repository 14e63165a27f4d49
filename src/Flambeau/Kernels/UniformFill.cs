using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>Uniform numbers of one draw, from any element on.</summary>
internal static unsafe class UniformFill
{
    const int MostElements = 64; // of four vectors

    /// <summary>Elements <paramref name="first"/> … of a draw, float32 or float64, by vectors of <paramref name="width"/> bits.</summary>
    public static void Run(DType type, byte* y, long first, long count, Draw draw, int width)
    {
        if (type == DType.Float64) Doubles((double*)y, first, count, draw);
        else Singles((float*)y, first, count, draw, width);
    }

    // 53 bits
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Doubles(double* y, long first, long count, Draw draw)
    {
        for (long i = 0; i < count; i++) y[i] = (Philox.Long(draw, first + i) >> 11) * (1.0 / (1L << 53));
    }

    static void Singles(float* y, long first, long count, Draw draw, int width)
    {
        uint* schedule = stackalloc uint[Philox.ScheduleWords];
        Philox.Schedule(draw, schedule);
        switch (width)
        {
            case 512: Singles<Lanes512<float>>(y, first, count, schedule); break;
            case 256: Singles<Lanes256<float>>(y, first, count, schedule); break;
            default: Singles<Lanes128<float>>(y, first, count, schedule); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Singles<L>(float* y, long first, long count, uint* schedule) where L : struct, ILanes<L>, IWords<L>
    {
        int elements = 4 * L.Count, skip = (int)(first % 4);
        long i = 0;
        if (skip > 0) i = Part<L>(y, first - skip, skip, count, schedule);
        for (; i + elements <= count; i += elements) Four<L>(y + i, first + i, schedule);
        if (i < count) Part<L>(y + i, first + i, 0, count - i, schedule);
    }

    // four vectors, from the first element of a block on: a round waits for the one before it, so two go side by side
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four<L>(float* y, long first, uint* words) where L : struct, ILanes<L>, IWords<L>
    {
        var schedule = new ScheduleInMemory<L>(words);
        ulong block = (ulong)first / 4;
        var x = PhiloxLanes<L>.Begin(L.Blocks(block), schedule);
        var z = PhiloxLanes<L>.Begin(L.Blocks(block + (uint)L.Count / 2), schedule);
        for (int round = 0; round < Philox.Rounds; round++)
        {
            L key0 = schedule[2 * round], key1 = schedule[2 * round + 1];
            x = x.Round(key0, key1);
            z = z.Round(key0, key1);
        }
        Store(x, y);
        Store(z, y + 2 * L.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store<L>(PhiloxLanes<L> blocks, float* y) where L : struct, ILanes<L>, IWords<L>
    {
        var (first, second) = blocks.Words;
        L.Store(PhiloxLanes<L>.Uniform(first), y);
        L.Store(PhiloxLanes<L>.Uniform(second), y + L.Count);
    }

    // some of the elements of four vectors; returns how many
    [MethodImpl(MethodImplOptions.NoInlining)]
    static long Part<L>(float* y, long first, int skip, long count, uint* schedule) where L : struct, ILanes<L>, IWords<L>
    {
        float* all = stackalloc float[MostElements];
        Four<L>(all, first, schedule);
        count = Math.Min(count, 4 * L.Count - skip);
        for (int i = 0; i < count; i++) y[i] = all[skip + i];
        return count;
    }
}
