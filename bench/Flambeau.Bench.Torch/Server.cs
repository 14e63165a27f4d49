using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Flambeau.Bench.Torch.Cases;
using TorchSharp;

namespace Flambeau.Bench.Torch;

/// <summary>Answers requests until the input ends. An error in a case is a reply, not an end.</summary>
internal static class Server
{
    private static readonly Dictionary<string, Func<Request, JsonObject>> Cases =
        new([.. EagerCases.All, .. PointwiseCases.All, .. GradientCases.All, .. ProductCases.All, .. TrainCases.All, .. MemoryCases.All, .. RowCases.All, .. ReductionCases.All, .. AttentionCases.All, .. OptimizerCases.All]);

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Run(TextWriter replies)
    {
        while (Console.ReadLine() is { } line)
            if (line.Length > 0) replies.WriteLine(Answer(line).ToJsonString(Readable));
    }

    private static JsonObject Answer(string line)
    {
        try
        {
            var request = Request.Parse(line);
            if (request.Case == "list") return new() { ["cases"] = new JsonArray([.. Cases.Keys.Select(name => (JsonNode)name)]) };
            if (!Cases.TryGetValue(request.Case, out var measure))
                return Error($"The peer has no case '{request.Case}'; the case 'list' names those there are.");

            torch.set_num_threads(request.Threads);
            torch.manual_seed(request.Integer("seed", 1));
            using var tensors = torch.NewDisposeScope();
            return measure(request);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Error(e is JsonException ? $"Not a request: {e.Message}" : $"{e.GetType().Name}: {e.Message}");
        }
    }

    private static JsonObject Error(string message) => new() { ["error"] = message };
}
