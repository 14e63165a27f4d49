using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Scalars;

/// <summary>
/// 128 bits of lanes: 4 float32 or int32, 2 float64 or int64. One value is one vector register; the JIT folds every <c>typeof(T)</c> test.
/// All widths perform the same sequence of IEEE 754 operations, so a result's bits do not depend on the width.
/// </summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
public readonly struct Lanes128<T>(Vector128<T> v) : ILanes<Lanes128<T>>, IWords<Lanes128<T>> where T : unmanaged
{
    /// <summary>The register.</summary>
    public readonly Vector128<T> V = v;

    // ---- Memory ----

    /// <inheritdoc/>
    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Vector128<T>.Count; }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes128<T> Load(void* p) => new(Vector128.Load((T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe void Store(Lanes128<T> x, void* p) => Vector128.Store(x.V, (T*)p);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static unsafe Lanes128<T> Broadcast(void* p) => new(Vector128.Create(*(T*)p));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreMask(Lanes128<T> mask, byte* p)
    {
        // Narrowing keeps lane order, so the first Count bytes of the result are the lanes' low bytes.
        var halves = sizeof(T) == 8 ? Vector128.Narrow(mask.V.AsUInt64(), mask.V.AsUInt64()) : mask.V.AsUInt32();
        var quarters = Vector128.Narrow(halves, halves);
        var bytes = Vector128.Narrow(quarters, quarters) & Vector128<byte>.One;
        switch (Vector128<T>.Count)
        {
            case 4: *(uint*)p = bytes.AsUInt32().ToScalar(); break;
            default: *(ushort*)p = bytes.AsUInt16().ToScalar(); break;
        }
    }

    // ---- Constants ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Constant(double value) =>
        typeof(T) == typeof(float) ? new(Vector128.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Create(value).As<double, T>())
        : Integer(Saturation.ToInteger<T>(value));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Integer(long value) =>
        typeof(T) == typeof(float) ? new(Vector128.Create((float)value).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Create((double)value).As<double, T>())
        : FromBits(value);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> FromBits(long bits) =>
        Unsafe.SizeOf<T>() == 4 ? new(Vector128.Create((int)bits).As<int, T>()) : new(Vector128.Create(bits).As<long, T>());

    // ---- Field ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator +(Lanes128<T> x, Lanes128<T> y) => new(x.V + y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator -(Lanes128<T> x, Lanes128<T> y) => new(x.V - y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator *(Lanes128<T> x, Lanes128<T> y) => new(x.V * y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> operator /(Lanes128<T> x, Lanes128<T> y) =>
        Kind<T>.IsFloating ? new(x.V / y.V) : DivideTruncate(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator -(Lanes128<T> x) => new(-x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> FusedMultiplyAdd(Lanes128<T> x, Lanes128<T> y, Lanes128<T> z) =>
        typeof(T) == typeof(float) ? new(Vector128.FusedMultiplyAdd(x.V.AsSingle(), y.V.AsSingle(), z.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.FusedMultiplyAdd(x.V.AsDouble(), y.V.AsDouble(), z.V.AsDouble()).As<double, T>())
        : new(x.V * y.V + z.V);

    // ---- Order and choice ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator <(Lanes128<T> x, Lanes128<T> y) => new(Vector128.LessThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator >(Lanes128<T> x, Lanes128<T> y) => new(Vector128.GreaterThan(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator <=(Lanes128<T> x, Lanes128<T> y) => new(Vector128.LessThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator >=(Lanes128<T> x, Lanes128<T> y) => new(Vector128.GreaterThanOrEqual(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Equal(Lanes128<T> x, Lanes128<T> y) => new(Vector128.Equals(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> And(Lanes128<T> m, Lanes128<T> n) => new(m.V & n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Or(Lanes128<T> m, Lanes128<T> n) => new(m.V | n.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Not(Lanes128<T> m) => new(~m.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Select(Lanes128<T> mask, Lanes128<T> x, Lanes128<T> y)
    {
        // Without AVX-512 the JIT would take three instructions for what the blend does by the mask's sign bits.
        if (Unsafe.SizeOf<T>() == 4 && Sse41.IsSupported && !Avx512F.VL.IsSupported) return new(Sse41.BlendVariable(y.V.AsSingle(), x.V.AsSingle(), mask.V.AsSingle()).As<float, T>());
        if (Unsafe.SizeOf<T>() == 8 && Sse41.IsSupported && !Avx512F.VL.IsSupported) return new(Sse41.BlendVariable(y.V.AsDouble(), x.V.AsDouble(), mask.V.AsDouble()).As<double, T>());
        return new(Vector128.ConditionalSelect(mask.V, x.V, y.V));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Bound(Lanes128<T> x, Lanes128<T> min, Lanes128<T> max)
    {
        // x64's minimum and maximum yield the second operand if either is NaN: NaN passes.
        if (typeof(T) == typeof(float) && Sse.IsSupported) return new(Sse.Max(min.V.AsSingle(), Sse.Min(max.V.AsSingle(), x.V.AsSingle())).As<float, T>());
        if (typeof(T) == typeof(double) && Sse2.IsSupported) return new(Sse2.Max(min.V.AsDouble(), Sse2.Min(max.V.AsDouble(), x.V.AsDouble())).As<double, T>());
        return Select(x < min, min, Select(x > max, max, x));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> AtMost(Lanes128<T> x, Lanes128<T> max)
    {
        if (typeof(T) == typeof(float) && Sse.IsSupported) return new(Sse.Min(max.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Sse2.IsSupported) return new(Sse2.Min(max.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x > max, max, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> AtLeast(Lanes128<T> x, Lanes128<T> min)
    {
        if (typeof(T) == typeof(float) && Sse.IsSupported) return new(Sse.Max(min.V.AsSingle(), x.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Sse2.IsSupported) return new(Sse2.Max(min.V.AsDouble(), x.V.AsDouble()).As<double, T>());
        return Select(x < min, min, x);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Fraction(Lanes128<T> x) =>
        typeof(T) == typeof(float) && Avx512DQ.VL.IsSupported ? new(Avx512DQ.VL.Reduce(x.V.AsSingle(), 1).As<float, T>()) : x - Floor(x);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool None(Lanes128<T> mask) => Vector128.EqualsAll(mask.V.AsInt64(), Vector128<long>.Zero);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Min(Lanes128<T> x, Lanes128<T> y) => new(Vector128.Min(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Max(Lanes128<T> x, Lanes128<T> y) => new(Vector128.Max(x.V, y.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> Abs(Lanes128<T> x) => new(Vector128.Abs(x.V));
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Sign(Lanes128<T> x)
    {
        // Where neither comparison holds, x is a zero or NaN and is its own sign.
        var negative = Vector128.ConditionalSelect(Vector128.LessThan(x.V, Vector128<T>.Zero), -Vector128<T>.One, x.V);
        return new(Vector128.ConditionalSelect(Vector128.GreaterThan(x.V, Vector128<T>.Zero), Vector128<T>.One, negative));
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> CopySign(Lanes128<T> x, Lanes128<T> y)
    {
        if (Kind<T>.IsFloating)
        {
            var sign = (-Vector128<T>.Zero) & Vector128<T>.AllBitsSet;
            return new(Vector128.ConditionalSelect(sign, y.V, x.V));
        }
        return new(Vector128.ConditionalSelect(Vector128.LessThan(x.V ^ y.V, Vector128<T>.Zero), -x.V, x.V));
    }

    // ---- Whole parts; an integer is its own ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Floor(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? new(Vector128.Floor(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Floor(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Ceiling(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? new(Vector128.Ceiling(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Ceiling(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Truncate(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? new(Vector128.Truncate(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Truncate(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Round(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? new(Vector128.Round(x.V.AsSingle()).As<float, T>())
        : typeof(T) == typeof(double) ? new(Vector128.Round(x.V.AsDouble()).As<double, T>()) : x;
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> StopGradient(Lanes128<T> x) => x;

    // ---- Whole numbers ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator &(Lanes128<T> x, Lanes128<T> y) => new(x.V & y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator |(Lanes128<T> x, Lanes128<T> y) => new(x.V | y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator ^(Lanes128<T> x, Lanes128<T> y) => new(x.V ^ y.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> operator ~(Lanes128<T> x) => new(~x.V);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ShiftLeft(Lanes128<T> x, Lanes128<T> n)
    {
        // The variable shifts read a count as unsigned and yield zero from the width on: the contract itself.
        if (typeof(T) == typeof(int) && Avx2.IsSupported) return new(Avx2.ShiftLeftLogicalVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx2.IsSupported) return new(Avx2.ShiftLeftLogicalVariable(x.V.AsInt64(), n.V.AsUInt64()).As<long, T>());
        return LaneByLane<ShiftLeftLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ShiftRight(Lanes128<T> x, Lanes128<T> n)
    {
        if (typeof(T) == typeof(int) && Avx2.IsSupported) return new(Avx2.ShiftRightArithmeticVariable(x.V.AsInt32(), n.V.AsUInt32()).As<int, T>());
        if (typeof(T) == typeof(long) && Avx2.IsSupported)
        {
            // Complementing a negative number before and after makes the logical shift arithmetic, also past the width.
            var sign = Vector128.ShiftRightArithmetic(x.V.AsInt64(), 63);
            return new((Avx2.ShiftRightLogicalVariable(x.V.AsInt64() ^ sign, n.V.AsUInt64()) ^ sign).As<long, T>());
        }
        return LaneByLane<ShiftRightLane>(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> DivideTruncate(Lanes128<T> x, Lanes128<T> y) => LaneByLane<DivideTruncateLane>(x, y);
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Lanes128<T> DivideFloor(Lanes128<T> x, Lanes128<T> y) => LaneByLane<DivideFloorLane>(x, y);

    // Not inlined: for what the hardware has no vector instruction for.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static unsafe Lanes128<T> LaneByLane<TOp>(Lanes128<T> x, Lanes128<T> y) where TOp : struct, ILaneOp
    {
        Lanes128<T> result = default;
        for (int i = 0; i < Count; i++) ((T*)&result)[i] = Kind<T>.Apply<TOp>(((T*)&x)[i], ((T*)&y)[i]);
        return result;
    }

    // ---- Bits ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> AddBits(Lanes128<T> x, Lanes128<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() + y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() + y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> SubtractBits(Lanes128<T> x, Lanes128<T> y) => Unsafe.SizeOf<T>() == 4
        ? new((x.V.AsInt32() - y.V.AsInt32()).As<int, T>()) : new((x.V.AsInt64() - y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ShiftLeftBits(Lanes128<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector128.ShiftLeft(x.V.AsInt32(), n).As<int, T>()) : new(Vector128.ShiftLeft(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ShiftRightBits(Lanes128<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector128.ShiftRightLogical(x.V.AsInt32(), n).As<int, T>()) : new(Vector128.ShiftRightLogical(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ShiftRightSignBits(Lanes128<T> x, int n) => Unsafe.SizeOf<T>() == 4
        ? new(Vector128.ShiftRightArithmetic(x.V.AsInt32(), n).As<int, T>()) : new(Vector128.ShiftRightArithmetic(x.V.AsInt64(), n).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> GreaterBits(Lanes128<T> x, Lanes128<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector128.GreaterThan(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector128.GreaterThan(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> EqualBits(Lanes128<T> x, Lanes128<T> y) => Unsafe.SizeOf<T>() == 4
        ? new(Vector128.Equals(x.V.AsInt32(), y.V.AsInt32()).As<int, T>()) : new(Vector128.Equals(x.V.AsInt64(), y.V.AsInt64()).As<long, T>());
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ToIntegerBits(Lanes128<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector128.ConvertToInt32Native(Vector128.Round(x.V.AsSingle())).As<int, T>());
        if (typeof(T) != typeof(double)) return x;
        // Adding 1.5 · 2⁵² leaves the nearest whole number in the low bits of the mantissa.
        var shifted = x.V.AsDouble() + Vector128.Create(Kind.Shift);
        return new((shifted.AsInt64() - Vector128.Create(Kind.Shift).AsInt64()).As<long, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> FromIntegerBits(Lanes128<T> x)
    {
        if (typeof(T) == typeof(float)) return new(Vector128.ConvertToSingle(x.V.AsInt32()).As<float, T>());
        if (typeof(T) != typeof(double)) return x;
        var shifted = (x.V.AsInt64() + Vector128.Create(Kind.Shift).AsInt64()).AsDouble();
        return new((shifted - Vector128.Create(Kind.Shift)).As<double, T>());
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Scale(Lanes128<T> x, Lanes128<T> n)
    {
        if (typeof(T) == typeof(float) && Avx512F.VL.IsSupported) return new(Avx512F.VL.Scale(x.V.AsSingle(), n.V.AsSingle()).As<float, T>());
        if (typeof(T) == typeof(double) && Avx512F.VL.IsSupported) return new(Avx512F.VL.Scale(x.V.AsDouble(), n.V.AsDouble()).As<double, T>());
        return ScaleInTwoSteps(x, n);
    }
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> ScaleByFloor(Lanes128<T> x, Lanes128<T> n) => Scale(x, Avx512F.VL.IsSupported ? n : Floor(n)); // AVX-512's instruction rounds n down by itself
    // 2ⁿ may leave the exponent's range where x · 2ⁿ does not; two factors of about 2ⁿᐟ² never do, and only the second product rounds.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes128<T> ScaleInTwoSteps(Lanes128<T> x, Lanes128<T> n)
    {
        if (typeof(T) == typeof(float))
        {
            var whole = Vector128.ConvertToInt32Native(n.V.AsSingle());
            var half = Vector128.ShiftRightArithmetic(whole, 1);
            var first = Vector128.ShiftLeft(half + Vector128.Create(127), 23).AsSingle();
            var second = Vector128.ShiftLeft(whole - half + Vector128.Create(127), 23).AsSingle();
            return new((x.V.AsSingle() * first * second).As<float, T>());
        }
        else
        {
            var whole = ToIntegerBits(n).V.AsInt64();
            // The count fits 32 bits, and so does its arithmetic half: AVX2 lacks the 64-bit arithmetic shift.
            var half = Vector128.ShiftRightArithmetic(whole.AsInt32(), 1).AsInt64();
            var first = Vector128.ShiftLeft(half + Vector128.Create(1023L), 52).AsDouble();
            var second = Vector128.ShiftLeft(whole - half + Vector128.Create(1023L), 52).AsDouble();
            return new((x.V.AsDouble() * first * second).As<double, T>());
        }
    }

    // ---- Tables ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Lookup(Lanes128<T> index, ReadOnlySpan<float> table)
    {
        if (typeof(T) != typeof(float)) throw Kind<T>.NotFloat32();
        ref float first = ref MemoryMarshal.GetReference(table);
        var i = index.V.AsInt32();
        var result = Eight(ref first, i);
        if (table.Length == 16) result = Vector128.ConditionalSelect(Bit(i, 8), Eight(ref Unsafe.Add(ref first, 8), i), result);
        return new(result.As<float, T>());

        static Vector128<float> Eight(ref float table, Vector128<int> i) => Vector128.ConditionalSelect(Bit(i, 4), Four(ref Unsafe.Add(ref table, 4), i), Four(ref table, i));
        static Vector128<float> Four(ref float table, Vector128<int> i) => Avx.IsSupported ? Avx.PermuteVar(Vector128.LoadUnsafe(ref table), i) : Vector128.Shuffle(Vector128.LoadUnsafe(ref table), i & Vector128.Create(3));
        static Vector128<float> Bit(Vector128<int> i, int bit) => Vector128.Equals(i & Vector128.Create(bit), Vector128.Create(bit)).AsSingle();
    }

    // ---- Words of 64 bits ----

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<T> IWords<Lanes128<T>>.Blocks(ulong first) => new((Vector128.Create(first) + Vector128.Create(0UL, 1)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<T> IWords<Lanes128<T>>.MultiplyHalves(Lanes128<T> x, Lanes128<T> y) => Sse2.IsSupported
        ? new(Sse2.Multiply(x.V.AsUInt32(), y.V.AsUInt32()).As<ulong, T>())
        : new(((x.V.AsUInt64() & Vector128.Create<ulong>(uint.MaxValue)) * (y.V.AsUInt64() & Vector128.Create<ulong>(uint.MaxValue))).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<T> IWords<Lanes128<T>>.Xor(Lanes128<T> x, Lanes128<T> y, Lanes128<T> z) => new((x.V.AsUInt64() ^ y.V.AsUInt64() ^ z.V.AsUInt64()).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<T> IWords<Lanes128<T>>.UpperHalves(Lanes128<T> x) => new(Vector128.ShiftRightLogical(x.V.AsUInt64(), 32).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<T> IWords<Lanes128<T>>.PairHalves(Lanes128<T> x, Lanes128<T> y) =>
        new((x.V.AsUInt64() & Vector128.Create<ulong>(uint.MaxValue) | Vector128.ShiftLeft(y.V.AsUInt64(), 32)).As<ulong, T>());
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static (Lanes128<T> First, Lanes128<T> Second) IWords<Lanes128<T>>.Interleave(Lanes128<T> x, Lanes128<T> y)
    {
        Vector128<ulong> a = x.V.AsUInt64(), b = y.V.AsUInt64();
        return (new(Vector128.Create(a.GetLower(), b.GetLower()).As<ulong, T>()), new(Vector128.Create(a.GetUpper(), b.GetUpper()).As<ulong, T>()));
    }

    // ---- Elementary functions: Elementary<P> in the precision of T ----

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Sqrt(Lanes128<T> x) => Kind<T>.IsFloating ? new(Vector128.Sqrt(x.V)) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Rsqrt(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Rsqrt(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Rsqrt(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Exp(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Exp2(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Exp2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Exp2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Expm1(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Expm1(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Expm1(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Log(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Log2(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log2(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log2(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Log10(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log10(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log10(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Log1p(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Log1p(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Log1p(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Sin(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Cos(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Tan(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Asin(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asin(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asin(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Acos(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acos(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acos(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Atan(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Sinh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Cosh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Cosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Cosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Tanh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Tanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Tanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Asinh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Asinh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Asinh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Acosh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Acosh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Acosh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Atanh(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atanh(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atanh(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Erf(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erf(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Erfc(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Erfc(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Erfc(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Sigmoid(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Sigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Sigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Softplus(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Softplus(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Softplus(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> LogSigmoid(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.LogSigmoid(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.LogSigmoid(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Logistic(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Logistic(x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Logistic(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> NormalCdf(Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Binary32.NormalCdf(x) : typeof(T) == typeof(double) ? Binary64.NormalCdf(x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Pow(Lanes128<T> x, Lanes128<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Pow(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Pow(x, y) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Atan2(Lanes128<T> y, Lanes128<T> x) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Atan2(y, x) : typeof(T) == typeof(double) ? Elementary<Binary64>.Atan2(y, x) : throw Kind<T>.NotFloating();
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<T> Fmod(Lanes128<T> x, Lanes128<T> y) =>
        typeof(T) == typeof(float) ? Elementary<Binary32>.Fmod(x, y) : typeof(T) == typeof(double) ? Elementary<Binary64>.Fmod(x, y) : throw Kind<T>.NotFloating();
}
