using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>A count the JIT sees as a constant.</summary>
internal interface ICount
{
    static abstract int N { get; }
}

internal struct N1 : ICount { public static int N => 1; }
internal struct N2 : ICount { public static int N => 2; }
internal struct N3 : ICount { public static int N => 3; }
internal struct N4 : ICount { public static int N => 4; }
internal struct N5 : ICount { public static int N => 5; }
internal struct N6 : ICount { public static int N => 6; }
internal struct N7 : ICount { public static int N => 7; }
internal struct N8 : ICount { public static int N => 8; }

/// <summary>What a kernel does with the block of C.</summary>
internal enum Into
{
    /// <summary>C = the chain from zero: the first block of k.</summary>
    Store,
    /// <summary>C += the chain from zero: a later block of k.</summary>
    Add,
    /// <summary>The chain goes on from C: a later piece of the same block of k.</summary>
    Resume,
}

/// <summary>
/// The register block: C[R × Q vectors] from A[R × k] and B[k × Q vectors], one chain of fused multiply-adds per element in rising k.
/// <code>
///        b0 b1 b2      one row of B
///  a0 →  s00 s01 s02
///  a1 →  s10 s11 s12   s[r][q] = a[r] · b[q] + s[r][q]
///  …
/// </code>
/// R and Q are constants to the JIT: rows and vectors beyond them vanish, and all sums stay in registers.
/// </summary>
internal static unsafe class MicroKernel
{
    public const int MaxRows = 8, MaxVectors = 3;

