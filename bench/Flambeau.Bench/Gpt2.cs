namespace Flambeau.Bench;

/// <summary>The shapes of GPT-2's parameters (Radford et al. 2019), the smallest model: 148 tensors, 124,439,808 numbers.</summary>
internal static class Gpt2
{
    private const long Width = 768;

    public static IReadOnlyList<long[]> Shapes { get; } =
    [
        [50257, Width], [1024, Width],
        .. Enumerable.Range(0, 12).SelectMany(_ => Block),
        [Width], [Width],
    ];

    // norm, query with key and value, their projection, norm, and the two layers after
    private static IEnumerable<long[]> Block =>
    [
        [Width], [Width], [Width, 3 * Width], [3 * Width], [Width, Width], [Width],
        [Width], [Width], [Width, 4 * Width], [4 * Width], [4 * Width, Width], [Width],
    ];
}
