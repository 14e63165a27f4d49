using System.Globalization;

namespace Flambeau.NN;

/// <summary>x itself (PyTorch: <c>nn.Identity</c>).</summary>
public sealed class Identity : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x;
}

/// <summary>Dimensions from start to end as one; by default all but the batch (PyTorch: <c>nn.Flatten</c>).</summary>
/// <param name="startDim">The first of them.</param>
/// <param name="endDim">The last of them.</param>
public sealed class Flatten(int startDim = 1, int endDim = -1) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Flatten(startDim, endDim);
    /// <inheritdoc/>
    protected override string ExtraRepr() => $"start_dim={startDim}, end_dim={endDim}";
}

/// <summary>In training each element becomes 0 with probability p, the others are divided by 1 − p; in evaluation nothing happens (Srivastava et al. 2014; PyTorch: <c>nn.Dropout</c>).</summary>
/// <param name="p">The probability.</param>
/// <param name="generator">Source of the choice; the default generator if null.</param>
public sealed class Dropout(double p = 0.5, Generator? generator = null) : Module<Tensor, Tensor>
{
    /// <summary>The probability that an element is dropped.</summary>
    public double P { get; } = p is >= 0 and <= 1 ? p : throw new FlambeauException($"Dropout: the probability must lie in [0, 1], got {p}");
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Dropout(P, Training, generator);
    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"p={P}");
}
