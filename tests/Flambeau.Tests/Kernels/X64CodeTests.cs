using System.Runtime.InteropServices;
using Flambeau.Kernels;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Flambeau.Tests.Kernels;

/// <summary>Our encoder against a decoder of others, and the register kernels it writes.</summary>
[Collection("Team")]
public unsafe class X64CodeTests
{
    static readonly Gpr[] s_general = Enum.GetValues<Gpr>();

    static Register General(Gpr register) => Register.RAX + (int)register;
    static Register Zmm(Vector vector) => Register.ZMM0 + vector.Number;
    static Register Ymm(Vector vector) => Register.YMM0 + vector.Number;
    static Register Xmm(Vector vector) => Register.XMM0 + vector.Number;
    static MemoryOperand At(Address memory) => new(General(memory.Register), memory.Offset, 8);

    static List<Instruction> Decode(byte[] code)
    {
        var decoder = Decoder.Create(64, code);
        var all = new List<Instruction>();
        while (decoder.IP < (ulong)code.Length) all.Add(decoder.Decode());
        return all;
    }

    static string Text(in Instruction x)
    {
        var output = new StringOutput();
        new NasmFormatter().Format(x, output);
        return output.ToString();
    }

    [Fact]
    public void Every_instruction_is_decoded_as_what_was_asked_for()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        var (code, wanted) = (new X64Code(), new List<Instruction>());
        for (int i = 0; i < 4000; i++) Write(random, code, wanted);
        var got = Decode(code.ToArray());
        Assert.True(wanted.Count == got.Count, $"seed {seed}: {got.Count} instructions of {wanted.Count}");
        for (int i = 0; i < got.Count; i++) Assert.True(wanted[i].Code == got[i].Code && Text(wanted[i]) == Text(got[i]), $"seed {seed}: {Text(got[i])} ({got[i].Code}) for {Text(wanted[i])} ({wanted[i].Code})");
    }

    static void Write(Random random, X64Code code, List<Instruction> wanted)
    {
        Gpr to = s_general[random.Next(16)], from = s_general[random.Next(16)];
        int number = random.Next(3) switch { 0 => random.Next(-130, 130), 1 => 64 * random.Next(-130, 130), _ => random.Next() - random.Next() };
        if (random.Next(8) == 0) number = 0;
        var memory = new Address(from, number);
        Vector x = new(random.Next(32)), y = new(random.Next(32)), z = new(random.Next(32)), low = new(random.Next(16));
        bool isByte = number is >= -128 and <= 127;
        switch (random.Next(24))
        {
            case 0: code.Move(to, from); wanted.Add(Instruction.Create(Code.Mov_r64_rm64, General(to), General(from))); break;
            case 1: code.Move(to, memory); wanted.Add(Instruction.Create(Code.Mov_r64_rm64, General(to), At(memory))); break;
            case 2: code.Move(to, number); wanted.Add(Instruction.Create(Code.Mov_rm64_imm32, General(to), number)); break;
            case 3: code.Add(to, from); wanted.Add(Instruction.Create(Code.Add_r64_rm64, General(to), General(from))); break;
            case 4: code.Subtract(to, number); wanted.Add(Instruction.Create(isByte ? Code.Sub_rm64_imm8 : Code.Sub_rm64_imm32, General(to), number)); break;
            case 5: code.Compare(to, number); wanted.Add(Instruction.Create(isByte ? Code.Cmp_rm64_imm8 : Code.Cmp_rm64_imm32, General(to), number)); break;
            case 6: code.Prefetch(memory); wanted.Add(Instruction.Create(Code.Prefetcht0_m8, At(memory))); break;
            case 7: code.Load(x, memory); wanted.Add(Instruction.Create(Code.EVEX_Vmovups_zmm_k1z_zmmm512, Zmm(x), At(memory))); break;
            case 8: code.Store(memory, x); wanted.Add(Instruction.Create(Code.EVEX_Vmovups_zmmm512_k1z_zmm, At(memory), Zmm(x))); break;
            case 9: code.Broadcast(x, memory); wanted.Add(Instruction.Create(Code.EVEX_Vbroadcastss_zmm_k1z_xmmm32, Zmm(x), At(memory))); break;
            case 10: code.Clear(x); wanted.Add(Instruction.Create(Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, Zmm(x), Zmm(x), Zmm(x))); break;
            case 11: code.Add(x, y, memory); wanted.Add(Instruction.Create(Code.EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, Zmm(x), Zmm(y), At(memory))); break;
            case 12: code.AddInt32(x, y, memory); wanted.Add(Instruction.Create(Code.EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, Zmm(x), Zmm(y), At(memory))); break;
            case 13: code.DotBFloat16(x, y, z); wanted.Add(Instruction.Create(Code.EVEX_Vdpbf16ps_zmm_k1z_zmm_zmmm512b32, Zmm(x), Zmm(y), Zmm(z))); break;
            case 14: code.DotInt8(x, y, z); wanted.Add(Instruction.Create(Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32, Zmm(x), Zmm(y), Zmm(z))); break;
            case 15: code.LoadLower(low, memory); wanted.Add(Instruction.Create(Code.VEX_Vmovups_xmm_xmmm128, Xmm(low), At(memory))); break;
            case 16: code.StoreLower(memory, low); wanted.Add(Instruction.Create(Code.VEX_Vmovups_xmmm128_xmm, At(memory), Xmm(low))); break;
            case 17: code.ToBFloat16(x, y); wanted.Add(Instruction.Create(Code.EVEX_Vcvtneps2bf16_ymm_k1z_zmmm512b32, Ymm(x), Zmm(y))); break;
            case 18: code.StoreHalf(memory, x); wanted.Add(Instruction.Create(Code.EVEX_Vmovups_ymmm256_k1z_ymm, At(memory), Ymm(x))); break;
            case 19: code.Add(to, memory); wanted.Add(Instruction.Create(Code.Add_r64_rm64, General(to), At(memory))); break;
            case 20: code.PrefetchToL2(memory); wanted.Add(Instruction.Create(Code.Prefetcht1_m8, At(memory))); break;
            case 21: code.ZipWords(x, y, z, isByte); wanted.Add(Instruction.Create(isByte ? Code.EVEX_Vpunpckhwd_zmm_k1z_zmm_zmmm512 : Code.EVEX_Vpunpcklwd_zmm_k1z_zmm_zmmm512, Zmm(x), Zmm(y), Zmm(z))); break;
            case 22: code.ZipBytes(x, y, z, isByte); wanted.Add(Instruction.Create(isByte ? Code.EVEX_Vpunpckhbw_zmm_k1z_zmm_zmmm512 : Code.EVEX_Vpunpcklbw_zmm_k1z_zmm_zmmm512, Zmm(x), Zmm(y), Zmm(z))); break;
            default: code.ZeroUpper(); wanted.Add(Instruction.Create(Code.VEX_Vzeroupper)); break;
        }
    }

    [Fact]
    public void Jumps_lead_to_their_places_before_and_behind_them()
    {
        var code = new X64Code();
        Place before = new(), behind = new();
        code.Mark(before);
        code.Jump(When.NotEqual, behind);
        code.Jump(behind);
        code.Jump(When.Equal, before);
        code.Align(16);
        code.Mark(behind);
        int end = code.Length;
        code.Return();
        var got = Decode(code.ToArray());
        Assert.Equal([Code.Jne_rel32_64, Code.Jmp_rel32_64, Code.Je_rel32_64], got.Take(3).Select(x => x.Code));
        Assert.Equal([(ulong)end, (ulong)end, 0], got.Take(3).Select(x => x.NearBranchTarget));
        Assert.Equal(Code.Retnq, got[^1].Code);
        Assert.Equal(0, end % 16);
    }

    // Linux and macOS: all vectors and these general registers may be overwritten; Windows: the lower parts of 6 … 15 are wanted back
    static readonly Register[] s_free = [Register.RAX, Register.RCX, Register.RDX, Register.R8, Register.R9, Register.R10, Register.R11];

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Kernels_hold_their_sums_in_registers_and_keep_to_the_calling_convention(bool forWindows)
    {
        KeepToTheConvention<DotPairs>(forWindows, Code.EVEX_Vdpbf16ps_zmm_k1z_zmm_zmmm512b32);
        KeepToTheConvention<DotFours>(forWindows, Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32);
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Sweeps_need_no_register_that_a_caller_wants_back(bool forWindows)
    {
        SweepInFreeRegisters<DotPairs>(forWindows, Code.EVEX_Vdpbf16ps_zmm_k1z_zmm_zmmm512b32);
        SweepInFreeRegisters<DotFours>(forWindows, Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32);
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Rows_of_bytes_need_no_register_that_a_caller_wants_back(bool forWindows)
    {
        for (int rows = 1; rows <= ByteRowsCode.MostRows; rows++)
            foreach (bool shifted in new[] { false, true })
            {
                var code = new X64Code();
                ByteRowsCode.Write(code, rows, shifted, forWindows);
                InFreeRegisters(Decode(code.ToArray()), forWindows, Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32, 4 * (rows + (shifted ? 1 : 0)), 4);
            }
    }

    static void SweepInFreeRegisters<I>(bool forWindows, Code dot) where I : struct, IDotInstruction
    {
        for (int elements = 1; elements <= SweepCode<I>.Most; elements++)
        {
            var code = new X64Code();
            SweepCode<I>.Write(code, elements, forWindows);
            InFreeRegisters(Decode(code.ToArray()), forWindows, dot, 4 * elements, 4 * elements);
        }
    }

    static void InFreeRegisters(List<Instruction> all, bool forWindows, Code dot, int dots, int lines)
    {
        Assert.DoesNotContain(all, x => x.IsInvalid);
        Assert.Equal(dots, all.Count(x => x.Code == dot));
        Assert.Equal(lines, all.Count(x => x.Code == Code.Prefetcht1_m8));
        Assert.Equal(Code.Retnq, all[^1].Code);
        var registers = all.SelectMany(x => Enumerable.Range(0, x.OpCount).Select(i => (x, i))).Where(o => o.x.GetOpKind(o.i) == OpKind.Register).Select(o => o.x.GetOpRegister(o.i)).ToHashSet();
        Assert.All(registers.Where(r => r.IsGPR()), r => Assert.Contains(r, s_free.Append(Register.RDI)));
        Assert.Equal(!forWindows, registers.Contains(Register.RDI));
        Assert.All(registers.Where(r => r.IsZMM()), r => Assert.True(r - Register.ZMM0 is <= 5 or >= 16, $"{r}"));
    }

    static void KeepToTheConvention<I>(bool forWindows, Code dot) where I : struct, IDotInstruction
    {
        for (int rows = 1; rows <= MicroKernel.MaxRows; rows++)
            for (int vectors = 1; vectors <= MicroKernel.MaxVectors; vectors++)
            {
                var code = new X64Code();
                DotCode<I>.Write(code, rows, vectors, forWindows);
                var all = Decode(code.ToArray());
                Assert.DoesNotContain(all, x => x.IsInvalid);
                Assert.Equal(rows * vectors, all.Count(x => x.Code == dot));
                var starts = all.Select(x => x.IP).ToHashSet();
                Assert.All(all.Where(x => x.FlowControl is FlowControl.ConditionalBranch or FlowControl.UnconditionalBranch), x => Assert.Contains(x.NearBranchTarget, starts));
                Assert.Equal(Code.Retnq, all[^1].Code);

                // in the loop: no store, and each sum and vector in a register of its own
                int loop = all.FindIndex(x => x.IP == all.Single(x => x.Code == Code.Jne_rel32_64 && x.NearBranchTarget < x.IP).NearBranchTarget);
                int end = all.FindIndex(loop, x => x.Code == Code.Jne_rel32_64);
                var body = all[loop..end];
                Assert.DoesNotContain(body, x => x.Code == Code.EVEX_Vmovups_zmmm512_k1z_zmm);
                Assert.Equal(rows * vectors, body.Where(x => x.Code == dot).Select(x => x.Op0Register).Distinct().Count());

                var factory = new InstructionInfoFactory();
                var written = new HashSet<Register>();
                foreach (var x in all)
                    foreach (var used in factory.GetInfo(x).GetUsedRegisters())
                        if (used.Access is not (OpAccess.Read or OpAccess.CondRead or OpAccess.None)) written.Add(used.Register.GetFullRegister());
                written.Remove(Register.RSP); // of the return
                Assert.All(written.Where(r => r.IsGPR()), r => Assert.Contains(r, s_free));
                if (forWindows) KeepsVectors(all, body, written);
                else Assert.Equal("mov rcx,rdi", Text(all[0]));
            }
    }

    static void KeepsVectors(List<Instruction> all, List<Instruction> body, HashSet<Register> written)
    {
        int[] used = [.. body.SelectMany(x => Enumerable.Range(0, x.OpCount).Select(x.GetOpRegister)).Where(r => r.IsZMM()).Select(r => r - Register.ZMM0).Distinct().Where(r => r is >= 6 and <= 15).Order()];
        var (stores, loads) = (all.Where(x => x.Code == Code.VEX_Vmovups_xmmm128_xmm).ToList(), all.Where(x => x.Code == Code.VEX_Vmovups_xmm_xmmm128).ToList());
        Assert.Equal(used, stores.Select(x => x.Op1Register - Register.XMM0));
        Assert.Equal(used, loads.Select(x => x.Op0Register - Register.XMM0));
        Assert.Equal(stores.Select(x => x.MemoryDisplacement64), loads.Select(x => x.MemoryDisplacement64));
        Assert.All(stores.Concat(loads), x => Assert.InRange((long)x.MemoryDisplacement64, sizeof(DotArguments) - 160, sizeof(DotArguments) - 16));
        Assert.Contains(Register.ZMM0, written);
    }

    /// <summary>What the instruction computes where no number is subnormal.</summary>
    internal static float Pair(uint x, uint y, float sum)
    {
        float Upper(uint u) => BitConverter.UInt32BitsToSingle(u & 0xFFFF0000);
        sum = MathF.FusedMultiplyAdd(Upper(x), Upper(y), sum);
        return MathF.FusedMultiplyAdd(Upper(x << 16), Upper(y << 16), sum);
    }

    /// <summary>What the instruction for bytes computes: those of x unsigned, those of y signed.</summary>
    internal static int Four(uint x, uint y, int sum)
    {
        for (int i = 0; i < 32; i += 8) sum = unchecked(sum + (byte)(x >> i) * (sbyte)(y >> i));
        return sum;
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Kernels_compute_chains_of_pairs(bool forWindows)
    {
        Assert.SkipUnless(DotCode<DotPairs>.IsSupported, "the processor has no vdpbf16ps");
        Compute<DotPairs, float>(forWindows, FillPairs, random => random.NextSingle(), Pair, (x, y) => x + y);
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Kernels_compute_sums_of_bytes(bool forWindows)
    {
        Assert.SkipUnless(DotCode<DotFours>.IsSupported, "the processor has no vpdpbusd");
        Compute<DotFours, int>(forWindows, (random, x) => random.NextBytes(MemoryMarshal.AsBytes(x.AsSpan())), random => random.Next() - random.Next(), Four, (x, y) => x + y);
    }

    static void Compute<I, T>(bool forWindows, Action<Random, uint[]> fill, Func<Random, T> any, Func<uint, uint, T, T> dot, Func<T, T, T> add) where I : struct, IDotInstruction where T : unmanaged
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        uint[] a = new uint[8 * 70], b = new uint[48 * 70];
        T[] c = new T[8 * 50], before = new T[c.Length];
        for (int rows = 1; rows <= 8; rows++)
            for (int vectors = 1; vectors <= 3; vectors++)
            {
                nint kernel = forWindows ? FromWindows<I>(rows, vectors) : (nint)DotCode<I>.Get(rows, vectors);
                foreach (var into in Enum.GetValues<Into>())
                {
                    int k = random.Next(1, 70);
                    fill(random, a);
                    fill(random, b);
                    for (int i = 0; i < c.Length; i++) before[i] = any(random);
                    before.CopyTo(c, 0);
                    fixed (uint* pa = a, pb = b)
                    fixed (T* pc = c)
                    {
                        var arguments = new DotArguments { Steps = k, A = pa, B = pb, C = pc, AStep = 8 * 4, BStep = 48 * 4, CRow = 50 * 4, Into = (nint)into };
                        ((delegate* unmanaged<DotArguments*, void>)kernel)(&arguments);
                        Assert.True(arguments.Steps == k, $"{rows} rows, {vectors} vectors: a register that Windows wants back has changed");
                    }
                    for (int i = 0; i < 8; i++)
                        for (int j = 0; j < 50; j++)
                        {
                            T old = before[i * 50 + j], sum = into == Into.Resume ? old : default;
                            for (int p = 0; p < k; p++) if (j < 48) sum = dot(a[p * 8 + i], b[p * 48 + j], sum);
                            if (into == Into.Add) sum = add(old, sum);
                            T want = i < rows && j < 16 * vectors ? sum : old;
                            Assert.True(want.Equals(c[i * 50 + j]), $"seed {seed}: C[{i}, {j}] of {rows} rows, {vectors} vectors, {k} steps, {into} is {c[i * 50 + j]}, not {want}");
                        }
                }
            }
    }

    [Fact]
    public void Kernels_round_sums_of_pairs_into_a_target_and_leave_the_rest_alone()
    {
        Assert.SkipUnless(DotCode<DotPairs>.IsSupported, "the processor has no vdpbf16ps");
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        uint[] a = new uint[8 * 70], b = new uint[48 * 70];
        var (target, c) = (new BFloat16[8 * 50], new float[8 * 48]);
        for (int rows = 1; rows <= 8; rows++)
            for (int vectors = 1; vectors <= 3; vectors++)
            {
                int k = random.Next(1, 70);
                FillPairs(random, a);
                FillPairs(random, b);
                if (random.Next(3) == 0) a[0] = 0x7FC17F81; // NaN
                Array.Fill(target, BFloat16.MaxValue);
                Array.Fill(c, 7);
                fixed (uint* pa = a, pb = b)
                fixed (float* pc = c)
                fixed (BFloat16* pt = target)
                {
                    var arguments = new DotArguments { Steps = k, A = pa, B = pb, C = pc, AStep = 8 * 4, BStep = 48 * 4, CRow = 48 * 4, Into = (nint)Into.Store, Target = pt, TargetRow = 50 * 2 };
                    DotCode<DotPairs>.Get(rows, vectors)(&arguments);
                }
                for (int i = 0; i < 8; i++)
                    for (int j = 0; j < 50; j++)
                    {
                        float sum = 0;
                        for (int p = 0; p < k; p++) if (j < 48) sum = Pair(a[p * 8 + i], b[p * 48 + j], sum);
                        BFloat16 want = i < rows && j < 16 * vectors ? (BFloat16)sum : BFloat16.MaxValue, got = target[i * 50 + j];
                        Assert.True(want.Bits == got.Bits || float.IsNaN((float)want) && float.IsNaN((float)got), $"seed {seed}: C[{i}, {j}] of {rows} rows, {vectors} vectors, {k} steps is {got}, not {want}");
                    }
                Assert.All(c, x => Assert.Equal(7, x));
            }
    }

    static void FillPairs(Random random, uint[] pairs)
    {
        uint Half() => BitConverter.SingleToUInt32Bits(random.NextSingle() * 2 - 1) >> 16;
        for (int i = 0; i < pairs.Length; i++) pairs[i] = Half() << 16 | Half();
    }

    // a kernel for Windows behind a step that brings its argument where Windows would and clears its number of steps if one of the registers 6 … 15 comes back changed
    static nint FromWindows<I>(int rows, int vectors) where I : struct, IDotInstruction
    {
        var code = new X64Code();
        DotCode<I>.Write(code, rows, vectors, forWindows: true);
        nint kernel = ExecutableMemory.Place(code.ToArray());
        var step = new Assembler(64);
        step.push(rbx);
        step.mov(rcx, rdi);
        step.mov(rax, 0x0123456789ABCDEF);
        AssemblerRegisterXMM[] kept = [xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15];
        foreach (var register in kept)
        {
            step.vmovq(register, rax);
            step.inc(rax);
        }
        step.mov(rax, (long)kernel);
        step.call(rax);
        step.mov(rax, 0x0123456789ABCDEF);
        var wrong = step.CreateLabel();
        foreach (var register in kept)
        {
            step.vmovq(rbx, register);
            step.cmp(rbx, rax);
            step.jne(wrong);
            step.inc(rax);
        }
        step.pop(rbx);
        step.ret();
        step.Label(ref wrong);
        step.pop(rbx);
        step.mov(__qword_ptr[rcx], 0);
        step.ret();
        var bytes = new MemoryStream();
        step.Assemble(new StreamCodeWriter(bytes), 0);
        return ExecutableMemory.Place(bytes.ToArray());
    }

    [Fact]
    public void Code_lies_in_memory_that_nobody_can_write()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && DotCode<DotPairs>.IsSupported, "reads /proc/self/maps");
        ulong kernel = (ulong)DotCode<DotPairs>.Get(8, 3);
        string line = File.ReadLines("/proc/self/maps").Single(l => l.Split('-', ' ') is var parts && Convert.ToUInt64(parts[0], 16) <= kernel && kernel < Convert.ToUInt64(parts[1], 16));
        Assert.Contains(" r-xp ", line);
    }
}
