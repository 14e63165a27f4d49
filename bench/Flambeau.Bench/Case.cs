using System.Diagnostics;
using System.Text.Json;

namespace Flambeau.Bench;

/// <summary>One thing measured on both sides.</summary>
/// <param name="Name">As in the table; <c>--filter</c> matches it.</param>
/// <param name="Unit">What the figures are told in.</param>
internal sealed record Case(string Name, Unit Unit)
{
    public string DType { get; init; } = "float32";

    /// <summary>Operations, bytes or tokens in one call, for a rate.</summary>
    public double Work { get; init; } = 1;

    /// <summary>What this machine could do at most, in <see cref="Unit"/>, measured in this run; called once.</summary>
    public Func<double>? Limit { get; init; }

    /// <summary>Prepares our side, and gives a function from seconds to a raw figure. Null where only the peer is measured.</summary>
    public Func<Func<double, double>>? Ours { get; init; }

    /// <summary>The same by kernels that are free of the laws of docs/design/numerics.md, prepared and measured as our side, in turn with it; the fastest takes the limit's place.</summary>
    public IReadOnlyList<Func<Func<double, double>>> Free { get; init; } = [];

    /// <summary>The peer's raw figure. Null where there is nothing to compare with.</summary>
    public Func<PeerQuestion, double>? Peer { get; init; }

    /// <summary>Our side as an action to time: prepares it, and gives the action.</summary>
    public static Func<Func<double, double>> Timed(Func<Action> prepare) => () =>
    {
        var action = Warm(prepare());
        return seconds => Timing.Of(action, seconds).Median;
    };

    /// <summary>Runs an action until the just-in-time compiler, which takes a core of its own, is done with it.</summary>
    public static Action Warm(Action action, double seconds = 0.5)
    {
        var start = Stopwatch.GetTimestamp();
        do action();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);
        return action;
    }

    /// <summary>The peer's side as one of its cases, with the fields of <paramref name="parameters"/> in the request.</summary>
    public static Func<PeerQuestion, double> Torch(string @case, object? parameters = null) =>
        q => q.Process.Measure(@case, q.Threads, q.DType, q.Seconds, parameters);

    /// <summary>The fastest of several ways to do the same: what the peer says with each value of a field.</summary>
    public static Func<PeerQuestion, double> FastestTorch(string @case, string field, string[] values, object? parameters = null) => q => values.Min(value =>
    {
        var fields = JsonSerializer.SerializeToNode(parameters ?? new { })!.AsObject();
        fields[field] = value;
        return q.Process.Measure(@case, q.Threads, q.DType, q.Seconds, fields);
    });

    /// <summary>The same asked of a new process each time: for memory.</summary>
    public static Func<PeerQuestion, double> FreshTorch(string @case, object? parameters = null) => q =>
    {
        using var process = new TorchProcess(q.Process.Face);
        return process.Measure(@case, q.Threads, q.DType, q.Seconds, parameters);
    };
}

/// <summary>What the peer is asked in one round.</summary>
internal readonly record struct PeerQuestion(TorchProcess Process, int Threads, string DType, double Seconds);
