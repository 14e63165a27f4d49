using Flambeau.Diagnostics;
using Flambeau.Optim;
using Flambeau.Runtime;

namespace Flambeau.NN;

// B batch, T tokens, C width, H heads, D head size

/// <summary>
/// A first training step compiles some functions, and the runtime compiles what compiles them: tracing, planning, emitting, and the kernels of products and attention. The first parameter of a process announces
/// such a step. Most of a model is still to be made then, by one thread: a second core takes a small step of its own meanwhile. It computes nothing that anybody sees, and draws no random number.
/// </summary>
internal static class WarmUp
{
    const long T = 64, C = 256, H = 4; // a row long enough to go through a pass by itself, and products of several blocks

    static int s_begun;

    /// <summary>True on the thread of such a step: no profile shows it.</summary>
    [field: ThreadStatic] public static bool IsHere { get; private set; }

    /// <summary>Begins, the first time that it is wanted and pays: there is a core to spare, code is generated and no profile is open, whose times it would disturb.</summary>
    public static void Begin()
    {
        if (Volatile.Read(ref s_begun) != 0 || !Settings.WarmUp || Team.Threads == 1 || !Settings.CodeGeneration || !Settings.Fusion || Recording.Open is not null) return;
        if (Interlocked.Exchange(ref s_begun, 1) == 0) new Thread(Run) { IsBackground = true, Name = "Flambeau warm-up" }.Start();
    }

    internal static void Run()
    {
        IsHere = true;
        Team.StayAlone();
        try { Step(); }
        catch (Exception) { } // who meets it in a step of his own is told
    }

    internal static void Step()
    {
        Tensor scale = Leaf(C), shift = Leaf(C), weight = Leaf(3 * C, C), bias = Leaf(3 * C);
        using var targets = Tensor.Zeros([T], DType.Int64);
        var x_BTC = Tensor.Zeros(1, T, C) + shift;
        x_BTC += Attend(x_BTC.LayerNorm(1, scale, shift).Linear(weight, bias));
        x_BTC = x_BTC.Linear(weight, bias).Gelu().Linear(weight.Transpose(0, 1));
        x_BTC.Flatten(0, 1).CrossEntropy(targets).Backward();
        new AdamW([scale, shift, weight, bias]).Step();
    }

    static Tensor Leaf(params ReadOnlySpan<long> shape) => Tensor.Full(Shape.Create(shape), 0.01, DType.Float32).RequiresGrad_();

    static Tensor Attend(Tensor qkv_BTE)
    {
        Tensor[] qkv_BHTD = [.. qkv_BTE.Chunk(3, -1).Select(part => part.Unflatten(-1, H, C / H).Transpose(1, 2))];
        return qkv_BHTD[0].ScaledDotProductAttention(qkv_BHTD[1], qkv_BHTD[2], isCausal: true).Transpose(1, 2).Flatten(2);
    }
}
