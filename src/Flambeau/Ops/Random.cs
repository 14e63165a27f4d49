using System.Runtime.CompilerServices;
using Flambeau.Compile.Graphs;
using Flambeau.Kernels;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;
using Flambeau.Transforms;

namespace Flambeau.Ops
{
    /// <summary>Random numbers of one draw: uniform, or whole numbers of a range.</summary>
    public readonly struct Random : ICustom
    {
        /// <inheritdoc/>
        public static string? TorchName => "rand";
        /// <inheritdoc/>
        public static IEnumerable<Sample> Samples =>
        [
            new("Tensor.Rand([3, 5])", g => [], t => Tensor.Rand([3, 5], generator: new Generator(3))),
        ];
    }

    /// <summary>Random numbers of one draw: element i is a function of seed, draw and i. Custom: it has no operands and no derivative.</summary>
    internal sealed unsafe class RandomOp(Shape shape, DType type, Draw draw, long low, ulong range) : Op
    {
        public override string Name => "Random";

        /// <summary>The next draw, the first of <paramref name="count"/>, for what no graph has a place for.</summary>
        public static Draw NextOf(string op, Generator? generator, int count = 1) =>
            Trace.Open is null ? (generator ?? Generator.Default).Next(count) : throw new NotTraceableException($"{op} draws random numbers");

        public override Tensor Run(ReadOnlySpan<Tensor> x)
        {
            // uniform numbers are made in float32 or float64, whole numbers in int64
            var made = range > 0 ? DType.Int64 : type == DType.Float64 ? DType.Float64 : DType.Float32;
            var y = Tensor.Empty(shape, made);
            fixed (byte* p = y.Store!)
            {
                var part = new Part { Y = p, Count = shape.Count, Type = made, Draw = draw, Low = low, Range = range };
                Team.Run((int)((shape.Count + Part.Chunk - 1) / Part.Chunk), ref part);
            }
            return y.To(type);
        }

        struct Part : IPart
        {
            public const int Chunk = 4096;
            public byte* Y;
            public long Count, Low;
            public DType Type;
            public ulong Range;
            public Draw Draw;

            public readonly void Run(int part)
            {
                long start = (long)part * Chunk, end = Math.Min(Count, start + Chunk);
                if (Range > 0) Integers((long*)Y, start, end);
                else UniformFill.Run(Type, Y + start * Type.Size, start, end - start, Draw, Kernel.Width);
            }

            // the high half of word · range: bias below range / 2^64
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            readonly void Integers(long* y, long start, long end)
            {
                for (long i = start; i < end; i++) y[i] = Low + (long)Math.BigMul(Philox.Long(Draw, i), Range, out _);
            }
        }

        public override void Pullback(Node node, Tensor g) { }
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => Tensor.ZerosLike(y);
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => Batching.Ensure(Apply(), false, size);
    }
}

namespace Flambeau
{
    public sealed partial class Tensor
    {
        /// <summary>Seeds the default generator (PyTorch: <c>torch.manual_seed</c>).</summary>
        public static void ManualSeed(ulong seed) => Generator.Default.ManualSeed(seed);

        /// <summary>Uniform numbers in [0, 1) (PyTorch: <c>torch.rand</c>).</summary>
        public static Tensor Rand(Shape shape, DType dtype = DType.Float32, Generator? generator = null)
        {
            if (!dtype.IsFloatingPoint) throw Errors.Make("Rand", $"makes floating-point numbers, got {dtype.Name}; use RandInt");
            var from = generator ?? Generator.Default;
            return Trace.Open is { } trace ? trace.Draw(shape, dtype, from) : new RandomOp(shape, dtype, from.Next(), 0, 0).Apply();
        }

        /// <summary>Numbers of the standard normal distribution, by Box and Muller (1958): √(−2 ln u) · cos 2πv (PyTorch: <c>torch.randn</c>).</summary>
        public static Tensor RandN(Shape shape, DType dtype = DType.Float32, Generator? generator = null)
        {
            var compute = dtype == DType.Float64 ? dtype : DType.Float32;
            using var _ = Autograd.NoGrad();
            Tensor u = Rand(shape, compute, generator), v = Rand(shape, compute, generator);
            // 1 - u lies in (0, 1]: its logarithm is finite
            return (((1 - u).Log() * -2).Sqrt() * (v * (2 * Math.PI)).Cos()).To(dtype);
        }

        /// <summary>Whole numbers in [<paramref name="low"/>, <paramref name="high"/>), all equally likely (PyTorch: <c>torch.randint</c>).</summary>
        public static Tensor RandInt(long low, long high, Shape shape, DType dtype = DType.Int64, Generator? generator = null)
        {
            if (low >= high) throw Errors.Make("RandInt", $"needs low < high, got [{low}, {high})");
            return new RandomOp(shape, dtype, RandomOp.NextOf("RandInt", generator), low, (ulong)(high - low)).Apply();
        }

        /// <summary>A random order of 0 … n − 1 (PyTorch: <c>torch.randperm</c>).</summary>
        public static Tensor RandPerm(long n, Generator? generator = null) => Rand([n], DType.Float64, generator).ArgSort();
    }
}
