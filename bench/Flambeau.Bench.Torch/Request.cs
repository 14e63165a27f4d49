using System.Text.Json;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch;

/// <summary>One request: <c>{"case":"gemm.mm","threads":2,"dtype":"float32","seconds":0.3,"m":512,…}</c>.</summary>
internal sealed class Request
{
    private readonly JsonElement _fields;

    private Request(JsonElement fields) => _fields = fields;

    public static Request Parse(string line) => new(JsonDocument.Parse(line).RootElement);

    public string Case => Text("case", "");
    public int Threads => (int)Integer("threads", 1);
    public double Seconds => Number("seconds", 0.3);

    public ScalarType DType => Text("dtype", "float32") switch
    {
        "float32" => ScalarType.Float32,
        "float64" => ScalarType.Float64,
        "bfloat16" => ScalarType.BFloat16,
        "int8" => ScalarType.Int8,
        var other => throw new ArgumentException($"dtype '{other}': expected float32, float64, bfloat16 or int8."),
    };

    public long Integer(string name, long otherwise) => Find(name) is { } field ? field.GetInt64() : otherwise;
    public double Number(string name, double otherwise) => Find(name) is { } field ? field.GetDouble() : otherwise;
    public bool Flag(string name, bool otherwise = false) => Find(name) is { } field ? field.GetBoolean() : otherwise;
    public string Text(string name, string otherwise) => Find(name) is { } field ? field.GetString()! : otherwise;

    public long[] Sizes(string name, params long[] otherwise) => Find(name) is { } field ? [.. field.EnumerateArray().Select(size => size.GetInt64())] : otherwise;

    /// <summary>Times an action for the time asked; the reply is in nanoseconds, each call counting as several operations if so said.</summary>
    public JsonObject Time(Action action, int operations = 1)
    {
        var timing = Timing.Of(action, Seconds);
        return new()
        {
            ["median"] = timing.Median / operations,
            ["unit"] = "ns",
            ["fastest"] = timing.Fastest / operations,
            ["calls"] = timing.Calls,
            ["busy"] = Math.Round(timing.Busy, 2),
        };
    }

    private JsonElement? Find(string name) => _fields.TryGetProperty(name, out var field) ? field : null;
}
