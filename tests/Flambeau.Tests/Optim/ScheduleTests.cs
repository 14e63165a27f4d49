using Flambeau.NN;
using Flambeau.Optim;

namespace Flambeau.Tests.Optim;

public class ScheduleTests
{
    static void Has(Schedule schedule, params (long Step, double Factor)[] expected)
    {
        foreach (var (step, factor) in expected) Assert.Equal(factor, schedule.Factor(step), 12);
    }

    [Fact]
    public void Each_schedule_has_its_values()
    {
        Has(Schedule.Constant(0.5), (0, 0.5), (99, 0.5));
        Has(Schedule.LinearWarmup(4, 0.2), (0, 0.2), (1, 0.4), (4, 1), (9, 1));
        Has(Schedule.Cosine(10, 0.1), (0, 1), (5, 0.55), (10, 0.1), (20, 0.1));
        Has(Schedule.LinearDecay(10, 0.5), (0, 1), (4, 0.8), (10, 0.5), (11, 0.5));
        Has(Schedule.WarmupCosine(2, 12, 0), (0, 0.5), (1, 1), (2, 1), (7, 0.5), (12, 0));
        Has(Schedule.WarmupStableDecay(2, 3, 5, 0.5), (0, 0.5), (1, 1), (4, 1), (5, 1), (6, 0.9), (10, 0.5), (99, 0.5));
        Has(Schedule.Step(3, 0.1), (0, 1), (2, 1), (3, 0.1), (6, 0.01));
        Has(Schedule.Lambda(t => t * 2), (3, 6));
        Has(Schedule.Sequential([2, 5], Schedule.Constant(3), Schedule.Step(1, 0.5), Schedule.Constant(7)), (0, 3), (1, 3), (2, 1), (4, 0.25), (5, 7));
        Assert.Throws<FlambeauException>(() => Schedule.Sequential([1], Schedule.Constant()));
        Assert.Throws<FlambeauException>(() => Schedule.WarmupCosine(5, 5));
    }

    [Fact]
    public void A_scheduler_scales_each_groups_own_rate_and_resumes()
    {
        Tensor a = Module.Parameter(Tensor.Ones(1)), b = Module.Parameter(Tensor.Ones(1));
        SGD Make() => new(new SgdGroup([a]) { LearningRate = 1 }, new SgdGroup([b]) { LearningRate = 0.1 });
        var optimizer = Make();
        var scheduler = new LearningRateScheduler(optimizer, Schedule.Step(2, 0.5));
        for (int i = 0; i < 3; i++) scheduler.Step();
        Assert.Equal([0.5, 0.05], optimizer.Groups.Select(g => g.LearningRate));

        var other = Make();
        var resumed = new LearningRateScheduler(other, Schedule.Step(2, 0.5));
        resumed.LoadStateDict(scheduler.StateDict());
        Assert.Equal(3, resumed.Steps);
        resumed.Step();
        Assert.Equal([0.25, 0.025], other.Groups.Select(g => g.LearningRate));
    }
}
