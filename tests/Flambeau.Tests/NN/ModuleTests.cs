using Flambeau.NN;

namespace Flambeau.Tests.NN;

public class ModuleTests
{
    sealed class Block : Module<Tensor, Tensor>
    {
        public Linear QProj { get; } = new(3, 3);
        readonly Linear _outProj = new(3, 3, bias: false);
        [Name("c_fc")] public Linear FeedForward { get; } = new(3, 3);
        [Buffer] readonly Tensor _runningMean = Tensor.Zeros(3);
        [Buffer(Persistent = false)] public Tensor Angles { get; set; } = Tensor.Ones(2);
        [Unregistered] public Module? Parent { get; set; }
        public Tensor Gain { get; } = Parameter(Tensor.Ones(3));
        public Tensor? Nothing { get; set; }
        public Tensor Scratch { get; set; } = Tensor.Ones(5);

        protected override Tensor Forward(Tensor x) => FeedForward.Call(_outProj.Call(QProj.Call(x * Gain))) + _runningMean;
    }

    sealed class Net : Module<Tensor, Tensor>
    {
        public Embedding EmbedTokens { get; } = new(7, 3);
        public ModuleList<Block> Layers { get; } = [new(), new()];
        readonly Dropout[] _drops = [new(0.5), new(0.25)];
        public Linear LmHead { get; } = new(3, 7, bias: false);

        public Net() => LmHead.Weight = EmbedTokens.Weight;

        protected override Tensor Forward(Tensor x)
        {
            var h = EmbedTokens.Call(x);
            foreach (var layer in Layers) h = layer.Call(h);
            return LmHead.Call(_drops[0].Call(h));
        }
    }

    static Tensor Ids => Tensor.FromArray(new long[] { 1, 2, 3 });

    [Fact]
    public void Names_are_PyTorchs_in_the_order_of_declaration() => Assert.Equal(
    [
        "embed_tokens.weight", "layers.0.running_mean", "layers.0.gain", "layers.0.q_proj.weight", "layers.0.q_proj.bias", "layers.0.out_proj.weight", "layers.0.c_fc.weight", "layers.0.c_fc.bias",
        "layers.1.running_mean", "layers.1.gain", "layers.1.q_proj.weight", "layers.1.q_proj.bias", "layers.1.out_proj.weight", "layers.1.c_fc.weight", "layers.1.c_fc.bias", "lm_head.weight",
    ], new Net().StateDict().Keys);

    [Theory]
    [InlineData("QProj", "q_proj")]
    [InlineData("_qProj", "q_proj")]
    [InlineData("MLPBlock", "mlp_block")]
    [InlineData("Conv2d", "conv2d")]
    [InlineData("W1", "w1")]
    [InlineData("InProjWeight", "in_proj_weight")]
    [InlineData("already_snake", "already_snake")]
    public void A_members_name_becomes_snake_case(string name, string expected) => Assert.Equal(expected, Members.SnakeCase(name));

    [Fact]
    public void A_tied_parameter_is_once_among_the_parameters_and_twice_in_the_state()
    {
        var net = new Net();
        Assert.Single(net.Parameters(), p => ReferenceEquals(p, net.EmbedTokens.Weight));
        Assert.Contains("lm_head.weight", net.StateDict().Keys);
        Assert.DoesNotContain("lm_head.weight", net.NamedParameters().Select(p => p.Name));
    }

    [Fact]
    public void What_is_enumerated_can_be_enumerated_again()
    {
        var net = new Net();
        var (parameters, modules) = (net.Parameters(), net.Modules());
        Assert.Equal(parameters.ToList(), parameters.ToList());
        Assert.Equal(modules.ToList(), modules.ToList());
        _ = modules.First();
        Assert.NotEmpty(parameters);
        Assert.Empty(new Sequential());
    }

    [Fact]
    public void Buffers_are_declared_and_other_tensors_are_not_state()
    {
        var block = new Block { Parent = new Net() };
        Assert.Equal(["running_mean", "angles"], block.NamedBuffers().Select(b => b.Name));
        Assert.DoesNotContain(block.StateDict().Keys, k => k is "angles" or "scratch" or "nothing" || k.StartsWith("parent", StringComparison.Ordinal));
    }

    [Fact]
    public void A_frozen_parameter_stays_a_parameter()
    {
        var net = new Net().RequiresGrad_(false);
        Assert.Equal(new Net().Parameters().Count(), net.Parameters().Count());
        Assert.All(net.Parameters(), p => Assert.False(p.RequiresGrad));
    }

