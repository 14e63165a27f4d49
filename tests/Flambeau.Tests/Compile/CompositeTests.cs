using Flambeau.Runtime;
using Flambeau.Ops;

namespace Flambeau.Tests.Compile;

/// <summary>A composite in one pass over rows has the bits of its operators one by one.</summary>
[Collection(nameof(CompositeTests))] // settings are the process's: what counts loops does not run meanwhile
public class CompositeTests
{
    internal static (Tensor Y, Tensor?[] Gradients) Run(Func<Tensor[], Tensor> f, Tensor[] x)
    {
        var leaves = Array.ConvertAll(x, t => t.DType.IsFloatingPoint ? t.Clone().Detach().RequiresGrad_() : t);
        var y = f(leaves);
        if (y.RequiresGrad) y.Backward(Tensor.RandN(y.Shape, y.DType, new Generator(5)));
        return (y.Detach(), Array.ConvertAll(leaves, t => t.Grad));
    }

    static void Same(Tensor expected, Tensor actual, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        Assert.Equal(expected.DType, actual.DType);
        // bits, signs of zeros included; which NaN it is the processor chooses
        static long Bits(double x) => BitConverter.DoubleToInt64Bits(double.IsNaN(x) ? double.NaN : x);
        var (a, b) = (Array.ConvertAll(expected.ToArray<double>(), Bits), Array.ConvertAll(actual.ToArray<double>(), Bits));
        for (int i = 0; i < a.Length; i++) Assert.True(a[i] == b[i], $"{what}: element {i} is {BitConverter.Int64BitsToDouble(b[i]):R}, operator by operator {BitConverter.Int64BitsToDouble(a[i]):R}");
    }

    static string Explain(Func<Tensor[], Tensor> body, object attributes, params Tensor[] x) => Assert.Single(Composite.Explain(() => Composite.Apply("it", body, attributes, x)));

    // forward the bits of the body; gradients, which the compiler may regroup, the bits of the same graph operator by operator, and the body's to rounding
    internal static void SameBits(string what, Func<Tensor[], Tensor> body, object attributes, params Tensor[] x)
    {
        var (y, gradients) = Run(body, x);
        var (fused, fusedGradients) = Run(t => Composite.Apply(what, body, attributes, t), x);
        var (plain, plainGradients) = WithoutFusion(() => Run(t => Composite.Apply(what, body, attributes, t), x));
        Same(y, fused, what);
        Same(y, plain, what);
        double terms = gradients.OfType<Tensor>().Select(Largest).Append(1).Max(); // the incoming gradient is about 1
        for (int i = 0; i < x.Length; i++)
        {
            Assert.Equal(gradients[i] is null, fusedGradients[i] is null);
            if (gradients[i] is not { } g) continue;
            Same(plainGradients[i]!, fusedGradients[i]!, $"{what}, gradient of operand {i}");
            Near(g, fusedGradients[i]!, $"{what}, gradient of operand {i}", terms);
        }
    }

    static T WithoutFusion<T>(Func<T> run)
    {
        Settings.Fusion = false;
        try { return run(); }
        finally { Settings.Fusion = true; }
    }

    static double Largest(Tensor x) => x.ToArray<double>().Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();

    // relative to the largest element; where all of them cancel to nothing, only rounding is left, of terms so large
    static void Near(Tensor expected, Tensor actual, string what, double terms)
    {
        double[] a = expected.ToArray<double>(), b = actual.ToArray<double>();
        double largest = Largest(expected);
        double bound = expected.DType switch { DType.Float64 => Math.Max(largest * 1e-11, terms * 1e-14), DType.Float32 => Math.Max(largest * 1e-3, terms * 1e-6), _ => largest * 0.05 };
        for (int i = 0; i < a.Length; i++)
            Assert.True(!double.IsFinite(a[i]) || Math.Abs(a[i] - b[i]) <= bound, $"{what}: element {i} is {b[i]:R}, by the body's own gradient {a[i]:R}, largest {largest:R}");
    }

    // x, weight, bias → a dozen operators around three reductions
    static Tensor Dozen(Tensor[] t)
    {
        var (x, w, b) = (t[0], t[1], t[2]);
        var c = x - x.Mean(-1, true);
        var n = c * ((c * c).Mean(-1, true) + 1e-5).Rsqrt() * w + b;
        var gate = (n * 0.5).Sigmoid() * n.Tanh();
        return gate / (gate.Abs().Sum(-1, keepDim: true) + 1) + x.Relu();
    }

