namespace Flambeau.Kernels;

/// <summary>What a sweep in machine code is given, by its address.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
internal unsafe struct SweepArguments
{
    /// <summary>Rows of A, at least 1: the sweep's elements of a row lie side by side, row below row.</summary>
    public nint Rows;
    public void* A;
    /// <summary>Rows of memory, <see cref="Pitch"/> bytes apart.</summary>
    public void* B;
    public nint Pitch;
    /// <summary>64 sums for each row of A, row below row, and then those of the next 64 columns.</summary>
    public void* Sums;
    /// <summary>Groups of 64 columns, at least 1.</summary>
    public nint Groups;
    /// <summary>Bytes from a row to the one that is asked for meanwhile.</summary>
    public nint Below;
}

/// <summary>
/// Chains that go on through a few rows of B where these lie, columns side by side: elements of one to four pairs, or fours, of rows are made in registers, 64 columns at a time, and all rows of A go on with them.
/// Sums stay in the order that the instructions leave columns in: vector v, lane l has column <see cref="Column"/>.
/// <code>
///   row 2e      c0 c1 c2 c3 | c4 c5 c6 c7 ‖ c8 …     punpcklwd → c0 c1 c2 c3 ‖ c8 …   in pairs (2e, 2e + 1): vector 0
///   row 2e + 1  c0 c1 c2 c3 | c4 c5 c6 c7 ‖ c8 …     punpckhwd → c4 c5 c6 c7 ‖ …      vector 1
/// </code>
/// </summary>
internal static unsafe class SweepCode<I> where I : struct, IDotInstruction
{
    /// <summary>Elements of k that one call goes through at most.</summary>
    public const int Most = 4;
    /// <summary>Columns of a group: four vectors of sums.</summary>
    public const int Columns = 64;
    const int Vectors = 4, VectorBytes = 64, ElementBytes = 4;

    /// <summary>The column, of a group's 64, whose sum is in a lane of a vector.</summary>
    public static int Column(int vector, int lane)
        => I.Pairing == 2 ? 32 * (vector / 2) + 8 * (lane / 4) + 4 * (vector % 2) + lane % 4 : 16 * (lane / 4) + 4 * vector + lane % 4;

    /// <summary>True where the instruction is in use.</summary>
    public static bool IsUsed => DotCode<I>.IsUsed && Kernels.All[0] != 0;

    /// <summary>The sweep through so many elements of k, 1 … <see cref="Most"/>.</summary>
    public static delegate* unmanaged<SweepArguments*, void> Get(int elements) => (delegate* unmanaged<SweepArguments*, void>)Kernels.All[elements - 1];

    static class Kernels
    {
        public static readonly nint[] All = Make();

        static nint[] Make()
        {
            var code = new X64Code();
            var all = new nint[Most];
            for (int i = 0; i < Most; i++)
            {
                code.Align(64);
                all[i] = code.Length;
                Write(code, i + 1, OperatingSystem.IsWindows());
            }
            nint start = ExecutableMemory.Place(code.ToArray());
            for (int i = 0; i < Most; i++) all[i] = start == 0 ? 0 : start + all[i];
            return all;
        }
    }

    const Gpr Arguments = Gpr.Rcx, B = Gpr.Rdx, Groups = Gpr.Rax, Pitch = Gpr.R10, Sums = Gpr.R11;
    // in turn: where B is read and asked for; a row of A and how many are left
    const Gpr Row = Gpr.R8, Ahead = Gpr.R9, A = Gpr.R8, Rows = Gpr.R9;

    // in the order of SweepArguments, eight bytes each
    enum Field { Rows, A, B, Pitch, Sums, Groups, Below }

    static Address At(Field field) => new(Arguments, 8 * (int)field);

    /// <summary>Writes the sweep through <paramref name="elements"/> elements of k. No register is used that a caller wants back.</summary>
    public static void Write(X64Code code, int elements, bool forWindows)
    {
        // 6 to 15 are the caller's on Windows
        const int Made = 16, Free = 0, FirstElement = 4;
        Place group = new(), row = new();
        if (!forWindows) code.Move(Arguments, Gpr.Rdi);
        code.Move(B, At(Field.B));
        code.Move(Pitch, At(Field.Pitch));
        code.Move(Sums, At(Field.Sums));
        code.Move(Groups, At(Field.Groups));

        code.Align(64);
        code.Mark(group);
        code.Move(Row, B);
        code.Move(Ahead, B);
        code.Add(Ahead, At(Field.Below));
        int lines = Vectors / I.Pairing; // of a row of memory
        for (int e = 0; e < elements; e++)
            I.Interleave(code, Made + Vectors * e, Free, (to, line) =>
            {
                int across = VectorBytes * (line % lines);
                code.Load(to, new(Row, across));
                code.PrefetchToL2(new(Ahead, across));
                if (line % lines < lines - 1) return;
                code.Add(Row, Pitch);
                code.Add(Ahead, Pitch);
            });

        code.Move(A, At(Field.A));
        code.Move(Rows, At(Field.Rows));
        code.Align(16);
        code.Mark(row);
        for (int v = 0; v < Vectors; v++) code.Load(new(v), new(Sums, VectorBytes * v));
        for (int e = 0; e < elements; e++)
        {
            Vector element = new(FirstElement + e % 2);
            code.Broadcast(element, new(A, ElementBytes * e));
            for (int v = 0; v < Vectors; v++) I.Dot(code, new(v), element, new(Made + Vectors * e + v));
        }
        for (int v = 0; v < Vectors; v++) code.Store(new(Sums, VectorBytes * v), new(v));
        code.Subtract(A, -ElementBytes * elements);
        code.Subtract(Sums, -VectorBytes * Vectors);
        code.Subtract(Rows, 1);
        code.Jump(When.NotEqual, row);

        code.Subtract(B, -VectorBytes * lines);
        code.Subtract(Groups, 1);
        code.Jump(When.NotEqual, group);
        code.ZeroUpper();
        code.Return();
    }
}
