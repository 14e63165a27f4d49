using System.Runtime.CompilerServices;

namespace Flambeau.Scalars;

/// <summary>Numbers the lanes of every width share.</summary>
internal static class Kind
{
    /// <summary>1.5 · 2⁵²: added to a float64 of magnitude up to 2⁵¹ it leaves the nearest whole number in the low bits.</summary>
    public const double Shift = 6755399441055744;
}

/// <summary>What kind of number a lane's element is, folded by the JIT, and what only a scalar instruction can do with it.</summary>
/// <typeparam name="T">float, double, int or long.</typeparam>
internal static class Kind<T> where T : unmanaged
{
    /// <summary>True for float and double.</summary>
    public static bool IsFloating
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => typeof(T) == typeof(float) || typeof(T) == typeof(double);
    }

    /// <summary>The refusal of a function that whole numbers do not have.</summary>
    public static NotSupportedException NotFloating([CallerMemberName] string function = "") =>
        new($"{function}: lanes of {typeof(T).Name} have no such function; convert to float32 or float64 first (promotion does).");

    public static NotSupportedException NotFloat32([CallerMemberName] string function = "") =>
        new($"{function}: lanes of {typeof(T).Name} have no such operation; only float32 lanes read tables.");

    /// <summary>One lane of a whole-number operation.</summary>
    public static T Apply<TOp>(T x, T y) where TOp : struct, ILaneOp
    {
        if (typeof(T) == typeof(int)) return (T)(object)(int)TOp.Apply((int)(object)x, (int)(object)y, 32);
        if (typeof(T) == typeof(long)) return (T)(object)TOp.Apply((long)(object)x, (long)(object)y, 64);
        throw new NotSupportedException($"{typeof(TOp).Name}: lanes of {typeof(T).Name} have no whole-number operations; convert to int32 or int64 first.");
    }
}

/// <summary>A whole-number operation of two lanes, done in 64 bits and cut to the lane's width.</summary>
internal interface ILaneOp
{
    /// <summary>The result for lanes of <paramref name="width"/> bits.</summary>
    static abstract long Apply(long x, long y, int width);
}

internal readonly struct ShiftLeftLane : ILaneOp
{
    public static long Apply(long x, long n, int width) => (ulong)n < (ulong)width ? x << (int)n : 0;
}

internal readonly struct ShiftRightLane : ILaneOp
{
    public static long Apply(long x, long n, int width) => x >> ((ulong)n < (ulong)width ? (int)n : 63);
}

internal readonly struct DivideTruncateLane : ILaneOp
{
    // −1 is apart because the smallest number has no negative and the instruction traps; zero occurs only in lanes nobody reads.
    public static long Apply(long x, long y, int width) => y switch { 0 => 0, -1 => unchecked(-x), _ => x / y };
}

internal readonly struct DivideFloorLane : ILaneOp
{
    public static long Apply(long x, long y, int width)
    {
        if (y is 0 or -1) return DivideTruncateLane.Apply(x, y, width);
        long q = x / y;
        return q * y != x && (x < 0) != (y < 0) ? q - 1 : q;
    }
}
