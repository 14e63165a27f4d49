using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// What attention does with tiles of scores between its products, a vector of lanes at a time. No method calls another that is not inlined: vectors that live across a call are stored at every turn of a loop.
/// A tile's row is a key and its lanes queries, or the other way round.
/// </summary>
internal static unsafe class AttentionLanes<T, S> where T : unmanaged where S : ILanes<S>
{
    static readonly T* Indices = FirstNumbers();

    static T* FirstNumbers()
    {
        var numbers = (T*)NativeMemory.AlignedAlloc((nuint)(S.Count * sizeof(T)), 64);
        for (int i = 0; i < S.Count; i++) numbers[i] = Of(i);
        return numbers;
    }

    public static T Of(double x) => typeof(T) == typeof(float) ? (T)(object)(float)x : (T)(object)x;

    /// <summary>The lowest finite number: where the search for the largest score begins, so that hidden keys, at −∞, get weight 0 and not NaN.</summary>
    static double Lowest => typeof(T) == typeof(float) ? float.MinValue : double.MinValue;

    /// <summary>The larger; NaN may get lost: its weight is NaN whatever the largest is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Larger(S x, S y) => S.AtLeast(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lane<T> Larger(Lane<T> x, Lane<T> y) => Lane<T>.Select(x < y, y, x);

    /// <summary>No score yet.</summary>
    public static void Begin(int count, T* largest, T* sum)
    {
        for (int i = 0; i < count; i++) (largest[i], sum[i]) = (Of(Lowest), default);
    }

    /// <summary>
    /// One vector of queries over <paramref name="n"/> keys: scores become 2^(score − largest so far), which are added up in order after the sum so far is scaled.
    /// Returns true if the largest rose in any lane: then what was accumulated needs <paramref name="scale"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool Weights(int n, T* scores, nint pitch, T* largest, T* sum, T* scale)
    {
        S before = S.Load(largest), m0 = before, m1 = before, m2 = before, m3 = before;
        T* p = scores;
        int j = 0;
        for (; j + 4 <= n; j += 4, p += 4 * pitch)
        {
            m0 = Larger(S.Load(p), m0);
            m1 = Larger(S.Load(p + pitch), m1);
            m2 = Larger(S.Load(p + 2 * pitch), m2);
            m3 = Larger(S.Load(p + 3 * pitch), m3);
        }
        for (; j < n; j++, p += pitch) m0 = Larger(S.Load(p), m0);
        S m = Larger(Larger(m0, m1), Larger(m2, m3)), total = S.Constant(0);
        p = scores;
        for (j = 0; j < n; j++, p += pitch)
        {
            S e = S.Exp2(S.Load(p) - m);
            S.Store(e, p);
            total = total + e;
        }
        S factor = S.Exp2(before - m);
        S.Store(m, largest);
        S.Store(S.FusedMultiplyAdd(S.Load(sum), factor, total), sum);
        S.Store(factor, scale);
        return !S.None(m > before);
    }

