namespace Flambeau.Data;

/// <summary>Samples by number (PyTorch: <c>torch.utils.data.Dataset</c>). Read from several threads at once: reading must not change the dataset.</summary>
/// <typeparam name="T">A sample.</typeparam>
public abstract class Dataset<T>
{
    /// <summary>How many samples there are.</summary>
    public abstract long Count { get; }

    /// <summary>The sample of that number, from 0 to <see cref="Count"/> − 1.</summary>
    public abstract T this[long index] { get; }

    /// <summary>Samples that are made from these when asked for.</summary>
    public Dataset<TOut> Select<TOut>(Func<T, TOut> transform) => new Mapped<TOut>(this, transform);

    sealed class Mapped<TOut>(Dataset<T> source, Func<T, TOut> transform) : Dataset<TOut>
    {
        public override long Count => source.Count;
        public override TOut this[long index] => transform(source[index]);
    }
}

/// <summary>Samples of a list in memory.</summary>
/// <typeparam name="T">A sample.</typeparam>
/// <param name="items">The samples.</param>
public sealed class ListDataset<T>(IReadOnlyList<T> items) : Dataset<T>
{
    /// <inheritdoc/>
    public override long Count => items.Count;
    /// <inheritdoc/>
    public override T this[long index] => items[checked((int)index)];
}

/// <summary>Rows of tensors of one length: sample i is row i of each (PyTorch: <c>TensorDataset</c>). Samples are views.</summary>
public sealed class TensorDataset : Dataset<Tensor[]>
{
    readonly Tensor[] _tensors;

    /// <summary>Rows of the given tensors.</summary>
    /// <exception cref="FlambeauException">There is none, one has no dimension, or first sizes differ.</exception>
    public TensorDataset(params IEnumerable<Tensor> tensors)
    {
        _tensors = [.. tensors];
        if (_tensors.Length == 0) throw new FlambeauException("TensorDataset: needs at least one tensor");
        foreach (var x in _tensors)
        {
            if (x.Rank == 0) throw Errors.Make("TensorDataset", "a 0-dim tensor has no rows", ("x", x));
            if (x.Shape[0] != _tensors[0].Shape[0]) throw Errors.Make("TensorDataset", $"first sizes differ: {_tensors[0].Shape[0]} and {x.Shape[0]}", ("first", _tensors[0]), ("other", x));
        }
    }

    /// <inheritdoc/>
    public override long Count => _tensors[0].Shape[0];

    /// <inheritdoc/>
    public override Tensor[] this[long index]
    {
        get
        {
            using var _ = Autograd.NoGrad();
            return Array.ConvertAll(_tensors, x => x.Select(0, index));
        }
    }
}

/// <summary>Samples in an order of their own, of a number not known: a stream (PyTorch: <c>IterableDataset</c>).</summary>
/// <typeparam name="T">A sample.</typeparam>
public abstract class IterableDataset<T>
{
    /// <summary>The samples of an epoch from number <paramref name="skip"/> on. Override to skip faster than by reading.</summary>
    public virtual IEnumerable<T> From(long epoch, long skip)
    {
        foreach (var sample in Read(epoch))
        {
            if (skip-- > 0) continue;
            yield return sample;
        }
    }

    /// <summary>The samples of an epoch.</summary>
    protected abstract IEnumerable<T> Read(long epoch);
}
