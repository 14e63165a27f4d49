using System.Globalization;
using System.Text;
using System.Text.Json;
using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Models.Training;

/// <summary>
/// A training run on disk: a Hugging Face model folder (config.json, model.safetensors, tokenizer.json, generation_config.json), beside it <c>training/</c> with what resuming needs, <c>log.jsonl</c> and the loss curve.
/// Every file is replaced atomically; the state to resume from is one file, so there is no moment at which a killed process leaves half of it.
/// </summary>
public sealed class RunFolder(string path)
{
    /// <summary>The folder.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    string In(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);
    /// <summary>What decided the run.</summary>
    public string Manifest => In("training", "manifest.json");
    /// <summary>Weights, optimizer state and position after some step.</summary>
    public string Checkpoint => In("training", "checkpoint.safetensors");
    /// <summary>The tokenizer.</summary>
    public string Tokenizer => In("tokenizer.json");
    /// <summary>The model's sizes.</summary>
    public string Config => In("config.json");
    /// <summary>The weights.</summary>
    public string Weights => In("model.safetensors");
    /// <summary>A line a step.</summary>
    public string Log => In("log.jsonl");
    /// <summary>What a profiled run did when, for Perfetto.</summary>
    public string Trace => In("trace.json");
    /// <summary>The picture of the losses.</summary>
    public string Curve => In("loss.svg");

    /// <summary>True if a run was started here.</summary>
    public bool HasRun => File.Exists(Manifest);

    /// <summary>Makes the folder.</summary>
    /// <exception cref="IOException">It cannot be written to; nothing was changed.</exception>
    public void Create()
    {
        try
        {
            Directory.CreateDirectory(In("training"));
            string probe = In("training", ".probe");
            File.WriteAllText(probe, "");
            File.Delete(probe);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new IOException($"The run folder {Path} cannot be written to ({e.Message}); name another with --out.", e);
        }
    }

    /// <summary>The manifest of the run that was started here.</summary>
    public TrainingOptions ReadManifest() => TrainingOptions.FromJson(File.ReadAllText(Manifest), Manifest);

    /// <summary>Records what decides the run.</summary>
    public void WriteManifest(TrainingOptions options) => AtomicFile.WriteText(Manifest, options.ToJson());

    /// <summary>Writes what Hugging Face's loaders read, without the weights.</summary>
    public void WriteModelFiles(LlamaConfig config, ITokenizer tokenizer)
    {
        AtomicFile.WriteText(Config, config.ToJson());
        AtomicFile.Write(Tokenizer, tokenizer.Save);
        AtomicFile.WriteText(In("generation_config.json"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["bos_token_id"] = config.EndOfText, ["eos_token_id"] = config.EndOfText, ["do_sample"] = true, ["temperature"] = 0.8, ["top_k"] = 40, ["max_length"] = config.Context,
        }, s_indented));
        AtomicFile.WriteText(In("tokenizer_config.json"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast", ["eos_token"] = ByteLevelBpe.DefaultEndOfText, ["bos_token"] = ByteLevelBpe.DefaultEndOfText, ["model_max_length"] = config.Context,
        }, s_indented));
    }

    static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>The losses in the log: of every step, and held out.</summary>
    public (List<(long Step, double Loss)> Losses, List<(long Step, double BitsPerByte)> HeldOut) ReadLog()
    {
        var losses = new List<(long, double)>();
        var heldOut = new List<(long, double)>();
        if (!File.Exists(Log)) return (losses, heldOut);
        foreach (var line in File.ReadLines(Log))
        {
            using var json = JsonDocument.Parse(line);
            long step = json.RootElement.GetProperty("step").GetInt64();
            if (json.RootElement.TryGetProperty("bits_per_byte", out var bits)) heldOut.Add((step, bits.GetDouble()));
            else losses.Add((step, json.RootElement.GetProperty("loss").GetDouble()));
        }
        return (losses, heldOut);
    }

    /// <summary>Drops what the log says of steps after <paramref name="step"/>, and a line that a killed process left unfinished.</summary>
    public void CutLog(long step)
    {
        if (!File.Exists(Log)) return;
        var kept = new StringBuilder();
        foreach (var line in File.ReadLines(Log))
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                if (json.RootElement.GetProperty("step").GetInt64() <= step) kept.Append(line).Append('\n');
            }
            catch (JsonException) { break; }
        }
        AtomicFile.WriteText(Log, kept.ToString());
    }

    /// <summary>A line of the log.</summary>
    internal static string StepLine(long step, double loss, double rate, double tokensPerSecond, double seconds) => string.Create(CultureInfo.InvariantCulture,
        $"{{\"step\":{step},\"loss\":{loss:R},\"learning_rate\":{rate:R},\"tokens_per_second\":{tokensPerSecond:F1},\"seconds\":{seconds:F3}}}");

    internal static string HeldOutLine(long step, double bitsPerByte, double loss, double seconds) => string.Create(CultureInfo.InvariantCulture,
        $"{{\"step\":{step},\"bits_per_byte\":{bitsPerByte:R},\"held_out_loss\":{loss:R},\"seconds\":{seconds:F3}}}");
}
