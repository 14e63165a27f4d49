using System.Diagnostics;
using System.Globalization;

namespace Flambeau.Bench;

/// <summary>Runs a program from its start to its end: what a user of a command feels.</summary>
internal static class WholeProcess
{
    /// <summary>Nanoseconds. The program's output is read and thrown away.</summary>
    /// <exception cref="InvalidOperationException">It ended with an error.</exception>
    public static double Time(ProcessStartInfo information)
    {
        var start = Stopwatch.GetTimestamp();
        Output(information);
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds;
    }

    /// <summary>The numbers that a program prints in a line.</summary>
    /// <exception cref="InvalidOperationException">It ended with an error.</exception>
    public static double[] Numbers(ProcessStartInfo information) => [.. Output(information).Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture))];

    private static string Output(ProcessStartInfo information)
    {
        information.RedirectStandardOutput = true;
        using var process = Process.Start(information)!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{information.FileName} {string.Join(' ', information.ArgumentList)} ended with {process.ExitCode}.");
    }
}
