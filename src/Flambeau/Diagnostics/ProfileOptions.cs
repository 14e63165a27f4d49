namespace Flambeau.Diagnostics;

/// <summary>What a <see cref="Profile"/> records besides names and times.</summary>
public sealed record ProfileOptions
{
    /// <summary>Shapes and types of operands and results (PyTorch: <c>record_shapes</c>).</summary>
    public bool Shapes { get; init; } = true;

    /// <summary>
    /// The user's line of each operator, and of a backward operator that of its forward one (PyTorch: <c>with_stack</c>). Costs a stack walk an operator, tens of microseconds,
    /// which the ranges around it show as not accounted for.
    /// </summary>
    public bool Lines { get; init; }

    /// <summary>A range for each call of a module, named by its type (PyTorch: <c>with_modules</c>).</summary>
    public bool Modules { get; init; } = true;

    /// <summary>Measures the machine's bandwidth and arithmetic first (<see cref="Diagnostics.Roof.Measure"/>, a fifth of a second), so that tables say what share of them each operator reaches.</summary>
    public bool Roof { get; init; }

    /// <summary>
    /// How many events are kept one by one, for the trace and for tables by shape or line: the first ones, about 150 bytes each. Later ones count in the sums by operator only.
    /// </summary>
    public int MaxEvents { get; init; } = 250_000;

    internal void Validate()
    {
        if (MaxEvents < 0) throw new FlambeauException($"Profile.Start: MaxEvents must not be negative, got {MaxEvents}");
    }
}
