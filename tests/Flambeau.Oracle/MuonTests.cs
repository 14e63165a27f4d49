using Flambeau.Optim;
using TorchSharp;

namespace Flambeau.Oracle;

using Ours = Flambeau.Tensor;
using Parameter = TorchSharp.Modules.Parameter;

/// <summary>
/// Muon beside its formula in PyTorch's operators: matrices, wide, square and tall, fitted to more samples than they can meet. So every gradient has
/// full rank to the end; of one that has not, the iteration would enlarge what rounding left.
/// </summary>
public class MuonTests
{
    private const int Seed = 11, Steps = 100;
    private const long Samples = 16;

    private static readonly long[][] Shapes = [[6, 10], [10, 10], [10, 4]];

    [Theory]
    [InlineData(MuonScale.Original, true)]
    [InlineData(MuonScale.Original, false)]
    [InlineData(MuonScale.MatchAdamW, true)]
    public void A_hundred_steps_are_PyTorchs(MuonScale scale, bool nesterov)
    {
        const double decay = 0.1, momentum = 0.9;
        using var scope = torch.NewDisposeScope();
        var random = new Random(Seed);
        double[][] start = Draw(s => s[0] * s[1]), inputs = Draw(s => s[1] * Samples), targets = Draw(s => s[0] * Samples);

        var ours = Shapes.Zip(start, (s, w) => Ours.FromArray([.. w], (Shape)s).RequiresGrad_()).ToArray();
        var theirs = Shapes.Zip(start, (s, w) => new Parameter(torch.tensor(w).reshape(s))).ToArray();
        var mine = new Muon(new MuonGroup(ours) { WeightDecay = decay, Momentum = momentum, Nesterov = nesterov, Scale = scale });
        using var yours = new TorchMuon(theirs, decay, momentum, nesterov, scale == MuonScale.MatchAdamW);
        for (var step = 0; step < Steps; step++)
        {
            mine.LearningRate = Rate(step);
            mine.ZeroGrad();
            for (var i = 0; i < Shapes.Length; i++)
                (ours[i].MatMul(Ours.FromArray(inputs[i], (Shape)new[] { Shapes[i][1], Samples })).Tanh() - Ours.FromArray(targets[i], (Shape)new[] { Shapes[i][0], Samples })).Square().Sum().Backward();
            mine.Step();
            foreach (var weight in theirs) weight.grad = null;
            for (var i = 0; i < Shapes.Length; i++)
                (theirs[i].mm(torch.tensor(inputs[i]).reshape(-1, Samples)).tanh() - torch.tensor(targets[i]).reshape(-1, Samples)).square().sum().backward();
            yours.Step(Rate(step));
            for (var i = 0; i < Shapes.Length; i++)
                foreach (var (a, t) in ours[i].Detach().ToArray<double>().Zip(theirs[i].detach().data<double>().ToArray()))
                    Assert.True(Math.Abs(a - t) <= 1e-10 * Math.Max(1, Math.Abs(t)), $"step {step}, matrix {i}: {a:R}, PyTorch has {t:R}");
        }
        Assert.True(ours[1].Detach().ToArray<double>().Zip(start[1], (a, s) => Math.Abs(a - s)).Max() > 0.1, "the weights moved");

        double[][] Draw(Func<long[], long> count) => [.. Shapes.Select(s => Enumerable.Range(0, (int)count(s)).Select(_ => random.NextDouble() - 0.5).ToArray())];

        static double Rate(int step) => 0.02 * (1 - (double)step / Steps);
    }
}
