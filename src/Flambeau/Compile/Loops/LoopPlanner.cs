using Flambeau.Compile.Emit;
using Flambeau.Ops;
using Flambeau.Scalars;

namespace Flambeau.Compile.Loops;

/// <summary>
/// Groups a program's instructions into loops. A loop takes in whatever can stand in it: a reduction's result is there only after the loop, so what uses it goes into a later one. What a later loop needs again is
/// computed again if that is cheap, else kept. Instructions that no loop can hold (a gather, a sine's rare path, other types) run by themselves in between.
/// </summary>
internal sealed class LoopPlanner
{
    // the order within a stage
    enum Kind { Single, Row32, Row64, Full32, Full64 }
    const int Kinds = 5;

    const long LongEnough = 256; // columns from which on a row at a time pays
    const int CheapEnough = 4; // additions and loads: about what storing and loading again costs

    readonly RowProgram _program;
    readonly RowValue[] _values;
    readonly Instruction?[] _producer;
    readonly int[] _position;                 // of the producer; -1: before the loops
    readonly bool[] _isStored;
    readonly Dictionary<int, Draft> _computedIn = []; // of full values: the first loop that has them in registers
    readonly SortedDictionary<int, List<Instruction>> _at = [];

    LoopPlanner(RowProgram program)
    {
        _program = program;
        _values = (RowValue[])program.Values.Clone();
        _producer = new Instruction?[_values.Length];
        _position = new int[_values.Length];
        _isStored = new bool[_values.Length];
        Array.Fill(_position, -1);
    }

    /// <summary>The plan of <paramref name="program"/>.</summary>
    public static RowPlan Plan(RowProgram program) => new LoopPlanner(program).Plan();

    RowPlan Plan()
    {
        foreach (var instruction in _program.Body) Place(instruction);
        var steps = new List<object>();
        foreach (var (position, instructions) in _at)
        {
            var kind = (Kind)(position % Kinds);
            if (kind == Kind.Single) steps.AddRange(instructions);
            else if (kind is Kind.Row32 or Kind.Row64) steps.Add(RowLoop(kind, instructions));
            else if (FullLoop(position, kind, instructions) is { } loop) steps.Add(loop);
        }
        var passes = Passes(steps);
        FindLines(passes);
        int slots = AssignSlots(passes, Loops.Place.Slot), lines = AssignSlots(passes, Loops.Place.Line);
        var read = steps.SelectMany(Reads).ToHashSet();
        return new(_values, slots, lines, [.. passes.Select(p => p is List<Draft> drafts ? new Pass([.. drafts.Select(d => d.Finish(v => _values[v].Place == Loops.Place.Output && !read.Contains(v)))]) : p)]);
    }

    // ---- passes ----

    // Loops that follow one another are one pass: a row's values stay in first-level cache. Short rows go through one loop after the other, so that what the end of one waits for is hidden behind the next row, and so do rows that are reduced in chunks.
    List<object> Passes(List<object> steps)
    {
        var passes = new List<object>();
        foreach (object step in steps)
        {
            if (step is not Draft draft) { passes.Add(step); continue; }
            if (passes.Count > 0 && passes[^1] is List<Draft> before && IsByRow) before.Add(draft);
            else passes.Add(new List<Draft> { draft });
        }
        return passes;
    }

    bool IsByRow => _program.Columns is >= LongEnough and <= ReductionOp.RowChunk;

    // what no other step reads is needed for one row at a time
    void FindLines(List<object> passes)
    {
        foreach (object pass in passes)
        {
            if (pass is not List<Draft> drafts) continue;
            foreach (int v in drafts.SelectMany(d => d.Stores))
                if (_values[v].Place == Loops.Place.Slot && !passes.Exists(p => p != pass && Reads(p).Contains(v))) _values[v] = _values[v] with { Place = Loops.Place.Line };
        }
    }

    // ---- positions ----

    void Place(Instruction instruction)
    {
        var kind = KindOf(instruction);
        int least = 0;
        foreach (int v in instruction.Operands)
        {
            if (_position[v] < 0) continue;
            bool together = _producer[v] is not Instruction.FoldRow && KindOf(_producer[v]!) == kind;
            least = Math.Max(least, together ? _position[v] : _position[v] + 1);
        }
        int position = least + (((int)kind - least) % Kinds + Kinds) % Kinds;
        _producer[instruction.Result] = instruction;
        _position[instruction.Result] = position;
        if (!_at.TryGetValue(position, out var list)) _at.Add(position, list = []);
        list.Add(instruction);
    }

    Kind KindOf(Instruction instruction)
    {
        var result = _values[instruction.Result];
        bool full = instruction is Instruction.FoldRow or Instruction.FoldRows || result.Extent == Extent.Full;
        return Precision(instruction) switch
        {
            DType.Float32 => full ? Kind.Full32 : Kind.Row32,
            DType.Float64 => full ? Kind.Full64 : Kind.Row64,
            _ => Kind.Single,
        };
    }

    // what the instruction computes in, or null if no loop can hold it
    DType? Precision(Instruction instruction)
    {
        var type = _values[instruction.Result].Type;
        switch (instruction)
        {
            case Instruction.Map map: return LoopCode.HasForm(map.Op.Expression) ? map.Compute : null;
            case Instruction.FoldRow or Instruction.FoldRows: return type;
            case Instruction.Cast cast:
                var from = _values[cast.Operand].Type;
                return Precision(from) is { } one && Precision(type) is { } two && (one == two || from == DType.Bool || type == DType.Bool) && type != DType.UInt8
                    ? from == DType.Bool ? Precision(type) : Precision(from) : null;
            case Instruction.OneHot: return _program.Columns <= 1 << 24 || type == DType.Float64 ? ComputedAs(type) : null; // numbers of columns are exact
            case Instruction.Draw: return type == DType.Float32 && _program.Columns % 4 == 0 ? type : null; // a row begins with a block
            case Instruction.Spread: return Precision(type);
            default: return null;
        }
    }

