using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Ops;

/// <summary>Moves elements between strided and contiguous memory, by size alone.</summary>
internal static unsafe class Strided
{
    /// <summary>The element offset of flat row-major position <paramref name="i"/>.</summary>
    public static long Offset(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, long i)
    {
        long offset = 0;
        for (int d = sizes.Length - 1; d >= 0; d--)
        {
            long q = i / sizes[d];
            offset += (i - q * sizes[d]) * strides[d];
            i = q;
        }
        return offset;
    }

    /// <summary>Copies the elements at flat positions [start, start + n) of a strided array to contiguous memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gather(byte* source, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int size, long start, long n, byte* target)
    {
        Span<long> index = sizes.Length <= Shape.RankOnStack ? stackalloc long[sizes.Length] : new long[sizes.Length];
        foreach (var run in new Runs(sizes, strides, start, n, index))
        {
            CopyIn(source + run.Offset * size, run.Stride, size, target, run.Length);
            target += run.Length * size;
        }
    }

    /// <summary>Copies contiguous elements to flat positions [start, start + n) of a strided array.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scatter(byte* source, byte* target, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int size, long start, long n)
    {
        Span<long> index = sizes.Length <= Shape.RankOnStack ? stackalloc long[sizes.Length] : new long[sizes.Length];
        foreach (var run in new Runs(sizes, strides, start, n, index))
        {
            CopyOut(source, target + run.Offset * size, run.Stride, size, run.Length);
            source += run.Length * size;
        }
    }

    static void CopyIn(byte* source, long stride, int size, byte* target, long n)
    {
        switch (size)
        {
            case 1: In(source, (nint)stride, target, (nint)n); break;
            case 2: In((short*)source, (nint)stride, (short*)target, (nint)n); break;
            case 4: In((int*)source, (nint)stride, (int*)target, (nint)n); break;
            default: In((long*)source, (nint)stride, (long*)target, (nint)n); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void In<T>(T* source, nint stride, T* target, nint n) where T : unmanaged
    {
        if (stride == 1) { CopyRun((byte*)source, (byte*)target, n * sizeof(T)); return; }
        for (nint i = 0; i < n; i++) target[i] = source[i * stride];
    }

    // short runs, as the heads of attention are, without a call; the last vector overlaps the one before
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void CopyRun(byte* source, byte* target, nint bytes)
    {
        if (bytes is < 32 or > 512)
        {
            Unsafe.CopyBlockUnaligned(target, source, (uint)bytes);
            return;
        }
        for (nint i = 0; i < bytes - 32; i += 32) Vector256.Store(Vector256.Load(source + i), target + i);
        Vector256.Store(Vector256.Load(source + bytes - 32), target + bytes - 32);
    }

    static void CopyOut(byte* source, byte* target, long stride, int size, long n)
    {
        switch (size)
        {
            case 1: Out(source, target, (nint)stride, (nint)n); break;
            case 2: Out((short*)source, (short*)target, (nint)stride, (nint)n); break;
            case 4: Out((int*)source, (int*)target, (nint)stride, (nint)n); break;
            default: Out((long*)source, (long*)target, (nint)stride, (nint)n); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Out<T>(T* source, T* target, nint stride, nint n) where T : unmanaged
    {
        if (stride == 1) { CopyRun((byte*)source, (byte*)target, n * sizeof(T)); return; }
        for (nint i = 0; i < n; i++) target[i * stride] = source[i];
    }

    /// <summary>Writes the index of flat row-major position <paramref name="i"/>, by dimension.</summary>
    public static void IndexOf(ReadOnlySpan<long> sizes, long i, Span<long> index)
    {
        for (int d = sizes.Length - 1; d >= 0; d--)
        {
            long q = i / sizes[d];
            index[d] = i - q * sizes[d];
            i = q;
        }
    }

    /// <summary>The element offset of an index.</summary>
    public static long Offset(ReadOnlySpan<long> strides, ReadOnlySpan<long> index)
    {
        long offset = 0;
        for (int d = 0; d < index.Length; d++) offset += index[d] * strides[d];
        return offset;
    }

    /// <summary>The runs along the innermost dimension that cover a range of flat positions: divided once, then counted, since a run may be of a few elements.</summary>
    ref struct Runs
    {
        readonly ReadOnlySpan<long> _sizes, _strides;
        readonly Span<long> _index;
        long _left, _offset;

        public Runs(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, long start, long n, Span<long> index)
        {
            _sizes = sizes;
            _strides = strides;
            _index = index;
            _left = n;
            IndexOf(sizes, start, index);
            _offset = Offset(strides, index);
        }

        public (long Offset, long Stride, long Length) Current { get; private set; }
        public readonly Runs GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_left == 0) return false;
            int last = _sizes.Length - 1;
            if (last < 0) { Current = (0, 0, _left); _left = 0; return true; }
            long stride = _strides[last], length = Math.Min(_left, _sizes[last] - _index[last]);
            Current = (_offset, stride, length);
            _left -= length;
            _offset += length * stride;
            if ((_index[last] += length) == _sizes[last]) StartRow(last);
            return true;
        }

        void StartRow(int last)
        {
            _index[last] = 0;
            _offset -= _sizes[last] * _strides[last];
            for (int d = last - 1; d >= 0; d--)
            {
                _offset += _strides[d];
                if (++_index[d] < _sizes[d]) return;
                _index[d] = 0;
                _offset -= _sizes[d] * _strides[d];
            }
        }
    }

    /// <summary>True if the strides are those of a row-major array of these sizes.</summary>
    public static bool IsFlat(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides)
    {
        long expected = 1;
        for (int d = sizes.Length - 1; d >= 0; d--)
        {
            if (strides[d] != expected) return false;
            expected *= sizes[d];
        }
        return true;
    }
}
