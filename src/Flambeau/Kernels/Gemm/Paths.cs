using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>Chooses how a product is done. Every choice gives the same bits; only speed hangs on it.</summary>
internal static unsafe class Paths<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    /// <summary>Up to this many multiplications nothing is packed.</summary>
    const long SmallWork = 1L << 18;

    /// <summary>Up to so many rows B is read once: in place where columns lie side by side, or tiled.</summary>
    const int FewSwept = 16;
    static int FewTiled => typeof(S) == typeof(T) ? 32 : 64;
    /// <summary>Up to so many columns a tall product is turned on its side.</summary>
    const int FewColumns = 8;

    public static void Multiply(Product<S> x)
    {
        if (x.Then is not null && !InBlocks(x))
        {
            var whole = x;
            x.Then = null;
            Multiply(x);
            whole.Complete();
            return;
        }
        if (typeof(S) == typeof(T) && x.M == 1 && x.N == 1)
        {
            Dot.Multiply(x.As<T>());
            return;
        }
        if (x.N == 1) x.CCol = 1;
        if (Product<S>.CanTurn && (IsOnItsSide(x) || HasFewColumns(x))) x = x.Transposed;
        if (x.CCol != 1) Scattered(x);
        else Rows(x);
    }

    static bool IsOnItsSide(in Product<S> x) => x.CCol != 1 && (x.CRow == 1 || x.M == 1);

    /// <summary>The same as few rows of the transpose; C passes through scratch.</summary>
    static bool HasFewColumns(in Product<S> x) => x.N <= FewColumns && x.M >= 4 * x.N && x.K >= 8;

    /// <summary>True if rows are completed in the blocks of <see cref="Blocked{M, S, T, V}"/>.</summary>
    static bool InBlocks(in Product<S> x) => x.CCol == 1 && x.N > 1 && !(Product<S>.CanTurn && HasFewColumns(x)) && !IsSmall(x) && !IsFew(x);

    static bool IsSmall(in Product<S> x) => typeof(S) == typeof(T) && x.K <= Gemm.BlockK && x.Work <= SmallWork;

    static bool IsFew(in Product<S> x) => x.M <= (x.BCol == 1 ? FewSwept : FewTiled);

    /// <summary>C's columns lie side by side.</summary>
    static void Rows(in Product<S> x)
    {
        if (IsSmall(x)) Small<M, T, V>.Multiply(x.As<T>());
        else if (x.BCol == 1 && x.M <= FewSwept) Swept(x);
        else if (typeof(S) == typeof(float) && Turned.Suits(x.As<float>())) Turned.Multiply(x.As<float>());
        else if (M.Pairing == 4 && ByteRows<S>.Suits(x)) ByteRows<S>.Multiply(x);
        else if (x.BCol != 1 && x.M <= FewTiled) FewRows<M, S, T, V>.Multiply(x);
        else Blocked<M, S, T, V>.Multiply(x);
    }

    /// <summary>In place where there is code for it.</summary>
    static void Swept(in Product<S> x)
    {
        if (typeof(S) == typeof(T)) Sweep<M, T, V>.Multiply(x.As<T>());
        else if (M.Pairing == 2 && M.Lanes == 16 && SweepCode<DotPairs>.IsUsed) NarrowSweep<DotPairs, M, S, T, V>.Multiply(x);
        else if (M.Pairing == 4 && M.Lanes == 16 && SweepCode<DotFours>.IsUsed) NarrowSweep<DotFours, M, S, T, V>.Multiply(x);
        else FewRows<M, S, T, V>.Multiply(x);
    }

    /// <summary>C has no stride of 1: rows are made in scratch, some at a time, and copied out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scattered(in Product<S> x)
    {
        long rows = Math.Clamp((1 << 18) / x.N, 1, x.M);
        void* made = Scratch.Rent(Slot.Scattered, rows * x.N * Product<S>.ResultBytes);
        for (long i = 0; i < x.M; i += rows)
        {
            var piece = x.Part(i, Math.Min(x.M, i + rows), 0, x.N);
            piece.C = made;
            piece.CRow = x.N;
            piece.CCol = 1;
            Rows(piece);
            var target = x.Part(i, i + piece.M, 0, x.N);
            if (Product<S>.ResultBytes == sizeof(S)) Scatter((S*)made, target);
            else Scatter((T*)made, target);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scatter<R>(R* made, in Product<S> x) where R : unmanaged
    {
        R* d = (R*)x.C;
        for (long i = 0; i < x.M; i++, d += x.CRow)
            for (long j = 0; j < x.N; j++) d[j * x.CCol] = *made++;
    }
}

/// <summary>The scratch buffers of matrix products.</summary>
internal static class Slot
{
    public const int A = 0, B = 1, Tile = 2, Widened = 8, Blocks = 9, Scattered = 10;
}
