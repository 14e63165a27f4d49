using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Ops;

// The loops of elementwise kernels, by arity. Outer loops are compiled at full optimization at once, bodies and lane operators inline into them: without both they are 15 to 90 times slower.
// A scalar operand is spread over one vector on the stack and read from there with step 0: one loop serves every mixture of arrays and scalars. The last elements go through padded vectors,
// so an element's bits do not depend on where in the array it lies.

/// <summary>y = op(a).</summary>
internal readonly unsafe struct UnaryLoop<TOp> : ILoop where TOp : struct, IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[2 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a)), y);
            a += aStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        L.Store(TOp.Body(L.Load(a)), pad + 64);
        Unsafe.CopyBlockUnaligned(y, pad + 64, (uint)rest);
    }
}

/// <summary>y = op(a, b).</summary>
internal readonly unsafe struct BinaryLoop<TOp> : ILoop where TOp : struct, IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[3 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a), L.Load(b)), y);
            a += aStep; b += bStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        L.Store(TOp.Body(L.Load(a), L.Load(b)), pad + 128);
        Unsafe.CopyBlockUnaligned(y, pad + 128, (uint)rest);
    }
}

/// <summary>y = op(a, b, c).</summary>
internal readonly unsafe struct TernaryLoop<TOp> : ILoop where TOp : struct, ITernary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[4 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        byte* c = Operand.Place<L>(x[2], (scalars & 4) != 0, pad + 128);
        nint cStep = (scalars & 4) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a), L.Load(b), L.Load(c)), y);
            a += aStep; b += bStep; c += cStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        c = Operand.Pad(c, cStep, pad + 128, rest, bytes);
        L.Store(TOp.Body(L.Load(a), L.Load(b), L.Load(c)), pad + 192);
        Unsafe.CopyBlockUnaligned(y, pad + 192, (uint)rest);
    }
}

/// <summary>y = op(a, b, c, d): derivatives of ternary operators.</summary>
internal readonly unsafe struct QuaternaryLoop<TOp> : ILoop where TOp : struct, IQuaternary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[5 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        byte* c = Operand.Place<L>(x[2], (scalars & 4) != 0, pad + 128);
        nint cStep = (scalars & 4) != 0 ? 0 : bytes;
        byte* d = Operand.Place<L>(x[3], (scalars & 8) != 0, pad + 192);
        nint dStep = (scalars & 8) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a), L.Load(b), L.Load(c), L.Load(d)), y);
            a += aStep; b += bStep; c += cStep; d += dStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        c = Operand.Pad(c, cStep, pad + 128, rest, bytes);
        d = Operand.Pad(d, dStep, pad + 192, rest, bytes);
        L.Store(TOp.Body(L.Load(a), L.Load(b), L.Load(c), L.Load(d)), pad + 256);
        Unsafe.CopyBlockUnaligned(y, pad + 256, (uint)rest);
    }
}

/// <summary>A mask of a, stored as bytes.</summary>
internal readonly unsafe struct UnaryMaskLoop<TOp> : ILoop where TOp : struct, IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[2 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.StoreMask(TOp.Body(L.Load(a)), y);
            a += aStep;
            y += L.Count;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        L.StoreMask(TOp.Body(L.Load(a)), pad + 64);
        Unsafe.CopyBlockUnaligned(y, pad + 64, (uint)(n - i));
    }
}

/// <summary>A mask of a and b, stored as bytes.</summary>
internal readonly unsafe struct BinaryMaskLoop<TOp> : ILoop where TOp : struct, IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[3 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.StoreMask(TOp.Body(L.Load(a), L.Load(b)), y);
            a += aStep; b += bStep;
            y += L.Count;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        L.StoreMask(TOp.Body(L.Load(a), L.Load(b)), pad + 128);
        Unsafe.CopyBlockUnaligned(y, pad + 128, (uint)(n - i));
    }
}

