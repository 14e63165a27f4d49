using Flambeau.Bench.Free;
using Flambeau.Kernels;
using Flambeau.Runtime;

namespace Flambeau.Bench.Suites;

/// <summary>
/// The price of the same bits: our kernels against kernels for the same that no law of docs/design/numerics.md binds (Free/). <c>share</c> is our speed over the free one's, the faster where there are two.
/// Copies of our own kernels under another law are free in their blocks (<c>Free.Short</c>, <c>Free.Long</c>); the others are written for it.
/// </summary>
internal sealed class InvarianceSuite : ISuite
{
    public string Name => "invariance";

    public IEnumerable<Case> Cases(Options options) =>
    [
        .. from type in Types from n in (long[])[512, 1024, 2048] select Product($"mm {n}", type, n, n, n),
        .. from type in Types select Product("mm 2048x384x1536 NT", type, 2048, 384, 1536, turned: true),
        .. from type in Types from shape in (long[][])[[64, 64, 16384], [384, 384, 4096]] select WeightGradient(options, type, shape[0], shape[1], shape[2]),
        .. from shape in (long[][])[[512, 512], [1024, 1024], [4096, 4096]] from rows in (long[])[1, 4, 8] select FewRows(rows, shape[0], shape[1], turned: true),
        .. from shape in (long[][])[[512, 512], [1024, 1024], [4096, 4096]] from rows in (long[])[1, 4, 8] select FewRows(rows, shape[0], shape[1], turned: false),
        .. from k in (long[])[1024, 16384, 1 << 20] select Dot(k),
        .. from type in Types from tokens in (long[])[256, 1024, 4096] select Attention($"attention {tokens}, causal", type, 24, tokens, tokens, isCausal: true),
        .. from type in Types select Attention("attention 1 query, 4096 keys", type, 24, 1, 4096, isCausal: false),
        Rows("sum", [1 << 20], x => x.Sum(), FreeKernels.Total),
        Rows("sum of rows", [512, 384], x => x.Sum(1), FreeKernels.OfRows),
        Rows("sum of rows", [4096, 1024], x => x.Sum(1), FreeKernels.OfRows),
        Rows("sum of columns", [65536, 64], x => x.Sum(0), FreeKernels.OfColumns),
        .. from rows in (long[])[1024, 8192] select Rows("softmax", [rows, 1024], x => x.Softmax(-1), FreeKernels.Softmax),
        .. from rows in (long[])[1024, 8192] select RmsNorm(rows),
    ];

    private static DType[] Types => [DType.Float32, DType.BFloat16];

    /// <summary>Our side and the free ones, each made from the same operands.</summary>
    private static Case Of(string name, Unit unit, double work, Func<Action> ours, params Func<Action>[] free) =>
        new(name, unit) { Work = work, Ours = Case.Timed(ours), Free = [.. free.Select(Case.Timed)] };

    private static Case Product(string name, DType type, long m, long n, long k, bool turned = false, bool transposed = false, Unit? unit = null, double? work = null)
    {
        Func<Action> With(Action<Tensor, Tensor, Tensor> multiply) => () =>
        {
            Tensor a = Matrix(type, m, k, transposed), b = Matrix(type, k, n, turned), c = Tensor.Empty([m, n], type);
            return () => multiply(a, b, c);
        };
        return Of(name, unit ?? Unit.GigaflopsPerSecond, work ?? 2.0 * m * n * k, With(KernelCalls.Multiply), With(Flambeau.Free.Short.KernelCalls.Multiply), With(Flambeau.Free.Long.KernelCalls.Multiply)) with { DType = type.Name };
    }

    /// <summary>The left operand lies token by token, as does the right one: what a backward pass contracts.</summary>
    private static Case WeightGradient(Options options, DType type, long m, long n, long tokens)
    {
        var product = Product($"weight gradient {m}x{n}x{tokens}", type, m, n, tokens, transposed: true);
        return product with
        {
            Free =
            [
                .. product.Free,
                Case.Timed(() =>
                {
                    Tensor a = Matrix(type, m, tokens, true), b = Matrix(type, tokens, n, false), c = Tensor.Empty([m, n], type);
                    var halves = new Shares(a, b, options.Threads);
                    return () => halves.Multiply(c);
                }),
            ],
        };
    }

