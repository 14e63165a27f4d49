namespace Flambeau.Scalars;

/// <summary>What a node of an <see cref="Expr"/> does.</summary>
public enum Opcode : byte
{
#pragma warning disable CS1591 // each is the member of IReal of the same name
    Input, Constant, Add, Subtract, Multiply, Divide, Negate, FusedMultiplyAdd, Less, LessOrEqual, Select, StopGradient,
    Pow, Equal, And, Or, Min, Max, CopySign, Atan2, Fmod,
    Sqrt, Rsqrt, Exp, Exp2, Expm1, Log, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh, Not, Abs, Sign, Floor, Ceiling, Truncate, Round, Erf, Erfc, Sigmoid, Softplus, LogSigmoid, NormalCdf, Logistic,
#pragma warning restore CS1591
}

/// <summary>
/// A scalar expression: what a body says, as data. Nodes are shared: equal expressions are the same object, so a subexpression is computed once and "is it the output?" is a reference comparison.
/// </summary>
/// <remarks>Construction applies exact rewrites only (x·1, x÷1, −−x): an expression has the bits of the body it came from.</remarks>
public sealed class Expr : IReal<Expr>
{
    /// <summary>What this node does.</summary>
    public Opcode Op { get; }
    /// <summary>The operands, zero to three.</summary>
    public Expr[] Args { get; }
    /// <summary>The value of a <see cref="Opcode.Constant"/>.</summary>
    public double Value { get; }
    /// <summary>The operand number of an <see cref="Opcode.Input"/>.</summary>
    public int Index { get; }

    Expr(Opcode op, Expr[] args, double value, int index) => (Op, Args, Value, Index) = (op, args, value, index);

    readonly record struct Key(Opcode Op, Expr? A, Expr? B, Expr? C, long Payload);

    // expressions are few (bodies and their derivatives) and live as long as the table does
    static readonly Dictionary<Key, Expr> s_nodes = [];

    static Expr Node(Opcode op, Expr[] args, double value = 0, int index = 0)
    {
        var key = new Key(op, args.ElementAtOrDefault(0), args.ElementAtOrDefault(1), args.ElementAtOrDefault(2),
            op == Opcode.Constant ? BitConverter.DoubleToInt64Bits(value) : index);
        lock (s_nodes)
        {
            if (!s_nodes.TryGetValue(key, out var node)) s_nodes.Add(key, node = new(op, args, value, index));
            return node;
        }
    }

    /// <summary>Operand number <paramref name="index"/>.</summary>
    public static Expr Input(int index) => Node(Opcode.Input, [], index: index);

    bool Is(double value) => Op == Opcode.Constant && Value.Equals(value);

