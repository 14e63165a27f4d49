namespace Flambeau.Scalars;

/// <summary>eˣ = 2^⌊Power⌋ (Hi + Lo), |Lo| far below |Hi|.</summary>
/// <typeparam name="S">The lanes.</typeparam>
internal readonly struct PowerOfE<S>(S hi, S lo, S power) where S : ILanes<S>
{
    public readonly S Hi = hi;
    public readonly S Lo = lo;
    public readonly S Power = power;
}

/// <summary>
/// What the elementary functions need to know of a floating-point format: its layout, its constants cut in two, and minimax polynomials good to its last bit.
/// The reductions around them (<see cref="Elementary{P}"/>) are common to all formats.
/// </summary>
internal interface IPrecision
{
    /// <summary>Stored bits of the mantissa.</summary>
    static abstract int MantissaBits { get; }
    /// <summary>Position of the sign's bit.</summary>
    static abstract int SignBit { get; }
    /// <summary>Exponent of 1 as stored.</summary>
    static abstract int Bias { get; }
    /// <summary>The bits of √½, rounded down to the format.</summary>
    static abstract long SqrtHalfBits { get; }
    /// <summary>The smallest normal number.</summary>
    static abstract double MinNormal { get; }

    /// <summary>Above this eˣ overflows (not yet at it), below <see cref="ExpMin"/> it rounds to zero.</summary>
    static abstract double ExpMax { get; }
    /// <summary>See <see cref="ExpMax"/>.</summary>
    static abstract double ExpMin { get; }
    /// <summary>Below −this, eˣ − 1 rounds to −1.</summary>
    static abstract double Expm1Min { get; }
    /// <summary>Above this erfc rounds to zero.</summary>
    static abstract double ErfcMax { get; }
    /// <summary>Above this cos and sin reduce their argument with all the digits of 2/π.</summary>
    static abstract double TrigonometricMax { get; }
    /// <summary>Below this sin x and tan x round to x.</summary>
    static abstract double TrigonometricMin { get; }
    /// <summary>Below this asinh and atanh are two terms of their series.</summary>
    static abstract double HyperbolicMin { get; }
    /// <summary>Above this x² ± 1 is x² to the last bit of a pair.</summary>
    static abstract double HyperbolicMax { get; }
    /// <summary>The largest quotient that <c>Fmod</c> trusts.</summary>
    static abstract double FmodMax { get; }

    /// <summary>ln 2 to the nearest, and the rest.</summary>
    static abstract double Ln2Hi { get; }
    /// <summary>See <see cref="Ln2Hi"/>.</summary>
    static abstract double Ln2Lo { get; }
    /// <summary>ln 2 with so few bits that its product with an exponent is exact, and the rest.</summary>
    static abstract double Ln2Short { get; }
    /// <summary>See <see cref="Ln2Short"/>.</summary>
    static abstract double Ln2ShortLo { get; }
    /// <summary>log₁₀ 2, likewise short.</summary>
    static abstract double Log10Of2Short { get; }
    /// <summary>See <see cref="Log10Of2Short"/>.</summary>
    static abstract double Log10Of2ShortLo { get; }
    /// <summary>log₂ e in two parts.</summary>
    static abstract double Log2OfEHi { get; }
    /// <summary>See <see cref="Log2OfEHi"/>.</summary>
    static abstract double Log2OfELo { get; }
    /// <summary>log₁₀ e in two parts.</summary>
    static abstract double Log10OfEHi { get; }
    /// <summary>See <see cref="Log10OfEHi"/>.</summary>
    static abstract double Log10OfELo { get; }
    /// <summary>π/2 in three parts.</summary>
    static abstract double HalfPiHi { get; }
    /// <summary>See <see cref="HalfPiHi"/>.</summary>
    static abstract double HalfPiLo { get; }
    /// <summary>See <see cref="HalfPiHi"/>.</summary>
    static abstract double HalfPiLoLo { get; }
    /// <summary>⅔ less its nearest number.</summary>
    static abstract double TwoThirdsLo { get; }
    /// <summary>See <see cref="ErfcTail"/>.</summary>
    static abstract double ErfcC0Hi { get; }
    /// <summary>See <see cref="ErfcTail"/>.</summary>
    static abstract double ErfcC0Lo { get; }
    /// <summary>See <see cref="ErfcTail"/>.</summary>
    static abstract double ErfcC1Hi { get; }
    /// <summary>See <see cref="ErfcTail"/>.</summary>
    static abstract double ErfcC1Lo { get; }
    /// <summary>The point of [0, ∞) that erfc's variable sends to 0.</summary>
    static abstract double ErfcCentre { get; }

