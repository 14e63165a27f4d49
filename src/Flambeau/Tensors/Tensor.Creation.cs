using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Flambeau.Diagnostics;
using Flambeau.Runtime;

namespace Flambeau;

public sealed partial class Tensor
{
    // ---- from what the program has ----

    /// <summary>A tensor over the array's own memory, without copying: writes show on both sides.</summary>
    /// <param name="data">The elements in row-major order.</param>
    /// <param name="shape">Its sizes multiply to the array's length; by default one dimension.</param>
    /// <exception cref="FlambeauException">The element type is none of a tensor's, or the count differs.</exception>
    public static Tensor FromArray<T>(T[] data, Shape? shape = null) where T : unmanaged
    {
        var to = shape ?? new Shape([data.LongLength]);
        if (to.Count != data.LongLength) throw Errors.Make("FromArray", $"shape {to} has {to.Count} elements, the array {data.LongLength}");
        return new(new Storage(data), to, null, 0, DTypes.Of<T>());
    }

    /// <summary>A matrix with the elements of a rectangular array, copied.</summary>
    public static Tensor FromArray<T>(T[,] data) where T : unmanaged
    {
        var flat = new T[data.Length];
        Buffer.BlockCopy(data, 0, flat, 0, data.Length * Unsafe.SizeOf<T>());
        return FromArray(flat, new Shape([data.GetLength(0), data.GetLength(1)]));
    }

    /// <summary>A tensor over the memory itself, without copying; it stays pinned until the tensor and its views are gone.</summary>
    public static unsafe Tensor FromMemory<T>(Memory<T> data, Shape? shape = null) where T : unmanaged
    {
        var to = shape ?? new Shape([data.Length]);
        if (to.Count != data.Length) throw Errors.Make("FromMemory", $"shape {to} has {to.Count} elements, the memory {data.Length}");
        var pin = new PinnedMemory(data.Pin());
        return new(new Storage(pin.Pointer, pin), to, null, 0, DTypes.Of<T>());
    }

    sealed unsafe class PinnedMemory(MemoryHandle handle)
    {
        MemoryHandle _handle = handle;
        public void* Pointer => _handle.Pointer;
        ~PinnedMemory() => _handle.Dispose();
    }

    /// <summary>A tensor with a copy of the elements.</summary>
    public static Tensor FromSpan<T>(ReadOnlySpan<T> data, Shape? shape = null) where T : unmanaged
    {
        var to = shape ?? new Shape([data.Length]);
        if (to.Count != data.Length) throw Errors.Make("FromSpan", $"shape {to} has {to.Count} elements, the span {data.Length}");
        var y = Empty(to, DTypes.Of<T>());
        using var _ = Recording.Copy("FromSpan", y);
        data.CopyTo(y.AsSpan<T>());
        return y;
    }

    /// <summary>A one-dimensional float32 tensor of the given numbers: <c>Tensor.Of(1, 2, 3)</c>.</summary>
    public static Tensor Of(params ReadOnlySpan<float> values) => FromSpan(values);

    /// <summary>A 0-dim tensor.</summary>
    public static Tensor FromScalar(Scalar value, DType? dtype = null) => Full(Shape.Scalar, value, dtype ?? (value.Type == DType.Float64 ? DType.Float32 : value.Type));

    /// <summary>A number as an operand: 0-dim, promotes by category only.</summary>
    internal static Tensor Wrap(Scalar value)
    {
        var store = Storage.Allocate(8);
        ref byte at = ref store.GetPinnableReference();
        switch (value.Type)
        {
            case DType.Bool: at = (byte)value.ToInt64(); break;
            case DType.Int64: Unsafe.WriteUnaligned(ref at, value.ToInt64()); break;
            default: Unsafe.WriteUnaligned(ref at, value.ToDouble()); break;
        }
        return new(store, Shape.Scalar, null, 0, value.Type, isWrappedNumber: true);
    }

    // ---- filled ----

    /// <summary>A tensor of unspecified content, to be written to (PyTorch: <c>torch.empty</c>).</summary>
    public static Tensor Empty(params ReadOnlySpan<long> shape) => Empty(Shape.Create(shape), DType.Float32);

    /// <summary>Zeros in float32 (PyTorch: <c>torch.zeros</c>).</summary>
    public static Tensor Zeros(params ReadOnlySpan<long> shape) => Zeros(Shape.Create(shape), DType.Float32);
    /// <summary>Zeros (PyTorch: <c>torch.zeros</c>).</summary>
    public static unsafe Tensor Zeros(Shape shape, DType dtype)
    {
        var y = Empty(shape, dtype);
        using var _ = Recording.Fill("Zeros", y);
        fixed (byte* p = y.Store!) NativeMemory.Clear(p, (nuint)(shape.Count * dtype.Size));
        return y;
    }

