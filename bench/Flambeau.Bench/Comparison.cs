namespace Flambeau.Bench;

/// <summary>Runs a suite against PyTorch and prints a row as soon as it is known.</summary>
internal static class Comparison
{
    public static int Run(Suites.ISuite suite, Options options)
    {
        var peers = StartPeers(options);
        if (!options.Json) Console.WriteLine(Row.Header);
        var rows = new List<Row>();
        try
        {
            foreach (var @case in suite.Cases(options).Where(c => $"{c.Name} {c.DType}".Contains(options.Filter, StringComparison.OrdinalIgnoreCase)))
                foreach (var row in Attempt(suite.Name, @case, peers, options))
                {
                    Console.WriteLine(options.Json ? row.ToJson() : row.ToString());
                    rows.Add(row);
                }
        }
        finally
        {
            foreach (var peer in peers) peer.Dispose();
        }
        if (options.Chart is { } chart) File.WriteAllText(chart, Charts.Draw(rows));
        return rows.Exists(row => row.Error is not null) ? 1 : 0;
    }

    private static TorchProcess[] StartPeers(Options options)
    {
        var peers = new List<TorchProcess>();
        foreach (var face in options.Faces)
            if ((face.WhyNot ?? TorchProcess.WhyNot) is { } reason) Console.Error.WriteLine($"face {face.Name} left out: {reason}");
            else peers.Add(new(face));
        return [.. peers];
    }

    /// <summary>A case the peer cannot do is a row that says so; the others go on.</summary>
    private static IReadOnlyList<Row> Attempt(string suite, Case @case, TorchProcess[] peers, Options options)
    {
        try { return [.. Measure.Run(suite, @case, peers, options)]; }
        catch (PeerException e) { return [new(suite, @case.Name, options.Threads, @case.DType, @case.Unit, null, null, null, null, e.Message)]; }
    }
}
