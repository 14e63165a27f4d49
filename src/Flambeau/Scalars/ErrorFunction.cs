namespace Flambeau.Scalars;

/// <summary>erf and erfc of a double by the textbook's series and continued fraction, slow and plain: part of <see cref="Reference"/>.</summary>
internal static class ErrorFunction
{
    /// <summary>erf x, to about 1e-15 of itself.</summary>
    public static double Erf(double x)
    {
        double a = Math.Abs(x);
        return double.IsNaN(x) ? x : a < 2 ? Series(x) : Math.CopySign(1 - Fraction(a), x);
    }

    /// <summary>erfc x, to about 1e-15 of itself. 1 − erf x is taken only below 1: near 2 it cancels two digits.</summary>
    public static double Erfc(double x) => double.IsNaN(x) ? x : x < 1 ? (x > -2 ? 1 - Series(x) : 2 - Fraction(-x)) : Fraction(x);

    // Abramowitz and Stegun 7.1.6: erf x = 2/√π · e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · … · (2n + 1)); all terms have one sign.
    private static double Series(double x)
    {
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > Math.Abs(sum) * 1e-18; n++)
        {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    // Abramowitz and Stegun 7.1.14: √π e^(x²) erfc x = 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))), from the tail up; 500 levels are enough from 1 on.
    private static double Fraction(double x)
    {
        if (x > 30) return 0;
        double tail = x;
        for (int n = 500; n >= 1; n--) tail = x + n * 0.5 / tail;
        // e^(−x²) with the square's rounding error.
        double square = x * x, rest = Math.FusedMultiplyAdd(x, x, -square);
        return Math.Exp(-square) * (1 - rest) / (tail * Math.Sqrt(Math.PI));
    }
}
