using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Tests.Table;

/// <summary>The same bits at any number of threads, any vector width and any place in the array.</summary>
[Collection("Team")]
public class DeterminismTests
{
    static readonly int[] s_widths = Kernel.Width == 128 ? [128] : [128, 256];

    // runs with a width and a number of threads, then restores both
    static T With<T>(int width, int threads, Func<T> run)
    {
        var (oldWidth, oldThreads) = (Kernel.Width, Team.Threads);
        try
        {
            (Kernel.Width, Team.Threads) = (width, threads);
            return run();
        }
        finally { (Kernel.Width, Team.Threads) = (oldWidth, oldThreads); }
    }

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Long_operands_give_the_same_bits_at_any_width_and_number_of_threads(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        const int n = 300_001; // above what wakes the team
        foreach (var type in (DType[])[DType.Float32, DType.Float64])
        {
            var x = Operands.Random(truth, type, n, Rows.Draws(name));
            var expected = With(Kernel.Width, 1, () => Bits.Of(truth.Apply(x)));
            foreach (int width in s_widths)
                Assert.True(expected.AsSpan().SequenceEqual(With(width, type == DType.Float32 ? 2 : 1, () => Bits.Of(truth.Apply(x)))), $"{name} of {type.Name} differs at {width} bits with two threads");
        }
    }

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Every_length_is_a_prefix_of_a_longer_one(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        var x = Operands.Random(truth, DType.Float32, 70, Rows.Draws(name));
        var whole = truth.Apply(x);
        foreach (int width in s_widths)
            for (int n = 0; n <= 70; n++)
                Bits.Equal(whole.Narrow(0, 0, n), With(width, 1, () => truth.Apply([.. x.Select(t => t.Narrow(0, 0, n))])), $"{name} of {n} elements at {width} bits");
    }

    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void Samples_give_the_same_bits_at_any_width_and_number_of_threads(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var operands = s.Operands(Rows.Draws(name));
        var expected = With(Kernel.Width, 1, () => s.Call(operands));
        foreach (int width in s_widths)
            Bits.Equal(expected, With(width, 2, () => s.Call(operands)), $"{s.Text} at {width} bits with two threads");
    }

    [Theory, MemberData(nameof(Rows.DifferentiableUnary), MemberType = typeof(Rows))]
    public void Derivative_kernels_give_the_same_bits_at_any_width(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        var x = Operands.Random(truth, DType.Float32, 70, Rows.Draws(name))[0].RequiresGrad_();
        var expected = Gradient();
        foreach (int width in s_widths) Bits.Equal(expected, With(width, 1, Gradient), $"{name}' at {width} bits");

        Tensor Gradient() => Autograd.Grad(truth.Apply([x]).Sum(), x);
    }
}
