using Flambeau.Runtime;

namespace Flambeau.Tests.Runtime;

/// <summary>Random numbers are the published generator's, and a function of seed, draw and place alone.</summary>
[Collection("Team")]
public class PhiloxTests
{
    // the known answers that the authors publish beside the paper (Random123, kat_vectors, philox4x32 with 10 rounds): counter, key, result
    [Theory]
    [InlineData(0x00000000u, 0x00000000u, 0x00000000u, 0x00000000u, 0x00000000u, 0x00000000u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void A_block_is_the_published_one(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint a, uint b, uint c, uint d) =>
        Assert.Equal((a, b, c, d), Philox.Block(k0 | (ulong)k1 << 32, c2 | (ulong)c3 << 32, c0 | (ulong)c1 << 32));

    static ulong Word(ulong seed, ulong draw, int i)
    {
        var (a, b, c, d) = Philox.Block(seed, draw, (ulong)i / 2);
        return i % 2 == 0 ? a | (ulong)b << 32 : c | (ulong)d << 32;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Element_i_of_a_draw_is_made_of_the_words_of_its_counter(int threads)
    {
        int before = Team.Threads;
        Team.Threads = threads;
        try
        {
            const int n = 9001; // parts of 4096
            var generator = new Generator(77);
            float[] singles = Tensor.Rand([n], generator: generator).ToArray<float>();
            double[] doubles = Tensor.Rand([n], DType.Float64, generator).ToArray<double>();
            long[] wholes = Tensor.RandInt(-5, 95, [n], generator: generator).ToArray<long>();
            for (int i = 0; i < n; i++)
            {
                var (a, b, c, d) = Philox.Block(77, 0, (ulong)i / 4);
                Assert.Equal((new[] { a, b, c, d }[i % 4] >> 8) / 16777216f, singles[i]);
                Assert.Equal((Word(77, 1, i) >> 11) / 9007199254740992.0, doubles[i]);
                Assert.Equal((long)((UInt128)Word(77, 2, i) * 100 >> 64) - 5, wholes[i]);
            }
            Assert.Equal((77ul, 3ul), generator.State);
        }
        finally { Team.Threads = before; }
    }

    [Fact]
    public void Uniform_and_normal_numbers_have_their_moments_and_draws_differ()
    {
        var generator = new Generator(5);
        double[] uniform = Tensor.Rand([100_000], generator: generator).ToArray<double>(), normal = Tensor.RandN([100_000], generator: generator).ToArray<double>();
        Assert.All(uniform, v => Assert.InRange(v, 0, 0.99999999));
        Assert.Equal(0.5, uniform.Average(), 0.005);
        Assert.Equal(1.0 / 12, uniform.Average(v => (v - 0.5) * (v - 0.5)), 0.002);
        Assert.Equal(0, normal.Average(), 0.015);
        Assert.Equal(1, normal.Average(v => v * v), 0.025);
        Assert.Equal(3, normal.Average(v => v * v * v * v), 0.2);
        Assert.Equal(0.6827, normal.Count(v => Math.Abs(v) < 1) / 100_000.0, 0.008);
        Assert.NotEqual(uniform, Tensor.Rand([100_000], generator: generator).ToArray<double>());
    }
}
