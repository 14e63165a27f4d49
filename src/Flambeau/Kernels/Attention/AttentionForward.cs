using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Forward. A tile is as many queries as a register block is wide, in the lanes: scores Sᵀ[key][query] = K · Qᵀ, so that the largest, the sum and the scaling go lane by lane, and Oᵀ[column][query] += Vᵀ · Pᵀ.
/// V is read in place, or packed where it is of another type than is computed in; bfloat16 goes in pairs, of columns for the scores and of keys for the weights.
/// </summary>
internal static unsafe class AttentionForward<M, E, T, V, S> where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S>
{
    /// <summary>From so many tiles on a part packs the keys; fewer read them in place, where they are what is computed in.</summary>
    const int PackFrom = 3;

    static int Width => M.Lanes * M.Vectors;

    static bool IsNarrow => typeof(E) != typeof(T);
    static bool IsPaired => M.Pairing == 2;

    /// <summary>Elements of a panel that hold so many steps.</summary>
    static int Elements(int steps) => (steps + M.Pairing - 1) / M.Pairing;

    public static void Run(AttentionOf<E, T>[] all)
    {
        var many = Array.FindAll(all, x => !AttentionFewQueries<M, E, T, V, S>.Suits(x));
        if (many.Length > 0) AttentionParts<Tiles, E, T>.Run(many);
        if (many.Length < all.Length) AttentionFewQueries<M, E, T, V, S>.Run(many.Length == 0 ? all : Array.FindAll(all, x => AttentionFewQueries<M, E, T, V, S>.Suits(x)));
    }

    static long TilesOf(in AttentionOf<E, T> x) => (x.Queries + Width - 1) / Width;

    struct Tiles : IAttentionPieces<E, T>
    {
        public static long Count(in AttentionOf<E, T> x) => x.Items * x.Groups * TilesOf(x);

        public static double Weight => 1;

        public static void Run(in AttentionOf<E, T> x, long from, long to)
        {
            long inItem = x.Groups * TilesOf(x);
            var memory = new Memory(x);
            for (long tile = from; tile < to;)
            {
                long item = tile / inItem, last = Math.Min(to, (item + 1) * inItem);
                Item(x, memory, item, tile - item * inItem, last - item * inItem);
                tile = last;
            }
        }
    }

    /// <summary>What a part computes in.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, Scores, Bias, Out, Largest, Sum, Factor, Keys, Values, Uniform, Drawn;

