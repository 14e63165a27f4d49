using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// PyTorch's stochastic gradient descent with momentum in one pass over each parameter, the C++ function behind <c>torch.optim.SGD(…, fused=True)</c>.
/// TorchSharp has only the operator-by-operator form.
/// </summary>
internal sealed unsafe class FusedSgd(IEnumerable<Tensor> parameters, double rate, double momentum)
{
    private static readonly delegate* unmanaged<List, List, List, double, double, double, double, byte, byte, byte, Absent*, Absent*, void> Update =
        (delegate* unmanaged<List, List, List, double, double, double, double, byte, byte, byte, Absent*, Absent*, void>)
        TorchLibrary.Function("_ZN2at4_ops11_fused_sgd_4callEN3c108ArrayRefINS_6TensorEEES5_S5_ddddbbbRKSt8optionalIS4_ES9_");

    private readonly Tensor[] _parameters = [.. parameters];
    private Tensor[]? _buffers;

    /// <summary>One step with the gradients at hand.</summary>
    public void Step(Tensor[] gradients)
    {
        using var _ = no_grad();
        var first = _buffers is null;
        _buffers ??= [.. _parameters.Select(x => empty_like(x).detach())];

        nint[] p = Bodies(_parameters), g = Bodies(gradients), b = Bodies(_buffers);
        Absent absent = default;
        fixed (nint* pp = p, gp = g, bp = b)
            Update(new(pp, p.Length), new(gp, g.Length), new(bp, b.Length), 0, momentum, rate, 0, 0, 0, (byte)(first ? 1 : 0), &absent, &absent);
    }

    /// <summary>An <c>at::Tensor</c> is one counted pointer; the handles outlive the call, so the count is left alone.</summary>
    private static nint[] Bodies(Tensor[] tensors) => Array.ConvertAll(tensors, x => *(nint*)x.Handle);

    /// <summary><c>c10::ArrayRef&lt;at::Tensor&gt;</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct List(nint* first, nint length)
    {
        private readonly nint* _first = first;
        private readonly nint _length = length;
    }

    /// <summary><c>std::optional&lt;at::Tensor&gt;</c> without a value.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Absent
    {
        private readonly nint _tensor, _present;
    }
}
