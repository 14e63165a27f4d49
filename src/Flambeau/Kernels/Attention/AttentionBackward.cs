using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Backward, from the operands, the result and log₂ Σ 2^score. Keys are in the lanes: S and dP [query][key] come of Q · Kᵀ and dO · Vᵀ; P = 2^(S − L), dS = P (dP − D), D = Σ dO · O, with dropout dP and the P of dV of what was kept;
/// dVᵀ += dOᵀ · P and dKᵀ += Qᵀ · dS read dO and Q in place, and so does dQ += dS · K with K. A block of keys meets all queries before the next one begins.
/// </summary>
internal static unsafe class AttentionBackward<M, T, V, S> where M : ILaneMath<T, V> where T : unmanaged where V : struct where S : ILanes<S>
{
    static int Width => M.Lanes * M.Vectors;

    public static void Run(AttentionOf<T, T>[] all) => AttentionParts<Items, T, T>.Run(all);

    struct Items : IAttentionPieces<T, T>
    {
        public static long Count(in AttentionOf<T, T> x) => x.Items;

        public static double Weight => 2.5;

        public static void Run(in AttentionOf<T, T> x, long from, long to)
        {
            var memory = new Memory(x);
            for (long item = from; item < to; item++) Item(x, memory, item);
        }
    }

    /// <summary>What a part computes in. By group: packed queries and gradients of the result, rows of dQ, D.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, GradO, GradQ, Delta, Keys, Values, GradK, GradV, Weights, Scores, Bias, Uniform, KeyRows;
        /// <summary>Elements of a group.</summary>
        public readonly long QueriesPitch, GradOPitch, GradQPitch;

