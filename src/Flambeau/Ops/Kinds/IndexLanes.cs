using System.Numerics;
using System.Runtime.CompilerServices;
using Flambeau.Runtime;

namespace Flambeau.Ops;

/// <summary>
/// Moves and adds elements named by an index of full rank: element […, i, …] of a contiguous tensor of the index's shape meets […, index[…, i, …], …] of a strided one.
/// A lane is one line along the indexed dimension; lanes never meet in an element, so they are what is shared out.
/// </summary>
internal static unsafe class IndexLanes
{
    /// <summary>Adjacent lanes that are walked side by side when the indexed dimension is not the innermost.</summary>
    const int Together = 64;
    const long PartElements = 8192;

    enum Move { Take, Put, Add }

    /// <summary>dense[…, i, …] = strided[…, index, …].</summary>
    public static void Take(Tensor dense, Tensor strided, int dim, Tensor index) => Run(Move.Take, dense, strided, dim, index);

    /// <summary>strided[…, index, …] = dense[…, i, …]; of several the last wins.</summary>
    public static void Put(Tensor strided, int dim, Tensor index, Tensor dense) => Run(Move.Put, dense, strided, dim, index);

    /// <summary>strided[…, index, …] += dense[…, i, …] in the order of i; both of one type in which sums are made.</summary>
    public static void Add(Tensor strided, int dim, Tensor index, Tensor dense) => Run(Move.Add, dense, strided, dim, index);

    static void Run(Move move, Tensor dense, Tensor strided, int dim, Tensor index)
    {
        if (index.Numel == 0) return;
        var shape = index.Shape;
        fixed (byte* d = dense.Store!, s = strided.Store!, i = index.Store!)
        {
            int size = dense.DType.Size;
            long n = shape.Sizes[dim], lanes = shape.Count / n;
            var part = new Part
            {
                Dense = d + dense.Offset * size, Strided = s + strided.Offset * size, Index = (long*)i + index.Offset,
                Move = move, Type = dense.DType, N = n, Lanes = lanes, Step = shape.ContiguousStrides[dim], StridedStep = strided.Strides[dim],
                Sizes = shape.Without(dim).Sizes, DenseStrides = Without(shape.ContiguousStrides, dim), StridedStrides = Without(strided.Strides, dim),
            };
            part.Width = part.Step == 1 ? 1 : Together;
            part.LanesAPart = Math.Max(1, PartElements / n / part.Width) * part.Width;
            IndexRows.Run((int)((lanes + part.LanesAPart - 1) / part.LanesAPart), ref part, shape.Count * 4);
        }
        GC.KeepAlive(dense);
        GC.KeepAlive(strided);
        GC.KeepAlive(index);
    }

    static long[] Without(long[] strides, int dim) => [.. strides.Where((_, d) => d != dim)];

    struct Part : IPart
    {
        public byte* Dense, Strided;
        public long* Index;
        public Move Move;
        public DType Type;
        public long N, Lanes, Step, StridedStep, LanesAPart;
        public int Width;
        public long[] Sizes, DenseStrides, StridedStrides;

        public readonly void Run(int part)
        {
            long* at = stackalloc long[Together], from = stackalloc long[Together];
            long end = Math.Min(Lanes, (part + 1) * LanesAPart);
            for (long lane = part * LanesAPart; lane < end; lane += Width)
            {
                int width = (int)Math.Min(Width, end - lane);
                for (int j = 0; j < width; j++)
                {
                    at[j] = Ops.Strided.Offset(Sizes, StridedStrides, lane + j);
                    from[j] = Ops.Strided.Offset(Sizes, DenseStrides, lane + j);
                }
                if (Move == Move.Add)
                {
                    var visit = new AddVisit { Part = this, At = at, From = from, Width = width };
                    ElementTypes.Visit(Type, ref visit);
                }
                else switch (Type.Size)
                {
                    case 1: Transfer<byte>(at, from, width); break;
                    case 2: Transfer<short>(at, from, width); break;
                    case 4: Transfer<int>(at, from, width); break;
                    default: Transfer<long>(at, from, width); break;
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        readonly void Transfer<T>(long* at, long* from, int width) where T : unmanaged
        {
            T* dense = (T*)Dense, strided = (T*)Strided;
            long n = N, step = Step, stridedStep = StridedStep;
            long* index = Index;
            bool take = Move == Move.Take;
            for (long i = 0; i < n; i++)
                for (int j = 0; j < width; j++)
                {
                    long k = from[j] + i * step, to = at[j] + index[k] * stridedStep;
                    if (take) dense[k] = strided[to];
                    else strided[to] = dense[k];
                }
        }

        struct AddVisit : IElementVisit
        {
            public Part Part;
            public long* At, From;
            public int Width;

            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            public readonly void Visit<T>() where T : unmanaged, INumber<T>
            {
                T* dense = (T*)Part.Dense, strided = (T*)Part.Strided;
                long n = Part.N, step = Part.Step, stridedStep = Part.StridedStep;
                long* index = Part.Index;
                for (long i = 0; i < n; i++)
                    for (int j = 0; j < Width; j++)
                    {
                        long k = From[j] + i * step;
                        strided[At[j] + index[k] * stridedStep] += dense[k];
                    }
            }
        }
    }

    /// <summary>1 where no later position of the lane names the same element, else 0: the position whose write stays. In the type of gradients.</summary>
    public static Tensor LastWriters(Tensor index, int dim, long size, DType type)
    {
        // each position writes its own number; it is the last if it finds that number there
        var shape = index.Shape;
        var winner = Tensor.Empty(shape.With(dim, size), DType.Int64);
        var own = Tensor.Empty(shape, DType.Int64);
        var found = Tensor.Empty(shape, DType.Int64);
        var mask = Tensor.Empty(shape, DType.Bool);
        long n = shape.Count;
        fixed (byte* o = own.Store!) for (long i = 0; i < n; i++) ((long*)o)[i] = i;
        Put(winner, dim, index, own);
        Take(found, winner, dim, index);
        fixed (byte* o = own.Store!, f = found.Store!, m = mask.Store!)
            for (long i = 0; i < n; i++) m[i] = ((long*)o)[i] == ((long*)f)[i] ? (byte)1 : (byte)0;
        return Dense.Copied(mask, type);
    }
}
