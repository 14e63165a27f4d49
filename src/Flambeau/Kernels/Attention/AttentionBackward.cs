using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Backward, from the operands, the result and log₂ Σ 2^score. Keys are in the lanes: S and dP [query][key] come of Q · Kᵀ and dO · Vᵀ; P = 2^(S − L), dS = P (dP − D), D = Σ dO · O;
/// dVᵀ += dOᵀ · P and dKᵀ += Qᵀ · dS read dO and Q in place; dS alone is transposed, for dQᵀ += Kᵀ · dSᵀ. A block of keys meets all queries before the next one begins.
/// </summary>
internal static unsafe class AttentionBackward<M, T, V, S> where M : ILaneMath<T, V> where T : unmanaged where V : struct where S : ILanes<S>
{
    static int Width => M.Lanes * M.Vectors;

    public static void Run(in AttentionOf<T> x)
    {
        bool alone = Team.Share == 1 || !Grid.Pays(2.5 * x.Work);
        var parts = new Parts { X = x, Count = (int)Math.Min(x.Items, alone ? 1 : 8L * Team.Share) };
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
    }

    struct Parts : IPart
    {
        public AttentionOf<T> X;
        public int Count;

        public readonly void Run(int part)
        {
            var memory = new Memory(X);
            for (long item = X.Items * part / Count; item < X.Items * (part + 1) / Count; item++) Item(X, memory, item);
        }
    }

    /// <summary>What a part computes in. By group: packed queries and gradients of the result, panels of dQᵀ, D.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, GradO, GradQ, Delta, Keys, Values, GradK, GradV, Weights, Scores, Turned, Bias;
        /// <summary>Elements of a group.</summary>
        public readonly long QueriesPitch, GradOPitch, GradQPitch;

