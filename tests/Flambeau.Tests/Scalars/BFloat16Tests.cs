using System.Globalization;

namespace Flambeau.Tests.Scalars;

public class BFloat16Tests
{
    [Fact]
    public void Every_pattern_survives_the_way_through_float32()
    {
        for (int bits = 0; bits <= 0xFFFF; bits++)
        {
            var x = BFloat16.FromBits((ushort)bits);
            var back = (BFloat16)(float)x;
            // A signalling NaN comes back quiet, with the rest of its bits.
            int expected = BFloat16.IsNaN(x) ? bits | 0x40 : bits;
            Assert.Equal(expected, back.Bits);
        }
    }

    [Fact]
    public void Rounding_goes_to_the_nearest_and_ties_go_to_even()
    {
        for (int bits = 0; bits < 0x7F7F; bits++)
        {
            float low = BFloat16.FromBits((ushort)bits), high = BFloat16.FromBits((ushort)(bits + 1)), middle = (float)(((double)low + high) / 2);
            Assert.Equal(bits, ((BFloat16)MathF.BitDecrement(middle)).Bits);
            Assert.Equal(bits + 1, ((BFloat16)MathF.BitIncrement(middle)).Bits);
            Assert.Equal(bits + (bits & 1), ((BFloat16)middle).Bits);
        }
    }

    [Fact]
    public void Overflow_rounds_to_infinity()
    {
        Assert.Equal(BFloat16.PositiveInfinity.Bits, ((BFloat16)float.MaxValue).Bits);
        Assert.Equal(BFloat16.NegativeInfinity.Bits, ((BFloat16)(-1e300)).Bits);
        Assert.Equal(BFloat16.MaxValue.Bits, ((BFloat16)3.3895e38f).Bits);
    }

    [Fact]
    public void Text_goes_both_ways()
    {
        Assert.Equal("1.5", ((BFloat16)1.5f).ToString());
        Assert.Equal((BFloat16)(-0.25f), BFloat16.Parse("-0.25", CultureInfo.InvariantCulture));
        Assert.False(BFloat16.TryParse("one", CultureInfo.InvariantCulture, out _));
    }

    [Fact]
    public void Equality_is_that_of_numbers()
    {
        Assert.True(BFloat16.FromBits(0x8000) == BFloat16.FromBits(0));
        Assert.False(BFloat16.NaN == BFloat16.NaN);
        Assert.True(BFloat16.NaN.Equals(BFloat16.NaN));
        Assert.True(((BFloat16)1f).CompareTo((BFloat16)2f) < 0);
    }
}
