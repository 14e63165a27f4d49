using System.Runtime.CompilerServices;
using Flambeau.Data;
using Flambeau.Diagnostics;
using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Tests.Diagnostics;

/// <summary>What a profile records and how it adds up. A profile sees all threads, so no other test runs beside these.</summary>
[Collection(nameof(ProfileTests))]
[CollectionDefinition(nameof(ProfileTests), DisableParallelization = true)]
public class ProfileTests
{
    static Tensor Random(ulong seed, params long[] shape) => Tensor.RandN(shape, generator: new Generator(seed));

    static ProfileEvent Single(Profile profile, string name) => Assert.Single(profile.Events, e => e.Name == name);

    static void TrainOnce(Tensor w, Tensor x, Optimizer optimizer)
    {
        using var step = Profile.Range("step");
        optimizer.ZeroGrad();
        var loss = x.MatMul(w).Softmax(-1).Square().Sum();
        loss.Backward();
        optimizer.Step();
        _ = loss.Item();
    }

    // ---- what is recorded ----

    [Fact]
    public void A_product_has_its_shapes_bytes_and_operations()
    {
        Tensor x = Random(1, 5, 3), w = Random(2, 3, 7);
        using var profile = Profile.Start();
        _ = x.MatMul(w);
        var e = Single(profile, "MatMul");
        Assert.Equal(["float32[5, 3]", "float32[3, 7]"], e.Operands.Select(o => o.ToString()));
        Assert.Equal("float32[5, 7]", e.Result.ToString());
        Assert.Equal(4 * (15 + 21 + 35), e.Bytes);
        Assert.Equal(2 * 5 * 3 * 7, e.Operations);
        Assert.Equal((ProfileKind.Operator, 0, Environment.CurrentManagedThreadId), (e.Kind, e.Depth, e.Thread));
    }

    [Fact]
    public void A_batched_product_counts_every_product_and_a_shared_operand_once()
    {
        Tensor x = Random(1, 4, 5, 3), w = Random(2, 3, 7);
        using var profile = Profile.Start();
        _ = x.MatMul(w);
        var total = Assert.Single(profile.Operators, t => t.Name == "MatMul");
        Assert.Equal(2 * 4 * 5 * 3 * 7, total.Operations);
        Assert.Equal(4 * (60 + 21 + 140), total.Bytes);
    }

    [Fact]
    public void A_view_moves_nothing_and_an_expanded_operand_is_read_once()
    {
        Tensor x = Random(1, 1, 6), y = Random(2, 4, 6);
        using var profile = Profile.Start();
        var wide = x.Expand(4, 6);
        _ = wide + y;
        Assert.Equal(0, Single(profile, "Expand").Bytes);
        Assert.Equal(4 * (6 + 24 + 24), Single(profile, "Add").Bytes);
    }

    [Fact]
    public void Picking_rows_reads_those_rows_and_not_the_table()
    {
        Tensor table = Random(1, 1000, 8), rows = Tensor.FromArray([3L, 5L]);
        using var profile = Profile.Start();
        _ = table.IndexSelect(0, rows);
        Assert.Equal(2 * 8 + 2 * (2 * 8 * 4), Single(profile, "IndexSelect").Bytes);
    }

    [Fact]
    public void In_place_operators_fills_and_reads_are_events()
    {
        Tensor x = Random(1, 3, 4), y = Random(2, 3, 4);
        using var profile = Profile.Start();
        x.Add_(y);
        x.Copy_(y);
        _ = Tensor.Zeros(2, 2);
        _ = Tensor.Ones(2, 2);
        _ = x.T.ToArray<float>();
        _ = x.Sum().Item();
        Assert.Equal(["Add_", "Copy_", "Zeros", "Full", "Permute", "ToArray", "Sum", "Item"], profile.Events.Where(e => e.Depth == 0).Select(e => e.Name));
        Assert.Equal(3 * 48, Single(profile, "Add_").Bytes);
        Assert.Equal(2 * 48, Single(profile, "Copy_").Bytes);
    }