        public Memory(in AttentionOf<E, T> x)
        {
            // what is rounded passes through the scores' place, row by row
            int scores = IsNarrow ? Math.Max(Attention.KeyBlock, x.ValueSize + 1) : Attention.KeyBlock;
            long blocks = (x.Keys + Attention.KeyBlock - 1) / Attention.KeyBlock, tile = (Elements(x.Size) + scores + Attention.KeyBlock * ((x.IsMasked ? 1 : 0) + (x.IsDropped ? 2 : 0)) + x.ValueSize + 3) * (long)Width;
            T* at = (T*)Scratch.Rent(Slot.A, (tile + blocks * (KeysPitch(x) + ValuesPitch(x))) * sizeof(T));
            Queries = Take(Elements(x.Size));
            Scores = Take(scores);
            Out = Take(x.ValueSize);
            Largest = Take(1);
            Sum = Take(1);
            Factor = Take(1);
            Bias = Take(x.IsMasked ? Attention.KeyBlock : 0);
            Uniform = Take(x.IsDropped ? Attention.KeyBlock : 0);
            Drawn = Take(x.IsDropped ? Attention.KeyBlock : 0);
            Keys = at;
            Values = Keys + blocks * KeysPitch(x);

            T* Take(int rows)
            {
                T* taken = at;
                at += rows * Width;
                return taken;
            }
        }
    }

    /// <summary>Elements of a packed block of keys, and of values.</summary>
    static long KeysPitch(in AttentionOf<E, T> x) => Whole(Attention.KeyBlock) * Elements(x.Size);

    static long ValuesPitch(in AttentionOf<E, T> x) => IsNarrow ? Whole(x.ValueSize) * Elements(Attention.KeyBlock) : 0;

    /// <summary>Rows in whole register blocks.</summary>
    static long Whole(int rows) => (rows + M.Rows - 1) / M.Rows * (long)M.Rows;

    /// <summary>Tiles of one item: group after group.</summary>
    static void Item(in AttentionOf<E, T> x, in Memory memory, long item, long from, long to)
    {
        long tiles = TilesOf(x);
        bool packs = IsNarrow || to - from >= PackFrom;
        // blocks of keys that are packed
        long packed = 0, end = 0;
        for (long t = from; t < to; t++)
        {
            long i = t % tiles * Width, first = x.From(i) / Attention.KeyBlock, seen = x.Seen(Math.Min(x.Queries, i + Width) - 1);
            if (first < packed || first > end) packed = end = first;
            for (; packs && end * Attention.KeyBlock < seen; end++) Pack(x, memory, item, end);
            Tile(x, memory, item, (int)(t / tiles), i, packs);
        }
    }

    /// <summary>The first key of a tile from query i on: of the register block that the first query's window begins in.</summary>
    static long Start(in AttentionOf<E, T> x, long i)
    {
        long from = x.From(i), inBlock = from % Attention.KeyBlock;
        return from - inBlock % M.Rows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pack(in AttentionOf<E, T> x, in Memory memory, long item, long block)
    {
        long j = block * Attention.KeyBlock, n = Math.Min(Attention.KeyBlock, x.Keys - j), next = Math.Min(x.Keys, j + n + Attention.KeyBlock);
        E* keys = x.K.Of(x.Sizes, item, 0), values = x.V.Of(x.Sizes, item, 0);
        // what the next tiles read comes while this one is computed
        x.K.Prefetch(keys, j + n, next, x.Size);
        x.V.Prefetch(values, j + n, next, x.ValueSize);
        if (!IsNarrow) x.V.Prefetch(values, j, j + n, x.ValueSize);
        Packing.Pack<M, E, T, V>(keys + j * x.K.Row, x.K.Row, x.K.Column, n, x.Size, memory.Keys + block * KeysPitch(x), M.Rows);
        if (IsNarrow) Packing.Pack<M, E, T, V>(values + j * x.V.Row, x.V.Column, x.V.Row, x.ValueSize, n, memory.Values + block * ValuesPitch(x), M.Rows);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(in AttentionOf<E, T> x, in Memory memory, long item, int group, long i, bool packed)
    {
        int width = Width, w = (int)Math.Min(width, x.Queries - i), vectors = (w + M.Lanes - 1) / M.Lanes;
        E* queries = x.Q.Of(x.Sizes, item, group), target = x.O.Of(x.Sizes, item, group);
        Packing.Pack<M, E, T, V>(queries + i * x.Q.Row, x.Q.Row, x.Q.Column, w, x.Size, memory.Queries, width);
        x.Q.Prefetch(queries, i + w, Math.Min(x.Queries, i + w + width), x.Size);
        x.O.Prefetch(target, i, i + w, x.ValueSize);
        if (!IsPaired) AttentionLanes<T, S>.Scale((long)x.Size * width, memory.Queries, x.Scale / Math.Log(2));
        AttentionLanes<T, S>.Begin(width, memory.Largest, memory.Sum);
        long seen = x.Seen(i + w - 1), start = Start(x, i);
        for (long j = start, end; j < seen; j = end)
        {
            end = Math.Min(seen, (j / Attention.KeyBlock + 1) * Attention.KeyBlock);
            int n = (int)(end - j);
            Scores(x, memory, item, i, j, n, w, vectors, packed);
            if (x.IsMasked) Mask(x, memory, item, group, i, j, n, w, vectors);
            bool rose = Weights(x, memory, item, group, i, j, n, w, vectors);
            if (j > start && rose) AttentionLanes<T, S>.ScaleLanes(x.ValueSize, vectors, memory.Out, width, memory.Factor);
            Values(x, memory, item, i, j, n, vectors, j == start ? Into.Store : Into.Add);
        }
        if (seen <= start) new Span<T>(memory.Out, x.ValueSize * width).Clear();
        AttentionLanes<T, S>.Reciprocals(vectors, memory.Sum, memory.Factor);
        AttentionLanes<T, S>.ScaleLanes(x.ValueSize, vectors, memory.Out, width, memory.Factor);
        Put(x, memory, w, target + i * x.O.Row);
        if (x.LogSum is null) return;
        AttentionLanes<T, S>.LogSums(vectors, memory.Largest, memory.Sum);
        new Span<T>(memory.Sum, w).CopyTo(new Span<T>(x.LogSum + (item * x.Groups + group) * x.Queries + i, w));
    }

    /// <summary>The scores of a block of keys, or of its end; vectors of queries that all come before a key are left out, and −∞ where a key is hidden.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scores(in AttentionOf<E, T> x, in Memory memory, long item, long i, long j, int n, int w, int vectors, bool packed)
    {
        int rows = M.Rows, width = Width;
        nint size = Elements(x.Size);
        T* keys = memory.Keys + j / Attention.KeyBlock * KeysPitch(x) + j % Attention.KeyBlock * size;
        // how far the first key lies after the first query
        long first = j - i - x.Shift;
        for (int r = 0; r < n; r += rows)
        {
            int h = Math.Min(rows, n - r), skip = x.IsCausal ? (int)Math.Clamp((first + r) / M.Lanes, 0, vectors - 1) : 0;
            T* queries = memory.Queries + skip * M.Lanes, scores = memory.Scores + r * width + skip * M.Lanes;
            if (packed) new PanelKernel<M, T, V>(h, vectors - skip).Run(size, keys + r * size, queries, scores, width, Into.Store);
            else KernelTable<M, T, V>.Get(h, vectors - skip)(size, (T*)x.K.Of(x.Sizes, item, 0) + (j + r) * x.K.Row, (nint)x.K.Row, (nint)x.K.Column, queries, width, scores, width, Into.Store);
        }
        if (IsPaired && !(x.Scale > 0)) AttentionLanes<T, S>.Scale(n * width, memory.Scores, Math.Sign(x.Scale));
        if (x.IsCausal && first + n > 1) AttentionLanes<T, S>.HideFromEarlier(n, vectors, memory.Scores, width, first);
        if (x.Window > 0 && first + x.Window < w) AttentionLanes<T, S>.HideFromLater(n, vectors, memory.Scores, width, first + x.Window);
    }

    /// <summary>Scores become weights, in pairs of keys if so computed. True if the largest score rose.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static bool Weights(in AttentionOf<E, T> x, in Memory memory, long item, int group, long i, long j, int n, int w, int vectors)
    {
        bool rose = false;
        if (x.IsDropped) Draw(x, memory, item, group, i, j, n, w);
        for (int q = 0; q < vectors * M.Lanes; q += M.Lanes)
            if (!IsPaired) rose |= AttentionLanes<T, S>.Weights(n, memory.Scores + q, Width, memory.Largest + q, memory.Sum + q, memory.Factor + q);
            else
                rose |= AttentionLanes<T, S>.WeightPairs(n, memory.Scores + q, Width, Attention.FactorOf(x.Scale), x.IsMasked ? memory.Bias + q : null, x.IsDropped ? memory.Uniform + q : null, x.Dropout,
                    memory.Largest + q, memory.Sum + q, memory.Factor + q);
        if (x.IsDropped && !IsPaired) AttentionLanes<T, S>.Drop(n, vectors, memory.Scores, Width, memory.Uniform, Width, x.Dropout);
        return rose;
    }

    /// <summary>Adds the values of a block of keys, or of its end, by their weights; a vector of queries those that some of them see: the zeros behind add nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values(in AttentionOf<E, T> x, in Memory memory, long item, long i, long j, int n, int vectors, Into into)
    {
        long ahead = x.Shift + i - j;
        for (int v = 0, next; v < vectors; v = next)
        {
            int seen = x.IsCausal ? (int)Math.Clamp(ahead + (v + 1) * M.Lanes, 1, n) : n;
            // all that remain, where the first one sees all
            next = seen == n ? vectors : v + 1;
            Values(x, memory, item, j, seen, v * M.Lanes, next - v, into);
        }
    }

    /// <summary>The same for vectors from <paramref name="lane"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values(in AttentionOf<E, T> x, in Memory memory, long item, long j, int n, int lane, int vectors, Into into)
    {
        T* weights = memory.Scores + lane, sums = memory.Out + lane;
        if (!IsNarrow)
        {
            Accumulate<M, T, V>.Rows(x.ValueSize, n, (T*)x.V.Of(x.Sizes, item, 0) + j * x.V.Row, x.V.Column, x.V.Row, weights, Width, sums, Width, vectors, into);
            return;
        }
        long block = j / Attention.KeyBlock, begin = block * Attention.KeyBlock;
        T* values = memory.Values + block * ValuesPitch(x) + Elements((int)(j - begin)) * M.Rows;
        // panels are as long as the block has keys, of which a query may see fewer
        nint steps = Elements(n), panel = Elements((int)Math.Min(Attention.KeyBlock, x.Keys - begin));
        for (int d = 0; d < x.ValueSize; d += M.Rows)
            new PanelKernel<M, T, V>(Math.Min(M.Rows, x.ValueSize - d), vectors).Run(steps, values + d * panel, weights, sums + d * Width, Width, into);
    }

    /// <summary>The finished results into their rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Put(in AttentionOf<E, T> x, in Memory memory, int w, E* target)
    {
        T* rows = IsNarrow ? memory.Scores : (T*)target;
        nint row = IsNarrow ? x.ValueSize : (nint)x.O.Row;
        Packing.Turn(memory.Out, Width, x.ValueSize, w, rows, row);
        if (IsNarrow) Narrow<E, T>.Put(rows, row, w, x.ValueSize, target, (nint)x.O.Row);
    }

    // queries' numbers lie along the keys: they are turned into the layout of the scores
    static void Draw(in AttentionOf<E, T> x, in Memory memory, long item, int group, long i, long j, int n, int w)
    {
        AttentionDropout<E, T>.Numbers(x, item, group, i, j, w, n, memory.Drawn, Attention.KeyBlock);
        Packing.Pack<M, T, V>(memory.Drawn, Attention.KeyBlock, 1, w, n, memory.Uniform, Width);
    }

    static void Mask(in AttentionOf<E, T> x, in Memory memory, long item, int group, long i, long j, int n, int w, int vectors)
    {
        AttentionMask<M, E, T, V>.Load(x, item, group, i, j, w, n, queriesInLanes: true, memory.Bias, Width);
        if (IsPaired) AttentionLanes<T, S>.Exponents(n, vectors, memory.Bias, Width);
        else AttentionLanes<T, S>.AddBias(n, vectors, memory.Scores, Width, memory.Bias, Width);
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
internal static unsafe class AttentionDropout<E, T> where E : unmanaged where T : unmanaged
{
    /// <summary>Of <paramref name="queries"/> rows from query i on and <paramref name="keys"/> columns from key j on, row by row.</summary>
    public static void Numbers(in AttentionOf<E, T> x, long item, int group, long i, long j, int queries, int keys, T* to, nint pitch)
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
internal static unsafe class AttentionMask<M, E, T, V> where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(in AttentionOf<E, T> x, long item, int group, long i, long j, int queries, int keys, bool queriesInLanes, T* tile, int width)
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
