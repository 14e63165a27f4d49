using System.Text.Json;
using Flambeau.Diagnostics;
using Flambeau.Models.Training;
using Flambeau.Optim;

namespace Flambeau.Tests.Diagnostics;

/// <summary>The trace is read back by the runtime's own parser and held against the events, and against the format's rule that events of a thread nest.</summary>
[Collection(nameof(ProfileTests))]
public class TraceTests
{
    sealed record Complete(string Name, string Category, int Thread, decimal Start, decimal End, JsonElement Arguments);

    static List<Complete> Read(Stream stream)
    {
        var root = JsonDocument.Parse(stream).RootElement;
        return
        [
            .. root.GetProperty("traceEvents").EnumerateArray().Where(e => e.GetProperty("ph").GetString() == "X").Select(e => new Complete(
                e.GetProperty("name").GetString()!, e.GetProperty("cat").GetString()!, e.GetProperty("tid").GetInt32(),
                e.GetProperty("ts").GetDecimal(), e.GetProperty("ts").GetDecimal() + e.GetProperty("dur").GetDecimal(), e.GetProperty("args"))),
        ];
    }

    static List<Complete> TraceOf(Profile profile)
    {
        var stream = new MemoryStream();
        profile.WriteTrace(stream);
        stream.Position = 0;
        return Read(stream);
    }

    // any two events of a thread are apart, or one holds the other
    static void AssertNests(IEnumerable<Complete> trace)
    {
        foreach (var thread in trace.GroupBy(e => e.Thread))
        {
            var open = new Stack<Complete>();
            foreach (var e in thread.OrderBy(e => e.Start).ThenByDescending(e => e.End))
            {
                while (open.TryPeek(out var before) && before.End <= e.Start && before.End < e.End) open.Pop();
                Assert.True(!open.TryPeek(out var around) || e.End <= around.End, $"{e.Name} ends after {(open.Count > 0 ? open.Peek().Name : "")}, in which it begins");
                open.Push(e);
            }
        }
    }

    static void Step(Tensor w, Tensor x, Optimizer optimizer)
    {
        using var _ = Profile.Range("a \"quoted\" step");
        x.MatMul(w).Softmax(-1).Square().Sum().Backward();
        optimizer.Step();
    }

    [Fact]
    public void The_trace_holds_every_event_nested_and_with_its_arguments()
    {
        var generator = new Generator(1);
        Tensor w = Tensor.RandN([3, 7], generator: generator).RequiresGrad_(), x = Tensor.RandN([5, 3], generator: generator);
        using var profile = Profile.Start();
        for (int i = 0; i < 5; i++) Step(w, x, new AdamW([w]));
        var other = new Thread(() => _ = x + x);
        other.Start();
        other.Join();
        profile.Stop();
        var trace = TraceOf(profile);
        Assert.Equal(profile.Events.Select(e => (e.Name, e.Thread)), trace.Select(e => (e.Name, e.Thread)));
        Assert.Equal(2, trace.Select(e => e.Thread).Distinct().Count());
        AssertNests(trace);
        Assert.All(profile.Events.Zip(trace), pair => Assert.InRange(pair.Second.Start - (decimal)pair.First.Start.TotalMicroseconds, -0.2m, 0.2m));
        var product = trace.First(e => e.Name == "MatMul");
        Assert.Equal("operator", product.Category);
        Assert.Equal(["float32[5, 3]", "float32[3, 7]"], product.Arguments.GetProperty("operands").EnumerateArray().Select(o => o.GetString()!));
        Assert.Equal("float32[5, 7]", product.Arguments.GetProperty("result").GetString());
        Assert.Equal(2 * 5 * 3 * 7, product.Arguments.GetProperty("flops").GetInt64());
    }

    [Fact]
    public void An_empty_profile_writes_an_empty_trace()
    {
        using var profile = Profile.Start();
        Assert.Empty(TraceOf(profile));
    }

    [Fact]
    public async Task Training_by_the_tool_writes_a_trace_of_steps_and_their_parts()
    {
        string folder = Directory.CreateTempSubdirectory("flambeau").FullName, text = Path.Combine(folder, "text.txt"), run = Path.Combine(folder, "run");
        File.WriteAllLines(text, Enumerable.Range(0, 300).Select(i => $"the value of line {i} is {i * i % 97} and that of the next one is not"));
        var output = Console.Out;
        var shown = new StringWriter();
        Console.SetOut(shown);
        try { Assert.Equal(0, await Cli.Entry.Run(["train", "--data", text, "--tokenizer", "bytes", "--preset", "tiny", "--steps", "2", "--profile", "--out", run])); }
        finally { Console.SetOut(output); }
        var folders = new RunFolder(run);
        using var file = File.OpenRead(folders.Trace);
        var trace = Read(file);
        AssertNests(trace);
        var steps = trace.Where(e => e.Name == "step").ToList();
        Assert.Equal(2, steps.Count);
        foreach (var step in steps)
            foreach (string part in new[] { "data", "forward", "backward", "optimizer" })
                Assert.Single(trace, e => e.Category == "range" && e.Name == part && e.Start >= step.Start && e.End <= step.End);
        Assert.Contains("accounted", shown.ToString());
        Directory.Delete(folder, true);
    }
}
