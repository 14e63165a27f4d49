using System.Text.Json;
using System.Text.Json.Serialization;
using Flambeau.Models.Language;

namespace Flambeau.Models.Training;

/// <summary>All that decides a training run, as <c>training/manifest.json</c> records it. Two runs with equal manifests end in the same bits.</summary>
public sealed record TrainingOptions
{
    /// <summary>The name of the preset that the sizes came from.</summary>
    public string Preset { get; init; } = "default";
    /// <summary>The text file trained on; null for the .NET SDK's reference documentation.</summary>
    public string? Data { get; init; }
    /// <summary>SHA-256 of the corpus, known once it was read.</summary>
    public string? DataHash { get; init; }
    /// <summary><c>bpe</c> or <c>bytes</c>.</summary>
    public string Tokenizer { get; init; } = "bpe";
    /// <summary>Entries of the tokenizer to learn.</summary>
    public int Vocabulary { get; init; } = 2048;
    /// <summary>Width of the model.</summary>
    public int HiddenSize { get; init; } = 96;
    /// <summary>Width inside the feed-forward part.</summary>
    public int IntermediateSize { get; init; } = 256;
    /// <summary>Blocks.</summary>
    public int Layers { get; init; } = 3;
    /// <summary>Attention heads.</summary>
    public int Heads { get; init; } = 3;
    /// <summary>Key and value heads.</summary>
    public int KeyValueHeads { get; init; } = 3;
    /// <summary>Tokens a sequence.</summary>
    public int Context { get; init; } = 128;
    /// <summary>Sequences a step.</summary>
    public int Batch { get; init; } = 8;
    /// <summary><c>adamw</c>, or <c>muon</c> for the blocks' matrices and AdamW for the rest.</summary>
    public string Optimizer { get; init; } = "muon";
    /// <summary>The highest learning rate.</summary>
    public double LearningRate { get; init; } = 5e-3;
    /// <summary>Steps over which the rate rises from 0.</summary>
    public int Warmup { get; init; } = 40;
    /// <summary>The last share of the steps, over which the rate falls to 0.</summary>
    public double Decay { get; init; } = 0.4;
    /// <summary>Decoupled weight decay of the matrices.</summary>
    public double WeightDecay { get; init; } = 0.1;
    /// <summary>Gradients of a larger norm are scaled down to it.</summary>
    public double ClipNorm { get; init; } = 1;
    /// <summary><c>float32</c>, or <c>bf16</c> for products in bfloat16 (<see cref="Autocast"/>); parameters, losses and the optimizer are float32 in both.</summary>
    public string Precision { get; init; } = "float32";
    /// <summary>Decides weights and order.</summary>
    public ulong Seed { get; init; } = 1;
    /// <summary>How long the run may take; fixes <see cref="Steps"/> once the speed is known.</summary>
    public double Minutes { get; init; } = 5;
    /// <summary>The number of steps; null until it is known.</summary>
    public long? Steps { get; init; }

    /// <summary>The presets by name.</summary>
    public static IReadOnlyDictionary<string, TrainingOptions> Presets { get; } = new Dictionary<string, TrainingOptions>
    {
        ["tiny"] = new() { Preset = "tiny", HiddenSize = 64, IntermediateSize = 176, Layers = 2, Heads = 2, KeyValueHeads = 2, Context = 64, Batch = 8 },
        ["default"] = new(),
        ["gpt"] = new() { Preset = "gpt", HiddenSize = 384, IntermediateSize = 1024, Layers = 6, Heads = 6, KeyValueHeads = 6, Context = 256, Batch = 16, LearningRate = 1e-3 },
    };

    /// <summary>The model's sizes.</summary>
    public LlamaConfig Model(int vocabulary, int endOfText) => new()
    {
        VocabularySize = vocabulary, HiddenSize = HiddenSize, IntermediateSize = IntermediateSize, Layers = Layers, Heads = Heads, KeyValueHeads = KeyValueHeads, HeadSize = HiddenSize / Heads,
        Context = Context, EndOfText = endOfText, Notes = DataHash is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["training_data_sha256"] = DataHash },
    };

    /// <summary>The learning rate of a step (from 0): a linear rise, a plateau, a linear fall to zero (Hu et al. 2024, MiniCPM).</summary>
    public double RateAt(long step)
    {
        double rise = Math.Min(1, (step + 1.0) / Warmup);
        if (Steps is not { } steps) return LearningRate * rise;
        double falling = Math.Max(1, steps * Decay);
        return LearningRate * Math.Min(rise, Math.Clamp((steps - step) / falling, 0, 1));
    }

    static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>As the manifest's text.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json);

    /// <summary>Reads a manifest.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    public static TrainingOptions FromJson(string text, string file)
    {
        try { return JsonSerializer.Deserialize<TrainingOptions>(text, s_json) ?? throw new JsonException("it is null"); }
        catch (JsonException e) { throw new InvalidDataException($"{file}: expected a training manifest: {e.Message}", e); }
    }
}
