using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Tests.Transforms;

/// <summary>A backward pass reuses the memory of gradients that it consumed. What user code has seen or asked for is never among it.</summary>
public class ConsumedMemoryTests
{
    static Tensor Leaf(ulong seed) => Tensor.RandN([24, 24], generator: new Generator(seed)).RequiresGrad_();

    // passes over the same sizes, which would take any memory that was given back
    static void Overwrite()
    {
        for (ulong i = 0; i < 4; i++)
        {
            var x = Leaf(100 + i);
            ((x * x).Tanh().MatMul(x).Softmax(-1) + x).Exp().Sum().Backward();
        }
    }

    static void Stays(Tensor seen)
    {
        var before = seen.ToArray<float>();
        Overwrite();
        Assert.Equal(before, seen.ToArray<float>());
    }

    sealed class Weight(Tensor w) : Module
    {
        public Tensor W { get; } = w;
    }

    [Fact]
    public void A_gradient_that_was_asked_for_stays_when_it_is_forgotten()
    {
        var x = Leaf(10);
        var sgd = new SGD([x], learningRate: 0.01);
        Tensor? first = null;
        for (int i = 0; i < 3; i++)
        {
            (x * x).Exp().Sum().Backward();
            if (i == 1) first = x.Grad;
            sgd.Step();
            sgd.ZeroGrad();
            Assert.Null(x.Grad);
        }
        Stays(first!);
    }

    [Fact]
    public void A_view_of_a_gradient_stays_when_it_is_forgotten()
    {
        var x = Leaf(11);
        (x * x).Exp().Sum().Backward();
        var row = x.Grad![2];
        new Weight(x).ZeroGrad();
        Stays(row);
    }

    [Fact]
    public void A_gradient_that_an_action_saw_stays_when_it_is_forgotten()
    {
        var x = Leaf(12);
        Tensor? seen = null;
        x.RegisterPostAccumulateGradHook(g => seen = g);
        (x * x).Exp().Sum().Backward();
        new SGD([x], learningRate: 0.01).ZeroGrad();
        Stays(seen!);
    }

    [Fact]
    public void Another_threads_step_keeps_its_gradients()
    {
        var x = Leaf(13);
        (x * x).Exp().Sum().Backward();
        Tensor? seen = null;
        var thread = new Thread(() => { seen = x.Meta!.PassingGrad; });
        thread.Start();
        thread.Join();
        new SGD([x], learningRate: 0.01).ZeroGrad();
        Stays(seen!);
    }

    [Fact]
    public void The_memory_of_a_gradient_that_nobody_asked_for_is_given_back()
    {
        var x = Leaf(14);
        (x * x).Exp().Sum().Backward();
        var memory = x.Meta!.PassingGrad!.Store!;
        var sgd = new SGD([x], learningRate: 0.01);
        sgd.Step();
        Assert.False(memory.IsReleased);
        sgd.ZeroGrad();
        Assert.True(memory.IsReleased);
    }

    [Fact]
    public void What_a_hook_of_a_result_keeps_stays()
    {
        Tensor x = Leaf(1), y = x.Tanh();
        Tensor? seen = null;
        y.RegisterHook(g => { seen = g; return null; });
        (y * y).Exp().Sum().Backward();
        Stays(seen!);
        Stays(x.Grad!);
    }

    [Fact]
    public void What_a_hook_of_a_leaf_keeps_stays()
    {
        var x = Leaf(2);
        var seen = new List<Tensor>();
        x.RegisterHook(g => { seen.Add(g); return null; });
        for (int i = 0; i < 3; i++) (x * x).Exp().Sum().Backward(); // the first becomes .Grad, the others are added to it
        Stays(seen[1]);
        Stays(seen[2]);
        var expanded = Leaf(3);
        expanded.RegisterHook(g => { seen.Add(g); return null; });
        expanded.Exp().Tanh().Backward(Tensor.Ones(24, 24)); // .Grad may be a copy
        Stays(seen[^1]);
    }

    [Fact]
    public void A_retained_gradient_stays()
    {
        Tensor x = Leaf(4), y = x.Exp(), z = y + x;
        y.RetainGrad();
        z.RetainGrad();
        z.Tanh().Sum().Backward();
        Stays(y.Grad!);
        Stays(z.Grad!);
        Stays(x.Grad!);
    }

    [Fact]
    public void Gradients_that_were_asked_for_stay()
    {
        Tensor x = Leaf(5), y = x.Exp(), z = y.Tanh() + y;
        var asked = Autograd.Grad([z.Sum()], [x, y, z]);
        foreach (var g in asked) Stays(g!);
    }

    [Fact]
    public void A_gradient_given_by_the_caller_stays()
    {
        Tensor x = Leaf(6), given = Tensor.RandN([24, 24], generator: new Generator(7));
        x.Exp().Backward(given);
        Stays(given);
        (x + x).Backward(given);
        Stays(given);
        x.T.T.Reshape(24, 24).Unsqueeze(0).Backward(given.Unsqueeze(0));
        x.T.Exp().T.Backward(given);
        Stays(given);
    }

    sealed class Keeping : Function
    {
        public readonly List<Tensor> Seen = [];
        protected internal override Tensor[] Forward(Tensor[] x) { Save(x[0]); return [x[0].Exp()]; }
        protected internal override Tensor?[] Backward(Tensor?[] g)
        {
            Seen.Add(g[0]!);
            Seen.Add(Saved(0));
            Seen.Add(g[0]! * Saved(0).Exp());
            return [Seen[^1]];
        }
    }

    [Fact]
    public void What_a_function_keeps_of_its_backward_stays()
    {
        Tensor x = Leaf(8);
        var function = new Keeping();
        function.Apply(x.Tanh())[0].Tanh().Sum().Backward();
        foreach (var seen in function.Seen) Stays(seen);
    }

    [Fact]
    public void Operands_and_results_of_a_consumed_graph_stay()
    {
        Tensor x = Leaf(9), y = x.Tanh(), z = y.Softmax(-1), w = z.MatMul(y), loss = (w * z).Sum();
        loss.Backward();
        foreach (var kept in new[] { x, y, z, w, loss }) Stays(kept.Detach());
    }

    [Fact]
    public void A_gradient_that_is_a_view_is_the_users_to_write_to()
    {
        Tensor x = Leaf(11), w = Leaf(12);
        x.T.MatMul(w.Reshape(12, 48).Reshape(24, 24)).Exp().Sum().Backward();
        float[] before = x.Grad!.ToArray<float>(), other = w.Grad!.ToArray<float>();
        x.Grad.Mul_(Leaf(13)); // recorded: it would be refused on a view made by the backward pass
        Assert.NotEqual(before, x.Grad.ToArray<float>());
        Assert.Equal(other, w.Grad.ToArray<float>());
        Stays(w.Grad);
    }

    [Fact]
    public void A_graph_kept_for_a_second_pass_gives_the_same_gradient()
    {
        Tensor x = Leaf(10), loss = (x.Tanh().MatMul(x).Softmax(-1) * x).Sum();
        loss.Backward(retainGraph: true);
        var first = x.Grad!.ToArray<float>();
        Overwrite();
        x.Grad = null;
        loss.Backward();
        Assert.Equal(first, x.Grad!.ToArray<float>());
    }
}
