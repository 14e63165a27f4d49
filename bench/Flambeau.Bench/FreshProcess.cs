using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace Flambeau.Bench;

/// <summary>Flambeau in a new process (Flambeau.Bench.Fresh).</summary>
internal static class FreshProcess
{
    /// <summary>Where the program and all it needs lie.</summary>
    public static string Folder => Path.GetDirectoryName(Program)!;

    /// <summary>Nanoseconds from its start to its end.</summary>
    public static double Time(params string[] arguments) => WholeProcess.Time(new(Program, arguments));

    /// <summary>The numbers it prints.</summary>
    /// <exception cref="InvalidOperationException">It ended with an error.</exception>
    public static double[] Ask(bool server, params string[] arguments)
    {
        var information = new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true };
        information.Environment["DOTNET_gcServer"] = server ? "1" : "0";
        using var process = Process.Start(information)!;
        var text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{Program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
        return [.. text.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture))];
    }

    private static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory,
        typeof(FreshProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "FreshProgram").Value!));
}
