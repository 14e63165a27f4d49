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
