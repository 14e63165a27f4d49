using System.CommandLine;
using Flambeau.Cli;
using Spectre.Console;

var root = new RootCommand("Flambeau: tensors, training and language models in C#, with no native dependency.")
{
    TrainCommand.Create(), GenerateCommand.Create(), DoctorCommand.Create(),
};
try
{
    return await root.Parse(args).InvokeAsync(new() { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is Flambeau.FlambeauException or IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException)
{
    // bad files and arguments are ordinary input: one clear message, no stack
    AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }).MarkupLineInterpolated($"[red]error:[/] {e.Message}");
    return 1;
}
