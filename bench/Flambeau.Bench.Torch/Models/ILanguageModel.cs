using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Models;

/// <summary>A model from token ids [B, T] to logits [B, T, vocabulary].</summary>
internal interface ILanguageModel
{
    Parameters Parameters { get; }
    Tensor Logits(Tensor ids);
}
