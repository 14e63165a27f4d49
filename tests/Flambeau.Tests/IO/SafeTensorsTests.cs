using System.Buffers.Binary;
using System.Text;
using Flambeau.IO;
using Flambeau.NN;

namespace Flambeau.Tests.IO;

public sealed class SafeTensorsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        // mapped files are let go of by the collector; Windows deletes them only then
        if (OperatingSystem.IsWindows()) { GC.Collect(); GC.WaitForPendingFinalizers(); }
        _folder.Dispose();
    }

    string Raw(string header, int dataBytes = 0, string name = "x.safetensors") => Raw(Encoding.UTF8.GetBytes(header), (ulong)Encoding.UTF8.GetByteCount(header), new byte[dataBytes], name);

    string Raw(byte[] header, ulong length, byte[] data, string name = "x.safetensors")
    {
        string path = _folder.File(name);
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        File.WriteAllBytes(path, [.. bytes, .. header, .. data]);
        return path;
    }

    [Fact]
    public void Every_element_type_and_shape_comes_back()
    {
        string path = _folder.File("all.safetensors");
        var saved = new List<(string Name, Tensor Value)>();
        foreach (var type in Enum.GetValues<DType>())
        {
            saved.Add(($"{type}.matrix", Tensor.Arange(0, 6, 1).Reshape(2, 3).To(type)));
            saved.Add(($"{type}.scalar", Tensor.FromScalar(1).To(type)));
            saved.Add(($"{type}.empty", Tensor.Zeros([0, 3], type)));
        }
        saved.Add(("strided", Tensor.Arange(0, 6, 1).Reshape(2, 3).T));
        saved.Add(("ünï\"cödé\n", Tensor.Of(1, 2)));
        SafeTensors.Save(path, saved, new Dictionary<string, string> { ["format"] = "pt", ["note"] = "é" });
        var file = SafeTensors.Load(path);
        Assert.Equal(saved.Count, file.Count);
        foreach (var (name, value) in saved)
        {
            Assert.Equal(value.DType, file[name].DType);
            Assert.Equal(value.Shape, file[name].Shape);
            Assert.Equal(value.ToArray<double>(), file[name].ToArray<double>());
        }
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal("é", file.Metadata["note"]);
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        string path = _folder.File("known.safetensors");
        SafeTensors.Save(path, [("b", Tensor.FromArray(new byte[] { 7 })), ("a", Tensor.Of(1, 2))]);
        string header = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}""";
        header += new string(' ', (8 - header.Length % 8) % 8);
        byte[] expected = [(byte)header.Length, 0, 0, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(header), .. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f), 7];
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void The_order_given_does_not_change_the_bytes()
    {
        Tensor x = Tensor.Of(1), y = Tensor.Of(2), z = Tensor.FromArray(new long[] { 3 });
        SafeTensors.Save(_folder.File("1"), [("x", x), ("y", y), ("z", z)], new Dictionary<string, string> { ["k"] = "1", ["a"] = "2" });
        SafeTensors.Save(_folder.File("2"), [("z", z), ("y", y), ("x", x)], new Dictionary<string, string> { ["a"] = "2", ["k"] = "1" });
        Assert.Equal(File.ReadAllBytes(_folder.File("1")), File.ReadAllBytes(_folder.File("2")));
    }

    [Fact]
    public void Writing_to_a_loaded_tensor_leaves_the_file_alone()
    {
        string path = _folder.File("w.safetensors");
        SafeTensors.Save(path, [("x", Tensor.Of(1, 2))]);
        byte[] before = File.ReadAllBytes(path);
        var file = SafeTensors.Load(path);
        file["x"].Add_(5);
        Assert.Equal(new float[] { 6, 7 }, file["x"].ToArray<float>());
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(new float[] { 1, 2 }, SafeTensors.Load(path)["x"].ToArray<float>());
    }

    [Fact]
    public void A_mapped_file_may_be_replaced_and_its_tensors_outlive_everything()
    {
        string path = _folder.File("r.safetensors");
        SafeTensors.Save(path, [("x", Tensor.Of(1, 2))]);
        var x = SafeTensors.Load(path)["x"];
        if (!OperatingSystem.IsWindows()) SafeTensors.Save(path, [("x", Tensor.Of(3, 4))]);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(new float[] { 1, 2 }, x.ToArray<float>());
    }

    [Fact]
    public void A_model_comes_back_from_its_file()
    {
        string path = _folder.File("m.safetensors");
        Sequential from = new(new Linear(3, 4), new Linear(4, 2)), to = new(new Linear(3, 4), new Linear(4, 2)), mapped = new(new Linear(3, 4), new Linear(4, 2));
        SafeTensors.Save(path, from.StateDict());
        to.LoadStateDict(SafeTensors.Load(path));
        mapped.LoadStateDict(SafeTensors.Load(path), assign: true);
        var x = Tensor.Of(1, 2, 3);
        Assert.Equal(from.Call(x).ToArray<float>(), to.Call(x).ToArray<float>());
        Assert.Equal(from.Call(x).ToArray<float>(), mapped.Call(x).ToArray<float>());
    }

    [Fact]
    public void A_header_without_padding_is_read()
    {
        string header = """{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""";
        Assert.NotEqual(0, header.Length % 8);
        var path = Raw(Encoding.UTF8.GetBytes(header), (ulong)header.Length, BitConverter.GetBytes(2.5f));
        Assert.Equal(2.5, SafeTensors.Load(path)["x"].Item());
    }

    const string Entry = "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]";

    // header, bytes of data, entry that the error names, words of the law
    public static TheoryData<string, int, string?, string> Hostile => new()
    {
        { "", 0, null, "JSON" },
        { "[]", 0, null, "the header needs" },
        { "{\"x\":{" + Entry + "}", 8, null, "JSON" },
        { "{\"x\":{" + Entry + "}}{}", 8, null, "JSON" },
        { "{\"x\":{" + Entry + "}}", 7, "x", "cut off" },
        { "{\"x\":{" + Entry + "}}", 9, null, "something behind" },
        { "{}", 1, null, "something behind" },
        { "{\"x\":{" + Entry + "},\"x\":{" + Entry + "}}", 8, "x", "occurs twice" },
        { "{\"x\":{" + Entry + "},\"y\":{" + Entry + "}}", 8, "y", "inside of the tensor before" },
        { "{\"x\":{" + Entry + "},\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "y", "inside of the tensor before" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", 12, "x", "belong to no tensor" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 12, "x", "ends before" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "x", "takes 12 bytes" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, "x", "3 numbers" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-4,4]}}", 8, "x", "whole numbers" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,10]}}", 10, "x", "whole numbers" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[18446744073709551617],\"data_offsets\":[0,4]}}", 4, "x", "whole numbers" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "x", "more than 2^63" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}", 0, "x", "more than 2^63" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,9223372036854775807]}}", 4, "x", "more than 2^63" },
        { "{\"x\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,9223372036854775807]}}", 4, "x", "cut off" },
        { "{\"x\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "x", "\"F4\"" },
        { "{\"x\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "x", "needs a String" },
        { "{\"x\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "x", "occurs twice" },
        { "{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "x", "needs dtype, shape and data_offsets" },
        { "{\"x\":{" + Entry + ",\"more\":1}}", 8, "x", "\"more\"" },
        { "{\"x\":[]}", 0, "x", "needs a StartObject" },
        { "{\"m\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 5, "x", "no multiple" },
        { "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "__metadata__", "occurs twice" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__", "needs a String" },
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_damaged_or_hostile_header_is_refused_by_name(string header, int dataBytes, string? entry, string law)
    {
        string path = Raw(header, dataBytes), message = Assert.Throws<FlambeauException>(() => SafeTensors.Load(path)).Message;
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.Contains(law, message, StringComparison.Ordinal);
        if (entry is not null) Assert.Contains($"entry \"{entry}\"", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_length_is_refused_before_anything_is_read()
    {
        byte[] header = "{}"u8.ToArray();
        foreach (ulong length in new ulong[] { 3, 100_000_000, 100_000_001, ulong.MaxValue, long.MaxValue, 1UL << 63 })
            Assert.Contains("the header's length is given as", Assert.Throws<FlambeauException>(() => SafeTensors.Load(Raw(header, length, []))).Message, StringComparison.Ordinal);
        string tiny = _folder.File("tiny");
        File.WriteAllBytes(tiny, [1, 2, 3]);
        Assert.Contains("3 bytes", Assert.Throws<FlambeauException>(() => SafeTensors.Load(tiny)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(tiny, []);
        Assert.Throws<FlambeauException>(() => SafeTensors.Load(tiny));
    }

    [Fact]
    public void Invalid_UTF8_is_refused()
    {
        byte[] header = [.. "{\"x"u8, 0xFF, .. "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"u8];
        Assert.Contains("UTF-8", Assert.Throws<FlambeauException>(() => SafeTensors.Load(Raw(header, (ulong)header.Length, new byte[4]))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_at_any_byte_is_refused()
    {
        string path = _folder.File("whole.safetensors"), cut = _folder.File("cut.safetensors");
        SafeTensors.Save(path, [("x", Tensor.Of(1, 2)), ("y", Tensor.FromArray(new byte[] { 1 }))]);
        byte[] bytes = File.ReadAllBytes(path);
        for (int length = 0; length < bytes.Length; length++)
        {
            File.WriteAllBytes(cut, bytes[..length]);
            Assert.Throws<FlambeauException>(() => SafeTensors.Load(cut));
        }
    }

    [Fact]
    public void A_file_with_any_bit_flipped_is_read_or_refused_and_nothing_else()
    {
        string path = _folder.File("whole.safetensors"), flipped = _folder.File("flipped.safetensors");
        SafeTensors.Save(path, [("x", Tensor.Of(1, 2))]);
        byte[] bytes = File.ReadAllBytes(path);
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
            File.WriteAllBytes(flipped, bytes);
            try { Assert.Single(SafeTensors.Load(flipped)); }
            catch (FlambeauException) { }
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Fact]
    public void Names_are_checked_before_anything_is_written()
    {
        string path = _folder.File("n.safetensors");
        Assert.Throws<FlambeauException>(() => SafeTensors.Save(path, [("x", Tensor.Of(1)), ("x", Tensor.Of(2))]));
        Assert.Throws<FlambeauException>(() => SafeTensors.Save(path, [("__metadata__", Tensor.Of(1))]));
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Shards_are_one_by_their_index()
    {
        SafeTensors.Save(_folder.File("model-1.safetensors"), [("a", Tensor.Of(1)), ("b", Tensor.Of(2))]);
        SafeTensors.Save(_folder.File("model-2.safetensors"), [("c", Tensor.Of(3))]);
        string index = _folder.File("model.safetensors.index.json");
        File.WriteAllText(index, """{"metadata":{"total_size":12},"weight_map":{"a":"model-1.safetensors","b":"model-1.safetensors","c":"model-2.safetensors"}}""");
        foreach (string path in new[] { index, _folder.Path })
        {
            var file = SafeTensors.LoadSharded(path);
            Assert.Equal(["a", "b", "c"], file.Keys);
            Assert.Equal(3, file["c"].Item());
            Assert.Equal("12", file.Metadata["total_size"]);
        }
        foreach (var (text, law) in new[]
        {
            ("""{"weight_map":{"a":"../model-1.safetensors"}}""", "no file name"),
            ("""{"weight_map":{"a":"model-2.safetensors"}}""", "does not hold it"),
            ("""{"weight_map":{"a":5}}""", "JSON"),
            ("""{"weight_map":{"a":"model-1.safetensors","a":"model-1.safetensors"}}""", "occurs twice"),
            ("""{"weights":{}}""", "weight_map"),
            ("""{""", "JSON"),
        })
        {
            File.WriteAllText(index, text);
            Assert.Contains(law, Assert.Throws<FlambeauException>(() => SafeTensors.LoadSharded(index)).Message, StringComparison.Ordinal);
        }
    }
}
