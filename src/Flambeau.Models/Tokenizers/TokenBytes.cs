namespace Flambeau.Models.Tokenizers;

/// <summary>The bytes of every token of a vocabulary, end to end.</summary>
internal sealed class TokenBytes
{
    private readonly byte[] bytes;
    private readonly int[] starts; // and the end of the last

    public TokenBytes(IReadOnlyList<byte[]> tokens)
    {
        starts = new int[tokens.Count + 1];
        for (var id = 0; id < tokens.Count; id++)
            starts[id + 1] = checked(starts[id] + tokens[id].Length);
        bytes = new byte[starts[^1]];
        for (var id = 0; id < tokens.Count; id++)
            tokens[id].CopyTo(bytes, starts[id]);
    }

    /// <summary>How many tokens there are.</summary>
    public int Count => starts.Length - 1;

    /// <summary>The bytes of one token.</summary>
    public ReadOnlySpan<byte> this[int id] => (uint)id < (uint)Count
        ? bytes.AsSpan(starts[id]..starts[id + 1])
        : throw new ArgumentOutOfRangeException(nameof(id), id, $"Decode: token id {id} is not in the vocabulary, whose ids are 0 … {Count - 1}. Does the tokenizer belong to the model?");

    /// <summary>The bytes of <paramref name="ids"/> in a row.</summary>
    public byte[] Join(ReadOnlySpan<int> ids)
    {
        var length = 0;
        foreach (var id in ids)
            length = checked(length + this[id].Length);
        var joined = new byte[length];
        var at = 0;
        foreach (var id in ids)
        {
            this[id].CopyTo(joined.AsSpan(at));
            at += this[id].Length;
        }
        return joined;
    }
}
