using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Flambeau.IO;

/// <summary>The tensors of a file or of a sharded set of files by name, in the order of their data, with the file's metadata.</summary>
public sealed class TensorFile : IReadOnlyDictionary<string, Tensor>
{
    readonly OrderedDictionary<string, Tensor> _tensors;

    internal TensorFile(OrderedDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> metadata) => (_tensors, Metadata) = (tensors, metadata);

    /// <summary>The strings stored beside the tensors.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="FlambeauException">There is none.</exception>
    public Tensor this[string name] => _tensors.TryGetValue(name, out var x) ? x
        : throw new FlambeauException($"TensorFile: there is no tensor \"{name}\" among the {Count}, such as {string.Join(", ", Keys.Take(5).Select(k => $"\"{k}\""))}");

    /// <summary>How many tensors there are.</summary>
    public int Count => _tensors.Count;
    /// <summary>The names.</summary>
    public IEnumerable<string> Keys => _tensors.Keys;
    /// <summary>The tensors.</summary>
    public IEnumerable<Tensor> Values => _tensors.Values;
    /// <summary>True if there is a tensor of that name.</summary>
    public bool ContainsKey(string key) => _tensors.ContainsKey(key);
    /// <summary>The tensor of that name, if there is one.</summary>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out Tensor value) => _tensors.TryGetValue(key, out value);
    /// <summary>Names and tensors.</summary>
    public IEnumerator<KeyValuePair<string, Tensor>> GetEnumerator() => _tensors.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
