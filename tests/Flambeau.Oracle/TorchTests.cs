using static TorchSharp.torch;

namespace Flambeau.Oracle;

public class TorchTests
{
    [Fact]
    public void Torch_loads_and_adds() => Assert.Equal(2, ones(2).sum().item<float>());

    [Fact]
    public void Torch_multiplies_through_its_own_matrix_library()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(64, ones(64, 64, dtype: ScalarType.Float64).mm(ones(64, 64, dtype: ScalarType.Float64))[5, 7].item<double>());
    }
}
