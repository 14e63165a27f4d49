using Flambeau.Ops;

namespace Flambeau.Bench.Suites;

/// <summary>
/// Operators and chains of them element by element into fresh tensors, out of memory (32M elements), out of the last cache (1M), out of a core's own cache (98,304) and where calls cost most (4,096), in bytes that must move: each operand and result once,
/// whoever moves more. Operands are matrices of 1,024 columns. PyTorch has no composites: a chain is its operators one by one.
/// </summary>
internal sealed class PointwiseSuite : ISuite
{
    private const long Columns = 1024;
    private const long Small = 4096, Cached = 96 << 10, Middle = 1 << 20, Large = 32 << 20;

    public string Name => "pointwise";

    public IEnumerable<Case> Cases(Options options) =>
    [
        .. from op in Operators from size in (long[])[Small, Cached, Middle, Large] select Pointwise(options, op, size),
        .. from op in Composites from size in (long[])[Small, Cached, Middle, Large] select Pointwise(options, op, size),
        .. from op in Composites from size in (long[])[Middle, Large] select Pointwise(options, op, size, backward: true),
        .. from op in Views from size in (long[])[Middle, Large] select Pointwise(options, op, size),
        .. from op in InHalfPrecision from size in (long[])[Middle, Large] select Pointwise(options, op, size, DType.BFloat16),
    ];

    /// <param name="Operands">Made for so many rows.</param>
    private sealed record Op(string Name, string Peer, Func<long, DType, Tensor[]> Operands, Func<Tensor[], Tensor> Apply)
    {
        /// <summary>Operands as large as the result.</summary>
        public int Full { get; init; } = 1;
    }

    private static readonly Op
        s_add = Binary("add", (x, y) => x + y), s_exp = Unary("exp", x => x.Exp()), s_gelu = Unary("gelu", x => x.Gelu()),
        s_biasGelu = new("GELU with bias", "bias_gelu", (rows, type) => [Matrix(rows, type), Tensor.RandN([Columns], type)], t => BiasGelu(t[0], t[1])),
        s_swiGlu = Binary("SwiGLU", (x, y) => x.SwiGlu(y), "swiglu"),
        s_column = new("matrix + column", "column", (rows, type) => [Matrix(rows, type), Tensor.RandN([rows, 1], type)], t => t[0] + t[1]);

    private static Op[] Operators =>
    [
        s_add, Binary("mul", (x, y) => x * y), s_exp, s_gelu,
        Unary("tanh", x => x.Tanh()), Unary("sigmoid", x => x.Sigmoid()), Unary("silu", x => x.Silu()),
        // of no negative number: a library may take a slow path for what is no number
        new("sqrt", "sqrt", (rows, type) => [Tensor.Rand([rows, Columns], type)], t => t[0].Sqrt()),
    ];

    private static Op[] Composites => [Binary("chain of six", Chain, "chain"), s_biasGelu, s_swiGlu];

    private static Op[] Views =>
    [
        new("transposed + matrix", "transposed", (rows, type) => [Tensor.RandN([Columns, rows], type).T, Matrix(rows, type)], t => t[0] + t[1]) { Full = 2 },
        new("half of each row + matrix", "half_rows", (rows, type) => [Tensor.RandN([rows, 2 * Columns], type).Narrow(1, 0, Columns), Matrix(rows, type)], t => t[0] + t[1]) { Full = 2 },
        s_column,
    ];

    private static Op[] InHalfPrecision => [s_add, s_exp, s_gelu, s_biasGelu, s_swiGlu, s_column];

    private static Op Unary(string name, Func<Tensor, Tensor> op) => new(name, name, (rows, type) => [Matrix(rows, type)], t => op(t[0]));

    private static Op Binary(string name, Func<Tensor, Tensor, Tensor> op, string? peer = null) =>
        new(name, peer ?? name, (rows, type) => [Matrix(rows, type), Matrix(rows, type)], t => op(t[0], t[1])) { Full = 2 };

    private static Tensor Chain(Tensor x, Tensor y) => Composite.Apply("Chain", static t => ((t[0] * t[1] + t[0]).Sigmoid() * t[1] - t[0]).Tanh(), 0, x, y);

    private static Tensor BiasGelu(Tensor x, Tensor bias) => Composite.Apply("BiasGelu", static t => (t[0] + t[1]).Gelu(), 0, x, bias);

    private static Case Pointwise(Options options, Op op, long size, DType type = DType.Float32, bool backward = false)
    {
        // forward reads the operands and writes the result; backward reads them again and the result's gradient, and writes theirs
        double passes = op.Full + 1 + (backward ? 2 * op.Full + 1 : 0), bytes = passes * Columns * (type == DType.BFloat16 ? 2 : 4);
        Action Prepare(long rows) => PointwiseSuite.Prepare(op, rows, type, backward);
        return new($"{op.Name} {(size < Middle ? $"{size:#,0}" : $"{size >> 20}M")}{(backward ? " + backward" : "")}", Unit.GigabytesPerSecond)
        {
            DType = type.Name,
            Work = bytes * (size / Columns),
            Limit = new Roof(op.Full == 1 ? Traffic.Copy : Traffic.Triad, bytes, Prepare).Of(size / Columns, options.Threads),
            Ours = Case.Timed(() => Prepare(size / Columns)),
            Peer = Case.Torch($"pointwise.{op.Peer}", new { rows = size / Columns, columns = Columns, backward }),
        };
    }

    private static Action Prepare(Op op, long rows, DType type, bool backward)
    {
        var x = op.Operands(rows, type);
        if (!backward) return () => op.Apply(x).Dispose();
        var g = Matrix(rows, type);
        foreach (var leaf in x) leaf.RequiresGrad_();
        return () =>
        {
            using var y = op.Apply(x);
            y.Backward(g);
            foreach (var leaf in x) { leaf.Grad!.Dispose(); leaf.Grad = null; }
        };
    }

    private static Tensor Matrix(long rows, DType type) => Tensor.RandN([rows, Columns], type);
}
