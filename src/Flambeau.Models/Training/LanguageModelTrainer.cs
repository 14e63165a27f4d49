using System.Diagnostics;
using System.Globalization;
using Flambeau.Data;
using Flambeau.Diagnostics;
using Flambeau.IO;
using Flambeau.Models.Language;
using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Models.Training;

/// <summary>What a run tells while it goes on.</summary>
public abstract record TrainingEvent
{
    /// <summary>What is being prepared.</summary>
    public sealed record Preparing(string What) : TrainingEvent;
    /// <summary>The model stands; training begins after step <paramref name="Done"/>.</summary>
    public sealed record Started(long Parameters, int Vocabulary, int TrainingTokens, long Done, string Source) : TrainingEvent;
    /// <summary>The number of steps was fixed.</summary>
    public sealed record Planned(long Steps) : TrainingEvent;
    /// <summary>A step was made; <paramref name="Steps"/> is null until it is planned.</summary>
    public sealed record Stepped(long Step, long? Steps, double Loss, double TokensPerSecond, TimeSpan Elapsed) : TrainingEvent;
    /// <summary>The held-out text was evaluated.</summary>
    public sealed record HeldOut(long Step, double BitsPerByte) : TrainingEvent;
    /// <summary>The state was saved.</summary>
    public sealed record Saved(long Step) : TrainingEvent;
}

/// <summary>Trains a Llama-shaped model into a run folder: a matter of steps, resumable after any of them with the same bits.</summary>
public sealed class LanguageModelTrainer
{
    const int MeasureFrom = 10, MeasureTo = 30; // steps that measure the speed: the first ones compile
    const double LogSeconds = 1;
    const int HeldOutChecks = 10, QuickHeldOutWindows = 64;

    readonly RunFolder _folder;
    readonly IProgress<TrainingEvent> _progress;
    readonly double _saveSeconds;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    TrainingOptions _options;

    // what Prepare makes
    TrainingData _data = null!;
    Llama _model = null!;
    Optimizer _optimizer = null!;
    DataLoader<int[], (Tensor Inputs, Tensor Targets)> _loader = null!;
    long _step; // steps made
    double _secondsBefore; // of earlier processes of this run

    LanguageModelTrainer(RunFolder folder, TrainingOptions options, IProgress<TrainingEvent> progress, double saveSeconds) =>
        (_folder, _options, _progress, _saveSeconds) = (folder, options, progress, saveSeconds);

    /// <summary>Starts a run in a folder that has none. The state is saved at the end, when stopped, and every <paramref name="saveSeconds"/>.</summary>
    /// <exception cref="IOException">The folder holds a run, or cannot be written to.</exception>
    /// <exception cref="InvalidDataException">The text cannot be used.</exception>
    public static void Start(RunFolder folder, TrainingOptions options, IProgress<TrainingEvent> progress, CancellationToken stop, double saveSeconds = 30)
    {
        if (folder.HasRun) throw new IOException($"{folder.Path} already holds a run; go on with it by --resume, or name another folder with --out.");
        folder.Create();
        var trainer = new LanguageModelTrainer(folder, options, progress, saveSeconds);
        trainer.Prepare(isNew: true);
        trainer.Train(stop);
    }

    /// <summary>Goes on with the run in a folder from its last saved state.</summary>
    /// <exception cref="IOException">There is nothing to resume.</exception>
    public static void Resume(RunFolder folder, IProgress<TrainingEvent> progress, CancellationToken stop, double saveSeconds = 30)
    {
        if (!folder.HasRun) throw new IOException($"There is nothing to resume in {folder.Path}: no training/manifest.json. Start a run with `flambeau train --out {folder.Path}`.");
        folder.Create();
        var trainer = new LanguageModelTrainer(folder, folder.ReadManifest(), progress, saveSeconds);
        trainer.Prepare(isNew: false);
        trainer.Train(stop);
    }

