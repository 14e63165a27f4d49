using System.Runtime.CompilerServices;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Kernels;

/// <summary>
/// Forward for queries that are too few to fill vectors, one for each head as a rule, against a long cache: keys and columns are in the lanes, queries in a register block's rows, so that keys and values are read once and as fast as memory gives them.
/// Where there are fewer items than threads want, these share an item's blocks of keys: first all scores, whose largest so far every block then knows, then the chains over the values, which are joined in the order of the keys at last.
/// The law and the bits are <see cref="AttentionForward{M, E, T, V, S}"/>'s.
/// </summary>
internal static unsafe class AttentionFewQueries<M, E, T, V, S> where M : ILaneMath<T, V> where E : unmanaged where T : unmanaged where V : struct where S : ILanes<S>
{
    const int KeyBlock = Attention.KeyBlock;

    /// <summary>Items for each thread from which they are what is shared.</summary>
    const int ItemsForThread = 4;

    static int Width => M.Lanes * M.Vectors;

    static bool IsNarrow => typeof(E) != typeof(T);
    static bool IsPaired => M.Pairing == 2;

    static int Elements(int steps) => (steps + M.Pairing - 1) / M.Pairing;

    static int Vectors(int lanes) => (lanes + M.Lanes - 1) / M.Lanes;

    static int QueriesOf(in AttentionOf<E, T> x) => (int)(x.Groups * x.Queries);

    /// <summary>True if all queries of a head of the keys are few and one step apart, see the same keys, and values are whole vectors side by side.</summary>
    public static bool Suits(in AttentionOf<E, T> x)
        => x.Groups * x.Queries <= M.Rows && (x.Groups == 1 || x.Queries == 1) && !x.IsMasked && !x.IsDropped && (!x.IsCausal || x.Queries == 1) && x.Scale > 0 && x.V.Column == 1 && x.ValueSize % M.Lanes == 0;

    public static void Run(AttentionOf<E, T>[] all)
    {
        long items = 0;
        foreach (ref readonly var x in all.AsSpan()) items += x.Items;
        bool areFew = Team.Share > 1 && items < ItemsForThread * Team.Share;
        foreach (ref readonly var x in all.AsSpan()) areFew &= Grid.Pays(Items.Weight * x.Work);
        if (!areFew) AttentionParts<Items, E, T>.Run(all);
        else
            foreach (ref readonly var x in all.AsSpan()) Share(x);
    }

    struct Items : IAttentionPieces<E, T>
    {
        public static long Count(in AttentionOf<E, T> x) => x.Items;

        // bound by memory: shared from less work on than products are
        public static double Weight => 8;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run(in AttentionOf<E, T> x, long from, long to)
        {
            var memory = new Memory(x);
            var keys = new Keys(x);
            var block = new Block(x, memory.Block);
            for (long item = from; item < to; item++)
            {
                Begin(x, memory, item);
                for (long b = 0; b < keys.Blocks; b++)
                {
                    var (j, n) = keys.Of(b);
                    Scores(x, keys, memory, block, item, j, n);
                    // the largest so far
                    new Span<T>(memory.Largest, QueriesOf(x)).CopyTo(new Span<T>(block.Largest, QueriesOf(x)));
                    Values(x, memory, block, item, j, n);
                    Join(x, memory, block, isFirst: b == 0);
                }
                Finish(x, memory, item);
            }
        }
    }

    // ---- an item's blocks shared among threads ----

