using Flambeau.Compile.Loops;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Compile.Emit;

/// <summary>How a loop touches an operand.</summary>
internal enum Access : byte
{
    /// <summary>A vector from where the loop stands.</summary>
    Load,
    /// <summary>The same of a row that all rows share.</summary>
    Shared,
    /// <summary>One element of the row in every lane.</summary>
    Broadcast,
    /// <summary>A vector is written where the loop stands.</summary>
    Store,
    /// <summary>One element for the row.</summary>
    Number,
    /// <summary>A vector is written where the loop stands, past the caches. If the loop does not <see cref="Loop.BeginsAnywhere"/>, rows begin at multiples of <see cref="LaneMemory.StreamBytes"/>; else they have as many elements as a vector at least, and all such operands the same distance to their next line.</summary>
    Stream,
    /// <summary>A vector where the loop stands is combined with another.</summary>
    Column,
    /// <summary>Words that are each in every lane: what all blocks of a draw share.</summary>
    Schedule,
    /// <summary>No place but a number in its stead: the block of four elements that the row begins with.</summary>
    Block,
    /// <summary>A row's elements are combined into one, in the fixed order of a reduction: in turn into 256 bytes of chains, which are joined at the row's end.</summary>
    Chains,
}

/// <summary>Which results go past the caches.</summary>
internal enum Streams : byte
{
    None,
    /// <summary>Those of loops that <see cref="Loop.BeginsAnywhere"/>.</summary>
    Shifted,
    /// <summary>All that may: rows begin with a line.</summary>
    All,
}

/// <summary>A place in memory that a loop works on, and which of the pass's pointers leads there.</summary>
internal readonly record struct LoopOperand(Access Access, DType Type, int Pointer);

/// <summary>
/// What a loop does, as lane operations: for each operand written, a node. Inputs are numbered as operands; <see cref="Mask"/> is one more, the lanes that are inside the row, and <see cref="Column"/> another, the elements' numbers.
/// </summary>
internal sealed class LoopCode
{
    readonly Dictionary<int, LaneNode> _values = [];

    /// <summary>Loads, shared and broadcasts first, then two a draw, stores, columns and chains.</summary>
    public required LoopOperand[] Operands { get; init; }
    /// <summary>Operand and node of everything written.</summary>
    public (int Operand, LaneNode Node)[] Writes { get; private set; } = [];
    /// <summary>The same where a vector reaches beyond the row.</summary>
    public (int Operand, LaneNode Node)[] LastWrites { get; private set; } = [];
    /// <summary>float or double: what the lanes hold.</summary>
    public required Type Element { get; init; }
    /// <summary>False if there is nothing but numbers: no loop.</summary>
    public required bool HasVectors { get; init; }
    /// <summary>Of chains, by operand: what they begin with.</summary>
    public Dictionary<int, LaneNode> Identities { get; } = [];
    /// <summary>Of chains, by operand: how one, which the operand's number stands for, is joined with another, <see cref="Other"/>.</summary>
    public Dictionary<int, LaneNode> Joins { get; } = [];
    public int Mask => Operands.Length;
    public int Column => Operands.Length + 1;
    public int Other => Operands.Length + 2;

    /// <summary><see cref="Loop.BeginsAnywhere"/>.</summary>
    public required bool BeginsAnywhere { get; init; }

    /// <summary>False if the body branches on the values in its lanes.</summary>
    public static bool HasForm(Expr body) => !Expr.InOrder(body).Exists(e => e.Op is Opcode.Sin or Opcode.Cos or Opcode.Tan or Opcode.Fmod);

    /// <summary>About how many additions a body takes.</summary>
    public static int Weight(Expr body) => Expr.InOrder(body).Sum(e => e.Op switch
    {
        Opcode.Input or Opcode.Constant => 0,
        Opcode.Divide or Opcode.Sqrt => 8,
        Opcode.Min or Opcode.Max => 4,
        >= Opcode.Rsqrt and <= Opcode.Atanh or Opcode.Pow or Opcode.Atan2 or >= Opcode.Erf => 25,
        _ => 1,
    });

