using System.Runtime.CompilerServices;
using Flambeau.Kernels;
using Flambeau.Ops;
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

/// <summary>The loop of an update over contiguous elements, one pass: each array is read once and written once. <see cref="Updates"/> says over which.</summary>
internal static unsafe class UpdateLoop
{
    /// <summary>Updates one tensor and its states in place, at once (<see cref="Updates.Add"/>).</summary>
    public static void Run<TUpdate>(Tensor parameter, Tensor gradient, Tensor? state, ReadOnlySpan<double> coefficients) where TUpdate : struct, IUpdate
    {
        using var _ = Autograd.NoGrad();
        var updates = new Updates();
        updates.SetCoefficients(updates, 0, coefficients);
        updates.Add<TUpdate>(parameter, gradient, state);
        updates.Run();
    }

    /// <summary>x + weight · (y − x), exact at both ends, with PyTorch's two orders of operation: from the nearer end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Lerp<S>(S x, S y, S weight) where S : IReal<S> =>
        S.Select(S.Abs(weight) < S.Constant(0.5), Lerp<S, Yes>(x, y, weight), Lerp<S, No>(x, y, weight));

    /// <summary>As the other, where it is known to which end the weight is nearer (<see cref="IsNear"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static S Lerp<S, TNear>(S x, S y, S weight) where S : IReal<S> where TNear : struct, IChoice =>
        TNear.Value ? x + weight * (y - x) : y - (y - x) * (S.Constant(1) - weight);

    /// <summary>True if a weight of 0 … 1, rounded to the type that is computed in, is nearer to 0.</summary>
    public static bool IsNear(double weight, DType compute) => compute == DType.Float64 ? weight < 0.5 : (float)weight < 0.5f;

    /// <summary>The type that states are kept in and updates are computed in.</summary>
    public static DType StateType(DType parameter) => parameter == DType.Float64 ? DType.Float64 : DType.Float32;

    /// <summary>The loop of an update: parameter; gradient, states and coefficients.</summary>
    public static Kernel KernelOf<TUpdate>() where TUpdate : struct, IUpdate => Made<TUpdate>.Kernel;

    static class Made<TUpdate> where TUpdate : struct, IUpdate
    {
        public static readonly Kernel Kernel = Kernel.Of<Loop<TUpdate>>();
    }

    readonly struct Loop<TUpdate> : ILoop where TUpdate : struct, IUpdate
    {
        // bytes: up to five streams at once are more than the processor's own prefetching keeps up with, which stops at each page's end
        const int Ahead = 1024;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
        {
            var c = Spread<L>((double*)x[4]);
            byte* g = x[0], s0 = x[1], s1 = x[2], s2 = x[3];
            int bytes = L.Count * sizeof(T);
            long i = 0;
            for (; i + L.Count + Ahead / sizeof(T) <= n; i += L.Count)
            {
                Prefetch.ToL1(y + Ahead);
                Prefetch.ToL1(g + Ahead);
                if (TUpdate.States > 0) Prefetch.ToL1(s0 + Ahead);
                if (TUpdate.States > 1) Prefetch.ToL1(s1 + Ahead);
                if (TUpdate.States > 2) Prefetch.ToL1(s2 + Ahead);
                Element<L>(y, g, s0, s1, s2, c);
                y += bytes; g += bytes; s0 += bytes; s1 += bytes; s2 += bytes;
            }
            for (; i + L.Count <= n; i += L.Count)
            {
                Element<L>(y, g, s0, s1, s2, c);
                y += bytes; g += bytes; s0 += bytes; s1 += bytes; s2 += bytes;
            }
            // called last, and not inlined: a call that returns here would have the coefficients live in memory, read again for every vector
            if (i < n) Rest<L>(y, g, s0, s1, s2, (double*)x[4], (uint)(n - i) * (uint)sizeof(T));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static UpdateCoefficients<L> Spread<L>(double* c) where L : struct, ILanes<L> => new()
        {
            C0 = L.Constant(c[0]), C1 = L.Constant(c[1]), C2 = L.Constant(c[2]), C3 = L.Constant(c[3]),
            C4 = L.Constant(c[4]), C5 = L.Constant(c[5]), C6 = L.Constant(c[6]), C7 = L.Constant(c[7]), C8 = L.Constant(c[8]),
        };

        // less than a vector goes through padded ones: an element's bits do not depend on its place
        [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        static void Rest<L>(byte* y, byte* g, byte* s0, byte* s1, byte* s2, double* c, uint rest) where L : struct, ILanes<L>
        {
            const int Vector = 64;
            byte* pad = stackalloc byte[5 * Vector];
            new Span<byte>(pad, 5 * Vector).Clear();
            Unsafe.CopyBlockUnaligned(pad, y, rest);
            Unsafe.CopyBlockUnaligned(pad + Vector, g, rest);
            if (TUpdate.States > 0) Unsafe.CopyBlockUnaligned(pad + 2 * Vector, s0, rest);
            if (TUpdate.States > 1) Unsafe.CopyBlockUnaligned(pad + 3 * Vector, s1, rest);
            if (TUpdate.States > 2) Unsafe.CopyBlockUnaligned(pad + 4 * Vector, s2, rest);
            Element<L>(pad, pad + Vector, pad + 2 * Vector, pad + 3 * Vector, pad + 4 * Vector, Spread<L>(c));
            Unsafe.CopyBlockUnaligned(y, pad, rest);
            if (TUpdate.States > 0) Unsafe.CopyBlockUnaligned(s0, pad + 2 * Vector, rest);
            if (TUpdate.States > 1) Unsafe.CopyBlockUnaligned(s1, pad + 3 * Vector, rest);
            if (TUpdate.States > 2) Unsafe.CopyBlockUnaligned(s2, pad + 4 * Vector, rest);
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
