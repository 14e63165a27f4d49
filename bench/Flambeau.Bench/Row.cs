using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Flambeau.Bench;

/// <summary>One line of results.</summary>
/// <param name="Ours">Our median; null where only the peer was measured.</param>
/// <param name="Peer">The peer's median under <paramref name="Face"/>.</param>
/// <param name="Limit">What the machine could do at most, where known.</param>
/// <param name="Error">Why there are no figures, where there are none.</param>
internal sealed record Row(
    string Suite, string Case, int Threads, string DType, Unit Unit, double? Ours, double? Peer, string? Face, double? Limit, string? Error = null)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Above 1 ours is ahead.</summary>
    public double? Ratio => Ours is { } ours && Peer is { } peer ? Unit.Ratio(ours, peer) : null;

    /// <summary>How much of the limit we reach; the peer's share where ours was not measured.</summary>
    public double? Share => Limit is { } limit && (Ours ?? Peer) is { } figure ? Unit.Ratio(figure, limit) : null;

    public string ToJson() => Error is not null
        ? JsonSerializer.Serialize(new { suite = Suite, @case = Case, threads = Threads, dtype = DType, error = Error }, Readable)
        : JsonSerializer.Serialize(new
        {
            suite = Suite, @case = Case, threads = Threads, dtype = DType, unit = Unit.Name,
            ours = Ours, peer = Peer, face = Face, ratio = Ratio, limit = Limit, share = Share,
        }, Readable);

    /// <summary>A row from a line that <see cref="ToJson"/> wrote.</summary>
    public static Row FromJson(string line)
    {
        var fields = JsonNode.Parse(line)!.AsObject();
        string Text(string name) => fields[name]!.GetValue<string>();
        double? Figure(string name) => fields[name]?.GetValue<double>();
        var error = fields["error"]?.GetValue<string>();
        var unit = error is null ? Unit.Named(Text("unit")) : Unit.Nanoseconds;
        return new(Text("suite"), Text("case"), fields["threads"]!.GetValue<int>(), Text("dtype"), unit, Figure("ours"), Figure("peer"), fields["face"]?.GetValue<string>(), Figure("limit"), error);
    }

    public string OursText => Figure(Ours);
    public string PeerText => Error ?? Figure(Peer);
    public string RatioText => Text(Ratio, "0.00");
    public string ShareText => Text(Share, "0 %");

    public static string Header =>
        $"{"case",-34} {"dtype",-9} {"thr",3} {"ours",12} {"PyTorch",12} {"unit",-9} {"face",-8} {"ratio",6} {"share",6}";

    public override string ToString() => Error is not null
        ? $"{Case,-34} {DType,-9} {Threads,3} {Error}"
        : $"{Case,-34} {DType,-9} {Threads,3} {OursText,12} {PeerText,12} {Unit.Name,-9} {Face,-8} {RatioText,6} {ShareText,6}";

    private static string Figure(double? value) => Text(value, value is >= 100 or <= -100 ? "#,0" : "0.00");
    private static string Text(double? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "";
}
