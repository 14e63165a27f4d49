namespace Flambeau;

/// <summary>
/// A number handed to an operator beside its tensors: <c>x * 2</c>. It takes part in type promotion by its category only (bool &lt; integer &lt; floating point), as in PyTorch:
/// an int32 tensor times 2 stays int32, times 2.5 becomes float32, and a bfloat16 tensor times 2.5 stays bfloat16.
/// </summary>
public readonly struct Scalar : IEquatable<Scalar>
{
    readonly double _real;
    readonly long _integer;

    Scalar(DType type, double real, long integer) => (Type, _real, _integer) = (type, real, integer);

    /// <summary>The category: <see cref="DType.Bool"/>, <see cref="DType.Int64"/> or <see cref="DType.Float64"/>.</summary>
    public DType Type { get; }

    /// <summary>A truth value.</summary>
    public static implicit operator Scalar(bool value) => new(DType.Bool, value ? 1 : 0, value ? 1 : 0);
    /// <summary>A whole number.</summary>
    public static implicit operator Scalar(int value) => new(DType.Int64, value, value);
    /// <summary>A whole number.</summary>
    public static implicit operator Scalar(long value) => new(DType.Int64, value, value);
    /// <summary>A floating-point number.</summary>
    public static implicit operator Scalar(float value) => new(DType.Float64, value, 0);
    /// <summary>A floating-point number.</summary>
    public static implicit operator Scalar(double value) => new(DType.Float64, value, 0);

    /// <summary>The value as a double.</summary>
    public double ToDouble() => Type == DType.Float64 ? _real : _integer;

    /// <summary>The value as a whole number; a fraction is cut off.</summary>
    public long ToInt64() => Type == DType.Float64 ? (long)_real : _integer;

    /// <inheritdoc/>
    public bool Equals(Scalar other) => Type == other.Type && _integer == other._integer && _real.Equals(other._real);
    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Scalar other && Equals(other);
    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, _real, _integer);
    /// <inheritdoc/>
    public override string ToString() => Type switch
    {
        DType.Bool => _integer != 0 ? "true" : "false",
        DType.Int64 => _integer.ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => _real.ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}
