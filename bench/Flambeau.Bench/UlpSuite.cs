using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Flambeau.Scalars;

namespace Flambeau.Bench;

/// <summary>
/// The accuracy and speed of the elementary functions: the largest error over all 2³² float32 inputs, in units of the last place, and nanoseconds an element in the first-level cache.
/// The truth is float64: the float64 lanes, and <see cref="Reference"/> wherever an input would raise the maximum.
/// </summary>
internal static unsafe class UlpSuite
{
    private const int Block = 4096;

    private interface IFunction
    {
        static abstract S Of<S>(S x) where S : IReal<S>;
    }

    private sealed record Entry(string Name, Func<int, long, (double Ulp, float At)> Sweep, Func<double> Nanoseconds, Func<double> Nanoseconds64);

    /// <summary>Measures every function over all inputs and prints a table, or JSON.</summary>
    public static int Run(bool json) => Run(json, 1, null);

    /// <summary>Measures over every <paramref name="stride"/>-th block of inputs; only the functions named in <paramref name="only"/>, if given.</summary>
    public static int Run(bool json, long stride, string[]? only)
    {
        if (!json) Console.WriteLine("| function | max ulp, float32 | at | ns an element, float32 | float64 | sweep, s |\n|---|---|---|---|---|---|");
        List<string> rows = [];
        foreach (var entry in Entries())
        {
            if (only != null && !only.Contains(entry.Name)) continue;
            var clock = Stopwatch.StartNew();
            var halves = new (double Ulp, float At)[2];
            Parallel.For(0, 2, half => halves[half] = entry.Sweep(half, stride));
            var (ulp, at) = halves[0].Ulp >= halves[1].Ulp ? halves[0] : halves[1];
            double seconds = clock.Elapsed.TotalSeconds, ns = entry.Nanoseconds(), ns64 = entry.Nanoseconds64();
            if (json) rows.Add(string.Create(CultureInfo.InvariantCulture, $"{{\"function\":\"{entry.Name}\",\"ulp\":{ulp:F4},\"ns\":{ns:F4},\"ns64\":{ns64:F4}}}"));
            else Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {entry.Name} | {ulp:F3} | {at:R} | {ns:F2} | {ns64:F2} | {seconds:F0} |"));
        }
        if (json) Console.WriteLine($"[{string.Join(",", rows)}]");
        return 0;
    }

    private static Entry Measure<F>() where F : struct, IFunction => new(
        typeof(F).Name,
        Vector512.IsHardwareAccelerated ? Sweep<F, Lanes512<float>, Lanes512<double>> : Sweep<F, Lanes256<float>, Lanes256<double>>,
        Vector512.IsHardwareAccelerated ? Time<F, Lanes512<float>, float> : Time<F, Lanes256<float>, float>,
        Vector512.IsHardwareAccelerated ? Time<F, Lanes512<double>, double> : Time<F, Lanes256<double>, double>);

