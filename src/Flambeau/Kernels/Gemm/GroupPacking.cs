using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>
/// Panels of groups of narrow elements: the steps (2p, 2p + 1) of 16 bits, or (4p … 4p + 3) of 8, are one element of 32 bits, the first step lowest. Where k lies side by side a group is there already and moves
/// as a float32 does. The last group is filled up with zeros.
/// </summary>
internal static unsafe class GroupPacking
{
    /// <summary>As <see cref="Packing"/>; <paramref name="k"/> counts single steps.</summary>
    public static void Pack<S>(S* source, long laneStride, long kStride, nint lanes, nint k, uint* target, int width, int ahead) where S : unmanaged
    {
        nint group = sizeof(uint) / sizeof(S), groups = k / group, rest = k - groups * group, panel = (groups + (rest > 0 ? 1 : 0)) * width;
        if (kStride == 1) AlongK(source, (nint)laneStride * sizeof(S), lanes, groups, target, panel, width, ahead);
        else if (laneStride == 1) AlongLanes(source, (nint)kStride, lanes, groups, target, panel, width);
        else Any(source, (nint)laneStride, (nint)kStride, lanes, groups * group, target, panel, width);
        if (rest > 0) Any(source + groups * group * (nint)kStride, (nint)laneStride, (nint)kStride, lanes, rest, target + groups * width, panel, width);
    }

    static void AlongK<S>(S* source, nint ld, nint lanes, nint groups, uint* target, nint panel, int width, int ahead) where S : unmanaged
    {
        nint whole = lanes / width * width;
        int ragged = (int)(lanes - whole);
        Packing.AlongK((float*)source, ld, whole, groups, (float*)target, panel, width, ahead);
        if (ragged == 0) return;
        uint* last = target + whole / width * panel;
        new Span<uint>(last, checked((int)panel)).Clear();
        Packing.TurnBytes((float*)((byte*)source + whole * ld), ld, ragged, groups, (float*)last, width);
    }

    /// <summary>Lanes lie side by side: the rows of a group are interleaved, a few groups at a time across all panels, so that reading runs along rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AlongLanes<S>(S* source, nint ld, nint lanes, nint groups, uint* target, nint panel, int width) where S : unmanaged
    {
        const int Sweep = 4;
        nint group = sizeof(uint) / sizeof(S);
        for (nint g0 = 0; g0 < groups; g0 += Sweep)
        {
            nint end = Math.Min(groups, g0 + Sweep);
            uint* into = target + g0 * width;
            for (nint j = 0; j < lanes; j += width, into += panel)
            {
                S* s = source + g0 * group * ld + j;
                uint* d = into;
                int n = (int)Math.Min(width, lanes - j);
                // hardware follows no steps beyond a page; a line is asked for by the first panel in it
                if ((j * sizeof(S) & 63) < width * sizeof(S))
                    for (nint r = 2 * Sweep * group; r < 3 * Sweep * group; r++) Prefetch.ToL2(s + r * ld);
                for (nint g = g0; g < end; g++, s += group * ld, d += width)
                    if (sizeof(S) == 1) Fours((byte*)s, ld, n, d, width);
                    else Pairs((ushort*)s, (ushort*)s + ld, n, d, width);
            }
        }
    }

    /// <summary>d[q] = even[q] below odd[q], and zeros behind the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Pairs(ushort* even, ushort* odd, int n, uint* d, int width)
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

