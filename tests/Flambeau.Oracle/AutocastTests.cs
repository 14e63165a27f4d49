using Flambeau.Bench.Torch.Native;
using Flambeau.Oracle.Operators;
using TorchSharp;

namespace Flambeau.Oracle;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;
using F = TorchSharp.torch.nn.functional;

/// <summary>Inside a scope of mixed precision every operator has the type that PyTorch's scope for the CPU gives it, and a transformer's block has its types all along.</summary>
public class AutocastTests
{
    private sealed record Case(string Name, long[][] Shapes, Func<Ours[], Ours> Ours, Func<Theirs[], Theirs> Theirs);

    private static readonly Ours OurClasses = Ours.FromArray((long[])[0, 2, 1]);
    private static Theirs TheirClasses => torch.tensor((long[])[0, 2, 1]);

    private static readonly Case[] Cases =
    [
        new("matmul", [[3, 4], [4, 5]], x => x[0].MatMul(x[1]), x => x[0].matmul(x[1])),
        new("mm", [[3, 4], [4, 5]], x => x[0].Mm(x[1]), x => x[0].mm(x[1])),
        new("bmm", [[2, 3, 4], [2, 4, 5]], x => x[0].Bmm(x[1]), x => x[0].bmm(x[1])),
        new("addmm", [[3, 5], [3, 4], [4, 5]], x => x[0].AddMm(x[1], x[2]), x => x[0].addmm(x[1], x[2])),
        new("linear", [[3, 4], [5, 4], [5]], x => x[0].Linear(x[1], x[2]), x => F.linear(x[0], x[1], x[2])),
        new("einsum", [[3, 4], [4, 5]], x => Ours.Einsum("ij,jk->ik", x), x => torch.einsum("ij,jk->ik", x)),
        new("sdpa", [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], x => x[0].ScaledDotProductAttention(x[1], x[2]), x => F.scaled_dot_product_attention(x[0], x[1], x[2])),
        new("cross_entropy", [[3, 4]], x => x[0].CrossEntropy(OurClasses), x => F.cross_entropy(x[0], TheirClasses)),
        new("nll_loss", [[3, 4]], x => x[0].NllLoss(OurClasses), x => F.nll_loss(x[0], TheirClasses)),
        new("mse_loss", [[3, 4], [3, 4]], x => x[0].MseLoss(x[1]), x => F.mse_loss(x[0], x[1])),
        new("l1_loss", [[3, 4], [3, 4]], x => x[0].L1Loss(x[1]), x => F.l1_loss(x[0], x[1])),
        new("smooth_l1_loss", [[3, 4], [3, 4]], x => x[0].SmoothL1Loss(x[1]), x => F.smooth_l1_loss(x[0], x[1])),
        new("binary_cross_entropy_with_logits", [[3, 4], [3, 4]], x => x[0].BinaryCrossEntropyWithLogits(x[1].Sigmoid()), x => F.binary_cross_entropy_with_logits(x[0], x[1].sigmoid())),
        new("kl_div", [[3, 4], [3, 4]], x => x[0].KlDiv(x[1].Sigmoid()), x => F.kl_div(x[0], x[1].sigmoid(), reduction: torch.nn.Reduction.Mean)),
        new("prod", [[3, 4]], x => x[0].Prod(1), x => x[0].prod(1)),
        new("cat", [[3, 4], [3, 4]], x => Ours.Cat(x, 0), x => torch.cat(x, 0)),
        new("stack", [[3, 4], [3, 4]], x => Ours.Stack(x), x => torch.stack(x)),
        new("index_copy", [[4, 4], [3, 4]], x => x[0].IndexCopy(0, OurClasses, x[1]), x => x[0].index_copy(0, TheirClasses, x[1])),
        new("softmax", [[3, 4]], x => x[0].Softmax(-1), x => x[0].softmax(-1)),
        new("log_softmax", [[3, 4]], x => x[0].LogSoftmax(-1), x => F.log_softmax(x[0], -1)),
        new("layer_norm", [[3, 4]], x => x[0].LayerNorm(1), x => F.layer_norm(x[0], [4])),
        new("add", [[3, 4], [3, 4]], x => x[0] + x[1], x => x[0] + x[1]),
        new("mul", [[3, 4], [3, 4]], x => x[0] * x[1], x => x[0] * x[1]),
        new("gelu", [[3, 4]], x => x[0].Gelu(), x => F.gelu(x[0])),
        new("silu", [[3, 4]], x => x[0].Silu(), x => F.silu(x[0])),
        new("exp", [[3, 4]], x => x[0].Exp(), x => x[0].exp()),
        new("pow", [[3, 4]], x => x[0].Pow(2), x => x[0].pow(2)),
        new("sum", [[3, 4]], x => x[0].Sum(), x => x[0].sum()),
        new("mean", [[3, 4]], x => x[0].Mean(), x => x[0].mean()),
        new("norm", [[3, 4]], x => x[0].Norm(), x => x[0].norm()),
        new("cumsum", [[3, 4]], x => x[0].Cumsum(0), x => x[0].cumsum(0)),
        new("logsumexp", [[3, 4]], x => x[0].LogSumExp(-1), x => x[0].logsumexp(-1)),
    ];

