using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Products with few rows whose weights lie k × n, read once, where they lie: memory is the limit. A part is a block of the law's k by a stripe of columns; it goes through its rows of B a few at a time, in long runs, and asks
/// for those below meanwhile. Each block's sums wait in scratch until all are there and are added in the law's order.
/// <code>
///            stripe 0      stripe 1
/// block 0   ▒▒▒▒▒▒▓───→   ────────────   ▒ eight rows, read side by side; ▓ two vectors of them, whose sums go on by eight steps
///           ░░░░░░░───→                  ░ the eight below, on their way to second-level cache
/// block 1   ────────────  ────────────
/// </code>
/// </summary>
internal static unsafe class Sweep<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>Bytes of sums that stay in first-level cache, and columns that a run has at least.</summary>
    const int SumBytes = 16 << 10, LeastRun = 512;
    /// <summary>A run of two pages: longer ones gain nothing.</summary>
    const int RunBytes = 8 << 10;

    public static void Multiply(in Product<T> x)
    {
        long n = x.N / M.Lanes * M.Lanes;
        if (n > 0) Whole(x.Part(0, x.M, 0, n));
        if (n < x.N) FewRows<M, T, T, V>.Multiply(x.Part(0, x.M, n, x.N));
    }

    /// <summary>Whole vectors of columns.</summary>
    static void Whole(in Product<T> x)
    {
        long run = Math.Max(LeastRun, Math.Min(RunBytes, SumBytes / x.M) / sizeof(T));
        var job = new Parts { Whole = x, A = x.M == 1 ? null : PackRows(x) };
        new BlockSums(x.K, Gemm.BlockK, x.M * x.N * sizeof(T), (x.N + run - 1) / run, x.N / M.Lanes, Grid.Shares(x)).Run(ref job);
    }

    struct Parts : IBlockParts
    {
        public Product<T> Whole;
        public T* A;
        public BlockSums Sums { get; set; }

        public readonly void Run(int part)
        {
            var (block, first, end) = Sums.Part(part);
            nint j = (nint)first * M.Lanes, w = (nint)(end - first) * M.Lanes;
            if (Sums.Folds) Fold(j, w);
            else Block(block, j, w);
        }

        // the sums of a vector of columns lie together, row below row
        readonly T* At(int block, nint j) => (T*)Sums.Of(block) + j * (nint)Whole.M;

        readonly void Block(int block, nint j, nint w)
        {
            ref readonly var x = ref Whole;
            var (from, k) = Sums.Range(block);
            T* sums = At(block, j);
            new Span<T>(sums, checked((int)(x.M * w))).Clear();
            T* b = x.B + from * x.BRow + j;
            if (x.M == 1) Chain(w, (nint)k, x.A + from * x.ACol, (nint)x.ACol, b, (nint)x.BRow, sums);
            else Chains((nint)x.M, w, (nint)k, A + from * x.M, b, (nint)x.BRow, sums);
        }

        readonly void Fold(nint j, nint w)
        {
            int m = (int)Whole.M;
            nint step = m == 1 ? w : M.Lanes;
            for (nint q = 0; q < w; q += step)
                for (int block = 0; block < Sums.Blocks; block++)
                    Edge<M, T, V>.Put(At(block, j + q), step, m, step, (T*)Whole.At(0, j + q), (nint)Whole.CRow, block == 0 ? Into.Store : Into.Add);
        }
    }

    const int Side = 8;

    /// <summary>Goes on with the chains of <paramref name="w"/> sums through <paramref name="k"/> rows of B, for one row of A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Chain(nint w, nint k, T* a, nint aCol, T* b, nint bRow, T* sums)
    {
        nint p = 0, below = Side * bRow;
        for (; p + Side <= k; p += Side, a += Side * aCol, b += below)
        {
            V x0 = M.Broadcast(a), x1 = M.Broadcast(a + aCol), x2 = M.Broadcast(a + 2 * aCol), x3 = M.Broadcast(a + 3 * aCol);
            V x4 = M.Broadcast(a + 4 * aCol), x5 = M.Broadcast(a + 5 * aCol), x6 = M.Broadcast(a + 6 * aCol), x7 = M.Broadcast(a + 7 * aCol);
            nint j = 0;
            for (; j + 2 * M.Lanes <= w; j += 2 * M.Lanes)
            {
                T* r = b + j;
                V s = M.Load(sums + j), t = M.Load(sums + j + M.Lanes);
                Two(x0, r, below, ref s, ref t);
                Two(x1, r += bRow, below, ref s, ref t);
                Two(x2, r += bRow, below, ref s, ref t);
                Two(x3, r += bRow, below, ref s, ref t);
                Two(x4, r += bRow, below, ref s, ref t);
                Two(x5, r += bRow, below, ref s, ref t);
                Two(x6, r += bRow, below, ref s, ref t);
                Two(x7, r + bRow, below, ref s, ref t);
                M.Store(s, sums + j);
                M.Store(t, sums + j + M.Lanes);
            }
            for (; j < w; j += M.Lanes)
            {
                T* r = b + j;
                V s = M.FusedMultiplyAdd(x0, M.Load(r), M.Load(sums + j));
                s = M.FusedMultiplyAdd(x1, M.Load(r += bRow), s);
                s = M.FusedMultiplyAdd(x2, M.Load(r += bRow), s);
                s = M.FusedMultiplyAdd(x3, M.Load(r += bRow), s);
                s = M.FusedMultiplyAdd(x4, M.Load(r += bRow), s);
                s = M.FusedMultiplyAdd(x5, M.Load(r += bRow), s);
                s = M.FusedMultiplyAdd(x6, M.Load(r += bRow), s);
                M.Store(M.FusedMultiplyAdd(x7, M.Load(r + bRow), s), sums + j);
            }
        }
        Rest(1, w, k - p, a, 0, aCol, b, bRow, sums);
    }

    // hardware follows no steps beyond a page: the eight rows below are asked for now
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Two(V x, T* r, nint below, ref V s, ref V t)
    {
        Prefetch.ToL2(r + below);
        if (M.Lanes * sizeof(T) == 64) Prefetch.ToL2(r + below + M.Lanes);
        s = M.FusedMultiplyAdd(x, M.Load(r), s);
        t = M.FusedMultiplyAdd(x, M.Load(r + M.Lanes), t);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void EightToL2(T* row, nint bRow)
    {
        for (int r = 0; r < Side; r++, row += bRow) Prefetch.ToL2(row);
    }

    /// <summary>Eight steps of a row of A side by side, row below row, and then the next eight: rows a power of two apart would fight over one cache set. Steps beyond the last are never read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T* PackRows(in Product<T> x)
    {
        T* packed = (T*)Scratch.Rent(Slot.A, x.M * (x.K + Side) * sizeof(T)), to = packed;
        for (long p = 0; p < x.K; p += Side)
        {
            int steps = (int)Math.Min(Side, x.K - p);
            T* a = x.A + p * x.ACol;
            for (long i = 0; i < x.M; i++, a += x.ARow, to += Side)
                for (int q = 0; q < steps; q++) to[q] = a[q * x.ACol];
        }
        return packed;
    }

    /// <summary>The same for <paramref name="m"/> rows of A, packed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Chains(nint m, nint w, nint k, T* a, T* b, nint bRow, T* sums)
    {
        nint p = 0, two = 2 * bRow, three = 3 * bRow;
        for (; p + Side <= k; p += Side, a += Side * m, b += Side * bRow)
        {
            T* low = b, high = b + 4 * bRow, s = sums;
            for (nint j = 0; j < w; j += M.Lanes, low += M.Lanes, high += M.Lanes)
            {
                V b0 = M.Load(low), b1 = M.Load(low + bRow), b2 = M.Load(low + two), b3 = M.Load(low + three);
                V b4 = M.Load(high), b5 = M.Load(high + bRow), b6 = M.Load(high + two), b7 = M.Load(high + three);
                EightToL2(high + 4 * bRow, bRow);
                T* e = a;
                for (nint i = 0; i < m; i++, s += M.Lanes, e += Side)
                {
                    V u = M.FusedMultiplyAdd(M.Broadcast(e), b0, M.Load(s));
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 1), b1, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 2), b2, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 3), b3, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 4), b4, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 5), b5, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 6), b6, u);
                    u = M.FusedMultiplyAdd(M.Broadcast(e + 7), b7, u);
                    M.Store(u, s);
                }
            }
        }
        Rest(m, w, k - p, a, Side, 1, b, bRow, sums);
    }

    /// <summary>The last rows of B, one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rest(nint m, nint w, nint k, T* a, nint aRow, nint aCol, T* b, nint bRow, T* sums)
    {
        for (; k > 0; k--, a += aCol, b += bRow)
        {
            T* s = sums;
            for (nint j = 0; j < w; j += M.Lanes)
                for (nint i = 0; i < m; i++, s += M.Lanes) M.Store(M.FusedMultiplyAdd(M.Broadcast(a + i * aRow), M.Load(b + j), M.Load(s)), s);
        }
    }
}

