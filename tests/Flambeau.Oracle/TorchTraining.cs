using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Tensor = TorchSharp.torch.Tensor;

/// <summary>One step's data: token ids and what follows each, [B, T]; a target of −100 does not count.</summary>
internal sealed record TokenBatch(long[,] Inputs, long[,] Targets)
{
    /// <summary>A batch of Flambeau's as plain numbers.</summary>
    public static TokenBatch Of((Flambeau.Tensor Inputs, Flambeau.Tensor Targets) batch) => new(Numbers(batch.Inputs), Numbers(batch.Targets));

    private static long[,] Numbers(Flambeau.Tensor ids_BT)
    {
        var (numbers, flat) = (new long[ids_BT.Shape[0], ids_BT.Shape[1]], ids_BT.ToArray<long>());
        Buffer.BlockCopy(flat, 0, numbers, 0, flat.Length * sizeof(long));
        return numbers;
    }
}

/// <summary>AdamW (Loshchilov and Hutter 2019) with decay on every parameter, as <c>torch.optim.AdamW</c> has it.</summary>
/// <param name="Rate">The learning rate of step 0, 1, ….</param>
/// <param name="Clip">The greatest norm of all gradients together; null for no bound.</param>
internal sealed record AdamWSettings(
    Func<int, double> Rate, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double Decay = 0.01, double? Clip = null);

/// <summary>What a training run was.</summary>
/// <param name="Losses">Before each step.</param>
/// <param name="FirstGradients">Of step 0 by parameter name, row-major, before clipping.</param>
/// <param name="FinalWeights">After the last step.</param>
internal sealed record TrainingRecord(
    double[] Losses, IReadOnlyDictionary<string, double[]> FirstGradients, IReadOnlyDictionary<string, double[]> FinalWeights);

/// <summary>Trains a <see cref="TorchLlama"/> by PyTorch, in the dtype of its weights, which change.</summary>
internal static class TorchTraining
{
    public static TrainingRecord Run(TorchLlama model, IReadOnlyList<TokenBatch> batches, AdamWSettings settings)
    {
        var losses = new double[batches.Count];
        IReadOnlyDictionary<string, double[]> firstGradients = new Dictionary<string, double[]>();
        using var adam = optim.AdamW(
            model.Weights.Values, lr: settings.Rate(0), beta1: settings.Beta1, beta2: settings.Beta2, eps: settings.Epsilon, weight_decay: settings.Decay);

        for (var step = 0; step < batches.Count; step++)
        {
            using var scope = NewDisposeScope();
            adam.zero_grad();
            var loss = Loss(model, batches[step]);
            loss.backward();
            losses[step] = loss.to(ScalarType.Float64).item<double>();
            if (step == 0) firstGradients = Copy(model, weight => weight.grad!);

            if (settings.Clip is { } clip) nn.utils.clip_grad_norm_(model.Weights.Values, clip);
            foreach (var group in adam.ParamGroups) group.LearningRate = settings.Rate(step);
            adam.step();
        }
        return new(losses, firstGradients, Copy(model, weight => weight));
    }

    /// <summary>One step by an optimizer of any kind: gradients, clipping, update.</summary>
    /// <returns>The loss before it.</returns>
    public static double Step(TorchLlama model, TokenBatch batch, double clip, Action update)
    {
        using var scope = NewDisposeScope();
        foreach (var weight in model.Weights.Values) weight.grad = null;
        var loss = Loss(model, batch);
        loss.backward();
        nn.utils.clip_grad_norm_(model.Weights.Values, clip);
        update();
        return loss.to(ScalarType.Float64).item<double>();
    }

    /// <summary>The mean loss over all targets of all batches, which may differ in size.</summary>
    public static double MeanLoss(TorchLlama model, IEnumerable<TokenBatch> batches)
    {
        using var _ = no_grad();
        var (nats, targets) = (0.0, 0L);
        foreach (var batch in batches)
        {
            using var scope = NewDisposeScope();
            nats += Loss(model, batch).to(ScalarType.Float64).item<double>() * batch.Targets.Length;
            targets += batch.Targets.Length;
        }
        return nats / targets;
    }

    /// <summary>The mean cross entropy over the targets that count.</summary>
    public static Tensor Loss(TorchLlama model, TokenBatch batch)
    {
        var logits_BTV = model.Logits(tensor(batch.Inputs));
        return nn.functional.cross_entropy(logits_BTV.reshape(-1, model.Config.Vocabulary), tensor(batch.Targets).reshape(-1));
    }

    private static Dictionary<string, double[]> Copy(TorchLlama model, Func<Tensor, Tensor> part)
    {
        using var scope = NewDisposeScope();
        return model.Weights.ToDictionary(
            pair => pair.Key, pair => part(pair.Value).detach().to(ScalarType.Float64).contiguous().data<double>().ToArray());
    }
}
