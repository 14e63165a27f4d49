using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using Flambeau.Compile.Loops;
using Flambeau.Ops;

namespace Flambeau.Compile.Emit;

/// <summary>A compiled pass: addresses at the first row and after them that of scratch memory, bytes from row to row, rows, elements of a row.</summary>
internal unsafe delegate void PassFunction(byte** pointers, long* steps, long rows, long elements);

/// <summary>
/// A pass's code for the lanes in use. Passes that do the same, of whatever composite and at whatever sizes, share one function. With streams, what it may write past the caches goes past them.
/// </summary>
internal sealed class EmittedPass(Pass pass, RowValue[] values, double[] constants, Streams streams)
{
    static readonly ConcurrentDictionary<string, Lazy<PassFunction>> s_functions = [];
    static readonly ConditionalWeakTable<object, object> s_numbers = [];
    static long s_count, s_ticks, s_numbered;

    PassFunction? _function;
    int _width;

    /// <summary>How each loop touches its operands.</summary>
    public LoopOperand[][] Operands { get; } = Array.ConvertAll(pass.Loops, l => LoopCode.OperandsOf(l, pass, values, streams));

    /// <summary>How many functions were compiled, and how long that took.</summary>
    public static (long Count, TimeSpan Time) Compiled => (Interlocked.Read(ref s_count), Stopwatch.GetElapsedTime(0, Interlocked.Read(ref s_ticks)));

    /// <summary>The function for the width that kernels use now.</summary>
    public PassFunction Function
    {
        get
        {
            if (_function is { } known && _width == Kernel.Width) return known;
            (_function, _width) = (Find(Kernel.Width), Kernel.Width);
            return _function;
        }
    }

    PassFunction Find(int width) => s_functions.GetOrAdd(KeyOf(width), _ => new(() => Compile(width))).Value;

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Plans have passes only where dynamic code is supported.")]
    PassFunction Compile(int width)
    {
        long start = Stopwatch.GetTimestamp();
        using var _ = new LaneNode.Scope(true);
        var function = PassEmitter.Compile(Array.ConvertAll(pass.Loops, l => LoopCode.Of(l, pass, values, constants, streams)), Array.ConvertAll(pass.Pointers, MayFetch), width);
        Interlocked.Increment(ref s_count);
        Interlocked.Add(ref s_ticks, Stopwatch.GetTimestamp() - start);
        return function;
    }

    bool MayFetch(Pointer pointer) => pointer.Target == Target.Value && values[pointer.Number].Place == Place.Input;

    // what the code depends on: operators, types and constants, but no size
    string KeyOf(int width)
    {
        var key = new StringBuilder().Append(width);
        for (int i = 0; i < pass.Loops.Length; i++) Append(key, pass.Loops[i], Operands[i]);
        return key.ToString();
    }

    void Append(StringBuilder key, Loop loop, LoopOperand[] operands)
    {
        var numbers = new Dictionary<int, int>();
        key.Append('\n').Append(loop.Compute);
        foreach (var (access, type, pointer) in operands) key.Append(' ').Append((int)access).Append((char)((MayFetch(pass.Pointers[pointer]) ? 'A' : 'a') + (int)type)).Append(pointer);
        foreach (int v in loop.Loads) numbers[v] = numbers.Count;
        foreach (var instruction in loop.Code)
        {
            key.Append('\n').Append(instruction is Instruction.Map map ? NumberOf(map.Op) : instruction is Instruction.Cast ? "c" : instruction is Instruction.OneHot ? "h" : instruction is Instruction.Draw ? "r" : "s").Append((char)('a' + (int)values[instruction.Result].Type));
            foreach (int v in instruction.Operands) Append(v);
            numbers[instruction.Result] = numbers.Count;
        }
        foreach (int v in loop.Stores) Append(v);
        foreach (var fold in loop.FoldColumns) { key.Append('|').Append(NumberOf(fold.Op.GetType())); Append(fold.Operand); }
        foreach (var fold in loop.FoldRows) { key.Append('-').Append(NumberOf(fold.Op.GetType())); Append(fold.Operand); }

        void Append(int v)
        {
            if (LoopCode.IsImmediate(values[v], constants)) key.Append(" #").Append(BitConverter.DoubleToInt64Bits(constants[values[v].Index])).Append((char)('a' + (int)values[v].Type));
            else key.Append(' ').Append(numbers[v]);
        }
    }

    static string NumberOf(object op) => (string)s_numbers.GetValue(op, _ => $"o{Interlocked.Increment(ref s_numbered)}");
}
