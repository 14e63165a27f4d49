namespace Flambeau.NN;

/// <summary>y = x Wᵀ + b: [.., in] → [.., out] (PyTorch: <c>nn.Linear</c>). Weight and bias begin uniform in ±1/√in.</summary>
public sealed class Linear : Module<Tensor, Tensor>
{
    /// <summary>A layer with fresh weights.</summary>
    /// <param name="inFeatures">The input's last size.</param>
    /// <param name="outFeatures">The output's last size.</param>
    /// <param name="bias">False leaves b out.</param>
    /// <param name="dtype">The type of the parameters.</param>
    /// <param name="generator">Source of the first values.</param>
    public Linear(long inFeatures, long outFeatures, bool bias = true, DType dtype = DType.Float32, Generator? generator = null)
    {
        (InFeatures, OutFeatures) = (inFeatures, outFeatures);
        Weight = Parameter(Init.KaimingUniform_(Tensor.Empty([outFeatures, inFeatures], dtype), Math.Sqrt(5), generator: generator));
        if (!bias) return;
        double bound = inFeatures > 0 ? 1 / Math.Sqrt(inFeatures) : 0;
        Bias = Parameter(Init.Uniform_(Tensor.Empty([outFeatures], dtype), -bound, bound, generator));
    }

    /// <summary>The input's last size.</summary>
    public long InFeatures { get; }
    /// <summary>The output's last size.</summary>
    public long OutFeatures { get; }
    /// <summary>[out, in]. Assign another layer's to tie them.</summary>
    public Tensor Weight { get; set => field = AsParameter(value); }
    /// <summary>[out], or null.</summary>
    public Tensor? Bias { get; set => field = value is null ? null : AsParameter(value); }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Linear(Weight, Bias);

    /// <inheritdoc/>
    protected override string ExtraRepr() => $"in_features={InFeatures}, out_features={OutFeatures}, bias={(Bias is null ? "False" : "True")}";
}
