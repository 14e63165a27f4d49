using TorchSharp;
using static TorchSharp.torch;

namespace Flambeau.Oracle;

using Parameter = TorchSharp.Modules.Parameter;
using Tensor = TorchSharp.torch.Tensor;

/// <summary>
/// Muon (Jordan et al. 2024) in PyTorch's operators, which the binding lacks: written from what <c>torch.optim.Muon</c> documents.
/// </summary>
/// <param name="matrices">What it trains.</param>
/// <param name="decay">Decoupled weight decay.</param>
/// <param name="matchAdamW">Scales a step by 0.2 √max(rows, columns), PyTorch's <c>match_rms_adamw</c>; otherwise by √max(1, rows / columns).</param>
/// <param name="iteration">The type that the Newton–Schulz iteration is computed in; PyTorch's own class takes bfloat16. Null for the matrix's.</param>
internal sealed class TorchMuon(
    IEnumerable<Parameter> matrices, double decay, double momentum = 0.95, bool nesterov = true, bool matchAdamW = false, ScalarType? iteration = null) : IDisposable
{
    private const int Iterations = 5;
    private const double A = 3.4445, B = -4.7750, C = 2.0315, Epsilon = 1e-7;

    private readonly List<(Parameter Matrix, Tensor Buffer)> _state = [.. matrices.Select(p => (p, zeros_like(p).DetachFromDisposeScope()))];

    public void Step(double rate)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (matrix, buffer) in _state)
        {
            var gradient = matrix.grad!;
            buffer.lerp_(gradient, 1 - momentum);
            var step = Orthogonal(nesterov ? gradient.lerp(buffer, momentum) : buffer).to(matrix.dtype);
            double rows = matrix.shape[0], columns = matrix.shape[1];
            matrix.mul_(1 - rate * decay);
            matrix.sub_(step * (rate * (matchAdamW ? 0.2 * Math.Sqrt(Math.Max(rows, columns)) : Math.Sqrt(Math.Max(1, rows / columns)))));
        }
    }

    /// <summary>X ← aX + (bXXᵀ + c(XXᵀ)²)X from X of norm 1, on the side where XXᵀ is the smaller.</summary>
    private Tensor Orthogonal(Tensor direction)
    {
        var tall = direction.shape[0] > direction.shape[1];
        var x = direction.to(iteration ?? direction.dtype);
        if (tall) x = x.t();
        x = x / x.norm().clamp(min: Epsilon);
        for (var i = 0; i < Iterations; i++)
        {
            var gram = x.mm(x.t());
            x = A * x + (B * gram + C * gram.mm(gram)).mm(x);
        }
        return tall ? x.t() : x;
    }

    public void Dispose()
    {
        foreach (var (_, buffer) in _state) buffer.Dispose();
    }
}
