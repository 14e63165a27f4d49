using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>What a register kernel in machine code is given, by its address: one argument, so that calling conventions differ in one register.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
internal unsafe struct DotArguments
{
    /// <summary>Steps along the contracted index; at least 1.</summary>
    public nint Steps;
    /// <summary>Rows lie side by side, the elements of a step one after the other; or as far apart as the kernel was written for.</summary>
    public void* A;
    public void* B, C;
    /// <summary>Bytes from step to step, and from row to row of C.</summary>
    public nint AStep, BStep, CRow;
    public nint Into;
    /// <summary>Where the sums go, rounded to the narrow type, in place of C; 0: they stay in C. And bytes from row to row.</summary>
    public void* Target;
    public nint TargetRow;
    /// <summary>Where the code keeps what the caller wants back (Windows).</summary>
    public fixed byte Kept[10 * 16];
}

/// <summary>An instruction that .NET has no name for: it adds to 16 sums the products of several narrow elements at once, which are one of 32 bits.</summary>
internal interface IDotInstruction
{
    static abstract bool IsSupported { get; }
    /// <summary>The sums grow by <paramref name="a"/> · <paramref name="b"/>, elements of A and of B.</summary>
    static abstract void Dot(X64Code code, Vector sum, Vector a, Vector b);
    static abstract void Add(X64Code code, Vector to, Vector x, Address y);
    /// <summary>Steps of k in an element.</summary>
    static abstract int Pairing { get; }
    /// <summary>
    /// Four vectors, from <paramref name="made"/> on, of an element each of 64 columns, out of as many rows of memory as it has steps; <see cref="SweepCode{I}"/> says in which order.
    /// <paramref name="free"/> to <paramref name="free"/> + 5 may be used.
    /// </summary>
    static abstract void Interleave(X64Code code, int made, int free, Action<Vector, int> load);
    /// <summary>True if sums can be rounded to elements of A's type.</summary>
    static virtual bool Rounds => false;
    /// <summary>Stores 16 sums so, in 32 bytes.</summary>
    static virtual void StoreRounded(X64Code code, Address to, Vector sum) => throw new NotSupportedException();
}

/// <summary><c>vdpbf16ps</c>: pairs of bfloat16, sums of float32.</summary>
internal struct DotPairs : IDotInstruction
{
    public static bool IsSupported => Avx512F.IsSupported && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax & 1 << 5) != 0;
    public static void Dot(X64Code code, Vector sum, Vector a, Vector b) => code.DotBFloat16(sum, b, a);
    public static int Pairing => 2;
    // lines in the order of memory: two of the even row, two of the odd one
    public static void Interleave(X64Code code, int made, int free, Action<Vector, int> load)
    {
        for (int i = 0; i < 4; i++) load(new(free + i), i);
        for (int i = 0; i < 4; i++) code.ZipWords(new(made + i), new(free + i / 2), new(free + 2 + i / 2), i % 2 == 1);
    }
    public static void Add(X64Code code, Vector to, Vector x, Address y) => code.Add(to, x, y);
    public static bool Rounds => true;
    public static void StoreRounded(X64Code code, Address to, Vector sum)
    {
        code.ToBFloat16(sum, sum);
        code.StoreHalf(to, sum);
    }
}

/// <summary><c>vpdpbusd</c>: four unsigned bytes of A, four signed ones of B, sums of int32 that wrap.</summary>
internal struct DotFours : IDotInstruction
{
    public static bool IsSupported => Avx512F.IsSupported && (X86Base.CpuId(7, 0).Ecx & 1 << 11) != 0;
    public static void Dot(X64Code code, Vector sum, Vector a, Vector b) => code.DotInt8(sum, a, b);
    public static int Pairing => 4;
    public static void Interleave(X64Code code, int made, int free, Action<Vector, int> load)
    {
        for (int i = 0; i < 4; i++) load(new(free + i), i);
        Vector low01 = new(free + 4), high01 = new(free + 5), low23 = new(made + 2), high23 = new(made + 3);
        code.ZipBytes(low01, new(free), new(free + 1), false);
        code.ZipBytes(high01, new(free), new(free + 1), true);
        code.ZipBytes(low23, new(free + 2), new(free + 3), false);
        code.ZipBytes(high23, new(free + 2), new(free + 3), true);
        code.ZipWords(new(made), low01, low23, false);
        code.ZipWords(new(made + 1), low01, low23, true);
        code.ZipWords(new(made + 2), high01, high23, false);
        code.ZipWords(new(made + 3), high01, high23, true);
    }
    public static void Add(X64Code code, Vector to, Vector x, Address y) => code.AddInt32(to, x, y);
}

/// <summary>
/// The register kernels as machine code, for an instruction that .NET has no name for: C[R × Q vectors] from panels of A and B, an element being four bytes, that is a pair of bfloat16 or four bytes.
/// What <see cref="MicroKernel"/> does, with rows and vectors unrolled.
/// </summary>
internal static unsafe class DotCode<I> where I : struct, IDotInstruction
{
    /// <summary>True where the processor has the instruction and the system lets memory become executable.</summary>
    public static bool IsSupported { get; } = I.IsSupported && Kernels.All[0] != 0;

    /// <summary>False goes without machine code: the same bits (bfloat16: but for subnormal numbers). By default as the machine is; tests change it.</summary>
    public static bool IsUsed { get; set => field = value && IsSupported; } = IsSupported;

    /// <summary>The kernel of so many rows and vectors.</summary>
    public static delegate* unmanaged<DotArguments*, void> Get(int rows, int vectors)
        => (delegate* unmanaged<DotArguments*, void>)Kernels.All[(rows - 1) * MicroKernel.MaxVectors + vectors - 1];