    [Fact]
    public void A_dozen_operators_are_one_pass_forward_and_one_backward()
    {
        Tensor[] x = [Tensor.RandN([3, 5, 40]).RequiresGrad_(), Tensor.RandN([40]).RequiresGrad_(), Tensor.RandN([40]).RequiresGrad_()];
        string text = Explain(Dozen, 0, x);
        Assert.Contains("forward: 15 rows of 40", text);
        Assert.Contains("backward: 15 rows of 40", text);
        Assert.DoesNotContain("operator by operator", text);
    }

    [Theory]
    [InlineData(DType.Float32), InlineData(DType.Float64), InlineData(DType.BFloat16), InlineData(DType.Float16)]
    public void It_has_the_same_bits_in_every_type_and_at_odd_sizes(DType type)
    {
        foreach (var (rows, columns) in new[] { (1, 1), (1, 17), (33, 2), (70, 131), (5, 3000), (2, 33000) })
        {
            var g = new Generator((ulong)(rows * 1000 + columns));
            SameBits("Dozen", Dozen, 0, Tensor.RandN([2, rows, columns], type, g), Tensor.RandN([columns], type, g), Tensor.RandN([columns], type, g));
        }
    }

    [Fact]
    public void Operands_with_strides_broadcasts_and_other_types_have_the_same_bits()
    {
        var g = new Generator(4);
        var x = Tensor.RandN([6, 20, 8], generator: g);
        SameBits("transposed", t => (t[0] - t[0].Amax(-1, true)).Exp(), 0, x.Transpose(0, 1));
        SameBits("sliced", t => t[0] * t[0].Sum(-1, keepDim: true), 0, x.Slice(1, step: 2));
        SameBits("mask", t => Tensor.Where(t[1].Gt(0), t[0].Softmax(-1), t[0]), 0, x, Tensor.RandN([20, 8], generator: g));
        SameBits("row scalars", t => (t[0] * t[1]).Tanh().Sum(-1) , 0, x, Tensor.RandN([6, 20, 1], generator: g));
        SameBits("one number", t => t[0] * t[1] + 2, 0, x, Tensor.RandN([], generator: g));
        SameBits("double and half", t => (t[0] + t[1]).Exp(), 0, x.Double(), x.To(DType.BFloat16));
    }

    [Fact]
    public void Many_rows_have_the_same_bits_at_any_number_of_threads()
    {
        var g = new Generator(6);
        Tensor[] x = [Tensor.RandN([3000, 96], generator: g), Tensor.RandN([96], generator: g), Tensor.RandN([96], generator: g)];
        int before = Settings.Threads;
        try
        {
            foreach (int threads in new[] { 1, 2, 3 })
            {
                Settings.Threads = threads;
                SameBits("Dozen", Dozen, 0, x);
            }
        }
        finally { Settings.Threads = before; }
    }

    [Fact]
    public void What_is_no_pass_over_rows_runs_operator_by_operator_and_says_why()
    {
        var x = Tensor.RandN([6, 8]);
        Assert.Contains("no graph: ArgSort", Explain(t => t[0].Sort(0).Values, 0, x));
        SameBits("product", t => t[0].MatMul(t[0].T).Softmax(-1), 0, x);
        SameBits("first dim", t => t[0].Softmax(0), 0, x);
        SameBits("both dims", t => t[0].Softmax(0) + t[0].Softmax(1), 0, x);
        SameBits("with its transpose", t => t[0] + t[0].T, 0, Tensor.RandN([7, 7]));
        SameBits("everything", t => t[0] / t[0].Sum(), 0, x);
        SameBits("dims that are not adjacent", t => t[0] * 2 + t[1], 0, Tensor.RandN([40, 1, 50, 3]), Tensor.RandN([1, 1, 1, 3]));
        SameBits("dims that are not adjacent", t => t[0] * 2 + t[1], 1, Tensor.RandN([40, 2, 50, 3]), Tensor.RandN([1, 2, 1, 3]));
        SameBits("a sum over dims that are not adjacent", t => (t[0] + t[1]).Sum([0, 2]), 0, Tensor.RandN([40, 1, 50, 3]), Tensor.RandN([3]));
        SameBits("two zeros", t => (t[0].Abs() * 0.0).Reciprocal() - (t[0].Abs() * -0.0).Reciprocal(), 0, x);
    }

