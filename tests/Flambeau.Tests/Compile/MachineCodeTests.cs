using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;

namespace Flambeau.Tests.Compile;

/// <summary>What the just-in-time compiler makes of the emitted loops of every composite's samples, forward and backward.</summary>
public partial class MachineCodeTests
{
    /// <param name="wide">Whether 512-bit vectors may be used where there are any.</param>
    [Theory, InlineData(true), InlineData(false)]
    public void No_loop_calls_or_puts_a_vector_on_the_stack(bool wide)
    {
        Assert.SkipUnless(Avx2.IsSupported && Fma.IsSupported, "needs AVX2 and FMA");
        var loops = Listing(wide).SelectMany(Loops).ToList();
        Assert.True(loops.Count > 200, $"{loops.Count} loops");
        foreach (var loop in loops)
            Assert.DoesNotContain(loop, line => Call.IsMatch(line) || Spill.IsMatch(line));
    }

    static IEnumerable<string[]> Listing(bool wide)
    {
        string host = Environment.ProcessPath is { } p && Path.GetFileNameWithoutExtension(p) == "dotnet" ? p : "dotnet";
        var start = new ProcessStartInfo(host, [Path.Combine(AppContext.BaseDirectory, "Flambeau.Cli.dll"), "explain", "all", "--assembly"]) { RedirectStandardOutput = true };
        if (!wide) start.Environment["DOTNET_EnableAVX512"] = "0";
        using var process = Process.Start(start)!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return text.Split("; Assembly listing for method ").Skip(1).Select(m => m.Split('\n'));
    }

    // from the target of every jump backward to the jump
    static IEnumerable<string[]> Loops(string[] method)
    {
        var labels = new Dictionary<string, int>();
        for (int i = 0; i < method.Length; i++)
        {
            if (Label.Match(method[i]) is { Success: true } label) labels[label.Groups[1].Value] = i;
            if (Jump.Match(method[i]) is { Success: true } jump && labels.TryGetValue(jump.Groups[1].Value, out int target)) yield return method[target..(i + 1)];
        }
    }

    [GeneratedRegex(@"^(G_M\w+_IG\d+):")] private static partial Regex Label { get; }
    [GeneratedRegex(@"\bj\w+\s+(?:SHORT )?(G_M\w+_IG\d+)")] private static partial Regex Jump { get; }
    [GeneratedRegex(@"\bcall\b")] private static partial Regex Call { get; }
    [GeneratedRegex(@"\bv?mov\w*\s+[xyz]mmword ptr \[r[bs]p")] private static partial Regex Spill { get; }
}
