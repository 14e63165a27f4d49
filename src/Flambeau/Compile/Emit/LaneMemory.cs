using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Flambeau.Scalars;

namespace Flambeau.Compile.Emit;

/// <summary>What emitted loops read and write otherwise than by an ordinary load or store of lanes: types narrower than these, and past the caches. A width and a lane type each; emitted code calls them and the JIT inlines the vectors' ones.</summary>
internal static unsafe class LaneMemory
{
    /// <summary>A line: what addresses of streams are multiples of.</summary>
    public const int StreamBytes = 64;

    /// <summary>Four bytes a lane of zero-extended bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Bytes4(byte* p) => Sse41.IsSupported ? Sse41.ConvertToVector128Int32(p) : Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(uint*)p).AsByte())).AsInt32();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Bytes8(byte* p) => Avx2.IsSupported ? Avx2.ConvertToVector256Int32(p) : Vector256.WidenLower(Vector256.WidenLower(Vector256.CreateScalarUnsafe(*(ulong*)p).AsByte())).AsInt32();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Bytes16(byte* p) => Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(Vector128.Load(p)) : Vector512.WidenLower(Vector512.WidenLower(Vector128.Load(p).ToVector256Unsafe().ToVector512Unsafe())).AsInt32();
    /// <summary>Eight bytes a lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<long> Bytes2(byte* p) => Vector128.Create((long)p[0], p[1]);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<long> Bytes4Wide(byte* p) => Vector256.WidenLower(Vector256.WidenLower(Vector256.WidenLower(Vector256.CreateScalarUnsafe(*(uint*)p).AsByte()))).AsInt64();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<long> Bytes8Wide(byte* p) => Vector512.WidenLower(Vector512.WidenLower(Vector512.WidenLower(Vector512.CreateScalarUnsafe(*(ulong*)p).AsByte()))).AsInt64();

    /// <summary>Zero-extended 16-bit words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Words4(byte* p) => Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)p).AsUInt16()).AsInt32();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Words8(byte* p) => Vector256.WidenLower(Vector128.Load((ushort*)p).ToVector256Unsafe()).AsInt32();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> Words16(byte* p) => Vector512.WidenLower(Vector256.Load((ushort*)p).ToVector512Unsafe()).AsInt32();

    /// <summary>Writes the lower 16 bits of each lane; the upper ones are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWords4(Vector128<int> x, byte* p) => *(ulong*)p = (Sse41.IsSupported ? Sse41.PackUnsignedSaturate(x, x).AsInt16() : Vector128.Narrow(x, x)).AsUInt64().ToScalar();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWords8(Vector256<int> x, byte* p) => Narrow(x).Store((short*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWords16(Vector512<int> x, byte* p) => Narrow(x).Store((short*)p);

    // the runtime's Narrow packs two vectors, of which one would be thrown away
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<short> Narrow(Vector256<int> x) => Sse41.IsSupported ? Sse41.PackUnsignedSaturate(x.GetLower(), x.GetUpper()).AsInt16() : Vector256.Narrow(x, x).GetLower();
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<short> Narrow(Vector512<int> x) => Avx512F.IsSupported ? Avx512F.ConvertToVector256Int16(x) : Vector512.Narrow(x, x).GetLower();

    /// <summary>Writes past the caches: halves of a line meet before they leave the processor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector128<float> x, byte* p) => x.StoreAlignedNonTemporal((float*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector256<float> x, byte* p) => x.StoreAlignedNonTemporal((float*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector512<float> x, byte* p) => x.StoreAlignedNonTemporal((float*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector128<double> x, byte* p) => x.StoreAlignedNonTemporal((double*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector256<double> x, byte* p) => x.StoreAlignedNonTemporal((double*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Stream(Vector512<double> x, byte* p) => x.StoreAlignedNonTemporal((double*)p);
    /// <summary>The lower 16 bits of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StreamWords8(Vector256<int> x, byte* p) => Narrow(x).StoreAlignedNonTemporal((short*)p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StreamWords16(Vector512<int> x, byte* p) => Narrow(x).StoreAlignedNonTemporal((short*)p);

    /// <summary>What an index names in a table, where no instruction of this width does it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Lookup8(Vector128<float> index, float* table) => Lanes128<float>.Lookup(new(index), new(table, 8)).V;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Lookup16(Vector128<float> index, float* table) => Lanes128<float>.Lookup(new(index), new(table, 16)).V;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Lookup8(Vector256<float> index, float* table) => Lanes256<float>.Lookup(new(index), new(table, 8)).V;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Lookup16(Vector256<float> index, float* table) => Lanes256<float>.Lookup(new(index), new(table, 16)).V;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lookup8(Vector512<float> index, float* table) => Lanes512<float>.Lookup(new(index), new(table, 8)).V;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lookup16(Vector512<float> index, float* table) => Lanes512<float>.Lookup(new(index), new(table, 16)).V;

    /// <summary>Eight numbers in both halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Twice(float* table) => Vector512.Create(Vector256.Load(table), Vector256.Load(table));

    /// <summary>Writes a byte a lane: 1 where the mask holds, else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector128<float> mask, byte* p) => Lanes128<float>.StoreMask(new(mask), p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector256<float> mask, byte* p) => Lanes256<float>.StoreMask(new(mask), p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector512<float> mask, byte* p) => Lanes512<float>.StoreMask(new(mask), p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector128<double> mask, byte* p) => Lanes128<double>.StoreMask(new(mask), p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector256<double> mask, byte* p) => Lanes256<double>.StoreMask(new(mask), p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreMask(Vector512<double> mask, byte* p) => Lanes512<double>.StoreMask(new(mask), p);

    /// <summary>The line at <paramref name="p"/> comes into the second-level cache if it may be read; else nothing happens. The first level has no room beside the row that is worked on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(nint p) => Sse.Prefetch1((void*)p);
}
