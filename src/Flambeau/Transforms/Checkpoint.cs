using Flambeau.Transforms;

namespace Flambeau;

public static partial class Autograd
{
    /// <summary>
    /// Runs <paramref name="function"/> without keeping its intermediates: the backward pass computes them again, with the random numbers of the first time
    /// (Chen et al. 2016; PyTorch: <c>torch.utils.checkpoint</c>). Gradients have the same bits as without.
    /// </summary>
    /// <param name="function">Computes one tensor from the operands; may use parameters that it closes over.</param>
    /// <param name="x">The operands.</param>
    /// <param name="generators">Generators that the function draws from, besides <see cref="Generator.Default"/>.</param>
    public static Tensor Checkpoint(Func<Tensor[], Tensor> function, Tensor[] x, params Generator[] generators)
    {
        if (!GradMode.Enabled) return function(x);
        return new Recomputation(function, [Generator.Default, .. generators]).Apply(x)[0];
    }

    /// <summary>As the general form, for one operand.</summary>
    public static Tensor Checkpoint(Func<Tensor, Tensor> function, Tensor x, params Generator[] generators) => Checkpoint(xs => function(xs[0]), [x], generators);

    sealed class Recomputation(Func<Tensor[], Tensor> function, Generator[] generators) : Function
    {
        (ulong, ulong)[] _states = [];
        CastMode _casts;
        bool[] _wanted = [];

        // parameters that the function closes over get their gradients from the second run, so the node must exist even if no operand needs one
        public new Tensor[] Apply(params Tensor[] x)
        {
            if (!x.Any(t => t.RequiresGrad)) x = [.. x, new Tensor(Runtime.Storage.Allocate(8), Shape.Scalar, [], 0, DType.Float64) { Meta = new AutogradMeta { RequiresGrad = true } }];
            return base.Apply(x);
        }

        protected internal override Tensor[] Forward(Tensor[] x)
        {
            _states = [.. generators.Select(g => g.State)];
            _casts = Autocast.Mode;
            _wanted = [.. x.Select(t => t.RequiresGrad)];
            Save(x);
            return [function(x).Detach()];
        }

        protected internal override Tensor?[] Backward(Tensor?[] g)
        {
            var later = generators.Select(r => r.State).ToArray();
            for (int i = 0; i < generators.Length; i++) generators[i].State = _states[i];
            try
            {
                var x = new Tensor[_wanted.Length];
                for (int i = 0; i < x.Length; i++)
                {
                    x[i] = Saved(i).Detach();
                    if (_wanted[i]) x[i].RequiresGrad = true;
                }
                Tensor y;
                using (EnableGrad())
                using (Autocast.Enter(_casts)) y = function(x);
                if (y.RequiresGrad) y.Backward(g[0]);
                return [.. x.Select(t => t.Grad)];
            }
            finally
            {
                for (int i = 0; i < generators.Length; i++) generators[i].State = later[i];
            }
        }
    }
}
