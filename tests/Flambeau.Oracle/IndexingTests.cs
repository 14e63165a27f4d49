using Flambeau.Oracle.Operators;
using TorchSharp;

namespace Flambeau.Oracle;

using Ours = Flambeau.Tensor;
using OurIndex = Flambeau.TensorIndex;
using TheirIndex = TorchSharp.torch.TensorIndex;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>Random index expressions, read and assigned to: numbers, slices, new axes, ellipses, index tensors, masks.</summary>
public class IndexingTests
{
    private const int Expressions = 1000, Seed = 20261124;

    [Fact]
    public void Index_expressions_read_and_write_PyTorchs_elements()
    {
        var (wrong, refused) = (new List<string>(), 0);
        for (var i = 0; i < Expressions; i++)
        {
            using var scope = torch.NewDisposeScope();
            var d = new Draw(Seed + 7919 * i);
            var shape = d.Shape(1).Select(n => Math.Min(n, 12)).ToArray();
            var x = d.Operand(DType.Float32, shape, Values.Tame);
            var (ours, theirs, text) = Expression(d, shape);
            var c = i % 2 == 0
                ? new Case([x], o => [o[0][ours]], t => [t[0].index(theirs)], Tolerance.Exact)
                : new Case([x], o => [Assigned(o[0].Clone(), ours)], t => [t[0].clone().index_put_(TheirValue, theirs)], Tolerance.Exact);
            var outcome = Comparison.Of(i % 2 == 0 ? "Index" : "Index write", c, Seed + i);
            if (outcome.Threw) refused++;
            if (outcome.Complaint is { } complaint) wrong.Add($"  {(i % 2 == 0 ? "read" : "write")} [{text}]: {complaint.Text}\n    of {x}");
        }
        TestContext.Current.SendDiagnosticMessage($"{Expressions} index expressions, {refused} refused");
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {Expressions}:\n" + string.Join("\n", wrong.Take(12)));
    }

    private static Theirs TheirValue => torch.tensor(-9f);

    private static Ours Assigned(Ours x, OurIndex[] indices)
    {
        x[indices] = Ours.FromScalar(-9f);
        return x;
    }

    private static (OurIndex[] Ours, TheirIndex[] Theirs, string Text) Expression(Draw d, long[] shape)
    {
        var (ours, theirs, text) = (new List<OurIndex>(), new List<TheirIndex>(), new List<string>());
        // one length for all index tensors, so that they broadcast
        long length = d.Next(1, 4);
        var ellipsis = false;
        var most = d.Next(1, shape.Length);
        for (var k = 0; k < most; k++)
        {
            var n = shape[k];
            switch (d.Next(8))
            {
                case 0 or 1:
                    long at = n == 0 ? 0 : d.Next(-(int)n, (int)n - 1);
                    if (d.Chance(0.04)) at = n;
                    Add(at, TheirIndex.Single(at), $"{at}");
                    break;
                case 2 or 3:
                    long? start = d.Chance(0.4) ? null : d.Next(-(int)n - 1, (int)n + 1), stop = d.Chance(0.4) ? null : d.Next(-(int)n - 1, (int)n + 1);
                    var step = d.Next(1, 3);
                    Add(new Slice(start, stop, step), TheirIndex.Slice(start, stop, step), $"{start}:{stop}:{step}");
                    break;
                case 4:
                    Add(OurIndex.NewAxis, TheirIndex.None, "None");
                    k--;
                    if (ours.Count > 6) k = most;
                    break;
                case 5 when !ellipsis && k == most - 1:
                    // the rest is counted from the end
                    ellipsis = true;
                    Add(OurIndex.Ellipsis, TheirIndex.Ellipsis, "...");
                    break;
                case 6 when n > 0:
                    var index = d.Index(d.Chance(0.3) ? [2, length] : [length], n, negative: true);
                    Add(index.OurBase(), TheirIndex.Tensor(index.TheirBase()), $"{index}");
                    break;
                case 7 when d.Chance(0.4):
                    var mask = d.Operand(DType.Bool, [n]) with { Layout = Layout.Contiguous };
                    mask = mask with { Values = d.Elements(DType.Bool, (int)n, Values.Tame) };
                    if (most == 1) Add(mask.OurBase(), TheirIndex.Tensor(mask.TheirBase()), $"{mask}");
                    else Add(new Slice(null, null), TheirIndex.Slice(), ":");
                    break;
                default:
                    Add(new Slice(null, null), TheirIndex.Slice(), ":");
                    break;
            }
        }
        return ([.. ours], [.. theirs], string.Join(", ", text));

        void Add(OurIndex mine, TheirIndex yours, string word)
        {
            ours.Add(mine);
            theirs.Add(yours);
            text.Add(word);
        }
    }
}
