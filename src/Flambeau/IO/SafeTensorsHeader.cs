using System.Text.Json;

namespace Flambeau.IO;

/// <summary>Where a tensor lies: bytes from <see cref="Begin"/> up to but without <see cref="End"/>, counted from the end of the header.</summary>
internal readonly record struct TensorEntry(string Name, DType DType, long[] Shape, long Begin, long End);

/// <summary>
/// The header of a safetensors file, read with suspicion: it says nothing that is not checked, and nothing is allocated by a number it states.
/// Format: 8 bytes length n (little-endian), n bytes of JSON {"name": {"dtype", "shape", "data_offsets"}, …, "__metadata__": {…}}, then the data without gaps
/// (https://github.com/huggingface/safetensors, "Format").
/// </summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>The largest header accepted, in bytes: the reference reader's limit.</summary>
    public const long MaxBytes = 100_000_000;

    public required List<TensorEntry> Entries { get; init; } // in the order of their data
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>Reads the JSON of a header and checks it against the <paramref name="dataBytes"/> that follow.</summary>
    public static SafeTensorsHeader Parse(ReadOnlySpan<byte> json, long dataBytes, string file)
    {
        var parser = new Parser(file);
        try { parser.Read(json); }
        catch (JsonException e) { throw Refuse(file, null, $"the header is no valid JSON: {e.Message}", e); }
        catch (InvalidOperationException e) { throw Refuse(file, parser.At, $"the header has text that is no valid UTF-8: {e.Message}", e); }
        parser.Entries.Sort((x, y) => x.Begin != y.Begin ? x.Begin.CompareTo(y.Begin) : x.End.CompareTo(y.End));
        CheckCover(parser.Entries, dataBytes, file);
        return new() { Entries = parser.Entries, Metadata = parser.Metadata };
    }

    public static FlambeauException Refuse(string file, string? entry, string law, Exception? inner = null) =>
        new($"SafeTensors: {file}{(entry is null ? "" : $", entry \"{entry}\"")}: {law}", inner);

    // every byte of the data belongs to exactly one tensor
    static void CheckCover(List<TensorEntry> entries, long dataBytes, string file)
    {
        long end = 0;
        foreach (var e in entries)
        {
            if (e.End > dataBytes) throw Refuse(file, e.Name, $"its data ends at byte {e.End}, the file holds {dataBytes} bytes of data: it was cut off, or the header is wrong");
            if (e.Begin < end) throw Refuse(file, e.Name, $"its data begins at byte {e.Begin}, inside of the tensor before, which ends at {end}");
            if (e.Begin > end) throw Refuse(file, e.Name, $"its data begins at byte {e.Begin}; bytes {end} … {e.Begin - 1} before it belong to no tensor");
            end = e.End;
        }
        if (end != dataBytes) throw Refuse(file, null, $"the tensors end at byte {end} of the data, the file goes on to {dataBytes}: there is something behind them");
    }

    sealed class Parser(string file)
    {
        readonly HashSet<string> _names = [];

        public List<TensorEntry> Entries { get; } = [];
        public Dictionary<string, string> Metadata { get; } = [];
        public string? At { get; private set; }

        public void Read(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json);
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                At = null;
                At = reader.GetString()!;
                if (!_names.Add(At)) throw Refuse(file, At, "the name occurs twice");
                if (At == "__metadata__") ReadMetadata(ref reader);
                else Entries.Add(ReadEntry(ref reader, At));
            }
            if (reader.Read()) throw new JsonException("something follows the object");
        }

        void ReadMetadata(ref Utf8JsonReader reader)
        {
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                Expect(ref reader, JsonTokenType.String);
                if (!Metadata.TryAdd(key, reader.GetString()!)) throw Refuse(file, At, $"the key \"{key}\" occurs twice");
            }
        }

        TensorEntry ReadEntry(ref Utf8JsonReader reader, string name)
        {
            DType? dtype = null;
            long[]? shape = null, offsets = null;
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string field = reader.GetString()!;
                bool again = field switch { "dtype" => dtype is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => false };
                if (again) throw Refuse(file, name, $"\"{field}\" occurs twice");
                switch (field)
                {
                    case "dtype":
                        Expect(ref reader, JsonTokenType.String);
                        string text = reader.GetString()!;
                        dtype = DTypeOf(text) ?? throw Refuse(file, name, $"the element type \"{text}\" is none of those that tensors have: {string.Join(", ", Enum.GetValues<DType>().Select(NameOf))}");
                        break;
                    case "shape": shape = ReadNumbers(ref reader, name, field); break;
                    case "data_offsets": offsets = ReadNumbers(ref reader, name, field); break;
                    default: throw Refuse(file, name, $"\"{field}\" is not a field of an entry: dtype, shape, data_offsets");
                }
            }
            if (dtype is not { } type || shape is null || offsets is null) throw Refuse(file, name, "an entry needs dtype, shape and data_offsets");
            return Check(name, type, shape, offsets);
        }

        // numbers are at least a byte and a comma each: their count is bounded by the header's length
        long[] ReadNumbers(ref Utf8JsonReader reader, string name, string field)
        {
            var numbers = new List<long>();
            Expect(ref reader, JsonTokenType.StartArray);
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long n) || n < 0)
                    throw Refuse(file, name, $"\"{field}\" needs whole numbers from 0 to 2^63 - 1");
                numbers.Add(n);
            }
            return [.. numbers];
        }

        TensorEntry Check(string name, DType type, long[] shape, long[] offsets)
        {
            if (offsets is not [var begin, var end]) throw Refuse(file, name, $"\"data_offsets\" has {offsets.Length} numbers, it needs begin and end");
            if (begin > end) throw Refuse(file, name, $"its data begins at byte {begin} and ends before, at {end}");
            long bytes = type.Size;
            try
            {
                // zeros count as ones here: strides must not overflow either
                foreach (long size in shape) bytes = checked(bytes * Math.Max(size, 1));
            }
            catch (OverflowException) { throw Refuse(file, name, $"the sizes [{string.Join(", ", shape)}] multiply to more than 2^63 bytes"); }
            if (shape.Contains(0)) bytes = 0;
            if (end - begin != bytes) throw Refuse(file, name, $"{type.Name}[{string.Join(", ", shape)}] takes {bytes} bytes, data_offsets span {end - begin}");
            if (begin % type.Size != 0) throw Refuse(file, name, $"its data begins at byte {begin}, which is no multiple of the {type.Size} bytes of a {type.Name}; write the file with its largest element types first");
            return new(name, type, shape, begin, end);
        }

        void Expect(ref Utf8JsonReader reader, JsonTokenType type)
        {
            if (!reader.Read() || reader.TokenType != type) throw Refuse(file, At, $"the header needs a {type} here, not a {reader.TokenType}");
        }
    }

    // ---- names of element types ----

    public static string NameOf(DType type) => type switch
    {
        DType.Bool => "BOOL", DType.UInt8 => "U8", DType.Int8 => "I8", DType.Int16 => "I16", DType.Int32 => "I32", DType.Int64 => "I64",
        DType.Float16 => "F16", DType.BFloat16 => "BF16", DType.Float32 => "F32", _ => "F64",
    };

    static DType? DTypeOf(string name)
    {
        foreach (var type in Enum.GetValues<DType>()) if (NameOf(type) == name) return type;
        return null;
    }
}
