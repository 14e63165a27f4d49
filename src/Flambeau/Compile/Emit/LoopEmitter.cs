using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Intrinsics.X86;
using Flambeau.Ops;

namespace Flambeau.Compile.Emit;

/// <summary>
/// Writes a <see cref="LoopCode"/>, a row of it at a time, as IL:
/// <code>
/// what does not vary along the row; chains begin with their identity
/// for (i = 0; i + Unroll·V ≤ n; i += Unroll·V)   Unroll vectors, a few of them side by side
/// for (; i &lt; n; i += V)                          a vector by itself; the last reaches into the next row, which is written later
/// the chains are joined by halving: chain j with chain j + C/2, then j + C/4, …
/// </code>
/// Where no next row is there to reach into, and in what all rows share, the rest of the row is worked on in padded copies. A loop that writes past the caches and may begin anywhere in a row begins where a line does; elements
/// before the first such place and after the last are computed as parts of whole vectors inside the row, and they alone are written.
/// A load that one operation uses is part of it; other values have a local, reused when it is free: the JIT gives up on methods with too many.
/// </summary>
internal sealed unsafe class LoopEmitter
{
    /// <summary>Bytes of an operand's chains, or of its padded copy.</summary>
    public const int ChainBytes = ReductionOp.ChainBytes;

    /// <summary>Elements of a row from which on its two ends cost little where its vectors begin with lines.</summary>
    public const long LeastShifted = 256;

    const int Line = LaneMemory.StreamBytes;
    const int LightBody = 6; // additions of a body that leaves room for chains in registers

    readonly LoopCode _code;
    readonly ILGenerator _il;
    readonly VectorCode _vector;
    readonly Type _element;
    readonly int _unroll;               // vectors of the loop's body
    readonly bool _chainsInRegisters;
    readonly LocalBuilder[] _at;        // of operands: where the row begins
    readonly LocalBuilder _pads;        // scratch memory of the pass
    readonly int _firstPad;             // of this loop's operands
    readonly LocalBuilder[] _restAt;    // of operands: where it would begin if its rest, or the copy of that, followed
    readonly LocalBuilder _i, _whole, _reach, _isInside; // elements that the body does; elements of whole vectors that cover the others; whether the row's rest is worked on in place
    readonly LocalBuilder _row, _pad, _j; // of a copy
    readonly bool _shifts;              // begins where a line does
    readonly LocalBuilder _count, _first, _isTail; // of an edge: elements that are written, the first one's lane, whether it is the row's end
    readonly Dictionary<LaneNode, LocalBuilder> _invariants = [];
    readonly Dictionary<LaneNode, LocalBuilder> _constants = []; // those that stay in registers
    readonly LocalBuilder[][] _chains;  // of operands: a local for each vector of chains
    readonly HashSet<LaneNode> _marked = [], _varying = [];
    readonly HashSet<LaneNode> _heldMasks = []; // masks that something else than a choice or another such mask reads
    readonly HashSet<LaneNode> _ofTwo = []; // vectors: computed for both at once
    readonly Stack<LocalBuilder> _free = [];

    // of the vector that is being written
    Dictionary<LaneNode, int> _uses = [];
    readonly Dictionary<LaneNode, LocalBuilder[]> _held = [];
    int _part;          // its number in the unrolled body
    int _beside;        // how many go side by side
    bool _isRest, _isEdge;

    /// <param name="code">The loop.</param>
    /// <param name="il">The function's code.</param>
    /// <param name="width">Bits of its lanes.</param>
    /// <param name="at">Of the pass's pointers: where the row begins.</param>
    /// <param name="pads">Its scratch memory: <see cref="ChainBytes"/> for each operand of each loop.</param>
    /// <param name="firstPad">How many operands the loops before have.</param>
    public LoopEmitter(LoopCode code, ILGenerator il, int width, LocalBuilder[] at, LocalBuilder pads, int firstPad)
    {
        (_code, _il, _element, _pads, _firstPad) = (code, il, code.Element, pads, firstPad);
        _vector = new(il, width, code.Element);
        _at = Array.ConvertAll(code.Operands, o => at[o.Pointer]);
        _restAt = Array.ConvertAll(code.Operands, _ => il.DeclareLocal(typeof(byte*)));
        (_i, _whole, _reach, _isInside) = (il.DeclareLocal(typeof(long)), il.DeclareLocal(typeof(long)), il.DeclareLocal(typeof(long)), il.DeclareLocal(typeof(bool)));
        (_row, _pad, _j) = (il.DeclareLocal(typeof(byte*)), il.DeclareLocal(typeof(byte*)), il.DeclareLocal(typeof(long)));
        (_count, _first, _isTail) = (il.DeclareLocal(typeof(long)), il.DeclareLocal(typeof(long)), il.DeclareLocal(typeof(bool)));
        _shifts = Array.Exists(code.Operands, o => o.Access == Access.Stream) && code.BeginsAnywhere;
        _chains = new LocalBuilder[code.Operands.Length][];
        foreach (var (_, node) in code.Writes.Concat(code.LastWrites)) Mark(node);
        foreach (var writes in (ReadOnlySpan<(int, LaneNode Node)[]>)[code.Writes, code.LastWrites]) MarkMasks(writes);
        int vectors = ChainBytes / (width / 8), chains = code.Identities.Count * vectors, registers = width == 512 || Avx512F.VL.IsSupported ? 32 : 16;
        _chainsInRegisters = chains > 0 && chains <= registers / 2 && Weight <= LightBody;
        _beside = Beside(registers, _chainsInRegisters ? chains : 0);
        _unroll = _chainsInRegisters ? vectors : _beside;
    }

