using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Forward. A tile is as many queries as a register block is wide, in the lanes: scores Sᵀ[key][query] = K · Qᵀ, so that the largest, the sum and the scaling go lane by lane, and Oᵀ[column][query] += Vᵀ · Pᵀ with V read in place.
/// </summary>
internal static unsafe class AttentionForward<M, T, V, S> where M : ILaneMath<T, V> where T : unmanaged where V : struct where S : ILanes<S>
{
    /// <summary>From so many tiles on a part packs the keys; fewer read them in place.</summary>
    const int PackFrom = 3;

    static int Width => M.Lanes * M.Vectors;

    public static void Run(in AttentionOf<T> x)
    {
        long tiles = x.Items * x.Groups * TilesOf(x);
        bool alone = Team.Share == 1 || !Grid.Pays(x.Work);
        var parts = new Parts { X = x, Count = (int)Math.Min(tiles, alone ? 1 : 8L * Team.Share) };
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
    }

    static long TilesOf(in AttentionOf<T> x) => (x.Queries + Width - 1) / Width;

    struct Parts : IPart
    {
        public AttentionOf<T> X;
        public int Count;

        public readonly void Run(int part)
        {
            long inItem = X.Groups * TilesOf(X), tiles = X.Items * inItem, end = tiles * (part + 1) / Count;
            var memory = new Memory(X);
            for (long tile = tiles * part / Count; tile < end;)
            {
                long item = tile / inItem, last = Math.Min(end, (item + 1) * inItem);
                Item(X, memory, item, tile - item * inItem, last - item * inItem);
                tile = last;
            }
        }
    }

    /// <summary>What a part computes in.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, Scores, Bias, Out, Largest, Sum, Factor, Keys, Uniform, Drawn;