/// <summary>What <see cref="BlockSums"/> runs: parts that make a block's sums in a stripe of columns, and then parts that fold all blocks' in a stripe.</summary>
internal interface IBlockParts : IPart
{
    /// <summary>The state of things, which says what a part has to do.</summary>
    BlockSums Sums { get; set; }
}

/// <summary>
/// The sums of several blocks of k, each made by whoever is free and added in their order: first a job whose parts are blocks by stripes, then one whose parts are stripes and that folds them.
/// <paramref name="bytes"/>: those of a block's sums, all together a small part of B's; stripes are cut between <paramref name="units"/> of columns.
/// </summary>
internal unsafe struct BlockSums(long k, int blockK, long bytes, long stripes, long units, bool isShared)
{
    const int PartsForThread = 4;

    int _stripes;
    byte* _sums;

    public readonly int Blocks => (int)((k + blockK - 1) / blockK);
    /// <summary>True while parts fold.</summary>
    public bool Folds { get; private set; }

    /// <summary>All of it; the sums lie in the calling thread's scratch.</summary>
    public void Run<TParts>(ref TParts parts) where TParts : struct, IBlockParts
    {
        _stripes = (int)Math.Min(units, isShared ? Math.Max(stripes, (PartsForThread * Team.Share + Blocks - 1) / Blocks) : stripes);
        _sums = (byte*)Scratch.Rent(Slot.Tile, Blocks * bytes);
        Run(ref parts, _stripes * Blocks);
        Folds = true;
        Run(ref parts, _stripes);
    }

    readonly void Run<TParts>(ref TParts parts, int count) where TParts : struct, IBlockParts
    {
        parts.Sums = this;
        if (isShared) Team.Run(count, ref parts);
        else
            for (int i = 0; i < count; i++) parts.Run(i);
    }

    /// <summary>Which block, and which units of columns, a part has.</summary>
    public readonly (int Block, long First, long End) Part(int part)
    {
        int stripe = part % _stripes;
        return (part / _stripes, units * stripe / _stripes, units * (stripe + 1) / _stripes);
    }

    /// <summary>Where a block begins, and its length.</summary>
    public readonly (long From, long K) Range(int block)
    {
        long from = (long)block * blockK;
        return (from, Math.Min(blockK, k - from));
    }

    /// <summary>The sums of a block.</summary>
    public readonly void* Of(int block) => _sums + block * bytes;
}
