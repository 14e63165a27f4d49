using static TorchSharp.torch;

namespace Flambeau.Bench.Torch;

/// <summary>One small computation, for timing a process from its start to its end.</summary>
internal static class Once
{
    public static void Run(string what)
    {
        if (what != "add") throw new ArgumentException($"--once knows 'add' only, not '{what}'.");
        using var x = ones(4, 4);
        using var sum = x.add(x);
        using var total = sum.sum();
        Console.WriteLine(total.item<float>());
    }
}
