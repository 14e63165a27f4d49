using Flambeau.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>
/// float32 products of one to <see cref="MostRows"/> rows whose weights lie n × k, with 512-bit vectors: sixteen weight rows by sixteen steps of k are turned in registers, so that lanes are outputs and each goes on with its one
/// chain over k. A line of memory is loaded once and whole: sixteen rows a power of two apart share one set of the first-level cache, which does not hold them until a second look.
/// </summary>
internal static unsafe class Turned
{
    public const int MostRows = 4;
    const int Lanes = 16;
    /// <summary>How far ahead each row is asked for, in elements: half a page.</summary>
    const int Ahead = 512;
    const int PartsForThread = 8;

    public static bool Suits(in Product<float> x) => Avx512F.IsSupported && Gemm.Width == 512 && x.BRow == 1 && x.CCol == 1 && x.M <= MostRows && x.N >= Lanes;

    public static void Multiply(in Product<float> x)
    {
        long n = x.N / Lanes * Lanes;
        var parts = new Parts { Whole = x.Part(0, x.M, 0, n), Count = Grid.Shares(x) ? (int)Math.Min(n / Lanes, (long)PartsForThread * Team.Share) : 1 };
        if (x.ACol != 1)
        {
            float* a = (float*)Scratch.Rent(Slot.A, x.M * x.K * sizeof(float));
            for (long i = 0; i < x.M; i++)
                for (long p = 0; p < x.K; p++) a[i * x.K + p] = x.A[i * x.ARow + p * x.ACol];
            parts.Whole.A = a;
            parts.Whole.ARow = x.K;
        }
        if (parts.Count == 1) parts.Run(0);
        else Team.Run(parts.Count, ref parts);
        if (n < x.N) FewRows<Float512, float, float, Vector512<float>>.Multiply(x.Part(0, x.M, n, x.N));
    }

    struct Parts : IPart
    {
        public Product<float> Whole;
        public int Count;

