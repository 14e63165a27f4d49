using TorchSharp;

namespace Flambeau.Oracle.Operators;

using Theirs = TorchSharp.torch.Tensor;

/// <summary>Where Flambeau differs from PyTorch on purpose, and why. A row names the inputs that it holds for; where Flambeau takes what PyTorch refuses, it says what PyTorch computes the same by.</summary>
internal static class Differences
{
    /// <param name="Names">The operators.</param>
    /// <param name="Kind">In what they differ.</param>
    /// <param name="Holds">For which inputs.</param>
    /// <param name="Reason">Why.</param>
    /// <param name="Instead">The case that PyTorch takes, and that must agree.</param>
    private sealed record Row(string[] Names, Difference Kind, Func<Case, Complaint, bool> Holds, string Reason, Func<Case, Case>? Instead = null);

    private static readonly Row[] Table =
    [
        // ---- Flambeau takes what PyTorch refuses, and gives what PyTorch gives for the same after a cast or an expansion ----
        new(["Mm", "Bmm", "Mv", "Dot"], Difference.Refused, (c, _) => c.Operands[0].Type != c.Operands[1].Type, "mixed types promote", Promoted),
        new(["Mm", "Bmm", "Mv", "Dot"], Difference.Form, (c, _) => c.Operands[0].Type != c.Operands[1].Type && c.Operands.Any(o => o.Shape.Contains(0)), "mixed types promote; PyTorch takes them where there is nothing to sum", Promoted),
        new(["Sub", "Sub_"], Difference.Refused, (c, k) => c.Operands.Any(o => o.Type == DType.Bool) && k.Text.Contains("with a bool tensor"), "only a difference that would be bool is refused",
            c => With(c, t => [t[0].dtype == torch.ScalarType.Bool ? t[0].to(torch.result_type(t[0], t[1])) : t[0], t[1].dtype == torch.ScalarType.Bool ? t[1].to(torch.result_type(t[0], t[1])) : t[1]])),
        new(["Sub a number"], Difference.Refused, MixesBool, "only a difference that would be bool is refused", c => c with { Theirs = t => [Unbool(t[0], c.Number!).sub(Unbool(c.Number!))] }),
        new(["Number minus tensor"], Difference.Refused, MixesBool, "only a difference that would be bool is refused", c => c with { Theirs = t => [OperatorTable.Minus(Unbool(t[0], c.Number!), Unbool(c.Number!))] }),
        new(["ArgMax", "ArgMin", "ArgMax of all", "ArgMin of all"], Difference.Refused, (c, _) => c.Operands[0].Type == DType.Bool, "bool has an order", AsBytes),
        new(["TopK"], Difference.Refused, (c, _) => c.Operands[0].Type == DType.Bool, "bool has an order",
            c => c with { Theirs = t => Array.ConvertAll(c.Theirs([t[0].to(torch.ScalarType.Byte)]), y => y.to(torch.ScalarType.Bool)) }),
        new(["OneHot"], Difference.Refused, (c, _) => c.Operands[0].Type == DType.Int32, "int32 counts as well", c => With(c, t => [t[0].to(torch.ScalarType.Int64)])),
        new(["IsClose"], Difference.Refused, (c, k) => !Fits(c.Operands[1].Shape, c.Operands[0].Shape) && k.Text.Contains("output with shape"), "both sides broadcast", c => With(c, t => [.. torch.broadcast_tensors(t)])),
        new(["RepeatInterleave"], Difference.Refused, (c, _) => c.Operands[0].Shape.Length == 0, "dims 0 and −1 name a 0-dim tensor here as elsewhere", c => With(c, t => [t[0].reshape(1)])),
        new(["Roll"], Difference.Refused, (c, _) => c.Operands[0].Shape.Length == 0, "dims 0 and −1 name a 0-dim tensor here as elsewhere", c => c with { Theirs = t => [c.Theirs([t[0].reshape(1)])[0].reshape([])] }),
        new(["Any", "All", "Any of all", "All of all"], Difference.Form, (c, k) => c.Operands[0].Type == DType.UInt8 && k.Text.Contains("the type is bool"),
            "a truth value is bool; PyTorch keeps uint8 for old programs", c => c with { Theirs = t => Array.ConvertAll(c.Theirs(t), y => y.to(torch.ScalarType.Bool)) }),

        // ---- Flambeau refuses what PyTorch lets pass ----
        new(["MaskedFill", "AddCMul"], Difference.Throws, (c, _) => c.Operands.All(o => !o.Type.IsFloatingPoint) && c.Number is { Category: DType.Float64 } n && n.Value != Math.Floor(n.Value), "a fraction is not cut off behind the user's back"),
        new(["IndexSelect", "IndexAdd", "IndexCopy", "IndexFill"], Difference.Throws, (c, k) => c.Operands.Any(o => o.Shape.Contains(0)) && k.Text.Contains("is out of range for dim"), "positions are checked even where rows have no elements"),
        new(["Index", "Index write", "IndexPut"], Difference.Throws, (_, k) => k.Text.Contains("is out of range for dim"), "positions are checked even where nothing is selected"),
        new(["Roll"], Difference.Throws, (c, k) => c.Operands[0].Shape.Contains(0) && k.Text.Contains("is out of range for shape"), "dims are checked for empty tensors too"),
        new(["Median"], Difference.Throws, (c, _) => c.Operands[0].Shape.Contains(0) && !c.Operands[0].Type.IsFloatingPoint, "no whole numbers have no median; PyTorch gives the least of the type"),

        // ---- values ----
        new(["Silu", "Gelu", "Gelu by tanh", "Mish", "Hardswish"], Difference.Value, (c, k) => double.IsNegativeInfinity(At(c, 0, k)) && k.Ours == 0 && double.IsNaN(k.Theirs), "the limit at −∞ is 0; PyTorch computes −∞ · 0"),
        new(["Gelu"], Difference.Value, (c, k) => double.IsPositiveInfinity(At(c, 0, k)) && double.IsPositiveInfinity(k.Ours) && double.IsNaN(k.Theirs), "the limit at ∞ is ∞; with lanes of 512 bits PyTorch computes NaN"),
        new(["Softsign"], Difference.Value, (c, k) => double.IsInfinity(At(c, 0, k)) && Math.Abs(k.Ours) == 1 && double.IsNaN(k.Theirs), "the limits at ±∞ are ±1; PyTorch computes ∞ / ∞"),
        new(["Sign"], Difference.Value, (c, k) => double.IsNaN(At(c, 0, k)) && double.IsNaN(k.Ours), "NaN has no sign: it shows, as in NumPy"),
        new(["Remainder", "Fmod"], Difference.Value, (c, k) => double.IsNaN(k.Theirs) && Math.Abs(At(c, 0, k) / At(c, 1, k)) > 1 / Types.Epsilon(DType.Float32), "remainders are exact at any quotient"),
        new(["Remainder by a number", "Fmod by a number"], Difference.Value, (c, k) => double.IsNaN(k.Theirs) && Math.Abs(At(c, 0, k) / c.Number!.Value) > 1 / Types.Epsilon(DType.Float32), "remainders are exact at any quotient"),

        new(["Sinc"], Difference.Value, (c, k) => double.IsNaN(k.Theirs) && double.IsFinite(At(c, 0, k)), "PyTorch's π · x overflows"),
        new(["TruncDivide"], Difference.Value, (c, k) => c.Operands.Any(o => o.Type is DType.Float16 or DType.BFloat16) && Math.Abs(k.Ours) >= 128, "a quotient too large for its fraction is rounded once; PyTorch rounds it before it cuts off"),

        // ---- gradients ----
        new(["Copy_"], Difference.RequiresGrad, (c, _) => !c.Operands[1].Varies, "what is overwritten whole by whole numbers depends on nothing; PyTorch's gradient is zero"),
        new(["Norm of some p"], Difference.RequiresGrad, (c, _) => c.Parameters.StartsWith("p 0 ", StringComparison.Ordinal), "a count of nonzeros has no derivative; PyTorch's is zero"),
        new(["Index write"], Difference.RequiresGrad, (_, k) => k.Text.Contains("does not require"), "what is overwritten whole by a constant depends on nothing; PyTorch's gradient is zero"),
        new(["Clamp by tensors"], Difference.Gradient, (c, k) => k.Operand > 0 && BoundsMeet(c), "where the bounds meet, PyTorch loses the gradient of what lies below"),
        new(["Atan2"], Difference.Gradient, (c, _) => c.Operands.Any(SquaresOverflow), "PyTorch squares and negates whole numbers in their own type"),
        new(["AddCMul", "AddCDiv"], Difference.Gradient, (c, k) => k.Operand > 0 && SquaresOverflow(c.Operands[3 - k.Operand]), "PyTorch scales whole numbers in their own type"),
        new(["Celu", "Hardsigmoid"], Difference.Gradient, (c, k) => c.Operands[0].Type == DType.Float64 && Math.Abs(k.Ours - k.Theirs) <= Math.ScaleB(Math.Abs(k.Ours), -21), "PyTorch rounds 1/α and 1/6 to float32 in float64 too"),
        new(["AddCMul", "AddCDiv"], Difference.Gradient, (c, k) => k.Operand > 0 && !c.Operands[3 - k.Operand].Type.IsFloatingPoint && c.Number!.Category == DType.Float64
            && Math.Abs(k.Ours - k.Theirs) <= Math.ScaleB(Math.Max(Math.Abs(k.Ours), Math.Abs(c.Number.Value) * c.Operands[3 - k.Operand].Values.Max(Math.Abs)), -21),
            "PyTorch scales whole numbers in float32, and the gradient of what is broadcast is a sum of such products"),
        new(["Xlogy"], Difference.Gradient, (c, k) => k.Operand == 1 && double.IsNaN(k.Theirs) && c.Operands[1].Values[k.Element] == 0 && c.Operands[0].Values.Contains(0), "0 · ln y is 0 at any y, and its slope; PyTorch computes 0 ÷ 0"),
        new(["Acosh", "Atanh", "Asin", "Acos"], Difference.Gradient, (c, k) => c.Operands[0].Values[k.Element] is var x && Math.Abs(k.Ours - k.Theirs) <= 8 * Types.Epsilon(DType.Float64) / Math.Abs(1 - x * x) * Math.Abs(k.Ours),
            "1 − x² cancels near the pole: PyTorch squares, and rounds, before it subtracts"),
        new(["Sinc"], Difference.Gradient, (c, k) => Math.Abs(k.Ours - k.Theirs) <= 16 * Types.Epsilon(DType.Float64) / Math.Abs(c.Operands[0].Values[k.Element]), "πx · cos πx − sin πx cancels near 0, in PyTorch before it divides by πx²"),
        new(["CrossEntropy of probabilities"], Difference.Gradient, (c, k) => k.Operand == 0 && c.Operands[0].Layout == Layout.Expanded && c.Operands[0].Values.Length == 1
            && Math.Abs(k.Ours - k.Theirs) <= 16 * Types.Epsilon(c.Operands[0].Type) * c.Operands[0].Shape.Aggregate(1L, (n, size) => n * size),
            "of equal logits the gradients add up to 0 but for the rounding of each"),
        new(["GroupNorm"], Difference.Gradient, (c, k) => k.Operand == 1 && c.Operands[0].Shape.Contains(0) && k.Ours == 0 && double.IsNaN(k.Theirs), "the sum over no elements is 0; PyTorch multiplies it by the NaN of their deviation"),
        new(["Pow a number"], Difference.Gradient, (c, k) => c.Number is { Category: DType.Bool, Value: 0 } && c.Operands[0].Values[k.Element] == 0 && k.Ours == 0 && double.IsNaN(k.Theirs), "x⁰ is constant; PyTorch knows it of 0, not of false"),
    ];

