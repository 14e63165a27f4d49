using Flambeau.Runtime;

namespace Flambeau.Tests.Runtime;

/// <summary>The team's settings belong to the process, so the tests that change them run one after another.</summary>
[CollectionDefinition("Team", DisableParallelization = true)]
public class TeamCollection;

[Collection("Team")]
public class TeamTests
{
    struct Count(int[] runs) : IPart
    {
        public readonly void Run(int part) => Interlocked.Increment(ref runs[part]);
    }

    struct Nested(int[] runs, int inner) : IPart
    {
        public readonly void Run(int part)
        {
            var mine = new Offset(runs, part * inner);
            Team.Run(inner, ref mine);
        }
    }

    struct Offset(int[] runs, int from) : IPart
    {
        public readonly void Run(int part) => Interlocked.Increment(ref runs[from + part]);
    }

    struct Failing(int[] runs, int bad) : IPart
    {
        public readonly void Run(int part)
        {
            Interlocked.Increment(ref runs[part]);
            if (part == bad) throw new InvalidDataException($"part {part}");
        }
    }

    struct Sum(long[] sums) : IPart
    {
        public long Base;
        public readonly void Run(int part) => sums[part] += Base + part;
    }

    static void With(int threads, Action body)
    {
        int before = Team.Threads;
        Team.Threads = threads;
        try
        {
            body();
        }
        finally
        {
            Team.Threads = before;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_part_runs_exactly_once(int threads) => With(threads, () =>
    {
        foreach (int parts in new[] { 0, 1, 2, 3, 7, 64, 1000 })
            for (int repeat = 0; repeat < 200; repeat++)
            {
                int[] runs = new int[parts];
                var body = new Count(runs);
                Team.Run(parts, ref body);
                Assert.All(runs, n => Assert.Equal(1, n));
            }
    });

    [Fact]
    public void A_parked_team_wakes() => With(2, () =>
    {
        for (int repeat = 0; repeat < 20; repeat++)
        {
            int[] runs = new int[4];
            var body = new Count(runs);
            Team.Run(4, ref body);
            Assert.All(runs, n => Assert.Equal(1, n));
            Thread.Sleep(2);
        }
    });

    [Fact]
    public void A_part_may_start_a_job_itself() => With(3, () =>
    {
        for (int repeat = 0; repeat < 100; repeat++)
        {
            int[] runs = new int[8 * 5];
            var body = new Nested(runs, 5);
            Team.Run(8, ref body);
            Assert.All(runs, n => Assert.Equal(1, n));
        }
    });

    struct Shares(int[] shares) : IPart
    {
        public readonly void Run(int part) => shares[part] = Team.Share;
    }

    [Fact]
    public void Inside_a_part_a_job_would_be_shared_by_nobody() => With(3, () =>
    {
        int[] shares = new int[9];
        var body = new Shares(shares);
        Team.Run(9, ref body);
        Assert.All(shares, n => Assert.Equal(1, n));
        Assert.Equal(3, Team.Share);
    });

    [Fact]
    public void Many_callers_at_once_each_get_their_own_job_done() => With(2, () =>
    {
        var errors = new List<string>();
        var callers = Enumerable.Range(0, 6).Select(caller => new Thread(() =>
        {
            long[] sums = new long[9], want = new long[9];
            for (int repeat = 0; repeat < 2000; repeat++)
            {
                var body = new Sum(sums) { Base = caller * 1000 + repeat };
                Team.Run(9, ref body);
                for (int i = 0; i < 9; i++) want[i] += caller * 1000 + repeat + i;
            }
            if (!sums.AsSpan().SequenceEqual(want))
                lock (errors) errors.Add($"caller {caller}: {string.Join(' ', sums)} instead of {string.Join(' ', want)}");
        })).ToList();
        callers.ForEach(t => t.Start());
        callers.ForEach(t => t.Join());
        Assert.Empty(errors);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void An_exception_in_a_part_reaches_the_caller_and_the_team_goes_on(int threads) => With(threads, () =>
    {
        for (int bad = 0; bad < 6; bad++)
        {
            int[] runs = new int[6];
            var error = Assert.Throws<InvalidDataException>(() =>
            {
                var body = new Failing(runs, bad);
                Team.Run(6, ref body);
            });
            Assert.Equal($"part {bad}", error.Message);
            Assert.All(runs, n => Assert.InRange(n, 0, 1));
            int[] after = new int[6];
            var count = new Count(after);
            Team.Run(6, ref count);
            Assert.All(after, n => Assert.Equal(1, n));
        }
    });

    [Fact]
    public void The_number_of_threads_may_change_between_jobs()
    {
        var random = new Random(1);
        for (int repeat = 0; repeat < 200; repeat++)
            With(random.Next(1, 7), () =>
            {
                int[] runs = new int[10];
                var body = new Count(runs);
                Team.Run(10, ref body);
                Assert.All(runs, n => Assert.Equal(1, n));
            });
    }

    [Fact]
    public void No_threads_are_refused() => Assert.Contains("Threads: 0", Assert.Throws<ArgumentOutOfRangeException>(() => Team.Threads = 0).Message);
}
