using Flambeau.Kernels;
using Flambeau.Runtime;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Flambeau.Bench;

/// <summary>
/// What this machine can do at best, measured now: fused multiply-adds that never leave the registers, and reading, copying and adding memory.
/// Bandwidths are the fastest of several tries, since a shared machine only ever makes them slower; multiply-adds are the median of tries.
/// </summary>
internal static unsafe class Limits
{
    const int Tries = 15;
    const double Least = 0.6; // seconds
    const long Many = 256L << 20; // bytes

    /// <summary>GFLOP/s of float32 fused multiply-adds (two operations each) in <paramref name="threads"/> threads.</summary>
    public static double FmaFloat32(int threads) => Flops(threads, Vector512.IsHardwareAccelerated ? new Chains(&Float512, 16) : Vector256.IsHardwareAccelerated ? new Chains(&Float256, 8) : new Chains(&Float128, 4));

    /// <summary>GFLOP/s of float64 fused multiply-adds.</summary>
    public static double FmaFloat64(int threads) => Flops(threads, Vector512.IsHardwareAccelerated ? new Chains(&Double512, 8) : Vector256.IsHardwareAccelerated ? new Chains(&Double256, 4) : new Chains(&Double128, 2));

    /// <summary>GFLOP/s of products of bfloat16 that add up in float32: of <c>vdpbf16ps</c>, which does 64 operations at once, or of float32 where the processor lacks it.</summary>
    public static double DotBFloat16(int threads) => DotCode<DotPairs>.IsSupported ? Flops(threads, new Chains(&Dots<DotPairs>, 32)) : FmaFloat32(threads);

    /// <summary>GOP/s of products of int8 that add up in int32: of <c>vpdpbusd</c>, which does 128 operations at once, or of float32 where the processor lacks it.</summary>
    public static double DotInt8(int threads) => DotCode<DotFours>.IsSupported ? Flops(threads, new Chains(&Dots<DotFours>, 64)) : FmaFloat32(threads);

    /// <summary>GB/s of reading so many bytes again and again; by default more than any cache holds.</summary>
    public static double ReadBandwidth(int threads, long bytes = Many) => Bandwidth(threads, 1, bytes, &ReadPart);

    /// <summary>GB/s of copying; read and written bytes both count.</summary>
    public static double CopyBandwidth(int threads, long bytes = Many) => Math.Max(Bandwidth(threads, 2, bytes, &CopyPart<Streamed>), Bandwidth(threads, 2, bytes, &CopyPart<Kept>));

    /// <summary>GB/s of x + s · y into a third array; the bytes of all three count (McCalpin 1995, "STREAM": triad).</summary>
    public static double TriadBandwidth(int threads, long bytes = Many) => Math.Max(Bandwidth(threads, 3, bytes, &TriadPart<Streamed>), Bandwidth(threads, 3, bytes, &TriadPart<Kept>));

    const int Steps = 200_000, Count = 12;

    readonly struct Chains(delegate*<double, double> run, int lanes)
    {
        public readonly delegate*<double, double> Run = run;
        public readonly int Lanes = lanes;
    }

    static double Flops(int threads, Chains chains)
    {
        // the median: clocks that rise for a moment are no limit for a product of seconds
        double[] seconds = Sorted(threads, threads, &RunChains, &chains);
        double usual = seconds[seconds.Length / 2];
        return 2.0 * Steps * Count * chains.Lanes * threads / usual / 1e9;
    }

    static double Dots<I>(double seed) where I : struct, IDotInstruction
    {
        ((delegate* unmanaged<void>)DotChains<I>.Address)();
        return seed;
    }

    static class DotChains<I> where I : struct, IDotInstruction
    {
        public static readonly nint Address = WriteDots<I>();
    }

    // registers that no calling convention wants back
    static nint WriteDots<I>() where I : struct, IDotInstruction
    {
        var (code, loop) = (new X64Code(), new Place());
        Vector x = new(16), y = new(17);
        for (int i = 16; i < 18 + Count; i++) code.Clear(new(i));
        code.Move(Gpr.Rax, Steps);
        code.Align(64);
        code.Mark(loop);
        for (int i = 0; i < Count; i++) I.Dot(code, new(18 + i), x, y);
        code.Subtract(Gpr.Rax, 1);
        code.Jump(When.NotEqual, loop);
        code.ZeroUpper();
        code.Return();
        return ExecutableMemory.Place(code.ToArray());
    }

    static void RunChains(int part, void* state) => Sink = ((Chains*)state)->Run(part);

    static double Sink;

