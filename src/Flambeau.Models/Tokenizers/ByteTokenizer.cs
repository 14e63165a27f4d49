namespace Flambeau.Models.Tokenizers;

/// <summary>Each UTF-8 byte of the text is a token, ids 0 … 255, and id 256 ends a document. Needs no training; sequences are long.</summary>
public sealed class ByteTokenizer : ITokenizer
{
    private readonly ByteLevelBpe unmerged = ByteLevelBpe.FromMerges([], [ByteLevelBpe.DefaultEndOfText]);

    /// <summary>257.</summary>
    public int VocabularySize => unmerged.VocabularySize;

    /// <summary>256, written <c>&lt;|endoftext|&gt;</c>.</summary>
    public int EndOfText => unmerged.EndOfText;

    /// <inheritdoc/>
    public int[] Encode(ReadOnlySpan<char> text) => unmerged.Encode(text);

    /// <inheritdoc/>
    public int[] EncodeOrdinary(ReadOnlySpan<char> text) => unmerged.EncodeOrdinary(text);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => unmerged.Decode(ids);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> BytesOf(int id) => unmerged.BytesOf(id);

    /// <summary>Writes a <c>tokenizer.json</c> of the kind BPE with 256 tokens and no merges, which gives the same ids wherever it is loaded.</summary>
    public void Save(Stream destination) => unmerged.Save(destination);
}
