using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Large products. C is cut into a grid of parts for the team; in a part, block by block of k, a panel of B that fits the last-level cache and blocks of A that fit the second level
/// are packed and multiplied, register block by register block. C's columns lie side by side.
/// </summary>
internal static unsafe class Blocked<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    static int Width => M.Lanes * M.Vectors;

    /// <summary>Rows of A in a block: a quarter of the second-level cache.</summary>
    static readonly int BlockM = Math.Max(1, (int)(Processor.L2 / 4 / (Gemm.BlockK * sizeof(T)) / M.Rows)) * M.Rows;
    /// <summary>Columns of B in a panel: an eighth of the last-level cache, less where many cores share it, and never so few that packing A again shows.</summary>
    static readonly int BlockN = Math.Max(384 / Width, (int)(Math.Min(Processor.L3, 32L << 20) / Math.Max(8, 2 * Processor.L3Cores) / (Gemm.BlockK * sizeof(T)) / Width)) * Width;

    public static void Multiply(in Product<T> x)
    {
        var grid = Grid.For(x.M, x.N, x.K, M.Rows, Width);
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
        public Product<T> Whole;
        public Grid Grid;

        public readonly void Run(int part)
        {
            var (i0, i1, j0, j1) = Grid.Part(part, Whole.M, Whole.N, M.Rows, Width);
            if (i0 < i1 && j0 < j1) Part(Whole.Part(i0, i1, j0, j1));
        }
    }

    /// <summary>One part on one thread.</summary>
    static void Part(in Product<T> x)
    {
        if (Small<M, T, V>.Suits(x))
        {
            Small<M, T, V>.Multiply(x);
            return;
        }
        long maxM = Even(x.M, BlockM, M.Rows), maxN = Even(x.N, BlockN, Width), maxK = Math.Min(Gemm.BlockK, x.K);
        T* a = (T*)Scratch.Rent(Slot.A, maxM * maxK * sizeof(T)), b = (T*)Scratch.Rent(Slot.B, maxN * maxK * sizeof(T));
        for (long j = 0; j < x.N; j += maxN)
        {
            long n = Math.Min(maxN, x.N - j);
            for (long p = 0; p < x.K; p += Gemm.BlockK)
            {
                long k = Math.Min(Gemm.BlockK, x.K - p);
                var into = p == 0 ? Into.Store : Into.Add;
                Packing.Pack<M, T, V>(x.B + p * x.BRow + j * x.BCol, x.BCol, x.BRow, n, k, b, Width);
                for (long i = 0; i < x.M; i += maxM)
                {
                    long m = Math.Min(maxM, x.M - i);
                    Packing.Pack<M, T, V>(x.A + i * x.ARow + p * x.ACol, x.ARow, x.ACol, m, k, a, M.Rows);
                    Tiles((nint)m, (nint)n, (nint)k, a, b, x.C + i * x.CRow + j, (nint)x.CRow, into);
                }
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
    static long Even(long size, int most, int unit)
    {
        long blocks = (size + most - 1) / most;
        return ((size + blocks - 1) / blocks + unit - 1) / unit * unit;
    }
}
