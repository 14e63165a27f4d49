using System.Diagnostics;
using System.Globalization;
using Flambeau.Bench.Models;

namespace Flambeau.Bench.Fresh;

/// <summary>What an operator on 4,096 elements costs while its process is young.</summary>
internal static class Cold
{
    private const int Calls = 1000;

    public static void Run(string name)
    {
        var action = Action(name);
        var times = new double[Calls];
        for (var i = 0; i < Calls; i++)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            times[i] = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        }
        var last = times[^100..];
        Array.Sort(last);
        // the thousandth stands for the last hundred: one call alone may be interrupted
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{times[0]} {times[1]} {last[50]}"));
    }

    /// <summary>The first training steps of the GPT, all compilation included: forward, backward, update.</summary>
    public static void Steps(int count)
    {
        var training = Training.Gpt();
        List<double> times = [(DateTime.Now - Process.GetCurrentProcess().StartTime).TotalNanoseconds];
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++) training.Step(() =>
        {
            times.Add(Stopwatch.GetElapsedTime(start).TotalNanoseconds);
            start = Stopwatch.GetTimestamp();
        });
        Console.WriteLine(string.Join(' ', times.Select(t => t.ToString(CultureInfo.InvariantCulture))));
    }

    private static Action Action(string name)
    {
        var x = Tensor.RandN([4096]);
        switch (name)
        {
            case "silu": return () => x.Silu();
            case "gelu": return () => x.Gelu();
            case "gelu backward":
                var leaf = x.Detach().RequiresGrad_();
                var seed = Tensor.OnesLike(x);
                return () => { leaf.Grad = null; leaf.Gelu().Backward(seed); };
            default: throw new ArgumentException($"cold: expected silu, gelu or gelu backward, not '{name}'");
        }
    }
}
