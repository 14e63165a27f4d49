using System.Runtime.CompilerServices;
using Flambeau.Compile;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops;

/// <summary>How an elementwise operator's result type follows from its operands' types.</summary>
public enum Promotion
{
    /// <summary>The common type of the operands: <c>Add</c>.</summary>
    Same,
    /// <summary>The common type; whole numbers and bool become float32: <c>Exp</c>, <c>Divide</c>.</summary>
    IntToFloat,
    /// <summary>Computed in the common type, the result is bool: <c>Less</c>. The body yields a mask.</summary>
    Bool,
}

/// <summary>What every elementwise operator may state beside its body.</summary>
public interface IElementwise : IOperator
{
    /// <summary>How the result type follows from the operands.</summary>
    static virtual Promotion Promotion => Promotion.Same;
    /// <summary>How many of the last operands are parameters: scalars that are not differentiated.</summary>
    static virtual int Parameters => 0;
    /// <summary>How many of the first operands are conditions: bool, without part in promotion, not differentiated. In the body a condition is 0 or 1.</summary>
    static virtual int Conditions => 0;
    /// <summary>False if bool operands alone are refused: <c>Sub</c>, <c>Neg</c>.</summary>
    static virtual bool AllowsBool => true;
    /// <summary>True if numbers and 0-dim operands are rounded to the common type like all operands; false for <c>Mul</c>, <c>Div</c> and their like, which round their result alone.</summary>
    static virtual bool RoundsScalars => true;
    /// <summary>Where samples draw their operands from: an interval inside the domain, away from poles.</summary>
    static virtual (double Low, double High) Domain => (-2, 2);
    /// <summary>What samples pass as the parameters: PyTorch's defaults.</summary>
    static virtual double[] SampleParameters => [];
}

/// <summary>An operator of one operand, elementwise: the body says what happens to one element.</summary>
public interface IUnary : IElementwise
{
    /// <summary>The formula, on any real scalar.</summary>
    static abstract S Body<S>(S x) where S : IReal<S>;

    /// <summary>
    /// True if <see cref="Derivative"/> states dy/dx as a function of the result: the result alone is saved, and in-place use stays legal. Tests hold the statement against the derived derivative.
    /// </summary>
    static virtual bool StatesDerivative => false;
    /// <summary>dy/dx · g in terms of y; used if <see cref="StatesDerivative"/>. Where a branch is not taken, select g itself: 0 · g is NaN for an infinite g.</summary>
    static virtual S Derivative<S>(S y, S g) where S : IReal<S> => throw new NotSupportedException("StatesDerivative is true but Derivative is not overridden.");
}

/// <summary>An elementwise operator of two operands.</summary>
public interface IBinary : IElementwise
{
    /// <summary>The formula, on any real scalar.</summary>
    static abstract S Body<S>(S x, S y) where S : IReal<S>;

    /// <summary>True if <see cref="DerivativeByX"/> states dz/dx, for operators whose derived one makes a NaN of a gradient of 0. What y gets is always derived.</summary>
    static virtual bool StatesDerivativeByX => false;
    /// <summary>dz/dx · g, linear in g; used if <see cref="StatesDerivativeByX"/>.</summary>
    static virtual S DerivativeByX<S>(S x, S y, S g) where S : IReal<S> => throw new NotSupportedException("StatesDerivativeByX is true but DerivativeByX is not overridden.");
}

/// <summary>An elementwise operator of three operands.</summary>
public interface ITernary : IElementwise
{
    /// <summary>The formula, on any real scalar.</summary>
    static abstract S Body<S>(S x, S y, S z) where S : IReal<S>;
}

/// <summary>An elementwise operator on whole numbers, of one operand.</summary>
public interface IIntegerUnary : IElementwise
{
    /// <summary>The formula, on any whole-number scalar.</summary>
    static abstract S Body<S>(S x) where S : IInteger<S>;
}

/// <summary>An elementwise operator on whole numbers, of two operands.</summary>
public interface IIntegerBinary : IElementwise
{
    /// <summary>True if a zero among the second operand's elements is an error: divisions.</summary>
    static virtual bool RefusesZeroDivisor => false;
    /// <summary>The formula, on any whole-number scalar.</summary>
    static abstract S Body<S>(S x, S y) where S : IInteger<S>;
}

