using System.Diagnostics;
using System.Globalization;
using Flambeau.Bench.Torch.Models;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch;

/// <summary>What a new process is for: one small computation, to time it from its start to its end, or the first steps of a training.</summary>
internal static class Once
{
    public static void Run(string what)
    {
        switch (what)
        {
            case "add": Add(); break;
            case "steps": Steps(); break;
            default: throw new ArgumentException($"--once: expected add or steps, not '{what}'.");
        }
    }

    private static void Add()
    {
        using var x = ones(4, 4);
        using var sum = x.add(x);
        using var total = sum.sum();
        Console.WriteLine(total.item<float>());
    }

    private static void Steps()
    {
        var training = new Training(new Gpt(6, 384, 6, 256, 65, float32, CausalAttention.Fused), 16, 256, 65, fused: true);
        var times = new double[4];
        foreach (ref var time in times.AsSpan())
        {
            var start = Stopwatch.GetTimestamp();
            training.Step();
            time = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        }
        Console.WriteLine(string.Join(' ', times.Select(t => t.ToString(CultureInfo.InvariantCulture))));
    }
}
