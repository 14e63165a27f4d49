using System.Runtime.InteropServices;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// Makes PyTorch's C++ library and TorchSharp's binding to it load. Call <see cref="Prepare"/> before anything of TorchSharp runs.
/// </summary>
internal static class TorchLibrary
{
    /// <summary>Where the NuGet packages put the shared objects, beside the running program.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");

    private static readonly Lazy<nint> Cpu = new(() => NativeLibrary.Load(Path.Combine(Folder, "libtorch_cpu.so")));
    private static readonly Lazy<nint> Binding = new(() => NativeLibrary.Load(Path.Combine(Folder, "libLibTorchSharp.so")));

    /// <summary>
    /// Relaxes the binding's copy in the output folder where the C++ run-time library is older than GCC 13's; does nothing elsewhere.
    /// </summary>
    /// <remarks>
    /// GCC 13 compiles every file that includes <c>&lt;iostream&gt;</c> into a reference to <c>std::ios_base_library_init()</c>, version
    /// GLIBCXX_3.4.32. No code calls it and no relocation names it: it exists so that the linker pulls the library in. Only the
    /// version's presence is checked when the library loads, and a requirement marked weak is not checked.
    /// </remarks>
    public static void Prepare()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new PlatformNotSupportedException(
                $"PyTorch's library: this project references the build for Linux on x64 only, and this is {RuntimeInformation.RuntimeIdentifier}.");
        if (HasStreamInitialization()) return;
        VersionNeeds.MarkWeak(Path.Combine(Folder, "libLibTorchSharp.so"), "GLIBCXX_3.4.32");
    }

    /// <summary>The address of a function of PyTorch's C++ library (a mangled C++ name) or of its copy of MKL.</summary>
    public static nint Function(string name) => NativeLibrary.GetExport(Cpu.Value, name);

    /// <summary>The address of a function of TorchSharp's C binding.</summary>
    public static nint BindingFunction(string name) => NativeLibrary.GetExport(Binding.Value, name);

    private static bool HasStreamInitialization() =>
        NativeLibrary.TryLoad("libstdc++.so.6", out var handle) && NativeLibrary.TryGetExport(handle, "_ZSt21ios_base_library_initv", out _);
}
