namespace Flambeau.Models.Data;

/// <summary>Documentation ids such as <c>M:System.String.Format(System.String,System.Object)</c> (C# standard, annex D).</summary>
internal static class DocumentationId
{
    /// <summary>
    /// What a reader calls it: a type by its own name (<c>String</c>), a member with its type's (<c>String.Format</c>), a constructor by its type, a namespace in full;
    /// without parameters and without the number of type parameters.
    /// </summary>
    public static byte[] ReadableName(ReadOnlySpan<byte> id)
    {
        var colon = id.IndexOf((byte)':');
        var kind = colon == 1 ? (char)id[0] : 'T';
        var path = id[(colon + 1)..];
        if (path.IndexOfAny("({["u8) is var parameters and >= 0)
            path = path[..parameters];
        if (kind == 'N')
            return path.ToArray();

        var isMember = kind is 'M' or 'P' or 'F' or 'E';
        var own = TakeLast(ref path);
        if (own.StartsWith("#"u8) && !path.IsEmpty) // a constructor
            return WithoutArity(TakeLast(ref path)).ToArray();
        var type = isMember ? TakeLast(ref path) : [];
        return type.IsEmpty ? WithoutArity(own).ToArray() : [.. WithoutArity(type), (byte)'.', .. WithoutArity(own)];
    }

    private static ReadOnlySpan<byte> TakeLast(ref ReadOnlySpan<byte> path)
    {
        var dot = path.LastIndexOf((byte)'.');
        var last = path[(dot + 1)..];
        path = path[..Math.Max(dot, 0)];
        return last;
    }

    private static ReadOnlySpan<byte> WithoutArity(ReadOnlySpan<byte> name) => name.IndexOf((byte)'`') is var tick and >= 0 ? name[..tick] : name;
}
