using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Flambeau.Diagnostics;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau;

/// <summary>
/// A dense array of numbers of one <see cref="DType"/>, or a strided view into one (PyTorch: <c>torch.Tensor</c>). Rank and type are facts of run time.
/// Operators are members; they build the tape of automatic differentiation where an operand requires a gradient.
/// </summary>
/// <remarks>Memory needs no <see cref="Dispose"/>: it goes back when nobody can reach it. Disposing early is honoured. Equality operators compare references; <c>Eq</c> compares values.</remarks>
[DebuggerDisplay("{DebuggerText,nq}")]
public sealed partial class Tensor : IDisposable
{
    internal readonly Storage? Store; // null for a tensor of a transform (Level is set)
    readonly long[]? _strides;        // null: contiguous
    internal readonly long Offset;
    readonly object? _origin;         // Lifted for a tensor of a transform, else ViewOf for a view
    internal readonly bool IsWrappedNumber; // a Scalar operand: promotes by category only
    internal AutogradMeta? Meta;
    readonly StoragePool.Watch? _watch;
    bool _hasHeir;

    /// <summary>A tensor on a storage, contiguous if no strides are given.</summary>
    internal Tensor(Storage store, Shape shape, long[]? strides, long offset, DType type, bool isWrappedNumber = false)
    {
        Store = store;
        Shape = shape;
        if (strides is not null && !IsContiguousLayout(shape, strides)) _strides = strides;
        Offset = offset;
        DType = type;
        IsWrappedNumber = isWrappedNumber;
        if (store.IsPooled)
        {
            _watch = StoragePool.AddHandle(this, store);
            Temporaries.Note(this);
        }
        else if (store.CountHandle() == 1 && store.IsWorthRecycling) Temporaries.Note(this);
    }

    internal Tensor(Lifted level, Shape shape, DType type)
    {
        _origin = level;
        Shape = shape;
        DType = type;
        IsWrappedNumber = level.Value.IsWrappedNumber;
        if (level.HoldsValue) Temporaries.NoteLifted();
    }

    /// <summary>Null: concrete. Else whoever interprets operators on it.</summary>
    internal Lifted? Level => Store is null ? Unsafe.As<Lifted>(_origin) : null;
    /// <summary>Of a view: its base and the way there.</summary>
    internal ViewOf? View
    {
        get => Store is null ? null : Unsafe.As<ViewOf>(_origin);
        init => _origin = value;
    }
    internal long[] Strides => _strides ?? Shape.ContiguousStrides;

    /// <summary>The sizes of the dimensions.</summary>
    public Shape Shape { get; }
    /// <summary>The element type.</summary>
    public DType DType { get; }
    /// <summary>The number of dimensions (PyTorch: <c>x.dim()</c>).</summary>
    public int Rank => Shape.Rank;
    /// <summary>The number of elements (PyTorch: <c>x.numel()</c>).</summary>
    public long Numel => Shape.Count;
    /// <summary>The size of dimension <paramref name="dim"/>; negative counts from the end (PyTorch: <c>x.size(dim)</c>).</summary>
    public long Size(int dim) => Rank > 0 ? Shape.Sizes[Shape.Normalize(dim, "Size")] : throw Errors.Make("Size", $"dim {dim} is asked for, but a 0-dim tensor has no sizes", ("tensor", this));
    /// <summary>The distance in elements between neighbours along each dimension (PyTorch: <c>x.stride()</c>).</summary>
    public ReadOnlySpan<long> Stride => Strides;
    /// <summary>True if elements lie in row-major order without gaps.</summary>
    public bool IsContiguous => _strides is null;
    /// <summary>Counts in-place changes of the memory behind this tensor and its views (PyTorch: <c>x._version</c>).</summary>
    public int Version => Store?.Version ?? 0;

    static bool IsContiguousLayout(Shape shape, long[] strides)
    {
        if (shape.Count == 0) return true;
        long stride = 1;
        for (int i = strides.Length - 1; i >= 0; i--)
        {
            long size = shape.Sizes[i];
            if (strides[i] != stride && size != 1) return false;
            stride *= size;
        }
        return true;
    }

    internal static Tensor Empty(Shape shape, DType type) =>
        new(Storage.Allocate(shape.Count * type.Size), shape, null, 0, type);

