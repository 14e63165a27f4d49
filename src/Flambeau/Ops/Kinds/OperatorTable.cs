using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Flambeau.Ops;

/// <summary>What kind of operator a row of the table is: which rules it has without stating them.</summary>
public enum OperatorKind
{
    /// <summary>Treats every element alike: <see cref="IElementwise"/>.</summary>
    Elementwise,
    /// <summary>Combines elements along dims: <see cref="IReduction"/>.</summary>
    Reduce,
    /// <summary>Sums of products: <see cref="IContraction"/>.</summary>
    Contract,
    /// <summary>Moves elements: <see cref="IIndexing"/>.</summary>
    Index,
    /// <summary>Written with other operators: <see cref="IComposite"/>.</summary>
    Composite,
    /// <summary>States all its rules itself.</summary>
    Custom,
}

/// <summary>One operator: what tests, benchmarks and documentation enumerate.</summary>
/// <param name="Name">The type's name without its ending <c>Op</c>.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Type">The type that defines it.</param>
/// <param name="TorchName">PyTorch's name.</param>
/// <param name="Samples">Calls that reach its edges.</param>
/// <param name="Autocast">What becomes of its operands inside <see cref="Flambeau.Autocast"/>.</param>
public sealed record OperatorRow(string Name, OperatorKind Kind, Type Type, string TorchName, IReadOnlyList<Sample> Samples, CastPolicy Autocast)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Kind})";
}

/// <summary>
/// Every operator, found by its type: a new one is in the table, and so tested, by existing. For tests, benchmarks and documentation; nothing that runs a model asks it.
/// </summary>
public static class OperatorTable
{
    const string NeedsReflection = "Operators are found among the types of the assembly and their static members are read by reflection; a trimmed or ahead-of-time compiled program does not have them all.";

    static readonly Lock s_lock = new();
    static List<OperatorRow>? s_rows;

    /// <summary>The operators of Flambeau in the order of their names, then the registered ones.</summary>
    public static IReadOnlyList<OperatorRow> All
    {
        [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
        get { lock (s_lock) return [.. s_rows ??= Find()]; }
    }

    /// <summary>Adds an operator of the user's to the table.</summary>
    [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
    public static OperatorRow Register<T>() where T : struct, IOperator
    {
        var row = RowOf(typeof(T));
        lock (s_lock)
        {
            s_rows ??= Find();
            if (!s_rows.Any(r => r.Type == typeof(T))) s_rows.Add(row);
        }
        return row;
    }

    [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
    static List<OperatorRow> Find() => [.. typeof(OperatorTable).Assembly.GetTypes()
        .Where(t => t is { IsValueType: true, IsPublic: true, IsGenericTypeDefinition: false, Namespace: "Flambeau.Ops" } && t.IsAssignableTo(typeof(IOperator)))
        .OrderBy(t => t.Name, StringComparer.Ordinal).Select(RowOf)];

    [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
    static OperatorRow RowOf(Type type)
    {
        var make = typeof(OperatorTable).GetMethod(nameof(Make), BindingFlags.NonPublic | BindingFlags.Static)!;
        return (OperatorRow)make.MakeGenericMethod(type).Invoke(null, null)!;
    }

    [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
    static OperatorRow Make<T>() where T : struct, IOperator
    {
        var name = OpNames.Of<T>();
        var samples = T.Samples.ToArray();
        if (samples.Length == 0 && ElementwiseSamples.For(typeof(T)) is { } automatic) samples = [.. automatic];
        return new(name, KindOf(typeof(T)), typeof(T), T.TorchName ?? SnakeCase(name), samples, T.Autocast);
    }

    static OperatorKind KindOf(Type type) =>
        type.IsAssignableTo(typeof(IElementwise)) ? OperatorKind.Elementwise :
        type.IsAssignableTo(typeof(IReduction)) ? OperatorKind.Reduce :
        type.IsAssignableTo(typeof(IContraction)) ? OperatorKind.Contract :
        type.IsAssignableTo(typeof(IIndexing)) ? OperatorKind.Index :
        type.IsAssignableTo(typeof(IComposite)) ? OperatorKind.Composite : OperatorKind.Custom;

    // LeakyRelu → leaky_relu
    static string SnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : c.ToString()));
}
