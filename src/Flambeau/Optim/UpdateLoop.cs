using System.Runtime.CompilerServices;
using Flambeau.Diagnostics;
using Flambeau.Ops;
using Flambeau.Runtime;
using Flambeau.Scalars;

namespace Flambeau.Optim;

/// <summary>
/// One element's update of an optimizer: parameter, gradient and up to three states in, parameter and states out. Coefficients are the same for all elements and are rounded once
/// to the type that is computed in, as PyTorch does with numbers beside tensors.
/// </summary>
internal interface IUpdate
{
    /// <summary>How many states an element has: 0 to 3.</summary>
    static abstract int States { get; }

    /// <summary>The formula, in the order of operations that its text states.</summary>
    /// <param name="p">The parameter, updated.</param>
    /// <param name="g">The gradient.</param>
    /// <param name="s">The states, updated.</param>
    /// <param name="c">The coefficients.</param>
    static abstract void Body<S>(ref S p, S g, ref UpdateStates<S> s, in UpdateCoefficients<S> c) where S : IReal<S>;
}

/// <summary>An element's states.</summary>
internal struct UpdateStates<S>
{
    public S A, B, C;
}

/// <summary>Up to nine coefficients, spread over lanes.</summary>
internal struct UpdateCoefficients<S>
{
    public S C0, C1, C2, C3, C4, C5, C6, C7, C8;
}

/// <summary>A choice made when an update is compiled.</summary>
internal interface IChoice
{
    static abstract bool Value { get; }
}

/// <summary>Taken.</summary>
internal readonly struct Yes : IChoice
{
    public static bool Value { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => true; }
}

/// <summary>Not taken.</summary>
internal readonly struct No : IChoice
{
    public static bool Value { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => false; }
}

/// <summary>
/// Runs an update over all elements of a parameter in one pass: each array is read once and written once. The team shares chunks; an element's bits depend on its own numbers only.
/// </summary>
internal static unsafe class UpdateLoop
{
    const int Chunk = 16384;

    /// <summary>Updates <paramref name="parameter"/> and <paramref name="states"/> in place.</summary>
    /// <param name="parameter">Of any floating-point type; float16 and bfloat16 are computed in float32 and rounded once at the end.</param>
    /// <param name="gradient">Of the parameter's shape.</param>
    /// <param name="states">Contiguous, in the type that is computed in (<see cref="StateType"/>), of the parameter's shape.</param>
    /// <param name="coefficients">At most nine.</param>
    public static void Run<TUpdate>(Tensor parameter, Tensor gradient, ReadOnlySpan<Tensor> states, ReadOnlySpan<double> coefficients) where TUpdate : struct, IUpdate
    {
        using var scope = Recording.Update(KernelOf<TUpdate>.Name, parameter, gradient, states);
        var compute = StateType(parameter.DType);
        using var _ = Autograd.NoGrad();
        var p = parameter.To(compute).Contiguous();
        var g = gradient.To(compute).Contiguous();
        Span<double> c = stackalloc double[9];
        coefficients.CopyTo(c);
        fixed (double* atC = c)
        fixed (byte* atP = p.Concrete("Step"), atG = g.Concrete("Step"))
        fixed (byte* atA = states.Length > 0 ? states[0].Store : p.Store, atB = states.Length > 1 ? states[1].Store : p.Store, atC3 = states.Length > 2 ? states[2].Store : p.Store)
        {
            int size = compute.Size;
            byte** pointers = stackalloc byte*[5] { atG + g.Offset * size, Place(states, 0, atA), Place(states, 1, atB), Place(states, 2, atC3), (byte*)atC };
            var job = new Job { Kernel = KernelOf<TUpdate>.Instance, Compute = compute, P = atP + p.Offset * size, X = pointers, Count = p.Numel };
            int parts = (int)((p.Numel + Chunk - 1) / Chunk);
            if (!Team.Pays(p.Numel)) for (int i = 0; i < parts; i++) job.Run(i);
            else Team.Run(parts, ref job);
        }
        foreach (var s in states) s.Store!.Version++;
        if (ReferenceEquals(p, parameter)) parameter.Store!.Version++;
        else parameter.Copy_(p);
        GC.KeepAlive(g);
    }

    /// <summary>x + weight · (y − x), exact at both ends, with PyTorch's two orders of operation: from the nearer end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Lerp<S>(S x, S y, S weight) where S : IReal<S> =>
        S.Select(S.Abs(weight) < S.Constant(0.5), x + weight * (y - x), y - (y - x) * (S.Constant(1) - weight));