        public Memory(in AttentionOf<T> x)
        {
            long blocks = (x.Keys + Attention.KeyBlock - 1) / Attention.KeyBlock, tile = (x.Size + Attention.KeyBlock * (1 + (x.IsMasked ? 1 : 0) + (x.IsDropped ? 2 : 0)) + x.ValueSize + 3) * (long)Width;
            T* at = (T*)Scratch.Rent(Slot.A, (tile + blocks * BlockPitch(x)) * sizeof(T));
            Queries = Take(x.Size);
            Scores = Take(Attention.KeyBlock);
            Out = Take(x.ValueSize);
            Largest = Take(1);
            Sum = Take(1);
            Factor = Take(1);
            Bias = Take(x.IsMasked ? Attention.KeyBlock : 0);
            Uniform = Take(x.IsDropped ? Attention.KeyBlock : 0);
            Drawn = Take(x.IsDropped ? Attention.KeyBlock : 0);
            Keys = at;

            T* Take(int rows)
            {
                T* taken = at;
                at += rows * Width;
                return taken;
            }
        }
    }

    /// <summary>Elements of a packed block of keys.</summary>
    static long BlockPitch(in AttentionOf<T> x) => (Attention.KeyBlock + M.Rows - 1) / M.Rows * (long)M.Rows * x.Size;

    /// <summary>Tiles of one item: group after group.</summary>
    static void Item(in AttentionOf<T> x, in Memory memory, long item, long from, long to)
    {
        long tiles = TilesOf(x);
        T* keys = x.K.Of(x.Sizes, item, 0), values = x.V.Of(x.Sizes, item, 0);
        long packed = to - from >= PackFrom ? 0 : -1;
        for (long t = from; t < to; t++)
        {
            long i = t % tiles * Width;
            if (packed >= 0)
                for (long seen = x.Seen(Math.Min(x.Queries, i + Width) - 1); packed * Attention.KeyBlock < seen; packed++)
                {
                    x.V.Prefetch(values, packed * Attention.KeyBlock, Math.Min(x.Keys, (packed + 1) * Attention.KeyBlock), x.ValueSize);
                    Packing.Pack<M, T, V>(keys + packed * Attention.KeyBlock * x.K.Row, x.K.Row, x.K.Column, Math.Min(Attention.KeyBlock, x.Keys - packed * Attention.KeyBlock), x.Size,
                        memory.Keys + packed * BlockPitch(x), M.Rows);
                }
            Tile(x, memory, item, (int)(t / tiles), i, packed >= 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(in AttentionOf<T> x, in Memory memory, long item, int group, long i, bool packed)
    {
        int width = Width, w = (int)Math.Min(width, x.Queries - i), vectors = (w + M.Lanes - 1) / M.Lanes;
        T* queries = x.Q.Of(x.Sizes, item, group), target = x.O.Of(x.Sizes, item, group);
        Packing.Pack<M, T, V>(queries + i * x.Q.Row, x.Q.Row, x.Q.Column, w, x.Size, memory.Queries, width);
        x.Q.Prefetch(queries, i + w, Math.Min(x.Queries, i + w + width), x.Size);
        x.O.Prefetch(target, i, i + w, x.ValueSize);
        AttentionLanes<T, S>.Scale((long)x.Size * width, memory.Queries, x.Scale / Math.Log(2));
        AttentionLanes<T, S>.Begin(width, memory.Largest, memory.Sum);
        T* values = x.V.Of(x.Sizes, item, 0);
        long seen = x.Seen(i + w - 1);
        for (long j = 0; j < seen; j += Attention.KeyBlock)
        {
            int n = (int)Math.Min(Attention.KeyBlock, seen - j);
            Scores(x, memory, item, i, j, n, vectors, packed);
            if (x.IsMasked) Mask(x, memory, item, group, i, j, n, w, vectors);
            bool rose = false;
            for (int q = 0; q < vectors * M.Lanes; q += M.Lanes)
                rose |= AttentionLanes<T, S>.Weights(n, memory.Scores + q, width, memory.Largest + q, memory.Sum + q, memory.Factor + q);
            if (x.IsDropped) Drop(x, memory, item, group, i, j, n, w, vectors);
            if (j > 0 && rose) AttentionLanes<T, S>.ScaleLanes(x.ValueSize, vectors, memory.Out, width, memory.Factor);
            Accumulate<M, T, V>.Rows(x.ValueSize, n, values + j * x.V.Row, x.V.Column, x.V.Row, memory.Scores, width, memory.Out, width, vectors, j == 0 ? Into.Store : Into.Add);
        }
        if (seen == 0) new Span<T>(memory.Out, x.ValueSize * width).Clear();
        AttentionLanes<T, S>.Reciprocals(vectors, memory.Sum, memory.Factor);
        AttentionLanes<T, S>.ScaleLanes(x.ValueSize, vectors, memory.Out, width, memory.Factor);
        Packing.Turn(memory.Out, width, x.ValueSize, w, target + i * x.O.Row, (nint)x.O.Row);
        if (x.LogSum is null) return;
        AttentionLanes<T, S>.LogSums(vectors, memory.Largest, memory.Sum);
        new Span<T>(memory.Sum, w).CopyTo(new Span<T>(x.LogSum + (item * x.Groups + group) * x.Queries + i, w));
    }

    /// <summary>The scores of a block of keys; vectors of queries that all come before a key are left out, and −∞ where a key is hidden.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scores(in AttentionOf<T> x, in Memory memory, long item, long i, long j, int n, int vectors, bool packed)
    {
        int rows = M.Rows, width = Width;
        T* keys = packed ? memory.Keys + j / Attention.KeyBlock * BlockPitch(x) : x.K.Of(x.Sizes, item, 0) + j * x.K.Row;
        nint next = packed ? x.Size : (nint)x.K.Row, row = packed ? 1 : (nint)x.K.Row, step = packed ? rows : (nint)x.K.Column;
        for (int r = 0; r < n; r += rows)
        {
            int h = Math.Min(rows, n - r), skip = x.IsCausal ? (int)Math.Clamp((j + r - i) / M.Lanes, 0, vectors - 1) : 0;
            KernelTable<M, T, V>.Get(h, vectors - skip)(x.Size, keys + r * next, row, step, memory.Queries + skip * M.Lanes, width, memory.Scores + r * width + skip * M.Lanes, width, Into.Store);
        }
        if (x.IsCausal && j + n - 1 > i) AttentionLanes<T, S>.HideFromEarlier(n, vectors, memory.Scores, width, j - i);
    }

    // queries' numbers lie along the keys: they are turned into the layout of the scores
    static void Drop(in AttentionOf<T> x, in Memory memory, long item, int group, long i, long j, int n, int w, int vectors)
    {
        AttentionDropout<T>.Numbers(x, item, group, i, j, w, n, memory.Drawn, Attention.KeyBlock);
        Packing.Pack<M, T, V>(memory.Drawn, Attention.KeyBlock, 1, w, n, memory.Uniform, Width);
        AttentionLanes<T, S>.Drop(n, vectors, memory.Scores, Width, memory.Uniform, Width, x.Dropout);
    }

    static void Mask(in AttentionOf<T> x, in Memory memory, long item, int group, long i, long j, int n, int w, int vectors)
    {
        AttentionMask<M, T, V>.Load(x, item, group, i, j, w, n, queriesInLanes: true, memory.Bias, Width);
        AttentionLanes<T, S>.AddBias(n, vectors, memory.Scores, Width, memory.Bias, Width);
    }
}

/// <summary>C[rows × width] += Aᵀ · B, A read in place by columns.</summary>
internal static unsafe class Accumulate<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows(int rows, nint k, T* a, long aRow, long aStep, T* b, nint bStep, T* c, nint cRow, int vectors, Into into)
    {
        for (int d = 0; d < rows; d += M.Rows)
            KernelTable<M, T, V>.Get(Math.Min(M.Rows, rows - d), vectors)(k, a + d * aRow, (nint)aRow, (nint)aStep, b, bStep, c + d * cRow, cRow, into);
    }
}

/// <summary>The uniform numbers that decide which weights are dropped.</summary>
internal static unsafe class AttentionDropout<T> where T : unmanaged
{
    /// <summary>Of <paramref name="queries"/> rows from query i on and <paramref name="keys"/> columns from key j on, row by row.</summary>
    public static void Numbers(in AttentionOf<T> x, long item, int group, long i, long j, int queries, int keys, T* to, nint pitch)
    {
        long first = ((item * x.Groups + group) * x.Queries + i) * x.Keys + j;
        for (int q = 0; q < queries; q++, first += x.Keys, to += pitch)
        {
            // float32 numbers in any case; widened from the last one back, each before its place is overwritten
            UniformFill.Run(DType.Float32, (byte*)to, first, keys, x.Draw, Gemm.Width);
            if (typeof(T) == typeof(double))
                for (int k = keys - 1; k >= 0; k--) ((double*)to)[k] = ((float*)to)[k];
        }
    }
}

/// <summary>Brings a tile of a mask into the layout of the scores, as what is added to them.</summary>
internal static unsafe class AttentionMask<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(in AttentionOf<T> x, long item, int group, long i, long j, int queries, int keys, bool queriesInLanes, T* tile, int width)
    {
        if (x.Bias.At is not null)
        {
            T* bias = x.Bias.Of(x.Sizes, item, group) + i * x.Bias.Row + j * x.Bias.Column;
            if (queriesInLanes) Packing.Pack<M, T, V>(bias, x.Bias.Row, x.Bias.Column, queries, keys, tile, width);
            else Packing.Pack<M, T, V>(bias, x.Bias.Column, x.Bias.Row, keys, queries, tile, width);
            return;
        }
        byte* allowed = x.Allowed.Of(x.Sizes, item, group) + i * x.Allowed.Row + j * x.Allowed.Column;
        var (lanes, rows, lane, row) = queriesInLanes ? (queries, keys, x.Allowed.Row, x.Allowed.Column) : (keys, queries, x.Allowed.Column, x.Allowed.Row);
        T hidden = typeof(T) == typeof(float) ? (T)(object)float.NegativeInfinity : (T)(object)double.NegativeInfinity;
        for (int q = 0; q < width; q++)
            for (int r = 0; r < rows; r++)
                tile[r * width + q] = q >= lanes || allowed[q * lane + r * row] != 0 ? default : hidden;
    }
}
