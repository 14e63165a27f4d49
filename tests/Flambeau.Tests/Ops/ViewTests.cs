namespace Flambeau.Tests.Ops;

/// <summary>Views and copies of views hold the elements that their definitions name, whatever lies beneath.</summary>
public class ViewTests
{
    const int A = 3, B = 4, C = 5;

    // x[i, j, k] = its row-major number, in two layouts
    static Tensor[] Layouts
    {
        get
        {
            var plain = Tensor.Arange(A * B * C).Reshape(A, B, C);
            return [plain, plain.Permute(2, 0, 1).Contiguous().Permute(1, 2, 0)];
        }
    }

    static long At(long i, long j, long k) => (i * B + j) * C + k;

    static void Is(Tensor view, long[] shape, Func<long[], long> expected, string what)
    {
        Assert.Equal(shape, view.Shape.ToArray());
        long[] actual = view.ToArray<long>();
        var index = new long[shape.Length];
        for (long flat = 0; flat < actual.Length; flat++)
        {
            long rest = flat;
            for (int d = shape.Length - 1; d >= 0; rest /= shape[d--]) index[d] = rest % shape[d];
            Assert.True(expected(index) == actual[flat], $"{what}[{string.Join(", ", index)}] is {actual[flat]}, expected {expected(index)}");
        }
    }

    [Fact]
    public void Dims_change_places()
    {
        foreach (var x in Layouts)
        {
            Is(x.Permute(2, 0, 1), [C, A, B], n => At(n[1], n[2], n[0]), "Permute(2, 0, 1)");
            Is(x.Transpose(0, 2), [C, B, A], n => At(n[2], n[1], n[0]), "Transpose(0, 2)");
            Is(x.MoveDim(0, 2), [B, C, A], n => At(n[2], n[0], n[1]), "MoveDim(0, 2)");
            Is(x.MoveDim(-1, 0), [C, A, B], n => At(n[1], n[2], n[0]), "MoveDim(-1, 0)");
            Is(x.T, [A, C, B], n => At(n[0], n[2], n[1]), "T");
        }
    }

    [Fact]
    public void Parts_are_cut_out()
    {
        foreach (var x in Layouts)
        {
            Is(x.Narrow(1, 1, 2), [A, 2, C], n => At(n[0], 1 + n[1], n[2]), "Narrow");
            Is(x.Slice(2, 1, null, 2), [A, B, 2], n => At(n[0], n[1], 1 + 2 * n[2]), "Slice");
            Is(x.Slice(2, 4, 0, -2), [A, B, 2], n => At(n[0], n[1], 4 - 2 * n[2]), "Slice backwards");
            Is(x.Slice(2, 1).Slice(1, null, null, 3), [A, 2, C - 1], n => At(n[0], 3 * n[1], 1 + n[2]), "a slice of a slice");
            Is(x.Select(1, -1), [A, C], n => At(n[0], B - 1, n[1]), "Select");
            Is(x.Unbind(1)[2], [A, C], n => At(n[0], 2, n[1]), "Unbind");
            Is(x.Split(2, 2)[2], [A, B, 1], n => At(n[0], n[1], 4), "Split");
            Is(x.Split([1, 3], 1)[1], [A, 3, C], n => At(n[0], 1 + n[1], n[2]), "Split by sizes");
            Is(x.Chunk(2, 0)[1], [1, B, C], n => At(2, n[1], n[2]), "Chunk");
        }
    }

    [Fact]
    public void A_diagonal_walks_both_dims()
    {
        foreach (var x in Layouts)
            for (int offset = -A; offset <= C; offset++)
            {
                long rows = Math.Max(-offset, 0), columns = Math.Max(offset, 0);
                Is(x.Diagonal(offset, 0, 2), [B, Math.Max(0, Math.Min(A - rows, C - columns))], n => At(rows + n[1], n[0], columns + n[1]), $"Diagonal({offset}, 0, 2)");
                Is(x.Diagonal(offset, 2, 1), [A, Math.Max(0, Math.Min(C - rows, B - columns))], n => At(n[0], columns + n[1], rows + n[1]), $"Diagonal({offset}, 2, 1)");
            }
    }

