using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>Result types against PyTorch's rules, written out here once more from its documentation of type promotion.</summary>
public class PromotionTests
{
    static readonly DType[] s_types = Enum.GetValues<DType>();

    // torch.promote_types: rows and columns in the order of s_types (b1 u1 i1 i2 i4 i8 f2 bf f4 f8)
    static readonly string[] s_table =
    [
        "b1 u1 i1 i2 i4 i8 f2 bf f4 f8",
        "u1 u1 i2 i2 i4 i8 f2 bf f4 f8",
        "i1 i2 i1 i2 i4 i8 f2 bf f4 f8",
        "i2 i2 i2 i2 i4 i8 f2 bf f4 f8",
        "i4 i4 i4 i4 i4 i8 f2 bf f4 f8",
        "i8 i8 i8 i8 i8 i8 f2 bf f4 f8",
        "f2 f2 f2 f2 f2 f2 f2 f4 f4 f8",
        "bf bf bf bf bf bf f4 bf f4 f8",
        "f4 f4 f4 f4 f4 f4 f4 f4 f4 f8",
        "f8 f8 f8 f8 f8 f8 f8 f8 f8 f8",
    ];

    static readonly string[] s_short = ["b1", "u1", "i1", "i2", "i4", "i8", "f2", "bf", "f4", "f8"];

    static DType Promoted(DType x, DType y) => (DType)Array.IndexOf(s_short, s_table[(int)x].Split(' ')[(int)y]);

    // 0 bool, 1 whole, 2 floating point
    static int Category(DType type) => type == DType.Bool ? 0 : type < DType.Float16 ? 1 : 2;

    // priority: tensors with dims, 0-dim tensors, numbers; lower ones count by a higher category only
    static DType Expected(DType x, DType y, int yPriority) => yPriority == 0 || Category(y) > Category(x) ? Promoted(x, y) : x;

    [Fact]
    public void Two_tensors_promote_as_the_table()
    {
        foreach (var x in s_types)
            foreach (var y in s_types)
            {
                var (a, b) = (Tensor.Ones([2], x), Tensor.Ones([2], y));
                var common = Promoted(x, y);
                Assert.Equal(common, (a + b).DType);
                Assert.Equal(common, a.Maximum(b).DType);
                Assert.Equal(Category(common) < 2 ? DType.Float32 : common, (a / b).DType);
                Assert.Equal(Category(common) < 2 ? DType.Float32 : common, a.Atan2(b).DType);
                Assert.Equal(DType.Bool, (a < b).DType);
                Assert.Equal(common, Tensor.Where(Tensor.FromArray([true, false]), a, b).DType);
                if (common != DType.Bool) Assert.Equal(common, a.Remainder(b).DType);
                if (common != DType.Bool) Assert.Equal(common, a.Pow(b).DType);
            }
    }

    [Fact]
    public void A_zero_dim_tensor_counts_by_its_category_only()
    {
        foreach (var x in s_types)
            foreach (var y in s_types)
            {
                var (a, b) = (Tensor.Ones([2], x), Tensor.Ones([], y));
                Assert.Equal(Expected(x, y, 1), (a * b).DType);
                Assert.Equal(Expected(x, y, 1), (b * a).DType);
                // two of them are equals
                Assert.Equal(Promoted(x, y), (Tensor.Ones([], x) * b).DType);
            }
    }

    [Fact]
    public void A_number_counts_by_its_category_only_and_a_fraction_is_float32_at_first()
    {
        foreach (var x in s_types)
            foreach (Shape shape in (Shape[])[[2], []])
            {
                var a = Tensor.Ones(shape, x);
                Assert.Equal(x, (a + true).DType);
                Assert.Equal(x == DType.Bool ? DType.Int64 : x, (a + 2).DType);
                Assert.Equal(Category(x) < 2 ? DType.Float32 : x, (a + 2.5).DType);
                Assert.Equal(Category(x) < 2 ? DType.Float32 : x, (2.5 * a).DType);
                Assert.Equal(Category(x) < 2 ? DType.Float32 : x, (a / 2).DType);
                Assert.Equal(DType.Bool, (a > 2.5).DType);
            }
    }

    [Theory, MemberData(nameof(Rows.Unary), MemberType = typeof(Rows))]
    public void A_unary_operator_keeps_its_type_or_leaves_whole_numbers_for_float32(string name)
    {
        // which functions PyTorch computes in floating point only
        string[] floating = ["Exp", "Exp2", "Expm1", "Log", "Log2", "Log10", "Log1p", "Sqrt", "Rsqrt", "Sigmoid", "Logit", "LogSigmoid", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh",
            "Erf", "Erfc", "Reciprocal", "Gelu", "GeluTanh", "Silu", "Mish", "Selu", "Softsign", "Hardswish", "Hardsigmoid"];
        string[] keeping = ["Abs", "Ceil", "Floor", "Frac", "Neg", "Relu", "Relu6", "Round", "Sign", "Square", "Trunc"];
        string[] truths = ["IsNaN", "IsInf", "IsFinite", "IsPosInf", "IsNegInf", "LogicalNot"];
        var truth = Truth.Of(Rows.Find(name));
        foreach (var type in s_types)
        {
            if (type == DType.Bool && name == "Neg") continue;
            var y = truth.Apply([Tensor.Ones([3], type)]);
            // of an operator that no list names, one rule must hold for every type
            if (!truths.Contains(name) && !keeping.Contains(name) && truth.Apply([Tensor.Ones([3], DType.Int64)]).DType == DType.Float32) floating = [.. floating, name];
            Assert.Equal(truths.Contains(name) ? DType.Bool : floating.Contains(name) && Category(type) < 2 ? DType.Float32 : type, y.DType);
        }
    }
}
