using Flambeau.Data;
using Flambeau.Models.Tokenizers;

namespace Flambeau.Models.Training;

/// <summary>A text as token ids, cut into windows of context + 1: each is one sequence's inputs and, shifted by one, its targets.</summary>
public sealed class TokenWindows : Dataset<int[]>
{
    readonly int[] _ids;
    readonly int _context;

    /// <summary>Encodes a text, an end-of-text token first, so that its first real token is predicted too.</summary>
    public TokenWindows(ITokenizer tokenizer, string text, int context, string name)
    {
        _ids = [tokenizer.EndOfText, .. tokenizer.EncodeOrdinary(text)];
        _context = context;
        if (Count == 0) throw new InvalidDataException($"The {name} text has {_ids.Length - 1} tokens, fewer than one sequence of {context + 1}; take a longer text (--data) or a preset with a shorter context.");
    }

    /// <summary>Whole windows.</summary>
    public override long Count => (_ids.Length - 1) / _context;
    /// <summary>Tokens, the first included.</summary>
    public int Tokens => _ids.Length;
    /// <summary>The tokens of a window, context + 1 of them; the last is the next window's first.</summary>
    public override int[] this[long index] => _ids.AsSpan((int)index * _context, _context + 1).ToArray();

    /// <summary>Windows as inputs and, shifted by one, targets: [windows, length − 1] each.</summary>
    public static (Tensor Inputs, Tensor Targets) Collate(IReadOnlyList<int[]> windows)
    {
        int length = windows[0].Length - 1;
        var inputs = new int[windows.Count * length];
        var targets = new int[windows.Count * length];
        for (int b = 0; b < windows.Count; b++)
        {
            windows[b].AsSpan(..^1).CopyTo(inputs.AsSpan(b * length));
            windows[b].AsSpan(1..).CopyTo(targets.AsSpan(b * length));
        }
        var shape = Shape.Create([windows.Count, length]);
        return (Tensor.FromArray(inputs, shape), Tensor.FromArray(targets, shape));
    }

    /// <summary>The text in order, window by window and the rest at last, as (inputs, targets) [1, n]: for evaluation over every token.</summary>
    public IEnumerable<(Tensor Inputs, Tensor Targets)> InOrder(int batch)
    {
        for (long w = 0; w < Count; w += batch)
            yield return Collate([.. Enumerable.Range(0, (int)Math.Min(batch, Count - w)).Select(i => this[w + i])]);
        int done = (int)Count * _context;
        if (done < _ids.Length - 1) yield return Collate([_ids[done..]]);
    }

    /// <summary>So many whole windows, evenly spread over the text and always the same: a sample of it. All of them if there are no more.</summary>
    public IEnumerable<(Tensor Inputs, Tensor Targets)> Spread(int windows, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(windows, 1);
        long taken = Math.Min(windows, Count);
        // the middle one of each equal part
        foreach (var places in Enumerable.Range(0, (int)taken).Select(i => (2 * i + 1) * Count / (2 * taken)).Chunk(batch))
            yield return Collate([.. places.Select(w => this[w])]);
    }
}