    /// <summary>The same where A's rows lie <see cref="RowElements"/> elements apart.</summary>
    public static delegate* unmanaged<DotArguments*, void> OfRows(int rows, int vectors)
        => (delegate* unmanaged<DotArguments*, void>)Kernels.All[Count + (rows - 1) * MicroKernel.MaxVectors + vectors - 1];

    /// <summary>From row to row of A, in elements, in kernels that do not read panels: a block of keys in attention's backward pass, in pairs.</summary>
    public const int RowElements = Attention.GradKeyBlock / 2;

    const int Count = MicroKernel.MaxRows * MicroKernel.MaxVectors;

    // all of them in one piece of memory, made when the first is asked for
    static class Kernels
    {
        public static readonly nint[] All = Make();

        static nint[] Make()
        {
            var code = new X64Code();
            var all = new nint[2 * Count];
            for (int i = 0; i < all.Length; i++)
            {
                code.Align(64);
                all[i] = code.Length;
                Write(code, i % Count / MicroKernel.MaxVectors + 1, i % MicroKernel.MaxVectors + 1, OperatingSystem.IsWindows(), i < Count ? 1 : RowElements);
            }
            nint start = ExecutableMemory.Place(code.ToArray());
            for (int i = 0; i < all.Length; i++) all[i] = start == 0 ? 0 : start + all[i];
            return all;
        }
    }

    const Gpr Arguments = Gpr.Rcx, A = Gpr.Rdx, B = Gpr.R8, C = Gpr.R9, Steps = Gpr.Rax, AStep = Gpr.R10, BStep = Gpr.R11;
    // Windows wants the lower parts of these back
    const int FirstKept = 6, LastKept = 15;
    const int VectorBytes = 64, ElementBytes = 4;

    // in the order of DotArguments, eight bytes each
    enum Field { Steps, A, B, C, AStep, BStep, CRow, Into, Target, TargetRow, Kept }

    static Address At(Field field) => At(Arguments, 8 * (int)field);
    static Address At(Gpr register, int offset) => new(register, offset);

    /// <summary>Writes the kernel of <paramref name="rows"/> × <paramref name="vectors"/> sums; A's rows lie <paramref name="apart"/> elements apart.</summary>
    public static void Write(X64Code code, int rows, int vectors, bool forWindows, int apart = 1)
    {
        int sums = rows * vectors;
        Vector Sum(int row, int q) => new(row * vectors + q);
        Vector Row(int q) => new(sums + q);
        // two, in turn, where there is room
        Vector Element(int row) => new(sums + vectors + (sums + vectors < 31 ? row & 1 : 0));

        if (!forWindows) code.Move(Arguments, Gpr.Rdi);
        int kept = forWindows ? Math.Min(LastKept, Element(Math.Min(1, rows - 1)).Number) : 0;
        for (int i = FirstKept; i <= kept; i++) code.StoreLower(At(Field.Kept) + 16 * (i - FirstKept), new(i));
        code.Move(A, At(Field.A));
        code.Move(B, At(Field.B));
        code.Move(AStep, At(Field.AStep));
        code.Move(BStep, At(Field.BStep));

        Place zero = new(), start = new(), loop = new(), store = new(), keep = new(), end = new();
        code.Move(Steps, At(Field.Into));
        code.Compare(Steps, (int)Into.Resume);
        code.Jump(When.NotEqual, zero);
        EachRow(r => { for (int q = 0; q < vectors; q++) code.Load(Sum(r, q), At(C, VectorBytes * q)); });
        code.Jump(start);
        code.Mark(zero);
        for (int i = 0; i < sums; i++) code.Clear(new(i));
        code.Mark(start);
        code.Move(Steps, At(Field.Steps));

        code.Align(64);
        code.Mark(loop);
        for (int q = 0; q < vectors; q++) code.Load(Row(q), At(B, VectorBytes * q));
        for (int r = 0; r < rows; r++)
        {
            code.Broadcast(Element(r), At(A, ElementBytes * apart * r));
            for (int q = 0; q < vectors; q++) I.Dot(code, Sum(r, q), Element(r), Row(q));
        }
        code.Add(A, AStep);
        code.Add(B, BStep);
        code.Subtract(Steps, 1);
        code.Jump(When.NotEqual, loop);

        code.Move(Steps, At(Field.Into));
        code.Compare(Steps, (int)Into.Add);
        code.Jump(When.NotEqual, store);
        EachRow(r => { for (int q = 0; q < vectors; q++) I.Add(code, Sum(r, q), Sum(r, q), At(C, VectorBytes * q)); });
        code.Mark(store);
        if (I.Rounds)
        {
            code.Move(Steps, At(Field.Target));
            code.Compare(Steps, 0);
            code.Jump(When.Equal, keep);
            EachRow(r => { for (int q = 0; q < vectors; q++) I.StoreRounded(code, At(C, VectorBytes / 2 * q), Sum(r, q)); }, Field.Target, Field.TargetRow);
            code.Jump(end);
            code.Mark(keep);
        }
        EachRow(r => { for (int q = 0; q < vectors; q++) code.Store(At(C, VectorBytes * q), Sum(r, q)); });
        code.Mark(end);
        for (int i = FirstKept; i <= kept; i++) code.LoadLower(new(i), At(Field.Kept) + 16 * (i - FirstKept));
        code.ZeroUpper();
        code.Return();

        // with C at the row's beginning
        void EachRow(Action<int> body, Field first = Field.C, Field pitch = Field.CRow)
        {
            code.Move(C, At(first));
            code.Move(Steps, At(pitch));
            for (int r = 0; r < rows; r++)
            {
                body(r);
                if (r < rows - 1) code.Add(C, Steps);
            }
        }
    }
}