    /// <summary>The type that states are kept in and updates are computed in.</summary>
    public static DType StateType(DType parameter) => parameter == DType.Float64 ? DType.Float64 : DType.Float32;

    static byte* Place(ReadOnlySpan<Tensor> states, int i, byte* store) => i < states.Length ? store + states[i].Offset * states[i].DType.Size : null;

    static class KernelOf<TUpdate> where TUpdate : struct, IUpdate
    {
        public static readonly Kernel Instance = Kernel.Of<Loop<TUpdate>>();
        public static readonly string Name = $"{typeof(TUpdate).DeclaringType?.Name}.{typeof(TUpdate).Name.Split('`')[0]}";
    }

    struct Job : IPart
    {
        public Kernel Kernel;
        public DType Compute;
        public byte* P;
        public byte** X; // gradient, states, coefficients
        public long Count;

        public readonly void Run(int part)
        {
            long start = (long)part * Chunk, bytes = start * Compute.Size;
            byte** x = stackalloc byte*[5];
            for (int k = 0; k < 4; k++) x[k] = X[k] == null ? null : X[k] + bytes;
            x[4] = X[4];
            Kernel.Run(Compute, P + bytes, x, Math.Min(Chunk, Count - start), 0);
        }
    }

    readonly struct Loop<TUpdate> : ILoop where TUpdate : struct, IUpdate
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
        {
            double* c = (double*)x[4];
            var coefficients = new UpdateCoefficients<L>
            {
                C0 = L.Constant(c[0]), C1 = L.Constant(c[1]), C2 = L.Constant(c[2]), C3 = L.Constant(c[3]),
                C4 = L.Constant(c[4]), C5 = L.Constant(c[5]), C6 = L.Constant(c[6]), C7 = L.Constant(c[7]), C8 = L.Constant(c[8]),
            };
            byte* g = x[0], s0 = x[1], s1 = x[2], s2 = x[3];
            int bytes = L.Count * sizeof(T);
            long i = 0;
            for (; i + L.Count <= n; i += L.Count)
            {
                Element<L>(y, g, s0, s1, s2, coefficients);
                y += bytes; g += bytes; s0 += bytes; s1 += bytes; s2 += bytes;
            }
            if (i == n) return;
            // the rest goes through padded vectors: an element's bits do not depend on its place
            byte* pad = stackalloc byte[5 * 64];
            uint rest = (uint)(n - i) * (uint)sizeof(T);
            new Span<byte>(pad, 5 * 64).Clear();
            Unsafe.CopyBlockUnaligned(pad, y, rest);
            Unsafe.CopyBlockUnaligned(pad + 64, g, rest);
            if (TUpdate.States > 0) Unsafe.CopyBlockUnaligned(pad + 128, s0, rest);
            if (TUpdate.States > 1) Unsafe.CopyBlockUnaligned(pad + 192, s1, rest);
            if (TUpdate.States > 2) Unsafe.CopyBlockUnaligned(pad + 256, s2, rest);
            Element<L>(pad, pad + 64, pad + 128, pad + 192, pad + 256, coefficients);
            Unsafe.CopyBlockUnaligned(y, pad, rest);
            if (TUpdate.States > 0) Unsafe.CopyBlockUnaligned(s0, pad + 128, rest);
            if (TUpdate.States > 1) Unsafe.CopyBlockUnaligned(s1, pad + 192, rest);
            if (TUpdate.States > 2) Unsafe.CopyBlockUnaligned(s2, pad + 256, rest);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Element<L>(byte* p, byte* g, byte* s0, byte* s1, byte* s2, in UpdateCoefficients<L> c) where L : struct, ILanes<L>
        {
            var value = L.Load(p);
            UpdateStates<L> s = default;
            if (TUpdate.States > 0) s.A = L.Load(s0);
            if (TUpdate.States > 1) s.B = L.Load(s1);
            if (TUpdate.States > 2) s.C = L.Load(s2);
            TUpdate.Body(ref value, L.Load(g), ref s, c);
            L.Store(value, p);
            if (TUpdate.States > 0) L.Store(s.A, s0);
            if (TUpdate.States > 1) L.Store(s.B, s1);
            if (TUpdate.States > 2) L.Store(s.C, s2);
        }
    }
}
