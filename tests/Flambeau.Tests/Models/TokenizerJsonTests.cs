using System.Text;
using System.Text.Json.Nodes;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Models;

public class TokenizerJsonTests
{
    private static readonly ByteLevelBpe English = ByteLevelBpe.Train(TokenizerTexts.English, 350, ["<|endoftext|>", "<|user|>"]);

    [Fact]
    public void A_saved_tokenizer_gives_the_same_ids_and_saves_the_same_file()
    {
        var saved = Saved(English);
        var loaded = Load(saved);
        Assert.Equal((English.VocabularySize, English.EndOfText), (loaded.VocabularySize, loaded.EndOfText));
        Assert.Equal(English.SpecialTokens, loaded.SpecialTokens);
        foreach (var text in TokenizerTexts.Nasty.Append(TokenizerTexts.English))
            Assert.Equal(English.Encode(text), loaded.Encode(text));
        Assert.Equal(saved, Saved(loaded));
    }

    [Fact]
    public void A_file_can_be_saved_and_loaded_by_path()
    {
        var path = Path.Join(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            English.Save(path);
            Assert.Equal(English.Encode("the tokens"), ByteLevelBpe.Load(path).Encode("the tokens"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_byte_tokenizer_saves_a_vocabulary_without_merges()
    {
        using var file = new MemoryStream();
        new ByteTokenizer().Save(file);
        var loaded = Load(Encoding.UTF8.GetString(file.ToArray()));
        Assert.Equal((257, 256), (loaded.VocabularySize, loaded.EndOfText));
        Assert.Equal([0xC3, 0xA9, 256], loaded.Encode("é<|endoftext|>"));
    }

    [Fact]
    public void The_file_has_the_fields_of_Hugging_Faces_format()
    {
        var root = JsonNode.Parse(Saved(English))!;
        Assert.Equal("BPE", (string?)root["model"]!["type"]);
        Assert.Equal("ByteLevel", (string?)root["decoder"]!["type"]);
        Assert.Equal(WordPattern.Gpt2.Regex, (string?)root["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"]);
        Assert.Equal(32, (int)root["model"]!["vocab"]!["Ġ"]!);
        Assert.Equal(10, (int)root["model"]!["vocab"]!["Ċ"]!);
        Assert.Equal(348, (int)root["model"]!["vocab"]!["<|endoftext|>"]!);
        Assert.Equal(348, (int)root["added_tokens"]![0]!["id"]!);
        Assert.Equal(English.Merges.Count, root["model"]!["merges"]!.AsArray().Count);
    }

    [Fact]
    public void Visible_bytes_stand_for_themselves_and_the_others_follow_from_U0100()
    {
        Assert.Equal("!~¡¬®ÿ", ByteAlphabet.Write([0x21, 0x7E, 0xA1, 0xAC, 0xAE, 0xFF]));
        Assert.Equal("\u0100\u010A\u0120\u0121\u0142\u0143", ByteAlphabet.Write([0x00, 0x0A, 0x20, 0x7F, 0xA0, 0xAD]));
        for (var value = 0; value < 256; value++)
        {
            Assert.True(ByteAlphabet.TryRead([ByteAlphabet.CharacterOf((byte)value)], out var bytes));
            Assert.Equal([(byte)value], bytes);
        }
        Assert.False(ByteAlphabet.TryRead(" ", out _));
        Assert.False(ByteAlphabet.TryRead("\u0144", out _));
    }

    [Fact]
    public void Gpt2s_own_form_is_loaded()
    {
        // GPT-2 lists visible bytes first, has a bare ByteLevel and keeps merges as pairs in newer files.
        var root = JsonNode.Parse(Saved(English))!;
        root["pre_tokenizer"] = JsonNode.Parse("""{ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true }""");
        root["post_processor"] = JsonNode.Parse("""{ "type": "ByteLevel", "trim_offsets": false }""");
        root["model"]!["merges"] = new JsonArray([.. root["model"]!["merges"]!.AsArray().Select(pair => new JsonArray([.. ((string)pair!).Split(' ').Select(side => (JsonNode)side)]))]);
        var vocabulary = root["model"]!["vocab"]!;
        (vocabulary["!"], vocabulary["Ā"]) = (0, 33);
        var loaded = Load(root.ToJsonString());
        Assert.Equal(English.Encode("the dog's").Select(id => id), loaded.Encode("the dog's"));
        Assert.Equal([0, 33], loaded.Encode("!\0"));
        Assert.Equal("!\0", loaded.Decode([0, 33]));
    }

    [Theory]
    [InlineData("llama3")]
    [InlineData("qwen2")]
    public void Other_known_patterns_are_loaded_and_saved(string name)
    {
        var root = JsonNode.Parse(Saved(English))!;
        root["pre_tokenizer"]!["pretokenizers"]![0]!["pattern"]!["Regex"] = WordPatternTests.Named(name).Regex;
        var loaded = Load(root.ToJsonString());
        Assert.Same(WordPatternTests.Named(name), loaded.Pattern);
        Assert.Equal(loaded.Encode("It'S 12345\n\n"), Load(Saved(loaded)).Encode("It'S 12345\n\n"));
    }

    [Fact]
    public void Without_a_pattern_the_whole_text_is_one_word()
    {
        var root = JsonNode.Parse(Saved(ByteLevelBpe.FromMerges([new Merge('a', ' ', 256)], ["<e>"])))!;
        Assert.Equal(['a', ' ', 'b'], Load(root.ToJsonString()).Encode("a b"));
        root["pre_tokenizer"] = JsonNode.Parse("""{ "type": "ByteLevel", "add_prefix_space": false, "use_regex": false }""");
        Assert.Equal([256, 'b'], Load(root.ToJsonString()).Encode("a b"));
        Assert.Equal([256, 'b'], Load(Saved(Load(root.ToJsonString()))).Encode("a b"));
    }

    [Fact]
    public void A_word_that_is_a_token_is_not_merged_where_the_file_says_so()
    {
        // Merges reach ab, c; the token abc can only be taken whole.
        var root = JsonNode.Parse(Saved(ByteLevelBpe.FromMerges([new Merge('a', 'b', 256), new Merge(256, 'c', 257)], ["<e>"])))!;
        root["model"]!["merges"]!.AsArray().RemoveAt(1);
        Assert.Equal([256, 'c'], Load(root.ToJsonString()).Encode("abc"));
        root["model"]!["ignore_merges"] = true;
        Assert.Equal([257], Load(root.ToJsonString()).Encode("abc"));
        Assert.Equal([256, 'c', 'd'], Load(root.ToJsonString()).Encode("abcd"));
        Assert.True(Load(Saved(Load(root.ToJsonString()))).KeepsWholeWords);
    }

    [Fact]
    public void The_end_of_text_is_the_one_asked_for_or_the_known_name()
    {
        Assert.Equal(349, ByteLevelBpe.Load(Stream(Saved(English)), "<|user|>").EndOfText);
        Assert.Equal(348, Load(Saved(English)).EndOfText);
        var fault = Assert.Throws<InvalidDataException>(() => ByteLevelBpe.Load(Stream(Saved(English)), "</s>", "here.json"));
        Assert.Contains("here.json", fault.Message);
        Assert.Contains("'</s>', the end of text asked for, but there are <|endoftext|> <|user|>", fault.Message);
        Assert.Contains("name it when loading", Assert.Throws<InvalidDataException>(() => Load(Saved(ByteLevelBpe.FromMerges([], ["<a>", "<b>"])))).Message);
        Assert.Equal(256, Load(Saved(ByteLevelBpe.FromMerges([], ["<a>"]))).EndOfText);
    }

    [Theory]
    [InlineData("model.type", "\"Unigram\"", "model.type", "\"BPE\"")]
    [InlineData("model", "null", "model", "a value")]
    [InlineData("model", "[]", "model", "an object")]
    [InlineData("model.vocab.a", "\"x\"", "model.vocab.a", "an integer from 0 up")]
    [InlineData("model.vocab.a", "98", "model.vocab", "no token has id 97")]
    [InlineData("model.vocab.a", "-1", "model.vocab.a", "an integer from 0 up")]
    [InlineData("model.vocab.zz zz", "350", "model.vocab[\"zz zz\"]", "byte-level alphabet")]
    [InlineData("model.vocab.zzzz", "97", "model.vocab", "an id of its own")]
    [InlineData("model.merges", "[\"a b\", \"t h\"]", "model.merges[0]", "tokens of the vocabulary, but 'ab' is none")]
    [InlineData("model.merges", "[\"Ġ t\", \"Ġ t\"]", "model.merges[1]", "a pair that no earlier merge has")]
    [InlineData("model.merges", "[\"th\"]", "model.merges[0]", "a pair of tokens")]
    [InlineData("model.merges", "[[\"t\", 3]]", "model.merges[0][1]", "a text")]
    [InlineData("model.merges", "{}", "model.merges", "a list")]
    [InlineData("model.byte_fallback", "true", "model.byte_fallback", "false")]
    [InlineData("model.ignore_merges", "3", "model.ignore_merges", "true or false")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix", "null")]
    [InlineData("normalizer", "{\"type\":\"Lowercase\"}", "normalizer", "null")]
    [InlineData("truncation", "{\"max_length\":8}", "truncation", "null")]
    [InlineData("decoder", "{\"type\":\"WordPiece\"}", "decoder.type", "\"ByteLevel\"")]
    [InlineData("post_processor", "{\"type\":\"TemplateProcessing\"}", "post_processor.type", "\"ByteLevel\"")]
    [InlineData("pre_tokenizer", "{\"type\":\"Metaspace\"}", "pre_tokenizer.type", "\"ByteLevel\"")]
    [InlineData("pre_tokenizer", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}", "pre_tokenizer.add_prefix_space", "false")]
    [InlineData("pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[]}", "pre_tokenizer.pretokenizers", "two steps")]
    [InlineData("pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"x+\"}},{\"type\":\"ByteLevel\",\"use_regex\":false}]}", "pre_tokenizer.pretokenizers[0].pattern.Regex", "one of the patterns")]
    [InlineData("added_tokens", "[{\"id\":348,\"content\":\"\"}]", "added_tokens[0].content", "not empty")]
    [InlineData("added_tokens", "[{\"id\":348,\"content\":\"<|endoftext|>\",\"lstrip\":true}]", "added_tokens[0].lstrip", "false")]
    [InlineData("added_tokens", "[{\"id\":348,\"content\":\"<|endoftext|>\"},{\"id\":348,\"content\":\"<|user|>\"}]", "added_tokens[1]", "'<|endoftext|>' has the same")]
    [InlineData("added_tokens", "[{\"content\":\"<|endoftext|>\"}]", "added_tokens[0].id", "a value")]
    public void A_bad_field_is_refused_with_file_place_and_expectation(string field, string value, string place, string expected)
    {
        var root = JsonNode.Parse(Saved(English))!;
        var names = field.Split('.');
        var holder = names[..^1].Aggregate(root, (node, name) => node[name]!);
        holder[names[^1]] = JsonNode.Parse(value);
        var fault = Assert.Throws<InvalidDataException>(() => ByteLevelBpe.Load(Stream(root.ToJsonString()), name: "here.json"));
        Assert.Contains("here.json", fault.Message);
        Assert.Contains($"at        {place}", fault.Message);
        Assert.Contains(expected, fault.Message);
    }

    [Fact]
    public void A_missing_byte_is_named()
    {
        var root = JsonNode.Parse(Saved(ByteLevelBpe.FromMerges([], ["<e>"])))!;
        root["model"]!["vocab"]!.AsObject().Remove("Ġ");
        root["model"]!["vocab"]!["ab"] = 32;
        Assert.Contains("the token 'Ġ' of byte 0x20 is missing", Assert.Throws<InvalidDataException>(() => Load(root.ToJsonString())).Message);
    }

    [Theory]
    [InlineData("", "not JSON, line 1")]
    [InlineData("{\n \"model\": }", "not JSON, line 2, byte 11")]
    [InlineData("[1]", "the root")]
    [InlineData("{\"pre_tokenizer\":{\"type\":\"\\ud800\"}}", "pre_tokenizer.type")]
    [InlineData("{\"normal\\ud800\":1}", "the root")]
    [InlineData("{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"\\ud800\":1},\"merges\":[]}}", "model.vocab")]
    [InlineData("{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"vocab\":{\"a\":0,\"a\":0},\"merges\":[]}}", "each token once")]
    public void What_is_no_tokenizer_at_all_is_refused(string file, string place) =>
        Assert.Contains(place, Assert.Throws<InvalidDataException>(() => Load(file)).Message);

    [Fact]
    public void A_file_that_is_not_UTF8_or_starts_with_a_mark_is_told_apart()
    {
        var saved = Encoding.UTF8.GetBytes(Saved(English));
        Assert.Equal(350, ByteLevelBpe.Load(new MemoryStream([0xEF, 0xBB, 0xBF, .. saved])).VocabularySize);
        saved[saved.AsSpan().IndexOf("Ġ"u8)] = 0xFF;
        Assert.Contains("is not UTF-8", Assert.Throws<InvalidDataException>(() => ByteLevelBpe.Load(new MemoryStream(saved))).Message);
    }

    [Fact]
    public void A_file_with_any_characters_changed_loads_or_is_refused()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var saved = Encoding.UTF8.GetBytes(Saved(ByteLevelBpe.FromMerges([new Merge('a', 'b', 256)], ["<e>"])));
        byte[] characters = [.. "{}[]\":,\\0a-1.u "u8, 0xFF];
        for (var trial = 0; trial < 500; trial++)
        {
            var changed = saved.ToArray();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var near = random.Next(700); // the start or the end: what lies between are the bytes, all alike
                changed[random.Next(2) == 0 ? near : saved.Length - 1 - near] = characters[random.Next(characters.Length)];
            }
            try
            {
                ByteLevelBpe.Load(new MemoryStream(changed)).Encode("ab");
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        var saved = Saved(ByteLevelBpe.FromMerges([new Merge('a', 'b', 256)], ["<e>"]));
        for (var length = 0; length < saved.TrimEnd().Length; length += 37)
            Assert.Throws<InvalidDataException>(() => Load(saved[..length]));
    }

    internal static string Saved(ITokenizer tokenizer)
    {
        using var file = new MemoryStream();
        tokenizer.Save(file);
        return Encoding.UTF8.GetString(file.ToArray());
    }

    private static ByteLevelBpe Load(string json) => ByteLevelBpe.Load(Stream(json));

    private static MemoryStream Stream(string json) => new(Encoding.UTF8.GetBytes(json));
}
