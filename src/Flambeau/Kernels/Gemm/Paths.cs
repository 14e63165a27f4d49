using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>Chooses how a product is done. Every choice gives the same bits; only speed hangs on it.</summary>
internal static unsafe class Paths<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    /// <summary>Up to this many multiplications nothing is packed.</summary>
    const long SmallWork = 1L << 18;

    /// <summary>Up to so many rows B is read once and not packed: swept along its rows, or tiled where k lies side by side.</summary>
    const int FewSwept = 6;
    static int FewTiled => typeof(S) == typeof(T) ? 32 : 64;
    /// <summary>Up to so many columns a tall product is turned on its side.</summary>
    const int FewColumns = 8;

    public static void Multiply(Product<S> x)
    {
        if (typeof(S) == typeof(T) && x.M == 1 && x.N == 1)
        {
            Dot.Multiply(x.As<T>());
            return;
        }
        if (x.N == 1) x.CCol = 1;
        if (x.CCol != 1 && (x.CRow == 1 || x.M == 1)) x = x.Transposed;
        // few columns: the same as few rows of the transpose, and C passes through scratch
        else if (x.N <= FewColumns && x.M >= 4 * x.N && x.K >= 8) x = x.Transposed;
        if (x.CCol != 1) Scattered(x);
        else Rows(x);
    }

    /// <summary>C's columns lie side by side.</summary>
    static void Rows(in Product<S> x)
    {
        if (typeof(S) == typeof(T) && x.K <= Gemm.BlockK && x.Work <= SmallWork) Small<M, T, V>.Multiply(x.As<T>());
        else if (x.M <= (x.BCol == 1 ? FewSwept : FewTiled)) FewRows<M, S, T, V>.Multiply(x);
        else Blocked<M, S, T, V>.Multiply(x);
    }

    /// <summary>C has no stride of 1: rows are made in scratch, some at a time, and copied out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scattered(in Product<S> x)
    {
        long rows = Math.Clamp((1 << 18) / x.N, 1, x.M);
        S* made = (S*)Scratch.Rent(Slot.Scattered, rows * x.N * sizeof(S));
        for (long i = 0; i < x.M; i += rows)
        {
            var piece = x.Part(i, Math.Min(x.M, i + rows), 0, x.N);
            piece.C = made;
            piece.CRow = x.N;
            piece.CCol = 1;
            Rows(piece);
            S* s = made, d = x.C + i * x.CRow;
            for (long r = 0; r < piece.M; r++, d += x.CRow)
                for (long j = 0; j < x.N; j++) d[j * x.CCol] = *s++;
        }
    }
}

/// <summary>The scratch buffers of matrix products.</summary>
internal static class Slot
{
    public const int A = 0, B = 1, Tile = 2, Scattered = 3, Widened = 8;
}
