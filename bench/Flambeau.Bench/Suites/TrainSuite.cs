using Flambeau.Bench.Models;
using Flambeau.Models.Language;
using Flambeau.Models.Training;

namespace Flambeau.Bench.Suites;

/// <summary>Whole training steps, in tokens a second, after some seconds of them: until then the just-in-time compiler takes a core of its own to improve what runs.</summary>
internal sealed class TrainSuite : ISuite
{
    /// <summary>Before steps are timed.</summary>
    public const double Seconds = 4;

    public string Name => "train";

    public IEnumerable<Case> Cases(Options options) =>
    [
        Llama("default model step", TrainingOptions.Presets["default"]),
        Gpt("GPT 6x384 step", 16 * 256, DType.Float32, () => Training.Gpt()),
        Gpt("GPT 6x384 step", 16 * 256, DType.BFloat16, () => Training.Gpt(type: DType.BFloat16)),
        Gpt("GPT 6x384 autocast step", 16 * 256, DType.BFloat16, () => Training.Gpt(autocast: true)),
        Llama("Llama 6x384 step", TrainingOptions.Presets["gpt"]),
        .. from type in (DType[])[DType.Float32, DType.BFloat16]
           select Gpt("GPT-2 124M step", 512, type, () => Training.Gpt2(type), new { layers = 12, width = 768, heads = 12, context = 512, batch = 1, vocabulary = 50257 }),
    ];

    private static Case Gpt(string name, double tokens, DType type, Func<Training> make, object? sizes = null) => new(name, Unit.TokensPerSecond)
    {
        DType = type.Name,
        Work = tokens,
        Ours = Case.Timed(() => Case.Warm(make().Step, Seconds)),
        Peer = type == DType.Float32 ? Case.Torch("train.gpt", sizes) : Case.FastestTorch("train.gpt", "mixed", ["autocast", "masters", "none"], sizes),
    };

    private static Case Llama(string name, TrainingOptions o) => new(name, Unit.TokensPerSecond)
    {
        Work = o.Batch * o.Context,
        Ours = Case.Timed(() =>
        {
            var model = new Llama(o.Model(o.Vocabulary, endOfText: 0));
            return Case.Warm(new Training(model, o.Batch, o.Context, o.Vocabulary, model.Loss).Step, Seconds);
        }),
        Peer = Case.Torch("train.llama", new
        {
            layers = o.Layers, width = o.HiddenSize, heads = o.Heads, kv_heads = o.KeyValueHeads, hidden = o.IntermediateSize,
            context = o.Context, batch = o.Batch, vocabulary = o.Vocabulary, tied = true,
        }),
    };
}
