using Flambeau.Ops;

namespace Flambeau.Tests.Compile;

/// <summary>Methods that carry [Fuse]. <see cref="Runs"/> counts how often a body ran: traced, or operator by operator.</summary>
public static class FusedMethods
{
    public static int Runs;

    static T Counted<T>(T value)
    {
        Runs++;
        return value;
    }

    public enum Gate { Sigmoid, Tanh }

    public readonly record struct Range(double Low, double High);

    [Fuse] public static Tensor Standardize(Tensor x, double eps = 1e-5) => Counted(x - x.Mean(-1, true)) / (x.Var(-1, keepDim: true) + eps).Sqrt();

    [Fuse] public static Tensor Norm(this Tensor x, Tensor? weight = null, Tensor? bias = null)
    {
        var y = Counted(x) * ((x * x).Mean(-1, true) + 1e-6).Rsqrt();
        if (weight is not null) y *= weight;
        return bias is null ? y : y + bias;
    }

    [Fuse] internal static Tensor Gated(Tensor x, Tensor y, Gate gate, Range range, (double, int) scale, bool? negate = null, string name = "") =>
        (gate == Gate.Sigmoid ? x.Sigmoid() : x.Tanh()) * y.Clamp(range.Low, range.High) * scale.Item1 * (negate == true ? -1 : 1) + scale.Item2 + name.Length;

    [Fuse] internal static Tensor Mixed(double first, params Tensor[] rest)
    {
        var sum = rest[0] * first;
        for (int i = 1; i < rest.Length; i++) sum = sum.Tanh() + rest[i];
        return sum;
    }

    [Fuse] internal static Tensor Sums(Tensor? before, Tensor x, Tensor? after, ReadOnlySpan<Tensor> more, Tensor last)
    {
        var sum = x.Exp() - last;
        if (before is not null) sum = before / sum;
        if (after is not null) sum = sum * after.Sigmoid();
        foreach (var t in more) sum = t - sum;
        return sum * sum.Mean(-1, true);
    }

    [Fuse] internal static Tensor Twice(Tensor x) => Standardize(Standardize(x), 0.1);
    [Fuse] internal static Tensor Halved(Tensor x, int times) => times == 0 ? x.Tanh() : Halved(x * 0.5, times - 1);
    [Fuse] internal static Tensor Same(Tensor x) => x;
    [Fuse] internal static Tensor Constant(Tensor x) => Tensor.OnesLike(x);
    [Fuse] internal static Tensor Nothing(Tensor? x) => x?.Exp() ?? Tensor.Ones(2);
    [Fuse] internal static Tensor Product(Tensor x) => x.MatMul(x.T);
    [Fuse] internal static Tensor Divided(Tensor x, double by, float? other) => (x / by).Exp() + (other is { } o ? (x / o).Exp() : x);
    [Fuse] internal static Tensor @checked(Tensor @this, Tensor t, double @double) => @this.Exp() * t + @double;
    [Fuse] internal static Tensor Checked(Tensor x, Tensor y) => x.Exp() + y;
}

public static class FusedExtensions
{
    extension(Tensor x)
    {
        [Fuse] public Tensor Squash(double by = 2) => (x * by).Tanh() * x.Mean(-1, true);
        [Fuse] public static Tensor Balance(Tensor a, Tensor b) => a.Sigmoid() * b;
    }
}

/// <summary>Calls of [Fuse] methods run as composites; through a delegate their bodies run operator by operator.</summary>
[Collection(nameof(CompositeTests))]
public class FuseTests
{
    static Tensor X(ulong seed, params long[] shape) => Tensor.RandN(shape, generator: new Generator(seed));

    // one composite, one program forward and one backward
    static void IsOnePassEachWay(Func<Tensor> call)
    {
        string text = Assert.Single(Composite.Explain(() => call()));
        Assert.Contains("forward: ", text);
        Assert.Contains("backward: ", text);
        Assert.DoesNotContain("operator by operator", text);
        Assert.DoesNotContain("no graph", text);
    }

    // forward the bits of the body; gradients agree to rounding
    static void Agrees(Func<Tensor[], Tensor> body, Func<Tensor[], Tensor> fused, params Tensor[] x)
    {
        foreach (var t in x) t.RequiresGrad_();
        Assert.Single(Composite.Explain(() => fused(x)));
        Assert.Empty(Composite.Explain(() => body(x)));
        var (y, gradients) = CompositeTests.Run(body, x);
        var (z, fusedGradients) = CompositeTests.Run(fused, x);
        Assert.Equal(y.ToArray<float>(), z.ToArray<float>());
        for (int i = 0; i < x.Length; i++)
        {
            if (gradients[i] is not { } g) { Assert.Null(fusedGradients[i]); continue; }
            Assert.True((g - fusedGradients[i]!).Abs().Max().Item() <= 1e-5 * Math.Max(1, g.Abs().Max().Item()), $"gradient of operand {i}");
        }
    }