/// <summary>Applies elementwise operators.</summary>
public static class Elementwise
{
    /// <summary>Applies a unary operator.</summary>
    public static Tensor Apply<TOp>(Tensor x) where TOp : struct, IUnary => UnaryOp<TOp>.Instance.Apply(Autocast.Operand<TOp>(x));

    /// <summary>Applies a binary operator; the operands broadcast.</summary>
    public static Tensor Apply<TOp>(Tensor x, Tensor y) where TOp : struct, IBinary => BinaryOp<TOp>.Instance.Apply(Autocast.Operand<TOp>(x), Autocast.Operand<TOp>(y));

    /// <summary>Applies a binary operator to a tensor and a number.</summary>
    public static Tensor Apply<TOp>(Tensor x, Scalar y) where TOp : struct, IBinary => BinaryOp<TOp>.Instance.Apply(Autocast.Operand<TOp>(x), Numbers.Of(y));

    /// <summary>Applies a ternary operator; the operands broadcast.</summary>
    public static Tensor Apply<TOp>(Tensor x, Tensor y, Tensor z) where TOp : struct, ITernary => TernaryOp<TOp>.Instance.Apply(Autocast.Operand<TOp>(x), Autocast.Operand<TOp>(y), Autocast.Operand<TOp>(z));

    /// <summary>Applies a ternary operator to a tensor and two numbers.</summary>
    public static Tensor Apply<TOp>(Tensor x, Scalar y, Scalar z) where TOp : struct, ITernary => TernaryOp<TOp>.Instance.Apply(Autocast.Operand<TOp>(x), Numbers.Of(y), Numbers.Of(z));

    /// <summary>Applies an operator on whole numbers.</summary>
    public static Tensor ApplyInteger<TOp>(Tensor x) where TOp : struct, IIntegerUnary => IntegerUnaryOp<TOp>.Instance.Apply(x);

    /// <summary>Applies an operator on whole numbers; the operands broadcast.</summary>
    public static Tensor ApplyInteger<TOp>(Tensor x, Tensor y) where TOp : struct, IIntegerBinary => IntegerBinaryOp<TOp>.Instance.Apply(x, y);

    /// <summary>x ← op(x) in x's own memory (PyTorch's trailing underscore).</summary>
    public static Tensor InPlace<TOp>(Tensor x) where TOp : struct, IUnary => UnaryOp<TOp>.Instance.ApplyInPlace(x, x);

    /// <summary>x ← op(x, y) in x's own memory; y broadcasts to x.</summary>
    public static Tensor InPlace<TOp>(Tensor x, Tensor y) where TOp : struct, IBinary => BinaryOp<TOp>.Instance.ApplyInPlace(x, x, y);

    /// <summary>x ← op(x, y) in x's own memory.</summary>
    public static Tensor InPlace<TOp>(Tensor x, Scalar y) where TOp : struct, IBinary => BinaryOp<TOp>.Instance.ApplyInPlace(x, x, Numbers.Of(y));

    /// <summary>x ← op(x, y) on whole numbers in x's own memory; y broadcasts to x.</summary>
    public static Tensor InPlaceInteger<TOp>(Tensor x, Tensor y) where TOp : struct, IIntegerBinary => IntegerBinaryOp<TOp>.Instance.ApplyInPlace(x, x, y);

    /// <summary>x ← op(x, y, z) in x's own memory.</summary>
    public static Tensor InPlace<TOp>(Tensor x, Scalar y, Scalar z) where TOp : struct, ITernary => TernaryOp<TOp>.Instance.ApplyInPlace(x, x, Numbers.Of(y), Numbers.Of(z));

    /// <summary>x ← op(x, y, z) in x's own memory; y and z broadcast to x.</summary>
    public static Tensor InPlace<TOp>(Tensor x, Tensor y, Tensor z) where TOp : struct, ITernary => TernaryOp<TOp>.Instance.ApplyInPlace(x, x, y, z);
}

/// <summary>Numbers as operands that no user code sees, so that one tensor serves all uses of a number: a thread remembers its recent ones.</summary>
internal static class Numbers
{
    const int Count = 32; // a power of two

    [ThreadStatic] static (DType Type, long Bits, Tensor Number)[]? t_known;

