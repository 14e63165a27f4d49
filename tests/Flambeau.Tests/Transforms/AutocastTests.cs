using Flambeau.Diagnostics;
using Flambeau.Models.Language;
using Flambeau.NN;
using Flambeau.Ops;
using Flambeau.Optim;
using Flambeau.Tests.Diagnostics;
using Flambeau.Tests.Table;

namespace Flambeau.Tests.Transforms;

/// <summary>A scope of mixed precision is the casts that somebody would write by hand, and nothing else.</summary>
[Collection(nameof(ProfileTests))] // only one profile may be open, and it records all threads
public class AutocastTests
{
    static Tensor Normal(params long[] shape) => Tensor.RandN(shape, generator: new Generator((ulong)(shape.Sum() + 5)));

    // ---- the table ----

    static Tensor[] InTypes(Tensor[] x, params DType[] types) => [.. x.Select((t, i) => t.DType.IsFloatingPoint ? t.To(types[i % types.Length]) : t)];

    static Tensor Within(DType type, Func<Tensor> run)
    {
        using var _ = Autocast.To(type);
        return run();
    }

    public static TheoryData<string, int> Policies(CastPolicy policy)
    {
        var data = new TheoryData<string, int>();
        foreach (var row in OperatorTable.All.Where(r => r.Autocast == policy))
            for (int i = 0; i < row.Samples.Count; i++) data.Add(row.Name, i);
        return data;
    }

    [Theory]
    [MemberData(nameof(Policies), CastPolicy.Lower)]
    public void Products_have_the_bits_of_operands_cast_by_hand(string row, int sample)
    {
        foreach (var type in (DType[])[DType.BFloat16, DType.Float16])
            foreach (var given in (DType[][])[[DType.Float32], [type, DType.Float32], [DType.Float32, type], [type]])
            {
                var s = Rows.Find(row, sample);
                var x = InTypes(s.Operands(Rows.Draws(row)), given);
                Bits.Equal(s.Call(InTypes(x, type)), Within(type, () => s.Call(x)), $"{row} {s.Text} {type}");
            }
    }

    [Theory]
    [MemberData(nameof(Policies), CastPolicy.Float32)]
    public void Losses_have_the_bits_of_operands_cast_to_float32(string row, int sample)
    {
        foreach (var given in (DType[][])[[DType.BFloat16], [DType.BFloat16, DType.Float32], [DType.Float16, DType.BFloat16], [DType.Float32]])
        {
            var s = Rows.Find(row, sample);
            var x = InTypes(s.Operands(Rows.Draws(row)), given);
            Bits.Equal(s.Call(InTypes(x, DType.Float32)), Within(DType.BFloat16, () => s.Call(x)), $"{row} {s.Text}");
        }
    }

    [Theory]
    [MemberData(nameof(Policies), CastPolicy.Widest)]
    public void What_joins_tensors_takes_the_widest_type(string row, int sample)
    {
        var s = Rows.Find(row, sample);
        var x = s.Operands(Rows.Draws(row));
        Assert.Equal(DType.Float32, Within(DType.BFloat16, () => s.Call(InTypes(x, DType.BFloat16, DType.Float32, DType.Float32))).DType);
        Assert.Equal(DType.Float32, Within(DType.BFloat16, () => s.Call(InTypes(x, DType.Float32, DType.Float32, DType.BFloat16))).DType);
        Assert.Equal(DType.BFloat16, Within(DType.BFloat16, () => s.Call(InTypes(x, DType.BFloat16))).DType);
    }

    [Theory]
    [MemberData(nameof(Policies), CastPolicy.AsIs)]
    public void Everything_else_runs_as_it_does_outside(string row, int sample)
    {
        var s = Rows.Find(row, sample);
        if (row == nameof(LinearCrossEntropy)) return; // a product and a loss
        foreach (var type in (DType[])[DType.Float32, DType.BFloat16])
        {
            Tensor[] Make() => InTypes(s.Operands(Rows.Draws(row)), type);
            Bits.Equal(s.Call(Make()), Within(DType.BFloat16, () => s.Call(Make())), $"{row} {s.Text} {type}");
        }
    }

