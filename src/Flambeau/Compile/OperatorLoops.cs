using System.Runtime.CompilerServices;
using Flambeau.Compile.Emit;
using Flambeau.Compile.Loops;
using Flambeau.Ops;
using Flambeau.Runtime;

namespace Flambeau.Compile;

/// <summary>
/// An elementwise operator's emitted loops, one for each way that its operands and its result lie in memory: types, rows, numbers a row. They read and round narrow types in registers and write large results
/// past the caches. No size is part of a loop. The bits are those of the operator's kernel.
/// </summary>
internal sealed class OperatorLoops(ElementwiseOp op)
{
    /// <summary>Elements from which on finding a loop pays. Tests set it.</summary>
    public static long Least { get; set; } = 4096;

    /// <summary>Elements that an operator's kernel has worked on before a loop is compiled in its place: compiling takes about as long. Tests set it.</summary>
    public static long Worth { get; set; } = 1 << 24;

    const int Heavy = 25; // additions: where a loop's vectors go side by side, a kernel's wait for themselves

    readonly bool _hasForm = !op.IsInteger && LoopCode.HasForm(op.Expression);

    /// <summary>True if the loops are faster than the kernel on contiguous operands in cache too.</summary>
    public bool AlwaysGain { get; } = !op.IsInteger && !op.Kernel.YieldsMask && (op.Kernel is ExprKernel || LoopCode.Weight(op.Expression) >= Heavy);

    volatile Form[] _forms = [];

    sealed class Form(ulong key, EmittedPass pass)
    {
        public readonly ulong Key = key;
        public readonly EmittedPass Pass = pass;
        public long Work; // counted without care: a lost count delays a loop, no more
    }

    /// <summary>True if there is a loop for these operands and this result.</summary>
    public bool Take(DType compute, Tensor y, ReadOnlySpan<Tensor> x)
    {
        if (!_hasForm || !(op.Kernel.YieldsMask ? compute.IsFloatingPoint && y.DType == DType.Bool : IsComputedIn(compute, y.DType))) return false;
        foreach (var operand in x)
            if (operand.Shape.Count != 1 && !IsReadIn(compute, operand.DType)) return false;
        return true;
    }

    static bool IsComputedIn(DType compute, DType type) => type == compute || compute == DType.Float32 && type is DType.BFloat16 or DType.Float16;

    static bool IsReadIn(DType compute, DType type) => compute.IsFloatingPoint && (type == DType.Bool || IsComputedIn(compute, type) || type == DType.UInt8 && compute == DType.Float32);

    /// <summary>The loop over such operands, the result last; null while too little work was done to compile one.</summary>
    public PassFunction? Find(DType compute, ReadOnlySpan<LoopOperand> operands, long elements)
    {
        ulong key = compute == DType.Float64 ? 1UL : 0;
        foreach (var operand in operands) key = key << 7 | (uint)operand.Access << 4 | (uint)operand.Type;
        var form = Known(key) ?? Add(key, compute, operands);
        long work = form.Work;
        if (work < Worth && (form.Work = work + elements) < Worth) return null;
        return form.Pass.Function;
    }

    Form? Known(ulong key)
    {
        foreach (var form in _forms) if (form.Key == key) return form;
        return null;
    }

    Form Add(ulong key, DType compute, ReadOnlySpan<LoopOperand> operands)
    {
        lock (this)
        {
            if (Known(key) is { } known) return known;
            var form = new Form(key, Make(compute, operands));
            _forms = [.. _forms, form];
            return form;
        }
    }

    EmittedPass Make(DType compute, ReadOnlySpan<LoopOperand> operands)
    {
        var values = new List<RowValue>();
        var code = new List<Instruction>();
        int arity = operands.Length - 1;
        for (int k = 0; k < arity; k++)
            values.Add(new(operands[k].Access switch { Access.Load => Extent.Full, Access.Shared => Extent.Column, _ => Extent.Row }, operands[k].Type, Place.Input, k));
        int[] given = [.. Enumerable.Range(0, arity).Select(k => Cast(k, compute))];
        int y = Add(op.Kernel.YieldsMask ? DType.Bool : compute);
        code.Add(new Instruction.Map(y, given, op, compute));
        y = Cast(y, operands[arity].Type);
        var streams = operands[arity].Access == Access.Stream ? Streams.Shifted : Streams.None;
        var loop = new Loop(Extent.Full, compute, [.. code], [.. Enumerable.Range(0, arity)], [y], [y], [], []);
        return new(new Pass([loop]), [.. values], [], streams);

        int Add(DType type)
        {
            values.Add(new(Extent.Full, type, Place.Slot, -1));
            return values.Count - 1;
        }

        int Cast(int value, DType type)
        {
            if (values[value].Type == type) return value;
            int result = Add(type);
            code.Add(new Instruction.Cast(result, value));
            return result;
        }
    }
}