    public static Tensor Of(Scalar value)
    {
        // by bits: 0 and -0 differ
        long bits = value.Type == DType.Float64 ? BitConverter.DoubleToInt64Bits(value.ToDouble()) : value.ToInt64();
        var known = t_known ??= new (DType, long, Tensor)[Count];
        ref var entry = ref known[(int)((ulong)(bits * 31 + (int)value.Type) * 0x9E3779B97F4A7C15 >> 32) & Count - 1];
        if (entry.Number is null || entry.Type != value.Type || entry.Bits != bits)
        {
            entry = (value.Type, bits, Tensor.Wrap(value));
            entry.Number.Store!.NeverReuse();
        }
        return entry.Number;
    }
}

/// <summary>
/// The kind of operators that treat every element alike. The kind owns broadcasting, promotion, the derivative (read off the body), batching and the loops; an operator writes its body.
/// </summary>
internal abstract class ElementwiseOp : Op
{
    readonly Derivative?[] _derivatives;
    Kernel? _kernel;
    OperatorLoops? _loops;

    protected ElementwiseOp(string name, int arity) => (Name, Arity, _derivatives) = (name, arity, new Derivative?[arity]);

    public override string Name { get; }
    public int Arity { get; }
    public virtual Promotion Promotion => Promotion.Same;
    public virtual int Parameters => 0;
    public virtual int Conditions => 0;
    public virtual bool IsInteger => false;
    public virtual bool AllowsBool => true;
    public virtual bool RoundsScalars => true;

    /// <summary>Refuses values that have no result, before anything is written.</summary>
    protected virtual void Check(ReadOnlySpan<Tensor> x) { }

    bool IsPlainBinary => Arity == 2 && Promotion != Promotion.Bool && Parameters == 0 && Conditions == 0 && !IsInteger;

    /// <summary>The body as an expression of its operands.</summary>
    public abstract Expr Expression { get; }
    /// <summary>The derivative with respect to an operand, times <paramref name="g"/>, as an expression; null where the body does not vary with it.</summary>
    protected abstract Expr? Differentiate(int operand, Expr g);
    protected abstract Kernel MakeKernel();
    /// <summary>A kernel of d · g, operands then g; null to read the expression in tiles.</summary>
    protected abstract Kernel? MakeDerivativeKernel(int operand, bool fromOutput);

    public Kernel Kernel => _kernel ??= MakeKernel();

    /// <summary>The emitted loops that may take the kernel's place.</summary>
    public OperatorLoops Loops => _loops ??= new(this);

    public sealed override bool IsDifferentiable(int operand) =>
        operand >= Conditions && operand < Arity - Parameters && Promotion != Promotion.Bool && !IsInteger;

    /// <summary>The type that the result has, and the type common to the operands.</summary>
    internal (DType Result, DType Common) Types(ReadOnlySpan<Tensor> x)
    {
        var common = Promote.ResultType(x[Conditions..]);
        if (IsInteger && common.IsFloatingPoint)
            throw Errors.Make(Name, $"works on whole numbers and bool, got {common.Name}; cast with To(DType.Int64)", Named(x));
        if (common == DType.Bool && !AllowsBool)
            throw Errors.Make(Name, "is not defined on bool; use LogicalNot, LogicalXor or cast with To(DType.Int64)", Named(x));
        if (Promotion == Promotion.IntToFloat && !common.IsFloatingPoint) common = DType.Float32;
        return (Promotion == Promotion.Bool ? DType.Bool : common, common);
    }

    // What is computed in a type wider than the common one must not see more of an operand than the common one holds. Only 0-dim operands and long integers can be finer.
    // A number beside whole ones is whole, and stays what it is: −2 is less than any uint8.
    ReadOnlySpan<Tensor> InCommonType(ReadOnlySpan<Tensor> x, DType common)
    {
        if (ComputeType(common) == common) return x;
        Tensor[]? rounded = null;
        for (int k = 0; k < x.Length; k++)
        {
            if (!IsFiner(k, x[k], common)) continue;
            rounded ??= x.ToArray();
            Copy.Into(rounded[k] = Tensor.Empty(x[k].Shape, common), x[k]);
        }
        return rounded ?? x;
    }

