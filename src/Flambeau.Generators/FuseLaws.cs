using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;

namespace Flambeau.Generators;

/// <summary>What a method must be to carry <c>[Fuse]</c>, and the words of the error where it is not.</summary>
internal static class FuseLaws
{
    static readonly DiagnosticDescriptor
        s_static = Law("FLAM001", "[Fuse] marks static methods with a body", "[Fuse] on '{0}': expected a static method with a body, not {1}; {2}"),
        s_seen = Law("FLAM002", "[Fuse] methods are seen in the whole assembly", "[Fuse] on '{0}': generated code calls the method, but {1} cannot be seen there; make it internal or public"),
        s_generic = Law("FLAM003", "[Fuse] methods are not generic", "[Fuse] on '{0}': {1} is generic, so there is no one body to compile; write a method for each type"),
        s_byValue = Law("FLAM004", "[Fuse] methods take their parameters by value", "[Fuse] on '{0}': expected parameters by value, but '{1}' is passed by '{2}'; a composite changes nothing and gives one tensor: return it"),
        s_result = Law("FLAM005", "[Fuse] methods return one tensor", "[Fuse] on '{0}': expected Tensor as the result, got {1}; write a method for each result, or join them with Tensor.Cat"),
        s_operand = Law("FLAM006", "[Fuse] methods take a tensor", "[Fuse] on '{0}': expected a parameter of type Tensor, got none; without operands there is nothing to fuse: remove [Fuse]"),
        s_attribute = Law("FLAM007", "Parameters of [Fuse] methods are tensors or values", "[Fuse] on '{0}': expected '{1}' to be a tensor or a value with equality, since a compiled program is known by it; {2} has none: {3}");

    static DiagnosticDescriptor Law(string id, string title, string message) => new(id, title, message, "Flambeau", DiagnosticSeverity.Error, true);

    /// <summary>The first law that <paramref name="marked"/> breaks.</summary>
    public static Diagnostic? Broken(IMethodSymbol marked)
    {
        var method = FuseMethod.Of(marked);
        Diagnostic Says(DiagnosticDescriptor law, params object[] words) => Diagnostic.Create(law, marked.Locations.FirstOrDefault(), [method.Name, .. words]);

        if (NotStatic(method) is var (what, advice)) return Says(s_static, what, advice);
        for (ISymbol? at = method; at is IMethodSymbol or INamedTypeSymbol; at = at.ContainingSymbol)
        {
            if (at is IMethodSymbol { IsGenericMethod: true } or INamedTypeSymbol { IsGenericType: true }) return Says(s_generic, $"'{at.Name}'");
            if (at.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Internal or Accessibility.ProtectedOrInternal)) return Says(s_seen, $"'{at.Name}', {Word(at.DeclaredAccessibility)},");
            if (at is INamedTypeSymbol { IsFileLocal: true }) return Says(s_seen, $"'{at.Name}', file,");
        }
        if (!FuseMethod.IsTensor(method.ReturnType) || method.ReturnType.NullableAnnotation == NullableAnnotation.Annotated || method.ReturnsByRef || method.ReturnsByRefReadonly)
            return Says(s_result, (method.RefKind == RefKind.None ? "" : "a reference to ") + method.ReturnType.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat));
        foreach (var parameter in method.Parameters)
            if (parameter.RefKind != RefKind.None) return Says(s_byValue, parameter.Name, Word(parameter.RefKind));
        foreach (var parameter in method.Parameters)
            if (FuseMethod.RoleOf(parameter) == Role.Attribute && !HasEquality(parameter.Type, []))
                return Says(s_attribute, parameter.Name, parameter.Type.ToDisplayString(SymbolDisplayFormat.CSharpShortErrorMessageFormat), Advice(parameter.Type));
        return method.Parameters.All(p => FuseMethod.RoleOf(p) == Role.Attribute) ? Says(s_operand) : null;
    }

    static (string, string)? NotStatic(IMethodSymbol method) => method switch
    {
        { MethodKind: MethodKind.LocalFunction or MethodKind.AnonymousFunction } => ("a local function or lambda", "move it into a class"),
        { MethodKind: not MethodKind.Ordinary } => ("an accessor, operator or constructor", "move the body into a method"),
        { IsStatic: false } => ("an instance method", "make it static and take what it reads of its object as parameters"),
        { IsAbstract: true } or { IsVirtual: true } or { IsExtern: true } => ("an abstract, virtual or extern one", "mark the methods that have the bodies"),
        _ => null,
    };

    static string Word(Accessibility accessibility) => accessibility switch { Accessibility.Protected => "protected", Accessibility.ProtectedAndInternal => "private protected", _ => "private" };

    static string Word(RefKind kind) => kind switch { RefKind.Ref => "ref", RefKind.Out => "out", RefKind.In => "in", _ => "ref readonly" };

    // by value also of what it holds; a type that defines its own equality is believed
    static bool HasEquality(ITypeSymbol type, HashSet<ITypeSymbol> seen) => type switch
    {
        { SpecialType: >= SpecialType.System_Boolean and <= SpecialType.System_UIntPtr } or { TypeKind: TypeKind.Enum } => true,
        { TypeKind: TypeKind.Error } => true, // the compiler says what is wrong
        INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable => HasEquality(nullable.TypeArguments[0], seen),
        INamedTypeSymbol { IsTupleType: true } tuple => tuple.TupleElements.All(e => HasEquality(e.Type, seen)),
        { Name: "ArraySegment" or "Memory" or "ReadOnlyMemory" or "ImmutableArray" } => false, // equal if they are the same array
        { IsRecord: true } when !DefinesEquality(type) =>
            !seen.Add(type) || (type.BaseType is not { IsRecord: true } above || HasEquality(above, seen)) && type.GetMembers().OfType<IFieldSymbol>().All(f => f.IsStatic || HasEquality(f.Type, seen)),
        _ => type.AllInterfaces.Any(i => i is { Name: "IEquatable", Arity: 1, ContainingNamespace.Name: "System" } && SymbolEqualityComparer.Default.Equals(i.TypeArguments[0], type)),
    };

    static bool DefinesEquality(ITypeSymbol type) =>
        type.GetMembers("Equals").OfType<IMethodSymbol>().Any(m => !m.IsImplicitlyDeclared && m.Parameters.Length == 1 && SymbolEqualityComparer.Default.Equals(m.Parameters[0].Type, type));

    static string Advice(ITypeSymbol type) => type switch
    {
        _ when Holds(type) => "take tensors as Tensor, Tensor?, Tensor[] or ReadOnlySpan<Tensor>",
        IArrayTypeSymbol or { Name: "Span" or "ReadOnlySpan" or "List" or "IReadOnlyList" or "IEnumerable" or "ImmutableArray" } => "take its elements one by one, as a tuple, or sizes as a Shape",
        { TypeKind: TypeKind.Delegate } => "write a method for each function",
        { Name: "Generator", ContainingNamespace.Name: "Flambeau" } => "draw the random numbers first and take them as a tensor",
        { TypeKind: TypeKind.Struct } => "make it a record struct",
        _ => "take what the method reads of it as parameters, or make it a record of such values",
    };

    static bool Holds(ITypeSymbol type) => FuseMethod.IsTensor(type) || type switch
    {
        IArrayTypeSymbol array => Holds(array.ElementType),
        INamedTypeSymbol named => named.TypeArguments.Any(Holds),
        _ => false,
    };
}
