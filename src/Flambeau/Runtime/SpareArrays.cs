namespace Flambeau.Runtime;

/// <summary>
/// Managed arrays that a thread's backward pass has consumed, kept for its next results of the same length. Gradients of one step mostly have the sizes of the step before; without this,
/// their elements make up most of what the collector is asked for, and several callers wait for its collections together.
/// </summary>
internal static class SpareArrays
{
    /// <summary>In bytes: a shorter array costs less to make than to find.</summary>
    public const int Shortest = 512;
    const int Count = 16;

    [ThreadStatic] static byte[]?[]? t_spare;
    [ThreadStatic] static int t_oldest;

    /// <summary>An array of the length, of unspecified content.</summary>
    public static byte[] Take(int length)
    {
        if (length >= Shortest && t_spare is { } spare)
            for (int i = 0; i < Count; i++)
                if (spare[i] is { } array && array.Length == length)
                {
                    spare[i] = null;
                    return array;
                }
        return GC.AllocateUninitializedArray<byte>(length);
    }

    /// <summary>Keeps an array that nobody refers to, in the place of an empty or else the oldest entry.</summary>
    public static void Give(byte[] array)
    {
        if (array.Length < Shortest) return;
        var spare = t_spare ??= new byte[Count][];
        int place = Array.IndexOf(spare, null);
        if (place < 0) t_oldest = ((place = t_oldest) + 1) % Count;
        spare[place] = array;
    }
}
