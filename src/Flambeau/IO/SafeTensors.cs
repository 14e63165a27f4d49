using System.Buffers.Binary;
using System.Text.Json;
using Flambeau.Diagnostics;
using Flambeau.Runtime;

namespace Flambeau.IO;

/// <summary>
/// Reads and writes safetensors files: named tensors and nothing that runs (PyTorch: <c>safetensors.torch</c>). Element types: all ten of <see cref="DType"/>.
/// </summary>
public static class SafeTensors
{
    const int LengthBytes = 8;

    // ---- reading ----

    /// <summary>
    /// Opens a file without reading its data: tensors are views over the mapped file and pages come from the disk when touched. Writing to such a tensor changes this process's memory only, never the file.
    /// </summary>
    /// <param name="path">A <c>.safetensors</c> file. It must not be cut short by others while tensors live; replace it by renaming, as <see cref="Save(string, IEnumerable{KeyValuePair{string, Tensor}}, IReadOnlyDictionary{string, string}?)"/> does.</param>
    /// <exception cref="FlambeauException">The file is damaged or hostile; the message names the entry and what is wrong.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static unsafe TensorFile Load(string path)
    {
        using var _ = Recording.Part("LoadSafeTensors", ProfileKind.Data);
        var map = Map(path);
        var header = HeaderOf(map, path, out long dataStart);
        var tensors = new OrderedDictionary<string, Tensor>(header.Entries.Count);
        foreach (var e in header.Entries) tensors.Add(e.Name, ViewOf(map, dataStart, e));
        GC.KeepAlive(map);
        return new(tensors, header.Metadata);
    }

