using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>The register kernels of one vector kind, by rows and vectors; each compiles when it is first called.</summary>
internal static unsafe class KernelTable<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    static readonly nint[] Table = Fill();

    public static delegate*<nint, T*, nint, nint, T*, nint, T*, nint, Into, void> Get(int rows, int vectors)
        => (delegate*<nint, T*, nint, nint, T*, nint, T*, nint, Into, void>)Table[(rows - 1) * MicroKernel.MaxVectors + vectors - 1];

    static nint[] Fill()
    {
        var table = new nint[MicroKernel.MaxRows * MicroKernel.MaxVectors];
        Row<N1>(table);
        Row<N2>(table);
        Row<N3>(table);
        Row<N4>(table);
        Row<N5>(table);
        Row<N6>(table);
        Row<N7>(table);
        Row<N8>(table);
        return table;
    }

    static void Row<R>(nint[] table) where R : struct, ICount
    {
        if (R.N > M.Rows) return;
        Put<R, N1>(table);
        Put<R, N2>(table);
        Put<R, N3>(table);
    }

    static void Put<R, Q>(nint[] table) where R : struct, ICount where Q : struct, ICount
    {
        if (Q.N > M.Vectors) return;
        delegate*<nint, T*, nint, nint, T*, nint, T*, nint, Into, void> kernel = &MicroKernel.Run<M, T, V, R, Q>;
        table[(R.N - 1) * MicroKernel.MaxVectors + Q.N - 1] = (nint)kernel;
    }
}

/// <summary>A register kernel that is called with panels: A has a register block's rows side by side, B its columns. In machine code where elements are pairs or fours and the processor has the instruction for them.</summary>
internal readonly unsafe struct PanelKernel<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    readonly nint _address;
    readonly bool _isMachineCode;

    public PanelKernel(int rows, int vectors)
    {
        _isMachineCode = M.Lanes == 16 && (M.Pairing == 2 && DotCode<DotPairs>.IsUsed || M.Pairing == 4 && DotCode<DotFours>.IsUsed);
        _address = _isMachineCode ? M.Pairing == 2 ? (nint)DotCode<DotPairs>.Get(rows, vectors) : (nint)DotCode<DotFours>.Get(rows, vectors) : (nint)KernelTable<M, T, V>.Get(rows, vectors);
    }

    /// <summary>From panels to sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint k, T* a, T* b, T* c, nint cRow, Into into) => Run(k, a, M.Rows, b, M.Lanes * M.Vectors, c, cRow, into);

    /// <summary>The same for a panel of B that is narrower, or wider: <paramref name="bStep"/> elements lead from step to step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint k, T* a, T* b, nint bStep, T* c, nint cRow, Into into) => Run(k, a, M.Rows, b, bStep, c, cRow, into);

    /// <summary>The same for rows of A of which <paramref name="aStep"/> elements lead from step to step. With a target, whose rows are so many bytes apart, the sums go there instead of C.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint k, T* a, nint aStep, T* b, T* c, nint cRow, Into into, void* target = null, nint targetRow = 0) => Run(k, a, aStep, b, M.Lanes * M.Vectors, c, cRow, into, target, targetRow);

    /// <summary>True if a target can be given: what is made is rounded into it.</summary>
    public bool Rounds => M.Pairing == 2 && _isMachineCode;

    /// <summary>The same with steps of both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint k, T* a, nint aStep, T* b, nint bStep, T* c, nint cRow, Into into, void* target = null, nint targetRow = 0)
    {
        if (M.Pairing > 1 && M.Lanes == 16 && _isMachineCode)
        {
            DotArguments arguments;
            arguments.Steps = k;
            arguments.A = a;
            arguments.B = b;
            arguments.C = c;
            arguments.AStep = aStep * sizeof(T);
            arguments.BStep = bStep * sizeof(T);
            arguments.CRow = cRow * sizeof(T);
            arguments.Into = (nint)into;
            arguments.Target = target;
            arguments.TargetRow = targetRow;
            ((delegate* unmanaged<DotArguments*, void>)_address)(&arguments);
        }
        else ((delegate*<nint, T*, nint, nint, T*, nint, T*, nint, Into, void>)_address)(k, a, 1, aStep, b, bStep, c, cRow, into);
    }
}

/// <summary>As <see cref="PanelKernel{M, T, V}"/>, for A in rows that lie <see cref="DotCode{I}.RowElements"/> elements apart, an element a step; B's steps lie anywhere.</summary>
internal readonly unsafe struct RowKernel<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    readonly nint _address;
    readonly bool _isMachineCode;

    public RowKernel(int rows, int vectors)
    {
        _isMachineCode = M.Pairing == 2 && M.Lanes == 16 && DotCode<DotPairs>.IsUsed;
        _address = _isMachineCode ? (nint)DotCode<DotPairs>.OfRows(rows, vectors) : (nint)KernelTable<M, T, V>.Get(rows, vectors);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(nint k, T* a, T* b, nint bStep, T* c, nint cRow, Into into)
    {
        if (M.Pairing == 2 && M.Lanes == 16 && _isMachineCode)
        {
            DotArguments arguments;
            arguments.Steps = k;
            arguments.A = a;
            arguments.B = b;
            arguments.C = c;
            arguments.AStep = sizeof(T);
            arguments.BStep = bStep * sizeof(T);
            arguments.CRow = cRow * sizeof(T);
            arguments.Into = (nint)into;
            arguments.Target = null;
            ((delegate* unmanaged<DotArguments*, void>)_address)(&arguments);
        }
        else ((delegate*<nint, T*, nint, nint, T*, nint, T*, nint, Into, void>)_address)(k, a, DotCode<DotPairs>.RowElements, 1, b, bStep, c, cRow, into);
    }
}