    /// <inheritdoc/>
    public static Expr Constant(double value) => Node(Opcode.Constant, [], value);
    /// <inheritdoc/>
    public static Expr operator +(Expr x, Expr y) => Node(Opcode.Add, [x, y]);
    /// <inheritdoc/>
    public static Expr operator -(Expr x, Expr y) => Node(Opcode.Subtract, [x, y]);
    /// <inheritdoc/>
    public static Expr operator *(Expr x, Expr y) => x.Is(1) ? y : y.Is(1) ? x : Node(Opcode.Multiply, [x, y]);
    /// <inheritdoc/>
    public static Expr operator /(Expr x, Expr y) => y.Is(1) ? x : Node(Opcode.Divide, [x, y]);
    /// <inheritdoc/>
    public static Expr operator -(Expr x) => x.Op == Opcode.Negate ? x.Args[0] : x.Op == Opcode.Constant ? Constant(-x.Value) : Node(Opcode.Negate, [x]);
    /// <inheritdoc/>
    public static Expr FusedMultiplyAdd(Expr x, Expr y, Expr z) => Node(Opcode.FusedMultiplyAdd, [x, y, z]);
    /// <inheritdoc/>
    public static Expr operator <(Expr x, Expr y) => Node(Opcode.Less, [x, y]);
    /// <inheritdoc/>
    public static Expr operator >(Expr x, Expr y) => y < x;
    /// <inheritdoc/>
    public static Expr operator <=(Expr x, Expr y) => Node(Opcode.LessOrEqual, [x, y]);
    /// <inheritdoc/>
    public static Expr operator >=(Expr x, Expr y) => y <= x;
    /// <inheritdoc/>
    public static Expr Select(Expr mask, Expr x, Expr y) => ReferenceEquals(x, y) ? x : Node(Opcode.Select, [mask, x, y]);
    /// <inheritdoc/>
    public static Expr StopGradient(Expr x) => x;
    /// <inheritdoc/>
    public static Expr Pow(Expr x, Expr y) => Node(Opcode.Pow, [x, y]);
    /// <inheritdoc/>
    public static Expr Equal(Expr x, Expr y) => Node(Opcode.Equal, [x, y]);
    /// <inheritdoc/>
    public static Expr And(Expr x, Expr y) => Node(Opcode.And, [x, y]);
    /// <inheritdoc/>
    public static Expr Or(Expr x, Expr y) => Node(Opcode.Or, [x, y]);
    /// <inheritdoc/>
    public static Expr Min(Expr x, Expr y) => Node(Opcode.Min, [x, y]);
    /// <inheritdoc/>
    public static Expr Max(Expr x, Expr y) => Node(Opcode.Max, [x, y]);
    /// <inheritdoc/>
    public static Expr CopySign(Expr x, Expr y) => Node(Opcode.CopySign, [x, y]);
    /// <inheritdoc/>
    public static Expr Atan2(Expr x, Expr y) => Node(Opcode.Atan2, [x, y]);
    /// <inheritdoc/>
    public static Expr Fmod(Expr x, Expr y) => Node(Opcode.Fmod, [x, y]);
    /// <inheritdoc/>
    public static Expr Sqrt(Expr x) => Node(Opcode.Sqrt, [x]);
    /// <inheritdoc/>
    public static Expr Rsqrt(Expr x) => Node(Opcode.Rsqrt, [x]);
    /// <inheritdoc/>
    public static Expr Exp(Expr x) => Node(Opcode.Exp, [x]);
    /// <inheritdoc/>
    public static Expr Exp2(Expr x) => Node(Opcode.Exp2, [x]);
    /// <inheritdoc/>
    public static Expr Expm1(Expr x) => Node(Opcode.Expm1, [x]);
    /// <inheritdoc/>
    public static Expr Log(Expr x) => Node(Opcode.Log, [x]);
    /// <inheritdoc/>
    public static Expr Log2(Expr x) => Node(Opcode.Log2, [x]);
    /// <inheritdoc/>
    public static Expr Log10(Expr x) => Node(Opcode.Log10, [x]);
    /// <inheritdoc/>
    public static Expr Log1p(Expr x) => Node(Opcode.Log1p, [x]);
    /// <inheritdoc/>
    public static Expr Sin(Expr x) => Node(Opcode.Sin, [x]);
    /// <inheritdoc/>
    public static Expr Cos(Expr x) => Node(Opcode.Cos, [x]);
    /// <inheritdoc/>
    public static Expr Tan(Expr x) => Node(Opcode.Tan, [x]);
    /// <inheritdoc/>
    public static Expr Asin(Expr x) => Node(Opcode.Asin, [x]);
    /// <inheritdoc/>
    public static Expr Acos(Expr x) => Node(Opcode.Acos, [x]);
    /// <inheritdoc/>
    public static Expr Atan(Expr x) => Node(Opcode.Atan, [x]);
    /// <inheritdoc/>
    public static Expr Sinh(Expr x) => Node(Opcode.Sinh, [x]);
    /// <inheritdoc/>
    public static Expr Cosh(Expr x) => Node(Opcode.Cosh, [x]);
    /// <inheritdoc/>
    public static Expr Tanh(Expr x) => Node(Opcode.Tanh, [x]);
    /// <inheritdoc/>
    public static Expr Asinh(Expr x) => Node(Opcode.Asinh, [x]);
    /// <inheritdoc/>
    public static Expr Acosh(Expr x) => Node(Opcode.Acosh, [x]);
    /// <inheritdoc/>
    public static Expr Atanh(Expr x) => Node(Opcode.Atanh, [x]);
    /// <inheritdoc/>
    public static Expr Not(Expr x) => Node(Opcode.Not, [x]);
    /// <inheritdoc/>
    public static Expr Abs(Expr x) => Node(Opcode.Abs, [x]);
    /// <inheritdoc/>
    public static Expr Sign(Expr x) => Node(Opcode.Sign, [x]);
    /// <inheritdoc/>
    public static Expr Floor(Expr x) => Node(Opcode.Floor, [x]);
    /// <inheritdoc/>
    public static Expr Ceiling(Expr x) => Node(Opcode.Ceiling, [x]);
    /// <inheritdoc/>
    public static Expr Truncate(Expr x) => Node(Opcode.Truncate, [x]);
    /// <inheritdoc/>
    public static Expr Round(Expr x) => Node(Opcode.Round, [x]);
    /// <inheritdoc/>
    public static Expr Erf(Expr x) => Node(Opcode.Erf, [x]);
    /// <inheritdoc/>
    public static Expr Erfc(Expr x) => Node(Opcode.Erfc, [x]);
    /// <inheritdoc/>
    public static Expr Sigmoid(Expr x) => Node(Opcode.Sigmoid, [x]);
    /// <inheritdoc/>
    public static Expr Softplus(Expr x) => Node(Opcode.Softplus, [x]);
    /// <inheritdoc/>
    public static Expr LogSigmoid(Expr x) => Node(Opcode.LogSigmoid, [x]);
    /// <inheritdoc/>
    public static Expr NormalCdf(Expr x) => Node(Opcode.NormalCdf, [x]);
    /// <inheritdoc/>
    public static Expr Logistic(Expr x) => Node(Opcode.Logistic, [x]);

    /// <summary>Reads the expression again over another scalar: operand <c>i</c> is <c>inputs[i]</c>. Shared nodes are read once.</summary>
    public static S Read<S>(Expr root, ReadOnlySpan<S> inputs) where S : IReal<S>
    {
        var values = new Dictionary<Expr, S>();
        foreach (var node in InOrder(root))
            values[node] = node.Op == Opcode.Input ? inputs[node.Index] : node.Evaluate(values);
        return values[root];
    }