    /// <summary>d[q] = the bytes q of four rows, the first lowest, and zeros behind the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Fours(byte* s, nint ld, int n, uint* d, int width)
    {
        byte* s1 = s + ld, s2 = s1 + ld, s3 = s2 + ld;
        int q = 0;
        for (; q + 16 <= n; q += 16)
        {
            Vector128<byte> a = Vector128.Load(s + q), b = Vector128.Load(s1 + q), c = Vector128.Load(s2 + q), e = Vector128.Load(s3 + q);
            Vector128<ushort> ab0 = ZipLow(a, b).AsUInt16(), ab1 = ZipHigh(a, b).AsUInt16(), ce0 = ZipLow(c, e).AsUInt16(), ce1 = ZipHigh(c, e).AsUInt16();
            ZipLow(ab0, ce0).AsUInt32().Store(d + q);
            ZipHigh(ab0, ce0).AsUInt32().Store(d + q + 4);
            ZipLow(ab1, ce1).AsUInt32().Store(d + q + 8);
            ZipHigh(ab1, ce1).AsUInt32().Store(d + q + 12);
        }
        for (; q + 8 <= n; q += 8)
        {
            Vector128<ushort> ab = ZipLow(Eight(s + q), Eight(s1 + q)).AsUInt16(), ce = ZipLow(Eight(s2 + q), Eight(s3 + q)).AsUInt16();
            ZipLow(ab, ce).AsUInt32().Store(d + q);
            ZipHigh(ab, ce).AsUInt32().Store(d + q + 4);
        }
        for (; q < n; q++) d[q] = s[q] | (uint)s1[q] << 8 | (uint)s2[q] << 16 | (uint)s3[q] << 24;
        for (; q < width; q++) d[q] = 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> Eight(byte* s) => Vector128.CreateScalarUnsafe(*(ulong*)s).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> Wide(ushort* s)
        => Avx512F.IsSupported ? Avx512F.ConvertToVector512UInt32(Vector256.Load(s)) : Vector512.WidenLower(Vector512.Create(Vector256.Load(s), default));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<ushort> ZipLow(Vector128<ushort> a, Vector128<ushort> b)
        => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : Zip(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<ushort> ZipHigh(Vector128<ushort> a, Vector128<ushort> b)
        => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : Zip(a.GetUpper(), b.GetUpper());

    static Vector128<ushort> Zip(Vector64<ushort> a, Vector64<ushort> b) => Vector128.Create(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> ZipLow(Vector128<byte> a, Vector128<byte> b)
        => Sse2.IsSupported ? Sse2.UnpackLow(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b) : (Vector128.WidenLower(a) | Vector128.WidenLower(b) << 8).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> ZipHigh(Vector128<byte> a, Vector128<byte> b)
        => Sse2.IsSupported ? Sse2.UnpackHigh(a, b) : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b) : (Vector128.WidenUpper(a) | Vector128.WidenUpper(b) << 8).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Any<S>(S* source, nint laneStride, nint kStride, nint lanes, nint k, uint* target, nint panel, int width) where S : unmanaged
    {
        nint group = sizeof(uint) / sizeof(S);
        for (nint j = 0; j < lanes; j += width, target += panel)
        {
            nint n = Math.Min(width, lanes - j);
            uint* d = target;
            S* s = source + j * laneStride;
            for (nint p = 0; p < k; p += group, s += group * kStride, d += width)
                for (nint q = 0; q < width; q++) d[q] = q < n ? Group(s + q * laneStride, kStride, Math.Min(group, k - p)) : 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Group<S>(S* s, nint kStride, nint steps) where S : unmanaged
    {
        uint group = 0;
        for (int g = 0; g < steps; g++, s += kStride) group |= (sizeof(S) == 1 ? *(byte*)s : (uint)*(ushort*)s) << g * 8 * sizeof(S);
        return group;
    }

    /// <summary>Adds 128 to every signed byte, or takes it off again: as unsigned ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FlipSigns(ulong* bytes, long n)
    {
        long i = 0;
        if (Vector256.IsHardwareAccelerated)
            for (; i + 8 <= n; i += 8)
            {
                (Vector256.Load(bytes + i) ^ Vector256.Create(Signs)).Store(bytes + i);
                (Vector256.Load(bytes + i + 4) ^ Vector256.Create(Signs)).Store(bytes + i + 4);
            }
        for (; i < n; i++) bytes[i] ^= Signs;
    }

    const ulong Signs = 0x8080808080808080;
}