    [Fact]
    public void The_backward_pass_is_recorded_piece_by_piece()
    {
        Tensor x = Random(1, 5, 3), w = Random(2, 3, 7).RequiresGrad_();
        var loss = x.MatMul(w).Exp().Sum();
        using var profile = Profile.Start();
        loss.Backward();
        var pass = Single(profile, "Backward");
        Assert.Equal(0, pass.Depth);
        foreach (string piece in new[] { "Sum.Backward", "Exp.Backward", "MatMul.Backward" })
            Assert.Equal((ProfileKind.Backward, 1), (Single(profile, piece).Kind, Single(profile, piece).Depth));
        Assert.Equal("float32[5, 7]", Assert.Single(Single(profile, "MatMul.Backward").Operands).ToString());
        Assert.Equal(2 * 5 * 3 * 7, Single(profile, "MatMul").Operations);
        Assert.True(Single(profile, "AccumulateGrad").Depth > 1);
    }

    [Fact]
    public void A_fused_composite_is_one_event_with_the_bytes_of_its_pass()
    {
        var x = Random(1, 6, 32).RequiresGrad_();
        using var profile = Profile.Start();
        var y = x.Softmax(-1);
        Assert.Equal(2 * 6 * 32 * 4, Single(profile, "Softmax").Bytes, 2 * 6 * 4.0); // and at most two numbers a row for the backward pass
        y.Backward(Tensor.OnesLike(y));
        Assert.Equal(3 * 6 * 32 * 4, Single(profile, "Softmax.Backward").Bytes, 2 * 6 * 4.0); // result or operand and the gradient in, a gradient out
    }

    sealed class Doubled : Function
    {
        protected internal override Tensor[] Forward(Tensor[] x) => [x[0] * 2];
        protected internal override Tensor?[] Backward(Tensor?[] g) => [g[0]! * 2];
    }

    [Fact]
    public void A_users_function_is_an_operator_with_its_own_inside()
    {
        var x = Random(1, 4).RequiresGrad_();
        using var profile = Profile.Start();
        var y = new Doubled().Apply(x)[0];
        y.Backward(Tensor.OnesLike(y));
        Assert.Equal([("Doubled", 0), ("Mul", 1)], profile.Events.Take(2).Select(e => (e.Name, e.Depth)));
        Assert.Equal(1, Single(profile, "Doubled.Backward").Depth);
    }

    [Fact]
    public void An_optimizer_step_is_recorded_with_its_updates()
    {
        var w = Random(1, 8).RequiresGrad_();
        var optimizer = new AdamW([w]);
        w.Square().Sum().Backward();
        using var profile = Profile.Start();
        optimizer.Step();
        optimizer.ZeroGrad();
        var step = Single(profile, "AdamW.Step");
        var update = Single(profile, "Updates");
        Assert.Equal((ProfileKind.Optimizer, 0), (step.Kind, step.Depth));
        Assert.Equal((1, 7 * 32L), (update.Depth, update.Bytes)); // parameter and two states in and out, gradient in
        Assert.Equal(0, Single(profile, "ZeroGrad").Depth);
    }

    [Fact]
    public void Workers_of_a_loader_record_on_their_own_threads()
    {
        var loader = new DataLoader<Tensor[], Tensor[]>(new TensorDataset(Random(1, 12, 3)), Collate.StackEach, new() { BatchSize = 4, Workers = 2 });
        using var profile = Profile.Start();
        Assert.Equal(3, loader.Count());
        profile.Stop();
        int here = Environment.CurrentManagedThreadId;
        Assert.Equal(3, profile.Events.Count(e => e.Name == "LoadBatch" && e.Thread != here));
        Assert.Equal(3, profile.Events.Count(e => e.Name == "WaitForBatch" && e.Thread == here));
        Assert.All(profile.Events.Where(e => e.Name == "Cat"), e => Assert.True(e.Depth > 0));
    }

