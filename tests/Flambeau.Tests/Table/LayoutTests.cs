namespace Flambeau.Tests.Table;

/// <summary>A result depends on its operands' values, never on how they lie in memory.</summary>
public class LayoutTests
{
    [Theory, MemberData(nameof(Rows.Samples), MemberType = typeof(Rows))]
    public void A_result_does_not_depend_on_the_operands_layout(string name, int sample)
    {
        var s = Rows.Find(name, sample);
        var operands = s.Operands(Rows.Draws(name));
        var expected = s.Call(operands);
        foreach (var (layout, relay) in Layouts.All)
        {
            Tensor[] moved = [.. operands.Select(relay)];
            Bits.Equal(expected, s.Call(moved), $"{s.Text}, all {layout}");
            if (operands.Length < 2) continue;
            Bits.Equal(expected, s.Call([moved[0], .. operands[1..]]), $"{s.Text}, first {layout}");
            Bits.Equal(expected, s.Call([operands[0], .. moved[1..]]), $"{s.Text}, all but the first {layout}");
        }
    }

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Broadcast_and_zero_dim_operands_equal_their_expanded_copies(string name)
    {
        var truth = Truth.Of(Rows.Find(name));
        var draws = Rows.Draws(name);
        foreach (var type in (DType[])[DType.Float32, DType.BFloat16])
        {
            Shape full = [3, 40, 7];
            for (int k = 0; k < truth.Tensors; k++)
                foreach (Shape part in (Shape[])[[3, 1, 7], [40, 1], [7], [1], [], [3, 40, 1]])
                {
                    var whole = Operands.Random(truth, type, full.Count, draws).Select(t => t.View(full.AsSpan())).ToArray();
                    var small = Operands.Random(truth, type, part.Count, draws)[k].View(part.AsSpan());
                    var (direct, copied) = ((Tensor[])whole.Clone(), (Tensor[])whole.Clone());
                    direct[k] = small;
                    copied[k] = small.Expand(full.AsSpan()).Contiguous();
                    if (truth.Tensors == 1) copied[k] = small.Clone();
                    Bits.Equal(truth.Apply(copied), truth.Apply(direct), $"{name} with operand {k} of shape {part}");
                }
        }
    }

    [Theory, MemberData(nameof(Rows.Elementwise), MemberType = typeof(Rows))]
    public void Empty_operands_give_empty_results(string name)
    {
        var s = Rows.Find(name, 0);
        var y = s.Call([.. s.Operands(Rows.Draws(name)).Select(x => Tensor.Zeros(new long[] { 2, 0, 3 }, x.DType))]);
        Assert.Equal((Shape)new long[] { 2, 0, 3 }, y.Shape);
    }
}
