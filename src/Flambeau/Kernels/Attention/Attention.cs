using System.Runtime.Intrinsics;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>Where one operand's heads lie: <c>At[item, group, row, column]</c>, strides in elements. An item is a position of the batch and a head of the keys; its group are the query heads that share it.</summary>
internal unsafe struct Heads<T> where T : unmanaged
{
    public T* At;
    /// <summary>By index of the batch and by head of the keys.</summary>
    public long[] Strides;
    public long Group, Row, Column;

    public readonly T* Of(long[] sizes, long item, long group)
    {
        T* at = At + group * Group;
        for (int d = sizes.Length - 1; d >= 0; d--)
        {
            at += item % sizes[d] * Strides[d];
            item /= sizes[d];
        }
        return at;
    }

    /// <summary>Asks for rows of a head before they are read or written.</summary>
    public readonly void Prefetch(T* head, long from, long to, int columns)
    {
        if (Column == 1 && from < to) Kernels.Prefetch.RowsToL2(head + from * Row, to - from, Row * sizeof(T), (long)columns * sizeof(T));
    }
}

/// <summary>
/// softmax(Q Kᵀ · scale + bias) V and its gradients, without the weights ever being whole, of elements <typeparamref name="E"/> computed in <typeparamref name="T"/>. The law: keys come in blocks of <see cref="Attention.KeyBlock"/> anchored at 0; a block's scores are products of
/// <see cref="Gemm"/>'s law; its weights are 2^(score − the largest so far), summed in the order of the keys; what came before is scaled by 2^(old − new largest), and the block's chain of V's rows is added to it. Hidden keys have weight 0.
/// bfloat16 keeps scores, sums and results in float32 and rounds the weights that meet V, by <see cref="AttentionLanes{T, S}.WeightPairs"/>.
/// So a query's result depends on the query and the keys that it sees alone: the same bits for any width of vectors, threads, neighbours, and whether the keys came all at once or in pieces. Keys before a window are left out, in whole blocks and at the beginning of one: their zeros add nothing.
/// Online softmax after Milakov and Gimelshein 2018; blocks and the backward pass after Dao et al. 2022 (FlashAttention) and Rabe and Staats 2021.
/// </summary>
internal unsafe struct AttentionOf<E, T> where E : unmanaged where T : unmanaged
{
    /// <summary>The sizes of the items' indices.</summary>
    public long[] Sizes;
    public long Items, Queries, Keys;
    /// <summary>Query heads that share a head of the keys.</summary>
    public int Groups;
    /// <summary>Columns of Q and K, and of V.</summary>
    public int Size, ValueSize;
    public double Scale;
    /// <summary>A query sees keys up to its own position, which for query t is t + <see cref="Shift"/>.</summary>
    public bool IsCausal;
    public long Shift;
    /// <summary>A causal query sees so many keys at most, the nearest; 0: all before it.</summary>
    public long Window;
    public Heads<E> Q, K, V, O;
    /// <summary>Added to the scores where it is given; −∞ hides.</summary>
    public Heads<T> Bias;
    /// <summary>Zero hides, where it is given.</summary>
    public Heads<byte> Allowed;
    /// <summary>The probability that a weight is dropped, by the draw's number of its place among the weights [item, group, query, key].</summary>
    public double Dropout;
    public Draw Draw;
    /// <summary>log₂ Σ 2^score by item, group and query; null if nobody wants it.</summary>
    public T* LogSum;
    /// <summary>For the backward pass.</summary>
    public Heads<E> GradO, GradQ, GradK, GradV;

    public readonly bool IsMasked => Bias.At is not null || Allowed.At is not null;

    public readonly bool IsDropped => Dropout > 0;

    /// <summary>A query sees keys from <see cref="From"/> up to here.</summary>
    public readonly long Seen(long query) => IsCausal ? Math.Clamp(query + Shift + 1, 0, Keys) : Keys;

    public readonly long From(long query) => Window > 0 ? Math.Clamp(query + Shift + 1 - Window, 0, Keys) : 0;

    /// <summary>A key is seen by queries from here up to <see cref="EndQuery"/>.</summary>
    public readonly long FirstQuery(long key) => IsCausal ? Math.Max(0, key - Shift) : 0;

    public readonly long EndQuery(long key) => Window > 0 ? Math.Clamp(key - Shift + Window, 0, Queries) : Queries;

