using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Backward for bfloat16, as <see cref="AttentionBackward{M, T, V, S}"/>: P and dS are computed in float32, a few rows at a time, and rounded for the products that they enter: in pairs of queries for dVᵀ += dOᵀ · P and dKᵀ += Qᵀ · dS,
/// and dS row by row, where pairs of keys lie side by side, for dQ += dS · K. dO and Q are packed both ways, in pairs of columns and of queries.
/// </summary>
internal static unsafe class AttentionBackwardPairs<M, V, S> where M : ILaneMath<float, V> where V : struct where S : ILanes<S>
{
    const int KeyBlock = Attention.GradKeyBlock, QueryBlock = Attention.GradQueryBlock;

    static int Width => M.Lanes * M.Vectors;

    public static void Run(AttentionOf<BFloat16, float>[] all) => AttentionParts<Items, BFloat16, float>.Run(all);

    struct Items : IAttentionPieces<BFloat16, float>
    {
        public static long Count(in AttentionOf<BFloat16, float> x) => x.Items;

        public static double Weight => 2.5;

        public static void Run(in AttentionOf<BFloat16, float> x, long from, long to)
        {
            var memory = new Memory(x);
            for (long item = from; item < to; item++) Item(x, memory, item);
        }
    }

    /// <summary>What a part computes in. By group: packed queries and gradients of the result, in pairs of columns and of queries, rows of dQ, D.</summary>
    readonly struct Memory
    {
        public readonly float* Queries, GradO, QueryPairs, GradOPairs, GradQ, Delta;
        public readonly float* Keys, Values, KeyPairs, GradK, GradV, Weights, Gradients, Rows, Scores, GradWeights, Bias, Uniform, Turned;
        /// <summary>Elements of a group.</summary>
        public readonly long QueriesPitch, GradOPitch, QueryPairsPitch, GradOPairsPitch, GradQPitch, DeltaPitch;

        public Memory(in AttentionOf<BFloat16, float> x)
        {
            long padded = Up(x.Queries, M.Rows), blocks = Up(x.Queries, QueryBlock) / QueryBlock, lanes = Up(KeyBlock, Width);
            (QueriesPitch, GradOPitch, GradQPitch, DeltaPitch) = (padded * Pairs(x.Size), padded * Pairs(x.ValueSize), padded * RowOf(x), padded);
            (QueryPairsPitch, GradOPairsPitch) = (blocks * Across(x.Size), blocks * Across(x.ValueSize));
            long tile = M.Rows * (long)Width, half = QueryBlock / 2 * (long)Width, masks = (x.IsMasked ? tile : 0) + (x.IsDropped ? tile : 0);
            long turned = Width * (long)Math.Max(x.Size, x.ValueSize) + 2 * 16;
            long all = x.Groups * (QueriesPitch + GradOPitch + QueryPairsPitch + GradOPairsPitch + GradQPitch + DeltaPitch) + lanes * (Pairs(x.Size) + Pairs(x.ValueSize) + x.Size + x.ValueSize)
                + KeyBlock / 2 * RowOf(x) + 2 * half + QueryBlock * RowPitch + 2 * tile + masks + turned;
            float* at = (float*)Scratch.Rent(Slot.A, (all + 19 * 16) * sizeof(float));
            Keys = Take(lanes * Pairs(x.Size));
            Values = Take(lanes * Pairs(x.ValueSize));
            KeyPairs = Take(KeyBlock / 2 * RowOf(x));
            GradK = Take(lanes * x.Size);
            GradV = Take(lanes * x.ValueSize);
            Weights = Take(half);
            Gradients = Take(half);
            Rows = Take(QueryBlock * RowPitch);
            Scores = Take(tile);
            GradWeights = Take(tile);
            Bias = Take(x.IsMasked ? tile : 0);
            Uniform = Take(x.IsDropped ? tile : 0);
            Turned = Take(turned);
            Queries = Take(x.Groups * QueriesPitch);
            GradO = Take(x.Groups * GradOPitch);
            QueryPairs = Take(x.Groups * QueryPairsPitch);
            GradOPairs = Take(x.Groups * GradOPairsPitch);
            GradQ = Take(x.Groups * GradQPitch);
            Delta = Take(x.Groups * DeltaPitch);

            float* Take(long elements)
            {
                float* taken = at;
                at += Up(elements, 16);
                return taken;
            }
        }
    }

