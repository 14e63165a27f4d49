using System.Runtime.InteropServices;
using Flambeau.Scalars;

namespace Flambeau.Tests.Scalars;

/// <summary>Every pair of dtypes against the rule applied to one element at a time; lengths that leave tails.</summary>
public unsafe class ConversionTests
{
    private static readonly DType[] Types = Enum.GetValues<DType>();

    public static TheoryData<DType> All => [.. Types];

    // The rule itself: an element as a number, then the number as an element. Long for the whole types, double for the others.
    private static object Read(DType type, byte* p) => type switch
    {
        DType.Bool => (object)(long)(*p != 0 ? 1 : 0),
        DType.UInt8 => (long)*p,
        DType.Int8 => (long)*(sbyte*)p,
        DType.Int16 => (long)*(short*)p,
        DType.Int32 => (long)*(int*)p,
        DType.Int64 => *(long*)p,
        DType.Float16 => (double)*(Half*)p,
        DType.BFloat16 => (double)(float)*(BFloat16*)p,
        DType.Float32 => (double)*(float*)p,
        _ => *(double*)p,
    };

    private static void Write(DType type, object number, byte* p)
    {
        double real = number is double d ? d : (long)number;
        float single = number is double e ? (float)e : (float)(long)number;
        long whole = number is double f ? (long)Math.Truncate(f) : (long)number;
        switch (type)
        {
            case DType.Bool: *p = (byte)(real != 0 ? 1 : 0); break;
            case DType.UInt8 or DType.Int8: *p = (byte)whole; break;
            case DType.Int16: *(short*)p = (short)whole; break;
            case DType.Int32: *(int*)p = (int)whole; break;
            case DType.Int64: *(long*)p = whole; break;
            case DType.Float16: *(Half*)p = (Half)single; break;
            case DType.BFloat16: *(BFloat16*)p = (BFloat16)single; break;
            case DType.Float32: *(float*)p = single; break;
            default: *(double*)p = real; break;
        }
    }

    private static int SizeOf(DType type) => type switch
    {
        DType.Bool or DType.UInt8 or DType.Int8 => 1, DType.Int16 or DType.Float16 or DType.BFloat16 => 2, DType.Int32 or DType.Float32 => 4, _ => 8,
    };

    // Random elements; floats that go to an integer stay within an int8, where the conversion is defined.
    private static byte[] Elements(DType type, DType to, int n)
    {
        var random = new Random(Samples.Seed);
        var bytes = new byte[n * SizeOf(type)];
        random.NextBytes(bytes);
        fixed (byte* p = bytes)
            for (int i = 0; i < n; i++)
            {
                byte* q = p + i * SizeOf(type);
                if (type == DType.Bool) *q &= 1;
                if (type == DType.Int64 && i / 64 % 2 == 0) *(long*)q >>= 13 + i % 30;
                if (type >= DType.Float16 && to is >= DType.UInt8 and <= DType.Int64) Write(type, (random.NextDouble() * 255 - 127) * (to == DType.UInt8 ? 0.5 : 0.99), q);
                else if (type == DType.Float64 && i % 4 != 0) Write(type, (double)BitConverter.UInt32BitsToSingle((uint)random.NextInt64()) * (1 + random.NextDouble()), q);
                else if (type >= DType.Float16 && i % 16 == 0) Write(type, (i / 16 % 5) switch { 0 => 0.0, 1 => -0.0, 2 => double.NaN, 3 => double.PositiveInfinity, _ => double.NegativeInfinity }, q);
            }
        return bytes;
    }

    [Theory, MemberData(nameof(All))]
    public void Any_dtype_converts_to_any_other_by_the_rule(DType from)
    {
        const int n = 1003;
        foreach (var to in Types)
        {
            byte[] source = Elements(from, to, n), actual = new byte[n * SizeOf(to) + 1], expected = new byte[n * SizeOf(to) + 1];
            actual[^1] = expected[^1] = 0xA5;
            fixed (byte* s = source, a = actual, e = expected)
            {
                Conversion.Run(from, s, to, a, n);
                for (int i = 0; i < n; i++)
                {
                    Write(to, Read(from, s + i * SizeOf(from)), e + i * SizeOf(to));
                    object x = Read(to, a + i * SizeOf(to)), y = Read(to, e + i * SizeOf(to));
                    Assert.True(x.Equals(y) && (x is not double d || double.IsNegative(d) == double.IsNegative((double)y)),
                        $"{from} to {to}: {Read(from, s + i * SizeOf(from))} became {x}, expected {y} (element {i}, seed {Samples.Seed})");
                }
            }
            Assert.Equal(0xA5, actual[^1]);
        }
    }

