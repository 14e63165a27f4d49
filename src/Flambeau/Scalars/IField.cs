namespace Flambeau.Scalars;

/// <summary>
/// What an operator's body may do with a number of any kind: the four operations and constants.
/// Vector lanes, <see cref="double"/>-like references, dual numbers and expressions implement it, and complex numbers can.
/// </summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
public interface IField<S> where S : IField<S>
{
    /// <summary>The constant <paramref name="value"/>, rounded once to the precision of <typeparamref name="S"/>.</summary>
    static abstract S Constant(double value);
    /// <summary>x + y.</summary>
    static abstract S operator +(S x, S y);
    /// <summary>x − y.</summary>
    static abstract S operator -(S x, S y);
    /// <summary>x · y.</summary>
    static abstract S operator *(S x, S y);
    /// <summary>x ÷ y.</summary>
    static abstract S operator /(S x, S y);
    /// <summary>−x; the sign of zero flips.</summary>
    static abstract S operator -(S x);
    /// <summary>x · y + z, rounded once.</summary>
    static abstract S FusedMultiplyAdd(S x, S y, S z);
}

/// <summary>The functions that have a complex continuation: powers, exponentials, trigonometry. Accuracy: docs/elementary-functions.md.</summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
public interface IAnalytic<S> : IField<S> where S : IAnalytic<S>
{
    /// <summary>√x, correctly rounded; NaN below zero, −0 at −0.</summary>
    static abstract S Sqrt(S x);
    /// <summary>1 / √x.</summary>
    static abstract S Rsqrt(S x);
    /// <summary>eˣ.</summary>
    static abstract S Exp(S x);
    /// <summary>2ˣ.</summary>
    static abstract S Exp2(S x);
    /// <summary>eˣ − 1 without cancellation near zero.</summary>
    static abstract S Expm1(S x);
    /// <summary>The natural logarithm.</summary>
    static abstract S Log(S x);
    /// <summary>The logarithm to base 2.</summary>
    static abstract S Log2(S x);
    /// <summary>The logarithm to base 10.</summary>
    static abstract S Log10(S x);
    /// <summary>ln(1 + x) without cancellation near zero.</summary>
    static abstract S Log1p(S x);
    /// <summary>x to the power y, with the special cases of IEEE 754 <c>pow</c>.</summary>
    static abstract S Pow(S x, S y);
    /// <summary>sin x, x in radians.</summary>
    static abstract S Sin(S x);
    /// <summary>cos x, x in radians.</summary>
    static abstract S Cos(S x);
    /// <summary>tan x, x in radians.</summary>
    static abstract S Tan(S x);
    /// <summary>The inverse sine, in radians.</summary>
    static abstract S Asin(S x);
    /// <summary>The inverse cosine, in radians.</summary>
    static abstract S Acos(S x);
    /// <summary>The inverse tangent, in radians.</summary>
    static abstract S Atan(S x);
    /// <summary>The hyperbolic sine.</summary>
    static abstract S Sinh(S x);
    /// <summary>The hyperbolic cosine.</summary>
    static abstract S Cosh(S x);
    /// <summary>The hyperbolic tangent, in float32 within 1.3 ulp; saturates, and its derivative is 1 − tanh²x everywhere.</summary>
    static abstract S Tanh(S x);
    /// <summary>The inverse hyperbolic sine.</summary>
    static abstract S Asinh(S x);
    /// <summary>The inverse hyperbolic cosine.</summary>
    static abstract S Acosh(S x);
    /// <summary>The inverse hyperbolic tangent.</summary>
    static abstract S Atanh(S x);
}

