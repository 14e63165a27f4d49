using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.NN;

/// <summary>What a layer's fan is counted from: <see cref="Init.KaimingNormal_"/>.</summary>
public enum Fan
{
    /// <summary>Inputs: keeps the variance of activations on the way forward.</summary>
    In,
    /// <summary>Outputs: keeps the variance of gradients on the way back.</summary>
    Out,
}

/// <summary>The nonlinearity behind a layer, for <see cref="Init.Gain"/>.</summary>
public enum Nonlinearity
{
    /// <summary>None, or sigmoid: 1.</summary>
    Linear,
    /// <summary>5/3.</summary>
    Tanh,
    /// <summary>√2.</summary>
    Relu,
    /// <summary>√(2 / (1 + slope²)).</summary>
    LeakyRelu,
    /// <summary>¾.</summary>
    Selu,
}

/// <summary>
/// Fills tensors with first values, in place, and returns them (PyTorch: <c>torch.nn.init</c>). Nothing is recorded. Random ones take the default generator unless one is given.
/// A weight is [outputs, inputs, …receptive field].
/// </summary>
public static class Init
{
    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public static Tensor Uniform_(Tensor x, double low = 0, double high = 1, Generator? generator = null) =>
        Fill(x, type => Tensor.Rand(x.Shape, type, generator).Mul_(high - low).Add_(low));

    /// <summary>Normal with the given mean and standard deviation.</summary>
    public static Tensor Normal_(Tensor x, double mean = 0, double std = 1, Generator? generator = null) =>
        Fill(x, type => Tensor.RandN(x.Shape, type, generator).Mul_(std).Add_(mean));

    /// <summary>Normal, conditioned on [<paramref name="low"/>, <paramref name="high"/>]: by inversion, so exact however far in a tail the interval lies.</summary>
    public static Tensor TruncNormal_(Tensor x, double mean = 0, double std = 1, double low = -2, double high = 2, Generator? generator = null)
    {
        if (!(low < high) || !(std > 0)) throw Errors.Make("TruncNormal_", $"needs low < high and a positive deviation, got [{low}, {high}] and {std}", ("x", x));
        return Fill(x, _ => TruncatedNormal.From(Tensor.Rand(x.Shape, DType.Float64, generator), mean, std, low, high));
    }

    /// <summary>Every element <paramref name="value"/>.</summary>
    public static Tensor Constant_(Tensor x, double value) => Fill(x, type => Tensor.FromScalar(value, DType.Float64).To(type));
    /// <summary>Ones.</summary>
    public static Tensor Ones_(Tensor x) => Constant_(x, 1);
    /// <summary>Zeros.</summary>
    public static Tensor Zeros_(Tensor x) => Constant_(x, 0);

    /// <summary>The identity matrix, cut or filled up with zeros.</summary>
    public static Tensor Eye_(Tensor x)
    {
        if (x.Rank != 2) throw Errors.Make("Eye_", "needs a matrix", ("x", x));
        return Fill(x, type => Tensor.Eye(x.Shape[0], x.Shape[1], type));
    }

    /// <summary>Uniform in ±gain · √(6 / (in + out)) (Glorot and Bengio 2010).</summary>
    public static Tensor XavierUniform_(Tensor x, double gain = 1, Generator? generator = null)
    {
        var (inputs, outputs) = Fans("XavierUniform_", x);
        double bound = gain * Math.Sqrt(6.0 / (inputs + outputs));
        return Uniform_(x, -bound, bound, generator);
    }

    /// <summary>Normal with deviation gain · √(2 / (in + out)) (Glorot and Bengio 2010).</summary>
    public static Tensor XavierNormal_(Tensor x, double gain = 1, Generator? generator = null)
    {
        var (inputs, outputs) = Fans("XavierNormal_", x);
        return Normal_(x, 0, gain * Math.Sqrt(2.0 / (inputs + outputs)), generator);
    }

    /// <summary>Uniform in ±gain · √(3 / fan) (He et al. 2015); <paramref name="a"/> is the slope of a leaky ReLU. Linear layers begin with a = √5: ±1/√in.</summary>
    public static Tensor KaimingUniform_(Tensor x, double a = 0, Fan mode = Fan.In, Nonlinearity nonlinearity = Nonlinearity.LeakyRelu, Generator? generator = null)
    {
        double bound = Gain(nonlinearity, a) * Math.Sqrt(3.0 / FanOf("KaimingUniform_", x, mode));
        return Uniform_(x, -bound, bound, generator);
    }

    /// <summary>Normal with deviation gain / √fan (He et al. 2015).</summary>
    public static Tensor KaimingNormal_(Tensor x, double a = 0, Fan mode = Fan.In, Nonlinearity nonlinearity = Nonlinearity.LeakyRelu, Generator? generator = null) =>
        Normal_(x, 0, Gain(nonlinearity, a) / Math.Sqrt(FanOf("KaimingNormal_", x, mode)), generator);

