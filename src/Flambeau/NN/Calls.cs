using Flambeau.Diagnostics;

namespace Flambeau.NN;

/// <summary>The modules that are running on this thread, outermost first: an error looks up where in the model it happened.</summary>
internal static class Calls
{
    const string Noted = "Flambeau.Module";

    [ThreadStatic] static List<Module>? t_running;

    public static void Enter(Module module)
    {
        (t_running ??= []).Add(module);
        if (Recording.Open is not null) Recording.Enter(module);
    }

    public static void Leave()
    {
        t_running!.RemoveAt(t_running.Count - 1);
        if (Recording.Open is not null) Recording.Leave();
    }

    /// <summary>True once the error tells its module: only the innermost call adds it.</summary>
    public static bool IsNoted(Exception e) => e.Data.Contains(Noted);

    /// <summary>The same error with the module's path, seen from the outermost module that runs.</summary>
    public static FlambeauException Note(FlambeauException e, Module module)
    {
        string type = module.GetType().Name.Split('`')[0];
        var noted = new FlambeauException($"{e.Message}\n  in {(PathOf(module) is { Length: > 0 } path ? $"{path} ({type})" : type)}", e);
        noted.Data[Noted] = true;
        return noted;
    }

    static string? PathOf(Module module)
    {
        foreach (var root in t_running!)
            foreach (var (path, at) in root.NamedModules())
                if (ReferenceEquals(at, module) && path.Length > 0) return path;
        return null;
    }
}

/// <summary>Functions called around a module's forward pass, in the order they were added.</summary>
internal sealed class Hooks<T> where T : Delegate
{
    T[] _hooks = [];

    public ReadOnlySpan<T> All => _hooks;

    public IDisposable Add(T hook)
    {
        _hooks = [.. _hooks, hook];
        return new Removal(this, hook);
    }

    sealed class Removal(Hooks<T> from, T hook) : IDisposable
    {
        public void Dispose() => from._hooks = [.. from._hooks.Where(h => !ReferenceEquals(h, hook))];
    }
}
