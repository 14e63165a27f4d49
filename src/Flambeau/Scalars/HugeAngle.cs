namespace Flambeau.Scalars;

/// <summary>
/// The remainder of any double by π/2 with all the digits of 2/π it takes (Payne and Hanek, "Radian reduction for trigonometric functions", 1983).
/// </summary>
internal static class HugeAngle
{
    // A zero word, then 2/π in binary, first bit after the point first.
    private static ReadOnlySpan<ulong> TwoOverPi =>
    [
        0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0,
        0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
        0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA,
        0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB, 0xF0CFBC209AF4361D,
    ];

    /// <summary>x = quadrant · π/2 + hi + lo (mod 2π), |hi| ≤ π/4, for |x| ≥ 1; NaN for an infinite x.</summary>
    public static (int Quadrant, double Hi, double Lo) Reduce(double x)
    {
        if (!double.IsFinite(x)) return (0, double.NaN, double.NaN);
        // 1. |x| = m 2ᵉ. Digits of 2/π of weight 2²⁻ᵉ and more contribute whole turns; the 192 that follow are taken.
        long bits = BitConverter.DoubleToInt64Bits(Math.Abs(x));
        int e = (int)(bits >> 52) - 1075;
        ulong m = ((ulong)bits & 0xFFFFFFFFFFFFF) | 0x10000000000000;
        int skip = e - 2 + 64;
        ulong w2 = Digits(skip), w1 = Digits(skip + 64), w0 = Digits(skip + 128);
        // 2. The product modulo 2¹⁹² is |x| · 2/π modulo 4, as a fraction of 4.
        ulong carry0 = Math.BigMul(m, w0, out ulong p0);
        ulong carry1 = Math.BigMul(m, w1, out ulong p1);
        p1 += carry0;
        if (p1 < carry0) carry1++;
        ulong p2 = m * w2 + carry1;
        // 3. The two top bits, rounded, are the quadrant; what follows is a signed fraction of π/2 in the top 126 bits of 128.
        int quadrant = (int)((p2 + (1UL << 61)) >> 62) & 3;
        Int128 fraction = (Int128)(((UInt128)p2 << 64) | p1) << 2;
        // 4. As a pair of doubles, times π/2 as a pair.
        double hi = (double)(long)(fraction >> 64 >> 10 << 10);
        Int128 rest = fraction - ((Int128)(long)hi << 64);
        double scale = Math.ScaleB(1, -64), lo = (double)rest * scale * scale + (double)p0 * scale * scale * scale * 4;
        hi *= scale;
        const double halfPiHi = 1.5707963267948966, halfPiLo = 6.123233995736766e-17;
        double high = hi * halfPiHi;
        double low = Math.FusedMultiplyAdd(hi, halfPiHi, -high) + hi * halfPiLo + lo * halfPiHi;
        double sum = high + low;
        low -= sum - high;
        return x < 0 ? (-quadrant & 3, -sum, -low) : (quadrant, sum, low);
    }

    private static ulong Digits(int start)
    {
        int word = start >> 6, shift = start & 63;
        return shift == 0 ? TwoOverPi[word] : TwoOverPi[word] << shift | TwoOverPi[word + 1] >> (64 - shift);
    }
}
