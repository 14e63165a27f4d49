namespace Flambeau.Tests;

public class HouseTests
{
    [Fact]
    public void DTypes_are_ordered_from_bool_to_float64() => Assert.True(DType.Bool < DType.Int64 && DType.Int64 < DType.Float64);
}
