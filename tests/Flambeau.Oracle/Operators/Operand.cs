using TorchSharp;

namespace Flambeau.Oracle.Operators;

using Ours = Flambeau.Tensor;
using Theirs = TorchSharp.torch.Tensor;

/// <summary>How an operand lies in its memory: as a view of a base tensor.</summary>
internal enum Layout { Contiguous, Permuted, Stepped, Narrowed, Expanded }

/// <summary>An operand of a random case: the base tensor's elements and the view of it that the operator gets. Both libraries build the same.</summary>
/// <param name="Type">The element type.</param>
/// <param name="Shape">Of the view.</param>
/// <param name="Layout">The view.</param>
/// <param name="Dim">The dimension that is stepped through, narrowed or expanded.</param>
/// <param name="Order">The permutation.</param>
/// <param name="Values">The base's elements, row-major, all exact in <paramref name="Type"/>.</param>
internal sealed record Operand(DType Type, long[] Shape, Layout Layout, int Dim, int[] Order, double[] Values)
{
    /// <summary>True for operands that are held fixed: class weights.</summary>
    public bool IsFixed { get; init; }

    /// <summary>The same elements in another type.</summary>
    public Operand With(DType type) => this with { Type = type };

    /// <summary>True if a gradient is asked for.</summary>
    public bool Varies => Type.IsFloatingPoint && !IsFixed;

    /// <summary>The base tensor's shape.</summary>
    public static long[] BaseShape(long[] shape, Layout layout, int dim, int[] order)
    {
        var sizes = shape.ToArray();
        switch (layout)
        {
            case Layout.Permuted: for (var i = 0; i < order.Length; i++) sizes[order[i]] = shape[i]; break;
            case Layout.Stepped: sizes[dim] = 2 * shape[dim] + 1; break;
            case Layout.Narrowed: sizes[dim] = shape[dim] + 2; break;
            case Layout.Expanded: sizes[dim] = 1; break;
        }
        return sizes;
    }

    /// <summary>True if every element is a number of moderate size, so that derivatives say something.</summary>
    public bool IsTame => Array.TrueForAll(Values, v => double.IsFinite(v) && Math.Abs(v) < 1e3 && !(v == 0 && double.IsNegative(v)));

    public Ours OurBase()
    {
        var x = Ours.FromArray(Values, (Shape)BaseShape(Shape, Layout, Dim, Order)).To(Type);
        return Type == DType.Float64 ? x.Clone() : x;
    }

    public Theirs TheirBase()
    {
        var shape = BaseShape(Shape, Layout, Dim, Order);
        return Values.Length == 0 ? torch.empty(shape, dtype: Types.Torch(Type)) : torch.tensor(Values).to(Types.Torch(Type)).reshape(shape);
    }

    public Ours View(Ours x) => Layout switch
    {
        Layout.Permuted => x.Permute(Order),
        Layout.Stepped => x.Slice(Dim, 1, null, 2),
        Layout.Narrowed => x.Narrow(Dim, 1, Shape[Dim]),
        Layout.Expanded => x.Expand(Shape),
        _ => x,
    };

    public Theirs View(Theirs x) => Layout switch
    {
        Layout.Permuted => x.permute(Array.ConvertAll(Order, d => (long)d)),
        Layout.Stepped => x.slice(Dim, 1, 2 * Shape[Dim] + 1, 2),
        Layout.Narrowed => x.narrow(Dim, 1, Shape[Dim]),
        Layout.Expanded => x.expand(Shape),
        _ => x,
    };

    public override string ToString() =>
        $"{Type.Name}[{string.Join(", ", Shape)}] {Layout.ToString().ToLowerInvariant()}" + (Layout switch
        {
            Layout.Permuted => $" ({string.Join(", ", Order)})",
            Layout.Contiguous => "",
            _ => $" along {Dim}",
        }) + $" of {{{string.Join(", ", Values.Take(24))}{(Values.Length > 24 ? ", …" : "")}}}";
}

/// <summary>A number beside tensors, as each library takes it.</summary>
internal sealed record Number(DType Category, double Value)
{
    public Scalar Ours => Category switch { DType.Bool => Value != 0, DType.Int64 => (long)Value, _ => Value };
    public TorchSharp.Scalar Theirs => Category switch { DType.Bool => Value != 0, DType.Int64 => (long)Value, _ => Value };
    public override string ToString() => $"{Category.Name} {Value}";
}

/// <summary>The element types that both libraries have.</summary>
internal static class Types
{
    public static readonly DType[] All = Enum.GetValues<DType>();

    public static torch.ScalarType Torch(DType type) => type switch
    {
        DType.Bool => torch.ScalarType.Bool,
        DType.UInt8 => torch.ScalarType.Byte,
        DType.Int8 => torch.ScalarType.Int8,
        DType.Int16 => torch.ScalarType.Int16,
        DType.Int32 => torch.ScalarType.Int32,
        DType.Int64 => torch.ScalarType.Int64,
        DType.Float16 => torch.ScalarType.Float16,
        DType.BFloat16 => torch.ScalarType.BFloat16,
        DType.Float32 => torch.ScalarType.Float32,
        _ => torch.ScalarType.Float64,
    };

    public static DType Of(torch.ScalarType type) => All.First(t => Torch(t) == type);

    /// <summary>The distance from 1 to the next number.</summary>
    public static double Epsilon(DType type) => type switch
    {
        DType.Float16 => 1.0 / 1024,
        DType.BFloat16 => 1.0 / 128,
        DType.Float32 => 1.0 / (1 << 23),
        _ => 1.0 / (1L << 52),
    };

    public static (double Low, double High) Range(DType type) => type switch
    {
        DType.Bool => (0, 1),
        DType.UInt8 => (0, 255),
        DType.Int8 => (-128, 127),
        DType.Int16 => (short.MinValue, short.MaxValue),
        DType.Int32 => (int.MinValue, int.MaxValue),
        DType.Int64 => (-(1L << 62), 1L << 62),
        DType.Float16 => (-65504, 65504),
        DType.BFloat16 => (-Math.ScaleB(1.5, 126), Math.ScaleB(1.5, 126)),
        DType.Float32 => (-1e30f, 1e30f),
        _ => (-1e300, 1e300),
    };
}
