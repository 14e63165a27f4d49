using System.Runtime.CompilerServices;
using Flambeau.Bench.Torch.Native;

namespace Flambeau.Oracle;

/// <summary>Makes PyTorch's library load, before any test can touch it.</summary>
internal static class TorchLoading
{
    [ModuleInitializer]
    internal static void Prepare() => TorchLibrary.Prepare();
}
