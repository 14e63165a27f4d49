using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Forward for queries that are too few to fill vectors, one for each head as a rule, against a long cache: keys and columns are in the lanes, queries in a register block's rows, so that keys and values are read once and as fast as memory gives them.
/// The law and the bits are <see cref="AttentionForward{M, E, T, V, S}"/>'s.
/// </summary>
internal static unsafe class AttentionFewQueries<M, E, T, V, S> where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S>
{
    const int KeyBlock = Attention.KeyBlock;

    static int Width => M.Lanes * M.Vectors;

    static bool IsNarrow => typeof(E) != typeof(T);
    static bool IsPaired => M.Pairing == 2;

    static int Elements(int steps) => (steps + M.Pairing - 1) / M.Pairing;

    /// <summary>Keys in a panel: two vectors, of which a block is a multiple.</summary>
    static int PanelKeys => 2 * M.Lanes;

    /// <summary>True if all queries of a head of the keys are few and one step apart, see the same keys, and values are whole vectors side by side.</summary>
    public static bool Suits(in AttentionOf<E, T> x)
        => x.Groups * x.Queries <= M.Rows && (x.Groups == 1 || x.Queries == 1) && !x.IsMasked && !x.IsDropped && (!x.IsCausal || x.Queries == 1) && x.Scale > 0 && x.V.Column == 1 && x.ValueSize % M.Lanes == 0;

    public static void Run(AttentionOf<E, T>[] all) => AttentionParts<Items, E, T>.Run(all);

    struct Items : IAttentionPieces<E, T>
    {
        public static long Count(in AttentionOf<E, T> x) => x.Items;

        // bound by memory: shared from less work on than products are
        public static double Weight => 8;

        public static void Run(in AttentionOf<E, T> x, long from, long to)
        {
            var memory = new Memory(x);
            for (long item = from; item < to; item++) Item(x, memory, item);
        }
    }

    /// <summary>What a part computes in; a row a query, but for queries and weights in panels, whose rows lie side by side.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, Keys, Values, Scores, Weights, Out, Largest, Sum;
        public readonly int OutPitch;

