using Flambeau.Scalars;

namespace Flambeau.Tests.Scalars;

/// <summary>The operations of whole numbers, masks and bits, in every width, against plain C#.</summary>
public unsafe class LanesTests
{
    private static readonly long[] Wholes = [0, 1, -1, 2, -2, 3, -3, 7, -7, 31, 32, 33, 63, 64, 65, 100, -100, int.MaxValue, int.MinValue, 123456789, -987654321];

    [Fact]
    public void Whole_numbers_of_32_bits_divide_and_shift_by_the_rules()
    {
        Check32<Lane<int>>();
        Check32<Lanes128<int>>();
        Check32<Lanes256<int>>();
        Check32<Lanes512<int>>();
    }

    [Fact]
    public void Whole_numbers_of_64_bits_divide_and_shift_by_the_rules()
    {
        Check64<Lane<long>>();
        Check64<Lanes128<long>>();
        Check64<Lanes256<long>>();
        Check64<Lanes512<long>>();
    }

    private static T First<S, T>(S x) where S : ILanes<S> where T : unmanaged
    {
        T* p = stackalloc T[16];
        S.Store(x, p);
        for (int i = 1; i < S.Count; i++) Assert.Equal(p[0], p[i]);
        return p[0];
    }

    private static void Check32<S>() where S : ILanes<S>
    {
        foreach (int x in Wholes.Select(v => (int)v))
            foreach (int y in Wholes.Select(v => (int)v))
            {
                S a = S.Integer(x), b = S.Integer(y);
                Assert.Equal(unchecked(x + y), First<S, int>(a + b));
                Assert.Equal(unchecked(x * y), First<S, int>(a * b));
                Assert.Equal(x ^ y, First<S, int>(a ^ b));
                Assert.Equal(Math.Max(x, y), First<S, int>(S.Max(a, b)));
                Assert.Equal(y is >= 0 and < 32 ? x << y : 0, First<S, int>(S.ShiftLeft(a, b)));
                Assert.Equal(y is >= 0 and < 32 ? x >> y : x >> 31, First<S, int>(S.ShiftRight(a, b)));
                Assert.Equal(x < y ? -1 : 0, First<S, int>(a < b));
                if (y == 0) continue;
                int quotient = (int)((long)x / y);
                Assert.Equal(quotient, First<S, int>(a / b));
                Assert.Equal(quotient, First<S, int>(S.DivideTruncate(a, b)));
                Assert.Equal((int)(long)Math.Floor((double)x / y), First<S, int>(S.DivideFloor(a, b)));
            }
    }

    private static void Check64<S>() where S : ILanes<S>
    {
        foreach (long x in Wholes.Append(long.MinValue).Append(long.MaxValue))
            foreach (long y in Wholes.Append(long.MinValue).Append(long.MaxValue))
            {
                S a = S.Integer(x), b = S.Integer(y);
                Assert.Equal(unchecked(x * y), First<S, long>(a * b));
                Assert.Equal(Math.Min(x, y), First<S, long>(S.Min(a, b)));
                Assert.Equal(y is >= 0 and < 64 ? x << (int)y : 0, First<S, long>(S.ShiftLeft(a, b)));
                Assert.Equal(y is >= 0 and < 64 ? x >> (int)y : x >> 63, First<S, long>(S.ShiftRight(a, b)));
                if (y == 0) continue;
                Int128 quotient = (Int128)x / y, floor = quotient * y != x && (x < 0) != (y < 0) ? quotient - 1 : quotient;
                Assert.Equal(unchecked((long)quotient), First<S, long>(a / b));
                Assert.Equal(unchecked((long)floor), First<S, long>(S.DivideFloor(a, b)));
            }
    }

    [Fact]
    public void A_stored_mask_is_ones_and_zeros_in_the_lanes_order()
    {
        StoreMask<Lane<float>, float>();
        StoreMask<Lanes128<float>, float>();
        StoreMask<Lanes256<float>, float>();
        StoreMask<Lanes512<float>, float>();
        StoreMask<Lane<double>, double>();
        StoreMask<Lanes128<double>, double>();
        StoreMask<Lanes256<double>, double>();
        StoreMask<Lanes512<double>, double>();
    }

    private static void StoreMask<S, T>() where S : ILanes<S> where T : unmanaged, System.Numerics.INumber<T>
    {
        T* values = stackalloc T[16];
        byte* bytes = stackalloc byte[17];
        bytes[S.Count] = 0xA5;
        for (int pattern = 0; pattern < 1 << S.Count; pattern += S.Count > 8 ? 97 : 1)
        {
            for (int i = 0; i < S.Count; i++) values[i] = (pattern >> i & 1) != 0 ? T.One : -T.One;
            S mask = S.Load(values) > S.Constant(0);
            S.StoreMask(mask, bytes);
            for (int i = 0; i < S.Count; i++) Assert.Equal(pattern >> i & 1, bytes[i]);
            Assert.Equal(0xA5, bytes[S.Count]);
            Assert.Equal(pattern == 0, S.None(mask));
        }
    }

    [Fact]
    public void Whole_numbers_have_no_transcendental_functions()
    {
        var error = Assert.Throws<NotSupportedException>(() => Lanes256<int>.Exp(Lanes256<int>.Constant(1)));
        Assert.Contains("Exp", error.Message);
    }

    [Fact]
    public void Scale_rounds_once_into_the_subnormals()
    {
        foreach (int n in new[] { -252, -200, -150, -149, -140, -126, -1, 0, 1, 127, 128, 200, 252 })
            foreach (float x in new[] { 1f, 1.0000001f, 1.4999999f, 0.7f, -1.9999999f, 0f, float.NaN, float.Epsilon })
            {
                float expected = MathF.ScaleB(x, n), actual = First<Lanes256<float>, float>(Lanes256<float>.Scale(Lanes256<float>.Constant(x), Lanes256<float>.Constant(n)));
                Assert.Equal(expected, actual);
            }
        foreach (int n in new[] { -2044, -1100, -1074, -1022, 0, 1023, 1100 })
            foreach (double x in new[] { 1.0, 1.0000000000000002, 0.7, -1.9999999999999998 })
                Assert.Equal(Math.ScaleB(x, n), First<Lanes256<double>, double>(Lanes256<double>.Scale(Lanes256<double>.Constant(x), Lanes256<double>.Constant(n))));
    }
}