    [Fact]
    public void The_lists_are_PyTorchs_for_the_CPU_as_far_as_operators_exist()
    {
        static string Names(CastPolicy policy) => string.Join(' ', OperatorTable.All.Where(r => r.Autocast == policy && r.Type.Assembly == typeof(Tensor).Assembly).Select(r => r.TorchName));
        // the last one is on none of its lists, since it has no kernel for the CPU; it is cast as the one before it
        Assert.Equal("einsum linear matmul scaled_dot_product_attention varlen_attn", Names(CastPolicy.Lower));
        Assert.Equal("binary_cross_entropy_with_logits cross_entropy kl_div l1_loss mse_loss nll_loss prod smooth_l1_loss", Names(CastPolicy.Float32));
        Assert.Equal("cat index_copy stack", Names(CastPolicy.Widest));
    }

    [Fact]
    public void Float64_and_whole_numbers_stay_what_they_are()
    {
        using var _ = Autocast.To(DType.BFloat16);
        Assert.Equal(DType.Float64, Normal(3, 4).Double().MatMul(Normal(4, 2).Double()).DType);
        Assert.Equal(DType.Int64, Tensor.Arange(6).Reshape(2, 3).MatMul(Tensor.Arange(3)).DType);
        Assert.Equal(DType.Float64, Normal(3).Double().MseLoss(Normal(3).Double()).DType);
    }

    readonly struct LowerTwice : IUnary
    {
        public static CastPolicy Autocast => CastPolicy.Lower;
        public static S Body<S>(S x) where S : Flambeau.Scalars.IReal<S> => x + x;
    }

    [Fact]
    public void An_operator_of_the_users_states_its_policy_itself()
    {
        var x = Normal(5);
        Assert.Equal(DType.BFloat16, Within(DType.BFloat16, () => Elementwise.Apply<LowerTwice>(x)).DType);
        Assert.Equal(DType.Float32, Elementwise.Apply<LowerTwice>(x).DType);
    }

    // ---- gradients ----

    [Fact]
    public void Gradients_arrive_in_float32_with_the_bits_of_casts_by_hand_whether_pulled_inside_or_behind_the_scope()
    {
        Tensor[] Leaves() => [.. new[] { Normal(6, 8), Normal(5, 8), Normal(5), Normal(4, 5) }.Select(t => t.RequiresGrad_())];
        var target = Tensor.RandInt(0, 4, [6], generator: new Generator(1));
        Tensor[] a = Leaves(), b = Leaves(), c = Leaves();
        Tensor Loss(Tensor[] t) => t[0].Linear(t[1], t[2]).Gelu().Linear(t[3]).CrossEntropy(target);
        Tensor behind;
        using (Autocast.To(DType.BFloat16)) behind = Loss(a);
        Assert.Equal(DType.Float32, behind.DType);
        behind.Backward();
        using (Autocast.To(DType.BFloat16)) Loss(b).Backward();
        Tensor Narrow(Tensor t) => t.To(DType.BFloat16);
        var hand = Narrow(c[0]).Linear(Narrow(c[1]), Narrow(c[2])).Gelu().Linear(Narrow(c[3])).Float().CrossEntropy(target);
        Bits.Equal(hand.Detach(), behind.Detach(), "loss");
        hand.Backward();
        for (int i = 0; i < a.Length; i++)
        {
            Assert.Equal(DType.Float32, a[i].Grad!.DType);
            Bits.Equal(c[i].Grad!, a[i].Grad!, $"gradient {i}, behind the scope");
            Bits.Equal(c[i].Grad!, b[i].Grad!, $"gradient {i}, inside the scope");
        }
    }

    [Fact]
    public void Checkpointing_and_composites_repeat_their_forward_pass_with_its_casts()
    {
        Tensor[] Leaves() => [Normal(6, 8).RequiresGrad_(), Normal(8, 8).RequiresGrad_()];
        // no graph holds a product: the composite is differentiated by running it again where gradients are to be differentiated
        Tensor Block(Tensor[] t) => Composite.Apply("Block", static u => (u[0].MatMul(u[1]).Tanh() + u[0]).Float().MseLoss(u[0] * 2, LossReduction.None), 0, t);
        Tensor[] plain = Leaves(), checkpointed = Leaves(), again = Leaves();
        Tensor one, two, three;
        using (Autocast.To(DType.BFloat16))
        {
            one = Block(plain).Sum();
            two = Autograd.Checkpoint(Block, checkpointed).Sum();
            three = Block(again).Sum();
        }
        one.Backward();
        two.Backward();
        var gradients = Autograd.Grad([three], again, createGraph: true);
        for (int i = 0; i < plain.Length; i++)
        {
            Bits.Equal(plain[i].Grad!, checkpointed[i].Grad!, $"checkpointed {i}");
            Bits.Equal(plain[i].Grad!, gradients[i]!.Detach(), $"with a graph {i}");
        }
        Assert.NotEqual(Block(plain).Sum().Item(), one.Item()); // the casts matter
    }

