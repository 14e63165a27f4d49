using Flambeau.Runtime;

namespace Flambeau.Kernels;

/// <summary>A pass of attention as pieces that do not depend on each other: tiles of queries, or items.</summary>
internal interface IAttentionPieces<E, T> where E : unmanaged where T : unmanaged
{
    static abstract long Count(in AttentionOf<E, T> x);
    /// <summary>How many multiplications of a product the pass costs for each of the forward pass, when it is asked if threads pay.</summary>
    static abstract double Weight { get; }
    static abstract void Run(in AttentionOf<E, T> x, long from, long to);
}

/// <summary>The pieces of one problem, or of many sequences of different lengths, shared among threads in parts of about the same work. A piece does the same whoever runs it.</summary>
internal struct AttentionParts<P, E, T> : IPart where P : struct, IAttentionPieces<E, T> where E : unmanaged where T : unmanaged
{
    AttentionOf<E, T>[] _all;
    double _work;
    int _count;

    public static void Run(AttentionOf<E, T>[] all)
    {
        var parts = new AttentionParts<P, E, T> { _all = all };
        long pieces = 0;
        foreach (ref readonly var x in all.AsSpan())
        {
            parts._work += x.Work;
            pieces += P.Count(x);
        }
        bool alone = Team.Share == 1 || !Grid.Pays(P.Weight * parts._work);
        parts._count = (int)Math.Min(pieces, alone ? 1 : 8L * Team.Share);
        if (parts._count == 1) parts.Run(0);
        else Team.Run(parts._count, ref parts);
    }

    public readonly void Run(int part)
    {
        double from = Cut(part), to = Cut(part + 1), before = 0;
        foreach (ref readonly var x in _all.AsSpan())
        {
            long count = P.Count(x), first = First(x, count, from - before), end = First(x, count, to - before);
            if (first < end) P.Run(x, first, end);
            before += x.Work;
        }
    }

    /// <summary>The work before a part.</summary>
    readonly double Cut(int part) => part == _count ? double.PositiveInfinity : _work * part / _count;

    /// <summary>The first piece that begins at so much work of a problem, or after it.</summary>
    static long First(in AttentionOf<E, T> x, long count, double work) => (long)Math.Clamp(Math.Ceiling(work / x.Work * count), 0, count);
}