    [Fact]
    public void A_call_is_one_pass_forward_and_one_backward() => IsOnePassEachWay(() => FusedMethods.Standardize(X(1, 6, 40).RequiresGrad_()));

    [Fact]
    public void It_has_the_bits_of_its_body_and_its_gradients()
    {
        Func<Tensor, double, Tensor> standardize = FusedMethods.Standardize;
        Agrees(t => standardize(t[0], 1e-5), t => FusedMethods.Standardize(t[0]), X(2, 7, 33));
        Agrees(t => standardize(t[0], 0.5), t => FusedMethods.Standardize(eps: 0.5, x: t[0]), X(2, 7, 33));
        Func<double, Tensor[], Tensor> mixed = FusedMethods.Mixed;
        Agrees(t => mixed(0.5, t), t => FusedMethods.Mixed(0.5, t), X(3, 4, 9), X(4, 9), X(5, 4, 1));
        Agrees(t => mixed(0.5, t), t => FusedMethods.Mixed(0.5, t[0], t[1]), X(3, 4, 9), X(4, 9));
        Func<Tensor, Tensor, FusedMethods.Gate, FusedMethods.Range, (double, int), bool?, string, Tensor> gated = FusedMethods.Gated;
        foreach (var gate in new[] { FusedMethods.Gate.Sigmoid, FusedMethods.Gate.Tanh })
            foreach (bool? negate in new bool?[] { null, true, false })
                Agrees(t => gated(t[0], t[1], gate, new(-1, 0.5), (3, 2), negate, "abc"), t => FusedMethods.Gated(t[0], t[1], gate, new(-1, 0.5), (3, 2), negate, "abc"), X(6, 5, 8), X(7, 5, 8));
        Func<Tensor, Tensor, double, Tensor> words = FusedMethods.@checked;
        Agrees(t => words(t[0], t[1], 3), t => FusedMethods.@checked(t[0], t[1], 3), X(6, 5, 8), X(7, 8));
    }

    [Fact]
    public void The_same_shapes_are_traced_once_and_other_attributes_or_shapes_anew()
    {
        var x = X(8, 5, 77);
        int Runs(Func<Tensor> call)
        {
            FusedMethods.Runs = 0;
            call();
            return FusedMethods.Runs;
        }
        Assert.Equal(1, Runs(() => FusedMethods.Standardize(x, 0.125)));
        Assert.Equal(0, Runs(() => FusedMethods.Standardize(x + 1, 0.125))); // another place of the program too
        Assert.Equal(1, Runs(() => FusedMethods.Standardize(x, 0.25)));
        Assert.Equal(0, Runs(() => FusedMethods.Standardize(x, 0.25)));
        Assert.Equal(1, Runs(() => FusedMethods.Standardize(x.Narrow(-1, 0, 70), 0.25)));
        Assert.NotEqual(FusedMethods.Standardize(x, 0.125).ToArray<float>(), FusedMethods.Standardize(x, 0.25).ToArray<float>());
    }

    [Fact]
    public void A_zero_and_its_negative_are_different_attributes()
    {
        var x = Tensor.FromArray([1f, 2f]);
        Assert.Equal([float.PositiveInfinity, float.PositiveInfinity], FusedMethods.Divided(x, 0.0, null).ToArray<float>());
        Assert.Equal([1f, 2f], FusedMethods.Divided(x, -0.0, null).ToArray<float>());
        Assert.Equal([MathF.E, MathF.Exp(2)], FusedMethods.Divided(x, -0.0, 1).ToArray<float>(), (a, b) => MathF.Abs(a - b) < 1e-5f);
        Assert.Equal([float.PositiveInfinity, float.PositiveInfinity], FusedMethods.Divided(x, -0.0, 0f).ToArray<float>());
        Assert.Equal([0f, 0f], FusedMethods.Divided(x, -0.0, -0f).ToArray<float>());
    }

    [Fact]
    public void Extensions_are_called_as_members_and_as_methods()
    {
        Tensor x = X(9, 6, 20).RequiresGrad_(), w = X(10, 20).RequiresGrad_();
        IsOnePassEachWay(() => x.Norm(w));
        IsOnePassEachWay(() => FusedMethods.Norm(x, w));
        IsOnePassEachWay(() => x.Squash());
        IsOnePassEachWay(() => FusedExtensions.Squash(x, 2));
        IsOnePassEachWay(() => Tensor.Balance(x, w));
        Tensor? maybe = x;
        IsOnePassEachWay(() => maybe?.Norm(w)!);
        Func<Tensor, double, Tensor> squash = FusedExtensions.Squash;
        Agrees(t => squash(t[0], 3), t => t[0].Squash(3), X(9, 6, 20));
    }

