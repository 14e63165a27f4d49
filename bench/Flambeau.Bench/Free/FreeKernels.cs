using System.Runtime.CompilerServices;
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
    static float Sum<L>(L x) where L : struct, ILanes<L>
    {
        float* lanes = stackalloc float[16];
        L.Store(x, lanes);
        float sum = 0;
        for (int i = 0; i < L.Count; i++) sum += lanes[i];
        return sum;
    }

    // ---- products ----

    /// <summary>y[m, n] = x[m, k] · w[n, k]ᵀ for one row or a multiple of four: vectors along k, added up across their lanes at the end.</summary>
    public static void FewRows(Tensor x, Tensor w, Tensor y)
    {
        var job = new Job { Rows = x.Shape[0], N = w.Shape[0], K = w.Shape[1] };
        int parts = 4 * Team.Threads;
        if (job.Rows == 1) Run<OneRow>(x, w, y, job, job.N / 4, parts);
        else Run<FourRows>(x, w, y, job, job.N / 4, parts);
    }

    // four columns, two chains each
    struct OneRow : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            long k = job.K;
            for (long j = 4 * from; j < 4 * to; j += 4)
            {
                float* x = job.X, end = x + k, w = job.W + j * k;
                L a0 = L.Constant(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
                for (; x < end; x += 2 * L.Count, w += 2 * L.Count)
                {
                    L x0 = L.Load(x), x1 = L.Load(x + L.Count);
                    a0 = L.FusedMultiplyAdd(L.Load(w), x0, a0);
                    a1 = L.FusedMultiplyAdd(L.Load(w + L.Count), x1, a1);
                    b0 = L.FusedMultiplyAdd(L.Load(w + k), x0, b0);
                    b1 = L.FusedMultiplyAdd(L.Load(w + k + L.Count), x1, b1);
                    c0 = L.FusedMultiplyAdd(L.Load(w + 2 * k), x0, c0);
                    c1 = L.FusedMultiplyAdd(L.Load(w + 2 * k + L.Count), x1, c1);
                    d0 = L.FusedMultiplyAdd(L.Load(w + 3 * k), x0, d0);
                    d1 = L.FusedMultiplyAdd(L.Load(w + 3 * k + L.Count), x1, d1);
                }
                (job.Y[j], job.Y[j + 1], job.Y[j + 2], job.Y[j + 3]) = (Sum(a0 + a1), Sum(b0 + b1), Sum(c0 + c1), Sum(d0 + d1));
            }
        }
    }

    // four rows by four columns
    struct FourRows : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            long k = job.K, n = job.N;
            for (long j = 4 * from; j < 4 * to; j += 4)
                for (long i = 0; i < job.Rows; i += 4)
                {
                    float* x = job.X + i * k, end = x + k, w = job.W + j * k, y = job.Y + i * n + j;
                    L s00 = L.Constant(0), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00, s20 = s00, s21 = s00, s22 = s00, s23 = s00, s30 = s00, s31 = s00, s32 = s00, s33 = s00;
                    for (; x < end; x += L.Count, w += L.Count)
                    {
                        L w0 = L.Load(w), w1 = L.Load(w + k), w2 = L.Load(w + 2 * k), w3 = L.Load(w + 3 * k), u = L.Load(x);
                        (s00, s01, s02, s03) = (L.FusedMultiplyAdd(u, w0, s00), L.FusedMultiplyAdd(u, w1, s01), L.FusedMultiplyAdd(u, w2, s02), L.FusedMultiplyAdd(u, w3, s03));
                        u = L.Load(x + k);
                        (s10, s11, s12, s13) = (L.FusedMultiplyAdd(u, w0, s10), L.FusedMultiplyAdd(u, w1, s11), L.FusedMultiplyAdd(u, w2, s12), L.FusedMultiplyAdd(u, w3, s13));
                        u = L.Load(x + 2 * k);
                        (s20, s21, s22, s23) = (L.FusedMultiplyAdd(u, w0, s20), L.FusedMultiplyAdd(u, w1, s21), L.FusedMultiplyAdd(u, w2, s22), L.FusedMultiplyAdd(u, w3, s23));
                        u = L.Load(x + 3 * k);
                        (s30, s31, s32, s33) = (L.FusedMultiplyAdd(u, w0, s30), L.FusedMultiplyAdd(u, w1, s31), L.FusedMultiplyAdd(u, w2, s32), L.FusedMultiplyAdd(u, w3, s33));
                    }
                    (y[0], y[1], y[2], y[3]) = (Sum(s00), Sum(s01), Sum(s02), Sum(s03));
                    (y[n], y[n + 1], y[n + 2], y[n + 3]) = (Sum(s10), Sum(s11), Sum(s12), Sum(s13));
                    (y[2 * n], y[2 * n + 1], y[2 * n + 2], y[2 * n + 3]) = (Sum(s20), Sum(s21), Sum(s22), Sum(s23));
                    (y[3 * n], y[3 * n + 1], y[3 * n + 2], y[3 * n + 3]) = (Sum(s30), Sum(s31), Sum(s32), Sum(s33));
                }
        }
    }

    /// <summary>The product of two vectors, into y[0]: eight chains of vectors a thread.</summary>
    public static void Dot(Tensor x, Tensor w, Tensor y) => Whole<DotPart>(x, w, y, add: true);

    struct DotPart : IKernel
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L>(in Job job, long from, long to) where L : struct, ILanes<L>
        {
            L c0 = L.Constant(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
            float* x = job.X + from * Piece, end = job.X + to * Piece, w = job.W + from * Piece;
            for (; x < end; x += 8 * L.Count, w += 8 * L.Count)
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
            job.Scratch[16 * (from > 0 ? 1 : 0)] = Sum(((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7)));
        }
    }

    // ---- sums ----

    /// <summary>Elements in a piece that no thread's share divides.</summary>
    const int Piece = 128;

    /// <summary>The sum of all elements, into y[0].</summary>
    public static void Total(Tensor x, Tensor y) => Whole<TotalPart>(x, x, y, add: true);

    static void Whole<TKernel>(Tensor x, Tensor w, Tensor y, bool add) where TKernel : IKernel
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