    /// <summary>Multiplications of the forward pass.</summary>
    public readonly double Work => (double)Items * Groups * Queries * (Window > 0 ? Math.Min(Window, Keys) : IsCausal ? Keys / 2.0 : Keys) * (Size + ValueSize);
}

/// <summary>Runs attention by the vectors in use.</summary>
internal static unsafe class Attention
{
    /// <summary>Keys in a block forward: part of the law.</summary>
    public const int KeyBlock = 128;
    /// <summary>Keys and queries in a block backward: part of the law, and multiples of every register block's width and rows.</summary>
    public const int GradKeyBlock = 96, GradQueryBlock = 144;

    /// <summary>What bfloat16's scores are multiplied by, positive: where the scale is not, the scores are given its sign first.</summary>
    public static double FactorOf(double scale) => scale > 0 || scale < 0 ? Math.Abs(scale) / Math.Log(2) : 1;

    /// <summary>Of one problem or of several, which share the threads.</summary>
    public static void Forward<E, T>(AttentionOf<E, T>[] x) where E : unmanaged where T : unmanaged => Run<ForwardPass, E, T>(x);

    /// <summary>The same of elements of the type computed in, or of bfloat16.</summary>
    public static void Backward<E, T>(AttentionOf<E, T>[] x) where E : unmanaged where T : unmanaged => Run<BackwardPass, E, T>(x);

    interface IPass
    {
        static abstract void Run<M, E, T, V, S>(AttentionOf<E, T>[] x) where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S>;
    }

    struct ForwardPass : IPass
    {
        public static void Run<M, E, T, V, S>(AttentionOf<E, T>[] x) where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S> => AttentionForward<M, E, T, V, S>.Run(x);
    }

    struct BackwardPass : IPass
    {
        public static void Run<M, E, T, V, S>(AttentionOf<E, T>[] x) where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S>
        {
            if (typeof(E) == typeof(T)) AttentionBackward<M, T, V, S>.Run((AttentionOf<T, T>[])(object)x);
            else PairsOf<V, S>((AttentionOf<BFloat16, float>[])(object)x);
        }

        static void PairsOf<V, S>(AttentionOf<BFloat16, float>[] x) where V : struct where S : ILanes<S>
        {
            if (typeof(V) == typeof(Vector512<float>)) AttentionBackwardPairs<Pairs512, Vector512<float>, S>.Run(x);
            else if (typeof(V) == typeof(Vector256<float>)) AttentionBackwardPairs<Pairs256, Vector256<float>, S>.Run(x);
            else AttentionBackwardPairs<Pairs128, Vector128<float>, S>.Run(x);
        }
    }

    // the casts are from a type to itself by another name
    static void Run<TPass, E, T>(AttentionOf<E, T>[] x) where TPass : IPass where E : unmanaged where T : unmanaged
    {
        if (typeof(T) == typeof(double))
        {
            var d = (AttentionOf<double, double>[])(object)x;
            if (Gemm.Width == 512) TPass.Run<Double512, double, double, Vector512<double>, Lanes512<double>>(d);
            else if (Gemm.Width == 256) TPass.Run<Double256, double, double, Vector256<double>, Lanes256<double>>(d);
            else TPass.Run<Double128, double, double, Vector128<double>, Lanes128<double>>(d);
        }
        else if (typeof(E) == typeof(BFloat16))
        {
            var p = (AttentionOf<BFloat16, float>[])(object)x;
            if (Gemm.Width == 512) TPass.Run<Pairs512, BFloat16, float, Vector512<float>, Lanes512<float>>(p);
            else if (Gemm.Width == 256) TPass.Run<Pairs256, BFloat16, float, Vector256<float>, Lanes256<float>>(p);
            else TPass.Run<Pairs128, BFloat16, float, Vector128<float>, Lanes128<float>>(p);
        }
        else
        {
            var f = (AttentionOf<E, float>[])(object)x;
            if (Gemm.Width == 512) TPass.Run<Float512, E, float, Vector512<float>, Lanes512<float>>(f);
            else if (Gemm.Width == 256) TPass.Run<Float256, E, float, Vector256<float>, Lanes256<float>>(f);
            else TPass.Run<Float128, E, float, Vector128<float>, Lanes128<float>>(f);
        }
    }
}
