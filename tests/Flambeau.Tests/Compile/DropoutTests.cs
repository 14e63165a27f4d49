using Flambeau.Kernels;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Tests.Compile;

/// <summary>Random numbers inside of composites: those of the same draw outside, in one pass forward and one backward, and stored nowhere.</summary>
[Collection(nameof(CompositeTests))]
public unsafe class DropoutTests
{
    // Philox 4×32-10 as the paper has it, a number at a time
    static float Uniform(ulong seed, ulong draw, long i)
    {
        uint a = (uint)(i / 4), b = (uint)(i / 4 >> 32), c = (uint)draw, d = (uint)(draw >> 32);
        for (uint round = 0; round < 10; round++)
        {
            ulong left = 0xD2511F53ul * a, right = 0xCD9E8D57ul * c;
            (a, b, c, d) = ((uint)(right >> 32) ^ b ^ ((uint)seed + round * 0x9E3779B9), (uint)right, (uint)(left >> 32) ^ d ^ ((uint)(seed >> 32) + round * 0xBB67AE85), (uint)left);
        }
        return ((i % 4) switch { 0 => a, 1 => b, 2 => c, _ => d } >> 8) / 16777216f;
    }

    static T With<T>(int width, bool fusion, bool codeGeneration, Func<T> run)
    {
        var before = (Kernel.Width, Settings.Fusion, Settings.CodeGeneration);
        (Kernel.Width, Settings.Fusion, Settings.CodeGeneration) = (width, fusion, codeGeneration);
        try { return run(); }
        finally { (Kernel.Width, Settings.Fusion, Settings.CodeGeneration) = before; }
    }

    static void EveryWay(Action<string> check)
    {
        foreach (int width in new[] { 128, 256, 512 })
            foreach (var (fusion, code) in new[] { (true, true), (true, false), (false, true) })
                With(width, fusion, code, () => { check($"{width} bits, {(fusion ? code ? "emitted" : "fused" : "operator by operator")}"); return 0; });
    }

    static (Tensor Y, Tensor[] Gradients) Run(Func<Tensor[], Tensor> f, Tensor[] x)
    {
        var leaves = Array.ConvertAll(x, t => t.Detach().RequiresGrad_());
        var y = f(leaves);
        y.Backward(Tensor.RandN(y.Shape, y.DType, new Generator(5)));
        return (y.Detach(), Array.ConvertAll(leaves, t => t.Grad!));
    }

