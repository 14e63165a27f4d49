namespace Flambeau.Runtime;

/// <summary>A draw of a generator: its key, and the number that is part of every counter.</summary>
internal readonly record struct Draw(ulong Seed, ulong Number);

/// <summary>
/// Philox 4×32-10, a counter-based generator: four words are a function of key and counter alone, so element i of a draw is the same whoever computes it
/// (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// </summary>
internal static class Philox
{
    public const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57;
    const uint W0 = 0x9E3779B9, W1 = 0xBB67AE85;

    public const int Rounds = 10;
    /// <summary>In a schedule: where the draw's number lies.</summary>
    public const int DrawWord = 2 * Rounds;
    /// <summary>Words of a schedule.</summary>
    public const int ScheduleWords = DrawWord + 2;

    /// <summary>The four words of counter (block, draw) under a key.</summary>
    public static (uint A, uint B, uint C, uint D) Block(ulong key, ulong draw, ulong block)
    {
        uint c0 = (uint)block, c1 = (uint)(block >> 32), c2 = (uint)draw, c3 = (uint)(draw >> 32);
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < Rounds; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += W0;
            k1 += W1;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>The 64 bits of element <paramref name="i"/> where each takes as many.</summary>
    public static ulong Long(Draw draw, long i)
    {
        var (a, b, c, d) = Block(draw.Seed, draw.Number, (ulong)i / 2);
        return (i & 1) == 0 ? a | (ulong)b << 32 : c | (ulong)d << 32;
    }

    /// <summary>What all blocks of a draw share: the two keys of each round, then the draw's number.</summary>
    public static unsafe void Schedule(Draw draw, uint* words)
    {
        uint k0 = (uint)draw.Seed, k1 = (uint)(draw.Seed >> 32);
        for (int round = 0; round < Rounds; round++, k0 += W0, k1 += W1) (words[2 * round], words[2 * round + 1]) = (k0, k1);
        (words[DrawWord], words[DrawWord + 1]) = ((uint)draw.Number, (uint)(draw.Number >> 32));
    }
}
