namespace Flambeau.Tests.Ops;

/// <summary>Products of tensors are the sums that their indices say.</summary>
public class ProductTests
{
    const int Seed = 41;

    static Tensor Draw(Random random, DType type, params long[] shape)
    {
        var x = new double[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < x.Length; i++) x[i] = random.Next(-8, 9); // sums of products are exact in every type
        return Tensor.FromArray(x, shape).To(type);
    }

    // by the definition: over all values of all indices
    static double[] ByLoops(string equation, Tensor[] operands, out long[] shape)
    {
        string[] sides = equation.Split("->"), inputs = sides[0].Split(',');
        string output = sides[1], all = new([.. string.Concat(inputs).Distinct()]);
        var sizes = all.ToDictionary(l => l, l => operands.Select((x, i) => inputs[i].IndexOf(l) is >= 0 and var d ? x.Shape[d] : 1).Max());
        shape = [.. output.Select(l => sizes[l])];
        var values = operands.Select(x => x.ToArray<double>()).ToArray();
        var y = new double[shape.Aggregate(1L, (a, b) => a * b)];
        var at = all.ToDictionary(l => l, _ => 0L);
        Walk(0);
        return y;

        void Walk(int depth)
        {
            if (depth < all.Length)
            {
                for (long i = 0; i < sizes[all[depth]]; i++) { at[all[depth]] = i; Walk(depth + 1); }
                return;
            }
            double product = 1;
            for (int k = 0; k < inputs.Length; k++)
            {
                long flat = 0;
                for (int d = 0; d < inputs[k].Length; d++) flat = flat * operands[k].Shape[d] + (operands[k].Shape[d] == 1 ? 0 : at[inputs[k][d]]);
                product *= values[k][flat];
            }
            y[output.Aggregate(0L, (flat, l) => flat * sizes[l] + at[l])] += product;
        }
    }

    static void Check(string equation, Func<Tensor[], Tensor> call, params long[][] shapes)
    {
        var random = new Random(Seed);
        foreach (var type in (DType[])[DType.Float32, DType.Float64, DType.BFloat16, DType.Int64])
        {
            var x = shapes.Select(s => Draw(random, type, s)).ToArray();
            double[] expected = ByLoops(equation, x, out var shape);
            // sums beyond 256 are rounded in bfloat16, and between two products too
            if (type == DType.BFloat16 && shapes.Length > 2) continue;
            if (type == DType.BFloat16) expected = Tensor.FromArray(expected).To(DType.BFloat16).ToArray<double>();
            Tensor[] turned = [.. x.Select(t => t.Rank < 2 ? t : t.Transpose(0, -1).Contiguous().Transpose(0, -1))];
            // also mixed: then one operand's batch is walked by other strides than the other's
            foreach (var operands in (Tensor[][])[x, turned, [turned[0], .. x[1..]], [x[0], .. turned[1..]]])
            {
                var y = call(operands);
                Assert.Equal(type, y.DType);
                Assert.Equal(shape, y.Shape.ToArray());
                Assert.Equal(expected, y.ToArray<double>());
            }
        }
    }

    [Fact]
    public void MatMul_multiplies_the_last_two_dims_and_broadcasts_the_others()
    {
        Check("ij,jk->ik", x => x[0].MatMul(x[1]), [3, 4], [4, 5]);
        Check("i,i->", x => x[0].MatMul(x[1]), [4], [4]);
        Check("i,ij->j", x => x[0].MatMul(x[1]), [4], [4, 3]);
        Check("ij,j->i", x => x[0].MatMul(x[1]), [3, 4], [4]);
        Check("bij,bjk->bik", x => x[0].MatMul(x[1]), [2, 3, 4], [2, 4, 5]);
        Check("bij,jk->bik", x => x[0].MatMul(x[1]), [2, 3, 4], [4, 5]);
        Check("ij,bjk->bik", x => x[0].MatMul(x[1]), [3, 4], [2, 4, 5]);
        Check("bij,bjk->bik", x => x[0].MatMul(x[1]), [1, 3, 4], [2, 4, 5]);
        Check("abij,bjk->abik", x => x[0].MatMul(x[1]), [2, 1, 3, 4], [5, 4, 2]);
        Check("abij,abjk->abik", x => x[0].MatMul(x[1]), [2, 3, 2, 4], [2, 1, 4, 3]);
        Check("i,bij->bj", x => x[0].MatMul(x[1]), [4], [2, 4, 3]);
        Check("bij,j->bi", x => x[0].MatMul(x[1]), [2, 3, 4], [4]);
        Check("ij,kj->ik", x => x[0].Linear(x[1]), [3, 4], [5, 4]);
        Check("i,j->ij", x => x[0].Outer(x[1]), [3], [4]);
    }

    [Theory]
    [InlineData("bhtd,bhsd->bhts"), InlineData("ij,jk,kl->il"), InlineData("ij,jk->ki"), InlineData("ij,ij->"), InlineData("ij,ik->kj"), InlineData("abc,dc->dab"), InlineData("abc,cab->b"), InlineData("ab,cd->dbca"), InlineData("abc->ca"), InlineData("ii->i"), InlineData("iji,jk->ki")]
    public void Einsum_sums_over_what_the_result_lacks(string equation)
    {
        var sizes = "abcdhijklst".Select((l, i) => (l, Size: 2L + i % 3)).ToDictionary(p => p.l, p => p.Size);
        Check(equation, x => Tensor.Einsum(equation, x), [.. equation.Split("->")[0].Split(',').Select(labels => labels.Select(l => sizes[l]).ToArray())]);
    }
}
