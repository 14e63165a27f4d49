using System.Runtime.CompilerServices;
using Flambeau.Bench.Torch.Native;

namespace Flambeau.Oracle;

/// <summary>Makes PyTorch's library load, before any test can touch it.</summary>
internal static class TorchLoading
{
    [ModuleInitializer]
    internal static void Prepare()
    {
        TorchLibrary.Prepare();
        // small tensors: waiting for each other costs threads more than the work
        TorchSharp.torch.set_num_threads(1);
    }
}
