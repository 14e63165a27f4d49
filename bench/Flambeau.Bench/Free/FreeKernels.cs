using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Bench.Free;

/// <summary>Float32 kernels that no law binds: sums in as many chains as suit the processor, cut by the number of threads. Contiguous tensors, sizes of whole vectors.</summary>
internal static unsafe class FreeKernels
{
    interface IKernel
    {
        static abstract void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>;
    }

    struct Job
    {
        public float* X, W, Y;
        public long Rows, N, K;
        public float* Scratch;
    }

    struct Parts<TKernel> : IPart where TKernel : IKernel
    {
        public Job Job;
        public long Size;
        public int Count;

        public readonly void Run(int part)
        {
            long from = Size * part / Count, to = Size * (part + 1) / Count;
            if (Ops.Kernel.Width == 512) TKernel.Run<Lanes512<float>>(Job, from, to);
            else if (Ops.Kernel.Width == 256) TKernel.Run<Lanes256<float>>(Job, from, to);
            else TKernel.Run<Lanes128<float>>(Job, from, to);
        }
    }

    static void Run<TKernel>(Tensor x, Tensor w, Tensor y, Job job, long size, int count) where TKernel : IKernel
    {
        fixed (byte* atX = x.Store!, atW = w.Store!, atY = y.Store!)
        {
            job.X = (float*)atX + x.Offset;
            job.W = (float*)atW + w.Offset;
            job.Y = (float*)atY + y.Offset;
            var parts = new Parts<TKernel> { Job = job, Size = size, Count = count };
            Team.Run(count, ref parts);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Sum<L>(L x) where L : struct, ILanes<L> =>
        typeof(L) == typeof(Lanes512<float>) ? Vector512.Sum(Unsafe.BitCast<L, Vector512<float>>(x))
        : typeof(L) == typeof(Lanes256<float>) ? Vector256.Sum(Unsafe.BitCast<L, Vector256<float>>(x)) : Vector128.Sum(Unsafe.BitCast<L, Vector128<float>>(x));

    // ---- products ----

    /// <summary>y[m, n] = x[m, k] · w[n, k]ᵀ for one row or a multiple of four: vectors along k, added up across their lanes at the end.</summary>
    public static void FewRows(Tensor x, Tensor w, Tensor y)
    {
        var job = new Job { Rows = x.Shape[0], N = w.Shape[0], K = w.Shape[1] };
        int parts = 4 * Team.Threads;
        if (job.Rows == 1) Run<OneRow>(x, w, y, job, job.N, parts);
        else Run<FourRows>(x, w, y, job, job.N / 2, parts);
    }

    // a column is a dot product: eight chains along a row of the weights
    struct OneRow : IKernel
    {
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            for (long j = from; j < to; j++) job.Y[j] = OfProducts<L>(job.X, job.W + j * job.K, job.K);
        }
    }

    // four rows by two columns
    struct FourRows : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            long k = job.K, n = job.N;
            for (long j = 2 * from; j < 2 * to; j += 2)
                for (long i = 0; i < job.Rows; i += 4)
                {
                    float* x = job.X + i * k, end = x + k, w = job.W + j * k, y = job.Y + i * n + j;
                    L s00 = L.Constant(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
                    for (; x < end; x += L.Count, w += L.Count)
                    {
                        L w0 = L.Load(w), w1 = L.Load(w + k), u = L.Load(x);
                        s00 = L.FusedMultiplyAdd(u, w0, s00);
                        s01 = L.FusedMultiplyAdd(u, w1, s01);
                        u = L.Load(x + k);
                        s10 = L.FusedMultiplyAdd(u, w0, s10);
                        s11 = L.FusedMultiplyAdd(u, w1, s11);
                        u = L.Load(x + 2 * k);
                        s20 = L.FusedMultiplyAdd(u, w0, s20);
                        s21 = L.FusedMultiplyAdd(u, w1, s21);
                        u = L.Load(x + 3 * k);
                        s30 = L.FusedMultiplyAdd(u, w0, s30);
                        s31 = L.FusedMultiplyAdd(u, w1, s31);
                    }
                    y[0] = Sum(s00);
                    y[1] = Sum(s01);
                    y[n] = Sum(s10);
                    y[n + 1] = Sum(s11);
                    y[2 * n] = Sum(s20);
                    y[2 * n + 1] = Sum(s21);
                    y[3 * n] = Sum(s30);
                    y[3 * n + 1] = Sum(s31);
                }
        }
    }

