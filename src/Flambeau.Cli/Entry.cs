using System.CommandLine;
using Spectre.Console;

namespace Flambeau.Cli;

/// <summary>The tool's commands.</summary>
public static class Entry
{
    /// <summary>Runs a command line; returns the process's exit code. Bad files and arguments are ordinary input: one clear message, no stack.</summary>
    public static async Task<int> Run(string[] arguments)
    {
        var root = new RootCommand("Flambeau: tensors, training and language models in C#, with no native dependency.")
        {
            TrainCommand.Create(), GenerateCommand.Create(), OpsCommand.Create(), ExplainCommand.Create(), DoctorCommand.Create(),
        };
        try
        {
            return await root.Parse(arguments).InvokeAsync(new() { EnableDefaultExceptionHandler = false });
        }
        catch (Exception e) when (e is FlambeauException or IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException or ArgumentException)
        {
            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }).MarkupLineInterpolated($"[red]error:[/] {e.Message}");
            return 1;
        }
    }
}
