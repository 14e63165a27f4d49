using System.Diagnostics.CodeAnalysis;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Flambeau.Compile.Emit;

/// <summary>Writes the loops of a pass as one function: for each row each loop.</summary>
internal sealed unsafe class PassEmitter
{
    readonly ILGenerator _il;
    readonly LocalBuilder[] _at; // of pointers: where the row begins
    readonly LocalBuilder?[] _next; // of those that are fetched ahead: where the next one begins
    readonly LoopEmitter[] _loops;

    PassEmitter(LoopCode[] codes, bool[] ahead, int width, ILGenerator il)
    {
        _il = il;
        int pointers = ahead.Length;
        _next = new LocalBuilder?[pointers];
        _at = [.. Enumerable.Range(0, pointers).Select(_ => il.DeclareLocal(typeof(byte*)))];
        var pads = il.DeclareLocal(typeof(byte*));
        for (int k = 0; k < pointers; k++) Load(_at[k], k);
        Load(pads, pointers);
        _loops = new LoopEmitter[codes.Length];
        int operands = 0;
        for (int i = 0; i < codes.Length; i++)
        {
            _loops[i] = new(codes[i], il, width, _at, pads, operands) { HasConstantsByRow = codes.Length > 1 };
            operands += codes[i].Operands.Length;
        }
        Fetch(codes, ahead);
    }

    // While a row is computed the next one comes: a processor fetches ahead only of what it is reading. The inputs are dealt out among the loops, the heaviest first, so that memory is never idle.
    void Fetch(LoopCode[] codes, bool[] ahead)
    {
        var loops = _loops.Where(l => l.HasVectors).OrderByDescending(l => l.Weight).ToArray();
        if (loops.Length < 2 || !Sse.IsSupported) return;
        int turn = 0;
        foreach (var operand in codes.SelectMany(c => c.Operands).Where(o => o.Access == Access.Load && ahead[o.Pointer]).DistinctBy(o => o.Pointer))
            loops[turn++ % loops.Length].Fetches.Add((_next[operand.Pointer] = _il.DeclareLocal(typeof(byte*)), operand.Type.Size));
    }

    /// <summary>Compiles a pass for lanes of <paramref name="width"/> bits.</summary>
    /// <param name="codes">Its loops.</param>
    /// <param name="ahead">Of its pointers: whether they lead to memory that may be fetched ahead.</param>
    /// <param name="width">Bits of the vectors.</param>
    [RequiresDynamicCode("Emits code.")]
    public static PassFunction Compile(LoopCode[] codes, bool[] ahead, int width)
    {
        var method = new DynamicMethod("pass", null, [typeof(byte**), typeof(long*), typeof(long), typeof(long)], typeof(PassEmitter).Module, skipVisibility: true) { InitLocals = false };
        new PassEmitter(codes, ahead, width, method.GetILGenerator()).Write();
        var function = method.CreateDelegate<PassFunction>();
        RuntimeHelpers.PrepareDelegate(function);
        return function;
    }

    void Write()
    {
        Label row = _il.DefineLabel(), done = _il.DefineLabel();
        foreach (var loop in _loops) loop.Begin();
        _il.MarkLabel(row);
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Ble, done);
        for (int k = 0; k < _at.Length; k++) if (_next[k] is { } next) NextRow(k, next);
        foreach (var loop in _loops) loop.WriteRow();
        for (int k = 0; k < _at.Length; k++) NextRow(k, _at[k]);
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Ldc_I8, 1L);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Starg_S, (byte)2);
        _il.Emit(OpCodes.Br, row);
        _il.MarkLabel(done);
        foreach (var loop in _loops) loop.End();
        _il.Emit(OpCodes.Ret);
    }

    void Load(LocalBuilder pointer, int k)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, k * sizeof(byte*));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I);
        _il.Emit(OpCodes.Stloc, pointer);
    }

    void NextRow(int k, LocalBuilder to)
    {
        _il.Emit(OpCodes.Ldloc, _at[k]);
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldc_I4, k * sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, to);
    }
}
