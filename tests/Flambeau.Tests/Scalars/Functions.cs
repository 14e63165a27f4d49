using System.Runtime.CompilerServices;
using Flambeau.Scalars;

namespace Flambeau.Tests.Scalars;

/// <summary>A function of one number, written in the algebra, so that it can be read in any scalar.</summary>
internal interface IUnaryFunction
{
    static abstract S Of<S>(S x) where S : IReal<S>;
}

/// <summary>A function of two numbers, likewise.</summary>
internal interface IBinaryFunction
{
    static abstract S Of<S>(S x, S y) where S : IReal<S>;
}

/// <summary>The members of the algebra as types.</summary>
internal static class Functions
{
    public readonly struct Sqrt : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Sqrt(x); }
    public readonly struct Rsqrt : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Rsqrt(x); }
    public readonly struct Exp : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Exp(x); }
    public readonly struct Exp2 : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Exp2(x); }
    public readonly struct Expm1 : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Expm1(x); }
    public readonly struct Log : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Log(x); }
    public readonly struct Log2 : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Log2(x); }
    public readonly struct Log10 : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Log10(x); }
    public readonly struct Log1p : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Log1p(x); }
    public readonly struct Sin : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Sin(x); }
    public readonly struct Cos : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Cos(x); }
    public readonly struct Tan : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Tan(x); }
    public readonly struct Asin : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Asin(x); }
    public readonly struct Acos : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Acos(x); }
    public readonly struct Atan : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Atan(x); }
    public readonly struct Sinh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Sinh(x); }
    public readonly struct Cosh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Cosh(x); }
    public readonly struct Tanh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Tanh(x); }
    public readonly struct Asinh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Asinh(x); }
    public readonly struct Acosh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Acosh(x); }
    public readonly struct Atanh : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Atanh(x); }
    public readonly struct Erf : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Erf(x); }
    public readonly struct Erfc : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Erfc(x); }
    public readonly struct Sigmoid : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Sigmoid(x); }
    public readonly struct Softplus : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Softplus(x); }
    public readonly struct Logistic : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Logistic(x); }
    public readonly struct NormalCdf : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.NormalCdf(x); }
    public readonly struct LogSigmoid : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.LogSigmoid(x); }
    public readonly struct Abs : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Abs(x); }
    public readonly struct Sign : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Sign(x); }
    public readonly struct Floor : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Floor(x); }
    public readonly struct Ceiling : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Ceiling(x); }
    public readonly struct Truncate : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Truncate(x); }
    public readonly struct Round : IUnaryFunction { public static S Of<S>(S x) where S : IReal<S> => S.Round(x); }
    public readonly struct Pow : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.Pow(x, y); }
    public readonly struct Atan2 : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.Atan2(x, y); }
    public readonly struct Fmod : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.Fmod(x, y); }
    public readonly struct Min : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.Min(x, y); }
    public readonly struct Max : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.Max(x, y); }
    public readonly struct CopySign : IBinaryFunction { public static S Of<S>(S x, S y) where S : IReal<S> => S.CopySign(x, y); }
}

/// <summary>A function over arrays, through the lanes of one width.</summary>
internal static unsafe class Through<S> where S : ILanes<S>
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T[] Unary<F, T>(T[] x) where F : IUnaryFunction where T : unmanaged
    {
        T[] padded = Padded(x), y = new T[padded.Length];
        fixed (T* from = padded, to = y)
            for (int i = 0; i < padded.Length; i += S.Count) S.Store(F.Of(S.Load(from + i)), to + i);
        return y[..x.Length];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T[] Binary<F, T>(T[] x, T[] y) where F : IBinaryFunction where T : unmanaged
    {
        T[] left = Padded(x), right = Padded(y), z = new T[left.Length];
        fixed (T* a = left, b = right, to = z)
            for (int i = 0; i < left.Length; i += S.Count) S.Store(F.Of(S.Load(a + i), S.Load(b + i)), to + i);
        return z[..x.Length];
    }

    private static T[] Padded<T>(T[] x)
    {
        var padded = new T[(x.Length + 15) / 16 * 16];
        x.CopyTo(padded, 0);
        return padded;
    }
}