        public Memory(in AttentionOf<T, T> x)
        {
            long padded = Up(x.Queries, M.Rows);
            (QueriesPitch, GradOPitch, GradQPitch) = (padded * x.Size, padded * x.ValueSize, padded * RowOf(x));
            const int Tile = Attention.GradKeyBlock * Attention.GradQueryBlock;
            long keys = Attention.GradKeyBlock * RowOf(x), values = Attention.GradKeyBlock * (long)x.ValueSize;
            long all = x.Groups * (QueriesPitch + GradOPitch + GradQPitch + padded) + 3 * keys + 2 * values + 2 * Tile + ((x.IsMasked ? 1 : 0) + (x.IsDropped ? 1 : 0)) * Attention.GradQueryBlock * Width;
            T* at = (T*)Scratch.Rent(Slot.A, (all + 13 * 16) * sizeof(T));
            Keys = Take(keys);
            Values = Take(values);
            GradK = Take(keys);
            GradV = Take(values);
            Weights = Take(Tile);
            Scores = Take(Tile);
            KeyRows = Take(keys);
            Bias = Take(x.IsMasked ? Attention.GradQueryBlock * Width : 0);
            Uniform = Take(x.IsDropped ? Attention.GradQueryBlock * Width : 0);
            Queries = Take(x.Groups * QueriesPitch);
            GradO = Take(x.Groups * GradOPitch);
            GradQ = Take(x.Groups * GradQPitch);
            Delta = Take(x.Groups * padded);

            T* Take(long elements)
            {
                T* taken = at;
                at += Up(elements, 16);
                return taken;
            }
        }
    }

    /// <summary>Elements of a row of dQ: whole vectors.</summary>
    static long RowOf(in AttentionOf<T, T> x) => Up(x.Size, M.Lanes);

    static long Up(long size, long unit) => (size + unit - 1) / unit * unit;

    static void Item(in AttentionOf<T, T> x, in Memory memory, long item)
    {
        for (int g = 0; g < x.Groups; g++)
        {
            T* queries = x.Q.Of(x.Sizes, item, g), gradO = x.GradO.Of(x.Sizes, item, g), o = x.O.Of(x.Sizes, item, g);
            const int Ahead = Attention.GradQueryBlock;
            for (long i = 0; i < x.Queries; i += Ahead)
            {
                long n = Math.Min(Ahead, x.Queries - i), next = Math.Min(x.Queries, i + 2 * Ahead);
                x.Q.Prefetch(queries, i + Ahead, next, x.Size);
                x.GradO.Prefetch(gradO, i + Ahead, next, x.ValueSize);
                x.O.Prefetch(o, i + Ahead, next, x.ValueSize);
                Packing.Pack<M, T, V>(queries + i * x.Q.Row, x.Q.Row, x.Q.Column, n, x.Size, memory.Queries + g * memory.QueriesPitch + i * x.Size, M.Rows);
                Packing.Pack<M, T, V>(gradO + i * x.GradO.Row, x.GradO.Row, x.GradO.Column, n, x.ValueSize, memory.GradO + g * memory.GradOPitch + i * x.ValueSize, M.Rows);
                Deltas(x, o + i * x.O.Row, gradO + i * x.GradO.Row, n, memory.Delta + g * x.Queries + i);
            }
        }
        Clear(memory.GradQ, x.Groups * memory.GradQPitch);
        for (long j = 0; j < x.Keys; j += Attention.GradKeyBlock) Keys(x, memory, item, j, (int)Math.Min(Attention.GradKeyBlock, x.Keys - j));
        for (int g = 0; g < x.Groups; g++)
        {
            T* rows = memory.GradQ + g * memory.GradQPitch, target = x.GradQ.Of(x.Sizes, item, g);
            AttentionLanes<T, S>.Scale(x.Queries * RowOf(x), rows, x.Scale);
            for (long i = 0; i < x.Queries; i++) new Span<T>(rows + i * RowOf(x), x.Size).CopyTo(new Span<T>(target + i * x.GradQ.Row, x.Size));
        }
    }

    static void Clear(T* p, long count)
    {
        for (long i = 0; i < count; i += int.MaxValue) new Span<T>(p + i, (int)Math.Min(int.MaxValue, count - i)).Clear();
    }

    /// <summary>Panels [column][row] of a gradient into its rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Give(T* target, long row, T* panels, long rows, int columns, double scale)
    {
        if (scale != 1) AttentionLanes<T, S>.Scale(Up(rows, Width) * columns, panels, scale);
        for (long i = 0; i < rows; i += Width) Packing.Turn(panels + i * columns, Width, columns, (int)Math.Min(Width, rows - i), target + i * row, (nint)row);
    }

    /// <summary>D = Σ dO · O by query: 16 chains, column d in chain d mod 16, joined by halves.</summary>
    static void Deltas(in AttentionOf<T, T> x, T* o, T* g, long count, T* delta)
    {
        if (x.O.Column == 1 && x.GradO.Column == 1 && x.ValueSize % AttentionLanes<T, S>.Chains == 0)
            AttentionLanes<T, S>.Dots(count, x.ValueSize, o, (nint)x.O.Row, g, (nint)x.GradO.Row, delta);
        else
            for (long i = 0; i < count; i++) delta[i] = AttentionLanes<T, S>.Dot(x.ValueSize, o + i * x.O.Row, (nint)x.O.Column, g + i * x.GradO.Row, (nint)x.GradO.Column);
    }

    /// <summary>A block of keys and all queries.</summary>
    static void Keys(in AttentionOf<T, T> x, in Memory memory, long item, long j, int n)
    {
        T* keys = x.K.Of(x.Sizes, item, 0), values = x.V.Of(x.Sizes, item, 0);
        Packing.Pack<M, T, V>(keys + j * x.K.Row, x.K.Row, x.K.Column, n, x.Size, memory.Keys, Width);
        Packing.Pack<M, T, V>(values + j * x.V.Row, x.V.Row, x.V.Column, n, x.ValueSize, memory.Values, Width);
        x.K.Prefetch(keys, j + n, Math.Min(x.Keys, j + n + Attention.GradKeyBlock), x.Size);
        x.V.Prefetch(values, j + n, Math.Min(x.Keys, j + n + Attention.GradKeyBlock), x.ValueSize);
        x.GradK.Prefetch(x.GradK.Of(x.Sizes, item, 0), j, j + n, x.Size);
        x.GradV.Prefetch(x.GradV.Of(x.Sizes, item, 0), j, j + n, x.ValueSize);
        long lanes = Up(n, Width);
        AttentionLanes<T, S>.Scale(lanes * x.Size, memory.Keys, x.Scale / Math.Log(2));
        Clear(memory.GradK, lanes * x.Size);
        Clear(memory.GradV, lanes * x.ValueSize);
        if (!ReadsKeysInPlace(x))
            for (int r = 0; r < n; r++) CopyRow(keys + (j + r) * x.K.Row, x.K.Column, x.Size, memory.KeyRows + r * RowOf(x));
        for (int g = 0; g < x.Groups; g++)
            for (long i = x.FirstQuery(j) / Attention.GradQueryBlock * Attention.GradQueryBlock, end = x.EndQuery(j + n - 1); i < end; i += Attention.GradQueryBlock)
                Block(x, memory, item, g, i, (int)Math.Min(Attention.GradQueryBlock, end - i), j, n);
        Give(x.GradK.Of(x.Sizes, item, 0) + j * x.GradK.Row, x.GradK.Row, memory.GradK, n, x.Size, x.Scale);
        Give(x.GradV.Of(x.Sizes, item, 0) + j * x.GradV.Row, x.GradV.Row, memory.GradV, n, x.ValueSize, 1);
    }

    /// <summary>True if rows of K are whole vectors side by side.</summary>
    static bool ReadsKeysInPlace(in AttentionOf<T, T> x) => x.K.Column == 1 && x.Size % M.Lanes == 0;

    static void CopyRow(T* source, long step, int count, T* target)
    {
        for (int d = 0; d < count; d++) target[d] = source[d * step];
        for (long d = count; d < Up(count, M.Lanes); d++) target[d] = default;
    }

    /// <summary>A block of keys and the first <paramref name="h"/> of a block of queries. Rows of queries that all come before the keys are left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Block(in AttentionOf<T, T> x, in Memory memory, long item, int group, long i, int h, long j, int n)
    {
        int first = (int)Math.Max(0, x.FirstQuery(j) - i) / M.Rows * M.Rows;
        if (first >= h) return;
        for (int t = 0; t < n; t += Width) Tile(x, memory, item, group, i, first, h, j + t, Math.Min(Width, n - t), t);
        bool inPlace = ReadsKeysInPlace(x);
        T* keys = inPlace ? x.K.Of(x.Sizes, item, 0) + j * x.K.Row : memory.KeyRows, gradient = memory.GradQ + group * memory.GradQPitch + i * RowOf(x);
        nint step = inPlace ? (nint)x.K.Row : (nint)RowOf(x), row = (nint)RowOf(x);
        int all = (int)RowOf(x) / M.Lanes, turns = (all + M.Vectors - 1) / M.Vectors;
        for (int turn = 0, v = 0; turn < turns; turn++)
        {
            // 4 vectors are 2 + 2, not 3 + 1
            int vectors = (all - v + turns - turn - 1) / (turns - turn);
            for (int r = first; r < h; r += M.Rows)
                KernelTable<M, T, V>.Get(Math.Min(M.Rows, h - r), vectors)((nint)Math.Clamp(x.Seen(i + r + M.Rows - 1) - j, 1, n), memory.Scores + r * Pitch, Pitch, 1, keys + v * M.Lanes, step, gradient + r * row + v * M.Lanes, row, Into.Add);
            v += vectors;
        }
    }

    static int Vectors(int lanes) => (lanes + M.Lanes - 1) / M.Lanes;

    /// <summary>From row to row of a tile of scores.</summary>
    const int Pitch = Attention.GradKeyBlock;

    /// <summary>A register block's width of keys, <paramref name="offset"/> into their block, and the rows of a block of queries from <paramref name="first"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(in AttentionOf<T, T> x, in Memory memory, long item, int group, long i, int first, int h, long j, int w, int offset)
    {
        int rows = M.Rows, width = Width, vectors = Vectors(w), start = (int)Math.Max(0, x.FirstQuery(j) - i) / rows * rows, end = (int)Math.Min(h, x.EndQuery(j + w - 1) - i);
        T* scores = memory.Weights + offset, gradients = memory.Scores + offset;
        T* keys = memory.Keys + offset * x.Size, values = memory.Values + offset * x.ValueSize;
        T* queries = memory.Queries + group * memory.QueriesPitch + i * x.Size, gradO = memory.GradO + group * memory.GradOPitch + i * x.ValueSize;
        for (int r = first; r < Math.Min(start, h); r++) new Span<T>(gradients + r * Pitch, width).Clear();
        int count = end - start;
        for (int r = start; r < end; r += rows)
        {
            int v = x.IsCausal ? (int)Math.Clamp((x.Shift + i + r + rows - 1 - j) / M.Lanes + 1, 1, vectors) : vectors;
            var kernel = KernelTable<M, T, V>.Get(rows, v);
            kernel(x.Size, queries + r * x.Size, 1, rows, keys, width, scores + r * Pitch, Pitch, Into.Store);
            kernel(x.ValueSize, gradO + r * x.ValueSize, 1, rows, values, width, gradients + r * Pitch, Pitch, Into.Store);
        }
        // after the products, whose last rows may lie beyond
        for (int r = Math.Max(first, end); r < h; r++) new Span<T>(gradients + r * Pitch, width).Clear();
        if (count <= 0) return;
        scores += start * Pitch;
        gradients += start * Pitch;
        i += start;
        if (x.IsMasked)
        {
            AttentionMask<M, T, T, V>.Load(x, item, group, i, j, count, w, queriesInLanes: false, memory.Bias, width);
            AttentionLanes<T, S>.AddBias(count, vectors, scores, Pitch, memory.Bias, width);
        }
        T* logSum = x.LogSum + (item * x.Groups + group) * x.Queries + i, delta = memory.Delta + group * x.Queries + i;
        if (x.IsDropped)
        {
            AttentionDropout<T, T>.Numbers(x, item, group, i, j, count, w, memory.Uniform, width);
            AttentionLanes<T, S>.Drop(count, vectors, gradients, Pitch, memory.Uniform, width, x.Dropout);
        }
        long seen = x.Shift + i - j + 1;
        AttentionLanes<T, S>.Gradients(count, vectors, scores, gradients, Pitch, logSum, delta, x.Window > 0 ? seen - x.Window : -count, x.IsCausal ? seen : width);
        // the weights that met the values
        if (x.IsDropped) AttentionLanes<T, S>.Drop(count, vectors, scores, Pitch, memory.Uniform, width, x.Dropout);
        T* gradV = memory.GradV + offset * x.ValueSize, gradK = memory.GradK + offset * x.Size;
        for (int v = 0, next; v < vectors; v = next)
        {
            // a vector of keys meets the rows that see some of them
            int lane = v * M.Lanes, unseen = (int)Math.Max(0, x.FirstQuery(j + lane) - i);
            next = x.FirstQuery(j + w - 1) <= i ? vectors : v + 1;
            if (unseen >= count) break;
            long row = i + unseen;
            Accumulate<M, T, V>.Rows(x.ValueSize, count - unseen, x.GradO.Of(x.Sizes, item, group) + row * x.GradO.Row, x.GradO.Column, x.GradO.Row, scores + unseen * Pitch + lane, Pitch, gradV + lane, width, next - v, Into.Add);
            Accumulate<M, T, V>.Rows(x.Size, count - unseen, x.Q.Of(x.Sizes, item, group) + row * x.Q.Row, x.Q.Column, x.Q.Row, gradients + unseen * Pitch + lane, Pitch, gradK + lane, width, next - v, Into.Add);
        }
    }
}
