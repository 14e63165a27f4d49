using System.Globalization;
using System.Text;

namespace Flambeau;

/// <summary>Writes tensors as PyTorch does: four decimals, one width for all, at most 80 columns, and of large ones three elements at each end of a dimension.</summary>
internal sealed class Printing
{
    const int Precision = 4, Threshold = 1000, EdgeItems = 3, LineWidth = 80, Indent = 7; // "tensor("

    readonly string[] _elements; // each of one width
    readonly long[] _sizes;      // of what is shown
    readonly bool[] _cut;        // dims of which only the ends are shown
    readonly int _width;

    Printing(Tensor x)
    {
        bool summarize = x.Numel > Threshold;
        var shown = x.Detached();
        _cut = new bool[x.Rank];
        for (int d = 0; d < x.Rank && summarize; d++)
        {
            long size = x.Shape.Sizes[d];
            if (!(_cut[d] = size > 2 * EdgeItems)) continue;
            shown = Tensor.Cat([shown.Narrow(d, 0, EdgeItems), shown.Narrow(d, size - EdgeItems, EdgeItems)], d);
        }
        _sizes = shown.Shape.Sizes;
        _elements = x.DType switch
        {
            DType.Bool => [.. shown.ToArray<bool>().Select(b => b ? "True" : "False")],
            _ when x.DType.IsFloatingPoint => Reals(shown.ToArray<double>(), out _width),
            _ => [.. shown.ToArray<long>().Select(i => i.ToString(CultureInfo.InvariantCulture))],
        };
        if (!x.DType.IsFloatingPoint) _width = _elements.Max(e => e.Length);
        for (int i = 0; i < _elements.Length; i++) _elements[i] = _elements[i].PadLeft(_width);
    }

    /// <summary>The whole text, with what is not plain to see behind the elements: size, type, history.</summary>
    public static string Text(Tensor x)
    {
        if (x.Level is { } level) return $"{level.Interpreter.Name}({x.DType.Name}{x.Shape}, value=\n    {Text(level.Value).Replace("\n", "\n    ", StringComparison.Ordinal)})";
        using var _ = Autograd.NoGrad();
        var suffixes = new List<string>();
        if (x.Numel == 0)
        {
            if (x.Rank != 1) suffixes.Add($"size=({string.Join(", ", x.Shape.Sizes)})");
            if (x.DType != DType.Float32) suffixes.Add($"dtype=torch.{x.DType.Name}");
        }
        else if (x.DType is not (DType.Float32 or DType.Int64 or DType.Bool)) suffixes.Add($"dtype=torch.{x.DType.Name}");
        if (x.GradFn is { } name) suffixes.Add($"grad_fn=<{name}Backward>");
        else if (x.RequiresGrad) suffixes.Add("requires_grad=True");
        return WithSuffixes("tensor(" + (x.Numel == 0 ? "[]" : new Printing(x).Nested(0, 0, Indent)), suffixes);
    }

    static string WithSuffixes(string text, List<string> suffixes)
    {
        var result = new StringBuilder(text);
        int lastLine = text.Length - text.LastIndexOf('\n') + 1;
        foreach (var suffix in suffixes)
        {
            bool fits = lastLine + suffix.Length + 2 <= LineWidth;
            result.Append(fits ? ", " : ",\n" + new string(' ', Indent)).Append(suffix);
            lastLine = fits ? lastLine + suffix.Length + 2 : Indent + suffix.Length;
        }
        return result.Append(')').ToString();
    }

    // ---- nesting ----

    string Nested(int dim, long start, int indent)
    {
        if (dim == _sizes.Length) return _elements[start];
        if (dim == _sizes.Length - 1) return Row(start, indent);
        long inner = 1;
        for (int d = dim + 1; d < _sizes.Length; d++) inner *= _sizes[d];
        var parts = new List<string>();
        for (long i = 0; i < _sizes[dim]; i++)
        {
            if (_cut[dim] && i == EdgeItems) parts.Add("...");
            parts.Add(Nested(dim + 1, start + i * inner, indent + 1));
        }
        string between = "," + new string('\n', _sizes.Length - dim - 1) + new string(' ', indent + 1);
        return "[" + string.Join(between, parts) + "]";
    }

    string Row(long start, int indent)
    {
        var parts = new List<string>();
        for (long i = 0; i < _sizes[^1]; i++)
        {
            if (_cut[^1] && i == EdgeItems) parts.Add(" ...");
            parts.Add(_elements[start + i]);
        }
        int perLine = Math.Max(1, (LineWidth - indent) / (_width + 2));
        return "[" + string.Join(",\n" + new string(' ', indent + 1), parts.Chunk(perLine).Select(line => string.Join(", ", line))) + "]";
    }

    // ---- numbers ----

    static string[] Reals(double[] values, out int width)
    {
        var counted = values.Where(v => double.IsFinite(v) && v != 0).ToArray();
        bool whole = counted.All(v => v == Math.Ceiling(v)), scientific = false;
        if (counted.Length > 0)
        {
            double greatest = counted.Max(Math.Abs), least = counted.Min(Math.Abs);
            scientific = greatest / least > 1000 || greatest > 1e8 || !whole && least < 1e-4;
        }
        string form(double v) => !double.IsFinite(v) ? double.IsNaN(v) ? "nan" : v > 0 ? "inf" : "-inf"
            : scientific ? Scientific(v) : whole ? v.ToString("F0", CultureInfo.InvariantCulture) + "." : Fixed(v);
        // zeros and what is not finite do not widen the columns
        width = counted.Length == 0 ? 1 : counted.Max(v => form(v).Length);
        return [.. values.Select(form)];
    }

    /// <summary>Four decimals, an exact tie to the even digit. Only odd multiples of 1/32 are ties: ….…5 in the fifth decimal.</summary>
    static string Fixed(double v) => Math.Abs(v) < 1e9 && v * 32 == Math.Floor(v * 32) && v != 0
        ? Math.Round((decimal)v, Precision, MidpointRounding.ToEven).ToString("F4", CultureInfo.InvariantCulture)
        : v.ToString("F4", CultureInfo.InvariantCulture);

    /// <summary>Four decimals and an exponent of at least two digits, an exact tie to the even digit.</summary>
    static string Scientific(double v)
    {
        // all digits: a tie ends in 5 and zeros
        var exact = Math.Abs(v).ToString("E60", CultureInfo.InvariantCulture);
        int e = exact.IndexOf('E', StringComparison.Ordinal);
        bool tie = exact[Precision + 2] == '5' && exact.AsSpan(Precision + 3, e - Precision - 3).IndexOfAnyExcept('0') < 0 && (exact[Precision + 1] - '0') % 2 == 0;
        var rounded = tie ? exact : Math.Abs(v).ToString("E4", CultureInfo.InvariantCulture);
        e = rounded.IndexOf('E', StringComparison.Ordinal);
        int exponent = int.Parse(rounded.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return $"{(double.IsNegative(v) ? "-" : "")}{rounded.AsSpan(0, Precision + 2)}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }
}