/// <summary>
/// The ordered numbers. A comparison yields a mask shaped like <typeparamref name="S"/>, which <see cref="Select"/> consumes and a bool tensor stores:
/// bodies are branch-free. Masks combine with <see cref="And"/>, <see cref="Or"/> and <see cref="Not"/>; nothing else may be done with one.
/// </summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
public interface IReal<S> : IAnalytic<S> where S : IReal<S>
{
    /// <summary>The mask of x &lt; y; false where either is NaN.</summary>
    static abstract S operator <(S x, S y);
    /// <summary>The mask of x &gt; y; false where either is NaN.</summary>
    static abstract S operator >(S x, S y);
    /// <summary>The mask of x ≤ y; false where either is NaN.</summary>
    static abstract S operator <=(S x, S y);
    /// <summary>The mask of x ≥ y; false where either is NaN.</summary>
    static abstract S operator >=(S x, S y);
    /// <summary>The mask of x = y; false where either is NaN, true for +0 and −0.</summary>
    static abstract S Equal(S x, S y);
    /// <summary>The mask of both masks.</summary>
    static abstract S And(S m, S n);
    /// <summary>The mask of either mask.</summary>
    static abstract S Or(S m, S n);
    /// <summary>The mask of what <paramref name="m"/> is not.</summary>
    static abstract S Not(S m);
    /// <summary><paramref name="x"/> where the mask holds, else <paramref name="y"/>; the side not taken never shows, not even as NaN.</summary>
    static abstract S Select(S mask, S x, S y);
    /// <summary>The smaller; NaN if either is NaN; −0 below +0. Derivative at a tie: half to each.</summary>
    static abstract S Min(S x, S y);
    /// <summary>The larger; NaN if either is NaN; +0 above −0. Derivative at a tie: half to each.</summary>
    static abstract S Max(S x, S y);
    /// <summary>|x|; derivative 0 at 0.</summary>
    static abstract S Abs(S x);
    /// <summary>−1, 0 or 1; NaN at NaN.</summary>
    static abstract S Sign(S x);
    /// <summary>The magnitude of x with the sign of y, also of a zero.</summary>
    static abstract S CopySign(S x, S y);
    /// <summary>The largest whole number not above x.</summary>
    static abstract S Floor(S x);
    /// <summary>The smallest whole number not below x.</summary>
    static abstract S Ceiling(S x);
    /// <summary>x without its fraction.</summary>
    static abstract S Truncate(S x);
    /// <summary>The nearest whole number, halves to even.</summary>
    static abstract S Round(S x);
    /// <summary>The angle of the point (x, y), in radians, in [−π, π].</summary>
    static abstract S Atan2(S y, S x);
    /// <summary>x − y · trunc(x / y), exactly; the sign of x (C's <c>fmod</c>).</summary>
    static abstract S Fmod(S x, S y);
    /// <summary>The error function.</summary>
    static abstract S Erf(S x);
    /// <summary>1 − erf x without cancellation.</summary>
    static abstract S Erfc(S x);
    /// <summary>1 / (1 + e⁻ˣ); derivative y · (1 − y) everywhere.</summary>
    static abstract S Sigmoid(S x);
    /// <summary>ln(1 + eˣ); derivative σ(x).</summary>
    static abstract S Softplus(S x);
    /// <summary>ln σ(x); derivative σ(−x).</summary>
    static abstract S LogSigmoid(S x);
    /// <summary>The normal distribution function Φ(x) = ½ erfc(−x ÷ √2), its derivative e^(−x²/2) ÷ √(2π). In float32 within an absolute error of 1e-7, and several times faster than erfc.</summary>
    static abstract S NormalCdf(S x);
    /// <summary>The logistic function σ(x) = 1 ÷ (1 + e^(−x)) where it is a factor of something: within 2.5 ulp, and twice as fast as <see cref="Sigmoid"/>.</summary>
    static abstract S Logistic(S x);
    /// <summary>x itself, with derivative zero.</summary>
    static abstract S StopGradient(S x);
}

/// <summary>Whole numbers: the field's operations wrap and its division rounds towards zero; besides, bitwise operations, shifts, and division with PyTorch's rules.</summary>
/// <typeparam name="S">The implementing type itself.</typeparam>
public interface IInteger<S> : IField<S> where S : IInteger<S>
{
    /// <summary>The constant <paramref name="value"/>, wrapped to the width of <typeparamref name="S"/>.</summary>
    static abstract S Integer(long value);
    /// <summary>Bitwise and.</summary>
    static abstract S operator &(S x, S y);
    /// <summary>Bitwise or.</summary>
    static abstract S operator |(S x, S y);
    /// <summary>Bitwise exclusive or.</summary>
    static abstract S operator ^(S x, S y);
    /// <summary>Every bit flipped.</summary>
    static abstract S operator ~(S x);
    /// <summary>x · 2ⁿ; zero where n is negative or at least the width.</summary>
    static abstract S ShiftLeft(S x, S n);
    /// <summary>⌊x / 2ⁿ⌋ (arithmetic); the sign alone where n is negative or at least the width.</summary>
    static abstract S ShiftRight(S x, S n);
    /// <summary>x / y rounded towards zero. The caller has refused zero divisors.</summary>
    static abstract S DivideTruncate(S x, S y);
    /// <summary>x / y rounded down. The caller has refused zero divisors.</summary>
    static abstract S DivideFloor(S x, S y);
}
