using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>Operands for elementwise operators: the edges of the number line, and numbers from inside the domain.</summary>
public static class Operands
{
    static readonly double[] s_edges =
    [
        0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 6, 0.1, -1e-3, 1e-5, 20, -20, 100, -100, 1000, -1000, 12345.678, 1e10, -1e10, 1e-10, Math.PI / 2, -Math.PI,
        double.PositiveInfinity, double.NegativeInfinity, double.NaN,
    ];

    static readonly double[] s_few = [0, -0.0, 1, -1, 0.5, -2, 3, 100, -1e4, 1e-5, double.PositiveInfinity, double.NegativeInfinity, double.NaN];

    /// <summary>The edges of a type: zeros, subnormals, the largest numbers, infinities, NaN and the places where functions turn.</summary>
    public static double[] Edges(DType type) => [.. s_edges, Tolerance.Smallest(type), -Tolerance.Smallest(type), 3 * Tolerance.Smallest(type), Tolerance.Largest(type), -Tolerance.Largest(type)];

    /// <summary>Columns of operands for a body: every combination of edges, then numbers from the domain.</summary>
    public static double[][] For(Truth truth, DType type, Generator draws, int random = 64)
    {
        double[] edges = truth.Tensors == 1 ? Edges(type) : truth.Tensors == 2 ? [.. s_few, Tolerance.Largest(type), Tolerance.Smallest(type)] : s_few;
        var rows = new List<double[]>();
        Combine([], truth.Tensors);
        var (low, high) = truth.Domain;
        var uniform = Tensor.Rand([random * truth.Tensors], DType.Float64, draws).ToArray<double>();
        for (int i = 0; i < random; i++)
        {
            var row = new double[truth.Tensors];
            double l = i % 2 == 0 ? low : -5, h = i % 2 == 0 ? high : 5;
            for (int k = 0; k < row.Length; k++) row[k] = l + (h - l) * uniform[i * row.Length + k];
            rows.Add(row);
        }
        if (truth.Conditions > 0) foreach (var row in rows) row[0] = row[0] > 0 ? 1 : 0;
        return [.. Enumerable.Range(0, truth.Tensors).Select(k => rows.Select(r => r[k]).ToArray())];

        void Combine(double[] prefix, int left)
        {
            if (left == 0) { rows.Add(prefix); return; }
            foreach (var edge in edges) Combine([.. prefix, edge], left - 1);
        }
    }

    /// <summary>The columns as tensors of a type, conditions as bool, and what the tensors hold after rounding.</summary>
    public static (Tensor[] Tensors, double[][] Held) Make(Truth truth, DType type, double[][] columns)
    {
        var tensors = columns.Select((c, k) => Tensor.FromArray((double[])c.Clone()).To(k < truth.Conditions ? DType.Bool : type)).ToArray();
        return (tensors, [.. tensors.Select(t => t.ToArray<double>())]);
    }

    /// <summary>Random operands of n elements inside the domain.</summary>
    public static Tensor[] Random(Truth truth, DType type, long n, Generator draws)
    {
        var (low, high) = truth.Domain;
        return [.. Enumerable.Range(0, truth.Tensors).Select(k => k < truth.Conditions ? Tensor.RandInt(0, 2, [n], DType.Bool, draws) : (Tensor.Rand([n], DType.Float64, draws) * (high - low) + low).To(type))];
    }
}