    [Fact]
    public void A_composite_that_was_compiled_outside_is_another_one_inside()
    {
        static Tensor Distance(Tensor x, Tensor y) => Composite.Apply("Distance", static t => t[0].MseLoss(t[1], LossReduction.None) + 1, 0, x, y);
        Tensor x = Normal(4, 9).To(DType.BFloat16).RequiresGrad_(), y = Normal(9).To(DType.BFloat16).Expand(4, 9);
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal(DType.BFloat16, Distance(x, y).DType);
            Assert.Equal(DType.Float32, Within(DType.Float16, () => Distance(x, y)).DType);
        }
        var expected = x.Detach().Float().RequiresGrad_();
        Distance(expected, y.Float()).Sum().Backward();
        Within(DType.BFloat16, () => Distance(x, y).Sum()).Backward();
        Bits.Equal(expected.Grad!.To(DType.BFloat16), x.Grad!, "gradient");
    }

    [Fact]
    public void Transforms_see_the_casts()
    {
        Tensor x = Normal(5, 3, 4), w = Normal(4, 2).RequiresGrad_();
        var expected = x.To(DType.BFloat16).MatMul(w.To(DType.BFloat16));
        using var _ = Autocast.To(DType.BFloat16);
        Bits.Equal(expected.Detach(), Autograd.Vmap(t => t.MatMul(w))(x).Detach(), "Vmap");
        var (value, tangent) = Autograd.Jvp(t => t.MatMul(w).Float(), x, Tensor.OnesLike(x));
        Bits.Equal(expected.Float().Detach(), value.Detach(), "Jvp");
        Bits.Equal(Tensor.OnesLike(x).To(DType.BFloat16).MatMul(w.To(DType.BFloat16)).Float().Detach(), tangent.Detach(), "tangent");
    }

    // ---- scopes ----

    [Fact]
    public void Scopes_nest_and_end_with_their_block_on_their_own_thread()
    {
        Tensor x = Normal(2, 3), y = Normal(3, 2);
        DType Type() => x.MatMul(y).DType;
        Assert.False(Autocast.IsEnabled);
        using (Autocast.To(DType.BFloat16))
        {
            Assert.Equal((DType.BFloat16, DType.BFloat16), (Type(), Autocast.Type!.Value));
            using (Autocast.Off()) Assert.Equal((DType.Float32, false), (Type(), Autocast.IsEnabled));
            using (Autocast.To(DType.Float16)) Assert.Equal(DType.Float16, Type());
            using (Autocast.To(DType.Float16, enabled: false)) Assert.Equal(DType.Float32, Type());
            Assert.Equal(DType.BFloat16, Type());
            var other = DType.Bool;
            var thread = new Thread(() => other = Type());
            thread.Start();
            thread.Join();
            Assert.Equal(DType.Float32, other);
            Assert.Throws<FlambeauException>(() => x.MatMul(x));
            Assert.Throws<FlambeauException>(() => x.MseLoss(y));
            Assert.Equal(DType.BFloat16, Type());
        }
        Assert.Equal((DType.Float32, (DType?)null), (Type(), Autocast.Type));
        Assert.Contains("float32", Assert.Throws<FlambeauException>(() => Autocast.To(DType.Float32)).Message, StringComparison.Ordinal);
    }

    static int Casts(Action run)
    {
        using var profile = Profile.Start();
        run();
        profile.Stop();
        return profile.Events.Count(e => e.Name == "To" && e.Kind == ProfileKind.Operator && e.Thread == Environment.CurrentManagedThreadId);
    }

    [Fact]
    public void A_parameter_is_cast_once_in_a_scope_and_anew_when_it_was_written_to()
    {
        Tensor w = Normal(70, 70).RequiresGrad_(), x = Normal(3, 70).To(DType.BFloat16);
        void Uses(int times) { for (int i = 0; i < times; i++) x.MatMul(w); }
        Assert.Equal(1, Casts(() => { using var _ = Autocast.To(DType.BFloat16); Uses(3); using (Autocast.To(DType.BFloat16)) Uses(2); Uses(1); }));
        Assert.Equal(3, Casts(() => { using var _ = Autocast.To(DType.BFloat16, cache: false); Uses(3); }));
        Assert.Equal(2, Casts(() => { for (int i = 0; i < 2; i++) { using var _ = Autocast.To(DType.BFloat16); Uses(2); } }));
        // without recording first: that cast would lead no gradient to the parameter
        Tensor loss = w;
        Assert.Equal(2, Casts(() =>
        {
            using var _ = Autocast.To(DType.BFloat16);
            using (Autograd.NoGrad()) Uses(1);
            loss = x.MatMul(w).Sum();
        }));
        loss.Backward();
        Assert.NotNull(w.Grad);
        using var scope = Autocast.To(DType.BFloat16);
        var before = x.MatMul(w);
        using (Autograd.NoGrad()) w.Mul_(2);
        Bits.Equal((before * 2).Detach(), x.MatMul(w).Detach(), "after a write");
    }

    [Fact]
    public void Several_losses_of_one_scope_are_pulled_back_one_by_one()
    {
        Tensor w = Normal(6, 4).RequiresGrad_(), twin = Normal(6, 4).RequiresGrad_();
        Tensor[] x = [Normal(3, 6), Normal(5, 6)];
        using (Autocast.To(DType.BFloat16))
        {
            var losses = x.Select(t => t.MatMul(w).Sum()).ToArray();
            foreach (var loss in losses) loss.Backward();
            x[0].MatMul(w).Sum().Backward();
        }
        foreach (int i in (int[])[0, 1, 0]) x[i].To(DType.BFloat16).MatMul(twin.To(DType.BFloat16)).Sum().Backward();
        Bits.Equal(twin.Grad!, w.Grad!, "gradient");
    }

    [Fact]
    public void An_optimizer_steps_in_its_own_precision_inside_a_scope()
    {
        Tensor[] Make() => [Module.Parameter(Normal(8, 12))];
        Tensor[] inside = Make(), outside = Make();
        inside[0].Grad = outside[0].Grad = Normal(8, 12);
        using (Autocast.To(DType.BFloat16)) new Muon(inside).Step();
        new Muon(outside).Step();
        Bits.Equal(outside[0].Detach(), inside[0].Detach(), "Muon");
    }

    // ---- a model ----

    static Llama Model() => new(new LlamaConfig
    {
        VocabularySize = 64, HiddenSize = 64, IntermediateSize = 96, Layers = 2, Heads = 2, KeyValueHeads = 1, HeadSize = 32, Context = 32, EndOfText = 0, Notes = new Dictionary<string, string>(),
    }, new Generator(1));

    static double[] Losses(Func<Llama, Tensor, Tensor, Tensor> loss, Action<Llama>? prepare = null, int steps = 60)
    {
        var model = Model();
        prepare?.Invoke(model);
        var adam = new AdamW(model.Parameters(), 2e-3);
        var draws = new Generator(2);
        var losses = new double[steps];
        for (int i = 0; i < steps; i++)
        {
            // a text to be learned: each token leads to one of two
            var tokens = Tensor.RandInt(0, 2, [4, 33], generator: draws);
            long[] ids = tokens.ToArray<long>();
            for (int t = 0; t < ids.Length; t++) ids[t] = t % 33 == 0 ? ids[t] : (ids[t - 1] * 5 + 7 * ids[t] + 3) % 64;
            tokens = Tensor.FromArray(ids, [4, 33]);
            adam.ZeroGrad();
            var y = loss(model, tokens.Narrow(1, 0, 32), tokens.Narrow(1, 1, 32));
            y.Backward();
            adam.Step();
            losses[i] = y.Item();
        }
        return losses;
    }

    [Fact]
    public void A_language_model_learns_alike_in_float32_under_autocast_and_in_bfloat16_with_masters()
    {
        var plain = Losses((m, x, y) => m.Loss(x, y));
        var cast = Losses((m, x, y) => Within(DType.BFloat16, () => m.Loss(x, y)));
        var narrow = Losses((m, x, y) => m.Call(x).Flatten(0, 1).Float().CrossEntropy(y.Flatten()), m => m.To(DType.BFloat16));
        Assert.True(plain[^1] < 0.6 * plain[0], $"float32 learns: {plain[0]} to {plain[^1]}");
        for (int i = 0; i < plain.Length; i++)
        {
            Assert.Equal(plain[i], cast[i], 0.01 * plain[i]);
            Assert.Equal(plain[i], narrow[i], 0.01 * plain[i]);
        }
    }
}
