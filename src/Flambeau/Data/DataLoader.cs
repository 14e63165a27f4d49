using System.Collections;
using Flambeau.Diagnostics;

namespace Flambeau.Data;

/// <summary>Where a loader is: enough to go on with exactly the samples that are left.</summary>
/// <param name="Seed">Of the order.</param>
/// <param name="Epoch">The number of the epoch.</param>
/// <param name="Samples">How many samples of the epoch were handed out.</param>
public readonly record struct LoaderState(ulong Seed, long Epoch, long Samples);

/// <summary>How a <see cref="DataLoader{T, TBatch}"/> loads.</summary>
public sealed record LoaderOptions
{
    /// <summary>Samples a batch.</summary>
    public int BatchSize { get; init; } = 1;
    /// <summary>The order; by default one after another.</summary>
    public Sampler Sampler { get; init; } = Sampler.Sequential;
    /// <summary>Decides random orders.</summary>
    public ulong Seed { get; init; }
    /// <summary>Threads that load ahead; 0 loads on the caller's thread when asked. Never changes what is loaded.</summary>
    public int Workers { get; init; }
    /// <summary>Batches that each worker is ahead at most.</summary>
    public int Prefetch { get; init; } = 2;
    /// <summary>True leaves out a last batch with fewer samples.</summary>
    public bool DropLast { get; init; }

    internal void Validate()
    {
        if (BatchSize <= 0) throw new FlambeauException($"DataLoader: the batch size must be positive, got {BatchSize}");
        if (Workers < 0) throw new FlambeauException($"DataLoader: the number of workers must not be negative, got {Workers}");
        if (Prefetch <= 0) throw new FlambeauException($"DataLoader: workers must be ahead by at least one batch, got {Prefetch}");
    }
}

/// <summary>
/// Batches of a dataset (PyTorch: <c>torch.utils.data.DataLoader</c>). Each enumeration is an epoch. The order depends on seed and epoch only, however many workers load;
/// an exception in a worker is thrown at the caller in the batch's place; leaving the loop, also early, ends the workers.
/// </summary>
/// <typeparam name="T">A sample.</typeparam>
/// <typeparam name="TBatch">A batch.</typeparam>
public sealed class DataLoader<T, TBatch> : IEnumerable<TBatch>
{
    readonly Dataset<T> _dataset;
    readonly Func<IReadOnlyList<T>, TBatch> _collate;
    readonly LoaderOptions _options;
    bool _resumed = true; // the next enumeration goes on from State

    /// <summary>A loader of a dataset.</summary>
    /// <param name="dataset">The samples.</param>
    /// <param name="collate">Makes a batch of samples; <see cref="Collate"/> has the usual ones. Runs on the workers.</param>
    /// <param name="options">Batch size, order, workers.</param>
    public DataLoader(Dataset<T> dataset, Func<IReadOnlyList<T>, TBatch> collate, LoaderOptions options)
    {
        options.Validate();
        (_dataset, _collate, _options) = (dataset, collate, options);
        State = new(options.Seed, 0, 0);
    }

    /// <summary>
    /// Where the loader is: after the batches handed out so far. Save it with the model; after <see cref="LoadState"/> the next enumeration hands out the rest of that epoch.
    /// </summary>
    public LoaderState State { get; private set; }

    /// <summary>Batches an epoch.</summary>
    public long Count => Batches(_options.Sampler.Taken(_dataset.Count));

    /// <summary>Goes on from a saved place, at the next enumeration.</summary>
    public void LoadState(LoaderState state)
    {
        if (state.Epoch < 0 || state.Samples < 0) throw new FlambeauException($"DataLoader: the state counts {state.Epoch} epochs and {state.Samples} samples; neither can be negative");
        State = state;
        _resumed = true;
    }

    long Batches(long samples) => _options.DropLast ? samples / _options.BatchSize : (samples + _options.BatchSize - 1) / _options.BatchSize;

