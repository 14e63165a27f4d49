using System.CommandLine;
using Flambeau.Bench;
using Flambeau.Bench.Suites;

// dotnet run -c Release --project bench/Flambeau.Bench -- SUITE [--json] [--threads N] [--face FACE] [--filter TEXT] [--seconds S] [--rounds R] [--chart FILE]
// dotnet run -c Release --project bench/Flambeau.Bench -- document DOCUMENT FIGURES...
ISuite[] comparisons = [new EagerSuite(), new PointwiseSuite(), new RowsSuite(), new ReductionsSuite(), new OptimSuite(), new GemmSuite(), new AttentionSuite(), new TokensSuite(), new TrainSuite(), new StartupSuite(), new MemorySuite(), new StepsSuite(), new RuntimeSuite(), new InvarianceSuite(), new PeerSuite()];

// Suites that compare with something other than PyTorch.
var others = new Dictionary<string, Func<bool, int>> { ["ulp"] = UlpSuite.Run };

var suite = new Argument<string>("suite") { Description = "What to measure." };
suite.AcceptOnlyFromAmong([.. comparisons.Select(s => s.Name), .. others.Keys]);
var json = new Option<bool>("--json") { Description = "One JSON object a line instead of a table." };
var threads = new Option<int>("--threads") { Description = "Threads on both sides.", DefaultValueFactory = _ => Environment.ProcessorCount };
var face = new Option<string>("--face") { Description = "How PyTorch runs; best is the fastest of all in this run.", DefaultValueFactory = _ => "best" };
face.AcceptOnlyFromAmong(["best", .. Face.All.Select(f => f.Name)]);
var filter = new Option<string>("--filter") { Description = "Only cases whose name and dtype, as in mm 1024 bfloat16, contain this.", DefaultValueFactory = _ => "" };
var seconds = new Option<double>("--seconds") { Description = "Time for each measurement.", DefaultValueFactory = _ => 0.3 };
var rounds = new Option<int>("--rounds") { Description = "Measurements of each side, taken in turn.", DefaultValueFactory = _ => 3 };
var chart = new Option<string>("--chart") { Description = "An SVG file for a chart of the rows." };

var document = new Argument<FileInfo>("document") { Description = "The Markdown file." };
var figures = new Argument<FileInfo[]>("figures") { Description = "What suites printed with --json: SUITE.jsonl.", Arity = ArgumentArity.OneOrMore };
var write = new Command("document", "Puts charts and tables of figures into a document.") { document, figures };
write.SetAction(arguments => Document.Write(arguments.GetRequiredValue(document), arguments.GetRequiredValue(figures)));

var root = new RootCommand("Flambeau against PyTorch's own C++ library, measured in turn on this machine.") { suite, json, threads, face, filter, seconds, rounds, chart, write };
root.SetAction(arguments =>
{
    var name = arguments.GetRequiredValue(suite);
    if (others.TryGetValue(name, out var run)) return run(arguments.GetValue(json));
    var options = new Options(
        arguments.GetValue(json), arguments.GetValue(threads), arguments.GetValue(face)!, arguments.GetValue(filter)!,
        arguments.GetValue(seconds), arguments.GetValue(rounds), arguments.GetValue(chart));
    Flambeau.Settings.Threads = options.Threads;
    return Comparison.Run(comparisons.Single(s => s.Name == name), options);
});
return root.Parse(args).Invoke();
