using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Native;

/// <summary>PyTorch's <c>torch.autocast("cpu", dtype)</c> on this thread until it is disposed of, by the C++ functions behind it: TorchSharp has no such scope.</summary>
internal readonly unsafe ref struct TorchAutocast : IDisposable
{
    private const sbyte Cpu = 0; // c10::DeviceType

    private static readonly delegate* unmanaged<sbyte, byte, void> Enable =
        (delegate* unmanaged<sbyte, byte, void>)TorchLibrary.Function("_ZN2at8autocast20set_autocast_enabledEN3c1010DeviceTypeEb");

    private static readonly delegate* unmanaged<sbyte, sbyte, void> SetType =
        (delegate* unmanaged<sbyte, sbyte, void>)TorchLibrary.Function("_ZN2at8autocast18set_autocast_dtypeEN3c1010DeviceTypeENS1_10ScalarTypeE");

    private static readonly delegate* unmanaged<void> ClearCache = (delegate* unmanaged<void>)TorchLibrary.Function("_ZN2at8autocast11clear_cacheEv");

    public TorchAutocast(ScalarType type)
    {
        SetType(Cpu, (sbyte)type);
        Enable(Cpu, 1);
    }

    public void Dispose()
    {
        Enable(Cpu, 0);
        ClearCache();
    }
}
