using System.Text;
using Flambeau.Data;
using Flambeau.Models.Data;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Models.Training;

/// <summary>What a run learns from and is measured on: its text, parted, encoded and cut into windows. A function of the options alone, so that a resumed or repeated run has the same.</summary>
public sealed class TrainingData
{
    readonly TrainingOptions _options;

    TrainingData(TrainingOptions options, Corpus corpus, Action<string> preparing)
    {
        _options = options;
        (Hash, Source) = (corpus.Hash, corpus.Source);
        if (options.DataHash is { } known && known != Hash)
            throw new InvalidDataException($"The text has changed since the run began: its SHA-256 is {Hash}, the manifest says {known}. Restore it, or start a new run.");
        var (training, heldOut) = corpus.Split();
        HeldOutBytes = Encoding.UTF8.GetByteCount(heldOut.Text);

        preparing("learning a tokenizer");
        // learned from the text, so that a resumed run has it even if it was killed before the first file was written
        Tokenizer = options.Tokenizer == "bytes" ? new ByteTokenizer() : ByteLevelBpe.Train(training.Text, options.Vocabulary);
        preparing("encoding the text");
        Training = new(Tokenizer, training.Text, options.Context, "training");
        HeldOut = new(Tokenizer, heldOut.Text, options.Context, "held-out");
    }

    /// <summary>Reads the text that the options name, and learns its tokenizer.</summary>
    /// <param name="options">A run's; if they state a hash, the text must have it.</param>
    /// <param name="preparing">Told what is being done.</param>
    /// <exception cref="InvalidDataException">The text cannot be used, or is not the one whose hash is stated.</exception>
    public static TrainingData Read(TrainingOptions options, Action<string>? preparing = null)
    {
        preparing ??= _ => { };
        preparing("reading the text");
        return new(options, options.Data is { } file ? Corpus.FromFile(file) : ReferenceCorpus.Load(), preparing);
    }

    /// <summary>SHA-256 of the whole text.</summary>
    public string Hash { get; }
    /// <summary>Where the text comes from, for people.</summary>
    public string Source { get; }
    /// <summary>Learned from the part to train on.</summary>
    public ITokenizer Tokenizer { get; }
    /// <summary>The part to train on.</summary>
    public TokenWindows Training { get; }
    /// <summary>The part to measure on.</summary>
    public TokenWindows HeldOut { get; }
    /// <summary>Bytes of the held-out text in UTF-8.</summary>
    public long HeldOutBytes { get; }

    /// <summary>A loader of the batches in the run's order, as (inputs, targets) [batch, context]. Each enumeration is an epoch in an order of its own.</summary>
    public DataLoader<int[], (Tensor Inputs, Tensor Targets)> Batches() =>
        // batches are slices of one array: a worker thread would cost more than it saves
        new(Training, TokenWindows.Collate, new() { BatchSize = _options.Batch, Sampler = Sampler.Random, Seed = _options.Seed, DropLast = true });

    /// <summary>A held-out loss, in nats a token, as bits a byte: the text's own tokens and bytes are counted, not guessed.</summary>
    public double BitsPerByte(double natsPerToken) => natsPerToken / Math.Log(2) * (HeldOut.Tokens - 1) / HeldOutBytes;
}
