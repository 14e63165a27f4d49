using Flambeau.Oracle.Operators;
using TorchSharp;

namespace Flambeau.Oracle;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>The result's type for every pair of element types, each operand with dimensions, without, or a number.</summary>
public class PromotionTests
{
    private static readonly Dictionary<string, (Func<Ours, Ours, Ours> Ours, Func<Theirs, Theirs, Theirs> Theirs)> Pairs = new()
    {
        ["Add"] = ((x, y) => x.Add(y), (x, y) => x.add(y)),
        ["Div"] = ((x, y) => x.Div(y), (x, y) => x.div(y)),
        ["Lt"] = ((x, y) => x.Lt(y), (x, y) => x.lt(y)),
        ["Pow"] = ((x, y) => x.Pow(y), (x, y) => x.pow(y)),
    };

    private static readonly Dictionary<string, (Func<Ours, Scalar, Ours> Ours, Func<Theirs, TorchSharp.Scalar, Theirs> Theirs)> Numbers = new()
    {
        ["Add"] = ((x, y) => x.Add(y), (x, y) => x.add(y)),
        ["Div"] = ((x, y) => x.Div(y), (x, y) => x.div(y)),
        ["Lt"] = ((x, y) => x.Lt(y), (x, y) => x.lt(y)),
        ["Pow"] = ((x, y) => x.Pow(y), (x, y) => x.pow(y)),
    };

    [Theory]
    [InlineData("Add")]
    [InlineData("Div")]
    [InlineData("Lt")]
    [InlineData("Pow")]
    public void Result_types_are_PyTorchs(string name)
    {
        using var scope = torch.NewDisposeScope();
        var wrong = new List<string>();
        foreach (var a in Types.All)
            foreach (var rankA in (int[])[0, 1])
            {
                var (x, t) = (One(a, rankA), TheirOne(a, rankA));
                foreach (var b in Types.All)
                    foreach (var rankB in (int[])[0, 1])
                        Check($"{a.Name} of {rankA} dims, {b.Name} of {rankB} dims", () => Pairs[name].Ours(x, One(b, rankB)).DType, () => Pairs[name].Theirs(t, TheirOne(b, rankB)).dtype);
                foreach (var number in (Number[])[new(DType.Bool, 1), new(DType.Int64, 2), new(DType.Float64, 0.5)])
                    Check($"{a.Name} of {rankA} dims, {number}", () => Numbers[name].Ours(x, number.Ours).DType, () => Numbers[name].Theirs(t, number.Theirs).dtype);
            }
        Assert.True(wrong.Count == 0, $"{name}:\n" + string.Join("\n", wrong));

        void Check(string what, Func<DType> ours, Func<torch.ScalarType> theirs)
        {
            var (mine, yours) = (Text(() => ours().Name), Text(() => Types.Of(theirs()).Name));
            // PyTorch has no kernel of it; the type is the common one
            if (name == "Pow" && mine == "bool" && yours == "an error") return;
            if (mine != yours) wrong.Add($"  {what}: {mine}, PyTorch {yours}");
        }

        static string Text(Func<string> type)
        {
            try { return type(); }
            catch (Exception e) when (e is not InvalidOperationException) { return "an error"; }
        }

        static Ours One(DType type, int rank) => Ours.Ones(rank == 0 ? new long[0] : [2], type);
        static Theirs TheirOne(DType type, int rank) => torch.ones(rank == 0 ? [] : [2L], dtype: Types.Torch(type));
    }
}
