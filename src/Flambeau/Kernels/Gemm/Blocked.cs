using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Large products. C is cut into a grid of parts for the team; in a part, block by block of k, a panel of B that fits the last-level cache and blocks of A that fit the second level
/// are packed and multiplied, register block by register block. C's columns lie side by side.
/// Elements <typeparamref name="S"/> of memory become <typeparamref name="T"/> in the panels; where these differ, sums wait in scratch until they are complete and can be rounded into C.
/// </summary>
internal static unsafe class Blocked<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    static int Width => M.Lanes * M.Vectors;

    /// <summary>Rows of A in a block: a quarter of the second-level cache.</summary>
    static readonly int BlockM = Math.Max(1, (int)(Processor.L2 / 4 / (Gemm.BlockK * sizeof(T)) / M.Rows)) * M.Rows;
    /// <summary>Columns of B in a panel: an eighth of the last-level cache, less where many cores share it, and never so few that packing A again shows.</summary>
    static readonly int BlockN = Math.Max(384 / Width, (int)(Math.Min(Processor.L3, 32L << 20) / Math.Max(8, 2 * Processor.L3Cores) / (Gemm.BlockK * sizeof(T)) / Width)) * Width;

    /// <summary>Bytes of sums that may wait for later blocks of k: a quarter of the last-level cache, less where many cores share it.</summary>
    static readonly long SumBytes = Math.Min(Processor.L3, 32L << 20) * 2 / Math.Max(8, 2 * Processor.L3Cores);

    /// <summary>A block of k, in the steps of memory.</summary>
    static int BlockK => Gemm.BlockK * M.Pairing;
    static bool IsNarrow => typeof(S) != typeof(T);

    public static void Multiply(in Product<S> x)
    {
        if (Deep<M, S, T, V>.Suits(x))
        {
            var whole = x;
            whole.Then = null;
            Deep<M, S, T, V>.Multiply(whole);
            x.Complete();
            return;
        }
        var grid = Grid.For(x.M, x.N, Elements(x.K), M.Rows, ColumnUnit(x));
        if (grid.Parts == 1)
        {
            Part(x);
            return;
        }
        var parts = new Parts { Whole = x, Grid = grid };
        Team.Run(grid.Parts, ref parts);
    }

    struct Parts : IPart
    {
        public Product<S> Whole;
        public Grid Grid;

        public readonly void Run(int part)
        {
            var (i0, i1, j0, j1) = Grid.Part(part, Whole.M, Whole.N, M.Rows, ColumnUnit(Whole));
            if (i0 < i1 && j0 < j1) Part(Whole.Part(i0, i1, j0, j1));
        }
    }

    // what follows takes whole rows
    static int ColumnUnit(in Product<S> x) => x.Then is null ? Width : (int)Math.Min(x.N, int.MaxValue);

    /// <summary>Elements of a panel that so many steps of k become.</summary>
    static long Elements(long k) => (k + M.Pairing - 1) / M.Pairing;

    /// <summary>One part on one thread.</summary>
    public static void Part(in Product<S> x)
    {
        if (typeof(S) == typeof(T) && Small<M, T, V>.Suits(x.As<T>()))
        {
            Small<M, T, V>.Multiply(x.As<T>());
            x.Complete();
            return;
        }
        long maxN = Even(x.N, BlockN, Width), stripe = x.M;
        // sums that wait must not outgrow the cache: then B is packed again for each stripe of rows
        if (IsNarrow && x.K > BlockK) stripe = Even(x.M, Math.Max(BlockM, SumBytes / sizeof(T) / maxN), M.Rows);
        for (long j = 0; j < x.N; j += maxN)
            for (long i = 0; i < x.M; i += stripe) Panels(x.Part(i, Math.Min(x.M, i + stripe), j, Math.Min(x.N, j + maxN)), completes: maxN >= x.N);
        if (maxN < x.N) x.Complete();
    }

    /// <summary>Rows of C of a panel's columns, block by block of k. <paramref name="completes"/>: all columns there are.</summary>
    static void Panels(in Product<S> x, bool completes)
    {
        long maxM = Even(x.M, BlockM, M.Rows), maxK = Elements(Math.Min(BlockK, x.K)), panels = (x.N + Width - 1) / Width;
        T* a = (T*)Scratch.Rent(Slot.A, maxM * maxK * sizeof(T)), b = (T*)Scratch.Rent(Slot.B, panels * Width * (maxK + 1) * sizeof(T));
        T* shift = b + panels * Width * maxK;
        // a tile of sums has a place of its own only if a later block goes on with it
        long tile = M.Rows * Width, tiles = (x.M + M.Rows - 1) / M.Rows;
        bool wait = x.K > BlockK;
        T* sums = IsNarrow ? (T*)Scratch.Rent(Slot.Tile, (wait ? tiles * panels : 1) * tile * sizeof(T)) : null;
        for (long p = 0; p < x.K; p += BlockK)
        {
            long k = Math.Min(BlockK, x.K - p);
            var into = p == 0 ? Into.Store : Into.Add;
            Packing.Pack<M, S, T, V>(x.B + p * x.BRow, x.BCol, x.BRow, x.N, k, b, Width);
            if (Narrow<S, T>.IsShifted) Shift(panels, (nint)Elements(k), b, shift, into);
            for (long i = 0; i < x.M; i += maxM)
            {
                long m = Math.Min(maxM, x.M - i);
                Packing.PackRows<M, S, T, V>(x.A + i * x.ARow + p * x.ACol, x.ARow, x.ACol, m, k, a);
                if (!IsNarrow) Tiles((nint)m, (nint)x.N, (nint)k, a, b, (T*)x.At(i, 0), (nint)x.CRow, into);
                else
                    NarrowTiles(x.Part(i, i + m, 0, x.N), (nint)Elements(k), a, b, shift, wait ? sums + i / M.Rows * tile : sums, wait ? (nint)tile : 0, wait ? (nint)(tiles * tile) : 0, into, p + k == x.K);
                if (completes && p + k == x.K) x.Part(i, i + m, 0, x.N).Complete();
            }
        }
    }

    // ---- sums that another adds up ----

    /// <summary>Elements of the sums of one block of k, tile by tile.</summary>
    public static long SumsOf(in Product<S> x) => (x.M + M.Rows - 1) / M.Rows * ((x.N + Width - 1) / Width) * M.Rows * Width;

    /// <summary>The sums of one block of k, which are not rounded.</summary>
    public static void Sums(in Product<S> x, T* sums)
    {
        nint k = (nint)Elements(x.K), tile = M.Rows * Width, tiles = (nint)((x.M + M.Rows - 1) / M.Rows), panels = (nint)((x.N + Width - 1) / Width);
        T* a = (T*)Scratch.Rent(Slot.A, tiles * M.Rows * k * sizeof(T)), b = (T*)Scratch.Rent(Slot.B, panels * Width * k * sizeof(T));
        Packing.Pack<M, S, T, V>(x.B, x.BCol, x.BRow, x.N, x.K, b, Width);
        Packing.PackRows<M, S, T, V>(x.A, x.ARow, x.ACol, x.M, x.K, a);
        NarrowTiles(x, k, a, b, null, sums, tile, tiles * tile, Into.Store, false);
    }

    /// <summary>Rounds complete sums into C.</summary>
    public static void Round(in Product<S> x, T* sums)
    {
        for (long j = 0; j < x.N; j += Width)
            for (long i = 0; i < x.M; i += M.Rows, sums += M.Rows * Width)
                Narrow<S, T>.Put(sums, Width, (int)Math.Min(M.Rows, x.M - i), (int)Math.Min(Width, x.N - j), x.At(i, j), (nint)x.CRow, null);
    }

    /// <summary>What the sums of each column are too large by: a row of A of nothing but 128s, times B.</summary>
    static void Shift(long panels, nint k, T* b, T* shift, Into into)
    {
        uint row = 0x80808080;
        var kernel = new PanelKernel<M, T, V>(1, M.Vectors);
        for (long j = 0; j < panels; j++, b += Width * k, shift += Width) kernel.Run(k, (T*)&row, 0, b, shift, Width, into);
    }

    /// <summary>
    /// As <see cref="Tiles"/>, the sums in scratch, tile by tile: <paramref name="nextRows"/> and <paramref name="nextColumns"/> elements lead to the tile below and to the right.
    /// Tiles that are <paramref name="complete"/> go from there to C.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void NarrowTiles(in Product<S> x, nint k, T* a, T* b, T* shift, T* sums, nint nextRows, nint nextColumns, Into into, bool complete)
    {
        int rows = M.Rows, width = Width;
        nint m = (nint)x.M, n = (nint)x.N;
        for (nint j = 0; j < n; j += width, b += width * k, sums += nextColumns)
        {
            int w = (int)Math.Min(width, n - j), vectors = (w + M.Lanes - 1) / M.Lanes;
            var whole = new PanelKernel<M, T, V>(rows, vectors);
            T* panel = a, tile = sums;
            for (nint i = 0; i < m; i += rows, panel += rows * k, tile += nextRows)
            {
                int h = (int)Math.Min(rows, m - i);
                var kernel = h == rows ? whole : new PanelKernel<M, T, V>(h, vectors);
                if (into == Into.Add) Prefetch.ToL1(tile, h, width, vectors, M.Lanes);
                if (complete)
                {
                    byte* row = (byte*)x.At(i, j);
                    for (int r = 0; r < h; r++, row += x.CRow * Product<S>.ResultBytes)
                        for (int q = 0; q < w * Product<S>.ResultBytes; q += 64) Prefetch.ToL1(row + q);
                }
                // sums of one block are never subnormal, which is what the instruction that rounds would take for zero
                if (complete && into == Into.Store && kernel.Rounds && w == vectors * M.Lanes)
                {
                    kernel.Run(k, panel, rows, b, tile, width, into, x.At(i, j), (nint)x.CRow * sizeof(S));
                    continue;
                }
                kernel.Run(k, panel, rows, b, tile, width, into);
                if (complete) Narrow<S, T>.Put(tile, width, h, w, x.At(i, j), (nint)x.CRow, shift + j);
            }
        }
    }

    /// <summary>The register blocks of one packed block of A and one packed panel of B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Tiles(nint m, nint n, nint k, T* a, T* b, T* c, nint cRow, Into into)
    {
        int rows = M.Rows, width = Width;
        T* edge = stackalloc T[MicroKernel.MaxRows * MicroKernel.MaxVectors * M.Lanes];
        for (nint j = 0; j < n; j += width, b += width * k)
        {
            int w = (int)Math.Min(width, n - j), vectors = (w + M.Lanes - 1) / M.Lanes;
            var whole = KernelTable<M, T, V>.Get(rows, vectors);
            T* panel = a;
            for (nint i = 0; i < m; i += rows, panel += rows * k)
            {
                int h = (int)Math.Min(rows, m - i);
                var kernel = h == rows ? whole : KernelTable<M, T, V>.Get(h, vectors);
                T* target = c + i * cRow + j;
                // C's lines come while the block is computed: a later block of k adds to them
                Prefetch.ToL1(target, h, cRow, vectors, M.Lanes);
                if (w == vectors * M.Lanes) kernel(k, panel, 1, rows, b, width, target, cRow, into);
                else
                {
                    kernel(k, panel, 1, rows, b, width, edge, width, Into.Store);
                    Edge<M, T, V>.Put(edge, width, h, w, target, cRow, into);
                }
            }
        }
    }

    /// <summary>The size of equal blocks, whole units each: 130 rows in blocks of at most 102 are 66 + 64, not 102 + 28.</summary>
    static long Even(long size, long most, int unit)
    {
        long blocks = (size + most - 1) / most;
        return ((size + blocks - 1) / blocks + unit - 1) / unit * unit;
    }
}
