using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Scalars;

/// <summary>
/// 256 bits of lanes: 8 float32 or int32, 4 float64 or int64. One value is one vector register; the JIT folds every <c>typeof(T)</c> test.
/// All widths perform the same sequence of IEEE 754 operations, so a result's bits do not depend on the width.
/// </summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
public readonly struct Lanes256<T>(Vector256<T> v) : ILanes<Lanes256<T>>, IWords<Lanes256<T>> where T : unmanaged
{
    /// <summary>The register.</summary>
    public readonly Vector256<T> V = v;

    // ---- Memory ----

    /// <inheritdoc/>
    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Vector256<T>.Count; }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes256<T> Load(void* p) => new(Vector256.Load((T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe void Store(Lanes256<T> x, void* p) => Vector256.Store(x.V, (T*)p);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes256<T> Broadcast(void* p) => new(Vector256.Create(*(T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreMask(Lanes256<T> mask, byte* p)
    {
        // Narrowing keeps lane order, so the first Count bytes of the result are the lanes' low bytes.
        var halves = sizeof(T) == 8 ? Vector256.Narrow(mask.V.AsUInt64(), mask.V.AsUInt64()) : mask.V.AsUInt32();
        var quarters = Vector256.Narrow(halves, halves);
        var bytes = Vector256.Narrow(quarters, quarters) & Vector256<byte>.One;
        switch (Vector256<T>.Count)
        {
            case 8: *(ulong*)p = bytes.AsUInt64().ToScalar(); break;
            case 4: *(uint*)p = bytes.AsUInt32().ToScalar(); break;
            default: *(ushort*)p = bytes.AsUInt16().ToScalar(); break;
        }
    }

    // ---- Constants ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Constant(double value) =>
        typeof(T) == typeof(float) ? new(Vector256.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Create(value).As<double, T>())
        : Integer(Saturation.ToInteger<T>(value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Integer(long value) =>
        typeof(T) == typeof(float) ? new(Vector256.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Create((double)value).As<double, T>())
        : FromBits(value);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> FromBits(long bits) =>
        Unsafe.SizeOf<T>() == 4 ? new(Vector256.Create((int)bits).As<int, T>()) : new(Vector256.Create(bits).As<long, T>());

    // ---- Field ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator +(Lanes256<T> x, Lanes256<T> y) => new(x.V + y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator -(Lanes256<T> x, Lanes256<T> y) => new(x.V - y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator *(Lanes256<T> x, Lanes256<T> y) => new(x.V * y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> operator /(Lanes256<T> x, Lanes256<T> y) =>
        Kind<T>.IsFloating ? new(x.V / y.V) : DivideTruncate(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator -(Lanes256<T> x) => new(-x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> FusedMultiplyAdd(Lanes256<T> x, Lanes256<T> y, Lanes256<T> z) =>
        typeof(T) == typeof(float) ? new(Vector256.FusedMultiplyAdd(x.V.AsSingle(), y.V.AsSingle(), z.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.FusedMultiplyAdd(x.V.AsDouble(), y.V.AsDouble(), z.V.AsDouble()).As<double, T>())
        : new(x.V * y.V + z.V);

    // ---- Order and choice ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator <(Lanes256<T> x, Lanes256<T> y) => new(Vector256.LessThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator >(Lanes256<T> x, Lanes256<T> y) => new(Vector256.GreaterThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator <=(Lanes256<T> x, Lanes256<T> y) => new(Vector256.LessThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator >=(Lanes256<T> x, Lanes256<T> y) => new(Vector256.GreaterThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Equal(Lanes256<T> x, Lanes256<T> y) => new(Vector256.Equals(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> And(Lanes256<T> m, Lanes256<T> n) => new(m.V & n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Or(Lanes256<T> m, Lanes256<T> n) => new(m.V | n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Not(Lanes256<T> m) => new(~m.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Select(Lanes256<T> mask, Lanes256<T> x, Lanes256<T> y)
    {
        // Without AVX-512 the JIT would take three instructions for what the blend does by the mask's sign bits.
        if (Unsafe.SizeOf<T>() == 4 && Avx.IsSupported && !Avx512F.VL.IsSupported) return new(Avx.BlendVariable(y.V.AsSingle(), x.V.AsSingle(), mask.V.AsSingle()).As<float, T>());
        if (Unsafe.SizeOf<T>() == 8 && Avx.IsSupported && !Avx512F.VL.IsSupported) return new(Avx.BlendVariable(y.V.AsDouble(), x.V.AsDouble(), mask.V.AsDouble()).As<double, T>());
        return new(Vector256.ConditionalSelect(mask.V, x.V, y.V));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Bound(Lanes256<T> x, Lanes256<T> min, Lanes256<T> max)
    {
        // x64's minimum and maximum yield the second operand if either is NaN: NaN passes.
        if (typeof(T) == typeof(float) && Avx.IsSupported) return new(Avx.Max(min.V.AsSingle(), Avx.Min(max.V.AsSingle(), x.V.AsSingle())).As<float, T>());
        if (typeof(T) == typeof(double) && Avx.IsSupported) return new(Avx.Max(min.V.AsDouble(), Avx.Min(max.V.AsDouble(), x.V.AsDouble())).As<double, T>());
        return Select(x < min, min, Select(x > max, max, x));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> AtMost(Lanes256<T> x, Lanes256<T> max)
    {
        if (typeof(T) == typeof(float) && Avx.IsSupported) return new(Avx.Min(max.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx.IsSupported) return new(Avx.Min(max.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x > max, max, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> AtLeast(Lanes256<T> x, Lanes256<T> min)
    {
        if (typeof(T) == typeof(float) && Avx.IsSupported) return new(Avx.Max(min.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx.IsSupported) return new(Avx.Max(min.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x < min, min, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Fraction(Lanes256<T> x) =>
        typeof(T) == typeof(float) && Avx512DQ.VL.IsSupported ? new(Avx512DQ.VL.Reduce(x.V.AsSingle(), 1).As<float, T>()) : x - Floor(x);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool None(Lanes256<T> mask) => Vector256.EqualsAll(mask.V.AsInt64(), Vector256<long>.Zero);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Min(Lanes256<T> x, Lanes256<T> y) => new(Vector256.Min(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Max(Lanes256<T> x, Lanes256<T> y) => new(Vector256.Max(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> Abs(Lanes256<T> x) => new(Vector256.Abs(x.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Sign(Lanes256<T> x)
    {
        // Where neither comparison holds, x is a zero or NaN and is its own sign.
        var negative = Vector256.ConditionalSelect(Vector256.LessThan(x.V, Vector256<T>.Zero), -Vector256<T>.One, x.V);
        return new(Vector256.ConditionalSelect(Vector256.GreaterThan(x.V, Vector256<T>.Zero), Vector256<T>.One, negative));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> CopySign(Lanes256<T> x, Lanes256<T> y)
    {
        if (Kind<T>.IsFloating)
        {
            var sign = (-Vector256<T>.Zero) & Vector256<T>.AllBitsSet;
            return new(Vector256.ConditionalSelect(sign, y.V, x.V));
        }
        return new(Vector256.ConditionalSelect(Vector256.LessThan(x.V ^ y.V, Vector256<T>.Zero), -x.V, x.V));
    }

    // ---- Whole parts; an integer is its own ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Floor(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? new(Vector256.Floor(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Floor(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Ceiling(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? new(Vector256.Ceiling(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Ceiling(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Truncate(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? new(Vector256.Truncate(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Truncate(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Round(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? new(Vector256.Round(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector256.Round(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> StopGradient(Lanes256<T> x) => x;

    // ---- Whole numbers ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator &(Lanes256<T> x, Lanes256<T> y) => new(x.V & y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator |(Lanes256<T> x, Lanes256<T> y) => new(x.V | y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator ^(Lanes256<T> x, Lanes256<T> y) => new(x.V ^ y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> operator ~(Lanes256<T> x) => new(~x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ShiftLeft(Lanes256<T> x, Lanes256<T> n)
    {
        // The variable shifts read a count as unsigned and yield zero from the width on: the contract itself.
        if (typeof(T) == typeof(int) && Avx2.IsSupported) return new(Avx2.ShiftLeftLogicalVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx2.IsSupported) return new(Avx2.ShiftLeftLogicalVariable(x.V.AsInt64(), n.V.AsUInt64()).As<long, T>());
        return LaneByLane<ShiftLeftLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ShiftRight(Lanes256<T> x, Lanes256<T> n)
    {
        if (typeof(T) == typeof(int) && Avx2.IsSupported) return new(Avx2.ShiftRightArithmeticVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx2.IsSupported)
        {
            // Complementing a negative number before and after makes the logical shift arithmetic, also past the width.
            var sign = Vector256.ShiftRightArithmetic(x.V.AsInt64(), 63);
            return new((Avx2.ShiftRightLogicalVariable(x.V.AsInt64() ^ sign, n.V.AsUInt64()) ^ sign).As<long, T>());
        }
        return LaneByLane<ShiftRightLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> DivideTruncate(Lanes256<T> x, Lanes256<T> y) => LaneByLane<DivideTruncateLane>(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes256<T> DivideFloor(Lanes256<T> x, Lanes256<T> y) => LaneByLane<DivideFloorLane>(x, y);

    // Not inlined: for what the hardware has no vector instruction for.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static unsafe Lanes256<T> LaneByLane<TOp>(Lanes256<T> x, Lanes256<T> y) where TOp : struct, ILaneOp
    {
        Lanes256<T> result = default;
        for (int i = 0; i < Count; i++) ((T*)&result)[i] = Kind<T>.Apply<TOp>(((T*)&x)[i], ((T*)&y)[i]);
        return result;
    }

    // ---- Bits ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> AddBits(Lanes256<T> x, Lanes256<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() + y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() + y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> SubtractBits(Lanes256<T> x, Lanes256<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() - y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() - y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ShiftLeftBits(Lanes256<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector256.ShiftLeft(x.V.AsInt32(), n).As<int, T>()) : new(Vector256.ShiftLeft(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ShiftRightBits(Lanes256<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector256.ShiftRightLogical(x.V.AsInt32(), n).As<int, T>()) : new(Vector256.ShiftRightLogical(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ShiftRightSignBits(Lanes256<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector256.ShiftRightArithmetic(x.V.AsInt32(), n).As<int, T>()) : new(Vector256.ShiftRightArithmetic(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> GreaterBits(Lanes256<T> x, Lanes256<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector256.GreaterThan(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector256.GreaterThan(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> EqualBits(Lanes256<T> x, Lanes256<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector256.Equals(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector256.Equals(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ToIntegerBits(Lanes256<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector256.ConvertToInt32Native(Vector256.Round(x.V.AsSingle())).As<int, T>());
        if (typeof(T) != typeof(double)) return x;
        // Adding 1.5 · 2⁵² leaves the nearest whole number in the low bits of the mantissa.
        var shifted = x.V.AsDouble() + Vector256.Create(Kind.Shift);
        return new((shifted.AsInt64() - Vector256.Create(Kind.Shift).AsInt64()).As<long, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> FromIntegerBits(Lanes256<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector256.ConvertToSingle(x.V.AsInt32()).As<float, T>());
        if (typeof(T) != typeof(double)) return x;
        var shifted = (x.V.AsInt64() + Vector256.Create(Kind.Shift).AsInt64()).AsDouble();
        return new((shifted - Vector256.Create(Kind.Shift)).As<double, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Scale(Lanes256<T> x, Lanes256<T> n)
    {
        if (typeof(T) == typeof(float) && Avx512F.VL.IsSupported) return new(Avx512F.VL.Scale(x.V.AsSingle(), n.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.VL.IsSupported) return new(Avx512F.VL.Scale(x.V.AsDouble(), n.V.AsDouble()).As<double, T>());
        return ScaleInTwoSteps(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> ScaleByFloor(Lanes256<T> x, Lanes256<T> n) => Scale(x, Avx512F.VL.IsSupported ? n : Floor(n)); // AVX-512's instruction rounds n down by itself
    // 2ⁿ may leave the exponent's range where x · 2ⁿ does not; two factors of about 2ⁿᐟ² never do, and only the second product rounds.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes256<T> ScaleInTwoSteps(Lanes256<T> x, Lanes256<T> n)
    {
        if (typeof(T) == typeof(float))
        {
            var whole = Vector256.ConvertToInt32Native(n.V.AsSingle());
            var half = Vector256.ShiftRightArithmetic(whole, 1);
            var first = Vector256.ShiftLeft(half + Vector256.Create(127), 23).AsSingle();
            var second = Vector256.ShiftLeft(whole - half + Vector256.Create(127), 23).AsSingle();
            return new((x.V.AsSingle() * first * second).As<float, T>());
        }
        else
        {
            var whole = ToIntegerBits(n).V.AsInt64();
            // The count fits 32 bits, and so does its arithmetic half: AVX2 lacks the 64-bit arithmetic shift.
            var half = Vector256.ShiftRightArithmetic(whole.AsInt32(), 1).AsInt64();
            var first = Vector256.ShiftLeft(half + Vector256.Create(1023L), 52).AsDouble();
            var second = Vector256.ShiftLeft(whole - half + Vector256.Create(1023L), 52).AsDouble();
            return new((x.V.AsDouble() * first * second).As<double, T>());
        }
    }

    // ---- Tables ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Lookup(Lanes256<T> index, ReadOnlySpan<float> table)
    {
        if (typeof(T) != typeof(float)) throw Kind<T>.NotFloat32();
        if (!Avx2.IsSupported) return new(Vector256.Create(Lanes128<T>.Lookup(new(index.V.GetLower()), table).V, Lanes128<T>.Lookup(new(index.V.GetUpper()), table).V));
        ref float first = ref MemoryMarshal.GetReference(table);
        Vector256<float> lower = Vector256.LoadUnsafe(ref first);
        if (table.Length == 8) return new(Avx2.PermuteVar8x32(lower, index.V.AsInt32()).As<float, T>());
        Vector256<float> upper = Vector256.LoadUnsafe(ref first, 8);
        if (Avx512F.VL.IsSupported) return new(Avx512F.VL.PermuteVar8x32x2(lower, index.V.AsInt32(), upper).As<float, T>());
        // the index's fourth bit, as the sign, takes from the upper half
        Vector256<float> inUpper = Vector256.ShiftLeft(index.V.AsInt32(), 28).AsSingle();
        return new(Avx.BlendVariable(Avx2.PermuteVar8x32(lower, index.V.AsInt32()), Avx2.PermuteVar8x32(upper, index.V.AsInt32()), inUpper).As<float, T>());
    }

    // ---- Words of 64 bits ----

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256<T> IWords<Lanes256<T>>.Blocks(ulong first) => new((Vector256.Create(first) + Vector256.Create(0UL, 2, 1, 3)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256<T> IWords<Lanes256<T>>.MultiplyHalves(Lanes256<T> x, Lanes256<T> y) => Avx2.IsSupported
        ? new(Avx2.Multiply(x.V.AsUInt32(), y.V.AsUInt32()).As<ulong, T>())
        : new(((x.V.AsUInt64() & Vector256.Create<ulong>(uint.MaxValue)) * (y.V.AsUInt64() & Vector256.Create<ulong>(uint.MaxValue))).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256<T> IWords<Lanes256<T>>.Xor(Lanes256<T> x, Lanes256<T> y, Lanes256<T> z) => new((x.V.AsUInt64() ^ y.V.AsUInt64() ^ z.V.AsUInt64()).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256<T> IWords<Lanes256<T>>.UpperHalves(Lanes256<T> x) => new(Vector256.ShiftRightLogical(x.V.AsUInt64(), 32).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256<T> IWords<Lanes256<T>>.PairHalves(Lanes256<T> x, Lanes256<T> y) =>
        new((x.V.AsUInt64() & Vector256.Create<ulong>(uint.MaxValue) | Vector256.ShiftLeft(y.V.AsUInt64(), 32)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (Lanes256<T> First, Lanes256<T> Second) IWords<Lanes256<T>>.Interleave(Lanes256<T> x, Lanes256<T> y)
    {
        if (Avx2.IsSupported) return (new(Avx2.UnpackLow(x.V.AsUInt64(), y.V.AsUInt64()).As<ulong, T>()), new(Avx2.UnpackHigh(x.V.AsUInt64(), y.V.AsUInt64()).As<ulong, T>()));
        var (first, second) = Interleaved(new Lanes128<T>(x.V.GetLower()), new(y.V.GetLower()));
        var (third, fourth) = Interleaved(new Lanes128<T>(x.V.GetUpper()), new(y.V.GetUpper()));
        return (new(Vector256.Create(first.V, third.V)), new(Vector256.Create(second.V, fourth.V)));

        static (S, S) Interleaved<S>(S x, S y) where S : IWords<S> => S.Interleave(x, y);
    }

    // ---- Elementary functions: Elementary<P> in the precision of T ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Sqrt(Lanes256<T> x) => Kind<T>.IsFloating ? new(Vector256.Sqrt(x.V)) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Rsqrt(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Rsqrt(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Rsqrt(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Exp(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Exp2(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Expm1(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Expm1(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Expm1(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Log(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Log2(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Log10(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log10(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log10(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Log1p(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log1p(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log1p(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Sin(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Cos(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Tan(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Asin(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Acos(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Atan(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Sinh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Cosh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Tanh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Asinh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Acosh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Atanh(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Erf(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erf(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Erfc(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erfc(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erfc(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Sigmoid(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Softplus(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Softplus(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Softplus(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> LogSigmoid(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.LogSigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.LogSigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Logistic(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Logistic(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Logistic(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> NormalCdf(Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Binary32.NormalCdf(x) : typeof(T) == typeof(double) ? Binary64.NormalCdf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Pow(Lanes256<T> x, Lanes256<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Pow(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Pow(x, y) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Atan2(Lanes256<T> y, Lanes256<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan2(y, x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan2(y, x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256<T> Fmod(Lanes256<T> x, Lanes256<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Fmod(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Fmod(x, y) : throw Kind<T>.NotFloating();
}
