using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Tests.Compile;

/// <summary>Composites that are several passes over rows, one after the other, have the bits of their operators one by one.</summary>
[Collection(nameof(CompositeTests))]
public class StagingTests
{
    static string Explain(Func<Tensor[], Tensor> body, object attributes, params Tensor[] x) => Assert.Single(Composite.Explain(() => Composite.Apply("it", body, attributes, x)));

    static Tensor Standardized(Tensor x, int[] dims)
    {
        var centred = x - x.Mean(dims, keepDim: true);
        return centred * ((centred * centred).Mean(dims, keepDim: true) + 1e-5).Rsqrt();
    }

    // name, what is computed, of what shapes; a shape's last number may be −1 for a type that is halved
    static readonly (string Name, Func<Tensor[], Tensor> Body, long[][] Shapes)[] s_bodies =
    [
        ("batch norm of a matrix", t => Standardized(t[0], [0]) * t[1] + t[2], [[70, 33], [33], [33]]),
        ("batch norm of many rows", t => Standardized(t[0], [0]) * t[1] + t[2], [[3000, 16], [16], [16]]),
        ("batch norm of pictures", t => Standardized(t[0], [0, 2, 3]) * t[1] + t[2], [[5, 3, 7, 9], [3, 1, 1], [3, 1, 1]]),
        ("batch norm of whole vectors", t => Standardized(t[0], [0, 2, 3]) * t[1] + t[2], [[40, 6, 8, 8], [6, 1, 1], [6, 1, 1]]),
        ("batch norm of channels that are large", t => Standardized(t[0], [0, 2, 3]) * t[1] + t[2], [[9, 8, 40, 48], [8, 1, 1], [8, 1, 1]]),
        ("softmax over the middle of samples that are large", t => t[0].Softmax(1) * t[1], [[12, 30, 560], [12, 1, 1]]),
        ("groups of samples that are large", t => Standardized(t[0], [2, 3]) * t[1] + t[2], [[8, 3, 10, 560], [3, 10, 1], [3, 10, 1]]),
        ("batch norm of one channel", t => Standardized(t[0], [0, 2]) * t[1], [[20, 1, 30], [1, 1]]),
        ("softmax over the first dim", t => t[0].Softmax(0), [[40, 50]]),
        ("softmax over the middle", t => t[0].Softmax(1), [[5, 40, 16]]),
        ("softmax over the middle, odd", t => t[0].Softmax(1) * t[1], [[3, 37, 21], [3, 1, 1]]),
        ("softmax over a middle that ends", t => t[0].Softmax(1), [[5, 40, 1]]),
        ("log-softmax over two in the middle", t => t[0].LogSumExp([1, 2], true) - t[0], [[4, 5, 6, 18]]),
        ("both softmaxes", t => t[0].Softmax(0) + t[0].Softmax(1), [[20, 30]]),
        ("a norm over the middle", t => t[0] / (t[0].Norm(2, [1], keepDim: true) + 1e-3), [[6, 20, 34]]),
        ("weight norm", t => t[1] * t[0] / t[0].Norm(2, [1, 2], keepDim: true), [[30, 5, 7], [30, 1, 1]]),
        ("weight norm, last kept", t => t[1] * t[0] / t[0].Norm(2, [0, 1], keepDim: true), [[30, 5, 7], [7]]),
        ("by its norm", t => t[0] / t[0].Norm(2, []), [[30, 40]]),
        ("by its norm, long", t => t[0] / t[0].Norm(2, []), [[300, 401]]),
        ("by its norm, whole chunks", t => t[0] / t[0].Norm(2, []), [[4, 32768]]),
        ("clipped by norm", t => t[0] * (1 / (t[0].Norm(2, []) + 1e-6)).Clamp(max: 1.0), [[70000]]),
        ("deviations from everything", t => t[0] - t[0].Mean(), [[33, 3000]]),
        ("mean squared error", t => (t[0] - t[1]).Square().Mean(), [[40, 3, 500], [40, 3, 500]]),
        ("mean squared error, few", t => (t[0] - t[1]).Square().Mean(), [[4, 5], [4, 5]]),
        ("weighted error", t => ((t[0] - t[1]) * t[2]).Square().Sum(), [[400, 300], [400, 300], [300]]),
        ("axes that never meet", t => t[0].Tanh() * t[1].Mean(-1, true), [[20, 30], [20, 50]]),
        ("the mean of rows' means", t => t[0] - t[0].Mean(-1, true).Mean(0, true), [[20, 30]]),
        ("a row's sum over all rows", t => t[0].Exp().Sum(-1).Log().Mean(), [[50, 60]]),
        ("groups of channels", t => Standardized(t[0], [2, 3]) * t[1] + t[2], [[4, 3, 5, 48], [3, 5, 1], [3, 5, 1]]),
        ("long row of a few", t => t[0].Softmax(-1) * t[0].Mean(), [[1, 40000]]),
        ("first and last", t => t[0] - t[0].Mean([0, 2], true) + t[0].Amax([1], true), [[10, 12, 14]]),
        ("three sums", t => t[0].Sum([0]).Sum([1]) * t[0].Amax([0, 1, 2]) + t[0].Mean([0, 2]), [[10, 12, 14]]),
    ];

