using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flambeau.Models.Language;

/// <summary>The sizes of a Llama-shaped language model, as <c>config.json</c> of a Hugging Face folder states them (Touvron et al. 2023).</summary>
public sealed record LlamaConfig
{
    /// <summary>Entries of the vocabulary (<c>vocab_size</c>).</summary>
    public required int VocabularySize { get; init; }
    /// <summary>Width of the residual stream (<c>hidden_size</c>).</summary>
    public required int HiddenSize { get; init; }
    /// <summary>Width inside the feed-forward part (<c>intermediate_size</c>).</summary>
    public required int IntermediateSize { get; init; }
    /// <summary>Number of blocks (<c>num_hidden_layers</c>).</summary>
    public required int Layers { get; init; }
    /// <summary>Query heads (<c>num_attention_heads</c>).</summary>
    public required int Heads { get; init; }
    /// <summary>Key and value heads; each serves a group of query heads (<c>num_key_value_heads</c>).</summary>
    public required int KeyValueHeads { get; init; }
    /// <summary>Size of a head (<c>head_dim</c>).</summary>
    public required int HeadSize { get; init; }
    /// <summary>The longest sequence (<c>max_position_embeddings</c>).</summary>
    public required int Context { get; init; }
    /// <summary>Base of the rotary angles (<c>rope_theta</c>).</summary>
    public double RopeTheta { get; init; } = 10_000;
    /// <summary>ε of the norms (<c>rms_norm_eps</c>).</summary>
    public double NormEpsilon { get; init; } = 1e-5;
    /// <summary>True if the output matrix is the embedding itself (<c>tie_word_embeddings</c>).</summary>
    public bool TiedEmbeddings { get; init; } = true;
    /// <summary>The id that ends a text (<c>eos_token_id</c>, and <c>bos_token_id</c>).</summary>
    public int EndOfText { get; init; }
    /// <summary>Further members of config.json that belong to the project: where the text came from.</summary>
    public IReadOnlyDictionary<string, string> Notes { get; init; } = new Dictionary<string, string>();

    /// <summary>As config.json, for <c>LlamaForCausalLM</c>.</summary>
    public string ToJson()
    {
        var json = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["vocab_size"] = VocabularySize,
            ["hidden_size"] = HiddenSize,
            ["intermediate_size"] = IntermediateSize,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KeyValueHeads,
            ["head_dim"] = HeadSize,
            ["max_position_embeddings"] = Context,
            ["rope_theta"] = RopeTheta,
            ["rms_norm_eps"] = NormEpsilon,
            ["hidden_act"] = "silu",
            ["attention_bias"] = false,
            ["mlp_bias"] = false,
            ["tie_word_embeddings"] = TiedEmbeddings,
            ["bos_token_id"] = EndOfText,
            ["eos_token_id"] = EndOfText,
            ["torch_dtype"] = "float32",
            ["initializer_range"] = 0.02,
            ["use_cache"] = true,
        };
        foreach (var (name, value) in Notes) json[name] = value;
        return json.ToJsonString(new JsonSerializerOptions { WriteIndented = true });
    }

    /// <summary>Reads config.json.</summary>
    /// <exception cref="InvalidDataException">It is no JSON, states another architecture, or lacks a size.</exception>
    public static LlamaConfig FromJson(string text, string file = "config.json")
    {
        JsonObject json;
        try { json = JsonNode.Parse(text) as JsonObject ?? throw new JsonException("not an object"); }
        catch (JsonException e) { throw new InvalidDataException($"{file}: expected a JSON object: {e.Message}", e); }
        string kind = json["model_type"]?.ToString() ?? "";
        if (kind != "llama") throw new InvalidDataException($"{file}: model_type is \"{kind}\"; this reader knows \"llama\"");
        int hidden = Whole("hidden_size"), heads = Whole("num_attention_heads");
        return new()
        {
            VocabularySize = Whole("vocab_size"), HiddenSize = hidden, IntermediateSize = Whole("intermediate_size"), Layers = Whole("num_hidden_layers"), Heads = heads,
            KeyValueHeads = json["num_key_value_heads"] is null ? heads : Whole("num_key_value_heads"), HeadSize = json["head_dim"] is null ? hidden / heads : Whole("head_dim"),
            Context = Whole("max_position_embeddings"), RopeTheta = Real("rope_theta", 10_000), NormEpsilon = Real("rms_norm_eps", 1e-6),
            TiedEmbeddings = json["tie_word_embeddings"]?.GetValue<bool>() ?? false, EndOfText = json["eos_token_id"] is JsonValue v && v.TryGetValue(out int id) ? id : 0,
        };

        int Whole(string name) => json[name] is JsonValue v && v.TryGetValue(out int value) && value > 0 ? value
            : throw new InvalidDataException($"{file}: expected \"{name}\" to be a positive whole number, found {json[name]?.ToJsonString() ?? "nothing"}");
        double Real(string name, double otherwise) => json[name] is null ? otherwise : json[name] is JsonValue v && v.TryGetValue(out double value) ? value
            : throw new InvalidDataException($"{file}: expected \"{name}\" to be a number, found {json[name]!.ToJsonString()}");
    }
}
