namespace Flambeau.Tests.Ops;

/// <summary>Operators at the edges: tensors without dimensions or elements, what leaves the range of half precision, the origin.</summary>
public class EdgeTests
{
    [Fact]
    public void A_zero_dim_tensor_is_one_row()
    {
        Tensor x = Tensor.FromScalar(2.5), at = Tensor.FromArray(new[] { 0L }), one = Tensor.FromScalar(4.0);
        Assert.Equal(0, x.IndexSelect(0, at).Rank);
        Assert.Equal(6.5, x.IndexAdd(-1, at, one).Item<double>());
        Assert.Equal(4, x.IndexCopy(0, at, one).Item<double>());
        Assert.Equal(7, x.IndexFill(0, at, 7).Item<double>());
        Assert.Contains("single row", Assert.Throws<FlambeauException>(() => x.IndexSelect(0, Tensor.FromArray(new[] { 0L, 0 }))).Message);
        x.IndexAdd_(0, at, one);
        x.IndexAdd_(0, at, one);
        Assert.Equal(10.5, x.Item<double>());
        x.IndexFill_(0, at, 3);
        Assert.Equal(3, x.Item<double>());
        Assert.Equal([1L], x.Unfold(0, 1, 1).Shape.ToArray());
        Assert.Throws<FlambeauException>(() => x.Flatten(0, 3));
    }

    [Fact]
    public void The_gradient_of_a_zero_dim_row_reaches_target_and_source()
    {
        Tensor x = Tensor.FromScalar(2.5), source = Tensor.FromScalar(4.0);
        (x.RequiresGrad, source.RequiresGrad) = (true, true);
        (x.IndexAdd(0, Tensor.FromArray(new[] { 0L }), source) * 3).Backward();
        Assert.Equal((3, 3), (x.Grad!.Item<double>(), source.Grad!.Item<double>()));
    }

    [Fact]
    public void An_empty_index_may_have_any_sizes()
    {
        Tensor x = Tensor.RandN([4, 2, 3]), index = Tensor.Zeros([7, 0, 5], DType.Int64);
        x.RequiresGrad = true;
        var y = x.Gather(1, index);
        Assert.Equal([7, 0, 5], y.Shape.ToArray());
        y.Sum().Backward();
        Assert.All(x.Grad!.ToArray<float>(), g => Assert.Equal(0, g));
        Assert.Equal(x.ToArray<float>(), x.ScatterAdd(1, index, Tensor.Zeros([7, 0, 5])).ToArray<float>());
        Assert.Equal(x.ToArray<float>(), x.Scatter(1, index, Tensor.Zeros([2, 3, 1])).ToArray<float>());
    }

    [Fact]
    public void Products_over_empty_batches_have_gradients()
    {
        Tensor x = Tensor.Zeros([3, 0, 5]), w = Tensor.RandN([4, 5]), b = Tensor.RandN([4]);
        foreach (var t in new[] { x, w, b }) t.RequiresGrad = true;
        x.Linear(w, b).Sum().Backward();
        Assert.All(w.Grad!.ToArray<float>(), g => Assert.Equal(0, g));
        Tensor y = Tensor.Zeros([2, 0, 4, 5]), z = Tensor.RandN([5, 1]);
        z.RequiresGrad = true;
        y.MatMul(z).Sum().Backward();
        Assert.All(z.Grad!.ToArray<float>(), g => Assert.Equal(0, g));
    }

    [Fact]
    public void Means_of_no_elements_are_NaN()
    {
        Assert.True(double.IsNaN(Tensor.Zeros([1, 0]).CrossEntropy(Tensor.Zeros([1, 0])).Item<double>()));
        Assert.True(double.IsNaN(Tensor.Zeros([0]).Median().Item<double>()));
        Assert.Throws<FlambeauException>(() => Tensor.Zeros([0], DType.Int64).Median());
    }

    [Fact]
    public void A_reduced_dim_of_size_0_has_no_largest_element_even_where_the_result_is_empty()
    {
        Assert.Throws<FlambeauException>(() => Tensor.Zeros([0, 0]).Amax(1));
        Assert.Equal([0], Tensor.Zeros([0, 2]).Amax(1).Shape.ToArray());
    }

    [Fact]
    public void Half_precision_means_do_not_overflow()
    {
        // the sum, 84,231, is out of float16's range
        var x = Tensor.Full([21392], 3.9375, DType.Float16);
        Assert.Equal(3.9375, x.Mean().Item<double>());
        Assert.Equal(0, x.Var().Item<double>());
        Assert.Equal(0, x.Std().Item<double>());
        // Σ x³ is 104,976, its cube root 47.17
        Assert.Equal(47.1875, Tensor.Full([6], 25.95, DType.Float16).Norm(3, []).Item<double>(), 0.1);
    }

    [Fact]
    public void NanSum_of_opposite_infinities_is_NaN()
    {
        var x = Tensor.FromArray(new[] { 1, double.NaN, double.PositiveInfinity, double.NegativeInfinity });
        Assert.True(double.IsNaN(x.NanSum().Item<double>()));
        Assert.Equal(1, x.Narrow(0, 0, 2).NanSum().Item<double>());
    }

    [Fact]
    public void A_border_cuts_off_no_more_than_there_is()
    {
        Assert.Throws<FlambeauException>(() => Tensor.Zeros([1]).Pad([2, -2]));
        Assert.Contains("uint8", Assert.Throws<FlambeauException>(() => Tensor.Zeros([2], DType.UInt8).Pad([1, 0], PadMode.Constant, -1)).Message);
        Assert.Equal(2, Tensor.Zeros([2], DType.UInt8).Pad([0, 0], PadMode.Constant, -1).Numel);
    }

    [Fact]
    public void The_summand_of_AddMm_does_not_widen_the_product() =>
        Assert.Throws<FlambeauException>(() => Tensor.Zeros([2, 6]).AddMm(Tensor.Zeros([1, 1]), Tensor.Zeros([1, 6])));

    [Fact]
    public void The_classes_of_no_indices_have_to_be_given()
    {
        var nothing = Tensor.Zeros([0, 2], DType.Int64);
        Assert.Throws<FlambeauException>(() => nothing.OneHot(0));
        Assert.Equal([0, 2, 3], nothing.OneHot(3).Shape.ToArray());
    }

    [Fact]
    public void The_angle_of_the_origin_has_the_gradient_0()
    {
        Tensor y = Tensor.FromArray(new[] { 0.0, 1.0 }), x = Tensor.Zeros([2], DType.Float64);
        (x.RequiresGrad, y.RequiresGrad) = (true, true);
        y.Atan2(x).Sum().Backward();
        Assert.Equal([0, 0], y.Grad!.ToArray<double>());
        Assert.Equal([0, -1], x.Grad!.ToArray<double>());
    }

    [Fact]
    public void Sinc_near_0_is_exact_to_the_last_digits()
    {
        foreach (var x in new[] { 1e-9, 1e-3, 0.006363773721439259, 0.0159 })
        {
            var a = Math.PI * x;
            Assert.Equal(Math.Sin(a) / a, Tensor.FromArray(new[] { x }).Sinc().Item<double>(), 4e-16);
        }
    }
}