    /// <summary>An epoch: the rest of one after <see cref="LoadState"/>, the next one after an enumeration, whether it came to its end or not.</summary>
    public IEnumerator<TBatch> GetEnumerator()
    {
        if (!_resumed) State = new(State.Seed, State.Epoch + 1, 0);
        _resumed = false;
        var (seed, epoch, done) = State;
        using var _ = Recording.Part("OrderSamples", ProfileKind.Data);
        var order = _options.Sampler.Order(_dataset.Count, seed, epoch);
        return Epoch(order, seed, epoch, done);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    IEnumerator<TBatch> Epoch(SampleOrder order, ulong seed, long epoch, long done)
    {
        long batches = Batches(Math.Max(0, order.Count - done));
        using var ahead = _options.Workers > 0 ? new Prefetcher<TBatch>(batches, _options.Workers, _options.Prefetch, b => Load(order, done + b * _options.BatchSize)) : null;
        for (long b = 0; b < batches; b++)
        {
            long start = done + b * _options.BatchSize;
            var batch = ahead is null ? Load(order, start) : ahead.Take(b);
            State = new(seed, epoch, Math.Min(order.Count, start + _options.BatchSize));
            yield return batch;
        }
        State = new(seed, epoch + 1, 0);
        _resumed = true;
    }

    TBatch Load(SampleOrder order, long start)
    {
        using var _ = Recording.Part("LoadBatch", ProfileKind.Data);
        var samples = new T[Math.Min(_options.BatchSize, order.Count - start)];
        for (int i = 0; i < samples.Length; i++) samples[i] = _dataset[order.At(start + i)];
        return _collate(samples);
    }
}

/// <summary>Batches of a stream, read ahead by one thread in order.</summary>
/// <typeparam name="T">A sample.</typeparam>
/// <typeparam name="TBatch">A batch.</typeparam>
/// <param name="dataset">The samples.</param>
/// <param name="collate">Makes a batch of samples.</param>
/// <param name="options">Batch size and prefetch; the order is the stream's own, and any number of workers above 0 is one.</param>
public sealed class StreamLoader<T, TBatch>(IterableDataset<T> dataset, Func<IReadOnlyList<T>, TBatch> collate, LoaderOptions options) : IEnumerable<TBatch>
{
    bool _resumed = true;

    /// <summary>Where the loader is; see <see cref="DataLoader{T, TBatch}.State"/>.</summary>
    public LoaderState State { get; private set; } = new(options.Seed, 0, 0);

    /// <summary>Goes on from a saved place, at the next enumeration.</summary>
    public void LoadState(LoaderState state) => (State, _resumed) = (state, true);

    /// <summary>An epoch of the stream.</summary>
    public IEnumerator<TBatch> GetEnumerator()
    {
        options.Validate();
        if (!_resumed) State = new(State.Seed, State.Epoch + 1, 0);
        _resumed = false;
        return Epoch(State);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    IEnumerator<TBatch> Epoch(LoaderState begin)
    {
        using var batches = Read(begin).GetEnumerator();
        // the one worker moves the stream; the end is a batch that is not there
        (bool Is, TBatch Batch, int Samples) Next(long number)
        {
            using var _ = Recording.Part("LoadBatch", ProfileKind.Data);
            return batches.MoveNext() ? (true, batches.Current.Batch, batches.Current.Samples) : (false, default!, 0);
        }
        using var ahead = options.Workers > 0 ? new Prefetcher<(bool Is, TBatch Batch, int Samples)>(long.MaxValue, 1, options.Prefetch, Next) : null;
        long samples = begin.Samples;
        for (long b = 0; ; b++)
        {
            var (exists, batch, count) = ahead is null ? Next(b) : ahead.Take(b);
            if (!exists) break;
            State = begin with { Samples = samples += count };
            yield return batch;
        }
        State = new(begin.Seed, begin.Epoch + 1, 0);
        _resumed = true;
    }

    IEnumerable<(TBatch Batch, int Samples)> Read(LoaderState begin)
    {
        foreach (var samples in dataset.From(begin.Epoch, begin.Samples).Chunk(options.BatchSize))
            if (samples.Length == options.BatchSize || !options.DropLast) yield return (collate(samples), samples.Length);
    }
}