    /// <summary>From row to row of dS, a pair of keys an element.</summary>
    const int RowPitch = DotCode<DotPairs>.RowElements;

    static long Up(long size, long unit) => (size + unit - 1) / unit * unit;

    static int Pairs(long steps) => (int)((steps + 1) / 2);

    /// <summary>Elements of a row of dQ: whole vectors.</summary>
    static long RowOf(in AttentionOf<BFloat16, float> x) => Up(x.Size, M.Lanes);

    /// <summary>Elements of a block of queries, in pairs of them.</summary>
    static long Across(int columns) => Up(columns, M.Rows) * (QueryBlock / 2);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Item(in AttentionOf<BFloat16, float> x, in Memory memory, long item)
    {
        for (int g = 0; g < x.Groups; g++)
            for (long i = 0; i < x.Queries; i += QueryBlock) Pack(x, memory, item, g, i);
        // the first block of keys does not meet all queries: nothing is stored first
        if (Adds(x)) Clear(memory.GradQ, x.Groups * memory.GradQPitch);
        for (long j = 0; j < x.Keys; j += KeyBlock) Keys(x, memory, item, j, (int)Math.Min(KeyBlock, x.Keys - j));
        for (int g = 0; g < x.Groups; g++)
        {
            float* rows = memory.GradQ + g * memory.GradQPitch;
            BFloat16* target = x.GradQ.Of(x.Sizes, item, g);
            AttentionLanes<float, S>.Scale(x.Queries * RowOf(x), rows, x.Scale);
            for (long i = 0; i < x.Queries; i += QueryBlock)
                Narrow<BFloat16, float>.Put(rows + i * RowOf(x), (nint)RowOf(x), (int)Math.Min(QueryBlock, x.Queries - i), x.Size, target + i * x.GradQ.Row, (nint)x.GradQ.Row);
        }
    }

    /// <summary>A block of queries and of the gradients of their results, both ways, and D.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pack(in AttentionOf<BFloat16, float> x, in Memory memory, long item, int g, long i)
    {
        BFloat16* queries = x.Q.Of(x.Sizes, item, g), gradO = x.GradO.Of(x.Sizes, item, g), o = x.O.Of(x.Sizes, item, g);
        long n = Math.Min(QueryBlock, x.Queries - i), next = Math.Min(x.Queries, i + 2 * QueryBlock), block = i / QueryBlock;
        x.Q.Prefetch(queries, i + QueryBlock, next, x.Size);
        x.GradO.Prefetch(gradO, i + QueryBlock, next, x.ValueSize);
        x.O.Prefetch(o, i + QueryBlock, next, x.ValueSize);
        queries += i * x.Q.Row;
        gradO += i * x.GradO.Row;
        Packing.Pack<M, BFloat16, float, V>(queries, x.Q.Row, x.Q.Column, n, x.Size, memory.Queries + g * memory.QueriesPitch + i * Pairs(x.Size), M.Rows);
        Packing.Pack<M, BFloat16, float, V>(gradO, x.GradO.Row, x.GradO.Column, n, x.ValueSize, memory.GradO + g * memory.GradOPitch + i * Pairs(x.ValueSize), M.Rows);
        Packing.Pack<M, BFloat16, float, V>(queries, x.Q.Column, x.Q.Row, x.Size, n, memory.QueryPairs + g * memory.QueryPairsPitch + block * Across(x.Size), M.Rows);
        Packing.Pack<M, BFloat16, float, V>(gradO, x.GradO.Column, x.GradO.Row, x.ValueSize, n, memory.GradOPairs + g * memory.GradOPairsPitch + block * Across(x.ValueSize), M.Rows);
        Deltas(x, memory, o + i * x.O.Row, gradO, n, memory.Delta + g * memory.DeltaPitch + i);
    }