    /// <summary>True if operand <paramref name="k"/> is rounded to the common type before it is used.</summary>
    internal bool IsFiner(int k, Tensor x, DType common)
    {
        if (k < Conditions || k >= Arity - Parameters || ComputeType(common) == common) return false;
        return x.Rank > 0 ? common.IsFloatingPoint && x.DType is DType.Int16 or DType.Int32 or DType.Int64
            : x.DType != common && RoundsScalars && !(x.IsWrappedNumber && !common.IsFloatingPoint);
    }

    internal static DType ComputeType(DType type) => type switch
    {
        DType.Float64 => DType.Float64,
        DType.Float16 or DType.BFloat16 or DType.Float32 => DType.Float32,
        DType.Int64 => DType.Int64,
        _ => DType.Int32, // narrow results wrap when they are cut back
    };

    protected static (string, Tensor?)[] Named(ReadOnlySpan<Tensor> x)
    {
        string[] names = x.Length == 2 ? ["left", "right"] : ["x", "y", "z", "w"];
        var named = new (string, Tensor?)[x.Length];
        for (int i = 0; i < x.Length; i++) named[i] = (i < names.Length ? names[i] : $"x{i}", x[i]);
        return named;
    }

    internal Shape ResultShape(ReadOnlySpan<Tensor> x)
    {
        var shape = x[0].Shape;
        for (int i = 1; i < x.Length; i++)
        {
            if (ReferenceEquals(shape, x[i].Shape) || x[i].Rank == 0) continue;
            if (shape.Rank == 0) { shape = x[i].Shape; continue; }
            shape = Shapes.TryBroadcast(shape, x[i].Shape, out int dim) ?? throw Errors.Make(Name,
                $"shapes {shape} and {x[i].Shape} do not broadcast: sizes at dim {dim} (from the end) differ and neither is 1", Named(x));
        }
        return shape;
    }

    public override Tensor Run(ReadOnlySpan<Tensor> x)
    {
        if (IsPlainBinary && ElementwiseLoop.TryRunSmall(Kernel, x[0], x[1]) is { } small) return small;
        var (type, common) = Types(x);
        var shape = ResultShape(x);
        x = InCommonType(x, common);
        Check(x);
        var y = Tensor.Empty(shape, type);
        ElementwiseLoop.Run(this, ComputeType(common), y, x);
        return y;
    }

    /// <summary>Writes the result into <paramref name="target"/>, whose shape and type stay.</summary>
    public Tensor ApplyInPlace(Tensor target, params ReadOnlySpan<Tensor> x)
    {
        if (target.Level is not null || Interpreter.InCharge(x) is not null) return Lifting.InPlace(this, target, x);
        var (type, common) = Types(x);
        if (type > target.DType && (type.IsFloatingPoint && !target.DType.IsFloatingPoint || target.DType == DType.Bool))
            throw Errors.Make(Name + "_", $"the result has type {type.Name}, which cannot be stored in a {target.DType.Name} tensor; cast the target first or use the out-of-place form", Named(x));
        if (!ResultShape(x).Equals(target.Shape))
            throw Errors.Make(Name + "_", $"the result has shape {ResultShape(x)}, which does not fit into the target's {target.Shape}; an in-place operator cannot broadcast its target", Named(x));
        if (Shapes.Overlaps(target)) throw Errors.Make(Name + "_", "several elements of the target share one place in memory (an expanded view); clone it first", ("target", target));
        Check(InCommonType(x, common));
        return Tape.InPlace(target, this, x, new InPlaceWrite(this, common));
    }

    readonly struct InPlaceWrite(ElementwiseOp op, DType common) : IInPlaceWrite
    {
        public void Write(Tensor target, ReadOnlySpan<Tensor> x)
        {
            var operands = new Operands();
            op.InCommonType(x, common).CopyTo(operands);
            for (int i = 1; i < x.Length; i++)
                if (Shapes.MayAlias(target, operands[i])) operands[i] = operands[i].Detached().Clone();
            ElementwiseLoop.Run(op, ComputeType(common), target, operands[..x.Length]);
        }
    }

    /// <summary>Room for the operands of one application.</summary>
    [InlineArray(ElementwiseLoop.MaxOperands)]
    struct Operands { Tensor _first; }

    // ---- derivatives ----