    static void Share(in AttentionOf<E, T> x)
    {
        var keys = new Keys(x);
        long all = x.Items * keys.Blocks, pitch = Block.Elements(x);
        T* blocks = (T*)Scratch.Rent(Slot.B, all * pitch * sizeof(T));
        var scores = new ScoreParts { X = x, Blocks = blocks, Count = (int)Math.Min(all, ItemsForThread * Team.Share) };
        Team.Run(scores.Count, ref scores);
        for (long item = 0; item < x.Items; item++) Largest(x, blocks + item * keys.Blocks * pitch, keys.Blocks);
        var values = new ValueParts { X = x, Blocks = blocks, Count = scores.Count };
        Team.Run(values.Count, ref values);
        var memory = new Memory(x);
        for (long item = 0; item < x.Items; item++)
        {
            AttentionLanes<T, S>.Begin(QueriesOf(x), memory.Largest, memory.Sum);
            for (long b = 0; b < keys.Blocks; b++) Join(x, memory, new Block(x, blocks + (item * keys.Blocks + b) * pitch), isFirst: b == 0);
            Finish(x, memory, item);
        }
    }

    struct ScoreParts : IPart
    {
        public AttentionOf<E, T> X;
        public T* Blocks;
        public int Count;

        public readonly void Run(int part)
        {
            var memory = new Memory(X);
            var keys = new Keys(X);
            long all = X.Items * keys.Blocks, begun = -1;
            for (long i = all * part / Count; i < all * (part + 1) / Count; i++)
            {
                long item = i / keys.Blocks;
                var (j, n) = keys.Of(i % keys.Blocks);
                if (item != begun) Begin(X, memory, begun = item);
                var block = new Block(X, Blocks + i * Block.Elements(X));
                Scores(X, keys, memory, block, item, j, n);
                for (int r = 0; r < QueriesOf(X); r++) block.Largest[r] = AttentionLanes<T, S>.LargestAlong(n, block.Scores + r * KeyBlock, IsPaired ? Attention.FactorOf(X.Scale) : 1);
            }
        }
    }

    struct ValueParts : IPart
    {
        public AttentionOf<E, T> X;
        public T* Blocks;
        public int Count;

        public readonly void Run(int part)
        {
            var memory = new Memory(X);
            var keys = new Keys(X);
            long all = X.Items * keys.Blocks;
            for (long i = all * part / Count; i < all * (part + 1) / Count; i++)
            {
                var (j, n) = keys.Of(i % keys.Blocks);
                Values(X, memory, new Block(X, Blocks + i * Block.Elements(X)), i / keys.Blocks, j, n);
            }
        }
    }

    /// <summary>Each block's largest score becomes that of the blocks before it.</summary>
    static void Largest(in AttentionOf<E, T> x, T* blocks, long count)
    {
        for (int r = 0; r < QueriesOf(x); r++)
        {
            T largest, sum;
            AttentionLanes<T, S>.Begin(1, &largest, &sum);
            for (long b = 0; b < count; b++)
            {
                T* own = new Block(x, blocks + b * Block.Elements(x)).Largest + r;
                (*own, largest) = (largest, AttentionLanes<T, S>.LargerOf(*own, largest));
            }
        }
    }

    // ---- a block of keys ----

    /// <summary>The keys that are seen, in blocks as everywhere, but nothing before the window, from an even key on: what a pair begins with.</summary>
    readonly struct Keys(in AttentionOf<E, T> x)
    {
        readonly long _start = x.From(0) & ~1L, _seen = x.Seen(0);

        /// <summary>The first key that is seen.</summary>
        public readonly long From = x.From(0);

        long FirstBlock => _start / KeyBlock;

        public long Blocks => (_seen + KeyBlock - 1) / KeyBlock - FirstBlock;

        public (long Key, int Count) Of(long block)
        {
            long j = Math.Max(_start, (FirstBlock + block) * KeyBlock);
            return (j, (int)(Math.Min(_seen, (FirstBlock + block + 1) * KeyBlock) - j));
        }
    }

