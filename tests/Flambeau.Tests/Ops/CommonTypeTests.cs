namespace Flambeau.Tests.Ops;

/// <summary>What an operand of another type is rounded to before it is used, and what takes part in promotion.</summary>
public class CommonTypeTests
{
    // 0.1 is 0.10009765625 in bfloat16, whose eight bits of 0.1015625 are the next but one
    private const double Tenth = 0.10009765625;

    private static Tensor Brains(params double[] values) => Tensor.FromArray(values).To(DType.BFloat16);

    [Fact]
    public void A_number_beside_bfloat16_is_compared_as_bfloat16()
    {
        var x = Brains(0.1, 0.25);
        Assert.Equal([true, false], x.Eq(0.1).ToArray<bool>());
        Assert.Equal([true, false], x.Eq(Tensor.FromScalar(0.1)).ToArray<bool>());
        Assert.Equal([false, false], x.Lt(0.1).ToArray<bool>());
    }

    [Fact]
    public void A_number_beside_bfloat16_is_rounded_before_a_difference()
    {
        // exact in bfloat16 once 0.1 is rounded
        Assert.Equal([0.1015625 - Tenth], Brains(0.1015625).Sub(0.1).ToArray<double>());
    }

    [Fact]
    public void A_factor_beside_bfloat16_keeps_its_digits()
    {
        // 0.01015625, not 0.1015625 · 0.10009765625 = 0.010166…: they round to neighbours
        Assert.Equal(Brains(0.01015625).ToArray<double>(), Brains(0.1015625).Mul(0.1).ToArray<double>());
        Assert.NotEqual(Brains(0.1015625 * Tenth).ToArray<double>(), Brains(0.1015625).Mul(0.1).ToArray<double>());
    }

    [Fact]
    public void A_zero_dim_whole_number_wraps_to_the_common_type_first()
    {
        // 300 is 44 in uint8
        Tensor x = Tensor.FromArray(new byte[] { 5, 100, 200 }), y = Tensor.FromScalar(300L);
        Assert.Equal(DType.UInt8, x.Maximum(y).DType);
        Assert.Equal([44, 100, 200], x.Maximum(y).ToArray<byte>());
        Assert.Equal([true, false, false], x.Lt(y).ToArray<bool>());
        Assert.Equal([0, 2, 4], x.FloorDivide(y).ToArray<byte>());
        Assert.Throws<FlambeauException>(() => x.FloorDivide(Tensor.FromScalar(256L)));
    }

    [Fact]
    public void A_number_out_of_range_compares_as_what_it_is() => Assert.Equal([false], Tensor.FromArray(new byte[] { 5 }).Lt(-2).ToArray<bool>());

    [Fact]
    public void In_place_rounds_like_out_of_place()
    {
        var x = Brains(0.1015625);
        x.Sub_(0.1);
        Assert.Equal([0.1015625 - Tenth], x.ToArray<double>());
    }

    [Fact]
    public void The_factor_of_AddCMul_takes_no_part_in_promotion()
    {
        Tensor x = Tensor.FromArray(new byte[] { 10 }), y = Tensor.FromArray(new[] { true }), z = Tensor.FromArray(new byte[] { 3 });
        Assert.Equal(DType.UInt8, x.AddCMul(y, z, 2).DType);
        Assert.Equal([16], x.AddCMul(y, z, 2.0).ToArray<byte>());
        Assert.Contains("2.5", Assert.Throws<FlambeauException>(() => x.AddCMul(y, z, 2.5)).Message);
    }

    [Fact]
    public void The_factor_of_AddCDiv_does_not_overflow_half_precision()
    {
        static Tensor Half(float value) => Tensor.FromArray(new[] { value }).To(DType.Float16);
        Tensor x = Half(49984), y = Half(-65504), z = Half(1024);
        float expected = (float)(System.Half)(49984 + 5 * -65504f / 1024);
        Assert.Equal((DType.Float16, expected), (x.AddCDiv(y, z, 5).DType, x.AddCDiv(y, z, 5).Item<float>()));
        Assert.Equal(expected, x.AddCDiv_(y, z, 5).Item<float>());
    }

    [Fact]
    public void AddCDiv_of_whole_numbers_is_refused() =>
        Assert.Contains("Float32", Assert.Throws<FlambeauException>(() => Tensor.FromArray(new[] { 1f }).AddCDiv(Tensor.FromArray(new[] { 3L }), Tensor.FromArray(new[] { 2L }))).Message);

    [Fact]
    public void Truth_values_added_with_a_factor_stay_truth_values()
    {
        Tensor x = Tensor.FromArray(new[] { true, false }), y = Tensor.FromArray(new[] { false, false });
        Assert.Equal([true, false], x.Add(y, 2).ToArray<bool>());
        Assert.Equal(DType.Bool, x.Add(y, 2).DType);
        Assert.Throws<FlambeauException>(() => x.Sub(y, 2));
    }

    [Fact]
    public void An_empty_vector_adds_its_type_to_Cat_and_its_gradient_to_the_tape()
    {
        var nothing = Tensor.Zeros([0]);
        nothing.RequiresGrad = true;
        var y = Tensor.Cat([Tensor.FromArray(new[] { 1L, 2 }).Reshape(1, 2), nothing, Tensor.FromArray(new[] { 3L }).Reshape(1, 1)], 1);
        Assert.Equal(DType.Float32, y.DType);
        Assert.Equal([1, 2, 3], y.ToArray<double>());
        Assert.True(y.RequiresGrad);
        y.Sum().Backward();
        Assert.Equal(0, nothing.Grad!.Numel);
        Assert.Equal(0, Tensor.Cat([Tensor.Zeros([0]), Tensor.Zeros([0])], 5).Numel);
    }
}