    /// <summary>The seconds of several runs of a job, the fastest first. A peer's threads wait busily for a fifth of a second after its last call: most runs are later than that.</summary>
    static double[] Sorted(int threads, int parts, delegate*<int, void*, void> body, void* state)
    {
        int before = Team.Threads;
        Team.Threads = threads;
        var seconds = new List<double>();
        long first = Stopwatch.GetTimestamp();
        while (seconds.Count < Tries || Stopwatch.GetElapsedTime(first).TotalSeconds < Least)
        {
            long start = Stopwatch.GetTimestamp();
            Team.Run(parts, body, state);
            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        Team.Threads = before;
        return [.. seconds.Order()];
    }

    struct Memory
    {
        public byte* From, Beside, To;
        /// <summary>Bytes of one part, whole pages.</summary>
        public long Size;
    }

    static double Bandwidth(int threads, int arrays, long bytes, delegate*<int, void*, void> body)
    {
        int parts = 16 * threads;
        long size = Math.Max(Page, bytes / arrays / parts & -Page);
        var memory = new Memory { From = Pages(parts * size), Beside = Pages(parts * size), To = Pages(parts * size), Size = size };
        double best = Sorted(threads, parts, body, &memory)[0];
        NativeMemory.AlignedFree(memory.From);
        NativeMemory.AlignedFree(memory.Beside);
        NativeMemory.AlignedFree(memory.To);
        return (double)arrays * parts * size / best / 1e9;
    }

    const long Page = 4096;

    /// <summary>Memory that is written once, so that it is there; as a float each element is a tiny normal number.</summary>
    static byte* Pages(long bytes)
    {
        byte* pages = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, (nuint)Page);
        NativeMemory.Fill(pages, (nuint)bytes, 1);
        return pages;
    }

    interface IStores
    {
        static abstract void Put<T>(Vector256<T> x, T* p) where T : unmanaged;
    }

