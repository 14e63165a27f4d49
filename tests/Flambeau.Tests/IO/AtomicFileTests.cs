using Flambeau.IO;

namespace Flambeau.Tests.IO;

/// <summary>The hook belongs to the process: these tests run one after another and stop only at files of their own.</summary>
[CollectionDefinition("AtomicFile", DisableParallelization = true)]
public class AtomicFileCollection;

[Collection("AtomicFile")]
public sealed class AtomicFileTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    sealed class Stopped : Exception;

    [Fact]
    public void Content_is_replaced_and_nothing_is_left_beside_it()
    {
        string path = _folder.File("state");
        AtomicFile.WriteText(path, "one");
        AtomicFile.WriteText(path, "two");
        Assert.Equal("two", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Stopped_at_any_operation_the_old_or_the_new_content_is_whole()
    {
        string path = _folder.File("state");
        string[] operations = ["create", "write", "flush", "rename", .. OperatingSystem.IsWindows() ? Array.Empty<string>() : ["flush folder"]];
        var seen = new List<string>();
        for (int stop = 0; stop < operations.Length; stop++)
        {
            AtomicFile.BeforeOperation = null;
            AtomicFile.WriteText(path, "old");
            int count = 0;
            AtomicFile.BeforeOperation = operation =>
            {
                if (!operation.Contains(_folder.Path, StringComparison.Ordinal)) return;
                seen.Add(operation.Split(" /")[0]);
                if (count++ == stop) throw new Stopped();
            };
            try { Assert.Throws<Stopped>(() => AtomicFile.WriteText(path, "new")); }
            finally { AtomicFile.BeforeOperation = null; }
            Assert.Equal(stop <= 3 ? "old" : "new", File.ReadAllText(path));
            AtomicFile.WriteText(path, "next"); // whatever was left does not stand in the way
            Assert.Equal("next", File.ReadAllText(path));
        }
        if (!OperatingSystem.IsWindows()) Assert.Equal(operations, seen[^operations.Length..]);
    }

    [Fact]
    public void A_writer_that_throws_leaves_the_old_content_and_no_temporary_file()
    {
        string path = _folder.File("state");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<Stopped>(() => AtomicFile.Write(path, stream => { stream.WriteByte(1); throw new Stopped(); }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_missing_folder_is_an_IOException() => Assert.ThrowsAny<IOException>(() => AtomicFile.WriteText(_folder.File("no/where"), "x"));
}