    static MappedFile Map(string path)
    {
        if (!BitConverter.IsLittleEndian) throw new PlatformNotSupportedException("SafeTensors: files are little-endian, this processor is not.");
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        try
        {
            if (stream.Length < LengthBytes) throw SafeTensorsHeader.Refuse(path, null, $"the file has {stream.Length} bytes, not even the {LengthBytes} of the header's length");
            return new(stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    static unsafe SafeTensorsHeader HeaderOf(MappedFile map, string path, out long dataStart)
    {
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(new(map.Pointer, LengthBytes));
        if (length > SafeTensorsHeader.MaxBytes) throw SafeTensorsHeader.Refuse(path, null, $"the header's length is given as {length} bytes, more than the {SafeTensorsHeader.MaxBytes} accepted: this is no safetensors file");
        if ((long)length > map.Length - LengthBytes) throw SafeTensorsHeader.Refuse(path, null, $"the header's length is given as {length} bytes, the file has {map.Length - LengthBytes} more: it was cut off");
        dataStart = LengthBytes + (long)length;
        return SafeTensorsHeader.Parse(new(map.Pointer + LengthBytes, (int)length), map.Length - dataStart, path);
    }

    static unsafe Tensor ViewOf(MappedFile map, long dataStart, TensorEntry e)
    {
        var shape = Shape.Create(e.Shape);
        byte* at = map.Pointer + dataStart + e.Begin;
        // older writers do not pad the header: elements then lie across their natural addresses and are copied
        if ((nuint)at % (nuint)e.DType.Size == 0) return new(new Storage(at, map), shape, null, 0, e.DType);
        var copy = Tensor.Empty(shape, e.DType);
        fixed (byte* to = copy.Store!) Buffer.MemoryCopy(at, to, e.End - e.Begin, e.End - e.Begin);
        return copy;
    }

    /// <summary>
    /// Opens all shards that an index names (<c>model.safetensors.index.json</c>: <c>{"weight_map": {"name": "file"}}</c>) as one. A folder may be given instead: its index, or its <c>model.safetensors</c>, is opened.
    /// </summary>
    /// <exception cref="FlambeauException">The index is damaged, names a file outside of its folder, or a tensor that its shard does not hold.</exception>
    public static TensorFile LoadSharded(string path)
    {
        if (Directory.Exists(path))
        {
            string index = Path.Combine(path, "model.safetensors.index.json");
            if (!File.Exists(index)) return Load(Path.Combine(path, "model.safetensors"));
            path = index;
        }
        var (map, metadata) = ReadIndex(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var shards = new Dictionary<string, TensorFile>();
        var tensors = new OrderedDictionary<string, Tensor>(map.Count);
        foreach (var (name, shard) in map)
        {
            if (!shards.TryGetValue(shard, out var file)) shards.Add(shard, file = Load(Path.Combine(folder, shard)));
            tensors.Add(name, file.TryGetValue(name, out var x) ? x : throw SafeTensorsHeader.Refuse(path, name, $"the index places it in {shard}, which does not hold it"));
        }
        return new(tensors, metadata);
    }

    static (OrderedDictionary<string, string> Map, Dictionary<string, string> Metadata) ReadIndex(string path)
    {
        var map = new OrderedDictionary<string, string>();
        var metadata = new Dictionary<string, string>();
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (!json.RootElement.TryGetProperty("weight_map", out var weights)) throw SafeTensorsHeader.Refuse(path, null, "the index has no \"weight_map\"");
            foreach (var entry in weights.EnumerateObject())
            {
                string shard = entry.Value.GetString() ?? "";
                if (shard is "" or "." or ".." || shard.AsSpan().IndexOfAny('/', '\\', '\0') >= 0) throw SafeTensorsHeader.Refuse(path, entry.Name, $"\"{shard}\" is no file name: shards lie beside the index");
                if (!map.TryAdd(entry.Name, shard)) throw SafeTensorsHeader.Refuse(path, entry.Name, "the name occurs twice");
            }
            if (json.RootElement.TryGetProperty("metadata", out var extra) && extra.ValueKind == JsonValueKind.Object)
                foreach (var entry in extra.EnumerateObject()) metadata[entry.Name] = entry.Value.ToString();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) { throw SafeTensorsHeader.Refuse(path, null, $"the index is no valid JSON of this form: {e.Message}", e); }
        return (map, metadata);
    }

    // ---- writing ----

    /// <summary>
    /// Writes tensors by name, whole or not at all (<see cref="AtomicFile"/>). The bytes depend on names, values and metadata only: larger element types come first, then names in ordinal order.
    /// </summary>
    /// <param name="path">The file to replace.</param>
    /// <param name="tensors">Names (each once) and tensors of any strides.</param>
    /// <param name="metadata">Strings to store beside them.</param>
    /// <exception cref="FlambeauException">A name occurs twice or is <c>__metadata__</c>.</exception>
    public static void Save(string path, IEnumerable<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var _ = Recording.Part("SaveSafeTensors", ProfileKind.Data);
        var entries = tensors.OrderByDescending(t => t.Value.DType.Size).ThenBy(t => t.Name, StringComparer.Ordinal).ToList();
        CheckNames(path, entries);
        byte[] header = HeaderOf(entries, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[LengthBytes];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var (_, value) in entries) Write(stream, value);
        });
    }

    /// <summary>As the form of pairs: <c>SafeTensors.Save(path, model.StateDict())</c>.</summary>
    public static void Save(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Save(path, tensors.Select(t => (t.Key, t.Value)), metadata);

    static void CheckNames(string path, List<(string Name, Tensor Value)> entries)
    {
        var names = new HashSet<string>();
        foreach (var (name, value) in entries)
        {
            if (name == "__metadata__") throw SafeTensorsHeader.Refuse(path, name, "the name is reserved for metadata");
            if (!names.Add(name)) throw SafeTensorsHeader.Refuse(path, name, "the name is given twice");
            value.Concrete("SafeTensors.Save");
        }
    }

    static byte[] HeaderOf(List<(string Name, Tensor Value)> entries, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, text) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal)) json.WriteString(key, text);
                json.WriteEndObject();
            }
            long at = 0;
            foreach (var (name, value) in entries)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", SafeTensorsHeader.NameOf(value.DType));
                json.WriteStartArray("shape");
                foreach (long size in value.Shape.AsSpan()) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += value.Numel * value.DType.Size);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // spaces to a multiple of 8: the data begins aligned
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    static unsafe void Write(Stream stream, Tensor value)
    {
        const int Piece = 1 << 26;
        using var _ = Autograd.NoGrad();
        var x = value.Contiguous();
        long bytes = x.Numel * x.DType.Size;
        fixed (byte* p = x.Store!)
        {
            byte* at = p + x.Offset * x.DType.Size;
            for (long done = 0; done < bytes; done += Piece) stream.Write(new ReadOnlySpan<byte>(at + done, (int)Math.Min(Piece, bytes - done)));
        }
        GC.KeepAlive(x);
    }
}
