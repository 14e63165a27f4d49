using Flambeau.Runtime;
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
    /// <summary>
    /// Packs <paramref name="lanes"/> × <paramref name="k"/> elements: lane l at step p is <c>source[l · laneStride + p · kStride]</c>.
    /// <paramref name="target"/> has room for the lanes rounded up to whole panels. <paramref name="ahead"/>: where k lies side by side, bytes further on in each row to ask for meanwhile
    /// (hardware follows fewer streams than a panel has rows); by default four lines, and behind a row's end what the next panel begins with.
    /// </summary>
    public static void Pack<M, T, V>(T* source, long laneStride, long kStride, long lanes, long k, T* target, int width, int ahead = 0)
        where M : ILaneMath<T, V> where T : unmanaged where V : struct
    {
        nint whole = (nint)(lanes / width * width), ragged = (nint)lanes - whole;
        if (laneStride == 1) AlongLanes<M, T, V>(source, (nint)kStride, whole, (nint)lanes, (nint)k, target, width);
        else if (kStride == 1) AlongK(source, (nint)laneStride * sizeof(T), whole, (nint)k, target, (nint)k * width, width, ahead);
        else Any(source, (nint)laneStride, (nint)kStride, whole, (nint)k, target, width);
        if (ragged > 0) Last(source + whole * laneStride, (nint)laneStride, (nint)kStride, (int)ragged, (nint)k, target + whole * k, width);
    }

    /// <summary>
    /// The same for a source of type <typeparamref name="S"/>: what is no <typeparamref name="T"/> becomes groups of steps or is widened, as <typeparamref name="M"/> computes. <paramref name="k"/> counts the source's steps.
    /// </summary>
    public static void Pack<M, S, T, V>(S* source, long laneStride, long kStride, long lanes, long k, T* target, int width, int ahead = 0)
        where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
    {
        if (typeof(S) == typeof(T)) Pack<M, T, V>((T*)source, laneStride, kStride, lanes, k, target, width, ahead);
        else if (M.Pairing > 1) GroupPacking.Pack(source, laneStride, kStride, (nint)lanes, (nint)k, (uint*)target, width, ahead);
        else Widened<M, S, T, V>(source, laneStride, kStride, lanes, k, target, width);
    }

    /// <summary>
    /// The rows of A in panels. The instruction for bytes takes those of A unsigned: signed ones become so by adding 128, and what that adds to every row of C, 128 times the sums of B's columns, is taken off at the end.
    /// </summary>
    public static void PackRows<M, S, T, V>(S* source, long rowStride, long kStride, long rows, long k, T* target)
        where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
    {
        Pack<M, S, T, V>(source, rowStride, kStride, rows, k, target, M.Rows);
        if (typeof(S) != typeof(sbyte)) return;
        long elements = (rows + M.Rows - 1) / M.Rows * M.Rows * ((k + M.Pairing - 1) / M.Pairing);
        GroupPacking.FlipSigns((ulong*)target, elements / 2);
    }

    /// <summary>A group of lanes at a time is widened in second-level cache, in the source's own order, and packed from there.</summary>
    static void Widened<M, S, T, V>(S* source, long laneStride, long kStride, long lanes, long k, T* target, int width)
        where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
    {
        long group = Math.Max(1, WidenedLanes / width) * width;
        T* wide = (T*)Scratch.Rent(Slot.Widened, Math.Min(group, lanes) * k * sizeof(T));
        for (long j = 0; j < lanes; j += group)
        {
            long n = Math.Min(group, lanes - j);
            S* s = source + j * laneStride;
            if (kStride == 1)
            {
                for (long l = 0; l < n; l++) Narrow<S, T>.Widen(s + l * laneStride, 1, wide + l * k, k);
                Pack<M, T, V>(wide, k, 1, n, k, target + j * k, width);
            }
            else
            {
                for (long p = 0; p < k; p++) Narrow<S, T>.Widen(s + p * kStride, laneStride, wide + p * n, n);
                Pack<M, T, V>(wide, 1, n, n, k, target + j * k, width);
            }
        }
    }

    const int WidenedLanes = 96;

    /// <summary>
    /// Lanes lie side by side: whole vectors are copied, eight steps of k at a time across all panels, so that reading runs along rows and a power-of-two pitch does not empty the cache.
    /// Where the width is no multiple of a vector a copy spills over into the next step's place, which is written later; <paramref name="readable"/> lanes may be read.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongLanes<M, T, V>(T* source, nint ld, nint lanes, nint readable, nint k, T* target, int width)
        where M : ILaneMath<T, V> where T : unmanaged where V : struct
    {
        if (2 * width == M.Lanes && Vector512.IsHardwareAccelerated && M.Lanes * sizeof(T) == 64)
        {
            nint done = lanes / M.Lanes * M.Lanes;
            PanelsByTwo(source, ld, done, k, target);
            source += done;
            target += done * k;
            lanes -= done;
            readable -= done;
        }
        const int Sweep = 8;
        int reach = (width + M.Lanes - 1) / M.Lanes * M.Lanes;
        for (nint p0 = 0; p0 < k; p0 += Sweep)
        {
            nint end = Math.Min(k, p0 + Sweep);
            for (nint j = 0; j < lanes; j += width)
            {
                T* s = source + p0 * ld + j, d = target + j * k + p0 * width;
                nint p = p0, copied = j + reach > readable ? p0 : reach == width ? end : Math.Min(end, k - 1);
                if (reach == 2 * M.Lanes)
                    for (; p < copied; p++, s += ld, d += width)
                    {
                        M.Store(M.Load(s), d);
                        M.Store(M.Load(s + M.Lanes), d + M.Lanes);
                    }
                else
                    for (; p < copied; p++, s += ld, d += width)
                        for (int q = 0; q < reach; q += M.Lanes) M.Store(M.Load(s + q), d + q);
                for (; p < end; p++, s += ld, d += width)
                    for (int q = 0; q < width; q++) d[q] = s[q];
            }
        }
    }

    /// <summary>Panels half a line wide: of each line one half goes to one panel, the other to the next. The lines four rows below are asked for meanwhile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void PanelsByTwo<T>(T* source, nint ld, nint lanes, nint k, T* target) where T : unmanaged
    {
        const int Sweep = 4;
        nint line = 64 / sizeof(T), half = line / 2;
        for (nint p0 = 0; p0 < k; p0 += Sweep)
        {
            nint end = Math.Min(k, p0 + Sweep);
            for (nint j = 0; j < lanes; j += line)
            {
                T* s = source + p0 * ld + j, d = target + j * k + p0 * half, e = d + half * k;
                for (nint p = p0; p < end; p++, s += ld, d += half, e += half)
                {
                    Prefetch.ToL1(s + Sweep * ld);
                    var x = Vector512.Load((byte*)s);
                    x.GetLower().Store((byte*)d);
                    x.GetUpper().Store((byte*)e);
                }
            }
        }
    }

    /// <summary>
    /// k lies side by side: tiles of a cache line of k by four lanes are transposed, and a line's worth of the panel is finished before the next.
    /// <paramref name="ld"/> bytes lie from lane to lane, <paramref name="panel"/> elements from panel to panel.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void AlongK<T>(T* source, nint ld, nint lanes, nint k, T* target, nint panel, int width, int ahead) where T : unmanaged
    {
        nint step = 64 / sizeof(T), reach = (ahead == 0 ? 4 * 64 : ahead) / sizeof(T);
        for (nint j = 0; j < lanes; j += width, target += panel, source = Below(source, width * ld))
        {
            for (nint p = 0; p < k; p += step)
            {
                nint count = Math.Min(step, k - p);
                T* s = source + p, d = target + p * width;
                // behind a row's end comes what the next panel has
                nint next = ahead == 0 && p + reach >= k ? (reach - k) * sizeof(T) + width * ld : reach * sizeof(T);
                int r = 0;
                if (Avx.IsSupported && sizeof(T) == 4)
                    for (; r + 8 <= width; r += 8, s = Below(s, 8 * ld))
                    {
                        for (nint l = 0; l < 8; l++) Prefetch.ToL2(Below(s, l * ld + next));
                        Eight((float*)s, ld, count, (float*)d + r, width);
                    }
                for (; r + 4 <= width; r += 4, s = Below(s, 4 * ld))
                {
                    for (nint l = 0; l < 4; l++) Prefetch.ToL2(Below(s, l * ld + next));
                    Four(s, ld, count, d + r, width);
                }
                for (; r + 2 <= width; r += 2, s = Below(s, 2 * ld)) Two(s, ld, count, d + r, width);
                if (r < width) // no register block has an odd width, but nothing forbids one
                    for (nint q = 0; q < count; q++) d[q * width + r] = s[q];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T* Below<T>(T* s, nint bytes) where T : unmanaged => (T*)((byte*)s + bytes);

    /// <summary>Transposes eight rows of <paramref name="count"/> elements into eight lanes: <see cref="Four"/> in both halves of a vector, with four rows in each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Eight(float* s, nint ld, nint count, float* d, nint width)
    {
        float* u = Below(s, 4 * ld);
        nint q = 0, two = 2 * ld, three = 3 * ld;
        for (; q + 4 <= count; q += 4, d += 4 * width, s += 4, u += 4)
        {
            Vector256<float> a = Vector256.Create(Vector128.Load(s), Vector128.Load(u)), b = Vector256.Create(Vector128.Load(Below(s, ld)), Vector128.Load(Below(u, ld)));
            Vector256<float> c = Vector256.Create(Vector128.Load(Below(s, two)), Vector128.Load(Below(u, two))), e = Vector256.Create(Vector128.Load(Below(s, three)), Vector128.Load(Below(u, three)));
            Vector256<double> ab0 = Avx.UnpackLow(a, b).AsDouble(), ab1 = Avx.UnpackHigh(a, b).AsDouble(), ce0 = Avx.UnpackLow(c, e).AsDouble(), ce1 = Avx.UnpackHigh(c, e).AsDouble();
            Avx.UnpackLow(ab0, ce0).AsSingle().Store(d);
            Avx.UnpackHigh(ab0, ce0).AsSingle().Store(d + width);
            Avx.UnpackLow(ab1, ce1).AsSingle().Store(d + 2 * width);
            Avx.UnpackHigh(ab1, ce1).AsSingle().Store(d + 3 * width);
        }
        for (; q < count; q++, d += width, s++)
            for (nint l = 0; l < 8; l++) d[l] = *Below(s, l * ld);
    }

    /// <summary>Transposes four rows of <paramref name="count"/> elements into four lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Four<T>(T* s, nint ld, nint count, T* d, nint width) where T : unmanaged
    {
        T* s1 = Below(s, ld), s2 = Below(s1, ld), s3 = Below(s2, ld);
        nint q = 0;
        if (typeof(T) == typeof(float))
            for (; q + 4 <= count; q += 4, d += 4 * width)
            {
                Transpose(Vector128.Load((float*)(s + q)), Vector128.Load((float*)(s1 + q)), Vector128.Load((float*)(s2 + q)), Vector128.Load((float*)(s3 + q)),
                    out var t0, out var t1, out var t2, out var t3);
                t0.Store((float*)d);
                t1.Store((float*)(d + width));
                t2.Store((float*)(d + 2 * width));
                t3.Store((float*)(d + 3 * width));
            }
        else
            for (; q + 2 <= count; q += 2, d += 2 * width)
            {
                Vector128<double> a = Vector128.Load((double*)(s + q)), b = Vector128.Load((double*)(s1 + q)), c = Vector128.Load((double*)(s2 + q)), e = Vector128.Load((double*)(s3 + q));
                ZipLow(a, b).Store((double*)d);
                ZipLow(c, e).Store((double*)d + 2);
                ZipHigh(a, b).Store((double*)(d + width));
                ZipHigh(c, e).Store((double*)(d + width) + 2);
            }
        for (; q < count; q++, d += width)
        {
            d[0] = s[q];
            d[1] = s1[q];
            d[2] = s2[q];
            d[3] = s3[q];
        }
    }

    /// <summary>Transposes two rows of <paramref name="count"/> elements into two lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Two<T>(T* s, nint ld, nint count, T* d, nint width) where T : unmanaged
    {
        T* s1 = Below(s, ld);
        nint q = 0;
        if (typeof(T) == typeof(float))
            for (; q + 4 <= count; q += 4, d += 4 * width)
            {
                Vector128<float> a = Vector128.Load((float*)(s + q)), b = Vector128.Load((float*)(s1 + q));
                Vector128<double> low = ZipLow(a, b).AsDouble(), high = ZipHigh(a, b).AsDouble();
                *(double*)d = low.GetElement(0);
                *(double*)(d + width) = low.GetElement(1);
                *(double*)(d + 2 * width) = high.GetElement(0);
                *(double*)(d + 3 * width) = high.GetElement(1);
            }
        else
            for (; q + 2 <= count; q += 2, d += 2 * width)
            {
                Vector128<double> a = Vector128.Load((double*)(s + q)), b = Vector128.Load((double*)(s1 + q));
                ZipLow(a, b).Store((double*)d);
                ZipHigh(a, b).Store((double*)(d + width));
            }
        for (; q < count; q++, d += width)
        {
            d[0] = s[q];
            d[1] = s1[q];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Any<T>(T* source, nint laneStride, nint kStride, nint lanes, nint k, T* target, int width) where T : unmanaged
    {
        for (nint j = 0; j < lanes; j += width)
        {
            T* s = source + j * laneStride;
            for (nint p = 0; p < k; p++, s += kStride, target += width)
                for (int q = 0; q < width; q++) target[q] = s[q * laneStride];
        }
    }

    /// <summary>The last panel, of fewer lanes than its width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Last<T>(T* source, nint laneStride, nint kStride, int lanes, nint k, T* target, int width) where T : unmanaged
    {
        for (nint p = 0; p < k; p++, source += kStride, target += width)
        {
            for (int q = 0; q < lanes; q++) target[q] = source[q * laneStride];
            for (int q = lanes; q < width; q++) target[q] = default;
        }
    }

    /// <summary>Transposes a tile: target[c · targetRow + r] = source[r · sourceRow + c].</summary>
    public static void Turn<T>(T* source, nint sourceRow, int rows, int columns, T* target, nint targetRow) where T : unmanaged
        => TurnBytes(source, sourceRow * sizeof(T), rows, columns, target, targetRow);

    /// <summary>The same with <paramref name="ld"/> bytes from row to row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void TurnBytes<T>(T* source, nint ld, int rows, nint columns, T* target, nint targetRow) where T : unmanaged
    {
        int r = 0;
        for (; r + 4 <= rows; r += 4) Four(Below(source, r * ld), ld, columns, target + r, targetRow);
        for (; r + 2 <= rows; r += 2) Two(Below(source, r * ld), ld, columns, target + r, targetRow);
        if (r < rows)
            for (nint c = 0; c < columns; c++) target[c * targetRow + r] = Below(source, r * ld)[c];
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
    internal static Vector128<float> ZipLow(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Vector128.Create(a[0], b[0], a[1], b[1]);

    /// <summary>a2 b2 a3 b3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> ZipHigh(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Vector128.Create(a[2], b[2], a[3], b[3]);

    /// <summary>a0 b0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<double> ZipLow(Vector128<double> a, Vector128<double> b) => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : Vector128.Create(a.GetLower(), b.GetLower());

    /// <summary>a1 b1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<double> ZipHigh(Vector128<double> a, Vector128<double> b) => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : Vector128.Create(a.GetUpper(), b.GetUpper());

    /// <summary>a0 a1 b0 b1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> LowHalves(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.MoveLowToHigh(a, b) : Vector128.Create(a.GetLower(), b.GetLower());

    /// <summary>a2 a3 b2 b3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> HighHalves(Vector128<float> a, Vector128<float> b)
        => Sse.IsSupported ? Sse.MoveHighToLow(b, a) : Vector128.Create(a.GetUpper(), b.GetUpper());
}
