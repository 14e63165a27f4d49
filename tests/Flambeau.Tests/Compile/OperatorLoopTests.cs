using System.Runtime.CompilerServices;
using Flambeau.Compile;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Tests.Table;
using Random = System.Random;

namespace Flambeau.Tests.Compile;

/// <summary>An operator's emitted loops have the bits of its kernel, whatever the operands' types and however they lie.</summary>
[Collection("Team")]
public class OperatorLoopTests
{
    static readonly int s_cases = int.TryParse(Environment.GetEnvironmentVariable("FLAMBEAU_OPERATOR_LOOPS"), out int n) ? n : 600;

    /// <param name="Width">Of the lanes, in bits.</param>
    /// <param name="Threads">How many.</param>
    /// <param name="Streams">Whether what may be written past the caches is.</param>
    readonly record struct Way(int Width, int Threads, bool Streams)
    {
        public static Way Number(int n) => new(n % 3 == 0 ? Kernel.Width : n % 3 == 1 ? 256 : 128, n % 5 == 0 ? 2 : 1, n % 4 != 3);
    }

    static T With<T>(Way way, long least, Func<T> run)
    {
        var (width, threads, streams, from, worth) = (Kernel.Width, Team.Threads, Streaming.Least, OperatorLoops.Least, OperatorLoops.Worth);
        (Kernel.Width, Team.Threads, Streaming.Least, OperatorLoops.Least, OperatorLoops.Worth) = (way.Width, way.Threads, way.Streams ? 0 : long.MaxValue, least, 0);
        try { return run(); }
        finally { (Kernel.Width, Team.Threads, Streaming.Least, OperatorLoops.Least, OperatorLoops.Worth) = (width, threads, streams, from, worth); }
    }

    static T ByKernels<T>(Func<T> run) => With(new(Kernel.Width, 1, false), long.MaxValue, run);
    static T ByLoops<T>(Way way, Func<T> run) => With(way, 1, run);

    // edges of the number line in whole vectors and a rest; then rows that are no whole vectors with an operand that they share
    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Every_operator_and_its_gradients_have_the_bits_of_the_kernel(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        int way = name.Length;
        foreach (var type in (DType[])[DType.Float32, DType.BFloat16])
        {
            var (tensors, _) = Operands.Make(truth, type, Operands.For(truth, type, Rows.Draws(name)));
            var flat = Array.ConvertAll(tensors, t => t.Narrow(0, 0, (t.Numel - 1) | 1)); // odd
            var rows = Array.ConvertAll(Operands.Random(truth, type, 5 * 41, Rows.Draws(name)), t => t.View([5, 41]));
            if (rows.Length > 1) rows[^1] = rows[^1][0];
            foreach (var x in new[] { flat, rows })
            {
                var ways = Way.Number(way++);
                Bits.Equal(ByKernels(() => truth.Apply(x)), ByLoops(ways, () => truth.Apply(x)), $"{name} of {type.Name}, {x[0].Shape}, {ways}");
                if (truth.Promotion == Promotion.Bool) continue;
                var (expected, actual) = (ByKernels(() => Gradients(truth, x)), ByLoops(ways, () => Gradients(truth, x)));
                for (int k = 0; k < expected.Length; k++) Bits.Equal(expected[k], actual[k], $"gradient {k} of {name} of {type.Name}, {x[0].Shape}, {ways}");
            }
        }
    }

    static Tensor[] Gradients(Truth truth, Tensor[] x)
    {
        var leaves = x.Select((t, k) => k < truth.Conditions ? t : t.Detach().RequiresGrad_()).ToArray();
        var y = truth.Apply(leaves);
        // not summed over what an operand shares: that order is the sum's
        return [.. Autograd.Grad([y], leaves[truth.Conditions..], [Tensor.RandN(y.Shape, y.DType, new Generator(5))], allowUnused: true).OfType<Tensor>()];
    }

    // ---- random operands ----

    static readonly (string Name, int Arity, Func<Tensor[], Tensor> Run)[] s_operators =
    [
        ("add", 2, t => t[0] + t[1]), ("gelu", 1, t => t[0].Gelu()), ("less", 2, t => t[0].Lt(t[1])), ("where", 3, t => Tensor.Where(t[0].DType == DType.Bool ? t[0] : Zero.Lt(t[0]), t[1], t[2])),
        ("divide", 2, t => t[0] / t[1]), ("number", 1, t => t[0] * 0.3), ("maximum", 2, t => t[0].Maximum(t[1])), ("multiply-add", 3, t => (t[0].DType.IsFloatingPoint ? t[0] : t[0].To(DType.Float32)).AddCMul(t[1], t[2], 0.5)), ("sine", 1, t => t[0].Sin()), ("finite", 1, t => t[0].IsFinite()),
    ];

    static Tensor Zero => Tensor.Zeros(Shape.Scalar, DType.Float32);

