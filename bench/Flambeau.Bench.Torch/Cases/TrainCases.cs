using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Models;
using TorchSharp;

namespace Flambeau.Bench.Torch.Cases;

/// <summary>
/// Training steps of language models; nanoseconds a step, with the tokens of a step beside them. Sizes: <c>layers width heads kv_heads hidden
/// context batch vocabulary tied</c>; <c>optimizer</c> is "fused" or "composed", <c>attention</c> "fused" or "plain", <c>mixed</c> "none", "masters" or "autocast".
/// </summary>
internal static class TrainCases
{
    public static IEnumerable<KeyValuePair<string, Func<Request, JsonObject>>> All =>
    [
        new("train.gpt", r => Measure(r, Gpt(r))),
        new("train.llama", r => Measure(r, Llama(r))),
        new("train.gpt_losses", r => Losses(r, Gpt(r))),
        new("train.llama_losses", r => Losses(r, Llama(r))),
    ];

    public static Gpt Gpt(Request r) => new(
        r.Integer("layers", 6), r.Integer("width", 384), r.Integer("heads", 6), Context(r), Vocabulary(r), ParameterType(r), Attention(r));

    public static Training Train(Request r, ILanguageModel model) =>
        new(model, Batch(r), Context(r), Vocabulary(r), Fused(r), mixed: Mix(r));

    private static Llama Llama(Request r)
    {
        long width = r.Integer("width", 384), heads = r.Integer("heads", 6);
        var sizes = new LlamaSizes(
            r.Integer("layers", 6), width, heads, r.Integer("kv_heads", heads), r.Integer("hidden", 1024), Vocabulary(r), r.Flag("tied"));
        return new(sizes, Context(r), ParameterType(r), Attention(r));
    }

    private static JsonObject Measure(Request r, ILanguageModel model)
    {
        var reply = r.Time(Train(r, model).Step);
        reply["tokens"] = Batch(r) * Context(r);
        reply["parameters"] = model.Parameters.Count;
        return reply;
    }

    /// <summary>The losses of the first <c>steps</c> steps on the fixed batch: to see that a configuration learns.</summary>
    private static JsonObject Losses(Request r, ILanguageModel model)
    {
        var training = Train(r, model);
        var losses = Enumerable.Range(0, (int)r.Integer("steps", 3)).Select(_ => (JsonNode)training.StepAndLoss()).ToArray();
        return new() { ["losses"] = new JsonArray(losses) };
    }

    private static bool Fused(Request r) => r.Text("optimizer", "fused") switch
    {
        "fused" => true,
        "composed" => false,
        var other => throw new ArgumentException($"optimizer '{other}': expected fused or composed."),
    };

    private static Mixed Mix(Request r) => Enum.Parse<Mixed>(r.Text("mixed", "none"), ignoreCase: true);
    private static torch.ScalarType ParameterType(Request r) => Mix(r) is Mixed.Autocast ? torch.ScalarType.Float32 : r.DType;
    private static CausalAttention Attention(Request r) => Enum.Parse<CausalAttention>(r.Text("attention", "fused"), ignoreCase: true);
    private static long Batch(Request r) => r.Integer("batch", 16);
    private static long Context(Request r) => r.Integer("context", 256);
    private static long Vocabulary(Request r) => r.Integer("vocabulary", 65);
}