    /// <summary>Ones in float32 (PyTorch: <c>torch.ones</c>).</summary>
    public static Tensor Ones(params ReadOnlySpan<long> shape) => Ones(Shape.Create(shape), DType.Float32);
    /// <summary>Ones (PyTorch: <c>torch.ones</c>).</summary>
    public static Tensor Ones(Shape shape, DType dtype) => Full(shape, 1, dtype);

    /// <summary>Every element the given number; the type follows from it unless given (PyTorch: <c>torch.full</c>).</summary>
    public static unsafe Tensor Full(Shape shape, Scalar value, DType? dtype = null)
    {
        var y = Empty(shape, dtype ?? (value.Type == DType.Float64 ? DType.Float32 : value.Type));
        using var _ = Recording.Fill("Full", y);
        if (Team.Pays(shape.Count)) Ops.Copy.Into(y, Wrap(value));
        else fixed (byte* p = y.Store!) Ops.Copy.Fill(p, y.DType, value, shape.Count);
        return y;
    }

    /// <summary>Zeros of the shape and, unless given, the type of another tensor (PyTorch: <c>zeros_like</c>).</summary>
    public static Tensor ZerosLike(Tensor x, DType? dtype = null) => FullLike(x, 0, dtype);
    /// <summary>Ones of the shape and, unless given, the type of another tensor (PyTorch: <c>ones_like</c>).</summary>
    public static Tensor OnesLike(Tensor x, DType? dtype = null) => FullLike(x, 1, dtype);
    /// <summary>A constant of the shape and, unless given, the type of another tensor (PyTorch: <c>full_like</c>).</summary>
    public static Tensor FullLike(Tensor x, Scalar value, DType? dtype = null) => Full(x.Shape, value, dtype ?? x.DType);
    /// <summary>Unspecified content of the shape and, unless given, the type of another tensor (PyTorch: <c>empty_like</c>).</summary>
    public static Tensor EmptyLike(Tensor x, DType? dtype = null) => Empty(x.Shape, dtype ?? x.DType);

    /// <summary>0, 1, …, end − 1 as int64 (PyTorch: <c>torch.arange</c>).</summary>
    public static Tensor Arange(long end) => Arange(0, end, 1);

    /// <summary>start, start + step, … up to but without end. The type is int64 if all are whole numbers, else float32, unless given (PyTorch: <c>torch.arange</c>).</summary>
    public static Tensor Arange(Scalar start, Scalar end, Scalar step, DType? dtype = null)
    {
        double first = start.ToDouble(), last = end.ToDouble(), by = step.ToDouble();
        if (by == 0 || double.IsNaN(by)) throw Errors.Make("Arange", $"the step must not be {step}");
        if ((last - first) * by < 0) throw Errors.Make("Arange", $"end {end} lies on the other side of start {start} than step {step} leads");
        long n = (long)Math.Ceiling((last - first) / by);
        bool whole = start.Type != DType.Float64 && end.Type != DType.Float64 && step.Type != DType.Float64;
        if (whole)
        {
            var integers = new long[n];
            for (long i = 0; i < n; i++) integers[i] = start.ToInt64() + i * step.ToInt64();
            return FromArray(integers).To(dtype ?? DType.Int64);
        }
        var values = new double[n];
        for (long i = 0; i < n; i++) values[i] = first + i * by;
        return FromArray(values).To(dtype ?? DType.Float32);
    }

    /// <summary><paramref name="steps"/> numbers from start to end, both included, at equal distances (PyTorch: <c>torch.linspace</c>).</summary>
    public static Tensor Linspace(double start, double end, long steps, DType dtype = DType.Float32)
    {
        if (steps < 0) throw Errors.Make("Linspace", $"the number of steps must not be negative, got {steps}");
        var values = new double[steps];
        double by = steps > 1 ? (end - start) / (steps - 1) : 0;
        // counted from the nearer end: exact at both
        for (long i = 0; i < steps; i++) values[i] = i < steps / 2 ? start + i * by : end - (steps - 1 - i) * by;
        if (steps == 1) values[0] = start;
        return FromArray(values).To(dtype);
    }

    /// <summary>The identity matrix (PyTorch: <c>torch.eye</c>).</summary>
    public static Tensor Eye(long n, long? m = null, DType dtype = DType.Float32)
    {
        var y = Zeros(new Shape([n, m ?? n]), dtype);
        using var _ = Autograd.NoGrad();
        y.Diagonal().Fill_(1);
        return y;
    }
}