    /// <summary>D = Σ dO · O by query, in <see cref="AttentionLanes{T, S}.Dots"/>'s chains.</summary>
    static void Deltas(in AttentionOf<BFloat16, float> x, in Memory memory, BFloat16* o, BFloat16* g, long count, float* delta)
    {
        if (x.O.Column == 1 && x.GradO.Column == 1 && x.ValueSize % AttentionLanes<float, S>.Chains == 0)
        {
            AttentionLanes<float, S>.DotsOfHalves(count, x.ValueSize, (ushort*)o, (nint)x.O.Row, (ushort*)g, (nint)x.GradO.Row, delta);
            return;
        }
        int columns = (int)Up(x.ValueSize, AttentionLanes<float, S>.Chains);
        float* a = memory.Turned, b = a + columns;
        Clear(a, 2 * columns); // what follows a row's end stays zero
        for (long r = 0; r < count; r++)
        {
            Narrow<BFloat16, float>.Widen(o + r * x.O.Row, x.O.Column, a, x.ValueSize);
            Narrow<BFloat16, float>.Widen(g + r * x.GradO.Row, x.GradO.Column, b, x.ValueSize);
            AttentionLanes<float, S>.Dots(1, columns, a, columns, b, columns, delta + r);
        }
    }

    static void Clear(float* p, long count)
    {
        for (long i = 0; i < count; i += int.MaxValue) new Span<float>(p + i, (int)Math.Min(int.MaxValue, count - i)).Clear();
    }

    /// <summary>A block of keys and all queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Keys(in AttentionOf<BFloat16, float> x, in Memory memory, long item, long j, int n)
    {
        BFloat16* keys = x.K.Of(x.Sizes, item, 0), values = x.V.Of(x.Sizes, item, 0);
        Packing.Pack<M, BFloat16, float, V>(keys + j * x.K.Row, x.K.Row, x.K.Column, n, x.Size, memory.Keys, Width);
        Packing.Pack<M, BFloat16, float, V>(values + j * x.V.Row, x.V.Row, x.V.Column, n, x.ValueSize, memory.Values, Width);
        Packing.Pack<M, BFloat16, float, V>(keys + j * x.K.Row, x.K.Column, x.K.Row, x.Size, n, memory.KeyPairs, (int)RowOf(x));
        long next = Math.Min(x.Keys, j + n + KeyBlock);
        x.K.Prefetch(keys, j + n, next, x.Size);
        x.V.Prefetch(values, j + n, next, x.ValueSize);
        x.GradK.Prefetch(x.GradK.Of(x.Sizes, item, 0), j, j + n, x.Size);
        x.GradV.Prefetch(x.GradV.Of(x.Sizes, item, 0), j, j + n, x.ValueSize);
        // so for keys that no query sees
        if (Adds(x) || x.IsCausal && j + n > x.Queries)
        {
            Clear(memory.GradK, Up(n, Width) * x.Size);
            Clear(memory.GradV, Up(n, Width) * x.ValueSize);
        }
        for (int g = 0; g < x.Groups; g++)
            for (long i = x.FirstQuery(j) / QueryBlock * QueryBlock, end = x.EndQuery(j + n - 1); i < end; i += QueryBlock)
                Block(x, memory, item, g, i, (int)Math.Min(QueryBlock, end - i), j, n);
        Give(memory, x.GradK.Of(x.Sizes, item, 0) + j * x.GradK.Row, x.GradK.Row, memory.GradK, n, x.Size, x.Scale);
        Give(memory, x.GradV.Of(x.Sizes, item, 0) + j * x.GradV.Row, x.GradV.Row, memory.GradV, n, x.ValueSize, 1);
    }

