using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Tests.Table;

/// <summary>Every elementwise operator yields, at the edges and inside its domain, what its formula yields in double.</summary>
public class ValueTests
{
    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Values_in_float32_are_those_of_the_formula(string name) => Check(name, DType.Float32);

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Values_in_float64_are_those_of_the_formula(string name) => Check(name, DType.Float64);

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Values_in_bfloat16_are_those_of_the_formula(string name) => Check(name, DType.BFloat16);

    [Theory, MemberData(nameof(Rows.Real), MemberType = typeof(Rows))]
    public void Values_in_float16_are_those_of_the_formula(string name) => Check(name, DType.Float16);

    // their differences and products overflow in the compute type where the result does not
    static readonly string[] s_overflowing = ["Lerp", "AddCDiv", "AddCMul", "AddScaled"];

    // a quotient that rounding carries across a whole number moves the result by the whole divisor
    static readonly string[] s_discontinuous = ["FloorDivide"];

    static void Check(string name, DType type)
    {
        var truth = Truth.Of(Rows.Find(name));
        var columns = Operands.For(truth, type, Rows.Draws(name));
        var (tensors, held) = Operands.Make(truth, type, columns);
        var y = truth.Apply(tensors);
        Assert.Equal(truth.Promotion == Promotion.Bool ? DType.Bool : type, y.DType);
        var actual = y.ToArray<double>();
        for (int i = 0; i < actual.Length; i++)
        {
            double[] x = [.. held.Select(c => c[i])];
            if (s_overflowing.Contains(name) && x.Any(v => Math.Abs(v) > 1e15)) continue;
            if (s_discontinuous.Contains(name) && type != DType.Float64 && Math.Abs(x[0] / x[1]) > 1e6) continue;
            double[] all = [.. x, .. truth.Parameters.Select(p => type == DType.Float64 ? p : (float)p)];
            double expected = truth.Value(all), condition = 0;
            if (truth.Promotion != Promotion.Bool)
                for (int k = 0; k < all.Length; k++) condition += all[k] == 0 ? 0 : Math.Abs(all[k] * truth.Slope(all, k));
            Assert.True(Tolerance.Accepts(y.DType, actual[i], expected, condition, all.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max()), $"{name}({string.Join(", ", all.Select(v => v.ToString("R")))}) = {actual[i]:R}, expected {expected:R}");
        }
    }

