using System.Globalization;

namespace Flambeau.NN;

/// <summary>(x − mean) / √(variance + ε) · w + b over the last dimensions (Ba et al. 2016; PyTorch: <c>nn.LayerNorm</c>). The weight begins as ones, the bias as zeros.</summary>
public sealed class LayerNorm : Module<Tensor, Tensor>
{
    readonly long[] _shape;

    /// <summary>A norm over the last dimensions.</summary>
    /// <param name="normalizedShape">Their sizes; one number for the last alone.</param>
    /// <param name="eps">ε.</param>
    /// <param name="elementwiseAffine">False leaves weight and bias out.</param>
    /// <param name="bias">False leaves the bias out.</param>
    /// <param name="dtype">The type of the parameters.</param>
    public LayerNorm(Shape normalizedShape, double eps = 1e-5, bool elementwiseAffine = true, bool bias = true, DType dtype = DType.Float32)
    {
        _shape = normalizedShape.ToArray();
        Eps = eps;
        if (!elementwiseAffine) return;
        Weight = Parameter(Tensor.Ones(normalizedShape, dtype));
        if (bias) Bias = Parameter(Tensor.Zeros(normalizedShape, dtype));
    }

    /// <summary>ε.</summary>
    public double Eps { get; }
    /// <summary>Of the normalized shape, or null.</summary>
    public Tensor? Weight { get; set => field = value is null ? null : AsParameter(value); }
    /// <summary>Of the normalized shape, or null.</summary>
    public Tensor? Bias { get; set => field = value is null ? null : AsParameter(value); }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        NormShape.Check("LayerNorm", x, _shape);
        return x.LayerNorm(_shape.Length, Weight, Bias, Eps);
    }

    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"{NormShape.Text(_shape)}, eps={NormShape.Text(Eps)}, elementwise_affine={(Weight is null ? "False" : "True")}");
}

/// <summary>x / √(mean(x²) + ε) · w over the last dimension (Zhang and Sennrich 2019; PyTorch: <c>nn.RMSNorm</c>). The weight begins as ones.</summary>
public sealed class RMSNorm : Module<Tensor, Tensor>
{
    readonly long[] _shape;

    /// <summary>A norm over the last dimension.</summary>
    /// <param name="size">Its size.</param>
    /// <param name="eps">ε.</param>
    /// <param name="elementwiseAffine">False leaves the weight out.</param>
    /// <param name="dtype">The type of the weight.</param>
    public RMSNorm(long size, double eps = 1e-6, bool elementwiseAffine = true, DType dtype = DType.Float32)
    {
        _shape = [size];
        Eps = eps;
        if (elementwiseAffine) Weight = Parameter(Tensor.Ones([size], dtype));
    }

    /// <summary>ε.</summary>
    public double Eps { get; }
    /// <summary>[size], or null.</summary>
    public Tensor? Weight { get; set => field = value is null ? null : AsParameter(value); }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        NormShape.Check("RMSNorm", x, _shape);
        return x.RmsNorm(Weight, Eps);
    }

    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture, $"{NormShape.Text(_shape)}, eps={NormShape.Text(Eps)}, elementwise_affine={(Weight is null ? "False" : "True")}");
}

/// <summary>The last sizes that a norm was made for.</summary>
static class NormShape
{
    public static void Check(string name, Tensor x, long[] shape)
    {
        if (x.Rank < shape.Length || !x.Shape.AsSpan()[^shape.Length..].SequenceEqual(shape))
            throw Errors.Make(name, $"normalizes [{string.Join(", ", shape)}], the input ends otherwise", ("x", x));
    }

    // as Python writes it
    public static string Text(double eps) => eps.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');

    public static string Text(long[] shape) => shape is [var one] ? $"({one},)" : $"({string.Join(", ", shape)})";
}