    S Evaluate<S>(Dictionary<Expr, S> values) where S : IReal<S>
    {
        if (Op == Opcode.Constant) return S.Constant(Value);
        var x = values[Args[0]];
        if (Args.Length == 1) return Apply(Op, x);
        var y = values[Args[1]];
        return Args.Length == 2 ? Apply(Op, x, y) : Apply(Op, x, y, values[Args[2]]);
    }

    /// <summary>Every node below and including <paramref name="root"/>, operands before users.</summary>
    public static List<Expr> InOrder(Expr root)
    {
        var order = new List<Expr>();
        var seen = new HashSet<Expr>();
        Visit(root);
        return order;

        void Visit(Expr e)
        {
            if (!seen.Add(e)) return;
            foreach (var arg in e.Args) Visit(arg);
            order.Add(e);
        }
    }

    internal static S Apply<S>(Opcode op, S x) where S : IReal<S> => op switch
    {
        Opcode.Negate => -x,
        Opcode.Sqrt => S.Sqrt(x),
        Opcode.Rsqrt => S.Rsqrt(x),
        Opcode.Exp => S.Exp(x),
        Opcode.Exp2 => S.Exp2(x),
        Opcode.Expm1 => S.Expm1(x),
        Opcode.Log => S.Log(x),
        Opcode.Log2 => S.Log2(x),
        Opcode.Log10 => S.Log10(x),
        Opcode.Log1p => S.Log1p(x),
        Opcode.Sin => S.Sin(x),
        Opcode.Cos => S.Cos(x),
        Opcode.Tan => S.Tan(x),
        Opcode.Asin => S.Asin(x),
        Opcode.Acos => S.Acos(x),
        Opcode.Atan => S.Atan(x),
        Opcode.Sinh => S.Sinh(x),
        Opcode.Cosh => S.Cosh(x),
        Opcode.Tanh => S.Tanh(x),
        Opcode.Asinh => S.Asinh(x),
        Opcode.Acosh => S.Acosh(x),
        Opcode.Atanh => S.Atanh(x),
        Opcode.Not => S.Not(x),
        Opcode.Abs => S.Abs(x),
        Opcode.Sign => S.Sign(x),
        Opcode.Floor => S.Floor(x),
        Opcode.Ceiling => S.Ceiling(x),
        Opcode.Truncate => S.Truncate(x),
        Opcode.Round => S.Round(x),
        Opcode.Erf => S.Erf(x),
        Opcode.Erfc => S.Erfc(x),
        Opcode.Sigmoid => S.Sigmoid(x),
        Opcode.Softplus => S.Softplus(x),
        Opcode.LogSigmoid => S.LogSigmoid(x),
        Opcode.NormalCdf => S.NormalCdf(x),
        Opcode.Logistic => S.Logistic(x),
        _ => throw new InvalidOperationException($"{op} does not take one operand"),
    };

    internal static S Apply<S>(Opcode op, S x, S y) where S : IReal<S> => op switch
    {
        Opcode.Add => x + y,
        Opcode.Subtract => x - y,
        Opcode.Multiply => x * y,
        Opcode.Divide => x / y,
        Opcode.Less => x < y,
        Opcode.LessOrEqual => x <= y,
        Opcode.Pow => S.Pow(x, y),
        Opcode.Equal => S.Equal(x, y),
        Opcode.And => S.And(x, y),
        Opcode.Or => S.Or(x, y),
        Opcode.Min => S.Min(x, y),
        Opcode.Max => S.Max(x, y),
        Opcode.CopySign => S.CopySign(x, y),
        Opcode.Atan2 => S.Atan2(x, y),
        Opcode.Fmod => S.Fmod(x, y),
        _ => throw new InvalidOperationException($"{op} does not take two operands"),
    };

    internal static S Apply<S>(Opcode op, S x, S y, S z) where S : IReal<S> => op switch
    {
        Opcode.Select => S.Select(x, y, z),
        Opcode.FusedMultiplyAdd => S.FusedMultiplyAdd(x, y, z),
        _ => throw new InvalidOperationException($"{op} does not take three operands"),
    };

    /// <summary>The expression as a formula, operands named x0, x1, ….</summary>
    public override string ToString() => Op switch
    {
        Opcode.Input => $"x{Index}",
        Opcode.Constant => Value.ToString("R", System.Globalization.CultureInfo.InvariantCulture),
        Opcode.Add => $"({Args[0]} + {Args[1]})",
        Opcode.Subtract => $"({Args[0]} - {Args[1]})",
        Opcode.Multiply => $"({Args[0]} * {Args[1]})",
        Opcode.Divide => $"({Args[0]} / {Args[1]})",
        Opcode.Negate => $"-{Args[0]}",
        Opcode.Less => $"({Args[0]} < {Args[1]})",
        Opcode.LessOrEqual => $"({Args[0]} <= {Args[1]})",
        _ => $"{Op}({string.Join(", ", Args.Select(a => a.ToString()))})",
    };
}