        public Memory(in AttentionOf<E, T> x)
        {
            OutPitch = x.ValueSize;
            long values = IsNarrow ? (x.ValueSize + Width - 1) / Width * (long)Width * Elements(KeyBlock) : 0;
            T* at = (T*)Scratch.Rent(Slot.A, (M.Rows * (long)(Elements(x.Size) + KeyBlock + Elements(KeyBlock) + OutPitch + 2) + (long)PanelKeys * Elements(x.Size) + values + 8 * 16) * sizeof(T));
            Queries = Take(M.Rows * Elements(x.Size));
            Keys = Take(PanelKeys * (long)Elements(x.Size));
            Values = Take(values);
            Scores = Take(M.Rows * KeyBlock);
            Weights = Take(M.Rows * Elements(KeyBlock));
            Out = Take(M.Rows * (long)OutPitch);
            Largest = Take(M.Rows);
            Sum = Take(M.Rows);

            T* Take(long elements)
            {
                T* taken = at;
                at += (elements + 15) / 16 * 16;
                return taken;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Item(in AttentionOf<E, T> x, in Memory memory, long item)
    {
        int count = (int)(x.Groups * x.Queries);
        long queryRow = x.Groups == 1 ? x.Q.Row : x.Q.Group, resultRow = x.Groups == 1 ? x.O.Row : x.O.Group;
        Packing.Pack<M, E, T, V>(x.Q.Of(x.Sizes, item, 0), queryRow, x.Q.Column, count, x.Size, memory.Queries, M.Rows);
        if (!IsPaired) AttentionLanes<T, S>.ScaleAll(M.Rows * x.Size, memory.Queries, x.Scale / Math.Log(2));
        AttentionLanes<T, S>.Begin(count, memory.Largest, memory.Sum);
        // blocks as everywhere, but nothing before the window, from an even key on: what a pair begins with
        long from = x.From(0), seen = x.Seen(0), start = from & ~1L;
        for (long j = start, end; j < seen; j = end)
        {
            end = Math.Min(seen, (j / KeyBlock + 1) * KeyBlock);
            int n = (int)(end - j);
            // this block's values and the next one's keys come while scores are computed
            x.V.Prefetch(x.V.Of(x.Sizes, item, 0), j, j + n, x.ValueSize);
            x.K.Prefetch(x.K.Of(x.Sizes, item, 0), end, Math.Min(seen, end + KeyBlock), x.Size);
            Scores(x, memory, item, j, n, count);
            for (int r = 0; r < count; r++)
            {
                if (j < from) memory.Scores[r * KeyBlock] = AttentionLanes<T, S>.Of(double.NegativeInfinity);
                Weights(x, memory, n, r, isFirst: j == start);
            }
            Values(x, memory, item, j, n, count, j == start ? Into.Store : Into.Add);
        }
        for (int r = 0; r < count; r++)
        {
            AttentionLanes<T, S>.Finish(x.ValueSize, memory.Out + r * memory.OutPitch, memory.Largest + r, memory.Sum + r, x.LogSum is null ? null : x.LogSum + item * count + r);
            E* target = x.O.Of(x.Sizes, item, 0) + r * resultRow;
            T* row = memory.Out + r * memory.OutPitch;
            if (IsNarrow) Narrow<E, T>.Put(row, x.ValueSize, 1, x.ValueSize, target, x.ValueSize);
            else new Span<T>(row, x.ValueSize).CopyTo(new Span<T>(target, x.ValueSize));
        }
    }

    /// <summary>A panel of keys at a time goes through first-level cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scores(in AttentionOf<E, T> x, in Memory memory, long item, long j, int n, int count)
    {
        E* keys = x.K.Of(x.Sizes, item, 0) + j * x.K.Row;
        for (int t = 0; t < n; t += PanelKeys)
        {
            int w = Math.Min(PanelKeys, n - t);
            Packing.Pack<M, E, T, V>(keys + t * x.K.Row, x.K.Row, x.K.Column, w, x.Size, memory.Keys, PanelKeys);
            new PanelKernel<M, T, V>(count, (w + M.Lanes - 1) / M.Lanes).Run(Elements(x.Size), memory.Queries, memory.Keys, PanelKeys, memory.Scores + t, KeyBlock, Into.Store);
        }
    }

    /// <summary>A query's scores become weights; what was added up so far is scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Weights(in AttentionOf<E, T> x, in Memory memory, int n, int r, bool isFirst)
    {
        T* scores = memory.Scores + r * KeyBlock;
        double shrink = IsPaired
            ? AttentionLanes<T, S>.WeightPairsAlong(n, scores, Attention.FactorOf(x.Scale), memory.Weights + r, M.Rows, memory.Largest + r, memory.Sum + r)
            : AttentionLanes<T, S>.WeightsAlong(n, scores, memory.Largest + r, memory.Sum + r);
        if (!isFirst && shrink != 1) AttentionLanes<T, S>.Scale(x.ValueSize, memory.Out + r * memory.OutPitch, shrink);
        if (IsNarrow && !IsPaired)
            for (int q = 0; q < n; q++) memory.Weights[q * M.Rows + r] = scores[q];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values(in AttentionOf<E, T> x, in Memory memory, long item, long j, int n, int count, Into into)
    {
        E* values = x.V.Of(x.Sizes, item, 0) + j * x.V.Row;
        int all = x.ValueSize / M.Lanes, turns = (all + M.Vectors - 1) / M.Vectors;
        if (IsNarrow) Packing.Pack<M, E, T, V>(values, 1, x.V.Row, x.ValueSize, n, memory.Values, Width);
        for (int turn = 0, v = 0; turn < turns; turn++)
        {
            // packed panels are full but for the last; in place 4 vectors are 2 + 2, not 3 + 1
            int vectors = IsNarrow ? Math.Min(M.Vectors, all - v) : (all - v + turns - turn - 1) / (turns - turn);
            T* target = memory.Out + v * M.Lanes;
            if (IsNarrow) new PanelKernel<M, T, V>(count, vectors).Run(Elements(n), memory.Weights, memory.Values + v * M.Lanes * Elements(n), target, memory.OutPitch, into);
            else KernelTable<M, T, V>.Get(count, vectors)(n, memory.Scores, KeyBlock, 1, (T*)values + v * M.Lanes, (nint)x.V.Row, target, memory.OutPitch, into);
            v += vectors;
        }
    }
}
