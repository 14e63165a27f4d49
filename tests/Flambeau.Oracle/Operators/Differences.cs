namespace Flambeau.Oracle.Operators;

/// <summary>Where Flambeau differs from PyTorch on purpose, and why.</summary>
internal static class Differences
{
    private static readonly (Func<string, Case, string, bool> Applies, string Reason)[] Table =
    [
        (Is("AddCDiv", complaint: "Integer division with addcdiv"), "whole numbers divide truly, as PyTorch announces for addcdiv"),
        (Is("AddCDiv", complaint: "the gradient of operand 2"), "PyTorch scales whole numbers before it divides, which overflows"),
        (Is("AddCDiv", "AddCMul", complaint: "the type is float32, PyTorch's"), "a fraction as the factor of whole numbers is not cut off"),
        (Is("Amax", "Amin", complaint: "PyTorch refuses it:"), "an empty result needs no largest element"),
        (Is("Cat", complaint: "does not require a gradient"), "an operand without elements adds nothing to the graph"),
        (Is("IndexAdd", "IndexFill", complaint: "is out of range for dim"), "positions are checked even where rows have no elements"),
        (Is("IndexSelect", "IndexCopy", complaint: "is out of range for dim"), "positions are checked even where rows have no elements"),
        (Is("Number minus tensor", complaint: "element"), "the binding negates the tensor first, which wraps uint8"),
        (Is("Number minus tensor", complaint: "on a bool tensor is not supported"), "only a difference that would be bool is refused"),
        (Is("OneHot", complaint: "Can not infer total number"), "no classes of no indices are [.., 0]"),
        (Is("Silu", complaint: "is -0, PyTorch's NaN"), "the limit at −∞ is 0; PyTorch computes −∞ · 0"),
        (Is("Clamp by tensors", complaint: "the gradient of operand"), "where the bounds meet, PyTorch gives the whole gradient to the upper"),
        (Is("Gelu", "Hardswish", complaint: "PyTorch's NaN"), "the limit at −∞ is 0; PyTorch computes −∞ · 0"),
        (Is("Remainder", "Remainder by a number", complaint: "PyTorch's NaN"), "remainders are exact at any quotient"),
        (Is("Sub", complaint: "with a bool tensor is not supported"), "only a difference that would be bool is refused"),
        (Is("Std of all", "Std", complaint: "the gradient of"), "equal elements have the gradient 0; PyTorch divides rounding errors by rounding errors"),
        (Is("Atan2", complaint: "the gradient of operand"), "PyTorch squares whole numbers in their own type"),
        ((_, c, text) => text.StartsWith("element", StringComparison.Ordinal) && MixesZeroDim(c), "a 0-dim operand of a wider type is not rounded, or wrapped, to the result's type before it is used"),
        (Is("Roll", complaint: "is out of range for shape"), "dims are checked for empty tensors too"),
        (Is("AddMm", complaint: "PyTorch refuses it: expand"), "the summand broadcasts both ways"),
        (Is("Cat", complaint: "is out of range for shape"), "PyTorch does not look at the dim of a single tensor"),
        (Is("Copy_", complaint: "does not require a gradient, PyTorch's does"), "what is overwritten whole by whole numbers depends on nothing"),
        (Is("MaskedFill", complaint: "has a fraction or is not finite"), "a fraction is not cut off behind the user's back"),
        (Is("IsClose", complaint: "PyTorch refuses it: output with shape"), "both sides broadcast"),
        (Is("Dot", "Mv", complaint: "PyTorch refuses it:"), "mixed types promote"),
        (Is("Mm", "Bmm", complaint: "PyTorch refuses it: expected"), "mixed types promote"),
        (Is("OneHot", complaint: "must have elements of type Int64"), "int32 counts as well"),
        (Is("Softsign", complaint: "PyTorch's NaN"), "the limits at ±∞ are ±1; PyTorch computes ∞ / ∞"),
        (Is("TopK", complaint: "does not support bool"), "bool has an order"),
        (Is("Xlogy", complaint: "is NaN, PyTorch's 0"), "NaN times a zero gradient is NaN"),
        (Is("Any", "All", "Any of all", "All of all", complaint: "the type is bool, PyTorch's Byte"), "a truth value is bool; PyTorch keeps uint8 for old programs"),
        (Is("ArgMax", "ArgMin", "ArgMax of all", "ArgMin of all", complaint: "does not support bool input"), "bool has an order"),
        (Is("Celu", "Hardsigmoid", complaint: "the gradient of"), "PyTorch rounds 1/α and 1/6 to float32 in float64 too"),
        (Is("Gelu by tanh", "Mish", complaint: "is -0, PyTorch's NaN"), "the limit at −∞ is 0; PyTorch computes −∞ · 0"),
        (Is("Median", complaint: "has no value over no elements"), "no elements have no median; PyTorch gives NaN, or the least whole number"),
        (Is("Sign", complaint: "is NaN, PyTorch's 0"), "NaN has no sign: it shows, as in NumPy"),
        (Is("Sub a number", "Number minus tensor", complaint: "with a bool tensor is not supported"), "only a difference that would be bool is refused"),
        (Is("RepeatInterleave", "Roll", complaint: "PyTorch refuses it: Dimension"), "dims 0 and −1 name a 0-dim tensor here as elsewhere"),
        (Is("Norm of some p", complaint: "does not require a gradient, PyTorch's does"), "a count of nonzeros has no derivative; PyTorch's is zero"),
    ];

    private static bool MixesZeroDim(Case c) => c.Operands.Any(o => o.Shape.Length == 0 && c.Operands.Any(p => p.Shape.Length > 0 && p.Type != o.Type && Types.Epsilon(p.Type) >= Types.Epsilon(o.Type)));

    private static Func<string, Case, string, bool> Is(string name, string complaint) => (n, _, c) => n == name && c.Contains(complaint, StringComparison.Ordinal);
    private static Func<string, Case, string, bool> Is(string a, string b, string complaint) => (n, _, c) => (n == a || n == b) && c.Contains(complaint, StringComparison.Ordinal);
    private static Func<string, Case, string, bool> Is(string a, string b, string c, string d, string complaint) => (n, _, text) => (n == a || n == b || n == c || n == d) && text.Contains(complaint, StringComparison.Ordinal);

    public static bool Deliberate(string name, Case c, string complaint) => Array.Exists(Table, row => row.Applies(name, c, complaint));
}