    /// <summary>d(result)/d(operand), read off the body once.</summary>
    sealed class Derivative
    {
        public required Expr? Expression { get; init; } // null: zero
        public required double? Constant { get; init; } // 1 or -1: no kernel needed
        public required uint Saves { get; init; }
        public required Lazy<ElementwiseOp> Product { get; init; } // (operands, g) → derivative · g
        public bool FromOutput => Saves == Output;
    }

    Derivative Of(int operand) => _derivatives[operand] ??= MakeDerivative(operand);

    Derivative MakeDerivative(int operand)
    {
        var d = Differentiate(operand, Expr.Constant(1));
        double? constant = d is null ? 0 : d.Op == Opcode.Constant && d.Value is 1 or -1 ? d!.Value : null;
        uint saves = 0;
        if (d is not null && constant is null)
        {
            uint viaOutput = Mentions(d, Expression), direct = Mentions(d, null);
            saves = viaOutput == Output || System.Numerics.BitOperations.PopCount(viaOutput) < System.Numerics.BitOperations.PopCount(direct) ? viaOutput : direct;
        }
        return new()
        {
            Expression = d, Constant = constant, Saves = saves,
            Product = new(() => new ProductOp(this, operand, Times(operand, saves == Output), MakeDerivativeKernel(operand, saves == Output), saves == Output)),
        };
    }

    // which operands an expression mentions, the output standing for itself
    static uint Mentions(Expr d, Expr? output)
    {
        uint bits = 0;
        var seen = new HashSet<Expr>();
        Visit(d);
        return bits;

        void Visit(Expr e)
        {
            if (!seen.Add(e)) return;
            if (ReferenceEquals(e, output)) { bits |= Output; return; }
            if (e.Op == Opcode.Input) bits |= 1u << e.Index;
            foreach (var arg in e.Args) Visit(arg);
        }
    }

    // derivative · gradient over (operands, gradient), or over (output, gradient). The gradient is the seed, not a factor at the end:
    // so a branch that was not taken passes 0 back even where the gradient is infinite (x.Clamp(min: 0).Sqrt() below zero)
    Expr Times(int operand, bool fromOutput)
    {
        var gradient = Expr.Input(Arity);
        var product = Differentiate(operand, gradient)!;
        if (!fromOutput) return product;
        var values = new Dictionary<Expr, Expr> { [Expression] = Expr.Input(0), [gradient] = Expr.Input(1) };
        return Rewrite(product);

        Expr Rewrite(Expr e)
        {
            if (values.TryGetValue(e, out var known)) return known;
            if (e.Args.Length == 0) return e;
            var args = e.Args.Select(Rewrite).ToArray();
            var made = args.Length switch { 1 => Expr.Apply(e.Op, args[0]), 2 => Expr.Apply(e.Op, args[0], args[1]), _ => Expr.Apply(e.Op, args[0], args[1], args[2]) };
            return values[e] = made;
        }
    }

    public override uint SavesFor(int operand) => IsDifferentiable(operand) ? Of(operand).Saves : 0;

    public override void Pullback(Node node, Tensor g)
    {
        for (int i = 0; i < Arity; i++)
            if (node.Needs(i)) node.Give(i, Shapes.SumTo(Product(node, i, g), node.InputShapes[i]).To(node.InputTypes[i]));
    }

    Tensor Product(Node node, int i, Tensor g)
    {
        var d = Of(i);
        if (d.Constant is { } c) return c == 1 ? g : c == -1 ? -g : Tensor.ZerosLike(g);
        if (d.FromOutput) return d.Product.Value.Apply(node.Output(), g);
        var operands = new Operands();
        // an operand that the derivative does not mention was not saved; g, of the result's shape, stands in
        for (int k = 0; k < Arity; k++) operands[k] = (d.Saves >> k & 1) != 0 ? node.Input(k) : g;
        operands[Arity] = g;
        return d.Product.Value.Apply(operands[..(Arity + 1)]);
    }

