using System.CommandLine;
using System.Diagnostics;
using Flambeau.Ops;

namespace Flambeau.Cli;

/// <summary><c>flambeau explain OP</c>: what a composite becomes.</summary>
internal static class ExplainCommand
{
    const string All = "all", Listing = "DOTNET_JitStdOutFile";

    public static Command Create()
    {
        var name = new Argument<string>("operator") { Description = $"An operator of the table, by Flambeau's or PyTorch's name: Softmax, layer_norm; or '{All}'." };
        var assembly = new Option<bool>("--assembly") { Description = "Prints the machine code of the loops instead, as the just-in-time compiler lists it." };
        var command = new Command("explain", "Prints the graphs of a composite's samples and the passes over rows that they run as.") { name, assembly };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(name), parsed.GetValue(assembly)));
        return command;
    }

    static int Run(string name, bool assembly)
    {
        var rows = OperatorTable.All.Where(r => name == All || string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase) || r.TorchName == name).ToList();
        if (rows.Count == 0) throw new FlambeauException($"explain: there is no operator '{name}'; `flambeau ops` lists them");
        if (assembly && Environment.GetEnvironmentVariable(Listing) is null) return List(name);
        foreach (var row in rows)
            foreach (var sample in row.Samples)
                if (assembly) Call(sample, backward: true);
                else Explain(row, sample);
        return 0;
    }

    static void Explain(OperatorRow row, Sample sample)
    {
        Console.WriteLine($"# {sample.Text}");
        var composites = Composite.Explain(() => Call(sample, backward: false));
        if (composites.Count == 0) Console.WriteLine($"{row.Name} ({row.Kind}) runs as operators of their own: no composite inside");
        foreach (var text in composites) Console.WriteLine(text + "\n");
    }

    static void Call(Sample sample, bool backward)
    {
        var operands = sample.Operands(new Generator(0));
        foreach (var x in operands) if (x.DType.IsFloatingPoint) x.RequiresGrad = true;
        var y = sample.Call(operands);
        if (backward && y.RequiresGrad) y.Backward(Tensor.Ones(y.Shape, y.DType));
    }

    // the compiler lists what it makes in a process that was told so at its start
    static int List(string name)
    {
        string listing = Path.GetTempFileName();
        try
        {
            string program = Environment.ProcessPath!, library = typeof(ExplainCommand).Assembly.Location;
            string[] own = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [library] : [];
            var start = new ProcessStartInfo(program, [.. own, "explain", name, "--assembly"]);
            start.Environment["DOTNET_JitDisasm"] = "pass";
            start.Environment[Listing] = listing;
            using var process = Process.Start(start)!;
            process.WaitForExit();
            using var lines = File.OpenText(listing);
            while (lines.ReadLine() is { } line) Console.WriteLine(line);
            return process.ExitCode;
        }
        finally
        {
            File.Delete(listing);
        }
    }
}
