using System.Diagnostics;
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
    public static double[] Ask(bool server, params string[] arguments) => Ask([("DOTNET_gcServer", server ? "1" : "0")], arguments);

    /// <inheritdoc cref="Ask(bool, string[])"/>
    public static double[] Ask((string Name, string Value)[] environment, params string[] arguments)
    {
        var information = new ProcessStartInfo(Program, arguments);
        foreach (var (name, value) in environment) information.Environment[name] = value;
        return WholeProcess.Numbers(information);
    }

    private static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory,
        typeof(FreshProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "FreshProgram").Value!));
}