    /// <summary>The elements contiguously in a type, for a kernel: the tensor itself where possible, else a copy off the tape.</summary>
    internal Tensor Packed(DType type)
    {
        if (IsContiguous && DType == type) return this;
        using var _ = Recording.Copy("Pack", this);
        var y = Empty(Shape, type);
        Ops.Copy.Into(y, this);
        return y;
    }

    /// <summary>Another handle on the same elements, without history.</summary>
    internal Tensor Alias() => new(Concrete("Alias"), Shape, _strides, Offset, DType);

    /// <summary>The storage; a tensor inside a transform has none that user code may read.</summary>
    internal Storage Concrete(string operation) => Store ?? throw Errors.Make(operation,
        $"the values of a tensor inside {Level!.Interpreter.Name} cannot be read: they differ for every element of the batch or exist symbolically only. Compute with tensor operators instead", ("tensor", this));

    /// <summary>Gives the memory back now instead of when the tensor becomes unreachable. Views and the tape keep what they need. Never necessary.</summary>
    public void Dispose()
    {
        if (_watch is not null) StoragePool.Drop(_watch);
    }

    /// <summary>The framework's <see cref="Dispose"/>, of a tensor that no other code has seen: small memory goes back too, for the thread's next results.</summary>
    internal void Discard()
    {
        if (_watch is not null) StoragePool.Drop(_watch);
        else if (!_hasHeir) Store?.Recycle();
    }

    /// <summary>As <see cref="Discard"/>, where the tape may have saved the tensor: small memory goes back once that is consumed.</summary>
    internal void Abandon()
    {
        if (_watch is not null) StoragePool.Drop(_watch);
        else if (!_hasHeir) Store?.Abandon();
    }

    /// <summary>Leaves small memory to the only other handle that there ever was, as this one is dead; false if there is not exactly one.</summary>
    internal bool TryBequeath() => _hasHeir = Store!.LoseOneOfTwo();

    // ---- reading values ----

    /// <summary>The only element, converted to <typeparamref name="T"/> (PyTorch: <c>x.item()</c>).</summary>
    /// <exception cref="FlambeauException">There is not exactly one element.</exception>
    public T Item<T>() where T : unmanaged => Recording.Open is null ? OnlyElement<T>() : RecordedItem<T>();

    T RecordedItem<T>() where T : unmanaged
    {
        using var _ = Recording.Part("Item", ProfileKind.Operator);
        return OnlyElement<T>();
    }

    T OnlyElement<T>() where T : unmanaged
    {
        if (Numel != 1) throw Errors.Make("Item", $"needs exactly one element, got {Numel}; index or reduce first", ("tensor", this));
        return DTypes.Of<T>() == DType ? Unsafe.ReadUnaligned<T>(ref Unsafe.Add(ref Concrete("Item").GetPinnableReference(), (nint)(Offset * DType.Size))) : ToArray<T>()[0];
    }

    /// <summary>The only element as a double.</summary>
    public double Item() => Item<double>();

    /// <summary>The elements in row-major order, converted to <typeparamref name="T"/>, as a new array.</summary>
    public unsafe T[] ToArray<T>() where T : unmanaged
    {
        using var _ = Recording.Copy("ToArray", this);
        var result = new T[Numel];
        fixed (T* p = result) Ops.Copy.ToContiguous(this, DTypes.Of<T>(), p);
        return result;
    }

    /// <summary>The elements as a span over the tensor's own memory, which stays valid while the tensor is alive; no copy.</summary>
    /// <exception cref="FlambeauException"><typeparamref name="T"/> is not the element type, or the tensor is not contiguous.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged
    {
        if (DTypes.Of<T>() != DType) throw Errors.Make("AsSpan", $"asks for {DTypes.Of<T>().Name}, the tensor holds {DType.Name}; use ToArray to convert", ("tensor", this));
        if (!IsContiguous) throw Errors.Make("AsSpan", "needs a contiguous tensor; call Contiguous() first", ("tensor", this));
        if (Numel > int.MaxValue) throw Errors.Make("AsSpan", "a span holds at most 2^31 - 1 elements; take slices", ("tensor", this));
        ref byte start = ref Concrete("AsSpan").GetPinnableReference();
        return MemoryMarshal.CreateSpan(ref Unsafe.As<byte, T>(ref Unsafe.Add(ref start, (nint)(Offset * DType.Size))), (int)Numel);
    }
}
