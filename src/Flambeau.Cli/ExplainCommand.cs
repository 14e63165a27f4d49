using System.CommandLine;
using Flambeau.Ops;

namespace Flambeau.Cli;

/// <summary><c>flambeau explain OP</c>: what a composite becomes.</summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("operator") { Description = "An operator of the table, by Flambeau's or PyTorch's name: Softmax, layer_norm." };
        var command = new Command("explain", "Prints the graphs of a composite's samples and the passes over rows that they run as.") { name };
        command.SetAction(parsed => Run(parsed.GetRequiredValue(name)));
        return command;
    }

    static int Run(string name)
    {
        var row = OperatorTable.All.FirstOrDefault(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase) || r.TorchName == name)
            ?? throw new FlambeauException($"explain: there is no operator '{name}'; `flambeau ops` lists them");
        foreach (var sample in row.Samples)
        {
            Console.WriteLine($"# {sample.Text}");
            var composites = Composite.Explain(() =>
            {
                var operands = sample.Operands(new Generator(0));
                foreach (var x in operands) if (x.DType.IsFloatingPoint) x.RequiresGrad = true;
                sample.Call(operands);
            });
            if (composites.Count == 0) Console.WriteLine($"{row.Name} ({row.Kind}) runs as operators of their own: no composite inside");
            foreach (var text in composites) Console.WriteLine(text + "\n");
        }
        return 0;
    }
}