    /// <summary>Why a disagreement is no error; null if it is one.</summary>
    public static string? Reason(string name, Case c, Complaint complaint) => Find(name, c, complaint)?.Reason;

    /// <summary>What to compare with instead, where PyTorch refuses the case.</summary>
    public static Case? Instead(string name, Case c, Complaint complaint) => Find(name, c, complaint)?.Instead?.Invoke(c);

    private static Row? Find(string name, Case c, Complaint complaint) =>
        Array.Find(Table, row => row.Kind == complaint.Kind && row.Names.Contains(name) && row.Holds(c, complaint));

    // ---- what PyTorch takes instead ----

    private static Case With(Case c, Func<Theirs[], Theirs[]> change) => c with { Theirs = t => c.Theirs(change(t)) };

    private static Case AsBytes(Case c) => With(c, t => [t[0].to(torch.ScalarType.Byte)]);

    private static Case Promoted(Case c) => With(c, t =>
    {
        var type = torch.result_type(t[0], t[1]);
        return [t[0].to(type), t[1].to(type)];
    });

    private static Theirs Unbool(Theirs x, Number beside) =>
        x.dtype != torch.ScalarType.Bool ? x : x.to(beside.Category == DType.Float64 ? torch.ScalarType.Float32 : torch.ScalarType.Int64);

    private static TorchSharp.Scalar Unbool(Number n) => n.Category == DType.Bool ? (long)n.Value : n.Theirs;

    // ---- inputs ----

    private static bool MixesBool(Case c, Complaint k) => c.Operands[0].Type == DType.Bool != (c.Number!.Category == DType.Bool) && k.Text.Contains("with a bool tensor");

    // the element of an operand that a result's element is made of
    private static double At(Case c, int operand, Complaint complaint) => c.Spread(operand, complaint.Shape)[complaint.Element];

    private static bool Fits(long[] shape, long[] into) =>
        shape.Length <= into.Length && shape.Zip(into[^shape.Length..]).All(p => p.First == p.Second || p.First == 1);

    private static bool BoundsMeet(Case c)
    {
        var shape = torch.broadcast_tensors([.. c.Operands.Select(o => torch.empty(o.Shape))])[0].shape;
        return c.Spread(1, shape).Zip(c.Spread(2, shape)).Any(p => p.First == p.Second);
    }

    private static bool SquaresOverflow(Operand o) =>
        !o.Type.IsFloatingPoint && (o.Type is DType.UInt8 or DType.Bool || o.Values.Any(v => v * v > Types.Range(o.Type).High));
}
