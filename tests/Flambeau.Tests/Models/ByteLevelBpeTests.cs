using System.Text;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Tests.Models;

public class ByteLevelBpeTests
{
    private const int Bytes = 256;
    private static readonly ByteLevelBpe English = ByteLevelBpe.Train(TokenizerTexts.English, 400);

    [Fact]
    public void Training_merges_the_most_frequent_pair_first()
    {
        // low ×2, lower ×1, lowest ×1: lo 4, ow 4 (a tie: l < o), then (lo)w 4; then ' '+low comes 3 times.
        var bpe = ByteLevelBpe.Train("low low lower lowest", 1000);
        Assert.Equal(["lo", "low", " low", " lowe"], Learned(bpe).Take(4));
    }

    [Fact]
    public void Ties_go_to_the_smaller_left_id_then_the_smaller_right_id()
    {
        // ba, ac and ab occur twice each, as words of their own.
        Assert.Equal(["ab", "ac", "ba"], Learned(ByteLevelBpe.Train("ba\nac\nab\nba\nac\nab", 1000)).Take(3));
    }

    [Fact]
    public void Runs_are_merged_from_the_left()
    {
        var bpe = ByteLevelBpe.Train("aaaa\naaaa", Bytes + 2 + 1);
        Assert.Equal(["aa", "aaaa"], Learned(bpe));
        Assert.Equal([257, 'a'], bpe.Encode("aaaaa"));
        Assert.Equal([256, 'a'], bpe.Encode("aaa"));
    }

    [Fact]
    public void A_pair_seen_once_is_not_learned() => Assert.Equal(Bytes + 1, ByteLevelBpe.Train("abcdefg", 1000).VocabularySize);

    [Fact]
    public void Bytes_come_first_then_merges_then_special_tokens()
    {
        var bpe = ByteLevelBpe.Train(TokenizerTexts.English, 300, ["<|end|>", "<|user|>"]);
        Assert.Equal(300, bpe.VocabularySize);
        Assert.Equal(298, bpe.EndOfText);
        Assert.Equal([new SpecialToken(298, "<|end|>"), new SpecialToken(299, "<|user|>")], bpe.SpecialTokens);
        for (var id = 0; id < Bytes; id++)
            Assert.Equal([(byte)id], bpe.BytesOf(id).ToArray());
        Assert.Equal("<|user|>"u8.ToArray(), bpe.BytesOf(299).ToArray());
    }

    [Fact]
    public void No_merge_crosses_a_special_token_of_the_text()
    {
        var documents = string.Concat(Enumerable.Repeat("ab<|endoftext|>cd<|endoftext|>", 10));
        Assert.Equal(["ab", "cd"], Learned(ByteLevelBpe.Train(documents, 1000)));
    }

