namespace Flambeau.Kernels;

/// <summary>What products of rows of bytes in machine code are given, by its address.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
internal unsafe struct ByteRowsArguments
{
    /// <summary>Pieces of 64 steps of k; at least 1.</summary>
    public nint Pieces;
    /// <summary>Unsigned bytes: a piece of each row, row after row, and then the next piece.</summary>
    public void* A;
    /// <summary>Signed bytes: four rows, k side by side.</summary>
    public void* B0, B1, B2, B3;
    /// <summary>Sixteen int32 for each row of A and each of B, those of B side by side; below them, where asked for, those of a row of 128s.</summary>
    public void* Sums;
    /// <summary>Four bytes of 128.</summary>
    public nint Signs;
}

/// <summary>
/// Few rows of bytes times four that lie likewise, k side by side: <c>vpdpbusd</c> along k. Sums of integers have no order, so that lanes may be steps of k, and are added up at the end.
/// </summary>
internal static unsafe class ByteRowsCode
{
    /// <summary>Rows of A at most, and rows of B.</summary>
    public const int MostRows = 3, Columns = 4;
    /// <summary>Steps of k in a piece, and lanes of a sum.</summary>
    public const int Piece = 64, Lanes = 16;

    /// <summary>True where the instruction is in use.</summary>
    public static bool IsUsed => DotCode<DotFours>.IsUsed && Kernels.All[0] != 0;

    /// <summary>The code for so many rows of A, with a row of 128s or without.</summary>
    public static delegate* unmanaged<ByteRowsArguments*, void> Get(int rows, bool shifted) => (delegate* unmanaged<ByteRowsArguments*, void>)Kernels.All[2 * (rows - 1) + (shifted ? 1 : 0)];

    static class Kernels
    {
        public static readonly nint[] All = Make();

        static nint[] Make()
        {
            var code = new X64Code();
            var all = new nint[2 * MostRows];
            for (int i = 0; i < all.Length; i++)
            {
                code.Align(64);
                all[i] = code.Length;
                Write(code, i / 2 + 1, i % 2 == 1, OperatingSystem.IsWindows());
            }
            nint start = ExecutableMemory.Place(code.ToArray());
            for (int i = 0; i < all.Length; i++) all[i] = start == 0 ? 0 : start + all[i];
            return all;
        }
    }

    const Gpr Arguments = Gpr.Rcx, A = Gpr.Rdx, Pieces = Gpr.Rax, FirstB = Gpr.R8;
    // far enough for memory, and within a page's reach
    const int Ahead = 1024;

    // in the order of ByteRowsArguments, eight bytes each
    enum Field { Pieces, A, B0, B1, B2, B3, Sums, Signs }

    static Address At(Field field) => new(Arguments, 8 * (int)field);

    /// <summary>Writes it. No register is used that a caller wants back: on Windows those are 6 to 15.</summary>
    public static void Write(X64Code code, int rows, bool shifted, bool forWindows)
    {
        const int FirstSum = 16;
        int made = rows + (shifted ? 1 : 0);
        Vector row = new(4), signs = new(5);
        Place piece = new();
        if (!forWindows) code.Move(Arguments, Gpr.Rdi);
        code.Move(A, At(Field.A));
        code.Move(Pieces, At(Field.Pieces));
        for (int q = 0; q < Columns; q++) code.Move(FirstB + q, At(Field.B0 + q));
        if (shifted) code.Broadcast(signs, At(Field.Signs));
        for (int i = 0; i < made * Columns; i++) code.Clear(new(FirstSum + i));

        code.Align(64);
        code.Mark(piece);
        for (int q = 0; q < Columns; q++)
        {
            code.Load(new(q), FirstB + q);
            code.PrefetchToL2(new(FirstB + q, Ahead));
            code.Subtract(FirstB + q, -Piece);
        }
        for (int r = 0; r < made; r++)
        {
            if (r < rows) code.Load(row, new(A, Piece * r));
            for (int q = 0; q < Columns; q++) code.DotInt8(new(FirstSum + r * Columns + q), r < rows ? row : signs, new(q));
        }
        code.Subtract(A, -Piece * rows);
        code.Subtract(Pieces, 1);
        code.Jump(When.NotEqual, piece);

        code.Move(A, At(Field.Sums));
        for (int i = 0; i < made * Columns; i++) code.Store(new(A, Piece * i), new(FirstSum + i));
        code.ZeroUpper();
        code.Return();
    }
}
