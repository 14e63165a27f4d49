using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Few rows and columns over a long k, as the gradients of small weights over many tokens. Parts of C would each read nearly all of both operands, so the team takes blocks of k instead:
/// what each block makes waits in scratch and is then added in the order of the blocks, which is the law's sum whoever made them.
/// </summary>
internal static unsafe class Deep<M, S, T, V> where M : ILaneMath<T, V> where S : unmanaged where T : unmanaged where V : struct
{
    /// <summary>Bytes of sums up to which blocks are shared: with more, adding them costs what is gained.</summary>
    const long MostBytes = 64 << 10;

    static bool IsNarrow => typeof(S) != typeof(T);
    static int BlockK => Gemm.BlockK * M.Pairing;

    /// <summary>Elements from row to row of a block's sums, where they are not in tiles.</summary>
    static long Pitch(in Product<S> x) => (x.N + M.Lanes - 1) / M.Lanes * M.Lanes;

    /// <summary>Elements of a block's sums.</summary>
    static long Size(in Product<S> x) => IsNarrow ? Blocked<M, S, T, V>.SumsOf(x) : x.M * Pitch(x);

    /// <summary>True where the team has several blocks of k for each thread, and that pays.</summary>
    public static bool Suits(in Product<S> x)
        => x.K >= 2L * BlockK * Team.Share && Size(x) * sizeof(T) <= MostBytes && typeof(T) != typeof(int) && Team.Share > 1 && Grid.Pays((double)x.M * x.N * x.K / M.Pairing);

    public static void Multiply(in Product<S> x)
    {
        long size = Size(x), blocks = (x.K + BlockK - 1) / BlockK, most = Math.Max(2L * Team.Share, Processor.L2 / (size * sizeof(T)));
        T* sums = (T*)Scratch.Rent(Slot.Blocks, Math.Min(blocks, most) * size * sizeof(T));
        // from the second round on the total so far is the first to be added
        for (long first = 0, kept = 0; first < blocks; first += most - kept, kept = 1)
        {
            int count = (int)Math.Min(most - kept, blocks - first);
            var made = new Blocks { X = x, Sums = sums + kept * size, Size = size, First = first };
            Team.Run(count, ref made);
            var joined = new Joined { Sums = sums, Size = size, Count = count + (int)kept, Parts = Team.Share };
            Team.Run(joined.Parts, ref joined);
        }
        if (IsNarrow) Blocked<M, S, T, V>.Round(x, sums);
        else
            for (long i = 0; i < x.M; i++) new Span<T>(sums + i * Pitch(x), (int)x.N).CopyTo(new(x.At(i, 0), (int)x.N));
    }

    /// <summary>Part p makes the sums of block First + p.</summary>
    struct Blocks : IPart
    {
        public Product<S> X;
        public T* Sums;
        public long Size, First;

        public readonly void Run(int part)
        {
            long from = (First + part) * BlockK;
            var block = X;
            block.A += from * X.ACol;
            block.B += from * X.BRow;
            block.K = Math.Min(BlockK, X.K - from);
            if (IsNarrow)
            {
                Blocked<M, S, T, V>.Sums(block, Sums + part * Size);
                return;
            }
            block.C = Sums + part * Size;
            block.CRow = Pitch(X);
            Blocked<M, S, T, V>.Part(block);
        }
    }

    /// <summary>Adds the blocks' sums in order; the total is left in the first's place.</summary>
    struct Joined : IPart
    {
        public T* Sums;
        public long Size;
        public int Count, Parts;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int part)
        {
            long vectors = Size / M.Lanes, end = vectors * (part + 1) / Parts * M.Lanes;
            for (long e = vectors * part / Parts * M.Lanes; e < end; e += M.Lanes)
            {
                V total = M.Load(Sums + e);
                for (long b = 1; b < Count; b++) total = M.Add(total, M.Load(Sums + b * Size + e));
                M.Store(total, Sums + e);
            }
        }
    }
}