    /// <summary>
    /// The same for bfloat16. A score in exponents is score · <paramref name="factor"/> + bias; weights are added up in float32, dropped where uniform numbers say so, rounded
    /// (to nearest, ties away from zero) and left in pairs of keys, the even one in the lower half, in every other row's place. After an odd number of keys comes a zero.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool WeightPairs(int n, T* scores, nint pitch, double factor, T* bias, T* uniform, double p, T* largest, T* sum, T* scale)
    {
        S f = S.Constant(factor), before = S.Load(largest), m = Larger(LargestOf(n, scores, pitch, f, bias), before), below = -m, total = S.Constant(0);
        S threshold = S.Constant((float)p), kept = S.Constant(1 / (1 - p)), zero = S.Constant(0);
        T* to = scores;
        int j = 0;
        if (bias is null && uniform is null)
            for (; j + 2 <= n; j += 2, scores += 2 * pitch, to += pitch)
            {
                S even = Power(S.FusedMultiplyAdd(S.Load(scores), f, below)), odd = Power(S.FusedMultiplyAdd(S.Load(scores + pitch), f, below));
                total = (total + even) + odd;
                S.Store(Paired(even, odd), to);
            }
        for (; j < n; j += 2, scores += 2 * pitch, to += pitch)
        {
            bool isLast = j + 1 == n;
            S even = Power(S.FusedMultiplyAdd(S.Load(scores), f, bias is null ? below : S.Load(bias) - m)), odd = zero;
            if (!isLast) odd = Power(S.FusedMultiplyAdd(S.Load(scores + pitch), f, bias is null ? below : S.Load(bias + pitch) - m));
            total = (total + even) + odd;
            if (uniform is not null)
            {
                even = S.Select(S.Load(uniform) < threshold, zero, even * kept);
                if (!isLast) odd = S.Select(S.Load(uniform + pitch) < threshold, zero, odd * kept);
                uniform += 2 * pitch;
            }
            if (bias is not null) bias += 2 * pitch;
            S.Store(Paired(even, odd), to);
        }
        S shrink = S.Exp2(before - m);
        S.Store(m, largest);
        S.Store(S.FusedMultiplyAdd(S.Load(sum), shrink, total), sum);
        S.Store(shrink, scale);
        return !S.None(m > before);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S LargestOf(int n, T* scores, nint pitch, S factor, T* bias)
    {
        S none = S.Constant(double.NegativeInfinity), m0 = none, m1 = none, m2 = none, m3 = none;
        int j = 0;
        if (bias is not null)
        {
            for (; j < n; j++, scores += pitch, bias += pitch) m0 = Larger(S.FusedMultiplyAdd(S.Load(scores), factor, S.Load(bias)), m0);
            return m0;
        }
        for (; j + 4 <= n; j += 4, scores += 4 * pitch)
        {
            m0 = Larger(S.Load(scores), m0);
            m1 = Larger(S.Load(scores + pitch), m1);
            m2 = Larger(S.Load(scores + 2 * pitch), m2);
            m3 = Larger(S.Load(scores + 3 * pitch), m3);
        }
        for (; j < n; j++, scores += pitch) m0 = Larger(S.Load(scores), m0);
        return Larger(Larger(m0, m1), Larger(m2, m3)) * factor;
    }

    /// <summary>2ˣ to 2⁻¹⁸, for weights that are rounded to 2⁻⁸: x = n + r, n = ⌊x⌋, 2ʳ = 1 + r q(r), exact at whole numbers and 0 below −200. The largest relative error of q is as small as can be (Remez).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Power(S x)
    {
        x = S.AtLeast(x, S.Constant(-200));
        S r = S.Fraction(x), q = S.FusedMultiplyAdd(r, S.Constant(0.013426683843135834), S.Constant(0.052242472767829895));
        q = S.FusedMultiplyAdd(q, r, S.Constant(0.241280198097229));
        q = S.FusedMultiplyAdd(q, r, S.Constant(0.6930448412895203));
        return S.ScaleByFloor(S.FusedMultiplyAdd(q, r, S.Constant(1)), x);
    }

    /// <summary>Two numbers rounded to their upper halves, to nearest, ties away from zero, the first one into the lower half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Paired(S even, S odd) => Joined(Rounded(even), Rounded(odd));

    /// <summary>The upper halves of two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Joined(S even, S odd) => S.Or(S.ShiftRightBits(even, 16), S.And(odd, S.FromBits(unchecked((int)0xFFFF0000))));

    /// <summary>The upper halves are rounded. NaN stays NaN, since no lower half is full: those of numbers that were bfloat16 and of new ones are empty, and those of a bias were made so.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Rounded(S x) => S.AddBits(x, S.FromBits(0x8000));

    /// <summary>x[row] ·= factor, lane by lane; <paramref name="vectors"/> vectors of <paramref name="rows"/> rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScaleLanes(int rows, int vectors, T* x, nint pitch, T* factor)
    {
        for (int v = 0; v < vectors; v++, x += S.Count, factor += S.Count)
        {
            S f = S.Load(factor);
            T* p = x;
            for (int r = 0; r < rows; r++, p += pitch) S.Store(S.Load(p) * f, p);
        }
    }

    /// <summary>x ·= factor; whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(long count, T* x, double factor)
    {
        S f = S.Constant(factor);
        for (long i = 0; i < count; i += S.Count) S.Store(S.Load(x + i) * f, x + i);
    }

    /// <summary>The same for any count.</summary>
    public static void ScaleAll(int count, T* x, double factor)
    {
        int whole = count / S.Count * S.Count;
        Scale(whole, x, factor);
        for (int i = whole; i < count; i++) x[i] = (new Lane<T>(x[i]) * Lane<T>.Constant(factor)).Value;
    }

    /// <summary>What <see cref="Weights"/> does, but for the sum, for one query whose <paramref name="n"/> scores lie side by side, in room for whole vectors. Returns what what was added up before is multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T WeightsAlong(int n, T* scores, T* largest)
    {
        var before = new Lane<T>(*largest);
        var m = Highest(n, scores, before);
        for (int j = 0; j < n; j += S.Count) S.Store(S.Exp2(S.Load(scores + j) - S.Broadcast(&m)), scores + j);
        *largest = m.Value;
        return Lane<T>.Exp2(before - m).Value;
    }

    /// <summary>The same as <see cref="WeightPairs"/> has it; the weights are not rounded yet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T WeightsAlong(int n, T* scores, double factor, T* largest)
    {
        var before = new Lane<T>(*largest);
        var m = Larger(Highest(n, scores, Lane<T>.Constant(double.NegativeInfinity)) * Lane<T>.Constant(factor), before);
        S f = S.Constant(factor), below = -S.Broadcast(&m);
        for (int j = 0; j < n; j += S.Count) S.Store(Power(S.FusedMultiplyAdd(S.Load(scores + j), f, below)), scores + j);
        *largest = m.Value;
        return Lane<T>.Exp2(before - m).Value;
    }

    /// <summary>The sum of each row in the order of its elements, four rows at a time: one waits for the sum before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SumsAlong(int rows, int n, T* x, nint pitch, T* sums)
    {
        int r = 0;
        for (; r + 4 <= rows; r += 4, x += 4 * pitch)
        {
            Lane<T> a = Lane<T>.Constant(0), b = a, c = a, d = a;
            for (int j = 0; j < n; j++)
            {
                a = a + new Lane<T>(x[j]);
                b = b + new Lane<T>(x[pitch + j]);
                c = c + new Lane<T>(x[2 * pitch + j]);
                d = d + new Lane<T>(x[3 * pitch + j]);
            }
            (sums[r], sums[r + 1], sums[r + 2], sums[r + 3]) = (a.Value, b.Value, c.Value, d.Value);
        }
        for (; r < rows; r++, x += pitch)
        {
            var sum = Lane<T>.Constant(0);
            for (int j = 0; j < n; j++) sum = sum + new Lane<T>(x[j]);
            sums[r] = sum.Value;
        }
    }

    /// <summary>A row of weights is rounded and becomes pairs, <paramref name="step"/> elements apart; after an odd number comes a zero. The row is overwritten.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PairsAlong(int n, T* weights, T* pairs, nint step)
    {
        if (n % 2 == 1) weights[n] = default;
        // numbers of 16 bits side by side are pairs: where they belong if these lie side by side too
        ushort* halves = (ushort*)(step == 1 ? pairs : weights);
        for (int j = 0; j < n; j += S.Count) BFloat16Lanes.Store(Rounded(S.Load(weights + j)), halves + j);
        if (step > 1)
            for (int j = 0; j < (n + 1) / 2; j++) pairs[j * step] = ((T*)halves)[j];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lane<T> Highest(int n, T* scores, Lane<T> atLeast)
    {
        S m = S.Broadcast(&atLeast);
        int j = 0;
        for (; j + S.Count <= n; j += S.Count) m = Larger(S.Load(scores + j), m);
        T* lanes = stackalloc T[S.Count];
        S.Store(m, lanes);
        for (int i = 0; i < S.Count; i++) atLeast = Larger(new(lanes[i]), atLeast);
        for (; j < n; j++) atLeast = Larger(new(scores[j]), atLeast);
        return atLeast;
    }

    /// <summary>The largest of <paramref name="n"/> scores, in exponents: by <paramref name="factor"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T LargestAlong(int n, T* scores, double factor) => (Highest(n, scores, Lane<T>.Constant(double.NegativeInfinity)) * Lane<T>.Constant(factor)).Value;

    public static T LargerOf(T x, T y) => Larger(new Lane<T>(x), new Lane<T>(y)).Value;

    /// <summary>A later block's chain and sum join those of earlier ones, which are multiplied by <paramref name="shrink"/> first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Join(int columns, T* sums, T* sum, T shrink, T* chain, T total)
    {
        S factor = S.Broadcast(&shrink);
        for (int d = 0; d < columns; d += S.Count) S.Store(S.Load(sums + d) * factor + S.Load(chain + d), sums + d);
        *sum = Lane<T>.FusedMultiplyAdd(new(*sum), new(shrink), new(total)).Value;
    }

    /// <summary>A row of sums becomes the result, and <paramref name="logSum"/>, where it is given, <see cref="LogSums"/>.</summary>
    public static void Finish(int columns, T* row, T* largest, T* sum, T* logSum)
    {
        Lane<T> total = new(*sum), zero = Lane<T>.Constant(0), isBlind = Lane<T>.Equal(total, zero), reciprocal = Lane<T>.Select(isBlind, zero, Lane<T>.Constant(1) / total);
        Scale(columns, row, typeof(T) == typeof(float) ? (float)(object)reciprocal.Value : (double)(object)reciprocal.Value);
        if (logSum is not null) *logSum = Lane<T>.Select(isBlind, Lane<T>.Constant(double.PositiveInfinity), new Lane<T>(*largest) + Lane<T>.Log2(total)).Value;
    }

    /// <summary>1 ÷ the sums; 0 where a query saw no key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Reciprocals(int vectors, T* sum, T* result)
    {
        for (int v = 0; v < vectors; v++, sum += S.Count, result += S.Count)
        {
            S s = S.Load(sum);
            S.Store(S.Select(S.Equal(s, S.Constant(0)), S.Constant(0), S.Constant(1) / s), result);
        }
    }

    /// <summary>largest + log₂ sum into the sums; +∞ where a query saw no key, so that its weights are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogSums(int vectors, T* largest, T* sum)
    {
        for (int v = 0; v < vectors; v++, sum += S.Count, largest += S.Count)
        {
            S s = S.Load(sum);
            S.Store(S.Select(S.Equal(s, S.Constant(0)), S.Constant(double.PositiveInfinity), S.Load(largest) + S.Log2(s)), sum);
        }
    }

    /// <summary>Row r is a key and hides from the lanes below <paramref name="first"/> + r: queries that come before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void HideFromEarlier(int rows, int vectors, T* scores, nint pitch, long first)
    {
        S hidden = S.Constant(double.NegativeInfinity), index = S.Load(Indices);
        for (int r = (int)Math.Max(0, 1 - first); r < rows; r++)
        {
            long limit = first + r;
            T* p = scores + r * pitch;
            for (int v = 0; v < vectors && v * S.Count < limit; v++, p += S.Count)
                S.Store(S.Select(index < S.Constant(limit - v * S.Count), hidden, S.Load(p)), p);
        }
    }

    /// <summary>Row r is a key and hides from the lanes from <paramref name="first"/> + r on: queries whose window begins after it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void HideFromLater(int rows, int vectors, T* scores, nint pitch, long first)
    {
        S hidden = S.Constant(double.NegativeInfinity), index = S.Load(Indices);
        int lanes = vectors * S.Count;
        for (int r = 0; r < rows && first + r < lanes; r++)
        {
            long limit = first + r;
            for (int q = (int)Math.Max(0, limit) / S.Count * S.Count; q < lanes; q += S.Count)
                S.Store(S.Select(index < S.Constant(limit - q), S.Load(scores + r * pitch + q), hidden), scores + r * pitch + q);
        }
    }

    /// <summary>scores += bias · log₂ e. What is finite stays finite: a bias of the lowest number does not hide.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddBias(int rows, int vectors, T* scores, nint pitch, T* bias, nint biasPitch)
    {
        S hidden = S.Constant(double.NegativeInfinity), lowest = S.Constant(Lowest), log2E = S.Constant(1 / Math.Log(2));
        for (int r = 0; r < rows; r++, scores += pitch, bias += biasPitch)
            for (int q = 0; q < vectors * S.Count; q += S.Count)
            {
                S b = S.Load(bias + q), exponent = b * log2E;
                exponent = S.Select(S.Equal(b, hidden), hidden, S.Select(exponent < lowest, lowest, exponent));
                S.Store(S.Load(scores + q) + exponent, scores + q);
            }
    }

    /// <summary>The same without the scores: bias becomes bias · log₂ e, and any NaN the one whose lower half is empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exponents(int rows, int vectors, T* bias, nint pitch)
    {
        S noNumber = S.Constant(double.NaN), hidden = S.Constant(double.NegativeInfinity), lowest = S.Constant(Lowest), log2E = S.Constant(1 / Math.Log(2));
        for (int r = 0; r < rows; r++, bias += pitch)
            for (int q = 0; q < vectors * S.Count; q += S.Count)
            {
                S b = S.Load(bias + q), exponent = b * log2E;
                exponent = S.Select(S.Equal(b, hidden), hidden, S.Select(exponent < lowest, lowest, exponent));
                S.Store(S.Select(S.Equal(b, b), exponent, noNumber), bias + q);
            }
    }

    /// <summary>x becomes 0 where a uniform number is below p, else x ÷ (1 − p).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Drop(int rows, int vectors, T* x, nint pitch, T* uniform, nint uniformPitch, double p)
    {
        S threshold = S.Constant((float)p), scale = S.Constant(1 / (1 - p)), zero = S.Constant(0);
        for (int r = 0; r < rows; r++, x += pitch, uniform += uniformPitch)
            for (int q = 0; q < vectors * S.Count; q += S.Count)
                S.Store(S.Select(S.Load(uniform + q) < threshold, zero, S.Load(x + q) * scale), x + q);
    }

    /// <summary>
    /// Row r is a query and its lanes are keys: scores become weights P = 2^(score − L), and gradients of the weights become those of the scores, P (dP − D).
    /// Lanes before <paramref name="from"/> + r, and from <paramref name="seen"/> + r on, are hidden.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradients(int rows, int vectors, T* scores, T* gradients, nint pitch, T* logSum, T* delta, long from, long seen)
    {
        S index = S.Load(Indices), zero = S.Constant(0);
        for (int r = 0; r < rows; r++, scores += pitch, gradients += pitch)
        {
            S l = S.Broadcast(logSum + r), d = S.Broadcast(delta + r);
            if (seen + r >= vectors * S.Count && from + r <= 0)
                for (int q = 0; q < vectors * S.Count; q += S.Count)
                {
                    S p = S.Exp2(S.Load(scores + q) - l);
                    S.Store(p, scores + q);
                    S.Store(p * (S.Load(gradients + q) - d), gradients + q);
                }
            else
                for (int q = 0; q < vectors * S.Count; q += S.Count)
                {
                    S visible = Between(index, from + r - q, seen + r - q);
                    S p = S.Select(visible, S.Exp2(S.Load(scores + q) - l), zero);
                    S.Store(p, scores + q);
                    S.Store(S.Select(visible, p * (S.Load(gradients + q) - d), zero), gradients + q);
                }
        }
    }

    /// <summary>True in lanes from <paramref name="from"/> on and before <paramref name="to"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static S Between(S index, long from, long to) => S.And(index < S.Constant(to), S.Constant(from - 1) < index);

    /// <summary>
    /// The same for bfloat16, scores and weights being as in <see cref="WeightPairs"/>: what meets the values goes into <paramref name="weightPairs"/> and gradients into <paramref name="gradientPairs"/>, both in pairs of
    /// rows, and gradients also row by row into <paramref name="gradientRows"/>. After an odd number of rows comes a zero.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void GradientPairs(int rows, int vectors, T* scores, T* gradients, nint pitch, double factor, T* bias, T* uniform, double p, T* logSum, T* delta, long from, long seen,
        T* weightPairs, T* gradientPairs, ushort* gradientRows, nint rowPitch)
    {
        S f = S.Constant(factor), zero = S.Constant(0), threshold = S.Constant((float)p), kept = S.Constant(1 / (1 - p)), index = S.Load(Indices);
        bool isPlain = bias is null && uniform is null;
        for (int r = 0; r < rows; r += 2)
        {
            // an odd number's last row is paired with itself, and then with zeros
            int other = r + 1 < rows ? 1 : 0;
            S l0 = -S.Broadcast(logSum + r), l1 = -S.Broadcast(logSum + r + other), d0 = S.Broadcast(delta + r), d1 = S.Broadcast(delta + r + other);
            T* s0 = scores + r * pitch, s1 = s0 + other * pitch, t0 = gradients + r * pitch, t1 = t0 + other * pitch;
            if (isPlain && other == 1 && seen + r >= vectors * S.Count && from + r + 1 <= 0)
                for (int q = 0; q < vectors * S.Count; q += S.Count)
                {
                    S e0 = Power(S.FusedMultiplyAdd(S.Load(s0 + q), f, l0)), e1 = Power(S.FusedMultiplyAdd(S.Load(s1 + q), f, l1));
                    S.Store(Paired(e0, e1), weightPairs + q);
                    S g0 = Rounded(e0 * (S.Load(t0 + q) - d0)), g1 = Rounded(e1 * (S.Load(t1 + q) - d1));
                    S.Store(Joined(g0, g1), gradientPairs + q);
                    BFloat16Lanes.Store(g0, gradientRows + q);
                    BFloat16Lanes.Store(g1, gradientRows + rowPitch + q);
                }
            else
                for (int q = 0; q < vectors * S.Count; q += S.Count)
                {
                    T* b0 = bias + r * pitch + q, b1 = b0 + other * pitch, u0 = uniform + r * pitch + q, u1 = u0 + other * pitch;
                    S e0 = Power(S.FusedMultiplyAdd(S.Load(s0 + q), f, bias is null ? l0 : S.Load(b0) + l0)), e1 = Power(S.FusedMultiplyAdd(S.Load(s1 + q), f, bias is null ? l1 : S.Load(b1) + l1));
                    S g0 = S.Load(t0 + q), g1 = S.Load(t1 + q), w0 = e0, w1 = e1;
                    if (uniform is not null)
                    {
                        S out0 = S.Load(u0) < threshold, out1 = S.Load(u1) < threshold;
                        (g0, g1) = (S.Select(out0, zero, g0 * kept), S.Select(out1, zero, g1 * kept));
                        (w0, w1) = (S.Select(out0, zero, w0 * kept), S.Select(out1, zero, w1 * kept));
                    }
                    S visible = Between(index, from + r - q, seen + r - q), next = Between(index, from + r + 1 - q, other == 1 ? seen + r + 1 - q : 0);
                    (g0, g1) = (S.Select(visible, e0 * (g0 - d0), zero), S.Select(next, e1 * (g1 - d1), zero));
                    S.Store(Paired(S.Select(visible, w0, zero), S.Select(next, w1, zero)), weightPairs + q);
                    (g0, g1) = (Rounded(g0), Rounded(g1));
                    S.Store(Joined(g0, g1), gradientPairs + q);
                    BFloat16Lanes.Store(g0, gradientRows + q);
                    if (other == 1) BFloat16Lanes.Store(g1, gradientRows + rowPitch + q);
                }
            weightPairs += pitch;
            gradientPairs += pitch;
            gradientRows += 2 * rowPitch;
        }
    }

    /// <summary>Chains that a sum over a row is made of, whatever the width of vectors.</summary>
    public const int Chains = 16;

    /// <summary>Σ x · y of each row; columns lie side by side and fill the chains evenly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dots(long rows, int columns, T* x, nint xRow, T* y, nint yRow, T* sums)
    {
        T* chains = stackalloc T[Chains];
        for (long r = 0; r < rows; r++, x += xRow, y += yRow)
        {
            for (int v = 0; v < Chains; v += S.Count)
            {
                S sum = S.Constant(0);
                for (int d = v; d < columns; d += Chains) sum = S.FusedMultiplyAdd(S.Load(x + d), S.Load(y + d), sum);
                S.Store(sum, chains + v);
            }
            sums[r] = Joined(chains);
        }
    }

    /// <summary>The same of bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DotsOfHalves(long rows, int columns, ushort* x, nint xRow, ushort* y, nint yRow, T* sums)
    {
        T* chains = stackalloc T[Chains];
        for (long r = 0; r < rows; r++, x += xRow, y += yRow)
        {
            for (int v = 0; v < Chains; v += S.Count)
            {
                S sum = S.Constant(0);
                for (int d = v; d < columns; d += Chains) sum = S.FusedMultiplyAdd(BFloat16Lanes.Load<S>(x + d), BFloat16Lanes.Load<S>(y + d), sum);
                S.Store(sum, chains + v);
            }
            sums[r] = Joined(chains);
        }
    }

    /// <summary>Σ x · y of one row, any steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static T Dot(int columns, T* x, nint xStep, T* y, nint yStep)
    {
        T* chains = stackalloc T[Chains];
        new Span<T>(chains, Chains).Clear();
        for (int d = 0; d < columns; d++)
            chains[d % Chains] = Lane<T>.FusedMultiplyAdd(new(x[d * xStep]), new(y[d * yStep]), new(chains[d % Chains])).Value;
        return Joined(chains);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T Joined(T* chains)
    {
        for (int half = Chains / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++) chains[i] = (new Lane<T>(chains[i]) + new Lane<T>(chains[i + half])).Value;
        return chains[0];
    }
}
