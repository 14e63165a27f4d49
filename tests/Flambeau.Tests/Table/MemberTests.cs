namespace Flambeau.Tests.Table;

/// <summary>The members take their operands in PyTorch's order and have PyTorch's defaults; values are known ones, to seven digits.</summary>
public class MemberTests
{
    static void Is(double expected, Tensor actual) => Assert.Equal(expected, actual.Item(), 1e-6 * Math.Max(1, Math.Abs(expected)));

    static readonly Tensor s_one = Tensor.Of(1), s_minusOne = Tensor.Of(-1), s_two = Tensor.Of(2);

    [Fact]
    public void Activations_have_the_values_of_their_papers()
    {
        Is(0.8413447460685429, s_one.Gelu()); // Φ(1)
        Is(-0.15865525393145707, s_minusOne.Gelu());
        Is(0.8411919906082768, s_one.Gelu(GeluApproximation.Tanh));
        Is(0.7310585786300049, s_one.Silu());
        Is(0.8650983882673103, s_one.Mish());
        Is(-1.1113307378125625, s_minusOne.Selu());
        Is(-0.6321205588285577, s_minusOne.Elu());
        Is(-1.2642411176571153, s_minusOne.Elu(2));
        Is(2 * (Math.Exp(-0.5) - 1), s_minusOne.Celu(2));
        Is(-0.01, s_minusOne.LeakyRelu());
        Is(-0.2, s_minusOne.LeakyRelu(0.2));
        Is(1.3132616875182228, s_one.Softplus());
        Is(Math.Log(1 + Math.Exp(2)) / 2, s_one.Softplus(beta: 2));
        Is(30, Tensor.Of(30).Softplus());
        Is(4.0 / 6, s_one.Hardswish());
        Is(4.0 / 6, s_one.Hardsigmoid());
        Is(-1, (s_minusOne * 3).Hardtanh());
        Is(0.5, s_one.Hardtanh(-0.5, 0.5));
        Is(6, Tensor.Of(7).Relu6());
        Is(0.5, s_one.Softsign());
        Is(-9, s_one.Threshold(1, -9));
        Is(0, Tensor.Of(0.5f).Hardshrink());
        Is(0.5, s_one.Softshrink());
        Is(1 - Math.Tanh(1), s_one.Tanhshrink());
        Is(-0.31326168751822286, s_one.LogSigmoid());
    }

    [Fact]
    public void Functions_of_two_operands_take_them_in_order()
    {
        Is(Math.PI / 2, s_one.Atan2(Tensor.Of(0)));
        Is(Math.Atan2(-1, 2), s_minusOne.Atan2(s_two));
        Is(2 * Math.Log(3), s_two.Xlogy(Tensor.Of(3)));
        Is(0, Tensor.Of(0).Xlogy(0));
        Is(2.3132616875182226, s_one.LogAddExp(s_two));
        Is(8, s_two.Pow(Tensor.Of(3)));
        Is(9, Tensor.Pow(3, s_two));
        Is(0.25, s_two.Pow(-2));
        Is(Math.Sqrt(2), s_two.Pow(0.5));
        Is(7, Tensor.Of(0).Heaviside(Tensor.Of(7)));
        Is(1, Tensor.Where(Tensor.FromArray([true]), s_one, s_two));
        Is(2, s_one.Where(Tensor.FromArray([false]), s_two));
        Is(5, Tensor.Where(Tensor.FromArray([true]), 5, s_two));
        Is(Math.Log(0.9 / 0.1), s_one.Logit(0.1));
        Is(0, Tensor.Of(0.5f).Logit());
        Is(1.75, s_one.Lerp(s_two, 0.75));
        Is(4, s_one.Add(s_two, 1.5));
        Is(-2, s_one.Sub(s_two, 1.5));
        Is(2, Tensor.Of(7) % 5);
        Is(2, 7 % Tensor.Of(5));
        Is(-2, Tensor.Of(-7).Fmod(5));
        Is(3, Tensor.Of(-7) % 5);
        Is(-2, Tensor.Of(-7).FloorDivide(5));
        Is(-1, Tensor.Of(-7).TruncDivide(5));
    }

    [Fact]
    public void Comparison_operators_take_tensors_and_numbers_on_either_side()
    {
        var x = Tensor.Of(1, 2, 3);
        Assert.Equal([true, false, false], (x < 2).ToArray<bool>());
        Assert.Equal([true, true, false], (x <= 2).ToArray<bool>());
        Assert.Equal([false, false, true], (2 < x).ToArray<bool>());
        Assert.Equal([false, true, true], (2 <= x).ToArray<bool>());
        Assert.Equal([false, false, false], (x > (x + 0)).ToArray<bool>());
        Assert.Equal([true, true, true], (x >= (x + 0)).ToArray<bool>());
        Assert.Equal([false, true, false], x.Eq(2).ToArray<bool>());
        Assert.Equal([true, false, true], x.Ne(2).ToArray<bool>());
        Assert.True(x == x.Detach() == false && x != x.Detach(), "== compares references");
    }

    [Fact]
    public void Whole_numbers_raised_to_powers_wrap_and_vanish_below_one()
    {
        Assert.Equal([1L, 0, 1, -1, 0], Tensor.FromArray([1L, 2, -1, -1, -3]).Pow(Tensor.FromArray([-5L, -1, -2, -3, -1])).ToArray<long>());
        Assert.Equal(unchecked((int)3_486_784_401), Tensor.FromArray([3]).Pow(20).Item<int>());
        Assert.Equal(DType.Int64, Tensor.FromArray([true]).Pow(2).DType);
    }
}
