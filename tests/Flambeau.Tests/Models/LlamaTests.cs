using Flambeau.Models.Language;

namespace Flambeau.Tests.Models;

/// <summary>The whole model: its fused passes against the same operators one by one.</summary>
public class LlamaTests
{
    // sizes of whole vectors, as real models have them
    [Fact]
    public void Gradients_of_the_loss_are_those_of_the_operators_one_by_one()
    {
        var model = new Llama(new LlamaConfig
        {
            VocabularySize = 128, HiddenSize = 64, IntermediateSize = 96, Layers = 2, Heads = 2, KeyValueHeads = 1, HeadSize = 32, Context = 160, EndOfText = 0, Notes = new Dictionary<string, string>(),
        }, generator: new Generator(1));
        Tensor tokens = Tensor.RandInt(0, 128, [4, 160], generator: new Generator(2)), targets = Tensor.RandInt(0, 128, [4, 160], generator: new Generator(3));
        double[][] Gradients(Func<Tensor> loss) => [.. Autograd.Grad([loss()], [.. model.Parameters()], null).Select(g => g!.ToArray<double>())];
        double[][] fused = Gradients(() => model.Loss(tokens, targets)), plain;
        Settings.Fusion = false;
        try { plain = Gradients(() => model.Call(tokens).Flatten(0, 1).CrossEntropy(targets.Flatten())); }
        finally { Settings.Fusion = true; }
        for (int p = 0; p < plain.Length; p++)
        {
            double largest = plain[p].Max(Math.Abs);
            for (int i = 0; i < plain[p].Length; i++) Assert.Equal(plain[p][i], fused[p][i], 1e-3 * largest);
        }
    }
}
