namespace Flambeau.Bench.Fresh;

/// <summary>One small computation, the same as the peer's.</summary>
internal static class Once
{
    public static void Add()
    {
        var x = Tensor.Ones(4, 4);
        Console.WriteLine((x + x).Sum().Item<float>());
    }
}
