using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Kernels;

/// <summary>
/// Vectors <typeparamref name="V"/> of elements <typeparamref name="T"/>, and the register block that suits them: <see cref="Rows"/> × <see cref="Vectors"/> accumulators,
/// the vectors of a row of B and one broadcast element of A must fit the registers.
/// </summary>
internal unsafe interface ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>Elements in a vector.</summary>
    static abstract int Lanes { get; }
    /// <summary>Rows of C in a register block; at most <see cref="MicroKernel.MaxRows"/>.</summary>
    static abstract int Rows { get; }
    /// <summary>Vectors in a row of a register block; at most <see cref="MicroKernel.MaxVectors"/>.</summary>
    static abstract int Vectors { get; }
    /// <summary>Steps of the contracted index in an element: 2 where it is a pair of bfloat16, 4 where it is four bytes.</summary>
    static virtual int Pairing => 1;
    static abstract V Load(T* p);
    static abstract void Store(V x, T* p);
    static abstract V Broadcast(T* p);
    static abstract V Add(V x, V y);
    /// <summary>x · y + z, rounded once; x is of A and y of B.</summary>
    static abstract V FusedMultiplyAdd(V x, V y, V z);
}

/// <summary>128-bit vectors of float. Arm64 has 32 registers (8 × 3 sums), SSE 16 (6 × 2).</summary>
internal unsafe struct Float128 : ILaneMath<float, Vector128<float>>
{
    public static int Lanes => 4;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 8 : 6; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 3 : 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Load(float* p) => Vector128.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector128<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Broadcast(float* p) => Vector128.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Add(Vector128<float> x, Vector128<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> FusedMultiplyAdd(Vector128<float> x, Vector128<float> y, Vector128<float> z) => Vector128.FusedMultiplyAdd(x, y, z);
}

/// <summary>256-bit vectors of float. 16 registers: 12 sums, 2 of B, 1 of A.</summary>
internal unsafe struct Float256 : ILaneMath<float, Vector256<float>>
{
    public static int Lanes => 8;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 6; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Load(float* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector256<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Broadcast(float* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Add(Vector256<float> x, Vector256<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> FusedMultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) => Vector256.FusedMultiplyAdd(x, y, z);
}

/// <summary>512-bit vectors of float. 32 registers: 24 sums, 3 of B, 1 of A.</summary>
internal unsafe struct Float512 : ILaneMath<float, Vector512<float>>
{
    public static int Lanes => 16;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 8; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 3; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Load(float* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector512<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Broadcast(float* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Add(Vector512<float> x, Vector512<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> FusedMultiplyAdd(Vector512<float> x, Vector512<float> y, Vector512<float> z) => Vector512.FusedMultiplyAdd(x, y, z);
}

/// <summary>128-bit vectors of double. Arm64 has 32 registers (8 × 3 sums), SSE 16 (6 × 2).</summary>
internal unsafe struct Double128 : ILaneMath<double, Vector128<double>>
{
    public static int Lanes => 2;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 8 : 6; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? 3 : 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<double> Load(double* p) => Vector128.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector128<double> x, double* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<double> Broadcast(double* p) => Vector128.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<double> Add(Vector128<double> x, Vector128<double> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<double> FusedMultiplyAdd(Vector128<double> x, Vector128<double> y, Vector128<double> z) => Vector128.FusedMultiplyAdd(x, y, z);
}

/// <summary>256-bit vectors of double. 16 registers: 12 sums, 2 of B, 1 of A.</summary>
internal unsafe struct Double256 : ILaneMath<double, Vector256<double>>
{
    public static int Lanes => 4;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 6; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<double> Load(double* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector256<double> x, double* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<double> Broadcast(double* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<double> Add(Vector256<double> x, Vector256<double> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<double> FusedMultiplyAdd(Vector256<double> x, Vector256<double> y, Vector256<double> z) => Vector256.FusedMultiplyAdd(x, y, z);
}

/// <summary>512-bit vectors of double. 32 registers: 24 sums, 3 of B, 1 of A.</summary>
internal unsafe struct Double512 : ILaneMath<double, Vector512<double>>
{
    public static int Lanes => 8;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 8; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 3; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<double> Load(double* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector512<double> x, double* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<double> Broadcast(double* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<double> Add(Vector512<double> x, Vector512<double> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<double> FusedMultiplyAdd(Vector512<double> x, Vector512<double> y, Vector512<double> z) => Vector512.FusedMultiplyAdd(x, y, z);
}

/// <summary>
/// Vectors of pairs of bfloat16, the even step of k in the lower half, and sums in float32: what <c>vdpbf16ps</c> computes, by two fused multiply-adds, the upper halves' first. That instruction
/// takes subnormal numbers for zero and makes none; this does not.
/// </summary>
internal unsafe struct Pairs128 : ILaneMath<float, Vector128<float>>
{
    public static int Lanes => 4;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float128.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float128.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Load(float* p) => Vector128.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector128<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Broadcast(float* p) => Vector128.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<float> Add(Vector128<float> x, Vector128<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FusedMultiplyAdd(Vector128<float> x, Vector128<float> y, Vector128<float> z) => Vector128.FusedMultiplyAdd(Lower(x), Lower(y), Vector128.FusedMultiplyAdd(Upper(x), Upper(y), z));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector128<float> Upper(Vector128<float> x) => (x.AsUInt32() & Vector128.Create(0xFFFF0000u)).AsSingle();
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector128<float> Lower(Vector128<float> x) => (x.AsUInt32() << 16).AsSingle();
}

/// <inheritdoc cref="Pairs128"/>
internal unsafe struct Pairs256 : ILaneMath<float, Vector256<float>>
{
    public static int Lanes => 8;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float256.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float256.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Load(float* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector256<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Broadcast(float* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<float> Add(Vector256<float> x, Vector256<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FusedMultiplyAdd(Vector256<float> x, Vector256<float> y, Vector256<float> z) => Vector256.FusedMultiplyAdd(Lower(x), Lower(y), Vector256.FusedMultiplyAdd(Upper(x), Upper(y), z));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector256<float> Upper(Vector256<float> x) => (x.AsUInt32() & Vector256.Create(0xFFFF0000u)).AsSingle();
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector256<float> Lower(Vector256<float> x) => (x.AsUInt32() << 16).AsSingle();
}

/// <inheritdoc cref="Pairs128"/>
internal unsafe struct Pairs512 : ILaneMath<float, Vector512<float>>
{
    public static int Lanes => 16;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float512.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float512.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Load(float* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector512<float> x, float* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Broadcast(float* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<float> Add(Vector512<float> x, Vector512<float> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FusedMultiplyAdd(Vector512<float> x, Vector512<float> y, Vector512<float> z) => Vector512.FusedMultiplyAdd(Lower(x), Lower(y), Vector512.FusedMultiplyAdd(Upper(x), Upper(y), z));
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector512<float> Upper(Vector512<float> x) => (x.AsUInt32() & Vector512.Create(0xFFFF0000u)).AsSingle();
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector512<float> Lower(Vector512<float> x) => (x.AsUInt32() << 16).AsSingle();
}

/// <summary>
/// Vectors of four bytes in an element, those of A unsigned and those of B signed, and sums in int32 that wrap: what <c>vpdpbusd</c> computes. Bytes are widened to 16 bits, the even and the odd
/// ones by themselves, where a product of two cannot saturate.
/// </summary>
internal unsafe struct Quads128 : ILaneMath<int, Vector128<int>>
{
    public static int Lanes => 4;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float128.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float128.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<int> Load(int* p) => Vector128.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector128<int> x, int* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<int> Broadcast(int* p) => Vector128.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<int> Add(Vector128<int> x, Vector128<int> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> FusedMultiplyAdd(Vector128<int> x, Vector128<int> y, Vector128<int> z)
        => z + Pairs((x & Vector128.Create(0x00FF00FF)).AsInt16(), (y.AsInt16() << 8) >> 8) + Pairs((x.AsUInt16() >> 8).AsInt16(), y.AsInt16() >> 8);
    /// <summary>The products of 16 bits, two added up in each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<int> Pairs(Vector128<short> x, Vector128<short> y)
        => Sse2.IsSupported ? Sse2.MultiplyAddAdjacent(x, y) : Lower(x) * Lower(y) + (x.AsInt32() >> 16) * (y.AsInt32() >> 16);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector128<int> Lower(Vector128<short> x) => (x.AsInt32() << 16) >> 16;
}

/// <inheritdoc cref="Quads128"/>
internal unsafe struct Quads256 : ILaneMath<int, Vector256<int>>
{
    public static int Lanes => 8;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float256.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float256.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<int> Load(int* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector256<int> x, int* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<int> Broadcast(int* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<int> Add(Vector256<int> x, Vector256<int> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> FusedMultiplyAdd(Vector256<int> x, Vector256<int> y, Vector256<int> z)
        => z + Pairs((x & Vector256.Create(0x00FF00FF)).AsInt16(), (y.AsInt16() << 8) >> 8) + Pairs((x.AsUInt16() >> 8).AsInt16(), y.AsInt16() >> 8);
    /// <summary>The products of 16 bits, two added up in each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<int> Pairs(Vector256<short> x, Vector256<short> y)
        => Avx2.IsSupported ? Avx2.MultiplyAddAdjacent(x, y) : Lower(x) * Lower(y) + (x.AsInt32() >> 16) * (y.AsInt32() >> 16);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector256<int> Lower(Vector256<short> x) => (x.AsInt32() << 16) >> 16;
}

/// <inheritdoc cref="Quads128"/>
internal unsafe struct Quads512 : ILaneMath<int, Vector512<int>>
{
    public static int Lanes => 16;
    public static int Rows { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float512.Rows; }
    public static int Vectors { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Float512.Vectors; }
    public static int Pairing { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<int> Load(int* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static void Store(Vector512<int> x, int* p) => x.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<int> Broadcast(int* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector512<int> Add(Vector512<int> x, Vector512<int> y) => x + y;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> FusedMultiplyAdd(Vector512<int> x, Vector512<int> y, Vector512<int> z)
        => z + Pairs((x & Vector512.Create(0x00FF00FF)).AsInt16(), (y.AsInt16() << 8) >> 8) + Pairs((x.AsUInt16() >> 8).AsInt16(), y.AsInt16() >> 8);
    /// <summary>The products of 16 bits, two added up in each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> Pairs(Vector512<short> x, Vector512<short> y)
        => Avx512BW.IsSupported ? Avx512BW.MultiplyAddAdjacent(x, y) : Lower(x) * Lower(y) + (x.AsInt32() >> 16) * (y.AsInt32() >> 16);
    [MethodImpl(MethodImplOptions.AggressiveInlining)] static Vector512<int> Lower(Vector512<short> x) => (x.AsInt32() << 16) >> 16;
}
