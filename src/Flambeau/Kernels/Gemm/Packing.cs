using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>
/// Copies a block of a matrix into panels that a kernel reads in one sweep: <c>panel[p][lane]</c>, W lanes wide (rows of A or columns of B), k rising.
/// Panel after panel; the last is filled up with zeros.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>Packs <paramref name="lanes"/> × <paramref name="k"/> elements: lane l at step p is <c>source[l · laneStride + p · kStride]</c>.</summary>
    public static void Pack<M, T, V>(T* source, long laneStride, long kStride, long lanes, long k, T* target, int width)
        where M : ILaneMath<T, V> where T : unmanaged where V : struct
    {
        for (long j = 0; j < lanes; j += width, source += width * laneStride, target += width * k)
        {
            int w = (int)Math.Min(width, lanes - j);
            if (w < width) new Span<T>(target, checked((int)(width * k))).Clear();
            if (laneStride == 1) AlongLanes<M, T, V>(source, (nint)kStride, w, lanes - j, (nint)k, target, width);
            else if (kStride == 1 && typeof(T) == typeof(float)) AlongK((float*)source, (nint)laneStride, w, (nint)k, (float*)target, width);
            else if (kStride == 1) AlongK(source, (nint)laneStride, w, (nint)k, target, width);
            else Any(source, (nint)laneStride, (nint)kStride, w, (nint)k, target, width);
        }
    }

    /// <summary>
    /// Lanes lie side by side: whole vectors are copied. Where the width is no multiple of a vector the copy spills over into the next step's place, which is written next;
    /// <paramref name="readable"/> says how many lanes may be read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongLanes<M, T, V>(T* s, nint ld, int w, long readable, nint k, T* d, int width)
        where M : ILaneMath<T, V> where T : unmanaged where V : struct
    {
        int vectors = (width + M.Lanes - 1) / M.Lanes, reach = vectors * M.Lanes;
        nint p = 0, whole = w < width || reach > readable ? 0 : reach == width ? k : k - 1;
        if (vectors == 1)
            for (; p < whole; p++, s += ld, d += width) M.Store(M.Load(s), d);
        else if (vectors == 2)
            for (; p < whole; p++, s += ld, d += width)
            {
                var x = M.Load(s);
                var y = M.Load(s + M.Lanes);
                M.Store(x, d);
                M.Store(y, d + M.Lanes);
            }
        else
            for (; p < whole; p++, s += ld, d += width)
                for (int q = 0; q < reach; q += M.Lanes) M.Store(M.Load(s + q), d + q);
        for (; p < k; p++, s += ld, d += width)
            for (int q = 0; q < w; q++) d[q] = s[q];
    }

    /// <summary>k lies side by side: 4 × 4 elements are transposed in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongK(float* s, nint ld, int w, nint k, float* d, int width)
    {
        int r = 0;
        for (; r + 4 <= w; r += 4)
        {
            float* s0 = s + r * ld, s1 = s0 + ld, s2 = s1 + ld, s3 = s2 + ld, t = d + r;
            nint p = 0;
            for (; p + 4 <= k; p += 4, t += 4 * width)
            {
                Transpose(Vector128.Load(s0 + p), Vector128.Load(s1 + p), Vector128.Load(s2 + p), Vector128.Load(s3 + p), out var t0, out var t1, out var t2, out var t3);
                t0.Store(t);
                t1.Store(t + width);
                t2.Store(t + 2 * width);
                t3.Store(t + 3 * width);
            }
            for (; p < k; p++, t += width)
            {
                t[0] = s0[p];
                t[1] = s1[p];
                t[2] = s2[p];
                t[3] = s3[p];
            }
        }
        for (; r + 2 <= w; r += 2)
        {
            float* s0 = s + r * ld, s1 = s0 + ld, t = d + r;
            nint p = 0;
            for (; p + 4 <= k; p += 4, t += 4 * width)
            {
                Vector128<float> x = Vector128.Load(s0 + p), y = Vector128.Load(s1 + p);
                Vector128<double> low = ZipLow(x, y).AsDouble(), high = ZipHigh(x, y).AsDouble();
                *(double*)t = low.GetElement(0);
                *(double*)(t + width) = low.GetElement(1);
                *(double*)(t + 2 * width) = high.GetElement(0);
                *(double*)(t + 3 * width) = high.GetElement(1);
            }
            for (; p < k; p++, t += width)
            {
                t[0] = s0[p];
                t[1] = s1[p];
            }
        }
        if (r < w)
            for (nint p = 0; p < k; p++) d[p * width + r] = s[r * ld + p];
    }

    /// <summary>k lies side by side, any element type: four rows at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongK<T>(T* s, nint ld, int w, nint k, T* d, int width) where T : unmanaged
    {
        int r = 0;
        for (; r + 4 <= w; r += 4)
        {
            T* s0 = s + r * ld, s1 = s0 + ld, s2 = s1 + ld, s3 = s2 + ld, t = d + r;
            for (nint p = 0; p < k; p++, t += width)
            {
                t[0] = s0[p];
                t[1] = s1[p];
                t[2] = s2[p];
                t[3] = s3[p];
            }
        }
        for (; r < w; r++)
            for (nint p = 0; p < k; p++) d[p * width + r] = s[r * ld + p];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Any<T>(T* s, nint laneStride, nint kStride, int w, nint k, T* d, int width) where T : unmanaged
    {
        for (nint p = 0; p < k; p++, s += kStride, d += width)
            for (int q = 0; q < w; q++) d[q] = s[q * laneStride];
    }

    /// <summary>The transpose of a 4 × 4 block held as four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Transpose(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d,
        out Vector128<float> t0, out Vector128<float> t1, out Vector128<float> t2, out Vector128<float> t3)
    {
        Vector128<float> ab0 = ZipLow(a, b), ab1 = ZipHigh(a, b), cd0 = ZipLow(c, d), cd1 = ZipHigh(c, d); // a0 b0 a1 b1, a2 b2 a3 b3, …
        t0 = LowHalves(ab0, cd0);
        t1 = HighHalves(ab0, cd0);
        t2 = LowHalves(ab1, cd1);
        t3 = HighHalves(ab1, cd1);
    }

    /// <summary>a0 b0 a1 b1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    /// <summary>a2 b2 a3 b3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

    /// <summary>a0 a1 b0 b1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> LowHalves(Vector128<float> a, Vector128<float> b) => Vector128.Create(a.GetLower(), b.GetLower());

    /// <summary>a2 a3 b2 b3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> HighHalves(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.MoveHighToLow(b, a) : Vector128.Create(a.GetUpper(), b.GetUpper());
}
