namespace Flambeau.NN;

// N batch, T/S tokens of queries/keys, E embedding size, H heads, D head size

/// <summary>What attention works on.</summary>
/// <param name="Query">[T, N, E], with batchFirst [N, T, E], or [T, E].</param>
/// <param name="Key">As the query, with S tokens.</param>
/// <param name="Value">As the key.</param>
/// <param name="Mask">Bool (true takes part) or added to the scores; broadcasts to [N, H, T, S].</param>
/// <param name="IsCausal">Position t sees positions up to t only.</param>
public sealed record AttentionInput(Tensor Query, Tensor Key, Tensor Value, Tensor? Mask = null, bool IsCausal = false);

/// <summary>
/// Attention in several heads with projections before and after (Vaswani et al. 2017; PyTorch: <c>nn.MultiheadAttention</c>, whose names its parameters have: <c>in_proj_weight</c> [3E, E], <c>in_proj_bias</c>, <c>out_proj.weight</c>, <c>out_proj.bias</c>).
/// Returns the output only, not the attention weights. A bool mask says who takes part, as in <c>ScaledDotProductAttention</c>; PyTorch's module means the opposite.
/// </summary>
public sealed class MultiheadAttention : Module<AttentionInput, Tensor>
{
    readonly long _size, _heads;
    readonly double _dropout;
    readonly bool _batchFirst;

    /// <summary>A layer with fresh weights: projections before uniform after Glorot, biases 0.</summary>
    /// <param name="embedDim">E; a multiple of the number of heads.</param>
    /// <param name="numHeads">H.</param>
    /// <param name="dropout">The probability that an attention weight is dropped in training.</param>
    /// <param name="bias">False leaves the biases out.</param>
    /// <param name="batchFirst">True puts the batch before the tokens.</param>
    /// <param name="dtype">The type of the parameters.</param>
    /// <param name="generator">Source of the first values.</param>
    public MultiheadAttention(long embedDim, long numHeads, double dropout = 0, bool bias = true, bool batchFirst = false, DType dtype = DType.Float32, Generator? generator = null)
    {
        if (numHeads <= 0 || embedDim % numHeads != 0) throw new FlambeauException($"MultiheadAttention: the size {embedDim} is no multiple of the {numHeads} heads");
        (_size, _heads, _dropout, _batchFirst) = (embedDim, numHeads, dropout, batchFirst);
        InProjWeight = Parameter(Init.XavierUniform_(Tensor.Empty([3 * embedDim, embedDim], dtype), generator: generator));
        if (bias) InProjBias = Parameter(Tensor.Zeros([3 * embedDim], dtype));
        OutProj = new(embedDim, embedDim, bias, dtype, generator);
        if (OutProj.Bias is { } b) Init.Zeros_(b);
    }

    /// <summary>[3E, E]: the projections of queries, keys and values, one below the other.</summary>
    public Tensor InProjWeight { get; set => field = AsParameter(value); }
    /// <summary>[3E], or null.</summary>
    public Tensor? InProjBias { get; set => field = value is null ? null : AsParameter(value); }
    /// <summary>The projection of all heads together.</summary>
    public Linear OutProj { get; }

    /// <summary>Attends; the result has the query's shape.</summary>
    public Tensor Call(Tensor query, Tensor key, Tensor value, Tensor? mask = null, bool isCausal = false) => Call(new(query, key, value, mask, isCausal));

    /// <inheritdoc/>
    protected override Tensor Forward(AttentionInput x)
    {
        if (x.Query.Rank is not (2 or 3) || x.Key.Rank != x.Query.Rank || x.Value.Rank != x.Query.Rank)
            throw Errors.Make("MultiheadAttention", $"needs {(_batchFirst ? "[N, T, E]" : "[T, N, E]")} or [T, E] tensors of one rank", ("query", x.Query), ("key", x.Key), ("value", x.Value));
        var q = Heads(x.Query, 0);
        var k = Heads(x.Key, 1);
        var v = Heads(x.Value, 2);
        var y_NHTD = q.ScaledDotProductAttention(k, v, x.Mask, Training ? _dropout : 0, x.IsCausal);
        var y = y_NHTD.Transpose(-3, -2).Flatten(-2); // [.., T, E]
        return OutProj.Call(!_batchFirst && y.Rank == 3 ? y.Transpose(0, 1) : y);
    }

    // [T, N, E] or [N, T, E] or [T, E] → [.., H, T, D]
    Tensor Heads(Tensor x, int which)
    {
        var weight = InProjWeight.Narrow(0, which * _size, _size);
        var y = x.Linear(weight, InProjBias?.Narrow(0, which * _size, _size));
        if (!_batchFirst && y.Rank == 3) y = y.Transpose(0, 1);
        return y.Unflatten(-1, _heads, _size / _heads).Transpose(-3, -2);
    }

    /// <inheritdoc/>
    protected override string ExtraRepr() => "";
}