    private static (double, float) Sweep<F, S, D>(int half, long stride) where F : struct, IFunction where S : ILanes<S> where D : ILanes<D>
    {
        float* x = (float*)NativeMemory.AlignedAlloc(Block * sizeof(float), 64), y = (float*)NativeMemory.AlignedAlloc(Block * sizeof(float), 64);
        double* wide = (double*)NativeMemory.AlignedAlloc(Block * sizeof(double), 64), truth = (double*)NativeMemory.AlignedAlloc(Block * sizeof(double), 64);
        double worst = 0;
        float at = 0;
        // The halves interleave, so that both meet the easy and the hard ranges.
        for (long block = half; block < (1L << 32) / Block; block += 2 * stride)
        {
            for (int i = 0; i < Block; i++)
            {
                x[i] = BitConverter.UInt32BitsToSingle((uint)(block * Block + i));
                wide[i] = x[i];
            }
            Map<F, S>(x, y, Block, sizeof(float));
            Map<F, D>(wide, truth, Block, sizeof(double));
            for (int i = 0; i < Block; i++)
            {
                // The nearest float is at most half an ulp off: nothing to learn once the maximum is past that.
                if (worst >= 0.5 && y[i] == (float)truth[i]) continue;
                if (Error(y[i], truth[i]) <= worst) continue;
                double error = Error(y[i], F.Of(new Reference(x[i])).Value);
                if (error > worst) (worst, at) = (error, x[i]);
            }
        }
        NativeMemory.AlignedFree(x);
        NativeMemory.AlignedFree(y);
        NativeMemory.AlignedFree(wide);
        NativeMemory.AlignedFree(truth);
        return (worst, at);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Map<F, S>(void* x, void* y, long n, int size) where F : struct, IFunction where S : ILanes<S>
    {
        byte* from = (byte*)x, to = (byte*)y;
        for (long i = 0; i < n; i += S.Count) S.Store(F.Of(S.Load(from + i * size)), to + i * size);
    }

    /// <summary>|y − truth| in units of the last place of the truth's float32 binade; beyond the range, ∞ stands for 2¹²⁸.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Error(float y, double truth)
    {
        double value = y;
        if (value == truth) return 0;
        if (double.IsNaN(value) || double.IsNaN(truth)) return double.IsNaN(value) && double.IsNaN(truth) ? 0 : double.PositiveInfinity;
        const double top = 3.4028236692093846e38;
        value = Math.Clamp(value, -top, top);
        truth = Math.Clamp(truth, -top, top);
        long exponent = Math.Clamp(BitConverter.DoubleToInt64Bits(truth) >> 52 & 0x7FF, 1023 - 126, 1023 + 127);
        return Math.Abs(value - truth) * BitConverter.Int64BitsToDouble(2046 + 23 - exponent << 52);
    }

    private static double Time<F, S, T>() where F : struct, IFunction where S : ILanes<S> where T : unmanaged
    {
        T* x = (T*)NativeMemory.AlignedAlloc((nuint)(Block * sizeof(T)), 64), y = (T*)NativeMemory.AlignedAlloc((nuint)(Block * sizeof(T)), 64);
        for (int i = 0; i < Block; i++)
        {
            // Within every function's domain, on both sides of the reductions' branches.
            double value = typeof(F) == typeof(Acosh) ? 1 + i * 0.01 : typeof(F) == typeof(Log) || typeof(F) == typeof(Log2) || typeof(F) == typeof(Log10) || typeof(F) == typeof(Rsqrt)
                ? 0.001 + i * 0.01 : (i * 7919 % Block - Block / 2) * (1.9 / Block) * (Bounded(typeof(F)) ? 1 : 4);
            if (typeof(T) == typeof(float)) ((float*)x)[i] = (float)value;
            else ((double*)x)[i] = value;
        }
        double best = double.MaxValue;
        // Short trials, many of them: on a busy machine one of them is not interrupted.
        const int repeats = 4;
        for (int trial = 0; trial < 100; trial++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int repeat = 0; repeat < repeats; repeat++) Map<F, S>(x, y, Block, sizeof(T));
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / (repeats * Block));
        }
        NativeMemory.AlignedFree(x);
        NativeMemory.AlignedFree(y);
        return best;
    }

    private static bool Bounded(Type function) => function == typeof(Asin) || function == typeof(Acos) || function == typeof(Atanh) || function == typeof(Log1p);

    private static IEnumerable<Entry> Entries() =>
    [
        Measure<Rsqrt>(), Measure<Exp>(), Measure<Exp2>(), Measure<Expm1>(), Measure<Log>(),
        Measure<Log2>(), Measure<Log10>(), Measure<Log1p>(), Measure<Sin>(), Measure<Cos>(),
        Measure<Tan>(), Measure<Asin>(), Measure<Acos>(), Measure<Atan>(), Measure<Sinh>(),
        Measure<Cosh>(), Measure<Tanh>(), Measure<Asinh>(), Measure<Acosh>(), Measure<Atanh>(),
        Measure<Erf>(), Measure<Erfc>(), Measure<Sigmoid>(), Measure<Logistic>(), Measure<Softplus>(), Measure<LogSigmoid>(),
    ];

    private readonly struct Rsqrt : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Rsqrt(x);
    }
    private readonly struct Exp : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Exp(x);
    }
    private readonly struct Exp2 : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Exp2(x);
    }
    private readonly struct Expm1 : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Expm1(x);
    }
    private readonly struct Log : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Log(x);
    }
    private readonly struct Log2 : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Log2(x);
    }
    private readonly struct Log10 : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Log10(x);
    }
    private readonly struct Log1p : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Log1p(x);
    }
    private readonly struct Sin : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Sin(x);
    }
    private readonly struct Cos : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Cos(x);
    }
    private readonly struct Tan : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Tan(x);
    }
    private readonly struct Asin : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Asin(x);
    }
    private readonly struct Acos : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Acos(x);
    }
    private readonly struct Atan : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Atan(x);
    }
    private readonly struct Sinh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Sinh(x);
    }
    private readonly struct Cosh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Cosh(x);
    }
    private readonly struct Tanh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Tanh(x);
    }
    private readonly struct Asinh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Asinh(x);
    }
    private readonly struct Acosh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Acosh(x);
    }
    private readonly struct Atanh : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Atanh(x);
    }
    private readonly struct Erf : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Erf(x);
    }
    private readonly struct Erfc : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Erfc(x);
    }
    private readonly struct Sigmoid : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Sigmoid(x);
    }
    private readonly struct Logistic : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Logistic(x);
    }
    private readonly struct Softplus : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.Softplus(x);
    }
    private readonly struct LogSigmoid : IFunction
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Of<S>(S x) where S : IReal<S> => S.LogSigmoid(x);
    }
}
