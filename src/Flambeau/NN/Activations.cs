using System.Globalization;

namespace Flambeau.NN;

/// <summary>max(x, 0) (PyTorch: <c>nn.ReLU</c>).</summary>
public sealed class ReLU : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Relu();
}

/// <summary>x where positive, else slope · x (PyTorch: <c>nn.LeakyReLU</c>).</summary>
/// <param name="negativeSlope">The slope below zero.</param>
public sealed class LeakyReLU(double negativeSlope = 0.01) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.LeakyRelu(negativeSlope);
    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"negative_slope={negativeSlope}");
}

/// <summary>x where positive, else α (eˣ − 1) (Clevert et al. 2016; PyTorch: <c>nn.ELU</c>).</summary>
/// <param name="alpha">α.</param>
public sealed class ELU(double alpha = 1) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Elu(alpha);
    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"alpha={alpha:0.0###}");
}

/// <summary>x · Φ(x) (Hendrycks and Gimpel 2016; PyTorch: <c>nn.GELU</c>).</summary>
/// <param name="approximate">Exactly, or by the formula with tanh.</param>
public sealed class GELU(GeluApproximation approximate = GeluApproximation.None) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Gelu(approximate);
    /// <inheritdoc/>
    protected override string ExtraRepr() => $"approximate='{approximate.ToString().ToLowerInvariant()}'";
}

/// <summary>x · σ(x) (PyTorch: <c>nn.SiLU</c>).</summary>
public sealed class SiLU : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Silu();
}

/// <summary>1 / (1 + e⁻ˣ) (PyTorch: <c>nn.Sigmoid</c>).</summary>
public sealed class Sigmoid : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Sigmoid();
}

/// <summary>tanh x (PyTorch: <c>nn.Tanh</c>).</summary>
public sealed class Tanh : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Tanh();
}

/// <summary>ln(1 + e^(βx)) / β (PyTorch: <c>nn.Softplus</c>).</summary>
/// <param name="beta">β.</param>
/// <param name="threshold">Where βx exceeds it, the result is x.</param>
public sealed class Softplus(double beta = 1, double threshold = 20) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Softplus(beta, threshold);
    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"beta={beta:0.0###}, threshold={threshold:0.0###}");
}

/// <summary>eˣ / Σ eˣ along a dimension (PyTorch: <c>nn.Softmax</c>).</summary>
/// <param name="dim">The dimension that sums to 1.</param>
public sealed class Softmax(int dim) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Softmax(dim);
    /// <inheritdoc/>
    protected override string ExtraRepr() => $"dim={dim}";
}

/// <summary>x − ln Σ eˣ along a dimension (PyTorch: <c>nn.LogSoftmax</c>).</summary>
/// <param name="dim">The dimension whose exponentials sum to 1.</param>
public sealed class LogSoftmax(int dim) : Module<Tensor, Tensor>
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.LogSoftmax(dim);
    /// <inheritdoc/>
    protected override string ExtraRepr() => $"dim={dim}";
}
