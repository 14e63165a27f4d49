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
internal static unsafe class FewRows<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>Steps of k in a tile: with a register block's columns a quarter of the first-level cache, and long enough for a row to be read in a stream.</summary>
    static int TileK => Width * sizeof(T) > 64 ? 64 : 128;
    /// <summary>Bytes of running sums that stay in first-level cache during a sweep.</summary>
    const int SumBytes = 8 << 10;

    static int Width => M.Lanes * M.Vectors;

    public static void Multiply(in Product<T> x)
    {
        bool sweep = x.BCol == 1;
        int unit = sweep ? M.Lanes * 16 : Width;
        long units = (x.N + unit - 1) / unit;
        var parts = new Parts { Whole = x, Sweep = sweep, Unit = unit, Count = 1 };
        int threads = Team.Share;
        if (threads > 1 && x.Work >= Grid.ParallelBytes / sizeof(T)) parts.Count = (int)Math.Min(units, 4L * threads);
        if (!sweep && x.M > 1) PackRows(ref parts.Whole);
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
    }

    struct Parts : IPart
    {
        public Product<T> Whole;
        public bool Sweep;
        public int Unit, Count;

        public readonly void Run(int part)
        {
            long units = (Whole.N + Unit - 1) / Unit;
            long j0 = units * part / Count * Unit, j1 = Math.Min(Whole.N, units * (part + 1) / Count * Unit);
            if (j0 >= j1) return;
            var mine = Whole.Part(0, Whole.M, j0, j1);
            if (Sweep) FewRows<M, T, V>.Sweep(mine);
            else Tiles(mine, Whole.M > 1);
        }
    }

    /// <summary>
    /// Brings A into panels of a register block's rows, for all parts to read: rows a power of two apart would fight over one cache set.
    /// Panel i / Rows then begins at i · ARow, and ACol leads from step to step.
    /// </summary>
    static void PackRows(ref Product<T> x)
    {
        T* a = (T*)Scratch.Rent(Slot.A, (x.M + M.Rows) * x.K * sizeof(T));
        Packing.Pack<M, T, V>(x.A, x.ARow, x.ACol, x.M, x.K, a, M.Rows);
        x.A = a;
        x.ARow = x.K;
        x.ACol = M.Rows;
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
            T* c = x.C + j;
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
                Edge<M, T, V>.Put(sums, w, (int)x.M, w, x.C + j, (nint)x.CRow, block == 0 ? Into.Store : Into.Add);
            }
        }
        if (n < x.N) Tiles(x.Part(0, x.M, n, x.N), false);
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
