using Flambeau.Models.Tokenizers;

namespace Flambeau.Models.Training;

/// <summary>A text as token ids, cut into windows of context + 1: each is one sequence's inputs and, shifted by one, its targets.</summary>
public sealed class TokenWindows
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
    public int Count => (_ids.Length - 1) / _context;
    /// <summary>Tokens, the first included.</summary>
    public int Tokens => _ids.Length;

    /// <summary>Inputs and targets [windows, context] of the given windows.</summary>
    public (Tensor Inputs, Tensor Targets) Batch(ReadOnlySpan<int> windows)
    {
        var inputs = new int[windows.Length * _context];
        var targets = new int[windows.Length * _context];
        for (int b = 0; b < windows.Length; b++)
        {
            int start = windows[b] * _context;
            _ids.AsSpan(start, _context).CopyTo(inputs.AsSpan(b * _context));
            _ids.AsSpan(start + 1, _context).CopyTo(targets.AsSpan(b * _context));
        }
        var shape = Shape.Create([windows.Length, _context]);
        return (Tensor.FromArray(inputs, shape), Tensor.FromArray(targets, shape));
    }

    /// <summary>The text in order, window by window and the rest at last, as (inputs, targets) [1, n]: for evaluation over every token.</summary>
    public IEnumerable<(Tensor Inputs, Tensor Targets)> InOrder(int batch)
    {
        for (int w = 0; w < Count; w += batch) yield return Batch([.. Enumerable.Range(w, Math.Min(batch, Count - w))]);
        int done = Count * _context, rest = _ids.Length - 1 - done;
        if (rest > 0) yield return (Tensor.FromArray(_ids[done..^1], Shape.Create([1, rest])), Tensor.FromArray(_ids[(done + 1)..], Shape.Create([1, rest])));
    }
}

/// <summary>Which windows each step takes: a new order every epoch, decided by seed and epoch alone; resumable by the number of the step.</summary>
public sealed class WindowOrder(int windows, int batch, ulong seed)
{
    int[]? _order;
    long _epoch = -1;

    /// <summary>The windows of a step. Sequences run on across epochs, so every step has a full batch.</summary>
    public int[] Step(long step)
    {
        var result = new int[batch];
        for (int b = 0; b < batch; b++)
        {
            long position = step * batch + b;
            result[b] = Order(position / windows)[position % windows];
        }
        return result;
    }

    int[] Order(long epoch)
    {
        if (_epoch == epoch) return _order!;
        var order = Tensor.RandPerm(windows, new Generator(seed) { State = (seed, (ulong)epoch) }).ToArray<int>();
        (_order, _epoch) = (order, epoch);
        return order;
    }
}
