using Flambeau.Bench.Torch.Native;

namespace Flambeau.Oracle;

public class VersionNeedsTests
{
    private const string Version = "GLIBC_2.34"; // the binding needs it of the C library, and Prepare leaves it alone

    [Fact]
    public void Marking_a_version_weak_changes_one_bit_and_once_only()
    {
        var before = File.ReadAllBytes(Path.Combine(TorchLibrary.Folder, "libLibTorchSharp.so"));
        var after = before.ToArray();
        Assert.True(VersionNeeds.MarkWeak(after, Version));
        Assert.Equal(1, before.Zip(after).Sum(pair => int.PopCount(pair.First ^ pair.Second)));
        Assert.False(VersionNeeds.MarkWeak(after, Version));
    }

    [Fact]
    public void A_version_nobody_needs_changes_nothing() =>
        Assert.False(VersionNeeds.MarkWeak(File.ReadAllBytes(Path.Combine(TorchLibrary.Folder, "libLibTorchSharp.so")), "GLIBC_9.99"));

    [Fact]
    public void What_is_not_an_ELF_file_is_refused() =>
        Assert.Throws<InvalidDataException>(() => VersionNeeds.MarkWeak(new byte[64], Version));
}
