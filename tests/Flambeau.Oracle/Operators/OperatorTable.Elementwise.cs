using TorchSharp;
using F = TorchSharp.torch.nn.functional;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

internal static partial class OperatorTable
{
    private static Operator U(string name, Func<Ours, Ours> ours, Func<Theirs, Theirs> theirs, Tolerance? tolerance = null, Values values = Values.Any) =>
        new(name, d => One(d.Operand(d.Type(), d.Shape(), values), ours, theirs, tolerance ?? Tolerance.Function));

    /// <summary>Functions of neural networks: floating point only.</summary>
    private static Operator A(string name, Func<Ours, Ours> ours, Func<Theirs, Theirs> theirs, Tolerance? tolerance = null) =>
        new(name, d => One(d.Operand(d.FloatType(), d.Shape(), Values.Any), ours, theirs, tolerance ?? Tolerance.Function));

    private static Operator B(string name, Func<Ours, Ours, Ours> ours, Func<Theirs, Theirs, Theirs> theirs, Tolerance? tolerance = null, Func<Draw, DType>? type = null, Values values = Values.Any, bool gradients = true, bool oneType = false) =>
        new(name, d =>
        {
            var (t, shape) = ((type ?? (e => e.Type()))(d), d.Shape());
            var other = oneType ? t : type is null ? d.PartnerType(t) : d.Chance(0.7) ? t : type(d);
            return Two(d.Operand(t, shape, values), d.Operand(other, d.Partner(shape), values), ours, theirs, tolerance ?? Tolerance.Exact) with { Gradients = gradients };
        });

    /// <summary>A tensor and a number.</summary>
    private static Operator N(string name, Func<Ours, Scalar, Ours> ours, Func<Theirs, TorchSharp.Scalar, Theirs> theirs, Tolerance? tolerance = null, Values values = Values.Any) =>
        new(name, d =>
        {
            var (type, number) = (d.Type(), d.Number());
            // PyTorch wraps −2 to 254 before it compares with uint8
            if (type == DType.UInt8) number = number with { Value = Math.Abs(number.Value) };
            return One(d.Operand(type, d.Shape(), values), x => ours(x, number.Ours), x => theirs(x, number.Theirs), tolerance ?? Tolerance.Exact, number.ToString()) with { Number = number };
        });

    // the binding negates the tensor first, which wraps uint8: the number as a tensor of its category instead, beside dimensions, where both promote alike
    public static Theirs Minus(Theirs x, TorchSharp.Scalar s)
    {
        return x.dim() > 0 ? ZeroDim(s, x).sub(x) : ZeroDim(s, x).sub(x.reshape(1)).reshape([]);
    }

    private static Theirs ZeroDim(TorchSharp.Scalar s, Theirs beside) =>
        torch.zeros([], dtype: s.Type == torch.ScalarType.Float64 && !beside.is_floating_point() ? torch.ScalarType.Float32 : s.Type).add(s);

    private static Theirs WhereNumber(Theirs mask, Theirs x, TorchSharp.Scalar s) => x.dim() > 0 ? torch.where(mask, x, ZeroDim(s, x)) : torch.where(mask, x.reshape(1), ZeroDim(s, x)).reshape(mask.shape);

    /// <summary>A quotient of whole numbers: PyTorch ends the process at the least int32 over −1.</summary>
    private static Operator Whole(Operator op) => op with
    {
        Draw = d =>
        {
            var c = op.Draw(d);
            return c with { Operands = Array.ConvertAll(c.Operands, o => o with { Values = Array.ConvertAll(o.Values, v => o.Type == DType.Int32 ? Math.Max(v, -int.MaxValue) : v) }) };
        },
    };

