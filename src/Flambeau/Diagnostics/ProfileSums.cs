namespace Flambeau.Diagnostics;

/// <summary>Sums a profile's events by what they have in common.</summary>
internal static class ProfileSums
{
    /// <summary>By name, over every event.</summary>
    public static IReadOnlyList<ProfileTotal> ByKey(Profile profile, Func<ProfileKind, bool> isWanted)
    {
        var keys = profile.Keys;
        var sums = new ThreadLog.Sum[keys.Count];
        foreach (var log in profile.Logs)
        {
            var ofThread = log.Sums;
            for (int i = 0; i < Math.Min(sums.Length, ofThread.Length); i++) Add(ref sums[i], ofThread[i]);
        }
        return InOrder(sums.Select((s, i) => (keys[i].Name, keys[i].Kind, s)).Where(t => isWanted(t.Kind)));
    }

    /// <summary>By shapes or line, over the work among the events that are kept.</summary>
    public static IReadOnlyList<ProfileTotal> ByEvent(Profile profile, ProfileGroup by)
    {
        var sums = new Dictionary<(string Name, ProfileKind Kind), ThreadLog.Sum>();
        var open = new List<(string, ProfileKind)>(); // the groups of the events around, by depth
        int thread = 0;
        foreach (var e in profile.Events)
        {
            if (e.Thread != thread) (thread, open) = (e.Thread, []);
            var group = (NameOf(e, by), by == ProfileGroup.Line ? ProfileKind.Operator : e.Kind);
            if (open.Count > e.Depth) open.RemoveRange(e.Depth, open.Count - e.Depth);
            bool isInside = open.Contains(group);
            while (open.Count < e.Depth) open.Add(default); // around this, what has not ended
            open.Add(group);
            if (!ProfileTotal.IsWork(e.Kind)) continue;
            var sum = sums.GetValueOrDefault(group);
            long ticks = isInside ? 0 : e.Ticks;
            Add(ref sum, new() { Calls = 1, Total = ticks, Self = e.SelfTicks, Accounted = ticks, Bytes = e.Bytes, Operations = e.Operations, Ideal = e.Ideal });
            sums[group] = sum;
        }
        return InOrder(sums.Select(s => (s.Key.Name, s.Key.Kind, s.Value)));
    }

    static string NameOf(ProfileEvent e, ProfileGroup by) => by switch
    {
        ProfileGroup.Line => e.Line ?? "(no line)",
        _ => e.Operands.Count == 0 ? e.Name : $"{e.Name} {string.Join(", ", e.Operands)}",
    };

    static void Add(ref ThreadLog.Sum sum, in ThreadLog.Sum more)
    {
        sum.Calls += more.Calls;
        sum.Total += more.Total;
        sum.Self += more.Self;
        sum.Accounted += more.Accounted;
        sum.Bytes += more.Bytes;
        sum.Operations += more.Operations;
        sum.Ideal += more.Ideal;
    }

    static List<ProfileTotal> InOrder(IEnumerable<(string Name, ProfileKind Kind, ThreadLog.Sum Sum)> sums) =>
    [
        .. sums.Where(t => t.Sum.Calls > 0).Select(t => new ProfileTotal
        {
            Name = t.Name, Kind = t.Kind, Calls = t.Sum.Calls, Bytes = t.Sum.Bytes, Operations = t.Sum.Operations,
            TotalTicks = t.Sum.Total, SelfTicks = t.Sum.Self, AccountedTicks = t.Sum.Accounted, Ideal = t.Sum.Ideal,
        }).OrderByDescending(t => ProfileTotal.IsWork(t.Kind) ? t.SelfTicks : t.TotalTicks),
    ];
}
