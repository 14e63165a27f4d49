using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Flambeau.Kernels;
using Flambeau.Runtime;

namespace Flambeau.Diagnostics;

/// <summary>
/// What the machine can do with all of <see cref="Settings.Threads"/>: the two limits of the roofline model (Williams, Waterman and Patterson 2009, "Roofline: an insightful visual performance model").
/// </summary>
/// <param name="BytesPerSecond">Bytes read and written by a copy that fits into no cache.</param>
/// <param name="OperationsPerSecond">Float32 operations of fused multiply-adds, two each, on registers. Float64 has half of it.</param>
public sealed record Roof(double BytesPerSecond, double OperationsPerSecond)
{
    const int Rounds = 5;
    const long LeastBytes = 32 << 20, MostBytes = 256 << 20;

    /// <summary>Measures both, the best of a few rounds. Takes about a fifth of a second, and less than the truth comes out where other work keeps the machine busy.</summary>
    public static Roof Measure() => new(MeasureCopy(), MeasureArithmetic());

    /// <summary>The time that a cost takes at the roof.</summary>
    internal double SecondsFor(Cost cost, DType type) => Math.Max(cost.Bytes / BytesPerSecond, cost.Operations * (type == DType.Float64 ? 2.0 : 1.0) / OperationsPerSecond);

    static double MeasureCopy()
    {
        long bytes = Math.Clamp(2 * Processor.L3, LeastBytes, MostBytes);
        Tensor x = Tensor.Zeros(bytes / sizeof(float)), y = Tensor.Zeros(bytes / sizeof(float));
        double rate = 2 * bytes / Best(() => Ops.Copy.Into(y, x));
        x.Dispose();
        y.Dispose();
        return rate;
    }

    static double MeasureArithmetic()
    {
        int threads = Team.Share;
        double operations = 2.0 * Arithmetic.Chains * Arithmetic.Length * Arithmetic.Lanes * threads;
        return operations / Best(() =>
        {
            var part = new Arithmetic();
            Team.Run(threads, ref part);
        });
    }

    static double Best(Action run)
    {
        run();
        double best = double.PositiveInfinity;
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    /// <summary>Chains of multiply-adds that wait for nothing but themselves.</summary>
    unsafe struct Arithmetic : IPart
    {
        /// <summary>A multiply-add takes 4 or 5 cycles and two begin in each: 12 chains keep 16 registers' worth of units busy.</summary>
        public const int Chains = 12;
        public const int Length = 1_000_000;

        public static int Lanes => Gemm.Width / 32;

        public readonly void Run(int part)
        {
            if (Gemm.Width == 512) Multiply<Float512, Vector512<float>>();
            else if (Gemm.Width == 256) Multiply<Float256, Vector256<float>>();
            else Multiply<Float128, Vector128<float>>();
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Multiply<M, V>() where M : ILaneMath<float, V> where V : struct
        {
            float half = 0.5f;
            V m = M.Broadcast(&half), a = m, b = m, c = m, d = m, e = m, f = m, g = m, h = m, i = m, j = m, k = m, l = m;
            for (int n = 0; n < Length; n++)
            {
                a = M.FusedMultiplyAdd(a, m, m);
                b = M.FusedMultiplyAdd(b, m, m);
                c = M.FusedMultiplyAdd(c, m, m);
                d = M.FusedMultiplyAdd(d, m, m);
                e = M.FusedMultiplyAdd(e, m, m);
                f = M.FusedMultiplyAdd(f, m, m);
                g = M.FusedMultiplyAdd(g, m, m);
                h = M.FusedMultiplyAdd(h, m, m);
                i = M.FusedMultiplyAdd(i, m, m);
                j = M.FusedMultiplyAdd(j, m, m);
                k = M.FusedMultiplyAdd(k, m, m);
                l = M.FusedMultiplyAdd(l, m, m);
            }
            V sum = M.Add(M.Add(M.Add(a, b), M.Add(c, d)), M.Add(M.Add(M.Add(e, f), M.Add(g, h)), M.Add(M.Add(i, j), M.Add(k, l))));
            float* kept = stackalloc float[16];
            M.Store(sum, kept);
            if (*kept == 0) throw new InvalidOperationException("Roof: the sums converge to 1 each, so their sum is not 0");
        }
    }
}
