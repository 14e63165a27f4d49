namespace Flambeau.Bench;

/// <summary>This process's resident memory in bytes, as Linux counts it (proc(5), <c>/proc/self/status</c>).</summary>
internal static class Resident
{
    public static long Now => Read("VmRSS:");

    /// <summary>The most there ever was since the start or the last <see cref="ForgetPeak"/>.</summary>
    public static long Peak => Read("VmHWM:");

    public static void ForgetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    private static long Read(string field)
    {
        var line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(field, StringComparison.Ordinal));
        return long.Parse(line.AsSpan(field.Length, line.Length - field.Length - "kB".Length)) * 1024;
    }
}
