namespace Flambeau.Compile.Emit;

/// <summary>What the machine does with vectors: one member is one operation on all lanes, or a short sequence without a branch.</summary>
internal enum LaneOp : byte
{
    /// <summary>What a memory operand holds, its bits zero-extended to the lane: <see cref="LaneNode.Payload"/> is its number.</summary>
    Input,
    /// <summary>A number in every lane: the payload is a double's bits.</summary>
    Constant,
    /// <summary>A bit pattern in every lane.</summary>
    Bits,
    Add, Subtract, Multiply, Divide, Negate, FusedMultiplyAdd, Sqrt,
    Less, LessOrEqual, Equal, And, Or, Xor, Not, Select, Bound, Min, Max, Abs,
    Floor, Ceiling, Truncate, Round,
    AddBits, SubtractBits, ShiftLeftBits, ShiftRightBits, ShiftRightSignBits, GreaterBits, EqualBits,
    ToIntegerBits, FromIntegerBits, Scale, ScaleByFloor,
    /// <summary>A table of 8 numbers, as many times as they fit the vector: the payload is their address.</summary>
    Table8,
    /// <summary>As much of a table of 16 numbers as fits the vector: the payload is their address.</summary>
    Table16,
    /// <summary>What an index names in a table: index, table.</summary>
    Lookup8, Lookup16,
    /// <summary>A word of a schedule in memory in every lane: the payload is the word's number, below it the operand's in 8 bits.</summary>
    ScheduleWord,
    /// <summary>The numbers of the blocks that two vectors' elements come from, in words of 64 bits: the payload is the operand that is the row's first block. It and what is computed from it exists once for two vectors.</summary>
    Blocks,
    MultiplyHalves, XorWords, UpperHalves, PairHalves,
    /// <summary>Of two vectors interleaved the first or the second, whichever the vector is: its own elements again.</summary>
    Interleave,
}

/// <summary>An operation on vectors, applied to others. Equal nodes of one <see cref="Scope"/> are the same object.</summary>
internal sealed class LaneNode
{
    readonly record struct Key(LaneOp Op, LaneNode? A, LaneNode? B, LaneNode? C, long Payload);

    [ThreadStatic] static Dictionary<Key, LaneNode>? t_known;

    LaneNode(LaneOp op, LaneNode[] args, long payload) => (Op, Args, Payload) = (op, args, payload);

    public LaneOp Op { get; }
    public LaneNode[] Args { get; }
    /// <summary>An operand's number, a constant's bits or a shift's count.</summary>
    public long Payload { get; }
    public double Value => BitConverter.Int64BitsToDouble(Payload);

    /// <summary>What the operation costs, in additions.</summary>
    public int Weight => Op switch { LaneOp.Input or LaneOp.Constant or LaneOp.Bits or LaneOp.ScheduleWord or LaneOp.Table8 or LaneOp.Table16 => 0, LaneOp.Divide or LaneOp.Sqrt => 8, LaneOp.Min or LaneOp.Max or LaneOp.Scale or LaneOp.ScaleByFloor => 6, _ => 1 };

    public static LaneNode Of(LaneOp op, LaneNode[] args, long payload = 0)
    {
        var key = new Key(op, args.Length > 0 ? args[0] : null, args.Length > 1 ? args[1] : null, args.Length > 2 ? args[2] : null, payload);
        var known = t_known ?? throw new InvalidOperationException("lane nodes are made inside a Scope");
        if (!known.TryGetValue(key, out var node)) known.Add(key, node = new(op, args, payload));
        return node;
    }

    public static LaneNode Input(int number) => Of(LaneOp.Input, [], number);
    public static LaneNode Constant(double value) => Of(LaneOp.Constant, [], BitConverter.DoubleToInt64Bits(value));

    /// <summary>Nodes made while it is open are known by what they are.</summary>
    public readonly struct Scope : IDisposable
    {
        readonly Dictionary<Key, LaneNode>? _outer;

        public Scope(bool _) => (_outer, t_known) = (t_known, []);

        public void Dispose() => t_known = _outer;
    }
}

/// <summary>A function that branches on the values in its lanes has no straight-line form.</summary>
internal sealed class BranchesException : Exception;
