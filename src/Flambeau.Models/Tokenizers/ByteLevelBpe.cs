using System.Text;

namespace Flambeau.Models.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding, the tokenizer of GPT-2 and of the models after it (Radford et al. 2019): text is cut into words by a pattern, a word is its UTF-8 bytes, and learned merges
/// join neighbours, the earliest learned first. Any text has ids and no id stands for "unknown".
/// </summary>
/// <remarks>
/// <para>Trains, and reads and writes Hugging Face's <c>tokenizer.json</c>; the ids equal those of Hugging Face's tokenizers. It is ours because Microsoft.ML.Tokenizers can neither train nor load
/// <c>tokenizer.json</c> (dotnet/machinelearning, issues 7286 and 7197).</para>
/// <para>Thread-safe.</para>
/// </remarks>
public sealed class ByteLevelBpe : ITokenizer
{
    /// <summary>The written form of the end of a document where none is named.</summary>
    public const string DefaultEndOfText = "<|endoftext|>";

    private const int ByteCount = 256;

    private readonly TokenBytes tokens;
    private readonly int[] idOfByte;
    private readonly Dictionary<string, int>? wholeWords; // by written form, where a word that is a token is not merged
    private WordCache? idleCache = new(); // null while a call has it; a second call at that time makes its own

    internal ByteLevelBpe(IReadOnlyList<byte[]> tokens, IReadOnlyList<Merge> merges, WordPattern pattern, IReadOnlyList<SpecialToken> specials, int endOfText, bool keepsWholeWords)
    {
        this.tokens = new TokenBytes(tokens);
        Merges = new MergeTable(merges);
        Pattern = pattern;
        Specials = new SpecialTokens(specials);
        EndOfText = endOfText;
        idOfByte = FindBytes(tokens, specials);
        wholeWords = keepsWholeWords ? WriteWords(tokens, specials) : null;
    }

    /// <inheritdoc/>
    public int VocabularySize => tokens.Count;

    /// <inheritdoc/>
    public int EndOfText { get; }

    /// <summary>The special tokens in order of id.</summary>
    public IReadOnlyList<SpecialToken> SpecialTokens => Specials.All;

    internal MergeTable Merges { get; }

    internal WordPattern Pattern { get; }

    internal SpecialTokens Specials { get; }

    internal bool KeepsWholeWords => wholeWords is not null;

    /// <summary>
    /// Learns a vocabulary from text: ids 0 … 255 are the bytes in order, then come the merges in the order learned, then the special tokens. Deterministic: the most frequent adjacent pair is merged,
    /// of equally frequent pairs the one with the smaller left id, then the smaller right id (as Hugging Face's trainer).
    /// </summary>
    /// <param name="text">The text. Special tokens written in it are left out and no merge crosses them.</param>
    /// <param name="vocabularySize">The ids wanted, bytes and special tokens included; fewer where no pair of tokens occurs twice any more.</param>
    /// <param name="specialTokens">The special tokens, the end of text first; <see cref="DefaultEndOfText"/> alone by default.</param>
    /// <param name="progress">Told of every merge.</param>
    /// <exception cref="ArgumentException">The vocabulary has no room for the bytes and the special tokens, or a special token is empty or given twice.</exception>
    public static ByteLevelBpe Train(ReadOnlySpan<char> text, int vocabularySize, IReadOnlyList<string>? specialTokens = null, IProgress<BpeProgress>? progress = null)
    {
        specialTokens ??= [DefaultEndOfText];
        RequireNames(specialTokens);
        var tokenCount = vocabularySize - specialTokens.Count;
        if (tokenCount < ByteCount)
            throw new ArgumentException($"ByteLevelBpe.Train: a vocabulary of {vocabularySize} has no room for {ByteCount} bytes and {specialTokens.Count} special token(s); ask for at least {ByteCount + specialTokens.Count}.", nameof(vocabularySize));

        var words = new WordTable();
        var counts = new List<long>();
        var named = new SpecialTokens([.. specialTokens.Select((special, i) => new SpecialToken(i, special))]);
        while (!text.IsEmpty)
        {
            var at = named.IndexIn(text, out var special);
            CountWords(at < 0 ? text : text[..at], words, counts);
            text = at < 0 ? [] : text[(at + special.Text.Length)..];
        }
        return FromMerges(BpeTrainer.Learn(words, counts, tokenCount, progress), specialTokens);
    }

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="endOfText">The written form of the token that ends a document; by default the first found of <c>&lt;|endoftext|&gt;</c>, <c>&lt;|end_of_text|&gt;</c> and <c>&lt;/s&gt;</c>, or the only special token.</param>
    /// <exception cref="InvalidDataException">The file is not a byte-level BPE of the supported kinds; the message names the file, the place in it and what was expected.</exception>
    public static ByteLevelBpe Load(string path, string? endOfText = null)
    {
        using var source = File.OpenRead(path);
        return Load(source, endOfText, path);
    }

    /// <summary>Reads a <c>tokenizer.json</c> from a stream; <paramref name="name"/> is what errors call it.</summary>
    /// <inheritdoc cref="Load(string, string?)"/>
    public static ByteLevelBpe Load(Stream source, string? endOfText = null, string name = "tokenizer.json") => TokenizerJson.Read(source, endOfText, name);

    /// <inheritdoc/>
    public void Save(Stream destination) => TokenizerJson.Write(this, destination);

    /// <summary>Writes a <c>tokenizer.json</c>, replacing the file.</summary>
    public void Save(string path)
    {
        using var destination = File.Create(path);
        Save(destination);
    }

