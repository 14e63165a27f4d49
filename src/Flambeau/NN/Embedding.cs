namespace Flambeau.NN;

/// <summary>A row of the weight for each index: int64 [..] → [.., size] (PyTorch: <c>nn.Embedding</c>). Rows begin normal with deviation 1.</summary>
public sealed class Embedding : Module<Tensor, Tensor>
{
    [Unregistered] Tensor? _hooked;

    /// <summary>A table with fresh rows.</summary>
    /// <param name="count">How many rows there are.</param>
    /// <param name="size">A row's length.</param>
    /// <param name="paddingIndex">A row that begins as zeros and gets no gradient; negative counts from the end.</param>
    /// <param name="dtype">The type of the rows.</param>
    /// <param name="generator">Source of the first values.</param>
    public Embedding(long count, long size, long? paddingIndex = null, DType dtype = DType.Float32, Generator? generator = null)
    {
        (NumEmbeddings, EmbeddingDim) = (count, size);
        if (paddingIndex is { } at)
        {
            if (at < -count || at >= count) throw new FlambeauException($"Embedding: the padding index {at} is out of range for {count} rows");
            PaddingIndex = at < 0 ? at + count : at;
        }
        Weight = Parameter(Init.Normal_(Tensor.Empty([count, size], dtype), generator: generator));
        if (PaddingIndex is not { } padding) return;
        using var _ = Autograd.NoGrad();
        Weight.Select(0, padding).Zero_();
    }

    /// <summary>The number of rows.</summary>
    public long NumEmbeddings { get; }
    /// <summary>A row's length.</summary>
    public long EmbeddingDim { get; }
    /// <summary>The row without gradient.</summary>
    public long? PaddingIndex { get; }
    /// <summary>[count, size].</summary>
    public Tensor Weight { get; set => field = AsParameter(value); }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor indices)
    {
        if (PaddingIndex is { } padding && Weight.RequiresGrad && !ReferenceEquals(_hooked, Weight)) HoldPadding(padding);
        return indices.Embedding(Weight);
    }

    // on the weight itself: the rows come from one operator, whose gradient has them all
    void HoldPadding(long padding)
    {
        _hooked = Weight;
        Weight.RegisterHook(g =>
        {
            var held = g.Clone();
            held.Select(0, padding).Zero_();
            return held;
        });
    }

    /// <inheritdoc/>
    protected override string ExtraRepr() => $"{NumEmbeddings}, {EmbeddingDim}{(PaddingIndex is { } at ? $", padding_idx={at}" : "")}";
}
