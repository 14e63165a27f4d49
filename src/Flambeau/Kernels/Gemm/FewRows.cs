using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Products with few rows, where B is read once and its bandwidth is the limit. C's columns lie side by side; columns are spread over the team.
/// <list type="bullet">
/// <item><see cref="Tiles"/> for B with k side by side (weights n × k): a panel's next piece of k is transposed into first-level cache and every group of rows goes on with its chains against it.</item>
/// <item><see cref="Sweep"/> for B with columns side by side (weights k × n): eight rows of B at a time, sums of many columns in first-level cache.</item>
/// </list>
/// </summary>
internal static unsafe class FewRows<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    /// <summary>Steps of k in a tile: with a register block's columns a quarter of the first-level cache, and long enough for a row to be read in a stream.</summary>
    static int TileK => Width * sizeof(T) > 64 ? 64 : 128;
    /// <summary>Bytes of running sums that stay in first-level cache during a sweep.</summary>
    const int SumBytes = 16 << 10;

    static int Width => M.Lanes * M.Vectors;

    static bool IsNarrow => typeof(S) != typeof(T);

    public static void Multiply(in Product<S> x)
    {
        bool sweep = !IsNarrow && x.BCol == 1;
        int unit = sweep ? M.Lanes * 16 : Width;
        long units = (x.N + unit - 1) / unit;
        var parts = new Parts { Whole = x, Sweep = sweep, Unit = unit, Count = 1 };
        int threads = Team.Share;
        if (threads > 1 && x.Work >= Grid.ParallelBytes / sizeof(S)) parts.Count = (int)Math.Min(units, (IsNarrow && x.BCol == 1 ? 1L : 4L) * threads);
        if (IsNarrow) parts.Rows = PackRows(x);
        else if (!sweep && x.M > 1)
        {
            parts.Whole.A = (S*)PackRows(x);
            parts.Whole.ARow = x.K;
            parts.Whole.ACol = M.Rows;
        }
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
    }

    struct Parts : IPart
    {
        public Product<S> Whole;
        /// <summary>A in panels, for <see cref="NarrowTiles"/>.</summary>
        public T* Rows;
        public bool Sweep;
        public int Unit, Count;

        public readonly void Run(int part)
        {
            long units = (Whole.N + Unit - 1) / Unit;
            long j0 = units * part / Count * Unit, j1 = Math.Min(Whole.N, units * (part + 1) / Count * Unit);
            if (j0 >= j1) return;
            var mine = Whole.Part(0, Whole.M, j0, j1);
            if (IsNarrow) NarrowTiles(mine, Rows);
            else if (Sweep) FewRows<M, S, T, V>.Sweep(mine.As<T>());
            else Tiles(mine.As<T>(), Whole.M > 1);
        }
    }

    /// <summary>
    /// Brings A into panels of a register block's rows, for all parts to read: rows a power of two apart would fight over one cache set.
    /// Panel i / Rows then begins at i · K, K in elements of the panel, and Rows leads from step to step.
    /// </summary>
    static T* PackRows(in Product<S> x)
    {
        T* a = (T*)Scratch.Rent(Slot.A, (x.M + M.Rows) * (x.K + 1) * sizeof(T));
        Packing.PackRows<M, S, T, V>(x.A, x.ARow, x.ACol, x.M, x.K, a);
        return a;
    }

    /// <summary>Elements of k in a tile where columns lie side by side; it has as many columns as second-level cache holds, tile and sums a quarter each, so that reading runs along rows.</summary>
    const int WideTileK = 16;

    static long Across(long m) => Math.Max(1, Processor.L2 / 4 / sizeof(T) / Math.Max(m, WideTileK) / Width) * Width;

    /// <summary>As <see cref="Tiles"/> for elements that are packed into others; the sums are rounded into C when they are complete. Where columns lie side by side several panels are packed at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void NarrowTiles(in Product<S> x, T* a)
    {
        int width = Width, rows = M.Rows, tileK = x.BCol == 1 ? WideTileK : TileK, blockK = Gemm.BlockK * M.Pairing;
        long span = x.BCol == 1 ? Math.Min(Across(x.M), (x.N + width - 1) / width * width) : width, kElements = (x.K + M.Pairing - 1) / M.Pairing;
        // below the sums of m rows, where they need it, those of a row of 128s
        nint m = (nint)x.M, made = Narrow<S, T>.IsShifted ? m + 1 : m;
        T* tile = (T*)Scratch.Rent(Slot.B, tileK * span * sizeof(T)), totals = (T*)Scratch.Rent(Slot.Tile, 2 * made * span * sizeof(T)), sums = totals + made * span;
        for (long j = 0; j < x.N; j += span)
        {
            int n = (int)Math.Min(span, x.N - j);
            for (long block = 0; block < x.K; block += blockK)
            {
                long end = Math.Min(x.K, block + blockK);
                // the first block's chains may grow in the totals
                T* chains = block == 0 ? totals : sums;
                for (long p = block; p < end; p += tileK * M.Pairing)
                {
                    long steps = Math.Min(tileK * M.Pairing, end - p);
                    nint k = (nint)((steps + M.Pairing - 1) / M.Pairing);
                    Packing.Pack<M, S, T, V>(x.B + p * x.BRow + j * x.BCol, x.BCol, x.BRow, n, steps, tile, width, tileK * sizeof(T));
                    Panels(m, n, k, a + p / M.Pairing * rows, (nint)kElements, tile, chains, p == block ? Into.Store : Into.Resume);
                }
                if (block > 0)
                    for (nint q = 0; q < n; q += width) Edge<M, T, V>.Put(sums + q * made, width, (int)made, width, totals + q * made, width, Into.Add);
            }
            for (int q = 0; q < n; q += width)
                Narrow<S, T>.Put(totals + q * made, width, (int)m, Math.Min(width, n - q), x.At(0, j + q), (nint)x.CRow, totals + q * made + m * width);
        }
    }

    /// <summary>Every group of rows of A goes on with its chains against each panel of a tile. A panel's sums lie together, row below row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Panels(nint m, int n, nint k, T* a, nint aRow, T* tile, T* sums, Into into)
    {
        int width = Width, rows = M.Rows;
        nint made = Narrow<S, T>.IsShifted ? m + 1 : m;
        uint last = 0x80808080;
        for (int q = 0; q < n; q += width, tile += k * width, sums += made * width)
        {
            int vectors = (Math.Min(width, n - q) + M.Lanes - 1) / M.Lanes;
            for (nint i = 0; i < m; i += rows)
                new PanelKernel<M, T, V>((int)Math.Min(rows, m - i), vectors).Run(k, a + i * aRow, rows, tile, sums + i * width, width, into);
            if (Narrow<S, T>.IsShifted) new PanelKernel<M, T, V>(1, vectors).Run(k, (T*)&last, 0, tile, sums + m * width, width, into);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tiles(in Product<T> x, bool packed)
    {
        int width = Width, rows = M.Rows, tileK = TileK;
        nint m = (nint)x.M, aRow = packed ? 1 : (nint)x.ARow;
        T* tile = (T*)Scratch.Rent(Slot.B, tileK * width * sizeof(T)), sums = (T*)Scratch.Rent(Slot.Tile, m * width * sizeof(T));
        for (long j = 0; j < x.N; j += width)
        {
            int w = (int)Math.Min(width, x.N - j), vectors = (w + M.Lanes - 1) / M.Lanes;
            bool whole = w == vectors * M.Lanes;
            T* c = (T*)x.C + j;
            for (long block = 0; block < x.K; block += Gemm.BlockK)
            {
                // the first block's chains may grow in C itself
                bool inPlace = whole && block == 0;
                T* target = inPlace ? c : sums;
                nint targetRow = inPlace ? (nint)x.CRow : width;
                long end = Math.Min(x.K, block + Gemm.BlockK);
                for (long p = block; p < end; p += tileK)
                {
                    nint k = (nint)Math.Min(tileK, end - p);
                    var into = p == block ? Into.Store : Into.Resume;
                    Packing.Pack<M, T, V>(x.B + p * x.BRow + j * x.BCol, x.BCol, x.BRow, w, k, tile, width, tileK * sizeof(T));
                    T* a = x.A + p * x.ACol;
                    for (nint i = 0; i < m; i += rows)
                        KernelTable<M, T, V>.Get((int)Math.Min(rows, m - i), vectors)(k, a + i * x.ARow, aRow, (nint)x.ACol, tile, width, target + i * targetRow, targetRow, into);
                }
                if (!inPlace) Edge<M, T, V>.Put(sums, width, (int)m, w, c, (nint)x.CRow, block == 0 ? Into.Store : Into.Add);
            }
        }
    }

    static void Sweep(in Product<T> x)
    {
        long n = x.N / M.Lanes * M.Lanes, piece = Math.Max(1, SumBytes / sizeof(T) / x.M / M.Lanes) * M.Lanes;
        T* sums = (T*)Scratch.Rent(Slot.Tile, x.M * piece * sizeof(T));
        for (long j = 0; j < n; j += piece)
        {
            nint w = (nint)Math.Min(piece, n - j);
            for (long block = 0; block < x.K; block += Gemm.BlockK)
            {
                nint k = (nint)Math.Min(Gemm.BlockK, x.K - block);
                new Span<T>(sums, checked((int)(x.M * w))).Clear();
                Chains((nint)x.M, w, k, x.A + block * x.ACol, (nint)x.ARow, (nint)x.ACol, x.B + block * x.BRow + j, (nint)x.BRow, sums);
                Edge<M, T, V>.Put(sums, w, (int)x.M, w, (T*)x.C + j, (nint)x.CRow, block == 0 ? Into.Store : Into.Add);
            }
        }
        if (n < x.N) Tiles(x.Part(0, x.M, n, x.N), false);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void EightToL2(T* row, nint bRow)
    {
        for (int r = 0; r < 8; r++, row += bRow) Prefetch.ToL2(row);
    }

    /// <summary>Goes on with the chains of <paramref name="m"/> × <paramref name="w"/> sums through <paramref name="k"/> rows of B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Chains(nint m, nint w, nint k, T* a, nint aRow, nint aCol, T* b, nint bRow, T* sums)
    {
        nint p = 0, two = 2 * bRow, three = 3 * bRow;
        for (; p + 8 <= k; p += 8, a += 8 * aCol, b += 8 * bRow)
        {
            T* low = b, high = b + 4 * bRow;
            for (nint j = 0; j < w; j += M.Lanes, low += M.Lanes, high += M.Lanes)
            {
                V b0 = M.Load(low), b1 = M.Load(low + bRow), b2 = M.Load(low + two), b3 = M.Load(low + three);
                V b4 = M.Load(high), b5 = M.Load(high + bRow), b6 = M.Load(high + two), b7 = M.Load(high + three);
                // hardware follows no steps beyond a page: the next eight rows are asked for now
                EightToL2(high + 4 * bRow, bRow);
                T* s = sums + j, row = a;
                for (nint i = 0; i < m; i++, s += w, row += aRow)
                {
                    T* e = row;
                    V u = M.FusedMultiplyAdd(M.Broadcast(e), b0, M.Load(s));
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b1, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b2, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b3, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b4, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b5, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b6, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e += aCol), b7, u);
                    M.Store(u, s);
                }
            }
        }
        for (; p < k; p++, a += aCol, b += bRow)
            for (nint i = 0; i < m; i++)
            {
                V e = M.Broadcast(a + i * aRow);
                T* s = sums + i * w;
                for (nint j = 0; j < w; j += M.Lanes) M.Store(M.FusedMultiplyAdd(e, M.Load(b + j), M.Load(s + j)), s + j);
            }
    }
}
