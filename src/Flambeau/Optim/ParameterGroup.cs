namespace Flambeau.Optim;

/// <summary>Parameters that an optimizer treats alike, with its options, which may be changed between steps (PyTorch: an entry of <c>param_groups</c>).</summary>
public abstract class ParameterGroup
{
    /// <summary>A group of the given parameters.</summary>
    protected ParameterGroup(IEnumerable<Tensor> parameters) => Parameters = [.. parameters];

    /// <summary>The parameters.</summary>
    public IReadOnlyList<Tensor> Parameters { get; }

    /// <summary>The step size η. Schedules set it.</summary>
    public double LearningRate { get; set; } = 1e-3;

    /// <summary>The strength λ with which parameters are drawn towards zero.</summary>
    public double WeightDecay { get; set; }

    /// <summary>True climbs instead of descending.</summary>
    public bool Maximize { get; set; }

    /// <summary>
    /// True keeps a float32 copy of every float16 and bfloat16 parameter, which a step changes; the parameter is that copy, rounded. Without it an update below half a unit in the parameter's last place is lost,
    /// each time. Parameters of other types have none.
    /// </summary>
    public bool MasterWeights { get; set; } = true;

    /// <summary>Checks the options' ranges; says which is wrong.</summary>
    internal virtual void Validate(string optimizer)
    {
        Require(optimizer, LearningRate >= 0, "the learning rate must not be negative", LearningRate);
        Require(optimizer, WeightDecay >= 0, "the weight decay must not be negative", WeightDecay);
    }

    private protected static void Require(string optimizer, bool holds, string law, double value)
    {
        if (!holds) throw new FlambeauException($"{optimizer}: {law}, got {value}");
    }

    /// <summary>The options under PyTorch's names, to be saved; <paramref name="visit"/> gets a name and a place to read or write.</summary>
    internal virtual void Options(IOptionVisitor visit)
    {
        LearningRate = visit.Number("lr", LearningRate);
        WeightDecay = visit.Number("weight_decay", WeightDecay);
        Maximize = visit.Flag("maximize", Maximize);
        MasterWeights = visit.Flag("master_weights", MasterWeights);
    }
}

/// <summary>Walks over a group's options: reads them out, or gives new values.</summary>
internal interface IOptionVisitor
{
    double Number(string name, double value);
    bool Flag(string name, bool value);
}
