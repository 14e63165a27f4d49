using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>
/// An unevaluated sum <c>Hi + Lo</c>, |Lo| far below |Hi|: about twice the precision of <typeparamref name="S"/>.
/// Dekker, "A floating-point technique for extending the available precision", 1971; Knuth, TAOCP 2, 4.2.2.
/// </summary>
/// <typeparam name="S">The lanes.</typeparam>
internal readonly struct Pair<S>(S hi, S lo) where S : ILanes<S>
{
    public readonly S Hi = hi;
    public readonly S Lo = lo;

    /// <summary>x + y and the rounding error of that sum, exactly; needs |x| ≥ |y| or x = 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<S> OrderedSum(S x, S y)
    {
        S sum = x + y;
        return new(sum, y - (sum - x));
    }

    /// <summary>x + y and the rounding error of that sum, exactly, whichever is larger.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<S> Sum(S x, S y)
    {
        S sum = x + y;
        S yIn = sum - x;
        return new(sum, (x - (sum - yIn)) + (y - yIn));
    }

    /// <summary>x · y and the rounding error of that product, exactly unless it underflows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<S> Product(S x, S y)
    {
        S product = x * y;
        return new(product, S.FusedMultiplyAdd(x, y, -product));
    }

    /// <summary>√(hi + lo): the second part is one step of Heron's rule, (v − s²) / 2s; zero at zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<S> SquareRoot(S hi, S lo)
    {
        S root = S.Sqrt(hi);
        S rest = (S.FusedMultiplyAdd(-root, root, hi) + lo) * S.Constant(0.5) / root;
        return new(root, S.Select(hi > S.Constant(0), rest, S.Constant(0)));
    }

    /// <summary>(nHi + nLo) / (dHi + dLo), rounded to about 0.5 ulp, by one division and one step of correction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Pair<S> Quotient(S nHi, S nLo, S dHi, S dLo)
    {
        S inverse = S.Constant(1) / dHi;
        S quotient = nHi * inverse;
        S remainder = S.FusedMultiplyAdd(-quotient, dHi, nHi) + S.FusedMultiplyAdd(-quotient, dLo, nLo);
        return new(quotient, remainder * inverse);
    }

    /// <summary>Hi + Lo, rounded.</summary>
    public S Rounded { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Hi + Lo; }
}
