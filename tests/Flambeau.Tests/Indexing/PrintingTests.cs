namespace Flambeau.Tests.Indexing;

/// <summary>Tensors print as PyTorch prints them.</summary>
public class PrintingTests
{
    static void Prints(string expected, Tensor x) => Assert.Equal(expected.ReplaceLineEndings("\n"), x.ToString());

    [Fact]
    public void Real_numbers_have_four_decimals_and_whole_ones_a_point()
    {
        Prints("tensor([1., 2., 3.])", Tensor.Of(1, 2, 3));
        Prints("tensor([1.0000, 2.5000])", Tensor.Of(1, 2.5f));
        Prints("tensor([-1.5000,  2.0000])", Tensor.Of(-1.5f, 2));
        Prints("tensor(3.1416)", Tensor.FromScalar(Math.PI));
        Prints("tensor(5.)", Tensor.FromScalar(5.0));
        Prints("tensor([0., 0.])", Tensor.Zeros(2));
        Prints("tensor([0.1000, 0.2000, 0.3000], dtype=torch.float64)", Tensor.FromArray(new[] { 0.1, 0.2, 0.3 }));
        Prints("tensor([1., 2.], dtype=torch.bfloat16)", Tensor.Of(1, 2).To(DType.BFloat16));
        Prints("tensor([0.0312, 0.0938])", Tensor.Of(1 / 32f, 3 / 32f)); // exact ties go to the even digit
    }

    [Fact]
    public void Rows_stand_below_each_other()
    {
        Prints("""
            tensor([[1., 2.],
                    [3., 4.]])
            """, Tensor.FromArray(new float[,] { { 1, 2 }, { 3, 4 } }));
        Prints("""
            tensor([[[0, 1],
                     [2, 3]],

                    [[4, 5],
                     [6, 7]]])
            """, Tensor.Arange(8).Reshape(2, 2, 2));
        Prints("""
            tensor([[ 0.5000, -1.2500],
                    [10.0000,  2.0000]])
            """, Tensor.FromArray(new float[,] { { 0.5f, -1.25f }, { 10, 2 } }));
    }

    [Fact]
    public void Whole_numbers_and_truths_are_aligned()
    {
        Prints("tensor([ 1, 10, -5])", Tensor.FromArray(new long[] { 1, 10, -5 }));
        Prints("tensor([1, 2], dtype=torch.int32)", Tensor.FromArray(new[] { 1, 2 }));
        Prints("tensor([255], dtype=torch.uint8)", Tensor.FromArray(new byte[] { 255 }));
        Prints("tensor([ True, False])", Tensor.FromArray(new[] { true, false }));
        Prints("tensor(True)", Tensor.FromScalar(true));
        Prints("tensor(7)", Tensor.FromScalar(7));
    }

    [Fact]
    public void Wide_ranges_are_in_scientific_notation()
    {
        Prints("tensor([1.0000e+00, 1.0000e+05, 5.0000e-01])", Tensor.Of(1, 100000, 0.5f));
        Prints("tensor([1.0000e-05, 1.0000e+00])", Tensor.Of(1e-5f, 1));
        Prints("tensor([1.0000e-05])", Tensor.Of(1e-5f));
        Prints("tensor([1.0000e+09])", Tensor.Of(1e9f));
        Prints("tensor([1000.,    1.])", Tensor.Of(1000, 1));
        Prints("tensor([1.0010e+03, 1.0000e+00])", Tensor.Of(1001, 1));
        Prints("tensor([ 0.0000e+00, -2.0000e+09,  1.0000e+00])", Tensor.Of(0, -2e9f, 1));
        Prints("tensor([1.0000e-300], dtype=torch.float64)", Tensor.FromArray(new[] { 1e-300 }));
    }

    [Fact]
    public void What_is_not_finite_has_a_name()
    {
        Prints("tensor([nan, inf, -inf])", Tensor.Of(float.NaN, float.PositiveInfinity, float.NegativeInfinity));
        Prints("tensor([1., nan])", Tensor.Of(1, float.NaN));
        Prints("tensor([1.5000,    inf])", Tensor.Of(1.5f, float.PositiveInfinity));
        Prints("tensor(nan)", Tensor.FromScalar(double.NaN));
        Prints("tensor([0., nan])", Tensor.Of(0, float.NaN));
    }

    [Fact]
    public void Empty_ones_tell_their_size_and_type()
    {
        Prints("tensor([])", Tensor.Zeros(0));
        Prints("tensor([], size=(0, 3))", Tensor.Zeros(0, 3));
        Prints("tensor([], dtype=torch.int64)", Tensor.FromArray(Array.Empty<long>()));
        Prints("tensor([], size=(2, 0), dtype=torch.int64)", Tensor.Zeros(new long[] { 2, 0 }, DType.Int64));
    }

    [Fact]
    public void History_follows_the_elements()
    {
        var x = Tensor.Of(1, 2).RequiresGrad_();
        Prints("tensor([1., 2.], requires_grad=True)", x);
        Prints("tensor([2., 3.], grad_fn=<AddBackward>)", x + 1);
        Prints("tensor([1., 2.])", x.Detach());
    }

    [Fact]
    public void Large_ones_show_three_elements_at_each_end()
    {
        Prints("tensor([   0,    1,    2,  ..., 1998, 1999, 2000])", Tensor.Arange(2001));
        Prints("""
            tensor([[   0,    1,    2,  ...,   97,   98,   99],
                    [ 100,  101,  102,  ...,  197,  198,  199],
                    [ 200,  201,  202,  ...,  297,  298,  299],
                    ...,
                    [1700, 1701, 1702,  ..., 1797, 1798, 1799],
                    [1800, 1801, 1802,  ..., 1897, 1898, 1899],
                    [1900, 1901, 1902,  ..., 1997, 1998, 1999]])
            """, Tensor.Arange(2000).Reshape(20, 100));
        Prints("tensor([0., 0., 0.,  ..., 0., 0., 0.])", Tensor.Zeros(1001));
    }

    [Fact]
    public void Lines_end_before_column_80()
    {
        Prints("""
            tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
                    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])
            """, Tensor.Arange(30));
        Prints("""
            tensor([0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.,
                    0.], dtype=torch.float64)
            """, Tensor.Zeros(new long[] { 25 }, DType.Float64));
    }

    [Fact]
    public void Inside_a_transform_the_transform_is_named()
    {
        string? text = null;
        _ = Autograd.Vmap(x => { text = x.ToString(); return x; })(Tensor.FromArray(new float[,] { { 1, 2 }, { 3, 4 } }));
        Assert.Equal("Vmap(float32[2], value=\n    tensor([[1., 2.],\n            [3., 4.]]))", text);
    }
}
