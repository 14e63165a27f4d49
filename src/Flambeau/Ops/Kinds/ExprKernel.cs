using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Ops;

/// <summary>
/// Runs an expression without compiling it: tile by tile, one primitive loop a node, intermediates in L1. It serves derivatives of derivatives and what runs ahead of time;
/// the bits are those of the body it came from.
/// </summary>
internal sealed unsafe class ExprKernel : Kernel
{
    const int Tile = 512;

    readonly record struct Step(Kernel? Kernel, Opcode Op, int A, int B, int C, int Slot, double Value);

    readonly Step[] _steps;
    readonly int _slots, _inputs, _root;

    public ExprKernel(Expr root)
    {
        var order = Expr.InOrder(root);
        _inputs = order.Where(e => e.Op == Opcode.Input).Select(e => e.Index + 1).DefaultIfEmpty(0).Max();
        var place = new Dictionary<Expr, int>(); // operands first, then a slot a node
        var steps = new List<Step>();
        foreach (var e in order)
        {
            if (e.Op == Opcode.Input) { place[e] = e.Index; continue; }
            place[e] = _inputs + _slots++;
            int Arg(int i) => i < e.Args.Length ? place[e.Args[i]] : 0;
            steps.Add(new(e.Op == Opcode.Constant ? null : Primitives.For(e.Op), e.Op, Arg(0), Arg(1), Arg(2), place[e], e.Value));
        }
        _root = place[root];
        _steps = [.. steps];
    }

    public override void Run(DType compute, byte* y, byte** x, long n, uint scalars)
    {
        int size = compute.Size;
        byte* scratch = (byte*)Scratch.Rent(Scratch.Expression, (long)(_slots + 1) * Tile * 8);
        byte** at = stackalloc byte*[_inputs + _slots];
        byte** args = stackalloc byte*[3];
        for (int k = 0; k < _slots; k++) at[_inputs + k] = scratch + k * Tile * 8;
        FillConstants(compute, at);
        for (long i = 0; i < n; i += Tile)
        {
            int length = (int)Math.Min(Tile, n - i);
            for (int k = 0; k < _inputs; k++) at[k] = x[k] + ((scalars >> k & 1) != 0 ? 0 : i * size);
            foreach (var step in _steps)
            {
                if (step.Kernel is null) continue;
                args[0] = at[step.A];
                args[1] = at[step.B];
                args[2] = at[step.C];
                uint fixedArgs = Fixed(step.A, scalars) | Fixed(step.B, scalars) << 1 | Fixed(step.C, scalars) << 2;
                step.Kernel.Run(compute, step.Slot == _root ? y + i * size : at[step.Slot], args, length, fixedArgs);
            }
            if (_steps.Length == 0 || _steps[^1].Slot != _root || _steps[^1].Kernel is null) CopyRoot(compute, y + i * size, at[_root], length, scalars);
        }
    }

    uint Fixed(int place, uint scalars) => place < _inputs ? scalars >> place & 1 : 0;

    // the whole expression is an operand or a constant
    void CopyRoot(DType compute, byte* y, byte* source, int n, uint scalars)
    {
        bool isScalar = Fixed(_root, scalars) != 0;
        int size = compute.Size;
        for (int i = 0; i < n; i++) Unsafe.CopyBlockUnaligned(y + i * size, source + (isScalar ? 0 : i * size), (uint)size);
    }

    void FillConstants(DType compute, byte** at)
    {
        foreach (var step in _steps)
        {
            if (step.Kernel is not null) continue;
            double value = step.Value;
            byte* first = at[step.Slot];
            Conversion.Run(DType.Float64, &value, compute, first, 1);
            for (int i = 1; i < Tile; i++) Unsafe.CopyBlockUnaligned(first + i * compute.Size, first, (uint)compute.Size);
        }
    }
}

/// <summary>The loops of single nodes. Masks stay lanes here: they never leave the tile.</summary>
internal static class Primitives
{
    static readonly Dictionary<Opcode, Kernel> s_kernels = [];