    /// <summary>What a block of keys gives, a row a query: scores; the largest one, or that of the blocks before, and then with them; the sum of the weights; what is made of earlier sums; the chain over the values.</summary>
    readonly struct Block
    {
        public readonly T* Scores, Chain, Largest, Sum, Shrink;

        public Block(in AttentionOf<E, T> x, T* at)
        {
            int queries = QueriesOf(x);
            Scores = at;
            Chain = Scores + queries * KeyBlock;
            Largest = Chain + queries * (long)x.ValueSize;
            Sum = Largest + queries;
            Shrink = Sum + queries;
        }

        /// <summary>In whole lines of memory, so that no two threads write one.</summary>
        public static long Elements(in AttentionOf<E, T> x) => (QueriesOf(x) * (KeyBlock + (long)x.ValueSize + 3) + 15) / 16 * 16;
    }

    /// <summary>What a part computes in; a row a query, but for queries and weights in panels, whose rows lie side by side.</summary>
    readonly struct Memory
    {
        public readonly T* Queries, Keys, Values, Weights, Block, Out, Largest, Sum;

        public Memory(in AttentionOf<E, T> x)
        {
            long queries = M.Rows * (long)Elements(x.Size), keys = Width * (long)Elements(x.Size), values = IsNarrow ? Columns * (long)Elements(KeyBlock) : 0, weights = M.Rows * (long)Elements(KeyBlock);
            long block = AttentionFewQueries<M, E, T, V, S>.Block.Elements(x), result = QueriesOf(x) * (long)x.ValueSize;
            T* at = (T*)Scratch.Rent(Slot.A, (queries + keys + values + weights + block + result + 2 * M.Rows + 8 * 16) * sizeof(T));
            Queries = Take(queries);
            Keys = Take(keys);
            Values = Take(values);
            Weights = Take(weights);
            Block = Take(block);
            Out = Take(result);
            Largest = Take(M.Rows);
            Sum = Take(M.Rows);

            T* Take(long elements)
            {
                T* taken = at;
                at += (elements + 15) / 16 * 16;
                return taken;
            }
        }
    }

    static void Begin(in AttentionOf<E, T> x, in Memory memory, long item)
    {
        Packing.Pack<M, E, T, V>(x.Q.Of(x.Sizes, item, 0), x.Groups == 1 ? x.Q.Row : x.Q.Group, x.Q.Column, QueriesOf(x), x.Size, memory.Queries, M.Rows);
        if (!IsPaired) AttentionLanes<T, S>.ScaleAll(M.Rows * x.Size, memory.Queries, x.Scale / Math.Log(2));
        AttentionLanes<T, S>.Begin(QueriesOf(x), memory.Largest, memory.Sum);
    }

    /// <summary>Scores. A panel of keys at a time goes through first-level cache; its values are asked for meanwhile, a little at a time, since a core waits for few lines at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scores(in AttentionOf<E, T> x, in Keys keys, in Memory memory, in Block block, long item, long j, int n)
    {
        E* rows = x.K.Of(x.Sizes, item, 0) + j * x.K.Row, values = x.V.Of(x.Sizes, item, 0);
        int count = QueriesOf(x), ahead = (int)Math.Min(int.MaxValue, 2 * Width * Math.Abs(x.K.Row) * sizeof(E));
        for (int t = 0; t < n; t += Width)
        {
            int w = Math.Min(Width, n - t), vectors = Vectors(w);
            x.V.Prefetch(values, j + t, j + t + w, x.ValueSize);
            Packing.Pack<M, E, T, V>(rows + t * x.K.Row, x.K.Row, x.K.Column, w, x.Size, memory.Keys, vectors * M.Lanes, ahead);
            new PanelKernel<M, T, V>(count, vectors).Run(Elements(x.Size), memory.Queries, M.Rows, memory.Keys, vectors * M.Lanes, block.Scores + t, KeyBlock, Into.Store);
        }
        for (int r = 0; r < count && j < keys.From; r++) block.Scores[r * KeyBlock] = AttentionLanes<T, S>.Of(double.NegativeInfinity);
    }

