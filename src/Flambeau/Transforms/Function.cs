using Flambeau.Ops;
using Flambeau.Transforms;

namespace Flambeau
{
    /// <summary>
    /// An operator with a derivative of the user's own: <see cref="Forward"/> computes, <see cref="Backward"/> pulls gradients back (PyTorch: <c>torch.autograd.Function</c>).
    /// Make one object a call; keep what the backward pass needs with <see cref="Save"/>. A backward written with tensor operators can itself be differentiated.
    /// </summary>
    /// <example><code>
    /// sealed class Cube : Function
    /// {
    ///     protected override Tensor[] Forward(Tensor[] x) { Save(x[0]); return [x[0] * x[0] * x[0]]; }
    ///     protected override Tensor?[] Backward(Tensor?[] g) => [g[0]! * 3 * Saved(0) * Saved(0)];
    /// }
    /// var y = new Cube().Apply(x)[0];
    /// </code></example>
    public abstract class Function
    {
        readonly List<Tensor> _toSave = [];
        internal Saved[]? Kept;
        internal Node? Node;

        /// <summary>The results for the given operands; runs without recording.</summary>
        protected internal abstract Tensor[] Forward(Tensor[] x);

        /// <summary>The gradient of each operand (null for none), from the gradient of each result (null if none arrived).</summary>
        protected internal abstract Tensor?[] Backward(Tensor?[] g);

        /// <summary>The tangent of each result from those of the operands; needed under forward mode only.</summary>
        protected internal virtual Tensor[] Push(Tensor[] x, Tensor?[] tangents) =>
            throw Errors.Make(GetType().Name, "has no forward-mode derivative; override Push");

        /// <summary>Keeps a tensor for the backward pass: counted, and checked against later in-place changes.</summary>
        protected void Save(params ReadOnlySpan<Tensor> tensors) => _toSave.AddRange(tensors.ToArray());

        /// <summary>What <see cref="Save"/> kept, in order.</summary>
        protected Tensor Saved(int index) => (Kept ?? throw Tape.ReleasedError(Node!))[index].Unpack(Node!, $"saved tensor {index}");

        /// <summary>Applies the function.</summary>
        public Tensor[] Apply(params Tensor[] x)
        {
            using var scope = Diagnostics.Recording.Operator(GetType().Name, x);
            Tensor[] y;
            using (Autograd.NoGrad()) y = Forward(x);
            if (y.Length == 0) throw Errors.Make(GetType().Name, "returned no tensor");
            var op = new FunctionOp(this);
            bool wanted = GradMode.Enabled && x.Any(t => t.RequiresGrad);
            // an operand returned as it is becomes a result of its own
            for (int i = 0; i < y.Length; i++) if (wanted && Array.IndexOf(x, y[i]) >= 0) y[i] = y[i].Detach();
            if (wanted)
            {
                Node = new Node(op, x, y);
                Kept = [.. _toSave.Select(t => new Saved(t, Node))];
            }
            _toSave.Clear();
            return y;
        }

        internal void Release()
        {
            foreach (var saved in Kept ?? []) saved.Release();
            Kept = null;
        }
    }
}

namespace Flambeau.Ops
{
    /// <summary>A user's function on the tape.</summary>
    internal sealed class FunctionOp(Function function) : Op
    {
        public override string Name => function.GetType().Name;
        public override bool ShowsGradients => true;
        public override Tensor Run(ReadOnlySpan<Tensor> x) => function.Forward(x.ToArray())[0];
        public override void Released() => function.Release();

        public override void Pullback(Node node, Tensor?[] g)
        {
            var given = function.Backward(g);
            if (given.Length != node.Inputs.Length) throw Errors.Make(Name, $"Backward returned {given.Length} gradients for {node.Inputs.Length} operands");
            for (int i = 0; i < given.Length; i++)
            {
                if (given[i] is not { } gradient) continue;
                if (!gradient.Shape.Equals(node.InputShapes[i])) throw Errors.Make(Name, $"Backward gave operand {i} a gradient of shape {gradient.Shape}, expected {node.InputShapes[i]}", ("grad", gradient));
                // a handle of its own: the tape disposes of what it was given, and the user may keep the gradient
                if (node.Needs(i)) node.Give(i, Own(gradient.To(node.InputTypes[i])));
            }
        }

        static Tensor Own(Tensor g) => GradMode.Enabled || g.Level is not null ? g : g.Alias();

        public override void Pullback(Node node, Tensor g) => Pullback(node, [g]);
        public override Tensor Push(ReadOnlySpan<Tensor> x, ReadOnlySpan<Tensor?> t, Tensor y) => function.Push(x.ToArray(), t.ToArray())[0];
        public override Tensor Batch(ReadOnlySpan<Tensor> x, ReadOnlySpan<bool> batched, long size) => throw Errors.Make(Name, "a Function is not batched; its body runs under Vmap by itself");
    }
}
