namespace Flambeau.Oracle.Operators;

/// <summary>Where Flambeau differs from PyTorch on purpose, and why.</summary>
internal static class Differences
{
    private static readonly (Func<string, Case, string, bool> Applies, string Reason)[] Table =
    [
        (Is("AddCDiv", complaint: "Integer division with addcdiv"), "whole numbers divide truly, as PyTorch announces for addcdiv"),
        (Is("AddCDiv", "AddCMul", complaint: "PyTorch's backward throws: result type"), "PyTorch's derivative by value scales in the other operands' type"),
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

    private static Func<string, Case, string, bool> Is(string name, string complaint) => (n, _, c) => n == name && c.Contains(complaint, StringComparison.Ordinal);
    private static Func<string, Case, string, bool> Is(string a, string b, string complaint) => (n, _, c) => (n == a || n == b) && c.Contains(complaint, StringComparison.Ordinal);
    private static Func<string, Case, string, bool> Is(string a, string b, string c, string d, string complaint) => (n, _, text) => (n == a || n == b || n == c || n == d) && text.Contains(complaint, StringComparison.Ordinal);

    public static bool Deliberate(string name, Case c, string complaint) => Array.Exists(Table, row => row.Applies(name, c, complaint));
}
