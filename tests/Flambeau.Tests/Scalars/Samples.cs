namespace Flambeau.Tests.Scalars;

/// <summary>Inputs of every size: the edges, then every exponent with random mantissas and signs.</summary>
internal static class Samples
{
    public const int Seed = 20_260;

    public static float[] Float32(int perExponent)
    {
        var random = new Random(Seed);
        List<float> list = [];
        uint[] edges = [0, 1, 2, 0x007FFFFF, 0x00800000, 0x00800001, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3F000000, 0x3EFFFFFF, 0x3F000001, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7F800001];
        foreach (uint bits in edges)
        {
            list.Add(BitConverter.UInt32BitsToSingle(bits));
            list.Add(BitConverter.UInt32BitsToSingle(bits | 0x80000000));
        }
        // The points where results overflow, underflow or saturate, and their neighbours.
        foreach (float x in new[] { 88.72284f, 89.4159851f, -87.33655f, -103.97208f, 127.99999f, -149f, -150f, 9.0109f, 17.32868f, 3.9192059f, 10.05419f, 32768f, MathF.PI, MathF.PI / 2, 1e5f, 1.4142135f, 0.70710677f })
        {
            float y = x;
            for (int i = 0; i < 3; i++) y = MathF.BitDecrement(y);
            for (int i = 0; i < 7; i++, y = MathF.BitIncrement(y)) list.AddRange([y, -y]);
        }
        for (uint exponent = 0; exponent < 255; exponent++)
            for (int i = 0; i < perExponent; i++)
                list.Add(BitConverter.UInt32BitsToSingle(exponent << 23 | (uint)random.Next(1 << 23) | (uint)random.Next(2) << 31));
        return [.. list];
    }

    /// <summary>Doubles with exponents in [<paramref name="low"/>, <paramref name="high"/>], both signs, with all mantissas alike.</summary>
    public static double[] Float64(int count, int low, int high)
    {
        var random = new Random(Seed);
        var list = new double[count];
        for (int i = 0; i < count; i++)
            list[i] = Math.ScaleB(1 + random.NextDouble(), random.Next(low, high + 1)) * (random.Next(2) == 0 ? 1 : -1);
        return list;
    }

    /// <summary>|y − truth| in units of the last place of the truth's float32 binade; beyond the range, ∞ stands for 2¹²⁸.</summary>
    public static double UlpsOfFloat32(float y, double truth)
    {
        if (y == truth || (float.IsNaN(y) && double.IsNaN(truth))) return 0;
        if (float.IsNaN(y) || double.IsNaN(truth)) return double.PositiveInfinity;
        const double top = 3.4028236692093846e38;
        double value = Math.Clamp(y, -top, top);
        truth = Math.Clamp(truth, -top, top);
        int exponent = truth == 0 ? -126 : Math.Clamp(Math.ILogB(truth), -126, 127);
        return Math.Abs(value - truth) / Math.ScaleB(1, exponent - 23);
    }
}