    // How many vectors go side by side, and which constants stay in registers beside them: loaded for each operation, a constant takes as long as it.
    int Beside(int registers, int chains)
    {
        // a row's number and what an operation needs in between take registers too, and constants that are loaded where they are needed
        int between = registers == 32 || Uses(_code.Writes).Keys.Any(n => n.Op is LaneOp.Scale or LaneOp.ScaleByFloor or LaneOp.Lookup16) ? 5 : 3;
        int live = Registers(), room = (registers - between - chains) / live, beside = room >= 4 ? 4 : room >= 2 ? 2 : 1;
        if (registers == 32)
            foreach (var constant in Constants().Take(registers - between - chains - beside * live)) _constants.Add(constant, _il.DeclareLocal(_vector.Vector));
        return beside;
    }

    // of the loop's body, those first that most operations read
    List<LaneNode> Constants() =>
        [.. InOrder(_code.Writes).Where(_varying.Contains).SelectMany(n => n.Args).Where(n => IsConstant(n) && n.Op != LaneOp.ScheduleWord).CountBy(n => n).OrderByDescending(n => n.Value).Select(n => n.Key)];

    void LoadConstants()
    {
        foreach (var (constant, local) in _constants)
        {
            _vector.Emit(constant, Push);
            _il.Emit(OpCodes.Stloc, local);
        }
    }

    int Step => _unroll * _vector.Count;

    /// <summary>About how many additions a vector takes.</summary>
    public int Weight => Uses(_code.Writes).Keys.Sum(n => n.Weight);

    public bool HasVectors => _code.HasVectors;

    /// <summary>True if other loops need the registers of this one's constants in between.</summary>
    public bool HasConstantsByRow { get; init; }

    /// <summary>Operands whose next row is asked for while this one is worked on: where it begins, and bytes an element.</summary>
    public List<(LocalBuilder Next, int Size)> Fetches { get; } = [];

    /// <summary>Before the first row.</summary>
    public void Begin()
    {
        if (!_code.HasVectors) return;
        if (!HasConstantsByRow) LoadConstants();
        if (_shifts) return;
        MultipleOf(Step, 0, _whole);
        MultipleOf(_vector.Count, _vector.Count - 1, _reach);
        ForShared(fill: true);
    }

    /// <summary>After the last.</summary>
    public void End()
    {
        if (_code.HasVectors && !_shifts) ForShared(fill: false);
    }