    /// <summary>Past the caches: a line that is overwritten is not fetched first.</summary>
    struct Streamed : IStores
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put<T>(Vector256<T> x, T* p) where T : unmanaged => x.StoreAlignedNonTemporal(p);
    }

    /// <summary>Into the caches: better where they hold it all.</summary>
    struct Kept : IStores
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Put<T>(Vector256<T> x, T* p) where T : unmanaged => x.StoreAligned(p);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void ReadPart(int part, void* state)
    {
        var memory = (Memory*)state;
        long* p = (long*)(memory->From + memory->Size * part), end = (long*)((byte*)p + memory->Size);
        Vector256<long> a = default, b = default, c = default, d = default;
        for (; p < end; p += 16)
        {
            a |= Vector256.Load(p);
            b |= Vector256.Load(p + 4);
            c |= Vector256.Load(p + 8);
            d |= Vector256.Load(p + 12);
        }
        Sink = Vector256.Sum((a | b) | (c | d));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void CopyPart<Stores>(int part, void* state) where Stores : IStores
    {
        var memory = (Memory*)state;
        long from = memory->Size * part;
        long* p = (long*)(memory->From + from), q = (long*)(memory->To + from), end = (long*)((byte*)p + memory->Size);
        for (; p < end; p += 8, q += 8)
        {
            Vector256<long> a = Vector256.Load(p), b = Vector256.Load(p + 4);
            Stores.Put(a, q);
            Stores.Put(b, q + 4);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TriadPart<Stores>(int part, void* state) where Stores : IStores
    {
        var memory = (Memory*)state;
        long from = memory->Size * part;
        float* x = (float*)(memory->From + from), y = (float*)(memory->Beside + from), z = (float*)(memory->To + from), end = (float*)((byte*)x + memory->Size);
        var factor = Vector256.Create(3f);
        for (; x < end; x += 16, y += 16, z += 16)
        {
            Vector256<float> a = Vector256.Load(x) + factor * Vector256.Load(y), b = Vector256.Load(x + 8) + factor * Vector256.Load(y + 8);
            Stores.Put(a, z);
            Stores.Put(b, z + 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Float128(double seed)
    {
        Vector128<float> x = Vector128.Create((float)seed + 1), y = Vector128.Create((float)1e-9);
        Vector128<float> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector128.FusedMultiplyAdd(x, y, s0);
            s1 = Vector128.FusedMultiplyAdd(x, y, s1);
            s2 = Vector128.FusedMultiplyAdd(x, y, s2);
            s3 = Vector128.FusedMultiplyAdd(x, y, s3);
            s4 = Vector128.FusedMultiplyAdd(x, y, s4);
            s5 = Vector128.FusedMultiplyAdd(x, y, s5);
            s6 = Vector128.FusedMultiplyAdd(x, y, s6);
            s7 = Vector128.FusedMultiplyAdd(x, y, s7);
            s8 = Vector128.FusedMultiplyAdd(x, y, s8);
            s9 = Vector128.FusedMultiplyAdd(x, y, s9);
            s10 = Vector128.FusedMultiplyAdd(x, y, s10);
            s11 = Vector128.FusedMultiplyAdd(x, y, s11);
        }
        return Vector128.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Float256(double seed)
    {
        Vector256<float> x = Vector256.Create((float)seed + 1), y = Vector256.Create((float)1e-9);
        Vector256<float> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector256.FusedMultiplyAdd(x, y, s0);
            s1 = Vector256.FusedMultiplyAdd(x, y, s1);
            s2 = Vector256.FusedMultiplyAdd(x, y, s2);
            s3 = Vector256.FusedMultiplyAdd(x, y, s3);
            s4 = Vector256.FusedMultiplyAdd(x, y, s4);
            s5 = Vector256.FusedMultiplyAdd(x, y, s5);
            s6 = Vector256.FusedMultiplyAdd(x, y, s6);
            s7 = Vector256.FusedMultiplyAdd(x, y, s7);
            s8 = Vector256.FusedMultiplyAdd(x, y, s8);
            s9 = Vector256.FusedMultiplyAdd(x, y, s9);
            s10 = Vector256.FusedMultiplyAdd(x, y, s10);
            s11 = Vector256.FusedMultiplyAdd(x, y, s11);
        }
        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Float512(double seed)
    {
        Vector512<float> x = Vector512.Create((float)seed + 1), y = Vector512.Create((float)1e-9);
        Vector512<float> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector512.FusedMultiplyAdd(x, y, s0);
            s1 = Vector512.FusedMultiplyAdd(x, y, s1);
            s2 = Vector512.FusedMultiplyAdd(x, y, s2);
            s3 = Vector512.FusedMultiplyAdd(x, y, s3);
            s4 = Vector512.FusedMultiplyAdd(x, y, s4);
            s5 = Vector512.FusedMultiplyAdd(x, y, s5);
            s6 = Vector512.FusedMultiplyAdd(x, y, s6);
            s7 = Vector512.FusedMultiplyAdd(x, y, s7);
            s8 = Vector512.FusedMultiplyAdd(x, y, s8);
            s9 = Vector512.FusedMultiplyAdd(x, y, s9);
            s10 = Vector512.FusedMultiplyAdd(x, y, s10);
            s11 = Vector512.FusedMultiplyAdd(x, y, s11);
        }
        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Double128(double seed)
    {
        Vector128<double> x = Vector128.Create((double)seed + 1), y = Vector128.Create((double)1e-9);
        Vector128<double> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector128.FusedMultiplyAdd(x, y, s0);
            s1 = Vector128.FusedMultiplyAdd(x, y, s1);
            s2 = Vector128.FusedMultiplyAdd(x, y, s2);
            s3 = Vector128.FusedMultiplyAdd(x, y, s3);
            s4 = Vector128.FusedMultiplyAdd(x, y, s4);
            s5 = Vector128.FusedMultiplyAdd(x, y, s5);
            s6 = Vector128.FusedMultiplyAdd(x, y, s6);
            s7 = Vector128.FusedMultiplyAdd(x, y, s7);
            s8 = Vector128.FusedMultiplyAdd(x, y, s8);
            s9 = Vector128.FusedMultiplyAdd(x, y, s9);
            s10 = Vector128.FusedMultiplyAdd(x, y, s10);
            s11 = Vector128.FusedMultiplyAdd(x, y, s11);
        }
        return Vector128.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Double256(double seed)
    {
        Vector256<double> x = Vector256.Create((double)seed + 1), y = Vector256.Create((double)1e-9);
        Vector256<double> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector256.FusedMultiplyAdd(x, y, s0);
            s1 = Vector256.FusedMultiplyAdd(x, y, s1);
            s2 = Vector256.FusedMultiplyAdd(x, y, s2);
            s3 = Vector256.FusedMultiplyAdd(x, y, s3);
            s4 = Vector256.FusedMultiplyAdd(x, y, s4);
            s5 = Vector256.FusedMultiplyAdd(x, y, s5);
            s6 = Vector256.FusedMultiplyAdd(x, y, s6);
            s7 = Vector256.FusedMultiplyAdd(x, y, s7);
            s8 = Vector256.FusedMultiplyAdd(x, y, s8);
            s9 = Vector256.FusedMultiplyAdd(x, y, s9);
            s10 = Vector256.FusedMultiplyAdd(x, y, s10);
            s11 = Vector256.FusedMultiplyAdd(x, y, s11);
        }
        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static double Double512(double seed)
    {
        Vector512<double> x = Vector512.Create((double)seed + 1), y = Vector512.Create((double)1e-9);
        Vector512<double> s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x, s6 = x, s7 = x, s8 = x, s9 = x, s10 = x, s11 = x;
        for (int n = 0; n < Steps; n++)
        {
            s0 = Vector512.FusedMultiplyAdd(x, y, s0);
            s1 = Vector512.FusedMultiplyAdd(x, y, s1);
            s2 = Vector512.FusedMultiplyAdd(x, y, s2);
            s3 = Vector512.FusedMultiplyAdd(x, y, s3);
            s4 = Vector512.FusedMultiplyAdd(x, y, s4);
            s5 = Vector512.FusedMultiplyAdd(x, y, s5);
            s6 = Vector512.FusedMultiplyAdd(x, y, s6);
            s7 = Vector512.FusedMultiplyAdd(x, y, s7);
            s8 = Vector512.FusedMultiplyAdd(x, y, s8);
            s9 = Vector512.FusedMultiplyAdd(x, y, s9);
            s10 = Vector512.FusedMultiplyAdd(x, y, s10);
            s11 = Vector512.FusedMultiplyAdd(x, y, s11);
        }
        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }
}
