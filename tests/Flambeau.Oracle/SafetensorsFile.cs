using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Tensor = TorchSharp.torch.Tensor;

/// <summary>
/// Reads a safetensors file: eight bytes of header length, a JSON object from names to dtype, shape and byte range, then the bytes
/// (huggingface.co/docs/safetensors, "Format"). Written apart from Flambeau's own reader, so that each can show the other wrong.
/// </summary>
internal static class SafetensorsFile
{
    /// <summary>Every tensor of a file by name, converted to one dtype.</summary>
    public static Dictionary<string, Tensor> Read(string path, ScalarType dtype)
    {
        using var file = File.OpenRead(path);
        var prefix = new byte[8];
        file.ReadExactly(prefix);
        var header = new byte[BinaryPrimitives.ReadInt64LittleEndian(prefix)];
        file.ReadExactly(header);

        var tensors = new Dictionary<string, Tensor>();
        foreach (var entry in JsonDocument.Parse(header).RootElement.EnumerateObject().Where(e => e.Name != "__metadata__"))
        {
            var range = entry.Value.GetProperty("data_offsets");
            var bytes = new byte[range[1].GetInt64() - range[0].GetInt64()];
            file.Position = prefix.Length + header.Length + range[0].GetInt64();
            file.ReadExactly(bytes);
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()).ToArray();
            tensors[entry.Name] = Raw(shape, entry.Value.GetProperty("dtype").GetString()!, bytes).to(dtype);
        }
        return tensors;
    }

    private static Tensor Raw(long[] shape, string type, byte[] bytes)
    {
        var tensor = empty(shape, dtype: type switch
        {
            "F64" => ScalarType.Float64,
            "F32" => ScalarType.Float32,
            "F16" => ScalarType.Float16,
            "BF16" => ScalarType.BFloat16,
            _ => throw new NotSupportedException($"safetensors dtype {type}: expected F64, F32, F16 or BF16."),
        });
        bytes.CopyTo(tensor.bytes);
        return tensor;
    }
}
