namespace Flambeau.Transforms;

/// <summary>
/// A scope of framework code whose intermediates nobody else has seen: at its end their handles are dropped, so that large memory goes back (or stays with the tape alone) at once instead of at the next collection.
/// <c>using var temporaries = Temporaries.Begin(); …; return temporaries.Keep(y);</c>
/// </summary>
internal readonly ref struct Temporaries
{
    [ThreadStatic] static List<Tensor>? t_made; // tensors made inside the scopes that are open
    [ThreadStatic] static int t_open;
    [ThreadStatic] static object? t_kept;

    readonly int _first;

    Temporaries(int first) => _first = first;

    public static Temporaries Begin()
    {
        t_made ??= [];
        t_open++;
        return new(t_made.Count);
    }

    /// <summary>A scope whose tensors are nobody's intermediates.</summary>
    public static Suspension Suspend() => new(t_open);

    /// <summary>Ends where it is disposed of.</summary>
    public readonly ref struct Suspension
    {
        readonly int _open;
        public Suspension(int open) => (_open, t_open) = (open, 0);
        public void Dispose() => t_open = _open;
    }

    /// <summary>Told of every tensor with memory worth giving back.</summary>
    public static void Note(Tensor made)
    {
        if (t_open > 0) t_made!.Add(made);
    }

    /// <summary>Told of every tensor of a transform: it refers to the tensor below without being counted, so what was made so far is left to the collector.</summary>
    public static void NoteLifted()
    {
        if (t_open > 0) t_made!.Clear();
    }

    /// <summary>The result: it stays, as an intermediate of the scope around this one if there is one.</summary>
    public Tensor Keep(Tensor result)
    {
        t_kept = result;
        return result;
    }

    /// <summary>Several results; nulls are allowed.</summary>
    public void Keep(Tensor?[] results) => t_kept = results;

    public void Dispose()
    {
        var made = t_made!;
        var kept = t_kept;
        t_kept = null;
        t_open--;
        int first = Math.Min(_first, made.Count), stays = first;
        for (int i = first; i < made.Count; i++)
        {
            var t = made[i];
            if (ReferenceEquals(t, kept) || kept is Tensor?[] several && Array.IndexOf(several, t) >= 0)
            {
                if (t_open > 0) made[stays++] = t;
            }
            else t.Discard();
        }
        made.RemoveRange(stays, made.Count - stays);
    }
}