    public static TheoryData<string> Names => [.. Cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void An_operators_type_is_PyTorchs(string name)
    {
        using var scope = torch.NewDisposeScope();
        var @case = Cases.Single(c => c.Name == name);
        foreach (var target in (DType[])[DType.BFloat16, DType.Float16])
            foreach (var first in (DType[])[DType.Float32, target])
                foreach (var second in (DType[])[DType.Float32, target])
                {
                    Ours[] x = [.. @case.Shapes.Select((shape, i) => Ours.Ones(shape, i == 0 ? first : second))];
                    Theirs[] t = [.. @case.Shapes.Select((shape, i) => torch.ones(shape, dtype: Types.Torch(i == 0 ? first : second)))];
                    DType ours;
                    torch.ScalarType theirs;
                    using (Autocast.To(target)) ours = @case.Ours(x).DType;
                    using (new TorchAutocast(Types.Torch(target))) theirs = @case.Theirs(t).dtype;
                    Assert.True(Types.Torch(ours) == theirs, $"{name} of {first.Name} and {second.Name} under {target.Name}: {ours.Name}, PyTorch's is {theirs}");
                }
    }

    /// <summary>As docs/mixed-precision.md says: all products are products here, and what moves numbers keeps their type.</summary>
    [Fact]
    public void PyTorch_leaves_products_with_vectors_and_casts_where_it_reflects()
    {
        using var scope = torch.NewDisposeScope();
        Theirs matrix = torch.ones(3, 4), vector = torch.ones(4), picture = torch.ones([1, 1, 4], dtype: torch.ScalarType.BFloat16);
        using var autocast = new TorchAutocast(torch.ScalarType.BFloat16);
        Assert.Equal([torch.ScalarType.Float32, torch.ScalarType.Float32], new[] { matrix.mv(vector), vector.dot(vector) }.Select(t => t.dtype));
        Assert.Equal(torch.ScalarType.Float32, F.pad(picture, [1, 1], PaddingModes.Reflect).dtype);
    }

    // B sequences, T tokens, C width, H heads, V vocabulary
    private const int B = 2, T = 6, C = 16, H = 2, V = 11;

    [Fact]
    public void A_language_models_types_loss_and_gradients_are_PyTorchs()
    {
        using var scope = torch.NewDisposeScope();
        Ours[] weights = [.. new long[][] { [V, C], [3 * C, C], [3 * C], [C, C], [C], [4 * C, C], [4 * C], [C, 4 * C], [C], [C], [C] }
            .Select((shape, i) => (Ours.RandN(Shape.Create(shape), generator: new Generator((ulong)i)) * 0.3).Detach().RequiresGrad_())];
        Theirs[] copies = [.. weights.Select(w => torch.tensor(w.ToArray<float>(), w.Shape.ToArray()).requires_grad_())];
        var ids = Ours.RandInt(0, V, [B, T], generator: new Generator(1));
        var targets = Ours.RandInt(0, V, [B * T], generator: new Generator(2));

        List<Ours> ours;
        List<Theirs> theirs;
        using (Autocast.To(DType.BFloat16)) ours = Block(weights, ids, targets);
        using (new TorchAutocast(torch.ScalarType.BFloat16)) theirs = Block(copies, torch.tensor(ids.ToArray<long>(), [B, T]), torch.tensor(targets.ToArray<long>()));
        ours[^1].Backward();
        theirs[^1].backward();

        Assert.Equal(theirs.Select(t => t.dtype), ours.Select(t => Types.Torch(t.DType)));
        Assert.Equal(theirs[^1].item<float>(), ours[^1].Item(), 0.01 * ours[^1].Item());
        for (var i = 0; i < weights.Length; i++)
        {
            Assert.Equal((DType.Float32, torch.ScalarType.Float32), (weights[i].Grad!.DType, copies[i].grad!.dtype));
            float[] expected = [.. copies[i].grad!.contiguous().data<float>()], actual = weights[i].Grad!.ToArray<float>();
            var largest = expected.Max(Math.Abs);
            for (var k = 0; k < expected.Length; k++) Assert.True(Math.Abs(expected[k] - actual[k]) <= 0.03 * largest, $"gradient {i}, element {k}: {actual[k]}, PyTorch has {expected[k]}");
        }
    }

    private static List<Ours> Block(Ours[] w, Ours ids, Ours targets)
    {
        var all = new List<Ours>();
        Ours Keep(Ours x) { all.Add(x); return x; }
        Ours Split(Ours x) => x.Unflatten(-1, H, C / H).Transpose(1, 2);
        var x = Keep(ids.Embedding(w[0]));
        var qkv = Keep(Keep(x.LayerNorm(1, w[9], w[10])).Linear(w[1], w[2])).Chunk(3, -1);
        var attended = Keep(Split(qkv[0]).ScaledDotProductAttention(Split(qkv[1]), Split(qkv[2]), isCausal: true));
        x = Keep(x + Keep(attended.Transpose(1, 2).Flatten(2).Linear(w[3], w[4])));
        x = Keep(x + Keep(Keep(Keep(x.LayerNorm(1, w[9], w[10])).Linear(w[5], w[6])).Gelu().Linear(w[7], w[8])));
        Keep(Keep(x.LayerNorm(1, w[9], w[10])).Linear(w[0]).Flatten(0, 1).CrossEntropy(targets));
        return all;
    }

    private static List<Theirs> Block(Theirs[] w, Theirs ids, Theirs targets)
    {
        var all = new List<Theirs>();
        Theirs Keep(Theirs x) { all.Add(x); return x; }
        Theirs Split(Theirs x) => x.view(B, T, H, C / H).transpose(1, 2);
        var x = Keep(w[0].index_select(0, ids.flatten()).view(B, T, C));
        var qkv = Keep(F.linear(Keep(F.layer_norm(x, [C], w[9], w[10])), w[1], w[2])).chunk(3, -1);
        var attended = Keep(F.scaled_dot_product_attention(Split(qkv[0]), Split(qkv[1]), Split(qkv[2]), is_casual: true));
        x = Keep(x + Keep(F.linear(attended.transpose(1, 2).reshape(B, T, C), w[3], w[4])));
        x = Keep(x + Keep(F.linear(F.gelu(Keep(F.linear(Keep(F.layer_norm(x, [C], w[9], w[10])), w[5], w[6]))), w[7], w[8])));
        Keep(F.cross_entropy(F.linear(Keep(F.layer_norm(x, [C], w[9], w[10])), w[0]).view(-1, V), targets));
        return all;
    }
}
