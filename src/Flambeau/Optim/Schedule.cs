namespace Flambeau.Optim;

/// <summary>
/// The learning rate over time as a factor of each group's own: a pure function of the step's number, so that a resumed run needs nothing but that number.
/// Step 0 is the first. Combine with <see cref="Sequential"/>; apply with <see cref="LearningRateScheduler"/>.
/// </summary>
public abstract record Schedule
{
    private protected Schedule() { }

    /// <summary>The factor in the step of that number.</summary>
    public abstract double Factor(long step);

    /// <summary>The same factor always.</summary>
    public static Schedule Constant(double factor = 1) => new LambdaSchedule(_ => factor);

    /// <summary>Any function of the step (PyTorch: <c>LambdaLR</c>).</summary>
    public static Schedule Lambda(Func<long, double> factor) => new LambdaSchedule(factor);

    /// <summary>From <paramref name="from"/> in a straight line to 1 at step <paramref name="steps"/>, then 1 (PyTorch: <c>LinearLR</c>).</summary>
    public static Schedule LinearWarmup(long steps, double from = 0)
    {
        Check("LinearWarmup", steps >= 0, $"the number of steps must not be negative, got {steps}");
        return new LambdaSchedule(t => t >= steps ? 1 : from + (1 - from) * t / steps);
    }

    /// <summary>Half a cosine from 1 down to <paramref name="floor"/> at step <paramref name="steps"/>, then that (Loshchilov and Hutter 2017; PyTorch: <c>CosineAnnealingLR</c> with <c>eta_min</c> = floor · lr).</summary>
    public static Schedule Cosine(long steps, double floor = 0)
    {
        Check("Cosine", steps > 0, $"the number of steps must be positive, got {steps}");
        return new LambdaSchedule(t => t >= steps ? floor : floor + (1 - floor) * (1 + Math.Cos(Math.PI * t / steps)) / 2);
    }

    /// <summary>From 1 in a straight line to <paramref name="floor"/> at step <paramref name="steps"/>, then that.</summary>
    public static Schedule LinearDecay(long steps, double floor = 0)
    {
        Check("LinearDecay", steps > 0, $"the number of steps must be positive, got {steps}");
        return new LambdaSchedule(t => t >= steps ? floor : 1 + (floor - 1) * t / steps);
    }

    /// <summary>A linear warm-up, then a cosine that reaches <paramref name="floor"/> at step <paramref name="steps"/> of the whole. The first step already has 1/warmup: no step is wasted on 0.</summary>
    public static Schedule WarmupCosine(long warmup, long steps, double floor = 0)
    {
        Check("WarmupCosine", warmup >= 0 && steps > warmup, $"needs 0 ≤ warmup < steps, got {warmup} and {steps}");
        var cosine = Cosine(steps - warmup, floor);
        return new LambdaSchedule(t => t < warmup ? (t + 1.0) / warmup : cosine.Factor(t - warmup));
    }

    /// <summary>Warm-up, a stable plateau of 1, and a decay in a straight line to <paramref name="floor"/> (Hu et al. 2024, "MiniCPM"). The first step has 1/warmup.</summary>
    public static Schedule WarmupStableDecay(long warmup, long stable, long decay, double floor = 0)
    {
        Check("WarmupStableDecay", warmup >= 0 && stable >= 0 && decay > 0, $"needs numbers of steps, the decay's positive, got {warmup}, {stable}, {decay}");
        var end = LinearDecay(decay, floor);
        return new LambdaSchedule(t => t < warmup ? (t + 1.0) / warmup : t < warmup + stable ? 1 : end.Factor(t - warmup - stable));
    }

    /// <summary>Times <paramref name="gamma"/> after every <paramref name="size"/> steps (PyTorch: <c>StepLR</c>).</summary>
    public static Schedule Step(long size, double gamma = 0.1)
    {
        Check("Step", size > 0, $"the number of steps must be positive, got {size}");
        return new LambdaSchedule(t => Math.Pow(gamma, t / size));
    }

    /// <summary>
    /// One schedule after another: the next begins, at its own step 0, at each milestone (PyTorch: <c>SequentialLR</c>).
    /// </summary>
    /// <param name="milestones">One fewer than schedules, ascending.</param>
    /// <param name="schedules">At least one.</param>
    public static Schedule Sequential(IReadOnlyList<long> milestones, params IReadOnlyList<Schedule> schedules)
    {
        Check("Sequential", schedules.Count == milestones.Count + 1, $"{schedules.Count} schedules need {schedules.Count - 1} milestones, got {milestones.Count}");
        Check("Sequential", milestones.Zip(milestones.Skip(1)).All(m => m.First <= m.Second), "the milestones must ascend");
        long[] starts = [0, .. milestones];
        Schedule[] parts = [.. schedules];
        return new LambdaSchedule(t =>
        {
            int i = Array.FindLastIndex(starts, s => s <= t);
            return parts[i].Factor(t - starts[i]);
        });
    }

    static void Check(string name, bool holds, string law)
    {
        if (!holds) throw new FlambeauException($"Schedule.{name}: {law}");
    }

    sealed record LambdaSchedule(Func<long, double> Function) : Schedule
    {
        public override double Factor(long step) => Function(step);
    }
}

/// <summary>
/// Sets the learning rates of an optimizer's groups by a schedule (PyTorch: <c>torch.optim.lr_scheduler</c>). On creation for step 0; after each <c>optimizer.Step()</c> call <see cref="Step"/>.
/// </summary>
public sealed class LearningRateScheduler
{
    readonly Optimizer _optimizer;
    readonly double[] _base;

    /// <summary>Takes the groups' learning rates as they are for the schedule's 1.</summary>
    public LearningRateScheduler(Optimizer optimizer, Schedule schedule)
    {
        (_optimizer, Schedule) = (optimizer, schedule);
        _base = [.. optimizer.Groups.Select(g => g.LearningRate)];
        Apply();
    }

    /// <summary>The schedule.</summary>
    public Schedule Schedule { get; }

    /// <summary>Steps so far.</summary>
    public long Steps { get; private set; }

    /// <summary>The learning rate of the first group now.</summary>
    public double LearningRate => _optimizer.LearningRate;

    /// <summary>Goes on to the next step.</summary>
    public void Step()
    {
        Steps++;
        Apply();
    }

    /// <summary>All that it remembers, as tensors: <c>last_epoch</c> (int64) and <c>base_lrs</c> (float64).</summary>
    public OrderedDictionary<string, Tensor> StateDict() => new() { ["last_epoch"] = Tensor.FromScalar(Steps), ["base_lrs"] = Tensor.FromSpan<double>(_base) };

    /// <summary>Continues from a saved state.</summary>
    /// <exception cref="FlambeauException">The state is of another number of groups; nothing was changed.</exception>
    public void LoadStateDict(IReadOnlyDictionary<string, Tensor> state)
    {
        if (!state.TryGetValue("last_epoch", out var steps) || !state.TryGetValue("base_lrs", out var rates) || steps.Numel != 1 || rates.Numel != _base.Length)
            throw new FlambeauException($"LearningRateScheduler: the state needs last_epoch (one number) and base_lrs (one for each of {_base.Length} groups), it has {string.Join(", ", state.Select(s => $"{s.Key} {s.Value.Shape}"))}");
        rates.ToArray<double>().CopyTo(_base, 0);
        Steps = steps.Item<long>();
        Apply();
    }

    void Apply()
    {
        double factor = Schedule.Factor(Steps);
        for (int i = 0; i < _base.Length; i++) _optimizer.Groups[i].LearningRate = _base[i] * factor;
    }
}
