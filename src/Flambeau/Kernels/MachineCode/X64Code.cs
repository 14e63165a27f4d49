using System.Buffers.Binary;
using System.Diagnostics;

namespace Flambeau.Kernels;

/// <summary>A general register of 64 bits, by the number that instructions know it by.</summary>
internal enum Gpr { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 }

/// <summary>A vector register: <c>zmm</c> of that number, or its lower part.</summary>
internal readonly record struct Vector(int Number);

/// <summary>Memory at a register plus bytes.</summary>
internal readonly record struct Address(Gpr Register, int Offset)
{
    public static implicit operator Address(Gpr register) => new(register, 0);
    public static Address operator +(Address x, int bytes) => new(x.Register, x.Offset + bytes);
}

/// <summary>A place in the code that jumps lead to.</summary>
internal sealed class Place
{
    public int At = -1;
    public readonly List<int> Jumps = [];
}

/// <summary>When a jump is taken, after a comparison or a subtraction; the number is the processor's.</summary>
internal enum When { Equal = 4, NotEqual = 5 }

/// <summary>
/// Machine code of x64 for the instructions that .NET has no name for and the little around them, byte by byte. Vectors have 512 bits (EVEX prefix) unless said.
/// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2.
/// </summary>
internal sealed class X64Code
{
    // the opcode's map and the prefix it implies, as EVEX and VEX number them
    const int Map0F = 1, Map0F38 = 2;
    const int None = 0, Prefix66 = 1, PrefixF3 = 2;

    readonly List<byte> _bytes = [];

    public int Length => _bytes.Count;

    /// <summary>The code; every place that a jump leads to is marked by now.</summary>
    public byte[] ToArray() => [.. _bytes];

    // ---- general registers ----

    public void Move(Gpr to, Gpr from) => General(0x8B, (int)to, from);
    /// <summary>A number of 32 bits and a sign.</summary>
    public void Move(Gpr to, int number)
    {
        _bytes.AddRange([(byte)(0x48 | (int)to >> 3), 0xC7]);
        Direct(0, (int)to);
        Int32(number);
    }

    public void Move(Gpr to, Address from) => General(0x8B, (int)to, from);
    public void Add(Gpr to, Gpr from) => General(0x03, (int)to, from);
    public void Add(Gpr to, Address from) => General(0x03, (int)to, from);
    public void Subtract(Gpr from, int number) => Immediate(5, from, number);
    public void Compare(Gpr x, int number) => Immediate(7, x, number);

    /// <summary>Asks for a line in the first-level cache (<c>prefetcht0</c>).</summary>
    public void Prefetch(Address line) => Prefetch(1, line);
    /// <summary>Asks for a line in the second-level cache (<c>prefetcht1</c>).</summary>
    public void PrefetchToL2(Address line) => Prefetch(2, line);

    public void Return() => _bytes.Add(0xC3);

    // ---- control ----

    public void Jump(When when, Place to)
    {
        _bytes.AddRange([0x0F, (byte)(0x80 | (int)when)]);
        Distance(to);
    }

    public void Jump(Place to)
    {
        _bytes.Add(0xE9);
        Distance(to);
    }

    public void Mark(Place place)
    {
        Debug.Assert(place.At < 0);
        place.At = Length;
        foreach (int jump in place.Jumps) Patch(jump, place.At);
    }

    /// <summary>Fills up to a multiple of <paramref name="bytes"/> with instructions that do nothing.</summary>
    public void Align(int bytes)
    {
        while (Length % bytes != 0) _bytes.Add(0x90);
    }

    // ---- vectors ----

    public void Load(Vector to, Address from) => Evex(None, Map0F, 0x10, to.Number, 0, from, 64);
    public void Store(Address to, Vector from) => Evex(None, Map0F, 0x11, from.Number, 0, to, 64);
    /// <summary>The lower 256 bits.</summary>
    public void StoreHalf(Address to, Vector from) => Evex(None, Map0F, 0x11, from.Number, 0, to, 32, length: 1);
    /// <summary>One float32, or any four bytes, into all lanes.</summary>
    public void Broadcast(Vector to, Address from) => Evex(Prefix66, Map0F38, 0x18, to.Number, 0, from, 4);
    public void Clear(Vector x) => Evex(Prefix66, Map0F, 0xEF, x.Number, x.Number, x.Number);
    /// <summary>float32: to = x + y.</summary>
    public void Add(Vector to, Vector x, Address y) => Evex(None, Map0F, 0x58, to.Number, x.Number, y, 64);
    /// <summary>int32: to = x + y.</summary>
    public void AddInt32(Vector to, Vector x, Address y) => Evex(Prefix66, Map0F, 0xFE, to.Number, x.Number, y, 64);
    /// <summary>A float32 lane grows by the products of its two pairs of bfloat16, the upper ones first (<c>vdpbf16ps</c>).</summary>
    public void DotBFloat16(Vector sum, Vector x, Vector y) => Evex(PrefixF3, Map0F38, 0x52, sum.Number, x.Number, y.Number);
    /// <summary>float32 to bfloat16, to nearest even, into the lower half; subnormal numbers become zero (<c>vcvtneps2bf16</c>).</summary>
    public void ToBFloat16(Vector to, Vector from) => Evex(PrefixF3, Map0F38, 0x72, to.Number, 0, from.Number);
    /// <summary>An int32 lane grows by the products of four unsigned bytes of x and four signed ones of y (<c>vpdpbusd</c>).</summary>
    public void DotInt8(Vector sum, Vector x, Vector y) => Evex(Prefix66, Map0F38, 0x50, sum.Number, x.Number, y.Number);
    /// <summary>In each 128 bits the lower, or upper, four words of x and y in turn, x's first.</summary>
    public void ZipWords(Vector to, Vector x, Vector y, bool upper) => Evex(Prefix66, Map0F, (byte)(upper ? 0x69 : 0x61), to.Number, x.Number, y.Number);
    /// <summary>The same for eight bytes.</summary>
    public void ZipBytes(Vector to, Vector x, Vector y, bool upper) => Evex(Prefix66, Map0F, (byte)(upper ? 0x68 : 0x60), to.Number, x.Number, y.Number);
    /// <summary>So that older instructions are not slowed down by what is left in the upper parts.</summary>
    public void ZeroUpper() => _bytes.AddRange([0xC5, 0xF8, 0x77]);

