using System.Numerics;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>One row times one column. A chain waits for itself at every step, so four blocks of k run side by side and are then added in order.</summary>
internal static unsafe class Dot
{
    const int Side = 4;

    public static void Multiply<T>(in Product<T> x) where T : unmanaged
    {
        if (typeof(T) == typeof(float)) *(float*)x.C = Total((float*)x.A, (float*)x.B, (nint)x.ACol, (nint)x.BRow, (nint)x.K);
        else *(double*)x.C = Total((double*)x.A, (double*)x.B, (nint)x.ACol, (nint)x.BRow, (nint)x.K);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Total<T>(T* a, T* b, nint aStep, nint bStep, nint k) where T : unmanaged, IFloatingPointIeee754<T>
    {
        const nint Block = Gemm.BlockK;
        T total = T.Zero;
        nint p = 0;
        for (; p + Side * Block <= k; p += Side * Block)
        {
            T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
            T* u = a + p * aStep, v = b + p * bStep;
            nint u1 = Block * aStep, v1 = Block * bStep;
            for (nint q = 0; q < Block; q++, u += aStep, v += bStep)
            {
                s0 = T.FusedMultiplyAdd(u[0], v[0], s0);
                s1 = T.FusedMultiplyAdd(u[u1], v[v1], s1);
                s2 = T.FusedMultiplyAdd(u[2 * u1], v[2 * v1], s2);
                s3 = T.FusedMultiplyAdd(u[3 * u1], v[3 * v1], s3);
            }
            total = p == 0 ? s0 : total + s0;
            total += s1;
            total += s2;
            total += s3;
        }
        for (; p < k; p += Block)
        {
            T s = T.Zero;
            nint end = Math.Min(k, p + Block);
            for (nint q = p; q < end; q++) s = T.FusedMultiplyAdd(a[q * aStep], b[q * bStep], s);
            total = p == 0 ? s : total + s;
        }
        return total;
    }
}
