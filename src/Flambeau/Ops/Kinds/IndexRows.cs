using System.Numerics;
using System.Runtime.CompilerServices;
using Flambeau.Runtime;

namespace Flambeau.Ops;

/// <summary>What an index along one dimension sees of a contiguous tensor: <see cref="Outer"/> blocks of <see cref="Rows"/> rows of <see cref="Inner"/> elements.</summary>
internal readonly record struct RowGeometry(long Outer, long Rows, long Inner)
{
    public static RowGeometry Of(Shape shape, int dim)
    {
        long outer = 1, inner = 1;
        for (int d = 0; d < dim; d++) outer *= shape.Sizes[d];
        for (int d = dim + 1; d < shape.Rank; d++) inner *= shape.Sizes[d];
        return new(outer, shape.Sizes[dim], inner);
    }
}

/// <summary>Moves and adds whole rows named by an index of one dimension. All tensors are contiguous, indices are checked int64.</summary>
internal static unsafe class IndexRows
{
    /// <summary>Bytes a part moves, at least.</summary>
    const long PartBytes = 64 * 1024;
    /// <summary>Elements of a strip of columns.</summary>
    const long Strip = 4096;
    /// <summary>Into how many ranges of target rows additions are cut, at most.</summary>
    const int RowRanges = 64;

    // ---- target[o, i, :] = source[o, index[i], :] ----

    public static void Select(Tensor target, Tensor source, int dim, Tensor index)
    {
        if (target.Numel == 0) return;
        var from = RowGeometry.Of(source.Shape, dim);
        fixed (byte* t = target.Store!, s = source.Store!, i = index.Store!)
        {
            long n = index.Numel, row = from.Inner * source.DType.Size;
            var part = new SelectPart
            {
                Target = t + target.Offset * target.DType.Size, Source = s + source.Offset * source.DType.Size, Index = (long*)i + index.Offset,
                N = n, Rows = from.Rows, RowBytes = row, Count = from.Outer * n, RowsAPart = Math.Max(1, PartBytes / row),
            };
            Run((int)((part.Count + part.RowsAPart - 1) / part.RowsAPart), ref part, part.Count * Math.Max(1, row / 8));
        }
        GC.KeepAlive(source);
        GC.KeepAlive(index);
    }

    struct SelectPart : IPart
    {
        public byte* Target, Source;
        public long* Index;
        public long N, Rows, RowBytes, Count, RowsAPart;

