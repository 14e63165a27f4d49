using System.Runtime.CompilerServices;

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
    public static void Gather(byte* source, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int size, long start, long n, byte* target)
    {
        foreach (var run in new Runs(sizes, strides, start, n))
        {
            CopyIn(source + run.Offset * size, run.Stride, size, target, run.Length);
            target += run.Length * size;
        }
    }

    /// <summary>Copies contiguous elements to flat positions [start, start + n) of a strided array.</summary>
    public static void Scatter(byte* source, byte* target, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, int size, long start, long n)
    {
        foreach (var run in new Runs(sizes, strides, start, n))
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
        if (stride == 1) { Unsafe.CopyBlockUnaligned(target, source, (uint)(n * sizeof(T))); return; }
        for (nint i = 0; i < n; i++) target[i] = source[i * stride];
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
        if (stride == 1) { Unsafe.CopyBlockUnaligned(target, source, (uint)(n * sizeof(T))); return; }
        for (nint i = 0; i < n; i++) target[i * stride] = source[i];
    }

    /// <summary>The runs along the innermost dimension that cover a range of flat positions.</summary>
    ref struct Runs
    {
        readonly ReadOnlySpan<long> _sizes, _strides;
        long _position, _left;

        public Runs(ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, long start, long n)
        {
            _sizes = sizes;
            _strides = strides;
            (_position, _left) = (start, n);
            Current = default;
        }

        public (long Offset, long Stride, long Length) Current { get; private set; }
        public readonly Runs GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_left == 0) return false;
            if (_sizes.Length == 0) { Current = (0, 0, _left); _left = 0; return true; }
            long row = _sizes[^1], length = Math.Min(_left, row - _position % row);
            Current = (Offset(_sizes, _strides, _position), _strides[^1], length);
            _position += length;
            _left -= length;
            return true;
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
