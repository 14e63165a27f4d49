using System.Runtime.InteropServices;

namespace Flambeau.Tests.Table;

/// <summary>Comparisons to the bit.</summary>
public static class Bits
{
    /// <summary>Fails unless shapes, types and every bit agree; NaN equals NaN whatever its payload.</summary>
    public static void Equal(Tensor expected, Tensor actual, string what)
    {
        Assert.True(expected.DType == actual.DType, $"{what}: type {actual.DType}, expected {expected.DType}");
        Assert.True(expected.Shape.Equals(actual.Shape), $"{what}: shape {actual.Shape}, expected {expected.Shape}");
        double[] e = expected.ToArray<double>(), a = actual.ToArray<double>();
        for (int i = 0; i < e.Length; i++)
            if (BitConverter.DoubleToInt64Bits(e[i]) != BitConverter.DoubleToInt64Bits(a[i]) && !(double.IsNaN(e[i]) && double.IsNaN(a[i])))
                Assert.Fail($"{what}: element {i} is {a[i]:R}, expected {e[i]:R}");
    }

    /// <summary>The bytes of a contiguous tensor's elements.</summary>
    public static byte[] Of(Tensor x)
    {
        if (x.DType == DType.Float32) return MemoryMarshal.AsBytes<float>(x.ToArray<float>()).ToArray();
        return x.DType == DType.Float64 ? MemoryMarshal.AsBytes<double>(x.ToArray<double>()).ToArray() : MemoryMarshal.AsBytes<long>(x.ToArray<long>()).ToArray();
    }
}
