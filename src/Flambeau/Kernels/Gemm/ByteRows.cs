using Flambeau.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Kernels;

/// <summary>Products of few rows of bytes whose weights lie n × k: four weight rows at a time are read once, in streams, by <see cref="ByteRowsCode"/>. The steps behind the last 64 are added one by one.</summary>
internal static unsafe class ByteRows<S> where S : unmanaged
{
    const int MostRows = ByteRowsCode.MostRows, Columns = ByteRowsCode.Columns, Piece = ByteRowsCode.Piece, Lanes = ByteRowsCode.Lanes;
    const int PartsForThread = 4;
    /// <summary>More rows are better off with a tile that all of them read: here every three read the weights' lines again, from first-level cache.</summary>
    const int MostInAll = 9;

    static bool IsShifted => typeof(S) == typeof(sbyte);

    public static bool Suits(in Product<S> x) => Gemm.Width == 512 && x.M <= MostInAll && x.BRow == 1 && x.CCol == 1 && x.K >= Piece && ByteRowsCode.IsUsed;

    public static void Multiply(in Product<S> x)
    {
        long units = (x.N + Columns - 1) / Columns;
        var parts = new Parts { Whole = x, A = Pack(x), Count = Grid.Shares(x) ? (int)Math.Min(units, (long)PartsForThread * Team.Share) : 1 };
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
    }

    /// <summary>Rows of A three by three, a piece of each after the other; signed bytes become unsigned by adding 128.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static byte* Pack(in Product<S> x)
    {
        long k = x.K / Piece * Piece;
        byte* packed = (byte*)Scratch.Rent(Slot.A, x.M * k), to = packed;
        byte sign = (byte)(IsShifted ? 0x80 : 0);
        for (long i = 0; i < x.M; i += MostRows)
            for (long p = 0; p < k; p += Piece)
                for (long r = i; r < Math.Min(x.M, i + MostRows); r++, to += Piece)
                {
                    byte* a = (byte*)(x.A + r * x.ARow + p * x.ACol);
                    if (x.ACol == 1) (Vector512.Load(a) ^ Vector512.Create(sign)).Store(to);
                    else
                        for (int q = 0; q < Piece; q++) to[q] = (byte)(a[q * x.ACol] ^ sign);
                }
        return packed;
    }

    struct Parts : IPart
    {
        public Product<S> Whole;
        public byte* A;
        public int Count;

        public readonly void Run(int part)
        {
            long units = (Whole.N + Columns - 1) / Columns;
            Rows(Whole, A, units * part / Count * Columns, Math.Min(Whole.N, units * (part + 1) / Count * Columns));
        }
    }

    /// <summary>All rows of columns <paramref name="first"/> … <paramref name="end"/> − 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rows(in Product<S> x, byte* a, long first, long end)
    {
        long k = x.K / Piece * Piece;
        int* sums = stackalloc int[(MostRows + 1) * Columns * Lanes];
        ByteRowsArguments arguments;
        arguments.Pieces = (nint)(k / Piece);
        arguments.Signs = unchecked((nint)0x80808080);
        arguments.Sums = sums;
        for (long j = first; j < end; j += Columns)
        {
            // beyond the last row it is read again
            arguments.B0 = x.B + j * x.BCol;
            arguments.B1 = x.B + Math.Min(end - 1, j + 1) * x.BCol;
            arguments.B2 = x.B + Math.Min(end - 1, j + 2) * x.BCol;
            arguments.B3 = x.B + Math.Min(end - 1, j + 3) * x.BCol;
            for (long i = 0; i < x.M; i += MostRows)
            {
                int rows = (int)Math.Min(MostRows, x.M - i);
                arguments.A = a + i * k;
                ByteRowsCode.Get(rows, IsShifted)(&arguments);
                for (int r = 0; r < rows; r++)
                    for (int q = 0; q < Columns && j + q < end; q++)
                    {
                        int sum = Sum(sums, r, q) - (IsShifted ? Sum(sums, rows, q) : 0);
                        *(int*)x.At(i + r, j + q) = sum + Rest(x, i + r, j + q, k);
                    }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int Sum(int* sums, int row, int column) => Vector512.Sum(Vector512.Load(sums + (row * Columns + column) * Lanes));

    /// <summary>The steps from <paramref name="k"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static int Rest(in Product<S> x, long i, long j, long k)
    {
        int sum = 0;
        for (; k < x.K; k++)
        {
            byte a = *(byte*)(x.A + i * x.ARow + k * x.ACol);
            sum += (IsShifted ? (sbyte)a : a) * *(sbyte*)(x.B + j * x.BCol + k);
        }
        return sum;
    }
}
