using System.Buffers.Binary;
using System.Runtime.Versioning;
using System.Text;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// The symbol versions a shared object demands of the libraries it uses: section <c>.gnu.version_r</c> of an ELF file
/// (Linux Standard Base Core 5.0, chapter "Symbol Versioning"; System V gABI, "Object Files").
/// </summary>
internal static class VersionNeeds
{
    private const uint NeedsSection = 0x6FFF_FFFE; // SHT_GNU_verneed
    private const ushort Weak = 0x2;               // VER_FLG_WEAK: the loader does not insist on this version

    private static ReadOnlySpan<byte> Signature => [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1];

    /// <summary>
    /// Marks one version weak in a shared object. The file is replaced, never written in place, so a hard link to a package cache or a
    /// process that has it mapped keeps the old one. A file whose needs are already weak is left alone.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is not a little-endian 64-bit ELF file.</exception>
    [SupportedOSPlatform("linux")]
    public static void MarkWeak(string path, string version)
    {
        var file = File.ReadAllBytes(path);
        if (!MarkWeak(file, version)) return;

        var temporary = $"{path}.{Environment.ProcessId}";
        File.WriteAllBytes(temporary, file);
        File.SetUnixFileMode(temporary, File.GetUnixFileMode(path));
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>The same in memory; whether any flag changed.</summary>
    internal static bool MarkWeak(Span<byte> file, string version)
    {
        if (!file.StartsWith(Signature))
            throw new InvalidDataException("MarkWeak: expected a little-endian 64-bit ELF file (it begins 7F 45 4C 46 02 01).");

        var changed = false;
        foreach (var flags in FlagsOf(file, Encoding.ASCII.GetBytes(version)))
        {
            var old = BinaryPrimitives.ReadUInt16LittleEndian(file[flags..]);
            changed |= (old & Weak) == 0;
            BinaryPrimitives.WriteUInt16LittleEndian(file[flags..], (ushort)(old | Weak));
        }
        return changed;
    }

    /// <summary>Offsets of the flag words of every need of a version: a list of libraries, each with a list of versions.</summary>
    private static List<int> FlagsOf(ReadOnlySpan<byte> file, ReadOnlySpan<byte> version)
    {
        var found = new List<int>();
        var (start, strings) = FindSection(file);
        if (start == 0) return found;

        for (var library = start; ;)
        {
            var count = Word16(file, library + 2);
            var entry = library + Word32(file, library + 8);
            for (var i = 0; i < count; i++)
            {
                var name = file[(strings + Word32(file, entry + 8))..];
                if (name[..name.IndexOf((byte)0)].SequenceEqual(version)) found.Add(entry + 4);
                entry += Word32(file, entry + 12);
            }
            var next = Word32(file, library + 12);
            if (next == 0) return found;
            library += next;
        }
    }

    /// <summary>File offsets of the section of needs and of the strings it names; zeros where there is none.</summary>
    private static (int Start, int Strings) FindSection(ReadOnlySpan<byte> file)
    {
        var table = (int)BinaryPrimitives.ReadInt64LittleEndian(file[0x28..]);
        int size = Word16(file, 0x3A), count = Word16(file, 0x3C);
        for (var i = 0; i < count; i++)
        {
            var section = table + i * size;
            if ((uint)Word32(file, section + 4) != NeedsSection) continue;
            var strings = table + Word32(file, section + 0x28) * size;
            return (Offset(file, section), Offset(file, strings));
        }
        return (0, 0);
    }

    private static int Offset(ReadOnlySpan<byte> file, int section) => (int)BinaryPrimitives.ReadInt64LittleEndian(file[(section + 0x18)..]);
    private static int Word16(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file[at..]);
    private static int Word32(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadInt32LittleEndian(file[at..]);
}