    /// <summary>The product of two vectors, into y[0]: eight chains of vectors a thread.</summary>
    public static void Dot(Tensor x, Tensor w, Tensor y) => Whole<DotPart>(x, w, y);

    struct DotPart : IKernel
    {
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L> =>
            job.Scratch[16 * (from > 0 ? 1 : 0)] = OfProducts<L>(job.X + from * Piece, job.W + from * Piece, (to - from) * Piece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float OfProducts<L>(float* x, float* w, long k) where L : struct, ILanes<L>
    {
        L c0 = L.Constant(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        for (float* end = x + k; x < end; x += 8 * L.Count, w += 8 * L.Count)
        {
            c0 = L.FusedMultiplyAdd(L.Load(x), L.Load(w), c0);
            c1 = L.FusedMultiplyAdd(L.Load(x + L.Count), L.Load(w + L.Count), c1);
            c2 = L.FusedMultiplyAdd(L.Load(x + 2 * L.Count), L.Load(w + 2 * L.Count), c2);
            c3 = L.FusedMultiplyAdd(L.Load(x + 3 * L.Count), L.Load(w + 3 * L.Count), c3);
            c4 = L.FusedMultiplyAdd(L.Load(x + 4 * L.Count), L.Load(w + 4 * L.Count), c4);
            c5 = L.FusedMultiplyAdd(L.Load(x + 5 * L.Count), L.Load(w + 5 * L.Count), c5);
            c6 = L.FusedMultiplyAdd(L.Load(x + 6 * L.Count), L.Load(w + 6 * L.Count), c6);
            c7 = L.FusedMultiplyAdd(L.Load(x + 7 * L.Count), L.Load(w + 7 * L.Count), c7);
        }
        return Sum(((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)));
    }

    // ---- sums ----

    /// <summary>Elements in a piece that no thread's share divides.</summary>
    const int Piece = 128;

    /// <summary>The sum of all elements, into y[0].</summary>
    public static void Total(Tensor x, Tensor y) => Whole<TotalPart>(x, x, y);

    static void Whole<TKernel>(Tensor x, Tensor w, Tensor y) where TKernel : IKernel
    {
        float* sums = stackalloc float[32];
        new Span<float>(sums, 32).Clear();
        // two shares at most: enough for what is compared here
        int threads = x.Numel >= 1 << 15 ? Math.Min(2, Team.Threads) : 1;
        Run<TKernel>(x, w, y, new Job { Scratch = sums }, x.Numel / Piece, threads);
        fixed (byte* at = y.Store!) ((float*)at)[y.Offset] = sums[0] + sums[16];
    }

    struct TotalPart : IKernel
    {
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L> => job.Scratch[16 * (from > 0 ? 1 : 0)] = OfRow<L>(job.X + from * Piece, job.X + to * Piece);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float OfRow<L>(float* x, float* end) where L : struct, ILanes<L>
    {
        L c0 = L.Constant(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        for (; x < end; x += 8 * L.Count)
        {
            (c0, c1, c2, c3) = (c0 + L.Load(x), c1 + L.Load(x + L.Count), c2 + L.Load(x + 2 * L.Count), c3 + L.Load(x + 3 * L.Count));
            (c4, c5, c6, c7) = (c4 + L.Load(x + 4 * L.Count), c5 + L.Load(x + 5 * L.Count), c6 + L.Load(x + 6 * L.Count), c7 + L.Load(x + 7 * L.Count));
        }
        return Sum(((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)));
    }

    /// <summary>The sum of each row.</summary>
    public static void OfRows(Tensor x, Tensor y) => Run<RowsPart>(x, x, y, new Job { K = x.Shape[1] }, x.Shape[0], 4 * Team.Threads);

    struct RowsPart : IKernel
    {
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            for (long r = from; r < to; r++) job.Y[r] = OfRow<L>(job.X + r * job.K, job.X + (r + 1) * job.K);
        }
    }

    /// <summary>The sum of each of few columns: a share of the rows a thread, a vector's sum in a register all the way down.</summary>
    public static void OfColumns(Tensor x, Tensor y)
    {
        long n = x.Shape[1];
        int threads = Team.Threads;
        float* sums = stackalloc float[checked((int)n * threads)];
        Run<ColumnsPart>(x, x, y, new Job { Rows = x.Shape[0] / threads, N = n, Scratch = sums }, threads, threads);
        fixed (byte* at = y.Store!)
            for (long j = 0; j < n; j++)
            {
                float sum = 0;
                for (int t = 0; t < threads; t++) sum += sums[t * n + j];
                ((float*)at)[y.Offset + j] = sum;
            }
    }

    struct ColumnsPart : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            long n = job.N;
            float* first = job.X + from * job.Rows * n, end = first + job.Rows * n;
            for (long j = 0; j < n; j += 4 * L.Count)
            {
                L c0 = L.Constant(0), c1 = c0, c2 = c0, c3 = c0;
                for (float* x = first + j; x < end; x += n)
                    (c0, c1, c2, c3) = (c0 + L.Load(x), c1 + L.Load(x + L.Count), c2 + L.Load(x + 2 * L.Count), c3 + L.Load(x + 3 * L.Count));
                float* sums = job.Scratch + from * n + j;
                L.Store(c0, sums);
                L.Store(c1, sums + L.Count);
                L.Store(c2, sums + 2 * L.Count);
                L.Store(c3, sums + 3 * L.Count);
            }
        }
    }

    // ---- rows ----

    /// <summary>y = x / √(mean x² + 10⁻⁶) · w along rows.</summary>
    public static void RmsNorm(Tensor x, Tensor w, Tensor y) => Run<RmsNormPart>(x, w, y, new Job { K = x.Shape[1] }, x.Shape[0], 4 * Team.Threads);

    struct RmsNormPart : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            for (long r = from; r < to; r++)
            {
                float* x = job.X + r * job.K, y = job.Y + r * job.K;
                float factor = 1 / MathF.Sqrt(Squares<L>(x, x + job.K) / job.K + 1e-6f);
                L scale = L.Broadcast(&factor);
                for (long i = 0; i < job.K; i += 4 * L.Count)
                    for (int q = 0; q < 4 * L.Count; q += L.Count) L.Store(L.Load(x + i + q) * scale * L.Load(job.W + i + q), y + i + q);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Squares<L>(float* x, float* end) where L : struct, ILanes<L>
    {
        L c0 = L.Constant(0), c1 = c0, c2 = c0, c3 = c0;
        for (; x < end; x += 4 * L.Count)
        {
            L x0 = L.Load(x), x1 = L.Load(x + L.Count), x2 = L.Load(x + 2 * L.Count), x3 = L.Load(x + 3 * L.Count);
            (c0, c1, c2, c3) = (L.FusedMultiplyAdd(x0, x0, c0), L.FusedMultiplyAdd(x1, x1, c1), L.FusedMultiplyAdd(x2, x2, c2), L.FusedMultiplyAdd(x3, x3, c3));
        }
        return Sum((c0 + c1) + (c2 + c3));
    }

    /// <summary>Softmax along rows.</summary>
    public static void Softmax(Tensor x, Tensor y) => Run<SoftmaxPart>(x, x, y, new Job { K = x.Shape[1] }, x.Shape[0], 4 * Team.Threads);

    struct SoftmaxPart : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            for (long r = from; r < to; r++)
            {
                float* x = job.X + r * job.K, y = job.Y + r * job.K;
                float largest = Largest<L>(x, x + job.K), one = 1 / Exponentials<L>(x, y, job.K, largest);
                L scale = L.Broadcast(&one);
                for (long i = 0; i < job.K; i += 4 * L.Count)
                    for (int q = 0; q < 4 * L.Count; q += L.Count) L.Store(L.Load(y + i + q) * scale, y + i + q);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Largest<L>(float* x, float* end) where L : struct, ILanes<L>
    {
        L c0 = L.Load(x), c1 = c0, c2 = c0, c3 = c0;
        for (; x < end; x += 4 * L.Count)
            (c0, c1, c2, c3) = (L.Max(c0, L.Load(x)), L.Max(c1, L.Load(x + L.Count)), L.Max(c2, L.Load(x + 2 * L.Count)), L.Max(c3, L.Load(x + 3 * L.Count)));
        float* lanes = stackalloc float[16];
        L.Store(L.Max(L.Max(c0, c1), L.Max(c2, c3)), lanes);
        float largest = lanes[0];
        for (int i = 1; i < L.Count; i++) largest = Math.Max(largest, lanes[i]);
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Exponentials<L>(float* x, float* y, long n, float largest) where L : struct, ILanes<L>
    {
        L most = L.Broadcast(&largest), c0 = L.Constant(0), c1 = c0;
        for (long i = 0; i < n; i += 2 * L.Count)
        {
            L e0 = L.Exp(L.Load(x + i) - most), e1 = L.Exp(L.Load(x + i + L.Count) - most);
            L.Store(e0, y + i);
            L.Store(e1, y + i + L.Count);
            (c0, c1) = (c0 + e0, c1 + e1);
        }
        return Sum(c0 + c1);
    }
}
