using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Scalars;

/// <summary>The conversions that training and serving wait for, eight or sixteen elements at a time. <see cref="Conversion"/> does the rest, to the same bits.</summary>
internal static unsafe class ConversionVectors
{
    /// <summary>Converts a multiple of a vector from the start and returns how many elements that was; zero for a pair without a kernel.</summary>
    public static long Run(DType from, void* src, DType to, void* dst, long n) => (from, to) switch
    {
        (DType.BFloat16, DType.Float32) => BFloat16ToSingle((ushort*)src, (float*)dst, n),
        (DType.Float32, DType.BFloat16) => SingleToBFloat16((float*)src, (ushort*)dst, n),
        (DType.Float16, DType.Float32) => HalfToSingle((ushort*)src, (float*)dst, n),
        (DType.Float32, DType.Float16) => SingleToHalf((float*)src, (ushort*)dst, n),
        (DType.Float32, DType.Float64) => SingleToDouble((float*)src, (double*)dst, n),
        (DType.Float64, DType.Float32) => DoubleToSingle((double*)src, (float*)dst, n),
        (DType.Int32, DType.Float32) => Int32ToSingle((int*)src, (float*)dst, n),
        (DType.Float32, DType.Int32) => SingleToInt32((float*)src, (int*)dst, n),
        (DType.Int32, DType.Int64) => Int32ToInt64((int*)src, (long*)dst, n),
        (DType.Int64, DType.Int32) => Int64ToInt32((long*)src, (int*)dst, n),
        (DType.Int64, DType.Float32) => Int64ToSingle((long*)src, (float*)dst, n),
        (DType.UInt8 or DType.Bool, DType.Float32) => ByteToSingle((byte*)src, (float*)dst, n),
        (DType.Float32, DType.Bool) => SingleToBool((float*)src, (byte*)dst, n),
        _ => 0,
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long BFloat16ToSingle(ushort* src, float* dst, long n)
    {
        long i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(src + i));
            (lower << 16).AsSingle().Store(dst + i);
            (upper << 16).AsSingle().Store(dst + i + 8);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long SingleToBFloat16(float* src, ushort* dst, long n)
    {
        long i = 0;
        for (; i + 16 <= n; i += 16)
            Vector256.Narrow(UpperHalf(Vector256.Load(src + i)), UpperHalf(Vector256.Load(src + i + 8))).Store(dst + i);
        return i;
    }

    // As the operator of BFloat16: to nearest even, NaN made quiet.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> UpperHalf(Vector256<float> x)
    {
        var bits = x.AsUInt32();
        var rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) >> 16;
        var quiet = (bits >> 16) | Vector256.Create(0x40u);
        return Vector256.ConditionalSelect(Vector256.Equals(x, x).AsUInt32(), rounded, quiet);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long HalfToSingle(ushort* src, float* dst, long n)
    {
        long i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(src + i));
            FromHalfBits(lower).Store(dst + i);
            FromHalfBits(upper).Store(dst + i + 8);
        }
        return i;
    }

    // 1. The 15 bits of the magnitude, moved to float32's place, are the number times 2⁻¹¹², subnormals too; the product is exact.
    // 2. With all exponent bits set it is ∞ or NaN, which keeps its payload and becomes quiet.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> FromHalfBits(Vector256<uint> h)
    {
        var magnitude = h & Vector256.Create(0x7FFFu);
        var moved = magnitude << 13;
        var finite = (moved.AsSingle() * Vector256.Create(5.192296858534828e33f)).AsUInt32();
        var isNaN = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create(0x7C00)).AsUInt32();
        var special = moved | Vector256.Create(0x7F800000u) | (isNaN & Vector256.Create(0x400000u));
        var isSpecial = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create(0x7BFF)).AsUInt32();
        return (Vector256.ConditionalSelect(isSpecial, special, finite) | ((h & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long SingleToHalf(float* src, ushort* dst, long n)
    {
        long i = 0;
        for (; i + 16 <= n; i += 16)
            Vector256.Narrow(ToHalfBits(Vector256.Load(src + i)), ToHalfBits(Vector256.Load(src + i + 8))).Store(dst + i);
        return i;
    }

    // 1. Normal results: the exponent moves by 112 and 13 bits of mantissa go, to nearest even; a carry into the exponent is right, up to ∞.
    // 2. Below 2⁻¹⁴: adding ½ aligns the last bit of a subnormal half with float32's last bit, and the addition rounds.
    // 3. From 65,520 on ∞; NaN keeps its upper bits and becomes quiet.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> ToHalfBits(Vector256<float> x)
    {
        var bits = x.AsUInt32();
        var sign = (bits >> 16) & Vector256.Create(0x8000u);
        var magnitude = bits & Vector256.Create(0x7FFFFFFFu);
        var normal = (magnitude - Vector256.Create(112u << 23) + Vector256.Create(0xFFFu) + ((magnitude >> 13) & Vector256<uint>.One)) >> 13;
        var half = Vector256.Create(0.5f);
        var subnormal = (magnitude.AsSingle() + half).AsUInt32() - half.AsUInt32();
        var isSubnormal = Vector256.LessThan(magnitude.AsInt32(), Vector256.Create(113 << 23)).AsUInt32();
        var isInfinite = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create(0x477FEFFF)).AsUInt32();
        var result = Vector256.ConditionalSelect(isSubnormal, subnormal, normal);
        result = Vector256.ConditionalSelect(isInfinite, Vector256.Create(0x7C00u), result);
        var quiet = Vector256.Create(0x7E00u) | ((magnitude >> 13) & Vector256.Create(0x3FFu));
        result = Vector256.ConditionalSelect(Vector256.Equals(x, x).AsUInt32(), result, quiet);
        return result | sign;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long SingleToDouble(float* src, double* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(src + i));
            lower.Store(dst + i);
            upper.Store(dst + i + 4);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long DoubleToSingle(double* src, float* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8) Vector256.Narrow(Vector256.Load(src + i), Vector256.Load(src + i + 4)).Store(dst + i);
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Int32ToSingle(int* src, float* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8) Vector256.ConvertToSingle(Vector256.Load(src + i)).Store(dst + i);
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long SingleToInt32(float* src, int* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8) Vector256.ConvertToInt32Native(Vector256.Load(src + i)).Store(dst + i);
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Int32ToInt64(int* src, long* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Load(src + i));
            lower.Store(dst + i);
            upper.Store(dst + i + 4);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Int64ToInt32(long* src, int* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8) Vector256.Narrow(Vector256.Load(src + i), Vector256.Load(src + i + 4)).Store(dst + i);
        return i;
    }

    // Magnitudes below 2⁵¹ go through float64, exactly; a block with a larger one goes by single elements, or it would round twice.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Int64ToSingle(long* src, float* dst, long n)
    {
        var offset = Vector256.Create(1L << 51);
        long i = 0;
        for (; i + 8 <= n; i += 8)
        {
            Vector256<long> lower = Vector256.Load(src + i), upper = Vector256.Load(src + i + 4);
            var beyond = ((lower + offset) | (upper + offset)) >>> 52;
            if (beyond == Vector256<long>.Zero) Vector256.Narrow(ToDouble(lower), ToDouble(upper)).Store(dst + i);
            else
                for (int j = 0; j < 8; j++) dst[i + j] = src[i + j];
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> ToDouble(Vector256<long> x) => Lanes256<double>.FromIntegerBits(new(x.AsDouble())).V;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long ByteToSingle(byte* src, float* dst, long n)
    {
        long i = 0;
        for (; i + 16 <= n; i += 16)
        {
            var (lower, upper) = Vector256.Widen(Vector256.WidenLower(Vector256.Create(Vector128.Load(src + i), Vector128<byte>.Zero)));
            Vector256.ConvertToSingle(lower.AsInt32()).Store(dst + i);
            Vector256.ConvertToSingle(upper.AsInt32()).Store(dst + i + 8);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long SingleToBool(float* src, byte* dst, long n)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8)
            Lanes256<float>.StoreMask(Lanes256<float>.Not(Lanes256<float>.Equal(Lanes256<float>.Load(src + i), Lanes256<float>.Constant(0))), dst + i);
        return i;
    }
}