    private static Operator[] Unary =>
    [
        U("Sin", x => x.Sin(), x => x.sin()), U("Cos", x => x.Cos(), x => x.cos()), U("Tan", x => x.Tan(), x => x.tan(), new(64, 1)),
        U("Asin", x => x.Asin(), x => x.asin()), U("Acos", x => x.Acos(), x => x.acos()), U("Atan", x => x.Atan(), x => x.atan()),
        U("Sinh", x => x.Sinh(), x => x.sinh()), U("Cosh", x => x.Cosh(), x => x.cosh()), U("Tanh", x => x.Tanh(), x => x.tanh()),
        U("Asinh", x => x.Asinh(), x => x.asinh()), U("Acosh", x => x.Acosh(), x => x.acosh()), U("Atanh", x => x.Atanh(), x => x.atanh()),
        U("Erf", x => x.Erf(), x => x.erf()), U("Erfc", x => x.Erfc(), x => x.erfc()),
        U("Exp", x => x.Exp(), x => x.exp()), U("Exp2", x => x.Exp2(), x => x.exp2()), U("Expm1", x => x.Expm1(), x => x.expm1()),
        U("Log", x => x.Log(), x => x.log()), U("Log2", x => x.Log2(), x => x.log2()), U("Log10", x => x.Log10(), x => x.log10()), U("Log1p", x => x.Log1p(), x => x.log1p()),
        U("Log of positive numbers", x => x.Log(), x => x.log(), values: Values.Positive),
        U("Sigmoid", x => x.Sigmoid(), x => x.sigmoid()), U("Logit", x => x.Logit(), x => x.logit(), values: Values.Unit), U("Logit with eps", x => x.Logit(0.1), x => x.logit(0.1)),
        U("Floor", x => x.Floor(), x => x.floor(), Tolerance.Exact), U("Ceil", x => x.Ceil(), x => x.ceil(), Tolerance.Exact),
        U("Round", x => x.Round(), x => x.round(), Tolerance.Exact), U("Round to one decimal", x => x.Round(1), x => x.round(1)),
        U("Trunc", x => x.Trunc(), x => x.trunc(), Tolerance.Exact), U("Frac", x => x.Frac(), x => x.frac(), Tolerance.Exact),
        U("Square", x => x.Square(), x => x.square(), Tolerance.Exact), U("Sqrt", x => x.Sqrt(), x => x.sqrt(), new(1)), U("Rsqrt", x => x.Rsqrt(), x => x.rsqrt()),
        U("Sqrt of positive numbers", x => x.Sqrt(), x => x.sqrt(), new(1), Values.Positive), U("Reciprocal", x => x.Reciprocal(), x => x.reciprocal(), new(1)),
        U("Neg", x => x.Neg(), x => x.neg(), Tolerance.Exact), U("Abs", x => x.Abs(), x => x.abs(), Tolerance.Exact), U("Sign", x => x.Sign(), x => x.sign(), Tolerance.Exact),
        U("IsNaN", x => x.IsNaN(), x => x.isnan(), Tolerance.Exact), U("IsInf", x => x.IsInf(), x => x.isinf(), Tolerance.Exact), U("IsFinite", x => x.IsFinite(), x => x.isfinite(), Tolerance.Exact),
        U("IsPosInf", x => x.IsPosInf(), x => x.isposinf(), Tolerance.Exact), U("IsNegInf", x => x.IsNegInf(), x => x.isneginf(), Tolerance.Exact),
        U("Sinc", x => x.Sinc(), x => x.sinc(), new(64, 1)), U("LogicalNot", x => x.LogicalNot(), x => x.logical_not(), Tolerance.Exact), U("BitwiseNot", x => x.BitwiseNot(), x => x.bitwise_not(), Tolerance.Exact),
        U("NanToNum", x => x.NanToNum(), x => x.nan_to_num(), Tolerance.Exact), U("NanToNum by numbers", x => x.NanToNum(1, 2, -3), x => x.nan_to_num(1, 2, -3), Tolerance.Exact),
        new("To", d =>
        {
            // a number outside of a whole type's range has no defined conversion
            var (from, to) = (d.Type(), d.Type());
            return One(d.Operand(from, d.Shape(), Values.Positive), x => x.To(to), x => x.to(Types.Torch(to)), Tolerance.Exact, to.Name);
        }),
    ];