    public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y)
    {
        Tensor? sum = null;
        for (int i = 0; i < Arity; i++)
        {
            if (t[i] is not { } tangent || !IsDifferentiable(i)) continue;
            var d = Of(i);
            Tensor term;
            if (d.Constant is { } c) term = c == 1 ? tangent : c == -1 ? -tangent : Tensor.ZerosLike(tangent);
            else if (d.FromOutput) term = d.Product.Value.Apply(y, tangent);
            else
            {
                var operands = new Tensor[Arity + 1];
                for (int k = 0; k < Arity; k++) operands[k] = (d.Saves >> k & 1) != 0 ? x[k] : tangent;
                operands[Arity] = tangent;
                term = d.Product.Value.Apply(operands);
            }
            sum = sum is null ? term : sum + term;
        }
        return Shapes.ExpandTo(sum!, y.Shape).To(y.DType);
    }

    public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size)
    {
        int rank = 0;
        for (int i = 0; i < x.Length; i++) rank = Math.Max(rank, x[i].Rank - (batched[i] ? 1 : 0));
        var operands = new Tensor[x.Length];
        // the batch leads; operands of lower rank get size-1 dims after it, where broadcasting would have put them
        for (int i = 0; i < x.Length; i++)
        {
            operands[i] = x[i];
            if (batched[i]) while (operands[i].Rank < rank + 1) operands[i] = operands[i].Unsqueeze(1);
        }
        return Apply(operands);
    }

    /// <summary>derivative · g as an operator of its own, so that gradients have gradients: its derivatives are expressions, read in tiles, of any order.</summary>
    sealed class ProductOp(ElementwiseOp of, int operand, Expr product, Kernel? kernel, bool fromOutput)
        : ExprOp($"{of.Name}Backward{(of.Arity > 1 ? operand : "")}", product, fromOutput ? 2 : of.Arity + 1, kernel)
    {
        public override int Conditions => fromOutput ? 0 : of.Conditions;
        public override bool RoundsScalars => of.RoundsScalars;
    }
}

/// <summary>An elementwise operator given by an expression: derivatives of derivatives. Its derivative is one more.</summary>
internal class ExprOp(string name, Expr expression, int arity, Kernel? kernel) : ElementwiseOp(name, arity)
{
    public override Expr Expression => expression;
    protected override Kernel MakeKernel() => kernel ?? new ExprKernel(expression);
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) => null;

    protected override Expr? Differentiate(int operand, Expr g) => Derive.By(expression, operand, Arity, g);
}

/// <summary>Derivatives of expressions, by reading them over dual numbers.</summary>
internal static class Derive
{
    public static Expr? By(Expr body, int operand, int arity, Expr g)
    {
        var inputs = new Dual<Expr>[arity];
        for (int i = 0; i < arity; i++) inputs[i] = i == operand ? new(Expr.Input(i), g) : new(Expr.Input(i));
        var y = Expr.Read<Dual<Expr>>(body, inputs);
        return y.Varies ? y.Tangent : null;
    }
}

internal sealed class UnaryOp<TOp> : ElementwiseOp where TOp : struct, IUnary
{
    public static readonly UnaryOp<TOp> Instance = new();
    UnaryOp() : base(OpNames.Of<TOp>(), 1) { }

    public override Promotion Promotion => TOp.Promotion;
    public override bool AllowsBool => TOp.AllowsBool;
    public override Expr Expression => TOp.Body(Expr.Input(0));
    protected override Expr? Differentiate(int operand, Expr g)
    {
        if (TOp.StatesDerivative) return TOp.Derivative(Expression, g);
        var y = TOp.Body(new Dual<Expr>(Expr.Input(0), g));
        return y.Varies ? y.Tangent : null;
    }
    protected override Kernel MakeKernel() => Promotion == Promotion.Bool ? Kernel.Mask<UnaryMaskLoop<TOp>>() : Kernel.Of<UnaryLoop<TOp>>();
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) =>
        TOp.StatesDerivative ? Kernel.Of<BinaryLoop<FromOutput<TOp>>>() : fromOutput ? null : Kernel.Of<BinaryLoop<UnaryDerivative<TOp>>>();
}

internal sealed class BinaryOp<TOp> : ElementwiseOp where TOp : struct, IBinary
{
    public static readonly BinaryOp<TOp> Instance = new();
    BinaryOp() : base(OpNames.Of<TOp>(), 2) { }