    public static Kernel For(Opcode op)
    {
        lock (s_kernels)
        {
            if (!s_kernels.TryGetValue(op, out var kernel)) s_kernels.Add(op, kernel = Make(op));
            return kernel;
        }
    }

    static Kernel Make(Opcode op) => op switch
    {
        Opcode.Negate => Kernel.Of<UnaryLoop<Negate>>(),
        Opcode.Sqrt => Kernel.Of<UnaryLoop<Sqrt>>(),
        Opcode.Rsqrt => Kernel.Of<UnaryLoop<Rsqrt>>(),
        Opcode.Exp => Kernel.Of<UnaryLoop<Exp>>(),
        Opcode.Exp2 => Kernel.Of<UnaryLoop<Exp2>>(),
        Opcode.Expm1 => Kernel.Of<UnaryLoop<Expm1>>(),
        Opcode.Log => Kernel.Of<UnaryLoop<Log>>(),
        Opcode.Log2 => Kernel.Of<UnaryLoop<Log2>>(),
        Opcode.Log10 => Kernel.Of<UnaryLoop<Log10>>(),
        Opcode.Log1p => Kernel.Of<UnaryLoop<Log1p>>(),
        Opcode.Sin => Kernel.Of<UnaryLoop<Sin>>(),
        Opcode.Cos => Kernel.Of<UnaryLoop<Cos>>(),
        Opcode.Tan => Kernel.Of<UnaryLoop<Tan>>(),
        Opcode.Asin => Kernel.Of<UnaryLoop<Asin>>(),
        Opcode.Acos => Kernel.Of<UnaryLoop<Acos>>(),
        Opcode.Atan => Kernel.Of<UnaryLoop<Atan>>(),
        Opcode.Sinh => Kernel.Of<UnaryLoop<Sinh>>(),
        Opcode.Cosh => Kernel.Of<UnaryLoop<Cosh>>(),
        Opcode.Tanh => Kernel.Of<UnaryLoop<Tanh>>(),
        Opcode.Asinh => Kernel.Of<UnaryLoop<Asinh>>(),
        Opcode.Acosh => Kernel.Of<UnaryLoop<Acosh>>(),
        Opcode.Atanh => Kernel.Of<UnaryLoop<Atanh>>(),
        Opcode.Not => Kernel.Of<UnaryLoop<Not>>(),
        Opcode.Abs => Kernel.Of<UnaryLoop<Abs>>(),
        Opcode.Sign => Kernel.Of<UnaryLoop<Sign>>(),
        Opcode.Floor => Kernel.Of<UnaryLoop<Floor>>(),
        Opcode.Ceiling => Kernel.Of<UnaryLoop<Ceiling>>(),
        Opcode.Truncate => Kernel.Of<UnaryLoop<Truncate>>(),
        Opcode.Round => Kernel.Of<UnaryLoop<Round>>(),
        Opcode.Erf => Kernel.Of<UnaryLoop<Erf>>(),
        Opcode.Erfc => Kernel.Of<UnaryLoop<Erfc>>(),
        Opcode.Sigmoid => Kernel.Of<UnaryLoop<Sigmoid>>(),
        Opcode.Softplus => Kernel.Of<UnaryLoop<Softplus>>(),
        Opcode.LogSigmoid => Kernel.Of<UnaryLoop<LogSigmoid>>(),
        Opcode.NormalCdf => Kernel.Of<UnaryLoop<NormalCdf>>(),
        Opcode.Logistic => Kernel.Of<UnaryLoop<Logistic>>(),
        Opcode.Add => Kernel.Of<BinaryLoop<Add>>(),
        Opcode.Subtract => Kernel.Of<BinaryLoop<Subtract>>(),
        Opcode.Multiply => Kernel.Of<BinaryLoop<Multiply>>(),
        Opcode.Divide => Kernel.Of<BinaryLoop<Divide>>(),
        Opcode.Less => Kernel.Of<BinaryLoop<Less>>(),
        Opcode.LessOrEqual => Kernel.Of<BinaryLoop<LessOrEqual>>(),
        Opcode.Pow => Kernel.Of<BinaryLoop<Pow>>(),
        Opcode.Equal => Kernel.Of<BinaryLoop<Equal>>(),
        Opcode.And => Kernel.Of<BinaryLoop<And>>(),
        Opcode.Or => Kernel.Of<BinaryLoop<Or>>(),
        Opcode.Min => Kernel.Of<BinaryLoop<Min>>(),
        Opcode.Max => Kernel.Of<BinaryLoop<Max>>(),
        Opcode.CopySign => Kernel.Of<BinaryLoop<CopySign>>(),
        Opcode.Atan2 => Kernel.Of<BinaryLoop<Atan2>>(),
        Opcode.Fmod => Kernel.Of<BinaryLoop<Fmod>>(),
        Opcode.Select => Kernel.Of<TernaryLoop<Select>>(),
        Opcode.FusedMultiplyAdd => Kernel.Of<TernaryLoop<FusedMultiplyAdd>>(),
        _ => throw new InvalidOperationException($"{op} is not computed"),
    };

