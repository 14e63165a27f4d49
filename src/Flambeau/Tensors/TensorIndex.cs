namespace Flambeau;

/// <summary>
/// Every <paramref name="Step"/>-th position from <paramref name="Start"/> up to but without <paramref name="Stop"/>, with Python's rules: bounds are clipped, negative ones count from the end, null is the respective end.
/// A negative step walks backwards: <c>x[new Slice(null, null, -1)]</c> is Python's <c>x[::-1]</c>.
/// </summary>
/// <param name="Start">The first position; null is the first of the walk.</param>
/// <param name="Stop">Where the walk ends, not included; null walks to the end.</param>
/// <param name="Step">Not zero.</param>
public readonly record struct Slice(long? Start, long? Stop, long Step = 1)
{
    /// <summary>C#'s range: <c>1..^1</c>.</summary>
    public static implicit operator Slice(Range range) => new(
        // ^0 is one past the end: as a start beyond every size, as a stop the end itself
        range.Start.IsFromEnd ? range.Start.Value == 0 ? long.MaxValue : -range.Start.Value : range.Start.Value,
        range.End.IsFromEnd ? range.End.Value == 0 ? null : -range.End.Value : range.End.Value);

    /// <inheritdoc/>
    public override string ToString() => $"{Start}:{Stop}{(Step == 1 ? "" : $":{Step}")}";
}

/// <summary>
/// One part of an index expression <c>x[…]</c>: a number, <c>^1</c>, a range, a <see cref="Slice"/>, a new axis, an ellipsis, a mask, an index tensor or a truth value. Made by conversion.
/// </summary>
public readonly struct TensorIndex : IEquatable<TensorIndex>
{
    internal enum Part { Slice, Number, NewAxis, Ellipsis, Tensor, Truth }

    internal readonly Part Kind;
    internal readonly long Number;
    internal readonly Slice Range;
    internal readonly Tensor? Tensor;

    TensorIndex(Part kind, long number = 0, Slice range = default, Tensor? tensor = null) => (Kind, Number, Range, Tensor) = (kind, number, range, tensor);

    /// <summary>A new dimension of size 1 (PyTorch: <c>None</c>).</summary>
    public static TensorIndex NewAxis => new(Part.NewAxis);
    /// <summary>As many whole dimensions as are not indexed otherwise; also written <c>"..."</c>.</summary>
    public static TensorIndex Ellipsis => new(Part.Ellipsis);

    /// <summary>One position; negative counts from the end.</summary>
    public static implicit operator TensorIndex(int position) => new(Part.Number, position);
    /// <summary>One position; negative counts from the end.</summary>
    public static implicit operator TensorIndex(long position) => new(Part.Number, position);
    /// <summary>One position: <c>^1</c> is the last.</summary>
    public static implicit operator TensorIndex(Index position) => position.IsFromEnd
        ? position.Value > 0 ? new(Part.Number, -position.Value) : throw Errors.Make("Index", "^0 names the place after the last element; ^1 is the last")
        : new(Part.Number, position.Value);
    /// <summary>Several positions in a row.</summary>
    public static implicit operator TensorIndex(Range range) => new(Part.Slice, range: range);
    /// <summary>Several positions at equal distances.</summary>
    public static implicit operator TensorIndex(Slice range) => new(Part.Slice, range: range.Step != 0 ? range : throw Errors.Make("Index", "the step of a slice must not be zero"));
    /// <summary>A mask (bool), or positions (int64 or int32).</summary>
    public static implicit operator TensorIndex(Tensor index) => new(Part.Tensor, tensor: index);
    /// <summary>Positions.</summary>
    public static implicit operator TensorIndex(long[] positions) => new(Part.Tensor, tensor: Tensor.FromSpan<long>(positions));
    /// <summary>Positions.</summary>
    public static implicit operator TensorIndex(int[] positions) => new(Part.Tensor, tensor: Tensor.FromSpan<int>(positions));
    /// <summary>A mask.</summary>
    public static implicit operator TensorIndex(bool[] mask) => new(Part.Tensor, tensor: Tensor.FromSpan<bool>(mask));
    /// <summary>A new dimension of size 1 (true) or 0 (false).</summary>
    public static implicit operator TensorIndex(bool truth) => new(Part.Truth, truth ? 1 : 0);
    /// <summary>The text <c>"..."</c>.</summary>
    public static implicit operator TensorIndex(string ellipsis) => ellipsis == "..." ? Ellipsis : throw Errors.Make("Index", $"the only text in an index expression is \"...\", got \"{ellipsis}\"");

    /// <inheritdoc/>
    public bool Equals(TensorIndex other) => Kind == other.Kind && Number == other.Number && Range == other.Range && ReferenceEquals(Tensor, other.Tensor);
    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TensorIndex other && Equals(other);
    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Kind, Number, Range);
    /// <summary>Compares by <see cref="Equals(TensorIndex)"/>.</summary>
    public static bool operator ==(TensorIndex x, TensorIndex y) => x.Equals(y);
    /// <summary>Compares by <see cref="Equals(TensorIndex)"/>.</summary>
    public static bool operator !=(TensorIndex x, TensorIndex y) => !x.Equals(y);
    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        Part.Slice => Range.ToString(),
        Part.Number => $"{Number}",
        Part.NewAxis => "NewAxis",
        Part.Ellipsis => "...",
        Part.Truth => Number != 0 ? "true" : "false",
        _ => $"{Tensor!.DType.Name}{Tensor.Shape}",
    };
}
