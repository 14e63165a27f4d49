using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Scalars;

/// <summary>
/// One lane: a number of the machine as a scalar. It computes in the first lane of a <see cref="Lanes128{T}"/>, so its bits are those of the vectors; loops use it for their tails.
/// </summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
public readonly struct Lane<T>(T value) : ILanes<Lane<T>> where T : unmanaged
{
    /// <summary>The number.</summary>
    public readonly T Value = value;

    // The other lanes are zero, so that they neither trap nor slow the first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)] private static Lanes128<T> Wide(Lane<T> x) => new(Vector128.CreateScalar(x.Value));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] private static Lane<T> Narrow(Lanes128<T> x) => new(x.V.ToScalar());

    /// <inheritdoc/>
    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 1; }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lane<T> Load(void* p) => new(*(T*)p);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe void Store(Lane<T> x, void* p) => *(T*)p = x.Value;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lane<T> Broadcast(void* p) => new(*(T*)p);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe void StoreMask(Lane<T> mask, byte* p) => *p = None(mask) ? (byte)0 : (byte)1;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool None(Lane<T> mask) => Lanes128<T>.None(Wide(mask));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Constant(double value) => Narrow(Lanes128<T>.Constant(value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Integer(long value) => Narrow(Lanes128<T>.Integer(value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> FromBits(long bits) => Narrow(Lanes128<T>.FromBits(bits));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> StopGradient(Lane<T> x) => x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator /(Lane<T> x, Lane<T> y) => Kind<T>.IsFloating ? Narrow(Wide(x) / Wide(y)) : DivideTruncate(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> DivideTruncate(Lane<T> x, Lane<T> y) => new(Kind<T>.Apply<DivideTruncateLane>(x.Value, y.Value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> DivideFloor(Lane<T> x, Lane<T> y) => new(Kind<T>.Apply<DivideFloorLane>(x.Value, y.Value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator +(Lane<T> x, Lane<T> y) => Narrow(Wide(x) + Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator -(Lane<T> x, Lane<T> y) => Narrow(Wide(x) - Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator *(Lane<T> x, Lane<T> y) => Narrow(Wide(x) * Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator <(Lane<T> x, Lane<T> y) => Narrow(Wide(x) < Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator >(Lane<T> x, Lane<T> y) => Narrow(Wide(x) > Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator <=(Lane<T> x, Lane<T> y) => Narrow(Wide(x) <= Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator >=(Lane<T> x, Lane<T> y) => Narrow(Wide(x) >= Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator &(Lane<T> x, Lane<T> y) => Narrow(Wide(x) & Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator |(Lane<T> x, Lane<T> y) => Narrow(Wide(x) | Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator ^(Lane<T> x, Lane<T> y) => Narrow(Wide(x) ^ Wide(y));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator -(Lane<T> x) => Narrow(-Wide(x));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> operator ~(Lane<T> x) => Narrow(~Wide(x));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> FusedMultiplyAdd(Lane<T> x, Lane<T> y, Lane<T> z) => Narrow(Lanes128<T>.FusedMultiplyAdd(Wide(x), Wide(y), Wide(z)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Select(Lane<T> mask, Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Select(Wide(mask), Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Equal(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Equal(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> And(Lane<T> m, Lane<T> n) => Narrow(Lanes128<T>.And(Wide(m), Wide(n)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Or(Lane<T> m, Lane<T> n) => Narrow(Lanes128<T>.Or(Wide(m), Wide(n)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Min(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Min(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Max(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Max(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> CopySign(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.CopySign(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ShiftLeft(Lane<T> x, Lane<T> n) => Narrow(Lanes128<T>.ShiftLeft(Wide(x), Wide(n)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ShiftRight(Lane<T> x, Lane<T> n) => Narrow(Lanes128<T>.ShiftRight(Wide(x), Wide(n)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> AddBits(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.AddBits(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> SubtractBits(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.SubtractBits(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> GreaterBits(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.GreaterBits(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> EqualBits(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.EqualBits(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Scale(Lane<T> x, Lane<T> n) => Narrow(Lanes128<T>.Scale(Wide(x), Wide(n)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Lookup(Lane<T> index, ReadOnlySpan<float> table) => Narrow(Lanes128<T>.Lookup(Wide(index), table));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Pow(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Pow(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Atan2(Lane<T> y, Lane<T> x) => Narrow(Lanes128<T>.Atan2(Wide(y), Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Fmod(Lane<T> x, Lane<T> y) => Narrow(Lanes128<T>.Fmod(Wide(x), Wide(y)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Bound(Lane<T> x, Lane<T> min, Lane<T> max) => Narrow(Lanes128<T>.Bound(Wide(x), Wide(min), Wide(max)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Not(Lane<T> m) => Narrow(Lanes128<T>.Not(Wide(m)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ShiftLeftBits(Lane<T> x, int n) => Narrow(Lanes128<T>.ShiftLeftBits(Wide(x), n));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ShiftRightBits(Lane<T> x, int n) => Narrow(Lanes128<T>.ShiftRightBits(Wide(x), n));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ShiftRightSignBits(Lane<T> x, int n) => Narrow(Lanes128<T>.ShiftRightSignBits(Wide(x), n));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Abs(Lane<T> x) => Narrow(Lanes128<T>.Abs(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Sign(Lane<T> x) => Narrow(Lanes128<T>.Sign(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Floor(Lane<T> x) => Narrow(Lanes128<T>.Floor(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Ceiling(Lane<T> x) => Narrow(Lanes128<T>.Ceiling(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Truncate(Lane<T> x) => Narrow(Lanes128<T>.Truncate(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Round(Lane<T> x) => Narrow(Lanes128<T>.Round(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> ToIntegerBits(Lane<T> x) => Narrow(Lanes128<T>.ToIntegerBits(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> FromIntegerBits(Lane<T> x) => Narrow(Lanes128<T>.FromIntegerBits(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Sqrt(Lane<T> x) => Narrow(Lanes128<T>.Sqrt(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Rsqrt(Lane<T> x) => Narrow(Lanes128<T>.Rsqrt(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Exp(Lane<T> x) => Narrow(Lanes128<T>.Exp(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Exp2(Lane<T> x) => Narrow(Lanes128<T>.Exp2(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Expm1(Lane<T> x) => Narrow(Lanes128<T>.Expm1(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Log(Lane<T> x) => Narrow(Lanes128<T>.Log(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Log2(Lane<T> x) => Narrow(Lanes128<T>.Log2(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Log10(Lane<T> x) => Narrow(Lanes128<T>.Log10(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Log1p(Lane<T> x) => Narrow(Lanes128<T>.Log1p(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Sin(Lane<T> x) => Narrow(Lanes128<T>.Sin(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Cos(Lane<T> x) => Narrow(Lanes128<T>.Cos(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Tan(Lane<T> x) => Narrow(Lanes128<T>.Tan(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Asin(Lane<T> x) => Narrow(Lanes128<T>.Asin(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Acos(Lane<T> x) => Narrow(Lanes128<T>.Acos(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Atan(Lane<T> x) => Narrow(Lanes128<T>.Atan(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Sinh(Lane<T> x) => Narrow(Lanes128<T>.Sinh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Cosh(Lane<T> x) => Narrow(Lanes128<T>.Cosh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Tanh(Lane<T> x) => Narrow(Lanes128<T>.Tanh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Asinh(Lane<T> x) => Narrow(Lanes128<T>.Asinh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Acosh(Lane<T> x) => Narrow(Lanes128<T>.Acosh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Atanh(Lane<T> x) => Narrow(Lanes128<T>.Atanh(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Erf(Lane<T> x) => Narrow(Lanes128<T>.Erf(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Erfc(Lane<T> x) => Narrow(Lanes128<T>.Erfc(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Sigmoid(Lane<T> x) => Narrow(Lanes128<T>.Sigmoid(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Softplus(Lane<T> x) => Narrow(Lanes128<T>.Softplus(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> Logistic(Lane<T> x) => Narrow(Lanes128<T>.Logistic(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> NormalCdf(Lane<T> x) => Narrow(Lanes128<T>.NormalCdf(Wide(x)));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lane<T> LogSigmoid(Lane<T> x) => Narrow(Lanes128<T>.LogSigmoid(Wide(x)));
}
