using System.Collections.Generic;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;

namespace Flambeau.Generators;

/// <summary>What a parameter of a <c>[Fuse]</c> method is to the composite.</summary>
internal enum Role
{
    /// <summary>A tensor.</summary>
    Operand,
    /// <summary>A tensor that may be null.</summary>
    Optional,
    /// <summary>An array of tensors.</summary>
    Array,
    /// <summary>A span of tensors.</summary>
    Span,
    /// <summary>Everything else: part of what the composite's programs are known by.</summary>
    Attribute,
}

/// <summary>Reads a <c>[Fuse]</c> method and writes the one that its calls go to.</summary>
internal static class FuseMethod
{
    public const string Attribute = "Flambeau.FuseAttribute";

    static readonly SymbolDisplayFormat s_type = SymbolDisplayFormat.FullyQualifiedFormat.AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    static readonly SymbolDisplayFormat s_method = new(
        SymbolDisplayGlobalNamespaceStyle.Included, SymbolDisplayTypeQualificationStyle.NameAndContainingTypesAndNamespaces,
        memberOptions: SymbolDisplayMemberOptions.IncludeContainingType, miscellaneousOptions: SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers);

    public static bool IsMarked(IMethodSymbol method) => (method.ReducedFrom ?? method).GetAttributes().Any(a => a.AttributeClass is { Name: "FuseAttribute" } type && type.ToDisplayString() == Attribute);

    /// <summary>The names of all [Fuse] methods that <paramref name="compilation"/> can call: its own, and those of assemblies that know Flambeau.</summary>
    public static HashSet<string> Names(Compilation compilation)
    {
        HashSet<string> names = [];
        Visit(compilation.Assembly.GlobalNamespace);
        foreach (var assembly in compilation.SourceModule.ReferencedAssemblySymbols)
            if (assembly.Name == "Flambeau" || assembly.Modules.Any(m => m.ReferencedAssemblies.Any(a => a.Name == "Flambeau"))) Visit(assembly.GlobalNamespace);
        return names;

        void Visit(INamespaceOrTypeSymbol container)
        {
            foreach (var member in container.GetMembers())
                if (member is INamespaceOrTypeSymbol inner) Visit(inner);
                else if (member is IMethodSymbol { MethodKind: MethodKind.Ordinary } method && IsMarked(method)) names.Add(method.Name);
        }
    }

    /// <summary>The static method behind an extension.</summary>
    public static IMethodSymbol Of(IMethodSymbol method) => method.ReducedFrom ?? method.AssociatedExtensionImplementation ?? method;

    public static bool IsTensor(ITypeSymbol type) => type is { Name: "Tensor", ContainingType: null, ContainingNamespace: { Name: "Flambeau", ContainingNamespace.IsGlobalNamespace: true } };

    static bool IsGivenTensor(ITypeSymbol type) => IsTensor(type) && type.NullableAnnotation != NullableAnnotation.Annotated;

    public static Role RoleOf(IParameterSymbol parameter) => parameter.Type switch
    {
        var t when IsTensor(t) => t.NullableAnnotation == NullableAnnotation.NotAnnotated ? Role.Operand : Role.Optional,
        IArrayTypeSymbol { Rank: 1, NullableAnnotation: not NullableAnnotation.Annotated } t when IsGivenTensor(t.ElementType) => Role.Array,
        INamedTypeSymbol { Name: "ReadOnlySpan", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true }, Arity: 1 } t when IsGivenTensor(t.TypeArguments[0]) => Role.Span,
        _ => Role.Attribute,
    };

    /// <summary>
    /// Parameters and body, without a name. The operands are laid side by side; where one may be missing or several stand for one parameter, the places of what follows are counted.
    /// The lambda reads places and attributes alone, so no tensor outlives the call in its closure.
    /// </summary>
    public static string Text(IMethodSymbol method)
    {
        List<string> parameters = [], places = [], operands = [], arguments = [], attributes = [];
        bool counted = method.Parameters.Any(p => RoleOf(p) is Role.Optional or Role.Array or Role.Span);
        if (counted) places.Add("int n = 0;");
        for (int k = 0; k < method.Parameters.Length; k++)
        {
            var parameter = method.Parameters[k];
            string p = $"p{k}", at = $"i{k}", length = $"n{k}", before = k == 0 && method.IsExtensionMethod ? "this " : parameter.ScopedKind == ScopedKind.ScopedValue ? "scoped " : "";
            parameters.Add($"{before}{parameter.Type.ToDisplayString(s_type)} {p}");
            switch (RoleOf(parameter))
            {
                case Role.Attribute:
                    arguments.Add(p);
                    attributes.Add(Key(p, parameter.Type));
                    break;
                case Role.Operand when !counted:
                    arguments.Add($"t[{operands.Count}]");
                    operands.Add(p);
                    break;
                case Role.Operand:
                    places.Add($"int {at} = n++;");
                    arguments.Add($"t[{at}]");
                    operands.Add(p);
                    break;
                case Role.Optional:
                    places.Add($"int {at} = {p} is null ? -1 : n++;");
                    arguments.Add($"{at} < 0 ? null : t[{at}]");
                    attributes.Add(at);
                    operands.Add($".. Given({p})");
                    break;
                case var role:
                    places.Add($"int {at} = n, {length} = {p}.Length; n += {length};");
                    arguments.Add(role == Role.Array ? $"t[{at}..({at} + {length})]" : $"global::System.MemoryExtensions.AsSpan(t, {at}, {length})");
                    attributes.Add(length);
                    operands.Add($".. {p}");
                    break;
            }
        }
        string key = attributes.Count switch { 0 => "0", 1 => $"global::System.ValueTuple.Create({attributes[0]})", _ => $"({string.Join(", ", attributes)})" };
        var text = new StringBuilder($"({string.Join(", ", parameters)})\n        {{\n");
        foreach (string place in places) text.Append($"            {place}\n");
        text.Append($"            return global::Flambeau.Ops.Composite.Apply(\"{method.Name}\", t => {method.ToDisplayString(s_method)}({string.Join(", ", arguments)}), {key}, [{string.Join(", ", operands)}]);\n");
        return text.Append("        }").ToString();
    }

    // what programs are known by. −0 equals 0 but 1 ÷ −0 is another number: floating-point numbers are compared by their bits
    static string Key(string value, ITypeSymbol type) => type switch
    {
        { SpecialType: SpecialType.System_Double } => $"global::System.BitConverter.DoubleToInt64Bits({value})",
        { SpecialType: SpecialType.System_Single } => $"global::System.BitConverter.SingleToInt32Bits({value})",
        { Name: "Half", ContainingNamespace: { Name: "System", ContainingNamespace.IsGlobalNamespace: true } } => $"global::System.BitConverter.HalfToInt16Bits({value})",
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } t => $"({value}.HasValue, {Key($"{value}.GetValueOrDefault()", t.TypeArguments[0])})",
        INamedTypeSymbol { IsTupleType: true, TupleElements: { Length: > 1 } elements } => $"({string.Join(", ", elements.Select((e, k) => Key($"{value}.Item{k + 1}", e.Type)))})",
        _ => value,
    };
}
