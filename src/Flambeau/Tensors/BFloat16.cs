using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Flambeau;

/// <summary>
/// bfloat16: the upper half of a <see cref="float"/>, that is its sign, its 8 bits of exponent and 7 bits of mantissa (PyTorch: <c>torch.bfloat16</c>).
/// A storage format: arithmetic happens in float32. Wang and Kanwar, "BFloat16: the secret to high performance on Cloud TPUs", 2019.
/// </summary>
public readonly struct BFloat16 : IEquatable<BFloat16>, IComparable<BFloat16>, ISpanFormattable, ISpanParsable<BFloat16>
{
    private BFloat16(ushort bits) => Bits = bits;

    /// <summary>The bit pattern.</summary>
    public ushort Bits { get; }

    /// <summary>The number with the bit pattern <paramref name="bits"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BFloat16 FromBits(ushort bits) => new(bits);

    /// <summary>2⁻⁷: the distance from 1 to the next number (as <c>torch.finfo(torch.bfloat16).eps</c>).</summary>
    public static BFloat16 Epsilon => new(0x3C00);
    /// <summary>The largest finite number, about 3.39e38.</summary>
    public static BFloat16 MaxValue => new(0x7F7F);
    /// <summary>The smallest finite number, the negative of <see cref="MaxValue"/>.</summary>
    public static BFloat16 MinValue => new(0xFF7F);
    /// <summary>+∞.</summary>
    public static BFloat16 PositiveInfinity => new(0x7F80);
    /// <summary>−∞.</summary>
    public static BFloat16 NegativeInfinity => new(0xFF80);
    /// <summary>A quiet NaN.</summary>
    public static BFloat16 NaN => new(0x7FC0);

    /// <summary>Exact: every bfloat16 is a float.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static implicit operator float(BFloat16 x) => BitConverter.UInt32BitsToSingle((uint)x.Bits << 16);

    /// <summary>To the nearest, ties to even; overflow goes to ∞; a NaN keeps its sign and upper bits and becomes quiet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static explicit operator BFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        if (float.IsNaN(x)) return new((ushort)(bits >> 16 | 0x40));
        // Adding just below half of the last kept bit, or half where that bit is odd, carries exactly when rounding goes up.
        return new((ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
    }

    /// <summary>By way of float32, each step to the nearest, as PyTorch does.</summary>
    public static explicit operator BFloat16(double x) => (BFloat16)(float)x;

    /// <summary>True for any NaN.</summary>
    public static bool IsNaN(BFloat16 x) => (x.Bits & 0x7FFF) > 0x7F80;

    /// <summary>Equality of numbers: +0 = −0, NaN ≠ NaN.</summary>
    public static bool operator ==(BFloat16 x, BFloat16 y) => (float)x == (float)y;
    /// <summary>The opposite of ==.</summary>
    public static bool operator !=(BFloat16 x, BFloat16 y) => (float)x != (float)y;

    /// <summary>As <see cref="float.Equals(float)"/>: NaN equals NaN.</summary>
    public bool Equals(BFloat16 other) => ((float)this).Equals((float)other);
    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is BFloat16 other && Equals(other);
    /// <inheritdoc/>
    public override int GetHashCode() => ((float)this).GetHashCode();
    /// <summary>As <see cref="float.CompareTo(float)"/>: NaN comes first.</summary>
    public int CompareTo(BFloat16 other) => ((float)this).CompareTo((float)other);

    /// <summary>The number as its float32, in the invariant culture.</summary>
    public override string ToString() => ToString(null, CultureInfo.InvariantCulture);
    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) => ((float)this).ToString(format, formatProvider);
    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        ((float)this).TryFormat(destination, out charsWritten, format, provider);
    /// <inheritdoc/>
    public static BFloat16 Parse(string s, IFormatProvider? provider) => (BFloat16)float.Parse(s, provider);
    /// <inheritdoc/>
    public static BFloat16 Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => (BFloat16)float.Parse(s, provider);
    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out BFloat16 result) => TryParse(s.AsSpan(), provider, out result);
    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out BFloat16 result)
    {
        bool parsed = float.TryParse(s, provider, out float value);
        result = (BFloat16)value;
        return parsed;
    }
}
