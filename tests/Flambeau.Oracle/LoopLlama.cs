namespace Flambeau.Oracle;

/// <summary>
/// The same model once more, in loops over doubles, one token at a time: who checks the oracle. Slow, and sharing nothing with it but the names.
/// </summary>
internal sealed class LoopLlama(LlamaConfig config, IReadOnlyDictionary<string, double[]> weights)
{
    /// <summary>The logits of one sequence, [T][V].</summary>
    public double[][] Logits(int[] ids)
    {
        var embedding = weights["model.embed_tokens.weight"];
        var x = Array.ConvertAll(ids, id => embedding[(id * config.Width)..((id + 1) * config.Width)]);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            var name = $"model.layers.{layer}.";
            Add(x, Attention(Array.ConvertAll(x, row => Norm(row, name + "input_layernorm.weight")), name + "self_attn."));
            Add(x, Array.ConvertAll(x, row => FeedForward(Norm(row, name + "post_attention_layernorm.weight"), name + "mlp.")));
        }
        var output = config.Tied ? "model.embed_tokens.weight" : "lm_head.weight";
        return Array.ConvertAll(x, row => Multiply(output, Norm(row, "model.norm.weight")));
    }

    private double[][] Attention(double[][] x, string name)
    {
        var d = config.HeadSize;
        var q = x.Select((row, p) => Rotate(Multiply(name + "q_proj.weight", row), p)).ToArray();
        var k = x.Select((row, p) => Rotate(Multiply(name + "k_proj.weight", row), p)).ToArray();
        var v = Array.ConvertAll(x, row => Multiply(name + "v_proj.weight", row));
        return [.. Enumerable.Range(0, x.Length).Select(t => Multiply(name + "o_proj.weight", Mixed(t)))];

        double[] Mixed(int t)
        {
            var mixed = new double[config.Heads * d];
            for (var head = 0; head < config.Heads; head++)
            {
                var shared = head * config.KeyHeads / config.Heads;
                var shares = Enumerable.Range(0, t + 1).Select(s => Math.Exp(Dot(q[t], head * d, k[s], shared * d, d) / Math.Sqrt(d))).ToArray();
                for (var s = 0; s <= t; s++)
                    for (var i = 0; i < d; i++)
                        mixed[head * d + i] += shares[s] / shares.Sum() * v[s][shared * d + i];
            }
            return mixed;
        }
    }

    private double[] FeedForward(double[] x, string name)
    {
        double[] gate = Multiply(name + "gate_proj.weight", x), up = Multiply(name + "up_proj.weight", x);
        return Multiply(name + "down_proj.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
    }

    private double[] Norm(double[] x, string name)
    {
        var scale = 1 / Math.Sqrt(x.Sum(value => value * value) / x.Length + config.Epsilon);
        return [.. x.Zip(weights[name], (value, weight) => value * scale * weight)];
    }

    /// <summary>A turn of the complex number x[i] + i·x[i + D/2] in every head.</summary>
    private double[] Rotate(double[] x, int position)
    {
        var y = new double[x.Length];
        var half = config.HeadSize / 2;
        for (var head = 0; head < x.Length; head += config.HeadSize)
            for (var i = 0; i < half; i++)
            {
                var turned = new System.Numerics.Complex(x[head + i], x[head + half + i])
                    * System.Numerics.Complex.FromPolarCoordinates(1, position / Math.Pow(config.Theta, (double)i / half));
                (y[head + i], y[head + half + i]) = (turned.Real, turned.Imaginary);
            }
        return y;
    }

    /// <summary>W x, W stored by rows of outputs.</summary>
    private double[] Multiply(string name, double[] x)
    {
        var weight = weights[name];
        return [.. Enumerable.Range(0, weight.Length / x.Length).Select(row => Dot(weight, row * x.Length, x, 0, x.Length))];
    }

    private static double Dot(double[] a, int atA, double[] b, int atB, int count)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++) sum += a[atA + i] * b[atB + i];
        return sum;
    }

    private static void Add(double[][] x, double[][] y)
    {
        for (var t = 0; t < x.Length; t++) x[t] = [.. x[t].Zip(y[t], (a, b) => a + b)];
    }
}