    private static Operator[] Binary =>
    [
        B("Add", (x, y) => x + y, (x, y) => x.add(y)), B("Sub", (x, y) => x - y, (x, y) => x.sub(y)), B("Mul", (x, y) => x * y, (x, y) => x.mul(y)), B("Div", (x, y) => x / y, (x, y) => x.div(y)),
        N("Add a number", (x, s) => x + s, (x, s) => x.add(s)), N("Sub a number", (x, s) => x - s, (x, s) => x.sub(s)), N("Mul by a number", (x, s) => x * s, (x, s) => x.mul(s), new(1)),
        N("Div by a number", (x, s) => x / s, (x, s) => x.div(s), new(2)), N("Number minus tensor", (x, s) => s - x, Minus), N("Number over tensor", (x, s) => s / x, (x, s) => s / x, new(2)),
        B("Pow", (x, y) => x.Pow(y), (x, y) => x.pow(y), new(64, 1)), N("Pow a number", (x, s) => x.Pow(s), (x, s) => x.pow(s), new(64, 1)), B("Pow of positive numbers", (x, y) => x.Pow(y), (x, y) => x.pow(y), new(64, 1), values: Values.Positive),
        Whole(B("Remainder", (x, y) => x.Remainder(y), (x, y) => x.remainder(y), Tolerance.Function)), Whole(B("Fmod", (x, y) => x.Fmod(y), (x, y) => x.fmod(y), Tolerance.Function)),
        Whole(N("Remainder by a number", (x, s) => x.Remainder(s), (x, s) => x.remainder(s), Tolerance.Function)), Whole(N("Fmod by a number", (x, s) => x.Fmod(s), (x, s) => x.fmod(s), Tolerance.Function)),
        Whole(B("FloorDivide", (x, y) => x.FloorDivide(y), (x, y) => x.floor_divide(y), gradients: false)), Whole(B("TruncDivide", (x, y) => x.TruncDivide(y), (x, y) => x.div(y, torch.RoundingMode.trunc))),
        Whole(N("FloorDivide by a number", (x, s) => x.FloorDivide(s), (x, s) => x.div(s, torch.RoundingMode.floor))),
        B("Eq", (x, y) => x.Eq(y), (x, y) => x.eq(y)), B("Ne", (x, y) => x.Ne(y), (x, y) => x.ne(y)), B("Lt", (x, y) => x < y, (x, y) => x.lt(y)), B("Le", (x, y) => x <= y, (x, y) => x.le(y)),
        B("Gt", (x, y) => x > y, (x, y) => x.gt(y)), B("Ge", (x, y) => x >= y, (x, y) => x.ge(y)),
        N("Eq a number", (x, s) => x.Eq(s), (x, s) => x.eq(s)), N("Lt a number", (x, s) => x.Lt(s), (x, s) => x.lt(s)), N("Ge a number", (x, s) => x.Ge(s), (x, s) => x.ge(s)),
        B("Maximum", (x, y) => x.Maximum(y), (x, y) => x.maximum(y)), B("Minimum", (x, y) => x.Minimum(y), (x, y) => x.minimum(y)), B("Fmax", (x, y) => x.Fmax(y), (x, y) => x.fmax(y)), B("Fmin", (x, y) => x.Fmin(y), (x, y) => x.fmin(y)),
        N("ClampMin", (x, s) => x.ClampMin(s), (x, s) => x.clamp_min(s)), N("ClampMax", (x, s) => x.ClampMax(s), (x, s) => x.clamp_max(s)), N("Clamp", (x, s) => x.Clamp(s, 2), (x, s) => x.clamp(s, (TorchSharp.Scalar)2)),
        B("Atan2", (x, y) => x.Atan2(y), (x, y) => x.atan2(y), Tolerance.Function), B("Xlogy", (x, y) => x.Xlogy(y), (x, y) => x.xlogy(y), Tolerance.Function), B("LogAddExp", (x, y) => x.LogAddExp(y), (x, y) => x.logaddexp(y), Tolerance.Function, d => d.FloatType()),
        B("Heaviside", (x, y) => x.Heaviside(y), (x, y) => x.heaviside(y), gradients: false, oneType: true),
        B("LogicalAnd", (x, y) => x.LogicalAnd(y), (x, y) => x.logical_and(y)), B("LogicalOr", (x, y) => x.LogicalOr(y), (x, y) => x.logical_or(y)), B("LogicalXor", (x, y) => x.LogicalXor(y), (x, y) => x.logical_xor(y)),
        B("BitwiseAnd", (x, y) => x & y, (x, y) => x.bitwise_and(y)), B("BitwiseOr", (x, y) => x | y, (x, y) => x.bitwise_or(y)), B("BitwiseXor", (x, y) => x ^ y, (x, y) => x.bitwise_xor(y)),
        B("LeftShift", (x, y) => x.LeftShift(y), (x, y) => x.bitwise_left_shift(y), type: d => d.WholeType(), values: Values.Positive), B("RightShift", (x, y) => x.RightShift(y), (x, y) => x.bitwise_right_shift(y), type: d => d.WholeType(), values: Values.Positive),
        B("IsClose", (x, y) => x.IsClose(y, 0.1, 0.1, true), (x, y) => x.isclose(y, 0.1, 0.1, true), type: d => d.FloatType(), oneType: true),
        B("Add scaled", (x, y) => x.Add(y, 2), (x, y) => x.add(y, alpha: 2), new(4, 8)), B("Sub scaled", (x, y) => x.Sub(y, 0.3), (x, y) => x.add(y, alpha: -0.3), new(4, 8)),
        N("Ne a number", (x, s) => x.Ne(s), (x, s) => x.ne(s)), N("Gt a number", (x, s) => x.Gt(s), (x, s) => x.gt(s)), N("Le a number", (x, s) => x.Le(s), (x, s) => x.le(s)),
        B("ClampMin by a tensor", (x, y) => x.ClampMin(y), (x, y) => x.clamp(y, null)), B("ClampMax by a tensor", (x, y) => x.ClampMax(y), (x, y) => x.clamp(null, y)),
        B("Pow_", (x, y) => x.Clone().Pow_(y), (x, y) => x.clone().pow_(y), new(64, 1), values: Values.Positive), B("Sub_", (x, y) => x.Clone().Sub_(y), (x, y) => x.clone().sub_(y)),
        B("Add_", (x, y) => x.Clone().Add_(y), (x, y) => x.clone().add_(y)), B("Mul_", (x, y) => x.Clone().Mul_(y), (x, y) => x.clone().mul_(y)), B("Div_", (x, y) => x.Clone().Div_(y), (x, y) => x.clone().div_(y)),
        B("Copy_", (x, y) => x.Clone().Copy_(y), (x, y) => x.clone().copy_(y), values: Values.Positive),
    ];