    [Fact]
    public void An_absent_operand_is_part_of_what_a_program_is_known_by()
    {
        Func<Tensor, Tensor?, Tensor?, Tensor> norm = FusedMethods.Norm;
        // one shape for all: nothing but the place tells a weight from a bias
        Agrees(t => norm(t[0], null, null), t => t[0].Norm(), X(11, 6, 20));
        Agrees(t => norm(t[0], t[1], null), t => t[0].Norm(t[1]), X(11, 6, 20), X(12, 20));
        Agrees(t => norm(t[0], null, t[1]), t => t[0].Norm(bias: t[1]), X(11, 6, 20), X(12, 20));
        Agrees(t => norm(t[0], t[1], t[2]), t => t[0].Norm(t[1], t[2]), X(11, 6, 20), X(12, 20), X(13, 20));
    }

    delegate Tensor Sums(Tensor? before, Tensor x, Tensor? after, ReadOnlySpan<Tensor> more, Tensor last);

    [Fact]
    public void Operands_of_every_kind_stand_side_by_side()
    {
        Sums sums = FusedMethods.Sums;
        for (int has = 0; has < 4; has++)
            for (int more = 0; more < 3; more++)
            {
                Tensor Call(Sums f, Tensor[] t) => f((has & 1) != 0 ? t[0] : null, t[1], (has & 2) != 0 ? t[2] : null, t.AsSpan(3, more), t[5]);
                Tensor Fused(Tensor[] t) => FusedMethods.Sums((has & 1) != 0 ? t[0] : null, t[1], (has & 2) != 0 ? t[2] : null, t.AsSpan(3, more), t[5]);
                Agrees(t => Call(sums, t), Fused, [.. Enumerable.Range(0, 6).Select(i => X((ulong)i, 3, 11))]);
            }
        Assert.Empty(Composite.Explain(() => FusedMethods.Nothing(null)));
        Assert.Equal([1f, 1f], FusedMethods.Nothing(null).ToArray<float>());
    }

    [Fact]
    public void Bodies_that_call_fused_methods_are_one_composite()
    {
        Tensor x = X(14, 6, 20).RequiresGrad_();
        IsOnePassEachWay(() => FusedMethods.Halved(x, 3));
        Func<Tensor, int, Tensor> halved = FusedMethods.Halved;
        Assert.Equal(halved(x, 3).ToArray<float>(), FusedMethods.Halved(x, 3).ToArray<float>());
        Assert.Single(Composite.Explain(() => FusedMethods.Twice(x)));
    }

    [Fact]
    public void What_no_graph_holds_runs_as_it_stands()
    {
        var x = X(15, 3, 4);
        Assert.Equal(x.MatMul(x.T).ToArray<float>(), FusedMethods.Product(x).ToArray<float>());
        Assert.Equal(x.ToArray<float>(), FusedMethods.Same(x).ToArray<float>());
        Assert.Equal(Tensor.OnesLike(x).ToArray<float>(), FusedMethods.Constant(x).ToArray<float>());
        Assert.False(FusedMethods.Constant(x.RequiresGrad_()).RequiresGrad);
    }

    [Fact]
    public void Vmap_jvp_and_gradients_of_gradients_agree_with_the_body()
    {
        Tensor x = X(16, 4, 6).Double(), w = X(17, 6).Double();
        Func<Tensor, Tensor?, Tensor?, Tensor> norm = FusedMethods.Norm;
        Tensor Body(Tensor[] t) => norm(t[0], t[1], null);
        static Tensor Fused(Tensor[] t) => t[0].Norm(t[1]);
        Assert.Equal(Autograd.Vmap(Body, [x, w], [0, null]).ToArray<double>(), Autograd.Vmap(Fused, [x, w], [0, null]).ToArray<double>());
        Tensor[] direction = [Tensor.OnesLike(x), Tensor.OnesLike(w)];
        Assert.Equal(Autograd.Jvp(Body, [x, w], direction).Tangent.ToArray<double>(), Autograd.Jvp(Fused, [x, w], direction).Tangent.ToArray<double>());
        Tensor Second(Func<Tensor[], Tensor> f)
        {
            var leaf = x.Clone().RequiresGrad_();
            return Autograd.Grad(Autograd.Grad(f([leaf, w]).Sin().Sum(), leaf, createGraph: true).Square().Sum(), leaf);
        }
        Assert.True((Second(Body) - Second(Fused)).Abs().Max().Item() < 1e-12);
    }

    [Fact]
    public void Errors_name_the_line_of_the_body()
    {
        string message = Assert.Throws<FlambeauException>(() => FusedMethods.Checked(X(1, 3), X(2, 4))).Message;
        Assert.Contains("FuseTests.cs:", message);
        Assert.Contains("x.Exp() + y", message);
    }
}
