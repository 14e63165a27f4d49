using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>
/// Contiguous runs of elements from any dtype to any other, with the meaning of PyTorch's <c>.to</c>:
/// a float becomes an integer by dropping its fraction; out of the integer's range the result is what the processor's conversion gives
/// (x64: the smallest int32 or int64, then cut to the narrower type; Arm64 saturates; int8 and int16 go by int32, uint8 by int64);
/// integers wrap; a bool is 0 or 1, and anything is true that is not zero, NaN too; float64 reaches the 16-bit formats by way of float32.
/// </summary>
internal static unsafe class Conversion
{
    /// <summary>Converts <paramref name="n"/> elements; the runs do not overlap.</summary>
    public static void Run(DType from, void* src, DType to, void* dst, long n)
    {
        Debug.Assert(n >= 0);
        long done = from == to ? CopyBytes(src, dst, n, SizeOf(from)) : ConversionVectors.Run(from, src, to, dst, n);
        if (done == n) return;
        void* rest = (byte*)src + done * SizeOf(from), target = (byte*)dst + done * SizeOf(to);
        From(from, rest, to, target, n - done);
    }

    private static int SizeOf(DType type) => type switch
    {
        DType.Bool or DType.UInt8 or DType.Int8 => 1,
        DType.Int16 or DType.Float16 or DType.BFloat16 => 2,
        DType.Int32 or DType.Float32 => 4,
        DType.Int64 or DType.Float64 => 8,
        _ => throw Unknown(type),
    };

    private static ArgumentOutOfRangeException Unknown(DType type) =>
        new(nameof(type), type, $"Conversion: {(byte)type} is no dtype; expected one of {string.Join(", ", Enum.GetNames<DType>())}.");

    private static long CopyBytes(void* src, void* dst, long n, int size)
    {
        Buffer.MemoryCopy(src, dst, n * size, n * size);
        return n;
    }

    private static void From(DType from, void* src, DType to, void* dst, long n)
    {
        switch (from)
        {
            case DType.Bool: To<bool>(src, to, dst, n); break;
            case DType.UInt8: To<byte>(src, to, dst, n); break;
            case DType.Int8: To<sbyte>(src, to, dst, n); break;
            case DType.Int16: To<short>(src, to, dst, n); break;
            case DType.Int32: To<int>(src, to, dst, n); break;
            case DType.Int64: To<long>(src, to, dst, n); break;
            case DType.Float16: To<Half>(src, to, dst, n); break;
            case DType.BFloat16: To<BFloat16>(src, to, dst, n); break;
            case DType.Float32: To<float>(src, to, dst, n); break;
            case DType.Float64: To<double>(src, to, dst, n); break;
            default: throw Unknown(from);
        }
    }

