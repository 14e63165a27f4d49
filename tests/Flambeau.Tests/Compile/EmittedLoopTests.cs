using System.Runtime.CompilerServices;
using Flambeau.Compile;
using Flambeau.Compile.Emit;
using Flambeau.Compile.Loops;

namespace Flambeau.Tests.Compile;

/// <summary>Emitted loops called by themselves, at every width: what they write and where, and how they read and round narrow types.</summary>
public unsafe class EmittedLoopTests
{
    const byte Guard = 0xA5;
    const int GuardBytes = 256;

    public static TheoryData<int, DType> WidthsAndTypes => [.. from w in new[] { 128, 256, 512 } from t in new[] { DType.Float32, DType.Float64, DType.BFloat16, DType.Float16 } select new TheoryDataRow<int, DType>(w, t)];

    // the only loop of a body over a row's elements
    static (PassFunction Function, LoopOperand[] Operands) Compile(Func<Tensor[], Tensor> body, object attributes, int width, Streams streams, params Tensor[] x)
    {
        var program = Fused.Of(body, attributes, null, x, record: false).Forward!.Rows!;
        var plan = LoopPlanner.Plan(program);
        var pass = plan.Steps.OfType<Pass>().First(p => p.IsByRow);
        var loop = Assert.Single(pass.Loops);
        using var _ = new LaneNode.Scope(true);
        var code = LoopCode.Of(loop, pass, plan.Values, program.Constants, streams);
        return (PassEmitter.Compile([code], new bool[pass.Pointers.Length], width), code.Operands);
    }

    // memory between guards
    sealed class Memory
    {
        readonly byte[] _all;
        readonly int _start, _bytes;

        public Memory(long bytes)
        {
            _all = GC.AllocateUninitializedArray<byte>((int)bytes + 2 * GuardBytes + LaneMemory.StreamBytes, pinned: true);
            Array.Fill(_all, Guard);
            _bytes = (int)bytes;
            _start = GuardBytes + (int)(-(nint)Unsafe.AsPointer(ref _all[GuardBytes]) & LaneMemory.StreamBytes - 1);
        }

        public byte* Start => (byte*)Unsafe.AsPointer(ref _all[_start]);
        public Span<byte> Bytes => _all.AsSpan(_start, _bytes);
        public bool IsIntact => !_all.AsSpan(0, _start).ContainsAnyExcept(Guard) && !_all.AsSpan(_start + _bytes).ContainsAnyExcept(Guard);
    }

    static void Call(PassFunction function, LoopOperand[] operands, Memory[] memory, long rows, long columns, string what)
    {
        var scratch = new Memory(operands.Length * LoopEmitter.ChainBytes);
        byte** at = stackalloc byte*[operands.Length + 1];
        long* steps = stackalloc long[operands.Length];
        for (int k = 0; k < operands.Length; k++)
        {
            at[k] = memory[k].Start;
            steps[k] = operands[k].Type.Size * operands[k].Access switch { Access.Load or Access.Store or Access.Stream => columns, Access.Chains => 1, _ => 0 };
        }
        at[operands.Length] = scratch.Start;
        function(at, steps, rows, columns);
        for (int k = 0; k < operands.Length; k++) Assert.True(memory[k].IsIntact, $"{what}: wrote outside of operand {k}, {operands[k]}");
        Assert.True(scratch.IsIntact, $"{what}: wrote outside of the scratch memory");
    }

    static void Put(DType type, double number, byte* p)
    {
        switch (type)
        {
            case DType.Float64: *(double*)p = number; break;
            case DType.Float32: *(float*)p = (float)number; break;
            case DType.Float16: *(Half*)p = (Half)number; break;
            default: *(ushort*)p = (ushort)(BitConverter.SingleToUInt32Bits((float)number) >> 16); break;
        }
    }

