namespace Flambeau;

/// <summary>The element type of a <c>Tensor</c> (PyTorch: <c>torch.dtype</c>).</summary>
public enum DType : byte
{
    /// <summary>A truth value, one byte, 0 or 1 (<c>torch.bool</c>).</summary>
    Bool,
    /// <summary>Unsigned 8-bit integer (<c>torch.uint8</c>).</summary>
    UInt8,
    /// <summary>Signed 8-bit integer (<c>torch.int8</c>).</summary>
    Int8,
    /// <summary>Signed 16-bit integer (<c>torch.int16</c>).</summary>
    Int16,
    /// <summary>Signed 32-bit integer (<c>torch.int32</c>).</summary>
    Int32,
    /// <summary>Signed 64-bit integer (<c>torch.int64</c>): PyTorch's type of indices.</summary>
    Int64,
    /// <summary>IEEE 754 half precision (<c>torch.float16</c>).</summary>
    Float16,
    /// <summary>bfloat16: float32's exponent with 7 stored bits of mantissa (<c>torch.bfloat16</c>).</summary>
    BFloat16,
    /// <summary>IEEE 754 single precision (<c>torch.float32</c>): the default.</summary>
    Float32,
    /// <summary>IEEE 754 double precision (<c>torch.float64</c>).</summary>
    Float64,
}

/// <summary>What a <see cref="DType"/> is made of, and how types combine.</summary>
public static class DTypes
{
    extension(DType type)
    {
        /// <summary>Bytes an element.</summary>
        public int Size => type switch
        {
            DType.Bool or DType.UInt8 or DType.Int8 => 1,
            DType.Int16 or DType.Float16 or DType.BFloat16 => 2,
            DType.Int32 or DType.Float32 => 4,
            _ => 8,
        };

        /// <summary>True for float16, bfloat16, float32 and float64: the types that can have a gradient.</summary>
        public bool IsFloatingPoint => type >= DType.Float16;

        /// <summary>PyTorch's name: <c>float32</c>, <c>bool</c>, ….</summary>
        public string Name => type.ToString().ToLowerInvariant();
    }

    /// <summary>The smallest type that holds both: PyTorch's <c>torch.promote_types</c>.</summary>
    public static DType Promote(DType x, DType y)
    {
        if (x == y) return x;
        if (x > y) (x, y) = (y, x);
        if (x == DType.UInt8 && y == DType.Int8) return DType.Int16;
        if (x == DType.Float16 && y == DType.BFloat16) return DType.Float32;
        return y;
    }

    internal static DType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.Float32 : typeof(T) == typeof(double) ? DType.Float64 :
        typeof(T) == typeof(int) ? DType.Int32 : typeof(T) == typeof(long) ? DType.Int64 :
        typeof(T) == typeof(short) ? DType.Int16 : typeof(T) == typeof(sbyte) ? DType.Int8 :
        typeof(T) == typeof(byte) ? DType.UInt8 : typeof(T) == typeof(bool) ? DType.Bool :
        typeof(T) == typeof(Half) ? DType.Float16 : typeof(T) == typeof(BFloat16) ? DType.BFloat16 :
        throw new FlambeauException($"There is no tensor of {typeof(T).Name}. Element types: bool, byte, sbyte, short, int, long, Half, BFloat16, float, double.");
}
