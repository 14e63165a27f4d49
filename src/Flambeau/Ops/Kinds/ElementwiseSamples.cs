using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Flambeau.Ops;

/// <summary>The samples that elementwise operators get from their kind: operands drawn inside the domain, of one shape and broadcast.</summary>
internal static class ElementwiseSamples
{
    const string NeedsReflection = "Closes generic methods over the operator's type.";

    /// <summary>The samples of an elementwise operator; null for another kind.</summary>
    [RequiresUnreferencedCode(NeedsReflection), RequiresDynamicCode(NeedsReflection)]
    public static IEnumerable<Sample>? For(Type type)
    {
        var method =
            type.IsAssignableTo(typeof(IUnary)) ? nameof(Unary) : type.IsAssignableTo(typeof(IBinary)) ? nameof(Binary) : type.IsAssignableTo(typeof(ITernary)) ? nameof(Ternary) :
            type.IsAssignableTo(typeof(IIntegerUnary)) ? nameof(IntegerUnary) : type.IsAssignableTo(typeof(IIntegerBinary)) ? nameof(IntegerBinary) : null;
        return method is null ? null : (IEnumerable<Sample>)typeof(ElementwiseSamples).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type).Invoke(null, null)!;
    }

    static IEnumerable<Sample> Unary<T>() where T : struct, IUnary
    {
        yield return new($"x.{OpNames.Of<T>()}()", g => [Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0]));
    }

    static IEnumerable<Sample> Binary<T>() where T : struct, IBinary
    {
        var name = OpNames.Of<T>();
        if (T.Parameters == 1)
        {
            double parameter = T.SampleParameters[0];
            yield return new($"x.{name}({parameter})", g => [Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0], parameter));
            yield break;
        }
        yield return new($"x.{name}(y)", g => [Draw<T>(g, 3, 5), Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0], x[1]));
        yield return new($"x.{name}(y), broadcast", g => [Draw<T>(g, 3, 1), Draw<T>(g, 5)], x => Elementwise.Apply<T>(x[0], x[1]));
    }

    static IEnumerable<Sample> Ternary<T>() where T : struct, ITernary
    {
        var name = OpNames.Of<T>();
        var p = T.SampleParameters;
        if (T.Parameters == 2) yield return new($"x.{name}({p[0]}, {p[1]})", g => [Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0], p[0], p[1]));
        else if (T.Parameters == 1) yield return new($"x.{name}(y, {p[0]})", g => [Draw<T>(g, 3, 5), Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0], x[1], Tensor.Wrap(p[0])));
        else
        {
            yield return new($"x.{name}(y, z)", g => [First(g, 3, 5), Draw<T>(g, 3, 5), Draw<T>(g, 3, 5)], x => Elementwise.Apply<T>(x[0], x[1], x[2]));
            yield return new($"x.{name}(y, z), broadcast", g => [First(g, 3, 1), Draw<T>(g, 5), Draw<T>(g, 2, 1, 1)], x => Elementwise.Apply<T>(x[0], x[1], x[2]));
        }

        static Tensor First(Generator g, params ReadOnlySpan<long> shape) =>
            T.Conditions > 0 ? Tensor.RandInt(0, 2, Shape.Create(shape), DType.Bool, g) : Draw<T>(g, shape);
    }

    static IEnumerable<Sample> IntegerUnary<T>() where T : struct, IIntegerUnary
    {
        yield return new($"x.{OpNames.Of<T>()}()", g => [Whole(g, 3, 5)], x => Elementwise.ApplyInteger<T>(x[0]));
    }

    static IEnumerable<Sample> IntegerBinary<T>() where T : struct, IIntegerBinary
    {
        yield return new($"x.{OpNames.Of<T>()}(y)", g => [Whole(g, 3, 5), Whole(g, 3, 5)], x => Elementwise.ApplyInteger<T>(x[0], x[1]));
        yield return new($"x.{OpNames.Of<T>()}(y), broadcast", g => [Whole(g, 3, 1), Whole(g, 5)], x => Elementwise.ApplyInteger<T>(x[0], x[1]));
    }

    static Tensor Draw<T>(Generator g, params ReadOnlySpan<long> shape) where T : IElementwise
    {
        var (low, high) = T.Domain;
        return Tensor.Rand(Shape.Create(shape), DType.Float32, g) * (high - low) + low;
    }

    // from −9 to 9 without 0, which is no divisor
    static Tensor Whole(Generator g, params ReadOnlySpan<long> shape)
    {
        var x = Tensor.RandInt(-9, 9, Shape.Create(shape), DType.Int64, g);
        return Tensor.Where(x >= 0, x + 1, x);
    }
}
