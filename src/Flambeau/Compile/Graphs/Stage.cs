using Flambeau.Compile.Loops;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Compile.Graphs;

/// <summary>Some nodes of a graph that run together. A graph's values lie in one array: what is given first, then what the stages yield.</summary>
/// <param name="Sources">Places of the values that are read.</param>
/// <param name="Results">Places of those that are computed.</param>
internal abstract record Stage(int[] Sources, int[] Results)
{
    /// <summary>True if the last rows come first: what the pass before this one read last is still in the cache.</summary>
    public bool LastFirst { get; init; }

    /// <summary>How many elements a pass goes over.</summary>
    public virtual long Elements => 0;

    /// <summary>The values of <see cref="Results"/> from those of <see cref="Sources"/>.</summary>
    public abstract Tensor[] Run(Tensor[] x, Draw first);

    /// <summary>What the values are called in a text.</summary>
    protected string Heading => $"v{string.Join(", v", Results)} from {(Sources.Length == 0 ? "nothing" : "v" + string.Join(", v", Sources))}: ";

    /// <summary>One pass over rows.</summary>
    public sealed record Pass(int[] Sources, int[] Results, RowProgram Program) : Stage(Sources, Results)
    {
        public override long Elements => Program.Rows * Program.Columns;
        public override Tensor[] Run(Tensor[] x, Draw first) => RowRunner.Run(Program, x, first, LastFirst);
        public override string ToString() => Heading + Program;
    }

    /// <summary>Reductions of everything, as one row that is too long for one thread: the results of its chunks are joined in the order of the eager reduction.</summary>
    public sealed record LongRow(int[] Sources, int[] Results, RowProgram Program, GraphNode[] Folds) : Stage(Sources, Results)
    {
        public override long Elements => Program.Rows * Program.Columns;

        public override Tensor[] Run(Tensor[] x, Draw first)
        {
            var chunks = RowRunner.Run(Program, x, first, LastFirst);
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

    /// <summary>A product, and on its rows, as they are complete, a pass that reads it. The product is the first result.</summary>
    public sealed record ProductPass(int[] Sources, int[] Results, Alone Product, Pass Then) : Stage(Sources, Results)
    {
        public override Tensor[] Run(Tensor[] x, Draw first)
        {
            var op = ((Step.Product)Product.Node.Step).Op;
            Tensor Of(int place) => x[Array.IndexOf(Sources, place)];
            Tensor[] operands = [Of(Product.Sources[0]), Of(Product.Sources[^1])];
            var y = op.EmptyResult(operands);
            Tensor[] read = [.. Then.Sources.Select(place => place == Results[0] ? y : Of(place))];
            return [y, .. RowRunner.Run(Then.Program, read, first, produce: then => op.Into(y, operands, then))];
        }

        /// <summary>Both in one, if the pass takes the product's rows one by one; null if it does not.</summary>
        public static ProductPass? Of(Alone product, Pass pass)
        {
            int at = Array.IndexOf(pass.Sources, product.Results[0]);
            if (at < 0 || product.Node.Step is not Step.Product { Op.IsRowByRow: true } || !pass.Program.IsByRow(at, product.Node.Shape)) return null;
            int[] sources = [.. product.Sources.Concat(pass.Sources.Where(place => place != product.Results[0])).Distinct()];
            return new(sources, [product.Results[0], .. pass.Results], product, pass);
        }

        public override string ToString() => $"{Product}\n  and on its rows {Then}";
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
