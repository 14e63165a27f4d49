using Flambeau.Runtime;

namespace Flambeau.Kernels;

/// <summary>How C is cut into parts for the team: rows × columns of independent products, without any barrier. Each part packs for itself.</summary>
internal readonly record struct Grid(int Rows, int Columns)
{
    /// <summary>Multiplications from which a product is shared (some 25 µs of one core).</summary>
    public const long ParallelWork = 1L << 19;

    /// <summary>Bytes of B read once from which a product of few rows is shared.</summary>
    public const long ParallelBytes = 1L << 18;

    public int Parts => Rows * Columns;

    /// <summary>An element packed costs about as much as so many multiplications.</summary>
    const double PackCost = 6;
    /// <summary>A part of at least this many multiplications (a millisecond) may be one of several for a thread.</summary>
    const double FinePart = 1 << 24;

    /// <summary>
    /// The grid that is done soonest: A is packed once a column of the grid, B once a row. Several parts for a thread are taken where they cost next to nothing,
    /// since they even out the work when a core is lent to others.
    /// </summary>
    public static Grid For(long m, long n, long k, int rowUnit, int columnUnit)
    {
        int threads = Team.Share;
        if (threads == 1 || (double)m * n * k < ParallelWork) return new Grid(1, 1);
        long rows = (m + rowUnit - 1) / rowUnit, columns = (n + columnUnit - 1) / columnUnit;
        var best = new Grid(1, 1);
        double bestCost = double.MaxValue;
        for (int share = 1; share <= 4; share *= 2)
        {
            if (share > 1 && (double)m * n * k < FinePart * threads * share) break;
            for (int r = 1; r <= threads * share && r <= rows; r++)
            {
                int c = (int)Math.Min(threads * share / r, columns);
                double partRows = (rows + r - 1) / r * rowUnit, partColumns = (columns + c - 1) / c * columnUnit;
                double cost = (partRows * partColumns + PackCost * (partRows + partColumns)) * ((r * c + threads - 1) / threads) * (share == 1 ? 1.03 : share == 2 ? 1.01 : 1);
                if (cost < bestCost) (best, bestCost) = (new Grid(r, c), cost);
            }
        }
        return best;
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
