using System.Diagnostics;
using System.Text;

namespace Flambeau;

/// <summary>
/// A wrong use of Flambeau. The message says which operation, which law broke, what each operand was, and where in the user's code.
/// Nothing was changed: arguments are checked before any state is touched.
/// </summary>
public class FlambeauException : Exception
{
    /// <summary>An error with a ready message.</summary>
    public FlambeauException(string message) : base(message) { }
    /// <summary>An error with a ready message and its cause.</summary>
    public FlambeauException(string message, Exception? inner) : base(message, inner) { }
}

/// <summary>Words errors: operation, law, operands, the user's line.</summary>
internal static class Errors
{
    /// <summary>An error of <paramref name="operation"/>; operands are listed below the law.</summary>
    public static FlambeauException Make(string operation, string law, params ReadOnlySpan<(string Name, Tensor? Value)> operands)
    {
        var text = new StringBuilder($"{operation}: {law}");
        foreach (var (name, value) in operands)
            if (value is not null) text.Append($"\n  {name,-6} {value.DType.Name}{value.Shape}");
        if (UserLine() is { } line) text.Append($"\n  at {line}");
        return new(text.ToString());
    }

    /// <summary>The first frame outside Flambeau, with its source line where the file is at hand. Costs a stack walk: only for errors and anomaly mode.</summary>
    public static string? UserLine() => UserFrame() is not { } at ? null
        : SourceLine(at.File, at.Line) is { } source ? $"{Path.GetFileName(at.File)}:{at.Line}: {source}" : $"{Path.GetFileName(at.File)}:{at.Line}";

    /// <summary>As <see cref="UserLine"/>, without the text of the line: <c>Mlp.cs:31</c>.</summary>
    public static string? UserPlace() => UserFrame() is { } at ? $"{Path.GetFileName(at.File)}:{at.Line}" : null;

    static (string File, int Line)? UserFrame()
    {
        foreach (var frame in new StackTrace(2, true).GetFrames())
        {
            var method = DiagnosticMethodInfo.Create(frame);
            var assembly = method?.DeclaringAssemblyName.Split(',')[0];
            // what is generated for [Fuse] lies in the user's assembly, but is nothing that the user wrote
            if (assembly is null or "Flambeau" or "System.Private.CoreLib" || method!.DeclaringTypeName?.StartsWith("Flambeau.Generated.", StringComparison.Ordinal) == true) continue;
            return frame.GetFileName() is { } file && frame.GetFileLineNumber() > 0 ? (file, frame.GetFileLineNumber()) : null;
        }
        return null;
    }

    static string? SourceLine(string file, int line)
    {
        try { return File.Exists(file) ? File.ReadLines(file).Skip(line - 1).FirstOrDefault()?.Trim() : null; }
        catch (IOException) { return null; }
        catch (UnauthorizedAccessException) { return null; }
    }
}
