using System.Numerics;

namespace Flambeau.Tests.Scalars;

/// <summary>
/// Mantissa · 2^Exponent with 240 bits of mantissa, and the elementary functions by textbook series: the truth for float64. Slow, plain, and independent of the lanes.
/// </summary>
internal readonly struct BigFloat
{
    private const int Bits = 240;

    private readonly BigInteger mantissa;
    private readonly int exponent;

    private BigFloat(BigInteger mantissa, int exponent)
    {
        int excess = (int)BigInteger.Abs(mantissa).GetBitLength() - Bits;
        (this.mantissa, this.exponent) = excess > 0 ? (mantissa >> excess, exponent + excess) : (mantissa, exponent);
    }

    public static implicit operator BigFloat(double x)
    {
        if (x == 0) return default;
        int e = Math.ILogB(x) - 60;
        return new((BigInteger)Math.ScaleB(Math.ScaleB(x, -e / 2), -e - -e / 2), e);
    }

    public static explicit operator double(BigFloat x)
    {
        // 64 bits are enough for comparisons; the last bit may be one off.
        int drop = Math.Max(0, (int)BigInteger.Abs(x.mantissa).GetBitLength() - 64);
        return Math.ScaleB((double)(x.mantissa >> drop), x.exponent + drop);
    }

    /// <summary>|y − this| in units of the last place of this number's binade.</summary>
    public double UlpsOf(double y)
    {
        if (IsZero) return y == 0 ? 0 : double.PositiveInfinity;
        if (!double.IsFinite(y)) return BinaryExponent >= 1024 || (double)this == y ? 0 : double.PositiveInfinity;
        int last = Math.Max(BinaryExponent - 1, -1022) - 52;
        BigFloat difference = this - y;
        return Math.Abs((double)new BigFloat(difference.mantissa, difference.exponent - last));
    }

    private bool IsZero => mantissa.IsZero;
    private bool IsNegative => mantissa.Sign < 0;
    private int BinaryExponent => IsZero ? int.MinValue / 2 : exponent + (int)BigInteger.Abs(mantissa).GetBitLength();
    private BigFloat Half(int times) => new(mantissa, exponent - times);

    public static BigFloat operator -(BigFloat x) => new(-x.mantissa, x.exponent);
    public static BigFloat operator +(BigFloat x, BigFloat y)
    {
        if (x.IsZero) return y;
        if (y.IsZero) return x;
        if (x.exponent < y.exponent) (x, y) = (y, x);
        int shift = x.exponent - y.exponent;
        return shift > 4 * Bits ? x : new((x.mantissa << shift) + y.mantissa, y.exponent);
    }
    public static BigFloat operator -(BigFloat x, BigFloat y) => x + -y;
    public static BigFloat operator *(BigFloat x, BigFloat y) => new(x.mantissa * y.mantissa, x.exponent + y.exponent);
    public static BigFloat operator /(BigFloat x, BigFloat y)
    {
        int shift = Bits + 8 + Math.Max(0, (int)BigInteger.Abs(y.mantissa).GetBitLength() - (int)BigInteger.Abs(x.mantissa).GetBitLength());
        return new((x.mantissa << shift) / y.mantissa, x.exponent - shift - y.exponent);
    }

    public static BigFloat Abs(BigFloat x) => x.IsNegative ? -x : x;

    public static BigFloat Sqrt(BigFloat x)
    {
        if (x.IsZero) return x;
        int e = x.BinaryExponent & ~1;
        BigFloat m = new(x.mantissa, x.exponent - e), root = Math.Sqrt((double)m);
        for (int i = 0; i < 3; i++) root = (root + m / root).Half(1);
        return new(root.mantissa, root.exponent + e / 2);
    }

    // ---- Constants, from integer series ----

    private const int PiBits = 1500;
    private static readonly BigInteger PiScaled = 16 * ArctanOfInverse(5) - 4 * ArctanOfInverse(239);
    public static readonly BigFloat Pi = new(PiScaled, -PiBits);
    private static readonly BigFloat Ln2 = SumOfLn2();

    // Machin: atan(1/n) = Σ (−1)ᵏ / ((2k + 1) n²ᵏ⁺¹).
    private static BigInteger ArctanOfInverse(int n)
    {
        BigInteger power = (BigInteger.One << PiBits) / n, sum = power;
        for (int k = 1; !power.IsZero; k++)
        {
            power /= n * n;
            sum += k % 2 == 0 ? power / (2 * k + 1) : -power / (2 * k + 1);
        }
        return sum;
    }

    private static BigFloat SumOfLn2()
    {
        BigInteger sum = 0;
        for (int k = 1; k < 320; k++) sum += (BigInteger.One << (320 - k)) / k;
        return new(sum, -320);
    }

    // ---- Functions ----

    public static BigFloat Exp(BigFloat x)
    {
        if (x.IsZero) return 1;
        int n = (int)Math.Round((double)x / Math.Log(2));
        BigFloat r = (x - Ln2 * n).Half(12), term = 1, sum = 0;
        // e^r − 1 is what is squared, (1 + s)² − 1 = s (2 + s): nothing is lost next to the 1.
        for (int k = 1; k < 22; k++)
        {
            term = term * r / k;
            sum += term;
        }
        for (int i = 0; i < 12; i++) sum *= sum + 2;
        BigFloat result = sum + 1;
        return new(result.mantissa, result.exponent + n);
    }

    public static BigFloat Log(BigFloat x)
    {
        int k = x.BinaryExponent;
        BigFloat m = new(x.mantissa, x.exponent - k);
        if ((double)m < 0.7)
        {
            m = new(m.mantissa, m.exponent + 1);
            k--;
        }
        BigFloat y = Math.Log((double)m);
        for (int i = 0; i < 2; i++)
        {
            BigFloat e = Exp(y);
            y += ((m - e) / (m + e)) * 2;
        }
        return y + Ln2 * k;
    }

    public static (BigFloat Sin, BigFloat Cos) SinCos(BigFloat x)
    {
        // The remainder by π/2, in whole numbers scaled by 2^PiBits.
        int shift = x.exponent + PiBits;
        BigInteger scaled = shift >= 0 ? x.mantissa << shift : x.mantissa >> -shift, half = PiScaled >> 1;
        BigInteger q = BigInteger.Divide(2 * scaled + (x.IsNegative ? -half : half), 2 * half);
        BigFloat r = x.BinaryExponent < -PiBits / 2 ? x : new(scaled - q * half, -PiBits);
        BigFloat z = r * r, sin = r, cos = 1, term = 1;
        for (int k = 1; k < 50; k++)
        {
            term = -term * z / ((2 * k - 1) * (2.0 * k));
            cos += term;
            sin += term * r / (2 * k + 1);
        }
        return (int)(((q % 4) + 4) % 4) switch { 0 => (sin, cos), 1 => (cos, -sin), 2 => (-sin, -cos), _ => (-cos, sin) };
    }

    public static BigFloat Tan(BigFloat x)
    {
        var (sin, cos) = SinCos(x);
        return sin / cos;
    }

    public static BigFloat Atan(BigFloat x)
    {
        if (x.BinaryExponent < -70) return x - x * x * x / 3;
        // With y near atan x, d = tan(atan x − y) is tiny and its own arctangent is d − d³/3 + d⁵/5.
        BigFloat y = Math.Atan((double)x);
        var (sin, cos) = SinCos(y);
        BigFloat d = (x * cos - sin) / (cos + x * sin), square = d * d;
        return y + d * (1 - square / 3 + square * square / 5);
    }

    public static BigFloat Asin(BigFloat x) => Atan(x / Sqrt((1 - x) * (1 + x)));
    public static BigFloat Acos(BigFloat x) => Atan(Sqrt((1 - x) / (1 + x))) * 2;
    public static BigFloat Sinh(BigFloat x) => (Exp(x) - Exp(-x)).Half(1);
    public static BigFloat Cosh(BigFloat x) => (Exp(x) + Exp(-x)).Half(1);
    public static BigFloat Tanh(BigFloat x) => 1 - (BigFloat)2 / (Exp(x * 2) + 1);
    public static BigFloat Asinh(BigFloat x) => x.IsNegative ? -Asinh(-x) : Log(x + Sqrt(x * x + 1));
    public static BigFloat Acosh(BigFloat x) => Log(x + Sqrt(x * x - 1));
    public static BigFloat Atanh(BigFloat x) => Log((1 + x) / (1 - x)).Half(1);

    public static BigFloat Erf(BigFloat x) => Math.Abs((double)x) > 3 ? x.IsNegative ? Erfc(-x) - 1 : 1 - Erfc(x) : Series(x);

    public static BigFloat Erfc(BigFloat x) => (double)x < -3 ? 2 - Erfc(-x) : (double)x < 3 ? 1 - Series(x) : Fraction(x);

    // Abramowitz and Stegun 7.1.6: all terms have one sign.
    private static BigFloat Series(BigFloat x)
    {
        BigFloat term = x, sum = x;
        for (int n = 1; term.BinaryExponent > sum.BinaryExponent - Bits; n++)
        {
            term = term * x * x * 2 / (2 * n + 1);
            sum += term;
        }
        return sum * 2 / Sqrt(Pi) * Exp(-(x * x));
    }

    // Abramowitz and Stegun 7.1.14; 250 levels give more than 120 bits from 3 on.
    private static BigFloat Fraction(BigFloat x)
    {
        BigFloat tail = x;
        for (int n = 250; n >= 1; n--) tail = x + (BigFloat)(n * 0.5) / tail;
        return Exp(-(x * x)) / (tail * Sqrt(Pi));
    }
}