    [Fact]
    public void Another_shape_keeps_the_row_major_order()
    {
        foreach (var x in Layouts)
            foreach (long[] shape in (long[][])[[60], [12, 5], [3, 20], [2, 30], [6, 2, 5], [3, 2, 2, 5], [5, 4, 3], [1, 3, 1, 4, 5, 1], [15, 4]])
                Is(x.Reshape(shape), shape, n => shape.Zip(n).Aggregate(0L, (number, d) => number * d.First + d.Second), $"Reshape([{string.Join(", ", shape)}])");
        foreach (var x in Layouts)
        {
            Is(x.Flatten(1), [A, B * C], n => n[0] * B * C + n[1], "Flatten");
            Is(x.Unflatten(1, 2, -1), [A, 2, 2, C], n => At(n[0], 2 * n[1] + n[2], n[3]), "Unflatten");
            Is(x.Unsqueeze(1).Unsqueeze(-1), [A, 1, B, C, 1], n => At(n[0], n[2], n[3]), "Unsqueeze");
            Is(x.Unsqueeze(1).Unsqueeze(0).Squeeze(1).Squeeze(0).Squeeze(1), [A, B, C], n => At(n[0], n[1], n[2]), "Squeeze");
            Is(x.Select(1, 2).Unsqueeze(0).Expand(2, -1, -1), [2, A, C], n => At(n[1], 2, n[2]), "Expand");
            Is(x.Narrow(2, 3, 1).Expand(7, A, B, 6), [7, A, B, 6], n => At(n[1], n[2], 3), "Expand of size 1");
        }
    }

    [Fact]
    public void A_view_is_given_where_strides_allow_it_and_refused_where_not()
    {
        var x = Tensor.Arange(48).Reshape(4, 2, 6);
        var part = x.Slice(2, 0, 4); // [4, 2, 4], rows 6 apart
        Is(part.View(8, 2, 2), [8, 2, 2], n => n[0] * 6 + 2 * n[1] + n[2], "View of a part");
        Is(part.View(2, 4, 4), [2, 4, 4], n => (n[0] * 4 + n[1]) * 6 + n[2], "View over whole rows");
        Assert.Contains("without a copy", Assert.Throws<FlambeauException>(() => part.View(4, 8)).Message, StringComparison.Ordinal);
        Assert.Contains("without a copy", Assert.Throws<FlambeauException>(() => x.Transpose(0, 1).View(8, 6)).Message, StringComparison.Ordinal);
        // a view shares its memory, a reshape that cannot be one does not
        part.View(8, 2, 2).Fill_(-1);
        Assert.Equal(-1, x[3, 1, 3].Item<long>());
        Assert.Equal(23, x[1, 1, 5].Item<long>());
    }

    [Fact]
    public void Windows_and_strides_address_what_they_say()
    {
        foreach (var x in Layouts)
        {
            Is(x.Unfold(2, 3, 1), [A, B, 3, 3], n => At(n[0], n[1], n[2] + n[3]), "Unfold by 1");
            Is(x.Unfold(0, 2, 1), [2, B, C, 2], n => At(n[0] + n[3], n[1], n[2]), "Unfold of the first dim");
            Is(x.Unfold(-1, 2, 3), [A, B, 2, 2], n => At(n[0], n[1], 3 * n[2] + n[3]), "Unfold apart");
        }
        Is(Tensor.Arange(30).AsStrided([3, 2, 2], [7, 1, 4], 5), [3, 2, 2], n => 5 + 7 * n[0] + n[1] + 4 * n[2], "AsStrided");
    }