    /// <summary>True if gradients are cleared and added to, since not every sum begins in the same block.</summary>
    static bool Adds(in AttentionOf<BFloat16, float> x) => x.Window > 0 || x.Shift != 0;

    /// <summary>Panels [column][row] of a gradient, rounded into its rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Give(in Memory memory, BFloat16* target, long row, float* panels, long rows, int columns, double scale)
    {
        if (scale != 1) AttentionLanes<float, S>.Scale(Up(rows, Width) * columns, panels, scale);
        for (long i = 0; i < rows; i += Width)
        {
            int h = (int)Math.Min(Width, rows - i);
            Packing.Turn(panels + i * columns, Width, columns, h, memory.Turned, columns);
            Narrow<BFloat16, float>.Put(memory.Turned, columns, h, columns, target + i * row, (nint)row);
        }
    }

    /// <summary>A block of keys and the first <paramref name="h"/> of a block of queries. Rows of queries that all come before the keys are left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Block(in AttentionOf<BFloat16, float> x, in Memory memory, long item, int group, long i, int h, long j, int n)
    {
        int first = (int)Math.Max(0, x.FirstQuery(j) - i) / M.Rows * M.Rows;
        if (first >= h) return;
        for (int t = 0; t < n; t += Width) Tile(x, memory, item, group, i, first, h, j + t, Math.Min(Width, n - t), t);
        float* gradient = memory.GradQ + group * memory.GradQPitch + i * RowOf(x);
        nint row = (nint)RowOf(x);
        var into = j == 0 && !Adds(x) ? Into.Store : Into.Add;
        int all = (int)RowOf(x) / M.Lanes, turns = (all + M.Vectors - 1) / M.Vectors;
        for (int turn = 0, v = 0; turn < turns; turn++)
        {
            // 4 vectors are 2 + 2, not 3 + 1
            int vectors = (all - v + turns - turn - 1) / (turns - turn);
            for (int r = first; r < h; r += M.Rows)
                new RowKernel<M, float, V>(Math.Min(M.Rows, h - r), vectors).Run(Pairs(Math.Clamp(x.Seen(i + r + M.Rows - 1) - j, 1, n)), memory.Rows + r * RowPitch, memory.KeyPairs + v * M.Lanes, row, gradient + r * row + v * M.Lanes, row, into);
            v += vectors;
        }
    }

    /// <summary>A register block's width of keys, <paramref name="offset"/> into their block, and the rows of a block of queries from <paramref name="first"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(in AttentionOf<BFloat16, float> x, in Memory memory, long item, int group, long i, int first, int h, long j, int w, int offset)
    {
        int rows = M.Rows, start = (int)Math.Max(0, x.FirstQuery(j) - i) / rows * rows, end = (int)Math.Min(h, x.EndQuery(j + w - 1) - i), vectors = (w + M.Lanes - 1) / M.Lanes;
        ushort* gradients = (ushort*)memory.Rows + offset;
        for (int r = first; r < Math.Min(start, h); r++) new Span<ushort>(gradients + r * 2 * RowPitch, Width).Clear();
        for (int r = Math.Max(first, end); r < h; r++) new Span<ushort>(gradients + r * 2 * RowPitch, Width).Clear();
        if (start >= end) return;
        for (int r = start; r < end; r += rows) Rows(x, memory, item, group, i, r, Math.Min(rows, end - r), j, w, offset);
        // the pair of the last of an odd number of keys
        if (w % 2 == 1)
            for (int r = start; r < end; r++) gradients[r * 2 * RowPitch + w] = 0;
        long block = i / QueryBlock;
        var into = group == 0 && !Adds(x) && block == (x.IsCausal ? j / QueryBlock : 0) ? Into.Store : Into.Add;
        nint panel = Pairs(Math.Min(QueryBlock, x.Queries - i));
        float* gradO = memory.GradOPairs + group * memory.GradOPairsPitch + block * Across(x.ValueSize), queries = memory.QueryPairs + group * memory.QueryPairsPitch + block * Across(x.Size);
        for (int v = 0, next; v < vectors; v = next)
        {
            // a vector of keys meets the rows that see some of them, from an even one on, and one pair at least: it stores
            int lane = v * M.Lanes, seen = (int)Math.Clamp(x.FirstQuery(j + lane) - i, start, end - 1) / 2 * 2;
            next = x.FirstQuery(j + w - 1) <= i + start ? vectors : v + 1;
            Accumulate(x.ValueSize, panel, seen, end, gradO, memory.Weights + lane, memory.GradV + offset * x.ValueSize + lane, next - v, into);
            Accumulate(x.Size, panel, seen, end, queries, memory.Gradients + lane, memory.GradK + offset * x.Size + lane, next - v, into);
        }
    }

