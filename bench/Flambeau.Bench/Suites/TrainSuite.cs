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
        new("GPT 6x384 step", Unit.TokensPerSecond)
        {
            Work = 16 * 256,
            Ours = Case.Timed(() => Case.Warm(Training.Gpt().Step, Seconds)),
            Peer = Case.Torch("train.gpt"),
        },
        Llama("Llama 6x384 step", TrainingOptions.Presets["gpt"]),
    ];

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
