using Flambeau.NN;

namespace Flambeau.Tests.NN;

/// <summary>What lies between two modules of a Sequential is given back while it runs: never noticed, except in memory.</summary>
public class SequentialTests
{
    static Module<Tensor, Tensor>[] Layers(int width, Generator generator)
    {
        Module<Tensor, Tensor>[] layers =
        [
            new Identity(), new Linear(width, 2 * width, generator: generator), new ReLU(), new Dropout(0.3), new Linear(2 * width, width, bias: false, generator: generator), new GELU(),
            new LayerNorm(width), new Sequential(new Linear(width, width, generator: generator), new Tanh(), new Identity()), new Flatten(), new Sigmoid(), new RMSNorm(width), new LeakyReLU(),
            new Linear(width, 3, generator: generator), new LogSoftmax(-1),
        ];
        foreach (var layer in layers) layer.Eval();
        return layers;
    }

    static Tensor ByHand(Module<Tensor, Tensor>[] layers, Tensor x)
    {
        foreach (var layer in layers) x = layer is Sequential inner ? ByHand([.. inner], x) : layer.Call(x);
        return x;
    }

    static Tensor[] Parameters(Module<Tensor, Tensor>[] layers) => [.. layers.SelectMany(l => l.Parameters())];

    // below what is recycled, managed, pooled
    [Theory]
    [InlineData(3, 5)]
    [InlineData(40, 32)]
    [InlineData(700, 64)]
    public void Values_and_gradients_have_the_bits_of_the_layers_called_by_hand(int batch, int width)
    {
        var generator = new Generator((ulong)batch);
        var layers = Layers(width, generator);
        var sequential = new Sequential(layers);
        var parameters = Parameters(layers);
        for (int round = 0; round < 4; round++)
        {
            var x = Tensor.RandN([batch, width], generator: generator).RequiresGrad_();
            var expected = ByHand(layers, x);
            var gradients = Autograd.Grad([(expected * expected).Sum()], [x, .. parameters]);
            var got = sequential.Call(x);
            var gotGradients = Autograd.Grad([(got * got).Sum()], [x, .. parameters]);
            Assert.Equal(expected.ToArray<float>(), got.ToArray<float>());
            for (int i = 0; i < gradients.Length; i++) Assert.Equal(gradients[i]!.ToArray<float>(), gotGradients[i]!.ToArray<float>());
            using (Autograd.NoGrad()) Assert.Equal(expected.ToArray<float>(), sequential.Call(x).ToArray<float>());
        }
    }

    [Fact]
    public void A_retained_graph_and_second_derivatives_find_what_they_need()
    {
        var generator = new Generator(5);
        var layers = Layers(32, generator);
        var sequential = new Sequential(layers);
        var x = Tensor.RandN([40, 32], generator: generator).RequiresGrad_();
        Tensor Second(Tensor y)
        {
            var first = Autograd.Grad(y.Square().Sum(), x, createGraph: true);
            return Autograd.Grad(first.Square().Sum(), x);
        }
        var expected = Second(ByHand(layers, x)).ToArray<float>();
        Assert.Equal(expected, Second(sequential.Call(x)).ToArray<float>());

        var loss = sequential.Call(x).Square().Sum();
        var once = Autograd.Grad(loss, x, retainGraph: true).ToArray<float>();
        sequential.Call(x).Square().Sum().Backward(); // its results would lie where the first graph's do, had they been given back
        Assert.Equal(once, Autograd.Grad(loss, x).ToArray<float>());
    }

    sealed class Keeper : Module<Tensor, Tensor>
    {
        public readonly List<(Tensor Kept, float[] Values)> Seen = [];
        public void See(Tensor x) => Seen.Add((x, x.ToArray<float>()));

        protected override Tensor Forward(Tensor x)
        {
            See(x);
            var y = x * 2;
            See(y);
            return y;
        }
    }

    [Fact]
    public void What_a_module_of_the_users_or_a_hook_keeps_stays()
    {
        var generator = new Generator(6);
        Keeper keeper = new(), hooked = new();
        Linear first = new(32, 32, generator: generator), last = new(32, 32, generator: generator);
        ReLU relu = new();
        var sequential = new Sequential(new Sequential(first, keeper), relu, new Tanh(), last, new Sigmoid());
        relu.RegisterForwardPreHook(x => { hooked.See(x); return x; });
        last.RegisterForwardHook((x, y) => { hooked.See(x); hooked.See(y); return y; });
        for (int step = 0; step < 5; step++) sequential.Call(Tensor.RandN([40, 32], generator: generator)).Sum().Backward();
        foreach (var (kept, values) in keeper.Seen.Concat(hooked.Seen)) Assert.Equal(values, kept.ToArray<float>());
    }

    [Fact]
    public void A_step_asks_the_collector_for_far_less_than_its_intermediate_results()
    {
        var generator = new Generator(7);
        var sequential = new Sequential(new Linear(64, 128, generator: generator), new ReLU(), new Linear(128, 64, generator: generator), new ReLU(), new Linear(64, 10, generator: generator));
        var x = Tensor.RandN([64, 64], generator: generator);
        void Step()
        {
            sequential.ZeroGrad();
            sequential.Call(x).Sum().Backward();
        }
        for (int i = 0; i < 5; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) Step();
        long bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 20;
        Assert.True(bytes < 96_000 / 4, $"{bytes} bytes a step; the results between the layers have 96 KB");
    }
}