/// <summary>A mask of three operands, stored as bytes.</summary>
internal readonly unsafe struct TernaryMaskLoop<TOp> : ILoop where TOp : struct, ITernary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[4 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        byte* c = Operand.Place<L>(x[2], (scalars & 4) != 0, pad + 128);
        nint cStep = (scalars & 4) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.StoreMask(TOp.Body(L.Load(a), L.Load(b), L.Load(c)), y);
            a += aStep; b += bStep; c += cStep;
            y += L.Count;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        c = Operand.Pad(c, cStep, pad + 128, rest, bytes);
        L.StoreMask(TOp.Body(L.Load(a), L.Load(b), L.Load(c)), pad + 192);
        Unsafe.CopyBlockUnaligned(y, pad + 192, (uint)(n - i));
    }
}

/// <summary>y = op(a) on whole numbers.</summary>
internal readonly unsafe struct IntegerUnaryLoop<TOp> : ILoop where TOp : struct, IIntegerUnary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[2 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a)), y);
            a += aStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        L.Store(TOp.Body(L.Load(a)), pad + 64);
        Unsafe.CopyBlockUnaligned(y, pad + 64, (uint)rest);
    }
}

/// <summary>y = op(a, b) on whole numbers.</summary>
internal readonly unsafe struct IntegerBinaryLoop<TOp> : ILoop where TOp : struct, IIntegerBinary
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
    {
        byte* pad = stackalloc byte[3 * 64];
        int bytes = L.Count * sizeof(T);
        byte* a = Operand.Place<L>(x[0], (scalars & 1) != 0, pad + 0);
        nint aStep = (scalars & 1) != 0 ? 0 : bytes;
        byte* b = Operand.Place<L>(x[1], (scalars & 2) != 0, pad + 64);
        nint bStep = (scalars & 2) != 0 ? 0 : bytes;
        long i = 0;
        for (; i + L.Count <= n; i += L.Count)
        {
            L.Store(TOp.Body(L.Load(a), L.Load(b)), y);
            a += aStep; b += bStep;
            y += bytes;
        }
        if (i == n) return;
        nint rest = (nint)(n - i) * sizeof(T);
        a = Operand.Pad(a, aStep, pad + 0, rest, bytes);
        b = Operand.Pad(b, bStep, pad + 64, rest, bytes);
        L.Store(TOp.Body(L.Load(a), L.Load(b)), pad + 128);
        Unsafe.CopyBlockUnaligned(y, pad + 128, (uint)rest);
    }
}

/// <summary>An elementwise body of four operands: a ternary operator's derivative times the incoming gradient.</summary>
internal interface IQuaternary
{
    static abstract S Body<S>(S x, S y, S z, S w) where S : IReal<S>;
}

// derivative · gradient, as bodies of their own: the operator's body read over dual numbers, with the gradient as the tangent of the operand

internal readonly struct UnaryDerivative<TOp> : IBinary where TOp : struct, IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S g) where S : IReal<S> => TOp.Body(new Dual<S>(x, g)).TangentOrZero;
}

internal readonly struct FromOutput<TOp> : IBinary where TOp : struct, IUnary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S y, S g) where S : IReal<S> => TOp.Derivative(y, g);
}

internal readonly struct BinaryDerivative0<TOp> : ITernary where TOp : struct, IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S y, S g) where S : IReal<S> => TOp.StatesDerivativeByX ? TOp.DerivativeByX(x, y, g) : TOp.Body(new Dual<S>(x, g), new Dual<S>(y)).TangentOrZero;
}

internal readonly struct BinaryDerivative1<TOp> : ITernary where TOp : struct, IBinary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S y, S g) where S : IReal<S> => TOp.Body(new Dual<S>(x), new Dual<S>(y, g)).TangentOrZero;
}

internal readonly struct TernaryDerivative0<TOp> : IQuaternary where TOp : struct, ITernary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S y, S z, S g) where S : IReal<S> => TOp.Body(new Dual<S>(x, g), new Dual<S>(y), new Dual<S>(z)).TangentOrZero;
}

internal readonly struct TernaryDerivative1<TOp> : IQuaternary where TOp : struct, ITernary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S y, S z, S g) where S : IReal<S> => TOp.Body(new Dual<S>(x), new Dual<S>(y, g), new Dual<S>(z)).TangentOrZero;
}

internal readonly struct TernaryDerivative2<TOp> : IQuaternary where TOp : struct, ITernary
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Body<S>(S x, S y, S z, S g) where S : IReal<S> => TOp.Body(new Dual<S>(x), new Dual<S>(y), new Dual<S>(z, g)).TangentOrZero;
}
