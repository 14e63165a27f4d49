using Flambeau.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Parameter = TorchSharp.Modules.Parameter;

/// <summary>
/// The optimizer of <c>flambeau train</c> over PyTorch's parameters: Muon for the matrices of the blocks, if the run had it, and PyTorch's AdamW
/// for embeddings and, without decay, gains.
/// </summary>
internal sealed class RunOptimizer : IDisposable
{
    private readonly List<optim.Optimizer> _adams = [];
    private readonly TorchMuon? _muon;

    /// <param name="iteration">The type of Muon's iteration.</param>
    public RunOptimizer(TorchLlama model, TrainingOptions options, ScalarType iteration)
    {
        var (gains, matrices) = (model.Weights.Values.Where(w => w.dim() == 1), model.Weights.Where(w => w.Value.dim() == 2).ToLookup(w => w.Key.StartsWith("model.layers.", StringComparison.Ordinal), w => w.Value));
        if (options.Optimizer == "muon") _muon = new(matrices[true], options.WeightDecay, matchAdamW: true, iteration: iteration);
        else Adam(matrices[true], options.WeightDecay);
        Adam(matrices[false], options.WeightDecay);
        Adam(gains, 0);

        void Adam(IEnumerable<Parameter> weights, double decay) => _adams.Add(optim.AdamW(weights, beta1: 0.9, beta2: 0.95, weight_decay: decay));
    }

    public void Step(double rate)
    {
        foreach (var adam in _adams)
        {
            foreach (var group in adam.ParamGroups) group.LearningRate = rate;
            adam.step();
        }
        _muon?.Step(rate);
    }

    public void Dispose()
    {
        foreach (var adam in _adams) adam.Dispose();
        _muon?.Dispose();
    }
}
