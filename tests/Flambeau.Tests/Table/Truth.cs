using System.Collections.Concurrent;
using System.Reflection;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Tests.Table;

/// <summary>What an elementwise operator on real numbers should yield: its body read in double over <see cref="Reference"/>, whose functions share nothing with the lanes'.</summary>
public sealed class Truth
{
    static readonly ConcurrentDictionary<Type, Truth> s_known = new();

    /// <summary>Operands of the body, parameters and conditions included.</summary>
    public required int Arity { get; init; }
    public required int Conditions { get; init; }
    public required double[] Parameters { get; init; }
    public required Promotion Promotion { get; init; }
    public required (double Low, double High) Domain { get; init; }
    /// <summary>The value; a mask is 1 or 0.</summary>
    public required Func<double[], double> Value { get; init; }
    /// <summary>The derivative by an operand, read off the body.</summary>
    public required Func<double[], int, double> Slope { get; init; }
    /// <summary>The derivative that the operator states in terms of its result; null if it states none.</summary>
    public Func<double, double>? StatedDerivative { get; init; }
    /// <summary>Applies the operator to its tensor operands; parameters are filled in.</summary>
    public required Func<Tensor[], Tensor> Apply { get; init; }

    /// <summary>Operands that are tensors: neither parameters nor the rest.</summary>
    public int Tensors => Arity - Parameters.Length;

    public static Truth Of(OperatorRow row) => s_known.GetOrAdd(row.Type, static type =>
    {
        var name = type.IsAssignableTo(typeof(IUnary)) ? nameof(Unary) : type.IsAssignableTo(typeof(IBinary)) ? nameof(Binary) : nameof(Ternary);
        return (Truth)typeof(Truth).GetMethod(name, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(type).Invoke(null, null)!;
    });

    static double Read(Promotion promotion, Reference y) => promotion == Promotion.Bool ? Reference.Holds(y) ? 1 : 0 : y.Value;

    static Dual<Reference>[] Seeded(double[] x, int operand) => [.. x.Select((v, i) => i == operand ? new Dual<Reference>(new(v), new(1)) : new Dual<Reference>(new Reference(v)))];

    static Truth Unary<T>() where T : struct, IUnary => new()
    {
        Arity = 1, Conditions = 0, Parameters = [], Promotion = T.Promotion, Domain = T.Domain,
        Value = x => Read(T.Promotion, T.Body(new Reference(x[0]))),
        Slope = (x, operand) => T.Body(Seeded(x, operand)[0]).TangentOrZero.Value,
        StatedDerivative = T.StatesDerivative ? y => T.Derivative(new Reference(y), new Reference(1)).Value : null,
        Apply = x => Elementwise.Apply<T>(x[0]),
    };

    static Truth Binary<T>() where T : struct, IBinary => new()
    {
        Arity = 2, Conditions = T.Conditions, Parameters = T.Parameters == 0 ? [] : T.SampleParameters, Promotion = T.Promotion, Domain = T.Domain,
        Value = x => Read(T.Promotion, T.Body(new Reference(x[0]), new Reference(x[1]))),
        Slope = (x, operand) => { var s = Seeded(x, operand); return T.Body(s[0], s[1]).TangentOrZero.Value; },
        Apply = x => T.Parameters == 0 ? Elementwise.Apply<T>(x[0], x[1]) : Elementwise.Apply<T>(x[0], T.SampleParameters[0]),
    };

    static Truth Ternary<T>() where T : struct, ITernary => new()
    {
        Arity = 3, Conditions = T.Conditions, Parameters = T.Parameters == 0 ? [] : T.SampleParameters, Promotion = T.Promotion, Domain = T.Domain,
        Value = x => Read(T.Promotion, T.Body(new Reference(x[0]), new Reference(x[1]), new Reference(x[2]))),
        Slope = (x, operand) => { var s = Seeded(x, operand); return T.Body(s[0], s[1], s[2]).TangentOrZero.Value; },
        Apply = x => T.Parameters switch
        {
            0 => Elementwise.Apply<T>(x[0], x[1], x[2]),
            1 => Elementwise.Apply<T>(x[0], x[1], Tensor.Wrap(T.SampleParameters[0])),
            _ => Elementwise.Apply<T>(x[0], T.SampleParameters[0], T.SampleParameters[1]),
        },
    };
}
