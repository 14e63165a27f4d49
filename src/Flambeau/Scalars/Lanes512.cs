using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Scalars;

/// <summary>
/// 512 bits of lanes: 16 float32 or int32, 8 float64 or int64. One value is one vector register; the JIT folds every <c>typeof(T)</c> test.
/// All widths perform the same sequence of IEEE 754 operations, so a result's bits do not depend on the width.
/// </summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
public readonly struct Lanes512<T>(Vector512<T> v) : ILanes<Lanes512<T>>, IWords<Lanes512<T>> where T : unmanaged
{
    /// <summary>The register.</summary>
    public readonly Vector512<T> V = v;

    // ---- Memory ----

    /// <inheritdoc/>
    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Vector512<T>.Count; }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes512<T> Load(void* p) => new(Vector512.Load((T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe void Store(Lanes512<T> x, void* p) => Vector512.Store(x.V, (T*)p);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes512<T> Broadcast(void* p) => new(Vector512.Create(*(T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreMask(Lanes512<T> mask, byte* p)
    {
        // Narrowing keeps lane order, so the first Count bytes of the result are the lanes' low bytes.
        var halves = sizeof(T) == 8 ? Vector512.Narrow(mask.V.AsUInt64(), mask.V.AsUInt64()) : mask.V.AsUInt32();
        var quarters = Vector512.Narrow(halves, halves);
        var bytes = Vector512.Narrow(quarters, quarters) & Vector512<byte>.One;
        switch (Vector512<T>.Count)
        {
            case 16: bytes.AsUInt64().GetLower().GetLower().Store((ulong*)p); break;
            case 8: *(ulong*)p = bytes.AsUInt64().ToScalar(); break;
            case 4: *(uint*)p = bytes.AsUInt32().ToScalar(); break;
            default: *(ushort*)p = bytes.AsUInt16().ToScalar(); break;
        }
    }

    // ---- Constants ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Constant(double value) =>
        typeof(T) == typeof(float) ? new(Vector512.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Create(value).As<double, T>())
        : Integer(Saturation.ToInteger<T>(value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Integer(long value) =>
        typeof(T) == typeof(float) ? new(Vector512.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Create((double)value).As<double, T>())
        : FromBits(value);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> FromBits(long bits) =>
        Unsafe.SizeOf<T>() == 4 ? new(Vector512.Create((int)bits).As<int, T>()) : new(Vector512.Create(bits).As<long, T>());

    // ---- Field ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator +(Lanes512<T> x, Lanes512<T> y) => new(x.V + y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator -(Lanes512<T> x, Lanes512<T> y) => new(x.V - y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator *(Lanes512<T> x, Lanes512<T> y) => new(x.V * y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> operator /(Lanes512<T> x, Lanes512<T> y) =>
        Kind<T>.IsFloating ? new(x.V / y.V) : DivideTruncate(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator -(Lanes512<T> x) => new(-x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> FusedMultiplyAdd(Lanes512<T> x, Lanes512<T> y, Lanes512<T> z) =>
        typeof(T) == typeof(float) ? new(Vector512.FusedMultiplyAdd(x.V.AsSingle(), y.V.AsSingle(), z.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.FusedMultiplyAdd(x.V.AsDouble(), y.V.AsDouble(), z.V.AsDouble()).As<double, T>())
        : new(x.V * y.V + z.V);

    // ---- Order and choice ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator <(Lanes512<T> x, Lanes512<T> y) => new(Vector512.LessThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator >(Lanes512<T> x, Lanes512<T> y) => new(Vector512.GreaterThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator <=(Lanes512<T> x, Lanes512<T> y) => new(Vector512.LessThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator >=(Lanes512<T> x, Lanes512<T> y) => new(Vector512.GreaterThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Equal(Lanes512<T> x, Lanes512<T> y) => new(Vector512.Equals(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> And(Lanes512<T> m, Lanes512<T> n) => new(m.V & n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Or(Lanes512<T> m, Lanes512<T> n) => new(m.V | n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Not(Lanes512<T> m) => new(~m.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Select(Lanes512<T> mask, Lanes512<T> x, Lanes512<T> y)
    {
        return new(Vector512.ConditionalSelect(mask.V, x.V, y.V));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Bound(Lanes512<T> x, Lanes512<T> min, Lanes512<T> max)
    {
        // x64's minimum and maximum yield the second operand if either is NaN: NaN passes.
        if (typeof(T) == typeof(float) && Avx512F.IsSupported) return new(Avx512F.Max(min.V.AsSingle(), Avx512F.Min(max.V.AsSingle(), x.V.AsSingle())).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.IsSupported) return new(Avx512F.Max(min.V.AsDouble(), Avx512F.Min(max.V.AsDouble(), x.V.AsDouble())).As<double, T>());
        return Select(x < min, min, Select(x > max, max, x));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> AtMost(Lanes512<T> x, Lanes512<T> max)
    {
        if (typeof(T) == typeof(float) && Avx512F.IsSupported) return new(Avx512F.Min(max.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.IsSupported) return new(Avx512F.Min(max.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x > max, max, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> AtLeast(Lanes512<T> x, Lanes512<T> min)
    {
        if (typeof(T) == typeof(float) && Avx512F.IsSupported) return new(Avx512F.Max(min.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.IsSupported) return new(Avx512F.Max(min.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x < min, min, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Fraction(Lanes512<T> x) =>
        typeof(T) == typeof(float) && Avx512DQ.IsSupported ? new(Avx512DQ.Reduce(x.V.AsSingle(), 1).As<float, T>()) : x - Floor(x);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool None(Lanes512<T> mask) => Vector512.EqualsAll(mask.V.AsInt64(), Vector512<long>.Zero);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Min(Lanes512<T> x, Lanes512<T> y) => new(Vector512.Min(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Max(Lanes512<T> x, Lanes512<T> y) => new(Vector512.Max(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> Abs(Lanes512<T> x) => new(Vector512.Abs(x.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Sign(Lanes512<T> x)
    {
        // Where neither comparison holds, x is a zero or NaN and is its own sign.
        var negative = Vector512.ConditionalSelect(Vector512.LessThan(x.V, Vector512<T>.Zero), -Vector512<T>.One, x.V);
        return new(Vector512.ConditionalSelect(Vector512.GreaterThan(x.V, Vector512<T>.Zero), Vector512<T>.One, negative));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> CopySign(Lanes512<T> x, Lanes512<T> y)
    {
        if (Kind<T>.IsFloating)
        {
            var sign = (-Vector512<T>.Zero) & Vector512<T>.AllBitsSet;
            return new(Vector512.ConditionalSelect(sign, y.V, x.V));
        }
        return new(Vector512.ConditionalSelect(Vector512.LessThan(x.V ^ y.V, Vector512<T>.Zero), -x.V, x.V));
    }

    // ---- Whole parts; an integer is its own ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Floor(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? new(Vector512.Floor(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Floor(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Ceiling(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? new(Vector512.Ceiling(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Ceiling(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Truncate(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? new(Vector512.Truncate(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Truncate(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Round(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? new(Vector512.Round(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector512.Round(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> StopGradient(Lanes512<T> x) => x;

    // ---- Whole numbers ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator &(Lanes512<T> x, Lanes512<T> y) => new(x.V & y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator |(Lanes512<T> x, Lanes512<T> y) => new(x.V | y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator ^(Lanes512<T> x, Lanes512<T> y) => new(x.V ^ y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> operator ~(Lanes512<T> x) => new(~x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ShiftLeft(Lanes512<T> x, Lanes512<T> n)
    {
        // The variable shifts read a count as unsigned and yield zero from the width on: the contract itself.
        if (typeof(T) == typeof(int) && Avx512F.IsSupported) return new(Avx512F.ShiftLeftLogicalVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx512F.IsSupported) return new(Avx512F.ShiftLeftLogicalVariable(x.V.AsInt64(), n.V.AsUInt64()).As<long, T>());
        return LaneByLane<ShiftLeftLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ShiftRight(Lanes512<T> x, Lanes512<T> n)
    {
        if (typeof(T) == typeof(int) && Avx512F.IsSupported) return new(Avx512F.ShiftRightArithmeticVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx512F.IsSupported)
        {
            // Complementing a negative number before and after makes the logical shift arithmetic, also past the width.
            var sign = Vector512.ShiftRightArithmetic(x.V.AsInt64(), 63);
            return new((Avx512F.ShiftRightLogicalVariable(x.V.AsInt64() ^ sign, n.V.AsUInt64()) ^ sign).As<long, T>());
        }
        return LaneByLane<ShiftRightLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> DivideTruncate(Lanes512<T> x, Lanes512<T> y) => LaneByLane<DivideTruncateLane>(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes512<T> DivideFloor(Lanes512<T> x, Lanes512<T> y) => LaneByLane<DivideFloorLane>(x, y);

    // Not inlined: for what the hardware has no vector instruction for.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static unsafe Lanes512<T> LaneByLane<TOp>(Lanes512<T> x, Lanes512<T> y) where TOp : struct, ILaneOp
    {
        Lanes512<T> result = default;
        for (int i = 0; i < Count; i++) ((T*)&result)[i] = Kind<T>.Apply<TOp>(((T*)&x)[i], ((T*)&y)[i]);
        return result;
    }

    // ---- Bits ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> AddBits(Lanes512<T> x, Lanes512<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() + y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() + y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> SubtractBits(Lanes512<T> x, Lanes512<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() - y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() - y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ShiftLeftBits(Lanes512<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector512.ShiftLeft(x.V.AsInt32(), n).As<int, T>()) : new(Vector512.ShiftLeft(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ShiftRightBits(Lanes512<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector512.ShiftRightLogical(x.V.AsInt32(), n).As<int, T>()) : new(Vector512.ShiftRightLogical(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ShiftRightSignBits(Lanes512<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector512.ShiftRightArithmetic(x.V.AsInt32(), n).As<int, T>()) : new(Vector512.ShiftRightArithmetic(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> GreaterBits(Lanes512<T> x, Lanes512<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector512.GreaterThan(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector512.GreaterThan(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> EqualBits(Lanes512<T> x, Lanes512<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector512.Equals(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector512.Equals(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ToIntegerBits(Lanes512<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector512.ConvertToInt32Native(Vector512.Round(x.V.AsSingle())).As<int, T>());
        if (typeof(T) != typeof(double)) return x;
        // Adding 1.5 · 2⁵² leaves the nearest whole number in the low bits of the mantissa.
        var shifted = x.V.AsDouble() + Vector512.Create(Kind.Shift);
        return new((shifted.AsInt64() - Vector512.Create(Kind.Shift).AsInt64()).As<long, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> FromIntegerBits(Lanes512<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector512.ConvertToSingle(x.V.AsInt32()).As<float, T>());
        if (typeof(T) != typeof(double)) return x;
        var shifted = (x.V.AsInt64() + Vector512.Create(Kind.Shift).AsInt64()).AsDouble();
        return new((shifted - Vector512.Create(Kind.Shift)).As<double, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Scale(Lanes512<T> x, Lanes512<T> n)
    {
        if (typeof(T) == typeof(float) && Avx512F.IsSupported) return new(Avx512F.Scale(x.V.AsSingle(), n.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.IsSupported) return new(Avx512F.Scale(x.V.AsDouble(), n.V.AsDouble()).As<double, T>());
        return ScaleInTwoSteps(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> ScaleByFloor(Lanes512<T> x, Lanes512<T> n) => Scale(x, Avx512F.IsSupported ? n : Floor(n)); // AVX-512's instruction rounds n down by itself
    // 2ⁿ may leave the exponent's range where x · 2ⁿ does not; two factors of about 2ⁿᐟ² never do, and only the second product rounds.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes512<T> ScaleInTwoSteps(Lanes512<T> x, Lanes512<T> n)
    {
        if (typeof(T) == typeof(float))
        {
            var whole = Vector512.ConvertToInt32Native(n.V.AsSingle());
            var half = Vector512.ShiftRightArithmetic(whole, 1);
            var first = Vector512.ShiftLeft(half + Vector512.Create(127), 23).AsSingle();
            var second = Vector512.ShiftLeft(whole - half + Vector512.Create(127), 23).AsSingle();
            return new((x.V.AsSingle() * first * second).As<float, T>());
        }
        else
        {
            var whole = ToIntegerBits(n).V.AsInt64();
            // The count fits 32 bits, and so does its arithmetic half: AVX2 lacks the 64-bit arithmetic shift.
            var half = Vector512.ShiftRightArithmetic(whole.AsInt32(), 1).AsInt64();
            var first = Vector512.ShiftLeft(half + Vector512.Create(1023L), 52).AsDouble();
            var second = Vector512.ShiftLeft(whole - half + Vector512.Create(1023L), 52).AsDouble();
            return new((x.V.AsDouble() * first * second).As<double, T>());
        }
    }

    // ---- Tables ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Lanes512<T> Lookup(Lanes512<T> index, ReadOnlySpan<float> table)
    {
        if (typeof(T) != typeof(float)) throw Kind<T>.NotFloat32();
        if (Avx512DQ.IsSupported)
        {
            // static data does not move; Vector512.Create would take two instructions for what a load does
            var first = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(table));
            var all = table.Length == 16 ? Vector512.Load(first) : Avx512DQ.BroadcastVector256ToVector512(first);
            return new(Avx512F.PermuteVar16x32(all, index.V.AsInt32()).As<float, T>());
        }
        return new(Vector512.Create(Lanes256<T>.Lookup(new(index.V.GetLower()), table).V, Lanes256<T>.Lookup(new(index.V.GetUpper()), table).V));
    }

    // ---- Words of 64 bits ----

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512<T> IWords<Lanes512<T>>.Blocks(ulong first) => new((Vector512.Create(first) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512<T> IWords<Lanes512<T>>.MultiplyHalves(Lanes512<T> x, Lanes512<T> y) => Avx512F.IsSupported
        ? new(Avx512F.Multiply(x.V.AsUInt32(), y.V.AsUInt32()).As<ulong, T>())
        : new(((x.V.AsUInt64() & Vector512.Create<ulong>(uint.MaxValue)) * (y.V.AsUInt64() & Vector512.Create<ulong>(uint.MaxValue))).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512<T> IWords<Lanes512<T>>.Xor(Lanes512<T> x, Lanes512<T> y, Lanes512<T> z) => new((x.V.AsUInt64() ^ y.V.AsUInt64() ^ z.V.AsUInt64()).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512<T> IWords<Lanes512<T>>.UpperHalves(Lanes512<T> x) => new(Vector512.ShiftRightLogical(x.V.AsUInt64(), 32).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512<T> IWords<Lanes512<T>>.PairHalves(Lanes512<T> x, Lanes512<T> y) =>
        new((x.V.AsUInt64() & Vector512.Create<ulong>(uint.MaxValue) | Vector512.ShiftLeft(y.V.AsUInt64(), 32)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (Lanes512<T> First, Lanes512<T> Second) IWords<Lanes512<T>>.Interleave(Lanes512<T> x, Lanes512<T> y)
    {
        if (Avx512F.IsSupported) return (new(Avx512F.UnpackLow(x.V.AsUInt64(), y.V.AsUInt64()).As<ulong, T>()), new(Avx512F.UnpackHigh(x.V.AsUInt64(), y.V.AsUInt64()).As<ulong, T>()));
        var (first, second) = Interleaved(new Lanes256<T>(x.V.GetLower()), new(y.V.GetLower()));
        var (third, fourth) = Interleaved(new Lanes256<T>(x.V.GetUpper()), new(y.V.GetUpper()));
        return (new(Vector512.Create(first.V, third.V)), new(Vector512.Create(second.V, fourth.V)));

        static (S, S) Interleaved<S>(S x, S y) where S : IWords<S> => S.Interleave(x, y);
    }

    // ---- Elementary functions: Elementary<P> in the precision of T ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Sqrt(Lanes512<T> x) => Kind<T>.IsFloating ? new(Vector512.Sqrt(x.V)) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Rsqrt(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Rsqrt(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Rsqrt(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Exp(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Exp2(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Expm1(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Expm1(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Expm1(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Log(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Log2(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Log10(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log10(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log10(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Log1p(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log1p(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log1p(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Sin(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Cos(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Tan(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Asin(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Acos(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Atan(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Sinh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Cosh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Tanh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Asinh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Acosh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Atanh(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Erf(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erf(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Erfc(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erfc(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erfc(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Sigmoid(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Softplus(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Softplus(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Softplus(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> LogSigmoid(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.LogSigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.LogSigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Logistic(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Logistic(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Logistic(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> NormalCdf(Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Binary32.NormalCdf(x) : typeof(T) == typeof(double) ? Binary64.NormalCdf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Pow(Lanes512<T> x, Lanes512<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Pow(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Pow(x, y) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Atan2(Lanes512<T> y, Lanes512<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan2(y, x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan2(y, x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512<T> Fmod(Lanes512<T> x, Lanes512<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Fmod(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Fmod(x, y) : throw Kind<T>.NotFloating();
}