    [Fact]
    public void Joined_and_repeated_tensors_hold_each_part_in_its_place()
    {
        foreach (var x in Layouts)
        {
            Is(Tensor.Cat([x, x + 100], 0), [2 * A, B, C], n => At(n[0] % A, n[1], n[2]) + n[0] / A * 100, "Cat along dim 0");
            Is(Tensor.Cat([x, (x + 100).Narrow(1, 0, 1), x + 200], 1), [A, 2 * B + 1, C], n => n[1] < B ? At(n[0], n[1], n[2]) : n[1] == B ? At(n[0], 0, n[2]) + 100 : At(n[0], n[1] - B - 1, n[2]) + 200, "Cat along dim 1");
            Is(Tensor.Cat([x, x + 100], -1), [A, B, 2 * C], n => At(n[0], n[1], n[2] % C) + n[2] / C * 100, "Cat along the last dim");
            Is(Tensor.Stack([x, x + 100], 1), [A, 2, B, C], n => At(n[0], n[2], n[3]) + 100 * n[1], "Stack along dim 1");
            Is(Tensor.Stack([x, x + 100], -1), [A, B, C, 2], n => At(n[0], n[1], n[2]) + 100 * n[3], "Stack along a new last dim");
            Is(x.Repeat(2, 1, 3, 2), [2, A, 3 * B, 2 * C], n => At(n[1], n[2] % B, n[3] % C), "Repeat");
            Is(x.Tile(2), [A, B, 2 * C], n => At(n[0], n[1], n[2] % C), "Tile");
            Is(x.RepeatInterleave(3, 1), [A, 3 * B, C], n => At(n[0], n[1] / 3, n[2]), "RepeatInterleave");
            Is(x.Flip(0, 2), [A, B, C], n => At(A - 1 - n[0], n[1], C - 1 - n[2]), "Flip");
            Is(x.Roll(2, 2), [A, B, C], n => At(n[0], n[1], (n[2] + C - 2) % C), "Roll");
        }
        var grid = Tensor.Meshgrid(Tensor.Arange(3), Tensor.Arange(4));
        Is(grid[0], [3, 4], n => n[0], "the first coordinates");
        Is(grid[1], [3, 4], n => n[1], "the second coordinates");
    }

    [Theory]
    [InlineData(31, 33), InlineData(32, 32), InlineData(33, 65), InlineData(64, 31), InlineData(100, 40), InlineData(1, 70), InlineData(150, 140)]
    public void A_transposed_copy_has_every_element_in_its_place(int rows, int columns)
    {
        int n = rows * columns;
        foreach (var type in (DType[])[DType.UInt8, DType.Int16, DType.BFloat16, DType.Float32, DType.Float64, DType.Int64])
        {
            double[] values = (Tensor.Arange(2 * n) % 113).ToArray<double>();
            var x = (Tensor.Arange(2 * n) % 113).To(type).Reshape(2, rows, columns);
            Same(x.Transpose(1, 2).Contiguous(), (b, i, j) => values[b * n + j * columns + i], [2, columns, rows]);
            Same(x.Permute(2, 0, 1).Contiguous(), (i, b, j) => values[b * n + j * columns + i], [columns, 2, rows]);
            Same(x.Permute(1, 2, 0).Contiguous(), (j, i, b) => values[b * n + j * columns + i], [rows, columns, 2]);
            Same(x.Transpose(1, 2).To(DType.Float64), (b, i, j) => values[b * n + j * columns + i], [2, columns, rows]);
        }

        static void Same(Tensor copy, Func<int, int, int, double> expected, int[] shape)
        {
            double[] actual = copy.ToArray<double>();
            for (int i = 0, at = 0; i < shape[0]; i++)
                for (int j = 0; j < shape[1]; j++)
                    for (int k = 0; k < shape[2]; k++, at++)
                        Assert.True(expected(i, j, k) == actual[at], $"{copy.DType.Name} [{i}, {j}, {k}] of [{string.Join(", ", shape)}] is {actual[at]}, expected {expected(i, j, k)}");
        }
    }

    [Fact]
    public void Forty_dims_are_as_good_as_four()
    {
        var sizes = Enumerable.Repeat(1L, 40).ToArray();
        (sizes[3], sizes[20], sizes[39]) = (2, 3, 4);
        var x = Tensor.Arange(24).To(DType.Float32).Reshape(sizes);
        var swapped = x.Transpose(3, 39); // the outermost with the innermost of three
        var sum = swapped + swapped.Narrow(3, 1, 1).Expand(swapped.Shape.AsSpan());
        var small = Tensor.Arange(24).To(DType.Float32).Reshape(2, 3, 4).Transpose(0, 2);
        Assert.Equal((small + small.Narrow(0, 1, 1)).ToArray<float>(), sum.ToArray<float>());
        Assert.Equal(small.Sum(0).ToArray<float>(), swapped.Sum(3).ToArray<float>());
        Assert.Equal(41, sum.Unsqueeze(0).Rank);
    }
}