    [Fact]
    public void Training_equals_counting_all_anew_at_every_merge()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (var trial = 0; trial < 60; trial++)
        {
            var text = trial % 3 == 0
                ? TokenizerTexts.Random(random, 400)
                : string.Concat(Enumerable.Range(0, 400).Select(_ => "aaabbc \n"[random.Next(trial % 3 == 1 ? 7 : 8)]));
            var size = Bytes + 1 + random.Next(60);
            Assert.Equal(SlowBpe.Learn(text, size - 1), Merges(ByteLevelBpe.Train(text, size)));
        }
    }

    [Fact]
    public void Encoding_equals_the_plain_search_for_the_least_rank()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var merges = Merges(English);
        foreach (var text in TokenizerTexts.Nasty.Where(text => !text.Contains("<|endoftext|>")).Concat(Enumerable.Range(0, 200).Select(_ => TokenizerTexts.Random(random, 50, loneSurrogates: true))).Append(TokenizerTexts.English[..2000]))
            Assert.Equal(SlowBpe.Encode(text, merges), English.Encode(text));
    }

    [Fact]
    public void Encoding_holds_for_merges_whose_ranks_no_training_would_give()
    {
        // abc has rank 0 but needs ab, rank 2; bc, rank 1, is taken first.
        var merges = new Merge[] { new('x', 'y', 256), new('b', 'c', 257), new('a', 'b', 258), new(258, 'c', 259), new('a', 257, 260) };
        var bpe = ByteLevelBpe.FromMerges(merges, ["<e>"]);
        Assert.Equal([260], bpe.Encode("abc"));
        Assert.Equal([258], bpe.Encode("ab"));
        Assert.Equal(SlowBpe.Encode("abcabxyab", [.. merges]), bpe.Encode("abcabxyab"));
    }

    [Fact]
    public void Any_text_comes_back()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        foreach (var text in TokenizerTexts.Nasty.Concat(Enumerable.Range(0, 500).Select(_ => TokenizerTexts.Random(random, random.Next(80), loneSurrogates: true))))
        {
            Assert.Equal(TokenizerTexts.WellFormed(text), English.Decode(English.Encode(text)));
            Assert.Equal(TokenizerTexts.WellFormed(text), English.Decode(English.EncodeOrdinary(text)));
        }
    }

    [Fact]
    public void Encoding_is_the_same_again_and_from_many_threads()
    {
        var expected = English.Encode(TokenizerTexts.English);
        Assert.Equal(expected, English.Encode(TokenizerTexts.English));
        Parallel.For(0, 16, _ => Assert.Equal(expected, English.Encode(TokenizerTexts.English)));
        Assert.Equal(expected, ByteLevelBpe.Train(TokenizerTexts.English, 400).Encode(TokenizerTexts.English));
    }

    [Fact]
    public void A_megabyte_of_one_letter_is_encoded_and_learned_from()
    {
        var text = new string('a', 1_000_000);
        var bpe = ByteLevelBpe.Train(text, 400);
        var ids = bpe.Encode(text);
        Assert.Equal(text, bpe.Decode(ids));
        Assert.True(ids.Length < 20);
        Assert.Equal(text, English.Decode(English.Encode(text)));
    }

    [Fact]
    public void A_long_word_is_encoded_and_learned_from()
    {
        var random = new Random(7);
        var text = string.Create(100_000, random, static (letters, random) => random.GetItems("abcdefghijklmnop", letters));
        var bpe = ByteLevelBpe.Train(text, 1000);
        Assert.Equal(1000, bpe.VocabularySize);
        Assert.Equal(text, bpe.Decode(bpe.Encode(text)));
    }

    [Fact]
    public void A_special_token_in_text_is_found_unless_the_text_is_ordinary()
    {
        Assert.Equal([.. English.Encode("a"), English.EndOfText, .. English.Encode(" b")], English.Encode("a<|endoftext|> b"));
        Assert.DoesNotContain(English.EndOfText, English.EncodeOrdinary("a<|endoftext|> b"));
        Assert.Equal("a<|endoftext|> b", English.Decode(English.Encode("a<|endoftext|> b")));
    }

    [Fact]
    public void Of_special_tokens_at_one_place_the_longest_is_found()
    {
        var bpe = ByteLevelBpe.FromMerges([], ["<a>", "<a><b>", "<c>"]);
        Assert.Equal([257, 'x', 256, 258], bpe.Encode("<a><b>x<a><c>"));
    }

    [Fact]
    public void An_unknown_id_is_refused_by_name()
    {
        var fault = Assert.Throws<ArgumentOutOfRangeException>(() => English.Decode([65, 400]));
        Assert.Contains("token id 400 is not in the vocabulary, whose ids are 0 … 399", fault.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => English.BytesOf(-1).Length);
    }

    [Fact]
    public void A_vocabulary_without_room_is_refused()
    {
        Assert.Contains("ask for at least 257", Assert.Throws<ArgumentException>(() => ByteLevelBpe.Train("a", 256)).Message);
        Assert.Equal(257, ByteLevelBpe.Train("", 257).VocabularySize);
        Assert.Contains("given twice", Assert.Throws<ArgumentException>(() => ByteLevelBpe.Train("a", 300, ["<e>", "<e>"])).Message);
        Assert.Contains("is empty", Assert.Throws<ArgumentException>(() => ByteLevelBpe.Train("a", 300, [""])).Message);
        Assert.Contains("no special tokens", Assert.Throws<ArgumentException>(() => ByteLevelBpe.Train("a", 300, [])).Message);
        Assert.Contains("'a' is spelled like", Assert.Throws<ArgumentException>(() => ByteLevelBpe.Train("a", 300, ["a"])).Message);
    }

    [Fact]
    public void Progress_is_told_of_every_merge()
    {
        var told = new Told();
        ByteLevelBpe.Train(TokenizerTexts.English, 270, progress: told);
        Assert.Equal(new BpeProgress(269, 269), told.All[^1]);
        Assert.Equal(13, told.All.Count);
    }

    [Fact]
    public void The_byte_tokenizer_gives_the_bytes()
    {
        var tokenizer = new ByteTokenizer();
        Assert.Equal((257, 256), (tokenizer.VocabularySize, tokenizer.EndOfText));
        Assert.Equal([.. "é👍\r\n"u8.ToArray().Select(value => (int)value), 256], tokenizer.Encode("é👍\r\n<|endoftext|>"));
        Assert.Equal("é👍<|endoftext|>", tokenizer.Decode(tokenizer.Encode("é👍<|endoftext|>")));
        Assert.Equal(13, tokenizer.EncodeOrdinary("<|endoftext|>").Length);
    }

    [Fact]
    public void Streamed_text_is_whole_text_and_no_piece_splits_a_character()
    {
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        foreach (ITokenizer tokenizer in new ITokenizer[] { new ByteTokenizer(), English })
        {
            var decoder = new StreamingDecoder(tokenizer);
            for (var trial = 0; trial < 200; trial++)
            {
                // Half are ids of text, half are any ids, whose bytes need be no UTF-8.
                var ids = trial % 2 == 0
                    ? tokenizer.Encode(TokenizerTexts.Random(random, 30))
                    : [.. Enumerable.Range(0, 60).Select(_ => random.Next(tokenizer.VocabularySize))];
                var pieces = ids.Select(decoder.Append).ToList();
                if (trial % 2 == 0)
                    Assert.All(pieces, piece => Assert.Equal(piece, TokenizerTexts.WellFormed(piece)));
                pieces.Add(decoder.Finish());
                Assert.Equal(tokenizer.Decode(ids), string.Concat(pieces));
            }
        }
    }

    [Fact]
    public void Streaming_holds_back_an_unfinished_character()
    {
        var decoder = new StreamingDecoder(new ByteTokenizer());
        Assert.Equal(["", "", "", "👍", "a"], new[] { 0xF0, 0x9F, 0x91, 0x8D, 'a' }.Select(decoder.Append));
        Assert.Equal("", decoder.Append(0xE4));
        Assert.Equal("\uFFFD", decoder.Finish());
        Assert.Equal("b", decoder.Append('b'));
    }

    private static IEnumerable<string> Learned(ByteLevelBpe bpe) => Enumerable.Range(Bytes, bpe.Merges.Count).Select(id => Encoding.UTF8.GetString(bpe.BytesOf(id)));

    private static List<Merge> Merges(ByteLevelBpe bpe) => [.. Enumerable.Range(0, bpe.Merges.Count).Select(rank => bpe.Merges[rank])];

    private sealed class Told : IProgress<BpeProgress>
    {
        public List<BpeProgress> All { get; } = [];

        public void Report(BpeProgress value) => All.Add(value);
    }
}
