using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Flambeau.NN;

/// <summary>Modules one after another, named 0, 1, … (PyTorch: <c>nn.Sequential</c>).</summary>
public sealed class Sequential : Module<Tensor, Tensor>, IReadOnlyList<Module<Tensor, Tensor>>
{
    readonly List<(string Name, Module<Tensor, Tensor> Module)> _modules = [];

    /// <summary>The given modules: <c>new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 1))</c>.</summary>
    [OverloadResolutionPriority(1)]
    public Sequential(params IEnumerable<Module<Tensor, Tensor>> modules)
    {
        foreach (var module in modules) Add(module);
    }

    /// <summary>The given modules under names of their own.</summary>
    public Sequential(params IEnumerable<(string Name, Module<Tensor, Tensor> Module)> modules)
    {
        foreach (var (name, module) in modules) Add(name, module);
    }

    /// <summary>Appends a module, named by its place.</summary>
    public void Add(Module<Tensor, Tensor> module) => Add($"{_modules.Count}", module);

    /// <summary>Appends a module under a name.</summary>
    public void Add(string name, Module<Tensor, Tensor> module)
    {
        ModuleNames.Check("Sequential", name, _modules.Any(m => m.Name == name));
        _modules.Add((name, module));
    }

    /// <summary>How many modules there are.</summary>
    public int Count => _modules.Count;
    /// <summary>The module at a place.</summary>
    public Module<Tensor, Tensor> this[int index] => _modules[index].Module;
    /// <summary>The modules in order.</summary>
    public IEnumerator<Module<Tensor, Tensor>> GetEnumerator() => _modules.Select(m => m.Module).GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        bool isOurs = false; // x: what lies between two modules that keep nothing is dead once the second has run
        foreach (var (_, module) in _modules)
        {
            bool keepsNothing = module.KeepsNothing;
            var y = module.Call(x);
            if (!ReferenceEquals(x, y))
            {
                if (isOurs && keepsNothing) x.Abandon();
                isOurs = true;
            }
            isOurs &= keepsNothing;
            x = y;
        }
        return x;
    }

    internal override bool KeepsNothing => base.KeepsNothing && _modules.TrueForAll(m => m.Module.KeepsNothing);

    internal override IEnumerable<TensorSlot> OwnTensors() => [];
    internal override IEnumerable<ChildSlot> OwnChildren() => _modules.Select(m => new ChildSlot(m.Name, m.Module));
}

/// <summary>Modules in a list, named 0, 1, …; whoever holds it says how they are called (PyTorch: <c>nn.ModuleList</c>).</summary>
/// <typeparam name="T">What they have in common.</typeparam>
public sealed class ModuleList<T> : Module, IReadOnlyList<T> where T : Module
{
    readonly List<T> _modules;

    /// <summary>The given modules.</summary>
    public ModuleList(params IEnumerable<T> modules) => _modules = [.. modules];

    /// <summary>Appends a module.</summary>
    public void Add(T module) => _modules.Add(module);

    /// <summary>How many modules there are.</summary>
    public int Count => _modules.Count;
    /// <summary>The module at a place.</summary>
    public T this[int index] { get => _modules[index]; set => _modules[index] = value; }
    /// <summary>The modules in order.</summary>
    public IEnumerator<T> GetEnumerator() => _modules.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal override IEnumerable<TensorSlot> OwnTensors() => [];
    internal override IEnumerable<ChildSlot> OwnChildren() => _modules.Select((m, i) => new ChildSlot($"{i}", m));

    // neighbours that print alike are one line, as in PyTorch: (0-5): 6 x Block(…)
    internal override List<string> Lines()
    {
        var lines = new List<string>();
        var texts = _modules.Select(m => m.ToString()).ToList();
        for (int i = 0, end; i < texts.Count; i = end)
        {
            for (end = i + 1; end < texts.Count && texts[end] == texts[i];) end++;
            lines.Add(end - i == 1 ? $"({i}): {texts[i]}" : $"({i}-{end - 1}): {end - i} x {texts[i]}");
        }
        return lines;
    }
}

/// <summary>Modules by name, in the order they were added (PyTorch: <c>nn.ModuleDict</c>).</summary>
/// <typeparam name="T">What they have in common.</typeparam>
public sealed class ModuleDict<T> : Module, IReadOnlyDictionary<string, T> where T : Module
{
    readonly OrderedDictionary<string, T> _modules = [];

    /// <summary>Adds a module under a name.</summary>
    public void Add(string name, T module)
    {
        ModuleNames.Check("ModuleDict", name, _modules.ContainsKey(name));
        _modules.Add(name, module);
    }

    /// <summary>How many modules there are.</summary>
    public int Count => _modules.Count;
    /// <summary>The module of that name; setting replaces or adds.</summary>
    public T this[string key]
    {
        get => _modules.TryGetValue(key, out var m) ? m : throw new FlambeauException($"ModuleDict: there is no module \"{key}\"; there are {string.Join(", ", _modules.Keys.Select(k => $"\"{k}\""))}");
        set
        {
            ModuleNames.Check("ModuleDict", key, false);
            _modules[key] = value;
        }
    }
    /// <summary>The names.</summary>
    public IEnumerable<string> Keys => _modules.Keys;
    /// <summary>The modules.</summary>
    public IEnumerable<T> Values => _modules.Values;
    /// <summary>True if there is a module of that name.</summary>
    public bool ContainsKey(string key) => _modules.ContainsKey(key);
    /// <summary>The module of that name, if there is one.</summary>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out T value) => _modules.TryGetValue(key, out value);
    /// <summary>Names and modules.</summary>
    public IEnumerator<KeyValuePair<string, T>> GetEnumerator() => _modules.GetEnumerator();
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal override IEnumerable<TensorSlot> OwnTensors() => [];
    internal override IEnumerable<ChildSlot> OwnChildren() => _modules.Select(m => new ChildSlot(m.Key, m.Value));
}

static file class ModuleNames
{
    public static void Check(string container, string name, bool taken)
    {
        if (name.Length == 0 || name.Contains('.', StringComparison.Ordinal)) throw new FlambeauException($"{container}: \"{name}\" cannot name a module: dots separate the names in a path");
        if (taken) throw new FlambeauException($"{container}: the name \"{name}\" is taken");
    }
}