    [Fact]
    public void Modules_are_ranges_around_their_operators_unless_switched_off()
    {
        var model = new Sequential(new Linear(3, 4), new Linear(4, 2));
        var x = Random(1, 5, 3);
        using (var profile = Profile.Start())
        {
            model.Call(x);
            Assert.Equal([("Sequential", 1L), ("Linear", 2L)], profile.Ranges.Select(r => (r.Name, r.Calls)));
            Assert.Equal([0, 1, 1], profile.Events.Where(e => e.Kind == ProfileKind.Module).Select(e => e.Depth));
        }
        using var without = Profile.Start(new() { Modules = false });
        model.Call(x);
        Assert.Empty(without.Ranges);
    }

    [Fact]
    public void A_profile_begun_inside_a_module_does_not_mistake_its_end()
    {
        Profile? profile = null;
        var inner = new Linear(3, 3);
        using var hook = inner.RegisterForwardPreHook(x =>
        {
            profile ??= Profile.Start();
            return x;
        });
        new Sequential(inner).Call(Random(1, 2, 3));
        using (profile)
        {
            inner.Call(Random(1, 2, 3));
            Assert.Equal(1, Assert.Single(profile!.Ranges).Calls);
        }
    }

    // ---- how it adds up ----

    [Fact]
    public void Self_times_add_up_to_the_time_of_what_is_outermost()
    {
        Tensor w = Random(1, 3, 7).RequiresGrad_(), x = Random(2, 5, 3);
        using var profile = Profile.Start();
        for (int i = 0; i < 3; i++) TrainOnce(w, x, new AdamW([w]));
        profile.Stop();
        long outermost = profile.Events.Where(e => e.Depth == 0).Sum(e => e.Ticks);
        Assert.Equal(outermost, profile.Events.Sum(e => e.SelfTicks));
        Assert.Equal(outermost, profile.Operators.Sum(t => t.SelfTicks) + profile.Ranges.Sum(t => t.SelfTicks));
        Assert.All(profile.Events, e => Assert.InRange(e.SelfTicks, 0, e.Ticks));
    }

    [Fact]
    public void A_range_is_accounted_for_by_the_work_in_it()
    {
        Tensor w = Random(1, 3, 7).RequiresGrad_(), x = Random(2, 5, 3);
        using var profile = Profile.Start();
        TrainOnce(w, x, new SGD([w], 0.1));
        var step = Assert.Single(profile.Ranges);
        // nothing but work is directly below
        Assert.Equal(profile.Events.Where(e => e.Depth == 1).Sum(e => e.Ticks), step.AccountedTicks);
        Assert.Equal(1, step.Accounted + (double)step.SelfTicks / step.TotalTicks, 12);
    }

    [Fact]
    public void What_runs_inside_its_like_counts_once_in_the_total()
    {
        using var profile = Profile.Start();
        using (Profile.Range("outer")) using (Profile.Range("outer")) _ = Tensor.Zeros(3);
        profile.Stop();
        var total = Assert.Single(profile.Ranges);
        Assert.Equal(2, total.Calls);
        Assert.Equal(profile.Events[0].Ticks, total.TotalTicks);
    }

    [Fact]
    public void Tables_by_shapes_and_lines_hold_the_calls_of_the_table_by_operator()
    {
        Tensor w = Random(1, 3, 7).RequiresGrad_(), x = Random(2, 5, 3), z = Random(3, 9, 3);
        using var profile = Profile.Start(new() { Lines = true });
        TrainOnce(w, x, new SGD([w], 0.1));
        TrainOnce(w, z, new SGD([w], 0.1));
        profile.Stop();
        foreach (var by in new[] { ProfileGroup.Shapes, ProfileGroup.Line })
        {
            Assert.Equal(profile.Operators.Sum(t => t.Calls), profile.Totals(by).Sum(t => t.Calls));
            Assert.Equal(profile.Operators.Sum(t => t.SelfTicks), profile.Totals(by).Sum(t => t.SelfTicks));
        }
        Assert.Contains(profile.Totals(ProfileGroup.Shapes), t => t.Name == "MatMul float32[9, 3], float32[3, 7]");
    }