    /// <summary>Scores become weights, and these a chain over the values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values(in AttentionOf<E, T> x, in Memory memory, in Block block, long item, long j, int n)
    {
        int count = QueriesOf(x);
        for (int r = 0; r < count; r++)
        {
            T* scores = block.Scores + r * KeyBlock;
            block.Shrink[r] = IsPaired ? AttentionLanes<T, S>.WeightsAlong(n, scores, Attention.FactorOf(x.Scale), block.Largest + r) : AttentionLanes<T, S>.WeightsAlong(n, scores, block.Largest + r);
        }
        AttentionLanes<T, S>.SumsAlong(count, n, block.Scores, KeyBlock, block.Sum);
        for (int r = 0; r < count && IsNarrow; r++)
        {
            T* weights = block.Scores + r * KeyBlock;
            if (IsPaired) AttentionLanes<T, S>.PairsAlong(n, weights, memory.Weights + r, count);
            else
                for (int q = 0; q < n; q++) memory.Weights[q * count + r] = weights[q];
        }
        E* values = x.V.Of(x.Sizes, item, 0) + j * x.V.Row;
        if (IsNarrow)
            for (int d = 0; d < x.ValueSize; d += Columns) PackedValues(x, memory, block, values + d, Math.Min(Columns, x.ValueSize - d), d, n);
        else
            for (int d = 0; d < x.ValueSize; d += 2 * M.Lanes)
                KernelTable<M, T, V>.Get(count, Math.Min(2, Vectors(x.ValueSize - d)))(n, block.Scores, KeyBlock, 1, (T*)values + d, (nint)x.V.Row, block.Chain + d, x.ValueSize, Into.Store);
    }

    /// <summary>Columns of values that are packed at a time: a block of them fits first-level cache.</summary>
    const int Columns = 64;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void PackedValues(in AttentionOf<E, T> x, in Memory memory, in Block block, E* values, int width, int column, int n)
    {
        int count = QueriesOf(x);
        Packing.Pack<M, E, T, V>(values, 1, x.V.Row, width, n, memory.Values, width);
        for (int d = 0; d < width; d += 2 * M.Lanes)
            new PanelKernel<M, T, V>(count, Math.Min(2, Vectors(width - d))).Run(Elements(n), memory.Weights, count, memory.Values + d, width, block.Chain + column + d, x.ValueSize, Into.Store);
    }

    /// <summary>What came before is scaled, and the block added to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Join(in AttentionOf<E, T> x, in Memory memory, in Block block, bool isFirst)
    {
        for (int r = 0; r < QueriesOf(x); r++)
        {
            memory.Largest[r] = block.Largest[r];
            T* sums = memory.Out + r * (long)x.ValueSize, chain = block.Chain + r * (long)x.ValueSize;
            if (isFirst)
            {
                memory.Sum[r] = block.Sum[r];
                new Span<T>(chain, x.ValueSize).CopyTo(new Span<T>(sums, x.ValueSize));
            }
            else AttentionLanes<T, S>.Join(x.ValueSize, sums, memory.Sum + r, block.Shrink[r], chain, block.Sum[r]);
        }
    }

    static void Finish(in AttentionOf<E, T> x, in Memory memory, long item)
    {
        int count = QueriesOf(x);
        for (int r = 0; r < count; r++)
        {
            T* row = memory.Out + r * (long)x.ValueSize;
            AttentionLanes<T, S>.Finish(x.ValueSize, row, memory.Largest + r, memory.Sum + r, x.LogSum is null ? null : x.LogSum + item * count + r);
            E* target = x.O.Of(x.Sizes, item, 0) + r * (x.Groups == 1 ? x.O.Row : x.O.Group);
            if (IsNarrow) Narrow<E, T>.Put(row, x.ValueSize, 1, x.ValueSize, target, x.ValueSize);
            else new Span<T>(row, x.ValueSize).CopyTo(new Span<T>(target, x.ValueSize));
        }
    }
}