    readonly struct Negate : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => -x; }
    readonly struct Sqrt : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Sqrt(x); }
    readonly struct Rsqrt : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Rsqrt(x); }
    readonly struct Exp : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Exp(x); }
    readonly struct Exp2 : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Exp2(x); }
    readonly struct Expm1 : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Expm1(x); }
    readonly struct Log : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Log(x); }
    readonly struct Log2 : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Log2(x); }
    readonly struct Log10 : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Log10(x); }
    readonly struct Log1p : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Log1p(x); }
    readonly struct Sin : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Sin(x); }
    readonly struct Cos : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Cos(x); }
    readonly struct Tan : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Tan(x); }
    readonly struct Asin : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Asin(x); }
    readonly struct Acos : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Acos(x); }
    readonly struct Atan : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Atan(x); }
    readonly struct Sinh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Sinh(x); }
    readonly struct Cosh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Cosh(x); }
    readonly struct Tanh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Tanh(x); }
    readonly struct Asinh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Asinh(x); }
    readonly struct Acosh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Acosh(x); }
    readonly struct Atanh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Atanh(x); }
    readonly struct Not : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Not(x); }
    readonly struct Abs : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Abs(x); }
    readonly struct Sign : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Sign(x); }
    readonly struct Floor : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Floor(x); }
    readonly struct Ceiling : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Ceiling(x); }
    readonly struct Truncate : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Truncate(x); }
    readonly struct Round : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Round(x); }
    readonly struct Erf : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Erf(x); }
    readonly struct Erfc : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Erfc(x); }
    readonly struct Sigmoid : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Sigmoid(x); }
    readonly struct Softplus : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Softplus(x); }
    readonly struct NormalCdf : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.NormalCdf(x); }
    readonly struct Logistic : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.Logistic(x); }
    readonly struct LogSigmoid : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => S.LogSigmoid(x); }
    readonly struct Add : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x + y; }
    readonly struct Subtract : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x - y; }
    readonly struct Multiply : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x * y; }
    readonly struct Divide : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x / y; }
    readonly struct Less : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x < y; }
    readonly struct LessOrEqual : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => x <= y; }
    readonly struct Pow : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Pow(x, y); }
    readonly struct Equal : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Equal(x, y); }
    readonly struct And : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.And(x, y); }
    readonly struct Or : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Or(x, y); }
    readonly struct Min : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Min(x, y); }
    readonly struct Max : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Max(x, y); }
    readonly struct CopySign : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.CopySign(x, y); }
    readonly struct Atan2 : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Atan2(x, y); }
    readonly struct Fmod : IBinary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y) where S : IReal<S> => S.Fmod(x, y); }
    readonly struct Select : ITernary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y, S z) where S : IReal<S> => S.Select(x, y, z); }
    readonly struct FusedMultiplyAdd : ITernary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x, S y, S z) where S : IReal<S> => S.FusedMultiplyAdd(x, y, z); }
}