    [Fact]
    public void The_table_names_operators_ranges_and_the_roof()
    {
        Tensor w = Random(1, 3, 7).RequiresGrad_(), x = Random(2, 5, 3);
        using var profile = Profile.Start(new() { Roof = true });
        TrainOnce(w, x, new SGD([w], 0.1));
        Assert.True(profile.Roof!.BytesPerSecond > 0 && profile.Roof.OperationsPerSecond > 0);
        var lines = profile.ToString().Split('\n');
        Assert.StartsWith("operator", lines[0]);
        Assert.EndsWith("of roof", lines[0]);
        Assert.Contains(lines, l => l.StartsWith("MatMul.Backward ", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("step ", StringComparison.Ordinal) && l.EndsWith('%'));
        Assert.Contains("GFLOP/s in float32", lines[^2]);
        Assert.Contains("others)", profile.Table(rows: 2));
    }

    // ---- lines ----

    // a statement a method: an optimizing compiler keeps a value between two statements on its stack, and tells the second's calls as the first's
    [MethodImpl(MethodImplOptions.NoInlining)]
    static (Tensor Result, int Line) Multiply(Tensor x, Tensor w) => (x.MatMul(w), Line());

    [MethodImpl(MethodImplOptions.NoInlining)]
    static int PullBack(Tensor loss)
    {
        loss.Backward();
        return Line() - 1;
    }

    [Fact]
    public void A_backward_operator_has_the_line_of_its_forward_one()
    {
        Tensor x = Random(1, 5, 3), w = Random(2, 3, 7).RequiresGrad_();
        using var profile = Profile.Start(new() { Lines = true });
        var (y, made) = Multiply(x, w);
        int pulled = PullBack(y.Sum());
        Assert.NotEqual(made, pulled);
        Assert.Equal($"ProfileTests.cs:{made}", Single(profile, "MatMul.Backward").Line);
        Assert.All(profile.Events.Where(e => e.Name == "MatMul"), e => Assert.Equal($"ProfileTests.cs:{made}", e.Line));
        Assert.Equal($"ProfileTests.cs:{pulled}", Single(profile, "Backward").Line);
    }

    static int Line([CallerLineNumber] int line = 0) => line;

    // ---- errors and limits ----

    [Fact]
    public void An_operators_error_passes_through_and_ends_its_event()
    {
        Tensor x = Random(1, 2, 3), y = Random(2, 4, 5); // refused by the operator itself, once it runs
        using var profile = Profile.Start();
        using (Profile.Range("outer"))
        {
            var error = Assert.Throws<FlambeauException>(() => x + y);
            Assert.StartsWith("Add", error.Message);
            _ = x * x;
        }
        Assert.Equal([("outer", 0), ("Add", 1), ("Mul", 1)], profile.Events.Select(e => (e.Name, e.Depth)));
        Assert.Null(profile.Events[1].Result);
    }

    [Fact]
    public void A_range_left_open_ends_with_the_one_around_it()
    {
        using var profile = Profile.Start();
        var outer = Profile.Range("outer");
        var inner = Profile.Range("inner");
        outer.Dispose();
        using (Profile.Range("next")) inner.Dispose();
        outer.Dispose();
        Assert.Equal([("outer", 0), ("inner", 1), ("next", 0)], profile.Events.Select(e => (e.Name, e.Depth)));
        Assert.All(profile.Ranges, r => Assert.Equal(1, r.Calls));
    }

    [Fact]
    public void A_full_profile_keeps_the_first_events_and_all_sums()
    {
        var x = Random(1, 4);
        using var profile = Profile.Start(new() { MaxEvents = 700 });
        using (Profile.Range("all")) for (int i = 0; i < 1000; i++) _ = x + x;
        Assert.Equal(700, profile.Events.Count);
        Assert.Equal("all", profile.Events[0].Name);
        Assert.Equal(301, profile.EventsLeftOut);
        Assert.Equal(1000, Assert.Single(profile.Operators).Calls);
        Assert.Equal(1000 * 3 * 16, profile.Operators[0].Bytes);
        Assert.Contains("301 events after the first 700", profile.ToString());
    }

    [Fact]
    public void Several_threads_share_the_room_and_lose_nothing_from_the_sums()
    {
        var x = Random(1, 4);
        using var profile = Profile.Start(new() { MaxEvents = 5000 });
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 2000; i++) using (Profile.Range("loop")) GC.KeepAlive(x + x);
        })).ToList();
        threads.ForEach(t => t.Start());
        for (int i = 0; i < 20; i++) _ = profile.Events.Count + profile.Table().Length; // reading disturbs no one
        threads.ForEach(t => t.Join());
        int kept = profile.Events.Count; // a thread may leave some of the last room it took
        Assert.InRange(kept, 1, 5000);
        Assert.Equal(2 * 8000, kept + profile.EventsLeftOut);
        Assert.Equal(8000, Assert.Single(profile.Operators, t => t.Name == "Add").Calls);
        Assert.Equal(8000, Assert.Single(profile.Ranges).Calls);
    }

    [Fact]
    public void Only_one_profile_is_open_and_a_stopped_one_stays_as_it_is()
    {
        var x = Random(1, 4);
        var first = Profile.Start();
        Assert.Contains("open already", Assert.Throws<FlambeauException>(() => Profile.Start()).Message);
        _ = x + x;
        first.Dispose();
        using var second = Profile.Start();
        _ = x * x;
        Assert.Equal("Add", Assert.Single(first.Events).Name);
        Assert.Equal("Mul", Assert.Single(second.Events).Name);
        Assert.Contains("MaxEvents", Assert.Throws<FlambeauException>(() => Profile.Start(new() { MaxEvents = -1 })).Message);
    }

    [Fact]
    public void Without_a_profile_nothing_is_recorded_and_nothing_is_allocated()
    {
        var x = Random(1, 1);
        long before = 0;
        for (int i = 0; i < 3; i++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            for (int k = 0; k < 100; k++) using (Profile.Range("step")) _ = x.Item<float>();
            before = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Assert.Equal(0, before);
        using var profile = Profile.Start();
        Assert.Empty(profile.Events);
        Assert.Empty(profile.Operators);
    }

    [Fact]
    public void A_profile_changes_no_bit_of_a_gradient()
    {
        Tensor w = Random(1, 3, 7).RequiresGrad_(), x = Random(2, 5, 3);
        x.MatMul(w).Softmax(-1).Square().Sum().Backward();
        var plain = w.Grad!.ToArray<float>();
        w.Grad = null;
        using var profile = Profile.Start(new() { Lines = true });
        x.MatMul(w).Softmax(-1).Square().Sum().Backward();
        Assert.Equal(plain, w.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_fused_method_has_the_line_of_its_call()
    {
        var x = Random(18, 5, 12);
        using var profile = Profile.Start(new() { Lines = true });
        Compile.FusedMethods.Standardize(x);
        Assert.Contains(profile.Events, e => e.Name == "Standardize" && e.Line?.StartsWith("ProfileTests.cs:", StringComparison.Ordinal) == true);
    }

    [Fact]
    public void A_warm_up_that_is_under_way_is_not_in_a_profile()
    {
        using var profile = Profile.Start();
        var thread = new Thread(WarmUp.Run);
        thread.Start();
        thread.Join();
        profile.Stop();
        Assert.Empty(profile.Events);
        Assert.Empty(profile.Operators);
    }
}