    /// <summary>The same of a uniform number.</summary>
    public const int DrawWeight = 35;

    /// <summary>
    /// True if a number of the program is part of the code. Others come from memory: a row's length, or a rate that changes, must not compile a loop of its own.
    /// </summary>
    public static bool IsImmediate(RowValue value, double[] constants) => value.Place == Place.Constant && Math.Abs(constants[value.Index]) is 0 or 0.5 or 1 or 2;

    /// <summary>The operands of <paramref name="loop"/> in the order of <see cref="Operands"/>; with <paramref name="streams"/> what it may write past the caches goes past them.</summary>
    public static LoopOperand[] OperandsOf(Loop loop, Pass pass, RowValue[] values, Streams streams)
    {
        bool isNumbers = loop.Over == Extent.Row && pass.IsByRow, isStream = streams == Streams.All || streams == Streams.Shifted && loop.BeginsAnywhere;
        IEnumerable<(Access Access, DType Type)> operands =
        [
            .. loop.Loads.Select(v => (isNumbers ? Access.Broadcast : AccessOf(values[v].Extent, loop.Over), values[v].Type)),
            .. loop.Draws.SelectMany(_ => new[] { (Access.Schedule, DType.Int32), (Access.Block, DType.Int64) }),
            .. loop.Stores.Select(v => (isNumbers ? Access.Number : isStream && Array.IndexOf(loop.Last, v) >= 0 ? Access.Stream : Access.Store, values[v].Type)),
            .. loop.FoldColumns.Select(f => (Access.Column, values[f.Result].Type)),
            .. loop.FoldRows.Select(f => (Access.Chains, values[f.Result].Type)),
        ];
        return [.. operands.Zip(loop.Pointers, (o, p) => new LoopOperand(o.Access, o.Type, Array.IndexOf(pass.Pointers, p)))];
    }

    static Access AccessOf(Extent extent, Extent over) => extent == over ? Access.Load : extent == Extent.Column ? Access.Shared : Access.Broadcast;

    /// <summary>Reads <paramref name="loop"/> of <paramref name="pass"/> as lane operations, within a <see cref="LaneNode.Scope"/>.</summary>
    public static LoopCode Of(Loop loop, Pass pass, RowValue[] values, double[] constants, Streams streams)
    {
        bool isDouble = loop.Compute == DType.Float64;
        var code = new LoopCode { Operands = OperandsOf(loop, pass, values, streams), Element = isDouble ? typeof(double) : typeof(float), HasVectors = loop.Over == Extent.Full || !pass.IsByRow, BeginsAnywhere = loop.BeginsAnywhere };
        if (isDouble) code.Read<Binary64>(loop, values, constants);
        else code.Read<Binary32>(loop, values, constants);
        return code;
    }

    void Read<P>(Loop loop, RowValue[] values, double[] constants) where P : struct, IPrecision
    {
        for (int k = 0; k < loop.Loads.Length; k++) _values[loop.Loads[k]] = Narrow<P>.Decode(new(LaneNode.Input(k)), Operands[k].Type).Node;
        for (int k = 0; k < loop.Draws.Length; k++) _values[loop.Draws[k].Result] = Uniform<P>(loop.Loads.Length + 2 * k).Node;
        foreach (var instruction in loop.Code) if (instruction is not Instruction.Draw) _values[instruction.Result] = Value<P>(instruction, values, constants).Node;
        var writes = new List<(int, LaneNode)>();
        int operand = loop.Loads.Length + 2 * loop.Draws.Length;
        foreach (int v in loop.Stores) writes.Add((operand, Narrow<P>.Encode(Of<P>(v, values, constants), Operands[operand++].Type).Node));
        foreach (var fold in loop.FoldColumns) writes.Add((operand, Combine<P>(fold.Op, new(LaneNode.Input(operand++)), Of<P>(fold.Operand, values, constants)).Node));
        var last = writes.ToList();
        foreach (var fold in loop.FoldRows)
        {
            LaneCode<P> chain = new(LaneNode.Input(operand)), x = Of<P>(fold.Operand, values, constants), identity = Expr.Read<LaneCode<P>>(fold.Op.Identity, []);
            Identities[operand] = identity.Node;
            Joins[operand] = Combine<P>(fold.Op, chain, new(LaneNode.Input(Other))).Node;
            writes.Add((operand, Combine<P>(fold.Op, chain, x).Node));
            last.Add((operand++, Combine<P>(fold.Op, chain, LaneCode<P>.Select(new(LaneNode.Input(Mask)), x, identity)).Node));
        }
        (Writes, LastWrites) = ([.. writes], [.. last]);
    }

