using System.Diagnostics;

namespace Flambeau.Bench;

/// <summary>Times a program from its start to its end: what a user of a command feels.</summary>
internal static class WholeProcess
{
    /// <summary>Nanoseconds. The program's output is read and thrown away.</summary>
    /// <exception cref="InvalidOperationException">It ended with an error.</exception>
    public static double Time(ProcessStartInfo information)
    {
        information.RedirectStandardOutput = true;
        var start = Stopwatch.GetTimestamp();
        using var process = Process.Start(information)!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var time = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{information.FileName} {string.Join(' ', information.ArgumentList)} ended with {process.ExitCode}.");
        return time;
    }
}