    public static TheoryData<string, Func<Tensor[], Tensor>> WrongBodies => new()
    {
        { "sizes", t => t[0].Exp() + t[1] },
        { "a condition's size", t => Tensor.Where(t[1].Gt(0), t[0], t[0]) },
        { "a dimension", t => t[0].Sum(2) },
        { "sizes side by side", t => Tensor.Cat([t[0], t[1]], -1) },
        { "a reshape", t => t[0].Reshape(5, 5) },
        { "an expansion", t => t[0].Expand(4, 7) },
        { "a piece", t => t[0].Narrow(-1, 2, 9) },
        { "an index's rank", t => t[0].Gather(-1, t[2]) },
        { "an index's size", t => t[0].Gather(-1, t[3]) },
        { "a float index", t => t[0].Gather(-1, t[1]) },
        { "its own value", t => t[0] * t[0].Sum().Item() },
    };

    [Theory, MemberData(nameof(WrongBodies))]
    public void Wrong_bodies_get_the_errors_of_their_operators(string what, Func<Tensor[], Tensor> body)
    {
        Tensor[] x = [Tensor.RandN([3, 4]), Tensor.RandN([2, 5]), Tensor.Zeros([3], DType.Int64), Tensor.Zeros([5, 1], DType.Int64)];
        var (expected, actual) = (Record.Exception(() => body(x)), Record.Exception(() => Composite.Apply(what, body, 0, x)));
        Assert.Equal(expected?.Message, actual?.Message);
        Assert.Equal(expected?.GetType(), actual?.GetType());
    }

    [Fact]
    public void A_result_that_is_an_operand_or_computed_from_none_is_what_the_body_gives()
    {
        var x = Tensor.RandN([3, 4]);
        SameBits("itself", t => t[0], 0, x);
        SameBits("one of two", t => t[1], 0, x, Tensor.RandN([4]));
        SameBits("ones", t => Tensor.OnesLike(t[0]), 0, x);
        SameBits("zeros", t => Tensor.Zeros([2]), 0, x);
        SameBits("detached", t => t[0].Detach(), 0, x);
        SameBits("written to", t => { var y = t[0] * 2; y.Add_(1); return y; }, 0, x);
    }

    [Fact]
    public void Many_operands_have_the_same_bits()
    {
        foreach (int n in new[] { 20, 40 })
            SameBits($"{n} operands", t => { var sum = t[0].Softmax(-1); foreach (var x in t) sum = sum * 0.5 + x; return sum; }, n, [.. Enumerable.Range(0, n).Select(i => Tensor.RandN([3, 5], generator: new Generator((ulong)i)))]);
    }

    [Fact]
    public void Attributes_and_shapes_have_programs_of_their_own()
    {
        static Tensor Power(Tensor x, double p) => Composite.Apply("Power", t => t[0].Abs().Pow(p) * t[0].Mean(-1, true), p, x);
        var x = Tensor.RandN([4, 9]);
        Same(x.Abs().Pow(2) * x.Mean(-1, true), Power(x, 2), "2");
        Same(x.Abs().Pow(3) * x.Mean(-1, true), Power(x, 3), "3");
        var longer = Tensor.RandN([4, 10]);
        Same(longer.Abs().Pow(3) * longer.Mean(-1, true), Power(longer, 3), "another size");
    }

    [Fact]
    public void Reductions_of_a_square_over_other_dimensions_are_others()
    {
        var x = Tensor.RandN([7, 7], generator: new Generator(14));
        SameBits("sums", t => t[0].Sum(0) * 2 + t[0].Sum(1), 0, x);
        SameBits("largest", t => t[0].Amax(0) - t[0].Amax(1), 0, x);
    }