    // (the row's elements + more) cut to a multiple of a power of two
    void MultipleOf(int count, int more, LocalBuilder local)
    {
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Ldc_I8, (long)more);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldc_I8, (long)-count);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Stloc, local);
    }

    /// <summary>One row.</summary>
    public void WriteRow()
    {
        if (HasConstantsByRow) LoadConstants();
        WriteInvariants();
        if (_shifts) WriteShifted();
        else if (_code.HasVectors) WriteVectors();
        else foreach (var (operand, node) in _code.Writes) WriteNumber(operand, node);
    }

    // the same in all lanes
    void WriteNumber(int k, LaneNode node)
    {
        int size = _code.Operands[k].Type.Size;
        _il.Emit(OpCodes.Ldloc, _at[k]);
        PushInvariant(node);
        if (size == 8 || size == 4 && _element == typeof(float)) _vector.First();
        else _vector.FirstBits();
        if (size == 1)
        {
            _il.Emit(OpCodes.Ldc_I4_1); // of a mask
            _il.Emit(OpCodes.And);
        }
        _il.Emit(size switch { 1 => OpCodes.Stind_I1, 2 => OpCodes.Stind_I2, 4 => OpCodes.Stind_R4, _ => OpCodes.Stind_R8 });
    }

    void WriteVectors()
    {
        BeginChains();
        Label body = _il.DefineLabel(), test = _il.DefineLabel(), end = _il.DefineLabel();
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Stloc, _i);
        _il.Emit(OpCodes.Br, test);
        _il.MarkLabel(body);
        Fetch(Step);
        WriteVectors(_code.Writes, _unroll);
        Advance(Step);
        _il.MarkLabel(test);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldloc, _whole);
        _il.Emit(OpCodes.Blt, body);
        IfNoRest(end);
        if (_chainsInRegisters) foreach (int k in _code.Identities.Keys) MoveChains(k, toMemory: true);
        WriteRest();
        if (_chainsInRegisters) foreach (int k in _code.Identities.Keys) MoveChains(k, toMemory: false);
        _il.MarkLabel(end);
        JoinChains();
    }

    // the lines that the next row has where the loop stands
    void Fetch(int elements)
    {
        foreach (var (next, size) in Fetches)
            for (int bytes = 0; bytes < elements * size; bytes += Line) Fetch(next, size, bytes);
    }

    void Fetch(LocalBuilder next, int size, int bytes)
    {
        _il.Emit(OpCodes.Ldloc, next);
        Elements(_i, size);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldc_I4, bytes);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Call, new Action<nint>(LaneMemory.Fetch).Method);
    }

    void Advance(int elements)
    {
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldc_I8, (long)elements);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _i);
    }

    void IfNoRest(Label end)
    {
        _il.Emit(OpCodes.Ldloc, _whole);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Beq, end);
    }

    // ---- once a row ----

    void WriteInvariants()
    {
        foreach (var node in InOrder(_code.LastWrites))
        {
            if (_varying.Contains(node) || IsConstant(node)) continue;
            if (!_invariants.TryGetValue(node, out var local)) local = _il.DeclareLocal(_vector.Vector);
            if (node.Op == LaneOp.Input) Broadcast((int)node.Payload);
            else _vector.Emit(node, PushInvariant);
            _il.Emit(OpCodes.Stloc, local);
            _invariants[node] = local;
        }
    }

    void PushInvariant(LaneNode node)
    {
        if (_invariants.TryGetValue(node, out var local)) _il.Emit(OpCodes.Ldloc, local);
        else PushConstant(node);
    }

    void Broadcast(int k)
    {
        _il.Emit(OpCodes.Ldloc, _at[k]);
        switch (_code.Operands[k].Type)
        {
            case DType.Float32: _il.Emit(OpCodes.Ldind_R4); _vector.Create(typeof(float)); return;
            case DType.Float64: _il.Emit(OpCodes.Ldind_R8); _vector.Create(typeof(double)); return;
            case DType.Int64: // the number of a column
                _il.Emit(OpCodes.Ldind_I8);
                _il.Emit(_element == typeof(double) ? OpCodes.Conv_R8 : OpCodes.Conv_R4);
                _vector.Create(_element);
                return;
            case DType.BFloat16 or DType.Float16: _il.Emit(OpCodes.Ldind_U2); break;
            default: _il.Emit(OpCodes.Ldind_U1); break;
        }
        if (_element == typeof(double)) _il.Emit(OpCodes.Conv_U8);
        _vector.Create(_element == typeof(double) ? typeof(long) : typeof(int));
        _vector.FromInteger();
    }

    // ---- chains ----

    void BeginChains()
    {
        foreach (var (k, identity) in _code.Identities)
        {
            _chains[k] ??= [.. Enumerable.Range(0, ChainBytes / (_vector.Width / 8)).Select(_ => _il.DeclareLocal(_vector.Vector))];
            for (int v = 0; v < _chains[k].Length; v++)
            {
                PushInvariant(identity);
                if (_chainsInRegisters) _il.Emit(OpCodes.Stloc, _chains[k][v]);
                else { ChainAddress(k, v); _vector.Store(); }
            }
        }
    }

    void MoveChains(int k, bool toMemory)
    {
        for (int v = 0; v < _chains[k].Length; v++)
        {
            if (toMemory) _il.Emit(OpCodes.Ldloc, _chains[k][v]);
            ChainAddress(k, v);
            if (toMemory) _vector.Store();
            else { _vector.Load(); _il.Emit(OpCodes.Stloc, _chains[k][v]); }
        }
    }

    void JoinChains()
    {
        foreach (int k in _code.Identities.Keys)
        {
            if (!_chainsInRegisters) MoveChains(k, toMemory: false);
            var vector = _vector;
            for (int half = _chains[k].Length / 2; half > 0; half /= 2)
                for (int v = 0; v < half; v++)
                {
                    Join(vector, k, _chains[k][v], _chains[k][v + half]);
                    _il.Emit(OpCodes.Stloc, _chains[k][v]);
                }
            var all = _chains[k][0];
            for (int width = vector.Width; width > 128; width /= 2)
            {
                VectorCode wide = vector, narrow = new(_il, width / 2, _element);
                LocalBuilder lower = _il.DeclareLocal(narrow.Vector), upper = _il.DeclareLocal(narrow.Vector);
                foreach (var (part, name) in new[] { (lower, "GetLower"), (upper, "GetUpper") })
                {
                    _il.Emit(OpCodes.Ldloc, all);
                    wide.Half(name);
                    _il.Emit(OpCodes.Stloc, part);
                }
                Join(narrow, k, lower, upper);
                _il.Emit(OpCodes.Stloc, all = lower);
                vector = narrow;
            }
            var rotated = _il.DeclareLocal(vector.Vector);
            for (int distance = vector.Count / 2; distance > 0; distance /= 2)
            {
                _il.Emit(OpCodes.Ldloc, all);
                vector.Rotate(distance);
                _il.Emit(OpCodes.Stloc, rotated);
                Join(vector, k, all, rotated);
                _il.Emit(OpCodes.Stloc, all);
            }
            _il.Emit(OpCodes.Ldloc, _at[k]);
            _il.Emit(OpCodes.Ldloc, all);
            vector.First();
            _il.Emit(_element == typeof(double) ? OpCodes.Stind_R8 : OpCodes.Stind_R4);
        }
    }

    // leaves the combination of two vectors of chains on the stack
    void Join(VectorCode vector, int k, LocalBuilder x, LocalBuilder y)
    {
        var node = _code.Joins[k];
        var made = new Dictionary<LaneNode, LocalBuilder>();
        foreach (var step in InOrder([(k, node)]))
        {
            if (IsConstant(step) || step.Op == LaneOp.Input || step == node) continue;
            vector.Emit(step, Push);
            _il.Emit(OpCodes.Stloc, made[step] = _il.DeclareLocal(vector.Vector));
        }
        vector.Emit(node, Push);

        void Push(LaneNode arg)
        {
            if (arg.Op == LaneOp.Input) _il.Emit(OpCodes.Ldloc, arg.Payload == k ? x : y);
            else if (IsConstant(arg)) vector.Emit(arg, Push);
            else _il.Emit(OpCodes.Ldloc, made[arg]);
        }
    }

    void ChainAddress(int k, int vector)
    {
        Pad(k);
        _il.Emit(OpCodes.Ldc_I4, vector * _vector.Width / 8);
        _il.Emit(OpCodes.Add);
    }

    // ---- from line to line ----

    void WriteShifted()
    {
        // elements before the result's first vector that begins a line, or the half of one
        var stream = Array.Find(_code.Operands, o => o.Access == Access.Stream);
        _il.Emit(OpCodes.Ldloc, _at[Array.IndexOf(_code.Operands, stream)]);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Neg);
        _il.Emit(OpCodes.Ldc_I4, int.Log2(stream.Type.Size));
        _il.Emit(OpCodes.Shr);
        _il.Emit(OpCodes.Ldc_I8, _vector.Count - 1L);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Stloc, _count);
        _il.Emit(OpCodes.Ldloc, _count);
        _il.Emit(OpCodes.Stloc, _i);
        foreach (int k in With(Access.Stream)) FetchEnd(k);
        WriteWhole(_unroll);
        if (_unroll > 1) WriteWhole(1);
        WriteEdges();
    }

    // The line that the next row ends in, if the one behind shares it: what is written there waits for the line, and all later writes for that one.
    void FetchEnd(int k)
    {
        var whole = _il.DefineLabel();
        _il.Emit(OpCodes.Ldloc, _at[k]);
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldc_I4, _code.Operands[k].Pointer * sizeof(long));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_I8);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Ldc_I8, (long)_code.Operands[k].Type.Size);
        _il.Emit(OpCodes.Mul);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _row);
        _il.Emit(OpCodes.Ldloc, _row);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Ldc_I8, Line - 1L);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Brfalse, whole);
        _il.Emit(OpCodes.Ldloc, _row);
        _il.Emit(OpCodes.Call, new Action<nint>(LaneMemory.Fetch).Method);
        _il.MarkLabel(whole);
    }

    // vectors side by side as long as they lie in the row
    void WriteWhole(int count)
    {
        Label body = _il.DefineLabel(), test = _il.DefineLabel();
        _il.Emit(OpCodes.Br, test);
        _il.MarkLabel(body);
        Fetch(count * _vector.Count);
        WriteVectors(_code.Writes, count);
        Advance(count * _vector.Count);
        _il.MarkLabel(test);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Ldc_I8, (long)count * _vector.Count);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Ble, body);
    }

    // The row's first vector, of which the elements before the shift count, and its last, of which those after the body do. Both go to padded copies: a whole vector in the caches would be in the way of the line that goes past them.
    void WriteEdges()
    {
        Label edge = _il.DefineLabel(), next = _il.DefineLabel(), end = _il.DefineLabel();
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Stloc, _whole);
        Set(_i, 0);
        Set(_first, 0);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Stloc, _isTail);
        _il.MarkLabel(edge);
        _il.Emit(OpCodes.Ldloc, _count);
        _il.Emit(OpCodes.Brfalse, next);
        _isEdge = true;
        WriteVectors(_code.Writes, 1);
        _isEdge = false;
        foreach (int k in With(Access.Store, Access.Stream, Access.Column)) CopyEdge(k);
        _il.MarkLabel(next);
        _il.Emit(OpCodes.Ldloc, _isTail);
        _il.Emit(OpCodes.Brtrue, end);
        _il.Emit(OpCodes.Ldc_I4_1);
        _il.Emit(OpCodes.Stloc, _isTail);
        Difference(() => _il.Emit(OpCodes.Ldarg_3), () => _il.Emit(OpCodes.Ldloc, _whole), _count);
        Difference(() => _il.Emit(OpCodes.Ldarg_3), () => _il.Emit(OpCodes.Ldc_I8, (long)_vector.Count), _i);
        Difference(() => _il.Emit(OpCodes.Ldc_I8, (long)_vector.Count), () => _il.Emit(OpCodes.Ldloc, _count), _first);
        _il.Emit(OpCodes.Br, edge);
        _il.MarkLabel(end);
    }

    void Set(LocalBuilder local, long value)
    {
        _il.Emit(OpCodes.Ldc_I8, value);
        _il.Emit(OpCodes.Stloc, local);
    }

    void Difference(Action x, Action y, LocalBuilder to)
    {
        x();
        y();
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stloc, to);
    }

    // those of the vector's elements that count
    void CopyEdge(int k)
    {
        int size = _code.Operands[k].Type.Size;
        _il.Emit(OpCodes.Ldloc, _at[k]);
        Elements(_i, size);
        _il.Emit(OpCodes.Add);
        Elements(_first, size);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _row);
        Pad(k);
        Elements(_first, size);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _pad);
        Set(_j, 0);
        Elementwise(() => _il.Emit(OpCodes.Ldloc, _count), _pad, _row, size, repeat: false);
    }

    // ---- what is left of a row ----

    void WriteRest()
    {
        IsInside();
        Choose();
        var vector = _il.DefineLabel();
        _il.MarkLabel(vector);
        Fetch(_vector.Count);
        _isRest = true;
        WriteVectors(_code.LastWrites, 1);
        _isRest = false;
        Advance(_vector.Count);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Blt, vector);
        var done = _il.DefineLabel();
        _il.Emit(OpCodes.Ldloc, _isInside);
        _il.Emit(OpCodes.Brtrue, done);
        foreach (int k in With(Access.Store, Access.Stream)) Copy(k, fill: false);
        _il.MarkLabel(done);
    }

    // rows · elements reach as far as the row's vectors
    void IsInside()
    {
        _il.Emit(OpCodes.Ldarg_2);
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Mul);
        _il.Emit(OpCodes.Ldloc, _reach);
        _il.Emit(OpCodes.Clt);
        _il.Emit(OpCodes.Ldc_I4_0);
        _il.Emit(OpCodes.Ceq);
        _il.Emit(OpCodes.Stloc, _isInside);
    }

    // the row itself, or copies
    void Choose()
    {
        Label copies = _il.DefineLabel(), chosen = _il.DefineLabel();
        _il.Emit(OpCodes.Ldloc, _isInside);
        _il.Emit(OpCodes.Brfalse, copies);
        foreach (int k in With(Access.Load, Access.Store, Access.Stream))
        {
            _il.Emit(OpCodes.Ldloc, _at[k]);
            _il.Emit(OpCodes.Stloc, _restAt[k]);
        }
        _il.Emit(OpCodes.Br, chosen);
        _il.MarkLabel(copies);
        foreach (int k in With(Access.Load)) Copy(k, fill: true);
        foreach (int k in With(Access.Load, Access.Store, Access.Stream)) RestInCopy(k);
        _il.MarkLabel(chosen);
    }

    // what all rows share is copied once
    void ForShared(bool fill)
    {
        var end = _il.DefineLabel();
        IfNoRest(end);
        foreach (int k in fill ? With(Access.Shared, Access.Column) : With(Access.Column))
        {
            Copy(k, fill);
            RestInCopy(k);
        }
        _il.MarkLabel(end);
    }

    IEnumerable<int> With(params Access[] accesses) => Enumerable.Range(0, _code.Operands.Length).Where(k => accesses.Contains(_code.Operands[k].Access));

    void RestInCopy(int k)
    {
        Pad(k);
        Elements(_whole, _code.Operands[k].Type.Size);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stloc, _restAt[k]);
    }

    // Between the operand and its padded copy, which is filled up with an element of the row: no lane computes on what nobody wrote. Element by element: a call would have all vectors wait in memory, in the loops too.
    void Copy(int k, bool fill)
    {
        int size = _code.Operands[k].Type.Size;
        _il.Emit(OpCodes.Ldloc, _at[k]);
        Elements(_whole, size);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _row);
        Pad(k);
        _il.Emit(OpCodes.Stloc, _pad);
        _il.Emit(OpCodes.Ldc_I8, 0L);
        _il.Emit(OpCodes.Stloc, _j);
        var (from, to) = fill ? (_row, _pad) : (_pad, _row);
        Elementwise(() => Rest(() => _il.Emit(OpCodes.Ldarg_3)), from, to, size, repeat: false);
        if (fill) Elementwise(() => Rest(() => _il.Emit(OpCodes.Ldloc, _reach)), from, to, size, repeat: true);

        void Rest(Action end)
        {
            end();
            _il.Emit(OpCodes.Ldloc, _whole);
            _il.Emit(OpCodes.Sub);
        }
    }

    // for (; j < count; j++) to[j] = from[repeat ? 0 : j]
    void Elementwise(Action count, LocalBuilder from, LocalBuilder to, int size, bool repeat)
    {
        Label body = _il.DefineLabel(), test = _il.DefineLabel();
        _il.Emit(OpCodes.Br, test);
        _il.MarkLabel(body);
        _il.Emit(OpCodes.Ldloc, to);
        Elements(_j, size);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldloc, from);
        if (!repeat)
        {
            Elements(_j, size);
            _il.Emit(OpCodes.Add);
        }
        var (load, store) = size switch
        {
            1 => (OpCodes.Ldind_U1, OpCodes.Stind_I1),
            2 => (OpCodes.Ldind_U2, OpCodes.Stind_I2),
            4 => (OpCodes.Ldind_I4, OpCodes.Stind_I4),
            _ => (OpCodes.Ldind_I8, OpCodes.Stind_I8),
        };
        _il.Emit(load);
        _il.Emit(store);
        _il.Emit(OpCodes.Ldloc, _j);
        _il.Emit(OpCodes.Ldc_I8, 1L);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _j);
        _il.MarkLabel(test);
        _il.Emit(OpCodes.Ldloc, _j);
        count();
        _il.Emit(OpCodes.Blt, body);
    }

    void Pad(int k)
    {
        _il.Emit(OpCodes.Ldloc, _pads);
        _il.Emit(OpCodes.Ldc_I4, (_firstPad + k) * ChainBytes);
        _il.Emit(OpCodes.Add);
    }

    // so many elements in bytes
    void Elements(LocalBuilder count, int size)
    {
        _il.Emit(OpCodes.Ldloc, count);
        if (size > 1)
        {
            _il.Emit(OpCodes.Ldc_I8, (long)size);
            _il.Emit(OpCodes.Mul);
        }
        _il.Emit(OpCodes.Conv_I);
    }

    // ---- vectors ----

    // A few vectors go side by side, operation by operation: one alone would wait for its own results, and the processor does not look far enough ahead to find the next.
    void WriteVectors((int Operand, LaneNode Node)[] writes, int count)
    {
        _beside = Math.Min(_beside, count);
        var order = Ordered(writes);
        for (int first = 0; first < count; first += _beside)
        {
            _uses = Uses(writes);
            foreach (var (node, operand) in order)
            {
                if (operand < 0) Compute(node, first);
                else WriteAll(node, operand, first);
            }
            if (_held.Count > 0) throw new InvalidOperationException("a value is held that nobody uses");
        }
    }

    void Compute(LaneNode node, int first)
    {
        var args = Arguments(node).ToArray();
        foreach (var arg in args) Used(arg);
        var results = new LocalBuilder[_beside];
        var constants = new Dictionary<LaneNode, LocalBuilder>();
        // a constant is loaded once for all vectors
        foreach (var arg in args)
            if (_beside > 1 && IsConstant(arg) && !_constants.ContainsKey(arg) && !constants.ContainsKey(arg))
            {
                PushConstant(arg);
                _il.Emit(OpCodes.Stloc, constants[arg] = Rent());
            }
        int step = _ofTwo.Contains(node) ? 2 : 1;
        for (int v = 0; v < _beside; v += step)
        {
            _part = first + v;
            if (node.Op == LaneOp.Input) Read((int)node.Payload);
            else if (node.Op == LaneOp.Blocks) Blocks((int)node.Payload);
            else if (node.Op == LaneOp.Interleave) _vector.Interleave(node, arg => PushPart(arg, v), second: v % 2 == 1);
            else _vector.Emit(node, PushHere);
            // the last use of an argument frees its place for the result
            foreach (var arg in args.Distinct()) if (_held.TryGetValue(arg, out var held) && _uses[arg] == 0 && IsLast(arg, v + step)) _free.Push(held[v]);
            _il.Emit(OpCodes.Stloc, results[v] = Rent());
            if (step == 2 && v + 1 < _beside) results[v + 1] = results[v];

            void PushHere(LaneNode arg)
            {
                if (constants.TryGetValue(arg, out var constant)) _il.Emit(OpCodes.Ldloc, constant);
                else if (IsInPlace(arg)) _vector.Emit(arg, PushHere);
                else PushPart(arg, v);
            }
        }
        foreach (var arg in args) if (_held.ContainsKey(arg) && _uses[arg] == 0) _held.Remove(arg);
        foreach (var constant in constants.Values) _free.Push(constant);
        _held[node] = results;
    }

    // what two vectors share is needed until both are done
    bool IsLast(LaneNode arg, int next) => !_ofTwo.Contains(arg) || next % 2 == 0 || next == _beside;

    void WriteAll(LaneNode node, int operand, int first)
    {
        Used(node);
        for (int v = 0; v < _beside; v++)
        {
            _part = first + v;
            PushPart(node, v);
            Write(operand);
        }
        if (!_held.TryGetValue(node, out var held) || _uses[node] > 0) return;
        foreach (var local in held) _free.Push(local);
        _held.Remove(node);
    }

    void Used(LaneNode node)
    {
        if (_varying.Contains(node)) _uses[node]--;
    }

    void PushPart(LaneNode node, int v)
    {
        if (IsConstant(node)) { PushConstant(node); return; }
        if (_invariants.TryGetValue(node, out var invariant)) { _il.Emit(OpCodes.Ldloc, invariant); return; }
        if (_held.TryGetValue(node, out var held)) _il.Emit(OpCodes.Ldloc, held[v]);
        else Read((int)node.Payload); // a load with one use is part of that
    }

    static void Push(LaneNode node) => throw new InvalidOperationException("constants have no arguments");

    static bool IsConstant(LaneNode node) => node.Op is LaneOp.Constant or LaneOp.Bits or LaneOp.ScheduleWord or LaneOp.Table8 or LaneOp.Table16;

    void PushConstant(LaneNode node)
    {
        if (_constants.TryGetValue(node, out var local)) { _il.Emit(OpCodes.Ldloc, local); return; }
        if (node.Op != LaneOp.ScheduleWord) { _vector.Emit(node, Push); return; }
        _il.Emit(OpCodes.Ldloc, _at[node.Payload & 0xFF]);
        _il.Emit(OpCodes.Ldc_I4, (int)(node.Payload >> 8) * sizeof(uint));
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldind_R4);
        _vector.Create(_element);
    }

    LocalBuilder Rent() => _free.TryPop(out var free) ? free : _il.DeclareLocal(_vector.Vector);

    // what is computed, operands first, each write as soon as it can be; a load with one use is no step
    List<(LaneNode Node, int Operand)> Ordered((int Operand, LaneNode Node)[] writes)
    {
        var uses = Uses(writes);
        var order = new List<(LaneNode, int)>();
        var seen = new HashSet<LaneNode>();
        var needs = new Dictionary<LaneNode, int>();
        foreach (var (operand, node) in writes)
        {
            Visit(node);
            order.Add((node, operand));
        }
        return order;

        void Visit(LaneNode node)
        {
            if (!_varying.Contains(node) || !seen.Add(node)) return;
            foreach (var arg in Arguments(node).OrderByDescending(Need)) Visit(arg);
            if (node.Op != LaneOp.Input || uses[node] > 1) order.Add((node, -1));
        }

        // registers that a value takes to compute, the most needy of its operands first (Sethi and Ullman 1970, who have no values with two uses)
        int Need(LaneNode node)
        {
            if (!_varying.Contains(node)) return 0;
            if (!needs.TryGetValue(node, out int need)) needs.Add(node, need = Math.Max(1, Arguments(node).Distinct().Select(Need).OrderDescending().Select((n, i) => n + i).DefaultIfEmpty(0).Max()));
            return need;
        }
    }

    // how many registers one vector's computation takes
    int Registers()
    {
        var uses = Uses(_code.Writes);
        var live = new HashSet<LaneNode>();
        int most = 1;
        foreach (var (node, operand) in Ordered(_code.Writes))
        {
            foreach (var arg in operand < 0 ? Arguments(node) : [node])
                if (_varying.Contains(arg) && --uses[arg] == 0) live.Remove(arg);
            if (operand < 0) live.Add(node);
            most = Math.Max(most, live.Count);
        }
        return most;
    }

    void Read(int k)
    {
        if (k == _code.Mask) { InsideRow(); return; }
        if (k == _code.Column) { Columns(); return; }
        var operand = _code.Operands[k];
        if (operand.Access == Access.Chains)
        {
            if (_chainsInRegisters && !_isRest) { _il.Emit(OpCodes.Ldloc, _chains[k][_part]); return; }
            ChainHere(k);
            _vector.Load();
            return;
        }
        Address(k);
        switch (operand.Type.Size)
        {
            case 1: Call("Bytes" + _vector.Count + (_element == typeof(double) && _vector.Count > 2 ? "Wide" : "")); _vector.FromInteger(); break;
            case 2: Call("Words" + _vector.Count); _vector.FromInteger(); break;
            default: _vector.Load(); break;
        }
    }

    // the vector on the stack
    void Write(int k)
    {
        var operand = _code.Operands[k];
        if (operand.Access == Access.Chains)
        {
            if (_chainsInRegisters && !_isRest) { _il.Emit(OpCodes.Stloc, _chains[k][_part]); return; }
            ChainHere(k);
            _vector.Store();
            return;
        }
        if (operand.Type.Size == 2) _vector.ToInteger();
        if (_isEdge) Pad(k);
        else Address(k);
        bool streams = operand.Access == Access.Stream && !_isRest && !_isEdge;
        switch (operand.Type.Size)
        {
            case 1: Call("StoreMask", _vector.Vector, typeof(byte*)); break;
            case 2: Call((streams && _vector.Count >= 8 ? "StreamWords" : "StoreWords") + _vector.Count); break;
            default: if (streams) Call("Stream", _vector.Vector, typeof(byte*)); else _vector.Store(); break;
        }
    }

    void Address(int k)
    {
        int size = _code.Operands[k].Type.Size;
        _il.Emit(OpCodes.Ldloc, (_isRest ? _restAt : _at)[k]);
        Elements(_i, size);
        _il.Emit(OpCodes.Add);
        if (_part == 0) return;
        _il.Emit(OpCodes.Ldc_I4, _part * _vector.Count * size);
        _il.Emit(OpCodes.Add);
    }

    // the chains that the elements of this vector go to
    void ChainHere(int k)
    {
        Pad(k);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldc_I8, (long)_vector.Size);
        _il.Emit(OpCodes.Mul);
        _il.Emit(OpCodes.Ldc_I8, (long)ChainBytes - 1);
        _il.Emit(OpCodes.And);
        _il.Emit(OpCodes.Conv_I);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldc_I4, _part * _vector.Width / 8);
        _il.Emit(OpCodes.Add);
    }

    void Columns()
    {
        _vector.Indices();
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldc_I8, (long)_part * _vector.Count);
        _il.Emit(OpCodes.Add);
        _il.Emit(_element == typeof(double) ? OpCodes.Conv_R8 : OpCodes.Conv_R4);
        _vector.Create(_element);
        _vector.Add();
    }

    // of this vector and the next
    void Blocks(int k)
    {
        _il.Emit(OpCodes.Ldloc, _at[k]);
        _il.Emit(OpCodes.Conv_U8);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Ldc_I8, (long)_part * _vector.Count);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Ldc_I4_2);
        _il.Emit(OpCodes.Shr);
        _il.Emit(OpCodes.Add);
        _vector.Blocks();
    }

    void InsideRow()
    {
        _vector.Indices();
        _il.Emit(OpCodes.Ldarg_3);
        _il.Emit(OpCodes.Ldloc, _i);
        _il.Emit(OpCodes.Sub);
        _il.Emit(_element == typeof(double) ? OpCodes.Conv_R8 : OpCodes.Conv_R4);
        _vector.Create(_element);
        _vector.Less();
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The class is named.")]
    void Call(string name, params Type[] parameters) => _il.Emit(OpCodes.Call, (parameters.Length == 0 ? typeof(LaneMemory).GetMethod(name) : typeof(LaneMemory).GetMethod(name, parameters))!);

    // ---- the graph ----

    bool Mark(LaneNode node)
    {
        if (!_marked.Add(node)) return _varying.Contains(node);
        bool varies = node.Op == LaneOp.Blocks || node.Op == LaneOp.Input && (node.Payload >= _code.Mask || _code.Operands[node.Payload].Access != Access.Broadcast);
        foreach (var arg in node.Args) varies |= Mark(arg);
        if (node.Op == LaneOp.Blocks || node.Op != LaneOp.Interleave && Array.Exists(node.Args, _ofTwo.Contains)) _ofTwo.Add(node);
        if (varies) _varying.Add(node);
        return varies;
    }

    // With AVX-512 a comparison leaves its mask in a register of its own kind, from where the choice takes it; as a value in a local it would become a vector and a mask again. So it is written where it is used, each time.
    bool IsInPlace(LaneNode node) => IsMask(node) && _varying.Contains(node) && !_heldMasks.Contains(node);

    static bool IsMask(LaneNode node) => node.Op is LaneOp.Less or LaneOp.LessOrEqual or LaneOp.Equal or LaneOp.GreaterBits or LaneOp.EqualBits
        || node.Op is LaneOp.And or LaneOp.Or or LaneOp.Not && Array.TrueForAll(node.Args, IsMask);

    void MarkMasks((int Operand, LaneNode Node)[] writes)
    {
        foreach (var (_, node) in writes) Held(node);
        if (_vector.Width == 512 || Avx512F.VL.IsSupported)
            foreach (var node in InOrder(writes).AsEnumerable().Reverse())
                for (int k = 0; k < node.Args.Length; k++)
                {
                    bool takesMask = node.Op == LaneOp.Select && k == 0 || IsMask(node) && node.Op is LaneOp.And or LaneOp.Or or LaneOp.Not && !_heldMasks.Contains(node);
                    if (!takesMask) Held(node.Args[k]);
                }
        else foreach (var node in InOrder(writes)) Held(node);

        void Held(LaneNode node)
        {
            if (IsMask(node)) _heldMasks.Add(node);
        }
    }

    // what a node's code reads: in place of masks that are written there, what they read
    IEnumerable<LaneNode> Arguments(LaneNode node) => node.Args.SelectMany(arg => IsInPlace(arg) ? Arguments(arg) : [arg]);

    // what is pushed, and how often; below an invariant nothing is
    Dictionary<LaneNode, int> Uses((int Operand, LaneNode Node)[] writes)
    {
        var uses = new Dictionary<LaneNode, int>();
        foreach (var (_, node) in writes) Visit(node);
        return uses;

        void Visit(LaneNode node)
        {
            if (!_varying.Contains(node)) return;
            uses[node] = uses.GetValueOrDefault(node) + 1;
            if (uses[node] == 1) foreach (var arg in Arguments(node)) Visit(arg);
        }
    }

    static List<LaneNode> InOrder((int Operand, LaneNode Node)[] writes)
    {
        var order = new List<LaneNode>();
        var seen = new HashSet<LaneNode>();
        foreach (var (_, node) in writes) Visit(node);
        return order;

        void Visit(LaneNode node)
        {
            if (!seen.Add(node)) return;
            foreach (var arg in node.Args) Visit(arg);
            order.Add(node);
        }
    }
}
