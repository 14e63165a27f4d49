namespace Flambeau.Bench.Suites;

/// <summary>What a young process costs: its start, the first calls of an operator, the size of what is loaded.</summary>
internal sealed class StartupSuite : ISuite
{
    public string Name => "startup";

    public IEnumerable<Case> Cases(Options options) =>
    [
        new("start, add, end", Unit.Milliseconds) { Ours = Measured(() => FreshProcess.Time("add")), Peer = question => TorchProcess.TimeOnce(question.Process.Face) },
        new("start, end: .NET alone", Unit.Milliseconds) { Ours = Measured(() => FreshProcess.Time("nothing")) },
        new("size of Flambeau*.dll", Unit.Megabytes) { Ours = Measured(LibraryBytes) },
        new("GPT 6x384 made, from the start of the process", Unit.Milliseconds) { Ours = Measured(() => Steps()[0]) },
        .. from step in (string[])["first", "fourth"]
           let at = step == "first" ? 0 : 3
           from part in (string[])["step", "forward", "backward", "update"]
           select new Case($"GPT 6x384, {step} {(part == "step" ? part : "step's " + part)}", Unit.Milliseconds)
           {
               Ours = Measured(() => part switch { "forward" => Steps()[1 + 3 * at], "backward" => Steps()[2 + 3 * at], "update" => Steps()[3 + 3 * at], _ => Steps().Skip(1 + 3 * at).Take(3).Sum() }),
               Peer = part == "step" ? question => TorchProcess.StepsOnce(question.Process.Face)[at] : null,
           },
        new("GPT 6x384, first step, TieredPGO off", Unit.Milliseconds) { Ours = Measured(() => Steps(("DOTNET_TieredPGO", "0")).Skip(1).Take(3).Sum()) },
        .. from op in (string[])["silu", "gelu", "gelu backward"]
           from call in (string[])["first", "second", "thousandth"]
           select new Case($"cold {op} 4,096, {call} call", Unit.Microseconds)
           {
               Ours = Measured(() => FreshProcess.Ask(server: false, "cold", op)[call switch { "first" => 0, "second" => 1, _ => 2 }]),
           },
    ];

    private static double[] Steps(params (string, string)[] environment) => FreshProcess.Ask(environment, "steps", "4");

    private static Func<Func<double, double>> Measured(Func<double> measure) => () => _ => measure();

    // this program's own folder holds every assembly of the library, its own programs beside them
    private static double LibraryBytes() => Directory.EnumerateFiles(AppContext.BaseDirectory, "Flambeau*.dll")
        .Where(file => !Path.GetFileName(file).StartsWith("Flambeau.Bench", StringComparison.Ordinal)).Sum(file => new FileInfo(file).Length);
}
