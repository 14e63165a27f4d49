using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Flambeau.Scalars;

namespace Flambeau.Compile.Emit;

/// <summary>
/// The lane algebra read as code: an operation makes a node. So the elementary functions, written once over lanes, are what emitted loops contain, operation by operation, and with the same bits.
/// </summary>
/// <typeparam name="P">The precision that the lanes compute in.</typeparam>
internal readonly struct LaneCode<P>(LaneNode node) : ILanes<LaneCode<P>>, IWords<LaneCode<P>> where P : struct, IPrecision
{
    public readonly LaneNode Node = node;

    static LaneCode<P> Of(LaneOp op, LaneCode<P> x) => new(LaneNode.Of(op, [x.Node]));
    static LaneCode<P> Of(LaneOp op, LaneCode<P> x, LaneCode<P> y) => new(LaneNode.Of(op, [x.Node, y.Node]));
    static LaneCode<P> Of(LaneOp op, LaneCode<P> x, LaneCode<P> y, LaneCode<P> z) => new(LaneNode.Of(op, [x.Node, y.Node, z.Node]));
    static LaneCode<P> Shift(LaneOp op, LaneCode<P> x, int n) => new(LaneNode.Of(op, [x.Node], n));

    public static LaneCode<P> Constant(double value) => new(LaneNode.Constant(value));
    public static LaneCode<P> FromBits(long bits) => new(LaneNode.Of(LaneOp.Bits, [], bits));

    public static LaneCode<P> operator +(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Add, x, y);
    public static LaneCode<P> operator -(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Subtract, x, y);
    public static LaneCode<P> operator *(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Multiply, x, y);
    public static LaneCode<P> operator /(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Divide, x, y);
    public static LaneCode<P> operator -(LaneCode<P> x) => x.Node.Op == LaneOp.Constant ? Constant(-x.Node.Value) : Of(LaneOp.Negate, x);
    public static LaneCode<P> FusedMultiplyAdd(LaneCode<P> x, LaneCode<P> y, LaneCode<P> z) => Of(LaneOp.FusedMultiplyAdd, x, y, z);
    public static LaneCode<P> Sqrt(LaneCode<P> x) => Of(LaneOp.Sqrt, x);

    public static LaneCode<P> operator <(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Less, x, y);
    public static LaneCode<P> operator >(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Less, y, x);
    public static LaneCode<P> operator <=(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.LessOrEqual, x, y);
    public static LaneCode<P> operator >=(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.LessOrEqual, y, x);
    public static LaneCode<P> Equal(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Equal, x, y);
    public static LaneCode<P> And(LaneCode<P> m, LaneCode<P> n) => Of(LaneOp.And, m, n);
    public static LaneCode<P> Or(LaneCode<P> m, LaneCode<P> n) => Of(LaneOp.Or, m, n);
    public static LaneCode<P> Not(LaneCode<P> m) => Of(LaneOp.Not, m);
    public static LaneCode<P> Select(LaneCode<P> mask, LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Select, mask, x, y);
    public static LaneCode<P> Bound(LaneCode<P> x, LaneCode<P> min, LaneCode<P> max) => Of(LaneOp.Bound, x, min, max);
    public static LaneCode<P> Min(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Min, x, y);
    public static LaneCode<P> Max(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Max, x, y);
    public static LaneCode<P> Abs(LaneCode<P> x) => Of(LaneOp.Abs, x);

    // where neither comparison holds, x is a zero or NaN and is its own sign
    public static LaneCode<P> Sign(LaneCode<P> x) => Select(x > Constant(0), Constant(1), Select(x < Constant(0), Constant(-1), x));

    public static LaneCode<P> CopySign(LaneCode<P> x, LaneCode<P> y)
    {
        long sign = 1L << P.SignBit;
        return Or(And(x, FromBits(~sign)), And(y, FromBits(sign)));
    }

    public static LaneCode<P> Floor(LaneCode<P> x) => Of(LaneOp.Floor, x);
    public static LaneCode<P> Ceiling(LaneCode<P> x) => Of(LaneOp.Ceiling, x);
    public static LaneCode<P> Truncate(LaneCode<P> x) => Of(LaneOp.Truncate, x);
    public static LaneCode<P> Round(LaneCode<P> x) => Of(LaneOp.Round, x);
    public static LaneCode<P> StopGradient(LaneCode<P> x) => x;

    public static LaneCode<P> operator &(LaneCode<P> x, LaneCode<P> y) => And(x, y);
    public static LaneCode<P> operator |(LaneCode<P> x, LaneCode<P> y) => Or(x, y);
    public static LaneCode<P> operator ^(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.Xor, x, y);
    public static LaneCode<P> operator ~(LaneCode<P> x) => Not(x);
    public static LaneCode<P> AddBits(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.AddBits, x, y);
    public static LaneCode<P> SubtractBits(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.SubtractBits, x, y);
    public static LaneCode<P> ShiftLeftBits(LaneCode<P> x, int n) => Shift(LaneOp.ShiftLeftBits, x, n);
    public static LaneCode<P> ShiftRightBits(LaneCode<P> x, int n) => Shift(LaneOp.ShiftRightBits, x, n);
    public static LaneCode<P> ShiftRightSignBits(LaneCode<P> x, int n) => Shift(LaneOp.ShiftRightSignBits, x, n);
    public static LaneCode<P> GreaterBits(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.GreaterBits, x, y);
    public static LaneCode<P> EqualBits(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.EqualBits, x, y);
    public static LaneCode<P> ToIntegerBits(LaneCode<P> x) => Of(LaneOp.ToIntegerBits, x);
    public static LaneCode<P> FromIntegerBits(LaneCode<P> x) => Of(LaneOp.FromIntegerBits, x);
    public static LaneCode<P> Scale(LaneCode<P> x, LaneCode<P> n) => Of(LaneOp.Scale, x, n);
    public static LaneCode<P> ScaleByFloor(LaneCode<P> x, LaneCode<P> n) => Of(LaneOp.ScaleByFloor, x, n);

    public static unsafe LaneCode<P> Lookup(LaneCode<P> index, ReadOnlySpan<float> table)
    {
        long address = (long)Unsafe.AsPointer(ref MemoryMarshal.GetReference(table)); // static data does not move
        return table.Length == 16
            ? Of(LaneOp.Lookup16, index, new(LaneNode.Of(LaneOp.Table16, [], address)))
            : Of(LaneOp.Lookup8, index, new(LaneNode.Of(LaneOp.Table8, [], address)));
    }

    public static LaneCode<P> MultiplyHalves(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.MultiplyHalves, x, y);
    public static LaneCode<P> Xor(LaneCode<P> x, LaneCode<P> y, LaneCode<P> z) => Of(LaneOp.XorWords, x, y, z);
    public static LaneCode<P> UpperHalves(LaneCode<P> x) => Of(LaneOp.UpperHalves, x);
    public static LaneCode<P> PairHalves(LaneCode<P> x, LaneCode<P> y) => Of(LaneOp.PairHalves, x, y);

    // a vector is one or the other
    public static (LaneCode<P> First, LaneCode<P> Second) Interleave(LaneCode<P> x, LaneCode<P> y) => (Of(LaneOp.Interleave, x, y), Of(LaneOp.Interleave, x, y));

    public static LaneCode<P> Rsqrt(LaneCode<P> x) => Elementary<P>.Rsqrt(x);
    public static LaneCode<P> Exp(LaneCode<P> x) => Elementary<P>.Exp(x);
    public static LaneCode<P> Exp2(LaneCode<P> x) => Elementary<P>.Exp2(x);
    public static LaneCode<P> Expm1(LaneCode<P> x) => Elementary<P>.Expm1(x);
    public static LaneCode<P> Log(LaneCode<P> x) => Elementary<P>.Log(x);
    public static LaneCode<P> Log2(LaneCode<P> x) => Elementary<P>.Log2(x);
    public static LaneCode<P> Log10(LaneCode<P> x) => Elementary<P>.Log10(x);
    public static LaneCode<P> Log1p(LaneCode<P> x) => Elementary<P>.Log1p(x);
    public static LaneCode<P> Pow(LaneCode<P> x, LaneCode<P> y) => Elementary<P>.Pow(x, y);
    public static LaneCode<P> Sin(LaneCode<P> x) => Elementary<P>.Sin(x);
    public static LaneCode<P> Cos(LaneCode<P> x) => Elementary<P>.Cos(x);
    public static LaneCode<P> Tan(LaneCode<P> x) => Elementary<P>.Tan(x);
    public static LaneCode<P> Asin(LaneCode<P> x) => Elementary<P>.Asin(x);
    public static LaneCode<P> Acos(LaneCode<P> x) => Elementary<P>.Acos(x);
    public static LaneCode<P> Atan(LaneCode<P> x) => Elementary<P>.Atan(x);
    public static LaneCode<P> Atan2(LaneCode<P> y, LaneCode<P> x) => Elementary<P>.Atan2(y, x);
    public static LaneCode<P> Sinh(LaneCode<P> x) => Elementary<P>.Sinh(x);
    public static LaneCode<P> Cosh(LaneCode<P> x) => Elementary<P>.Cosh(x);
    public static LaneCode<P> Tanh(LaneCode<P> x) => Elementary<P>.Tanh(x);
    public static LaneCode<P> Asinh(LaneCode<P> x) => Elementary<P>.Asinh(x);
    public static LaneCode<P> Acosh(LaneCode<P> x) => Elementary<P>.Acosh(x);
    public static LaneCode<P> Atanh(LaneCode<P> x) => Elementary<P>.Atanh(x);
    public static LaneCode<P> Erf(LaneCode<P> x) => Elementary<P>.Erf(x);
    public static LaneCode<P> Erfc(LaneCode<P> x) => Elementary<P>.Erfc(x);
    public static LaneCode<P> Sigmoid(LaneCode<P> x) => Elementary<P>.Sigmoid(x);
    public static LaneCode<P> Softplus(LaneCode<P> x) => Elementary<P>.Softplus(x);
    public static LaneCode<P> Logistic(LaneCode<P> x) => Elementary<P>.Logistic(x);
    public static LaneCode<P> NormalCdf(LaneCode<P> x) => P.NormalCdf(x);
    public static LaneCode<P> LogSigmoid(LaneCode<P> x) => Elementary<P>.LogSigmoid(x);
    public static LaneCode<P> Fmod(LaneCode<P> x, LaneCode<P> y) => Elementary<P>.Fmod(x, y);

    // ---- What straight-line code over floating-point lanes has no place for ----

    public static bool None(LaneCode<P> mask) => throw new BranchesException();
    public static int Count => throw NotCode();
    public static unsafe LaneCode<P> Load(void* p) => throw NotCode();
    public static unsafe void Store(LaneCode<P> x, void* p) => throw NotCode();
    public static unsafe LaneCode<P> Broadcast(void* p) => throw NotCode();
    public static unsafe void StoreMask(LaneCode<P> mask, byte* p) => throw NotCode();
    public static LaneCode<P> Blocks(ulong first) => throw NotCode();
    public static LaneCode<P> Integer(long value) => throw NotCode();
    public static LaneCode<P> ShiftLeft(LaneCode<P> x, LaneCode<P> n) => throw NotCode();
    public static LaneCode<P> ShiftRight(LaneCode<P> x, LaneCode<P> n) => throw NotCode();
    public static LaneCode<P> DivideTruncate(LaneCode<P> x, LaneCode<P> y) => throw NotCode();
    public static LaneCode<P> DivideFloor(LaneCode<P> x, LaneCode<P> y) => throw NotCode();

    static NotSupportedException NotCode() => new("code over floating-point lanes has neither addresses of its own nor whole numbers");
}
