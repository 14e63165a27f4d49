using Flambeau.Runtime;

namespace Flambeau.Tests.Runtime;

public unsafe class StreamingTests
{
    // every place in a line on both sides, and every rest
    [Fact]
    public void Every_byte_is_copied_and_no_other_is_touched()
    {
        byte[] from = new byte[1024], to = new byte[1024];
        new Random(3).NextBytes(from);
        fixed (byte* p = from, q = to)
            for (int offset = 0; offset < 66; offset++)
                for (int length = 0; length < 400; length += 7)
                {
                    to.AsSpan().Fill(0xEE);
                    Streaming.Copy(p + offset / 3, q + 64 + offset, length);
                    Streaming.End();
                    Assert.True(from.AsSpan(offset / 3, length).SequenceEqual(to.AsSpan(64 + offset, length)));
                    Assert.False(to.AsSpan(0, 64 + offset).ContainsAnyExcept((byte)0xEE));
                    Assert.False(to.AsSpan(64 + offset + length).ContainsAnyExcept((byte)0xEE));
                }
    }

    [Fact]
    public void A_large_copy_has_the_same_values()
    {
        long n = 2 * Processor.L3 / sizeof(float) + 5;
        var x = Tensor.Arange(0, n, 1, DType.Float32);
        Assert.True(x[1..].Clone().Equal(x[1..]));
    }
}