    private static Operator[] Ternary =>
    [
        new("Where", d =>
        {
            var (type, shape) = (d.Type(), d.Shape());
            Operand[] operands = [d.Operand(d.Chance(0.95) ? DType.Bool : d.Type(), d.Partner(shape)), d.Operand(type, shape), d.Operand(d.PartnerType(type), d.Partner(shape))];
            return new(operands, x => [Ours.Where(x[0], x[1], x[2])], x => [torch.where(x[0], x[1], x[2])], Tolerance.Exact);
        }),
        new("MaskedFill", d =>
        {
            var (type, shape, number) = (d.Type(), d.Shape(), d.Number());
            return Two(d.Operand(type, shape), d.Operand(d.Chance(0.95) ? DType.Bool : d.Type(), d.Partner(shape)), (x, m) => x.MaskedFill(m, number.Ours), (x, m) => x.masked_fill(m, number.Theirs), Tolerance.Exact, number.ToString()) with { Number = number };
        }),
        new("AddCMul", d => Triple(d, (x, y, z, s) => x.AddCMul(y, z, s), (x, y, z, s) => x.addcmul(y, z, s))),
        new("AddCDiv", d => Triple(d, (x, y, z, s) => x.AddCDiv(y, z, s), (x, y, z, s) => x.addcdiv(y, z, s))),
        new("Lerp", d =>
        {
            var (type, shape) = (d.FloatType(), d.Shape());
            Operand[] operands = [d.Operand(type, shape), d.Operand(type, d.Partner(shape)), d.Operand(type, d.Partner(shape))];
            return new(operands, x => [x[0].Lerp(x[1], x[2])], x => [x[0].lerp(x[1], x[2])], new(16, 16));
        }),
        new("Lerp by a number", d =>
        {
            // a weight beside 0-dim tensors the binding makes a tensor of float64
            var (type, shape, weight) = (d.FloatType(), d.Shape(1), d.Of(0.25, 0.5, 0.7, 1.3));
            return Two(d.Operand(type, shape), d.Operand(type, d.Partner(shape)), (x, y) => x.Lerp(y, weight), (x, y) => x.lerp(y, weight), new(16, 16), $"{weight}");
        }),
        new("Where with a number", d =>
        {
            var (shape, number) = (d.Shape(), d.Number());
            return Two(d.Operand(DType.Bool, d.Partner(shape)), d.Operand(d.Type(), shape), (m, x) => Ours.Where(m, x, number.Ours), (m, x) => WhereNumber(m, x, number.Theirs), Tolerance.Exact, number.ToString()) with { Number = number };
        }),
        new("Clamp by tensors", d =>
        {
            var (type, shape) = (d.Type(), d.Shape());
            Operand[] operands = [d.Operand(type, shape), d.Operand(d.PartnerType(type), d.Partner(shape)), d.Operand(d.PartnerType(type), d.Partner(shape))];
            return new(operands, x => [x[0].Clamp(x[1], x[2])], x => [x[0].clamp(x[1], x[2])], Tolerance.Exact);
        }),
    ];

