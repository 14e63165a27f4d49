using Flambeau.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Kernels;

/// <summary>
/// As <see cref="Sweep{M, T, V}"/> for bfloat16 and bytes, whose steps are made into pairs and fours in registers by <see cref="SweepCode{I}"/>. Only columns beyond the last 64, and a last step that fills no pair, pass through a
/// tile filled up with zeros, as panels are.
/// </summary>
internal static unsafe class NarrowSweep<I, M, S, T, V> where I : struct, IDotInstruction where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    const int Columns = SweepCode<I>.Columns, Most = SweepCode<I>.Most;
    /// <summary>Bytes of sums that stay near, and of a run: as there.</summary>
    const int SumBytes = 32 << 10, RunBytes = 8 << 10, LeastGroups = 8;

    public static void Multiply(in Product<S> x)
    {
        long groups = (x.N + Columns - 1) / Columns;
        var job = new Parts { Whole = x, Made = (int)x.M + (Narrow<S, T>.IsShifted ? 1 : 0) };
        job.A = PackRows(x, job.Made);
        long bytes = (long)job.Made * Columns * sizeof(T), run = Math.Max(LeastGroups, Math.Min(SumBytes / bytes, RunBytes / (Columns * sizeof(S))));
        new BlockSums(x.K, Gemm.BlockK * I.Pairing, groups * bytes, (groups + run - 1) / run, groups, Grid.Shares(x)).Run(ref job);
    }

    /// <summary>
    /// <see cref="Most"/> elements of k of a row side by side, row below row, and then the next; where fewer are left, these, and one that is not full by itself. Signed bytes become unsigned as in <see cref="Packing.PackRows"/>,
    /// and the row of 128s is there too.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static uint* PackRows(in Product<S> x, int made)
    {
        uint* packed = (uint*)Scratch.Rent(Slot.A, made * (x.K + Most) * sizeof(uint)), to = packed;
        uint signs = Narrow<S, T>.IsShifted ? 0x80808080 : 0;
        for (long p = 0; p < x.K;)
        {
            int elements = Elements(x.K - p);
            S* a = x.A + p * x.ACol;
            for (long i = 0; i < x.M; i++, a += x.ARow, to += elements)
                if (x.ACol == 1 && elements == Most) (Vector128.Load((uint*)a) ^ Vector128.Create(signs)).Store(to);
                else
                    for (int e = 0; e < elements; e++) to[e] = signs ^ GroupPacking.Group(a + e * I.Pairing * x.ACol, (nint)x.ACol, (nint)Math.Min(I.Pairing, x.K - p - e * I.Pairing));
            if (Narrow<S, T>.IsShifted)
                for (int e = 0; e < elements; e++) *to++ = signs;
            p += elements * I.Pairing;
        }
        return packed;
    }

    /// <summary>How many elements come next where <paramref name="k"/> steps are left.</summary>
    static int Elements(long k) => k >= Most * I.Pairing ? Most : Math.Max(1, (int)k / I.Pairing);

    struct Parts : IBlockParts
    {
        public Product<S> Whole;
        public uint* A;
        /// <summary>Rows of sums: those of A, and one of 128s where the sums need it.</summary>
        public int Made;
        public BlockSums Sums { get; set; }

        public readonly void Run(int part)
        {
            var (block, first, end) = Sums.Part(part);
            if (Sums.Folds) Fold(first, end);
            else Block(block, first, end);
        }

        readonly T* At(int block, long group) => (T*)Sums.Of(block) + group * Made * Columns;

        readonly void Block(int block, long first, long end)
        {
            ref readonly var x = ref Whole;
            var (from, k) = Sums.Range(block);
            T* sums = At(block, first);
            new Span<T>(sums, checked((int)((end - first) * Made * Columns))).Clear();
            long whole = Math.Min(end, x.N / Columns) - first;
            S* b = x.B + first * Columns, tile = stackalloc S[Most * I.Pairing * Columns];
            for (long p = from; p < from + k;)
            {
                int elements = Elements(from + k - p), rows = elements * I.Pairing, there = (int)Math.Min(rows, x.K - p);
                uint* a = A + p / I.Pairing * Made;
                S* row = b + p * x.BRow;
                if (whole > 0 && there == rows) Go(elements, a, row, x.BRow, sums, whole);
                for (long g = there == rows ? whole : 0; g < end - first; g++)
                {
                    Copy(row + g * Columns, x.BRow, there, (int)Math.Min(Columns, x.N - (first + g) * Columns), tile, rows);
                    Go(elements, a, tile, Columns, sums + g * Made * Columns, 1);
                }
                p += rows;
            }
        }

        readonly void Go(int elements, uint* a, S* b, long bRow, T* sums, long groups)
        {
            SweepArguments arguments;
            arguments.Rows = Made;
            arguments.A = a;
            arguments.B = b;
            arguments.Pitch = (nint)bRow * sizeof(S);
            arguments.Sums = sums;
            arguments.Groups = (nint)groups;
            arguments.Below = arguments.Pitch * elements * I.Pairing;
            SweepCode<I>.Get(elements)(&arguments);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        readonly void Fold(long first, long end)
        {
            ref readonly var x = ref Whole;
            int m = (int)x.M;
            T* tile = (T*)Scratch.Rent(Slot.B, Made * Columns * sizeof(T));
            for (long g = first; g < end; g++)
            {
                T* sums = At(0, g);
                for (int block = 1; block < Sums.Blocks; block++) Edge<M, T, V>.Put(At(block, g), Made * Columns, 1, Made * Columns, sums, 0, Into.Add);
                for (int i = 0; i < Made; i++) InOrder(sums + i * Columns, tile + i * Columns);
                int w = (int)Math.Min(Columns, x.N - g * Columns);
                Narrow<S, T>.Put(tile, Columns, m, w, x.At(0, g * Columns), (nint)x.CRow, tile + m * Columns);
            }
        }
    }

    /// <summary>Rows of a tile, and zeros behind and below them.</summary>
    static void Copy(S* source, long pitch, int rows, int columns, S* tile, int tileRows)
    {
        new Span<S>(tile, tileRows * Columns).Clear();
        for (int r = 0; r < rows; r++) new Span<S>(source + r * pitch, columns).CopyTo(new(tile + r * Columns, columns));
    }

    /// <summary>A group's sums from the order of <see cref="SweepCode{I}.Column"/> to that of columns, four at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void InOrder(T* sums, T* columns)
    {
        for (int v = 0; v < 4; v++)
            for (int lane = 0; lane < 16; lane += 4) Vector128.Load((uint*)sums + 16 * v + lane).Store((uint*)columns + SweepCode<I>.Column(v, lane));
    }
}
