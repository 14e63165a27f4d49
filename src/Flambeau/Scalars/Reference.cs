namespace Flambeau.Scalars;

/// <summary>
/// The truth that float32 lanes are compared with: a double and the functions of <see cref="Math"/>, or plain series where it has none. It shares nothing with the lanes' elementary functions.
/// A mask is a NaN with all bits set, or 0.
/// </summary>
public readonly struct Reference(double value) : IReal<Reference>
{
    /// <summary>The number.</summary>
    public readonly double Value = value;

    private static Reference Mask(bool holds) => new(holds ? BitConverter.Int64BitsToDouble(-1) : 0);

    /// <summary>True if <paramref name="mask"/> holds.</summary>
    public static bool Holds(Reference mask) => BitConverter.DoubleToInt64Bits(mask.Value) == -1;

    /// <inheritdoc/>
    public static Reference Constant(double value) => new(value);
    /// <inheritdoc/>
    public static Reference operator -(Reference x) => new(-x.Value);
    /// <inheritdoc/>
    public static Reference FusedMultiplyAdd(Reference x, Reference y, Reference z) => new(Math.FusedMultiplyAdd(x.Value, y.Value, z.Value));
    /// <inheritdoc/>
    public static Reference Equal(Reference x, Reference y) => Mask(x.Value == y.Value);
    /// <inheritdoc/>
    public static Reference And(Reference m, Reference n) => Mask(Holds(m) && Holds(n));
    /// <inheritdoc/>
    public static Reference Or(Reference m, Reference n) => Mask(Holds(m) || Holds(n));
    /// <inheritdoc/>
    public static Reference Not(Reference m) => Mask(!Holds(m));
    /// <inheritdoc/>
    public static Reference Select(Reference mask, Reference x, Reference y) => Holds(mask) ? x : y;
    /// <inheritdoc/>
    public static Reference Min(Reference x, Reference y) => new(Math.Min(x.Value, y.Value));
    /// <inheritdoc/>
    public static Reference Max(Reference x, Reference y) => new(Math.Max(x.Value, y.Value));
    /// <inheritdoc/>
    public static Reference CopySign(Reference x, Reference y) => new(Math.CopySign(x.Value, y.Value));
    /// <inheritdoc/>
    public static Reference Pow(Reference x, Reference y) => new(Math.Pow(x.Value, y.Value));
    /// <inheritdoc/>
    public static Reference Atan2(Reference y, Reference x) => new(Math.Atan2(y.Value, x.Value));
    /// <inheritdoc/>
    public static Reference Fmod(Reference x, Reference y) => new(x.Value % y.Value);
    /// <inheritdoc/>
    public static Reference operator +(Reference x, Reference y) => new(x.Value + y.Value);
    /// <inheritdoc/>
    public static Reference operator -(Reference x, Reference y) => new(x.Value - y.Value);
    /// <inheritdoc/>
    public static Reference operator *(Reference x, Reference y) => new(x.Value * y.Value);
    /// <inheritdoc/>
    public static Reference operator /(Reference x, Reference y) => new(x.Value / y.Value);
    /// <inheritdoc/>
    public static Reference operator <(Reference x, Reference y) => Mask(x.Value < y.Value);
    /// <inheritdoc/>
    public static Reference operator >(Reference x, Reference y) => Mask(x.Value > y.Value);
    /// <inheritdoc/>
    public static Reference operator <=(Reference x, Reference y) => Mask(x.Value <= y.Value);
    /// <inheritdoc/>
    public static Reference operator >=(Reference x, Reference y) => Mask(x.Value >= y.Value);
    /// <inheritdoc/>
    public static Reference Sqrt(Reference x) => new(Math.Sqrt(x.Value));
    /// <inheritdoc/>
    public static Reference Rsqrt(Reference x) => new(1 / Math.Sqrt(x.Value));
    /// <inheritdoc/>
    public static Reference Exp(Reference x) => new(Math.Exp(x.Value));
    /// <inheritdoc/>
    public static Reference Exp2(Reference x) => new(Math.Pow(2, x.Value));
    /// <inheritdoc/>
    public static Reference Expm1(Reference x) => new(Expm1(x.Value));
    /// <inheritdoc/>
    public static Reference Log(Reference x) => new(Math.Log(x.Value));
    /// <inheritdoc/>
    public static Reference Log2(Reference x) => new(Math.Log2(x.Value));
    /// <inheritdoc/>
    public static Reference Log10(Reference x) => new(Math.Log10(x.Value));
    /// <inheritdoc/>
    public static Reference Log1p(Reference x) => new(Log1p(x.Value));
    /// <inheritdoc/>
    public static Reference Sin(Reference x) => new(Math.Sin(x.Value));
    /// <inheritdoc/>
    public static Reference Cos(Reference x) => new(Math.Cos(x.Value));
    /// <inheritdoc/>
    public static Reference Tan(Reference x) => new(Math.Tan(x.Value));
    /// <inheritdoc/>
    public static Reference Asin(Reference x) => new(Math.Asin(x.Value));
    /// <inheritdoc/>
    public static Reference Acos(Reference x) => new(Math.Acos(x.Value));
    /// <inheritdoc/>
    public static Reference Atan(Reference x) => new(Math.Atan(x.Value));
    /// <inheritdoc/>
    public static Reference Sinh(Reference x) => new(Math.Sinh(x.Value));
    /// <inheritdoc/>
    public static Reference Cosh(Reference x) => new(Math.Cosh(x.Value));
    /// <inheritdoc/>
    public static Reference Tanh(Reference x) => new(Math.Tanh(x.Value));
    /// <inheritdoc/>
    public static Reference Asinh(Reference x) => new(Math.Asinh(x.Value));
    /// <inheritdoc/>
    public static Reference Acosh(Reference x) => new(Math.Acosh(x.Value));
    /// <inheritdoc/>
    public static Reference Atanh(Reference x) => new(Math.Atanh(x.Value));
    /// <inheritdoc/>
    public static Reference Abs(Reference x) => new(Math.Abs(x.Value));
    /// <inheritdoc/>
    public static Reference Floor(Reference x) => new(Math.Floor(x.Value));
    /// <inheritdoc/>
    public static Reference Ceiling(Reference x) => new(Math.Ceiling(x.Value));
    /// <inheritdoc/>
    public static Reference Truncate(Reference x) => new(Math.Truncate(x.Value));
    /// <inheritdoc/>
    public static Reference Round(Reference x) => new(Math.Round(x.Value, MidpointRounding.ToEven));
    /// <inheritdoc/>
    public static Reference Erf(Reference x) => new(ErrorFunction.Erf(x.Value));
    /// <inheritdoc/>
    public static Reference Erfc(Reference x) => new(ErrorFunction.Erfc(x.Value));
    /// <inheritdoc/>
    public static Reference NormalCdf(Reference x) => new(0.5 * ErrorFunction.Erfc(-0.70710678118654752440 * x.Value));
    /// <inheritdoc/>
    public static Reference Logistic(Reference x) => Sigmoid(x);
    /// <inheritdoc/>
    public static Reference LogSigmoid(Reference x) => new(-Softplus(-x.Value));
    /// <inheritdoc/>
    public static Reference StopGradient(Reference x) => new(x.Value);
    /// <inheritdoc/>
    public static Reference Softplus(Reference x) => new(Softplus(x.Value));
    /// <inheritdoc/>
    public static Reference Sigmoid(Reference x) => new(Sigmoid(x.Value));
    /// <inheritdoc/>
    public static Reference Sign(Reference x) => new(x.Value > 0 ? 1 : x.Value < 0 ? -1 : x.Value);

    // Kahan: the error of u = exp(x) cancels in (u − 1) · x / ln u.
    private static double Expm1(double x)
    {
        double u = Math.Exp(x);
        if (u == 1) return x;
        double less = u - 1;
        return less == -1 || double.IsInfinity(u) || double.IsNaN(u) ? less : less * x / Math.Log(u);
    }

    // The same device for u = 1 + x.
    private static double Log1p(double x)
    {
        double u = 1 + x;
        return u == 1 ? x : double.IsInfinity(u) || u <= 0 ? Math.Log(u) : Math.Log(u) * x / (u - 1);
    }

    private static double Sigmoid(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    private static double Softplus(double x) => double.IsNaN(x) ? x : Math.Max(x, 0) + Log1p(Math.Exp(-Math.Abs(x)));
}
