using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>Resident memory, in bytes. Ask a fresh process: what earlier cases left behind is not given back.</summary>
internal static class MemoryCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("memory.mlp_undisposed", MlpUndisposed),
        new("memory.gpt_peak", GptPeak),
    ];

    /// <summary>Growth over <c>steps</c> Adam steps of an MLP of a million parameters whose tensors nobody disposes of.</summary>
    private static JsonObject MlpUndisposed(Request r)
    {
        var mlp = new Mlp([512, 1024, 512, 10], r.Integer("batch", 64), r.DType);
        using var adam = optim.Adam(mlp.Parameters, lr: 1e-3);
        return Watch(r.Integer("steps", 500), () =>
        {
            mlp.ClearGradients();
            mlp.LossUndisposed().backward();
            adam.step();
        });
    }

    /// <summary>The peak above the start over <c>steps</c> training steps of the GPT of <see cref="TrainCases"/>.</summary>
    private static JsonObject GptPeak(Request r)
    {
        var before = Resident.Now;
        Resident.ForgetPeak();
        var training = TrainCases.Train(r, TrainCases.Gpt(r));
        for (var i = 0; i < r.Integer("steps", 2); i++) training.Step();
        return Reply(Resident.Peak, before);
    }

    private static JsonObject Watch(long steps, Action step)
    {
        step();
        var before = Resident.Now;
        Resident.ForgetPeak();
        for (var i = 0L; i < steps; i++) step();
        return Reply(Resident.Now, before);
    }

    private static JsonObject Reply(long bytes, long before) =>
        new() { ["median"] = bytes - before, ["unit"] = "bytes", ["before"] = before, ["after"] = Resident.Now, ["peak"] = Resident.Peak };
}