    static readonly (string Name, int Arity, Action<Tensor, Tensor[]> Run)[] s_inPlace =
    [
        ("add_", 1, (y, t) => y.Add_(t[0])), ("mul_", 1, (y, t) => y.Mul_(t[0])), ("number", 0, (y, t) => y.Mul_(0.3)), ("itself", 0, (y, t) => y.Add_(y)), ("exp_", 0, (y, t) => y.Exp_()), ("masked", 1, (y, t) => y.MaskedFill_(t[0].Gt(0), 2.5)),
    ];

    static readonly DType[] s_types = [DType.Float32, DType.Float32, DType.BFloat16, DType.BFloat16, DType.Float16, DType.Float64, DType.Bool, DType.UInt8, DType.Int64];
    static readonly long[] s_sizes = [1, 2, 3, 7, 10, 16, 17, 33, 48, 64, 70, 130, 259, 1001];

    static long[] RandomShape(Random random)
    {
        long[] sizes = [.. Enumerable.Range(0, random.Next(0, 5)).Select(_ => s_sizes[random.Next(s_sizes.Length)])];
        while (sizes.Aggregate(1L, (a, b) => a * b) > 60_000) sizes[random.Next(sizes.Length)] = 2;
        if (sizes.Length > 0 && random.Next(40) == 0) sizes[random.Next(sizes.Length)] = 0;
        return sizes;
    }

    // values of a shape that broadcasts to the given one, laid out anyhow
    static Tensor RandomOperand(Random random, long[] shape, DType type, bool whole) => RandomView(random, shape, type, whole).View;

    // and the whole that it is a view of
    static (Tensor View, Tensor Of) RandomView(Random random, long[] shape, DType type, bool whole)
    {
        long[] own = [.. shape.Select(size => !whole && random.Next(5) == 0 ? 1 : size)];
        if (!whole && random.Next(5) == 0) own = own[random.Next(own.Length + 1)..];
        int[] order = [.. Enumerable.Range(0, own.Length)];
        if (random.Next(3) == 0) random.Shuffle(order);
        int wide = own.Length > 0 && random.Next(3) == 0 ? random.Next(own.Length) : -1, step = random.Next(1, 3);
        long[] laid = [.. order.Select(d => d == wide ? own[d] * 2 + 1 : own[d])];
        var x = (Tensor.RandN(laid, DType.Float32, new Generator((ulong)random.Next())) * 3).To(type == DType.UInt8 ? DType.Int64 : type).To(type);
        var view = order.Length > 0 ? x.Permute([.. order.Select((_, d) => Array.IndexOf(order, d))]) : x;
        return (wide < 0 ? view : step == 1 ? view.Narrow(wide, 1, own[wide]) : view.Slice(wide, 0, 2 * own[wide], 2), x);
    }