    static DType? ComputedAs(DType type) => type is DType.Float32 or DType.Float64 ? type : null;

    static DType? Precision(DType type) => type switch
    {
        DType.Float32 or DType.BFloat16 or DType.Float16 or DType.Bool or DType.UInt8 => DType.Float32,
        DType.Float64 => DType.Float64,
        _ => null,
    };

    // ---- loops ----

    /// <summary>A loop while later ones may still ask it to store more.</summary>
    sealed class Draft(Extent over, DType compute)
    {
        public Extent Over => over;

        public readonly List<Instruction> Code = [], Folds = [];
        public readonly HashSet<int> Has = []; // in registers
        public readonly List<int> Loads = [], Stores = [];

        public Loop Finish(Predicate<int> isLast) => new(over, compute, [.. Code], [.. Loads], [.. Stores], over == Extent.Full ? [.. Stores.FindAll(isLast)] : [], [.. Folds.OfType<Instruction.FoldRow>()], [.. Folds.OfType<Instruction.FoldRows>()]);
    }

    Draft RowLoop(Kind kind, List<Instruction> instructions)
    {
        var draft = new Draft(Extent.Row, kind == Kind.Row32 ? DType.Float32 : DType.Float64);
        foreach (var instruction in instructions)
        {
            foreach (int v in instruction.Operands) if (draft.Has.Add(v)) Load(draft, v);
            draft.Code.Add(instruction);
            draft.Has.Add(instruction.Result);
            draft.Stores.Add(instruction.Result);
        }
        return draft;
    }

    Draft? FullLoop(int position, Kind kind, List<Instruction> instructions)
    {
        var draft = new Draft(Extent.Full, kind == Kind.Full32 ? DType.Float32 : DType.Float64);
        foreach (var instruction in instructions)
        {
            if (instruction is Instruction.FoldRow or Instruction.FoldRows)
            {
                Need(draft, instruction.Operands[0]);
                draft.Folds.Add(instruction);
            }
            else if (IsRoot(instruction.Result, kind))
            {
                Need(draft, instruction.Result);
                Store(draft, instruction.Result);
            }
        }
        return draft.Code.Count + draft.Folds.Count > 0 ? draft : null;
    }

    // an output, or what something else than a loop of this kind reads
    bool IsRoot(int value, Kind kind)
    {
        if (_values[value].Place == Loops.Place.Output) return true;
        foreach (var user in _program.Body)
            if (Array.IndexOf(user.Operands, value) >= 0 && KindOf(user) != kind) return true;
        return false;
    }

    void Store(Draft draft, int value)
    {
        if (_isStored[value]) return;
        _isStored[value] = true;
        draft.Stores.Add(value);
    }

    void Need(Draft draft, int value)
    {
        if (!draft.Has.Add(value)) return;
        if (IsInMemory(value)) { Load(draft, value); return; }
        if (_computedIn.TryGetValue(value, out var earlier) && earlier != draft && Cost(value) > CheapEnough)
        {
            Store(earlier, value);
            Load(draft, value);
            return;
        }
        _computedIn.TryAdd(value, draft);
        var producer = _producer[value]!;
        foreach (int operand in producer.Operands) Need(draft, operand);
        draft.Code.Add(producer);
    }

    void Load(Draft draft, int value)
    {
        if (!LoopCode.IsImmediate(_values[value], _program.Constants)) draft.Loads.Add(value);
    }

    // numbers a row always are
    bool IsInMemory(int value) => _producer[value] is not { } producer || _isStored[value] || _values[value].Extent != Extent.Full || KindOf(producer) == Kind.Single;

    int Cost(int value)
    {
        if (IsInMemory(value)) return _values[value].Extent is Extent.Full or Extent.Column ? 1 : 0;
        int cost = _producer[value] switch { Instruction.Map map => LoopCode.Weight(map.Op.Expression), Instruction.Draw => LoopCode.DrawWeight, _ => 1 };
        foreach (int operand in _producer[value]!.Operands) cost += Cost(operand);
        return cost;
    }

    // ---- slots ----

    // a slot is free again after the last step that reads its value, a line after the last loop
    int AssignSlots(List<object> passes, Place place)
    {
        var steps = place == Loops.Place.Slot ? passes : [.. passes.SelectMany(p => p is List<Draft> drafts ? drafts : (IEnumerable<object>)[p])];
        var lastUse = new int[_values.Length];
        for (int i = 0; i < steps.Count; i++) foreach (int v in Reads(steps[i])) lastUse[v] = i;
        var free = new Stack<int>();
        var taken = new List<int>();
        int slots = 0;
        for (int i = 0; i < steps.Count; i++)
        {
            foreach (int v in Writes(steps[i]))
            {
                if (_values[v].Place != place) continue;
                if (!free.TryPop(out int slot)) slot = slots++;
                _values[v] = _values[v] with { Index = slot };
                taken.Add(v);
            }
            for (int k = taken.Count - 1; k >= 0; k--)
            {
                if (lastUse[taken[k]] > i) continue;
                free.Push(_values[taken[k]].Index);
                taken.RemoveAt(k);
            }
        }
        return slots;
    }

    static IEnumerable<int> Reads(object step) => step switch { Draft draft => draft.Loads, List<Draft> drafts => drafts.SelectMany(d => d.Loads), _ => ((Instruction)step).Operands };
    static IEnumerable<int> Writes(object step) => step switch { Draft draft => draft.Stores, List<Draft> drafts => drafts.SelectMany(d => d.Stores), _ => [((Instruction)step).Result] };
}
