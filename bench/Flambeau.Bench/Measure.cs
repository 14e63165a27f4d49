namespace Flambeau.Bench;

/// <summary>
/// Measures both sides of a case in turn, round by round: what disturbs a machine for seconds then disturbs both. The ratio is that of the
/// medians over the rounds.
/// </summary>
internal static class Measure
{
    /// <summary>One row against the fastest face; without a side of ours, one row for each face; without a peer, our figure alone.</summary>
    public static IEnumerable<Row> Run(string suite, Case @case, IReadOnlyList<TorchProcess> peers, Options options)
    {
        if (@case.Peer is null) peers = [];
        var ours = @case.Ours?.Invoke();
        var free = @case.Free.Select(prepare => prepare()).ToArray();
        var freeFigures = free.Select(_ => new List<double>()).ToArray();
        var ourFigures = new List<double>();
        var peerFigures = peers.ToDictionary(peer => peer, _ => new List<double>());
        for (var round = 0; round < options.Rounds; round++)
        {
            if (ours is not null) ourFigures.Add(@case.Unit.Of(ours(options.Seconds), @case.Work));
            for (var i = 0; i < free.Length; i++) freeFigures[i].Add(@case.Unit.Of(free[i](options.Seconds), @case.Work));
            // Every other round backwards, so that a slow drift favours no face.
            foreach (var peer in round % 2 == 0 ? peers : peers.Reverse())
                peerFigures[peer].Add(@case.Unit.Of(@case.Peer!(new(peer, options.Threads, @case.DType, options.Seconds)), @case.Work));
        }

        var limit = free.Length == 0 ? @case.Limit?.Invoke()
            : freeFigures.Select(Timing.Middle).Aggregate((best, figure) => @case.Unit.Ratio(figure, best) > 1 ? figure : best);
        double? our = ourFigures.Count > 0 ? Timing.Middle(ourFigures) : null;
        var rows = peers.Select(peer => new Row(
            suite, @case.Name, options.Threads, @case.DType, @case.Unit, our, Timing.Middle(peerFigures[peer]), peer.Face.Name, limit));
        if (peers.Count == 0) return [new(suite, @case.Name, options.Threads, @case.DType, @case.Unit, our, null, null, limit)];
        if (our is null) return rows;
        return [rows.Aggregate((best, row) => row.Unit.Ratio(row.Peer!.Value, best.Peer!.Value) > 1 ? row : best)];
    }
}
