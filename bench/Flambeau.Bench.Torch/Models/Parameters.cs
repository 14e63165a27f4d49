using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>The leaves of a model, made as it asks for them.</summary>
internal sealed class Parameters(ScalarType dtype)
{
    private const double InitialDeviation = 0.02;

    public List<Parameter> All { get; } = [];
    public ScalarType DType => dtype;
    public long Count => All.Sum(x => x.numel());

    public Parameter Normal(params long[] shape) => Leaf(randn(shape, dtype: dtype) * InitialDeviation);
    public Parameter Ones(params long[] shape) => Leaf(ones(shape, dtype: dtype));
    public Parameter Zeros(params long[] shape) => Leaf(zeros(shape, dtype: dtype));

    /// <summary>The rows of a parameter, chosen by ids. TorchSharp offers PyTorch's embedding as a module only.</summary>
    public static Embedding Rows(Parameter table)
    {
        var rows = nn.Embedding(1, table.shape[1]);
        rows.weight = table;
        return rows;
    }

    private Parameter Leaf(Tensor x)
    {
        All.Add(new(x.detach()));
        return All[^1];
    }
}