    /// <summary>C[columns × width] = or += Aᵀ · B, of a block's rows those from <paramref name="start"/> to <paramref name="end"/>, in pairs, of which a panel has so many.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Accumulate(int columns, nint panel, int start, int end, float* a, float* b, float* c, int vectors, Into into)
    {
        nint steps = Pairs(end) - start / 2;
        a += start / 2 * M.Rows;
        b += start / 2 * Width;
        var whole = new PanelKernel<M, float, V>(M.Rows, vectors);
        for (int d = 0; d < columns; d += M.Rows)
            (columns - d >= M.Rows ? whole : new PanelKernel<M, float, V>(columns - d, vectors)).Run(steps, a + d * panel, b, c + d * Width, Width, into);
    }

    /// <summary>A register block's rows of queries: scores and gradients of the weights, and what they become.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rows(in AttentionOf<BFloat16, float> x, in Memory memory, long item, int group, long i, int r, int count, long j, int w, int offset)
    {
        int rows = M.Rows, width = Width, vectors = (w + M.Lanes - 1) / M.Lanes;
        long q = i + r;
        float* scores = memory.Scores, gradients = memory.GradWeights;
        var kernel = new PanelKernel<M, float, V>(rows, x.IsCausal ? (int)Math.Clamp((x.Shift + q + rows - 1 - j) / M.Lanes + 1, 1, vectors) : vectors);
        kernel.Run(Pairs(x.Size), memory.Queries + group * memory.QueriesPitch + q * Pairs(x.Size), memory.Keys + offset * Pairs(x.Size), scores, width, Into.Store);
        kernel.Run(Pairs(x.ValueSize), memory.GradO + group * memory.GradOPitch + q * Pairs(x.ValueSize), memory.Values + offset * Pairs(x.ValueSize), gradients, width, Into.Store);
        if (!(x.Scale > 0)) AttentionLanes<float, S>.Scale(rows * width, scores, Math.Sign(x.Scale));
        if (x.IsMasked)
        {
            AttentionMask<M, BFloat16, float, V>.Load(x, item, group, q, j, count, w, queriesInLanes: false, memory.Bias, width);
            AttentionLanes<float, S>.Exponents(count, vectors, memory.Bias, width);
        }
        if (x.IsDropped) AttentionDropout<BFloat16, float>.Numbers(x, item, group, q, j, count, w, memory.Uniform, width);
        long seen = x.Shift + q - j + 1;
        AttentionLanes<float, S>.GradientPairs(count, vectors, scores, gradients, width, Attention.FactorOf(x.Scale), x.IsMasked ? memory.Bias : null, x.IsDropped ? memory.Uniform : null, x.Dropout,
            x.LogSum + (item * x.Groups + group) * x.Queries + q, memory.Delta + group * memory.DeltaPitch + q, x.Window > 0 ? seen - x.Window : -count, x.IsCausal ? seen : width,
            memory.Weights + r / 2 * width, memory.Gradients + r / 2 * width, (ushort*)memory.Rows + r * 2 * RowPitch + offset, 2 * RowPitch);
    }
}