    sealed class Plain : Module
    {
        public Tensor Weight = Tensor.Ones(2).RequiresGrad_();
    }

    [Fact]
    public void A_leaf_that_requires_a_gradient_is_a_parameter_also_after_freezing()
    {
        var plain = new Plain();
        Assert.Single(plain.Parameters());
        plain.RequiresGrad_(false);
        Assert.Single(plain.Parameters());
    }

    class Base : Module
    {
        public Linear First { get; } = new(1, 1);
    }

    sealed class Derived(Linear captured) : Base
    {
        public Linear Second { get; } = new(1, 1);
        public Linear Captured() => captured;
    }

    [Fact]
    public void The_bases_members_come_first_and_captured_constructor_parameters_count()
    {
        string[] names = [.. new Derived(new(1, 1)).NamedChildren().Select(c => c.Name)];
        Assert.Equal("first", names[0]);
        Assert.Equal(["captured", "second"], names[1..].Order());
    }

    sealed class Clash : Module
    {
        public Linear Head { get; } = new(1, 1);
        readonly Linear _head = new(1, 1);
        public Linear Other => _head;
    }

    [Fact]
    public void Two_members_of_one_name_are_refused() => Assert.Contains("\"head\"", Assert.Throws<FlambeauException>(() => new Clash().StateDict()).Message, StringComparison.Ordinal);

    sealed class Loop : Module
    {
        public Module? Self { get; set; }
    }

