using System.Reflection;
using Flambeau.Ops;

namespace Flambeau.Tests.Table;

/// <summary>An in-place operator computes what its out-of-place form computes, and so do its gradients.</summary>
public class InPlaceTests
{
    // members of the table's elementwise operators that end with an underscore and have a twin without
    static IEnumerable<(MethodInfo InPlace, MethodInfo Twin)> Pairs()
    {
        var methods = typeof(Operators).GetMethods(BindingFlags.Public | BindingFlags.Static);
        var names = OperatorTable.All.Where(r => r.Kind == OperatorKind.Elementwise).Select(r => r.Name).Append("MaskedFill").ToHashSet();
        foreach (var method in methods)
        {
            if (!method.Name.EndsWith('_') || !names.Contains(method.Name[..^1])) continue;
            var types = method.GetParameters().Select(p => p.ParameterType).ToArray();
            var twin = methods.FirstOrDefault(m => m.Name == method.Name[..^1] && m.GetParameters().Select(p => p.ParameterType).SequenceEqual(types));
            if (twin is not null) yield return (method, twin);
        }
    }

    public static TheoryData<string> Members => [.. Pairs().Select(p => Text(p.InPlace))];

    static string Text(MethodInfo method) => $"{method.Name}({string.Join(", ", method.GetParameters().Skip(1).Select(p => p.ParameterType.Name))})";

    static bool IsInteger(string name) => name.StartsWith("Bitwise", StringComparison.Ordinal) || name.EndsWith("Shift", StringComparison.Ordinal);

    static object Argument(ParameterInfo parameter, string name, int position)
    {
        if (parameter.ParameterType == typeof(Tensor)) return
            parameter.Name == "mask" ? Tensor.FromArray([true, false, true, false])
            : IsInteger(name) ? Tensor.FromArray([1, 3, 2, 5])
            : Tensor.FromArray([0.5, 0.75, 0.625, 0.875]) * (position + 1);
        Scalar number = 0.75;
        if (parameter.ParameterType == typeof(Scalar)) return number;
        if (parameter.ParameterType == typeof(Scalar?)) return number;
        return parameter.HasDefaultValue && parameter.DefaultValue is double given ? given : 0.25;
    }

    [Theory, MemberData(nameof(Members))]
    public void An_in_place_member_equals_its_twin(string member)
    {
        var (inPlace, twin) = Pairs().First(p => Text(p.InPlace) == member);
        object[] arguments = [.. inPlace.GetParameters().Skip(1).Select((p, i) => Argument(p, twin.Name, i))];
        var x = IsInteger(twin.Name) ? Tensor.FromArray([4, 5, 6, 7]) : Tensor.FromArray([0.3, 0.45, 0.9, 0.7]);
        var expected = (Tensor)twin.Invoke(null, [x, .. arguments])!;
        var target = x.Clone();
        var same = (Tensor)inPlace.Invoke(null, [target, .. arguments])!;
        Assert.Same(target, same);
        Bits.Equal(expected.To(x.DType), target, member);
        if (IsInteger(twin.Name) || expected.DType == DType.Bool) return;

        Tensor Run(MethodInfo method)
        {
            var leaf = x.Clone().RequiresGrad_();
            var y = (Tensor)method.Invoke(null, [leaf * 1.25, .. arguments])!;
            return Autograd.Grad((y * y).Sum(), leaf);
        }

        var target2 = x.Clone();
        Bits.Equal(Run(twin), Run(inPlace), $"gradient through {member}");
        // into a strided view
        var wide = Tensor.Zeros(new long[] { 8 }, x.DType);
        var view = wide.Slice(0, 0, null, 2);
        view.Copy_(x);
        inPlace.Invoke(null, [view, .. arguments]);
        Bits.Equal(expected, view.Contiguous(), $"{member} into every second element");
        Bits.Equal(Tensor.Zeros(new long[] { 4 }, x.DType), wide.Slice(0, 1, null, 2).Contiguous(), $"what {member} left alone");
    }

    [Fact]
    public void The_members_that_PyTorch_has_in_place_are_there()
    {
        string[] expected = ["Add_", "Sub_", "Mul_", "Div_", "Pow_", "FloorDivide_", "Remainder_", "Fmod_", "Lerp_", "AddCMul_", "AddCDiv_", "Abs_", "Neg_", "Sign_", "Exp_", "Log_", "Sqrt_", "Rsqrt_", "Sigmoid_", "Tanh_",
            "Relu_", "LeakyRelu_", "Elu_", "Hardtanh_", "Silu_", "Clamp_", "ClampMin_", "ClampMax_", "Floor_", "Ceil_", "Round_", "Trunc_", "Frac_", "MaskedFill_", "BitwiseAnd_", "LogicalAnd_", "Reciprocal_", "Square_"];
        var found = Pairs().Select(p => p.InPlace.Name).ToHashSet();
        Assert.DoesNotContain(expected, e => !found.Contains(e));
    }

    [Fact]
    public void An_operand_that_overlaps_the_target_is_read_before_it_is_written()
    {
        var x = Tensor.Of(1, 2, 3, 4);
        x.Narrow(0, 1, 3).Add_(x.Narrow(0, 0, 3));
        Assert.Equal([1, 3, 5, 7], x.ToArray<float>());
    }
}