    [Theory]
    [InlineData(DType.UInt8), InlineData(DType.Int8), InlineData(DType.Int16), InlineData(DType.Int32), InlineData(DType.Int64)]
    public void Operators_that_keep_whole_numbers_are_exact_on_them(DType type)
    {
        string[] names = ["Add", "Sub", "Mul", "Maximum", "Minimum", "Fmax", "Fmin", "ClampMin", "ClampMax", "Clamp", "Abs", "Sign", "Square", "Relu", "Relu6", "AddCMul", "Floor", "Ceil", "Round", "Trunc",
            "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "LogicalAnd", "LogicalOr", "LogicalXor", "LogicalNot", "IsNaN", "IsInf", "IsFinite", "IsPosInf", "IsNegInf", "Where", "Heaviside"];
        double[] values = type == DType.UInt8 ? [0, 1, 2, 3, 5, 7, 10, 11] : [0, 1, -1, 2, -3, 5, -7, 10];
        foreach (var name in names)
        {
            var truth = Truth.Of(Rows.Find(name));
            int n = (int)Math.Pow(values.Length, truth.Tensors);
            double[][] columns = [.. Enumerable.Range(0, truth.Tensors).Select(k => Enumerable.Range(0, n).Select(i => values[i / (int)Math.Pow(values.Length, k) % values.Length]).ToArray())];
            var (tensors, held) = Operands.Make(truth, type, columns);
            var actual = truth.Apply(tensors).ToArray<double>();
            for (int i = 0; i < n; i++)
            {
                double expected = truth.Value([.. held.Select(c => c[i])]);
                // narrow types wrap
                if (type == DType.UInt8 && truth.Promotion != Promotion.Bool) expected = (byte)(long)expected;
                if (type == DType.Int8) expected = (sbyte)(long)expected;
                Assert.True(actual[i] == expected, $"{name}({string.Join(", ", held.Select(c => c[i]))}) of {type.Name} = {actual[i]}, expected {expected}");
            }
        }
    }

    [Theory, MemberData(nameof(Rows.Integer), MemberType = typeof(Rows))]
    public void Whole_number_operators_wrap_and_round_as_stated(string name)
    {
        foreach (var type in (DType[])[DType.UInt8, DType.Int8, DType.Int16, DType.Int32, DType.Int64])
        {
            int bits = type.Size * 8;
            long low = type == DType.UInt8 ? 0 : bits == 64 ? long.MinValue : -(1L << bits - 1), high = type == DType.UInt8 ? 255 : bits == 64 ? long.MaxValue : (1L << bits - 1) - 1;
            long[] values = [0, 1, 2, 3, 5, 7, 8, 31, 63, 64, 100, low, high, .. type == DType.UInt8 ? Array.Empty<long>() : [-1, -2, -3, -7, -100]];
            bool divides = name.StartsWith("Integer", StringComparison.Ordinal) && name != "IntegerPow";
            var pairs = (from a in values from b in values where !(divides && b == 0) select (a, b)).ToArray();
            var x = Tensor.FromArray(pairs.Select(p => p.a).ToArray()).To(type);
            var y = Tensor.FromArray(pairs.Select(p => p.b).ToArray()).To(type);
            var row = Rows.Find(name);
            var actual = row.Samples[0].Call(row.Samples[0].Operands(new Generator(0)).Length == 1 ? [x] : [x, y]).ToArray<long>();
            for (int i = 0; i < pairs.Length; i++)
            {
                long expected = Wrap(Whole(name, pairs[i].a, pairs[i].b, type), type);
                Assert.True(actual[i] == expected, $"{name}({pairs[i].a}, {pairs[i].b}) of {type.Name} = {actual[i]}, expected {expected}");
            }
        }
    }

    static long Whole(string name, long a, long b, DType type) => name switch
    {
        "BitwiseAnd" => a & b,
        "BitwiseOr" => a | b,
        "BitwiseXor" => a ^ b,
        "BitwiseNot" => ~a,
        // narrow types compute in 32 bits: what leaves the type is cut off
        "LeftShift" => b < 0 || b >= (type == DType.Int64 ? 64 : 32) ? 0 : a << (int)b,
        "RightShift" => a >> (b is < 0 or > 63 ? 63 : (int)b),
        "IntegerFloorDivide" => (long)FloorDivide(a, b),
        "IntegerTruncDivide" => (long)(ulong)((System.Int128)a / b & ulong.MaxValue),
        "IntegerRemainder" => (long)(a - FloorDivide(a, b) * b),
        "IntegerFmod" => (long)(a - (System.Int128)a / b * b),
        "IntegerPow" => Power(a, b),
        // an operator without a formula written out here is held against its own body on one lane
        _ => OneLane(Rows.Find(name).Type, a, b, type),
    };

    static long OneLane(Type op, long a, long b, DType type)
    {
        var body = op.GetMethod("Body")!;
        var lane = type == DType.Int64 ? typeof(Lane<long>) : typeof(Lane<int>);
        object Value(long v) => type == DType.Int64 ? new Lane<long>(v) : new Lane<int>((int)v);
        var result = body.MakeGenericMethod(lane).Invoke(null, body.GetParameters().Length == 1 ? [Value(a)] : [Value(a), Value(b)])!;
        return result is Lane<long> wide ? wide.Value : ((Lane<int>)result).Value;
    }

    static System.Int128 FloorDivide(long a, long b)
    {
        System.Int128 q = (System.Int128)a / b, r = a - q * b;
        System.Int128 floor = r != 0 && r < 0 != b < 0 ? q - 1 : q;
        return unchecked((long)(ulong)(floor & ulong.MaxValue));
    }

    static long Power(long a, long b)
    {
        if (b < 0) return a == 1 ? 1 : a == -1 ? b % 2 == 0 ? 1 : -1 : 0;
        return (long)(ulong)(System.Numerics.BigInteger.ModPow(a, b, System.Numerics.BigInteger.One << 64) is var r && r < 0 ? r + (System.Numerics.BigInteger.One << 64) : r);
    }

    static long Wrap(long value, DType type) => type switch
    {
        DType.UInt8 => (byte)value,
        DType.Int8 => (sbyte)value,
        DType.Int16 => (short)value,
        DType.Int32 => (int)value,
        _ => value,
    };

    [Fact]
    public void Bool_tensors_take_the_bitwise_operators_as_logic()
    {
        var x = Tensor.FromArray([false, false, true, true]);
        var y = Tensor.FromArray([false, true, false, true]);
        Assert.Equal([false, false, false, true], (x & y).ToArray<bool>());
        Assert.Equal([false, true, true, true], (x | y).ToArray<bool>());
        Assert.Equal([false, true, true, false], (x ^ y).ToArray<bool>());
        Assert.Equal([1, 1, 0, 0], (~x).ToArray<byte>());
        Assert.Equal([0, 1, 1, 1], (x + y).ToArray<byte>());
        Assert.All([x & y, x | y, x ^ y, ~x, x + y, x * y], t => Assert.Equal(DType.Bool, t.DType));
    }

    [Fact]
    public void Integer_shift_counts_beyond_the_width_leave_zero_or_the_sign() =>
        Assert.Equal([0, -1, 0], new[] { Tensor.FromArray([-5]).LeftShift(40), Tensor.FromArray([-5]).RightShift(40), Tensor.FromArray([5]).RightShift(-1) }.Select(t => t.Item<int>()));

    [Fact]
    public void Composite_members_agree_with_their_definitions()
    {
        var x = Tensor.Of(1, 2, 3);
        var y = Tensor.Of(4, 5, 6);
        Assert.Equal([3, 4.5f, 6], x.Add(y, 0.5).ToArray<float>());
        Assert.Equal([-1, -0.5f, 0], x.Sub(y, 0.5).ToArray<float>());
        Assert.Equal([9, 22, 39], x.AddCMul(x, y, 2).ToArray<float>());
        Assert.Equal([1.5f, 2.8f, 4f], x.AddCDiv(x, y, 2).ToArray<float>());
        Assert.Equal([2.5f, 3.5f, 4.5f], x.Lerp(y, 0.5).ToArray<float>());
        Assert.Equal([1, 4, 9], x.Pow(2).ToArray<float>());
        Assert.Equal([2, 4, 8], Tensor.Pow(2, x).ToArray<float>());
        Assert.Equal([8L, 27], Tensor.FromArray([2L, 3]).Pow(3).ToArray<long>());
        Assert.Equal([2, 1, 2], (Tensor.Of(-1, 4, 5) % 3).ToArray<float>());
        Assert.Equal([2L, -2], (Tensor.FromArray([-1L, 1]) % Tensor.FromArray([3L, -3])).ToArray<long>());
        Assert.Equal([-1L, -1], Tensor.FromArray([-1L, 1]).FloorDivide(Tensor.FromArray([3L, -3])).ToArray<long>());
        Assert.Equal([0f, float.MaxValue, -float.MaxValue, 2], Tensor.Of(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 2).NanToNum().ToArray<float>());
        Assert.Equal([9f, 7, -7, 2], Tensor.Of(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 2).NanToNum(9, 7, -7).ToArray<float>());
        Assert.Equal([1, 0, 3], x.MaskedFill(x.Eq(2), 0).ToArray<float>());
        Assert.Equal([1.25f], Tensor.Of(1.2468f).Round(2).ToArray<float>());
        Assert.True(x.AllClose(x + 1e-7));
        Assert.False(x.AllClose(y));
        Assert.True(x.Equal(x.Clone()) && !x.Equal(y) && !x.Equal(Tensor.Of(1, 2)));
        Assert.False(Tensor.Of(float.NaN).AllClose(Tensor.Of(float.NaN)));
        Assert.True(Tensor.Of(float.NaN, float.PositiveInfinity).AllClose(Tensor.Of(float.NaN, float.PositiveInfinity), equalNan: true));
        Assert.True(Tensor.Zeros(0).AllClose(Tensor.Zeros(0)));
    }
}