    /// <summary>128 bits: the part of a register 0 … 15 that Windows wants back.</summary>
    public void LoadLower(Vector to, Address from) => Vex128(0x10, to.Number, from);
    /// <summary>128 bits of a register 0 … 15.</summary>
    public void StoreLower(Address to, Vector from) => Vex128(0x11, from.Number, to);

    // ---- encoding ----

    void Prefetch(int level, Address line)
    {
        if ((int)line.Register > 7) _bytes.Add(0x41);
        _bytes.AddRange([0x0F, 0x18]);
        Memory(level, line, 1);
    }

    void General(byte opcode, int register, Gpr other)
    {
        _bytes.AddRange([(byte)(0x48 | register >> 3 << 2 | (int)other >> 3), opcode]);
        Direct(register, (int)other);
    }

    void General(byte opcode, int register, Address memory)
    {
        _bytes.AddRange([(byte)(0x48 | register >> 3 << 2 | (int)memory.Register >> 3), opcode]);
        Memory(register, memory, 1);
    }

    void Immediate(int operation, Gpr register, int number)
    {
        bool isShort = number is >= sbyte.MinValue and <= sbyte.MaxValue;
        _bytes.AddRange([(byte)(0x48 | (int)register >> 3), (byte)(isShort ? 0x83 : 0x81)]);
        Direct(operation, (int)register);
        if (isShort) _bytes.Add((byte)number);
        else Int32(number);
    }

    // 62, then: R X B R' 0 0 m m · W v v v v 1 p p · z L' L b V' a a a; the bits of register numbers are inverted
    void Evex(int prefix, int map, byte opcode, int register, int second, int bit3, int bit4, int length = 2)
    {
        int r = ~register >> 3 & 1, r4 = ~register >> 4 & 1, v = ~second & 15, v4 = ~second >> 4 & 1;
        _bytes.AddRange([0x62, (byte)(r << 7 | (bit4 ^ 1) << 6 | (bit3 ^ 1) << 5 | r4 << 4 | map), (byte)(v << 3 | 1 << 2 | prefix), (byte)(length << 5 | v4 << 3), opcode]);
    }

    void Evex(int prefix, int map, byte opcode, int register, int second, int third)
    {
        Evex(prefix, map, opcode, register, second, third >> 3 & 1, third >> 4 & 1);
        Direct(register, third);
    }

    void Evex(int prefix, int map, byte opcode, int register, int second, Address memory, int unit, int length = 2)
    {
        Evex(prefix, map, opcode, register, second, (int)memory.Register >> 3, 0, length);
        Memory(register, memory, unit);
    }

    // C5 in two bytes, or C4 in three where the address needs a register beyond the seventh
    void Vex128(byte opcode, int register, Address memory)
    {
        Debug.Assert(register < 16);
        int r = (~register >> 3 & 1) << 7;
        if ((int)memory.Register < 8) _bytes.AddRange([0xC5, (byte)(r | 0x78), opcode]);
        else _bytes.AddRange([0xC4, (byte)(r | 0x40 | Map0F), 0x78, opcode]);
        Memory(register, memory, 1);
    }

    void Direct(int register, int other) => _bytes.Add((byte)(0xC0 | (register & 7) << 3 | other & 7));

    /// <summary>The register and the address. A short distance counts <paramref name="unit"/> bytes: that of the vector or element, under EVEX.</summary>
    void Memory(int register, Address memory, int unit)
    {
        int low = (int)memory.Register & 7, distance = memory.Offset / unit;
        bool isShort = memory.Offset % unit == 0 && distance is >= sbyte.MinValue and <= sbyte.MaxValue;
        int mode = memory.Offset == 0 && low != (int)Gpr.Rbp ? 0 : isShort ? 1 : 2;
        _bytes.Add((byte)(mode << 6 | (register & 7) << 3 | low));
        if (low == (int)Gpr.Rsp) _bytes.Add(0x24); // no index
        if (mode == 1) _bytes.Add((byte)distance);
        if (mode == 2) Int32(memory.Offset);
    }

    void Distance(Place to)
    {
        to.Jumps.Add(Length);
        Int32(0);
        if (to.At >= 0) Patch(to.Jumps[^1], to.At);
    }

    void Patch(int jump, int to)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, to - (jump + 4));
        for (int i = 0; i < 4; i++) _bytes[jump + i] = bytes[i];
    }

    void Int32(int number)
    {
        for (int i = 0; i < 32; i += 8) _bytes.Add((byte)(number >> i));
    }
}