    // one after the other: what was compiled for the first may not serve the second
    [Fact]
    public void What_wants_a_gradient_has_programs_of_its_own()
    {
        static Tensor Body(Tensor[] t) => (t[0] * t[1]).Softmax(-1) * t[0];
        var g = new Generator(15);
        Tensor[] x = [Tensor.RandN([3, 9], DType.Float64, g), Tensor.RandN([9], DType.Float64, g)];
        for (int pair = 0; pair < 16; pair++)
            foreach (int wanted in new[] { pair % 4, pair / 4 }) // bit i: operand i
            {
                (Tensor Y, Tensor?[] Gradients) Of(Func<Tensor[], Tensor> f)
                {
                    Tensor[] leaves = [.. x.Select((t, i) => (wanted >> i & 1) != 0 ? t.Clone().RequiresGrad_() : t.Clone())];
                    var y = f(leaves);
                    if (y.RequiresGrad) y.Square().Sum().Backward();
                    return (y, Array.ConvertAll(leaves, t => t.Grad));
                }
                var (body, fused) = (Of(Body), Of(t => Composite.Apply("it", Body, pair, t)));
                Same(body.Y.Detach(), fused.Y.Detach(), "it");
                Assert.Equal(wanted != 0, fused.Y.RequiresGrad);
                for (int i = 0; i < 2; i++)
                {
                    Assert.Equal((wanted >> i & 1) != 0, fused.Gradients[i] is not null);
                    if (body.Gradients[i] is { } gradient) Near(gradient, fused.Gradients[i]!, $"gradient of operand {i}", 0);
                }
            }
    }

    [Fact]
    public void Gradients_of_gradients_vmap_and_jvp_agree_with_the_body()
    {
        var g = new Generator(7);
        Tensor[] x = [Tensor.RandN([4, 6], DType.Float64, g), Tensor.RandN([6], DType.Float64, g), Tensor.RandN([6], DType.Float64, g)];
        Tensor Fused(Tensor[] t) => Composite.Apply("Dozen", Dozen, 0, t);
        Tensor Second(Func<Tensor[], Tensor> f)
        {
            var leaf = x[0].Clone().RequiresGrad_();
            var first = Autograd.Grad(f([leaf, x[1], x[2]]).Sin().Sum(), leaf, createGraph: true);
            return Autograd.Grad((first * first).Sum(), leaf);
        }
        Assert.True((Second(Dozen) - Second(Fused)).Abs().Max().Item() < 1e-12);
        Same(Autograd.Vmap(Dozen, x, [0, null, null]), Autograd.Vmap(Fused, x, [0, null, null]), "vmap");
        var direction = Array.ConvertAll(x, t => Tensor.OnesLike(t));
        Same(Autograd.Jvp(Dozen, x, direction).Tangent, Autograd.Jvp(Fused, x, direction).Tangent, "jvp");
    }

    public static TheoryData<string> Composites => [.. OperatorTable.All.Where(r => r.Kind == OperatorKind.Composite).Select(r => r.Name)];

    [Theory, MemberData(nameof(Composites))]
    public void Every_composite_of_the_table_has_the_same_bits_without_fusion(string name)
    {
        foreach (var sample in OperatorTable.All.Single(r => r.Name == name).Samples)
        {
            (Tensor Y, Tensor?[] Gradients) Of() => Run(sample.Call, sample.Operands(new Generator(3)));
            var (fused, plain) = (Of(), WithoutFusion(Of));
            Same(plain.Y, fused.Y, sample.Text);
            for (int i = 0; i < plain.Gradients.Length; i++) if (plain.Gradients[i] is { } g) Same(g, fused.Gradients[i]!, $"{sample.Text}, gradient of operand {i}");
        }
    }

    [Fact]
    public void Taking_an_element_of_each_row_and_its_gradient_go_through_loops()
    {
        var g = new Generator(12);
        foreach (int columns in new[] { 5, 64, 101, 40000 })
        {
            Tensor x = Tensor.RandN([7, columns], generator: g), index = Tensor.RandInt(0, columns, [7], generator: g);
            SameBits("taken", t => (t[0] * 2).Exp().Gather(-1, t[1].Unsqueeze(-1)).Squeeze(-1) * t[0].Sum(-1), 0, x, index);
            SameBits("taken of a softmax", t => t[0].Softmax(-1).Gather(-1, t[1].Unsqueeze(-1)).Log(), 0, x, index);
            SameBits("half", t => t[0].Gather(-1, t[1].Unsqueeze(-1)) * t[0], 0, x.To(DType.BFloat16), index);
            SameBits("double", t => t[0].Gather(-1, t[1].Unsqueeze(-1)) * t[0], 0, x.To(DType.Float64), index);
        }
        var e = Assert.Throws<FlambeauException>(() => Composite.Apply("it", t => t[0].Gather(-1, t[1].Unsqueeze(-1)) * t[0], 3, Tensor.RandN([2, 50]), Tensor.FromArray(new long[] { 1, 50 })));
        Assert.Contains("index 50 is out of range", e.Message);
    }

