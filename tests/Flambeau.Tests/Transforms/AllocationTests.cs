namespace Flambeau.Tests.Transforms;

/// <summary>How many managed bytes a call takes beside the elements of its result: what several callers at once make the collector do. Counts are the same on every machine.</summary>
public class AllocationTests
{
    const int Elements = 64; // bytes of a float32[4, 4]

    static Tensor X => Tensor.RandN([4, 4], generator: new Generator(1));
    static Tensor W => Tensor.RandN([4, 4], generator: new Generator(2));

    public static readonly Dictionary<string, (Func<Tensor, Tensor, Tensor> Call, int Elements, int Allowed)> Operators = new()
    {
        ["x + w"] = ((x, w) => x + w, Elements, 160),
        ["x + row"] = ((x, w) => x + w, Elements, 160),
        ["x * w"] = ((x, w) => x * w, Elements, 160),
        ["x * 2.5"] = ((x, _) => x * 2.5, Elements, 160),
        ["x.Relu()"] = ((x, _) => x.Relu(), Elements, 160),
        ["x.Exp()"] = ((x, _) => x.Exp(), Elements, 160),
        ["x.MatMul(w)"] = ((x, w) => x.MatMul(w), Elements, 160),
        ["x.Sum(1)"] = ((x, _) => x.Sum(1), 16, 160),
        ["x.Sum(0)"] = ((x, _) => x.Sum(0), 16, 160),
        ["x.Sum()"] = ((x, _) => x.Sum(), 8, 160),
        ["x.Reshape(2, 8)"] = ((x, _) => x.Reshape(2, 8), 0, 160),
        ["x.T"] = ((x, _) => x.T, 0, 180),
        ["x.Narrow(0, 1, 2)"] = ((x, _) => x.Narrow(0, 1, 2), 0, 220),
    };

    public static TheoryData<string> Names => [.. Operators.Keys];

    [Theory, MemberData(nameof(Names))]
    public void An_operator_allocates_its_result_and_little_else(string name)
    {
        var (call, elements, allowed) = Operators[name];
        Tensor x = X, w = name.Contains("row", StringComparison.Ordinal) ? Tensor.Ones(4) : W;
        Assert.InRange(Bytes(() => call(x, w)) - elements, 1, allowed);
        x.RequiresGrad = true;
        Assert.InRange(Bytes(() => { using var _ = Autograd.NoGrad(); call(x, w); }) - elements, 1, allowed);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_tape_adds_under_250_bytes_an_operator(string name)
    {
        var (call, _, _) = Operators[name];
        Tensor x = X, w = name.Contains("row", StringComparison.Ordinal) ? Tensor.Ones(4) : W;
        long without = Bytes(() => call(x, w));
        x.RequiresGrad = true;
        Assert.InRange(Bytes(() => call(x, w)) - without, 1, 250);
    }

    /// <summary>Forward and backward of one more operator: its result, one gradient and the tape's 250 bytes.</summary>
    [Theory]
    [InlineData("x + w"), InlineData("x * w"), InlineData("x * 2.5"), InlineData("x.Relu()"), InlineData("x.Exp()"), InlineData("x.MatMul(w)")]
    public void Backward_adds_the_gradient_alone(string name)
    {
        var call = Operators[name].Call;
        Tensor x = (X * 0.01).Detach().RequiresGrad_(), w = W * 0.1, seed = Tensor.Ones(4, 4);
        long Chain(int length) => Bytes(() =>
        {
            var y = x;
            for (int i = 0; i < length; i++) y = call(y, w);
            y.Backward(seed);
            x.Grad = null;
        });
        Assert.InRange((Chain(12) - Chain(2)) / 10, 1, 2 * (160 + Elements) + 250);
    }

    [Fact]
    public void A_second_backward_pass_takes_the_memory_of_the_gradients_that_the_first_consumed()
    {
        Tensor x = Tensor.RandN([64, 64], generator: new Generator(3)).RequiresGrad_();
        long forward = Bytes(() => x.Tanh().Tanh().Tanh().Sum());
        long both = Bytes(() => { x.Tanh().Tanh().Tanh().Sum().Backward(); x.Grad = null; });
        // three gradients of 16 KB pass through; the one that becomes x.Grad is new
        Assert.InRange(both - forward, 16_384, 16_384 + 4_096);
    }

    // the median of several blocks: other threads may make a shared entry anew meanwhile.
    static long Bytes(Action call)
    {
        const int Calls = 20;
        for (int i = 0; i < 100; i++) call();
        var blocks = new long[9];
        foreach (ref long block in blocks.AsSpan())
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Calls; i++) call();
            block = (GC.GetAllocatedBytesForCurrentThread() - before) / Calls;
        }
        Array.Sort(blocks);
        return blocks[blocks.Length / 2];
    }
}