    void Prepare(bool isNew)
    {
        // a new run records the text's hash, whatever it was told
        if (isNew) _options = _options with { DataHash = null };
        if (_options.Precision is not ("float32" or "bf16")) throw new InvalidDataException($"There is no precision \"{_options.Precision}\"; choose float32 or bf16.");
        _data = TrainingData.Read(_options, what => _progress.Report(new TrainingEvent.Preparing(what)));
        _options = _options with { DataHash = _data.Hash };
        var config = _options.Model(_data.Tokenizer.VocabularySize, _data.Tokenizer.EndOfText);
        _model = new Llama(config, new Generator(_options.Seed));
        _optimizer = MakeOptimizer();
        _loader = _data.Batches();
        if (isNew) _folder.WriteManifest(_options);
        if (File.Exists(_folder.Checkpoint)) LoadCheckpoint();
        _folder.CutLog(_step);
        _folder.WriteModelFiles(config, _data.Tokenizer);
        _progress.Report(new TrainingEvent.Started(_model.Parameters().Sum(p => p.Numel), _data.Tokenizer.VocabularySize, _data.Training.Tokens, _step, _data.Source));
    }

    // matrices decay, gains do not; Muon is for the matrices of the blocks
    Optimizer MakeOptimizer()
    {
        var hidden = _model.Model.Layers.SelectMany(l => l.Parameters()).Where(p => p.Rank == 2).ToArray();
        var embeddings = _model.Parameters().Where(p => p.Rank == 2).Except(hidden).ToArray();
        var gains = _model.Parameters().Where(p => p.Rank < 2).ToArray();
        return _options.Optimizer switch
        {
            "adamw" => new AdamW(Adam([.. hidden, .. embeddings], _options.WeightDecay), Adam(gains, 0)),
            "muon" => new Muon(new MuonGroup(hidden) { LearningRate = _options.LearningRate, WeightDecay = _options.WeightDecay, Scale = MuonScale.MatchAdamW }, Adam(embeddings, _options.WeightDecay), Adam(gains, 0)),
            var other => throw new InvalidDataException($"There is no optimizer \"{other}\"; choose adamw or muon."),
        };

        AdamGroup Adam(Tensor[] parameters, double decay) => new(parameters) { LearningRate = _options.LearningRate, Betas = (0.9, 0.95), WeightDecay = decay };
    }

    void Train(CancellationToken stop)
    {
        if (_loader.Count == 0) throw new InvalidDataException($"The training text has {_data.Training.Count} sequences of {_options.Context} tokens, fewer than one batch of {_options.Batch}; take a longer text (--data).");
        using var batches = Forever().GetEnumerator();
        int tokens = _options.Batch * _options.Context;
        using var log = new StreamWriter(new FileStream(_folder.Log, FileMode.Append, FileAccess.Write, FileShare.Read));
        var begun = Stopwatch.StartNew();
        double measureStart = 0, rate = 0, lastSave = 0, lastLog = 0;
        long first = _step;
        while ((_options.Steps is not { } steps || _step < steps) && !stop.IsCancellationRequested)
        {
            double before = begun.Elapsed.TotalSeconds;
            double loss;
            using (Profile.Range("step"))
            {
                using (Profile.Range("data")) batches.MoveNext();
                loss = Step(batches.Current);
            }
            _step++;
            double now = begun.Elapsed.TotalSeconds;
            rate = rate == 0 ? tokens / (now - before) : 0.9 * rate + 0.1 * tokens / (now - before);
            log.WriteLine(RunFolder.StepLine(_step, loss, _options.RateAt(_step - 1), tokens / (now - before), _secondsBefore + now));
            _progress.Report(new TrainingEvent.Stepped(_step, _options.Steps, loss, rate, TimeSpan.FromSeconds(_secondsBefore + now)));
            if (!double.IsFinite(loss)) throw new InvalidOperationException($"The loss became {loss} at step {_step}; lower the learning rate. The last saved state is intact.");

            if (_step - first == MeasureFrom) measureStart = now;
            if (_options.Steps is null && _step - first == MeasureTo) Plan((now - measureStart) / (MeasureTo - MeasureFrom));
            if (_options.Steps is { } planned && _step < planned && _step % Math.Max(1, planned / HeldOutChecks) == 0) Evaluate(log, now, quick: true);
            if (now - lastLog > LogSeconds) { log.Flush(); lastLog = now; }
            if (now - lastSave > _saveSeconds) { log.Flush(); Save(_secondsBefore + now); lastSave = now; }
        }
        double end = begun.Elapsed.TotalSeconds;
        bool finished = _options.Steps is { } all && _step >= all;
        if (finished) Evaluate(log, end, quick: false);
        log.Flush();
        Save(_secondsBefore + end);
        var (losses, heldOut) = _folder.ReadLog();
        AtomicFile.WriteText(_folder.Curve, LossCurve.Draw(losses, heldOut, $"{_model.Parameters().Sum(p => p.Numel):N0} parameters, {_step:N0} steps of {tokens:N0} tokens"));
    }

