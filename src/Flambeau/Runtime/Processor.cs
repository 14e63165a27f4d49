namespace Flambeau.Runtime;

/// <summary>What the machine says about itself. Sizes steer blocking only, never the order of a sum.</summary>
internal static class Processor
{
    /// <summary>Physical cores this process may use.</summary>
    public static int Cores { get; } = Math.Max(1, Math.Min(Environment.ProcessorCount, PhysicalCores()));

    /// <summary>Bytes of first-level data cache a core has.</summary>
    public static long L1 { get; } = CacheSize(1, 32 << 10);
    /// <summary>Bytes of second-level cache a core has.</summary>
    public static long L2 { get; } = CacheSize(2, 512 << 10);
    /// <summary>Bytes of the last-level cache that the cores share.</summary>
    public static long L3 { get; } = CacheSize(3, 8 << 20);

    /// <summary>How many of this process's cores share a last-level cache.</summary>
    public static int L3Cores { get; } = Math.Clamp(Count(Read($"{Root}/cpu0/cache/index3/shared_cpu_list")) / Math.Max(1, Count(Read($"{Root}/cpu0/topology/thread_siblings_list"))), 1, Cores);

    const string Root = "/sys/devices/system/cpu";

    /// <summary>Linux lists each core's hardware threads; elsewhere every logical processor counts.</summary>
    static int PhysicalCores()
    {
        try
        {
            var cores = new HashSet<string>();
            foreach (string cpu in Directory.EnumerateDirectories(Root, "cpu*"))
                if (Read($"{cpu}/topology/thread_siblings_list") is { } siblings) cores.Add(siblings);
            return cores.Count == 0 ? Environment.ProcessorCount : cores.Count;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Environment.ProcessorCount;
        }
    }

    static long CacheSize(int level, long otherwise)
    {
        for (int i = 0; i < 8; i++)
        {
            string cache = $"{Root}/cpu0/cache/index{i}";
            if (Read($"{cache}/level") == $"{level}" && Read($"{cache}/type") is "Data" or "Unified" && Bytes(Read($"{cache}/size")) is > 0 and var size) return size;
        }
        return otherwise;
    }

    static long Bytes(string? size) => size is [.. var digits, 'K' or 'M' or 'G'] && long.TryParse(digits, out long n)
        ? n << (size[^1] switch { 'K' => 10, 'M' => 20, _ => 30 })
        : long.TryParse(size, out n) ? n : 0;

    /// <summary>How many processors a list such as <c>0-7,64-71</c> names.</summary>
    static int Count(string? list)
    {
        int count = 0;
        foreach (string range in (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = range.Split('-');
            if (int.TryParse(ends[0], out int first) && int.TryParse(ends[^1], out int last)) count += last - first + 1;
        }
        return count;
    }

    static string? Read(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
