using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Bench.Torch.Native;

/// <summary>
/// PyTorch's AdamW in one pass over each parameter (Loshchilov and Hutter 2019), the C++ function behind
/// <c>torch.optim.AdamW(…, fused=True)</c>. TorchSharp has only the operator-by-operator form.
/// </summary>
internal sealed unsafe class FusedAdamW
{
    private static readonly delegate* unmanaged<
        List, List, List, List, List, List, double, double, double, double, double, byte, byte, Absent*, Absent*, void> Update =
        (delegate* unmanaged<List, List, List, List, List, List, double, double, double, double, double, byte, byte, Absent*, Absent*, void>)
        TorchLibrary.Function("_ZN2at4_ops13_fused_adamw_4callEN3c108ArrayRefINS_6TensorEEES5_S5_S5_S5_S5_dddddbbRKSt8optionalIS4_ES9_");

    private static readonly delegate* unmanaged<List, Number*, void> Count = (delegate* unmanaged<List, Number*, void>)
        TorchLibrary.Function("_ZN2at4_ops20_foreach_add__Scalar4callEN3c108ArrayRefINS_6TensorEEERKNS2_6ScalarE");

    private readonly Tensor[] _parameters, _means, _squares, _steps;
    private readonly double _rate, _beta1, _beta2, _decay, _epsilon;

    public FusedAdamW(
        IEnumerable<Tensor> parameters, double rate, double beta1 = 0.9, double beta2 = 0.999, double decay = 0.01, double epsilon = 1e-8)
    {
        _parameters = [.. parameters];
        _means = [.. _parameters.Select(x => zeros_like(x).detach())];
        _squares = [.. _parameters.Select(x => zeros_like(x).detach())];
        _steps = [.. _parameters.Select(_ => zeros([]))];
        (_rate, _beta1, _beta2, _decay, _epsilon) = (rate, beta1, beta2, decay, epsilon);
    }

    /// <summary>One step. Every parameter must have a gradient.</summary>
    public void Step()
    {
        var gradients = Array.ConvertAll(_parameters, x => x.grad ?? throw new InvalidOperationException("FusedAdamW: a parameter has no gradient."));
        Step(gradients);
        foreach (var gradient in gradients) gradient.Dispose();
    }

    /// <summary>One step with the gradients at hand: reading them from the parameters through TorchSharp costs more than a step of small ones.</summary>
    public void Step(Tensor[] gradients)
    {
        using var _ = no_grad();
        nint[] p = Bodies(_parameters), g = Bodies(gradients), m = Bodies(_means), v = Bodies(_squares), s = Bodies(_steps);
        Absent absent = default;
        var one = new Number { Value = 1 };
        fixed (nint* pp = p, gp = g, mp = m, vp = v, sp = s)
        {
            Count(new(sp, s.Length), &one);
            Update(new(pp, p.Length), new(gp, g.Length), new(mp, m.Length), new(vp, v.Length), new(null, 0), new(sp, s.Length),
                _rate, _beta1, _beta2, _decay, _epsilon, 0, 0, &absent, &absent);
        }
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

    /// <summary><c>c10::Scalar</c> that holds a double: a tag of 0, and the value where an aligned complex number would begin.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 32)]
    private struct Number
    {
        [FieldOffset(16)] public double Value;
    }
}