    // operands: the schedule, and the row's first block
    static LaneCode<P> Uniform<P>(int operand) where P : struct, IPrecision
    {
        var schedule = new ScheduleCode<P>(operand);
        var blocks = PhiloxLanes<LaneCode<P>>.Begin(new(LaneNode.Of(LaneOp.Blocks, [], operand + 1)), schedule);
        for (int round = 0; round < Philox.Rounds; round++) blocks = blocks.Round(schedule[2 * round], schedule[2 * round + 1]);
        return PhiloxLanes<LaneCode<P>>.Uniform(blocks.Words.First);
    }

    readonly struct ScheduleCode<P>(int operand) : ISchedule<LaneCode<P>> where P : struct, IPrecision
    {
        public LaneCode<P> this[int word] => new(LaneNode.Of(LaneOp.ScheduleWord, [], (long)word << 8 | (uint)operand));
    }

    static LaneCode<P> Combine<P>(ReductionOp op, LaneCode<P> x, LaneCode<P> y) where P : struct, IPrecision => Expr.Read(op.Combination, [x, y]);

    LaneCode<P> Of<P>(int v, RowValue[] values, double[] constants) where P : struct, IPrecision =>
        !IsImmediate(values[v], constants) ? new(_values[v])
        : values[v].Type == DType.Bool ? LaneCode<P>.FromBits(constants[values[v].Index] != 0 ? -1 : 0)
        : LaneCode<P>.Constant(constants[values[v].Index]);

    LaneCode<P> Value<P>(Instruction instruction, RowValue[] values, double[] constants) where P : struct, IPrecision
    {
        var x = Array.ConvertAll(instruction.Operands, v => Of<P>(v, values, constants));
        return instruction switch
        {
            Instruction.Map map => Expr.Read<LaneCode<P>>(map.Op.Expression, x),
            Instruction.OneHot => LaneCode<P>.Select(LaneCode<P>.Equal(new(LaneNode.Input(Column)), x[0]), x[1], LaneCode<P>.Constant(0)),
            Instruction.Cast cast => Cast(x[0], values[cast.Operand].Type, values[cast.Result].Type),
            _ => x[0],
        };
    }

    // a bool is a mask in registers
    static LaneCode<P> Cast<P>(LaneCode<P> x, DType from, DType to) where P : struct, IPrecision =>
        from == to ? x
        : to == DType.Bool ? LaneCode<P>.Not(LaneCode<P>.Equal(x, LaneCode<P>.Constant(0)))
        : Narrow<P>.Round(from == DType.Bool ? LaneCode<P>.And(x, LaneCode<P>.Constant(1)) : x, to);
}

/// <summary>The narrow types in lanes: as their bits come from memory, as numbers of the lanes' precision, and rounded. The arithmetic of <see cref="Conversion"/>.</summary>
internal static class Narrow<P> where P : struct, IPrecision
{
    const long UpperHalf = 0xFFFF0000;

    static LaneCode<P> Bits(long bits) => LaneCode<P>.FromBits(bits);
    static LaneCode<P> And(LaneCode<P> x, long bits) => LaneCode<P>.And(x, Bits(bits));
    static LaneCode<P> Right(LaneCode<P> x, int n) => LaneCode<P>.ShiftRightBits(x, n);
    static LaneCode<P> Left(LaneCode<P> x, int n) => LaneCode<P>.ShiftLeftBits(x, n);
    static LaneCode<P> Plus(LaneCode<P> x, LaneCode<P> y) => LaneCode<P>.AddBits(x, y);

