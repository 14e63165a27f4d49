using System.Globalization;

namespace Flambeau.NN;

/// <summary>
/// (x − mean) / √(variance + ε) · w + b for each channel of [N, C, …], over all samples and places: the batch's while training, the running ones else (Ioffe and Szegedy 2015). The weight begins as ones, the bias as zeros.
/// </summary>
public abstract class BatchNorm : Module<Tensor, Tensor>
{
    readonly long _features;
    readonly double? _momentum;
    [Buffer] Tensor? _runningMean, _runningVar, _numBatchesTracked;

    private protected BatchNorm(long features, double eps, double? momentum, bool affine, bool trackRunningStats, DType dtype)
    {
        (_features, Eps, _momentum) = (features, eps, momentum);
        if (affine) (Weight, Bias) = (Parameter(Tensor.Ones([features], dtype)), Parameter(Tensor.Zeros([features], dtype)));
        if (trackRunningStats) (_runningMean, _runningVar, _numBatchesTracked) = (Tensor.Zeros([features], dtype), Tensor.Ones([features], dtype), Tensor.Zeros([], DType.Int64));
    }

    /// <summary>ε.</summary>
    public double Eps { get; }
    /// <summary>[C], or null.</summary>
    public Tensor? Weight { get; set => field = value is null ? null : AsParameter(value); }
    /// <summary>[C], or null.</summary>
    public Tensor? Bias { get; set => field = value is null ? null : AsParameter(value); }
    /// <summary>The mean of past batches, [C], or null if none is kept.</summary>
    public Tensor? RunningMean => _runningMean;
    /// <summary>The variance of past batches, [C], or null if none is kept.</summary>
    public Tensor? RunningVar => _runningVar;

    private protected abstract bool Fits(int rank);
    private protected abstract string Expected { get; }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        if (!Fits(x.Rank) || x.Shape[1] != _features) throw Errors.Make(GetType().Name, $"expected {Expected} with C = {_features}", ("x", x));
        long batches = Training && _numBatchesTracked is { } before ? before.Item<long>() + 1 : 0;
        // without a momentum the plain average of all batches
        var y = x.BatchNorm(_runningMean, _runningVar, Weight, Bias, Training || _runningMean is null, _momentum ?? 1.0 / Math.Max(1, batches), Eps);
        if (batches > 0) _numBatchesTracked!.Fill_(batches);
        return y;
    }

    /// <inheritdoc/>
    protected override string ExtraRepr() => string.Create(CultureInfo.InvariantCulture,
        $"{_features}, eps={NormShape.Text(Eps)}, momentum={(_momentum is { } m ? NormShape.Text(m) : "None")}, affine={(Weight is null ? "False" : "True")}, track_running_stats={(_runningMean is null ? "False" : "True")}");
}

/// <summary>Batch norm of [N, C] or [N, C, L] (PyTorch: <c>nn.BatchNorm1d</c>).</summary>
/// <param name="features">How many channels C there are.</param>
/// <param name="eps">ε.</param>
/// <param name="momentum">The share of a batch in the running numbers; null makes them the plain average of all batches.</param>
/// <param name="affine">False leaves weight and bias out.</param>
/// <param name="trackRunningStats">False keeps no running numbers: the batch's own are always used.</param>
/// <param name="dtype">The type of parameters and running numbers.</param>
public sealed class BatchNorm1d(long features, double eps = 1e-5, double? momentum = 0.1, bool affine = true, bool trackRunningStats = true, DType dtype = DType.Float32)
    : BatchNorm(features, eps, momentum, affine, trackRunningStats, dtype)
{
    private protected override bool Fits(int rank) => rank is 2 or 3;
    private protected override string Expected => "[N, C] or [N, C, L]";
}

/// <summary>Batch norm of [N, C, H, W] (PyTorch: <c>nn.BatchNorm2d</c>).</summary>
/// <param name="features">How many channels C there are.</param>
/// <param name="eps">ε.</param>
/// <param name="momentum">The share of a batch in the running numbers; null makes them the plain average of all batches.</param>
/// <param name="affine">False leaves weight and bias out.</param>
/// <param name="trackRunningStats">False keeps no running numbers: the batch's own are always used.</param>
/// <param name="dtype">The type of parameters and running numbers.</param>
public sealed class BatchNorm2d(long features, double eps = 1e-5, double? momentum = 0.1, bool affine = true, bool trackRunningStats = true, DType dtype = DType.Float32)
    : BatchNorm(features, eps, momentum, affine, trackRunningStats, dtype)
{
    private protected override bool Fits(int rank) => rank == 4;
    private protected override string Expected => "[N, C, H, W]";
}

/// <summary>Batch norm of [N, C, D, H, W] (PyTorch: <c>nn.BatchNorm3d</c>).</summary>
/// <param name="features">How many channels C there are.</param>
/// <param name="eps">ε.</param>
/// <param name="momentum">The share of a batch in the running numbers; null makes them the plain average of all batches.</param>
/// <param name="affine">False leaves weight and bias out.</param>
/// <param name="trackRunningStats">False keeps no running numbers: the batch's own are always used.</param>
/// <param name="dtype">The type of parameters and running numbers.</param>
public sealed class BatchNorm3d(long features, double eps = 1e-5, double? momentum = 0.1, bool affine = true, bool trackRunningStats = true, DType dtype = DType.Float32)
    : BatchNorm(features, eps, momentum, affine, trackRunningStats, dtype)
{
    private protected override bool Fits(int rank) => rank == 5;
    private protected override string Expected => "[N, C, D, H, W]";
}