    static int Seed => Environment.GetEnvironmentVariable("FLAMBEAU_SEED") is { } seed ? int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture) : 20_261;

    static string Text(IEnumerable<Tensor> x) => string.Join(", ", x.Select(t => $"{t.DType.Name}[{string.Join(" ", t.Shape.ToArray())}] by [{string.Join(" ", t.Strides.ToArray())}]"));

    [Fact]
    public void Random_operands_have_the_bits_of_the_kernel_in_a_fresh_contiguous_result()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Seed}");
        var random = new Random(Seed);
        for (int i = 0; i < s_cases; i++)
        {
            var (name, arity, run) = s_operators[random.Next(s_operators.Length)];
            long[] shape = RandomShape(random);
            int whole = random.Next(arity);
            Tensor[] x = [.. Enumerable.Range(0, arity).Select(k => RandomOperand(random, shape, s_types[random.Next(s_types.Length)], k == whole))];
            var way = Way.Number(i);
            Tensor expected = ByKernels(() => run(x)), actual = ByLoops(way, () => run(x));
            string what = $"case {i} of seed {Seed}: {name} of {Text(x)}, {way}";
            Bits.Equal(expected, actual, what);
            Assert.True(actual.IsContiguous, what);
        }
    }

    [Fact]
    public void Random_targets_are_written_in_place_and_nothing_beside_them()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Seed}");
        var random = new Random(Seed + 1);
        for (int i = 0; i < s_cases / 2; i++)
        {
            var (name, arity, run) = s_inPlace[random.Next(s_inPlace.Length)];
            long[] shape = RandomShape(random);
            DType[] floats = [DType.Float32, DType.BFloat16, DType.Float16, DType.Float64];
            var type = floats[random.Next(floats.Length)];
            int seed = random.Next();
            Tensor[] x = [.. Enumerable.Range(0, arity).Select(_ => RandomOperand(random, shape, s_types[random.Next(s_types.Length - 2)], false))];
            // the same twice
            (Tensor View, Tensor Of) expected = RandomView(new(seed), shape, type, true), actual = RandomView(new(seed), shape, type, true);
            string what = $"case {i} of seed {Seed}: {name} to {Text([expected.View])} of {Text(x)}, {Way.Number(i)}";
            ByKernels(() => { run(expected.View, x); return 0; });
            ByLoops(Way.Number(i), () => { run(actual.View, x); return 0; });
            Bits.Equal(expected.Of, actual.Of, what);
        }
    }

    // parts of the team's work that begin within a row, and more than one chunk
    [Theory]
    [InlineData(1_000_003, 1)]
    [InlineData(1000, 1001)]
    [InlineData(3000, 1000)]
    [InlineData(100_000, 10)]
    [InlineData(1100, 1024)]
    public void Large_operands_have_the_same_bits(long rows, long columns)
    {
        foreach (var type in (DType[])[DType.Float32, DType.BFloat16])
        {
            var generator = new Generator(3);
            Tensor x = Tensor.RandN([rows, columns], type, generator), column = Tensor.RandN([rows, 1], type, generator), bias = Tensor.RandN([columns], type, generator), turned = Tensor.RandN([columns, rows], type, generator).T;
            foreach (var (what, run) in new (string, Func<Tensor>)[] { ("flat", () => x * x), ("column", () => x + column), ("bias", () => x + bias), ("transposed", () => x * turned), ("in place", () => x.Clone().Add_(column)) })
            {
                var expected = ByKernels(run);
                foreach (bool streams in new[] { false, true })
                    Bits.Equal(expected, ByLoops(new(Kernel.Width, 2, streams), run), $"{what}, {rows} x {columns} {type.Name}, streams: {streams}");
            }
        }
    }

    [Fact]
    public void Many_callers_get_the_same_bits()
    {
        Tensor[] x = [.. ((DType[])[DType.Float32, DType.BFloat16, DType.Float16]).Select(type => Tensor.RandN([300, 100], type, new Generator(7)))];
        Func<Tensor, Tensor>[] operators = [t => t.Expm1(), t => t + t[0], t => t * t.T.Contiguous().T, t => t.Sub(0.25)];
        var expected = ByKernels(() => (from t in x from op in operators select op(t)).ToArray());
        ByLoops(new(Kernel.Width, 2, false), () => Parallel.For(0, 64, i =>
        {
            int k = i % expected.Length;
            Bits.Equal(expected[k], operators[k % operators.Length](x[k / operators.Length]), $"caller {i}");
        }));
    }
}

/// <summary>When an operator's loops are compiled: alone, since the count is the process's.</summary>
[Collection(nameof(CompiledLoopTests))]
public class OperatorLoopCountTests
{
    // operators that nothing else has compiled
    readonly struct Sixth : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => x * x * x * x * x * x; }
    readonly struct Seventh : IUnary { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static S Body<S>(S x) where S : IReal<S> => x * x * x * x * x * x * x; }

    static long Compiled(Action run)
    {
        long before = Settings.Compiled.Loops;
        run();
        return Settings.Compiled.Loops - before;
    }

    [Fact]
    public void A_loop_is_compiled_once_its_kernel_has_done_enough_work()
    {
        Assert.SkipUnless(Settings.CodeGeneration, "compiles nothing");
        Tensor small = Tensor.Ones([1000], DType.BFloat16), large = Tensor.Ones([1 << 20], DType.BFloat16), wide = Tensor.Ones([1 << 20]);
        Assert.Equal(0, Compiled(() => { for (int i = 0; i < 100; i++) Elementwise.Apply<Sixth>(small); }));
        Assert.Equal(0, Compiled(() => { for (long done = large.Numel; done < OperatorLoops.Worth; done += large.Numel) Elementwise.Apply<Sixth>(large); }));
        Assert.Equal(1, Compiled(() => Elementwise.Apply<Sixth>(large)));
        // another size is the same loop
        Assert.Equal(0, Compiled(() => Elementwise.Apply<Sixth>(large[3..])));
        // light, in the type that it is computed in and in cache: the kernel is as fast
        Assert.Equal(0, Compiled(() => { for (int i = 0; i < 40; i++) Elementwise.Apply<Sixth>(wide); }));
    }

    [Fact]
    public void A_large_result_compiles_a_loop_at_once_unless_nothing_may_be_compiled()
    {
        Assert.SkipUnless(Settings.CodeGeneration, "compiles nothing");
        var x = Tensor.Ones([Math.Max(OperatorLoops.Worth, Streaming.Least / sizeof(float))]);
        Settings.CodeGeneration = false;
        try { Assert.Equal(0, Compiled(() => Elementwise.Apply<Seventh>(x))); }
        finally { Settings.CodeGeneration = true; }
        Assert.Equal(1, Compiled(() => Elementwise.Apply<Seventh>(x)));
    }
}
