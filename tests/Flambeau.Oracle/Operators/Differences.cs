namespace Flambeau.Oracle.Operators;

/// <summary>Where Flambeau differs from PyTorch on purpose, and why.</summary>
internal static class Differences
{
    private static readonly (Func<string, Case, string, bool> Applies, string Reason)[] Table =
    [
    ];

    public static bool Deliberate(string name, Case c, string complaint) => Array.Exists(Table, row => row.Applies(name, c, complaint));
}
