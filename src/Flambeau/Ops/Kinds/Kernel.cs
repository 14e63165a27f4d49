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

    // each is compiled when first asked for
    static nint Find(DType compute) => (Width, compute) switch
    {
        (512, DType.Float32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes512<float>, float>,
        (512, DType.Float64) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes512<double>, double>,
        (512, DType.Int32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes512<int>, int>,
        (512, _) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes512<long>, long>,
        (256, DType.Float32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes256<float>, float>,
        (256, DType.Float64) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes256<double>, double>,
        (256, DType.Int32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes256<int>, int>,
        (256, _) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes256<long>, long>,
        (_, DType.Float32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes128<float>, float>,
        (_, DType.Float64) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes128<double>, double>,
        (_, DType.Int32) => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes128<int>, int>,
        _ => (nint)(delegate*<byte*, byte**, long, uint, void>)&TLoop.Run<Lanes128<long>, long>,
    };
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