        public Memory(in AttentionOf<T> x)
        {
            long padded = Up(x.Queries, M.Rows), panels = Up(x.Queries, Width);
            (QueriesPitch, GradOPitch, GradQPitch) = (padded * x.Size, padded * x.ValueSize, panels * x.Size);
            const int Tile = Attention.GradKeyBlock * Attention.GradQueryBlock;
            long keys = Attention.GradKeyBlock * (long)x.Size, values = Attention.GradKeyBlock * (long)x.ValueSize;
            long all = x.Groups * (QueriesPitch + GradOPitch + GradQPitch + padded) + 2 * (keys + values) + 3 * Tile + (x.IsMasked ? Attention.GradQueryBlock * Width : 0);
            T* at = (T*)Scratch.Rent(Slot.A, (all + 12 * 16) * sizeof(T));
            Keys = Take(keys);
            Values = Take(values);
            GradK = Take(keys);
            GradV = Take(values);
            Weights = Take(Tile);
            Scores = Take(Tile);
            Turned = Take(Tile);
            Bias = Take(x.IsMasked ? Attention.GradQueryBlock * Width : 0);
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

    static long Up(long size, long unit) => (size + unit - 1) / unit * unit;

    static void Item(in AttentionOf<T> x, in Memory memory, long item)
    {
        for (int g = 0; g < x.Groups; g++)
        {
            Packing.Pack<M, T, V>(x.Q.Of(x.Sizes, item, g), x.Q.Row, x.Q.Column, x.Queries, x.Size, memory.Queries + g * memory.QueriesPitch, M.Rows);
            Packing.Pack<M, T, V>(x.GradO.Of(x.Sizes, item, g), x.GradO.Row, x.GradO.Column, x.Queries, x.ValueSize, memory.GradO + g * memory.GradOPitch, M.Rows);
            Deltas(x, item, g, memory.Delta + g * x.Queries);
        }
        Clear(memory.GradQ, x.Groups * memory.GradQPitch);
        for (long j = 0; j < x.Keys; j += Attention.GradKeyBlock) Keys(x, memory, item, j, (int)Math.Min(Attention.GradKeyBlock, x.Keys - j));
        for (int g = 0; g < x.Groups; g++) Give(x.GradQ.Of(x.Sizes, item, g), x.GradQ.Row, memory.GradQ + g * memory.GradQPitch, x.Queries, x.Size, x.Scale);
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

    /// <summary>D = Σ dO · O by query, one chain in rising columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Deltas(in AttentionOf<T> x, long item, int group, T* delta)
    {
        T* o = x.O.Of(x.Sizes, item, group), g = x.GradO.Of(x.Sizes, item, group);
        long i = 0;
        for (; i + 4 <= x.Queries; i += 4) Deltas4(x.ValueSize, o + i * x.O.Row, (nint)x.O.Row, (nint)x.O.Column, g + i * x.GradO.Row, (nint)x.GradO.Row, (nint)x.GradO.Column, delta + i);
        for (; i < x.Queries; i++)
        {
            Lane<T> sum = default;
            for (int d = 0; d < x.ValueSize; d++) sum = Lane<T>.FusedMultiplyAdd(new(o[i * x.O.Row + d * x.O.Column]), new(g[i * x.GradO.Row + d * x.GradO.Column]), sum);
            delta[i] = sum.Value;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Deltas4(int columns, T* o, nint oRow, nint oColumn, T* g, nint gRow, nint gColumn, T* delta)
    {
        Lane<T> s0 = default, s1 = default, s2 = default, s3 = default;
        for (int d = 0; d < columns; d++, o += oColumn, g += gColumn)
        {
            s0 = Lane<T>.FusedMultiplyAdd(new(o[0]), new(g[0]), s0);
            s1 = Lane<T>.FusedMultiplyAdd(new(o[oRow]), new(g[gRow]), s1);
            s2 = Lane<T>.FusedMultiplyAdd(new(o[2 * oRow]), new(g[2 * gRow]), s2);
            s3 = Lane<T>.FusedMultiplyAdd(new(o[3 * oRow]), new(g[3 * gRow]), s3);
        }
        (delta[0], delta[1], delta[2], delta[3]) = (s0.Value, s1.Value, s2.Value, s3.Value);
    }

    /// <summary>A block of keys and all queries.</summary>
    static void Keys(in AttentionOf<T> x, in Memory memory, long item, long j, int n)
    {
        Packing.Pack<M, T, V>(x.K.Of(x.Sizes, item, 0) + j * x.K.Row, x.K.Row, x.K.Column, n, x.Size, memory.Keys, Width);
        Packing.Pack<M, T, V>(x.V.Of(x.Sizes, item, 0) + j * x.V.Row, x.V.Row, x.V.Column, n, x.ValueSize, memory.Values, Width);
        long lanes = Up(n, Width);
        AttentionLanes<T, S>.Scale(lanes * x.Size, memory.Keys, x.Scale / Math.Log(2));
        Clear(memory.GradK, lanes * x.Size);
        Clear(memory.GradV, lanes * x.ValueSize);
        for (int g = 0; g < x.Groups; g++)
            for (long i = x.IsCausal ? j / Attention.GradQueryBlock * Attention.GradQueryBlock : 0; i < x.Queries; i += Attention.GradQueryBlock)
                Block(x, memory, item, g, i, (int)Math.Min(Attention.GradQueryBlock, x.Queries - i), j, n);
        Give(x.GradK.Of(x.Sizes, item, 0) + j * x.GradK.Row, x.GradK.Row, memory.GradK, n, x.Size, x.Scale);
        Give(x.GradV.Of(x.Sizes, item, 0) + j * x.GradV.Row, x.GradV.Row, memory.GradV, n, x.ValueSize, 1);
    }

    /// <summary>A block of keys and one of queries. Panels of queries that all come before the keys are left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Block(in AttentionOf<T> x, in Memory memory, long item, int group, long i, int h, long j, int n)
    {
        int width = Width, first = x.IsCausal ? (int)Math.Max(0, j - i) / width * width : 0;
        if (first >= h) return;
        for (int t = 0; t < n; t += width) Tile(x, memory, item, group, i, first, h, j + t, Math.Min(width, n - t), t);
        T* keys = x.K.Of(x.Sizes, item, 0) + j * x.K.Row, gradient = memory.GradQ + group * memory.GradQPitch;
        for (int r = first; r < h; r += width)
            Accumulate<M, T, V>.Rows(x.Size, n, keys, x.K.Column, x.K.Row, memory.Turned + r * Attention.GradKeyBlock, gradient + (i + r) * x.Size, width, Vectors(Math.Min(width, h - r)), Into.Add);
    }

    static int Vectors(int lanes) => (lanes + M.Lanes - 1) / M.Lanes;

    /// <summary>A register block's width of keys, <paramref name="offset"/> into their block, and the rows of a block of queries from <paramref name="first"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(in AttentionOf<T> x, in Memory memory, long item, int group, long i, int first, int h, long j, int w, int offset)
    {
        int rows = M.Rows, width = Width, vectors = Vectors(w), start = x.IsCausal ? (int)Math.Max(0, j - i) / rows * rows : 0;
        T* scores = memory.Weights + offset * Attention.GradQueryBlock, gradients = memory.Scores + offset * Attention.GradQueryBlock;
        T* keys = memory.Keys + offset * x.Size, values = memory.Values + offset * x.ValueSize;
        T* queries = memory.Queries + group * memory.QueriesPitch + i * x.Size, gradO = memory.GradO + group * memory.GradOPitch + i * x.ValueSize;
        for (int r = start; r < h; r += rows)
        {
            int v = x.IsCausal ? (int)Math.Clamp((i + r + rows - 1 - j) / M.Lanes + 1, 1, vectors) : vectors;
            var kernel = KernelTable<M, T, V>.Get(rows, v);
            kernel(x.Size, queries + r * x.Size, 1, rows, keys, width, scores + r * width, width, Into.Store);
            kernel(x.ValueSize, gradO + r * x.ValueSize, 1, rows, values, width, gradients + r * width, width, Into.Store);
        }
        int count = h - start;
        if (count > 0)
        {
            if (x.IsMasked)
            {
                AttentionMask<M, T, V>.Load(x, item, group, i + start, j, count, w, queriesInLanes: false, memory.Bias, width);
                AttentionLanes<T, S>.AddBias(count, vectors, scores + start * width, memory.Bias, width);
            }
            long logSum = (item * x.Groups + group) * x.Queries + i + start, delta = group * x.Queries + i + start;
            AttentionLanes<T, S>.Gradients(count, vectors, scores + start * width, gradients + start * width, width, x.LogSum + logSum, memory.Delta + delta, x.IsCausal ? i + start - j + 1 : width);
            Accumulate<M, T, V>.Rows(x.ValueSize, count, x.GradO.Of(x.Sizes, item, group) + (i + start) * x.GradO.Row, x.GradO.Column, x.GradO.Row, scores + start * width, memory.GradV + offset * x.ValueSize, width, vectors, Into.Add);
            Accumulate<M, T, V>.Rows(x.Size, count, x.Q.Of(x.Sizes, item, group) + (i + start) * x.Q.Row, x.Q.Column, x.Q.Row, gradients + start * width, memory.GradK + offset * x.Size, width, vectors, Into.Add);
        }
        if (start > first) new Span<T>(gradients + first * width, (Math.Min(start, h) - first) * width).Clear();
        for (int r = first; r < h; r += width)
            Packing.Turn(gradients + r * width, width, Math.Min(width, h - r), w, memory.Turned + r * Attention.GradKeyBlock + offset * width, width);
    }
}
