using System.CommandLine;
using System.Diagnostics;
using System.Runtime;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Flambeau.Models.Data;
using Spectre.Console;

namespace Flambeau.Cli;

/// <summary><c>flambeau doctor</c>: what machine this is, and what slows it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var command = new Command("doctor", "Says what machine Flambeau sees and what slows it.");
        command.SetAction(_ => Run());
        return command;
    }

    static int Run()
    {
        Row("runtime", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}");
        Row("processor", Processor());
        Row("vectors", Vectors());
        Row("threads", $"{Settings.Threads} of {Environment.ProcessorCount} logical processors");
        var memory = GC.GetGCMemoryInfo();
        Row("memory", $"{memory.TotalAvailableMemoryBytes / (1L << 30)} GB available to the process");
        Row("collector", $"{(GCSettings.IsServerGC ? "server" : "workstation")}, latency mode {GCSettings.LatencyMode}");
        Row("products", $"{Gigaflops():F0} GFLOP/s in a float32 product of 1024 × 1024");
        Row("text", Corpus());
        var slow = Complaints().ToList();
        foreach (string complaint in slow) AnsiConsole.MarkupLine($"[yellow]slow[/]  {Markup.Escape(complaint)}");
        if (slow.Count == 0) AnsiConsole.MarkupLine("[green]Nothing in sight slows this machine.[/]");
        return 0;
    }

    static void Row(string name, string value) => AnsiConsole.MarkupLine($"[grey]{name,-10}[/] {Markup.Escape(value)}");

    static string Processor()
    {
        const string file = "/proc/cpuinfo";
        string? name = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[^1].Trim() : null;
        return name ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "unknown";
    }

    static string Vectors()
    {
        string width = Vector512.IsHardwareAccelerated ? "512 bits" : Vector256.IsHardwareAccelerated ? "256 bits" : Vector128.IsHardwareAccelerated ? "128 bits" : "none";
        var sets = new List<string>();
        if (Avx2.IsSupported) sets.Add("AVX2");
        if (Fma.IsSupported) sets.Add("FMA");
        if (Avx512F.IsSupported) sets.Add("AVX-512");
        if (System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported) sets.Add("AdvSimd");
        return $"{width} ({string.Join(", ", sets)})";
    }

    static double Gigaflops()
    {
        const int n = 1024;
        Tensor a = Tensor.Ones(n, n), b = Tensor.Ones(n, n);
        _ = a.MatMul(b);
        double best = double.PositiveInfinity;
        for (int i = 0; i < 3; i++)
        {
            var clock = Stopwatch.StartNew();
            _ = a.MatMul(b);
            best = Math.Min(best, clock.Elapsed.TotalSeconds);
        }
        return 2.0 * n * n * n / best / 1e9;
    }

    static string Corpus()
    {
        try
        {
            var corpus = ReferenceCorpus.Load();
            return $"{corpus.Lines.Count:N0} lines from {corpus.Source}";
        }
        catch (Exception e) when (e is IOException or InvalidDataException) { return $"no default text: {e.Message}"; }
    }

    static IEnumerable<string> Complaints()
    {
        if (!Vector256.IsHardwareAccelerated && RuntimeInformation.ProcessArchitecture == Architecture.X64)
            yield return "the processor has no AVX2, or it is switched off (DOTNET_EnableAVX2): kernels use half the width";
        if (RuntimeInformation.ProcessArchitecture == Architecture.X64 && !Fma.IsSupported)
            yield return "the processor has no fused multiply-add: it is emulated, ten to a hundred times slower";
        if (Environment.GetEnvironmentVariable("DOTNET_TieredCompilation") == "0") yield return "DOTNET_TieredCompilation=0 makes the start slower";
        if (Environment.GetEnvironmentVariable("DOTNET_ReadyToRun") == "0") yield return "DOTNET_ReadyToRun=0 makes the start slower";
        if (Debugger.IsAttached) yield return "a debugger is attached";
        if (LoadAverage() is { } load && load > Environment.ProcessorCount) yield return $"other work keeps the processors busy (load {load:F1} on {Environment.ProcessorCount})";
    }

    static double? LoadAverage() => File.Exists("/proc/loadavg") && double.TryParse(File.ReadAllText("/proc/loadavg").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture, out double load) ? load : null;
}
