using Flambeau.Runtime;

namespace Flambeau.Tests.Ops;

/// <summary>Elements between layouts and types: whatever the strides and the types, each arrives where it belongs.</summary>
[Collection("Team")]
public class CopyTests
{
    static readonly DType[] s_types = [DType.Float32, DType.Float64, DType.BFloat16, DType.Float16, DType.Int64, DType.Int32, DType.Int16, DType.UInt8, DType.Bool];
    static readonly long[] s_sizes = [1, 2, 5, 31, 32, 33, 40, 64, 71, 130];

    [Theory, InlineData(false), InlineData(true)]
    public void Every_element_of_a_view_arrives_in_its_place_and_type(bool streams)
    {
        long least = Streaming.Least;
        Streaming.Least = streams ? 0 : long.MaxValue;
        try
        {
            var random = new Random(11);
            for (int i = 0; i < 300; i++)
            {
                long[] sizes = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => s_sizes[random.Next(s_sizes.Length)])];
                while (sizes.Aggregate(1L, (a, b) => a * b) > 100_000) sizes[random.Next(sizes.Length)] = 2;
                int[] order = [.. Enumerable.Range(0, sizes.Length)];
                random.Shuffle(order);
                DType from = s_types[random.Next(s_types.Length)], to = random.Next(2) == 0 ? from : s_types[random.Next(s_types.Length)];
                if (from == DType.Bool || to == DType.Bool) to = from;
                // whole numbers that every type holds
                float[] numbers = [.. Enumerable.Range(0, (int)sizes.Aggregate(1L, (a, b) => a * b)).Select(_ => (float)random.Next(from == DType.Bool ? 2 : 120))];
                var view = Tensor.FromArray(numbers).To(from).View(sizes).Permute(order);
                int cut = random.Next(sizes.Length);
                if (view.Shape[cut] > 2 && random.Next(2) == 0) view = view.Narrow(cut, 1, view.Shape[cut] - 1);
                string what = $"case {i}: {from.Name} {view.Shape} by [{string.Join(' ', view.Strides.ToArray())}] to {to.Name}";
                float[] expected = Elements(numbers, view);
                var y = view.To(to).Contiguous();
                Assert.True(y.IsContiguous && y.DType == to, what);
                Same(expected, y.To(DType.Float32).ToArray<float>(), what);
                // and into a view
                var all = Tensor.Zeros(Shape.Of([.. order.Select((_, d) => view.Shape[Array.IndexOf(order, d)])]), to);
                var target = all.Permute(order);
                target.Copy_(view);
                Same(expected, Elements(all.View([all.Numel]).To(DType.Float32).ToArray<float>(), target), what + ", into a view");
            }
        }
        finally { Streaming.Least = least; }
    }

    static void Same(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.True(expected[i] == actual[i], $"{what}: element {i} is {actual[i]}, expected {expected[i]}");
    }

    // of a view of this memory, one by one by its strides
    static float[] Elements(float[] memory, Tensor view)
    {
        float[] elements = new float[view.Numel];
        long[] index = new long[view.Rank];
        for (int i = 0; i < elements.Length; i++)
        {
            long at = view.Offset;
            for (int d = 0; d < index.Length; d++) at += index[d] * view.Strides[d];
            elements[i] = memory[at];
            for (int d = index.Length - 1; d >= 0 && ++index[d] == view.Shape[d]; d--) index[d] = 0;
        }
        return elements;
    }
}