    /// <summary>Bits from memory as a number; a bool as a mask.</summary>
    public static LaneCode<P> Decode(LaneCode<P> raw, DType type) => type switch
    {
        DType.Bool => LaneCode<P>.GreaterBits(raw, Bits(0)),
        DType.UInt8 => LaneCode<P>.FromIntegerBits(raw),
        DType.BFloat16 => Left(raw, 16),
        DType.Float16 => FromHalf(raw),
        _ => raw,
    };

    /// <summary>A number of type <paramref name="type"/> as the bits that memory takes.</summary>
    public static LaneCode<P> Encode(LaneCode<P> x, DType type) => type switch
    {
        DType.BFloat16 => Right(x.Node is { Op: LaneOp.And, Args: [var rounded, { Op: LaneOp.Bits, Payload: UpperHalf }] } ? new(rounded) : x, 16), // what is cleared is shifted out
        DType.Float16 => ToHalf(x),
        _ => x,
    };

    /// <summary>The number of type <paramref name="type"/> nearest to x.</summary>
    public static LaneCode<P> Round(LaneCode<P> x, DType type) => type switch
    {
        DType.BFloat16 => ToBFloat16(x),
        DType.Float16 => FromHalf(ToHalf(x)),
        _ => x,
    };

    // to nearest even, NaN made quiet
    static LaneCode<P> ToBFloat16(LaneCode<P> x)
    {
        var rounded = Plus(Plus(x, Bits(0x7FFF)), And(Right(x, 16), 1));
        var quiet = LaneCode<P>.Or(x, Bits(0x400000));
        return And(LaneCode<P>.Select(LaneCode<P>.Equal(x, x), rounded, quiet), UpperHalf);
    }

    // the magnitude moved to float32's place is the number times 2⁻¹¹²; with all exponent bits set it is ∞ or NaN
    static LaneCode<P> FromHalf(LaneCode<P> h)
    {
        var magnitude = And(h, 0x7FFF);
        var moved = Left(magnitude, 13);
        var finite = moved * LaneCode<P>.Constant(5.192296858534828e33);
        var isNaN = LaneCode<P>.GreaterBits(magnitude, Bits(0x7C00));
        var special = LaneCode<P>.Or(LaneCode<P>.Or(moved, Bits(0x7F800000)), And(isNaN, 0x400000));
        var isSpecial = LaneCode<P>.GreaterBits(magnitude, Bits(0x7BFF));
        return LaneCode<P>.Or(LaneCode<P>.Select(isSpecial, special, finite), Left(And(h, 0x8000), 16));
    }

    // normal results: the exponent moves by 112 and 13 bits of mantissa go; below 2⁻¹⁴ adding ½ aligns and rounds; from 65,520 on ∞
    static LaneCode<P> ToHalf(LaneCode<P> x)
    {
        LaneCode<P> sign = And(Right(x, 16), 0x8000), magnitude = And(x, 0x7FFFFFFF), half = LaneCode<P>.Constant(0.5);
        var normal = Right(Plus(Plus(LaneCode<P>.SubtractBits(magnitude, Bits(112 << 23)), Bits(0xFFF)), And(Right(magnitude, 13), 1)), 13);
        var subnormal = LaneCode<P>.SubtractBits(magnitude + half, half);
        var result = LaneCode<P>.Select(LaneCode<P>.GreaterBits(Bits(113 << 23), magnitude), subnormal, normal);
        result = LaneCode<P>.Select(LaneCode<P>.GreaterBits(magnitude, Bits(0x477FEFFF)), Bits(0x7C00), result);
        var quiet = LaneCode<P>.Or(Bits(0x7E00), And(Right(magnitude, 13), 0x3FF));
        return LaneCode<P>.Or(LaneCode<P>.Select(LaneCode<P>.Equal(x, x), result, quiet), sign);
    }
}