    [Theory, InlineData("CrossEntropy"), InlineData("Softmax"), InlineData("LogSoftmax"), InlineData("LayerNorm"), InlineData("RmsNorm"), InlineData("LogSumExp")]
    public void Norms_and_softmaxes_run_as_passes_over_rows(string name)
    {
        var sample = OperatorTable.All.Single(r => r.Name == name).Samples[0];
        var x = sample.Operands(new Generator(3));
        foreach (var t in x) if (t.DType.IsFloatingPoint) t.RequiresGrad = true;
        string text = string.Join('\n', Composite.Explain(() => sample.Call(x)));
        Assert.Matches(@"forward: \d+ rows of", text);
        Assert.Matches(@"backward: \d+ rows of", text);
    }

    // a random program over x [2, r, c], a weight [c], a number a row [2, r, 1] and one number
    static Func<Tensor[], Tensor> Random(System.Random random, int nodes)
    {
        var steps = Enumerable.Range(0, nodes).Select(_ => (Op: random.Next(17), A: random.Next(1 << 20), B: random.Next(1 << 20))).ToArray();
        return t =>
        {
            var values = t.ToList();
            foreach (var (op, i, j) in steps)
            {
                var (a, b) = (values[i % values.Count], values[j % values.Count]);
                values.Add(op switch
                {
                    0 => a + b, 1 => a - b, 2 => a * b, 3 => a / (b.Abs() + 1), 4 => a.Tanh(), 5 => (-a.Abs()).Exp(), 6 => a.Sigmoid(), 7 => a.Relu(), 8 => a.Maximum(b),
                    9 => Tensor.Where(a.Lt(b), a, b * 0.5), 10 => a * 1.25 + 0.5, 11 => Row(a, x => x.Sum(-1, keepDim: true)) * 0.125, 12 => Row(a, x => x.Mean(-1, true)), 13 => Row(a, x => x.Amax(-1, keepDim: true)),
                    14 => a.Mean(Some(a.Rank, j), keepDim: true), 15 => a.Sum(Some(a.Rank, j), keepDim: true) * 0.03125, _ => a.Amax(Some(a.Rank, j), keepDim: true),
                });
            }
            return values[^1] + t[0];

            // some of the dims, by the bits of a number; all for none
            static int[] Some(int rank, int bits) => [.. Enumerable.Range(0, rank).Where(d => (bits >> d & 1) != 0)];

            // a row scalar has no row to reduce
            static Tensor Row(Tensor a, Func<Tensor, Tensor> reduce) => a.Rank > 0 && a.Shape[^1] > 1 ? reduce(a) : a;
        };
    }

    // FLAMBEAU_COMPOSITES=5000 for the long run
    static int Cases => int.Parse(Environment.GetEnvironmentVariable("FLAMBEAU_COMPOSITES") ?? "120");

    [Fact]
    public void Random_composites_have_the_bits_of_their_operators() => Assert.True(RandomCases(Cases) > Cases * 5 / 6);

    [Theory, InlineData(128), InlineData(512)]
    public void Random_composites_have_the_same_bits_with_lanes_of_other_widths(int width)
    {
        int before = Kernel.Width;
        Kernel.Width = width;
        try { RandomCases(Cases / 4); }
        finally { Kernel.Width = before; }
    }

    [Theory, InlineData(512), InlineData(256), InlineData(128)]
    public void Random_composites_have_the_same_bits_past_the_caches(int width)
    {
        var (before, least) = (Kernel.Width, Streaming.Least);
        (Kernel.Width, Streaming.Least) = (width, 0);
        try
        {
            RandomCases(Cases / 4);
            // rows that begin with lines, with halves of them, and anywhere
            foreach (var type in new[] { DType.Float32, DType.Float64, DType.BFloat16 })
                foreach (long columns in new[] { 1024, 1000, 1040, 1001, 259 })
                    SameBits($"{columns} columns", t => (t[0] - t[0].Amax(-1, true)).Exp() / t[1], 0, Tensor.RandN([70, columns], type, new Generator(4)), Tensor.RandN([columns], type, new Generator(5)));
        }
        finally { (Kernel.Width, Streaming.Least) = (before, least); }
    }