    static double Get(DType type, byte* p) => type switch
    {
        DType.Float64 => *(double*)p,
        DType.Float32 => *(float*)p,
        DType.Float16 => (double)*(Half*)p,
        DType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)*(ushort*)p << 16),
        _ => *p,
    };

    // of whole numbers so small that every type and every order of summation is exact
    [Theory, MemberData(nameof(WidthsAndTypes))]
    public void A_loop_writes_its_rows_and_nothing_behind_them(int width, DType type)
    {
        var random = new Random(3);
        (string Name, Func<Tensor[], Tensor> Body, Func<double[], double[], double[]> Expected)[] cases =
        [
            ("product", t => t[0] * t[1], (x, w) => [.. x.Select((v, i) => v * w[i % w.Length])]),
            ("comparison", t => t[0].Gt(t[1]), (x, w) => [.. x.Select((v, i) => v > w[i % w.Length] ? 1.0 : 0)]),
            ("sums of rows", t => (t[0] * t[1]).Sum(-1), (x, w) => [.. x.Chunk(w.Length).Select(row => row.Zip(w, (v, u) => v * u).Sum())]),
            ("sums over rows", t => (t[0] * t[1]).Sum(0), (x, w) => [.. w.Select((u, c) => Enumerable.Range(0, x.Length / w.Length).Sum(r => x[r * w.Length + c] * u))]),
        ];
        foreach (var ((name, body, expected), streams) in from c in cases from s in new[] { Streams.None, Streams.Shifted } select (c, s))
        {
            var (function, operands) = Compile(body, 0, width, streams, Tensor.Zeros([4, 40], type), Tensor.Zeros([40], type));
            for (int columns = 1; columns <= 150; columns += columns < 70 ? 1 : 9)
                foreach (int rows in new[] { 1, 2, 5 })
                {
                    string what = $"{name}, {rows} x {columns}{(streams == Streams.None ? "" : ", past the caches")}";
                    if (columns < width / (type == DType.Float64 ? 64 : 32) && Array.Exists(operands, o => o.Access == Access.Stream)) continue; // shorter than a vector
                    double[] x = [.. Enumerable.Range(0, rows * columns).Select(_ => random.Next(-2, 3))], w = [.. Enumerable.Range(0, columns).Select(_ => random.Next(-2, 3))];
                    double[] result = expected(x, w);
                    var memory = Array.ConvertAll(operands, o => new Memory(o.Type.Size * (o.Access is Access.Load ? x.Length : o.Access is Access.Shared ? columns : result.Length)));
                    for (int k = 0; k < operands.Length; k++)
                    {
                        double[] given = operands[k].Access switch { Access.Load => x, Access.Shared => w, _ => new double[result.Length] };
                        for (int i = 0; i < given.Length; i++) if (operands[k].Type != DType.Bool) Put(operands[k].Type, given[i], memory[k].Start + i * operands[k].Type.Size);
                    }
                    Call(function, operands, memory, rows, columns, what);
                    for (int k = 0; k < operands.Length; k++)
                    {
                        double[] now = operands[k].Access switch { Access.Load => x, Access.Shared => w, _ => result };
                        for (int i = 0; i < now.Length; i++)
                        {
                            double found = Get(operands[k].Type, memory[k].Start + i * operands[k].Type.Size);
                            Assert.True(now[i] == found, $"{what}: element {i} of operand {k}, {operands[k]}, is {found}, expected {now[i]}");
                        }
                    }
                }
        }
    }

    // ---- narrow types ----

    public static TheoryData<int, DType> WidthsAndNarrowTypes => [.. from w in new[] { 128, 256, 512 } from t in new[] { DType.BFloat16, DType.Float16 } select new TheoryDataRow<int, DType>(w, t)];

    static float Number(DType type, int bits) => type == DType.Float16 ? (float)BitConverter.UInt16BitsToHalf((ushort)bits) : BitConverter.UInt32BitsToSingle((uint)bits << 16);

    // numbers of the narrow type, what lies in the middle of two neighbours, and what is next to both; beyond the largest the middle decides between that and infinity
    static float[] Samples(DType type)
    {
        var samples = new List<float> { float.NaN, float.MaxValue, float.Epsilon };
        int infinity = type == DType.Float16 ? 0x7C00 : 0x7F80;
        for (int bits = 0; bits < infinity; bits++)
        {
            double low = Number(type, bits), high = bits + 1 < infinity ? Number(type, bits + 1) : 2 * low - Number(type, bits - 1);
            float middle = (float)((low + high) / 2);
            samples.AddRange([(float)low, MathF.BitIncrement((float)low), MathF.BitDecrement(middle), middle, MathF.BitIncrement(middle)]);
        }
        samples.Add(float.PositiveInfinity);
        return [.. samples, .. samples.Select(x => -x)];
    }

    // the nearest number of the type; of two equally near ones that with an even last bit
    static float Nearest(DType type, float x)
    {
        if (type == DType.Float16 || !float.IsFinite(x)) return type == DType.Float16 ? (float)(Half)x : x;
        uint bits = BitConverter.SingleToUInt32Bits(x), below = bits >> 16;
        double low = Number(type, (int)below), high = (below & 0x7FFF) == 0x7F7F ? 2 * low - Number(type, (int)below - 1) : Number(type, (int)below + 1);
        double toLow = Math.Abs(x - low), toHigh = Math.Abs(high - x);
        return Number(type, (int)(toLow < toHigh || toLow == toHigh && below % 2 == 0 ? below : below + 1));
    }

    static bool Same(float a, float b) => float.IsNaN(a) ? float.IsNaN(b) : BitConverter.SingleToInt32Bits(a) == BitConverter.SingleToInt32Bits(b);

    [Theory, MemberData(nameof(WidthsAndNarrowTypes))]
    public void Every_number_is_rounded_to_the_nearest_of_a_narrow_type(int width, DType type)
    {
        float[] x = Samples(type);
        var toMemory = Compile(t => t[0].To(type), type, width, Streams.None, Tensor.Zeros([4, 40]));
        var inRegisters = Compile(t => t[0].To(type).To(DType.Float32), type, width, Streams.None, Tensor.Zeros([4, 40]));
        Assert.Equal((type, DType.Float32), (toMemory.Operands[1].Type, inRegisters.Operands[1].Type));
        foreach (var (function, operands) in new[] { toMemory, inRegisters })
        {
            Memory from = new(4 * x.Length), to = new(operands[1].Type.Size * x.Length);
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(x.AsSpan()).CopyTo(from.Bytes);
            Call(function, operands, [from, to], 1, x.Length, $"{type}");
            for (int i = 0; i < x.Length; i++)
            {
                float y = (float)Get(operands[1].Type, to.Start + i * operands[1].Type.Size);
                Assert.True(Same(Nearest(type, x[i]), y), $"{x[i]:R} becomes {y:R}, the nearest {type} is {Nearest(type, x[i]):R}");
            }
        }
    }

    [Theory, MemberData(nameof(WidthsAndNarrowTypes))]
    public void Every_number_of_a_narrow_type_is_read(int width, DType type)
    {
        var (function, operands) = Compile(t => t[0].To(DType.Float32), 0, width, Streams.None, Tensor.Zeros([4, 40], type));
        Memory from = new(2 * 65536), to = new(4 * 65536);
        for (int bits = 0; bits < 65536; bits++) ((ushort*)from.Start)[bits] = (ushort)bits;
        Call(function, operands, [from, to], 1, 65536, $"{type}");
        for (int bits = 0; bits < 65536; bits++) Assert.True(Same(Number(type, bits), ((float*)to.Start)[bits]), $"{bits:X4} is read as {((float*)to.Start)[bits]:R}, it is {Number(type, bits):R}");
    }
}
