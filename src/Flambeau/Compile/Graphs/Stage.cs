using Flambeau.Compile.Loops;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Transforms;

namespace Flambeau.Compile.Graphs;

/// <summary>Some nodes of a graph that run together. A graph's values lie in one array: what is given first, then what the stages yield.</summary>
/// <param name="Sources">Places of the values that are read.</param>
/// <param name="Results">Places of those that are computed.</param>
internal abstract record Stage(int[] Sources, int[] Results)
{
    /// <summary>The values of <see cref="Results"/> from those of <see cref="Sources"/>.</summary>
    public abstract Tensor[] Run(Tensor[] x, Draw first);

    /// <summary>What the values are called in a text.</summary>
    protected string Heading => $"v{string.Join(", v", Results)} from {(Sources.Length == 0 ? "nothing" : "v" + string.Join(", v", Sources))}: ";

    /// <summary>One pass over rows.</summary>
    public sealed record Pass(int[] Sources, int[] Results, RowProgram Program) : Stage(Sources, Results)
    {
        public override Tensor[] Run(Tensor[] x, Draw first) => RowRunner.Run(Program, x, first);
        public override string ToString() => Heading + Program;
    }

    /// <summary>Reductions of everything, as one row that is too long for one thread: the results of its chunks are joined in the order of the eager reduction.</summary>
    public sealed record LongRow(int[] Sources, int[] Results, RowProgram Program, GraphNode[] Folds) : Stage(Sources, Results)
    {
        public override Tensor[] Run(Tensor[] x, Draw first)
        {
            var chunks = RowRunner.Run(Program, x, first);
            return [.. Folds.Select((fold, i) => Join(fold, chunks[i]))];
        }

        static unsafe Tensor Join(GraphNode fold, Tensor chunks)
        {
            var joined = Tensor.Empty(fold.Shape, fold.Type);
            fixed (byte* all = chunks.Store!, result = joined.Store!)
            {
                ((Step.Fold)fold.Step).Op.Join(fold.Type, all, chunks.Numel, 1);
                Buffer.MemoryCopy(all, result, fold.Type.Size, fold.Type.Size);
            }
            chunks.Discard();
            return joined;
        }

        public override string ToString() => $"{Heading}{Program}\n  joined pairwise";
    }

    /// <summary>
    /// Passes of which each place along one axis needs only its own: a channel, or a sample, goes through all of them while it lies in cache, and others meanwhile on other threads. What is as large as the operands is written where it
    /// belongs, smaller results are copied there.
    /// </summary>
    /// <param name="Sources">Places of the values that are read.</param>
    /// <param name="Results">Places of those that are kept.</param>
    /// <param name="Passes">For one place.</param>
    /// <param name="Size">How many places there are.</param>
    /// <param name="Dims">Of each value the dimension that the axis is, or −1.</param>
    /// <param name="Shapes">Of each value that is kept its shape and type; else null.</param>
    /// <param name="Direct">Of each value, true if it is written where it belongs.</param>
    public sealed record PlaceByPlace(int[] Sources, int[] Results, Pass[] Passes, long Size, int[] Dims, (Shape Shape, DType Type)?[] Shapes, bool[] Direct) : Stage(Sources, Results)
    {
        public override Tensor[] Run(Tensor[] x, Draw first)
        {
            var kept = new Tensor?[Shapes.Length];
            for (int v = 0; v < kept.Length; v++) if (Shapes[v] is { } shape) kept[v] = Tensor.Empty(shape.Shape, shape.Type);
            var job = new Places(this, x, kept, first);
            Team.Run(checked((int)Size), ref job);
            return Array.ConvertAll(Results, v => kept[v]!);
        }

        readonly struct Places(PlaceByPlace stage, Tensor[] x, Tensor?[] kept, Draw first) : IPart
        {
            public void Run(int place)
            {
                using var _ = Autograd.NoGrad();
                var values = new Tensor?[kept.Length];
                for (int i = 0; i < x.Length; i++) values[stage.Sources[i]] = At(stage.Sources[i], x[i], place);
                foreach (var pass in stage.Passes)
                {
                    var into = new Tensor?[pass.Results.Length];
                    for (int i = 0; i < into.Length; i++) if (stage.Direct[pass.Results[i]]) into[i] = At(pass.Results[i], kept[pass.Results[i]]!, place);
                    var results = RowRunner.Run(pass.Program, Array.ConvertAll(pass.Sources, s => values[s]!), first, into);
                    for (int i = 0; i < results.Length; i++) values[pass.Results[i]] = results[i];
                }
                for (int v = 0; v < kept.Length; v++) if (kept[v] is { } whole && !stage.Direct[v]) Copy.Into(At(v, whole, place), values[v]!);
            }

            Tensor At(int value, Tensor whole, int place)
            {
                int dim = stage.Dims[value];
                return dim < 0 ? whole : new(whole.Store!, whole.Shape.With(dim, 1), whole.Strides, whole.Offset + place * whole.Strides[dim], whole.DType);
            }
        }

        public override string ToString() => $"place by place, {Size} of them:\n{string.Join('\n', Passes.Select(p => p.ToString()))}";
    }

    /// <summary>An operator by itself.</summary>
    public sealed record Alone(int[] Sources, int[] Results, GraphNode Node) : Stage(Sources, Results)
    {
        public override Tensor[] Run(Tensor[] x, Draw first)
        {
            int k = 0;
            var values = new Dictionary<GraphNode, Tensor>();
            foreach (var operand in Node.Operands) if (!values.ContainsKey(operand)) values[operand] = x[k++];
            var y = GraphProgram.Compute(Node, values, first);
            return [Node.Step is Step.Relabel ? y.Clone() : y]; // no view of what is given
        }

        public override string ToString() => $"{Heading}{Node}";
    }
}
