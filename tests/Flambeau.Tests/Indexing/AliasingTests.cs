namespace Flambeau.Tests.Indexing;

/// <summary>Views and in-place writes under the tape: each case gives the gradient of the values as they were, or is refused with the reason.</summary>
public class AliasingTests
{
    static Tensor Leaf(params float[] values) => Tensor.FromArray(values).RequiresGrad_();

    [Fact]
    public void A_write_through_a_view_is_seen_by_Backward()
    {
        var x = Tensor.FromArray(new float[,] { { 1, 2 }, { 3, 4 } }).RequiresGrad_();
        var h = x * 3;
        h[.., 0] = 0;
        (h * h).Sum().Backward();
        Assert.Equal([0f, 36, 0, 72], x.Grad!.ToArray<float>()); // d(9 x²)/dx = 18 x, and none where overwritten
    }

    [Fact]
    public void A_written_value_gets_its_gradient()
    {
        Tensor x = Leaf(1, 2, 3), v = Leaf(10);
        var h = x * 2;
        h[1..] = v;
        (h * Tensor.Of(1, 2, 3)).Sum().Backward();
        Assert.Equal([2f, 0, 0], x.Grad!.ToArray<float>());
        Assert.Equal([5f], v.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_write_to_a_leaf_or_a_view_of_it_is_refused()
    {
        var x = Leaf(1, 2);
        Assert.Contains("leaf that requires a gradient", Assert.Throws<FlambeauException>(() => x.Fill_(0)).Message);
        Assert.Contains("view of a leaf", Assert.Throws<FlambeauException>(() => x[0] = 0).Message);
        Assert.Contains("view of a leaf", Assert.Throws<FlambeauException>(() => x[..1].Mul_(2)).Message);
        Assert.Contains("leaf", Assert.Throws<FlambeauException>(() => x[new long[] { 0 }] = 5).Message);
        using (Autograd.NoGrad()) x[0] = 9;
        Assert.Equal([9f, 2], x.ToArray<float>());
    }

    [Fact]
    public void A_view_made_without_recording_is_not_written_to_with_it()
    {
        var h = Leaf(1, 2) * 2;
        Tensor view;
        using (Autograd.NoGrad()) view = h[0..1];
        Assert.Contains("made inside Autograd.NoGrad()", Assert.Throws<FlambeauException>(() => view.Fill_(0)).Message);
    }

    [Fact]
    public void A_write_to_a_detached_alias_is_noticed_where_the_old_value_is_needed()
    {
        var x = Leaf(1, 2);
        var h = x * 3;
        var y = (h * h).Sum();
        h.Detach().Fill_(0);
        Assert.Contains("changed in place afterwards", Assert.Throws<FlambeauException>(() => y.Backward()).Message);
    }

    [Fact]
    public void A_write_to_a_detached_alias_where_no_old_value_is_needed_is_fine()
    {
        var x = Leaf(1, 2);
        var h = x * 3;
        var y = h.Sum();
        h.Detach().Fill_(0);
        y.Backward();
        Assert.Equal([3f, 3], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void Overlapping_views_both_see_a_write()
    {
        var x = Leaf(1, 2, 3, 4);
        var h = x * 1;
        Tensor left = h[..3], right = h[1..];
        left.Mul_(10); // elements 1, 2 of h are elements 0, 1 of right
        Assert.Equal([20f, 30, 4], right.ToArray<float>());
        (right * Tensor.Of(1, 2, 3)).Sum().Backward();
        Assert.Equal([0f, 10, 20, 3], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void Sibling_views_and_the_base_follow_writes()
    {
        var x = Leaf(1, 2, 3);
        var h = x * 2;
        var a = h[0..2];
        var b = h[0..2];
        a.Mul_(5);
        (b * b).Sum().Backward(retainGraph: true); // b = 10 x
        Assert.Equal([200f, 400, 0], x.Grad!.ToArray<float>());
        x.Grad = null;
        h.Sum().Backward();
        Assert.Equal([10f, 10, 2], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_write_to_the_base_reaches_a_view_taken_before()
    {
        var x = Leaf(1, 2, 3);
        var h = x * 2;
        var view = h[1..];
        h.Mul_(7);
        view.Sum().Backward();
        Assert.Equal([0f, 14, 14], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_chain_of_views_is_written_through_to_its_base()
    {
        var x = Tensor.Arange(12).Float().Reshape(3, 4).RequiresGrad_();
        var h = x * 2;
        h.T[1..3][.., 0].Mul_(3); // elements [0, 1] and [0, 2] of h
        h.Sum().Backward();
        Assert.Equal([2f, 6, 6, 2, 2, 2, 2, 2, 2, 2, 2, 2], x.Grad!.ToArray<float>());
    }

    [Fact]
    public void An_expanded_target_is_refused()
    {
        var x = Tensor.Zeros(1, 3).Expand(2, 3);
        Assert.Contains("share one place in memory", Assert.Throws<FlambeauException>(() => x.Fill_(1)).Message);
        Assert.Contains("share one place in memory", Assert.Throws<FlambeauException>(() => x.IndexCopy_(0, Tensor.FromArray(new long[] { 1 }), Tensor.Ones(1, 3))).Message);
        Assert.Contains("share one place in memory", Assert.Throws<FlambeauException>(() => x[new long[] { 1 }] = 1).Message);
        Assert.Contains("share one place in memory", Assert.Throws<FlambeauException>(() => Tensor.Zeros(4).Unfold(0, 2, 1).Fill_(1)).Message);
    }

    [Fact]
    public void In_place_writes_under_Vmap_are_refused()
    {
        var shared = Tensor.Zeros(3);
        var batch = Tensor.Ones(2, 3);
        Assert.Contains("into one shared tensor", Assert.Throws<FlambeauException>(() => Autograd.Vmap(x => { shared[0] = x[0]; return x; })(batch)).Message);
        Assert.Contains("into one shared tensor", Assert.Throws<FlambeauException>(() => Autograd.Vmap(x => { shared[new long[] { 0 }] = x[0]; return x; })(batch)).Message);
        Assert.Contains("into one shared tensor", Assert.Throws<FlambeauException>(() => Autograd.Vmap(x => shared.Add_(x))(batch)).Message);
        Assert.Equal(0, shared.Sum().Item());
    }

    [Fact]
    public void A_saved_operand_written_to_through_a_view_is_an_error()
    {
        var x = Leaf(1, 2);
        var h = x * 3;
        var y = h.Exp().Sum() + (h * h).Sum();
        h[0] = 1;
        Assert.Contains("clone before it", Assert.Throws<FlambeauException>(() => y.Backward()).Message);
    }

    [Fact]
    public void An_index_written_to_after_use_is_an_error()
    {
        var x = Leaf(1, 2, 3);
        var index = Tensor.FromArray(new long[] { 0, 2 });
        var y = x.IndexSelect(0, index).Sum();
        index[0] = 1;
        Assert.Contains("changed in place afterwards", Assert.Throws<FlambeauException>(() => y.Backward()).Message);
    }

    [Fact]
    public void Writes_of_a_tensor_to_itself_read_before_they_write()
    {
        var x = Tensor.Arange(5);
        x[1..] = x[..^1];
        Assert.Equal([0L, 0, 1, 2, 3], x.ToArray<long>());
        x[new long[] { 0, 1, 2, 3, 4 }] = x.Flip(0);
        Assert.Equal([3L, 2, 1, 0, 0], x.ToArray<long>());
        x[new long[] { 4, 3, 2, 1, 0 }] = x[..];
        Assert.Equal([0L, 0, 1, 2, 3], x.ToArray<long>());
    }

    [Fact]
    public void In_place_index_operators_are_on_the_tape()
    {
        Tensor x = Leaf(1, 2, 3, 4), v = Leaf(5, 6);
        var index = Tensor.FromArray(new long[] { 1, 1 });
        var h = x * 2;
        h.IndexAdd_(0, index, v);
        h[2..].IndexCopy_(0, Tensor.FromArray(new long[] { 1 }), v[..1]);
        h.ScatterAdd_(0, Tensor.FromArray(new long[] { 0 }), v[1..]);
        (h * Tensor.Of(1, 10, 100, 1000)).Sum().Backward();
        Assert.Equal([2f, 20, 200, 0], x.Grad!.ToArray<float>());
        Assert.Equal([1010f, 11], v.Grad!.ToArray<float>());
    }

    [Fact]
    public void Assignments_differentiate_twice()
    {
        var x = Leaf(1, 2, 3);
        var h = x * x;
        h[1] = x[0] * x[0] * x[0];
        var g = Autograd.Grad((h * h).Sum(), x, createGraph: true); // x₀⁴ + x₀⁶ + x₂⁴
        Assert.Equal([10f, 0, 108], g.ToArray<float>());
        var second = Autograd.Grad(g.Sum(), x); // 12 x₀² + 30 x₀⁴, 12 x₂²
        Assert.Equal([42f, 0, 108], second.ToArray<float>());
    }
}
