using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Small products on the calling thread: A is read in place, and B too where its columns lie side by side; C's columns do. Where k is longer than a block of the law, as in a weight's gradient, C is made of whole register blocks.
/// </summary>
internal static unsafe class Small<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>True where packing would not pay: a block of k of both operands fits the second-level cache, and no pitch crowds them into a few of its sets.</summary>
    public static bool Suits(in Product<T> x)
        => (x.M + x.N) * Math.Min(x.K, Gemm.BlockK) * sizeof(T) <= Processor.L2 * 3 / 4 && Tame(x.ARow) && Tame(x.ACol) && (x.K <= Gemm.BlockK || SuitsLong(x));

    // nothing overlaps where blocks are added
    static bool SuitsLong(in Product<T> x) => x.M % M.Rows == 0 && x.N % M.Lanes == 0 && x.BCol == 1 && Tame(x.BRow);

    static bool Tame(long pitch) => pitch * sizeof(T) is var bytes && (bytes is <= 1024 and >= -1024 || (bytes & 1023) != 0);

    public static void Multiply(in Product<T> x)
    {
        for (long p = 0; p < x.K; p += Gemm.BlockK)
        {
            var block = x;
            block.A += p * x.ACol;
            block.B += p * x.BRow;
            block.K = Math.Min(Gemm.BlockK, x.K - p);
            Block(block, p == 0 ? Into.Store : Into.Add);
        }
    }

    static void Block(in Product<T> x, Into into)
    {
        // the larger operand is walked through once
        if (x.M <= x.N || x.M <= M.Rows || x.BCol != 1 || !Tame(x.BRow)) Columns(x, into);
        else
            for (long i = 0; i < x.M; i += M.Rows)
            {
                long at = Math.Min(i, x.M - M.Rows);
                Columns(x.Part(at, at + M.Rows, 0, x.N), into);
            }
    }

    static void Columns(in Product<T> x, Into into)
    {
        long n = x.N, j = 0;
        int width = M.Lanes * M.Vectors;
        for (; j + width <= n; j += width) Column(x, j, M.Vectors, into);
        long left = n - j;
        if (left == 0) return;
        int vectors = (int)((left + M.Lanes - 1) / M.Lanes), reach = vectors * M.Lanes;
        if (left == reach) Column(x, j, vectors, into);
        else if (n >= reach) Column(x, n - reach, vectors, into); // overlaps its neighbour and writes the same bits there
        else Narrow(x, j, vectors);
    }

    /// <summary>All rows of C from column <paramref name="j"/>, some vectors wide.</summary>
    static void Column(in Product<T> x, long j, int vectors, Into into)
    {
        if (x.BCol == 1 && Tame(x.BRow))
        {
            Rows(x, x.B + j, (nint)x.BRow, (T*)x.C + j, (nint)x.CRow, vectors, into);
            return;
        }
        int reach = vectors * M.Lanes;
        T* b = (T*)Scratch.Rent(Slot.B, x.K * reach * sizeof(T));
        Packing.Pack<M, T, V>(x.B + j * x.BCol, x.BCol, x.BRow, reach, x.K, b, reach);
        Rows(x, b, reach, (T*)x.C + j, (nint)x.CRow, vectors, into);
    }

    /// <summary>The register blocks of a column; the last overlaps the one before and writes the same bits there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rows(in Product<T> x, T* b, nint bRow, T* c, nint cRow, int vectors, Into into)
    {
        int rows = (int)Math.Min(M.Rows, x.M);
        var kernel = KernelTable<M, T, V>.Get(rows, vectors);
        for (long i = 0; i < x.M; i += rows)
        {
            long at = Math.Min(i, x.M - rows);
            T* target = c + at * cRow;
            // a fresh result is in no near cache: its lines come while the block is computed
            Prefetch.ToL1(target, rows, cRow, vectors, M.Lanes);
            kernel((nint)x.K, x.A + at * x.ARow, (nint)x.ARow, (nint)x.ACol, b, bRow, target, cRow, into);
        }
    }

    /// <summary>Fewer columns than a vector has lanes: B and C pass through scratch filled up with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Narrow(in Product<T> x, long j, int vectors)
    {
        int reach = vectors * M.Lanes, w = (int)(x.N - j);
        T* b = (T*)Scratch.Rent(Slot.B, x.K * reach * sizeof(T)), c = (T*)Scratch.Rent(Slot.Tile, x.M * reach * sizeof(T));
        Packing.Pack<M, T, V>(x.B + j * x.BCol, x.BCol, x.BRow, w, x.K, b, reach);
        Rows(x, b, reach, c, reach, vectors, Into.Store);
        for (long i = 0; i < x.M; i++)
            for (int q = 0; q < w; q++) ((T*)x.C)[i * x.CRow + j + q] = c[i * reach + q];
    }
}
