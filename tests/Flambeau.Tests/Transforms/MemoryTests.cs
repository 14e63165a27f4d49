using System.Runtime.CompilerServices;

namespace Flambeau.Tests.Transforms;

/// <summary>Memory goes back without Dispose. These tests read the pool's own count, which is exact, never the process's size.</summary>
[Collection(nameof(MemoryTests))]
[CollectionDefinition(nameof(MemoryTests), DisableParallelization = true)]
public class MemoryTests
{
    const long MB = 1 << 20;

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Step(Tensor[] weights, Tensor x)
    {
        var h = x;
        foreach (var w in weights) h = h.MatMul(w).Relu();
        h.Sum().Backward();
        foreach (var w in weights) w.Grad = null;
    }

    [Fact]
    public void Training_without_Dispose_stays_near_the_memory_of_one_step()
    {
        var weights = Enumerable.Range(0, 4).Select(i => Tensor.RandN([256, 256], generator: new Generator((ulong)i)).RequiresGrad_()).ToArray();
        var x = Tensor.RandN([2048, 256]); // 2 MB an activation, 16 MB a forward pass
        for (int i = 0; i < 20; i++) Step(weights, x);
        long before = Settings.Memory.Reserved;
        for (int i = 0; i < 150; i++) Step(weights, x);
        Assert.True(Settings.Memory.Reserved - before <= 64 * MB, $"reserved grew from {before / MB} to {Settings.Memory.Reserved / MB} MB");
    }

    [Fact]
    public void Inference_without_Dispose_stays_below_its_budget()
    {
        var w = Tensor.RandN([512, 512]);
        var x = Tensor.RandN([2048, 512]);
        using var _ = Autograd.NoGrad();
        for (int i = 0; i < 300; i++) x.MatMul(w).Relu().Sum(); // 8 MB a pass: 2.4 GB if nothing came back
        Assert.True(Settings.Memory.Reserved <= 1500 * MB, $"reserved {Settings.Memory.Reserved / MB} MB");
    }

    [Fact]
    public void Dispose_gives_memory_back_at_once_and_views_keep_theirs()
    {
        long before = Settings.Memory.Live;
        var x = Tensor.Zeros(1 << 20);
        var view = x.Narrow(0, 0, 10);
        x.Dispose();
        Assert.Equal(0, view.Sum().Item());
        view.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.Sum());
        Assert.True(Settings.Memory.Live <= before + MB);
    }

    [Fact]
    public void Tensors_that_were_given_back_leave_nothing_behind()
    {
        int before = Flambeau.Runtime.StoragePool.WatchRoom;
        for (int i = 0; i < 4 * before + 10_000; i++) Tensor.Empty([64, 512]).Dispose();
        Assert.Equal(before, Flambeau.Runtime.StoragePool.WatchRoom);
    }

    [Fact]
    public void Sizes_of_the_past_do_not_add_up()
    {
        long before = Settings.Memory.Reserved, most = Math.Max(Settings.Memory.Peak, Settings.Memory.Live + 64 * MB);
        for (int mb = 1; mb < 60; mb++) Tensor.Empty(mb * MB / 4).Dispose(); // 1.8 GB if each size kept its block
        Assert.True(Settings.Memory.Reserved <= Math.Max(before, most + most / 4 + 16 * MB), // an eighth, and one more of what went back too early
            $"reserved {Settings.Memory.Reserved / MB} MB");
    }

    [Fact]
    public void Attention_keeps_its_operands_and_not_its_weights()
    {
        Tensor Operand(ulong seed) => Tensor.RandN([8, 512, 64], generator: new Generator(seed)).RequiresGrad_();
        var (q, k, v) = (Operand(1), Operand(2), Operand(3));
        long before = Settings.Memory.Live;
        var y = q.ScaledDotProductAttention(k, v, isCausal: true); // weights of 8 MB, results of 1 MB
        Assert.True(Settings.Memory.Live - before <= 2 * MB, $"{(Settings.Memory.Live - before) / MB} MB are alive after the forward pass");
        y.Sum().Backward();
        Assert.Equal(q.Shape, q.Grad!.Shape);
    }
}