    [Fact]
    public void Every_half_survives_the_way_through_float32_and_has_the_right_value()
    {
        var halves = new ushort[65536];
        var floats = new float[65536];
        var back = new ushort[65536];
        for (int i = 0; i < halves.Length; i++) halves[i] = (ushort)i;
        fixed (void* h = halves, f = floats, b = back)
        {
            Conversion.Run(DType.Float16, h, DType.Float32, f, halves.Length);
            Conversion.Run(DType.Float32, f, DType.Float16, b, halves.Length);
        }
        for (int i = 0; i < halves.Length; i++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            bool isNaN = float.IsNaN(expected);
            Assert.True(isNaN ? float.IsNaN(floats[i]) : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(floats[i]), $"half {i:X4}: {floats[i]}, expected {expected}");
            Assert.Equal(isNaN ? i | 0x200 : i, back[i]);
        }
    }

    [Fact]
    public void Every_bfloat16_survives_the_way_through_float32()
    {
        var patterns = new ushort[65536];
        var floats = new float[65536];
        var back = new ushort[65536];
        for (int i = 0; i < patterns.Length; i++) patterns[i] = (ushort)i;
        fixed (void* h = patterns, f = floats, b = back)
        {
            Conversion.Run(DType.BFloat16, h, DType.Float32, f, patterns.Length);
            Conversion.Run(DType.Float32, f, DType.BFloat16, b, patterns.Length);
        }
        for (int i = 0; i < patterns.Length; i++) Assert.Equal(((BFloat16)(float)BFloat16.FromBits((ushort)i)).Bits, back[i]);
    }

    [Fact]
    public void Float32_rounds_to_half_as_one_element_does()
    {
        // Every half, halfway points and their neighbours, both signs.
        List<float> list = [65519.996f, 65520f, float.MaxValue, 1e-45f, 2.9802322e-8f, 2.980233e-8f];
        for (int i = 0; i < 0x7BFF; i++)
        {
            float middle = ((float)BitConverter.UInt16BitsToHalf((ushort)i) + (float)BitConverter.UInt16BitsToHalf((ushort)(i + 1))) / 2;
            list.AddRange([middle, -MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
        }
        float[] floats = [.. list];
        var halves = new Half[floats.Length];
        fixed (void* f = floats, h = halves) Conversion.Run(DType.Float32, f, DType.Float16, h, floats.Length);
        for (int i = 0; i < floats.Length; i++) Assert.Equal(BitConverter.HalfToUInt16Bits((Half)floats[i]), BitConverter.HalfToUInt16Bits(halves[i]));
    }

    [Fact]
    public void Float32_rounds_to_bfloat16_nearest_and_ties_to_even_in_vectors_too()
    {
        // every bfloat16 with what is cut off at 0, below, on and above the middle, and just below the next
        ushort[] cut = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF];
        var floats = new float[65536 * cut.Length];
        for (int i = 0; i < floats.Length; i++) floats[i] = BitConverter.UInt32BitsToSingle((uint)(i / cut.Length) << 16 | cut[i % cut.Length]);
        var rounded = new ushort[floats.Length];
        fixed (void* f = floats, r = rounded) Conversion.Run(DType.Float32, f, DType.BFloat16, r, floats.Length);
        for (int i = 0; i < floats.Length; i++)
        {
            int kept = i / cut.Length, rest = cut[i % cut.Length];
            int expected = float.IsNaN(floats[i]) ? kept | 0x40 : rest > 0x8000 || rest == 0x8000 && kept % 2 == 1 ? kept + 1 : kept;
            Assert.True(expected == rounded[i], $"{floats[i]:R} became {rounded[i]:X4}, expected {expected:X4}");
        }
    }

    [Fact]
    public void An_integer_beyond_2_to_the_53_rounds_to_float32_once()
    {
        // 2⁶⁰ + 2³⁶ + 1 lies above the middle of two floats, but its double lies on it.
        long[] source = [(1L << 60) + (1L << 36) + 1];
        var target = new float[1];
        fixed (void* s = source, t = target) Conversion.Run(DType.Int64, s, DType.Float32, t, 1);
        Assert.Equal(MathF.BitIncrement(1L << 60), target[0]);
    }

    [Fact]
    public void NaN_is_true()
    {
        float[] source = [.. Enumerable.Repeat(float.NaN, 11)];
        var target = new byte[11];
        fixed (void* s = source, t = target) Conversion.Run(DType.Float32, s, DType.Bool, t, 11);
        Assert.All(target, b => Assert.Equal(1, b));
    }
}