    [Fact]
    public void A_module_that_contains_itself_is_refused()
    {
        var loop = new Loop();
        loop.Self = new Sequential(("inner", new Identity()));
        Assert.Equal(3, loop.Modules().Count());
        loop.Self = loop;
        Assert.Contains("[Unregistered]", Assert.Throws<FlambeauException>(() => loop.Modules().Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_and_Eval_reach_every_module_and_keep_the_type()
    {
        Net net = new Net().Eval();
        Assert.All(net.Modules(), m => Assert.False(m.Training));
        Assert.All(net.Train().Modules(), m => Assert.True(m.Training));
    }

    [Fact]
    public void Loading_a_state_copies_it_and_keeps_the_parameters()
    {
        Net from = new(), to = new();
        var before = to.Parameters().ToList();
        to.LoadStateDict(from.StateDict());
        Assert.All(to.Parameters().Zip(before), p => Assert.Same(p.Second, p.First));
        foreach (var (name, value) in from.StateDict()) Assert.Equal(value.ToArray<float>(), to.StateDict()[name].ToArray<float>());
        from.EmbedTokens.Weight.Detach().Zero_();
        Assert.NotEqual(0, to.EmbedTokens.Weight.Detach().Norm().Item());
    }

    [Fact]
    public void Loading_lists_everything_that_does_not_fit_and_changes_nothing()
    {
        var net = new Net();
        var before = net.LmHead.Weight.ToArray<float>();
        var state = new Net().StateDict();
        state.Remove("layers.0.gain");
        state.Remove("layers.1.gain");
        state["layers.0.q_proj.weight"] = Tensor.Zeros(4, 3);
        state["layers.0.q_proj.bias"] = Tensor.Zeros([3], DType.BFloat16);
        state["extra"] = Tensor.Zeros(1);
        state["other"] = Tensor.Zeros(1);
        string message = Assert.Throws<FlambeauException>(() => net.LoadStateDict(state)).Message;
        foreach (string part in new[] { "missing     layers.0.gain float32[3]", "missing     layers.1.gain", "unexpected  extra", "unexpected  other", "shape       layers.0.q_proj.weight is float32[3, 3], the state has float32[4, 3]", "dtype       layers.0.q_proj.bias", "nothing was changed" })
            Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Equal(before, net.LmHead.Weight.ToArray<float>());
    }

    [Fact]
    public void Not_strict_returns_what_differs_and_cast_converts()
    {
        var block = new Block();
        var state = new Dictionary<string, Tensor> { ["gain"] = Tensor.FromArray(new double[] { 1, 2, 3 }), ["extra"] = Tensor.Zeros(1) };
        var difference = block.LoadStateDict(state, strict: false, cast: true);
        Assert.Equal(["extra"], difference.Unexpected);
        Assert.Equal(6, difference.Missing.Count);
        Assert.Equal(new float[] { 1, 2, 3 }, block.Gain.ToArray<float>());
    }

    [Fact]
    public void A_tied_tensor_may_be_in_the_state_under_one_of_its_names()
    {
        var state = new Net().StateDict();
        state.Remove("lm_head.weight");
        Assert.Empty(new Net().LoadStateDict(state).Missing);
    }

    [Fact]
    public void Assigning_a_state_uses_its_memory_and_keeps_ties_and_roles()
    {
        Net from = new(), to = new Net().RequiresGrad_(false);
        to.LoadStateDict(from.StateDict(), assign: true);
        from.Layers[0].Gain.Detach().Fill_(5);
        Assert.Equal(5, to.Layers[0].Gain.Detach().ToArray<float>()[0]);
        Assert.Same(to.EmbedTokens.Weight, to.LmHead.Weight);
        Assert.All(to.Parameters(), p => Assert.False(p.RequiresGrad));
        Assert.Equal(from.Parameters().Count(), to.Parameters().Count());
    }

    [Fact]
    public void To_converts_floating_point_state_and_keeps_ties()
    {
        var net = new Net().To(DType.BFloat16);
        Assert.All(net.StateDict().Values, v => Assert.Equal(DType.BFloat16, v.DType));
        Assert.All(net.Parameters(), p => Assert.True(p.RequiresGrad && p.IsLeaf));
        Assert.Same(net.EmbedTokens.Weight, net.LmHead.Weight);
        Assert.Equal(DType.BFloat16, net.Layers[0].Angles.DType);
    }

    [Fact]
    public void Gradients_reach_every_parameter_and_ZeroGrad_forgets_them()
    {
        var net = new Net().Eval();
        net.Call(Ids).Sum().Backward();
        Assert.All(net.Parameters(), p => Assert.NotNull(p.Grad));
        net.ZeroGrad();
        Assert.All(net.Parameters(), p => Assert.Null(p.Grad));
    }

    [Fact]
    public void Hooks_run_around_Forward_in_their_order_until_removed()
    {
        var layer = new Identity();
        using (layer.RegisterForwardPreHook(x => x + 1))
        using (layer.RegisterForwardHook((x, y) => y * 10))
        using (layer.RegisterForwardHook((x, y) => y + x))
            Assert.Equal(22, layer.Call(Tensor.Of(1)).Item());
        Assert.Equal(1, layer.Call(Tensor.Of(1)).Item());
    }

    [Fact]
    public void A_wrong_width_names_the_modules_path_the_shapes_and_the_line()
    {
        var net = new Net();
        net.Layers[1] = new Block();
        using var _ = net.Layers[1].FeedForward.RegisterForwardPreHook(x => x.Narrow(-1, 0, 2));
        string message = Assert.Throws<FlambeauException>(() => net.Eval().Call(Ids)).Message;
        Assert.Contains("Linear", message, StringComparison.Ordinal);
        Assert.Contains("at ModuleTests.cs:", message, StringComparison.Ordinal);
        Assert.Contains("in layers.1.c_fc (Linear)", message, StringComparison.Ordinal);
        Assert.Contains("[3, 2]", message, StringComparison.Ordinal);
        Assert.Contains("[3, 3]", message, StringComparison.Ordinal);
        Assert.Single(message.Split('\n'), l => l.StartsWith("  in ", StringComparison.Ordinal));
    }

    [Fact]
    public void The_tree_prints_as_PyTorchs()
    {
        var net = new Sequential(("embed", new Embedding(10, 4, paddingIndex: 0)), ("mlp", new Sequential(new Linear(4, 8), new ReLU(), new Dropout(0.1))), ("norm", new LayerNorm(8)));
        Assert.Equal("""
            Sequential(
              (embed): Embedding(10, 4, padding_idx=0)
              (mlp): Sequential(
                (0): Linear(in_features=4, out_features=8, bias=True)
                (1): ReLU()
                (2): Dropout(p=0.1)
              )
              (norm): LayerNorm((8,), eps=1e-05, elementwise_affine=True)
            )
            """.ReplaceLineEndings("\n"), net.ToString());
        Assert.Equal("ModuleList(\n  (0-2): 3 x Linear(in_features=1, out_features=1, bias=False)\n  (3): Identity()\n)",
            new ModuleList<Module>(new Linear(1, 1, false), new Linear(1, 1, false), new Linear(1, 1, false), new Identity()).ToString());
    }
}