        public readonly void Run(int part)
        {
            long start = part * RowsAPart, end = Math.Min(Count, start + RowsAPart);
            while (start < end)
            {
                long outer = start / N, i = start - outer * N, n = Math.Min(end - start, N - i);
                byte* source = Source + outer * Rows * RowBytes, target = Target + start * RowBytes;
                switch (RowBytes)
                {
                    case 1: Elements(target, source, Index + i, (nint)n); break;
                    case 2: Elements((short*)target, (short*)source, Index + i, (nint)n); break;
                    case 4: Elements((int*)target, (int*)source, Index + i, (nint)n); break;
                    case 8: Elements((long*)target, (long*)source, Index + i, (nint)n); break;
                    default:
                        for (long k = 0; k < n; k++) Buffer.MemoryCopy(source + Index[i + k] * RowBytes, target + k * RowBytes, RowBytes, RowBytes);
                        break;
                }
                start += n;
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void Elements<T>(T* target, T* source, long* index, nint n) where T : unmanaged
        {
            for (nint i = 0; i < n; i++) target[i] = source[index[i]];
        }
    }

    // ---- target[o, index[i], :] = source[o, i, :], the last i wins ----

    public static void Put(Tensor target, int dim, Tensor index, Tensor source)
    {
        if (source.Numel == 0) return;
        var to = RowGeometry.Of(target.Shape, dim);
        fixed (byte* t = target.Store!, s = source.Store!, i = index.Store!)
        {
            int size = target.DType.Size;
            var part = new PutPart
            {
                Target = t + target.Offset * size, Source = s + source.Offset * size, Index = (long*)i + index.Offset,
                N = index.Numel, Rows = to.Rows, RowBytes = to.Inner * size, StripBytes = Strip * size,
            };
            part.Strips = (int)((part.RowBytes + part.StripBytes - 1) / part.StripBytes);
            Run((int)(to.Outer * part.Strips), ref part, source.Numel);
        }
        GC.KeepAlive(source);
        GC.KeepAlive(index);
    }

    struct PutPart : IPart
    {
        public byte* Target, Source;
        public long* Index;
        public long N, Rows, RowBytes, StripBytes;
        public int Strips;

        public readonly void Run(int part)
        {
            long outer = part / Strips, column = part % Strips * StripBytes, width = Math.Min(StripBytes, RowBytes - column);
            byte* target = Target + outer * Rows * RowBytes + column, source = Source + outer * N * RowBytes + column;
            for (long i = 0; i < N; i++) Buffer.MemoryCopy(source + i * RowBytes, target + Index[i] * RowBytes, width, width);
        }
    }

    // ---- target[o, index[i], :] += source[o, i, :], in the order of i for each target row ----

    /// <summary>Both tensors have one type in which sums are made: no half-precision type, no bool.</summary>
    public static void Add(Tensor target, int dim, Tensor index, Tensor source)
    {
        if (source.Numel == 0) return;
        var visit = new AddVisit(target, dim, index, source);
        ElementTypes.Visit(target.DType, ref visit);
        GC.KeepAlive(source);
        GC.KeepAlive(index);
    }

    readonly struct AddVisit(Tensor target, int dim, Tensor index, Tensor source) : IElementVisit
    {
        public void Visit<T>() where T : unmanaged, INumber<T>
        {
            var to = RowGeometry.Of(target.Shape, dim);
            var order = new RowOrder(index, to.Rows);
            fixed (byte* t = target.Store!, s = source.Store!)
            fixed (long* starts = order.Starts, positions = order.Positions, ranges = order.Ranges(RowRanges))
            {
                var part = new AddPart<T>
                {
                    Target = (T*)t + target.Offset, Source = (T*)s + source.Offset, Starts = starts, Positions = positions, RangeStarts = ranges,
                    N = index.Numel, Rows = to.Rows, Inner = to.Inner, Strips = (int)((to.Inner + Strip - 1) / Strip),
                };
                Run((int)(to.Outer * RowRanges * part.Strips), ref part, source.Numel);
            }
        }
    }

    struct AddPart<T> : IPart where T : unmanaged, INumber<T>
    {
        public T* Target, Source;
        public long* Starts, Positions, RangeStarts;
        public long N, Rows, Inner;
        public int Strips;

        public readonly void Run(int part)
        {
            long column = part % Strips * Strip, width = Math.Min(Strip, Inner - column);
            int range = part / Strips % RowRanges;
            long outer = part / Strips / RowRanges;
            T* target = Target + outer * Rows * Inner + column, source = Source + outer * N * Inner + column;
            for (long row = RangeStarts[range]; row < RangeStarts[range + 1]; row++)
                for (long k = Starts[row]; k < Starts[row + 1]; k++)
                    AddTo(target + row * Inner, source + Positions[k] * Inner, (nint)width);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        static void AddTo(T* target, T* source, nint n)
        {
            nint i = 0;
            for (; i <= n - Vector<T>.Count; i += Vector<T>.Count) (Vector.Load(target + i) + Vector.Load(source + i)).Store(target + i);
            for (; i < n; i++) target[i] += source[i];
        }
    }

    internal static void Run<TPart>(int parts, ref TPart part, long work) where TPart : struct, IPart
    {
        if (Team.Pays(work)) Team.Run(parts, ref part);
        else for (int i = 0; i < parts; i++) part.Run(i);
    }
}

/// <summary>The positions of an index grouped by the row they name, each group in order: a counting sort.</summary>
internal sealed class RowOrder
{
    /// <summary>Group r is <see cref="Positions"/>[Starts[r] … Starts[r + 1]).</summary>
    public readonly long[] Starts, Positions;

    public unsafe RowOrder(Tensor index, long rows)
    {
        long n = index.Numel;
        (Starts, Positions) = (new long[rows + 1], new long[n]);
        fixed (byte* p = index.Store!)
        {
            long* at = (long*)p + index.Offset;
            for (long i = 0; i < n; i++) Starts[at[i] + 1]++;
            for (long r = 0; r < rows; r++) Starts[r + 1] += Starts[r];
            for (long i = 0; i < n; i++) Positions[Starts[at[i]]++] = i;
        }
        // each start has moved to its end: the start of the next
        for (long r = rows; r > 0; r--) Starts[r] = Starts[r - 1];
        Starts[0] = 0;
    }

    /// <summary>Cuts the rows into ranges with about equally many positions: range k is [result[k], result[k + 1]).</summary>
    public long[] Ranges(int count)
    {
        var result = new long[count + 1];
        long rows = Starts.Length - 1, row = 0;
        for (int k = 1; k < count; k++)
        {
            long share = (long)((Int128)Positions.LongLength * k / count);
            while (row < rows && Starts[row] < share) row++;
            result[k] = row;
        }
        result[count] = rows;
        return result;
    }
}

/// <summary>Code to be run for the C# type behind a <see cref="DType"/> in which sums are made.</summary>
internal interface IElementVisit
{
    void Visit<T>() where T : unmanaged, INumber<T>;
}

internal static class ElementTypes
{
    /// <summary>The type in which elements of <paramref name="type"/> are added up: half-precision ones in float32, bool in int64.</summary>
    public static DType Sums(DType type) => type switch
    {
        DType.Float16 or DType.BFloat16 => DType.Float32,
        DType.Bool => DType.Int64,
        _ => type,
    };

    public static void Visit<TVisit>(DType type, ref TVisit visit) where TVisit : struct, IElementVisit
    {
        switch (type)
        {
            case DType.UInt8: visit.Visit<byte>(); break;
            case DType.Int8: visit.Visit<sbyte>(); break;
            case DType.Int16: visit.Visit<short>(); break;
            case DType.Int32: visit.Visit<int>(); break;
            case DType.Int64: visit.Visit<long>(); break;
            case DType.Float32: visit.Visit<float>(); break;
            case DType.Float64: visit.Visit<double>(); break;
            default: throw new InvalidOperationException($"sums are not made in {type.Name}");
        }
    }
}

/// <summary>Contiguous operands for kernels, outside of any recording.</summary>
internal static class Dense
{
    /// <summary>The tensor itself if it is contiguous and of the type, else a copy that is.</summary>
    public static Tensor Of(Tensor x, DType type) => x.IsContiguous && x.DType == type ? x : Copied(x, type);

    public static Tensor Of(Tensor x) => Of(x, x.DType);

    /// <summary>A contiguous copy.</summary>
    public static Tensor Copied(Tensor x, DType type)
    {
        var y = Tensor.Empty(x.Shape, type);
        Copy.Into(y, x);
        return y;
    }

    /// <summary>An index as contiguous int64, each position checked to lie in [0, <paramref name="size"/>).</summary>
    public static unsafe Tensor Index(string op, Tensor index, int dim, long size)
    {
        var checkedIndex = Of(index, DType.Int64);
        fixed (byte* p = checkedIndex.Store!)
        {
            long* at = (long*)p + checkedIndex.Offset;
            for (long i = 0; i < index.Numel; i++)
                if ((ulong)at[i] >= (ulong)size)
                    throw Errors.Make(op, $"index {at[i]} at position {Place(index.Shape, i)} is out of range for dim {dim} with size {size}: expected 0 … {size - 1}", ("index", index));
        }
        return checkedIndex;
    }

    /// <summary>A flat position as the program would write it: <c>[1, 0]</c>.</summary>
    public static string Place(Shape shape, long flat)
    {
        var place = new long[shape.Rank];
        for (int d = shape.Rank - 1; d >= 0; d--) (flat, place[d]) = (flat / shape.Sizes[d], flat % shape.Sizes[d]);
        return shape.Rank == 1 ? $"{place[0]}" : $"[{string.Join(", ", place)}]";
    }

    public static void CheckIndexType(string op, Tensor index)
    {
        if (index.DType is not (DType.Int64 or DType.Int32)) throw Errors.Make(op, $"an index has whole numbers of type int64 or int32, got {index.DType.Name}; cast it with Long()", ("index", index));
    }
}
