namespace Flambeau.Models.Tokenizers;

/// <summary>Text to token ids and back. Ids are <c>0 … VocabularySize − 1</c>; every method may be called from several threads at once.</summary>
public interface ITokenizer
{
    /// <summary>How many ids there are, special tokens included: the rows a model's embedding needs.</summary>
    int VocabularySize { get; }

    /// <summary>The id that ends a document.</summary>
    int EndOfText { get; }

    /// <summary>
    /// The ids of <paramref name="text"/>. The written form of a special token inside the text (such as <c>&lt;|endoftext|&gt;</c>) becomes that token's id, as in Hugging Face's tokenizers.
    /// A lone surrogate counts as U+FFFD; any other text comes back from <see cref="Decode"/> unchanged.
    /// </summary>
    int[] Encode(ReadOnlySpan<char> text);

    /// <summary>The ids of <paramref name="text"/> taken as plain text: never a special token, whatever it spells. For text from strangers.</summary>
    int[] EncodeOrdinary(ReadOnlySpan<char> text);

    /// <summary>The text of <paramref name="ids"/>: their bytes in a row, read as UTF-8, each ill-formed part replaced by U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids);

    /// <summary>The bytes that <paramref name="id"/> stands for; of a special token, its written form in UTF-8. A token need not hold whole characters.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in the vocabulary.</exception>
    ReadOnlySpan<byte> BytesOf(int id);

    /// <summary>Writes the tokenizer as Hugging Face's <c>tokenizer.json</c>.</summary>
    void Save(Stream destination);
}