    [Fact]
    public void Numbers_that_are_part_of_the_code_tell_loops_apart()
    {
        var x = Tensor.RandN([3, 50], generator: new Generator(9));
        SameBits("doubled", t => (t[0] * 2).Exp(), 0, x);
        SameBits("halved", t => (t[0] * 0.5).Exp(), 0, x);
        SameBits("one more", t => (t[0] + 1).Tanh(), 0, x);
        SameBits("two more", t => (t[0] + 2).Tanh(), 0, x);
    }

    // a row's last vector reaches into the next row, and where there is none into a copy
    [Theory, InlineData(128), InlineData(256), InlineData(512)]
    public void Rows_of_every_length_have_the_bits_of_their_operators(int width)
    {
        int before = Kernel.Width;
        Kernel.Width = width;
        try
        {
            var g = new Generator(5);
            for (int columns = 1; columns <= 140; columns += columns < 40 ? 1 : 9)
                foreach (int rows in new[] { 1, 2, 7 })
                    SameBits($"{rows} x {columns}", t => (t[0] * t[1]).Softmax(-1) - t[0].Amax(-1, true) + t[1], 0, Tensor.RandN([rows, columns], generator: g), Tensor.RandN([columns], generator: g));
        }
        finally { Kernel.Width = before; }
    }

    [Fact]
    public void Random_composites_have_the_same_bits_without_code_generation()
    {
        Settings.CodeGeneration = false;
        try { RandomCases(Cases); }
        finally { Settings.CodeGeneration = true; }
    }

    static int RandomCases(int count)
    {
        int seed = Environment.TickCount;
        var random = new System.Random(seed);
        int fused = 0;
        for (int k = 0; k < count; k++)
        {
            var body = Random(random, random.Next(1, 30));
            var type = random.Next(5) switch { 0 => DType.Float64, 1 => DType.BFloat16, 2 => DType.Float16, _ => DType.Float32 };
            long rows = random.Next(1, 40), columns = random.Next(6) switch { 0 => random.Next(1, 32), 1 => random.Next(200, 3000), 2 => 64 * random.Next(1, 5), _ => random.Next(32, 200) };
            var g = new Generator((ulong)k);
            Tensor[] x = [Laid(random, Tensor.RandN([2, rows, columns], type, g)), Tensor.RandN([columns], type, g), Laid(random, Tensor.RandN([2, rows, 1], type, g)), Tensor.RandN([], type, g)];
            SameBits($"seed {seed}, composite {k}, {type} {rows} x {columns}", body, (seed, k), x);
            if (Explain(body, (seed, k), x).Contains("rows of", StringComparison.Ordinal)) fused++;
        }
        return fused;
    }

    // the same elements: contiguous, with the first two dims the other way round in memory, or as a part of something wider
    static Tensor Laid(System.Random random, Tensor x) => random.Next(3) switch
    {
        0 => x,
        1 => x.Transpose(0, 1).Contiguous().Transpose(0, 1),
        _ => Tensor.Cat([x, x], -1).Narrow(-1, 0, x.Shape[^1]),
    };

    static Tensor Turned(Tensor[] t)
    {
        long half = t[0].Shape[^1] / 2;
        Tensor x1 = t[0].Narrow(-1, 0, half), x2 = t[0].Narrow(-1, half, half), c = t[1].Narrow(-1, 0, half), s = t[1].Narrow(-1, half, half);
        return Tensor.Cat([x1 * c - x2 * s, x2 * c + x1 * s], -1);
    }

