using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>
/// Panels of pairs of 16-bit elements: the pair of steps (2p, 2p + 1) is one element of 32 bits, the even step in the lower half. Where k lies side by side a pair is there already and moves as a float32 does.
/// After an odd number of steps the last pair is filled up with a zero.
/// </summary>
internal static unsafe class PairPacking
{
    /// <summary>As <see cref="Packing"/>; <paramref name="k"/> counts single steps.</summary>
    public static void Pack(ushort* source, long laneStride, long kStride, nint lanes, nint k, float* target, int width, int ahead)
    {
        nint panel = (k + 1) / 2 * width;
        if (kStride == 1) AlongK(source, (nint)laneStride, lanes, k, target, panel, width, ahead);
        else if (laneStride == 1) AlongLanes(source, (nint)kStride, lanes, k, (uint*)target, panel, width);
        else Any(source, (nint)laneStride, (nint)kStride, lanes, k, (uint*)target, panel, width);
    }

    static void AlongK(ushort* source, nint ld, nint lanes, nint k, float* target, nint panel, int width, int ahead)
    {
        nint pairs = k / 2, whole = lanes / width * width;
        int ragged = (int)(lanes - whole);
        Packing.AlongK((float*)source, ld * sizeof(ushort), whole, pairs, target, panel, width, ahead);
        if (ragged > 0)
        {
            float* last = target + whole / width * panel;
            new Span<float>(last, checked((int)panel)).Clear();
            Packing.TurnBytes((float*)(source + whole * ld), ld * sizeof(ushort), ragged, pairs, last, width);
        }
        if ((k & 1) == 1) Any(source + (k - 1), ld, 1, lanes, 1, (uint*)target + pairs * width, panel, width);
    }

    /// <summary>Lanes lie side by side: two rows are interleaved, four pairs of rows at a time across all panels, so that reading runs along rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongLanes(ushort* source, nint ld, nint lanes, nint k, uint* target, nint panel, int width)
    {
        const int Sweep = 8;
        for (nint p0 = 0; p0 < k; p0 += Sweep)
        {
            nint end = Math.Min(k, p0 + Sweep);
            uint* into = target + p0 / 2 * width;
            for (nint j = 0; j < lanes; j += width, into += panel)
            {
                ushort* s = source + p0 * ld + j;
                uint* d = into;
                int n = (int)Math.Min(width, lanes - j);
                // hardware follows no steps beyond a page; a line is asked for by the first panel in it
                if ((j & 31) < width)
                    for (int r = 2 * Sweep; r < 3 * Sweep; r++) Prefetch.ToL2(s + r * ld);
                nint p = p0;
                if (n == 8 && width == 8)
                    for (; p + 2 <= end; p += 2, s += 2 * ld, d += 8)
                    {
                        Vector128<ushort> a = Vector128.Load(s), b = Vector128.Load(s + ld);
                        ZipLow(a, b).AsUInt32().Store(d);
                        ZipHigh(a, b).AsUInt32().Store(d + 4);
                    }
                for (; p + 2 <= end; p += 2, s += 2 * ld, d += width) Interleave(s, s + ld, n, d, width);
                if (p < end)
                    for (int q = 0; q < width; q++) d[q] = q < n ? s[q] : 0u;
            }
        }
    }

    /// <summary>d[q] = even[q] below odd[q], and zeros behind the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Interleave(ushort* even, ushort* odd, int n, uint* d, int width)
    {
        int q = 0;
        if (Vector512.IsHardwareAccelerated)
            for (; q + 16 <= n; q += 16)
                (Wide(even + q) | Wide(odd + q) << 16).Store(d + q);
        for (; q + 8 <= n; q += 8)
        {
            Vector128<ushort> a = Vector128.Load(even + q), b = Vector128.Load(odd + q);
            ZipLow(a, b).AsUInt32().Store(d + q);
            ZipHigh(a, b).AsUInt32().Store(d + q + 4);
        }
        for (; q < n; q++) d[q] = even[q] | (uint)odd[q] << 16;
        for (; q < width; q++) d[q] = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> Wide(ushort* s)
        => Avx512F.IsSupported ? Avx512F.ConvertToVector512UInt32(Vector256.Load(s)) : Vector512.WidenLower(Vector512.Create(Vector256.Load(s), default));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<ushort> ZipLow(Vector128<ushort> a, Vector128<ushort> b)
        => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Zip(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<ushort> ZipHigh(Vector128<ushort> a, Vector128<ushort> b)
        => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Zip(a.GetUpper(), b.GetUpper());

    static Vector128<ushort> Zip(Vector64<ushort> a, Vector64<ushort> b) => Vector128.Create(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Any(ushort* source, nint laneStride, nint kStride, nint lanes, nint k, uint* target, nint panel, int width)
    {
        for (nint j = 0; j < lanes; j += width, target += panel)
        {
            nint n = Math.Min(width, lanes - j);
            uint* d = target;
            ushort* s = source + j * laneStride;
            for (nint p = 0; p < k; p += 2, s += 2 * kStride, d += width)
                for (nint q = 0; q < width; q++)
                    d[q] = q >= n ? 0 : s[q * laneStride] | (p + 1 < k ? (uint)s[q * laneStride + kStride] << 16 : 0);
        }
    }
}
