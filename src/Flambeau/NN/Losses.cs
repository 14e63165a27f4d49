namespace Flambeau.NN;

/// <summary>
/// −log softmax(x)[target], the loss of a choice among classes (PyTorch: <c>nn.CrossEntropyLoss</c>). x [N, C, …], target int64 [N, …] or probabilities of x's shape.
/// </summary>
/// <param name="weight">A factor for each class, [C].</param>
/// <param name="ignoreIndex">Targets of this value count for nothing.</param>
/// <param name="labelSmoothing">The share of the target that is spread over all classes.</param>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class CrossEntropyLoss(Tensor? weight = null, long ignoreIndex = -100, double labelSmoothing = 0, LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    [Buffer] readonly Tensor? _weight = weight;
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.CrossEntropy(target, _weight, ignoreIndex, labelSmoothing, reduction);
}

/// <summary>−x[target] for log-probabilities x (PyTorch: <c>nn.NLLLoss</c>).</summary>
/// <param name="weight">A factor for each class, [C].</param>
/// <param name="ignoreIndex">Targets of this value count for nothing.</param>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class NLLLoss(Tensor? weight = null, long ignoreIndex = -100, LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    [Buffer] readonly Tensor? _weight = weight;
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.NllLoss(target, _weight, ignoreIndex, reduction);
}

/// <summary>(x − target)² (PyTorch: <c>nn.MSELoss</c>).</summary>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class MSELoss(LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.MseLoss(target, reduction);
}

/// <summary>|x − target| (PyTorch: <c>nn.L1Loss</c>).</summary>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class L1Loss(LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.L1Loss(target, reduction);
}

/// <summary>(x − target)² / 2β where |x − target| &lt; β, else |x − target| − β/2 (PyTorch: <c>nn.SmoothL1Loss</c>).</summary>
/// <param name="beta">Where the square turns into a line.</param>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class SmoothL1Loss(double beta = 1, LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.SmoothL1Loss(target, beta, reduction);
}

/// <summary>The cross entropy of truth values under probabilities σ(x), from the logits x (PyTorch: <c>nn.BCEWithLogitsLoss</c>).</summary>
/// <param name="weight">A factor for each element; broadcasts.</param>
/// <param name="posWeight">A factor for positive targets; broadcasts.</param>
/// <param name="reduction">Mean, sum or none.</param>
public sealed class BCEWithLogitsLoss(Tensor? weight = null, Tensor? posWeight = null, LossReduction reduction = LossReduction.Mean) : Module<Tensor, Tensor, Tensor>
{
    [Buffer] readonly Tensor? _weight = weight;
    [Buffer] readonly Tensor? _posWeight = posWeight;
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x, Tensor target) => x.BinaryCrossEntropyWithLogits(target, _weight, _posWeight, reduction);
}