    private static Case Triple(Draw d, Func<Ours, Ours, Ours, Scalar, Ours> ours, Func<Theirs, Theirs, Theirs, TorchSharp.Scalar, Theirs> theirs)
    {
        var (type, shape, number) = (d.Type(), d.Shape(), d.Number());
        Operand[] operands = [d.Operand(type, shape), d.Operand(d.PartnerType(type), d.Partner(shape)), d.Operand(d.PartnerType(type), d.Partner(shape), Values.Positive)];
        return new(operands, x => [ours(x[0], x[1], x[2], number.Ours)], x => [theirs(x[0], x[1], x[2], number.Theirs)], new(16, 64), number.ToString()) { Number = number };
    }

    private static Operator[] Activations =>
    [
        A("Relu", x => x.Relu(), x => F.relu(x), Tolerance.Exact), A("Relu6", x => x.Relu6(), x => F.relu6(x), Tolerance.Exact), A("LeakyRelu", x => x.LeakyRelu(0.25), x => F.leaky_relu(x, 0.25), Tolerance.Exact),
        A("Elu", x => x.Elu(0.7), x => F.elu(x, 0.7)), A("Celu", x => x.Celu(0.7), x => F.celu(x, 0.7)), A("Selu", x => x.Selu(), x => F.selu(x)),
        A("Gelu", x => x.Gelu(), x => F.gelu(x)), A("Gelu by tanh", x => x.Gelu(GeluApproximation.Tanh), x => F.gelu(x, TorchSharp.Modules.GELU.Approximate.tanh)),
        A("Silu", x => x.Silu(), x => F.silu(x)), A("Mish", x => x.Mish(), x => F.mish(x)), A("Hardtanh", x => x.Hardtanh(-0.51, 1.53), x => x.clamp(-0.51, 1.53), Tolerance.Exact),
        A("Hardswish", x => x.Hardswish(), x => F.hardswish(x)), A("Hardsigmoid", x => x.Hardsigmoid(), x => F.hardsigmoid(x)), A("Softsign", x => x.Softsign(), x => F.softsign(x)),
        A("Softplus", x => x.Softplus(2, 3), x => F.softplus(x, 2, 3)), A("Threshold", x => x.Threshold(0.5, -1), x => F.threshold(x, 0.5, -1), Tolerance.Exact),
        A("Hardshrink", x => x.Hardshrink(0.5), x => F.hardshrink(x, 0.5), Tolerance.Exact), A("Softshrink", x => x.Softshrink(0.5), x => F.softshrink(x, 0.5), Tolerance.Exact),
        A("Tanhshrink", x => x.Tanhshrink(), x => F.tanhshrink(x), new(16, 4)), A("LogSigmoid", x => x.LogSigmoid(), x => F.logsigmoid(x)),
    ];
}
