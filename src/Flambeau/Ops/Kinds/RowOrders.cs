using System.Buffers;
using System.Runtime.CompilerServices;
using Flambeau.Runtime;

namespace Flambeau.Ops;

/// <summary>
/// The order of a row's elements. Keys are unsigned numbers that order as the elements do: −0 equals +0, NaN is greatest. Equal elements stay in the order of their positions, also when descending,
/// so every order is a function of the values alone. Keys of 32 bits share a word with their position, which makes the order total: any sort is then stable.
/// </summary>
internal static unsafe class RowOrders
{
    /// <summary>What is asked of a row's order.</summary>
    public enum Pick
    {
        /// <summary>The first positions of the order.</summary>
        First,
        /// <summary>The last of these alone.</summary>
        Kth,
        /// <summary>The middle one, the lower of two; the first NaN if there is one.</summary>
        Median,
    }

    /// <summary>The positions picked from each row of <paramref name="x"/>, contiguous along its last dimension, into int64 <paramref name="y"/>.</summary>
    public static void Run(Tensor x, Tensor y, Pick pick, long count, bool descending)
    {
        long n = x.Shape.Sizes[^1], rows = n == 0 ? 0 : x.Numel / n;
        if (rows == 0 || y.Numel == 0) return;
        if (n >= 1L << 31) throw Errors.Make("ArgSort", $"rows have at most 2^31 - 1 elements, got {n}", ("x", x));
        // half precision and small whole numbers are exact in the wider type
        var keys = x.DType is DType.Float16 or DType.BFloat16 ? Dense.Of(x, DType.Float32) : x.DType is DType.Float32 or DType.Float64 or DType.Int64 ? Dense.Of(x) : Dense.Of(x, DType.Int32);
        fixed (byte* p = keys.Store!, q = y.Store!)
        {
            var part = new Part { X = p + keys.Offset * keys.DType.Size, Y = (long*)q, Type = keys.DType, N = (int)n, Pick = pick, Count = (int)count, Descending = descending, Width = y.Numel / rows };
            IndexRows.Run((int)rows, ref part, x.Numel * 16);
        }
        GC.KeepAlive(keys);
    }

    struct Part : IPart
    {
        public byte* X;
        public long* Y;
        public DType Type;
        public int N, Count;
        public Pick Pick;
        public bool Descending;
        public long Width;

        public readonly void Run(int row)
        {
            var words = ArrayPool<ulong>.Shared.Rent(N);
            var to = new Span<long>(Y + row * Width, (int)Width);
            if (Type.Size == 4) Narrow(row, words.AsSpan(0, N), to);
            else Wide(row, words.AsSpan(0, N), to);
            ArrayPool<ulong>.Shared.Return(words);
        }

        readonly void Narrow(int row, Span<ulong> words, Span<long> to)
        {
            uint flip = Descending ? uint.MaxValue : 0;
            if (Type == DType.Float32) Pack((float*)X + (long)row * N, words, flip);
            else Pack((int*)X + (long)row * N, words, flip);
            int count = Pick == Pick.Median ? N : Count;
            SmallestWords(words, count);
            if (Pick == Pick.First)
            {
                for (int i = 0; i < to.Length; i++) to[i] = (uint)words[i];
                return;
            }
            int k = Count - 1;
            if (Pick == Pick.Median)
            {
                k = (N - 1) / 2;
                if (Type == DType.Float32 && words[^1] >> 32 == uint.MaxValue)
                    for (k = N - 1; k > 0 && words[k - 1] >> 32 == uint.MaxValue;) k--;
            }
            to[0] = (uint)words[k];
        }

        readonly void Wide(int row, Span<ulong> words, Span<long> to)
        {
            ulong flip = Descending ? ulong.MaxValue : 0;
            if (Type == DType.Float64) for (int i = 0; i < N; i++) words[i] = Key(((double*)X)[(long)row * N + i]) ^ flip;
            else for (int i = 0; i < N; i++) words[i] = Key(((long*)X)[(long)row * N + i]) ^ flip;
            var rented = ArrayPool<int>.Shared.Rent(N);
            var positions = rented.AsSpan(0, N);
            for (int i = 0; i < N; i++) positions[i] = i;
            words.Sort(positions);
            // equal keys in the order of their positions
            for (int start = 0, i = 1; i <= N; i++)
            {
                if (i < N && words[i] == words[start]) continue;
                if (i - start > 1) positions[start..i].Sort();
                start = i;
            }
            if (Pick == Pick.First) for (int i = 0; i < to.Length; i++) to[i] = positions[i];
            else
            {
                int k = Pick == Pick.Kth ? Count - 1 : (N - 1) / 2;
                if (Pick == Pick.Median && Type == DType.Float64 && words[^1] == ulong.MaxValue) k = words.IndexOf(ulong.MaxValue);
                to[0] = positions[k];
            }
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pack(float* x, Span<ulong> words, uint flip)
    {
        for (int i = 0; i < words.Length; i++) words[i] = (ulong)(Key(x[i]) ^ flip) << 32 | (uint)i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Pack(int* x, Span<ulong> words, uint flip)
    {
        for (int i = 0; i < words.Length; i++) words[i] = (ulong)((uint)x[i] ^ 0x8000_0000 ^ flip) << 32 | (uint)i;
    }

    /// <summary>A number that orders as the float does.</summary>
    public static uint Key(float x)
    {
        if (float.IsNaN(x)) return uint.MaxValue;
        uint bits = BitConverter.SingleToUInt32Bits(x + 0f); // -0 + 0 = +0
        return bits ^ (uint)((int)bits >> 31) ^ ((int)bits < 0 ? 0 : 0x8000_0000);
    }

    /// <summary>A number that orders as the double does.</summary>
    public static ulong Key(double x)
    {
        if (double.IsNaN(x)) return ulong.MaxValue;
        ulong bits = BitConverter.DoubleToUInt64Bits(x + 0.0);
        return bits ^ (ulong)((long)bits >> 63) ^ ((long)bits < 0 ? 0 : 1UL << 63);
    }

    /// <summary>A number that orders as the integer does.</summary>
    public static ulong Key(long x) => (ulong)x ^ 1UL << 63;

    /// <summary>Brings the <paramref name="count"/> smallest words, sorted, to the front.</summary>
    public static void SmallestWords(Span<ulong> words, int count)
    {
        if (count > words.Length / 8) { words.Sort(); return; }
        if (count == 0) return;
        // the greatest of those kept so far lies on top of a heap; a smaller word takes its place
        var heap = words[..count];
        for (int i = count / 2 - 1; i >= 0; i--) Sink(heap, i);
        for (int i = count; i < words.Length; i++)
        {
            if (words[i] >= heap[0]) continue;
            (heap[0], words[i]) = (words[i], heap[0]);
            Sink(heap, 0);
        }
        heap.Sort();
    }

    static void Sink(Span<ulong> heap, int i)
    {
        ulong word = heap[i];
        for (int child = 2 * i + 1; child < heap.Length; child = 2 * i + 1)
        {
            if (child + 1 < heap.Length && heap[child + 1] > heap[child]) child++;
            if (heap[child] <= word) break;
            heap[i] = heap[child];
            i = child;
        }
        heap[i] = word;
    }
}
