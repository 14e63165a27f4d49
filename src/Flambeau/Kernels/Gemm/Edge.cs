using System.Runtime.CompilerServices;

namespace Flambeau.Kernels;

/// <summary>Brings finished block sums from scratch into C: the only place besides the kernels where blocks of k are added.</summary>
internal static unsafe class Edge<M, T, V> where M : ILaneMath<T, V> where T : unmanaged where V : struct
{
    /// <summary>
    /// C[h × w] = or += the sums; <paramref name="into"/> says which. A row of sums has room for whole vectors, C is touched only inside its <paramref name="w"/> columns.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Put(T* s, nint sRow, int h, nint w, T* c, nint cRow, Into into)
    {
        T* ragged = stackalloc T[M.Lanes];
        for (int r = 0; r < h; r++, s += sRow, c += cRow)
        {
            nint q = 0;
            for (; q + M.Lanes <= w; q += M.Lanes)
            {
                var x = M.Load(s + q);
                M.Store(into == Into.Store ? x : M.Add(M.Load(c + q), x), c + q);
            }
            if (q == w) continue;
            if (into == Into.Add)
            {
                for (nint l = q; l < w; l++) ragged[l - q] = c[l];
                M.Store(M.Add(M.Load(ragged), M.Load(s + q)), s + q);
            }
            for (; q < w; q++) c[q] = s[q];
        }
    }
}