        public readonly void Run(int part)
        {
            long groups = Whole.N / Lanes, first = groups * part / Count, end = groups * (part + 1) / Count;
            var mine = Whole.Part(0, Whole.M, first * Lanes, end * Lanes);
            if (mine.M == 1) Rows<N1>(mine);
            else if (mine.M == 2) Rows<N2>(mine);
            else if (mine.M == 3) Rows<N3>(mine);
            else Rows<N4>(mine);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Rows<R>(in Product<float> x) where R : struct, ICount
    {
        nint ld = (nint)x.BCol, k = (nint)x.K, aRow = (nint)x.ARow, cRow = (nint)x.CRow;
        float* rest = stackalloc float[Lanes * Lanes];
        for (nint j = 0; j < (nint)x.N; j += Lanes)
        {
            float* w = x.B + j * ld, c = (float*)x.C + j;
            Vector512<float> t0 = default, t1 = default, t2 = default, t3 = default;
            for (nint block = 0; block < k; block += Gemm.BlockK)
            {
                nint end = Math.Min(k, block + Gemm.BlockK), p = block;
                Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
                for (; p + Lanes <= end; p += Lanes)
                {
                    // behind a row's end comes what the next sixteen begin with
                    Ask(w + p + (p + Ahead < k ? Ahead : Ahead - k + Lanes * ld), ld);
                    float* r = w + p, a = x.A + p;
                    Four(r, ld, out var v0, out var v1, out var v2, out var v3);
                    Four(r + 4 * ld, ld, out var v4, out var v5, out var v6, out var v7);
                    Four(r + 8 * ld, ld, out var v8, out var v9, out var v10, out var v11);
                    Four(r + 12 * ld, ld, out var v12, out var v13, out var v14, out var v15);
                    TurnParts(ref v0, ref v4, ref v8, ref v12);
                    TurnParts(ref v1, ref v5, ref v9, ref v13);
                    TurnParts(ref v2, ref v6, ref v10, ref v14);
                    TurnParts(ref v3, ref v7, ref v11, ref v15);
                    { Chain(ref s0, a, v0, v1, v2, v3); Chain(ref s0, a + 4, v4, v5, v6, v7); Chain(ref s0, a + 8, v8, v9, v10, v11); Chain(ref s0, a + 12, v12, v13, v14, v15); }
                    if (R.N > 1) { a += aRow; Chain(ref s1, a, v0, v1, v2, v3); Chain(ref s1, a + 4, v4, v5, v6, v7); Chain(ref s1, a + 8, v8, v9, v10, v11); Chain(ref s1, a + 12, v12, v13, v14, v15); }
                    if (R.N > 2) { a += aRow; Chain(ref s2, a, v0, v1, v2, v3); Chain(ref s2, a + 4, v4, v5, v6, v7); Chain(ref s2, a + 8, v8, v9, v10, v11); Chain(ref s2, a + 12, v12, v13, v14, v15); }
                    if (R.N > 3) { a += aRow; Chain(ref s3, a, v0, v1, v2, v3); Chain(ref s3, a + 4, v4, v5, v6, v7); Chain(ref s3, a + 8, v8, v9, v10, v11); Chain(ref s3, a + 12, v12, v13, v14, v15); }
                }
                if (p < end)
                {
                    for (nint l = 0; l < Lanes; l++)
                        for (nint q = 0; q < end - p; q++) rest[q * Lanes + l] = w[l * ld + p + q];
                    for (nint q = 0; p < end; p++, q++)
                    {
                        var v = Vector512.Load(rest + q * Lanes);
                        s0 = Vector512.FusedMultiplyAdd(Vector512.Create(x.A[p]), v, s0);
                        if (R.N > 1) s1 = Vector512.FusedMultiplyAdd(Vector512.Create(x.A[aRow + p]), v, s1);
                        if (R.N > 2) s2 = Vector512.FusedMultiplyAdd(Vector512.Create(x.A[2 * aRow + p]), v, s2);
                        if (R.N > 3) s3 = Vector512.FusedMultiplyAdd(Vector512.Create(x.A[3 * aRow + p]), v, s3);
                    }
                }
                bool isFirst = block == 0;
                t0 = isFirst ? s0 : t0 + s0;
                if (R.N > 1) t1 = isFirst ? s1 : t1 + s1;
                if (R.N > 2) t2 = isFirst ? s2 : t2 + s2;
                if (R.N > 3) t3 = isFirst ? s3 : t3 + s3;
            }
            t0.Store(c);
            if (R.N > 1) t1.Store(c + cRow);
            if (R.N > 2) t2.Store(c + 2 * cRow);
            if (R.N > 3) t3.Store(c + 3 * cRow);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Chain(ref Vector512<float> s, float* a, Vector512<float> v0, Vector512<float> v1, Vector512<float> v2, Vector512<float> v3)
    {
        s = Vector512.FusedMultiplyAdd(Vector512.Create(a[0]), v0, s);
        s = Vector512.FusedMultiplyAdd(Vector512.Create(a[1]), v1, s);
        s = Vector512.FusedMultiplyAdd(Vector512.Create(a[2]), v2, s);
        s = Vector512.FusedMultiplyAdd(Vector512.Create(a[3]), v3, s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Ask(float* row, nint ld)
    {
        for (int r = 0; r < Lanes; r++, row += ld) Prefetch.ToL2(row);
    }

    /// <summary>Four rows of sixteen elements: v<i>i</i> has steps i, 4 + i, 8 + i and 12 + i, of the four rows each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four(float* r, nint ld, out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2, out Vector512<float> v3)
    {
        Vector512<float> a = Vector512.Load(r), b = Vector512.Load(r + ld), c = Vector512.Load(r + 2 * ld), d = Vector512.Load(r + 3 * ld);
        Vector512<double> ab0 = Avx512F.UnpackLow(a, b).AsDouble(), ab1 = Avx512F.UnpackHigh(a, b).AsDouble(), cd0 = Avx512F.UnpackLow(c, d).AsDouble(), cd1 = Avx512F.UnpackHigh(c, d).AsDouble();
        v0 = Avx512F.UnpackLow(ab0, cd0).AsSingle();
        v1 = Avx512F.UnpackHigh(ab0, cd0).AsSingle();
        v2 = Avx512F.UnpackLow(ab1, cd1).AsSingle();
        v3 = Avx512F.UnpackHigh(ab1, cd1).AsSingle();
    }

    /// <summary>The transpose of a 4 × 4 block of 128 bits held as four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void TurnParts(ref Vector512<float> a, ref Vector512<float> b, ref Vector512<float> c, ref Vector512<float> d)
    {
        Vector512<float> ab0 = Avx512F.Shuffle4x128(a, b, 0x44), ab1 = Avx512F.Shuffle4x128(a, b, 0xEE), cd0 = Avx512F.Shuffle4x128(c, d, 0x44), cd1 = Avx512F.Shuffle4x128(c, d, 0xEE);
        a = Avx512F.Shuffle4x128(ab0, cd0, 0x88);
        b = Avx512F.Shuffle4x128(ab0, cd0, 0xDD);
        c = Avx512F.Shuffle4x128(ab1, cd1, 0x88);
        d = Avx512F.Shuffle4x128(ab1, cd1, 0xDD);
    }
}
