namespace Flambeau.Tests.Table;

/// <summary>A wrong call says which operation, what was given and what to do, and changes nothing.</summary>
public class ErrorTests
{
    static void Fails(Action action, params string[] says)
    {
        var error = Assert.ThrowsAny<FlambeauException>(action);
        foreach (var part in says) Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    static readonly Tensor s_floats = Tensor.Of(1, 2, 3);
    static readonly Tensor s_wholes = Tensor.FromArray([1L, 0, 3]);
    static readonly Tensor s_bools = Tensor.FromArray([true, false, true]);

    [Fact]
    public void Shapes_that_do_not_broadcast() => Fails(() => Tensor.Zeros(2, 3).Add(Tensor.Zeros(4)), "Add:", "[2, 3]", "[4]", "dim -1");

    [Fact]
    public void A_target_that_would_have_to_grow() => Fails(() => Tensor.Zeros(3).Mul_(Tensor.Zeros(2, 3)), "Mul_", "[2, 3]", "[3]", "in-place");

    [Fact]
    public void A_target_whose_elements_share_memory() => Fails(() => Tensor.Zeros(1).Expand(3).Add_(1), "Add_", "clone");

    [Fact]
    public void A_fraction_into_whole_numbers() => Fails(() => s_wholes.Clone().Add_(0.5), "Add_", "float32", "int64");

    [Fact]
    public void Bitwise_operators_on_fractions() => Fails(() => s_floats.BitwiseAnd(s_wholes), "BitwiseAnd", "float32", "To(DType.Int64)");

    [Fact]
    public void Subtraction_and_negation_of_bool()
    {
        Fails(() => s_bools.Sub(s_bools), "Sub", "bool");
        Fails(() => s_bools.Neg(), "Neg", "bool");
    }

    [Fact]
    public void Zero_divisors_of_whole_numbers_before_anything_is_written()
    {
        var x = Tensor.FromArray([7L, 8, 9]);
        Fails(() => x.FloorDivide_(s_wholes), "FloorDivide", "zero");
        Fails(() => x.Remainder_(0), "Remainder", "zero");
        Fails(() => _ = x % s_wholes, "zero");
        Fails(() => x.Fmod(s_wholes), "zero");
        Fails(() => x.TruncDivide(0), "zero");
        Assert.Equal([7L, 8, 9], x.ToArray<long>());
        Assert.Equal(double.PositiveInfinity, Tensor.Of(1).FloorDivide(0).Item());
    }

    [Fact]
    public void Negative_powers_of_whole_numbers() => Fails(() => s_wholes.Pow(-2), "Pow", "-2");

    [Fact]
    public void Conditions_that_are_not_bool()
    {
        Fails(() => Tensor.Where(s_floats, s_floats, 0), "Where", "bool", "float32");
        Fails(() => s_floats.MaskedFill(s_wholes, 0), "MaskedFill", "bool", "int64");
    }

    [Fact]
    public void A_fill_that_the_type_cannot_hold() => Fails(() => s_wholes.MaskedFill(s_bools, 0.5), "MaskedFill", "0.5", "int64");

    [Fact]
    public void A_fractional_alpha_for_whole_numbers() => Fails(() => s_wholes.Add(s_wholes, 0.5), "Add", "0.5", "int64");

    [Fact]
    public void Clamp_without_bounds() => Fails(() => s_floats.Clamp(), "Clamp", "minimum");

    [Fact]
    public void A_leaf_that_requires_a_gradient_is_not_written_to() => Fails(() => Tensor.Of(1).RequiresGrad_().Relu_(), "Relu", "leaf");
}
