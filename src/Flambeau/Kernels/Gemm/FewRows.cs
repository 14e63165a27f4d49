using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Products with few rows, where B is read once and its bandwidth is the limit. C's columns lie side by side; columns are spread over the team.
/// A panel's next piece of k is transposed, or copied, into first-level cache and every group of rows goes on with its chains against it. Weights k × n are rather for <see cref="Sweep{M, T, V}"/>.
/// </summary>
internal static unsafe class FewRows<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    /// <summary>Steps of k in a tile: with a register block's columns a quarter of the first-level cache, and long enough for a row to be read in a stream.</summary>
    static int TileK => Width * sizeof(T) > 64 ? 64 : 128;

    static int Width => M.Lanes * M.Vectors;

    static bool IsNarrow => typeof(S) != typeof(T);

    public static void Multiply(in Product<S> x)
    {
        long units = (x.N + Width - 1) / Width;
        var parts = new Parts { Whole = x, Count = 1 };
        if (Grid.Shares(x)) parts.Count = (int)Math.Min(units, (IsNarrow && x.BCol == 1 ? 1L : 4L) * Team.Share);
        if (IsNarrow) parts.Rows = PackRows(x);
        else if (x.M > 1)
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
        public int Count;

        public readonly void Run(int part)
        {
            long units = (Whole.N + Width - 1) / Width;
            long j0 = units * part / Count * Width, j1 = Math.Min(Whole.N, units * (part + 1) / Count * Width);
            if (j0 >= j1) return;
            var mine = Whole.Part(0, Whole.M, j0, j1);
            if (IsNarrow) NarrowTiles(mine, Rows);
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
}