    /// <summary>
    /// A random matrix, uniform among those with orthonormal rows (or columns, if there are more rows), times gain; dimensions after the first are one (Saxe et al. 2014).
    /// Rows of a normal matrix are made orthogonal one after another, each twice, which suffices for full precision (Giraud et al. 2005).
    /// </summary>
    public static Tensor Orthogonal_(Tensor x, double gain = 1, Generator? generator = null)
    {
        if (x.Rank < 2) throw Errors.Make("Orthogonal_", "needs at least two dims", ("x", x));
        return Fill(x, _ =>
        {
            long rows = x.Shape[0], columns = x.Numel / Math.Max(rows, 1);
            var q = Orthonormal(Tensor.RandN([Math.Min(rows, columns), Math.Max(rows, columns)], DType.Float64, generator));
            return (rows > columns ? q.T : q).Mul_(gain).Reshape(x.Shape.AsSpan());
        });
    }

    static Tensor Orthonormal(Tensor q)
    {
        for (long k = 0; k < q.Shape[0]; k++)
        {
            var row = q.Select(0, k);
            var before = q.Narrow(0, 0, k);
            for (int pass = 0; pass < 2 && k > 0; pass++) row.Sub_(before.MatMul(row).Unsqueeze(0).MatMul(before).Squeeze(0));
            row.Div_(row.Norm().Item());
        }
        return q;
    }

    /// <summary>The factor that keeps the variance through a nonlinearity (PyTorch: <c>calculate_gain</c>).</summary>
    /// <param name="nonlinearity">Which.</param>
    /// <param name="slope">Of a leaky ReLU.</param>
    public static double Gain(Nonlinearity nonlinearity, double slope = 0.01) => nonlinearity switch
    {
        Nonlinearity.Tanh => 5.0 / 3,
        Nonlinearity.Relu => Math.Sqrt(2),
        Nonlinearity.LeakyRelu => Math.Sqrt(2 / (1 + slope * slope)),
        Nonlinearity.Selu => 0.75,
        _ => 1,
    };

    static long FanOf(string op, Tensor x, Fan mode)
    {
        var (inputs, outputs) = Fans(op, x);
        return mode == Fan.In ? inputs : outputs;
    }

    static (long In, long Out) Fans(string op, Tensor x)
    {
        if (x.Rank < 2) throw Errors.Make(op, "needs at least two dims: [outputs, inputs, …]", ("x", x));
        long field = 1;
        for (int i = 2; i < x.Rank; i++) field *= x.Shape[i];
        return (Math.Max(1, x.Shape[1] * field), Math.Max(1, x.Shape[0] * field));
    }

    // computed in float32 or float64, rounded once
    static Tensor Fill(Tensor x, Func<DType, Tensor> values)
    {
        using var _ = Autograd.NoGrad();
        return x.Copy_(values(x.DType == DType.Float64 ? DType.Float64 : DType.Float32));
    }
}

/// <summary>Turns uniform numbers into truncated normal ones: z = Φ⁻¹(Φ(a) + u · (Φ(b) − Φ(a))).</summary>
internal struct TruncatedNormal : IPart
{
    const int Chunk = 4096;
    double[] _values;
    double _low, _high, _from, _width; // bounds in deviations, probabilities
    double _mean, _std;

    public static Tensor From(Tensor uniform, double mean, double std, double low, double high)
    {
        double a = (low - mean) / std, b = (high - mean) / std;
        // in the upper tail Φ is 1 less almost nothing: mirrored, it is accurate
        bool mirrored = a > 0;
        if (mirrored) (a, b) = (-b, -a);
        double from = Cdf(a);
        var job = new TruncatedNormal { _values = uniform.ToArray<double>(), _low = a, _high = b, _from = from, _width = Cdf(b) - from, _mean = mean, _std = mirrored ? -std : std };
        Team.Run((job._values.Length + Chunk - 1) / Chunk, ref job);
        return Tensor.FromArray(job._values, uniform.Shape);
    }

    public readonly void Run(int part)
    {
        int end = Math.Min(_values.Length, (part + 1) * Chunk);
        for (int i = part * Chunk; i < end; i++) _values[i] = _mean + _std * Math.Clamp(Quantile(_from + _values[i] * _width), _low, _high);
    }

    static double Cdf(double z) => 0.5 * Erfc(-z / Math.Sqrt(2));

    static double Erfc(double x) => Lane<double>.Erfc(new Lane<double>(x)).Value;

    // a start within 4.5e-4 (Abramowitz and Stegun 26.2.23), then two Halley steps, each cubing the error
    static double Quantile(double p)
    {
        if (p > 0.5) return -Quantile(1 - p);
        if (p <= 0) return double.NegativeInfinity;
        double t = Math.Sqrt(-2 * Math.Log(p));
        double z = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
        for (int i = 0; i < 2; i++)
        {
            double error = (Cdf(z) - p) * Math.Sqrt(2 * Math.PI) * Math.Exp(z * z / 2);
            z -= error / (1 + z * error / 2);
        }
        return z;
    }
}
