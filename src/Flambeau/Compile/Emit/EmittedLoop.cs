using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using Flambeau.Compile.Loops;
using Flambeau.Ops;

namespace Flambeau.Compile.Emit;

/// <summary>A compiled loop: operands' addresses at the first row, bytes from row to row, rows, elements of a row.</summary>
internal unsafe delegate void LoopFunction(byte** operands, long* steps, long rows, long elements);

/// <summary>
/// A loop's code for the lanes in use. Loops that do the same, of whatever composite and at whatever sizes, share one function. With streams, what it may write past the caches goes past them.
/// </summary>
internal sealed class EmittedLoop(Loop loop, RowValue[] values, double[] constants, bool streams)
{
    static readonly ConcurrentDictionary<string, Lazy<LoopFunction>> s_functions = [];
    static readonly ConditionalWeakTable<object, object> s_numbers = [];
    static long s_count, s_ticks, s_numbered;

    LoopFunction? _function;
    int _width;

    /// <summary>How the function's operands are touched.</summary>
    public LoopOperand[] Operands { get; } = LoopCode.OperandsOf(loop, values, streams);

    /// <summary>How many functions were compiled, and how long that took.</summary>
    public static (long Count, TimeSpan Time) Compiled => (Interlocked.Read(ref s_count), Stopwatch.GetElapsedTime(0, Interlocked.Read(ref s_ticks)));

    /// <summary>The function for the width that kernels use now.</summary>
    public LoopFunction Function
    {
        get
        {
            if (_function is { } known && _width == Kernel.Width) return known;
            (_function, _width) = (Find(Kernel.Width), Kernel.Width);
            return _function;
        }
    }

    LoopFunction Find(int width) => s_functions.GetOrAdd(KeyOf(width), _ => new(() => Compile(width))).Value;

    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Plans have loops only where dynamic code is supported.")]
    LoopFunction Compile(int width)
    {
        long start = Stopwatch.GetTimestamp();
        using var _ = new LaneNode.Scope(true);
        var function = LoopEmitter.Compile(LoopCode.Of(loop, values, constants, streams), width, loop.Compute == DType.Float64 ? typeof(double) : typeof(float));
        Interlocked.Increment(ref s_count);
        Interlocked.Add(ref s_ticks, Stopwatch.GetTimestamp() - start);
        return function;
    }

    // what the code depends on: operators, types and constants, but no size
    string KeyOf(int width)
    {
        var key = new StringBuilder();
        var numbers = new Dictionary<int, int>();
        key.Append(width).Append(loop.Compute);
        foreach (var operand in Operands) key.Append(' ').Append((int)operand.Access).Append((char)('a' + (int)operand.Type));
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
        return key.ToString();

        void Append(int v)
        {
            if (LoopCode.IsImmediate(values[v], constants)) key.Append(" #").Append(BitConverter.DoubleToInt64Bits(constants[values[v].Index])).Append((char)('a' + (int)values[v].Type));
            else key.Append(' ').Append(numbers[v]);
        }
    }

    static string NumberOf(object op) => (string)s_numbers.GetValue(op, _ => $"o{Interlocked.Increment(ref s_numbered)}");
}
