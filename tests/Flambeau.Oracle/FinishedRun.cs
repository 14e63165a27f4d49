using System.Runtime.CompilerServices;
using System.Text.Json;
using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.Models.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Tensor = TorchSharp.torch.Tensor;

/// <summary>
/// A run that Flambeau finished, and all that PyTorch needs to make it again: Flambeau's first weights and its token ids, in its order, are given;
/// the steps are PyTorch's own.
/// </summary>
internal sealed class FinishedRun
{
    /// <summary>Names the run folder.</summary>
    public const string Variable = "FLAMBEAU_ORACLE_RUN";

    private static string s_begun = "";
    private readonly RunFolder _folder;

    // the test runner goes elsewhere: a relative path means the folder it was started in
    [ModuleInitializer]
    internal static void RememberFolder() => s_begun = Directory.GetCurrentDirectory();

    /// <exception cref="IOException">There is no run in the folder.</exception>
    /// <exception cref="InvalidDataException">It is not finished, or its text is not there any more.</exception>
    public FinishedRun(string path)
    {
        _folder = new(path);
        if (!_folder.HasRun) throw new IOException($"{_folder.Path} holds no run; make one with `flambeau train --out {path}`.");
        Options = _folder.ReadManifest();
        (Losses, Rates, BitsPerByte) = ReadLog(_folder.Log);
        if (Options.Steps is not { } steps || Losses.Length != steps || BitsPerByte is null)
            throw new InvalidDataException($"{_folder.Path} has {Losses.Length} of {Options.Steps?.ToString() ?? "an unknown number of"} steps; go on with `flambeau train --resume --out {path}`.");
        Data = TrainingData.Read(Options);
    }

    /// <summary>The run named by <see cref="Variable"/>.</summary>
    public static FinishedRun Named() => new(System.IO.Path.Combine(s_begun, Environment.GetEnvironmentVariable(Variable)!));

    public string Path => _folder.Path;
    public TrainingOptions Options { get; }
    public TrainingData Data { get; }
    /// <summary>Of each step, before it.</summary>
    public double[] Losses { get; }
    /// <summary>The learning rate of each step, as the run logged it.</summary>
    public double[] Rates { get; }
    /// <summary>Over the whole held-out text, at the end.</summary>
    public double? BitsPerByte { get; }

    /// <summary>PyTorch's model with the weights that the run began from.</summary>
    public TorchLlama FirstModel()
    {
        using var scope = NewDisposeScope();
        var first = new Llama(Models.Language.LlamaConfig.FromJson(File.ReadAllText(_folder.Config)), new Generator(Options.Seed));
        return new(LlamaConfig.Read(_folder.Config), first.FileTensors().ToDictionary(t => t.Name, t => Copy(t.Value)), ScalarType.Float32);

        static Tensor Copy(Flambeau.Tensor x) => tensor(x.ToArray<float>()).reshape([.. x.Shape]);
    }

    /// <summary>Flambeau's model with the weights that the run ended in.</summary>
    public Llama LastModel()
    {
        var model = new Llama(Models.Language.LlamaConfig.FromJson(File.ReadAllText(_folder.Config)));
        model.LoadStateDict(SafeTensors.Load(_folder.Weights), cast: true);
        return model;
    }

    /// <summary>The batches of the run's steps.</summary>
    public IEnumerable<TokenBatch> Batches()
    {
        var loader = Data.Batches();
        return Epochs().Take((int)Options.Steps!);

        IEnumerable<TokenBatch> Epochs()
        {
            while (true)
                foreach (var batch in loader) yield return TokenBatch.Of(batch);
        }
    }

    /// <summary>Every token of the held-out text.</summary>
    public IEnumerable<TokenBatch> HeldOut() => Data.HeldOut.InOrder(Options.Batch).Select(TokenBatch.Of);

    private static (double[] Losses, double[] Rates, double? BitsPerByte) ReadLog(string file)
    {
        var (losses, rates, bits) = (new List<double>(), new List<double>(), new List<(long Step, double Value)>());
        foreach (var line in File.ReadLines(file))
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.TryGetProperty("bits_per_byte", out var value)) { bits.Add((json.RootElement.GetProperty("step").GetInt64(), value.GetDouble())); continue; }
            losses.Add(json.RootElement.GetProperty("loss").GetDouble());
            rates.Add(json.RootElement.GetProperty("learning_rate").GetDouble());
        }
        return ([.. losses], [.. rates], bits is [.., var last] && last.Step == losses.Count ? last.Value : null);
    }
}
