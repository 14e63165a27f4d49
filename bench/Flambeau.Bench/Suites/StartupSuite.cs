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
        new("GPT 6x384, first step", Unit.Milliseconds) { Ours = Measured(() => Steps()[1]) },
        new("GPT 6x384, fourth step", Unit.Milliseconds) { Ours = Measured(() => Steps()[4]) },
        .. from op in (string[])["silu", "gelu", "gelu backward"]
           from call in (string[])["first", "second", "thousandth"]
           select new Case($"cold {op} 4,096, {call} call", Unit.Microseconds)
           {
               Ours = Measured(() => FreshProcess.Ask(server: false, "cold", op)[call switch { "first" => 0, "second" => 1, _ => 2 }]),
           },
    ];

    private static double[] Steps() => FreshProcess.Ask(server: false, "steps", "4");

    private static Func<Func<double, double>> Measured(Func<double> measure) => () => _ => measure();

    // this program's own folder holds every assembly of the library, its own programs beside them
    private static double LibraryBytes() => Directory.EnumerateFiles(AppContext.BaseDirectory, "Flambeau*.dll")
        .Where(file => !Path.GetFileName(file).StartsWith("Flambeau.Bench", StringComparison.Ordinal)).Sum(file => new FileInfo(file).Length);
}
