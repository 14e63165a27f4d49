using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>What follows a product, on the thread that completed rows of its result, while they lie in its caches.</summary>
internal abstract class Epilogue
{
    /// <summary>So many rows of the result from <paramref name="row"/> on are complete. Each comes once, in any order and from several threads.</summary>
    public abstract void Run(long row, long rows);
}

/// <summary>
/// One product C[m × n] = A[m × k] · B[k × n]. Strides count elements; <c>ARow</c> is from row to row, <c>ACol</c> from column to column.
/// C is of <typeparamref name="T"/>, but of int32 where that is a byte: B's bytes are signed then, and <typeparamref name="T"/> says whether A's are.
/// </summary>
internal unsafe struct Product<T> where T : unmanaged
{
    public long M, N, K;
    public T* A, B;
    public void* C;
    public long ARow, ACol, BRow, BCol, CRow, CCol;
    /// <summary>What is done to rows of C as soon as they are complete, if anything.</summary>
    public Epilogue? Then;
    /// <summary>Which row of the C that <see cref="Then"/> knows is the first here.</summary>
    public long Row;

    /// <summary>The same product said as Cᵀ = Bᵀ · Aᵀ. Each element's chain is the same.</summary>
    public readonly Product<T> Transposed => new()
    {
        M = N, N = M, K = K, A = B, ARow = BCol, ACol = BRow, B = A, BRow = ACol, BCol = ARow, C = C, CRow = CCol, CCol = CRow,
    };

    /// <summary>The part of the product that makes rows <paramref name="i0"/> … <paramref name="i1"/> − 1 and columns <paramref name="j0"/> … <paramref name="j1"/> − 1 of C.</summary>
    public readonly Product<T> Part(long i0, long i1, long j0, long j1)
    {
        var part = this;
        part.M = i1 - i0;
        part.N = j1 - j0;
        part.A = A + i0 * ARow;
        part.B = B + j0 * BCol;
        part.C = At(i0, j0);
        part.Row += i0;
        return part;
    }

    /// <summary>All rows are complete: what is to follow does.</summary>
    public readonly void Complete() => Then?.Run(Row, M);

    /// <summary>Bytes of an element of C.</summary>
    public static int ResultBytes => IsBytes ? sizeof(int) : sizeof(T);
    static bool IsBytes => typeof(T) == typeof(sbyte) || typeof(T) == typeof(byte);

    /// <summary>True where A and B may change places: both are of one type.</summary>
    public static bool CanTurn => typeof(T) != typeof(byte);

    /// <summary>Where C[i, j] lies.</summary>
    public readonly void* At(long i, long j) => (byte*)C + (i * CRow + j * CCol) * ResultBytes;

    /// <summary>Multiplications, at most <see cref="long.MaxValue"/>.</summary>
    public readonly long Work => (long)Math.Min((double)M * N * K, long.MaxValue / 2);

    /// <summary>The same product where <typeparamref name="U"/> is <typeparamref name="T"/> by another name.</summary>
    public readonly Product<U> As<U>() where U : unmanaged
    {
        System.Diagnostics.Debug.Assert(typeof(U) == typeof(T));
        return Unsafe.As<Product<T>, Product<U>>(ref Unsafe.AsRef(in this));
    }
}
