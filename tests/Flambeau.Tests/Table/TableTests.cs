using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Tests.Table;

/// <summary>The table itself.</summary>
public class TableTests
{
    /// <summary>A user's operator.</summary>
    public readonly struct SquareRootOfOnePlusSquare : IUnary
    {
        public static Promotion Promotion => Promotion.IntToFloat;
        public static S Body<S>(S x) where S : IReal<S> => S.Sqrt(S.Constant(1) + x * x);
    }

    [Fact]
    public void Every_row_has_a_name_a_kind_and_samples()
    {
        var rows = OperatorTable.All;
        Assert.True(rows.Count(r => r.Kind == OperatorKind.Elementwise) > 90);
        Assert.Equal(rows.Count, rows.Select(r => r.Name).Distinct().Count());
        Assert.All(rows.Where(r => r.Kind == OperatorKind.Elementwise), r => Assert.NotEmpty(r.Samples));
        Assert.Equal("leaky_relu", Rows.Find("LeakyRelu").TorchName);
        Assert.Equal("isnan", Rows.Find("IsNaN").TorchName);
    }

    [Fact]
    public void An_operator_of_the_users_has_derivatives_batching_and_a_row()
    {
        var row = OperatorTable.Register<SquareRootOfOnePlusSquare>();
        Assert.Same(row.Type, OperatorTable.All.Last().Type);
        var draws = Rows.Draws(row.Name);
        foreach (var sample in row.Samples)
        {
            GradCheck.First(sample.Call, sample.Operands(draws), draws);
            GradCheck.Second(sample.Call, sample.Operands(draws), draws);
            GradCheck.Modes(sample.Call, sample.Operands(draws), draws);
        }
    }
}
