using System.Text.Json;

namespace Flambeau.Oracle;

/// <summary>The fields of a Hugging Face <c>config.json</c> that decide what a <c>LlamaForCausalLM</c> computes.</summary>
internal sealed record LlamaConfig(
    int Layers, int Width, int Heads, int KeyHeads, int HeadSize, int Hidden, int Vocabulary, double Theta, double Epsilon, bool Tied)
{
    /// <exception cref="NotSupportedException">The model has something this evaluation leaves out.</exception>
    public static LlamaConfig Read(string path)
    {
        var root = JsonDocument.Parse(File.ReadAllText(path)).RootElement;
        Refuse(root);
        int width = root.GetProperty("hidden_size").GetInt32(), heads = root.GetProperty("num_attention_heads").GetInt32();
        return new(
            Layers: root.GetProperty("num_hidden_layers").GetInt32(),
            Width: width,
            Heads: heads,
            KeyHeads: Given(root, "num_key_value_heads")?.GetInt32() ?? heads,
            HeadSize: Given(root, "head_dim")?.GetInt32() ?? width / heads,
            Hidden: root.GetProperty("intermediate_size").GetInt32(),
            Vocabulary: root.GetProperty("vocab_size").GetInt32(),
            // Transformers 5 writes it among the rotary parameters.
            Theta: (Given(root, "rope_theta") ?? (Given(root, "rope_parameters") is { } rope ? Given(rope, "rope_theta") : null))?.GetDouble() ?? 10_000,
            Epsilon: Given(root, "rms_norm_eps")?.GetDouble() ?? 1e-6,
            Tied: Given(root, "tie_word_embeddings")?.GetBoolean() ?? false);
    }

    private static void Refuse(JsonElement root)
    {
        if (Given(root, "hidden_act")?.GetString() is { } activation && activation != "silu")
            throw new NotSupportedException($"hidden_act {activation}: expected silu.");
        foreach (var bias in (string[])["attention_bias", "mlp_bias"])
            if (Given(root, bias)?.GetBoolean() == true) throw new NotSupportedException($"{bias}: expected none.");
        foreach (var name in (string[])["rope_scaling", "rope_parameters"])
            if (Given(root, name) is { } rope && (Given(rope, "rope_type") ?? Given(rope, "type"))?.GetString() is { } type && type != "default")
                throw new NotSupportedException($"{name} of type {type}: expected default.");
    }

    private static JsonElement? Given(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
