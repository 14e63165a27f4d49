using Flambeau.Models.Tokenizers;
using Flambeau.Models.Training;

namespace Flambeau.Tests.Models;

public class TokenWindowsTests
{
    const int Context = 4;

    // all different: a window tells where it lies
    static TokenWindows Windows(int count) => new(new ByteTokenizer(), new string([.. Enumerable.Range(0, count * Context).Select(i => (char)(i % 128))]), Context, "a");

    static long[] Taken(TokenWindows windows, int number, int batch)
    {
        var all = Enumerable.Range(0, (int)windows.Count).ToDictionary(i => string.Join(' ', windows[i]), i => (long)i);
        return [.. windows.Spread(number, batch).SelectMany(b => b.Inputs.ToArray<int>().Chunk(Context).Zip(b.Targets.ToArray<int>().Chunk(Context), (x, y) => all[string.Join(' ', (int[])[.. x, y[^1]])]))];
    }

    [Theory]
    [InlineData(24, 8, 3)]
    [InlineData(25, 8, 8)]
    [InlineData(31, 30, 4)]
    [InlineData(9, 1, 2)]
    public void Spread_takes_one_window_of_each_equal_part_of_the_text(int count, int number, int batch)
    {
        var taken = Taken(Windows(count), number, batch);
        Assert.Equal(number, taken.Length);
        for (int i = 0; i < number; i++) Assert.InRange(taken[i], (long)Math.Floor((double)i * count / number), (long)Math.Ceiling((i + 1.0) * count / number) - 1);
        Assert.Equal(taken, Taken(Windows(count), number, batch + 1));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(500)]
    public void Spread_takes_every_window_once_if_there_are_no_more(int number) => Assert.Equal([0, 1, 2, 3, 4], Taken(Windows(5), number, 2));

    [Fact]
    public void Spread_makes_batches_no_larger_than_asked() =>
        Assert.Equal([3, 3, 1], Windows(24).Spread(7, 3).Select(b => b.Inputs.Shape[0]));

    [Fact]
    public void InOrder_has_every_token_after_the_first_as_a_target_once()
    {
        const string text = "a text of tokens, not whole windows";
        var tokenizer = new ByteTokenizer();
        var windows = new TokenWindows(tokenizer, text, Context, "a");
        Assert.NotEqual(0, (windows.Tokens - 1) % Context);
        Assert.Equal(text, tokenizer.Decode([.. windows.InOrder(3).SelectMany(b => b.Targets.ToArray<int>())]));
    }
}
