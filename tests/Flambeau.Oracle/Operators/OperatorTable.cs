namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>Every operator that is compared, by families.</summary>
internal static partial class OperatorTable
{
    public static IReadOnlyList<Operator> All { get; } =
    [
        .. Unary, .. Binary, .. Ternary, .. Activations, .. Reductions, .. Views, .. Joining, .. Indexing, .. Sorting, .. Products, .. Networks,
    ];

    private static Case One(Operand x, Func<Ours, Ours> ours, Func<Theirs, Theirs> theirs, Tolerance tolerance, string parameters = "") =>
        new([x], xs => [ours(xs[0])], xs => [theirs(xs[0])], tolerance, parameters);

    private static Case Two(Operand x, Operand y, Func<Ours, Ours, Ours> ours, Func<Theirs, Theirs, Theirs> theirs, Tolerance tolerance, string parameters = "") =>
        new([x, y], xs => [ours(xs[0], xs[1])], xs => [theirs(xs[0], xs[1])], tolerance, parameters);

    private static string Text(IEnumerable<long> numbers) => $"[{string.Join(", ", numbers)}]";
    private static string Text(IEnumerable<int> numbers) => $"[{string.Join(", ", numbers)}]";
    private static long[] Longs(int[] numbers) => Array.ConvertAll(numbers, n => (long)n);
    private static long Count(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);
}