    private static void To<F>(void* src, DType to, void* dst, long n) where F : unmanaged
    {
        switch (to)
        {
            case DType.Bool: Loop<F, bool>((F*)src, (bool*)dst, n); break;
            case DType.UInt8: Loop<F, byte>((F*)src, (byte*)dst, n); break;
            case DType.Int8: Loop<F, sbyte>((F*)src, (sbyte*)dst, n); break;
            case DType.Int16: Loop<F, short>((F*)src, (short*)dst, n); break;
            case DType.Int32: Loop<F, int>((F*)src, (int*)dst, n); break;
            case DType.Int64: Loop<F, long>((F*)src, (long*)dst, n); break;
            case DType.Float16: Loop<F, Half>((F*)src, (Half*)dst, n); break;
            case DType.BFloat16: Loop<F, BFloat16>((F*)src, (BFloat16*)dst, n); break;
            case DType.Float32: Loop<F, float>((F*)src, (float*)dst, n); break;
            case DType.Float64: Loop<F, double>((F*)src, (double*)dst, n); break;
            default: throw Unknown(to);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Loop<F, T>(F* src, T* dst, long n) where F : unmanaged where T : unmanaged
    {
        for (long i = 0; i < n; i++) dst[i] = One<F, T>(src[i]);
    }

    // Three roads, so that no value is rounded twice: whole numbers by long, float64 by double, the other floats (exactly) by float.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T One<F, T>(F x) where F : unmanaged where T : unmanaged
    {
        if (typeof(F) == typeof(double)) return FromDouble<T>(Unsafe.BitCast<F, double>(x));
        if (typeof(F) == typeof(float)) return FromSingle<T>(Unsafe.BitCast<F, float>(x));
        if (typeof(F) == typeof(Half)) return FromSingle<T>((float)Unsafe.BitCast<F, Half>(x));
        if (typeof(F) == typeof(BFloat16)) return FromSingle<T>(Unsafe.BitCast<F, BFloat16>(x));
        if (typeof(F) == typeof(bool)) return FromWhole<T>(Unsafe.BitCast<F, byte>(x) != 0 ? 1 : 0);
        if (typeof(F) == typeof(byte)) return FromWhole<T>(Unsafe.BitCast<F, byte>(x));
        if (typeof(F) == typeof(sbyte)) return FromWhole<T>(Unsafe.BitCast<F, sbyte>(x));
        if (typeof(F) == typeof(short)) return FromWhole<T>(Unsafe.BitCast<F, short>(x));
        if (typeof(F) == typeof(int)) return FromWhole<T>(Unsafe.BitCast<F, int>(x));
        return FromWhole<T>(Unsafe.BitCast<F, long>(x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FromWhole<T>(long x) where T : unmanaged
    {
        if (typeof(T) == typeof(double)) return Unsafe.BitCast<double, T>(x);
        if (typeof(T) == typeof(float)) return Unsafe.BitCast<float, T>(x);
        if (typeof(T) == typeof(Half)) return Unsafe.BitCast<Half, T>((Half)(float)x);
        if (typeof(T) == typeof(BFloat16)) return Unsafe.BitCast<BFloat16, T>((BFloat16)(float)x);
        if (typeof(T) == typeof(bool)) return Unsafe.BitCast<bool, T>(x != 0);
        return CutWhole<T>(x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T CutWhole<T>(long x) where T : unmanaged
    {
        if (typeof(T) == typeof(byte)) return Unsafe.BitCast<byte, T>((byte)x);
        if (typeof(T) == typeof(sbyte)) return Unsafe.BitCast<sbyte, T>((sbyte)x);
        if (typeof(T) == typeof(short)) return Unsafe.BitCast<short, T>((short)x);
        if (typeof(T) == typeof(int)) return Unsafe.BitCast<int, T>((int)x);
        return Unsafe.BitCast<long, T>(x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FromSingle<T>(float x) where T : unmanaged
    {
        if (typeof(T) == typeof(double)) return Unsafe.BitCast<double, T>(x);
        if (typeof(T) == typeof(float)) return Unsafe.BitCast<float, T>(x);
        if (typeof(T) == typeof(Half)) return Unsafe.BitCast<Half, T>((Half)x);
        if (typeof(T) == typeof(BFloat16)) return Unsafe.BitCast<BFloat16, T>((BFloat16)x);
        if (typeof(T) == typeof(bool)) return Unsafe.BitCast<bool, T>(x != 0);
        bool wide = typeof(T) == typeof(long) || typeof(T) == typeof(byte);
        return CutWhole<T>(wide ? float.ConvertToIntegerNative<long>(x) : float.ConvertToIntegerNative<int>(x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T FromDouble<T>(double x) where T : unmanaged
    {
        if (typeof(T) == typeof(double)) return Unsafe.BitCast<double, T>(x);
        if (typeof(T) == typeof(float)) return Unsafe.BitCast<float, T>((float)x);
        if (typeof(T) == typeof(Half)) return Unsafe.BitCast<Half, T>((Half)(float)x);
        if (typeof(T) == typeof(BFloat16)) return Unsafe.BitCast<BFloat16, T>((BFloat16)(float)x);
        if (typeof(T) == typeof(bool)) return Unsafe.BitCast<bool, T>(x != 0);
        bool wide = typeof(T) == typeof(long) || typeof(T) == typeof(byte);
        return CutWhole<T>(wide ? double.ConvertToIntegerNative<long>(x) : double.ConvertToIntegerNative<int>(x));
    }
}
