using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Flambeau.Models.Tokenizers;

/// <summary>
/// Hugging Face's <c>tokenizer.json</c> for a byte-level BPE: <c>pre_tokenizer</c> cuts words and turns bytes into their stand-ins, <c>model</c> holds vocabulary and merges, <c>decoder</c> turns the
/// stand-ins back, <c>added_tokens</c> are the special tokens.
/// </summary>
/// <remarks>
/// The pattern is written out as a <c>Split</c>, not left to <c>ByteLevel</c>'s <c>use_regex</c>: where that runs in JavaScript, <c>\s</c> is JavaScript's (U+FEFF is a space, U+0085 is none),
/// while a pattern in the file is read with Unicode's White_Space everywhere.
/// </remarks>
internal static class TokenizerJson
{
    private static readonly string[] EndOfTextNames = [ByteLevelBpe.DefaultEndOfText, "<|end_of_text|>", "</s>"];

    /// <summary>Writes the tokenizer.</summary>
    public static void Write(ByteLevelBpe tokenizer, Stream destination)
    {
        using var json = new Utf8JsonWriter(destination, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteSpecials(json, tokenizer.SpecialTokens);
        json.WriteNull("normalizer");
        WritePreTokenizer(json, tokenizer.Pattern);
        json.WriteNull("post_processor");
        json.WritePropertyName("decoder");
        WriteByteLevel(json);
        WriteModel(json, tokenizer);
        json.WriteEndObject();
    }

    /// <summary>Reads a tokenizer; errors say <paramref name="name"/>, the place and what was expected.</summary>
    public static ByteLevelBpe Read(Stream source, string? endOfText, string name)
    {
        using var document = Parse(source, name);
        var root = new JsonPlace(document.RootElement, "", name);
        root.RequireObject();
        foreach (var absent in (ReadOnlySpan<string>)["normalizer", "truncation", "padding"])
            if (root.Optional(absent) is { } present)
                throw present.Fault("null: a byte-level BPE that changes or cuts its text is not supported");

        var pattern = ReadPreTokenizer(root.Field("pre_tokenizer"));
        ReadDecoder(root.Field("decoder"));
        if (root.Optional("post_processor") is { } postProcessor)
            RequireKind(postProcessor, "ByteLevel");

        var model = root.Field("model");
        var specials = ReadSpecials(root);
        var written = ReadVocabulary(model, specials);
        var merges = ReadMerges(model.Field("merges"), written.Ids);
        return new ByteLevelBpe(written.Tokens, merges, pattern, specials, FindEndOfText(root, specials, endOfText), keepsWholeWords: model.Flag("ignore_merges"));
    }

    private static void WriteSpecials(Utf8JsonWriter json, IReadOnlyList<SpecialToken> specials)
    {
        json.WriteStartArray("added_tokens");
        foreach (var special in specials)
        {
            json.WriteStartObject();
            json.WriteNumber("id", special.Id);
            json.WriteString("content", special.Text);
            foreach (var trait in (ReadOnlySpan<string>)["single_word", "lstrip", "rstrip", "normalized"])
                json.WriteBoolean(trait, false);
            json.WriteBoolean("special", special.IsControl);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WritePreTokenizer(Utf8JsonWriter json, WordPattern pattern)
    {
        json.WritePropertyName("pre_tokenizer");
        if (pattern.Regex is null)
        {
            WriteByteLevel(json);
            return;
        }
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", pattern.Regex);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        WriteByteLevel(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", false);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, ByteLevelBpe tokenizer)
    {
        var written = WrittenTokens(tokenizer);
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        foreach (var absent in (ReadOnlySpan<string>)["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"])
            json.WriteNull(absent);
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", tokenizer.KeepsWholeWords);
        json.WriteStartObject("vocab");
        for (var id = 0; id < written.Length; id++)
            json.WriteNumber(written[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        for (var rank = 0; rank < tokenizer.Merges.Count; rank++)
            json.WriteStringValue($"{written[tokenizer.Merges[rank].Left]} {written[tokenizer.Merges[rank].Right]}");
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static string[] WrittenTokens(ByteLevelBpe tokenizer)
    {
        var written = new string[tokenizer.VocabularySize];
        for (var id = 0; id < written.Length; id++)
            written[id] = ByteAlphabet.Write(tokenizer.BytesOf(id));
        foreach (var special in tokenizer.SpecialTokens)
            written[special.Id] = special.Text;
        return written;
    }

    private static JsonDocument Parse(Stream source, string name)
    {
        using var bytes = new MemoryStream();
        source.CopyTo(bytes);
        var file = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        if (file.Span.StartsWith(Encoding.UTF8.Preamble))
            file = file[Encoding.UTF8.Preamble.Length..];
        if (!Utf8.IsValid(file.Span))
            throw new InvalidDataException($"tokenizer.json: {name} is not UTF-8, as JSON must be.");
        try
        {
            return JsonDocument.Parse(file);
        }
        catch (JsonException fault)
        {
            throw new InvalidDataException($"tokenizer.json: {name} is not JSON, line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}: {fault.Message}", fault);
        }
    }

    private static WordPattern ReadPreTokenizer(JsonPlace preTokenizer)
    {
        if (preTokenizer.Field("type").Text() != "Sequence")
            return ReadByteLevel(preTokenizer) ? WordPattern.Gpt2 : WordPattern.Whole;

        var steps = preTokenizer.Field("pretokenizers");
        if (steps.Count() != 2)
            throw steps.Fault("two steps, Split and ByteLevel");
        var split = steps.Item(0);
        RequireKind(split, "Split");
        if (split.Field("behavior").Text() != "Isolated" || split.Flag("invert"))
            throw split.Fault("""behavior "Isolated" and invert false""");
        if (ReadByteLevel(steps.Item(1)))
            throw steps.Item(1).Fault("use_regex false after a Split");

        var regex = split.Field("pattern").Field("Regex");
        return WordPattern.Known.FirstOrDefault(pattern => pattern.Regex == regex.Text())
            ?? throw regex.Fault($"one of the patterns of GPT-2, Llama 3 and Qwen 2: {string.Join("   or   ", WordPattern.Known.Select(pattern => pattern.Regex))}");
    }

    /// <summary>Whether the step cuts words itself, by GPT-2's pattern.</summary>
    private static bool ReadByteLevel(JsonPlace step)
    {
        RequireKind(step, "ByteLevel");
        if (step.Flag("add_prefix_space"))
            throw step.Field("add_prefix_space").Fault("false");
        return step.Flag("use_regex", whenAbsent: true);
    }

    private static void ReadDecoder(JsonPlace decoder) => RequireKind(decoder, "ByteLevel");

    private static void RequireKind(JsonPlace step, string kind)
    {
        var type = step.Field("type");
        if (type.Text() != kind)
            throw type.Fault($"\"{kind}\"");
    }

    private static SpecialToken[] ReadSpecials(JsonPlace root)
    {
        if (root.Optional("added_tokens") is not { } list)
            return [];
        var specials = new SpecialToken[list.Count()];
        for (var i = 0; i < specials.Length; i++)
        {
            var item = list.Item(i);
            foreach (var trait in (ReadOnlySpan<string>)["lstrip", "rstrip", "single_word"])
                if (item.Flag(trait))
                    throw item.Field(trait).Fault("false: a special token that takes the spaces around it is not supported");
            specials[i] = new SpecialToken(item.Field("id").Integer(), item.Field("content").Text(), item.Flag("special"));
            if (specials[i].Text.Length == 0)
                throw item.Field("content").Fault("a text that is not empty");
            if (specials.Take(i).FirstOrDefault(earlier => earlier.Text == specials[i].Text || earlier.Id == specials[i].Id) is { Text: { } taken })
                throw item.Fault($"an id and a content of its own, but '{taken}' has the same");
        }
        return [.. specials.OrderBy(special => special.Id)];
    }

    private static (byte[][] Tokens, Dictionary<string, int> Ids) ReadVocabulary(JsonPlace model, SpecialToken[] specials)
    {
        if (model.Optional("type") is not null)
            RequireKind(model, "BPE");
        foreach (var absent in (ReadOnlySpan<string>)["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Optional(absent) is { } present && !present.IsEmptyText)
                throw present.Fault("null in a byte-level BPE");
        if (model.Flag("byte_fallback"))
            throw model.Field("byte_fallback").Fault("false in a byte-level BPE");

        var vocabulary = model.Field("vocab");
        var ids = vocabulary.Integers();
        var tokens = new byte[Size(vocabulary, ids, specials)][];
        foreach (var special in specials)
            tokens[special.Id] = Encoding.UTF8.GetBytes(special.Text);
        foreach (var (written, id) in ids)
        {
            if (specials.Any(special => special.Id == id && special.Text == written))
                continue;
            if (tokens[id] is not null)
                throw vocabulary.Named(written).Fault("an id of its own, but another token has it");
            if (!ByteAlphabet.TryRead(written, out tokens[id]!) || written.Length == 0)
                throw vocabulary.Named(written).Fault("a token written in the byte-level alphabet (a space is Ġ), or one that added_tokens lists with this id");
        }
        RequireBytes(vocabulary, ids);
        return (tokens, ids);
    }

    /// <summary>One more than the greatest id; all ids below must be taken.</summary>
    private static int Size(JsonPlace vocabulary, Dictionary<string, int> ids, SpecialToken[] specials)
    {
        var taken = ids.Values.Concat(specials.Select(special => special.Id)).ToHashSet();
        for (var id = 0; id < taken.Count; id++)
            if (!taken.Contains(id))
                throw vocabulary.Fault($"ids 0 … {taken.Count - 1} without a gap, but no token has id {id}");
        return taken.Count;
    }

    private static void RequireBytes(JsonPlace vocabulary, Dictionary<string, int> ids)
    {
        for (var value = 0; value < 256; value++)
            if (!ids.ContainsKey(ByteAlphabet.CharacterOf((byte)value).ToString()))
                throw vocabulary.Fault($"all 256 bytes, but the token '{ByteAlphabet.CharacterOf((byte)value)}' of byte 0x{value:X2} is missing");
    }

    private static Merge[] ReadMerges(JsonPlace list, Dictionary<string, int> ids)
    {
        var merges = new Merge[list.Count()];
        var seen = new HashSet<(int, int)>(merges.Length);
        for (var rank = 0; rank < merges.Length; rank++)
        {
            var item = list.Item(rank);
            var (left, right) = item.TextPair();
            merges[rank] = new Merge(IdOf(left), IdOf(right), IdOf(left + right));
            if (!seen.Add((merges[rank].Left, merges[rank].Right)))
                throw item.Fault("a pair that no earlier merge has");

            int IdOf(string written) => ids.TryGetValue(written, out var id) ? id : throw item.Fault($"tokens of the vocabulary, but '{written}' is none");
        }
        return merges;
    }

    private static int FindEndOfText(JsonPlace root, SpecialToken[] specials, string? named)
    {
        foreach (var name in named is null ? EndOfTextNames : [named])
            foreach (var special in specials)
                if (special.Text == name)
                    return special.Id;
        if (named is null && specials.Length == 1)
            return specials[0].Id;
        var listed = specials.Length == 0 ? "there is none" : $"there are {string.Join(' ', specials.Take(20).Select(special => special.Text))}";
        throw root.Named("added_tokens").Fault(named is null
            ? $"the token that ends a text ({string.Join(", ", EndOfTextNames)}), but {listed}; name it when loading"
            : $"'{named}', the end of text asked for, but {listed}");
    }
}
