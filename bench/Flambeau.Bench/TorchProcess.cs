using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flambeau.Bench;

/// <summary>PyTorch in a process of its own, asked one thing at a time. Not for several threads.</summary>
internal sealed class TorchProcess : IDisposable
{
    private readonly Process _process;

    public TorchProcess(Face face)
    {
        Face = face;
        var information = Describe(face, []);
        (information.RedirectStandardInput, information.RedirectStandardOutput) = (true, true);
        _process = Process.Start(information)!;
    }

    public Face Face { get; }

    /// <summary>Why there is no peer to start; null where there is one.</summary>
    public static string? WhyNot =>
        File.Exists(Program) ? null : $"the peer is not built (there is no {Program}); build bench/Flambeau.Bench without -p:Torch=false";

    /// <summary>Measures a case of the peer; nanoseconds a call or bytes, as the case defines.</summary>
    /// <param name="parameters">An object whose properties become fields of the request; null for none.</param>
    /// <exception cref="PeerException">The peer refused or died.</exception>
    public double Measure(string @case, int threads, string dtype, double seconds, object? parameters = null)
    {
        var request = JsonSerializer.SerializeToNode(parameters ?? new { })!.AsObject();
        (request["case"], request["threads"], request["dtype"], request["seconds"]) = (@case, threads, dtype, seconds);
        return Ask(request)["median"]!.GetValue<double>();
    }

    /// <summary>The peer's whole reply to a request.</summary>
    /// <exception cref="PeerException">The peer refused or died.</exception>
    public JsonObject Ask(JsonObject request)
    {
        try { _process.StandardInput.WriteLine(request.ToJsonString()); }
        catch (IOException) { throw Died(request); }

        var reply = JsonNode.Parse(_process.StandardOutput.ReadLine() ?? throw Died(request))!.AsObject();
        return reply["error"] is { } error ? throw new PeerException(error.GetValue<string>()) : reply;
    }

    /// <summary>Nanoseconds from the start to the end of a whole process that computes one small thing.</summary>
    public static double TimeOnce(Face face, string what = "add") => WholeProcess.Time(Describe(face, ["--once", what]));

    /// <summary>Nanoseconds of the first four training steps of the GPT in a new process.</summary>
    public static double[] StepsOnce(Face face) => WholeProcess.Numbers(Describe(face, ["--once", "steps"]));

    /// <summary>Lets the peer end by closing its input.</summary>
    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10))) _process.Kill();
        _process.Dispose();
    }

    private static ProcessStartInfo Describe(Face face, IEnumerable<string> arguments)
    {
        var information = new ProcessStartInfo(Program, [.. face.Arguments, .. arguments]);
        foreach (var (name, value) in face.Environment) information.Environment[name] = value;
        return information;
    }

    private static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory,
        typeof(TorchProcess).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "TorchProgram").Value!));

    private PeerException Died(JsonObject request) =>
        new($"The {Face.Name} peer ended during {request["case"]}{(_process.WaitForExit(2000) ? $" with exit code {_process.ExitCode}" : "")}; its standard error is above.");
}

/// <summary>The peer could not measure: the message says what it said.</summary>
internal sealed class PeerException(string message) : Exception(message);
