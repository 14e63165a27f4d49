namespace Flambeau.Bench;

/// <summary>
/// What a figure is told in. Both sides are measured raw (nanoseconds a call, or bytes); a time is raw × scale and less is better, a rate is
/// work × scale / raw and more is better.
/// </summary>
internal sealed record Unit(string Name, double Scale, bool IsRate)
{
    public static readonly Unit Nanoseconds = new("ns", 1, IsRate: false);
    public static readonly Unit Microseconds = new("us", 1e-3, IsRate: false);
    public static readonly Unit Milliseconds = new("ms", 1e-6, IsRate: false);
    public static readonly Unit Megabytes = new("MB", 1e-6, IsRate: false);

    /// <summary>A number without a dimension; less is better.</summary>
    public static readonly Unit Times = new("times", 1, IsRate: false);

    /// <summary>Work in operations.</summary>
    public static readonly Unit GigaflopsPerSecond = new("GFLOP/s", 1, IsRate: true);

    /// <summary>Work in bytes read and written.</summary>
    public static readonly Unit GigabytesPerSecond = new("GB/s", 1, IsRate: true);

    public static readonly Unit TokensPerSecond = new("tokens/s", 1e9, IsRate: true);
    public static readonly Unit StepsPerSecond = new("steps/s", 1e9, IsRate: true);

    public static Unit Named(string name) =>
        ((Unit[])[Nanoseconds, Microseconds, Milliseconds, Megabytes, GigaflopsPerSecond, GigabytesPerSecond, TokensPerSecond, StepsPerSecond, Times]).Single(unit => unit.Name == name);

    public double Of(double raw, double work) => IsRate ? work * Scale / raw : raw * Scale;

    /// <summary>How many times better the first is than the second: above 1 it is ahead, whatever the unit.</summary>
    public double Ratio(double first, double second) => IsRate ? first / second : second / first;
}
