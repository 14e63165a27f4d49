namespace Flambeau.Data;

/// <summary>Makes a batch of samples (PyTorch: <c>default_collate</c>).</summary>
public static class Collate
{
    /// <summary>Tensors of one shape, stacked along a new first dimension.</summary>
    public static Tensor Stack(IReadOnlyList<Tensor> samples)
    {
        using var _ = Autograd.NoGrad();
        return Tensor.Stack([.. samples]);
    }

    /// <summary>Several tensors a sample, each stacked with its like.</summary>
    public static Tensor[] StackEach(IReadOnlyList<Tensor[]> samples)
    {
        var batch = new Tensor[samples[0].Length];
        for (int k = 0; k < batch.Length; k++)
        {
            int at = k;
            batch[k] = Stack([.. samples.Select(s => s.Length == batch.Length ? s[at] : throw new FlambeauException($"Collate: one sample has {samples[0].Length} tensors, another {s.Length}"))]);
        }
        return batch;
    }

    /// <summary>An input and a target a sample, each stacked.</summary>
    public static (Tensor Input, Tensor Target) StackPairs(IReadOnlyList<(Tensor Input, Tensor Target)> samples) =>
        (Stack([.. samples.Select(s => s.Input)]), Stack([.. samples.Select(s => s.Target)]));

    /// <summary>The samples themselves.</summary>
    public static IReadOnlyList<T> List<T>(IReadOnlyList<T> samples) => samples;
}
