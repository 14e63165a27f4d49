using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>
/// A number with its derivative along one direction: v + t·ε with ε² = 0 (Clifford 1871). A body read over <c>Dual&lt;Lanes&gt;</c> is the eager derivative kernel,
/// over <c>Dual&lt;Expr&gt;</c> the derivative as an expression.
/// </summary>
/// <remarks>
/// <see cref="Varies"/> is false for constants and for operands held fixed. It is known when the JIT specializes a body, so the branches on it fold away; they keep 0 · ∞ out of
/// derivatives (d(x/2) at ∞ is ½, not NaN) and spare the multiplications by zero.
/// </remarks>
/// <typeparam name="S">What the value and the tangent are made of.</typeparam>
public readonly struct Dual<S> : IReal<Dual<S>> where S : IReal<S>
{
    /// <summary>The value.</summary>
    public readonly S Value;
    /// <summary>The derivative of the value; meaningless unless <see cref="Varies"/>.</summary>
    public readonly S Tangent;
    /// <summary>Whether the value depends on what is differentiated.</summary>
    public readonly bool Varies;

    /// <summary>A number that varies with derivative <paramref name="tangent"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Dual(S value, S tangent) { Value = value; Tangent = tangent; Varies = true; }

    /// <summary>A number held fixed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Dual(S value) { Value = value; Tangent = value; Varies = false; }

    /// <summary>The tangent, zero for a number held fixed.</summary>
    public S TangentOrZero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Varies ? Tangent : S.Constant(0); }

    // y = f(x) with f'(x) = slope
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Dual<S> Chain(Dual<S> x, S value, S slope) => x.Varies ? new(value, slope * x.Tangent) : new(value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Constant(double value) => new(S.Constant(value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator +(Dual<S> x, Dual<S> y)
    {
        var v = x.Value + y.Value;
        if (x.Varies && y.Varies) return new(v, x.Tangent + y.Tangent);
        return x.Varies ? new(v, x.Tangent) : y.Varies ? new(v, y.Tangent) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator -(Dual<S> x, Dual<S> y)
    {
        var v = x.Value - y.Value;
        if (x.Varies && y.Varies) return new(v, x.Tangent - y.Tangent);
        return x.Varies ? new(v, x.Tangent) : y.Varies ? new(v, -y.Tangent) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator *(Dual<S> x, Dual<S> y)
    {
        var v = x.Value * y.Value;
        if (x.Varies && y.Varies) return new(v, x.Tangent * y.Value + x.Value * y.Tangent);
        return x.Varies ? new(v, x.Tangent * y.Value) : y.Varies ? new(v, x.Value * y.Tangent) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator /(Dual<S> x, Dual<S> y)
    {
        // d(x/y) = (dx - (x/y) dy) / y: through the quotient, so nothing overflows that the result does not
        var v = x.Value / y.Value;
        if (x.Varies && y.Varies) return new(v, (x.Tangent - v * y.Tangent) / y.Value);
        return x.Varies ? new(v, x.Tangent / y.Value) : y.Varies ? new(v, -(v * y.Tangent) / y.Value) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator -(Dual<S> x) => x.Varies ? new(-x.Value, -x.Tangent) : new(-x.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> FusedMultiplyAdd(Dual<S> x, Dual<S> y, Dual<S> z)
    {
        var v = S.FusedMultiplyAdd(x.Value, y.Value, z.Value);
        var xy = x * y;
        if (xy.Varies && z.Varies) return new(v, xy.Tangent + z.Tangent);
        return xy.Varies ? new(v, xy.Tangent) : z.Varies ? new(v, z.Tangent) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Sqrt(Dual<S> x)
    {
        var y = S.Sqrt(x.Value);
        return Chain(x, y, S.Constant(0.5) / y);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Rsqrt(Dual<S> x)
    {
        var y = S.Rsqrt(x.Value);
        return Chain(x, y, S.Constant(-0.5) * y / x.Value);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Exp(Dual<S> x)
    {
        var y = S.Exp(x.Value);
        return Chain(x, y, y);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Exp2(Dual<S> x)
    {
        var y = S.Exp2(x.Value);
        return Chain(x, y, y * S.Constant(0.69314718055994530942));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Expm1(Dual<S> x)
    {
        var y = S.Expm1(x.Value);
        return Chain(x, y, y + S.Constant(1));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Log(Dual<S> x)
    {
        var y = S.Log(x.Value);
        return Chain(x, y, S.Constant(1) / x.Value);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Log2(Dual<S> x)
    {
        var y = S.Log2(x.Value);
        return Chain(x, y, S.Constant(1.44269504088896340736) / x.Value);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Log10(Dual<S> x)
    {
        var y = S.Log10(x.Value);
        return Chain(x, y, S.Constant(0.43429448190325182765) / x.Value);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Log1p(Dual<S> x)
    {
        var y = S.Log1p(x.Value);
        return Chain(x, y, S.Constant(1) / (S.Constant(1) + x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Sin(Dual<S> x)
    {
        var y = S.Sin(x.Value);
        return Chain(x, y, S.Cos(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Cos(Dual<S> x)
    {
        var y = S.Cos(x.Value);
        return Chain(x, y, -S.Sin(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Tan(Dual<S> x)
    {
        var y = S.Tan(x.Value);
        return Chain(x, y, S.Constant(1) + y * y);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Asin(Dual<S> x)
    {
        // (1 - x)(1 + x) rather than 1 - x²: no cancellation near one
        var y = S.Asin(x.Value);
        return Chain(x, y, S.Rsqrt((S.Constant(1) - x.Value) * (S.Constant(1) + x.Value)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Acos(Dual<S> x)
    {
        var y = S.Acos(x.Value);
        return Chain(x, y, -S.Rsqrt((S.Constant(1) - x.Value) * (S.Constant(1) + x.Value)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Atan(Dual<S> x)
    {
        var y = S.Atan(x.Value);
        return Chain(x, y, S.Constant(1) / (S.Constant(1) + x.Value * x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Sinh(Dual<S> x)
    {
        var y = S.Sinh(x.Value);
        return Chain(x, y, S.Cosh(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Cosh(Dual<S> x)
    {
        var y = S.Cosh(x.Value);
        return Chain(x, y, S.Sinh(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Tanh(Dual<S> x)
    {
        // (1 - x)(1 + x) rather than 1 - x²: no cancellation near one
        var y = S.Tanh(x.Value);
        return Chain(x, y, (S.Constant(1) - y) * (S.Constant(1) + y));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Asinh(Dual<S> x)
    {
        var y = S.Asinh(x.Value);
        return Chain(x, y, S.Rsqrt(S.Constant(1) + x.Value * x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Acosh(Dual<S> x)
    {
        var y = S.Acosh(x.Value);
        return Chain(x, y, S.Rsqrt((x.Value - S.Constant(1)) * (x.Value + S.Constant(1))));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Atanh(Dual<S> x)
    {
        // (1 - x)(1 + x) rather than 1 - x²: no cancellation near one
        var y = S.Atanh(x.Value);
        return Chain(x, y, S.Constant(1) / ((S.Constant(1) - x.Value) * (S.Constant(1) + x.Value)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Erf(Dual<S> x)
    {
        var y = S.Erf(x.Value);
        return Chain(x, y, S.Constant(1.12837916709551257390) * S.Exp(-(x.Value * x.Value)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Erfc(Dual<S> x)
    {
        var y = S.Erfc(x.Value);
        return Chain(x, y, S.Constant(-1.12837916709551257390) * S.Exp(-(x.Value * x.Value)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Sigmoid(Dual<S> x)
    {
        var y = S.Sigmoid(x.Value);
        return Chain(x, y, y * (S.Constant(1) - y));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Logistic(Dual<S> x)
    {
        var y = S.Logistic(x.Value);
        return Chain(x, y, y * (S.Constant(1) - y));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Softplus(Dual<S> x)
    {
        var y = S.Softplus(x.Value);
        return Chain(x, y, S.Logistic(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> NormalCdf(Dual<S> x)
    {
        var y = S.NormalCdf(x.Value);
        return Chain(x, y, S.Exp(x.Value * x.Value * S.Constant(-0.5)) * S.Constant(0.39894228040143267794));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> LogSigmoid(Dual<S> x)
    {
        var y = S.LogSigmoid(x.Value);
        return Chain(x, y, S.Logistic(-x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Abs(Dual<S> x)
    {
        var y = S.Abs(x.Value);
        return Chain(x, y, S.Sign(x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Sign(Dual<S> x) => new(S.Sign(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Floor(Dual<S> x) => new(S.Floor(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Ceiling(Dual<S> x) => new(S.Ceiling(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Truncate(Dual<S> x) => new(S.Truncate(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Round(Dual<S> x) => new(S.Round(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> StopGradient(Dual<S> x) => new(x.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Pow(Dual<S> x, Dual<S> y)
    {
        var v = S.Pow(x.Value, y.Value);
        if (!x.Varies && !y.Varies) return new(v);
        var t = S.Constant(0);
        // d/dx = y xʸ⁻¹, and 0 where y = 0 whatever x is (PyTorch)
        if (x.Varies)
        {
            var slope = y.Value * S.Pow(x.Value, y.Value - S.Constant(1));
            t = S.Select(S.Equal(y.Value, S.Constant(0)), S.Constant(0), slope) * x.Tangent;
        }
        // d/dy = xʸ ln x, and 0 where x = 0 and y ≥ 0 (PyTorch)
        if (y.Varies)
        {
            var zero = S.And(S.Equal(x.Value, S.Constant(0)), y.Value >= S.Constant(0));
            t += S.Select(zero, S.Constant(0), v * S.Log(x.Value)) * y.Tangent;
        }
        return new(v, t);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Atan2(Dual<S> y, Dual<S> x)
    {
        var v = S.Atan2(y.Value, x.Value);
        if (!x.Varies && !y.Varies) return new(v);
        // the origin has no angle: 0 like PyTorch's, not 0 ÷ 0
        var isOrigin = S.And(S.Equal(x.Value, S.Constant(0)), S.Equal(y.Value, S.Constant(0)));
        var r = S.Select(isOrigin, S.Constant(1), x.Value * x.Value + y.Value * y.Value);
        if (x.Varies && y.Varies) return new(v, (x.Value * y.Tangent - y.Value * x.Tangent) / r);
        return y.Varies ? new(v, x.Value / r * y.Tangent) : new(v, -(y.Value / r) * x.Tangent);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Fmod(Dual<S> x, Dual<S> y)
    {
        // x - y·trunc(x/y), trunc held fixed
        var v = S.Fmod(x.Value, y.Value);
        if (!x.Varies && !y.Varies) return new(v);
        if (!y.Varies) return new(v, x.Tangent);
        var q = S.Truncate(x.Value / y.Value);
        return x.Varies ? new(v, x.Tangent - q * y.Tangent) : new(v, -(q * y.Tangent));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> CopySign(Dual<S> x, Dual<S> y)
    {
        // ±1 by whether the sign stays, 0 at 0 as Abs
        var v = S.CopySign(x.Value, y.Value);
        return Chain(x, v, S.Select(S.Equal(x.Value, S.Constant(0)), S.Constant(0), v / x.Value));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Min(Dual<S> x, Dual<S> y) => Pick(S.Min(x.Value, y.Value), x.Value < y.Value, x, y);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Max(Dual<S> x, Dual<S> y) => Pick(S.Max(x.Value, y.Value), x.Value > y.Value, x, y);

    // the derivative of the side taken; half of each at a tie (PyTorch)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Dual<S> Pick(S value, S first, Dual<S> x, Dual<S> y)
    {
        if (!x.Varies && !y.Varies) return new(value);
        S tx = x.TangentOrZero, ty = y.TangentOrZero;
        var either = S.Select(first, tx, ty);
        return new(value, S.Select(S.Equal(x.Value, y.Value), (tx + ty) * S.Constant(0.5), either));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Select(Dual<S> mask, Dual<S> x, Dual<S> y)
    {
        var v = S.Select(mask.Value, x.Value, y.Value);
        return x.Varies || y.Varies ? new(v, S.Select(mask.Value, x.TangentOrZero, y.TangentOrZero)) : new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Not(Dual<S> m) => new(S.Not(m.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator <(Dual<S> x, Dual<S> y) => new(x.Value < y.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator >(Dual<S> x, Dual<S> y) => new(x.Value > y.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator <=(Dual<S> x, Dual<S> y) => new(x.Value <= y.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> operator >=(Dual<S> x, Dual<S> y) => new(x.Value >= y.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Equal(Dual<S> x, Dual<S> y) => new(S.Equal(x.Value, y.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> And(Dual<S> x, Dual<S> y) => new(S.And(x.Value, y.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Dual<S> Or(Dual<S> x, Dual<S> y) => new(S.Or(x.Value, y.Value));
}
