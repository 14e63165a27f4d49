using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Ops;

/// <summary>A loop over contiguous elements of one compute type. Operand k is an array, or (bit k of <c>scalars</c>) one element for all.</summary>
internal interface ILoop
{
    static abstract unsafe void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged;
}

/// <summary>What an elementwise operator runs on contiguous memory, by compute type. The result has the compute type, or is bool (one byte an element).</summary>
internal abstract unsafe class Kernel
{
    /// <summary>True if results are bytes 0 or 1.</summary>
    public virtual bool YieldsMask => false;

    public abstract void Run(DType compute, byte* y, byte** x, long n, uint scalars);

    public static Kernel Of<TLoop>() where TLoop : struct, ILoop => new LoopKernel<TLoop>(yieldsMask: false);
    public static Kernel Mask<TLoop>() where TLoop : struct, ILoop => new LoopKernel<TLoop>(yieldsMask: true);

    /// <summary>The lanes' width in bits that kernels use: the machine's, or what tests force.</summary>
    public static int Width { get; set; } = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;
}

internal sealed unsafe class LoopKernel<TLoop>(bool yieldsMask) : Kernel where TLoop : struct, ILoop
{
    readonly nint[] _loops = new nint[4];
    int _width;

    public override bool YieldsMask => yieldsMask;

    public override void Run(DType compute, byte* y, byte** x, long n, uint scalars)
    {
        if (_width != Width) (_loops[0], _loops[1], _loops[2], _loops[3], _width) = (0, 0, 0, 0, Width);
        ref var loop = ref _loops[compute switch { DType.Float32 => 0, DType.Float64 => 1, DType.Int32 => 2, _ => 3 }];
        if (loop == 0) loop = Find(compute);
        ((delegate*<byte*, byte**, long, uint, void>)loop)(y, x, n, scalars);
    }

    // Each is compiled when first asked for. A method of its own for each type and width: lanes have dozens of interface members, and a process loads only those it uses.
    static nint Find(DType compute) => compute switch
    {
        DType.Float32 => OfWidth<float>(),
        DType.Float64 => OfWidth<double>(),
        DType.Int32 => OfWidth<int>(),
        _ => OfWidth<long>(),
    };

    static nint OfWidth<T>() where T : unmanaged => Width switch { 512 => Of512<T>(), 256 => Of256<T>(), _ => Of128<T>() };
    static nint Of512<T>() where T : unmanaged => Of<Lanes512<T>, T>();
    static nint Of256<T>() where T : unmanaged => Of<Lanes256<T>, T>();
    static nint Of128<T>() where T : unmanaged => Of<Lanes128<T>, T>();

    static nint Of<L, T>() where L : struct, ILanes<L> where T : unmanaged => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<L, T>;
}

/// <summary>An operand of a loop: a pointer that steps by a vector, or by nothing where one element serves all.</summary>
internal static unsafe class Operand
{
    /// <summary>Where to read from: the array, or one vector on the stack filled with the scalar.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Place<L>(byte* source, bool isScalar, byte* spread) where L : struct, ILanes<L>
    {
        if (!isScalar) return source;
        L.Store(L.Broadcast(source), spread);
        return spread;
    }

    /// <summary>Copies what is left after the last whole vector into a padded one. The pad repeats a real element: no spurious rare path.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* Pad(byte* at, nint step, byte* buffer, nint bytes, int vector)
    {
        if (step == 0) return at;
        for (int i = 0; i < vector; i++) buffer[i] = at[i < bytes ? i : i % bytes];
        return buffer;
    }
}