    public override Promotion Promotion => TOp.Promotion;
    public override bool AllowsBool => TOp.AllowsBool;
    public override bool RoundsScalars => TOp.RoundsScalars;
    public override int Parameters => TOp.Parameters;
    public override int Conditions => TOp.Conditions;
    public override Expr Expression => TOp.Body(Expr.Input(0), Expr.Input(1));
    protected override Expr? Differentiate(int operand, Expr g)
    {
        Expr x = Expr.Input(0), y = Expr.Input(1);
        if (operand == 0 && TOp.StatesDerivativeByX) return TOp.DerivativeByX(x, y, g);
        var z = operand == 0 ? TOp.Body(new Dual<Expr>(x, g), new Dual<Expr>(y)) : TOp.Body(new Dual<Expr>(x), new Dual<Expr>(y, g));
        return z.Varies ? z.Tangent : null;
    }
    protected override Kernel MakeKernel() => Promotion == Promotion.Bool ? Kernel.Mask<BinaryMaskLoop<TOp>>() : Kernel.Of<BinaryLoop<TOp>>();
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) =>
        fromOutput ? null : operand == 0 ? Kernel.Of<TernaryLoop<BinaryDerivative0<TOp>>>() : Kernel.Of<TernaryLoop<BinaryDerivative1<TOp>>>();
}

internal sealed class TernaryOp<TOp> : ElementwiseOp where TOp : struct, ITernary
{
    public static readonly TernaryOp<TOp> Instance = new();
    TernaryOp() : base(OpNames.Of<TOp>(), 3) { }

    public override Promotion Promotion => TOp.Promotion;
    public override bool AllowsBool => TOp.AllowsBool;
    public override bool RoundsScalars => TOp.RoundsScalars;
    public override int Parameters => TOp.Parameters;
    public override int Conditions => TOp.Conditions;
    public override Expr Expression => TOp.Body(Expr.Input(0), Expr.Input(1), Expr.Input(2));
    protected override Expr? Differentiate(int operand, Expr g)
    {
        Dual<Expr> Seed(int i) => i == operand ? new(Expr.Input(i), g) : new(Expr.Input(i));
        var y = TOp.Body(Seed(0), Seed(1), Seed(2));
        return y.Varies ? y.Tangent : null;
    }
    protected override Kernel MakeKernel() => Promotion == Promotion.Bool ? Kernel.Mask<TernaryMaskLoop<TOp>>() : Kernel.Of<TernaryLoop<TOp>>();
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) => fromOutput ? null : operand switch
    {
        0 => Kernel.Of<QuaternaryLoop<TernaryDerivative0<TOp>>>(),
        1 => Kernel.Of<QuaternaryLoop<TernaryDerivative1<TOp>>>(),
        _ => Kernel.Of<QuaternaryLoop<TernaryDerivative2<TOp>>>(),
    };
}

internal sealed class IntegerUnaryOp<TOp> : ElementwiseOp where TOp : struct, IIntegerUnary
{
    public static readonly IntegerUnaryOp<TOp> Instance = new();
    IntegerUnaryOp() : base(OpNames.Of<TOp>(), 1) { }
    public override bool IsInteger => true;
    public override Expr Expression => throw new NotSupportedException($"{Name} is an operator on whole numbers");
    protected override Expr? Differentiate(int operand, Expr g) => null;
    protected override Kernel MakeKernel() => Kernel.Of<IntegerUnaryLoop<TOp>>();
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) => null;
}

internal sealed class IntegerBinaryOp<TOp> : ElementwiseOp where TOp : struct, IIntegerBinary
{
    public static readonly IntegerBinaryOp<TOp> Instance = new();
    IntegerBinaryOp() : base(OpNames.Of<TOp>(), 2) { }
    public override bool IsInteger => true;
    public override bool AllowsBool => TOp.AllowsBool;
    protected override void Check(ReadOnlySpan<Tensor> x)
    {
        if (TOp.RefusesZeroDivisor && x[0].Numel > 0 && x[1].Eq(0).Any().Item<bool>())
            throw Errors.Make(Name, "a divisor is zero, and whole numbers have no infinity; mask zeros out, or divide in floating point", Named(x));
    }
    public override Expr Expression => throw new NotSupportedException($"{Name} is an operator on whole numbers");
    protected override Expr? Differentiate(int operand, Expr g) => null;
    protected override Kernel MakeKernel() => Kernel.Of<IntegerBinaryLoop<TOp>>();
    protected override Kernel? MakeDerivativeKernel(int operand, bool fromOutput) => null;
}
