using Flambeau.Data;

namespace Flambeau.Tests.Data;

public class DataLoaderTests
{
    static DataLoader<long, IReadOnlyList<long>> Make(LoaderOptions options, long count = 50, Func<long, long>? read = null) =>
        new(new Numbers(count, read ?? (i => i)), Collate.List, options);

    sealed class Numbers(long count, Func<long, long> read) : Dataset<long>
    {
        public override long Count => count;
        public override long this[long index] => read(index);
    }

    static long[] All(DataLoader<long, IReadOnlyList<long>> loader) => [.. loader.SelectMany(b => b)];

    [Fact]
    public void Without_a_sampler_samples_come_one_after_another_in_batches()
    {
        var loader = Make(new() { BatchSize = 20 });
        Assert.Equal([20, 20, 10], loader.Select(b => b.Count));
        Assert.Equal(Enumerable.Range(0, 50).Select(i => (long)i), All(loader));
        Assert.Equal(3, loader.Count);
        Assert.Equal([20, 20], Make(new() { BatchSize = 20, DropLast = true }).Select(b => b.Count));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    public void The_order_depends_on_the_seed_and_the_epoch_and_never_on_the_workers(int workers)
    {
        LoaderOptions options = new() { BatchSize = 7, Sampler = Sampler.Random, Seed = 5 };
        DataLoader<long, IReadOnlyList<long>> plain = Make(options), threaded = Make(options with { Workers = workers }, read: i =>
        {
            if (i % 7 == 0) Thread.Sleep(1); // batches become ready out of order
            return i;
        });
        long[] first = All(plain), second = All(plain);
        Assert.Equal(first, All(threaded));
        Assert.Equal(second, All(threaded));
        Assert.NotEqual(first, second);
        Assert.Equal(Enumerable.Range(0, 50).Select(i => (long)i), first.Order());
        Assert.NotEqual(first, All(Make(options with { Seed = 6 })));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void A_resumed_loader_hands_out_exactly_the_rest(int workers)
    {
        LoaderOptions options = new() { BatchSize = 7, Sampler = Sampler.Random, Seed = 5, Workers = workers };
        var whole = Make(options);
        var expected = new List<long>();
        for (int epoch = 0; epoch < 2; epoch++) expected.AddRange(All(whole));

        var first = Make(options);
        var got = new List<long>();
        LoaderState state = default;
        foreach (var batch in first)
        {
            got.AddRange(batch);
            state = first.State;
            if (got.Count == 21) break;
        }
        Assert.Equal(new LoaderState(5, 0, 21), state);
        var second = Make(options with { Seed = 99 }); // the state brings the seed
        second.LoadState(state);
        got.AddRange(All(second));
        got.AddRange(All(second));
        Assert.Equal(expected, got);
        // another batch size hands out the same samples
        var third = Make(options with { BatchSize = 4 });
        third.LoadState(state);
        Assert.Equal(expected[21..50], All(third));
    }

    [Fact]
    public void Leaving_early_begins_the_next_epoch_and_ends_the_workers()
    {
        int running = 0;
        var loader = Make(new() { BatchSize = 2, Workers = 4, Sampler = Sampler.Random }, read: i =>
        {
            Interlocked.Increment(ref running);
            Thread.Sleep(1);
            Interlocked.Decrement(ref running);
            return i;
        });
        foreach (var _ in loader) break;
        Assert.Equal(0, Volatile.Read(ref running));
        long[] next = All(loader);
        Assert.Equal(50, next.Length);
        Assert.Equal(new LoaderState(0, 2, 0), loader.State);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void A_workers_exception_reaches_the_caller_in_its_place(int workers)
    {
        var loader = Make(new() { BatchSize = 5, Workers = workers }, read: i => i == 23 ? throw new InvalidDataException("sample 23") : i);
        int batches = 0;
        var thrown = Assert.Throws<InvalidDataException>(() => { foreach (var _ in loader) batches++; });
        Assert.Equal("sample 23", thrown.Message);
        Assert.Equal(4, batches);
    }

    [Fact]
    public void Workers_are_ahead_by_a_bounded_number_of_batches()
    {
        long loaded = 0;
        var loader = Make(new() { BatchSize = 1, Workers = 2, Prefetch = 3 }, 1000, i => { Interlocked.Increment(ref loaded); return i; });
        using var batches = loader.GetEnumerator();
        batches.MoveNext();
        Thread.Sleep(20);
        Assert.InRange(Volatile.Read(ref loaded), 1, 1 + 2 * 3);
    }

    [Fact]
    public void Rows_of_tensors_are_stacked()
    {
        var data = new TensorDataset(Tensor.Arange(0, 6, 1, DType.Float32).Reshape(3, 2), Tensor.FromArray(new long[] { 7, 8, 9 }));
        var loader = new DataLoader<Tensor[], Tensor[]>(data, Collate.StackEach, new() { BatchSize = 2, Workers = 1 });
        var batches = loader.ToList();
        Assert.Equal([2L, 2L], batches[0][0].Shape);
        Assert.Equal(new float[] { 0, 1, 2, 3 }, batches[0][0].ToArray<float>());
        Assert.Equal(new long[] { 9 }, batches[1][1].ToArray<long>());
        Assert.Throws<FlambeauException>(() => new TensorDataset(Tensor.Zeros(2), Tensor.Zeros(3)));
    }

    [Fact]
    public void Subsets_and_weights_choose_what_is_drawn()
    {
        Assert.Equal([3L, 1, 4], All(Make(new() { Sampler = Sampler.Subset([3, 1, 4], shuffle: false) })));
        Assert.Equal([1L, 3, 4], All(Make(new() { Sampler = Sampler.Subset([3, 1, 4]) })).Order());
        Assert.Throws<FlambeauException>(() => All(Make(new() { Sampler = Sampler.Subset([50]) })));
        var drawn = All(Make(new() { Sampler = Sampler.Weighted([0, 1, 0, 3, 0], 8000), BatchSize = 100 }, 5));
        Assert.Equal(8000, drawn.Length);
        Assert.All(drawn, i => Assert.True(i is 1 or 3));
        Assert.InRange(drawn.Count(i => i == 1), 1800, 2200); // five standard errors
    }

    sealed class Stream : IterableDataset<long>
    {
        protected override IEnumerable<long> Read(long epoch)
        {
            for (long i = 0; i < 10; i++) yield return epoch * 100 + i;
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_stream_is_read_in_order_and_resumes(int workers)
    {
        StreamLoader<long, IReadOnlyList<long>> Stream() => new(new Stream(), Collate.List, new() { BatchSize = 4, Workers = workers });
        var loader = Stream();
        Assert.Equal([4, 4, 2], loader.Select(b => b.Count));
        Assert.Equal(100, loader.First()[0]);
        var resumed = Stream();
        resumed.LoadState(new(0, 3, 4));
        Assert.Equal([304L, 305, 306, 307, 308, 309], resumed.SelectMany(b => b));
        Assert.Equal(new LoaderState(0, 4, 0), resumed.State);
    }

    [Fact]
    public void Wrong_options_are_refused()
    {
        Assert.Throws<FlambeauException>(() => Make(new() { BatchSize = 0 }));
        Assert.Throws<FlambeauException>(() => Make(new() { Workers = -1 }));
        Assert.Throws<FlambeauException>(() => Make(new() { Prefetch = 0 }));
    }
}