    // pairs of halves, as in a rotary embedding: whole vectors and not, many rows that share an operand's row and few, contiguous and heads side by side
    [Theory]
    [InlineData(true), InlineData(false)]
    public void Pieces_of_rows_are_read_where_they_lie_and_written_side_by_side(bool generates)
    {
        Settings.CodeGeneration = generates;
        try
        {
            foreach (var type in new[] { DType.Float32, DType.Float64, DType.BFloat16 })
                foreach (var (tokens, size) in new[] { (40, 32), (130, 64), (3, 32), (40, 6), (33, 40), (1, 2), (32, 2) })
                {
                    var g = new Generator((ulong)(tokens + size));
                    Tensor angles = Tensor.RandN([tokens, size], type, g), q = Tensor.RandN([2, tokens, 3, size], type, g).Transpose(1, 2);
                    SameBits($"heads side by side, {type} {tokens} x {size}", Turned, 0, q, angles);
                    SameBits($"contiguous, {type} {tokens} x {size}", Turned, 0, q.Contiguous(), angles);
                    SameBits($"angles held fixed, {type} {tokens} x {size}", t => Turned([t[0], angles]), (tokens, size, type), q, angles);
                }
        }
        finally { Settings.CodeGeneration = true; }
    }

    [Fact]
    public void Rotary_embeddings_are_one_pass_each_way_and_keep_heads_side_by_side()
    {
        Tensor x = Tensor.RandN([2, 40, 3, 32]).Transpose(1, 2).RequiresGrad_(), cos = Tensor.RandN([40, 32]), sin = Tensor.RandN([40, 32]);
        string text = Assert.Single(Composite.Explain(() => x.RotaryEmbedding(cos, sin).Sum().Backward()));
        Assert.Contains("forward: 240 rows of 16", text);
        Assert.Contains("backward: 240 rows of 16", text);
        Assert.DoesNotContain("Gather", text);
        Assert.True(x.RotaryEmbedding(cos, sin).Transpose(1, 2).IsContiguous);
    }

    // rows that are no run of memory, rows in another order, operands that some rows share
    [Fact]
    public void Rows_anywhere_in_memory_have_the_same_bits()
    {
        var g = new Generator(5);
        foreach (long columns in new[] { 16, 64, 100, 7 })
        {
            Tensor x = Tensor.RandN([3, 50, 2, columns], generator: g).Transpose(1, 2), y = Tensor.RandN([3, 2, 50, columns + 9], generator: g).Narrow(-1, 4, columns), w = Tensor.RandN([columns], generator: g);
            SameBits($"norm of {columns}", t => t[0] * ((t[0] * t[0]).Mean(-1, true) + 1e-6).Rsqrt() * t[1], 0, x, w);
            SameBits($"gate of {columns}", t => t[0] * t[1].Sigmoid(), 0, x, y);
            SameBits($"rows shared by heads, {columns}", t => (t[0] * t[1]).Exp() * t[2], 0, x, Tensor.RandN([50, columns], generator: g), Tensor.RandN([3, 1, 1, columns], generator: g));
            SameBits($"a number a row, {columns}", t => t[0] * t[1] + t[2], 0, x, Tensor.RandN([3, 50, 2, 1], generator: g).Transpose(1, 2), y);
            SameBits($"a number a batch, {columns}", t => t[0].Mean(-1, true) * t[0] * (t[1].Exp() + 1), 0, x, Tensor.RandN([3, 1, 1, 1], generator: g));
            SameBits($"a number a place, {columns}", t => t[0].Mean(-1, true) * t[0] * (t[1].Exp() + 1), 0, x, Tensor.RandN([50, 1], generator: g));
            SameBits($"one number for all rows, {columns}", t => t[0].Mean(-1, true) * t[0] * (t[1].Exp() + 1), 0, x, Tensor.RandN([1, 1, 1, 1], generator: g).Expand(3, 2, 50, 1));
            SameBits($"repeated, {columns}", t => t[0] + t[1] * t[1].Mean(-1, true), 0, x, Tensor.RandN([3, 1, 50, columns], generator: g).Expand(3, 2, 50, columns));
            SameBits($"three beside each other, {columns}", t => Tensor.Cat([t[0] * 2, t[1].Exp(), t[0] - t[1]], -1), 0, x, y);
        }
    }

