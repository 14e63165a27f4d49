namespace Flambeau.Bench.Suites;

/// <summary>PyTorch's own figures on this machine, a row for each face: what there is to beat.</summary>
internal sealed class PeerSuite : ISuite
{
    private const double MegaElements = 1 << 20;

    public string Name => "peer";

    public IEnumerable<Case> Cases(Options options) => [.. Small(), .. Streams(), .. Products(), .. Whole()];

    private static IEnumerable<Case> Small() =>
    [
        new("add 4x4", Unit.Nanoseconds) { Peer = Case.Torch("eager.add_tiny") },
        new("add 4x4 out=", Unit.Nanoseconds) { Peer = Case.Torch("eager.add_tiny_out") },
        new("add + backward", Unit.Nanoseconds) { Peer = Case.Torch("eager.add_backward") },
        new("MLP forward", Unit.Microseconds) { Peer = Case.Torch("eager.mlp_forward") },
        new("MLP forward, backward", Unit.Microseconds) { Peer = Case.Torch("eager.mlp_backward") },
        new("MLP Adam step", Unit.StepsPerSecond) { Peer = Case.Torch("eager.mlp_adam") },
    ];

    private static IEnumerable<Case> Streams() =>
        from name in (string[])["add", "silu", "gelu", "exp", "softmax", "sum"]
        from suffix in (string[])["", "_out"]
        from millions in (int[])[1, 32]
        let touched = name switch { "add" => 3, "sum" => 1, _ => 2 }
        select new Case($"{name}{(suffix == "" ? "" : " out=")} {millions}M", Unit.GigabytesPerSecond)
        {
            Work = millions * MegaElements * sizeof(float) * touched,
            Peer = Case.Torch($"eager.{name}{suffix}", new { size = (long)(millions * MegaElements) }),
        };

    private static IEnumerable<Case> Products() =>
        from dtype in (string[])["float32", "float64"]
        from n in (long[])[512, 1024, 2048]
        select new Case($"mm {n}", Unit.GigaflopsPerSecond)
        {
            DType = dtype,
            Work = 2.0 * n * n * n,
            Peer = Case.Torch("gemm.mm", new { m = n, n, k = n }),
        };

    private static IEnumerable<Case> Whole() =>
    [
        new("GPT 6x384 step", Unit.TokensPerSecond) { Work = 16 * 256, Peer = Case.Torch("train.gpt") },
        new("Llama 6x384 step", Unit.TokensPerSecond) { Work = 16 * 256, Peer = Case.Torch("train.llama") },
        new("MLP 1M undisposed, 200 steps", Unit.Megabytes) { Peer = Case.FreshTorch("memory.mlp_undisposed", new { steps = 200 }) },
        new("GPT 6x384 peak", Unit.Megabytes) { Peer = Case.FreshTorch("memory.gpt_peak") },
        new("start, add, end", Unit.Milliseconds) { Peer = question => TorchProcess.TimeOnce(question.Process.Face) },
    ];
}
