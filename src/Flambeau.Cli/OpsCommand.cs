using System.CommandLine;
using Flambeau.Ops;
using Spectre.Console;

namespace Flambeau.Cli;

/// <summary><c>flambeau ops</c>: the operator table.</summary>
internal static class OpsCommand
{
    public static Command Create()
    {
        var command = new Command("ops", "Prints the operator table and the number of operators of each kind.");
        command.SetAction(_ => Run());
        return command;
    }

    static int Run()
    {
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumns("operator", "kind", "PyTorch");
        foreach (var row in OperatorTable.All.OrderBy(r => r.Kind).ThenBy(r => r.Name, StringComparer.Ordinal))
            table.AddRow(Markup.Escape(row.Name), row.Kind.ToString(), Markup.Escape(row.TorchName));
        AnsiConsole.Write(table);
        foreach (var kind in OperatorTable.All.GroupBy(r => r.Kind).OrderBy(g => g.Key)) AnsiConsole.MarkupLine($"{kind.Key,-12} {kind.Count(),4}");
        AnsiConsole.MarkupLine($"{"together",-12} {OperatorTable.All.Count,4}");
        return 0;
    }
}