    /// <inheritdoc/>
    public int[] Encode(ReadOnlySpan<char> text)
    {
        var ids = new List<int>(text.Length / 4 + 4);
        var cache = Interlocked.Exchange(ref idleCache, null) ?? new WordCache();
        while (!text.IsEmpty)
        {
            var at = Specials.IndexIn(text, out var special);
            AppendWords(at < 0 ? text : text[..at], ids, cache);
            if (at >= 0)
                ids.Add(special.Id);
            text = at < 0 ? [] : text[(at + special.Text.Length)..];
        }
        Volatile.Write(ref idleCache, cache);
        return [.. ids];
    }

    /// <inheritdoc/>
    public int[] EncodeOrdinary(ReadOnlySpan<char> text)
    {
        var ids = new List<int>(text.Length / 4 + 4);
        var cache = Interlocked.Exchange(ref idleCache, null) ?? new WordCache();
        AppendWords(text, ids, cache);
        Volatile.Write(ref idleCache, cache);
        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(tokens.Join(ids));

    /// <inheritdoc/>
    public ReadOnlySpan<byte> BytesOf(int id) => tokens[id];

    /// <summary>Merges given by hand, with the bytes before them and the special tokens after.</summary>
    internal static ByteLevelBpe FromMerges(IReadOnlyList<Merge> merges, IReadOnlyList<string> specialTokens)
    {
        var tokens = new List<byte[]>();
        for (var value = 0; value < ByteCount; value++)
            tokens.Add([(byte)value]);
        foreach (var merge in merges)
            if (merge.Merged == tokens.Count) // else a spelling learned before
                tokens.Add([.. tokens[merge.Left], .. tokens[merge.Right]]);
        foreach (var special in specialTokens)
            if (ByteAlphabet.TryRead(special, out var bytes) && tokens.Any(token => token.AsSpan().SequenceEqual(bytes)))
                throw new ArgumentException($"ByteLevelBpe: special token '{special}' is spelled like a token of the text; choose one that no text holds, such as {DefaultEndOfText}.", nameof(specialTokens));
        var specials = specialTokens.Select((special, i) => new SpecialToken(tokens.Count + i, special)).ToArray();
        tokens.AddRange(specialTokens.Select(Encoding.UTF8.GetBytes));
        return new ByteLevelBpe(tokens, merges, WordPattern.Gpt2, specials, specials[0].Id, keepsWholeWords: false);
    }

    private void AppendWords(ReadOnlySpan<char> text, List<int> ids, WordCache cache)
    {
        while (!text.IsEmpty)
        {
            var word = text[..Pattern.WordEnd(text, 0)];
            if (!cache.TryAppend(word, ids, out var place))
            {
                var wordIds = MergeWord(word, cache);
                ids.AddRange(wordIds);
                cache.Keep(place, wordIds);
            }
            text = text[word.Length..];
        }
    }

    private ReadOnlySpan<int> MergeWord(ReadOnlySpan<char> word, WordCache cache)
    {
        var bytes = cache.Bytes(Encoding.UTF8.GetByteCount(word));
        Encoding.UTF8.GetBytes(word, bytes);
        var symbols = cache.Symbols(bytes.Length);
        if (wholeWords is not null && wholeWords.TryGetValue(ByteAlphabet.Write(bytes), out var whole))
        {
            symbols[0] = whole;
            return symbols[..1];
        }
        for (var i = 0; i < bytes.Length; i++)
            symbols[i] = idOfByte[bytes[i]];
        return symbols[..Merges.Apply(symbols, cache.Scratch)];
    }

    private static void CountWords(ReadOnlySpan<char> text, WordTable words, List<long> counts)
    {
        while (!text.IsEmpty)
        {
            var word = text[..WordPattern.Gpt2.WordEnd(text, 0)];
            var index = words.Add(word);
            if (index == counts.Count)
                counts.Add(0);
            counts[index]++;
            text = text[word.Length..];
        }
    }

    private static int[] FindBytes(IReadOnlyList<byte[]> tokens, IReadOnlyList<SpecialToken> specials)
    {
        var special = specials.Select(token => token.Id).ToHashSet();
        var ids = new int[ByteCount];
        Array.Fill(ids, -1);
        for (var id = 0; id < tokens.Count; id++)
            if (tokens[id].Length == 1 && !special.Contains(id))
                ids[tokens[id][0]] = id;
        var missing = Array.IndexOf(ids, -1);
        return missing < 0 ? ids : throw new ArgumentException($"ByteLevelBpe: the vocabulary has no token for byte 0x{missing:X2}, written '{ByteAlphabet.CharacterOf((byte)missing)}'; a byte-level vocabulary has all {ByteCount}.", nameof(tokens));
    }

    private static Dictionary<string, int> WriteWords(IReadOnlyList<byte[]> tokens, IReadOnlyList<SpecialToken> specials)
    {
        var written = new Dictionary<string, int>(tokens.Count);
        var special = specials.Select(token => token.Id).ToHashSet();
        for (var id = 0; id < tokens.Count; id++)
            if (!special.Contains(id))
                written.Add(ByteAlphabet.Write(tokens[id]), id);
        return written;
    }

    private static void RequireNames(IReadOnlyList<string> specialTokens)
    {
        if (specialTokens.Count == 0)
            throw new ArgumentException($"ByteLevelBpe: no special tokens given; give at least the one that ends a document, such as {DefaultEndOfText}.", nameof(specialTokens));
        for (var i = 0; i < specialTokens.Count; i++)
        {
            if (specialTokens[i].Length == 0)
                throw new ArgumentException($"ByteLevelBpe: special token {i} is empty; it must be found in text by its written form.", nameof(specialTokens));
            if (specialTokens.Take(i).Contains(specialTokens[i]))
                throw new ArgumentException($"ByteLevelBpe: special token '{specialTokens[i]}' is given twice.", nameof(specialTokens));
        }
    }
}
