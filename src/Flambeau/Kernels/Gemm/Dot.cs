using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Flambeau.Runtime;

namespace Flambeau.Kernels;

/// <summary>One row times one column. A chain waits for itself at every step, so blocks of k run side by side, more of them on other threads, and all are then added in order.</summary>
internal static unsafe class Dot
{
    /// <summary>Blocks in a group, which one thread takes at a time.</summary>
    const int Side = 8;
    const nint Block = Gemm.BlockK;

    public static void Multiply<T>(in Product<T> x) where T : unmanaged
    {
        if (typeof(T) == typeof(float)) Sum<float>(x.As<float>());
        else Sum<double>(x.As<double>());
    }

    static void Sum<T>(in Product<T> x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long blocks = (x.K + Gemm.BlockK - 1) / Gemm.BlockK, groups = (blocks + Side - 1) / Side;
        var made = new Groups<T> { X = x, Sums = (T*)Scratch.Rent(Slot.Blocks, blocks * sizeof(T)), Count = groups, Parts = groups > 1 && Team.Pays(x.K) ? (int)Math.Min(groups, 4L * Team.Share) : 1 };
        if (made.Parts == 1) made.Run(0);
        else Team.Run(made.Parts, ref made);
        T total = made.Sums[0];
        for (long b = 1; b < blocks; b++) total += made.Sums[b];
        *(T*)x.C = total;
    }

    struct Groups<T> : IPart where T : unmanaged, IFloatingPointIeee754<T>
    {
        public Product<T> X;
        public T* Sums;
        public long Count;
        public int Parts;

        public readonly void Run(int part)
        {
            for (long group = Count * part / Parts; group < Count * (part + 1) / Parts; group++)
            {
                long from = group * Side * Gemm.BlockK, k = Math.Min(Side * Gemm.BlockK, X.K - from);
                Group(X.A + from * X.ACol, X.B + from * X.BRow, (nint)X.ACol, (nint)X.BRow, (nint)k, Sums + group * Side);
            }
        }
    }

    /// <summary>The sums of up to eight blocks.</summary>
    static void Group<T>(T* a, T* b, nint aStep, nint bStep, nint k, T* sums) where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint done = 0;
        if (typeof(T) == typeof(float) && aStep == 1 && bStep == 1)
        {
            if (k == 8 * Block) { EightTurned((float*)a, (float*)b, (float*)sums); return; }
            if (k >= 4 * Block) { FourTurned((float*)a, (float*)b, (float*)sums); done = 4; }
        }
        for (; done * Block < k; done += 4) Four(a + done * Block * aStep, b + done * Block * bStep, aStep, bStep, Math.Min(4 * Block, k - done * Block), sums + done);
    }

    // a chain in each lane of a vector: four steps of four blocks are turned into four vectors

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void EightTurned(float* a, float* b, float* sums)
    {
        Vector128<float> low = default, high = default;
        for (nint q = 0; q < Block; q += 4)
        {
            low = Steps(a + q, b + q, low);
            high = Steps(a + 4 * Block + q, b + 4 * Block + q, high);
        }
        low.Store(sums);
        high.Store(sums + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void FourTurned(float* a, float* b, float* sums)
    {
        Vector128<float> s = default;
        for (nint q = 0; q < Block; q += 4) s = Steps(a + q, b + q, s);
        s.Store(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> Steps(float* a, float* b, Vector128<float> s)
    {
        Packing.Transpose(Vector128.Load(a), Vector128.Load(a + Block), Vector128.Load(a + 2 * Block), Vector128.Load(a + 3 * Block), out var a0, out var a1, out var a2, out var a3);
        Packing.Transpose(Vector128.Load(b), Vector128.Load(b + Block), Vector128.Load(b + 2 * Block), Vector128.Load(b + 3 * Block), out var b0, out var b1, out var b2, out var b3);
        s = Vector128.FusedMultiplyAdd(a0, b0, s);
        s = Vector128.FusedMultiplyAdd(a1, b1, s);
        s = Vector128.FusedMultiplyAdd(a2, b2, s);
        return Vector128.FusedMultiplyAdd(a3, b3, s);
    }

    /// <summary>The sums of up to four blocks: whole ones side by side, then what is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Four<T>(T* a, T* b, nint aStep, nint bStep, nint k, T* sums) where T : unmanaged, IFloatingPointIeee754<T>
    {
        nint whole = k / Block;
        if (whole > 0)
        {
            // those beyond the last block repeat it
            nint p1 = Block * Math.Min(1, whole - 1), p2 = Block * Math.Min(2, whole - 1), p3 = Block * (whole - 1);
            T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
            T* u = a, v = b;
            for (nint q = 0; q < Block; q++, u += aStep, v += bStep)
            {
                s0 = T.FusedMultiplyAdd(u[0], v[0], s0);
                s1 = T.FusedMultiplyAdd(u[p1 * aStep], v[p1 * bStep], s1);
                s2 = T.FusedMultiplyAdd(u[p2 * aStep], v[p2 * bStep], s2);
                s3 = T.FusedMultiplyAdd(u[p3 * aStep], v[p3 * bStep], s3);
            }
            sums[0] = s0;
            if (whole > 1) sums[1] = s1;
            if (whole > 2) sums[2] = s2;
            if (whole > 3) sums[3] = s3;
        }
        if (whole * Block == k) return;
        T s = T.Zero;
        for (nint q = whole * Block; q < k; q++) s = T.FusedMultiplyAdd(a[q * aStep], b[q * bStep], s);
        sums[whole] = s;
    }
}
