using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Flambeau.NN;

/// <summary>What a tensor is to the module that holds it.</summary>
internal enum Role
{
    /// <summary>Trained, saved, moved.</summary>
    Parameter,
    /// <summary>Saved, moved.</summary>
    Buffer,
    /// <summary>Moved.</summary>
    TransientBuffer,
}

/// <summary>A tensor that a module owns, with the place it is held in.</summary>
internal readonly record struct TensorSlot(string Name, Tensor Value, Role Role, Action<Tensor> Assign);

/// <summary>A module that a module owns.</summary>
internal readonly record struct ChildSlot(string Name, Module Value);

/// <summary>
/// The members of a module type that may hold state: fields, and the fields behind auto-properties, the base class's first, in the order of declaration.
/// Found by reflection once a type.
/// </summary>
internal sealed class Members
{
    static readonly ConditionalWeakTable<Type, Members> s_known = [];

    readonly Member[] _members;

    Members(Member[] members) => _members = members;

    public static Members Of(Module module) => s_known.GetValue(module.GetType(), static type => new(Find(type)));

    /// <summary>The tensors held directly or in arrays and lists.</summary>
    public IEnumerable<TensorSlot> Tensors(Module module)
    {
        foreach (var member in _members)
            switch (member.Field.GetValue(module))
            {
                case Tensor x when member.RoleOf(x) is { } role:
                    yield return new(member.Name, x, role, y => member.Field.SetValue(module, y));
                    break;
                case IList<Tensor> list:
                    for (int i = 0; i < list.Count; i++)
                    {
                        int at = i;
                        if (list[i] is { } item && member.RoleOf(item) is { } itsRole) yield return new($"{member.Name}.{i}", item, itsRole, y => list[at] = y);
                    }
                    break;
            }
    }

    /// <summary>The modules held directly or in arrays and lists.</summary>
    public IEnumerable<ChildSlot> Children(Module module)
    {
        foreach (var member in _members)
            switch (member.Field.GetValue(module))
            {
                case Module child:
                    yield return new(member.Name, child);
                    break;
                case IReadOnlyList<Module> list:
                    for (int i = 0; i < list.Count; i++)
                        if (list[i] is { } item) yield return new($"{member.Name}.{i}", item);
                    break;
            }
    }

    sealed class Member(FieldInfo field, string name, bool? persistent)
    {
        public FieldInfo Field { get; } = field;
        public string Name { get; } = name;

        // a buffer by its declaration, a parameter by its value, else an ordinary member
        public Role? RoleOf(Tensor x) =>
            persistent is { } saved ? saved ? Role.Buffer : Role.TransientBuffer : Parameters.Contains(x) ? Role.Parameter : null;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Module demands the fields of derived types, which keeps them along the whole chain of bases.")]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "As above: every base up to Module derives from Module itself.")]
    static Member[] Find(Type type)
    {
        var chain = new Stack<Type>();
        for (var t = type; t is not null && t != typeof(Module); t = t.BaseType) chain.Push(t);
        var members = new List<Member>();
        foreach (var t in chain)
        {
            var fields = t.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
            // the order of declaration: metadata tokens ascend with it
            if (fields.All(f => f.HasMetadataToken())) Array.Sort(fields, static (x, y) => x.MetadataToken.CompareTo(y.MetadataToken));
            foreach (var field in fields)
                if (CanHoldState(field.FieldType) && Describe(t, field) is { } member) members.Add(member);
        }
        foreach (var same in members.GroupBy(m => m.Name).Where(g => g.Count() > 1))
            throw new FlambeauException($"{type.Name}: {same.Count()} members are named \"{same.Key}\" in the state ({string.Join(", ", same.Select(m => $"{m.Field.DeclaringType!.Name}.{OwnName(m.Field)}"))}). Rename one, or give it another name with [Name(\"…\")].");
        return [.. members];
    }

    static bool CanHoldState(Type type) =>
        type == typeof(Tensor) || typeof(Module).IsAssignableFrom(type) || type.IsInterface || type == typeof(object) || type.IsArray || type.IsGenericType && !type.IsValueType;

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Only the attributes of a property whose field is kept are read.")]
    static Member? Describe(Type owner, FieldInfo field)
    {
        string own = OwnName(field);
        MemberInfo declared = own != field.Name && owner.GetProperty(own, BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly) is { } property ? property : field;
        if (declared.IsDefined(typeof(UnregisteredAttribute))) return null;
        string name = declared.GetCustomAttribute<NameAttribute>()?.Name ?? SnakeCase(own);
        return new(field, name, declared.GetCustomAttribute<BufferAttribute>()?.Persistent);
    }

    // "<Weight>k__BackingField" of an auto-property and "<inner>P" of a captured constructor parameter
    static string OwnName(FieldInfo field) => field.Name is ['<', ..] && field.Name.IndexOf('>') is > 1 and var end ? field.Name[1..end] : field.Name;

    /// <summary><c>QProj</c>, <c>_qProj</c> → <c>q_proj</c>; <c>MLPBlock</c> → <c>mlp_block</c>; <c>Conv2d</c> → <c>conv2d</c>.</summary>
    internal static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        name = name.TrimStart('_');
        for (int i = 0; i < name.Length; i++)
        {
            bool starts = char.IsUpper(name[i]) && i > 0 && name[i - 1] != '_' && (!char.IsUpper(name[i - 1]) || i + 1 < name.Length && char.IsLower(name[i + 1]));
            if (starts) text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}

/// <summary>Knows which tensors are parameters. The mark stays when a parameter is frozen, and dies with the tensor.</summary>
internal static class Parameters
{
    static readonly ConditionalWeakTable<Tensor, object> s_marked = [];
    static readonly object s_mark = new();

    public static Tensor Mark(Tensor x)
    {
        s_marked.AddOrUpdate(x, s_mark);
        return x;
    }

    /// <summary>True if marked, or a leaf that requires a gradient, which marks it: nothing that trains is forgotten, also when it is frozen later.</summary>
    public static bool Contains(Tensor x)
    {
        if (s_marked.TryGetValue(x, out _)) return true;
        if (!x.RequiresGrad || !x.IsLeaf) return false;
        Mark(x);
        return true;
    }
}
