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
    /// <summary>Updates one tensor and its state in place, at once.</summary>
    public static void Run<TUpdate>(Tensor parameter, Tensor gradient, Tensor? state, Tensor? master, ReadOnlySpan<double> coefficients) where TUpdate : struct, IUpdate
    {
        using var _ = Autograd.NoGrad();
        var updates = new Updates();
        updates.SetCoefficients(updates, 0, coefficients);
        updates.Add<TUpdate>(parameter, gradient, state, master: master);
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

    /// <summary>The loop of an update: parameter; gradient, states and coefficients. With a master: the master; gradient, states, coefficients and parameter, where gradient and parameter are bfloat16.</summary>
    public static Kernel KernelOf<TUpdate>(bool master) where TUpdate : struct, IUpdate => master ? Made<TUpdate, Yes>.Kernel : Made<TUpdate, No>.Kernel;

    static class Made<TUpdate, TMaster> where TUpdate : struct, IUpdate where TMaster : struct, IChoice
    {
        public static readonly Kernel Kernel = Kernel.Of<Loop<TUpdate, TMaster>>();
    }

    // where the elements at hand lie
    struct Place
    {
        public byte* P, G, S0, S1, S2, Narrow;

        // the pads of a rest
        public Place(byte* pad)
        {
            P = pad; G = pad + Vector; S0 = pad + 2 * Vector; S1 = pad + 3 * Vector; S2 = pad + 4 * Vector; Narrow = pad + 5 * Vector;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Move(int bytes, int ofGradient)
        {
            P += bytes; G += ofGradient; S0 += bytes; S1 += bytes; S2 += bytes; Narrow += ofGradient;
        }

        public const int Vector = 64;
    }

    readonly struct Loop<TUpdate, TMaster> : ILoop where TUpdate : struct, IUpdate where TMaster : struct, IChoice
    {
        // bytes: up to six streams at once are more than the processor's own prefetching keeps up with, which stops at each page's end
        const int Ahead = 1024;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public static void Run<L, T>(byte* y, byte** x, long n, uint scalars) where L : struct, ILanes<L> where T : unmanaged
        {
            var c = Spread<L>((double*)x[4]);
            var at = new Place { P = y, G = x[0], S0 = x[1], S1 = x[2], S2 = x[3], Narrow = TMaster.Value ? x[5] : null };
            int bytes = L.Count * sizeof(T), ofGradient = TMaster.Value ? L.Count * sizeof(ushort) : bytes;
            long i = 0;
            for (; i + L.Count + Ahead / sizeof(T) <= n; i += L.Count)
            {
                Prefetch.ToL1(at.P + Ahead);
                Prefetch.ToL1(at.G + Ahead);
                if (TMaster.Value) Prefetch.ToL1(at.Narrow + Ahead);
                if (TUpdate.States > 0) Prefetch.ToL1(at.S0 + Ahead);
                if (TUpdate.States > 1) Prefetch.ToL1(at.S1 + Ahead);
                if (TUpdate.States > 2) Prefetch.ToL1(at.S2 + Ahead);
                Element<L>(at, c);
                at.Move(bytes, ofGradient);
            }
            for (; i + L.Count <= n; i += L.Count)
            {
                Element<L>(at, c);
                at.Move(bytes, ofGradient);
            }
            // called last, and not inlined: a call that returns here would have the coefficients live in memory, read again for every vector
            if (i < n) Rest<L>(at, (double*)x[4], (uint)(n - i) * (uint)sizeof(T));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static UpdateCoefficients<L> Spread<L>(double* c) where L : struct, ILanes<L> => new()
        {
            C0 = L.Constant(c[0]), C1 = L.Constant(c[1]), C2 = L.Constant(c[2]), C3 = L.Constant(c[3]),
            C4 = L.Constant(c[4]), C5 = L.Constant(c[5]), C6 = L.Constant(c[6]), C7 = L.Constant(c[7]), C8 = L.Constant(c[8]),
        };

        // less than a vector goes through padded ones: an element's bits do not depend on its place
        [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
        static void Rest<L>(Place at, double* c, uint rest) where L : struct, ILanes<L>
        {
            byte* memory = stackalloc byte[6 * Place.Vector];
            new Span<byte>(memory, 6 * Place.Vector).Clear();
            var pad = new Place(memory);
            Unsafe.CopyBlockUnaligned(pad.G, at.G, TMaster.Value ? rest / 2 : rest);
            Copy(at, pad, rest);
            Element<L>(pad, Spread<L>(c));
            Copy(pad, at, rest);
        }

        // what is read and written
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Copy(in Place from, in Place to, uint rest)
        {
            Unsafe.CopyBlockUnaligned(to.P, from.P, rest);
            if (TMaster.Value) Unsafe.CopyBlockUnaligned(to.Narrow, from.Narrow, rest / 2);
            if (TUpdate.States > 0) Unsafe.CopyBlockUnaligned(to.S0, from.S0, rest);
            if (TUpdate.States > 1) Unsafe.CopyBlockUnaligned(to.S1, from.S1, rest);
            if (TUpdate.States > 2) Unsafe.CopyBlockUnaligned(to.S2, from.S2, rest);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Element<L>(in Place at, in UpdateCoefficients<L> c) where L : struct, ILanes<L>
        {
            var value = TMaster.Value ? Followed(L.Load(at.P), BFloat16Lanes.Load<L>((ushort*)at.Narrow)) : L.Load(at.P);
            UpdateStates<L> s = default;
            if (TUpdate.States > 0) s.A = L.Load(at.S0);
            if (TUpdate.States > 1) s.B = L.Load(at.S1);
            if (TUpdate.States > 2) s.C = L.Load(at.S2);
            TUpdate.Body(ref value, TMaster.Value ? BFloat16Lanes.Load<L>((ushort*)at.G) : L.Load(at.G), ref s, c);
            L.Store(value, at.P);
            if (TMaster.Value) BFloat16Lanes.Store(BFloat16Lanes.Round(value), (ushort*)at.Narrow);
            if (TUpdate.States > 0) L.Store(s.A, at.S0);
            if (TUpdate.States > 1) L.Store(s.B, at.S1);
            if (TUpdate.States > 2) L.Store(s.C, at.S2);
        }

        // what was written to a parameter since its last step counts: there its master begins anew
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static L Followed<L>(L master, L parameter) where L : struct, ILanes<L> => L.Select(L.EqualBits(BFloat16Lanes.Round(master), parameter), master, parameter);
    }
}
