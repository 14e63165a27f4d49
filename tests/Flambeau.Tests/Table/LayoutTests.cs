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

    // more than one part of the team's work, parts that begin within a row, rows of whole vectors and others
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(32)]
    [InlineData(40)]
    [InlineData(64)]
    [InlineData(100)]
    [InlineData(1500)]
    public void Short_rows_far_apart_are_computed_and_copied_as_if_they_touched(int row)
    {
        foreach (var type in (DType[])[DType.Float32, DType.Float64, DType.BFloat16])
        {
            var generator = new Generator((ulong)row);
            Tensor Draw(params long[] shape) => Tensor.RandN(shape, generator: generator).To(type);
            Tensor raw = Draw(5, 70, 3, row), heads = raw.Transpose(1, 2), other = Draw(5, 3, 70, row), half = Draw(5, 3, 70, 2 * row).Narrow(-1, row, row), angles = Draw(70, row), column = Draw(3, 70, 1);
            foreach (var (x, y) in (ReadOnlySpan<(Tensor, Tensor)>)[(heads, heads), (heads, other), (other, half), (heads, angles), (half, column), (angles, heads), (heads, Tensor.FromArray([2.5f]).To(type))])
            {
                var expected = x.Contiguous().Expand(x.Rank > y.Rank ? x.Shape : y.Shape).Contiguous() * y.Contiguous().Expand(x.Rank > y.Rank ? x.Shape : y.Shape).Contiguous();
                Bits.Equal(expected, x * y, $"{type}, {x.Shape} times {y.Shape}");
                Bits.Equal(expected.Gt(0), (x * y).Gt(0), $"{type}, {x.Shape}, a mask");
            }
            double[] values = raw.To(DType.Float64).ToArray<double>(), copied = heads.Contiguous().To(DType.Float64).ToArray<double>();
            for (int i = 0; i < values.Length; i++)
            {
                int c = i % row, h = i / row % 3, t = i / row / 3 % 70, b = i / row / 210;
                Assert.Equal(values[i], copied[((b * 3 + h) * 70 + t) * row + c]);
            }

            var whole = Draw(5, 3, 70, 2 * row);
            var before = whole.Clone();
            whole.Narrow(-1, 0, row).Add_(heads);
            Bits.Equal(before.Narrow(-1, 0, row).Contiguous() + heads.Contiguous(), whole.Narrow(-1, 0, row).Contiguous(), $"{type}, in place");
            Bits.Equal(before.Narrow(-1, row, row).Contiguous(), whole.Narrow(-1, row, row).Contiguous(), $"{type}, beside what was written");
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
