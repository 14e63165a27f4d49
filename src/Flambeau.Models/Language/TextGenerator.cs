using Flambeau.Models.Tokenizers;

namespace Flambeau.Models.Language;

/// <summary>How the next token is drawn.</summary>
public sealed record SamplingOptions
{
    /// <summary>Logits are divided by it; 0 takes the likeliest token.</summary>
    public double Temperature { get; init; } = 0.8;
    /// <summary>Only this many of the likeliest tokens take part; 0 for all.</summary>
    public int TopK { get; init; } = 40;
    /// <summary>The most tokens to make.</summary>
    public int MaxTokens { get; init; } = 200;
    /// <summary>Decides the draws.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>Continues a text with a language model, token by token. The model sees the last tokens that fit its context.</summary>
public sealed class TextGenerator(Llama model, ITokenizer tokenizer)
{
    /// <summary>The continuation, piece by piece as it becomes certain; ends at the end-of-text token or after the most tokens.</summary>
    /// <exception cref="FlambeauException">The prompt is longer than the model's context.</exception>
    public IEnumerable<string> Continue(string prompt, SamplingOptions options)
    {
        List<int> ids = [tokenizer.EndOfText, .. tokenizer.EncodeOrdinary(prompt)];
        if (ids.Count > model.Config.Context)
            throw new FlambeauException($"Generate: the prompt has {ids.Count} tokens (end-of-text included), the model's context is {model.Config.Context}; shorten the prompt");
        return Pieces(ids, options);
    }

    IEnumerable<string> Pieces(List<int> ids, SamplingOptions options)
    {
        var decoder = new StreamingDecoder(tokenizer);
        var generator = new Generator(options.Seed);
        for (int made = 0; made < options.MaxTokens; made++)
        {
            int next = Next(ids, options, generator);
            if (next == tokenizer.EndOfText) break;
            ids.Add(next);
            if (decoder.Append(next) is { Length: > 0 } piece) yield return piece;
        }
        if (decoder.Finish() is { Length: > 0 } rest) yield return rest;
    }

    int Next(List<int> ids, SamplingOptions options, Generator generator)
    {
        using var _ = Autograd.NoGrad();
        int seen = Math.Min(ids.Count, model.Config.Context);
        var tokens = Tensor.FromArray(ids.GetRange(ids.Count - seen, seen).ToArray(), Shape.Create([1, seen]));
        float[] logits = model.Call(tokens).Select(1, -1).ToArray<float>();
        return Draw(logits, options, Tensor.Rand([1], DType.Float64, generator).Item());
    }

    // the likeliest TopK tokens by softmax at the temperature; u in [0, 1) picks one
    internal static int Draw(float[] logits, SamplingOptions options, double u)
    {
        var order = Enumerable.Range(0, logits.Length).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(options.Temperature == 0 ? 1 : options.TopK > 0 ? options.TopK : logits.Length).ToArray();
        if (order.Length == 1) return order[0];
        var weights = order.Select(i => Math.Exp((logits[i] - logits[order[0]]) / options.Temperature)).ToArray();
        double target = u * weights.Sum();
        for (int i = 0; i < order.Length; i++)
            if ((target -= weights[i]) < 0) return order[i];
        return order[^1];
    }
}