    static void Same(double[] expected, Tensor actual, string what)
    {
        double[] found = actual.ToArray<double>();
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < found.Length; i++)
            if (BitConverter.DoubleToInt64Bits(expected[i]) != BitConverter.DoubleToInt64Bits(found[i])) Assert.Fail($"{what}: element {i} is {found[i]:R}, expected {expected[i]:R}");
    }

    public static TheoryData<DType, double> TypesAndProbabilities => [.. from t in new[] { DType.Float32, DType.Float64, DType.BFloat16 } from p in new[] { 0, 0.1, 0.5, 1 } select new TheoryDataRow<DType, double>(t, p)];

    [Theory, MemberData(nameof(TypesAndProbabilities))]
    public void An_element_is_dropped_where_the_number_of_its_draw_is_below_p(DType type, double p)
    {
        Tensor[] operands =
        [
            Tensor.RandN([1], type, new Generator(1)), Tensor.RandN([3, 1], type, new Generator(1)), Tensor.RandN([7, 5], type, new Generator(2)), Tensor.RandN([6, 4], type, new Generator(2)),
            Tensor.RandN([40, 100], type, new Generator(3)), Tensor.RandN([3, 70, 33], type, new Generator(4)), Tensor.RandN([2, 33000], type, new Generator(4)), Tensor.RandN([40000], type, new Generator(4)),
            Tensor.RandN([8, 20, 64], type, new Generator(6)).Transpose(0, 1), Tensor.RandN([50, 96], type, new Generator(6)).T, Tensor.RandN([40, 68], type, new Generator(7)).Slice(1, step: 2), Tensor.RandN([9, 48], type, new Generator(7)).Narrow(1, 5, 36),
        ];
        foreach (var x in operands)
        {
            const ulong seed = 0x1234_5678_9ABC_DEF0, first = 0x1_0000_0002;
            float threshold = (float)p;
            var kept = Tensor.FromArray<double>([.. Enumerable.Range(0, (int)x.Numel).Select(i => Uniform(seed, first, i) >= threshold && p < 1 ? 1.0 : 0)]).Reshape(x.Shape).To(type);
            var scaled = kept * (p < 1 ? 1 / (1 - p) : 0);
            var g = Tensor.RandN(x.Shape, type, new Generator(5));
            double[] expected = (p == 0 ? x : x * scaled).ToArray<double>(), gradient = (p == 0 ? g : g * scaled).ToArray<double>();
            EveryWay(way =>
            {
                foreach (int threads in new[] { 1, 2 })
                {
                    int before = Settings.Threads;
                    Settings.Threads = threads;
                    try
                    {
                        var generator = new Generator(seed) { State = (seed, first) };
                        var (y, gradients) = Run(t => t[0].Dropout(p, generator: generator), [x]);
                        string what = $"{type}{x.Shape}, p = {p}, {way}, {threads} threads";
                        Same(expected, y, what);
                        Same(gradient, gradients[0], "gradient of " + what);
                        Assert.Equal((seed, p is 0 or 1 ? first : first + 1), generator.State);
                    }
                    finally { Settings.Threads = before; }
                }
            });
        }
    }

    [Fact]
    public void Nothing_is_drawn_for_an_empty_tensor_but_the_number_of_a_draw()
    {
        var generator = new Generator(3);
        Assert.Equal(0, Tensor.Zeros([0, 8]).Dropout(0.5, generator: generator).Numel);
        Assert.Equal((3ul, 1ul), generator.State);
    }

    [Theory, InlineData(128), InlineData(256), InlineData(512)]
    public void Numbers_of_a_draw_are_those_of_their_blocks_wherever_they_begin(int width) => With(width, true, true, () =>
    {
        var draw = new Draw(0xFEDC_BA98_7654_3210, 0x1_2345_6789);
        foreach (long first in new[] { 0, 1, 3, 40, (1L << 34) - 60, (1L << 34) - 61, (1L << 40) + 6 })
            foreach (int count in new[] { 1, 2, 5, 31, 64, 130 })
            {
                float[] y = new float[count + 1];
                fixed (float* p = y) UniformFill.Run(DType.Float32, (byte*)p, first, count, draw, Kernel.Width);
                for (int i = 0; i < count; i++) Assert.Equal(Uniform(draw.Seed, draw.Number, first + i), y[i]);
                Assert.Equal(0, y[count]);
            }
        return 0;
    });

    // ---- other bodies ----

    static Tensor Block(Tensor[] t, Generator? source) => (t[0].Dropout(0.3, generator: source) + t[1]).LayerNorm(1, t[2], t[3]);

    static Tensor[] BlockOperands(long rows, long columns, DType type) =>
        [Tensor.RandN([rows, columns], type, new Generator(1)), Tensor.RandN([rows, columns], type, new Generator(2)), Tensor.RandN([columns], type, new Generator(3)), Tensor.RandN([columns], type, new Generator(4))];

    [Fact]
    public void Dropout_a_residual_and_a_norm_are_one_pass_forward_and_one_backward()
    {
        var x = Array.ConvertAll(BlockOperands(20, 96, DType.Float32), t => t.RequiresGrad_());
        string text = Assert.Single(Composite.Explain(() => Composite.Apply("Block", t => Block(t, null), 0, null, x)));
        Assert.Contains("forward: 20 rows of 96", text);
        Assert.Contains("backward: 20 rows of 96", text);
        Assert.DoesNotContain("operator by operator", text);
        Assert.Single(Composite.Explain(() => Tensor.Ones(4096, 384).Dropout(0.1)), e => e.Contains("forward: 4096 rows of 384", StringComparison.Ordinal));
    }

    // forward to the bits; gradients, which are regrouped, to the bits of the same graph and to rounding
    static void SameAsItsOperators(string name, Func<Tensor[], Generator?, Tensor> body, params Tensor[] x)
    {
        var plain = new Generator(9);
        var (y, gradients) = Run(t => body(t, plain), x);
        double[][]? regrouped = null;
        EveryWay(way =>
        {
            string what = $"{name} {x[0].DType}{x[0].Shape}, {way}";
            var source = new Generator(9);
            var (fused, found) = Run(t => Composite.Apply(name, u => body(u, source), name, source, t), x);
            Same(y.ToArray<double>(), fused, what);
            Assert.Equal(plain.State, source.State);
            regrouped ??= [.. found.Select(g => g.ToArray<double>())];
            for (int i = 0; i < found.Length; i++)
            {
                Same(regrouped[i], found[i], $"gradient {i} of {what}");
                double bound = gradients[i].Abs().Max().Item() * (x[0].DType switch { DType.Float64 => 1e-12, DType.Float32 => 1e-5, _ => 0.05 });
                Assert.True((found[i].Double() - gradients[i].Double()).Abs().Max().Item() <= bound, $"gradient {i} of {what} is not the body's");
            }
        });
    }

    [Theory, InlineData(DType.Float32), InlineData(DType.Float64), InlineData(DType.BFloat16)]
    public void Bodies_that_draw_have_the_bits_of_their_operators(DType type)
    {
        foreach (var (rows, columns) in new[] { (1, 8), (21, 20), (5, 33), (30, 384), (2, 40000) }) SameAsItsOperators("Block", Block, BlockOperands(rows, columns, type));
        var x = Tensor.RandN([6, 72], type, new Generator(8));
        SameAsItsOperators("twice", (t, g) => t[0].Dropout(0.2, generator: g).Exp().Dropout(0.6, generator: g), x);
        SameAsItsOperators("sums", (t, g) => t[0].Dropout(0.2, generator: g).Sum(-1), Tensor.RandN([3, 40000], type, new Generator(8)));
        SameAsItsOperators("sums over rows", (t, g) => (t[0] * t[1]).Dropout(0.2, generator: g).Sum(0), x, x);
        SameAsItsOperators("columns", (t, g) => t[0] * Tensor.Rand([72], DType.Float32, g).To(t[0].DType), x);
        SameAsItsOperators("rows", (t, g) => t[0] * Tensor.Rand([6, 1], t[0].DType, g), x);
        SameAsItsOperators("noise", (t, g) => t[0] + Tensor.RandN(t[0].Shape, t[0].DType, g), x);
        SameAsItsOperators("nested", (t, g) => Composite.Apply("inner", u => u[0].Dropout(0.5, generator: g) * 2, 0, g, t[0].Tanh()).Dropout(0.1, generator: g), x);
        SameAsItsOperators("whole numbers", (t, g) => t[0] * Tensor.RandInt(0, 3, t[0].Shape, generator: g).To(t[0].DType), x);
    }

    [Fact]
    public void Another_draw_is_another_mask_of_the_same_program()
    {
        var x = Tensor.Ones(16, 128).RequiresGrad_();
        double[] Masked(Generator? source)
        {
            x.Grad = null;
            var y = x.Dropout(0.5, generator: source);
            y.Backward(Tensor.Ones(16, 128));
            Assert.Equal(y.ToArray<double>(), x.Grad!.ToArray<double>());
            return y.ToArray<double>();
        }
        var generator = new Generator(11);
        double[] first = Masked(generator);
        long loops = Settings.Compiled.Loops;
        double[] second = Masked(generator), other = Masked(new Generator(12)), again = Masked(new Generator(11));
        Assert.Equal(loops, Settings.Compiled.Loops);
        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void A_body_draws_once_also_where_no_graph_holds_it()
    {
        var x = Tensor.Ones(8, 32);
        Generator named = new(4), other = new(5);
        // no generator was given, and another one than was given
        Composite.Apply("none", t => t[0].Dropout(0.5, generator: named), "none", x);
        Composite.Apply("other", t => t[0].Dropout(0.5, generator: named), "other", other, x);
        Assert.Equal(((4ul, 2ul), (5ul, 0ul)), (named.State, other.State));
    }

    [Fact]
    public void The_backward_pass_needs_nothing_of_the_operand()
    {
        var x = Tensor.Ones(8, 32).RequiresGrad_();
        var h = x * 1;
        var y = h.Dropout(0.5, generator: new Generator(4));
        double[] before = y.ToArray<double>();
        h.Mul_(7);
        y.Backward(Tensor.Ones(8, 32));
        Assert.Equal(before, x.Grad!.ToArray<double>());
    }

    // ---- transforms ----

    static Tensor Whole(Tensor x, Generator source, bool composite)
    {
        Tensor Body(Tensor[] t) => (t[0].Dropout(0.4, generator: source) * t[0]).Tanh().Dropout(0.2, generator: source);
        return composite ? Composite.Apply("Whole", Body, 0, source, x) : Body([x]);
    }

    static void SameWays(Func<bool, Tensor> run)
    {
        Tensor expected = run(false), found = run(true);
        Assert.Equal(expected.Shape, found.Shape);
        Assert.True((expected - found).Abs().Max().Item() < 1e-13);
    }

    [Fact]
    public void Under_every_transform_the_mask_is_that_of_the_draw()
    {
        Tensor x = Tensor.RandN([6, 12], DType.Float64, new Generator(1)), v = Tensor.RandN([6, 12], DType.Float64, new Generator(2));
        SameWays(composite =>
        {
            var leaf = x.Clone().RequiresGrad_();
            var first = Autograd.Grad((Whole(leaf, new Generator(3), composite) * v).Sum(), leaf, createGraph: true);
            return first.Detach() + Autograd.Grad((first * v).Sum(), leaf);
        });
        SameWays(composite => Autograd.Jvp(t => Whole(t, new Generator(3), composite), x, v).Tangent);
        SameWays(composite => Autograd.Vmap(t => Whole(t, new Generator(3), composite))(x));
        SameWays(checkpoint =>
        {
            var leaf = x.Clone().RequiresGrad_();
            var source = new Generator(3);
            var y = checkpoint ? Autograd.Checkpoint(t => Whole(t, source, true), leaf, source) : Whole(leaf, source, true);
            (y * v).Sum().Backward();
            Assert.Equal((3ul, 2ul), source.State);
            return leaf.Grad!;
        });
    }
}
