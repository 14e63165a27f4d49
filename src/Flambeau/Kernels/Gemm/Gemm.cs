using System.Runtime.Intrinsics;

namespace Flambeau.Kernels;

/// <summary>
/// Matrix products under one law: an element of C is s₀ + s₁ + …, added in order, where block b of the contracted index, [512 b, 512 b + 512),
/// gives s_b as one chain of fused multiply-adds from zero in rising k. Every path (blocked, small, matrix–vector, few rows, batched), every vector width, layout and number of threads
/// gives the same bits, and a row of C depends on its row of A and on B alone. float16 is the same in float32, rounded once. bfloat16 is too, but by pairs of steps, the odd one first, in blocks of
/// twice the length: as the processors' instruction for it computes. Bytes add up exactly in int32, or modulo 2³², in whatever order.
/// Blocking after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>The length of a block of the contracted index, in elements that a register kernel takes at a time (pairs, for bfloat16): part of the law, whatever the caches.</summary>
    public const int BlockK = 512;

    /// <summary>Bits of the vectors in use: 512, 256 or 128. By default the widest the machine has; tests force others. Never changes a result.</summary>
    public static int Width { get; set; } = Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128;

    /// <summary>
    /// C = A · B for A[m × k], B[k × n], C[m × n]; C is overwritten. Any strides, in elements, negative and zero (broadcast) ones included; C's elements must be distinct and apart from A and B.
    /// k = 0 gives zeros. Fast where each matrix has one stride of 1. <typeparamref name="T"/> is float, double, <see cref="BFloat16"/> or <see cref="Half"/>, and C's type too.
    /// Or it is sbyte, or byte where A's bytes are unsigned (B's are signed): then C is of int.
    /// </summary>
    /// <remarks>Rows that are complete are given to <paramref name="then"/>.</remarks>
    public static void Multiply<T>(long m, long n, long k, T* a, long aRow, long aCol, T* b, long bRow, long bCol, void* c, long cRow, long cCol, Epilogue? then = null) where T : unmanaged
        => Multiply(new Product<T> { M = m, N = n, K = k, A = a, ARow = aRow, ACol = aCol, B = b, BRow = bRow, BCol = bCol, C = c, CRow = cRow, CCol = cCol, Then = then });

    /// <summary><paramref name="batch"/> products whose operands lie <paramref name="aBatch"/>, <paramref name="bBatch"/>, <paramref name="cBatch"/> elements apart; otherwise as <c>Multiply</c>.</summary>
    public static void MultiplyBatched<T>(long batch, long m, long n, long k, T* a, long aBatch, long aRow, long aCol, T* b, long bBatch, long bRow, long bCol,
        void* c, long cBatch, long cRow, long cCol) where T : unmanaged
    {
        var first = new Product<T> { M = m, N = n, K = k, A = a, ARow = aRow, ACol = aCol, B = b, BRow = bRow, BCol = bCol, C = c, CRow = cRow, CCol = cCol };
        Batch.Run(batch, first, aBatch, bBatch, cBatch);
    }

    /// <summary>One product, over the team where that pays.</summary>
    internal static void Multiply<T>(Product<T> x) where T : unmanaged
    {
        if (x.M <= 0 || x.N <= 0) return;
        if (x.K <= 0)
        {
            Zero(x);
            x.Complete();
        }
        else if (typeof(T) == typeof(float)) Single(x.As<float>());
        else if (typeof(T) == typeof(double)) Double(x.As<double>());
        else if (typeof(T) == typeof(BFloat16)) BFloat16s(x.As<BFloat16>());
        else if (typeof(T) == typeof(Half)) Halves(x.As<Half>());
        else if (typeof(T) == typeof(sbyte)) Bytes(x.As<sbyte>());
        else if (typeof(T) == typeof(byte)) Bytes(x.As<byte>());
        else throw new NotSupportedException($"Gemm: no kernel for {typeof(T).Name}; convert to float32 or float64 first.");
    }

    static void Single(Product<float> x)
    {
        if (Width == 512) Paths<Float512, float, float, Vector512<float>>.Multiply(x);
        else if (Width == 256) Paths<Float256, float, float, Vector256<float>>.Multiply(x);
        else Paths<Float128, float, float, Vector128<float>>.Multiply(x);
    }

    static void Double(Product<double> x)
    {
        if (Width == 512) Paths<Double512, double, double, Vector512<double>>.Multiply(x);
        else if (Width == 256) Paths<Double256, double, double, Vector256<double>>.Multiply(x);
        else Paths<Double128, double, double, Vector128<double>>.Multiply(x);
    }

    static void BFloat16s(Product<BFloat16> x)
    {
        if (Width == 512) Paths<Pairs512, BFloat16, float, Vector512<float>>.Multiply(x);
        else if (Width == 256) Paths<Pairs256, BFloat16, float, Vector256<float>>.Multiply(x);
        else Paths<Pairs128, BFloat16, float, Vector128<float>>.Multiply(x);
    }

    static void Halves(Product<Half> x)
    {
        if (Width == 512) Paths<Float512, Half, float, Vector512<float>>.Multiply(x);
        else if (Width == 256) Paths<Float256, Half, float, Vector256<float>>.Multiply(x);
        else Paths<Float128, Half, float, Vector128<float>>.Multiply(x);
    }

    static void Bytes<S>(in Product<S> x) where S : unmanaged
    {
        if (Width == 512) Paths<Quads512, S, int, Vector512<int>>.Multiply(x);
        else if (Width == 256) Paths<Quads256, S, int, Vector256<int>>.Multiply(x);
        else Paths<Quads128, S, int, Vector128<int>>.Multiply(x);
    }

    static void Zero<T>(in Product<T> x) where T : unmanaged
    {
        for (long i = 0; i < x.M; i++)
            for (long j = 0; j < x.N; j++) new Span<byte>(x.At(i, j), Product<T>.ResultBytes).Clear();
    }
}
