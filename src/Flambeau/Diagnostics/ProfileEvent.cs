using System.Diagnostics;

namespace Flambeau.Diagnostics;

/// <summary>What an event of a profile is.</summary>
public enum ProfileKind
{
    /// <summary>An operator, a composite, a user's function; filling, copying out and reading a tensor.</summary>
    Operator,
    /// <summary>The backward pass, and in it one operator's gradient or a leaf's accumulation.</summary>
    Backward,
    /// <summary>An optimizer's step and its updates, clearing and clipping of gradients.</summary>
    Optimizer,
    /// <summary>Loading a batch or waiting for it; reading and writing files of tensors.</summary>
    Data,
    /// <summary>The call of a module: a range, no work by itself.</summary>
    Module,
    /// <summary>What <see cref="Profile.Range"/> encloses: no work by itself.</summary>
    Range,
}

/// <summary>A tensor as an event saw it.</summary>
/// <param name="Type">The element type.</param>
/// <param name="Shape">The sizes.</param>
public readonly record struct ProfiledTensor(DType Type, Shape Shape)
{
    /// <summary><c>float32[2, 3]</c>.</summary>
    public override string ToString() => $"{Type.Name}{Shape}";
}

/// <summary>Something that ran to its end while a profile was open.</summary>
public sealed record ProfileEvent
{
    /// <summary>The operator's or the range's name.</summary>
    public required string Name { get; init; }
    /// <summary>What it is.</summary>
    public required ProfileKind Kind { get; init; }
    /// <summary>The managed id of the thread that it ran on.</summary>
    public required int Thread { get; init; }
    /// <summary>How many events of its thread were open around it.</summary>
    public required int Depth { get; init; }
    /// <summary>Since the profile was started.</summary>
    public TimeSpan Start => Stopwatch.GetElapsedTime(0, StartTicks);
    /// <summary>Nested events included.</summary>
    public TimeSpan Duration => Stopwatch.GetElapsedTime(0, Ticks);
    /// <summary>Without nested events.</summary>
    public TimeSpan Self => Stopwatch.GetElapsedTime(0, SelfTicks);
    /// <summary>The operands, if shapes are recorded.</summary>
    public IReadOnlyList<ProfiledTensor> Operands { get; init; } = [];
    /// <summary>The result, if shapes are recorded and it has one tensor for it.</summary>
    public ProfiledTensor? Result { get; init; }
    /// <summary>Bytes that it had to read and write itself: each element of operands and results once. 0 for a view.</summary>
    public long Bytes { get; init; }
    /// <summary>Floating-point operations of a product, 2 · m · n · k; 0 for what is no product.</summary>
    public long Operations { get; init; }
    /// <summary>The user's line, <c>File.cs:31</c>, if lines are recorded; of a backward operator that of its forward one.</summary>
    public string? Line { get; init; }

    // in Stopwatch's ticks, from the profile's start
    internal long StartTicks { get; init; }
    internal long Ticks { get; init; }
    internal long SelfTicks { get; init; }
    internal double Ideal { get; init; } // ticks at the roof
}
