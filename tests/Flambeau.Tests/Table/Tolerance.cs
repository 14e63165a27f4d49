namespace Flambeau.Tests.Table;

/// <summary>The one table of tolerances, by type.</summary>
public static class Tolerance
{
    /// <summary>Of a single operator: half a unit in the last place of the stored type, and for what is not rounded afterwards the few units that elementary functions and short formulas lose.</summary>
    public static double Relative(DType type) => type switch
    {
        DType.BFloat16 => 1.01 / 256,
        DType.Float16 => 1.01 / 2048,
        DType.Float32 => 4.0 / (1 << 23),
        DType.Float64 => 16.0 / (1L << 52),
        _ => 0,
    };

    /// <summary>The smallest distance of two numbers of the type.</summary>
    public static double Smallest(DType type) => type switch
    {
        DType.BFloat16 => 9.183549615799121e-41,
        DType.Float16 => (double)Half.Epsilon,
        DType.Float32 => float.Epsilon,
        DType.Float64 => double.Epsilon,
        _ => 0,
    };

    /// <summary>The largest finite number of the type.</summary>
    public static double Largest(DType type) => type switch
    {
        DType.BFloat16 => 3.3895313892515355e38,
        DType.Float16 => (double)Half.MaxValue,
        DType.Float32 => float.MaxValue,
        _ => double.MaxValue,
    };

    /// <summary>Whether a result is right: the exact result for operands within the tolerance of the given ones, within the tolerance. <paramref name="condition"/> is Σ |xᵢ ∂f/∂xᵢ|, <paramref name="magnitude"/> the largest |xᵢ|, by which a factor that fell among the subnormals may be multiplied.</summary>
    public static bool Accepts(DType type, double actual, double expected, double condition, double magnitude)
    {
        if (double.IsNaN(expected)) return double.IsNaN(actual);
        if (actual.Equals(expected)) return true;
        double relative = Relative(type), largest = Largest(type);
        double allowed = relative * (Math.Abs(expected) + (double.IsFinite(condition) ? condition : 0)) + 2 * Smallest(type) * (1 + Math.Min(magnitude, 1000));
        // beyond the largest number the result rounds to infinity, just below it may
        if (double.IsInfinity(actual)) return Math.Sign(actual) == Math.Sign(expected) && Math.Abs(expected) + allowed >= largest;
        return Math.Abs(actual - expected) <= allowed;
    }
}