    /// <summary>Element strides: A by row and by k, B by k, C by row. <paramref name="k"/> is at least 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<M, T, V, R, Q>(nint k, T* a, nint aRow, nint aStep, T* b, nint bStep, T* c, nint cRow, Into into)
        where M : ILaneMath<T, V> where T : unmanaged where V : struct where R : struct, ICount where Q : struct, ICount
    {
        V s00 = default, s01 = default, s02 = default;
        V s10 = default, s11 = default, s12 = default;
        V s20 = default, s21 = default, s22 = default;
        V s30 = default, s31 = default, s32 = default;
        V s40 = default, s41 = default, s42 = default;
        V s50 = default, s51 = default, s52 = default;
        V s60 = default, s61 = default, s62 = default;
        V s70 = default, s71 = default, s72 = default;
        if (into == Into.Resume)
        {
            T* p = c;
            { s00 = M.Load(p); if (Q.N > 1) s01 = M.Load(p + M.Lanes); if (Q.N > 2) s02 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 1) { s10 = M.Load(p); if (Q.N > 1) s11 = M.Load(p + M.Lanes); if (Q.N > 2) s12 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 2) { s20 = M.Load(p); if (Q.N > 1) s21 = M.Load(p + M.Lanes); if (Q.N > 2) s22 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 3) { s30 = M.Load(p); if (Q.N > 1) s31 = M.Load(p + M.Lanes); if (Q.N > 2) s32 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 4) { s40 = M.Load(p); if (Q.N > 1) s41 = M.Load(p + M.Lanes); if (Q.N > 2) s42 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 5) { s50 = M.Load(p); if (Q.N > 1) s51 = M.Load(p + M.Lanes); if (Q.N > 2) s52 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 6) { s60 = M.Load(p); if (Q.N > 1) s61 = M.Load(p + M.Lanes); if (Q.N > 2) s62 = M.Load(p + 2 * M.Lanes); p += cRow; }
            if (R.N > 7) { s70 = M.Load(p); if (Q.N > 1) s71 = M.Load(p + M.Lanes); if (Q.N > 2) s72 = M.Load(p + 2 * M.Lanes); p += cRow; }
        }
        nint r2 = 2 * aRow, r3 = 3 * aRow, r4 = 4 * aRow, r5 = 5 * aRow, r6 = 6 * aRow, r7 = 7 * aRow;
        do
        {
            V b0 = M.Load(b), b1 = default, b2 = default, x;
            if (Q.N > 1) b1 = M.Load(b + M.Lanes);
            if (Q.N > 2) b2 = M.Load(b + 2 * M.Lanes);
            { x = M.Broadcast(a); s00 = M.FusedMultiplyAdd(x, b0, s00); if (Q.N > 1) s01 = M.FusedMultiplyAdd(x, b1, s01); if (Q.N > 2) s02 = M.FusedMultiplyAdd(x, b2, s02); }
            if (R.N > 1) { x = M.Broadcast(a + aRow); s10 = M.FusedMultiplyAdd(x, b0, s10); if (Q.N > 1) s11 = M.FusedMultiplyAdd(x, b1, s11); if (Q.N > 2) s12 = M.FusedMultiplyAdd(x, b2, s12); }
            if (R.N > 2) { x = M.Broadcast(a + r2); s20 = M.FusedMultiplyAdd(x, b0, s20); if (Q.N > 1) s21 = M.FusedMultiplyAdd(x, b1, s21); if (Q.N > 2) s22 = M.FusedMultiplyAdd(x, b2, s22); }
            if (R.N > 3) { x = M.Broadcast(a + r3); s30 = M.FusedMultiplyAdd(x, b0, s30); if (Q.N > 1) s31 = M.FusedMultiplyAdd(x, b1, s31); if (Q.N > 2) s32 = M.FusedMultiplyAdd(x, b2, s32); }
            if (R.N > 4) { x = M.Broadcast(a + r4); s40 = M.FusedMultiplyAdd(x, b0, s40); if (Q.N > 1) s41 = M.FusedMultiplyAdd(x, b1, s41); if (Q.N > 2) s42 = M.FusedMultiplyAdd(x, b2, s42); }
            if (R.N > 5) { x = M.Broadcast(a + r5); s50 = M.FusedMultiplyAdd(x, b0, s50); if (Q.N > 1) s51 = M.FusedMultiplyAdd(x, b1, s51); if (Q.N > 2) s52 = M.FusedMultiplyAdd(x, b2, s52); }
            if (R.N > 6) { x = M.Broadcast(a + r6); s60 = M.FusedMultiplyAdd(x, b0, s60); if (Q.N > 1) s61 = M.FusedMultiplyAdd(x, b1, s61); if (Q.N > 2) s62 = M.FusedMultiplyAdd(x, b2, s62); }
            if (R.N > 7) { x = M.Broadcast(a + r7); s70 = M.FusedMultiplyAdd(x, b0, s70); if (Q.N > 1) s71 = M.FusedMultiplyAdd(x, b1, s71); if (Q.N > 2) s72 = M.FusedMultiplyAdd(x, b2, s72); }
            a += aStep;
            b += bStep;
        }
        while (--k > 0);
        if (into == Into.Add)
        {
            T* p = c;
            { s00 = M.Add(M.Load(p), s00); if (Q.N > 1) s01 = M.Add(M.Load(p + M.Lanes), s01); if (Q.N > 2) s02 = M.Add(M.Load(p + 2 * M.Lanes), s02); p += cRow; }
            if (R.N > 1) { s10 = M.Add(M.Load(p), s10); if (Q.N > 1) s11 = M.Add(M.Load(p + M.Lanes), s11); if (Q.N > 2) s12 = M.Add(M.Load(p + 2 * M.Lanes), s12); p += cRow; }
            if (R.N > 2) { s20 = M.Add(M.Load(p), s20); if (Q.N > 1) s21 = M.Add(M.Load(p + M.Lanes), s21); if (Q.N > 2) s22 = M.Add(M.Load(p + 2 * M.Lanes), s22); p += cRow; }
            if (R.N > 3) { s30 = M.Add(M.Load(p), s30); if (Q.N > 1) s31 = M.Add(M.Load(p + M.Lanes), s31); if (Q.N > 2) s32 = M.Add(M.Load(p + 2 * M.Lanes), s32); p += cRow; }
            if (R.N > 4) { s40 = M.Add(M.Load(p), s40); if (Q.N > 1) s41 = M.Add(M.Load(p + M.Lanes), s41); if (Q.N > 2) s42 = M.Add(M.Load(p + 2 * M.Lanes), s42); p += cRow; }
            if (R.N > 5) { s50 = M.Add(M.Load(p), s50); if (Q.N > 1) s51 = M.Add(M.Load(p + M.Lanes), s51); if (Q.N > 2) s52 = M.Add(M.Load(p + 2 * M.Lanes), s52); p += cRow; }
            if (R.N > 6) { s60 = M.Add(M.Load(p), s60); if (Q.N > 1) s61 = M.Add(M.Load(p + M.Lanes), s61); if (Q.N > 2) s62 = M.Add(M.Load(p + 2 * M.Lanes), s62); p += cRow; }
            if (R.N > 7) { s70 = M.Add(M.Load(p), s70); if (Q.N > 1) s71 = M.Add(M.Load(p + M.Lanes), s71); if (Q.N > 2) s72 = M.Add(M.Load(p + 2 * M.Lanes), s72); p += cRow; }
        }
        { M.Store(s00, c); if (Q.N > 1) M.Store(s01, c + M.Lanes); if (Q.N > 2) M.Store(s02, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 1) { M.Store(s10, c); if (Q.N > 1) M.Store(s11, c + M.Lanes); if (Q.N > 2) M.Store(s12, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 2) { M.Store(s20, c); if (Q.N > 1) M.Store(s21, c + M.Lanes); if (Q.N > 2) M.Store(s22, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 3) { M.Store(s30, c); if (Q.N > 1) M.Store(s31, c + M.Lanes); if (Q.N > 2) M.Store(s32, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 4) { M.Store(s40, c); if (Q.N > 1) M.Store(s41, c + M.Lanes); if (Q.N > 2) M.Store(s42, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 5) { M.Store(s50, c); if (Q.N > 1) M.Store(s51, c + M.Lanes); if (Q.N > 2) M.Store(s52, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 6) { M.Store(s60, c); if (Q.N > 1) M.Store(s61, c + M.Lanes); if (Q.N > 2) M.Store(s62, c + 2 * M.Lanes); c += cRow; }
        if (R.N > 7) { M.Store(s70, c); if (Q.N > 1) M.Store(s71, c + M.Lanes); if (Q.N > 2) M.Store(s72, c + 2 * M.Lanes); c += cRow; }
    }
}
