using Flambeau.Runtime;

namespace Flambeau.Kernels;

/// <summary>How C is cut into parts for the team: rows × columns of independent products, without any barrier. Each part packs for itself.</summary>
internal readonly record struct Grid(int Rows, int Columns)
{
    /// <summary>Multiplications from which a product is shared: some 20 to 50 µs of one core, or twice that where workers must be woken.</summary>
    const double ParallelWork = 1 << 20, ParallelWorkParked = 1 << 21;
    /// <summary>Bytes of B read once from which a product of few rows is shared.</summary>
    public static long ParallelBytes => Team.Awake ? 1L << 18 : 1L << 20;

    /// <summary>True if a product of few rows is shared.</summary>
    public static bool Shares<S>(in Product<S> x) where S : unmanaged => Team.Share > 1 && x.Work >= ParallelBytes / System.Runtime.CompilerServices.Unsafe.SizeOf<S>();

    /// <summary>No part is smaller than this many multiplications (some 6 µs).</summary>
    const double SmallestPart = 1 << 17;
    /// <summary>A part of at least this many multiplications (a millisecond) may be one of two for a thread.</summary>
    const double FinePart = 1 << 24;
    /// <summary>An element packed costs about as much as so many multiplications.</summary>
    const double PackCost = 6;

    public int Parts => Rows * Columns;

    /// <summary>True if so many multiplications are shared now. Tells the team of those that it sleeps through.</summary>
    public static bool Pays(double work)
    {
        if (work < ParallelWork) return false;
        if (work >= ParallelWorkParked || Team.Awake) return true;
        Team.Missed();
        return false;
    }

    /// <summary>
    /// The grid that is done soonest: A is packed once a column of the grid, B once a row. Two parts for a thread are taken where they cost next to nothing,
    /// since they even out the work when a core is lent to others; four would cost more than they save.
    /// </summary>
    public static Grid For(long m, long n, long k, int rowUnit, int columnUnit)
    {
        double work = (double)m * n * k;
        int threads = (int)Math.Min(Team.Share, work / SmallestPart);
        if (threads <= 1 || !Pays(work)) return new Grid(1, 1);
        var best = new Grid(1, 1);
        double bestCost = double.MaxValue;
        for (int share = 1; share <= 2 && (share == 1 || work >= FinePart * threads * share); share++)
            for (int side = 1; side * side <= threads * share; side++)
            {
                Try(side, threads * share / side, share);
                Try(threads * share / side, side, share);
            }
        return best;

        void Try(int r, int c, int share)
        {
            long rows = (m + rowUnit - 1) / rowUnit, columns = (n + columnUnit - 1) / columnUnit;
            if (r > rows) r = (int)rows;
            if (c > columns) c = (int)columns;
            double partRows = (rows + r - 1) / r * rowUnit, partColumns = (columns + c - 1) / c * columnUnit;
            double rounds = (r * c + threads - 1) / threads, fine = share == 1 ? 1.02 : 1;
            double cost = (partRows * partColumns + PackCost * (partRows + partColumns)) * rounds * fine;
            if (cost < bestCost) (best, bestCost) = (new Grid(r, c), cost);
        }
    }

    /// <summary>The rows and columns of a part: whole units, as even as can be.</summary>
    public readonly (long I0, long I1, long J0, long J1) Part(int part, long m, long n, int rowUnit, int columnUnit)
    {
        var (i0, i1) = Cut(part / Columns, Rows, m, rowUnit);
        var (j0, j1) = Cut(part % Columns, Columns, n, columnUnit);
        return (i0, i1, j0, j1);
    }

    static (long, long) Cut(int part, int parts, long size, int unit)
    {
        long units = (size + unit - 1) / unit;
        return (Math.Min(size, units * part / parts * unit), Math.Min(size, units * (part + 1) / parts * unit));
    }
}
