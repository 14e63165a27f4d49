using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Flambeau.Models.Data;

/// <summary>
/// The corpus that needs no download: the English of the reference documentation every .NET SDK carries, <c>packs/*/*/ref/*/*.xml</c> beside the <c>dotnet</c> in use. Some nine megabytes of
/// technical prose, one description a line, no line twice. It differs from SDK to SDK; <see cref="Corpus.Hash"/> says which text a model saw.
/// </summary>
public static class ReferenceCorpus
{
    /// <summary>Extracts the corpus from the SDK in use: files in ordinal order of their paths, of each pack the newest version.</summary>
    /// <exception cref="DirectoryNotFoundException">No SDK with reference documentation was found; the message lists where it was looked for.</exception>
    public static Corpus Load()
    {
        var looked = new List<string>();
        foreach (var root in DotnetRoots())
        {
            if (looked.Contains(root))
                continue;
            looked.Add(root);
            if (FindDocumentation(root) is { Count: > 0 } files)
                return Extract(root, files);
        }
        throw Absent(looked);
    }

    /// <summary>Extracts the corpus from the SDK in the folder <paramref name="dotnetRoot"/>, the one that holds <c>packs</c>.</summary>
    /// <inheritdoc cref="Load()"/>
    public static Corpus Load(string dotnetRoot) =>
        FindDocumentation(dotnetRoot) is { Count: > 0 } files ? Extract(dotnetRoot, files) : throw Absent([dotnetRoot]);

    private static Corpus Extract(string root, List<string> files)
    {
        var lines = new List<string>();
        var seenLines = new HashSet<string>(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
        var seenFiles = new HashSet<string>(); // packs share whole files: a third of their bytes
        var buffer = new byte[1 << 20];
        foreach (var file in files)
        {
            var xml = ReadInto(ref buffer, file);
            if (seenFiles.Add(Convert.ToHexString(SHA256.HashData(xml))))
                DocumentationText.Read(xml, Keep);
        }
        if (lines.Count == 0)
            throw new InvalidDataException($"ReferenceCorpus: the {files.Count} documentation files below {root} hold no text; give a text of your own with --data FILE.");
        return new Corpus(string.Join('\n', lines) + "\n", string.Create(CultureInfo.InvariantCulture, $"the .NET reference documentation ({files.Count} files below {Path.Join(root, "packs")})"));

        void Keep(ReadOnlySpan<char> line)
        {
            if (seenLines.Add(line))
                lines.Add(line.ToString());
        }
    }

    /// <summary>A file's bytes in a buffer used for all: fresh memory for each would cost more than reading them.</summary>
    private static ReadOnlySpan<byte> ReadInto(ref byte[] buffer, string file)
    {
        using var handle = File.OpenHandle(file, options: FileOptions.SequentialScan);
        var length = checked((int)RandomAccess.GetLength(handle));
        if (buffer.Length < length)
            buffer = new byte[Math.Max(length, buffer.Length * 2)];
        var filled = 0;
        while (filled < length && RandomAccess.Read(handle, buffer.AsSpan(filled..length), filled) is var count and > 0)
            filled += count;
        return buffer.AsSpan(0, filled);
    }

    private static List<string> FindDocumentation(string root)
    {
        var files = new List<string>();
        foreach (var pack in Folders(Path.Join(root, "packs")))
            if (Folders(pack).MaxBy(VersionOf) is { } newest)
                foreach (var framework in Folders(Path.Join(newest, "ref")))
                    files.AddRange(Directory.GetFiles(framework, "*.xml"));
        files.Sort(static (left, right) => string.CompareOrdinal(Portable(left), Portable(right)));
        return files;

        static string Portable(string path) => path.Replace('\\', '/');
    }

    private static string[] Folders(string path) => Directory.Exists(path) ? Directory.GetDirectories(path) : [];

    /// <summary>A key that sorts <c>9.0.1</c> before <c>10.0.0-rc.1</c> before <c>10.0.0</c>.</summary>
    private static (Version Number, bool IsRelease, string Name) VersionOf(string folder)
    {
        var name = Path.GetFileName(folder);
        return (Version.TryParse(name.Split('-')[0], out var number) ? number : new Version(0, 0), !name.Contains('-'), name);
    }

    /// <summary>Where the SDK may be, the most telling first; a folder may come twice.</summary>
    private static IEnumerable<string> DotnetRoots()
    {
        var host = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } named)
            yield return Path.TrimEndingDirectorySeparator(Path.GetFullPath(named));
        if (Environment.ProcessPath is { } process && Path.GetFileName(process) == host)
            yield return FolderOf(process);

        // <root>/shared/Microsoft.NETCore.App/<version>/
        var runtime = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        if (Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(runtime))) is { Length: > 0 } above)
            yield return above;

        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            if (File.Exists(Path.Join(folder, host)))
                yield return FolderOf(Path.Join(folder, host));
    }

    /// <summary>The folder of a file behind all its links: a <c>dotnet</c> on the path is often a link into the SDK.</summary>
    private static string FolderOf(string file) =>
        Path.GetDirectoryName(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? Path.GetFullPath(file))!;

    private static DirectoryNotFoundException Absent(IReadOnlyList<string> looked) => new(
        "ReferenceCorpus: no .NET SDK with reference documentation was found (packs/*/*/ref/*/*.xml); a runtime alone has none. Looked in\n"
        + string.Concat(looked.Select(root => $"  {root}\n"))
        + "Install the SDK, set DOTNET_ROOT to it, or give a text of your own with --data FILE.");
}