    // products, and passes over their rows
    static readonly (string Name, Func<Tensor[], Tensor> Body, long[][] Shapes)[] s_products =
    [
        ("linear, bias, GELU", t => t[0].Linear(t[1], t[2]).Gelu(), [[70, 33], [21, 33], [21]]),
        ("linear, bias, GELU, large", t => t[0].Linear(t[1], t[2]).Gelu(), [[900, 96], [160, 96], [160]]),
        ("linear, bias, GELU of 3 dims", t => t[0].Linear(t[1], t[2]).Gelu(), [[5, 40, 24], [48, 24], [48]]),
        ("linear of a few rows", t => t[0].Linear(t[1], t[2]).Silu(), [[3, 64], [96, 64], [96]]),
        ("linear of few columns", t => t[0].Linear(t[1], t[2]).Tanh(), [[300, 40], [4, 40], [4]]),
        ("linear in several blocks of the sum", t => t[0].Linear(t[1], t[2]).Gelu(), [[150, 1100], [40, 1100], [40]]),
        ("linear wider than a panel", t => t[0].Linear(t[1], t[2]).Gelu(), [[100, 20], [2100, 20], [2100]]),
        ("projection, residual, norm", t => Standardized(t[0].Linear(t[1]) + t[2], [-1]), [[200, 50], [64, 50], [200, 64]]),
        ("softmax of scores", t => (t[0].MatMul(t[1]) * 0.3).Softmax(-1), [[90, 40], [40, 65]]),
        ("softmax of batched scores", t => t[0].MatMul(t[1]).Softmax(-1), [[4, 30, 16], [4, 16, 30]]),
        ("gate and up", t => t[0].Linear(t[1]).Silu() * t[0].Linear(t[2]), [[130, 32], [80, 32], [80, 32]]),
        ("two layers", t => t[0].Linear(t[1]).Gelu().Linear(t[2]), [[130, 32], [80, 32], [24, 80]]),
        ("scores of itself", t => t[0].MatMul(t[0].Transpose(0, 1)).Exp(), [[60, 20]]),
        ("a sum over a product's rows", t => t[0].Linear(t[1]).Square().Mean(0), [[60, 20], [30, 20]]),
        ("a dot product", t => t[0].MatMul(t[1]).Exp() * t[2], [[50], [50], [7]]),
        ("nothing to sum", t => t[0].MatMul(t[1]).Exp(), [[40, 3], [3, 30]]),
    ];

    [Fact]
    public void A_pass_follows_a_product_row_by_row()
    {
        var x = Array.ConvertAll(Operands([[70, 33], [21, 33], [21]], DType.Float32, 3), t => t.RequiresGrad_());
        string text = Explain(t => t[0].Linear(t[1], t[2]).Gelu(), "one", x);
        Assert.Contains("and on its rows", text);
        // backward: one pass for the product's gradient and the bias's, then both products
        string backward = text[text.IndexOf("backward:", StringComparison.Ordinal)..];
        Assert.StartsWith("backward: 3 stages", backward);
        Assert.Contains("Product", backward);
    }

    public static TheoryData<string> Bodies => [.. s_bodies.Concat(s_products).Select(b => b.Name)];

    static Tensor[] Operands(long[][] shapes, DType type, ulong seed)
    {
        var g = new Generator(seed);
        return Array.ConvertAll(shapes, s => Tensor.RandN(s, type, g));
    }

    [Theory, MemberData(nameof(Bodies))]
    public void It_has_the_bits_of_its_operators(string name)
    {
        var (_, body, shapes) = s_bodies.Concat(s_products).Single(b => b.Name == name);
        foreach (var type in new[] { DType.Float32, DType.Float64, DType.BFloat16 }) CompositeTests.SameBits($"{name} {type}", body, name, Operands(shapes, type, 3));
        var x = Operands(shapes, DType.Float32, 4);
        int width = Kernel.Width, threads = Settings.Threads;
        try
        {
            foreach (int w in new[] { 128, 256, 512 })
            {
                Kernel.Width = w;
                CompositeTests.SameBits($"{name}, {w} bits", body, name, x);
            }
            foreach (int n in new[] { 1, 3, 5 })
            {
                Settings.Threads = n;
                CompositeTests.SameBits($"{name}, {n} threads", body, name, x);
            }
            Settings.CodeGeneration = false;
            CompositeTests.SameBits($"{name}, no code generation", body, name, x);
        }
        finally { (Kernel.Width, Settings.Threads, Settings.CodeGeneration) = (width, threads, true); }
    }

    [Theory, MemberData(nameof(Bodies))]
    public void It_runs_in_passes_forward_and_backward(string name)
    {
        var (_, body, shapes) = s_bodies.Concat(s_products).Single(b => b.Name == name);
        string text = Explain(body, name, Array.ConvertAll(Operands(shapes, DType.Float32, 3), t => t.RequiresGrad_()));
        Assert.DoesNotContain("operator by operator", text);
        Assert.DoesNotContain("no graph", text);
        if (name == Environment.GetEnvironmentVariable("FLAMBEAU_SHOW")) TestContext.Current.SendDiagnosticMessage(text);
    }

    // the same elements in other orders of memory
    [Fact]
    public void Operands_may_lie_anyhow()
    {
        var g = new Generator(8);
        Tensor x = Tensor.RandN([6, 50, 12], generator: g), turned = x.Transpose(0, 1).Contiguous().Transpose(0, 1), slice = Tensor.RandN([6, 50, 40], generator: g).Narrow(-1, 3, 12);
        foreach (var t in new[] { turned, slice, x.Transpose(1, 2), x.Transpose(0, 2) })
            foreach (int[] dims in new int[][] { [0], [1], [0, 2], [0, 1, 2], [1, 2] })
                CompositeTests.SameBits($"dims {string.Join(",", dims)} of {string.Join(",", t.Strides)}", y => Standardized(y[0], dims), string.Join(",", dims), t);
    }
}