    /// <summary>Each thread has a share of the tokens; what they made is added.</summary>
    private sealed class Shares(Tensor a, Tensor b, int threads)
    {
        private readonly Tensor[] _made = [.. Enumerable.Range(0, threads).Select(_ => Tensor.Empty([a.Shape[0], b.Shape[1]], a.DType))];

        public void Multiply(Tensor c)
        {
            var parts = new Part { Of = this };
            Team.Run(threads, ref parts);
            using var _ = Autograd.NoGrad();
            c.Copy_(_made[0]);
            foreach (var made in _made[1..]) c.Add_(made);
        }

        private struct Part : IPart
        {
            public Shares Of;

            public readonly void Run(int part) => Of.Run(part);
        }

        private void Run(int part)
        {
            long k = a.Shape[1], from = k * part / threads, length = k * (part + 1) / threads - from;
            Flambeau.Free.Short.KernelCalls.Multiply(a.Narrow(1, from, length), b.Narrow(0, from, length), _made[part]);
        }
    }

    /// <summary>Few rows times weights of n × k (turned) or k × n.</summary>
    private static Case FewRows(long rows, long n, long k, bool turned)
    {
        var product = Product($"mm {rows}x{n}x{k}{(turned ? " NT" : "")}", DType.Float32, rows, n, k, turned, unit: Unit.GigabytesPerSecond, work: 4.0 * n * k);
        if (!turned) return product;
        return product with
        {
            Free =
            [
                .. product.Free,
                Case.Timed(() =>
                {
                    Tensor x = Matrix(DType.Float32, rows, k, false), w = Matrix(DType.Float32, n, k, false), y = Tensor.Empty([rows, n]);
                    return () => FreeKernels.FewRows(x, w, y);
                }),
            ],
        };
    }

    private static Case Dot(long k)
    {
        Func<Action> With(Action<Tensor, Tensor, Tensor> dot) => () =>
        {
            Tensor x = Matrix(DType.Float32, 1, k, false), w = Matrix(DType.Float32, k, 1, false), y = Tensor.Empty([1, 1]);
            return () => dot(x, w, y);
        };
        return Of($"dot product of {k}", Unit.GigabytesPerSecond, 8.0 * k, With(KernelCalls.Multiply), With(FreeKernels.Dot));
    }

    private static Case Attention(string name, DType type, long heads, long queries, long keys, bool isCausal)
    {
        const long Size = 64;
        Func<Action> With(Action<Tensor, Tensor, Tensor, Tensor, bool> attend) => () =>
        {
            Tensor q = Tensor.RandN([heads, queries, Size], type), k = Tensor.RandN([heads, keys, Size], type), v = Tensor.RandN([heads, keys, Size], type), o = Tensor.Empty([heads, queries, Size], type);
            return () => attend(q, k, v, o, isCausal);
        };
        double work = 4.0 * heads * queries * keys * Size / (isCausal ? 2 : 1);
        return Of(name, Unit.GigaflopsPerSecond, work, With(KernelCalls.Attend), With(Flambeau.Free.Short.KernelCalls.Attend), With(Flambeau.Free.Long.KernelCalls.Attend)) with { DType = type.Name };
    }

    /// <summary>Both sides make a new result each time.</summary>
    private static Case Rows(string name, long[] shape, Func<Tensor, Tensor> ours, Action<Tensor, Tensor> free) =>
        Of($"{name} {string.Join('x', shape)}", Unit.GigabytesPerSecond, 4.0 * shape.Aggregate((a, b) => a * b),
            () => { var x = Tensor.RandN(shape); return () => ours(x).Dispose(); },
            () =>
            {
                var x = Tensor.RandN(shape);
                var like = ours(x).Shape;
                return () => { using var y = Tensor.Empty(like, DType.Float32); free(x, y); };
            });

    private static Case RmsNorm(long rows)
    {
        var w = Tensor.RandN([1024]);
        return Rows("RMS norm", [rows, 1024], x => x.RmsNorm(w), (x, y) => FreeKernels.RmsNorm(x, w, y));
    }

    private static Tensor Matrix(DType type, long rows, long columns, bool transposed)
    {
        var x = Tensor.RandN(transposed ? [columns, rows] : [rows, columns], type);
        return transposed ? x.T : x;
    }
}