    /// <summary>(eʳ − 1 − r − r²/2) / r³ for |r| ≤ ½ ln 2.</summary>
    static abstract S ExpTail<S>(S r) where S : ILanes<S>;
    /// <summary>(2ʳ − 1 − r ln 2) / r² for |r| ≤ ½.</summary>
    static abstract S Exp2Tail<S>(S r) where S : ILanes<S>;
    /// <summary>ln(1 + f) − f + f²/2 for 1 + f in [√½, √2].</summary>
    static abstract S LogTail<S>(S f) where S : ILanes<S>;
    /// <summary>(ln((1 + s) / (1 − s)) − 2s − ⅔s³) / s⁵ as a function of z = s², for |s| ≤ 0.1716.</summary>
    static abstract S PowTail<S>(S z) where S : ILanes<S>;
    /// <summary>(sin r − r) / r³ as a function of z = r², for |r| ≤ π/4.</summary>
    static abstract S SinTail<S>(S z) where S : ILanes<S>;
    /// <summary>(cos r − 1 + r²/2) / r⁴ as a function of z = r², for |r| ≤ π/4.</summary>
    static abstract S CosTail<S>(S z) where S : ILanes<S>;
    /// <summary>(atan t − t) / t³ as a function of z = t², for |t| ≤ 1.</summary>
    static abstract S AtanTail<S>(S z) where S : ILanes<S>;
    /// <summary>(asin s − s) / s³ as a function of z = s², for |s| ≤ ½.</summary>
    static abstract S AsinTail<S>(S z) where S : ILanes<S>;
    /// <summary>(sinh x − x) / x³ as a function of z = x², for |x| ≤ 1.</summary>
    static abstract S SinhTail<S>(S z) where S : ILanes<S>;
    /// <summary>erf x / x − 1 as a function of z = x², for |x| ≤ 1.</summary>
    static abstract S ErfTail<S>(S z) where S : ILanes<S>;
    /// <summary>erf x for x ≥ 1.</summary>
    static abstract S ErfAboveOne<S>(S x) where S : ILanes<S>;
    /// <summary>
    /// q(t) where e^(x²) erfc x · (x + K) = c₀ + c₁ t + q(t) t², t = (x − K) / (x + K), K = <see cref="ErfcCentre"/>, x ≥ 0;
    /// c₀ and c₁ are in two parts each.
    /// </summary>
    static abstract S ErfcTail<S>(S t) where S : ILanes<S>;

    /// <summary>eˣ for <see cref="ExpMin"/> ≤ x ≤ <see cref="ExpMax"/>.</summary>
    static abstract S Exp<S>(S x) where S : ILanes<S>;
    /// <summary>eˣ in the same range, before the power of two and the last rounding.</summary>
    static abstract PowerOfE<S> ExpTakenApart<S>(S x) where S : ILanes<S>;
    /// <summary>tanh x.</summary>
    static abstract S Tanh<S>(S x) where S : ILanes<S>;
    /// <summary>The normal distribution function by the precision's own formula.</summary>
    static abstract S NormalCdf<S>(S x) where S : ILanes<S>;

    /// <summary>Reads element <paramref name="i"/> as a double.</summary>
    static abstract unsafe double Read(void* p, int i);
    /// <summary>Writes element <paramref name="i"/>, rounded.</summary>
    static abstract unsafe void Write(void* p, int i, double value);
}