    // epoch after epoch, each in an order of its own
    IEnumerable<(Tensor Inputs, Tensor Targets)> Forever()
    {
        while (true)
            foreach (var batch in _loader) yield return batch;
    }

    double Step((Tensor Inputs, Tensor Targets) batch)
    {
        _optimizer.LearningRate = _options.RateAt(_step);
        _optimizer.ZeroGrad();
        var loss = Loss(batch);
        using (Profile.Range("backward")) loss.Backward();
        using (Profile.Range("optimizer"))
        {
            Gradients.ClipNorm(_model.Parameters(), _options.ClipNorm);
            _optimizer.Step();
        }
        return loss.Item();
    }

    // a method of its own: the logits are dead when Backward begins
    Tensor Loss((Tensor Inputs, Tensor Targets) batch)
    {
        using var _ = Profile.Range("forward");
        using var casts = Casts();
        return _model.Loss(batch.Inputs, batch.Targets);
    }

    AutocastScope Casts() => Autocast.To(DType.BFloat16, enabled: _options.Precision == "bf16");

    // the speed is known: how many steps the minutes hold, once and for all
    void Plan(double secondsPerStep)
    {
        double left = _options.Minutes * 60 - _clock.Elapsed.TotalSeconds;
        _options = _options with { Steps = Math.Max(_options.Warmup + 1, _step + (long)(left / secondsPerStep)) };
        _folder.WriteManifest(_options);
        _progress.Report(new TrainingEvent.Planned(_options.Steps.Value));
    }

    void Evaluate(StreamWriter log, double now, bool quick)
    {
        using var range = Profile.Range("evaluate");
        using var _ = Autograd.NoGrad();
        using var casts = Casts();
        double nats = 0;
        long tokens = 0;
        // the checks underway take the same windows each time, so that they compare; the last one takes all
        foreach (var (inputs, targets) in quick ? _data.HeldOut.Spread(QuickHeldOutWindows, _options.Batch) : _data.HeldOut.InOrder(_options.Batch))
        {
            nats += _model.Loss(inputs, targets).Item() * targets.Numel;
            tokens += targets.Numel;
        }
        double loss = nats / tokens, bits = _data.BitsPerByte(loss);
        log.WriteLine(RunFolder.HeldOutLine(_step, bits, loss, _secondsBefore + now));
        _progress.Report(new TrainingEvent.HeldOut(_step, bits));
    }

    // ---- state ----

    void Save(double seconds)
    {
        using var _ = Profile.Range("save");
        var tensors = new List<(string, Tensor)>();
        foreach (var (name, value) in _model.StateDict()) tensors.Add(("model." + name, value));
        foreach (var (name, value) in _optimizer.StateDict()) tensors.Add(("optimizer." + name, value));
        SafeTensors.Save(_folder.Checkpoint, tensors, new Dictionary<string, string>
        {
            ["step"] = _step.ToString(CultureInfo.InvariantCulture),
            ["loader"] = string.Create(CultureInfo.InvariantCulture, $"{_loader.State.Seed} {_loader.State.Epoch} {_loader.State.Samples}"),
            ["seconds"] = seconds.ToString("R", CultureInfo.InvariantCulture),
        });
        SafeTensors.Save(_folder.Weights, _model.FileTensors(), new Dictionary<string, string> { ["format"] = "pt" });
        _progress.Report(new TrainingEvent.Saved(_step));
    }

    void LoadCheckpoint()
    {
        _progress.Report(new TrainingEvent.Preparing("loading the saved state"));
        var file = SafeTensors.Load(_folder.Checkpoint);
        _model.LoadStateDict(Part(file, "model."));
        _optimizer.LoadStateDict(Part(file, "optimizer."));
        _step = long.Parse(file.Metadata["step"], CultureInfo.InvariantCulture);
        var loader = file.Metadata["loader"].Split(' ');
        _loader.LoadState(new(ulong.Parse(loader[0], CultureInfo.InvariantCulture), long.Parse(loader[1], CultureInfo.InvariantCulture), long.Parse(loader[2], CultureInfo.InvariantCulture)));
        _secondsBefore = double.Parse(file.Metadata["seconds"], CultureInfo.InvariantCulture);
    }

    static Dictionary<string, Tensor> Part(TensorFile file, string prefix) =>
        file.Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(t => t.Key[prefix.Length..], t => t.Value);
}
