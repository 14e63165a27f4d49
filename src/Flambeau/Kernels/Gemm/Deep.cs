using Flambeau.Runtime;
using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>
/// Few rows and columns over a long k, as the gradients of small weights over many tokens. Parts of C would each read nearly all of both operands, so the team takes blocks of k instead:
/// what each block makes waits in scratch and is then added in the order of the blocks, which is the law's sum whoever made them.
/// </summary>
internal static unsafe class Deep<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>Bytes of C up to which blocks are shared: with more, adding them costs what is gained.</summary>
    const long MostBytes = 64 << 10;

    /// <summary>True where the team has several blocks of k for each thread, and that pays.</summary>
    public static bool Suits(in Product<T> x)
        => x.K >= 2L * Gemm.BlockK * Team.Share && x.M * x.N * sizeof(T) <= MostBytes && Team.Share > 1 && Grid.Pays((double)x.M * x.N * x.K);

    public static void Multiply(in Product<T> x)
    {
        long pitch = (x.N + M.Lanes - 1) / M.Lanes * M.Lanes, blocks = (x.K + Gemm.BlockK - 1) / Gemm.BlockK, most = Math.Min(blocks, Math.Max(2L * Team.Share, Processor.L2 / (x.M * pitch * sizeof(T))));
        T* sums = (T*)Scratch.Rent(Slot.Blocks, most * x.M * pitch * sizeof(T));
        for (long first = 0; first < blocks; first += most)
        {
            var made = new Blocks { X = x, Sums = sums, Pitch = pitch, First = first };
            int count = (int)Math.Min(most, blocks - first);
            Team.Run(count, ref made);
            var joined = new Rows { X = x, Sums = sums, Pitch = pitch, Count = count, Into = first == 0 ? Into.Store : Into.Add, Parts = (int)Math.Min(x.M, Team.Share) };
            Team.Run(joined.Parts, ref joined);
        }
    }

    /// <summary>Part p makes the sums of block First + p.</summary>
    struct Blocks : IPart
    {
        public Product<T> X;
        public T* Sums;
        public long Pitch, First;

        public readonly void Run(int part)
        {
            long from = (First + part) * Gemm.BlockK;
            var block = X;
            block.A += from * X.ACol;
            block.B += from * X.BRow;
            block.K = Math.Min(Gemm.BlockK, X.K - from);
            block.C = Sums + part * X.M * Pitch;
            block.CRow = Pitch;
            Blocked<M, T, T, V>.Part(block);
        }
    }

    /// <summary>Adds the blocks' sums to some rows of C, in order.</summary>
    struct Rows : IPart
    {
        public Product<T> X;
        public T* Sums;
        public long Pitch;
        public int Count, Parts;
        public Into Into;

        public readonly void Run(int part)
        {
            for (long i = X.M * part / Parts; i < X.M * (part + 1) / Parts; i++) Row(Sums + i * Pitch, (nint)(X.M * Pitch), (T*)X.C + i * X.CRow);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        readonly void Row(T* sums, nint block, T* c)
        {
            T* edge = stackalloc T[M.Lanes];
            for (long j = 0; j < X.N; j += M.Lanes, sums += M.Lanes, c += M.Lanes)
            {
                int left = (int)Math.Min(M.Lanes, X.N - j);
                V total = M.Load(sums);
                T* next = sums + block;
                if (Into == Into.Add)
                {
                    Buffer.MemoryCopy(c, edge, M.Lanes * sizeof(T), left * sizeof(T));
                    total = M.Add(M.Load(edge), total);
                }
                for (int b = 1; b < Count; b++, next += block) total = M.Add(total, M.Load(next));
                if (left == M.Lanes) M.Store(total, c);
                else
                {
                    M.Store(total, edge);
                    Buffer.MemoryCopy(edge, c, left * sizeof(T), left * sizeof(T));
                }
            }
        }
    }
}
