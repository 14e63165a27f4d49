using Flambeau.Runtime;

namespace Flambeau.Kernels;

/// <summary>Many products of one shape. Small ones are spread over the team, several to a part; large ones go one by one, each in parallel inside.</summary>
internal static unsafe class Batch
{
    /// <summary>An item of at least this many multiplications fills the team by itself.</summary>
    const long LargeItem = 1L << 22;

    public static void Run<T>(long batch, in Product<T> first, long aBatch, long bBatch, long cBatch) where T : unmanaged
    {
        if (batch <= 0 || first.M <= 0 || first.N <= 0) return;
        int threads = Team.Share;
        var items = new Items<T> { First = first, ABatch = aBatch, BBatch = bBatch, CBatch = cBatch, Count = batch, Parts = 1 };
        bool large = first.Work >= LargeItem && batch < 4 * threads;
        if (threads > 1 && batch > 1 && !large && Grid.Pays((double)first.Work * batch))
            items.Parts = (int)Math.Min(batch, 8L * threads);
        if (items.Parts == 1) items.Run(0);
        else Team.Run(items.Parts, ref items);
    }

    /// <summary>Part p does items p · Count / Parts … (p + 1) · Count / Parts − 1. Inside a part the team is busy, so each item stays on its thread.</summary>
    struct Items<T> : IPart where T : unmanaged
    {
        public Product<T> First;
        public long ABatch, BBatch, CBatch, Count;
        public int Parts;

        public readonly void Run(int part)
        {
            long end = Count * (part + 1) / Parts;
            for (long i = Count * part / Parts; i < end; i++)
            {
                var item = First;
                item.A += i * ABatch;
                item.B += i * BBatch;
                item.C = (byte*)item.C + i * CBatch * Product<T>.ResultBytes;
                Gemm.Multiply(item);
            }
        }
    }
}
