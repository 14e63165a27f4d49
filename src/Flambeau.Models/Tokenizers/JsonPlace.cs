using System.Globalization;
using System.Text.Json;

namespace Flambeau.Models.Tokenizers;

/// <summary>A value in a JSON file that knows where it stands, so that what is wrong with it can be said by file, place and expectation.</summary>
internal readonly struct JsonPlace(JsonElement element, string place, string file)
{
    /// <summary>The error that this value is not what it must be.</summary>
    public InvalidDataException Fault(string expected) =>
        new($"tokenizer.json: {file} is not a byte-level BPE that can be loaded\n  at        {(place.Length == 0 ? "the root" : place)}\n  found     {Found()}\n  expected  {expected}");

    /// <summary>Whether this is the text "".</summary>
    public bool IsEmptyText => element.ValueKind == JsonValueKind.String && element.GetString()!.Length == 0;

    /// <summary>A field that must be there.</summary>
    public JsonPlace Field(string name) => Optional(name) ?? throw Named(name).Fault("a value");

    /// <summary>A field, or null where it is absent or null.</summary>
    public JsonPlace? Optional(string name)
    {
        RequireObject();
        try
        {
            return element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? new JsonPlace(value, Join(name), file) : null;
        }
        catch (InvalidOperationException) // half a surrogate pair, escaped, in one of the names
        {
            throw Fault("names of whole characters");
        }
    }

    /// <summary>The place of a field, there or not.</summary>
    public JsonPlace Named(string name) => new(element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) ? value : default, Join(name), file);

    /// <summary>A field that is true or false.</summary>
    public bool Flag(string name, bool whenAbsent = false) => Optional(name) is { } field ? field.Truth() : whenAbsent;

    /// <summary>An item of this list.</summary>
    public JsonPlace Item(int index) => new(element[index], $"{place}[{index}]", file);

    /// <summary>How many items this list has.</summary>
    public int Count() => element.ValueKind == JsonValueKind.Array ? element.GetArrayLength() : throw Fault("a list");

    /// <summary>This text.</summary>
    public string Text()
    {
        if (element.ValueKind != JsonValueKind.String)
            throw Fault("a text");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException) // half a surrogate pair, escaped
        {
            throw Fault("a text of whole characters");
        }
    }

    /// <summary>This integer, not negative.</summary>
    public int Integer() => element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var value) && value >= 0 ? value : throw Fault("an integer from 0 up");

    /// <summary>All fields of this object, which are integers.</summary>
    public Dictionary<string, int> Integers()
    {
        RequireObject();
        var values = new Dictionary<string, int>(element.GetPropertyCount());
        foreach (var field in element.EnumerateObject())
        {
            var name = NameOf(field);
            if (!values.TryAdd(name, new JsonPlace(field.Value, Join(name), file).Integer()))
                throw Named(name).Fault("each token once");
        }
        return values;
    }

    /// <summary>Two texts: <c>"a b"</c> or <c>["a", "b"]</c>.</summary>
    public (string Left, string Right) TextPair()
    {
        if (element.ValueKind == JsonValueKind.Array && Count() == 2)
            return (Item(0).Text(), Item(1).Text());
        if (element.ValueKind == JsonValueKind.String && Text().Split(' ') is [{ Length: > 0 } left, { Length: > 0 } right])
            return (left, right);
        throw Fault("""a pair of tokens, "a b" or ["a", "b"]""");
    }

    /// <summary>Throws where this is no object.</summary>
    public void RequireObject()
    {
        if (element.ValueKind != JsonValueKind.Object)
            throw Fault("an object");
    }

    private bool Truth() => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Fault("true or false"),
    };

    private string NameOf(JsonProperty field)
    {
        try
        {
            return field.Name;
        }
        catch (InvalidOperationException) // half a surrogate pair, escaped
        {
            throw Fault($"names of whole characters, unlike that of {field.Value.GetRawText()}");
        }
    }

    private string Join(string name) => place.Length == 0 ? name : name.All(character => char.IsAsciiLetter(character) || character == '_') ? $"{place}.{name}" : $"{place}[\"{name}\"]";

    private string Found()
    {
        const int most = 60;
        if (element.ValueKind == JsonValueKind.Undefined)
            return "nothing";
        var raw = element.GetRawText();
        return raw.Length <= most ? raw : string.Create(CultureInfo.InvariantCulture, $"{raw[..most]}… ({raw.Length} characters)");
    }
}