    [Fact]
    public void Masks_and_whole_numbers_go_through_loops()
    {
        var g = new Generator(11);
        var x = Tensor.RandN([9, 77], generator: g);
        SameBits("condition", t => Tensor.Where(t[1], t[0].Exp(), t[0] * 2), 0, x, x.Gt(0.3));
        SameBits("comparison", t => (t[0] * 2).Gt(t[0].Mean(-1, true)), 0, x);
        SameBits("bytes", t => t[0] * t[1].To(DType.Float32) + 1, 0, x, (x * 20).Abs().To(DType.UInt8));
        SameBits("words", t => t[0] * t[1].To(DType.Float32) + 1, 0, x, (x * 20).To(DType.Int64));
        // the same loops over other operands
        var wide = Tensor.RandN([3, 300], generator: new Generator(8)).Abs() + 0.5;
        SameBits("first over sum", t => t[0] / (t[0] * t[1]).Sum(-1, true), 0, wide, wide.Sqrt());
        SameBits("second over sum", t => t[1] / (t[0] * t[1]).Sum(-1, true), 0, wide, wide.Sqrt());
        SameBits("two precisions", t => (t[0].To(DType.Float64).Exp() + t[0].To(DType.Float64).Sum(-1, keepDim: true)).To(DType.Float32) * t[0], 0, x);
        SameBits("a rare path", t => (t[0] * 1e6).Sin() * t[0].Exp() + t[0].Mean(-1, true), 0, x);
        SameBits("nan and infinity", t => t[0].Softmax(-1) + t[0].Amax(-1, true) + t[0].Amin(-1, true), 0, (x - 1).Log() / (x * 3).Round());
    }
}

/// <summary>What is compiled, and when: alone, since the count is the process's.</summary>
[CollectionDefinition(nameof(CompiledLoopTests), DisableParallelization = true)]
[Collection(nameof(CompiledLoopTests))]
public class CompiledLoopTests
{
    [Fact]
    public void Thirty_shapes_of_a_composite_compile_no_more_loops_than_two()
    {
        static Tensor It(Tensor[] t) => Composite.Apply("it", t => (t[0] * t[1]).Sigmoid() * t[0].Mean(-1, true) + 0.3125, 7, t);
        // what several rows share is read otherwise than what is a row's own, and short rows go through one loop after the other
        foreach (int rows in new[] { 1, 4 })
            foreach (int columns in new[] { 40, 600 })
                CompositeTests.Run(It, [Tensor.RandN([rows, columns]), Tensor.RandN([columns])]);
        long compiled = Settings.Compiled.Loops;
        for (int k = 1; k <= 30; k++) CompositeTests.Run(It, [Tensor.RandN([k, 40 + 31 * k]), Tensor.RandN([40 + 31 * k])]);
        Assert.Equal(compiled, Settings.Compiled.Loops);
    }

    [Fact]
    public void A_dozen_batches_of_other_sizes_compile_nothing_in_a_training_step()
    {
        var source = new Generator(9);
        Tensor Leaf(params long[] shape) => Tensor.RandN(shape, generator: source).Mul(0.1).Detach().RequiresGrad_();
        Tensor words = Leaf(65, 384), scale = Leaf(384), shift = Leaf(384), up = Leaf(512, 384), down = Leaf(384, 512);
        var adam = new Flambeau.Optim.AdamW([words, scale, shift, up, down]);
        void Step(long batch, long context)
        {
            var ids = Tensor.RandInt(0, 65, [batch, context + 1], generator: source);
            var x = words.IndexSelect(0, ids.Narrow(1, 0, context).Flatten()).Unflatten(0, batch, context);
            x += x.LayerNorm(1, scale, shift).Linear(up).Gelu().Linear(down).Dropout(0.1, generator: source);
            x = x.RmsNorm(scale).Softmax(-1) + x;
            adam.ZeroGrad();
            x.Linear(words).Flatten(0, 1).CrossEntropy(ids.Narrow(1, 1, context).Flatten()).Backward();
            adam.Step();
        }
        Step(2, 16);
        long compiled = Settings.Compiled.Loops;
        for (int k = 0; k < 12; k++) Step(1 + k % 5, 5 + 13 * k);
        Assert.Equal(compiled, Settings.Compiled.Loops);
    }

    [Fact]
    public void The_warm_up_runs_and_draws_no_number()
    {
        var before = Generator.Default.State;
        Flambeau.NN.WarmUp.Step(); // on its own thread an error would be silent
        Assert.Equal(before, Generator.Default.State);
    }
}
